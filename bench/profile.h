/* profile.h - one variant of one kernel without a table: in a loop for perf record, or one call for
 * its memory.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_PROFILE_H
#define MMK_BENCH_PROFILE_H

#include "options.h"

/* --profile: checks the variant, runs it in a loop and prints its mean rate. Returns the exit
 * status. */
int profile_loop(const struct arguments *a);

/* --once: one call, without a check, and a line for curve_memory. Returns the exit status. */
int profile_once(const struct arguments *a);

#endif
