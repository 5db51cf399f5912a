/* launches.h - a run is made of launches of the program.
 * SPDX-License-Identifier: MIT
 *
 * What one process times over and over has the same pages, the same stack and the same neighbours
 * all the time: its rounds agree with each other better than with the next process's. So the
 * program is started anew, at least eight times; each launch visits all cases, so that those of one
 * case lie far apart in time. The first checks every variant and finds its pace, later ones take
 * these over.
 */
#ifndef MMK_BENCH_LAUNCHES_H
#define MMK_BENCH_LAUNCHES_H

#include "options.h"
#include "timing/plan.h"
#include "timing/run.h"

/* Launches argv[0 .. argc - 1] with --launch until every row is known to a->precision, or the run's
 * time, counted from `start`, is over. False: a launch crashed or hung; the case says so. */
bool launches_run(const struct arguments *a, int argc, char **argv, struct run *run, double start);

/* One of them: takes its order from the standard input and writes results to the standard
 * output. */
void launches_serve(const struct arguments *a, struct plan *plan);

/* Before a launch takes memory and time: waits for its order, and refuses a --launch by hand. */
void launches_await_order(void);

#endif
