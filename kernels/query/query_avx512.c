/* query_avx512.c - one vector against many on __m512.
 * SPDX-License-Identifier: MIT
 *
 *                registers                       a block of 64 floats   bound on Zen 5
 *   query dot    8 sums, x, of two rows          12 loads, 8 FMA        L2, L3 or memory
 *   up to 64     4 x, 4 y, trees, of 4 rows      4 loads, 4 multiplies  the same; the trees
 *   query cosine 16 sums (xy, yy), x, y          12 loads, 16 FMA       2 FMA, 64 bytes a clock
 *   65..128      4 or 8 sums, 8 x, of one row    4 loads, 4 or 8 FMA    the same; the trees
 *
 * What brings a gallery from L2 at 47 to 63 bytes a clock is the hardware's own prefetching into
 * L1, and it wants streams that it knows: without it, 32. Measured with plain reads, it follows
 * loads that each move on by less than 2 KB from one execution to the next, and it loses two
 * streams that run within a page of each other. Software prefetch cannot stand in for it, and costs
 * up to 15 %. Hence two rows are taken at a time, for four more chains of FMAs and half the loads
 * of x, but rows that stand half the gallery apart. Tried and given up: neighbouring rows two at a
 * time, in turns of 4, 16 or 32 lines, with or without prefetch (32 bytes a clock).
 *
 * Rows of 65 to 128 floats keep x in registers, have no loop, and come one after the other with
 * software prefetch, which helps them by 10 %: theirs are the stores between (each zmm store takes
 * about as long as two FMAs) and the trees, a quarter of the time of the cosine. All square roots
 * and divisions are 3 %. The trees of 16 rows are summed together: 15 adds and 30 shuffles in place
 * of 4 adds and 3 shuffles a row, each waiting for the one before. Tried and given up, by the time
 * of a cosine of 1024 x 128 in L2: no prefetch 1.17, rows of two streams 1.28, four or two rows
 * joined in registers 1.39 and 1.14 (from L3 .92), fewer shuffles with blends instead 1.0. Whole
 * ones that come from L3 or memory go the general way: .79 to .99 of the time from 4096 x 128 on,
 * where AVX2 was ahead from memory; with a tail that takes 1.1 to 1.4 times as long.
 *
 * Rows of up to 64 floats have no chains: four of them are multiplied and joined in registers. A
 * cosine of 64 takes 7.3 clocks a row, where L2 brings one in 4.4: 8 multiplies, 8 adds and 4
 * shuffles for four ports, and 0.4 for the root and the division.
 *
 * All of this was measured on Zen 5 alone.
 *
 * Tails are masked loads. Other ISAs: AVX2 and NEON have no registers for an x that stays, and take
 * the sums of a cosine in two passes.
 */
#include "query_rows_avx512.h"

#ifdef QUERY_OF_HALVES
#include "query_half.h"

static inline float query_square_avx512(size_t d, const float *x)
{
    return query_half_square(&pair_ops_avx512, d, x);
}

static inline float pair_scaled_cosine_avx512(size_t d, const float *x, const uint16_t *y)
{
    return query_half_cosine(&pair_ops_avx512, half_ops_avx512.PAIR_HALF, d, x, y);
}

#else

/* |x|^2 */
static inline float query_square_avx512(size_t d, const float *x)
{
    return simd_sum16x16(pair_dot_row_avx512(d, x, x));
}

#endif

/* ---- Groups of rows -------------------------------------------------------------------------- */

/* Rows whose trees are summed together: at, at + 1, ... and those half the gallery on, so that each
 * side is a stream of its own. Where second < first, the last pair has its first row twice. */
struct group {
    size_t at, apart, first, second;
};

static inline struct group group_at(size_t n, size_t at)
{
    size_t apart = n - n / 2;
    size_t first = apart - at;
    size_t second = n - at > apart ? n - at - apart : 0;
    return (struct group){at, apart, first < PAIRS ? first : PAIRS,
                          second < PAIRS ? second : PAIRS};
}

