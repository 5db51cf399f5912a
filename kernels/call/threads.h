/* threads.h - how many threads a call may have, and how they share its work (internal).
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_THREADS_H
#define MMK_THREADS_H

#include "size.h"

#include <stddef.h>

/* At most `wanted`, as mmk.h tells it: 1 in a child that lost its parent's threads, else no more
 * than some for each CPU and than OpenMP's limit. Makes no thread. */
int threads_allowed(int wanted);

/* At most `wanted` > 1, as many as the system lets this thread have at once, itself counted. What
 * it does not let it have OpenMP does not return from: it ends the process. */
int threads_startable(int wanted);

/* body(context, worker, workers) by every worker of a team of at most `threads`, each in the
 * default floating-point state; returns when all have. One alone is no team: OpenMP would make
 * system calls even for it, which takes as long as a small call's whole work. */
void threads_run(int threads, void (*body)(void *context, size_t worker, size_t workers),
                 void *context);

/* Inside a body, by all of its workers: task(context, i) for each i < count, in order to whoever is
 * free. Which of them it was must not show; on a shared machine one may be held up. Does not wait
 * for the others. */
void threads_each(size_t workers, size_t count, void (*task)(void *context, size_t i),
                  void *context);

/* A barrier of the whole team. */
void threads_barrier(void);

/* The same inside a body, which may be run by one worker alone. */
static inline void threads_wait(size_t workers)
{
    if (workers > 1)
        threads_barrier();
}

/* The part [*begin, *end) of `count` that is this worker's. */
static inline void threads_share(size_t count, size_t worker, size_t workers, size_t *begin,
                                 size_t *end)
{
    size_t share = count / workers, left = count % workers;
    *begin = worker * share + size_min(worker, left);
    *end = *begin + share + (worker < left);
}

#endif
