/* counters.h - instructions a cycle from the hardware counters, where the system lets us have them.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_COUNTERS_H
#define MMK_BENCH_COUNTERS_H

/* "available", or "not available (...)" with the reason. */
const char *counters_state(void);

/* Counts what the calling thread does from start to stop. Returns instructions a cycle; 0 where
 * there are no counters. */
void counters_start(void);
double counters_stop(void);

#endif
