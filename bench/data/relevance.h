/* relevance.h - what is relevant to each query, and how well rankings find it.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_RELEVANCE_H
#define MMK_BENCH_RELEVANCE_H

#include "../../kernels/mmk.h"
#include "lists.h"

#include <stdbool.h>

/* Lists of items, each listed once. */
struct relevance {
    size_t queries;
    struct lists lists; /* one a query; or one a label, shared by its queries: */
    uint32_t *list_of;  /* the list of query i; NULL: list i */
    bool *missed;       /* query i finds nothing, whatever its ranking says; NULL: none is so */
};

/* Takes the lists over. */
void relevance_of_lists(struct relevance *relevance, struct lists *lists);

/* An item is relevant to the queries of its label. False: no memory. */
bool relevance_of_labels(struct relevance *relevance, size_t queries, const int64_t *query_labels,
                         size_t items, const int64_t *item_labels);
void relevance_free(struct relevance *relevance);

/* How many items are relevant to a query. */
size_t relevance_count(const struct relevance *relevance, size_t query);

/* The query with most of them. */
size_t relevance_largest(const struct relevance *relevance);

enum { MOST_K = 10 };

/* Which metrics: Recall at each k, and with `deep` R-Precision and mAP@R. */
struct metrics_wanted {
    size_t k[MOST_K], k_count;
    bool deep;
};

/* Sums over the counted queries: divided by their number, the metrics. */
struct metrics {
    size_t counted, left_out;
    double recall[MOST_K], r_precision, map_at_r;
};

/* Measures rankings, a row of `depth` of n items for each query. by_class, where it is not NULL,
 * has a place for each value of class_of. Sums are made in the order of queries, whatever the
 * number of threads. */
enum mmk_status relevance_measure(const struct relevance *relevance, size_t n, size_t depth,
                                  const uint32_t *rankings, const struct metrics_wanted *wanted,
                                  int threads, struct metrics *all, const unsigned char *class_of,
                                  struct metrics *by_class);

#endif
