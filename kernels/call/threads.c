/* threads.c - how many threads a call may have: forks, CPUs, and what the system refuses; and how
 * they share its work.
 * SPDX-License-Identifier: MIT
 */
#include "threads.h"

#include "fp_state.h"

#include <errno.h>
#include <ctype.h>
#include <omp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef __has_include
#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#define HAVE_SINGLE_THREADED 1
#endif
#endif

/* ---- Forks ----------------------------------------------------------------------------------- */

/* fork() copies the thread that calls it and no other. OpenMP's pool is copied as if its threads
 * were there, and the child would wait for them for ever. Whose OpenMP it was, ours or that of
 * another library, cannot be asked; that there were threads can. */
static atomic_bool used;                /* a call of ours had threads */
static _Thread_local bool lost_by_fork; /* what the child of this thread's fork will lose */
static bool lost;                       /* this process is such a child, or a child of one */

static void before_fork(void)
{
    lost_by_fork = atomic_load_explicit(&used, memory_order_relaxed);
#ifdef HAVE_SINGLE_THREADED
    lost_by_fork = lost_by_fork || !__libc_single_threaded;
#endif
}

/* The child has one thread now, so that a plain variable will do. */
static void in_child(void)
{
    lost = lost || lost_by_fork;
}

/* When the library is loaded, since the first fork may come before the first call. Where it fails
 * for want of memory, forks go unseen. */
__attribute__((constructor)) static void watch_forks(void)
{
    (void)pthread_atfork(before_fork, NULL, in_child);
}

/* ---- The most -------------------------------------------------------------------------------- */

enum { MOST_LEAST = 16, MOST_PER_CPU = 4 };

static int most(void)
{
    /* 0: not asked yet. sysconf reads a file each time. */
    static atomic_int known;
    int threads = atomic_load_explicit(&known, memory_order_relaxed);
    if (threads == 0) {
        int error = errno;
        long cpus = sysconf(_SC_NPROCESSORS_ONLN);
        errno = error;
        threads = cpus > MOST_LEAST / MOST_PER_CPU && cpus < 1 << 20 ? MOST_PER_CPU * (int)cpus
                                                                     : MOST_LEAST;
        atomic_store_explicit(&known, threads, memory_order_relaxed);
    }
    return threads;
}

int threads_allowed(int wanted)
{
    if (wanted <= 1 || lost)
        return 1;
    int limit = omp_get_thread_limit();
    if (wanted > limit && limit > 0)
        wanted = limit;
    return wanted < most() ? wanted : most();
}

/* ---- What the system refuses ----------------------------------------------------------------- */

/* Lives until whoever holds the lock lets go of it. */
static void *wait_for(void *lock)
{
    pthread_mutex_lock(lock);
    pthread_mutex_unlock(lock);
    return NULL;
}

/* The stack of OpenMP's threads that the environment asks for, in bytes: a number of kilobytes, or
 * one with B, K, M or G behind it. 0: none is asked for, or nothing that can be had. */
static size_t stack_asked(void)
{
    static const char units[] = "bkmg";
    const char *text = getenv("OMP_STACKSIZE");
    if (text == NULL || *text == '\0')
        text = getenv("GOMP_STACKSIZE"); /* libgomp's older name */
    if (text == NULL)
        return 0;
    char *end;
    unsigned long long count = strtoull(text, &end, 10);
    if (end == text)
        return 0;
    end += strspn(end, " \t");
    const char *unit = *end == '\0' ? units + 1 : strchr(units, tolower((unsigned char)*end));
    if (unit == NULL || count > SIZE_MAX >> 10 * (unit - units))
        return 0;
    return (size_t)count << 10 * (unit - units);
}

/* Makes up to `count` threads that live at the same time, ends them, and says how many they were.
 * The limits (of processes, of a control group, of address space) have no common place to be read
 * from, nor is what counts against them known: trying is the one way to ask. */
static int try_threads(int count)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_t *threads = malloc((size_t)count * sizeof *threads);
    pthread_attr_t attributes;
    size_t stack = stack_asked();
    int made = 0;
    if (threads == NULL || pthread_attr_init(&attributes) != 0) {
        free(threads);
        return 0;
    }
    if (stack > 0) /* one that is too small is not taken, here and there */
        (void)pthread_attr_setstacksize(&attributes, stack);
    pthread_mutex_lock(&lock);
    while (made < count && pthread_create(&threads[made], &attributes, wait_for, &lock) == 0)
        made++;
    pthread_attr_destroy(&attributes);
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < made; i++)
        pthread_join(threads[i], NULL);
    free(threads);
    return made;
}

int threads_startable(int wanted)
{
    /* OpenMP keeps a pool for each thread that calls it: so many it has been let have. What it lets
     * go of in between is not tried again, as that would double the cost of making it anew. */
    static _Thread_local int had = 1;
    if (wanted > had && omp_get_active_level() < omp_get_max_active_levels()) {
        int error = errno, made = 1 + try_threads(wanted - 1);
        errno = error;
        had = made > had ? made : had;
        wanted = made;
    }
    if (wanted > 1)
        atomic_store_explicit(&used, true, memory_order_relaxed);
    return wanted;
}

/* ---- Work ------------------------------------------------------------------------------------ */

void threads_run(int threads, void (*body)(void *context, size_t worker, size_t workers),
                 void *context)
{
    if (threads <= 1) { /* the caller's state is the default already */
        body(context, 0, 1);
        return;
    }
    int error = errno; /* OpenMP's waiting sets it */
#pragma omp parallel num_threads(threads)
    {
        FP_STATE_DEFAULT();
        body(context, (size_t)omp_get_thread_num(), (size_t)omp_get_num_threads());
    }
    errno = error;
}

void threads_each(size_t workers, size_t count, void (*task)(void *context, size_t i),
                  void *context)
{
    if (workers == 1) {
        for (size_t i = 0; i < count; i++)
            task(context, i);
        return;
    }
#pragma omp for schedule(monotonic : dynamic, 1) nowait
    for (size_t i = 0; i < count; i++)
        task(context, i);
}

void threads_barrier(void)
{
#pragma omp barrier
}
