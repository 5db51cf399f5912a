/* coverage.c - of many runs of the same cases: how many of their intervals hold.
 * SPDX-License-Identifier: MIT
 */
#include "coverage.h"

#include "../base/console.h"
#include "../base/memory.h"
#include "analysis.h"

#include <math.h>
#include <stdlib.h>

enum { LEAST_OF_RUNS = 4 };
#define LEAST_PART 0.8 /* of the runs, to have an interval in a row */

const char *coverage_figure_name(enum figure figure)
{
    static const char *const names[FIGURES] = {"time", "% of peak", "speed-up",
                                               "time at any clock"};
    return names[figure];
}

bool coverage_get(const struct run *run, int order, const char *variant, enum figure figure,
                  struct estimate *e)
{
    const struct result *result = run_find_result(run, order);
    const struct column *column = result ? result_find_column(result, variant) : NULL;
    struct row row;
    if (!column)
        return false;
    analyse(result, column, &row);
    *e = figure == FIGURE_TIME      ? row.seconds
         : figure == FIGURE_SHARE   ? row.share
         : figure == FIGURE_SPEEDUP ? row.speedup
                                    : analyse_series(result, column->seconds, NULL);
    return row.timed && e->n > 0 && (figure != FIGURE_SHARE || row.bounded) && isfinite(e->high);
}

void coverage_count(const struct coverage_runs *series, int order, const char *variant,
                    enum figure figure, struct coverage *held)
{
    double *medians = memory_new(series->count, sizeof *medians);
    struct estimate *all = memory_new(series->count, sizeof *all);
    size_t count = 0;
    for (size_t r = 0; r < series->count; r++)
        if (coverage_get(&series->runs[r], order, variant, figure, &all[count]))
            count++;
    if (count < LEAST_OF_RUNS || (double)count < LEAST_PART * (double)series->count) {
        held->unknown += count > 0; /* of few runs each holds the median of all */
        count = 0;
    }
    for (size_t i = 0; i < count; i++)
        medians[i] = all[i].median;
    double centre = stats_estimate(medians, count).median;
    for (size_t i = 0; i < count; i++) {
        held->held += all[i].low <= centre && centre <= all[i].high;
        held->width += stats_spread(&all[i]);
    }
    held->intervals += count;
    held->rows += count > 0;
    free(all);
    free(medians);
}

struct estimate coverage_joined_speedup(const struct coverage_runs *series, size_t first,
                                        size_t end, int order, const char *variant)
{
    struct run joined;
    struct estimate e = {.n = 0};
    size_t launch = 0;
    run_init(&joined);
    for (size_t r = first; r < end; r++) {
        struct result *from = run_find_result(&series->runs[r], order);
        for (size_t begin = 0, next; from && begin < from->rounds; begin = next, launch++) {
            for (next = begin; next < from->rounds && from->launch[next] == from->launch[begin];)
                next++;
            struct result part = *from;
            struct column columns[64];
            part.rounds = next - begin;
            part.columns = columns;
            part.column_count = from->column_count < 64 ? from->column_count : 64;
            part.canary = from->canary ? from->canary + 2 * begin : NULL;
            for (int p = 0; p < PEAK_COUNT; p++)
                part.peak[p] = from->peak[p] ? from->peak[p] + begin : NULL;
            for (size_t c = 0; c < part.column_count; c++) {
                columns[c] = from->columns[c];
                columns[c].seconds += begin;
            }
            if (!run_merge(&joined, &part, launch))
                refuse("there is no memory to join the runs; give fewer --runs");
        }
        for (int c = 0; c < CANARY_COUNT; c++)
            joined.best.rate[c] = fmax(joined.best.rate[c], series->runs[r].best.rate[c]);
    }
    run_judge(&joined);
    coverage_get(&joined, order, variant, FIGURE_SPEEDUP, &e);
    run_free(&joined);
    return e;
}
