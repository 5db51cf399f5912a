/* pair_scalar.c - two vectors, and row norms, in portable C: the definition of their bits.
 * SPDX-License-Identifier: MIT
 *
 * The dot product and the squared distance are in lanes_scalar.h, which says how the loops are
 * made.
 *
 * Worst error seen against double, over d = 0..400 and to 8255, as a part of the bound
 * (ceil(d/64) + 7) * 2^-24 * sum|terms|: dot 0.48, neg_sq_l2 0.25, cosine 0.16.
 */
#include "pair.h"

#include "lanes_scalar.h"

static float pair_cosine_scalar(size_t d, const pair_x *x, const pair_y *y)
{
    float xy[SIMD_LANES] = {0};
    float xx[SIMD_LANES] = {0};
    float yy[SIMD_LANES] = {0};
    size_t k = 0;
    for (; d - k >= SIMD_LANES; k += SIMD_LANES) {
        for (size_t l = 0; l < SIMD_LANES; l++) {
            xy[l] = fmaf(pair_value(x[k + l]), pair_value(y[k + l]), xy[l]);
            xx[l] = fmaf(pair_value(x[k + l]), pair_value(x[k + l]), xx[l]);
            yy[l] = fmaf(pair_value(y[k + l]), pair_value(y[k + l]), yy[l]);
        }
    }
    for (size_t l = 0; l < d - k; l++) {
        xy[l] = fmaf(pair_value(x[k + l]), pair_value(y[k + l]), xy[l]);
        xx[l] = fmaf(pair_value(x[k + l]), pair_value(x[k + l]), xx[l]);
        yy[l] = fmaf(pair_value(y[k + l]), pair_value(y[k + l]), yy[l]);
    }
    float sum_xx = simd_sum64(xx);
    float sum_yy = simd_sum64(yy);
    if (!norm_is_safe(sum_xx) || !norm_is_safe(sum_yy))
        return pair_scaled_cosine_scalar(d, x, y);
    return simd_sum64(xy) / sqrtf(sum_xx * sum_yy);
}

#ifdef PAIR_OF_F16

static float pair_square_scalar(size_t d, const uint16_t *x)
{
    return pair_dot_scalar(d, x, x);
}

const struct pair_f16_ops pair_f16_ops_scalar = {
    .pair = {[MMK_DOT] = pair_dot_scalar,
             [MMK_COSINE] = pair_cosine_scalar,
             [MMK_NEG_SQ_L2] = pair_neg_sq_l2_scalar},
    .square = pair_square_scalar,
};

#else

static struct row_scale row_scale_scalar(size_t d, const float *x)
{
    float xx = pair_dot_scalar(d, x, x);
    if (norm_is_safe(xx))
        return (struct row_scale){1.0f, 1.0f / sqrtf(xx)};
    uint32_t greatest = pair_greatest_scalar(d, x);
    if (greatest >= NORM_INFINITY)
        return (struct row_scale){1.0f, simd_canonical_nan(NAN)};
    if (greatest == 0)
        return (struct row_scale){1.0f, 0.0f};
    float power = norm_power(greatest);
    return (struct row_scale){power, 1.0f / sqrtf(pair_scaled_dot_scalar(d, x, power, x, power))};
}

static void scale_row_scalar(size_t d, const float *x, struct row_scale scale, float *out)
{
    for (size_t k = 0; k < d; k++)
        out[k] = simd_canonical_nan((x[k] * scale.power) * scale.inverse);
}

const struct pair_ops pair_ops_scalar = {
    .pair = {[MMK_DOT] = pair_dot_scalar,
             [MMK_COSINE] = pair_cosine_scalar,
             [MMK_NEG_SQ_L2] = pair_neg_sq_l2_scalar},
    .far_cosine = pair_cosine_scalar,
    .row_scale = row_scale_scalar,
    .scale_row = scale_row_scalar,
};

#endif
