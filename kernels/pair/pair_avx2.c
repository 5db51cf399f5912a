/* pair_avx2.c - two vectors, and row norms, on __m256.
 * SPDX-License-Identifier: MIT
 *
 * The 64 canonical lanes of a sum are 8 ymm; a block of 64 floats of a row is 8 loads.
 *
 *               registers                              a block of 64 floats     bound on Zen 5
 *   pair dot    8 sums, 1-8 x                          16 loads, 8 FMA          loads
 *   pair cosine 2 passes: 12 sums (xy, xx, yy), x, y   16 loads, 24 FMA         2 FMA a clock
 *
 * Three sums of 64 lanes are 24 registers of 16, so a cosine is taken in two passes over the row,
 * which must stay in L1 between them: lanes 0-15 and 32-47, then 16-31 and 48-63. Each pass can do
 * the first level of the tree by itself (lane l + lane l + 32), and where rows are aligned it reads
 * lines that the other does not. Rows of more than PAIR_LONG_ROW floats are cut into pieces, with
 * the lanes of each sum kept in memory between them.
 *
 * Rows from memory are cut into pieces of 8 lines. Hardware prefetching does not follow passes over
 * every other line of a longer row, with software prefetch or not: of memory's rate they reached
 * 87, 78 and 72 % at d = 512, 768 and 1536, in pieces all of it. Sums that come and go cost 28 % of
 * the speed in L1, and nothing in L3.
 *
 * Tails are vmaskmovps, only of vectors that have at least one element.
 */
#include "pair.h"

#include "lanes_avx2.h"

/* ---- Two vectors ----------------------------------------------------------------------------- */

static float pair_dot_avx2(size_t d, const pair_x *x, const pair_y *y)
{
    return simd_canonical_nan1(simd_sum8x8(pair_dot_row_avx2(d, x, y)));
}

static float pair_neg_sq_l2_avx2(size_t d, const pair_x *x, const pair_y *y)
{
    return simd_canonical_nan1(0.0f - simd_sum8x8(pair_sq_l2_row_avx2(d, x, y)));
}

/* One pass of two over the lanes of xy, xx and yy: first is 0 or 16, the first lane. Adds to sum,
 * where each three vectors are 8 lanes of xy, xx and yy; only the last piece of a row may have a
 * tail. */
#ifdef PAIR_OF_F16 /* gcc 12 would call it, with its sums in memory */
__attribute__((always_inline))
#endif
static inline void
cosine_pass_avx2(size_t d, const pair_x *x, const pair_y *y, size_t first, __m256 sum[12])
{
    __m256 xy0 = sum[0];
    __m256 xx0 = sum[1];
    __m256 yy0 = sum[2];
    __m256 xy1 = sum[3];
    __m256 xx1 = sum[4];
    __m256 yy1 = sum[5];
    __m256 xy4 = sum[6];
    __m256 xx4 = sum[7];
    __m256 yy4 = sum[8];
    __m256 xy5 = sum[9];
    __m256 xx5 = sum[10];
    __m256 yy5 = sum[11];
    size_t k = 0;
    for (; k + 64 <= d; k += 64) {
        __m256 x0 = pair_load_once(x + k + first);
        __m256 y0 = pair_load_once(y + k + first);
        xy0 = _mm256_fmadd_ps(x0, y0, xy0);
        xx0 = _mm256_fmadd_ps(x0, x0, xx0);
        yy0 = _mm256_fmadd_ps(y0, y0, yy0);
        __m256 x1 = pair_load_once(x + k + first + 8);
        __m256 y1 = pair_load_once(y + k + first + 8);
        xy1 = _mm256_fmadd_ps(x1, y1, xy1);
        xx1 = _mm256_fmadd_ps(x1, x1, xx1);
        yy1 = _mm256_fmadd_ps(y1, y1, yy1);
        __m256 x4 = pair_load_once(x + k + first + 32);
        __m256 y4 = pair_load_once(y + k + first + 32);
        xy4 = _mm256_fmadd_ps(x4, y4, xy4);
        xx4 = _mm256_fmadd_ps(x4, x4, xx4);
        yy4 = _mm256_fmadd_ps(y4, y4, yy4);
        __m256 x5 = pair_load_once(x + k + first + 40);
        __m256 y5 = pair_load_once(y + k + first + 40);
        xy5 = _mm256_fmadd_ps(x5, y5, xy5);
        xx5 = _mm256_fmadd_ps(x5, x5, xx5);
        yy5 = _mm256_fmadd_ps(y5, y5, yy5);
    }
    if (k + first < d) {
        __m256 x0 = pair_load_tail(x + k + first, d - k - first);
        __m256 y0 = pair_load_tail(y + k + first, d - k - first);
        xy0 = _mm256_fmadd_ps(x0, y0, xy0);
        xx0 = _mm256_fmadd_ps(x0, x0, xx0);
        yy0 = _mm256_fmadd_ps(y0, y0, yy0);
        if (d - k > first + 8) {
            __m256 x1 = pair_load_tail(x + k + first + 8, d - k - first - 8);
            __m256 y1 = pair_load_tail(y + k + first + 8, d - k - first - 8);
            xy1 = _mm256_fmadd_ps(x1, y1, xy1);
            xx1 = _mm256_fmadd_ps(x1, x1, xx1);
            yy1 = _mm256_fmadd_ps(y1, y1, yy1);
        }
        if (d - k > first + 32) {
            __m256 x4 = pair_load_tail(x + k + first + 32, d - k - first - 32);
            __m256 y4 = pair_load_tail(y + k + first + 32, d - k - first - 32);
            xy4 = _mm256_fmadd_ps(x4, y4, xy4);
            xx4 = _mm256_fmadd_ps(x4, x4, xx4);
            yy4 = _mm256_fmadd_ps(y4, y4, yy4);
        }
        if (d - k > first + 40) {
            __m256 x5 = pair_load_tail(x + k + first + 40, d - k - first - 40);
            __m256 y5 = pair_load_tail(y + k + first + 40, d - k - first - 40);
            xy5 = _mm256_fmadd_ps(x5, y5, xy5);
            xx5 = _mm256_fmadd_ps(x5, x5, xx5);
            yy5 = _mm256_fmadd_ps(y5, y5, yy5);
        }
    }
    sum[0] = xy0;
    sum[1] = xx0;
    sum[2] = yy0;
    sum[3] = xy1;
    sum[4] = xx1;
    sum[5] = yy1;
    sum[6] = xy4;
    sum[7] = xx4;
    sum[8] = yy4;
    sum[9] = xy5;
    sum[10] = xx5;
    sum[11] = yy5;
}

