/* gate_json.h - a gate's launches as JSON.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_GATE_JSON_H
#define MMK_BENCH_GATE_JSON_H

#include "../machine/machine.h"
#include "../timing/gate.h"

#include <stdio.h>

/* Writes all cases with the figures of their launches. False: it could not all be written. */
bool gate_json_write(FILE *file, const struct gate *gate, const struct machine *machine);

#endif
