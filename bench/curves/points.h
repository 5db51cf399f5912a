/* points.h - the curves of a run, found again among its results; what tables and plots share.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_CURVES_POINTS_H
#define MMK_BENCH_CURVES_POINTS_H

#include "../report/analysis.h"

/* The results that are points of a curve, in the order of the tables. */
struct curve_points {
    const struct result **list;
    size_t count;
};

/* count 0: the run does not have the curve (or there is no memory). */
struct curve_points curve_points_open(const struct run *run, enum curve curve);
void curve_points_close(struct curve_points *points);

/* One line of a plot, one column of a table: a variant in one of the two modes. */
struct curve_series {
    const char *variant;
    const char *library; /* version of another library; "" for ours */
    int workspace;       /* percent of the logits */
    char name[48];       /* "avx512 stored"; of another library "onednn 2.6.3" */
};

enum { CURVE_SERIES = 12 };

/* Lists the series that have a column in any of the points, at most CURVE_SERIES: ours first, the
 * widest instruction set at the head, then other libraries. */
size_t curve_series_list(const struct curve_points *points, struct curve_series *series);

/* The point of a series at a batch; false: there is none that was timed. */
bool curve_find(const struct curve_points *points, const struct curve_series *series, size_t batch,
                struct row *row);

/* A line of searches: a variant at every dimension. */
struct curve_searcher {
    const char *variant;
    bool ours;
    char name[64]; /* "mmk, codes made in the call", "mmk without codes", "onednn 2.6.3" */
};

/* The lines in the points of searches, at most CURVE_SERIES: ours first. */
size_t curve_searchers(const struct curve_points *points, struct curve_searcher *searchers);

/* The point of one of them in a result; false: it was not timed. */
bool curve_search(const struct result *result, const struct curve_searcher *searcher,
                  struct row *row);

/* Seconds that the flops of a point take at the FMA rate of the widest instruction set; NaN: not
 * known. */
double curve_limit(const struct result *result);

/* The first column of a result that was timed; NULL: none. */
const struct column *curve_timed_column(const struct result *result, struct row *row);

#endif
