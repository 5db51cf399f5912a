/* stagger.c - holds single workers of a call up, so that a barrier that is missing shows.
 * SPDX-License-Identifier: MIT
 */
#include "stagger.h"

#include "../../kernels/call/threads.h"
#include "../../kernels/tile/tile.h"

#include <omp.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

enum {
    HELD_PER_CALL = 6, /* between tasks, and half as often inside them */
    ONE_IN = 4,        /* of a worker's stages, so many pass for one at which it is held */
    NANOSECONDS = 200 * 1000
};

/* How often workers may still be held up in this call, between tasks and inside them. */
static atomic_int left_between, left_inside;
static atomic_size_t seed_of_call;

void stagger_begin(size_t seed)
{
    atomic_store(&seed_of_call, seed);
    atomic_store(&left_between, HELD_PER_CALL);
    atomic_store(&left_inside, HELD_PER_CALL / 2);
}

void stagger_end(void)
{
    atomic_store(&left_between, 0);
    atomic_store(&left_inside, 0);
}

static void may_be_held(atomic_int *left)
{
    static _Thread_local uint64_t stages; /* of this worker, in all calls */
    if (atomic_load_explicit(left, memory_order_relaxed) <= 0)
        return;
    uint64_t hash = atomic_load_explicit(&seed_of_call, memory_order_relaxed) +
                    0x9e3779b97f4a7c15u * ++stages +
                    0xd6e8feb86659fd93u * (uint64_t)omp_get_thread_num();
    hash = (hash ^ (hash >> 32)) * 0xd6e8feb86659fd93u;
    if ((hash >> 32) % ONE_IN != 0 || atomic_fetch_sub(left, 1) <= 0)
        return;
    struct timespec pause = {0, NANOSECONDS};
    (void)nanosleep(&pause, NULL);
}

/* ---- Before functions of threads.h and tile.h ------------------------------------------------ */

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
    may_be_held(&left_between);
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
    may_be_held(&left_between);
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
    may_be_held(&left_between);
}

/* Inside most tasks, where a worker has something in memory that nobody else may write. */
extern __typeof__(tile_multiply) __real_tile_multiply, __wrap_tile_multiply;

void __wrap_tile_multiply(const struct tile_ops *ops, size_t d, const float *columns_a,
                          size_t rows_a, size_t row, size_t rows, const float *packed_b,
                          size_t packed_cols, size_t col, size_t cols, size_t next_col, float *c,
                          size_t ldc, unsigned flags, struct tile_fetch fetch)
{
    may_be_held(&left_inside);
    __real_tile_multiply(ops, d, columns_a, rows_a, row, rows, packed_b, packed_cols, col, cols,
                         next_col, c, ldc, flags, fetch);
}
