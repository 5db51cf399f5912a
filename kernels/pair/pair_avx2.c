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
 * lines that the other does not. Rows of more than PAIR_LONG_ROW floats are cut into pieces of L1
 * size, with the lanes of each sum kept in memory between them.
 *
 * Tails are vmaskmovps, only of vectors that have at least one element.
 */
#include "pair.h"

#include "lanes_avx2.h"

enum { LONG_PIECE = 1024 }; /* of a long row, in floats */

/* ---- Two vectors ----------------------------------------------------------------------------- */

static float pair_dot_avx2(size_t d, const float *x, const float *y)
{
    return simd_canonical_nan(simd_sum8x8(pair_dot_row_avx2(d, x, y)));
}

static float pair_neg_sq_l2_avx2(size_t d, const float *x, const float *y)
{
    return simd_canonical_nan(0.0f - simd_sum8x8(pair_sq_l2_row_avx2(d, x, y)));
}

/* lane += x.y over a piece of a long row; only the last piece may have a tail. */
static inline void dot_lanes_avx2(size_t d, const float *x, const float *y, __m256 lane[8])
{
    __m256 s0 = lane[0];
    __m256 s1 = lane[1];
    __m256 s2 = lane[2];
    __m256 s3 = lane[3];
    __m256 s4 = lane[4];
    __m256 s5 = lane[5];
    __m256 s6 = lane[6];
    __m256 s7 = lane[7];
    size_t k = 0;
    for (; k + 64 <= d; k += 64) {
        s0 = _mm256_fmadd_ps(_mm256_loadu_ps(x + k), _mm256_loadu_ps(y + k), s0);
        s1 = _mm256_fmadd_ps(_mm256_loadu_ps(x + k + 8), _mm256_loadu_ps(y + k + 8), s1);
        s2 = _mm256_fmadd_ps(_mm256_loadu_ps(x + k + 16), _mm256_loadu_ps(y + k + 16), s2);
        s3 = _mm256_fmadd_ps(_mm256_loadu_ps(x + k + 24), _mm256_loadu_ps(y + k + 24), s3);
        s4 = _mm256_fmadd_ps(_mm256_loadu_ps(x + k + 32), _mm256_loadu_ps(y + k + 32), s4);
        s5 = _mm256_fmadd_ps(_mm256_loadu_ps(x + k + 40), _mm256_loadu_ps(y + k + 40), s5);
        s6 = _mm256_fmadd_ps(_mm256_loadu_ps(x + k + 48), _mm256_loadu_ps(y + k + 48), s6);
        s7 = _mm256_fmadd_ps(_mm256_loadu_ps(x + k + 56), _mm256_loadu_ps(y + k + 56), s7);
    }
    if (k < d) {
        s0 = _mm256_fmadd_ps(simd_load_tail(x + k, d - k), simd_load_tail(y + k, d - k), s0);
        if (d - k > 8) {
            s1 = _mm256_fmadd_ps(simd_load_tail(x + k + 8, d - k - 8),
                                 simd_load_tail(y + k + 8, d - k - 8), s1);
        }
        if (d - k > 16) {
            s2 = _mm256_fmadd_ps(simd_load_tail(x + k + 16, d - k - 16),
                                 simd_load_tail(y + k + 16, d - k - 16), s2);
        }
        if (d - k > 24) {
            s3 = _mm256_fmadd_ps(simd_load_tail(x + k + 24, d - k - 24),
                                 simd_load_tail(y + k + 24, d - k - 24), s3);
        }
        if (d - k > 32) {
            s4 = _mm256_fmadd_ps(simd_load_tail(x + k + 32, d - k - 32),
                                 simd_load_tail(y + k + 32, d - k - 32), s4);
        }
        if (d - k > 40) {
            s5 = _mm256_fmadd_ps(simd_load_tail(x + k + 40, d - k - 40),
                                 simd_load_tail(y + k + 40, d - k - 40), s5);
        }
        if (d - k > 48) {
            s6 = _mm256_fmadd_ps(simd_load_tail(x + k + 48, d - k - 48),
                                 simd_load_tail(y + k + 48, d - k - 48), s6);
        }
        if (d - k > 56) {
            s7 = _mm256_fmadd_ps(simd_load_tail(x + k + 56, d - k - 56),
                                 simd_load_tail(y + k + 56, d - k - 56), s7);
        }
    }
    lane[0] = s0;
    lane[1] = s1;
    lane[2] = s2;
    lane[3] = s3;
    lane[4] = s4;
    lane[5] = s5;
    lane[6] = s6;
    lane[7] = s7;
}

/* Rows that do not stay in L1 for a second pass. */
__attribute__((noinline)) static float long_cosine_avx2(size_t d, const float *x, const float *y)
{
    __m256 xy[8];
    __m256 xx[8];
    __m256 yy[8];
    for (int i = 0; i < 8; i++)
        xy[i] = xx[i] = yy[i] = _mm256_setzero_ps();
    for (size_t k = 0, piece; k < d; k += piece) {
        piece = d - k < LONG_PIECE ? d - k : LONG_PIECE;
        dot_lanes_avx2(piece, x + k, y + k, xy);
        dot_lanes_avx2(piece, x + k, x + k, xx);
        dot_lanes_avx2(piece, y + k, y + k, yy);
    }
    float sum_xx = simd_sum64x8(xx);
    float sum_yy = simd_sum64x8(yy);
    if (!norm_is_safe(sum_xx) || !norm_is_safe(sum_yy))
        return pair_scaled_cosine_avx2(d, x, y);
    return simd_sum64x8(xy) / sqrtf(sum_xx * sum_yy);
}

