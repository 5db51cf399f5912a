/* made_up.h - launches of a run that never ran.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_TESTS_MADE_UP_H
#define MMK_TESTS_MADE_UP_H

#include "../../bench/timing/run.h"

enum { MADE_UP_ROUNDS = 4 };

/* What the canaries of a made-up launch reach, in the same units as mood_best: 8 a clock. */
extern const struct mood_best made_up_best;

/* A launch of topk with one thread: seconds of avx2 and of its baseline in every round, the peak of
 * L1 1 byte a second. What the canaries show of a round is quiet[round], 1 or 0; -1: it changed
 * meanwhile; quiet NULL: there are none. */
void made_up_launch(struct run *launch, double seconds, double baseline, const int *quiet);

/* Another variant in such a launch, of so many seconds in every round. Returns its column. */
struct column *made_up_column(struct run *launch, const char *variant, const char *isa,
                              double seconds);

/* Every round of it at so many times the clock, and so much faster. */
void made_up_clock(struct run *launch, double clock);

#endif