static inline __m512 load_group_avx512(struct group g, const float *p)
{
    __m256 first = _mm256_maskz_loadu_ps((__mmask8)simd_first(g.first), p + g.at);
    __m256 second = _mm256_setzero_ps();
    if (g.second > 0)
        second = _mm256_maskz_loadu_ps((__mmask8)simd_first(g.second), p + g.at + g.apart);
    return _mm512_insertf32x8(_mm512_castps256_ps512(first), second, 1);
}

/* The upper half comes down by a shuffle: gcc would make one instruction of an extract and a masked
 * store, and that one faults on elements that the mask leaves out. */
static inline void store_group_avx512(struct group g, __m512 v, float *p)
{
    __m512 upper = _mm512_shuffle_f32x4(v, v, _MM_SHUFFLE(1, 0, 3, 2));
    _mm256_mask_storeu_ps(p + g.at, (__mmask8)simd_first(g.first), _mm512_castps512_ps256(v));
    if (g.second > 0)
        _mm256_mask_storeu_ps(p + g.at + g.apart, (__mmask8)simd_first(g.second),
                              _mm512_castps512_ps256(upper));
}

/* The first and the second row of pair i. */
static inline const pair_y *first_of(struct group g, const pair_y *y, size_t ldy, size_t i)
{
    return y + (g.at + i) * ldy;
}

static inline const pair_y *second_of(struct group g, const pair_y *y, size_t ldy, size_t i)
{
    return y + (g.at + i + (i < g.second ? g.apart : 0)) * ldy;
}

static inline __m512 dot_group_avx512(struct group g, size_t d, const pair_x *x, const pair_y *y,
                                      size_t ldy)
{
    __m512 s[PAIRS];
    for (size_t i = 0; i < g.first; i++)
        s[i] = dot_two_avx512(d, x, first_of(g, y, ldy, i), second_of(g, y, ldy, i));
    for (size_t i = g.first; i < PAIRS; i++)
        s[i] = _mm512_setzero_ps();
    return sum_pairs_avx512(s);
}

static inline __m512 sq_l2_group_avx512(struct group g, size_t d, const pair_x *x, const pair_y *y,
                                        size_t ldy)
{
    __m512 s[PAIRS];
    for (size_t i = 0; i < g.first; i++)
        s[i] = sq_l2_two_avx512(d, x, first_of(g, y, ldy, i), second_of(g, y, ldy, i));
    for (size_t i = g.first; i < PAIRS; i++)
        s[i] = _mm512_setzero_ps();
    return sum_pairs_avx512(s);
}

/* x.y; *squares = |y|^2 */
static inline __m512 cosine_group_avx512(struct group g, size_t d, const pair_x *x, const pair_y *y,
                                         size_t ldy, __m512 *squares)
{
    __m512 xy[PAIRS];
    __m512 yy[PAIRS];
    for (size_t i = 0; i < g.first; i++)
        xy[i] = cosine_two_avx512(d, x, first_of(g, y, ldy, i), second_of(g, y, ldy, i), &yy[i]);
    for (size_t i = g.first; i < PAIRS; i++)
        xy[i] = yy[i] = _mm512_setzero_ps();
    *squares = sum_pairs_avx512(yy);
    return sum_pairs_avx512(xy);
}

/* ---- Query ----------------------------------------------------------------------------------- */

#ifndef QUERY_OF_BF16
static void query_dot_avx512(size_t n, size_t d, const pair_x *x, const pair_y *y, size_t ldy,
                             float *result)
{
    if (rows_are_one_block(n, d)) {
        const struct block_rows b = block_rows_avx512(n, d, x, ldy);
        for (size_t rows; n > 0; n -= rows, y += rows * ldy, result += rows) {
            rows = n < GROUP ? n : GROUP;
            __m512 v = sum_blocks_avx512(dot_block_avx512, &b, y, rows);
            simd_store_first(result, rows, simd_canonical_nan16(v));
        }
        return;
    }
    if (rows_are_short(n, d)) {
        for (size_t rows; n > 0; n -= rows, y += rows * ldy, result += rows) {
            rows = n < GROUP ? n : GROUP;
            __m512 s[GROUP];
            sum_short_rows_avx512(dot_two_blocks_avx512, rows, d, x, y, ldy, s, NULL);
            simd_store_first(result, rows, simd_canonical_nan16(sum_rows_avx512(s)));
        }
        return;
    }
    for (size_t at = 0; at < n - n / 2; at += PAIRS) {
        struct group g = group_at(n, at);
        store_group_avx512(g, simd_canonical_nan16(dot_group_avx512(g, d, x, y, ldy)), result);
    }
}
#endif

