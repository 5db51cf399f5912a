/* stats.c - medians, distribution-free intervals and paired ratios of noisy timings.
 * SPDX-License-Identifier: MIT
 */
#include "stats.h"

#include "memory.h"

#include <math.h>
#include <stdlib.h>

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

struct estimate stats_estimate(const double *values, size_t n)
{
    struct estimate result = {NAN, NAN, NAN, 0.0, 0};
    double *sorted = memory_new(n, sizeof *sorted);
    for (size_t i = 0; i < n; i++)
        if (!isnan(values[i]))
            sorted[result.n++] = values[i];
    if (result.n > 0) {
        qsort(sorted, result.n, sizeof *sorted, compare_doubles);
        size_t half = result.n / 2;
        result.median = result.n % 2 ? sorted[half] : sorted[half - 1] / 2.0 + sorted[half] / 2.0;
        size_t rank = stats_interval_rank(result.n, STATS_CONFIDENCE, &result.coverage);
        result.low = sorted[rank - 1];
        result.high = sorted[result.n - rank];
    }
    free(sorted);
    return result;
}

double stats_spread(const struct estimate *e)
{
    return e->median > 0.0 ? 50.0 * (e->high - e->low) / e->median : 0.0;
}

struct estimate stats_paired_ratio(const double *numerator, const double *denominator, size_t n)
{
    struct estimate result = {NAN, NAN, NAN, 0.0, 0};
    double *logs = memory_new(n, sizeof *logs);
    for (size_t i = 0; i < n; i++)
        logs[i] = numerator[i] > 0.0 && denominator[i] > 0.0
                      ? log(numerator[i]) - log(denominator[i])
                      : (double)NAN;
    result = stats_estimate(logs, n);
    result.median = exp(result.median);
    result.low = exp(result.low);
    result.high = exp(result.high);
    free(logs);
    return result;
}

enum comparison stats_compare(const struct estimate *speedup)
{
    if (speedup->n == 0)
        return COMPARISON_NONE;
    if (speedup->coverage < STATS_CONFIDENCE)
        return COMPARISON_INCONCLUSIVE;
    if (speedup->low > 1.0)
        return COMPARISON_FASTER;
    if (speedup->high < 1.0)
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
