/* order.h - the total order of scores as an unsigned integer (internal).
 * SPDX-License-Identifier: MIT
 *
 * NaN -> 0, then -Inf -> 0x007fffff and up to +Inf -> 0xff800000; -0 and +0 -> 0x80000000. Positive
 * floats are already in the order of their bits, negative ones in the reverse order. Of equal
 * scores the lower index comes first: the keys that are sorted have ~index below this (pack in
 * topk.h). The vector files make the same of a whole register.
 */
#ifndef MMK_TOPK_ORDER_H
#define MMK_TOPK_ORDER_H

#include "../simd/scalar.h"

#define TOPK_ORDER_NAN  0u
#define TOPK_ORDER_ZERO 0x80000000u

static inline uint32_t topk_order(float value)
{
    uint32_t bits = simd_bits(value);
    uint32_t order = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
    order = value == 0.0f ? TOPK_ORDER_ZERO : order;
    return value == value ? order : TOPK_ORDER_NAN;
}

static inline float topk_value(uint32_t order)
{
    uint32_t bits = order & 0x80000000u ? order ^ 0x80000000u : ~order;
    return simd_from_bits(order == TOPK_ORDER_NAN ? 0x7fc00000u : bits);
}

/* The least value that comes before this one; before NaN that is -Inf, before +Inf nothing: NaN. */
static inline float topk_next_above(float value)
{
    uint32_t order = topk_order(value);
    return order == TOPK_ORDER_NAN ? -INFINITY : topk_value(order + 1u);
}

#endif
