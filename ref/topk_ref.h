/* topk_ref.h - oracle of top-k: a full sort by the total order.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_TOPK_REF_H
#define MMK_TOPK_REF_H

#include <stddef.h>
#include <stdint.h>

/* The order of n scores: value descending, then index ascending; +0 equals -0; NaN last. Writes all
 * n indices. */
void topk_ref_order(size_t n, const float *scores, uint32_t *order);

#endif
