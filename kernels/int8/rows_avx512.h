/* rows_avx512.h - rows of MMK_I8 on __m512i: sums of a pair, of sixteen rows against one, and what
 * becomes of them (internal to int8_avx512*.c).
 * SPDX-License-Identifier: MIT
 *
 * Functions here are made twice, with two ways to multiply bytes (struct int8_way). The sums of
 * sixteen rows are joined together: 30 shuffles and 15 adds in place of 4 and 4 a row, each waiting
 * for the one before. Short rows are taken four at a time, which share the loads of x, others one
 * after the other (int8.h says why). Of what is left of 16 the last row is taken more than once.
 * Tails are masked loads; whole vectors have no mask, for hardware does not prefetch for masked
 * loads.
 */
#ifndef MMK_INT8_ROWS_AVX512_H
#define MMK_INT8_ROWS_AVX512_H

#include "int8.h"

#include "../call/size.h"
#include "../simd/avx512.h"

#include <stdbool.h>

#define INT8_INLINE static inline __attribute__((always_inline))

/* Sums of a pair, and what has to be taken from them: p.q is pq - extra_p, p.p is pp - extra_p, q.q
 * is qq - extra_q. */
struct int8_pair_sums {
    __m512i pq, pp, qq, extra_p, extra_q;
};

/* x.y + `start` of x, and y.y is yy - extra. */
struct int8_row_sums {
    __m512i xy, yy, extra;
};

struct int8_way {
    /* 64 columns more; without squares pq and extra_p only. */
    void (*pair)(bool squares, __m512i p, __m512i q, struct int8_pair_sums *sums);
    /* 64 columns more; without squares xy only. */
    void (*row)(bool squares, __m512i x, __m512i y, struct int8_row_sums *sums);
    /* To be taken from xy, in the sum of all lanes. */
    __m512i (*start)(__m512i x, __m512i sum);
};

/* One load, as simd_load_once: gcc 12 would read memory again for every product of the value. */
INT8_INLINE __m512i int8_load_avx512(const int8_t *p)
{
    __m512i v = _mm512_loadu_si512(p);
    __asm__("" : "+v"(v));
    return v;
}

INT8_INLINE __m512i int8_load_tail_avx512(const int8_t *p, size_t d)
{
    return _mm512_maskz_loadu_epi8((__mmask64)(((uint64_t)1 << d) - 1), p);
}

/* ---- Trees ----------------------------------------------------------------------------------- */

/* 16 lanes of each of two rows to 8: pairs a b. */
INT8_INLINE __m512i int8_join2_avx512(__m512i a, __m512i b)
{
    return _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
}

/* Of four rows, 4 lanes each: blocks a b c d. */
INT8_INLINE __m512i int8_join4_avx512(const __m512i s[4])
{
    __m512i ab = int8_join2_avx512(s[0], s[1]), cd = int8_join2_avx512(s[2], s[3]);
    return _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
}

INT8_INLINE __m512i int8_join16_avx512(const __m512i s[4])
{
    __m512i low = _mm512_add_epi32(_mm512_shuffle_i32x4(s[0], s[1], _MM_SHUFFLE(1, 0, 1, 0)),
                                   _mm512_shuffle_i32x4(s[0], s[1], _MM_SHUFFLE(3, 2, 3, 2)));
    __m512i high = _mm512_add_epi32(_mm512_shuffle_i32x4(s[2], s[3], _MM_SHUFFLE(1, 0, 1, 0)),
                                    _mm512_shuffle_i32x4(s[2], s[3], _MM_SHUFFLE(3, 2, 3, 2)));
    return _mm512_add_epi32(_mm512_shuffle_i32x4(low, high, _MM_SHUFFLE(2, 0, 2, 0)),
                            _mm512_shuffle_i32x4(low, high, _MM_SHUFFLE(3, 1, 3, 1)));
}

/* Four blocks of 4 lanes to one. */
INT8_INLINE __m128i int8_fold_avx512(__m512i s)
{
    __m256i h = _mm256_add_epi32(_mm512_castsi512_si256(s), _mm512_extracti64x4_epi64(s, 1));
    return _mm_add_epi32(_mm256_castsi256_si128(h), _mm256_extracti128_si256(h, 1));
}

INT8_INLINE int32_t int8_sum_avx512(__m512i s)
{
    __m128i q = int8_fold_avx512(s);
    q = _mm_add_epi32(q, _mm_shuffle_epi32(q, _MM_SHUFFLE(1, 0, 3, 2)));
    q = _mm_add_epi32(q, _mm_shuffle_epi32(q, _MM_SHUFFLE(2, 3, 0, 1)));
    return _mm_cvtsi128_si32(q);
}

