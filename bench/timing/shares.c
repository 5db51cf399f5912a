/* shares.c - how the time of a group is shared out among its entrants.
 * SPDX-License-Identifier: MIT
 */
#include "shares.h"

#include <math.h>

enum { MOST_THREADS = 256 }; /* that --threads takes */

void shares_equalise(struct group *group)
{
    const double longest_sample = 5e-3;
    size_t calls = 1, rotated = group->results->rotated;
    if (rotated == 1)
        return;
    for (size_t e = 0; e < group->entrant_count; e++)
        if (group->entrants[e].pace.calls > calls)
            calls = group->entrants[e].pace.calls;
    for (size_t e = 0; e < group->entrant_count; e++) {
        struct entrant *entrant = &group->entrants[e];
        double call = entrant->cost / (double)(entrant->pace.calls + entrant->pace.warm_up);
        if (call * (double)calls > longest_sample)
            continue;
        entrant->pace = (struct pace){calls, rotated};
        entrant->cost = call * (double)(calls + rotated);
    }
}

/* Of the read bandwidths only that of the level which a case lives in. */
static bool is_wanted(const struct group *group, size_t at, enum peak peak)
{
    bool read = peak >= PEAK_READ_L1 && peak <= PEAK_READ_MEMORY;
    bool wanted = !read;
    for (size_t i = at; i < group->count && !wanted; i++)
        wanted = entrants_same_threads(group, i) == at && group->results[i].level == peak;
    return peak_possible(peak) && wanted;
}

/* A peak once, which is tried out when it is asked for the first time. */
static double peak_cost(enum peak peak, int threads)
{
    static double seconds[PEAK_COUNT][MOST_THREADS + 1];
    if (seconds[peak][threads] > 0.0)
        return seconds[peak][threads];
    double start = timer_now();
    entrants_set_threads(threads);
    peak_measure(peak, threads);
    timer_unpin();
    return seconds[peak][threads] = timer_now() - start;
}

double shares_peaks_cost(const struct group *group)
{
    double seconds = 0.0;
    for (size_t i = 0; i < group->count; i++)
        for (int p = 0; p < PEAK_COUNT && entrants_same_threads(group, i) == i; p++)
            if (is_wanted(group, i, (enum peak)p))
                seconds += peak_cost((enum peak)p, group->cases[i].threads);
    return seconds;
}

void shares_give_rounds(struct group *group, double share, double left)
{
    double part[KINDS], spent = 0.0;
    size_t kept = 0;
    entrants_fair_parts(group, share, part);
    for (size_t e = 0; e < group->entrant_count; e++) {
        struct entrant entrant = group->entrants[e];
        enum kind kind = entrant_kind(entrant.variant);
        double launches = (double)group->launches;
        double fair = part[kind] / entrant.cost / launches, needed = launches * entrant.cost;
        if (!group->known && ((kind == BASELINES && fair < 1.0 && needed > CHEAP_SECONDS) ||
                              !entrants_may_spend(group, entrant.variant, needed, spent, left))) {
            entrant_too_slow(entrant_column(group, &entrant), entrant.cost);
            continue;
        }
        struct column *column = entrant_column(group, &entrant);
        column->calls = entrant.pace.calls;
        column->warm_up = entrant.pace.warm_up;
        column->cost = entrant.cost;
        entrant.rounds = fair < 1.0                                  ? 1
                         : fair < (double)group->options->max_rounds ? (size_t)fair
                                                                     : group->options->max_rounds;
        spent += needed;
        group->entrants[kept++] = entrant;
    }
    group->entrant_count = kept;
}

size_t shares_most_rounds(const struct group *group)
{
    size_t rounds = 0;
    for (size_t e = 0; e < group->entrant_count; e++)
        rounds = group->entrants[e].rounds > rounds ? group->entrants[e].rounds : rounds;
    return rounds;
}

void shares_make_room_for_peaks(struct group *group, double share, double peaks)
{
    size_t rounds = shares_most_rounds(group);
    for (; rounds > 1; rounds--) {
        double total = (double)rounds * peaks;
        for (size_t e = 0; e < group->entrant_count; e++)
            total +=
                group->entrants[e].cost * fmin((double)group->entrants[e].rounds, (double)rounds);
        if (total <= share)
            break;
    }
    for (size_t e = 0; e < group->entrant_count; e++)
        if (group->entrants[e].rounds > rounds)
            group->entrants[e].rounds = rounds;
}

void shares_add_peaks(struct group *group)
{
    size_t rounds = shares_most_rounds(group);
    for (size_t i = 0; i < group->count && rounds > 0; i++)
        for (int p = 0; p < PEAK_COUNT; p++)
            if (entrants_same_threads(group, i) == i && is_wanted(group, i, (enum peak)p))
                group->entrants[group->entrant_count++] =
                    (struct entrant){.at = i, .peak = (enum peak)p, .rounds = rounds};
}
