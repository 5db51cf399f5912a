/* cosine_scalar.c - pair, query and row norms in portable C: the definition of their bits.
 * SPDX-License-Identifier: MIT
 *
 * Every sum runs in 64 canonical lanes. The inner loops go over the 64 lanes of a block, without a
 * branch, so that a compiler that is given an instruction set's flags can keep the lanes in vector
 * registers: the "autovec" baseline of the bench is this file. Without FMA flags fmaf is a call.
 *
 * Worst error seen against double, over d = 0..400 and to 8255, as a part of the bound
 * (ceil(d/64) + 7) * 2^-24 * sum|terms|: dot 0.48, neg_sq_l2 0.25, cosine 0.16.
 */
#include "cosine.h"
#include "norm.h"

static float pair_dot_scalar(size_t d, const float *x, const float *y)
{
    float lane[SIMD_LANES] = {0};
    size_t k = 0;
    for (; d - k >= SIMD_LANES; k += SIMD_LANES)
        for (size_t l = 0; l < SIMD_LANES; l++)
            lane[l] = fmaf(x[k + l], y[k + l], lane[l]);
    for (size_t l = 0; l < d - k; l++)
        lane[l] = fmaf(x[k + l], y[k + l], lane[l]);
    return simd_canonical_nan(simd_sum64(lane));
}

static float pair_neg_sq_l2_scalar(size_t d, const float *x, const float *y)
{
    float lane[SIMD_LANES] = {0};
    size_t k = 0;
    for (; d - k >= SIMD_LANES; k += SIMD_LANES) {
        for (size_t l = 0; l < SIMD_LANES; l++) {
            float difference = x[k + l] - y[k + l];
            lane[l] = fmaf(difference, difference, lane[l]);
        }
    }
    for (size_t l = 0; l < d - k; l++) {
        float difference = x[k + l] - y[k + l];
        lane[l] = fmaf(difference, difference, lane[l]);
    }
    return simd_canonical_nan(0.0f - simd_sum64(lane));
}

/* Greatest magnitude of a row, as bits: NORM_INFINITY or more where a NaN or Inf is. */
static uint32_t greatest_scalar(size_t d, const float *x)
{
    uint32_t greatest = 0;
    for (size_t k = 0; k < d; k++) {
        uint32_t magnitude = simd_bits(x[k]) & NORM_MAGNITUDE;
        greatest = magnitude > greatest ? magnitude : greatest;
    }
    return greatest;
}

/* sum (x_k px)(y_k py) */
static float scaled_dot_scalar(size_t d, const float *x, float px, const float *y, float py)
{
    float lane[SIMD_LANES] = {0};
    size_t k = 0;
    for (; d - k >= SIMD_LANES; k += SIMD_LANES)
        for (size_t l = 0; l < SIMD_LANES; l++)
            lane[l] = fmaf(x[k + l] * px, y[k + l] * py, lane[l]);
    for (size_t l = 0; l < d - k; l++)
        lane[l] = fmaf(x[k + l] * px, y[k + l] * py, lane[l]);
    return simd_sum64(lane);
}

/* Cosine where a square sum leaves the safe range: zero rows, NaN, Inf, very small, very great. */
static float scaled_cosine_scalar(size_t d, const float *x, const float *y)
{
    uint32_t greatest_x = greatest_scalar(d, x);
    uint32_t greatest_y = greatest_scalar(d, y);
    if (greatest_x >= NORM_INFINITY || greatest_y >= NORM_INFINITY)
        return simd_canonical_nan(NAN);
    if (greatest_x == 0 || greatest_y == 0)
        return 0.0f;
    float px = norm_power(greatest_x);
    float py = norm_power(greatest_y);
    float xy = scaled_dot_scalar(d, x, px, y, py);
    float xx = scaled_dot_scalar(d, x, px, x, px);
    float yy = scaled_dot_scalar(d, y, py, y, py);
    return xy / (sqrtf(xx) * sqrtf(yy));
}

static float pair_cosine_scalar(size_t d, const float *x, const float *y)
{
    float xy[SIMD_LANES] = {0};
    float xx[SIMD_LANES] = {0};
    float yy[SIMD_LANES] = {0};
    size_t k = 0;
    for (; d - k >= SIMD_LANES; k += SIMD_LANES) {
        for (size_t l = 0; l < SIMD_LANES; l++) {
            xy[l] = fmaf(x[k + l], y[k + l], xy[l]);
            xx[l] = fmaf(x[k + l], x[k + l], xx[l]);
            yy[l] = fmaf(y[k + l], y[k + l], yy[l]);
        }
    }
    for (size_t l = 0; l < d - k; l++) {
        xy[l] = fmaf(x[k + l], y[k + l], xy[l]);
        xx[l] = fmaf(x[k + l], x[k + l], xx[l]);
        yy[l] = fmaf(y[k + l], y[k + l], yy[l]);
    }
    float sum_xx = simd_sum64(xx);
    float sum_yy = simd_sum64(yy);
    if (!norm_is_safe(sum_xx) || !norm_is_safe(sum_yy))
        return scaled_cosine_scalar(d, x, y);
    return simd_sum64(xy) / sqrtf(sum_xx * sum_yy);
}

