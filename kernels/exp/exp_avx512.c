/* exp_avx512.c - exp and logsumexp, AVX-512.
 * SPDX-License-Identifier: MIT
 *
 * each    16 elements cost 9 FMAs on the two FMA ports, 4.5 clocks, and beside them a subtraction,
 *         a compare, two minima and vscalefps. Measured on Zen 5: 5.6 clocks from L1.
 * sum     one subtraction and one addition in place of the two minima and the store; the pass that
 *         finds the maximum before is bound by the loads.
 * powers  and log1p_sums: lse.h in a loop, of which the compiler makes vectors of doubles. They
 *         stand here to be compiled for the instruction set.
 * Order   four vectors go side by side, every step for all four before the next: the compiler keeps
 *         that order, and the four chains hide the latency of the FMAs. One vector after the other,
 *         unrolled or not, takes 6.4 clocks.
 * Differs vscalefps gives 0, Inf and NaN by itself where the others add to the exponent and select;
 *         tails are masked.
 */
#include "exp.h"
#include "lse.h"

#include "../simd/avx512.h"

enum { SIDE = 4, BLOCK = 16 * SIDE };

/* x = n ln(2) + r: v is x, and becomes e^r. */
static inline __attribute__((always_inline)) void exp_reduce_avx512(__m512 v[SIDE], __m512 n[SIDE])
{
    const __m512 magic = _mm512_set1_ps(SIMD_ROUND_MAGIC);
    __m512 r[SIDE];
#pragma GCC unroll 4
    for (int k = 0; k < SIDE; k++)
        n[k] = _mm512_fmadd_ps(v[k], _mm512_set1_ps(EXP_LOG2E), magic);
#pragma GCC unroll 4
    for (int k = 0; k < SIDE; k++)
        n[k] = _mm512_sub_ps(n[k], magic);
#pragma GCC unroll 4
    for (int k = 0; k < SIDE; k++)
        r[k] = _mm512_fnmadd_ps(n[k], _mm512_set1_ps(EXP_LN2_HI), v[k]);
#pragma GCC unroll 4
    for (int k = 0; k < SIDE; k++) {
        r[k] = _mm512_fnmadd_ps(n[k], _mm512_set1_ps(EXP_LN2_LO), r[k]);
        v[k] = _mm512_set1_ps(exp_coefficient[0]);
    }
#pragma GCC unroll 6
    for (int i = 1; i < EXP_TERMS; i++)
#pragma GCC unroll 4
        for (int k = 0; k < SIDE; k++)
            v[k] = _mm512_fmadd_ps(v[k], r[k], _mm512_set1_ps(exp_coefficient[i]));
}

/* v becomes e^v; no element is above 0 or NaN. */
static inline __attribute__((always_inline)) void exp_nonpositive_avx512(__m512 v[SIDE])
{
    __m512 n[SIDE];
    __mmask16 keep[SIDE];
#pragma GCC unroll 4
    for (int k = 0; k < SIDE; k++)
        keep[k] = _mm512_cmp_ps_mask(v[k], _mm512_set1_ps(EXP_LOWEST), _CMP_GE_OQ);
    exp_reduce_avx512(v, n);
#pragma GCC unroll 4
    for (int k = 0; k < SIDE; k++)
        v[k] = _mm512_maskz_scalef_ps(keep[k], v[k], n[k]);
}

/* v becomes e^v, for every float. The last step is for NaN: as unsigned integers all NaNs, of
 * either sign, are above the canonical one, and all else is below. */
static inline __attribute__((always_inline)) void exp_any_avx512(__m512 v[SIDE])
{
    const __m512 above = _mm512_set1_ps(EXP_HIGHEST + 1.0f); /* already Inf, and r still small */
    __m512 n[SIDE];
    __mmask16 keep[SIDE];
#pragma GCC unroll 4
    for (int k = 0; k < SIDE; k++) {
        keep[k] = _mm512_cmp_ps_mask(v[k], _mm512_set1_ps(EXP_LOWEST), _CMP_NLT_UQ);
        v[k] = _mm512_min_ps(above, v[k]); /* second operand where NaN */
    }
    exp_reduce_avx512(v, n);
#pragma GCC unroll 4
    for (int k = 0; k < SIDE; k++)
        v[k] = _mm512_maskz_scalef_ps(keep[k], v[k], n[k]);
#pragma GCC unroll 4
    for (int k = 0; k < SIDE; k++)
        v[k] = _mm512_castsi512_ps(
            _mm512_min_epu32(_mm512_castps_si512(v[k]), _mm512_set1_epi32(0x7fc00000)));
}

