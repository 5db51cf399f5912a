/* query_half.h - of a query against rows of 16-bit floats what is rare: done with rows that are
 * widened (internal).
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_QUERY_HALF_H
#define MMK_QUERY_HALF_H

#include "query.h"

#include "../half/half.h"
#include "../pair/pair.h"

/* |x|^2 */
static inline float query_half_square(const struct pair_ops *ops, size_t d, const float *x)
{
    return ops->pair[MMK_DOT](d, x, x);
}

/* Any cosine, for d <= QUERY_WIDE_ROW. */
__attribute__((noinline)) static float query_half_cosine(const struct pair_ops *ops,
                                                         half_widen *widen, size_t d,
                                                         const float *x, const uint16_t *y)
{
    float wide[QUERY_WIDE_ROW];
    widen(d, y, wide);
    return ops->pair[MMK_COSINE](d, x, wide);
}

#endif
