/* fuzz_lists.c - files of lists in every format: what is relevant, and rankings; and metrics from
 * them.
 * SPDX-License-Identifier: MIT
 */
#include "../../bench/data/lists.h"
#include "../../bench/data/relevance.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_ITEMS = 1000 };

/* Metrics of the lists when every query is answered with items 0, 1, 2 ... */
static void measure(struct lists *lists, size_t items)
{
    struct relevance relevance;
    struct metrics_wanted wanted = {.k = {1, 2, items}, .k_count = items > 2 ? 3 : 1, .deep = true};
    struct metrics metrics;
    relevance_of_lists(&relevance, lists);
    size_t queries = relevance.queries;
    uint32_t *rankings = malloc((queries * items + 1) * sizeof *rankings);
    for (size_t i = 0; i < queries * items; i++)
        rankings[i] = (uint32_t)(i % items);
    if (relevance_measure(&relevance, items, items, rankings, &wanted, 1, &metrics, NULL, NULL) !=
        MMK_OK)
        fuzz_fail("lists that were read cannot be measured: %s", mmk_error_detail());
    if (metrics.counted + metrics.left_out != queries)
        fuzz_fail("%zu queries, %zu counted, %zu left out", queries, metrics.counted,
                  metrics.left_out);
    if (!(metrics.map_at_r >= 0 && metrics.map_at_r <= (double)metrics.counted))
        fuzz_fail("mAP@R is %g", metrics.map_at_r);
    free(rankings);
    relevance_free(&relevance);
}

static void read_as(const char *path, const char *ending)
{
    struct lists lists, turned;
    char error[512] = "";
    if (!lists_read_as(path, ending, &lists, error, sizeof error)) {
        if (error[0] == '\0')
            fuzz_fail("%s: refused without a word", ending);
        return;
    }
    size_t bound = lists_bound(&lists), entries = lists.row_start[lists.lines];
    for (size_t e = 0; e < entries; e++)
        if (lists.items[e] >= bound)
            fuzz_fail("item %u, bound %zu", lists.items[e], bound);
    if (bound > MOST_ITEMS || lists.lines > MOST_ITEMS) {
        lists_free(&lists);
        return;
    }
    if (!lists_transpose(&lists, bound, &turned))
        fuzz_fail("%zu lines cannot be turned round", lists.lines);
    if (turned.lines != bound || turned.row_start[bound] > entries)
        fuzz_fail("turned round it has %zu lines, %zu entries", turned.lines,
                  turned.row_start[turned.lines]);
    lists_free(&turned);
    if (bound > 0)
        measure(&lists, bound);
    else
        lists_free(&lists);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = fuzz_file(data, size);
    for (size_t f = 0; lists_ending(f) != NULL; f++)
        read_as(path, lists_ending(f));
    return 0;
}
