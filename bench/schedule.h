/* schedule.h - in which order the cases of a run are timed, and how the run's time is shared out
 * among them.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_SCHEDULE_H
#define MMK_BENCH_SCHEDULE_H

#include "options.h"
#include "timing/plan.h"

/* Seconds that a run may take: --seconds, else what suits its mode. */
double schedule_budget(const struct arguments *a, bool peers);

/* Picks variants and peers, and times the plan's cases, which it puts in another order, within
 * schedule_budget's seconds from `start` on. The results go to run. */
void schedule_run(const struct arguments *a, struct plan *plan, struct run *run, double start);

/* Says that the memory does not suffice for so many cases, and exits. */
void schedule_refuse(void) __attribute__((noreturn));

#endif
