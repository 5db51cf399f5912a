/* retrieval.c - mmk_retrieval_metrics: Recall@K, R-Precision and mAP@R of rankings.
 * SPDX-License-Identifier: MIT
 *
 * One file for every instruction set: what there is to do is to look each ranked item up in a hash
 * set, one dependent load after another, with a division at each hit. Registers of any width wait
 * for the same loads. Hits are counted as integers, and doubles are added in the order of ranks and
 * queries, so the bits are the same everywhere.
 */
#include "../call/args.h"
#include "../call/fp_state.h"
#include "../call/scratch.h"
#include "../call/size.h"
#include "../isa/isa.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* The relevant items of one query: open addressing in at least two slots an item. A slot is 0, or
 * an item with SLOT_USED, and with SLOT_FOUND once the ranking has listed it. */
struct item_set {
    uint64_t *slots;
    unsigned bits; /* 2^bits slots */
};

#define SLOT_USED  ((uint64_t)1 << 32)
#define SLOT_FOUND ((uint64_t)1 << 33)

static unsigned set_bits(size_t items)
{
    unsigned bits = 1;
    while ((size_t)1 << bits < 2 * items)
        bits++;
    return bits;
}

/* The item's slot, or the empty one where it would stand. */
static uint64_t *set_slot(const struct item_set *set, uint32_t item)
{
    size_t mask = ((size_t)1 << set->bits) - 1;
    /* Multiplied twice: after one, items at certain distances would stand side by side. */
    uint64_t hash = item * UINT64_C(0x9e3779b97f4a7c15);
    hash = (hash ^ (hash >> 32)) * UINT64_C(0xd6e8feb86659fd93);
    size_t at = (size_t)(hash >> (64 - set->bits));
    while (set->slots[at] != 0 && (uint32_t)set->slots[at] != item)
        at = (at + 1) & mask;
    return &set->slots[at];
}

struct problem {
    size_t n, depth;
    const struct mmk_csr *relevant;
    size_t recall_count; /* 0 where no recall is asked */
    const size_t *recall_at;
    size_t deepest;    /* ranks that recall_at looks at */
    bool wants_r_deep; /* R-Precision or mAP@R */
};

/* Sums over the counted queries. */
struct sums {
    size_t counted;
    size_t *hits; /* recall_count: queries with a hit among the first K */
    double r_precision, map_at_r;
};

/* The longest row of relevant; its entries are checked row by row. */
static enum mmk_status longest_row(const struct mmk_csr *relevant, size_t m, size_t *longest)
{
    *longest = 0;
    if (m == 0)
        return MMK_OK;
    enum mmk_status status;
    if ((status = args_pointer("relevant", relevant)) != MMK_OK ||
        (status = args_pointer("relevant.row_start", relevant->row_start)) != MMK_OK)
        return status;
    for (size_t i = 0; i < m; i++) {
        size_t begin = relevant->row_start[i], end = relevant->row_start[i + 1];
        if (end < begin)
            return args_error(MMK_ERR_ROW_START,
                              "relevant.row_start goes down from %zu to %zu after row %zu", begin,
                              end, i);
        if (end - begin > *longest)
            *longest = end - begin;
    }
    return args_array("relevant.column", relevant->column, *longest, sizeof *relevant->column);
}

/* Puts row i of relevant into the set, each item once; *count is how many there are. */
static enum mmk_status collect(const struct problem *p, size_t i, struct item_set *set,
                               size_t *count)
{
    const struct mmk_csr *relevant = p->relevant;
    size_t begin = relevant->row_start[i], end = relevant->row_start[i + 1];
    set->bits = set_bits(end - begin);
    memset(set->slots, 0, sizeof *set->slots << set->bits);
    *count = 0;
    for (size_t e = begin; e < end; e++) {
        uint32_t item = relevant->column[e];
        float weight = relevant->weight != NULL ? relevant->weight[e] : 1.0f;
        if (item >= p->n)
            return args_error(MMK_ERR_INDEX, "relevant.column[%zu] is %" PRIu32 ", n is %zu", e,
                              item, p->n);
        if (!(weight >= 0.0f && weight < INFINITY))
            return args_error(MMK_ERR_WEIGHT, "relevant.weight[%zu] is %g", e, (double)weight);
        uint64_t *slot = set_slot(set, item);
        if (weight > 0.0f && *slot == 0) {
            *slot = SLOT_USED | item;
            ++*count;
        }
    }
    return MMK_OK;
}

/* Adds what one ranking gives, with the R items of the set relevant. */
static void score(const struct problem *p, const uint32_t *ranking, const struct item_set *set,
                  size_t R, struct sums *sums)
{
    size_t end = p->deepest, hits = 0, hits_in_r = 0, first = SIZE_MAX;
    double precisions = 0.0;
    if (p->wants_r_deep && R > end)
        end = R;
    for (size_t r = 0; r < end; r++) {
        uint64_t *slot = set_slot(set, ranking[r]);
        if (*slot == 0 || *slot & SLOT_FOUND)
            continue;
        *slot |= SLOT_FOUND;
        hits++;
        if (first == SIZE_MAX)
            first = r;
        if (r < R) {
            hits_in_r = hits;
            precisions += (double)hits / (double)(r + 1);
        }
    }
    for (size_t k = 0; k < p->recall_count; k++)
        sums->hits[k] += first < p->recall_at[k];
    sums->r_precision += (double)hits_in_r / (double)R;
    sums->map_at_r += precisions / (double)R;
    sums->counted++;
}

