/* query_avx2.c - one vector against many on __m256.
 * SPDX-License-Identifier: MIT
 *
 *               registers                              a block of 64 floats     bound on Zen 5
 *   query dot   8 sums, 1-8 x                          16 loads, 8 FMA          loads; L2 to memory
 *   query cos.  2 passes: 8 sums (xy, yy), y           16 loads, 16 FMA         2 FMA a clock
 *
 * A cosine is taken in two passes over the row, as pair_avx2.c does it and for its reason; rows of
 * more than PAIR_LONG_ROW floats are left to it.
 *
 * One gallery row comes after the other, so that memory is read in order, as the hardware's
 * prefetching wants it (query_avx512.c says what that is worth). Software prefetch beside it: 5 %
 * slower from L2 and up to 20 % from L3. Every row leaves 8 partial sums; the trees of 8 rows are
 * summed together.
 */
#include "query.h"

#include "../pair/lanes_avx2.h"
#include "../pair/pair.h"
#include "../simd/trees_avx2.h"

/* Rows whose trees are summed together: one vector of results. */
enum { GROUP = 8 };

#ifdef QUERY_OF_HALVES
#include "query_half.h"

static inline float query_square_avx2(size_t d, const float *x)
{
    return query_half_square(&pair_ops_avx2, d, x);
}

static inline float pair_scaled_cosine_avx2(size_t d, const float *x, const uint16_t *y)
{
    return query_half_cosine(&pair_ops_avx2, half_ops_avx2.PAIR_HALF, d, x, y);
}

static inline float query_any_cosine_avx2(size_t d, const float *x, const uint16_t *y)
{
    return query_half_cosine(&pair_ops_avx2, half_ops_avx2.PAIR_HALF, d, x, y);
}

#else

/* |x|^2 */
static inline float query_square_avx2(size_t d, const float *x)
{
    return simd_sum8x8(pair_dot_row_avx2(d, x, x));
}

/* Of rows that are too long for two passes, or that must be scaled. */
static inline float query_any_cosine_avx2(size_t d, const float *x, const float *y)
{
    return pair_ops_avx2.pair[MMK_COSINE](d, x, y);
}

#endif

/* One pass of two over the lanes of xy and yy: first is 0 or 16, the first lane. t has 16 lanes of
 * 32 of xy, then of yy. */
__attribute__((always_inline)) static inline void
query_cosine_pass_avx2(size_t d, const pair_x *x, const pair_y *y, size_t first, __m256 t[4])
{
    __m256 xy0 = _mm256_setzero_ps();
    __m256 yy0 = _mm256_setzero_ps();
    __m256 xy1 = _mm256_setzero_ps();
    __m256 yy1 = _mm256_setzero_ps();
    __m256 xy4 = _mm256_setzero_ps();
    __m256 yy4 = _mm256_setzero_ps();
    __m256 xy5 = _mm256_setzero_ps();
    __m256 yy5 = _mm256_setzero_ps();
    size_t k = 0;
    for (; k + 64 <= d; k += 64) {
        __m256 y0 = pair_load_once(y + k + first);
        xy0 = _mm256_fmadd_ps(pair_load(x + k + first), y0, xy0);
        yy0 = _mm256_fmadd_ps(y0, y0, yy0);
        __m256 y1 = pair_load_once(y + k + first + 8);
        xy1 = _mm256_fmadd_ps(pair_load(x + k + first + 8), y1, xy1);
        yy1 = _mm256_fmadd_ps(y1, y1, yy1);
        __m256 y4 = pair_load_once(y + k + first + 32);
        xy4 = _mm256_fmadd_ps(pair_load(x + k + first + 32), y4, xy4);
        yy4 = _mm256_fmadd_ps(y4, y4, yy4);
        __m256 y5 = pair_load_once(y + k + first + 40);
        xy5 = _mm256_fmadd_ps(pair_load(x + k + first + 40), y5, xy5);
        yy5 = _mm256_fmadd_ps(y5, y5, yy5);
    }
    if (k + first < d) {
        __m256 y0 = pair_load_tail(y + k + first, d - k - first);
        xy0 = _mm256_fmadd_ps(pair_load_tail(x + k + first, d - k - first), y0, xy0);
        yy0 = _mm256_fmadd_ps(y0, y0, yy0);
        if (d - k > first + 8) {
            __m256 y1 = pair_load_tail(y + k + first + 8, d - k - first - 8);
            xy1 = _mm256_fmadd_ps(pair_load_tail(x + k + first + 8, d - k - first - 8), y1, xy1);
            yy1 = _mm256_fmadd_ps(y1, y1, yy1);
        }
        if (d - k > first + 32) {
            __m256 y4 = pair_load_tail(y + k + first + 32, d - k - first - 32);
            xy4 = _mm256_fmadd_ps(pair_load_tail(x + k + first + 32, d - k - first - 32), y4, xy4);
            yy4 = _mm256_fmadd_ps(y4, y4, yy4);
        }
        if (d - k > first + 40) {
            __m256 y5 = pair_load_tail(y + k + first + 40, d - k - first - 40);
            xy5 = _mm256_fmadd_ps(pair_load_tail(x + k + first + 40, d - k - first - 40), y5, xy5);
            yy5 = _mm256_fmadd_ps(y5, y5, yy5);
        }
    }
    t[0] = _mm256_add_ps(xy0, xy4);
    t[1] = _mm256_add_ps(xy1, xy5);
    t[2] = _mm256_add_ps(yy0, yy4);
    t[3] = _mm256_add_ps(yy1, yy5);
}

