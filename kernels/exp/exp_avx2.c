/* exp_avx2.c - exp and logsumexp, AVX2 and FMA.
 * SPDX-License-Identifier: MIT
 *
 * each    8 elements cost 9 FMAs on the two FMA ports, 4.5 clocks, and beside them a subtraction,
 *         two integer operations for 2^n and six for 0, Inf and NaN. Measured on Zen 5: 7.2 clocks.
 * sum     the terms are at most 1 and none is NaN: of the six, two remain.
 * powers  and log1p_sums: lse.h in a loop, of which the compiler makes vectors of doubles. They
 *         stand here to be compiled for the instruction set.
 * Order   two vectors go side by side, every step for both before the next; four would be spilled.
 * Differs the 64 lanes of a sum are eight ymm, half of the registers: four passes over what is in
 *         L1, each for 16 of them.
 */
#include "exp.h"
#include "lse.h"

#include "../simd/avx2.h"

enum { SIDE = 2, STEP = 8 * SIDE };

/* v becomes e^v where that is a normal number. */
static inline __attribute__((always_inline)) void exp_normal_avx2(__m256 v[SIDE])
{
    const __m256 magic = _mm256_set1_ps(SIMD_ROUND_MAGIC);
    __m256 n[SIDE], r[SIDE];
    __m256i exponent[SIDE];
#pragma GCC unroll 2
    for (int k = 0; k < SIDE; k++) {
        n[k] = _mm256_fmadd_ps(v[k], _mm256_set1_ps(EXP_LOG2E), magic);
        exponent[k] = _mm256_slli_epi32(_mm256_castps_si256(n[k]), 23);
        n[k] = _mm256_sub_ps(n[k], magic);
    }
#pragma GCC unroll 2
    for (int k = 0; k < SIDE; k++)
        r[k] = _mm256_fnmadd_ps(n[k], _mm256_set1_ps(EXP_LN2_HI), v[k]);
#pragma GCC unroll 2
    for (int k = 0; k < SIDE; k++) {
        r[k] = _mm256_fnmadd_ps(n[k], _mm256_set1_ps(EXP_LN2_LO), r[k]);
        v[k] = _mm256_set1_ps(exp_coefficient[0]);
    }
#pragma GCC unroll 6
    for (int i = 1; i < EXP_TERMS; i++)
#pragma GCC unroll 2
        for (int k = 0; k < SIDE; k++)
            v[k] = _mm256_fmadd_ps(v[k], r[k], _mm256_set1_ps(exp_coefficient[i]));
#pragma GCC unroll 2
    for (int k = 0; k < SIDE; k++)
        v[k] = _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(v[k]), exponent[k]));
}

/* v becomes e^v; no element is above 0 or NaN. */
static inline __attribute__((always_inline)) void exp_nonpositive_avx2(__m256 v[SIDE])
{
    __m256 keep[SIDE];
#pragma GCC unroll 2
    for (int k = 0; k < SIDE; k++)
        keep[k] = _mm256_cmp_ps(v[k], _mm256_set1_ps(EXP_LOWEST), _CMP_GE_OQ);
    exp_normal_avx2(v);
#pragma GCC unroll 2
    for (int k = 0; k < SIDE; k++)
        v[k] = _mm256_and_ps(v[k], keep[k]);
}

/* v becomes e^v, for every float: 0 below, x + Inf above, which keeps a NaN. The last step makes
 * that canonical: as unsigned integers all NaNs, of either sign, are above it, and all else is
 * below. */
static inline __attribute__((always_inline)) void exp_any_avx2(__m256 v[SIDE])
{
    __m256 x[SIDE];
    x[0] = v[0];
    x[1] = v[1];
    exp_normal_avx2(v);
#pragma GCC unroll 2
    for (int k = 0; k < SIDE; k++) {
        __m256 keep = _mm256_cmp_ps(x[k], _mm256_set1_ps(EXP_LOWEST), _CMP_NLT_UQ);
        v[k] = _mm256_and_ps(v[k], keep);
    }
#pragma GCC unroll 2
    for (int k = 0; k < SIDE; k++) {
        __m256 above = _mm256_cmp_ps(x[k], _mm256_set1_ps(EXP_HIGHEST), _CMP_NLE_UQ);
        v[k] = _mm256_blendv_ps(v[k], _mm256_add_ps(x[k], _mm256_set1_ps(INFINITY)), above);
    }
#pragma GCC unroll 2
    for (int k = 0; k < SIDE; k++)
        v[k] = _mm256_castsi256_ps(
            _mm256_min_epu32(_mm256_castps_si256(v[k]), _mm256_set1_epi32(0x7fc00000)));
}

