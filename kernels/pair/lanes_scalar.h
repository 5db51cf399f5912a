/* lanes_scalar.h - what pair/ and query/ share in portable C (internal).
 * SPDX-License-Identifier: MIT
 *
 * Every sum runs in 64 canonical lanes. The inner loops go over the 64 lanes of a block, without a
 * branch, so that a compiler that is given an instruction set's flags can keep the lanes in vector
 * registers: the "autovec" baseline of the bench is this code. Without FMA flags fmaf is a call.
 */
#ifndef MMK_PAIR_LANES_SCALAR_H
#define MMK_PAIR_LANES_SCALAR_H

#include "element.h"
#include "norm.h"
#include "pair.h"

#define pair_value(v) _Generic((v), float : (v), uint16_t : PAIR_OF_HALF(simd_from_)((uint16_t)(v)))

static inline float pair_dot_scalar(size_t d, const pair_x *x, const pair_y *y)
{
    float lane[SIMD_LANES] = {0};
    size_t k = 0;
    for (; d - k >= SIMD_LANES; k += SIMD_LANES)
        for (size_t l = 0; l < SIMD_LANES; l++)
            lane[l] = fmaf(pair_value(x[k + l]), pair_value(y[k + l]), lane[l]);
    for (size_t l = 0; l < d - k; l++)
        lane[l] = fmaf(pair_value(x[k + l]), pair_value(y[k + l]), lane[l]);
    return simd_canonical_nan(simd_sum64(lane));
}

static float pair_neg_sq_l2_scalar(size_t d, const pair_x *x, const pair_y *y)
{
    float lane[SIMD_LANES] = {0};
    size_t k = 0;
    for (; d - k >= SIMD_LANES; k += SIMD_LANES) {
        for (size_t l = 0; l < SIMD_LANES; l++) {
            float difference = pair_value(x[k + l]) - pair_value(y[k + l]);
            lane[l] = fmaf(difference, difference, lane[l]);
        }
    }
    for (size_t l = 0; l < d - k; l++) {
        float difference = pair_value(x[k + l]) - pair_value(y[k + l]);
        lane[l] = fmaf(difference, difference, lane[l]);
    }
    return simd_canonical_nan(0.0f - simd_sum64(lane));
}

#ifndef QUERY_OF_HALVES

/* ---- Rows that must be scaled ---------------------------------------------------------------- */

/* Greatest magnitude of a row, as bits: NORM_INFINITY or more where a NaN or Inf is. */
static uint32_t pair_greatest_scalar(size_t d, const pair_x *x)
{
    uint32_t greatest = 0;
    for (size_t k = 0; k < d; k++) {
        uint32_t magnitude = simd_bits(pair_value(x[k])) & NORM_MAGNITUDE;
        greatest = magnitude > greatest ? magnitude : greatest;
    }
    return greatest;
}

/* sum (x_k px)(y_k py) */
static float pair_scaled_dot_scalar(size_t d, const pair_x *x, float px, const pair_y *y, float py)
{
    float lane[SIMD_LANES] = {0};
    size_t k = 0;
    for (; d - k >= SIMD_LANES; k += SIMD_LANES)
        for (size_t l = 0; l < SIMD_LANES; l++)
            lane[l] = fmaf(pair_value(x[k + l]) * px, pair_value(y[k + l]) * py, lane[l]);
    for (size_t l = 0; l < d - k; l++)
        lane[l] = fmaf(pair_value(x[k + l]) * px, pair_value(y[k + l]) * py, lane[l]);
    return simd_sum64(lane);
}

/* Cosine where a square sum leaves the safe range: zero rows, NaN, Inf, very small, very great. Out
 * of line, so that the ordinary path stays one straight piece of code. */
__attribute__((noinline)) static float pair_scaled_cosine_scalar(size_t d, const pair_x *x,
                                                                 const pair_y *y)
{
    uint32_t greatest_x = pair_greatest_scalar(d, x);
    uint32_t greatest_y = pair_greatest_scalar(d, y);
    if (greatest_x >= NORM_INFINITY || greatest_y >= NORM_INFINITY)
        return simd_canonical_nan(NAN);
    if (greatest_x == 0 || greatest_y == 0)
        return 0.0f;
    float px = norm_power(greatest_x);
    float py = norm_power(greatest_y);
    float xy = pair_scaled_dot_scalar(d, x, px, y, py);
    float xx = pair_scaled_dot_scalar(d, x, px, x, px);
    float yy = pair_scaled_dot_scalar(d, y, py, y, py);
    /* 0 / 0 where the caller has switched denormals off, which pair and query leave as it is. */
    return simd_canonical_nan(xy / (sqrtf(xx) * sqrtf(yy)));
}

#endif

#endif