static void query_neg_sq_l2_avx512(size_t n, size_t d, const pair_x *x, const pair_y *y, size_t ldy,
                                   float *result)
{
    if (rows_are_one_block(n, d)) {
        const struct block_rows b = block_rows_avx512(n, d, x, ldy);
        for (size_t rows; n > 0; n -= rows, y += rows * ldy, result += rows) {
            rows = n < GROUP ? n : GROUP;
            __m512 v = sum_blocks_avx512(sq_l2_block_avx512, &b, y, rows);
            v = _mm512_sub_ps(_mm512_setzero_ps(), v);
            simd_store_first(result, rows, simd_canonical_nan16(v));
        }
        return;
    }
    if (rows_are_short(n, d)) {
        for (size_t rows; n > 0; n -= rows, y += rows * ldy, result += rows) {
            rows = n < GROUP ? n : GROUP;
            __m512 s[GROUP];
            sum_short_rows_avx512(sq_l2_two_blocks_avx512, rows, d, x, y, ldy, s, NULL);
            __m512 v = _mm512_sub_ps(_mm512_setzero_ps(), sum_rows_avx512(s));
            simd_store_first(result, rows, simd_canonical_nan16(v));
        }
        return;
    }
    for (size_t at = 0; at < n - n / 2; at += PAIRS) {
        struct group g = group_at(n, at);
        __m512 v = _mm512_sub_ps(_mm512_setzero_ps(), sq_l2_group_avx512(g, d, x, y, ldy));
        store_group_avx512(g, simd_canonical_nan16(v), result);
    }
}

static inline __m512 cosines_avx512(__m512 xy, float xx, __m512 yy)
{
    return _mm512_div_ps(xy, _mm512_sqrt_ps(_mm512_mul_ps(_mm512_set1_ps(xx), yy)));
}

/* Which of 16 |y|^2 are not safe (norm_is_safe) */
static inline unsigned unsafe_avx512(__m512 yy)
{
    __m512i above = _mm512_sub_epi32(_mm512_castps_si512(yy), _mm512_set1_epi32(NORM_SAFE_LOWEST));
    return _mm512_cmpgt_epu32_mask(above, _mm512_set1_epi32(NORM_SAFE_SPAN));
}

/* The cosines of up to 16 rows that follow each other, from their sums; those whose |y|^2 is not
 * safe go the scaled way. */
static inline void store_row_cosines_avx512(size_t rows, size_t d, const pair_x *x, const pair_y *y,
                                            size_t ldy, __m512 xy, float xx, __m512 yy,
                                            float *result)
{
    simd_store_first(result, rows, cosines_avx512(xy, xx, yy));
    unsigned unsafe = unsafe_avx512(yy) & simd_first(rows);
    for (; __builtin_expect(unsafe != 0, 0); unsafe &= unsafe - 1) {
        size_t r = (size_t)__builtin_ctz(unsafe);
        result[r] = pair_scaled_cosine_avx512(d, x, y + r * ldy);
    }
}

/* The sums as they are, or cosines. */
static inline void store_row_sums_avx512(size_t rows, size_t d, const pair_x *x, const pair_y *y,
                                         size_t ldy, __m512 xy, float xx, __m512 yy, float *result,
                                         float *squares)
{
    if (squares == NULL) {
        store_row_cosines_avx512(rows, d, x, y, ldy, xy, xx, yy, result);
        return;
    }
    simd_store_first(result, rows, simd_canonical_nan16(xy));
    simd_store_first(squares, rows, simd_canonical_nan16(yy));
}

