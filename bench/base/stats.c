/* stats.c - medians, distribution-free intervals and paired ratios of noisy timings.
 * SPDX-License-Identifier: MIT
 */
#include "stats.h"

#include "memory.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_LAUNCHES = 6 }; /* below, nothing can be said of how alike neighbours are */
#define MOST_ALIKE 0.9

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

size_t stats_interval_rank(size_t n, double confidence, double *coverage)
{
    /* The number of samples below the true median is Binomial(n, 1/2), whatever their distribution.
     * The r-th smallest lies above the median when fewer than r samples lie below it, so
     *     coverage(r) = 1 - 2 P(B <= r - 1). */
    double log_term = -(double)n * log(2.0); /* log P(B = 0) */
    double below = 0.0;
    size_t rank = 0;
    *coverage = 0.0;
    while (2 * (rank + 1) <= n + 1) {
        below += exp(log_term);
        double reached = 1.0 - 2.0 * below;
        if (rank > 0 && reached < confidence)
            break;
        rank++;
        *coverage = reached > 0.0 ? reached : 0.0;
        log_term += log((double)(n - rank + 1)) - log((double)rank);
    }
    return rank;
}

size_t stats_sort(const double *values, size_t n, double *sorted)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        if (!isnan(values[i]))
            sorted[count++] = values[i];
    qsort(sorted, count, sizeof *sorted, compare_doubles);
    return count;
}

struct estimate stats_estimate(const double *values, size_t n)
{
    struct estimate result = {
        .median = NAN, .low = NAN, .high = NAN, .sure_low = NAN, .sure_high = NAN};
    double *sorted = memory_new(n, sizeof *sorted);
    result.n = stats_sort(values, n, sorted);
    if (result.n > 0) {
        size_t half = result.n / 2;
        result.median = result.n % 2 ? sorted[half] : sorted[half - 1] / 2.0 + sorted[half] / 2.0;
        double sure;
        size_t rank = stats_interval_rank(result.n, STATS_CONFIDENCE, &result.coverage);
        result.low = sorted[rank - 1];
        result.high = sorted[result.n - rank];
        rank = stats_interval_rank(result.n, STATS_SURE, &sure);
        result.sure_low = sure >= STATS_SURE ? sorted[rank - 1] : -(double)INFINITY;
        result.sure_high = sure >= STATS_SURE ? sorted[result.n - rank] : (double)INFINITY;
    }
    free(sorted);
    return result;
}

/* ---- By launch ------------------------------------------------------------------------------- */

/* chance[t] = P(T = t), T the sum of those of 1 .. n that are taken, each with 1/2. */
static double *signed_rank_chances(size_t n, size_t *most)
{
    *most = n * (n + 1) / 2;
    double *chance = memory_new(*most + 1, sizeof *chance);
    for (size_t t = 0; t <= *most; t++)
        chance[t] = t == 0;
    for (size_t rank = 1, reached = 0; rank <= n; rank++) {
        reached += rank;
        for (size_t t = reached + 1; t-- > 0;)
            chance[t] = 0.5 * (chance[t] + (t >= rank ? chance[t - rank] : 0.0));
    }
    return chance;
}

/* chance[u] = P(U = u), U the pairs of m and n values in which that of the m is the greater, in any
 * order of all of them: m numbers from 0 to n, which sum up to u. */
static double *pair_chances(size_t m, size_t n, size_t *most)
{
    *most = m * n;
    size_t sums = *most + 1;
    double *ways = memory_new((m + 1) * sums, sizeof *ways), all = 0.0;
    for (size_t i = 0; i < (m + 1) * sums; i++)
        ways[i] = i == 0;
    for (size_t next = 0; next <= n; next++)
        for (size_t taken = 1; taken <= m; taken++)
            for (size_t u = next; u < sums; u++)
                ways[taken * sums + u] += ways[(taken - 1) * sums + u - next];
    double *chance = memory_new(sums, sizeof *chance);
    for (size_t u = 0; u < sums; u++)
        all += ways[m * sums + u];
    for (size_t u = 0; u < sums; u++)
        chance[u] = ways[m * sums + u] / all;
    free(ways);
    return chance;
}

/* The rank of the ordered values, `most` of them, that the statistic counts. */
static size_t bounding_rank(const double *chance, size_t most, double confidence, double *coverage)
{
    size_t rank = 0;
    double below = 0.0;
    *coverage = 0.0;
    while (2 * rank + 1 <= most) {
        below += chance[rank]; /* P(T <= rank): the true centre below the value of that order */
        double reached = 1.0 - 2.0 * below;
        if (rank > 0 && reached < confidence)
            break;
        rank++;
        *coverage = reached > 0.0 ? reached : 0.0;
    }
    return rank;
}

size_t stats_signed_rank(size_t n, double confidence, double *coverage)
{
    size_t most;
    double *chance = signed_rank_chances(n, &most);
    size_t rank = bounding_rank(chance, most, confidence, coverage);
    free(chance);
    return rank;
}

