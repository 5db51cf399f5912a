/* state.h - what a call must leave as it was, beside memory.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_CHECK_STATE_H
#define MMK_CHECK_STATE_H

#include "../../kernels/call/fp_state.h"

#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

/* Of the calling thread and its process. */
struct state {
    struct fp_state fp; /* rounding, denormals, traps, and the flags of exceptions */
    sigset_t signals;   /* blocked */
    cpu_set_t cpus;     /* it may run on */
    int error;          /* errno */
    int descriptor;     /* the lowest that is not in use */
};

/* Sets a floating-point state that depends on `number`, the default one among them, or that alone
 * with keep_default, and an errno; reads all. */
void state_before(struct state *before, size_t number, bool keep_default);

/* Reads all again and sets the floating-point state and errno that a process starts with. True: how
 * says what has changed. Flags do not count with keep_default: such calls raise them. */
bool state_changed(const struct state *before, bool keep_default, char *how, size_t size);

#endif
