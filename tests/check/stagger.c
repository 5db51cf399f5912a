/* stagger.c - holds single workers of a call up, so that a barrier that is missing shows.
 * SPDX-License-Identifier: MIT
 */
#include "stagger.h"

#include "../../kernels/call/threads.h"

#include <omp.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

enum {
    HELD_PER_CALL = 6,
    ONE_IN = 4, /* of a worker's stages and tasks, so many pass for one at which it is held */
    NANOSECONDS = 200 * 1000
};

static atomic_int left; /* how often a worker may still be held up in this call */
static atomic_size_t seed_of_call;

void stagger_begin(size_t seed)
{
    atomic_store(&seed_of_call, seed);
    atomic_store(&left, HELD_PER_CALL);
}

void stagger_end(void)
{
    atomic_store(&left, 0);
}

static void may_be_held(void)
{
    static _Thread_local uint64_t stages; /* of this worker, in all calls */
    if (atomic_load_explicit(&left, memory_order_relaxed) <= 0)
        return;
    uint64_t hash = atomic_load_explicit(&seed_of_call, memory_order_relaxed) +
                    0x9e3779b97f4a7c15u * ++stages +
                    0xd6e8feb86659fd93u * (uint64_t)omp_get_thread_num();
    hash = (hash ^ (hash >> 32)) * 0xd6e8feb86659fd93u;
    if ((hash >> 32) % ONE_IN != 0 || atomic_fetch_sub(&left, 1) <= 0)
        return;
    struct timespec pause = {0, NANOSECONDS};
    (void)nanosleep(&pause, NULL);
}

/* ---- Before the functions of threads.h ------------------------------------------------------- */

extern __typeof__(threads_run) __real_threads_run, __wrap_threads_run;
extern __typeof__(threads_each) __real_threads_each, __wrap_threads_each;
extern __typeof__(threads_barrier) __real_threads_barrier, __wrap_threads_barrier;

struct body {
    void (*run)(void *context, size_t worker, size_t workers);
    void *context;
};

static void run_body(void *context, size_t worker, size_t workers)
{
    const struct body *body = context;
    may_be_held();
    body->run(body->context, worker, workers);
}

void __wrap_threads_run(int threads, void (*run)(void *context, size_t worker, size_t workers),
                        void *context)
{
    struct body body = {run, context};
    __real_threads_run(threads, run_body, &body);
}

struct task {
    void (*run)(void *context, size_t i);
    void *context;
};

static void run_task(void *context, size_t i)
{
    const struct task *task = context;
    may_be_held();
    task->run(task->context, i);
}

void __wrap_threads_each(size_t workers, size_t count, void (*run)(void *context, size_t i),
                         void *context)
{
    struct task task = {run, context};
    __real_threads_each(workers, count, run_task, &task);
}

void __wrap_threads_barrier(void)
{
    __real_threads_barrier();
    may_be_held();
}
