/* relevance.c - what is relevant to each query, and how well rankings find it.
 * SPDX-License-Identifier: MIT
 */
#include "relevance.h"

#include <stdlib.h>
#include <string.h>

/* ---- What is relevant ------------------------------------------------------------------------ */

static int compare_items(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

void relevance_of_lists(struct relevance *relevance, struct lists *lists)
{
    size_t kept = 0, begin = 0;
    for (size_t i = 0; i < lists->lines; i++) {
        size_t end = lists->row_start[i + 1], first = kept;
        qsort(lists->items + begin, end - begin, sizeof *lists->items, compare_items);
        for (size_t e = begin; e < end; e++)
            if (kept == first || lists->items[kept - 1] != lists->items[e])
                lists->items[kept++] = lists->items[e];
        lists->row_start[i + 1] = kept;
        begin = end;
    }
    *relevance = (struct relevance){.queries = lists->lines, .lists = *lists};
    memset(lists, 0, sizeof *lists);
}

static int compare_labels(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

/* The different labels, ascending: to be freed. */
static int64_t *distinct(const int64_t *labels, size_t count, size_t *distinct_count)
{
    int64_t *sorted = malloc(count * sizeof *sorted);
    if (!sorted)
        return NULL;
    memcpy(sorted, labels, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_labels);
    *distinct_count = 0;
    for (size_t i = 0; i < count; i++)
        if (i == 0 || sorted[i] != sorted[*distinct_count - 1])
            sorted[(*distinct_count)++] = sorted[i];
    return sorted;
}

/* The place of a label among `count`; count where it is none of them. */
static uint32_t place_of(int64_t label, const int64_t *labels, size_t count)
{
    const int64_t *found = bsearch(&label, labels, count, sizeof *labels, compare_labels);
    return (uint32_t)(found ? (size_t)(found - labels) : count);
}

/* Turning round "item i has label number l" gives the items of each label, and behind them the
 * empty list of a label that no item has. */
static bool lists_of_labels(struct lists *lists, size_t items, const int64_t *item_labels,
                            const int64_t *labels, size_t label_count)
{
    size_t *row_start = malloc((items + 1) * sizeof *row_start);
    uint32_t *label_of = malloc(items * sizeof *label_of);
    bool good = row_start && label_of;
    for (size_t i = 0; good && i <= items; i++)
        row_start[i] = i;
    for (size_t i = 0; good && i < items; i++)
        label_of[i] = place_of(item_labels[i], labels, label_count);
    struct lists of_items = {.lines = items, .row_start = row_start, .items = label_of};
    good = good && lists_transpose(&of_items, label_count + 1, lists);
    free(row_start);
    free(label_of);
    return good;
}

bool relevance_of_labels(struct relevance *relevance, size_t queries, const int64_t *query_labels,
                         size_t items, const int64_t *item_labels)
{
    size_t label_count;
    *relevance = (struct relevance){.queries = queries};
    int64_t *labels = distinct(item_labels, items, &label_count);
    relevance->list_of = malloc(queries * sizeof *relevance->list_of);
    bool good = labels && relevance->list_of &&
                lists_of_labels(&relevance->lists, items, item_labels, labels, label_count);
    for (size_t i = 0; good && i < queries; i++)
        relevance->list_of[i] = place_of(query_labels[i], labels, label_count);
    free(labels);
    if (!good)
        relevance_free(relevance);
    return good;
}

void relevance_free(struct relevance *relevance)
{
    lists_free(&relevance->lists);
    free(relevance->list_of);
    free(relevance->missed);
    memset(relevance, 0, sizeof *relevance);
}

static size_t list_of(const struct relevance *relevance, size_t query)
{
    return relevance->list_of ? relevance->list_of[query] : query;
}

size_t relevance_count(const struct relevance *relevance, size_t query)
{
    const size_t *row_start = relevance->lists.row_start + list_of(relevance, query);
    return row_start[1] - row_start[0];
}

size_t relevance_largest(const struct relevance *relevance)
{
    size_t largest = 0;
    for (size_t i = 1; i < relevance->queries; i++)
        if (relevance_count(relevance, i) > relevance_count(relevance, largest))
            largest = i;
    return largest;
}

/* ---- How well it is found -------------------------------------------------------------------- */

/* Queries that are measured before their values are added up, by one thread and in their order. */
enum { BLOCK = 1024 };

static enum mmk_status measure_one(const struct relevance *relevance, size_t query, size_t n,
                                   size_t depth, const uint32_t *ranking,
                                   const struct metrics_wanted *wanted, struct metrics *one)
{
    /* A query is a matrix of one row, so that those of a label share a list. */
    const struct lists *lists = &relevance->lists;
    const struct mmk_retrieval_problem problem = {
        .m = 1,
        .n = n,
        .depth = depth,
        .rankings = ranking,
        .relevant = &(struct mmk_csr){.row_start = lists->row_start + list_of(relevance, query),
                                      .column = lists->items},
        .recall_count = wanted->k_count,
        .recall_at = wanted->k};
    const struct mmk_retrieval_results results = {.recall = one->recall,
                                                  .r_precision =
                                                      wanted->deep ? &one->r_precision : NULL,
                                                  .map_at_r = wanted->deep ? &one->map_at_r : NULL,
                                                  .counted = &one->counted};
    memset(one, 0, sizeof *one);
    if (relevance->missed && relevance->missed[query]) {
        one->counted = relevance_count(relevance, query) > 0;
        one->left_out = 1 - one->counted;
        return MMK_OK;
    }
    enum mmk_status status = mmk_retrieval_metrics(&problem, &results);
    one->left_out = 1 - one->counted;
    return status;
}

static void add(struct metrics *sum, const struct metrics *one)
{
    sum->left_out += one->left_out;
    if (one->counted == 0)
        return;
    sum->counted++;
    for (size_t k = 0; k < MOST_K; k++)
        sum->recall[k] += one->recall[k];
    sum->r_precision += one->r_precision;
    sum->map_at_r += one->map_at_r;
}

enum mmk_status relevance_measure(const struct relevance *relevance, size_t n, size_t depth,
                                  const uint32_t *rankings, const struct metrics_wanted *wanted,
                                  int threads, struct metrics *all, const unsigned char *class_of,
                                  struct metrics *by_class)
{
    struct metrics block[BLOCK];
    bool good = true;
    memset(all, 0, sizeof *all);
    for (size_t begin = 0; begin < relevance->queries; begin += BLOCK) {
        size_t left = relevance->queries - begin, count = left < BLOCK ? left : BLOCK;
#pragma omp parallel for num_threads(threads) schedule(dynamic, 16) reduction(&& : good)
        for (size_t i = 0; i < count; i++)
            good = measure_one(relevance, begin + i, n, depth, rankings + (begin + i) * depth,
                               wanted, &block[i]) == MMK_OK &&
                   good;
        for (size_t i = 0; i < count; i++) {
            /* Again, by the caller's thread: the detail of an error is that thread's. */
            enum mmk_status status =
                good ? MMK_OK
                     : measure_one(relevance, begin + i, n, depth, rankings + (begin + i) * depth,
                                   wanted, &block[i]);
            if (status != MMK_OK)
                return status;
            add(all, &block[i]);
            if (by_class)
                add(&by_class[class_of[begin + i]], &block[i]);
        }
    }
    return MMK_OK;
}
