/* compare.h - saved runs side by side, row by row.
 * SPDX-License-Identifier: MIT
 *
 * They were not timed at one time: nothing is paired, and what else changed meanwhile is in every
 * ratio. So this is history, and no judge of a change; `mmk-bench --gate` is.
 */
#ifndef MMK_BENCH_COMPARE_H
#define MMK_BENCH_COMPARE_H

#include "../base/stats.h"
#include "../timing/run.h"

#include <stdio.h>

/* A saved run and the name that it was given by. */
struct saved {
    const char *path;
    struct run run;
};

/* The samples of a row, and the launch of each; launch NULL: that is not known. */
struct series {
    const double *seconds;
    const size_t *launch;
    size_t rounds;
};

/* How many times as fast `after` is, by the medians of launches. Without at least 4 launches a
 * side, about, it has no interval (coverage below STATS_CONFIDENCE): why says so. */
struct estimate compare_series(const struct series *before, const struct series *after, char *why,
                               size_t why_bytes);

/* A kernel, shape, kind of data, number of threads and variant. */
struct compared {
    const struct result *result;
    const struct column *column;
    double before, after;    /* seconds of a call */
    struct estimate speedup; /* of after over before */
    enum comparison comparison;
    char why[48]; /* there is no interval; "": there is */
};

/* Two runs. Rows that one alone has timed are named as of that one, with a median of its own. */
struct compare {
    struct compared *rows, *before_alone, *after_alone;
    size_t count, before_count, after_count;
};

/* Of the kernels that the list names; NULL: of all. */
/* Times of runs of one CPU that all state a clock are stated at the first one's; else all are left
 * as they were measured. */
void compare_state_clock(struct saved *runs, size_t count);

void compare_runs(const struct run *before, const struct run *after, const char *list,
                  struct compare *compare);
void compare_free(struct compare *compare);

/* All runs, A, B, ...; each after the first against it. */
void compare_terminal(FILE *out, const struct saved *runs, size_t count, const char *list);
void compare_markdown(FILE *out, const struct saved *runs, size_t count, const char *list);

#endif
