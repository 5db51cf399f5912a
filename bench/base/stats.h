/* stats.h - medians, distribution-free intervals and paired ratios of noisy timings.
 * SPDX-License-Identifier: MIT
 *
 * NaN stands for a void sample: every function here leaves it out.
 */
#ifndef MMK_BENCH_STATS_H
#define MMK_BENCH_STATS_H

#include <stddef.h>
#include <stdint.h>

/* A median and the interval that holds the true median with probability `coverage`. */
struct estimate {
    double median, low, high;
    double coverage; /* at least STATS_CONFIDENCE where n allows it (n >= 6); 0 for n = 0 */
    size_t n;        /* samples that counted */
};

#define STATS_CONFIDENCE 0.95

enum comparison { COMPARISON_NONE, COMPARISON_FASTER, COMPARISON_SLOWER, COMPARISON_INCONCLUSIVE };

/* Which order statistics bound the median: the rank-th smallest and the rank-th largest (1-based)
 * of n hold it with probability *coverage >= confidence. Where even the extremes do not reach the
 * confidence (n < 6 for 95 %), rank 1 and what it does reach. n = 0 gives rank 0. */
size_t stats_interval_rank(size_t n, double confidence, double *coverage);

/* Median and interval of n values. */
struct estimate stats_estimate(const double *values, size_t n);

/* Half the interval's width, in percent of the median. */
double stats_spread(const struct estimate *e);

/* Median and interval of numerator[i] / denominator[i], paired by round; rounds with a void sample
 * on either side do not count. */
struct estimate stats_paired_ratio(const double *numerator, const double *denominator, size_t n);

/* FASTER when a ratio baseline/candidate is above 1 with the whole interval, SLOWER when below,
 * INCONCLUSIVE when the interval includes 1 or rests on too few samples to reach the confidence. */
enum comparison stats_compare(const struct estimate *speedup);
const char *stats_comparison_name(enum comparison comparison);

/* splitmix64: the bench's own generator, for shuffles. */
uint64_t stats_random(uint64_t *state);

/* A random permutation of 0..n-1. */
void stats_shuffle(size_t n, size_t *order, uint64_t *state);

#endif
