/* undisturbed.h - the best rates of the canaries that this kind of machine has shown, kept from run
 * to run.
 * SPDX-License-Identifier: MIT
 *
 * A neighbour may stay for as long as a run: what the core does alone only earlier runs can tell.
 * Kept are rates a clock, which belong to the core; the clock is another on another day. The clock
 * that times are stated at is in a file of its own, which is written once and committed, so that
 * whoever has this kind of machine states the same.
 */
#ifndef MMK_BENCH_UNDISTURBED_H
#define MMK_BENCH_UNDISTURBED_H

#include "../machine/mood.h"

/* Raises best to what dir/slug/undisturbed.json says, and takes best->clock from
 * dir/slug/clock.json; without a file they stay as they are. False: error is one sentence. */
bool undisturbed_load(struct mood_best *best, const char *dir, const char *slug, char *error,
                      size_t error_bytes);

/* Writes there what is better than what stands there, in a folder that is made where it is missing,
 * and the clock where none stands.
 * False: error is one sentence. */
bool undisturbed_save(const struct mood_best *best, const char *dir, const char *slug, char *error,
                      size_t error_bytes);

#endif