/* One pass of two over the lanes of xy, xx and yy: first is 0 or 16, the first lane. t has 16 lanes
 * of 32 of xy, then of xx, then of yy. */
static inline void pair_cosine_pass_avx2(size_t d, const float *x, const float *y, size_t first,
                                         __m256 t[6])
{
    __m256 xy0 = _mm256_setzero_ps();
    __m256 xx0 = _mm256_setzero_ps();
    __m256 yy0 = _mm256_setzero_ps();
    __m256 xy1 = _mm256_setzero_ps();
    __m256 xx1 = _mm256_setzero_ps();
    __m256 yy1 = _mm256_setzero_ps();
    __m256 xy4 = _mm256_setzero_ps();
    __m256 xx4 = _mm256_setzero_ps();
    __m256 yy4 = _mm256_setzero_ps();
    __m256 xy5 = _mm256_setzero_ps();
    __m256 xx5 = _mm256_setzero_ps();
    __m256 yy5 = _mm256_setzero_ps();
    size_t k = 0;
    for (; k + 64 <= d; k += 64) {
        __m256 x0 = simd_load_once(x + k + first);
        __m256 y0 = simd_load_once(y + k + first);
        xy0 = _mm256_fmadd_ps(x0, y0, xy0);
        xx0 = _mm256_fmadd_ps(x0, x0, xx0);
        yy0 = _mm256_fmadd_ps(y0, y0, yy0);
        __m256 x1 = simd_load_once(x + k + first + 8);
        __m256 y1 = simd_load_once(y + k + first + 8);
        xy1 = _mm256_fmadd_ps(x1, y1, xy1);
        xx1 = _mm256_fmadd_ps(x1, x1, xx1);
        yy1 = _mm256_fmadd_ps(y1, y1, yy1);
        __m256 x4 = simd_load_once(x + k + first + 32);
        __m256 y4 = simd_load_once(y + k + first + 32);
        xy4 = _mm256_fmadd_ps(x4, y4, xy4);
        xx4 = _mm256_fmadd_ps(x4, x4, xx4);
        yy4 = _mm256_fmadd_ps(y4, y4, yy4);
        __m256 x5 = simd_load_once(x + k + first + 40);
        __m256 y5 = simd_load_once(y + k + first + 40);
        xy5 = _mm256_fmadd_ps(x5, y5, xy5);
        xx5 = _mm256_fmadd_ps(x5, x5, xx5);
        yy5 = _mm256_fmadd_ps(y5, y5, yy5);
    }
    if (k + first < d) {
        __m256 x0 = simd_load_tail(x + k + first, d - k - first);
        __m256 y0 = simd_load_tail(y + k + first, d - k - first);
        xy0 = _mm256_fmadd_ps(x0, y0, xy0);
        xx0 = _mm256_fmadd_ps(x0, x0, xx0);
        yy0 = _mm256_fmadd_ps(y0, y0, yy0);
        if (d - k > first + 8) {
            __m256 x1 = simd_load_tail(x + k + first + 8, d - k - first - 8);
            __m256 y1 = simd_load_tail(y + k + first + 8, d - k - first - 8);
            xy1 = _mm256_fmadd_ps(x1, y1, xy1);
            xx1 = _mm256_fmadd_ps(x1, x1, xx1);
            yy1 = _mm256_fmadd_ps(y1, y1, yy1);
        }
        if (d - k > first + 32) {
            __m256 x4 = simd_load_tail(x + k + first + 32, d - k - first - 32);
            __m256 y4 = simd_load_tail(y + k + first + 32, d - k - first - 32);
            xy4 = _mm256_fmadd_ps(x4, y4, xy4);
            xx4 = _mm256_fmadd_ps(x4, x4, xx4);
            yy4 = _mm256_fmadd_ps(y4, y4, yy4);
        }
        if (d - k > first + 40) {
            __m256 x5 = simd_load_tail(x + k + first + 40, d - k - first - 40);
            __m256 y5 = simd_load_tail(y + k + first + 40, d - k - first - 40);
            xy5 = _mm256_fmadd_ps(x5, y5, xy5);
            xx5 = _mm256_fmadd_ps(x5, x5, xx5);
            yy5 = _mm256_fmadd_ps(y5, y5, yy5);
        }
    }
    t[0] = _mm256_add_ps(xy0, xy4);
    t[1] = _mm256_add_ps(xy1, xy5);
    t[2] = _mm256_add_ps(xx0, xx4);
    t[3] = _mm256_add_ps(xx1, xx5);
    t[4] = _mm256_add_ps(yy0, yy4);
    t[5] = _mm256_add_ps(yy1, yy5);
}

static float pair_cosine_avx2(size_t d, const float *x, const float *y)
{
    if (d > PAIR_LONG_ROW)
        return long_cosine_avx2(d, x, y);
    __m256 a[6];
    __m256 b[6];
    pair_cosine_pass_avx2(d, x, y, 0, a);
    pair_cosine_pass_avx2(d, x, y, 16, b);
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
    .row_scale = row_scale_avx2,
    .scale_row = scale_row_avx2,
};