/* What a pass has summed: the first level of its half of the trees. t has 16 lanes of 32 of xy,
 * then of xx, then of yy. */
static inline void cosine_level_avx2(const __m256 sum[12], __m256 t[6])
{
    t[0] = _mm256_add_ps(sum[0], sum[6]);
    t[1] = _mm256_add_ps(sum[3], sum[9]);
    t[2] = _mm256_add_ps(sum[1], sum[7]);
    t[3] = _mm256_add_ps(sum[4], sum[10]);
    t[4] = _mm256_add_ps(sum[2], sum[8]);
    t[5] = _mm256_add_ps(sum[5], sum[11]);
}

/* The cosine of x and y from both passes' lanes. */
static inline float cosine_of_lanes_avx2(size_t d, const pair_x *x, const pair_y *y,
                                         const __m256 a[6], const __m256 b[6])
{
    __m256 xy = _mm256_add_ps(_mm256_add_ps(a[0], b[0]), _mm256_add_ps(a[1], b[1]));
    __m256 xx = _mm256_add_ps(_mm256_add_ps(a[2], b[2]), _mm256_add_ps(a[3], b[3]));
    __m256 yy = _mm256_add_ps(_mm256_add_ps(a[4], b[4]), _mm256_add_ps(a[5], b[5]));

    /* The rest of the three trees together. 4 lanes: xx yy, and xy alone */
    __m256 squares =
        _mm256_add_ps(_mm256_permute2f128_ps(xx, yy, 0x20), _mm256_permute2f128_ps(xx, yy, 0x31));
    __m128 product = _mm_add_ps(_mm256_castps256_ps128(xy), _mm256_extractf128_ps(xy, 1));
    squares = _mm256_add_ps(squares, _mm256_permute_ps(squares, _MM_SHUFFLE(1, 0, 3, 2)));
    product = _mm_add_ps(product, _mm_movehl_ps(product, product));
    squares = _mm256_add_ps(squares, _mm256_permute_ps(squares, _MM_SHUFFLE(2, 3, 0, 1)));
    product = _mm_add_ss(product, _mm_shuffle_ps(product, product, 1));
    float sum_xx = _mm256_cvtss_f32(squares);
    float sum_yy = _mm_cvtss_f32(_mm256_extractf128_ps(squares, 1));
    float sum_xy = _mm_cvtss_f32(product);
    if (__builtin_expect(!(norm_is_safe(sum_xx) && norm_is_safe(sum_yy)), 0))
        return pair_scaled_cosine_avx2(d, x, y);
    return (sum_xy + 0.0f) / sqrtf(sum_xx * sum_yy);
}

