/* crash.h - runs the checks in a child process, so that a crash costs one check and no more.
 * SPDX-License-Identifier: MIT
 *
 * A kernel that faults may do so on an OpenMP worker and leaves the runtime in no state to go on.
 * So the checks run in a child; its handler for SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT and
 * SIGALRM says what happened through shared memory and leaves; the parent counts the failure and
 * starts a child that goes on with the next check.
 */
#ifndef MMK_CRASH_H
#define MMK_CRASH_H

#include <stdbool.h>
#include <stddef.h>

/* Shared with the child: what is running, and how the last child ended. */
struct crash_note {
    size_t ordinal;   /* the check that runs: counted over the whole run, from 1 */
    bool running;     /* a kernel is being called */
    int signal;       /* what ended the child; 0: it came to the end */
    void *address;    /* the address that faulted */
    char where[256];  /* names kernel, variant, shape and seed */
    char again[4608]; /* the command that repeats it */
    size_t kernel;
    int variant;
};

/* Memory of bytes that parent and child share; all zero. Exits when there is none. */
void *crash_shared(size_t bytes);

/* Calls checks(context, first) in a child, again after each crash with first = the check after it.
 * Each crash is passed to crashed(). Returns false when a child ended for another reason. */
bool crash_run(struct crash_note *note, void (*checks)(void *context, size_t first),
               void (*crashed)(void *context), void *context);

#endif
