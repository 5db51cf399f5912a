/* rows_avx2.h - rows of MMK_I8 on __m256i: sums of a pair, of eight rows against one, and what
 * becomes of them (internal to int8_avx2.c and int8_avxvnni.c).
 * SPDX-License-Identifier: MIT
 *
 * As rows_avx512.h, with eight rows; of short ones two share the loads of x: with four there are
 * not registers enough. Bytes have no masked loads here. A tail is the last 32 bytes of its row,
 * those before it made 0; of a row shorter than that it is put together from two loads that
 * overlap. In which lane a column stands does not matter, as long as it is the same of both rows.
 */
#ifndef MMK_INT8_ROWS_AVX2_H
#define MMK_INT8_ROWS_AVX2_H

#include "int8.h"

#include "../call/size.h"
#include "../simd/avx2.h"

#include <stdbool.h>

#define INT8_INLINE static inline __attribute__((always_inline))

/* Sums of a pair, and what has to be taken from them: p.q is pq - extra_p, p.p is pp - extra_p, q.q
 * is qq - extra_q. */
struct int8_pair_sums {
    __m256i pq, pp, qq, extra_p, extra_q;
};

/* x.y + `start` of x, and y.y is yy - extra. */
struct int8_row_sums {
    __m256i xy, yy, extra;
};

struct int8_way {
    /* 32 columns more; without squares pq and extra_p only. */
    void (*pair)(bool squares, __m256i p, __m256i q, struct int8_pair_sums *sums);
    /* 32 columns more; without squares xy only. */
    void (*row)(bool squares, __m256i x, __m256i y, struct int8_row_sums *sums);
    /* To be taken from xy, in the sum of all lanes. */
    __m256i (*start)(__m256i x, __m256i sum);
};

/* One load, as simd_load_once: gcc 12 would read memory again for every product of the value. */
INT8_INLINE __m256i int8_load_avx2(const int8_t *p)
{
    __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)p);
    __asm__("" : "+x"(v));
    return v;
}

/* What is beyond the whole vectors of a row of d columns, which begins at p; not of none. */
INT8_INLINE __m256i int8_load_tail_avx2(const int8_t *p, size_t d)
{
    if (d >= 32)
        return _mm256_and_si256(int8_load_avx2(p + d - 32), int8_load_avx2(int8_last(32, d % 32)));
    if (d >= 16) {
        __m128i first = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i last = _mm_loadu_si128((const __m128i *)(const void *)(p + d - 16));
        __m128i mask = _mm_loadu_si128((const __m128i *)(const void *)int8_last(16, d - 16));
        return _mm256_set_m128i(_mm_and_si128(last, mask), first);
    }
    uint64_t bytes[2];
    int8_load_short(p, d, bytes);
    return _mm256_set_epi64x(0, 0, (long long)bytes[1], (long long)bytes[0]);
}

/* ---- Trees ----------------------------------------------------------------------------------- */

/* 8 lanes of each of two rows to 4: pairs a b. */
INT8_INLINE __m256i int8_join2_avx2(__m256i a, __m256i b)
{
    return _mm256_add_epi32(_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
}

/* Of two pairs of rows, 2 lanes each: halves a b c d. */
INT8_INLINE __m256i int8_join4_avx2(__m256i ab, __m256i cd)
{
    return _mm256_add_epi32(_mm256_unpacklo_epi64(ab, cd), _mm256_unpackhi_epi64(ab, cd));
}

INT8_INLINE __m256i int8_join8_avx2(const __m256i pair[4])
{
    __m256i low = int8_join4_avx2(pair[0], pair[1]), high = int8_join4_avx2(pair[2], pair[3]);
    return _mm256_add_epi32(_mm256_permute2x128_si256(low, high, 0x20),
                            _mm256_permute2x128_si256(low, high, 0x31));
}

INT8_INLINE __m128i int8_fold_avx2(__m256i s)
{
    return _mm_add_epi32(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1));
}

INT8_INLINE int32_t int8_sum_avx2(__m256i s)
{
    __m128i q = int8_fold_avx2(s);
    q = _mm_add_epi32(q, _mm_shuffle_epi32(q, _MM_SHUFFLE(1, 0, 3, 2)));
    q = _mm_add_epi32(q, _mm_shuffle_epi32(q, _MM_SHUFFLE(2, 3, 0, 1)));
    return _mm_cvtsi128_si32(q);
}

/* ---- Pairs ----------------------------------------------------------------------------------- */