size_t stats_shift_rank(size_t m, size_t n, double confidence, double *coverage)
{
    size_t most;
    double *chance = pair_chances(m, n, &most);
    size_t rank = bounding_rank(chance, most, confidence, coverage);
    free(chance);
    return rank;
}

/* All averages of two values, in order. Of values in order they are runs, which sort fast. */
static double *averages_of_two(const double *values, size_t n, size_t *count)
{
    double *sorted = memory_new(n, sizeof *sorted);
    double *averages = memory_new(n * (n + 1) / 2, sizeof *averages);
    memcpy(sorted, values, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, compare_doubles);
    *count = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = i; j < n; j++)
            averages[(*count)++] = sorted[i] / 2.0 + sorted[j] / 2.0;
    free(sorted);
    qsort(averages, *count, sizeof *averages, compare_doubles);
    return averages;
}

/* Autocorrelation at a distance, about the mean. */
static double autocorrelation(const double *values, size_t n, size_t distance)
{
    double mean = 0.0, around = 0.0, together = 0.0;
    for (size_t i = 0; i < n; i++)
        mean += values[i] / (double)n;
    for (size_t i = 0; i < n; i++)
        around += (values[i] - mean) * (values[i] - mean);
    for (size_t i = distance; i < n; i++)
        together += (values[i] - mean) * (values[i - distance] - mean);
    return around > 0.0 ? together / around : 0.0;
}

double stats_effective_number(const double *values, size_t n)
{
    double sum = 0.0;
    for (size_t k = 0; k + 1 < n; k += 2) {
        double pair =
            (k == 0 ? 1.0 : autocorrelation(values, n, k)) + autocorrelation(values, n, k + 1);
        if (!(pair > 0.0))
            break;
        sum += pair;
    }
    double effective = (double)n / (2.0 * sum - 1.0);
    return !(effective < (double)n) || sum <= 0.5 ? (double)n : effective < 1.0 ? 1.0 : effective;
}

/* Launches are too few for more than the likeness of neighbours, which comes out too low by some 1
 * / n of few values; 1.75 / n makes intervals hold where launches follow each other in one mood of
 * the machine (test_stats.c tries it). */
static double effective_launches(const double *values, size_t n)
{
    if (n < LEAST_LAUNCHES)
        return (double)n;
    double alike = autocorrelation(values, n, 1) + 1.75 / (double)n;
    alike = alike > MOST_ALIKE ? MOST_ALIKE : alike;
    return alike > 0.0 ? (double)n * (1.0 - alike) / (1.0 + alike) : (double)n;
}

/* Median and intervals of estimates in order, so many times as wide, by the chances of the
 * statistic that counts them. Without the confidence an interval has no end. */
static void bound(struct estimate *result, const double *ordered, size_t count,
                  const double *chance, size_t most, double wider)
{
    const double confidence[2] = {STATS_CONFIDENCE, STATS_SURE};
    double coverage[2], low[2], high[2], *median = &result->median;
    size_t half = count / 2;
    *median = count % 2 ? ordered[half] : ordered[half - 1] / 2.0 + ordered[half] / 2.0;
    for (int i = 0; i < 2; i++) {
        size_t rank = bounding_rank(chance, most, confidence[i], &coverage[i]);
        bool enough = coverage[i] >= confidence[i];
        low[i] = enough ? *median - wider * (*median - ordered[rank - 1]) : -(double)INFINITY;
        high[i] = enough ? *median + wider * (ordered[count - rank] - *median) : (double)INFINITY;
    }
    result->coverage = coverage[0];
    result->low = low[0];
    result->high = high[0];
    result->sure_low = low[1];
    result->sure_high = high[1];
}

/* Those that count, to be freed. */
static double *keep_known(const double *values, size_t n, size_t *count)
{
    double *kept = memory_new(n, sizeof *kept);
    *count = 0;
    for (size_t i = 0; i < n; i++)
        if (!isnan(values[i]))
            kept[(*count)++] = values[i];
    return kept;
}

struct estimate stats_centre(const double *values, size_t n)
{
    struct estimate result = {
        .median = NAN, .low = NAN, .high = NAN, .sure_low = NAN, .sure_high = NAN};
    double *kept = keep_known(values, n, &result.n);
    result.launches = result.n;
    if (result.n > 0) {
        size_t count, most;
        double *chance = signed_rank_chances(result.n, &most);
        double *averages = averages_of_two(kept, result.n, &count);
        result.effective = effective_launches(kept, result.n);
        bound(&result, averages, count, chance, most, sqrt((double)result.n / result.effective));
        free(averages);
        free(chance);
    }
    free(kept);
    return result;
}