static void query_dot_avx2(size_t n, size_t d, const pair_x *x, const pair_y *y, size_t ldy,
                           float *result)
{
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, result += rows) {
        rows = n < GROUP ? n : GROUP;
        __m256 s[GROUP];
        for (size_t r = 0; r < rows; r++)
            s[r] = pair_dot_row_avx2(d, x, y + r * ldy);
        for (size_t r = rows; r < GROUP; r++)
            s[r] = _mm256_setzero_ps();
        simd_store_first(result, rows, simd_canonical_nan8(sum_rows_avx2(s)));
    }
}

/* The cosines of a group from the sums of its rows; those whose |y|^2 is not safe go the scaled
 * way. */
static inline void store_cosines_avx2(size_t rows, size_t d, const pair_x *x, const pair_y *y,
                                      size_t ldy, __m256 xy, float xx, __m256 yy, float *result)
{
    __m256 length = _mm256_sqrt_ps(_mm256_mul_ps(_mm256_set1_ps(xx), yy));
    simd_store_first(result, rows, _mm256_div_ps(xy, length));
    /* norm_is_safe of 8 rows; AVX2 has no unsigned compare, but an unsigned minimum */
    __m256i above = _mm256_sub_epi32(_mm256_castps_si256(yy), _mm256_set1_epi32(NORM_SAFE_LOWEST));
    __m256i safe =
        _mm256_cmpeq_epi32(_mm256_min_epu32(above, _mm256_set1_epi32(NORM_SAFE_SPAN)), above);
    unsigned unsafe = ~(unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(safe)) & ((1u << rows) - 1);
    for (; __builtin_expect(unsafe != 0, 0); unsafe &= unsafe - 1) {
        size_t r = (size_t)__builtin_ctz(unsafe);
        result[r] = pair_scaled_cosine_avx2(d, x, y + r * ldy);
    }
}

/* x.y of up to GROUP rows; *squares = |y|^2 */
static inline __m256 cosine_sums_avx2(size_t rows, size_t d, const pair_x *x, const pair_y *y,
                                      size_t ldy, __m256 *squares)
{
    __m256 xy[GROUP];
    __m256 yy[GROUP];
    for (size_t r = 0; r < rows; r++) {
        const pair_y *row = y + r * ldy;
        __m256 a[4];
        __m256 b[4];
        query_cosine_pass_avx2(d, x, row, 0, a);
        query_cosine_pass_avx2(d, x, row, 16, b);
        xy[r] = _mm256_add_ps(_mm256_add_ps(a[0], b[0]), _mm256_add_ps(a[1], b[1]));
        yy[r] = _mm256_add_ps(_mm256_add_ps(a[2], b[2]), _mm256_add_ps(a[3], b[3]));
    }
    for (size_t r = rows; r < GROUP; r++)
        xy[r] = yy[r] = _mm256_setzero_ps();
    *squares = sum_rows_avx2(yy);
    return sum_rows_avx2(xy);
}

#ifndef QUERY_OF_BF16

static void query_cosine_avx2(size_t n, size_t d, const pair_x *x, const pair_y *y, size_t ldy,
                              float *result)
{
    float xx = query_square_avx2(d, x);
    if (d > PAIR_LONG_ROW || !norm_is_safe(xx)) {
        for (size_t j = 0; j < n; j++)
            result[j] = query_any_cosine_avx2(d, x, y + j * ldy);
        return;
    }
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, result += rows) {
        rows = n < GROUP ? n : GROUP;
        __m256 yy;
        __m256 xy = cosine_sums_avx2(rows, d, x, y, ldy, &yy);
        store_cosines_avx2(rows, d, x, y, ldy, xy, xx, yy, result);
    }
}

