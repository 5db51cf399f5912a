/* undisturbed.h - the best rates of the canaries that this kind of machine has shown, kept from run
 * to run.
 * SPDX-License-Identifier: MIT
 *
 * A neighbour may stay for as long as a run: what the core does alone only earlier runs can tell.
 * Kept are rates a clock, which belong to the core; the clock is another on another day, so of it
 * only that is kept which times are stated at.
 */
#ifndef MMK_BENCH_UNDISTURBED_H
#define MMK_BENCH_UNDISTURBED_H

#include "../machine/mood.h"

/* Raises best to what dir/slug/undisturbed.json says; where there is none it stays as it is. False:
 * error is one sentence. */
bool undisturbed_load(struct mood_best *best, const char *dir, const char *slug, char *error,
                      size_t error_bytes);

/* Writes there what is better than what stands there, in a folder that is made where it is missing.
 * False: error is one sentence. */
bool undisturbed_save(const struct mood_best *best, const char *dir, const char *slug, char *error,
                      size_t error_bytes);

#endif
