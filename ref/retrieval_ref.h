/* retrieval_ref.h - oracle of the retrieval metrics of one query.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_RETRIEVAL_REF_H
#define MMK_RETRIEVAL_REF_H

#include "../kernels/mmk.h"

#include <stdbool.h>

/* R of row i: different items with a weight above 0. */
size_t retrieval_ref_relevant(const struct mmk_csr *relevant, size_t i);

/* Each for a ranking of `depth` items and row i of relevant, with R > 0. */
bool retrieval_ref_recall(size_t depth, const uint32_t *ranking, const struct mmk_csr *relevant,
                          size_t i, size_t K);
double retrieval_ref_r_precision(const uint32_t *ranking, const struct mmk_csr *relevant, size_t i);
double retrieval_ref_map_at_r(const uint32_t *ranking, const struct mmk_csr *relevant, size_t i);

#endif
