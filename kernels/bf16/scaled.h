/* scaled.h - the cosine of rows of bf16 that must be scaled, in portable C (internal to
 * bf16_<isa>.c).
 * SPDX-License-Identifier: MIT
 *
 * Where a square sum leaves the safe range (pair/norm.h): zero rows, NaN, Inf, very small, very
 * great. Each row, as floats, is multiplied by a power of two that brings its greatest element into
 * [1, 2), and the sums are taken again as those of floats are, with denormals. The loops go over
 * the 64 lanes of a block without a branch, for whoever's vector registers.
 */
#ifndef MMK_BF16_SCALED_H
#define MMK_BF16_SCALED_H

#include "bf16.h"

#include "../pair/norm.h"

static inline float bf16_float(uint16_t v)
{
    return simd_from_bits((uint32_t)v << 16);
}

/* Greatest magnitude of a row, as bits of a float: NORM_INFINITY or more where a NaN or Inf is. */
static inline uint32_t bf16_greatest(size_t d, const uint16_t *x)
{
    uint16_t greatest = 0;
    for (size_t k = 0; k < d; k++) {
        uint16_t magnitude = x[k] & 0x7fffu;
        greatest = magnitude > greatest ? magnitude : greatest;
    }
    return (uint32_t)greatest << 16;
}

/* sum (x_k px)(y_k py) */
static inline float bf16_scaled_dot(size_t d, const uint16_t *x, float px, const uint16_t *y,
                                    float py)
{
    float lane[SIMD_LANES] = {0};
    size_t k = 0;
    for (; d - k >= SIMD_LANES; k += SIMD_LANES)
        for (size_t l = 0; l < SIMD_LANES; l++)
            lane[l] = fmaf(bf16_float(x[k + l]) * px, bf16_float(y[k + l]) * py, lane[l]);
    for (size_t l = 0; l < d - k; l++)
        lane[l] = fmaf(bf16_float(x[k + l]) * px, bf16_float(y[k + l]) * py, lane[l]);
    return simd_sum64(lane);
}

__attribute__((noinline)) static float bf16_scaled_cosine(size_t d, const uint16_t *x,
                                                          const uint16_t *y)
{
    uint32_t greatest_x = bf16_greatest(d, x), greatest_y = bf16_greatest(d, y);
    if (greatest_x >= NORM_INFINITY || greatest_y >= NORM_INFINITY)
        return simd_canonical_nan(NAN);
    if (greatest_x == 0 || greatest_y == 0)
        return 0.0f;
    float px = norm_power(greatest_x), py = norm_power(greatest_y);
    float xy = bf16_scaled_dot(d, x, px, y, py);
    float xx = bf16_scaled_dot(d, x, px, x, px), yy = bf16_scaled_dot(d, y, py, y, py);
    /* 0 / 0 where the caller has switched denormals off, which pair and query leave as it is. */
    return simd_canonical_nan(xy / (sqrtf(xx) * sqrtf(yy)));
}

#endif