static inline __attribute__((always_inline)) void exp_load_avx512(const float *x, __m512 v[SIDE])
{
#pragma GCC unroll 4
    for (int k = 0; k < SIDE; k++)
        v[k] = _mm512_loadu_ps(x + 16 * k);
}

/* How many of n elements are in vector k. */
static inline size_t exp_part_avx512(size_t n, size_t k)
{
    return n <= 16 * k ? 0 : n - 16 * k < 16 ? n - 16 * k : 16;
}

/* The last n < BLOCK elements; -Inf where there is none. */
static inline __attribute__((always_inline)) void exp_load_tail_avx512(size_t n, const float *x,
                                                                       __m512 v[SIDE])
{
#pragma GCC unroll 4
    for (size_t k = 0; k < SIDE; k++)
        v[k] = _mm512_mask_loadu_ps(_mm512_set1_ps(-INFINITY), simd_first(exp_part_avx512(n, k)),
                                    x + 16 * k);
}

static void exp_each_avx512(size_t n, const float *x, float *y)
{
    __m512 v[SIDE];
    for (; n >= BLOCK; n -= BLOCK, x += BLOCK, y += BLOCK) {
        exp_load_avx512(x, v);
        exp_any_avx512(v);
#pragma GCC unroll 4
        for (int k = 0; k < SIDE; k++)
            _mm512_storeu_ps(y + 16 * k, v[k]);
    }
    if (n > 0) {
        exp_load_tail_avx512(n, x, v);
        exp_any_avx512(v);
#pragma GCC unroll 4
        for (size_t k = 0; k < SIDE; k++)
            simd_store_first(y + 16 * k, exp_part_avx512(n, k), v[k]);
    }
}

static inline __attribute__((always_inline)) __mmask16 exp_max_block_avx512(const __m512 v[SIDE],
                                                                            __m512 max[SIDE])
{
#pragma GCC unroll 4
    for (int k = 0; k < SIDE; k++)
        max[k] = simd_max16(v[k], max[k]);
    return _mm512_cmp_ps_mask(v[0], v[1], _CMP_UNORD_Q) |
           _mm512_cmp_ps_mask(v[2], v[3], _CMP_UNORD_Q);
}

static float exp_max_avx512(size_t n, const float *x)
{
    __m512 v[SIDE], max[SIDE];
    __mmask16 nan = 0;
    for (int k = 0; k < SIDE; k++)
        max[k] = _mm512_set1_ps(-INFINITY);
    for (; n >= BLOCK; n -= BLOCK, x += BLOCK) {
        exp_load_avx512(x, v);
        nan |= exp_max_block_avx512(v, max);
    }
    if (n > 0) {
        exp_load_tail_avx512(n, x, v);
        nan |= exp_max_block_avx512(v, max);
    }
    if (nan != 0)
        return NAN;
    return simd_hmax16(simd_max16(simd_max16(max[0], max[1]), simd_max16(max[2], max[3])));
}

static inline __attribute__((always_inline)) void exp_sum_block_avx512(__m512 v[SIDE], __m512 max,
                                                                       __m512 lane[SIDE])
{
#pragma GCC unroll 4
    for (int k = 0; k < SIDE; k++)
        v[k] = _mm512_sub_ps(v[k], max);
    exp_nonpositive_avx512(v);
#pragma GCC unroll 4
    for (int k = 0; k < SIDE; k++)
        lane[k] = _mm512_add_ps(lane[k], v[k]);
}

static float exp_sum_avx512(size_t n, const float *x, float max)
{
    const __m512 vmax = _mm512_set1_ps(max);
    __m512 v[SIDE], lane[SIDE];
    for (int k = 0; k < SIDE; k++)
        lane[k] = _mm512_setzero_ps();
    for (; n >= BLOCK; n -= BLOCK, x += BLOCK) {
        exp_load_avx512(x, v);
        exp_sum_block_avx512(v, vmax, lane);
    }
    if (n > 0) {
        exp_load_tail_avx512(n, x, v); /* the terms of -Inf are 0 */
        exp_sum_block_avx512(v, vmax, lane);
    }
    return simd_sum64x16(lane[0], lane[1], lane[2], lane[3]);
}

static void exp_powers_avx512(size_t n, const double *restrict t, double *restrict y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = lse_exp2(t[i]);
}

static void exp_log1p_sums_avx512(size_t n, const double *restrict sum, const double *restrict t,
                                  double *restrict y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = lse_log1p(sum[i] * lse_exp2(t[i]));
}

const struct exp_ops exp_ops_avx512 = {
    .each = exp_each_avx512,
    .max = exp_max_avx512,
    .sum = exp_sum_avx512,
    .powers = exp_powers_avx512,
    .log1p_sums = exp_log1p_sums_avx512,
};