static void query_norms_avx2(size_t n, size_t d, const pair_x *x, const pair_y *y, size_t ldy,
                             const float *squared_norms, float *result)
{
    float xx = query_square_avx2(d, x);
    if (!norm_is_safe(xx)) {
        for (size_t j = 0; j < n; j++)
            result[j] = pair_scaled_cosine_avx2(d, x, y + j * ldy);
        return;
    }
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, squared_norms += rows, result += rows) {
        rows = n < GROUP ? n : GROUP;
        __m256 xy[GROUP];
        for (size_t r = 0; r < rows; r++)
            xy[r] = pair_dot_row_avx2(d, x, y + r * ldy);
        for (size_t r = rows; r < GROUP; r++)
            xy[r] = _mm256_setzero_ps();
        store_cosines_avx2(rows, d, x, y, ldy, sum_rows_avx2(xy), xx,
                           simd_load_first(squared_norms, rows), result);
    }
}

#endif

static void query_neg_sq_l2_avx2(size_t n, size_t d, const pair_x *x, const pair_y *y, size_t ldy,
                                 float *result)
{
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, result += rows) {
        rows = n < GROUP ? n : GROUP;
        __m256 s[GROUP];
        for (size_t r = 0; r < rows; r++)
            s[r] = pair_sq_l2_row_avx2(d, x, y + r * ldy);
        for (size_t r = rows; r < GROUP; r++)
            s[r] = _mm256_setzero_ps();
        simd_store_first(result, rows,
                         simd_canonical_nan8(_mm256_sub_ps(_mm256_setzero_ps(), sum_rows_avx2(s))));
    }
}

/* Groups of rows stay in L1 from one row of X to the next. */
static void query_dots_avx2(size_t m, size_t n, size_t d, const pair_x *x, size_t ldx,
                            const pair_y *y, size_t ldy, float *result, size_t ldr, float *squares)
{
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, result += rows, squares += rows) {
        rows = n < GROUP ? n : GROUP;
        __m256 yy;
        __m256 xy = cosine_sums_avx2(rows, d, x, y, ldy, &yy);
        simd_store_first(result, rows, simd_canonical_nan8(xy));
        simd_store_first(squares, rows, simd_canonical_nan8(yy));
        for (size_t i = 1; i < m; i++)
            query_dot_avx2(rows, d, x + i * ldx, y, ldy, result + i * ldr);
    }
}

static void query_neg_sq_l2s_avx2(size_t m, size_t n, size_t d, const pair_x *x, size_t ldx,
                                  const pair_y *y, size_t ldy, float *result, size_t ldr)
{
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, result += rows) {
        rows = n < GROUP ? n : GROUP;
        for (size_t i = 0; i < m; i++)
            query_neg_sq_l2_avx2(rows, d, x + i * ldx, y, ldy, result + i * ldr);
    }
}

#ifdef QUERY_OF_HALVES

const struct query_several_ops PAIR_EXPAND(query_several_, PAIR_EXPAND(PAIR_HALF, _avx2)) = {
    .dots = query_dots_avx2,
    .neg_sq_l2s = query_neg_sq_l2s_avx2,
};

#ifdef QUERY_OF_F16
const struct query_f16_ops query_f16_ops_avx2 = {
    .query = {[MMK_DOT] = query_dot_avx2,
              [MMK_COSINE] = query_cosine_avx2,
              [MMK_NEG_SQ_L2] = query_neg_sq_l2_avx2},
    .query_norms = query_norms_avx2,
};
#endif

#else

static void squared_norms_avx2(size_t n, size_t d, const pair_y *y, size_t ldy, float *out)
{
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, out += rows) {
        rows = n < GROUP ? n : GROUP;
        __m256 s[GROUP];
        for (size_t r = 0; r < rows; r++)
            s[r] = pair_dot_row_avx2(d, y + r * ldy, y + r * ldy);
        for (size_t r = rows; r < GROUP; r++)
            s[r] = _mm256_setzero_ps();
        simd_store_first(out, rows, simd_canonical_nan8(sum_rows_avx2(s)));
    }
}

const struct query_ops query_ops_avx2 = {
    .query = {[MMK_DOT] = query_dot_avx2,
              [MMK_COSINE] = query_cosine_avx2,
              [MMK_NEG_SQ_L2] = query_neg_sq_l2_avx2},
    .query_norms = query_norms_avx2,
    .dots = query_dots_avx2,
    .neg_sq_l2s = query_neg_sq_l2s_avx2,
    .squared_norms = squared_norms_avx2,
};

#endif
