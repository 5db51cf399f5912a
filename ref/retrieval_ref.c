/* retrieval_ref.c - oracle of the retrieval metrics of one query: every item looked for everywhere.
 * SPDX-License-Identifier: MIT
 */
#include "retrieval_ref.h"

static bool has(const uint32_t *items, size_t count, uint32_t item)
{
    for (size_t e = 0; e < count; e++)
        if (items[e] == item)
            return true;
    return false;
}

static bool is_relevant(const struct mmk_csr *relevant, size_t i, uint32_t item)
{
    for (size_t e = relevant->row_start[i]; e < relevant->row_start[i + 1]; e++)
        if (relevant->column[e] == item && (!relevant->weight || relevant->weight[e] > 0))
            return true;
    return false;
}

size_t retrieval_ref_relevant(const struct mmk_csr *relevant, size_t i)
{
    size_t begin = relevant->row_start[i], R = 0;
    for (size_t e = begin; e < relevant->row_start[i + 1]; e++) {
        uint32_t item = relevant->column[e];
        R += is_relevant(relevant, i, item) && !has(relevant->column + begin, e - begin, item);
    }
    return R;
}

/* Whether rank r (from 0) is a hit: relevant, and not listed before. */
static bool is_hit(const uint32_t *ranking, const struct mmk_csr *relevant, size_t i, size_t r)
{
    return is_relevant(relevant, i, ranking[r]) && !has(ranking, r, ranking[r]);
}

/* precision@count x count */
static size_t hits(const uint32_t *ranking, const struct mmk_csr *relevant, size_t i, size_t count)
{
    size_t sum = 0;
    for (size_t r = 0; r < count; r++)
        sum += is_hit(ranking, relevant, i, r);
    return sum;
}

bool retrieval_ref_recall(size_t depth, const uint32_t *ranking, const struct mmk_csr *relevant,
                          size_t i, size_t K)
{
    return hits(ranking, relevant, i, K < depth ? K : depth) > 0;
}

double retrieval_ref_r_precision(const uint32_t *ranking, const struct mmk_csr *relevant, size_t i)
{
    size_t R = retrieval_ref_relevant(relevant, i);
    return (double)hits(ranking, relevant, i, R) / (double)R;
}

double retrieval_ref_map_at_r(const uint32_t *ranking, const struct mmk_csr *relevant, size_t i)
{
    size_t R = retrieval_ref_relevant(relevant, i);
    double sum = 0;
    for (size_t r = 0; r < R; r++)
        if (is_hit(ranking, relevant, i, r))
            sum += (double)hits(ranking, relevant, i, r + 1) / (double)(r + 1);
    return sum / (double)R;
}
