/* half_scalar.c - 16-bit floats to float, plain C.
 * SPDX-License-Identifier: MIT
 */
#include "half.h"

#include "../simd/scalar.h"

static void widen_f16_scalar(size_t n, const uint16_t *from, float *to)
{
    for (size_t k = 0; k < n; k++)
        to[k] = simd_from_f16(from[k]);
}

static void widen_bf16_scalar(size_t n, const uint16_t *from, float *to)
{
    for (size_t k = 0; k < n; k++)
        to[k] = simd_from_bf16(from[k]);
}

const struct half_ops half_ops_scalar = {.f16 = widen_f16_scalar, .bf16 = widen_bf16_scalar};
