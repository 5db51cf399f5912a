/* topk_ref.c - oracle of top-k: a full sort by the total order.
 * SPDX-License-Identifier: MIT
 */
#include "topk_ref.h"

#include <math.h>
#include <stdlib.h>

struct entry {
    float score;
    uint32_t index;
};

static int compare(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    if (!isnan(a->score) && !isnan(b->score) && a->score != b->score)
        return a->score > b->score ? -1 : 1;
    if (isnan(a->score) != isnan(b->score))
        return isnan(b->score) ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

void topk_ref_order(size_t n, const float *scores, uint32_t *order)
{
    struct entry *entries = malloc((n ? n : 1) * sizeof *entries);
    if (!entries)
        abort();
    for (size_t j = 0; j < n; j++)
        entries[j] = (struct entry){scores[j], (uint32_t)j};
    qsort(entries, n, sizeof *entries, compare);
    for (size_t j = 0; j < n; j++)
        order[j] = entries[j].index;
    free(entries);
}
