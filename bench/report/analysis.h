/* analysis.h - from raw samples to what a row of a table says.
 * SPDX-License-Identifier: MIT
 *
 * A launch of the program gives one figure, the median of its rounds, and intervals are over
 * launches. With one thread only rounds count in which the core was ours alone. Runs from before
 * there were launches keep their statistics: each round counts as if it were independent.
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
    struct estimate seconds;   /* a call */
    struct estimate disturbed; /* the same while the core was not ours alone; n = 0: none */
    double effective;          /* as many independent samples would say as much of the mean */
    double rate;               /* flop/s, or byte/s where by_bytes */
    bool by_bytes;
    bool bounded;    /* whether the next three are known */
    enum peak bound; /* what would be reached first: a rate of multiply-adds or a read bandwidth */
    struct estimate share; /* of that peak, paired; 1 is the peak */
    bool over;             /* above the peak */
    bool bug; /* a peak of the core's own, and with the whole interval: of harness or model */
    struct estimate speedup; /* over column->baseline; n = 0: none */
    enum comparison comparison;
    bool no_narrower; /* twice the launches made no interval narrower by a tenth */
};

/* What ended the launches of a row. */
enum until { UNTIL_TIME, UNTIL_PRECISE, UNTIL_NO_NARROWER, UNTIL_UNKNOWN };

/* By half the interval's width in percent that was asked for. */
enum until analyse_until(const struct row *row, double precision);

/* Whether every row of a result is known well enough. */
bool analyse_done(const struct result *result, double precision);

/* Of two series of a result's rounds, or of one with denominator NULL. */
struct estimate analyse_series(const struct result *result, const double *numerator,
                               const double *denominator);

/* Seconds of a column as they would be at the clock that the result's times are stated at: those of
 * each round by its own clock over that one. As they are where it states none: in memory, where
 * another clock is not another time, and in runs from before there were moods. To be freed. */
double *analyse_at_clock(const struct result *result, const double *seconds);

/* A peak in each quiet round, at that clock, too: but for the clock itself and reads of memory. To
 * be freed. */
double *analyse_peak_rounds(const struct result *result, enum peak peak);

/* A copy of a series, void where the round was not quiet; without moods as it is. To be freed. */
double *analyse_quiet_rounds(const struct result *result, const double *values);

/* Launches of a result; 0: it is from before there were any. */
size_t analyse_launches(const struct result *result);

/* Its quiet rounds; of a result without moods 0. */
size_t analyse_quiet(const struct result *result);

void analyse(const struct result *result, const struct column *column, struct row *row);

/* By hand for a wide instruction set: what the tables are about. */
bool analysis_is_hand_written(const struct column *column);

/* The narrower instruction sets, scalar among them, whose version by hand was timed in the same
 * case and beats the row's: by the same pairs, and the same wider interval, as any other verdict.
 * Returns how many, the narrowest first; 0 for rows that are not by hand. Users get the widest all
 * the same, so that it is to be seen. */
size_t analyse_slower(const struct row *row, const struct column *than[MMK_ISA_COUNT]);

/* Ours against another library. */
struct versus {
    const struct column *peer;
    struct estimate speedup; /* how many times as fast ours is, paired */
    enum comparison comparison;
};

enum { VERSUS_MOST = 16 };

/* "onednn 2.6.3": who a peer is in a sentence, with the version, for what is said of one holds of
 * no other. Without a number where the library says none. */
void analysis_name_peer(const struct column *peer, char *text, size_t bytes);

/* The widest instruction set of a result against each peer that was timed; `all` has room for
 * VERSUS_MOST. Returns how many; *best is the index of the fastest of those that find all results,
 * or how many there are where none does. 0: there is nothing to compare, and the rest is not
 * set. */
size_t analyse_peers(const struct result *result, struct row *widest, struct versus *all,
                     size_t *best);

/* Median of a peak, at the stated clock, over the rounds of all results with that many threads; 0:
 * not measured. */
struct estimate analyse_peak(const struct run *run, enum peak peak, int threads);

/* Counts for closing lines and exit codes. */
struct tally {
    size_t cases, rows, timed, not_timed, failed, voided, disturbed, over;
    size_t no_time;      /* of those not timed: the run did not come to them */
    size_t slower;       /* than a narrower instruction set */
    struct row greatest; /* of those over a peak */
};
struct tally analyse_tally(const struct run *run);

/* Results in the order of the tables. A list of result_count pointers, to be freed. */
const struct result **analyse_order(const struct run *run);

#endif