/* Four chains of each of the sums, or two where there are five sums. */
INT8_INLINE struct int8_pair_sums int8_pair_sums_avx2(const struct int8_way *way, bool squares,
                                                      size_t d, const int8_t *p, const int8_t *q)
{
    const __m256i zero = _mm256_setzero_si256();
    const size_t chains = squares ? 2 : 4;
    struct int8_pair_sums s[4] = {{zero, zero, zero, zero, zero},
                                  {zero, zero, zero, zero, zero},
                                  {zero, zero, zero, zero, zero},
                                  {zero, zero, zero, zero, zero}};
    size_t k = 0;
    for (; k + 32 * chains <= d; k += 32 * chains)
#pragma GCC unroll 4
        for (size_t i = 0; i < chains; i++)
            way->pair(squares, int8_load_avx2(p + k + 32 * i), int8_load_avx2(q + k + 32 * i),
                      &s[i]);
#pragma GCC unroll 3
    for (size_t i = 0; i + 1 < chains; i++)
        if (k + 32 <= d) {
            way->pair(squares, int8_load_avx2(p + k), int8_load_avx2(q + k), &s[i]);
            k += 32;
        }
    if (d % 32 > 0)
        way->pair(squares, int8_load_tail_avx2(p, d), int8_load_tail_avx2(q, d), &s[chains - 1]);
    if (!squares) {
        s[0].pq = _mm256_add_epi32(s[0].pq, s[2].pq);
        s[1].pq = _mm256_add_epi32(s[1].pq, s[3].pq);
        s[0].extra_p = _mm256_add_epi32(s[0].extra_p, s[2].extra_p);
        s[1].extra_p = _mm256_add_epi32(s[1].extra_p, s[3].extra_p);
    }
    struct int8_pair_sums sums = {.pq = _mm256_add_epi32(s[0].pq, s[1].pq),
                                  .extra_p = _mm256_add_epi32(s[0].extra_p, s[1].extra_p)};
    if (squares) {
        sums.pp = _mm256_add_epi32(s[0].pp, s[1].pp);
        sums.qq = _mm256_add_epi32(s[0].qq, s[1].qq);
        sums.extra_q = _mm256_add_epi32(s[0].extra_q, s[1].extra_q);
    }
    return sums;
}

INT8_INLINE int32_t int8_dot_pair_avx2(const struct int8_way *way, size_t d, const int8_t *p,
                                       const int8_t *q)
{
    struct int8_pair_sums s = int8_pair_sums_avx2(way, false, d, p, q);
    return int8_sum_avx2(_mm256_sub_epi32(s.pq, s.extra_p));
}

INT8_INLINE struct int8_sums int8_sums_avx2(const struct int8_way *way, size_t d, const int8_t *p,
                                            const int8_t *q)
{
    struct int8_pair_sums s = int8_pair_sums_avx2(way, true, d, p, q);
    __m256i products =
        int8_join2_avx2(_mm256_sub_epi32(s.pq, s.extra_p), _mm256_sub_epi32(s.pp, s.extra_p));
    __m256i own = _mm256_sub_epi32(s.qq, s.extra_q);
    __m128i q4 = int8_fold_avx2(int8_join4_avx2(products, int8_join2_avx2(own, own)));
    __m256d v = _mm256_cvtepi32_pd(q4);
    __m128d low = _mm256_castpd256_pd128(v);
    return (struct int8_sums){_mm_cvtsd_f64(low), _mm_cvtsd_f64(_mm_unpackhi_pd(low, low)),
                              _mm_cvtsd_f64(_mm256_extractf128_pd(v, 1))};
}

/* ---- One against many ------------------------------------------------------------------------ */

/* Prefetches the line that is INT8_AHEAD on, in whatever row; beyond the last it does nothing. */
INT8_INLINE void int8_prefetch_avx2(const int8_t *p)
{
    _mm_prefetch((const char *)((uintptr_t)p + INT8_AHEAD), _MM_HINT_T0);
}

