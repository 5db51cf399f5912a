/* mood.c - whether the core was ours alone while something was timed.
 * SPDX-License-Identifier: MIT
 */
#include "mood.h"

#include <math.h>
#include <stdlib.h>
#include <sys/resource.h>

/* How far below its best a canary may be. Of thirty runs on a shared VM those without a neighbour
 * had multiply-adds within 3 % and reads of L1 within 2.4 % of the best, those with one were at
 * least 6 and 7 % below; the clock was 1 to 3 % lower. */
#define LEAST_OF_BEST  0.95
#define LEAST_OF_CLOCK 0.97

enum { CLOCK = 0 }; /* among the canaries */

const enum peak canary_peaks[CANARY_COUNT] = {PEAK_CLOCK, PEAK_ISSUE, PEAK_MULTIPLY_ADD_SCALAR,
                                              PEAK_READ_L1};

const char *mood_name(enum mood mood)
{
    static const char *const names[] = {"quiet", "disturbed", "unknown"};
    return names[mood];
}

void canaries_read(struct canaries *reading)
{
    struct rusage before, after;
    getrusage(RUSAGE_THREAD, &before);
    for (int c = 0; c < CANARY_COUNT; c++)
        reading->rate[c] = peak_glance(canary_peaks[c]);
    getrusage(RUSAGE_THREAD, &after);
    if (after.ru_nivcsw != before.ru_nivcsw)
        for (int c = 0; c < CANARY_COUNT; c++)
            reading->rate[c] = NAN;
}

/* A clock, but for the clock itself. NaN: not known. */
static double in_clocks(const struct canaries *reading, int c)
{
    return c == CLOCK ? reading->rate[c] : reading->rate[c] / reading->rate[CLOCK];
}

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

void mood_learn(struct mood_best *best, const struct canaries *readings, size_t count)
{
    double *known = malloc((count + 1) * sizeof *known);
    for (int c = 0; known != NULL && c < CANARY_COUNT; c++) {
        size_t used = 0;
        for (size_t i = 0; i < count; i++)
            if (!isnan(in_clocks(&readings[i], c)))
                known[used++] = in_clocks(&readings[i], c);
        if (used == 0)
            continue;
        qsort(known, used, sizeof *known, compare_doubles);
        double reached = known[used - 1 - (used - 1) / 10];
        best->rate[c] = reached > best->rate[c] ? reached : best->rate[c];
    }
    free(known);
}

enum mood mood_of(const struct canaries *reading, const struct mood_best *best)
{
    bool quiet = true;
    for (int c = 0; c < CANARY_COUNT; c++) {
        double rate = in_clocks(reading, c);
        if (isnan(rate))
            return MOOD_UNKNOWN;
        quiet = quiet && rate >= best->rate[c] * (c == CLOCK ? LEAST_OF_CLOCK : LEAST_OF_BEST);
    }
    return quiet ? MOOD_QUIET : MOOD_DISTURBED;
}

enum mood mood_between(const struct canaries *before, const struct canaries *after,
                       const struct mood_best *best)
{
    enum mood first = mood_of(before, best), last = mood_of(after, best);
    return first == last ? first : MOOD_UNKNOWN;
}
