/* stats.h - medians, distribution-free intervals and paired ratios of noisy timings.
 * SPDX-License-Identifier: MIT
 *
 * Samples of one launch of a program are not independent of each other: where its pages lie, and
 * who else uses the core, is the same for many of them. Launches are. So a launch gives one figure,
 * the median of its samples, and the interval is that of the figures of several launches.
 * NaN stands for a void sample: every function here leaves it out.
 */
#ifndef MMK_BENCH_STATS_H
#define MMK_BENCH_STATS_H

#include <stddef.h>
#include <stdint.h>

/* A median and the interval that holds the true median with probability `coverage`; and the wider
 * one that holds it in 99 of 100 times, by which something is called faster or slower: of many
 * comparisons of equals no more than one in a hundred is then. It has no end where n is below 8. */
struct estimate {
    double median, low, high;
    double sure_low, sure_high;
    double coverage;  /* at least STATS_CONFIDENCE where n allows it (n >= 6); 0 for n = 0 */
    size_t n;         /* samples that counted */
    size_t launches;  /* that they came from; 0: it was not asked by launch, and n is the unit */
    double effective; /* as many independent launches would say as much */
};

#define STATS_CONFIDENCE 0.95
#define STATS_SURE       0.99

enum comparison { COMPARISON_NONE, COMPARISON_FASTER, COMPARISON_SLOWER, COMPARISON_INCONCLUSIVE };

/* Which order statistics bound the median: the rank-th smallest and the rank-th largest (1-based)
 * of n hold it with probability *coverage >= confidence. Where even the extremes do not reach the
 * confidence (n < 6 for 95 %), rank 1 and what it does reach. n = 0 gives rank 0. */
size_t stats_interval_rank(size_t n, double confidence, double *coverage);

/* Those of n values that are not void, in order; returns how many. */
size_t stats_sort(const double *values, size_t n, double *sorted);

/* Median and interval of n values. */
struct estimate stats_estimate(const double *values, size_t n);

/* Which of the n (n + 1) / 2 averages of two (each with itself too), in order, bound the centre of
 * a symmetric distribution: the rank-th smallest and the rank-th largest (1-based). As above, by
 * the distribution of Wilcoxon's signed ranks. */
size_t stats_signed_rank(size_t n, double confidence, double *coverage);

/* Centre of n independent values, the median of all averages of two (Hodges and Lehmann 1963), and
 * its interval by signed ranks (Tukey 1949): as narrow as Student's t for normal values, and right
 * for others, too. values stand in the order of their time: where neighbours are alike the interval
 * is widened to what their effective number allows. Below 6 values it has no end (infinite). */
struct estimate stats_centre(const double *values, size_t n);

/* Which of the m x n differences of two samples, in order, bound the shift between them: the
 * rank-th smallest and the rank-th largest (1-based). As above, by Mann and Whitney's
 * distribution. */
size_t stats_shift_rank(size_t m, size_t n, double confidence, double *coverage);

/* How far the m values x lie above the n values y, which were measured at another time: the median
 * of all differences (Hodges and Lehmann 1963) and its interval by Mann and Whitney's test, widened
 * as above. The interval has no end where m and n are too few, 3 and 3, say. n is that of both, and
 * launches that of the fewer. Where the launches of both are alike by .3 the intervals hold in 94
 * and 98 of 100 times. */
struct estimate stats_shift(const double *x, size_t m, const double *y, size_t n);

/* How likely signed ranks at least this high are where the true centre is `centre`: small where the
 * values lie above it. 1 for n = 0. */
double stats_chance_above(const double *values, size_t n, double centre);

/* An estimate of logarithms as one of what they are of. */
struct estimate stats_from_logs(struct estimate e);

/* The centre of the launches' medians. launch[i] is the launch of values[i]; those of one launch
 * stand together. A launch without a sample that counts does not count. */
struct estimate stats_by_launch(const double *values, const size_t *launch, size_t n);
/* They themselves, `medians` having room for n; returns how many. */
size_t stats_launch_medians(const double *values, const size_t *launch, size_t n, double *medians);
struct estimate stats_ratio_by_launch(const double *numerator, const double *denominator,
                                      const size_t *launch, size_t n);

/* As many independent values as say as much about their mean as these n, in the order of their
 * time, do: n / (1 + 2 sum of autocorrelations), which are summed as long as pairs of them are
 * positive (Geyer 1992). From 1 to n. */
double stats_effective_number(const double *values, size_t n);

/* About the mean, of n - 1; 0 for fewer than 2 values. */
double stats_standard_deviation(const double *values, size_t n);

/* Half the interval's width, in percent of the median. */
double stats_spread(const struct estimate *e);

/* Median and interval of numerator[i] / denominator[i], paired by round; rounds with a void sample
 * on either side do not count. */
struct estimate stats_paired_ratio(const double *numerator, const double *denominator, size_t n);

/* FASTER when a ratio baseline/candidate is above 1 with the whole of the wider interval, SLOWER
 * when below, INCONCLUSIVE when it includes 1 or has no end. */
enum comparison stats_compare(const struct estimate *speedup);
const char *stats_comparison_name(enum comparison comparison);

/* splitmix64: the bench's own generator, for shuffles. */
uint64_t stats_random(uint64_t *state);

/* A random permutation of 0..n-1. */
void stats_shuffle(size_t n, size_t *order, uint64_t *state);

#endif