/* x.y + start and, with squares, y.y of one row, 8 lanes each, in two chains. */
INT8_INLINE struct int8_row_sums int8_row_avx2(const struct int8_way *way, bool squares, size_t d,
                                               const int8_t *x, const int8_t *y)
{
    const __m256i zero = _mm256_setzero_si256();
    struct int8_row_sums s[2] = {{zero, zero, zero}, {zero, zero, zero}};
    size_t k = 0;
    for (; k + 64 <= d; k += 64) {
        int8_prefetch_avx2(y + k);
#pragma GCC unroll 2
        for (size_t i = 0; i < 2; i++)
            way->row(squares, int8_load_avx2(x + k + 32 * i), int8_load_avx2(y + k + 32 * i),
                     &s[i]);
    }
    if (k + 32 <= d)
        way->row(squares, int8_load_avx2(x + k), int8_load_avx2(y + k), &s[0]);
    if (d % 32 > 0)
        way->row(squares, int8_load_tail_avx2(x, d), int8_load_tail_avx2(y, d), &s[1]);
    struct int8_row_sums sums = {.xy = _mm256_add_epi32(s[0].xy, s[1].xy)};
    if (squares)
        sums.yy = _mm256_sub_epi32(_mm256_add_epi32(s[0].yy, s[1].yy),
                                   _mm256_add_epi32(s[0].extra, s[1].extra));
    return sums;
}

/* The same sums of two short rows, which share the loads of x. */
INT8_INLINE void int8_two_avx2(const struct int8_way *way, bool squares, size_t d, const int8_t *x,
                               const int8_t *y, const int8_t *z, struct int8_row_sums sums[2])
{
    const __m256i zero = _mm256_setzero_si256();
    struct int8_row_sums s[2] = {{zero, zero, zero}, {zero, zero, zero}};
    for (size_t k = 0; k + 32 <= d; k += 32) {
        __m256i v = int8_load_avx2(x + k);
        int8_prefetch_avx2(y + k);
        int8_prefetch_avx2(z + k);
        way->row(squares, v, int8_load_avx2(y + k), &s[0]);
        way->row(squares, v, int8_load_avx2(z + k), &s[1]);
    }
    if (d % 32 > 0) {
        __m256i v = int8_load_tail_avx2(x, d);
        way->row(squares, v, int8_load_tail_avx2(y, d), &s[0]);
        way->row(squares, v, int8_load_tail_avx2(z, d), &s[1]);
    }
#pragma GCC unroll 2
    for (size_t r = 0; r < 2; r++) {
        sums[r] = s[r];
        if (squares)
            sums[r].yy = _mm256_sub_epi32(s[r].yy, s[r].extra);
    }
}

/* The same sums of `rows` rows, at most 8, each in its lane; the other lanes repeat the last. */
INT8_INLINE __m256i int8_eight_avx2(const struct int8_way *way, bool squares, bool is_short,
                                    size_t rows, size_t d, const int8_t *x, const int8_t *y,
                                    size_t ldy, __m256i *yy)
{
    __m256i xy2[4], yy2[4];
    for (size_t g = 0; g < 4; g++) {
        const int8_t *row0 = y + size_min(2 * g, rows - 1) * ldy;
        const int8_t *row1 = y + size_min(2 * g + 1, rows - 1) * ldy;
        struct int8_row_sums s[2];
        if (is_short) {
            int8_two_avx2(way, squares, d, x, row0, row1, s);
        } else {
            s[0] = int8_row_avx2(way, squares, d, x, row0);
            s[1] = int8_row_avx2(way, squares, d, x, row1);
        }
        xy2[g] = int8_join2_avx2(s[0].xy, s[1].xy);
        if (squares)
            yy2[g] = int8_join2_avx2(s[0].yy, s[1].yy);
    }
    if (squares)
        *yy = int8_join8_avx2(yy2);
    return int8_join8_avx2(xy2);
}

INT8_INLINE __m256i int8_start_avx2(const struct int8_way *way, size_t d, const int8_t *x)
{
    __m256i sum = _mm256_setzero_si256();
    for (size_t k = 0; k + 32 <= d; k += 32)
        sum = way->start(int8_load_avx2(x + k), sum);
    if (d % 32 > 0)
        sum = way->start(int8_load_tail_avx2(x, d), sum);
    return _mm256_set1_epi32(int8_sum_avx2(sum));
}

INT8_INLINE void int8_dots_of_avx2(const struct int8_way *way, bool is_short, size_t n, size_t d,
                                   const int8_t *x, const int8_t *y, size_t ldy, int32_t *result)
{
    const __m256i start = int8_start_avx2(way, d, x);
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, result += rows) {
        rows = size_min(n, 8);
        __m256i xy = int8_eight_avx2(way, false, is_short, rows, d, x, y, ldy, NULL);
        _mm256_maskstore_epi32(result, simd_first(rows), _mm256_sub_epi32(xy, start));
    }
}

INT8_INLINE void int8_dots_avx2(const struct int8_way *way, size_t n, size_t d, const int8_t *x,
                                const int8_t *y, size_t ldy, int32_t *result)
{
    if (d <= INT8_SHORT_ROW)
        int8_dots_of_avx2(way, true, n, d, x, y, ldy, result);
    else
        int8_dots_of_avx2(way, false, n, d, x, y, ldy, result);
}

