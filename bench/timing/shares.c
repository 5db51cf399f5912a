/* shares.c - how the time of a group is shared out among its entrants.
 * SPDX-License-Identifier: MIT
 */
#include "shares.h"

#include <math.h>

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
        entrant_column(group, entrant)->calls = calls;
    }
}

double shares_peaks_cost(const struct group *group)
{
    double start = timer_now();
    for (size_t i = 0; i < group->count; i++) {
        if (entrants_same_threads(group, i) != i)
            continue;
        entrants_set_threads(group->cases[i].threads);
        for (int p = 0; p < PEAK_COUNT; p++)
            if (peak_possible((enum peak)p))
                peak_measure((enum peak)p, group->cases[i].threads);
    }
    timer_unpin();
    return timer_now() - start;
}

void shares_give_rounds(struct group *group, double share, double left)
{
    double part[KINDS], spent = 0.0;
    size_t kept = 0;
    entrants_fair_parts(group, share, part);
    for (size_t e = 0; e < group->entrant_count; e++) {
        struct entrant entrant = group->entrants[e];
        enum kind kind = entrant_kind(entrant.variant);
        double fair = part[kind] / entrant.cost, needed = LEAST_ROUNDS * entrant.cost;
        if ((kind == BASELINES && fair < LEAST_ROUNDS && needed > CHEAP_SECONDS) ||
            !entrants_may_spend(group, entrant.variant, needed, spent, left)) {
            entrant_too_slow(entrant_column(group, &entrant), entrant.cost);
            continue;
        }
        entrant.rounds = fair < LEAST_ROUNDS                         ? LEAST_ROUNDS
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
    for (; rounds > LEAST_ROUNDS; rounds--) {
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
            if (entrants_same_threads(group, i) == i && peak_possible((enum peak)p))
                group->entrants[group->entrant_count++] =
                    (struct entrant){.at = i, .peak = (enum peak)p, .rounds = rounds};
}
