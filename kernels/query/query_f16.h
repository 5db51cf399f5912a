/* query_f16.h - of a query against rows of f16 what is rare: done with rows that are widened
 * (internal).
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_QUERY_F16_H
#define MMK_QUERY_F16_H

#include "query.h"

#include "../pair/pair.h"

/* |x|^2 */
static inline float query_f16_square(const struct pair_ops *ops, size_t d, const float *x)
{
    return ops->pair[MMK_DOT](d, x, x);
}

/* Any cosine, for d <= QUERY_WIDE_ROW. */
__attribute__((noinline)) static float query_f16_cosine(const struct pair_ops *ops, size_t d,
                                                        const float *x, const uint16_t *y)
{
    float wide[QUERY_WIDE_ROW];
    ops->widen_f16(d, y, wide);
    return ops->pair[MMK_COSINE](d, x, wide);
}

#endif
