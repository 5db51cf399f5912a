/* args.h - argument checks and call-wide memory shared by the drivers (internal).
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_ARGS_H
#define MMK_ARGS_H

#include "../mmk.h"

#include <omp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/* A rows x cols matrix with leading dimension ld: a pointer where there is something to point at,
 * rows that do not overlap, and a size that can be addressed. */
static inline enum mmk_status args_matrix(const void *data, size_t rows, size_t cols, size_t ld)
{
    if (rows == 0 || cols == 0)
        return MMK_OK;
    if (data == NULL)
        return MMK_ERR_NULL;
    if (ld < cols)
        return MMK_ERR_LEADING_DIMENSION;
    size_t floats;
    if (__builtin_mul_overflow(rows, ld, &floats) || floats > PTRDIFF_MAX / sizeof(float))
        return MMK_ERR_SIZE;
    return MMK_OK;
}

static inline enum mmk_status args_options(const struct mmk_options *options)
{
    if (options == NULL)
        return MMK_OK;
    if (options->threads < 0)
        return MMK_ERR_THREADS;
    if ((options->workspace == NULL) != (options->workspace_bytes == 0))
        return MMK_ERR_WORKSPACE;
    return MMK_OK;
}

/* The thread count that 0 stands for, but no more than there are tasks to share. */
static inline int args_threads(int threads, size_t tasks)
{
    int wanted = threads > 0 ? threads : omp_get_max_threads();
    return (size_t)wanted <= tasks ? wanted : tasks > 0 ? (int)tasks : 1;
}

/* The memory of one call, cut into pieces on cache lines. A driver lays its pieces out in one
 * function that runs twice: first on an empty scratch, which only adds up sizes, then on the memory
 * itself. */
struct scratch {
    char *base; /* NULL while measuring */
    size_t used;
    bool overflow;
    void *owned;
};

enum { SCRATCH_ALIGNMENT = 64 };

static inline void *scratch_take(struct scratch *scratch, size_t count, size_t size)
{
    size_t bytes, at = scratch->used;
    if (__builtin_mul_overflow(count, size, &bytes) ||
        __builtin_add_overflow(bytes, (size_t)SCRATCH_ALIGNMENT - 1, &bytes) ||
        __builtin_add_overflow(at, bytes & ~(size_t)(SCRATCH_ALIGNMENT - 1), &scratch->used) ||
        scratch->used > PTRDIFF_MAX - SCRATCH_ALIGNMENT)
        scratch->overflow = true;
    return scratch->base != NULL ? scratch->base + at : NULL;
}

/* What a caller must give so that scratch_open finds room at any alignment of the workspace. */
static inline size_t scratch_bytes(const struct scratch *measured)
{
    return measured->used + SCRATCH_ALIGNMENT;
}

/* Opens the memory for what was measured: the caller's workspace where it is large enough, else one
 * allocation. *spare is what the workspace has beyond it. */
static inline enum mmk_status scratch_open(struct scratch *scratch,
                                           const struct mmk_options *options, size_t *spare)
{
    if (scratch->overflow)
        return MMK_ERR_SIZE;
    size_t bytes = scratch_bytes(scratch);
    *spare = 0;
    if (options != NULL && options->workspace_bytes >= bytes) {
        scratch->base = options->workspace;
        *spare = options->workspace_bytes - bytes;
    } else {
        scratch->base = scratch->owned = malloc(bytes);
        if (scratch->base == NULL)
            return MMK_ERR_NO_MEMORY;
    }
    scratch->base += -(uintptr_t)scratch->base % SCRATCH_ALIGNMENT;
    scratch->used = 0;
    return MMK_OK;
}

static inline void scratch_close(struct scratch *scratch)
{
    free(scratch->owned);
}

#endif
