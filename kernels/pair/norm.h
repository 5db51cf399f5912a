/* norm.h - when |x|^2 may be used as it is, and the exact power of two when it may not (internal).
 * SPDX-License-Identifier: MIT
 *
 * The rule is part of the bits, so it stands here once, in plain C, for all ISAs. A square sum
 * inside [2^-60, 2^60] has lost nothing to underflow that matters, and the product of two of them
 * stays a normal float. Outside, every row is multiplied by a power of two that brings its greatest
 * element into [1, 2), which is exact, and the sums are taken again.
 */
#ifndef MMK_PAIR_NORM_H
#define MMK_PAIR_NORM_H

#include "../simd/scalar.h"

#include <stdbool.h>

#define NORM_SAFE_LOWEST ((127u - 60u) << 23) /* 2^-60 as bits */
#define NORM_SAFE_SPAN   (120u << 23)         /* to 2^60 */
#define NORM_INFINITY    0x7f800000u          /* Inf, and with more bits set NaN */
#define NORM_MAGNITUDE   0x7fffffffu          /* all but the sign */

/* For a square sum, which is +0, positive or NaN: as unsigned bits, one comparison leaves out 0,
 * what is too small or too great, Inf and NaN of either sign. */
static inline bool norm_is_safe(float xx)
{
    return simd_bits(xx) - NORM_SAFE_LOWEST <= NORM_SAFE_SPAN;
}

/* 2^-e for the bits of a greatest magnitude in [2^e, 2^(e+1)), e clamped to [-126, 126]. */
static inline float norm_power(uint32_t greatest)
{
    uint32_t exponent = 254u - (greatest >> 23);
    if (exponent > 253u)
        exponent = 253u;
    if (exponent < 1u)
        exponent = 1u;
    return simd_from_bits(exponent << 23);
}

#endif