/* The same of a group. */
static inline void store_cosines_avx512(struct group g, size_t d, const pair_x *x, const pair_y *y,
                                        size_t ldy, __m512 xy, float xx, __m512 yy, float *result)
{
    store_group_avx512(g, cosines_avx512(xy, xx, yy), result);
    unsigned there = simd_first(g.first) | (unsigned)simd_first(g.second) << PAIRS;
    unsigned unsafe = unsafe_avx512(yy) & there;
    for (; __builtin_expect(unsafe != 0, 0); unsafe &= unsafe - 1) {
        size_t i = (size_t)__builtin_ctz(unsafe);
        size_t j = g.at + (i < PAIRS ? i : i - PAIRS + g.apart);
        result[j] = pair_scaled_cosine_avx512(d, x, y + j * ldy);
    }
}

/* The sums x.y and |y|^2 of one x; stored as they are (squares), or cosines of them, and of xx. */
__attribute__((always_inline)) static inline void
query_sums_avx512(size_t n, size_t d, const pair_x *x, const pair_y *y, size_t ldy, float xx,
                  float *result, float *squares)
{
    if (rows_are_one_block(n, d)) {
        const struct block_rows b = block_rows_avx512(n, d, x, ldy);
        for (size_t at = 0, rows; at < n; at += rows) {
            rows = n - at < GROUP ? n - at : GROUP;
            __m512 yy;
            __m512 xy = cosine_blocks_avx512(&b, y + at * ldy, rows, &yy);
            store_row_sums_avx512(rows, d, x, y + at * ldy, ldy, xy, xx, yy, result + at,
                                  squares != NULL ? squares + at : NULL);
        }
        return;
    }
    if (rows_are_short(n, d)) {
        for (size_t at = 0, rows; at < n; at += rows) {
            rows = n - at < GROUP ? n - at : GROUP;
            __m512 of_xy[GROUP];
            __m512 of_yy[GROUP];
            sum_short_rows_avx512(dot_two_blocks_avx512, rows, d, x, y + at * ldy, ldy, of_xy,
                                  of_yy);
            __m512 xy = sum_rows_avx512(of_xy);
            __m512 yy = sum_rows_avx512(of_yy);
            store_row_sums_avx512(rows, d, x, y + at * ldy, ldy, xy, xx, yy, result + at,
                                  squares != NULL ? squares + at : NULL);
        }
        return;
    }
    for (size_t at = 0; at < n - n / 2; at += PAIRS) {
        struct group g = group_at(n, at);
        __m512 yy;
        __m512 xy = cosine_group_avx512(g, d, x, y, ldy, &yy);
        if (squares == NULL) {
            store_cosines_avx512(g, d, x, y, ldy, xy, xx, yy, result);
            continue;
        }
        store_group_avx512(g, simd_canonical_nan16(xy), result);
        store_group_avx512(g, simd_canonical_nan16(yy), squares);
    }
}

#ifndef QUERY_OF_BF16

static void query_cosine_avx512(size_t n, size_t d, const pair_x *x, const pair_y *y, size_t ldy,
                                float *result)
{
    float xx = query_square_avx512(d, x);
    if (norm_is_safe(xx)) {
        query_sums_avx512(n, d, x, y, ldy, xx, result, NULL);
        return;
    }
    for (size_t j = 0; j < n; j++)
        result[j] = pair_scaled_cosine_avx512(d, x, y + j * ldy);
}

static void query_norms_avx512(size_t n, size_t d, const pair_x *x, const pair_y *y, size_t ldy,
                               const float *squared_norms, float *result)
{
    float xx = query_square_avx512(d, x);
    if (!norm_is_safe(xx)) {
        for (size_t j = 0; j < n; j++)
            result[j] = pair_scaled_cosine_avx512(d, x, y + j * ldy);
        return;
    }
    if (rows_are_one_block(n, d)) {
        const struct block_rows b = block_rows_avx512(n, d, x, ldy);
        for (size_t rows; n > 0;
             n -= rows, y += rows * ldy, squared_norms += rows, result += rows) {
            rows = n < GROUP ? n : GROUP;
            __m512 xy = sum_blocks_avx512(dot_block_avx512, &b, y, rows);
            __m512 yy = simd_load_first(squared_norms, rows);
            store_row_cosines_avx512(rows, d, x, y, ldy, xy, xx, yy, result);
        }
        return;
    }
    if (rows_are_short(n, d)) {
        for (size_t rows; n > 0;
             n -= rows, y += rows * ldy, squared_norms += rows, result += rows) {
            rows = n < GROUP ? n : GROUP;
            __m512 s[GROUP];
            sum_short_rows_avx512(dot_two_blocks_avx512, rows, d, x, y, ldy, s, NULL);
            __m512 yy = simd_load_first(squared_norms, rows);
            store_row_cosines_avx512(rows, d, x, y, ldy, sum_rows_avx512(s), xx, yy, result);
        }
        return;
    }
    for (size_t at = 0; at < n - n / 2; at += PAIRS) {
        struct group g = group_at(n, at);
        __m512 xy = dot_group_avx512(g, d, x, y, ldy);
        store_cosines_avx512(g, d, x, y, ldy, xy, xx, load_group_avx512(g, squared_norms), result);
    }
}