static void query_dot_scalar(size_t n, size_t d, const float *x, const float *y, size_t ldy,
                             float *result)
{
    for (size_t j = 0; j < n; j++)
        result[j] = pair_dot_scalar(d, x, y + j * ldy);
}

static void query_cosine_scalar(size_t n, size_t d, const float *x, const float *y, size_t ldy,
                                float *result)
{
    float xx = pair_dot_scalar(d, x, x);
    for (size_t j = 0; j < n; j++) {
        const float *row = y + j * ldy;
        float xy[SIMD_LANES] = {0};
        float yy[SIMD_LANES] = {0};
        size_t k = 0;
        for (; d - k >= SIMD_LANES; k += SIMD_LANES) {
            for (size_t l = 0; l < SIMD_LANES; l++) {
                xy[l] = fmaf(x[k + l], row[k + l], xy[l]);
                yy[l] = fmaf(row[k + l], row[k + l], yy[l]);
            }
        }
        for (size_t l = 0; l < d - k; l++) {
            xy[l] = fmaf(x[k + l], row[k + l], xy[l]);
            yy[l] = fmaf(row[k + l], row[k + l], yy[l]);
        }
        float sum_yy = simd_sum64(yy);
        if (norm_is_safe(xx) && norm_is_safe(sum_yy))
            result[j] = simd_sum64(xy) / sqrtf(xx * sum_yy);
        else
            result[j] = scaled_cosine_scalar(d, x, row);
    }
}

static void query_norms_scalar(size_t n, size_t d, const float *x, const float *y, size_t ldy,
                               const float *squared_norms, float *result)
{
    float xx = pair_dot_scalar(d, x, x);
    for (size_t j = 0; j < n; j++) {
        if (norm_is_safe(xx) && norm_is_safe(squared_norms[j]))
            result[j] = pair_dot_scalar(d, x, y + j * ldy) / sqrtf(xx * squared_norms[j]);
        else
            result[j] = scaled_cosine_scalar(d, x, y + j * ldy);
    }
}

static void squared_norms_scalar(size_t n, size_t d, const float *y, size_t ldy, float *out)
{
    for (size_t j = 0; j < n; j++)
        out[j] = pair_dot_scalar(d, y + j * ldy, y + j * ldy);
}

static void query_neg_sq_l2_scalar(size_t n, size_t d, const float *x, const float *y, size_t ldy,
                                   float *result)
{
    for (size_t j = 0; j < n; j++)
        result[j] = pair_neg_sq_l2_scalar(d, x, y + j * ldy);
}

static struct row_scale row_scale_scalar(size_t d, const float *x)
{
    float xx = pair_dot_scalar(d, x, x);
    if (norm_is_safe(xx))
        return (struct row_scale){1.0f, 1.0f / sqrtf(xx)};
    uint32_t greatest = greatest_scalar(d, x);
    if (greatest >= NORM_INFINITY)
        return (struct row_scale){1.0f, simd_canonical_nan(NAN)};
    if (greatest == 0)
        return (struct row_scale){1.0f, 0.0f};
    float power = norm_power(greatest);
    return (struct row_scale){power, 1.0f / sqrtf(scaled_dot_scalar(d, x, power, x, power))};
}

static void scale_row_scalar(size_t d, const float *x, struct row_scale scale, float *out)
{
    for (size_t k = 0; k < d; k++)
        out[k] = simd_canonical_nan((x[k] * scale.power) * scale.inverse);
}

const struct cosine_ops cosine_ops_scalar = {
    .pair = {[MMK_DOT] = pair_dot_scalar,
             [MMK_COSINE] = pair_cosine_scalar,
             [MMK_NEG_SQ_L2] = pair_neg_sq_l2_scalar},
    .query = {[MMK_DOT] = query_dot_scalar,
              [MMK_COSINE] = query_cosine_scalar,
              [MMK_NEG_SQ_L2] = query_neg_sq_l2_scalar},
    .query_norms = query_norms_scalar,
    .squared_norms = squared_norms_scalar,
    .row_scale = row_scale_scalar,
    .scale_row = scale_row_scalar,
};
