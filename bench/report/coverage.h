/* coverage.h - of many runs of the same cases: how many of their intervals hold.
 * SPDX-License-Identifier: MIT
 *
 * A 95 % interval is to hold the truth in 95 of 100 runs. The truth is not known; the median over
 * many runs is as near to it as can be had.
 */
#ifndef MMK_BENCH_COVERAGE_H
#define MMK_BENCH_COVERAGE_H

#include "../base/stats.h"
#include "../timing/run.h"

/* The time as measured moves with the clock, which is another from minute to minute: it is shown,
 * and not claimed. */
enum figure { FIGURE_TIME, FIGURE_SHARE, FIGURE_SPEEDUP, FIGURE_MEASURED, FIGURES };

const char *coverage_figure_name(enum figure figure);

/* Runs under one load. */
struct coverage_runs {
    const char *load;
    struct run *runs;
    size_t count;
};

struct coverage {
    size_t rows, held, intervals;
    size_t unknown; /* rows in which too few runs had an interval */
    double width;   /* sum of half the widths, percent */
};

/* The interval of a run's row; false: it claims none. */
bool coverage_get(const struct run *run, int order, const char *variant, enum figure figure,
                  struct estimate *e);

/* Adds a row's intervals to what is counted, and those that hold the median over the runs; where
 * less than four fifths of the runs, or than four, have one, the row is unknown. */
void coverage_count(const struct coverage_runs *series, int order, const char *variant,
                    enum figure figure, struct coverage *held);

/* Launches of runs [first, end) joined as one run's; n = 0 where none was quiet. */
struct estimate coverage_joined_speedup(const struct coverage_runs *series, size_t first,
                                        size_t end, int order, const char *variant);

#endif
