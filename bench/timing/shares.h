/* shares.h - how the time of a group is shared out among its entrants.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_SHARES_H
#define MMK_BENCH_SHARES_H

#include "entrants.h"

/* With inputs in rotation all variants take equally many calls, where that does not take a slow one
 * too long: the branch predictor learns a little in every lap, and the caches settle. */
void shares_equalise(struct group *group);

/* Gives every entrant its rounds in this launch: as many as its part of the time allows, at least
 * one. In the first launch drops those for whose round in every launch there is no time. */
void shares_give_rounds(struct group *group, double share, double left);

/* Of all entrants the most. */
size_t shares_most_rounds(const struct group *group);

/* Every peak that bounds a case, once for every number of threads: what that costs in a round. */
double shares_peaks_cost(const struct group *group);

/* Fewer rounds for those that have most, until with the peaks in every round all is within the
 * share; at least one. */
void shares_make_room_for_peaks(struct group *group, double share, double peaks);

/* Adds these peaks, in as many rounds as the most. */
void shares_add_peaks(struct group *group);

#endif
