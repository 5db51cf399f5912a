/* exp_neon.c - exp and logsumexp, AArch64 NEON.
 * SPDX-License-Identifier: MIT
 *
 * each    4 elements cost 9 FMAs, and beside them a subtraction, two integer operations for 2^n
 *         and six for 0, Inf and NaN.
 * sum     the terms are at most 1 and none is NaN: of the six, two remain.
 * powers  and log1p_sums: lse.h in a loop, of which the compiler makes vectors of doubles. They
 *         stand here to be compiled for the instruction set.
 * Order   four vectors go side by side, every step for all four before the next.
 * Differs fmax keeps a NaN, so the maximum finds them by itself; the 64 lanes of a sum are 16 of
 *         the 32 registers: four passes over what is in L1, each for 16 of them.
 */
#include "exp.h"
#include "lse.h"

#include "../simd/neon.h"

enum { SIDE = 4, STEP = 4 * SIDE };

/* v becomes e^v where that is a normal number. */
static inline __attribute__((always_inline)) void exp_normal_neon(float32x4_t v[SIDE])
{
    const float32x4_t magic = vdupq_n_f32(SIMD_ROUND_MAGIC);
    float32x4_t n[SIDE], r[SIDE];
    int32x4_t exponent[SIDE];
#pragma GCC unroll 4
    for (int k = 0; k < SIDE; k++) {
        n[k] = vfmaq_f32(magic, v[k], vdupq_n_f32(EXP_LOG2E));
        exponent[k] = vshlq_n_s32(vreinterpretq_s32_f32(n[k]), 23);
        n[k] = vsubq_f32(n[k], magic);
    }
#pragma GCC unroll 4
    for (int k = 0; k < SIDE; k++)
        r[k] = vfmsq_f32(v[k], n[k], vdupq_n_f32(EXP_LN2_HI));
#pragma GCC unroll 4
    for (int k = 0; k < SIDE; k++) {
        r[k] = vfmsq_f32(r[k], n[k], vdupq_n_f32(EXP_LN2_LO));
        v[k] = vdupq_n_f32(exp_coefficient[0]);
    }
#pragma GCC unroll 6
    for (int i = 1; i < EXP_TERMS; i++)
#pragma GCC unroll 4
        for (int k = 0; k < SIDE; k++)
            v[k] = vfmaq_f32(vdupq_n_f32(exp_coefficient[i]), v[k], r[k]);
#pragma GCC unroll 4
    for (int k = 0; k < SIDE; k++)
        v[k] = vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(v[k]), exponent[k]));
}

/* v becomes e^v; no element is above 0 or NaN. */
static inline __attribute__((always_inline)) void exp_nonpositive_neon(float32x4_t v[SIDE])
{
    uint32x4_t keep[SIDE];
#pragma GCC unroll 4
    for (int k = 0; k < SIDE; k++)
        keep[k] = vcgeq_f32(v[k], vdupq_n_f32(EXP_LOWEST));
    exp_normal_neon(v);
#pragma GCC unroll 4
    for (int k = 0; k < SIDE; k++)
        v[k] = vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(v[k]), keep[k]));
}

/* v becomes e^v, for every float: 0 below, x + Inf above, which keeps a NaN. The last step makes
 * that canonical: as unsigned integers all NaNs, of either sign, are above it, and all else is
 * below. */
static inline __attribute__((always_inline)) void exp_any_neon(float32x4_t v[SIDE])
{
    float32x4_t x[SIDE];
#pragma GCC unroll 4
    for (int k = 0; k < SIDE; k++)
        x[k] = v[k];
    exp_normal_neon(v);
#pragma GCC unroll 4
    for (int k = 0; k < SIDE; k++) {
        uint32x4_t under = vcltq_f32(x[k], vdupq_n_f32(EXP_LOWEST));
        v[k] = vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(v[k]), under));
    }
#pragma GCC unroll 4
    for (int k = 0; k < SIDE; k++) {
        uint32x4_t finite = vcleq_f32(x[k], vdupq_n_f32(EXP_HIGHEST));
        v[k] = vbslq_f32(finite, v[k], vaddq_f32(x[k], vdupq_n_f32(INFINITY)));
    }