/* ---- Pairs ----------------------------------------------------------------------------------- */

/* Four chains of each of the sums, or two where there are five sums. */
INT8_INLINE struct int8_pair_sums int8_pair_sums_avx512(const struct int8_way *way, bool squares,
                                                        size_t d, const int8_t *p, const int8_t *q)
{
    const __m512i zero = _mm512_setzero_si512();
    const size_t chains = squares ? 2 : 4;
    struct int8_pair_sums s[4] = {{zero, zero, zero, zero, zero},
                                  {zero, zero, zero, zero, zero},
                                  {zero, zero, zero, zero, zero},
                                  {zero, zero, zero, zero, zero}};
    size_t k = 0;
    for (; k + 64 * chains <= d; k += 64 * chains)
#pragma GCC unroll 4
        for (size_t i = 0; i < chains; i++)
            way->pair(squares, int8_load_avx512(p + k + 64 * i), int8_load_avx512(q + k + 64 * i),
                      &s[i]);
#pragma GCC unroll 3
    for (size_t i = 0; i + 1 < chains; i++)
        if (k + 64 <= d) {
            way->pair(squares, int8_load_avx512(p + k), int8_load_avx512(q + k), &s[i]);
            k += 64;
        }
    if (k < d)
        way->pair(squares, int8_load_tail_avx512(p + k, d - k), int8_load_tail_avx512(q + k, d - k),
                  &s[chains - 1]);
    if (!squares) {
        s[0].pq = _mm512_add_epi32(s[0].pq, s[2].pq);
        s[1].pq = _mm512_add_epi32(s[1].pq, s[3].pq);
        s[0].extra_p = _mm512_add_epi32(s[0].extra_p, s[2].extra_p);
        s[1].extra_p = _mm512_add_epi32(s[1].extra_p, s[3].extra_p);
    }
    struct int8_pair_sums sums = {.pq = _mm512_add_epi32(s[0].pq, s[1].pq),
                                  .extra_p = _mm512_add_epi32(s[0].extra_p, s[1].extra_p)};
    if (squares) {
        sums.pp = _mm512_add_epi32(s[0].pp, s[1].pp);
        sums.qq = _mm512_add_epi32(s[0].qq, s[1].qq);
        sums.extra_q = _mm512_add_epi32(s[0].extra_q, s[1].extra_q);
    }
    return sums;
}

INT8_INLINE int32_t int8_dot_pair_avx512(const struct int8_way *way, size_t d, const int8_t *p,
                                         const int8_t *q)
{
    struct int8_pair_sums s = int8_pair_sums_avx512(way, false, d, p, q);
    return int8_sum_avx512(_mm512_sub_epi32(s.pq, s.extra_p));
}

INT8_INLINE struct int8_sums int8_sums_avx512(const struct int8_way *way, size_t d, const int8_t *p,
                                              const int8_t *q)
{
    struct int8_pair_sums s = int8_pair_sums_avx512(way, true, d, p, q);
    const __m512i rows[4] = {_mm512_sub_epi32(s.pq, s.extra_p), _mm512_sub_epi32(s.pp, s.extra_p),
                             _mm512_sub_epi32(s.qq, s.extra_q), _mm512_setzero_si512()};
    __m128i q4 = int8_fold_avx512(int8_join4_avx512(rows));
    __m256d v = _mm256_cvtepi32_pd(q4);
    __m128d low = _mm256_castpd256_pd128(v);
    return (struct int8_sums){_mm_cvtsd_f64(low), _mm_cvtsd_f64(_mm_unpackhi_pd(low, low)),
                              _mm_cvtsd_f64(_mm256_extractf128_pd(v, 1))};
}

/* ---- One against many ------------------------------------------------------------------------ */

/* Prefetches the line that is INT8_AHEAD on, in whatever row; beyond the last it does nothing. */
INT8_INLINE void int8_prefetch_avx512(const int8_t *p)
{
    _mm_prefetch((const char *)((uintptr_t)p + INT8_AHEAD), _MM_HINT_T0);
}

