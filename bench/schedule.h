/* schedule.h - in which order a launch times the cases of a run, and how its time is shared out
 * among them.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_SCHEDULE_H
#define MMK_BENCH_SCHEDULE_H

#include "options.h"
#include "timing/plan.h"
#include "timing/run.h"

/* At least so many launches a run has. Long cases, and peers in Python, whose start takes long, are
 * in the fewest of them of which an interval can be made. */
size_t schedule_launches(const struct arguments *a);
enum { FEWEST_LAUNCHES = 6 };

/* Seconds that a run may take: --seconds, else what suits its mode. */
double schedule_budget(const struct arguments *a, bool peers);

/* What a launch is to do. */
struct launch_order {
    size_t index;   /* 0: the first */
    double begin;   /* when it was started, by the clock that all processes have */
    double elapsed; /* of the run's time until then */
    double seconds; /* this launch may take; the first takes what its checks need, and its part */
    bool scripts;   /* whether peers in Python take part */
};

/* What it says while it does. */
struct launch_talk {
    void (*peers)(size_t count, double script_seconds);     /* how many, and what scripts took */
    void (*begins)(const struct plan_case *c);              /* the first of a group */
    void (*done)(const struct result *first, size_t count); /* the results of a group */
    void (*progress)(const char *what);
};

/* Picks variants and peers, and times the plan's cases, which it puts in another order. known: what
 * earlier launches found, without rounds; its best is raised. */
void schedule_run(const struct arguments *a, struct plan *plan, struct run *known,
                  const struct launch_order *order, const struct launch_talk *talk);

/* Says that the memory does not suffice for so many cases, and exits. */
void schedule_refuse(void) __attribute__((noreturn));

#endif