/* Both passes over a piece, then over the next: the sums stand in memory between them. */
__attribute__((noinline)) static float cosine_in_pieces_avx2(size_t d, const pair_x *x,
                                                             const pair_y *y, size_t piece)
{
    __m256 sum[2][12];
    __m256 a[6];
    __m256 b[6];
    for (int i = 0; i < 12; i++)
        sum[0][i] = sum[1][i] = _mm256_setzero_ps();
    for (size_t k = 0; k < d; k += piece) {
        size_t count = d - k < piece ? d - k : piece;
        cosine_pass_avx2(count, x + k, y + k, 0, sum[0]);
        cosine_pass_avx2(count, x + k, y + k, 16, sum[1]);
    }
    cosine_level_avx2(sum[0], a);
    cosine_level_avx2(sum[1], b);
    return cosine_of_lanes_avx2(d, x, y, a, b);
}

static float pair_cosine_avx2(size_t d, const pair_x *x, const pair_y *y)
{
    if (d > PAIR_LONG_ROW)
        return cosine_in_pieces_avx2(d, x, y, PAIR_LONG_PIECE);
    __m256 sum[12];
    __m256 a[6];
    __m256 b[6];
    for (int i = 0; i < 12; i++)
        sum[i] = _mm256_setzero_ps();
    cosine_pass_avx2(d, x, y, 0, sum);
    cosine_level_avx2(sum, a);
    for (int i = 0; i < 12; i++)
        sum[i] = _mm256_setzero_ps();
    cosine_pass_avx2(d, x, y, 16, sum);
    cosine_level_avx2(sum, b);
    return cosine_of_lanes_avx2(d, x, y, a, b);
}

#ifdef PAIR_OF_F16

static float pair_square_avx2(size_t d, const uint16_t *x)
{
    return simd_canonical_nan1(simd_sum8x8(pair_dot_row_avx2(d, x, x)));
}

const struct pair_f16_ops pair_f16_ops_avx2 = {
    .pair = {[MMK_DOT] = pair_dot_avx2,
             [MMK_COSINE] = pair_cosine_avx2,
             [MMK_NEG_SQ_L2] = pair_neg_sq_l2_avx2},
    .square = pair_square_avx2,
};

#else

static float far_cosine_avx2(size_t d, const float *x, const float *y)
{
    return d >= PAIR_FAR_ROW ? cosine_in_pieces_avx2(d, x, y, PAIR_FAR_PIECE)
                             : pair_cosine_avx2(d, x, y);
}

/* ---- Rows ------------------------------------------------------------------------------------ */

static struct row_scale row_scale_avx2(size_t d, const float *x)
{
    float xx = simd_sum8x8(pair_dot_row_avx2(d, x, x)); /* inlined, with one load of x */
    if (norm_is_safe(xx))
        return (struct row_scale){1.0f, 1.0f / sqrtf(xx)};
    uint32_t greatest = pair_greatest_avx2(d, x);
    if (greatest >= NORM_INFINITY)
        return (struct row_scale){1.0f, simd_canonical_nan(NAN)};
    if (greatest == 0)
        return (struct row_scale){1.0f, 0.0f};
    float power = norm_power(greatest);
    return (struct row_scale){power, 1.0f / sqrtf(pair_scaled_dot_avx2(d, x, power, x, power))};
}

static void scale_row_avx2(size_t d, const float *x, struct row_scale scale, float *out)
{
    const __m256 power = _mm256_set1_ps(scale.power);
    const __m256 inverse = _mm256_set1_ps(scale.inverse);
    for (; d >= 8; d -= 8, x += 8, out += 8) {
        __m256 v = _mm256_mul_ps(_mm256_mul_ps(_mm256_loadu_ps(x), power), inverse);
        _mm256_storeu_ps(out, simd_canonical_nan8(v));
    }
    if (d > 0) {
        __m256 v = _mm256_mul_ps(_mm256_mul_ps(simd_load_first(x, d), power), inverse);
        simd_store_first(out, d, simd_canonical_nan8(v));
    }
}

const struct pair_ops pair_ops_avx2 = {
    .pair = {[MMK_DOT] = pair_dot_avx2,
             [MMK_COSINE] = pair_cosine_avx2,
             [MMK_NEG_SQ_L2] = pair_neg_sq_l2_avx2},
    .far_cosine = far_cosine_avx2,
    .row_scale = row_scale_avx2,
    .scale_row = scale_row_avx2,
};

#endif
