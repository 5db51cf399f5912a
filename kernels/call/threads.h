/* threads.h - how many threads a call may have (internal).
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_THREADS_H
#define MMK_THREADS_H

#include <stddef.h>

/* At most `wanted`, as mmk.h tells it: 1 in a child that lost its parent's threads, else no more
 * than some for each CPU and than OpenMP's limit. Makes no thread. */
int threads_allowed(int wanted);

/* At most `wanted` > 1, as many as the system lets this thread have at once, itself counted. What
 * it does not let it have OpenMP does not return from: it ends the process. */
int threads_startable(int wanted);

/* A barrier inside a parallel region, for a team of so many. One alone has nobody to wait for, and
 * libgomp's barrier makes a system call even then: in small calls that shows. So loops that are
 * shared out end without a barrier (nowait), and this stands behind them. */
static inline void threads_wait(size_t team)
{
    if (team > 1) {
#pragma omp barrier
    }
}

#endif