#pragma GCC unroll 4
    for (int k = 0; k < SIDE; k++)
        v[k] =
            vreinterpretq_f32_u32(vminq_u32(vreinterpretq_u32_f32(v[k]), vdupq_n_u32(0x7fc00000u)));
}

static inline __attribute__((always_inline)) void exp_load_neon(const float *x, float32x4_t v[SIDE])
{
#pragma GCC unroll 4
    for (int k = 0; k < SIDE; k++)
        v[k] = vld1q_f32(x + 4 * k);
}

/* At most STEP elements; -Inf beyond them. */
static inline void exp_load_tail_neon(size_t n, const float *x, float32x4_t v[SIDE])
{
    float tail[STEP];
    for (size_t i = 0; i < STEP; i++)
        tail[i] = -INFINITY;
    memcpy(tail, x, n * sizeof *x);
    exp_load_neon(tail, v);
}

static void exp_each_neon(size_t n, const float *x, float *y)
{
    float32x4_t v[SIDE];
    for (; n >= STEP; n -= STEP, x += STEP, y += STEP) {
        exp_load_neon(x, v);
        exp_any_neon(v);
#pragma GCC unroll 4
        for (int k = 0; k < SIDE; k++)
            vst1q_f32(y + 4 * k, v[k]);
    }
    if (n > 0) {
        exp_load_tail_neon(n, x, v);
        exp_any_neon(v);
        for (size_t k = 0; 4 * k < n; k++)
            simd_store_first(y + 4 * k, n - 4 * k, v[k]);
    }
}

static float exp_max_neon(size_t n, const float *x)
{
    float32x4_t v[SIDE], max[SIDE];
    for (int k = 0; k < SIDE; k++)
        max[k] = vdupq_n_f32(-INFINITY);
    for (size_t part; n > 0; n -= part, x += part) {
        part = n < STEP ? n : STEP;
        if (part == STEP)
            exp_load_neon(x, v);
        else
            exp_load_tail_neon(n, x, v);
#pragma GCC unroll 4
        for (int k = 0; k < SIDE; k++)
            max[k] = vmaxq_f32(v[k], max[k]);
    }
    return vmaxvq_f32(vmaxq_f32(vmaxq_f32(max[0], max[1]), vmaxq_f32(max[2], max[3])));
}

static inline __attribute__((always_inline)) void exp_add_neon(float32x4_t v[SIDE], float32x4_t max,
                                                               float32x4_t sum[SIDE])
{
#pragma GCC unroll 4
    for (int k = 0; k < SIDE; k++)
        v[k] = vsubq_f32(v[k], max);
    exp_nonpositive_neon(v);
#pragma GCC unroll 4
    for (int k = 0; k < SIDE; k++)
        sum[k] = vaddq_f32(sum[k], v[k]);
}

static float exp_sum_neon(size_t n, const float *x, float max)
{
    const float32x4_t vmax = vdupq_n_f32(max);
    float32x4_t v[SIDE], lane[SIMD_LANES / 4];
    for (size_t l = 0; l < SIMD_LANES; l += STEP) {
        float32x4_t sum[SIDE];
        for (int k = 0; k < SIDE; k++)
            sum[k] = vdupq_n_f32(0.0f);
        size_t i = l;
        for (; i + STEP <= n; i += SIMD_LANES) {
            exp_load_neon(x + i, v);
            exp_add_neon(v, vmax, sum);
        }
        if (i < n) {
            exp_load_tail_neon(n - i, x + i, v); /* the terms of -Inf are 0 */
            exp_add_neon(v, vmax, sum);
        }
        for (size_t k = 0; k < SIDE; k++)
            lane[l / 4 + k] = sum[k];
    }
    return simd_sum64x4(lane);
}

static void exp_powers_neon(size_t n, const double *restrict t, double *restrict y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = lse_exp2(t[i]);
}

static void exp_log1p_sums_neon(size_t n, const double *restrict sum, const double *restrict t,
                                double *restrict y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = lse_log1p(sum[i] * lse_exp2(t[i]));
}

const struct exp_ops exp_ops_neon = {
    .each = exp_each_neon,
    .max = exp_max_neon,
    .sum = exp_sum_neon,
    .powers = exp_powers_neon,
    .log1p_sums = exp_log1p_sums_neon,
};
