/* gate_mode.h - --gate: on which cases and variants two builds are compared.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_GATE_MODE_H
#define MMK_BENCH_GATE_MODE_H

#include "options.h"

/* Compares with the program of --gate. Returns the exit status, an enum gate_verdict. */
int gate_mode_run(const struct arguments *a);

#endif
