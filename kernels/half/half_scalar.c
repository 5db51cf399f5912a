/* half_scalar.c - 16-bit floats to float, plain C.
 * SPDX-License-Identifier: MIT
 *
 * An f16 has five bits of exponent, ten of fraction: moved to where a float has them, its value is
 * 2^-112 of what it should be, denormals too, and a product puts that right. Inf and NaN get the
 * greatest exponent.
 */
#include "half.h"

#include "../simd/scalar.h"

#include <string.h>

static float from_bits(uint32_t bits)
{
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static void widen_f16_scalar(size_t n, const uint16_t *from, float *to)
{
    for (size_t k = 0; k < n; k++) {
        uint32_t magnitude = from[k] & 0x7fffu, bits;
        float v = from_bits(magnitude << 13) * 0x1p112f;
        memcpy(&bits, &v, sizeof bits);
        bits |= magnitude >= 0x7c00u ? 0x7f800000u : 0;
        to[k] = from_bits(bits | (uint32_t)(from[k] >> 15) << 31);
    }
}

static void widen_bf16_scalar(size_t n, const uint16_t *from, float *to)
{
    for (size_t k = 0; k < n; k++)
        to[k] = from_bits((uint32_t)from[k] << 16);
}

const struct half_ops half_ops_scalar = {.f16 = widen_f16_scalar, .bf16 = widen_bf16_scalar};