static inline __attribute__((always_inline)) void exp_load_avx2(const float *x, __m256 v[SIDE])
{
    v[0] = _mm256_loadu_ps(x);
    v[1] = _mm256_loadu_ps(x + 8);
}

/* The first n elements of vector k; -Inf beyond them. */
static inline __m256 exp_load_first_avx2(const float *x, size_t n)
{
    __m256 there = _mm256_castsi256_ps(simd_first(n));
    return _mm256_blendv_ps(_mm256_set1_ps(-INFINITY), simd_load_first(x, n), there);
}

/* At most STEP elements. */
static inline void exp_load_tail_avx2(size_t n, const float *x, __m256 v[SIDE])
{
    v[0] = exp_load_first_avx2(x, n < 8 ? n : 8);
    v[1] = n > 8 ? exp_load_first_avx2(x + 8, n < STEP ? n - 8 : 8) : _mm256_set1_ps(-INFINITY);
}

static void exp_each_avx2(size_t n, const float *x, float *y)
{
    __m256 v[SIDE];
    for (; n >= STEP; n -= STEP, x += STEP, y += STEP) {
        exp_load_avx2(x, v);
        exp_any_avx2(v);
        _mm256_storeu_ps(y, v[0]);
        _mm256_storeu_ps(y + 8, v[1]);
    }
    if (n > 0) {
        exp_load_tail_avx2(n, x, v);
        exp_any_avx2(v);
        simd_store_first(y, n < 8 ? n : 8, v[0]);
        if (n > 8)
            simd_store_first(y + 8, n - 8, v[1]);
    }
}

static float exp_max_avx2(size_t n, const float *x)
{
    __m256 v[SIDE], max[2 * SIDE], nan = _mm256_setzero_ps();
    for (int k = 0; k < 2 * SIDE; k++)
        max[k] = _mm256_set1_ps(-INFINITY);
    for (; n >= 2 * STEP; n -= 2 * STEP, x += 2 * STEP) {
#pragma GCC unroll 2
        for (int s = 0; s < 2; s++) {
            exp_load_avx2(x + STEP * s, v);
            max[SIDE * s] = simd_max8(v[0], max[SIDE * s]);
            max[SIDE * s + 1] = simd_max8(v[1], max[SIDE * s + 1]);
            nan = _mm256_or_ps(nan, _mm256_cmp_ps(v[0], v[1], _CMP_UNORD_Q));
        }
    }
    for (size_t part; n > 0; n -= part, x += part) {
        part = n < STEP ? n : STEP;
        exp_load_tail_avx2(part, x, v);
        max[0] = simd_max8(v[0], max[0]);
        max[1] = simd_max8(v[1], max[1]);
        nan = _mm256_or_ps(nan, _mm256_cmp_ps(v[0], v[1], _CMP_UNORD_Q));
    }
    if (_mm256_movemask_ps(nan) != 0)
        return NAN;
    return simd_hmax8(simd_max8(simd_max8(max[0], max[1]), simd_max8(max[2], max[3])));
}

static inline __attribute__((always_inline)) void exp_add_avx2(__m256 v[SIDE], __m256 max,
                                                               __m256 sum[SIDE])
{
    v[0] = _mm256_sub_ps(v[0], max);
    v[1] = _mm256_sub_ps(v[1], max);
    exp_nonpositive_avx2(v);
    sum[0] = _mm256_add_ps(sum[0], v[0]);
    sum[1] = _mm256_add_ps(sum[1], v[1]);
}

static float exp_sum_avx2(size_t n, const float *x, float max)
{
    const __m256 vmax = _mm256_set1_ps(max);
    __m256 v[SIDE], lane[SIMD_LANES / 8];
    for (size_t l = 0; l < SIMD_LANES; l += STEP) {
        __m256 sum[SIDE] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
        size_t i = l;
        for (; i + STEP <= n; i += SIMD_LANES) {
            exp_load_avx2(x + i, v);
            exp_add_avx2(v, vmax, sum);
        }
        if (i < n) {
            exp_load_tail_avx2(n - i, x + i, v); /* the terms of -Inf are 0 */
            exp_add_avx2(v, vmax, sum);
        }
        lane[l / 8] = sum[0];
        lane[l / 8 + 1] = sum[1];
    }
    return simd_sum64x8(lane);
}

static void exp_powers_avx2(size_t n, const double *restrict t, double *restrict y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = lse_exp2(t[i]);
}

static void exp_log1p_sums_avx2(size_t n, const double *restrict sum, const double *restrict t,
                                double *restrict y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = lse_log1p(sum[i] * lse_exp2(t[i]));
}

const struct exp_ops exp_ops_avx2 = {
    .each = exp_each_avx2,
    .max = exp_max_avx2,
    .sum = exp_sum_avx2,
    .powers = exp_powers_avx2,
    .log1p_sums = exp_log1p_sums_avx2,
};
