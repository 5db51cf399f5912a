/* scratch.h - the memory of one call: the caller's workspace, or one allocation (internal).
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_SCRATCH_H
#define MMK_SCRATCH_H

#include "args.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

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

/* With ASan there is a gap behind each piece that nobody may touch: else one piece could run into
 * the next unseen. */
#ifdef __SANITIZE_ADDRESS__
#define SCRATCH_HAS_GAPS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SCRATCH_HAS_GAPS 1
#endif
#endif
#ifdef SCRATCH_HAS_GAPS
#include <sanitizer/asan_interface.h>
enum { SCRATCH_GAP = 2 * SCRATCH_ALIGNMENT };
#define SCRATCH_CLOSE_GAP(gap)         ASAN_POISON_MEMORY_REGION(gap, SCRATCH_GAP)
#define SCRATCH_OPEN_GAPS(base, bytes) ASAN_UNPOISON_MEMORY_REGION(base, bytes)
#else
enum { SCRATCH_GAP = 0 };
#define SCRATCH_CLOSE_GAP(gap)         ((void)(gap))
#define SCRATCH_OPEN_GAPS(base, bytes) ((void)(base), (void)(bytes))
#endif

static inline void *scratch_take(struct scratch *scratch, size_t count, size_t size)
{
    size_t bytes, at = scratch->used;
    if (__builtin_mul_overflow(count, size, &bytes) ||
        __builtin_add_overflow(bytes, (size_t)SCRATCH_GAP + SCRATCH_ALIGNMENT - 1, &bytes) ||
        __builtin_add_overflow(at, bytes & ~(size_t)(SCRATCH_ALIGNMENT - 1), &scratch->used) ||
        scratch->used > PTRDIFF_MAX - SCRATCH_ALIGNMENT)
        scratch->overflow = true;
    if (scratch->base == NULL)
        return NULL;
    SCRATCH_CLOSE_GAP(scratch->base + scratch->used - SCRATCH_GAP);
    return scratch->base + at;
}

/* What a caller must give so that scratch_open finds room at any alignment of the workspace. */
static inline size_t scratch_bytes(const struct scratch *measured)
{
    return measured->used + SCRATCH_ALIGNMENT;
}

/* Whether what was measured can be addressed. */
static inline enum mmk_status scratch_check(const struct scratch *measured)
{
    return measured->overflow
               ? args_error(MMK_ERR_SIZE, "the memory that a call of this size takes cannot be "
                                          "addressed")
               : MMK_OK;
}

/* Answers a query of workspace bytes from what was measured; `kept` bytes more save time. Who
 * cannot have these can still call: only what is needed must be addressable. */
static inline enum mmk_status scratch_answer(const struct scratch *measured, size_t kept,
                                             const struct mmk_options *options)
{
    enum mmk_status status = scratch_check(measured);
    if (status != MMK_OK)
        return status;
    size_t least = scratch_bytes(measured);
    *options->query =
        (struct mmk_workspace_bytes){least, kept < PTRDIFF_MAX - least ? least + kept : SIZE_MAX};
    return MMK_OK;
}

/* Opens the memory for what was measured: the caller's workspace where it is large enough, else one
 * allocation. *spare is what the workspace has beyond it. */
static inline enum mmk_status scratch_open(struct scratch *scratch,
                                           const struct mmk_options *options, size_t *spare)
{
    enum mmk_status status = scratch_check(scratch);
    if (status != MMK_OK)
        return status;
    size_t bytes = scratch_bytes(scratch);
    *spare = 0;
    if (options != NULL && options->workspace_bytes >= bytes) {
        scratch->base = options->workspace;
        *spare = options->workspace_bytes - bytes;
    } else {
        scratch->base = scratch->owned = malloc(bytes);
        if (scratch->base == NULL)
            return args_error(MMK_ERR_NO_MEMORY,
                              "%zu bytes of working memory could not be allocated", bytes);
    }
    scratch->base += -(uintptr_t)scratch->base % SCRATCH_ALIGNMENT;
    scratch->used = 0;
    return MMK_OK;
}

static inline void scratch_close(struct scratch *scratch)
{
    if (scratch->base != NULL)
        SCRATCH_OPEN_GAPS(scratch->base, scratch->used);
    free(scratch->owned);
}

#endif