struct estimate stats_shift(const double *x, size_t m, const double *y, size_t n)
{
    struct estimate result = {
        .median = NAN, .low = NAN, .high = NAN, .sure_low = NAN, .sure_high = NAN};
    double *from = keep_known(x, m, &m), *to = keep_known(y, n, &n);
    if (m > 0 && n > 0) {
        size_t count = 0, most;
        double *chance = pair_chances(m, n, &most);
        double *differences = memory_new(m * n, sizeof *differences);
        for (size_t i = 0; i < m; i++)
            for (size_t j = 0; j < n; j++)
                differences[count++] = from[i] - to[j];
        qsort(differences, count, sizeof *differences, compare_doubles);
        result.n = m + n;
        result.launches = m < n ? m : n;
        /* The variance of a difference is the sum of both. */
        double in_effect = 1.0 / effective_launches(from, m) + 1.0 / effective_launches(to, n);
        double in_number = 1.0 / (double)m + 1.0 / (double)n;
        result.effective = (double)result.n * in_number / in_effect;
        bound(&result, differences, count, chance, most, sqrt(in_effect / in_number));
        free(differences);
        free(chance);
    }
    free(from);
    free(to);
    return result;
}

double stats_chance_above(const double *values, size_t n, double centre)
{
    size_t above = 0, most;
    double *chance = signed_rank_chances(n, &most), sum = 0.0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = i; j < n; j++)
            above += values[i] / 2.0 + values[j] / 2.0 > centre;
    for (size_t t = above; t <= most; t++)
        sum += chance[t];
    free(chance);
    return sum;
}

/* *samples: how many counted. */
static size_t launch_medians(const double *values, const size_t *launch, size_t n, double *medians,
                             size_t *samples)
{
    size_t count = 0;
    *samples = 0;
    for (size_t first = 0, end; first < n; first = end) {
        for (end = first + 1; end < n && launch[end] == launch[first];)
            end++;
        struct estimate one = stats_estimate(values + first, end - first);
        *samples += one.n;
        if (one.n > 0)
            medians[count++] = one.median;
    }
    return count;
}

size_t stats_launch_medians(const double *values, const size_t *launch, size_t n, double *medians)
{
    size_t ignored;
    return launch_medians(values, launch, n, medians, &ignored);
}

struct estimate stats_by_launch(const double *values, const size_t *launch, size_t n)
{
    double *medians = memory_new(n, sizeof *medians);
    size_t samples, count = launch_medians(values, launch, n, medians, &samples);
    struct estimate result = stats_centre(medians, count);
    result.n = samples;
    free(medians);
    return result;
}

double stats_standard_deviation(const double *values, size_t n)
{
    double mean = 0.0, sum = 0.0;
    for (size_t i = 0; i < n; i++)
        mean += values[i] / (double)n;
    for (size_t i = 0; i < n; i++)
        sum += (values[i] - mean) * (values[i] - mean);
    return n > 1 ? sqrt(sum / (double)(n - 1)) : 0.0;
}

double stats_spread(const struct estimate *e)
{
    return e->median > 0.0 ? 50.0 * (e->high - e->low) / e->median : 0.0;
}

/* Logarithms: a ratio and its inverse are to say the same. */
static double *paired_logs(const double *numerator, const double *denominator, size_t n)
{
    double *logs = memory_new(n, sizeof *logs);
    for (size_t i = 0; i < n; i++)
        logs[i] = numerator[i] > 0.0 && denominator[i] > 0.0
                      ? log(numerator[i]) - log(denominator[i])
                      : (double)NAN;
    return logs;
}

struct estimate stats_from_logs(struct estimate e)
{
    e.median = exp(e.median);
    e.low = exp(e.low);
    e.high = exp(e.high);
    e.sure_low = exp(e.sure_low);
    e.sure_high = exp(e.sure_high);
    return e;
}

struct estimate stats_paired_ratio(const double *numerator, const double *denominator, size_t n)
{
    double *logs = paired_logs(numerator, denominator, n);
    struct estimate result = stats_from_logs(stats_estimate(logs, n));
    free(logs);
    return result;
}

struct estimate stats_ratio_by_launch(const double *numerator, const double *denominator,
                                      const size_t *launch, size_t n)
{
    double *logs = paired_logs(numerator, denominator, n);
    struct estimate result = stats_from_logs(stats_by_launch(logs, launch, n));
    free(logs);
    return result;
}

enum comparison stats_compare(const struct estimate *speedup)
{
    if (speedup->n == 0)
        return COMPARISON_NONE;
    if (speedup->sure_low > 1.0)
        return COMPARISON_FASTER;
    if (speedup->sure_high < 1.0)
        return COMPARISON_SLOWER;
    return COMPARISON_INCONCLUSIVE;
}

const char *stats_comparison_name(enum comparison comparison)
{
    switch (comparison) {
    case COMPARISON_FASTER:
        return "faster";
    case COMPARISON_SLOWER:
        return "slower";
    case COMPARISON_INCONCLUSIVE:
        return "inconclusive";
    case COMPARISON_NONE:
        break;
    }
    return "-";
}

uint64_t stats_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void stats_shuffle(size_t n, size_t *order, uint64_t *state)
{
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)(stats_random(state) % i);
        size_t kept = order[i - 1];
        order[i - 1] = order[j];
        order[j] = kept;
    }
}
