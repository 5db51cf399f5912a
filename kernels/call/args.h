/* args.h - argument checks that the drivers share (internal).
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_ARGS_H
#define MMK_ARGS_H

#include "../mmk.h"

#include <omp.h>
#include <stdint.h>

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

#endif
