/* pair_avx512.c - two vectors, and row norms, on __m512.
 * SPDX-License-Identifier: MIT
 *
 * The 64 canonical lanes of a sum are 4 zmm; a block of 64 floats of a row is 4 loads.
 *
 *                registers                       a block of 64 floats   bound on Zen 5
 *   pair dot     4 sums, 4 x                     8 loads, 4 FMA         2 loads a clock
 *   pair cosine  12 sums (xy, xx, yy), x, y      8 loads, 12 FMA        2 FMA a clock
 *
 * From d = 512 on the table's bound is what one sees (92 % of the FMA rate at 768). Below,
 * calls overlap as far as the reorder buffer reaches (448 instructions): what counts is how few
 * instructions a call has and how short its last chain is (three trees, square root, division: 60
 * of 85 clocks). So the three trees are summed together, the first block multiplies instead of
 * adding to zeros, and a NaN is replaced without a way through general registers: dot 4.05 -> 3.45
 * ns, -|x - y|^2 4.7 -> 4.0 ns at d = 128 (Zen 5, 4.2 GHz; loops of calls in L1).
 *
 * Tails are masked loads. Other ISAs: AVX2 and NEON have no registers for three sums of 64 lanes
 * and take them in two passes.
 */
#include "pair.h"

#include "lanes_avx512.h"

#include "../simd/trees_avx512.h"

/* ---- Two vectors ----------------------------------------------------------------------------- */

static float pair_dot_avx512(size_t d, const pair_x *x, const pair_y *y)
{
    return simd_canonical_nan1(simd_sum16x16(pair_dot_row_avx512(d, x, y)));
}

/* |x - y|^2 */
static inline __m512 sq_l2_row_avx512(size_t d, const pair_x *x, const pair_y *y)
{
    __m512 s0, s1, s2, s3;
    size_t k = 0;
    if (d >= 64) {
        __m512 d0 = _mm512_sub_ps(pair_load(x), pair_load(y));
        s0 = _mm512_mul_ps(d0, d0);
        __m512 d1 = _mm512_sub_ps(pair_load(x + 16), pair_load(y + 16));
        s1 = _mm512_mul_ps(d1, d1);
        __m512 d2 = _mm512_sub_ps(pair_load(x + 32), pair_load(y + 32));
        s2 = _mm512_mul_ps(d2, d2);
        __m512 d3 = _mm512_sub_ps(pair_load(x + 48), pair_load(y + 48));
        s3 = _mm512_mul_ps(d3, d3);
        k = 64;
    } else {
        s0 = s1 = s2 = s3 = _mm512_setzero_ps();
    }
    for (; k + 64 <= d; k += 64) {
        __m512 d0 = _mm512_sub_ps(pair_load(x + k), pair_load(y + k));
        s0 = _mm512_fmadd_ps(d0, d0, s0);
        __m512 d1 = _mm512_sub_ps(pair_load(x + k + 16), pair_load(y + k + 16));
        s1 = _mm512_fmadd_ps(d1, d1, s1);
        __m512 d2 = _mm512_sub_ps(pair_load(x + k + 32), pair_load(y + k + 32));
        s2 = _mm512_fmadd_ps(d2, d2, s2);
        __m512 d3 = _mm512_sub_ps(pair_load(x + k + 48), pair_load(y + k + 48));
        s3 = _mm512_fmadd_ps(d3, d3, s3);
    }
    if (d - k > 0) {
        __m512 dv0 = _mm512_sub_ps(pair_load_tail(x + k, d - k), pair_load_tail(y + k, d - k));
        s0 = _mm512_fmadd_ps(dv0, dv0, s0);
        if (d - k > 16) {
            __m512 dv1 = _mm512_sub_ps(pair_load_tail(x + k + 16, d - k - 16),
                                       pair_load_tail(y + k + 16, d - k - 16));
            s1 = _mm512_fmadd_ps(dv1, dv1, s1);
        }
        if (d - k > 32) {
            __m512 dv2 = _mm512_sub_ps(pair_load_tail(x + k + 32, d - k - 32),
                                       pair_load_tail(y + k + 32, d - k - 32));
            s2 = _mm512_fmadd_ps(dv2, dv2, s2);
        }
        if (d - k > 48) {
            __m512 dv3 = _mm512_sub_ps(pair_load_tail(x + k + 48, d - k - 48),
                                       pair_load_tail(y + k + 48, d - k - 48));
            s3 = _mm512_fmadd_ps(dv3, dv3, s3);
        }
    }
    return simd_fold64x16(s0, s1, s2, s3);
}