/* x.y + start and, with squares, y.y of one row, 16 lanes each, in two chains. */
INT8_INLINE struct int8_row_sums int8_row_avx512(const struct int8_way *way, bool squares, size_t d,
                                                 const int8_t *x, const int8_t *y)
{
    const __m512i zero = _mm512_setzero_si512();
    struct int8_row_sums s[2] = {{zero, zero, zero}, {zero, zero, zero}};
    size_t k = 0;
    for (; k + 128 <= d; k += 128)
#pragma GCC unroll 2
        for (size_t i = 0; i < 2; i++) {
            int8_prefetch_avx512(y + k + 64 * i);
            way->row(squares, int8_load_avx512(x + k + 64 * i), int8_load_avx512(y + k + 64 * i),
                     &s[i]);
        }
    if (k + 64 <= d) {
        way->row(squares, int8_load_avx512(x + k), int8_load_avx512(y + k), &s[0]);
        k += 64;
    }
    if (k < d)
        way->row(squares, int8_load_tail_avx512(x + k, d - k), int8_load_tail_avx512(y + k, d - k),
                 &s[1]);
    struct int8_row_sums sums = {.xy = _mm512_add_epi32(s[0].xy, s[1].xy)};
    if (squares)
        sums.yy = _mm512_sub_epi32(_mm512_add_epi32(s[0].yy, s[1].yy),
                                   _mm512_add_epi32(s[0].extra, s[1].extra));
    return sums;
}

/* The same sums of four short rows, which share the loads of x. */
INT8_INLINE void int8_four_avx512(const struct int8_way *way, bool squares, size_t d,
                                  const int8_t *x, const int8_t *const row[4], __m512i xy[4],
                                  __m512i yy[4])
{
    const __m512i zero = _mm512_setzero_si512();
    struct int8_row_sums s[4] = {
        {zero, zero, zero}, {zero, zero, zero}, {zero, zero, zero}, {zero, zero, zero}};
    size_t k = 0;
    for (; k + 64 <= d; k += 64) {
        __m512i v = int8_load_avx512(x + k);
#pragma GCC unroll 4
        for (size_t r = 0; r < 4; r++) {
            int8_prefetch_avx512(row[r] + k);
            way->row(squares, v, int8_load_avx512(row[r] + k), &s[r]);
        }
    }
    if (k < d) {
        __m512i v = int8_load_tail_avx512(x + k, d - k);
#pragma GCC unroll 4
        for (size_t r = 0; r < 4; r++) {
            int8_prefetch_avx512(row[r] + k);
            way->row(squares, v, int8_load_tail_avx512(row[r] + k, d - k), &s[r]);
        }
    }
#pragma GCC unroll 4
    for (size_t r = 0; r < 4; r++) {
        xy[r] = s[r].xy;
        if (squares)
            yy[r] = _mm512_sub_epi32(s[r].yy, s[r].extra);
    }
}

/* The same sums of `rows` rows, at most 16, each in its lane; the other lanes repeat the last. */
INT8_INLINE __m512i int8_sixteen_avx512(const struct int8_way *way, bool squares, bool is_short,
                                        size_t rows, size_t d, const int8_t *x, const int8_t *y,
                                        size_t ldy, __m512i *yy)
{
    __m512i xy4[4], yy4[4];
    for (size_t g = 0; g < 4; g++) {
        __m512i products[4], own[4];
        if (is_short) {
            const int8_t *row[4];
#pragma GCC unroll 4
            for (size_t r = 0; r < 4; r++)
                row[r] = y + size_min(4 * g + r, rows - 1) * ldy;
            int8_four_avx512(way, squares, d, x, row, products, own);
        } else {
            for (size_t r = 0; r < 4; r++) {
                const int8_t *row = y + size_min(4 * g + r, rows - 1) * ldy;
                struct int8_row_sums s = int8_row_avx512(way, squares, d, x, row);
                products[r] = s.xy;
                if (squares)
                    own[r] = s.yy;
            }
        }
        xy4[g] = int8_join4_avx512(products);
        if (squares)
            yy4[g] = int8_join4_avx512(own);
    }
    if (squares)
        *yy = int8_join16_avx512(yy4);
    return int8_join16_avx512(xy4);
}

INT8_INLINE __m512i int8_start_avx512(const struct int8_way *way, size_t d, const int8_t *x)
{
    __m512i sum = _mm512_setzero_si512();
    for (; d >= 64; d -= 64, x += 64)
        sum = way->start(int8_load_avx512(x), sum);
    if (d > 0)
        sum = way->start(int8_load_tail_avx512(x, d), sum);
    return _mm512_set1_epi32(int8_sum_avx512(sum));
}

INT8_INLINE void int8_dots_of_avx512(const struct int8_way *way, bool is_short, size_t n, size_t d,
                                     const int8_t *x, const int8_t *y, size_t ldy, int32_t *result)
{
    const __m512i start = int8_start_avx512(way, d, x);
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, result += rows) {
        rows = size_min(n, 16);
        __m512i xy = int8_sixteen_avx512(way, false, is_short, rows, d, x, y, ldy, NULL);
        _mm512_mask_storeu_epi32(result, simd_first(rows), _mm512_sub_epi32(xy, start));
    }
}