#endif

/* ---- Several queries ------------------------------------------------------------------------- */

/* Of up to SEVERAL rows of X and one of Y, 16 lanes each: x.y, or |x - y|^2, into s[i * GROUP], and
 * |y|^2. Four times 16 floats in turn: 20 sums and what is loaded. What a row of Y has to do
 * fills what the machine looks ahead, and without software prefetch memory waits for it: 1.5 times
 * as long for 8 rows of X at 512 columns. */
__attribute__((always_inline)) static inline void
several_step_avx512(bool distances, bool fetches, size_t q, bool whole, size_t left,
                    const pair_x *x, size_t ldx, const pair_y *y, struct block *sums,
                    struct block *yy)
{
#pragma GCC unroll 4
    for (size_t l = 0; l < 4; l++) {
        __m512 v = load_y_part_avx512(whole, left, l, y);
        if (fetches)
            prefetch_line_avx512(y + 16 * l, PREFETCH_SEVERAL);
        if (!distances)
            yy->v[l] = _mm512_fmadd_ps(v, v, yy->v[l]);
#pragma GCC unroll 4
        for (size_t i = 0; i < q; i++) {
            __m512 w = load_x_part_avx512(whole, left, l, x + i * ldx);
            if (distances)
                w = _mm512_sub_ps(w, v);
            sums[i].v[l] = _mm512_fmadd_ps(w, distances ? w : v, sums[i].v[l]);
        }
    }
}

__attribute__((always_inline)) static inline void
several_row_avx512(bool distances, bool fetches, size_t q, size_t d, const pair_x *x, size_t ldx,
                   const pair_y *y, __m512 *s, __m512 *squares)
{
    struct block sums[SEVERAL], yy = zero_block_avx512();
#pragma GCC unroll 4
    for (size_t i = 0; i < q; i++)
        sums[i] = zero_block_avx512();
    size_t k = 0;
    for (; k + 64 <= d; k += 64)
        several_step_avx512(distances, fetches, q, true, 64, x + k, ldx, y + k, sums, &yy);
    if (k < d)
        several_step_avx512(distances, fetches, q, false, d - k, x + k, ldx, y + k, sums, &yy);
#pragma GCC unroll 4
    for (size_t i = 0; i < q; i++)
        s[i * GROUP] = fold_block_avx512(sums[i]);
    *squares = fold_block_avx512(yy);
}

__attribute__((always_inline)) static inline void
several_rows_avx512(bool distances, bool fetches, size_t m, size_t d, const pair_x *x, size_t ldx,
                    const pair_y *y, __m512 *s, __m512 *squares)
{
    switch (m) {
    case 1:
        several_row_avx512(distances, fetches, 1, d, x, ldx, y, s, squares);
        break;
    case 2:
        several_row_avx512(distances, fetches, 2, d, x, ldx, y, s, squares);
        break;
    case 3:
        several_row_avx512(distances, fetches, 3, d, x, ldx, y, s, squares);
        break;
    default:
        several_row_avx512(distances, fetches, SEVERAL, d, x, ldx, y, s, squares);
    }
}

/* Rows of Y one after the other, each against all of X while it is in L1; the trees of 16 rows are
 * summed together. m <= QUERY_SEVERAL. */