static float pair_neg_sq_l2_avx512(size_t d, const pair_x *x, const pair_y *y)
{
    return simd_canonical_nan1(0.0f - simd_sum16x16(sq_l2_row_avx512(d, x, y)));
}

static float pair_cosine_avx512(size_t d, const pair_x *x, const pair_y *y)
{
    __m512 xy0, xy1, xy2, xy3;
    __m512 xx0, xx1, xx2, xx3;
    __m512 yy0, yy1, yy2, yy3;
    size_t k = 0;
    if (d >= 64) {
        __m512 x0 = pair_load_once(x);
        __m512 y0 = pair_load_once(y);
        xy0 = _mm512_mul_ps(x0, y0);
        xx0 = _mm512_mul_ps(x0, x0);
        yy0 = _mm512_mul_ps(y0, y0);
        __m512 x1 = pair_load_once(x + 16);
        __m512 y1 = pair_load_once(y + 16);
        xy1 = _mm512_mul_ps(x1, y1);
        xx1 = _mm512_mul_ps(x1, x1);
        yy1 = _mm512_mul_ps(y1, y1);
        __m512 x2 = pair_load_once(x + 32);
        __m512 y2 = pair_load_once(y + 32);
        xy2 = _mm512_mul_ps(x2, y2);
        xx2 = _mm512_mul_ps(x2, x2);
        yy2 = _mm512_mul_ps(y2, y2);
        __m512 x3 = pair_load_once(x + 48);
        __m512 y3 = pair_load_once(y + 48);
        xy3 = _mm512_mul_ps(x3, y3);
        xx3 = _mm512_mul_ps(x3, x3);
        yy3 = _mm512_mul_ps(y3, y3);
        k = 64;
    } else {
        xy0 = xy1 = xy2 = xy3 = _mm512_setzero_ps();
        xx0 = xx1 = xx2 = xx3 = _mm512_setzero_ps();
        yy0 = yy1 = yy2 = yy3 = _mm512_setzero_ps();
    }
    for (; k + 64 <= d; k += 64) {
        __m512 x0 = pair_load_once(x + k);
        __m512 y0 = pair_load_once(y + k);
        xy0 = _mm512_fmadd_ps(x0, y0, xy0);
        xx0 = _mm512_fmadd_ps(x0, x0, xx0);
        yy0 = _mm512_fmadd_ps(y0, y0, yy0);
        __m512 x1 = pair_load_once(x + k + 16);
        __m512 y1 = pair_load_once(y + k + 16);
        xy1 = _mm512_fmadd_ps(x1, y1, xy1);
        xx1 = _mm512_fmadd_ps(x1, x1, xx1);
        yy1 = _mm512_fmadd_ps(y1, y1, yy1);
        __m512 x2 = pair_load_once(x + k + 32);
        __m512 y2 = pair_load_once(y + k + 32);
        xy2 = _mm512_fmadd_ps(x2, y2, xy2);
        xx2 = _mm512_fmadd_ps(x2, x2, xx2);
        yy2 = _mm512_fmadd_ps(y2, y2, yy2);
        __m512 x3 = pair_load_once(x + k + 48);
        __m512 y3 = pair_load_once(y + k + 48);
        xy3 = _mm512_fmadd_ps(x3, y3, xy3);
        xx3 = _mm512_fmadd_ps(x3, x3, xx3);
        yy3 = _mm512_fmadd_ps(y3, y3, yy3);
    }
    if (d - k > 0) {
        __m512 xv = pair_load_tail(x + k, d - k);
        __m512 yv = pair_load_tail(y + k, d - k);
        xy0 = _mm512_fmadd_ps(xv, yv, xy0);
        xx0 = _mm512_fmadd_ps(xv, xv, xx0);
        yy0 = _mm512_fmadd_ps(yv, yv, yy0);
    }
    if (d - k > 16) {
        __m512 xv = pair_load_tail(x + k + 16, d - k - 16);
        __m512 yv = pair_load_tail(y + k + 16, d - k - 16);
        xy1 = _mm512_fmadd_ps(xv, yv, xy1);
        xx1 = _mm512_fmadd_ps(xv, xv, xx1);
        yy1 = _mm512_fmadd_ps(yv, yv, yy1);
    }
    if (d - k > 32) {
        __m512 xv = pair_load_tail(x + k + 32, d - k - 32);
        __m512 yv = pair_load_tail(y + k + 32, d - k - 32);
        xy2 = _mm512_fmadd_ps(xv, yv, xy2);
        xx2 = _mm512_fmadd_ps(xv, xv, xx2);
        yy2 = _mm512_fmadd_ps(yv, yv, yy2);
    }
    if (d - k > 48) {
        __m512 xv = pair_load_tail(x + k + 48, d - k - 48);
        __m512 yv = pair_load_tail(y + k + 48, d - k - 48);
        xy3 = _mm512_fmadd_ps(xv, yv, xy3);
        xx3 = _mm512_fmadd_ps(xv, xv, xx3);
        yy3 = _mm512_fmadd_ps(yv, yv, yy3);
    }

    /* The three trees together. 16 lanes of each sum: */
    __m512 xy = _mm512_add_ps(_mm512_add_ps(xy0, xy2), _mm512_add_ps(xy1, xy3));
    __m512 xx = _mm512_add_ps(_mm512_add_ps(xx0, xx2), _mm512_add_ps(xx1, xx3));
    __m512 yy = _mm512_add_ps(_mm512_add_ps(yy0, yy2), _mm512_add_ps(yy1, yy3));
    __m512 t = sum_three_avx512(xx, yy, xy);
    float sum_xx = _mm512_cvtss_f32(t);
    float sum_yy = _mm_cvtss_f32(_mm512_extractf32x4_ps(t, 1));
    float sum_xy = _mm_cvtss_f32(_mm512_extractf32x4_ps(t, 2));
    if (__builtin_expect(!(norm_is_safe(sum_xx) && norm_is_safe(sum_yy)), 0))
        return pair_scaled_cosine_avx512(d, x, y);
    return (sum_xy + 0.0f) / sqrtf(sum_xx * sum_yy);
}

