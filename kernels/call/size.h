/* size.h - arithmetic of sizes and counts (internal).
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_SIZE_H
#define MMK_SIZE_H

#include <stddef.h>

static inline size_t size_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t size_max(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Blocks of `block` that hold `count`; the last may be smaller. */
static inline size_t size_blocks(size_t count, size_t block)
{
    return (count + block - 1) / block;
}

static inline size_t size_round_up(size_t count, size_t to)
{
    return (count + to - 1) / to * to;
}

#endif