INT8_INLINE void int8_dots_avx512(const struct int8_way *way, size_t n, size_t d, const int8_t *x,
                                  const int8_t *y, size_t ldy, int32_t *result)
{
    if (d <= INT8_SHORT_ROW)
        int8_dots_of_avx512(way, true, n, d, x, y, ldy, result);
    else
        int8_dots_of_avx512(way, false, n, d, x, y, ldy, result);
}

/* Eight results; qq is not looked at for the dot product. */
INT8_INLINE __m256 int8_finish8_avx512(enum mmk_similarity similarity, const struct int8_side *x,
                                       __m256i xy, __m256i yy, __m256 scales)
{
    const __m512d zero = _mm512_setzero_pd(), scale = _mm512_set1_pd(x->scale);
    __m512d pq = _mm512_cvtepi32_pd(xy), qq = _mm512_cvtepi32_pd(yy), b = _mm512_cvtps_pd(scales);
    if (similarity == MMK_DOT)
        return _mm512_cvtpd_ps(_mm512_add_pd(_mm512_mul_pd(_mm512_mul_pd(scale, b), pq), zero));
    if (similarity == MMK_COSINE) {
        __m512d squares = _mm512_mul_pd(_mm512_set1_pd(x->square), qq);
        __m512d ab = _mm512_mul_pd(scale, b);
        __mmask8 any = _mm512_cmp_pd_mask(squares, zero, _CMP_NEQ_UQ);
        any = _mm512_mask_cmp_pd_mask(any, ab, zero, _CMP_NEQ_UQ);
        __m512d cosine = _mm512_maskz_div_pd(any, pq, _mm512_sqrt_pd(squares));
        cosine = _mm512_xor_pd(cosine, _mm512_and_pd(ab, _mm512_set1_pd(-0.0)));
        return _mm512_cvtpd_ps(_mm512_add_pd(cosine, _mm512_sub_pd(ab, ab)));
    }
    __m512d part = _mm512_mul_pd(_mm512_mul_pd(b, b), qq);
    __m512d product = _mm512_mul_pd(_mm512_mul_pd(_mm512_add_pd(scale, scale), b), pq);
    __m512d distance = _mm512_sub_pd(_mm512_add_pd(_mm512_set1_pd(x->part), part), product);
    return _mm512_cvtpd_ps(_mm512_sub_pd(zero, _mm512_max_pd(zero, distance)));
}

INT8_INLINE __m512 int8_finish16_avx512(enum mmk_similarity similarity, const struct int8_side *x,
                                        __m512i xy, __m512i yy, __m512 scales)
{
    __m256 low = int8_finish8_avx512(similarity, x, _mm512_castsi512_si256(xy),
                                     _mm512_castsi512_si256(yy), _mm512_castps512_ps256(scales));
    __m256 high =
        int8_finish8_avx512(similarity, x, _mm512_extracti64x4_epi64(xy, 1),
                            _mm512_extracti64x4_epi64(yy, 1), _mm512_extractf32x8_ps(scales, 1));
    return simd_canonical_nan16(_mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1));
}

INT8_INLINE void int8_query_of_avx512(const struct int8_way *way, enum mmk_similarity similarity,
                                      bool is_short, size_t n, size_t d, const int8_t *x,
                                      float x_scale, const int8_t *y, size_t ldy,
                                      const float *scales, float *result)
{
    const bool squares = similarity != MMK_DOT;
    const struct int8_side side =
        int8_side(x_scale, squares ? int8_sums_avx512(way, d, x, x).pp : 0);
    const __m512i start = int8_start_avx512(way, d, x);
    __m512i yy = _mm512_setzero_si512();
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, result += rows) {
        rows = size_min(n, 16);
        __m512i xy = int8_sixteen_avx512(way, squares, is_short, rows, d, x, y, ldy, &yy);
        __m512 b = _mm512_set1_ps(1);
        if (scales != NULL) {
            b = simd_load_first(scales, rows);
            scales += rows;
        }
        xy = _mm512_sub_epi32(xy, start);
        simd_store_first(result, rows, int8_finish16_avx512(similarity, &side, xy, yy, b));
    }
}

INT8_INLINE void int8_query_avx512(const struct int8_way *way, enum mmk_similarity similarity,
                                   size_t n, size_t d, const int8_t *x, float x_scale,
                                   const int8_t *y, size_t ldy, const float *scales, float *result)
{
    if (d <= INT8_SHORT_ROW)
        int8_query_of_avx512(way, similarity, true, n, d, x, x_scale, y, ldy, scales, result);
    else
        int8_query_of_avx512(way, similarity, false, n, d, x, x_scale, y, ldy, scales, result);
}

#endif
