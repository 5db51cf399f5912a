/* script.h - peers that are Python scripts, each run as a child process.
 * SPDX-License-Identifier: MIT
 *
 * The script lies in bench/peers/adapters/, and beside the shared objects once it is built. Its
 * orders are one line each, and so are its answers; a trial's data goes through memory that both
 * map:
 *     (when it has started)              ->  hello VERSION; KERNEL
 *     prepare NAME=VALUE...              ->  ready
 *     run WARM_UP CALLS CPU              ->  done SECONDS CPU_SECONDS SWITCHES
 *     outputs                            ->  done
 * or, to any of them, "error" and why. prepare names kernel, the sizes m n d k, similarity,
 * logit_scale, weight_x, weight_y, offset, threads, the file that is to be mapped, and every
 * argument as ROWSxCOLUMNS: their floats lie in the file one after the other, in that order. run is
 * bound to one CPU, or with -1 to none. outputs makes one call and writes the outputs into the
 * file. While it waits for an order it must not be busy: something else is being timed.
 */
#ifndef MMK_BENCH_SCRIPT_H
#define MMK_BENCH_SCRIPT_H

#include "peer.h"

extern struct peer script_pytorch, script_pytorch_tuned;

/* Whether there is a Python that has the module which the script needs. False: error says what is
 * missing. */
bool script_find(struct peer *peer, char *error, size_t error_bytes);

/* The python3 that has the module; NULL: there is none. */
const char *script_python(const char *module);

/* The answer to an order without its first word, where that is `expected`; else NULL, and error is
 * what came instead. */
const char *script_judge(const char *expected, bool answered, const char *answer, char *error,
                         size_t error_bytes);

#endif
