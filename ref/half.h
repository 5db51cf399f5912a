/* half.h - the 16-bit floats: IEEE binary16 (f16) and bfloat16 (bf16), by their bits.
 * SPDX-License-Identifier: MIT
 *
 * To float every value goes exactly, NaN with its payload, signalling ones too. From float it is
 * rounding to nearest, ties to even; NaN stays NaN, quiet or not, as much of its payload as fits.
 */
#ifndef MMK_REF_HALF_H
#define MMK_REF_HALF_H

#include <math.h>
#include <stdint.h>
#include <string.h>

static inline float half_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t half_bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float half_from_f16(uint16_t half)
{
    uint32_t sign = (half & 0x8000u) << 16, exponent = half >> 10 & 31u, digits = half & 0x3ffu;
    if (exponent == 31)
        return half_of_bits(sign | 0x7f800000u | digits << 13);
    if (exponent == 0)
        return half_of_bits(sign | half_bits_of((float)digits * 0x1p-24f));
    return half_of_bits(sign | (exponent + 112) << 23 | digits << 13);
}

static inline uint16_t half_to_f16(float value)
{
    uint32_t bits = half_bits_of(value), sign = bits >> 16 & 0x8000u;
    bits &= 0x7fffffffu;
    if (bits > 0x7f800000u) {
        uint32_t payload = bits >> 13 & 0x3ffu;
        return (uint16_t)(sign | 0x7c00u | (payload != 0 ? payload : 1));
    }
    if (bits >= 0x477ff000u) /* halfway from the greatest to the next, and above */
        return (uint16_t)(sign | 0x7c00u);
    if (bits < 0x38800000u) /* below 2^-14 all are multiples of 2^-24; one may round up to it */
        return (uint16_t)(sign | (uint32_t)nearbyintf(half_of_bits(bits) * 0x1p24f));
    bits += 0xfffu + (bits >> 13 & 1u);
    return (uint16_t)(sign | ((bits >> 13) - (112u << 10)));
}

static inline float half_from_bf16(uint16_t half)
{
    return half_of_bits((uint32_t)half << 16);
}

static inline uint16_t half_to_bf16(float value)
{
    uint32_t bits = half_bits_of(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)(bits >> 16 | ((bits & 0x7f0000u) == 0));
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

#endif
