/* undisturbed.h - the best rates of the canaries that this kind of machine has shown, kept from run
 * to run.
 * SPDX-License-Identifier: MIT
 *
 * A neighbour may stay for as long as a run: what the core does alone only earlier runs can tell.
 * Kept are rates a clock, which belong to the core, and the clock that times are stated at
 * (mood_set_clock). That is, beside results, in a file of its own, too, which is written once and
 * committed, so that whoever has this kind of machine states the same.
 */
#ifndef MMK_BENCH_UNDISTURBED_H
#define MMK_BENCH_UNDISTURBED_H

#include "../machine/mood.h"

/* Raises best to what dir/slug/undisturbed.json says, and takes best->clock from there, or from
 * dir/slug/clock.json where there is one; without a file they stay as they are. False: error is one
 * sentence. */
bool undisturbed_load(struct mood_best *best, const char *dir, const char *slug, char *error,
                      size_t error_bytes);

/* Writes into the former what is better than what stands there, and the clock where none does, in a
 * folder that is made where it is missing.
 * False: error is one sentence. */
bool undisturbed_save(const struct mood_best *best, const char *dir, const char *slug, char *error,
                      size_t error_bytes);

/* Writes the latter where there is none. False: error is one sentence. */
bool undisturbed_save_clock(const struct mood_best *best, const char *dir, const char *slug,
                            char *error, size_t error_bytes);

#endif