#ifdef PAIR_OF_F16

static float pair_square_avx512(size_t d, const uint16_t *x)
{
    return simd_canonical_nan1(simd_sum16x16(pair_dot_row_avx512(d, x, x)));
}

const struct pair_f16_ops pair_f16_ops_avx512 = {
    .pair = {[MMK_DOT] = pair_dot_avx512,
             [MMK_COSINE] = pair_cosine_avx512,
             [MMK_NEG_SQ_L2] = pair_neg_sq_l2_avx512},
    .square = pair_square_avx512,
};

#else

/* ---- Rows ------------------------------------------------------------------------------------ */

static struct row_scale row_scale_avx512(size_t d, const float *x)
{
    float xx = simd_sum16x16(pair_dot_row_avx512(d, x, x)); /* inlined, with one load of x */
    if (norm_is_safe(xx))
        return (struct row_scale){1.0f, 1.0f / sqrtf(xx)};
    uint32_t greatest = pair_greatest_avx512(d, x);
    if (greatest >= NORM_INFINITY)
        return (struct row_scale){1.0f, simd_canonical_nan(NAN)};
    if (greatest == 0)
        return (struct row_scale){1.0f, 0.0f};
    float power = norm_power(greatest);
    return (struct row_scale){power, 1.0f / sqrtf(pair_scaled_dot_avx512(d, x, power, x, power))};
}

static void scale_row_avx512(size_t d, const float *x, struct row_scale scale, float *out)
{
    const __m512 power = _mm512_set1_ps(scale.power);
    const __m512 inverse = _mm512_set1_ps(scale.inverse);
    for (; d >= 16; d -= 16, x += 16, out += 16) {
        __m512 v = _mm512_mul_ps(_mm512_mul_ps(_mm512_loadu_ps(x), power), inverse);
        _mm512_storeu_ps(out, simd_canonical_nan16(v));
    }
    if (d > 0) {
        __m512 v = _mm512_mul_ps(_mm512_mul_ps(simd_load_first(x, d), power), inverse);
        __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
        v = _mm512_mask_mov_ps(v, nan, simd_whole_constant(0x7fc00000));
        simd_store_first(out, d, v);
    }
}

const struct pair_ops pair_ops_avx512 = {
    .pair = {[MMK_DOT] = pair_dot_avx512,
             [MMK_COSINE] = pair_cosine_avx512,
             [MMK_NEG_SQ_L2] = pair_neg_sq_l2_avx512},
    .far_cosine = pair_cosine_avx512,
    .row_scale = row_scale_avx512,
    .scale_row = scale_row_avx512,
};

#endif
