/* gate.h - whether this build is slower than a baseline binary: both run now, interleaved.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_GATE_H
#define MMK_BENCH_GATE_H

#include "plan.h"

#include <stdio.h>

enum gate_verdict { GATE_PASS = 0, GATE_REGRESSED = 1, GATE_INCONCLUSIVE = 2 };

/* A child's side: reads commands on stdin, answers on stdout. Returns the exit code.
 *     open <kernel> <shape> <threads> <variant> <seed>
 *         -> ready <calls> | none <why> | failed <why>
 *     sample <calls>                                    ->  <seconds a call> <0: good, else void>
 *     (end of input)                                    ->  exits
 * Older and newer builds must understand each other: add commands, never change these. */
int gate_serve(void);

/* Compares this program (argv0's file) with the baseline on the cases and variants, within about
 * `seconds`. Prints a row each and the verdict on out. */
enum gate_verdict gate_run(FILE *out, const char *baseline, const struct plan *plan,
                           const char *const *variants, size_t variant_count, double seconds,
                           uint64_t seed, char *error, size_t error_bytes);

/* What gate_run returns with an error: the baseline could not be run at all. */
#define GATE_ERROR ((enum gate_verdict)3)

#endif