/* Four results; yy is not looked at for the dot product. */
INT8_INLINE __m128 int8_finish4_avx2(enum mmk_similarity similarity, const struct int8_side *x,
                                     __m128i xy, __m128i yy, __m128 scales)
{
    const __m256d zero = _mm256_setzero_pd(), scale = _mm256_set1_pd(x->scale);
    __m256d pq = _mm256_cvtepi32_pd(xy), qq = _mm256_cvtepi32_pd(yy), b = _mm256_cvtps_pd(scales);
    if (similarity == MMK_DOT)
        return _mm256_cvtpd_ps(_mm256_add_pd(_mm256_mul_pd(_mm256_mul_pd(scale, b), pq), zero));
    if (similarity == MMK_COSINE) {
        __m256d squares = _mm256_mul_pd(_mm256_set1_pd(x->square), qq);
        __m256d ab = _mm256_mul_pd(scale, b);
        __m256d cosine = _mm256_div_pd(pq, _mm256_sqrt_pd(squares));
        cosine = _mm256_and_pd(cosine, _mm256_cmp_pd(squares, zero, _CMP_NEQ_UQ));
        cosine = _mm256_and_pd(cosine, _mm256_cmp_pd(ab, zero, _CMP_NEQ_UQ));
        cosine = _mm256_xor_pd(cosine, _mm256_and_pd(ab, _mm256_set1_pd(-0.0)));
        return _mm256_cvtpd_ps(_mm256_add_pd(cosine, _mm256_sub_pd(ab, ab)));
    }
    __m256d part = _mm256_mul_pd(_mm256_mul_pd(b, b), qq);
    __m256d product = _mm256_mul_pd(_mm256_mul_pd(_mm256_add_pd(scale, scale), b), pq);
    __m256d distance = _mm256_sub_pd(_mm256_add_pd(_mm256_set1_pd(x->part), part), product);
    /* vmaxpd gives its second operand when either is NaN */
    return _mm256_cvtpd_ps(_mm256_sub_pd(zero, _mm256_max_pd(zero, distance)));
}

INT8_INLINE __m256 int8_finish8_avx2(enum mmk_similarity similarity, const struct int8_side *x,
                                     __m256i xy, __m256i yy, __m256 scales)
{
    __m128 low = int8_finish4_avx2(similarity, x, _mm256_castsi256_si128(xy),
                                   _mm256_castsi256_si128(yy), _mm256_castps256_ps128(scales));
    __m128 high =
        int8_finish4_avx2(similarity, x, _mm256_extracti128_si256(xy, 1),
                          _mm256_extracti128_si256(yy, 1), _mm256_extractf128_ps(scales, 1));
    return simd_canonical_nan8(_mm256_set_m128(high, low));
}

INT8_INLINE void int8_query_of_avx2(const struct int8_way *way, enum mmk_similarity similarity,
                                    bool is_short, size_t n, size_t d, const int8_t *x,
                                    float x_scale, const int8_t *y, size_t ldy, const float *scales,
                                    float *result)
{
    const bool squares = similarity != MMK_DOT;
    const struct int8_side side = int8_side(x_scale, squares ? int8_sums_avx2(way, d, x, x).pp : 0);
    const __m256i start = int8_start_avx2(way, d, x);
    __m256i yy = _mm256_setzero_si256();
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, result += rows) {
        rows = size_min(n, 8);
        __m256i xy = int8_eight_avx2(way, squares, is_short, rows, d, x, y, ldy, &yy);
        __m256 b = _mm256_set1_ps(1);
        if (scales != NULL) {
            b = simd_load_first(scales, rows);
            scales += rows;
        }
        xy = _mm256_sub_epi32(xy, start);
        simd_store_first(result, rows, int8_finish8_avx2(similarity, &side, xy, yy, b));
    }
}

INT8_INLINE void int8_query_avx2(const struct int8_way *way, enum mmk_similarity similarity,
                                 size_t n, size_t d, const int8_t *x, float x_scale,
                                 const int8_t *y, size_t ldy, const float *scales, float *result)
{
    if (d <= INT8_SHORT_ROW)
        int8_query_of_avx2(way, similarity, true, n, d, x, x_scale, y, ldy, scales, result);
    else
        int8_query_of_avx2(way, similarity, false, n, d, x, x_scale, y, ldy, scales, result);
}

#endif
