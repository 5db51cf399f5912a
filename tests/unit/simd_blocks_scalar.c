/* simd_blocks_scalar.c - kernels/simd/scalar.h as a table.
 * SPDX-License-Identifier: MIT
 */
#include "simd_blocks.h"

#include "../../kernels/simd/scalar.h"

static void exp2_scalar(size_t n, const float *in, float *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = simd_exp2(in[i]);
}

static void exp2_shifted_scalar(size_t n, const float *in, float c, float *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = simd_exp2_shifted(in[i], simd_shift(c));
}

static void log2_1p_scalar(size_t n, const float *q, const float *base, float *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = simd_log2_1p(q[i], q[i], base[i]);
}

static void canonical_nan_scalar(size_t n, const float *in, float *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = simd_canonical_nan(in[i]);
}

static void max_scalar(size_t n, const float *in, float *acc)
{
    for (size_t i = 0; i < n; i++)
        acc[i] = simd_max(in[i], acc[i]);
}

const struct simd_blocks simd_blocks_scalar = {
    .isa = MMK_ISA_SCALAR,
    .width = 1,
    .exp2 = exp2_scalar,
    .exp2_shifted = exp2_shifted_scalar,
    .log2_1p = log2_1p_scalar,
    .canonical_nan = canonical_nan_scalar,
    .max = max_scalar,
    .sum64 = simd_sum64,
};
