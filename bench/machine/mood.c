/* mood.c - whether the core was ours alone while something was timed.
 * SPDX-License-Identifier: MIT
 */
#include "mood.h"

#include "../base/memory.h"
#include "../base/stats.h"

#include <math.h>
#include <stdlib.h>
#include <sys/resource.h>

/* How far below its best a canary may be. On an idle core of a shared Zen 5 VM the issue rate stays
 * within 0.5 % of its best, reads of L1 within 2 %, the clock within 4; multiply-adds fall into
 * steps 8 and 15 % apart, by which units the first of them happened to take. Where a neighbour came
 * the issue rate was 23 to 33 % lower, reads of L1 4 to 11 %, multiply-adds 7 to 40.
 * On an Emerald Rapids VM vectors of 512 bits lower the clock by 6.7 %, from 2.99 to 2.79 GHz, for
 * some 0.5 ms after them, too. */
static const double least_of_best[CANARY_COUNT] = {0.92, 0.96, 0.80, 0.95};

enum { CLOCK = 0 }; /* among the canaries */
enum { READINGS_NOW = 100 };

#define CLOCK_STEP    1e8 /* Hz */
#define HIGHEST_CLOCK 2e10

const enum peak canary_peaks[CANARY_COUNT] = {PEAK_CLOCK, PEAK_ISSUE, PEAK_MULTIPLY_ADD_SCALAR,
                                              PEAK_READ_L1};

const char *mood_name(enum mood mood)
{
    static const char *const names[] = {"quiet", "disturbed", "unknown"};
    return names[mood];
}

double canary_at_clock(double rate, double before, double after, double clock)
{
    return rate * clock / fmax(before, after);
}

void canaries_read(struct canaries *reading)
{
    struct rusage before, after;
    getrusage(RUSAGE_THREAD, &before);
    double clock = reading->rate[CLOCK] = peak_glance(PEAK_CLOCK);
    for (int c = CLOCK + 1; c < CANARY_COUNT; c++) {
        double rate = peak_glance(canary_peaks[c]), next = peak_clock_now();
        reading->rate[c] = canary_at_clock(rate, clock, next, reading->rate[CLOCK]);
        clock = next;
    }
    getrusage(RUSAGE_THREAD, &after);
    if (after.ru_nivcsw != before.ru_nivcsw)
        for (int c = 0; c < CANARY_COUNT; c++)
            reading->rate[c] = NAN;
}

double canaries_clock(const struct canaries *before, const struct canaries *after)
{
    return 0.5 * (before->rate[CLOCK] + after->rate[CLOCK]);
}

/* A clock, but for the clock itself. NaN: not known. */
static double in_clocks(const struct canaries *reading, int c)
{
    return c == CLOCK ? reading->rate[c] : reading->rate[c] / reading->rate[CLOCK];
}

void mood_learn(struct mood_best *best, const struct canaries *readings, size_t count)
{
    double *rates = memory_new(count, sizeof *rates), *sorted = memory_new(count, sizeof *sorted);
    for (int c = 0; c < CANARY_COUNT; c++) {
        for (size_t i = 0; i < count; i++)
            rates[i] = in_clocks(&readings[i], c);
        size_t used = stats_sort(rates, count, sorted);
        if (used < MOOD_READINGS)
            continue;
        double reached = sorted[used - 1 - (used - 1) / 10];
        best->rate[c] = reached > best->rate[c] ? reached : best->rate[c];
    }
    free(sorted);
    free(rates);
}

void mood_learn_now(struct mood_best *best)
{
    struct canaries readings[READINGS_NOW];
    for (size_t i = 0; i < READINGS_NOW; i++)
        canaries_read(&readings[i]);
    mood_learn(best, readings, READINGS_NOW);
}

void mood_set_clock(struct mood_best *best)
{
    double reached = best->rate[CLOCK];
    if (reached > 0.0 && !(best->clock >= CLOCK_STEP && best->clock <= HIGHEST_CLOCK))
        best->clock = fmax(CLOCK_STEP, CLOCK_STEP * round(reached / CLOCK_STEP));
}

enum mood mood_of(const struct canaries *reading, const struct mood_best *best)
{
    bool quiet = true;
    for (int c = 0; c < CANARY_COUNT; c++) {
        double rate = in_clocks(reading, c);
        if (isnan(rate) || !(best->rate[c] > 0.0))
            return MOOD_UNKNOWN;
        quiet = quiet && rate >= best->rate[c] * least_of_best[c];
    }
    return quiet ? MOOD_QUIET : MOOD_DISTURBED;
}

enum mood mood_between(const struct canaries *before, const struct canaries *after,
                       const struct mood_best *best)
{
    enum mood first = mood_of(before, best), last = mood_of(after, best);
    return first == last ? first : MOOD_UNKNOWN;
}