static enum mmk_status add_query(const struct problem *p, size_t i, const uint32_t *ranking,
                                 struct item_set *set, struct sums *sums)
{
    size_t R;
    enum mmk_status status = collect(p, i, set, &R);
    if (status != MMK_OK)
        return status;
    for (size_t r = 0; r < p->depth; r++)
        if (ranking[r] >= p->n)
            return args_error(MMK_ERR_INDEX,
                              "rankings: item %zu of query %zu is %" PRIu32 ", n is %zu", r, i,
                              ranking[r], p->n);
    if (p->wants_r_deep && R > p->depth)
        return args_error(MMK_ERR_DEPTH,
                          "query %zu has %zu relevant items, and rankings are %zu deep", i, R,
                          p->depth);
    if (R > 0)
        score(p, ranking, set, R, sums);
    return MMK_OK;
}

/* How many ranks the K look at. No K may lie beyond the rankings, unless these are n deep at least:
 * then they hold all there is, and a greater K looks at all of them. */
static enum mmk_status check_recall_at(const struct problem *p, size_t *deepest)
{
    *deepest = 0;
    enum mmk_status status =
        args_array("recall_at", p->recall_at, p->recall_count, sizeof *p->recall_at);
    if (status != MMK_OK)
        return status;
    for (size_t k = 0; k < p->recall_count; k++) {
        size_t last = size_min(p->recall_at[k], p->depth);
        if (last < size_min(p->recall_at[k], p->n))
            return args_error(MMK_ERR_DEPTH, "recall_at[%zu] is %zu, and rankings are %zu deep", k,
                              p->recall_at[k], p->depth);
        *deepest = size_max(*deepest, last);
    }
    return MMK_OK;
}

static void lay_out(struct scratch *scratch, size_t longest, size_t recall_count,
                    struct item_set *set, struct sums *sums)
{
    set->slots = scratch_take(scratch, (size_t)1 << set_bits(longest), sizeof *set->slots);
    sums->hits = scratch_take(scratch, recall_count, sizeof *sums->hits);
}

static double mean(double sum, size_t count)
{
    return count > 0 ? sum / (double)count : (double)NAN;
}

/* The rankings: m rows that do not overlap. */
static enum mmk_status check_rankings(const struct mmk_retrieval_problem *problem, size_t *ld)
{
    size_t depth = problem->depth, items;
    *ld = problem->leading_dimension != 0 ? problem->leading_dimension : depth;
    if (problem->m == 0 || depth == 0)
        return MMK_OK;
    if (*ld < depth)
        return args_error(MMK_ERR_LEADING_DIMENSION,
                          "leading_dimension is %zu, less than the depth of rankings, %zu", *ld,
                          depth);
    if (__builtin_mul_overflow(problem->m, *ld, &items))
        return args_error(MMK_ERR_SIZE, "rankings: %zu rows of %zu items cannot be addressed",
                          problem->m, *ld);
    return args_array("rankings", problem->rankings, items, sizeof *problem->rankings);
}

static enum mmk_status run(struct problem *p, const struct mmk_retrieval_problem *problem,
                           size_t ld, size_t longest, const struct mmk_retrieval_results *results)
{
    struct item_set set = {NULL, 0};
    struct sums sums = {0, NULL, 0.0, 0.0};
    struct scratch scratch = {0};
    size_t spare;
    lay_out(&scratch, longest, p->recall_count, &set, &sums);
    enum mmk_status status = scratch_open(&scratch, NULL, &spare);
    if (status != MMK_OK)
        return status;
    lay_out(&scratch, longest, p->recall_count, &set, &sums);
    memset(sums.hits, 0, p->recall_count * sizeof *sums.hits);
    for (size_t i = 0; i < problem->m && status == MMK_OK; i++)
        status = add_query(p, i, problem->rankings + i * ld, &set, &sums);
    if (status == MMK_OK) {
        for (size_t k = 0; k < p->recall_count; k++)
            results->recall[k] = mean((double)sums.hits[k], sums.counted);
        if (results->r_precision != NULL)
            *results->r_precision = mean(sums.r_precision, sums.counted);
        if (results->map_at_r != NULL)
            *results->map_at_r = mean(sums.map_at_r, sums.counted);
        if (results->counted != NULL)
            *results->counted = sums.counted;
    }
    scratch_close(&scratch);
    return status;
}

enum mmk_status mmk_retrieval_metrics(const struct mmk_retrieval_problem *problem,
                                      const struct mmk_retrieval_results *results)
{
    FP_STATE_DEFAULT();
    const struct isa_row *isa;
    size_t ld, longest = 0;
    enum mmk_status status = isa_current(&isa); /* a bad MMK_ISA is an error everywhere */
    if (status != MMK_OK || (status = args_pointer("problem", problem)) != MMK_OK ||
        (status = ARGS_RESERVED("problem", problem)) != MMK_OK ||
        (status = args_pointer("results", results)) != MMK_OK ||
        (status = ARGS_RESERVED("results", results)) != MMK_OK)
        return status;
    struct problem p = {.n = problem->n,
                        .depth = problem->depth,
                        .relevant = problem->relevant,
                        .recall_count = results->recall != NULL ? problem->recall_count : 0,
                        .recall_at = problem->recall_at,
                        .wants_r_deep = results->r_precision != NULL || results->map_at_r != NULL};
    if (p.n > UINT32_MAX)
        return args_error(MMK_ERR_SIZE, "n is %zu, and must be below 2^32", p.n);
    if ((status = check_rankings(problem, &ld)) != MMK_OK ||
        (problem->m != 0 && (status = check_recall_at(&p, &p.deepest)) != MMK_OK) ||
        (status = longest_row(p.relevant, problem->m, &longest)) != MMK_OK)
        return status;
    return run(&p, problem, ld, longest, results);
}
