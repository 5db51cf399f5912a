/* exp_scalar.c - exp and logsumexp in portable C: the definition of their bits.
 * SPDX-License-Identifier: MIT
 *
 * What is selected is selected by masks, and sums run in whole blocks of lanes: compilers vectorise
 * neither branches nor a loop of unknown length within another.
 */
#include "exp.h"
#include "lse.h"

#include "../simd/scalar.h"

#include <stdbool.h>

/* e^x for EXP_LOWEST <= x <= EXP_HIGHEST; garbage elsewhere. */
static inline uint32_t exp_normal_scalar(float x)
{
    float t = fmaf(x, EXP_LOG2E, SIMD_ROUND_MAGIC);
    float n = t - SIMD_ROUND_MAGIC;
    float r = fmaf(-n, EXP_LN2_HI, x);
    r = fmaf(-n, EXP_LN2_LO, r);
    float p = fmaf(exp_coefficient[0], r, exp_coefficient[1]);
    p = fmaf(p, r, exp_coefficient[2]);
    p = fmaf(p, r, exp_coefficient[3]);
    p = fmaf(p, r, exp_coefficient[4]);
    p = fmaf(p, r, 1.0f);
    p = fmaf(p, r, 1.0f);
    return simd_bits(p) + (simd_bits(t) << 23);
}

static inline uint32_t exp_mask_scalar(bool condition)
{
    return 0u - condition;
}

/* e^x for x <= 0, not NaN. */
static inline float exp_nonpositive_scalar(float x)
{
    return simd_from_bits(exp_normal_scalar(x) & exp_mask_scalar(x >= EXP_LOWEST));
}

static void exp_each_scalar(size_t n, const float *x, float *y)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t e = exp_normal_scalar(x[i]) & exp_mask_scalar(!(x[i] < EXP_LOWEST));
        uint32_t finite = exp_mask_scalar(x[i] <= EXP_HIGHEST);
        /* Inf above, and NaN for NaN */
        e = (e & finite) | (simd_bits(x[i] + INFINITY) & ~finite);
        /* As integers all NaNs, of either sign, are above the canonical one, all else below. */
        y[i] = simd_from_bits(e < 0x7fc00000u ? e : 0x7fc00000u);
    }
}

static float exp_max_scalar(size_t n, const float *x)
{
    float max = -INFINITY, lane[SIMD_LANES];
    uint32_t nan = 0;
    for (size_t l = 0; l < SIMD_LANES; l++)
        lane[l] = max;
    for (; n >= SIMD_LANES; n -= SIMD_LANES, x += SIMD_LANES)
        for (size_t l = 0; l < SIMD_LANES; l++) {
            nan |= exp_mask_scalar(x[l] != x[l]);
            lane[l] = simd_max(x[l], lane[l]);
        }
    for (size_t l = 0; l < n; l++) {
        nan |= exp_mask_scalar(x[l] != x[l]);
        lane[l] = simd_max(x[l], lane[l]);
    }
    for (size_t l = 0; l < SIMD_LANES; l++)
        max = simd_max(lane[l], max);
    return nan != 0 ? NAN : max;
}

static float exp_sum_scalar(size_t n, const float *x, float max)
{
    float lane[SIMD_LANES] = {0};
    for (; n >= SIMD_LANES; n -= SIMD_LANES, x += SIMD_LANES)
        for (size_t l = 0; l < SIMD_LANES; l++)
            lane[l] += exp_nonpositive_scalar(x[l] - max);
    for (size_t l = 0; l < n; l++)
        lane[l] += exp_nonpositive_scalar(x[l] - max);
    return simd_sum64(lane);
}

static void exp_powers_scalar(size_t n, const double *restrict t, double *restrict y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = lse_exp2(t[i]);
}

static void exp_log1p_sums_scalar(size_t n, const double *restrict sum, const double *restrict t,
                                  double *restrict y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = lse_log1p(sum[i] * lse_exp2(t[i]));
}

const struct exp_ops exp_ops_scalar = {
    .each = exp_each_scalar,
    .max = exp_max_scalar,
    .sum = exp_sum_scalar,
    .powers = exp_powers_scalar,
    .log1p_sums = exp_log1p_sums_scalar,
};
