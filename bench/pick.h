/* pick.h - who takes part, and on which data, as the options say.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_PICK_H
#define MMK_BENCH_PICK_H

#include "curves/curve.h"
#include "options.h"

enum { MAX_VARIANTS = 32, MOST_PICKED = 2 * MAX_VARIANTS }; /* with peers */

/* --isa, else MMK_ISA, else all; for one_only the widest. Returns how many; what there is not is
 * refused. */
size_t pick_variants(const struct arguments *a, bool one_only,
                     const struct variant *picked[MAX_VARIANTS]);

/* What to say of a peer that is missing. */
extern const char *const pick_peers_remedy;

/* Refuses a list in which a word is no peer. */
void pick_check_peer_names(const char *names);

/* --peers, else all that are installed, as far as the plan has cases for them, opened and as
 * variants; scripts only where they are wanted, and *script_seconds is what their start took. What
 * is not there is named in run->missing, or refused where it was asked for. */
size_t pick_peers(const struct arguments *a, const struct plan *plan, struct run *run, bool scripts,
                  struct variant picked[MAX_VARIANTS], double *script_seconds);

/* Names of the peers, as far as they are wanted and there, that have the kernel. */
size_t pick_installed_peers(const struct arguments *a, const struct kernel *kernel,
                            const char *found[CURVE_MOST_PEERS]);

/* The user's data, or Fashion-MNIST; NULL (and a line in run->missing) where there is none. */
const struct source *pick_source(const struct arguments *a, struct source *source, struct run *run);

#endif