__attribute__((always_inline)) static inline void
query_several_avx512(bool distances, size_t m, size_t n, size_t d, const pair_x *x, size_t ldx,
                     const pair_y *y, size_t ldy, float *result, size_t ldr, float *squares)
{
    for (size_t at = 0, rows; at < n; at += rows) {
        __m512 s[QUERY_SEVERAL][GROUP];
        __m512 yy[GROUP];
        rows = n - at < GROUP ? n - at : GROUP;
        for (size_t r = 0; r < rows; r++) {
            const pair_y *row = y + (at + r) * ldy;
            for (size_t i = 0; i < m; i += SEVERAL) {
                __m512 *here = &s[i][r];
                const pair_x *some = x + i * ldx;
                if (i > 0)
                    several_rows_avx512(distances, false, m - i, d, some, ldx, row, here, &yy[r]);
                else
                    several_rows_avx512(distances, true, m, d, some, ldx, row, here, &yy[r]);
            }
        }
        for (size_t r = rows; r < GROUP; r++) {
            yy[r] = _mm512_setzero_ps();
            for (size_t i = 0; i < m; i++)
                s[i][r] = _mm512_setzero_ps();
        }
        for (size_t i = 0; i < m; i++) {
            __m512 v = sum_rows_avx512(s[i]);
            if (distances)
                v = _mm512_sub_ps(_mm512_setzero_ps(), v);
            simd_store_first(result + i * ldr + at, rows, simd_canonical_nan16(v));
        }
        if (!distances)
            simd_store_first(squares + at, rows, simd_canonical_nan16(sum_rows_avx512(yy)));
    }
}

static void query_dots_avx512(size_t m, size_t n, size_t d, const pair_x *x, size_t ldx,
                              const pair_y *y, size_t ldy, float *result, size_t ldr,
                              float *squares)
{
    if (m == 1)
        query_sums_avx512(n, d, x, y, ldy, 0, result, squares);
    else
        query_several_avx512(false, m, n, d, x, ldx, y, ldy, result, ldr, squares);
}

static void query_neg_sq_l2s_avx512(size_t m, size_t n, size_t d, const pair_x *x, size_t ldx,
                                    const pair_y *y, size_t ldy, float *result, size_t ldr)
{
    if (m == 1)
        query_neg_sq_l2_avx512(n, d, x, y, ldy, result);
    else
        query_several_avx512(true, m, n, d, x, ldx, y, ldy, result, ldr, NULL);
}

#ifdef QUERY_OF_HALVES

const struct query_several_ops PAIR_EXPAND(query_several_, PAIR_EXPAND(PAIR_HALF, _avx512)) = {
    .dots = query_dots_avx512,
    .neg_sq_l2s = query_neg_sq_l2s_avx512,
};

#ifdef QUERY_OF_F16
const struct query_f16_ops query_f16_ops_avx512 = {
    .query = {[MMK_DOT] = query_dot_avx512,
              [MMK_COSINE] = query_cosine_avx512,
              [MMK_NEG_SQ_L2] = query_neg_sq_l2_avx512},
    .query_norms = query_norms_avx512,
};
#endif

#else

static void squared_norms_avx512(size_t n, size_t d, const pair_y *y, size_t ldy, float *out)
{
    for (size_t at = 0; at < n - n / 2; at += PAIRS) {
        struct group g = group_at(n, at);
        __m512 s[PAIRS];
        for (size_t i = 0; i < PAIRS; i++)
            s[i] = _mm512_setzero_ps();
        for (size_t i = 0; i < g.first; i++) {
            const float *a = first_of(g, y, ldy, i), *b = second_of(g, y, ldy, i);
            s[i] = join16_avx512(pair_dot_row_avx512(d, a, a), pair_dot_row_avx512(d, b, b));
        }
        store_group_avx512(g, simd_canonical_nan16(sum_pairs_avx512(s)), out);
    }
}

const struct query_ops query_ops_avx512 = {
    .query = {[MMK_DOT] = query_dot_avx512,
              [MMK_COSINE] = query_cosine_avx512,
              [MMK_NEG_SQ_L2] = query_neg_sq_l2_avx512},
    .query_norms = query_norms_avx512,
    .dots = query_dots_avx512,
    .neg_sq_l2s = query_neg_sq_l2s_avx512,
    .squared_norms = squared_norms_avx512,
};

#endif
