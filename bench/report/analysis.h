/* analysis.h - from raw samples to what a row of a table says.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_ANALYSIS_H
#define MMK_BENCH_ANALYSIS_H

#include "../base/stats.h"
#include "../timing/run.h"

struct row {
    const struct result *result;
    const struct column *column;
    bool timed; /* false: `why` says what there is in place of a time */
    char why[400];
    struct estimate seconds; /* a call */
    double rate;             /* flop/s, or byte/s where by_bytes */
    bool by_bytes;
    bool bounded;    /* whether the next three are known */
    enum peak bound; /* what would be reached first: a rate of multiply-adds or a read bandwidth */
    struct estimate share; /* of that peak, paired; 1 is the peak */
    /* Above a peak of the core's own with the whole interval: a bug in harness or model. */
    bool over;
    struct estimate speedup; /* over column->baseline; n = 0: none */
    enum comparison comparison;
};

void analyse(const struct result *result, const struct column *column, struct row *row);

/* By hand for a wide instruction set: what the tables are about. */
bool analysis_is_hand_written(const struct column *column);

/* Ours against another library. */
struct versus {
    const struct column *peer;
    struct estimate speedup; /* how many times as fast ours is, paired */
    enum comparison comparison;
};

enum { VERSUS_MOST = 16 };

/* The widest instruction set of a result against each peer that was timed; `all` has room for
 * VERSUS_MOST. Returns how many; *best is the index of the fastest peer. 0: there is nothing to
 * compare, and the rest is not set. */
size_t analyse_peers(const struct result *result, struct row *widest, struct versus *all,
                     size_t *best);

/* Median of a peak over the rounds of all results with that many threads; 0: not measured. */
struct estimate analyse_peak(const struct run *run, enum peak peak, int threads);

/* Counts for closing lines and exit codes. */
struct tally {
    size_t cases, rows, timed, not_timed, failed, voided, over;
};
struct tally analyse_tally(const struct run *run);

/* Results in the order of the tables. A list of result_count pointers, to be freed. */
const struct result **analyse_order(const struct run *run);

#endif
