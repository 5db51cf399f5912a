/* topk.h - inner loops of top-k, and their contract (internal).
 * SPDX-License-Identifier: MIT
 *
 *   topk.c          mmk_topk
 *   topk_stream.c   the running selection, built from the table, once for all ISAs
 *   topk_<isa>.c    the table
 *   order.h         the total order of scores as an integer
 *
 * How the first k of a row are found:
 *
 *   1. maxima     The row is cut into blocks of depth x lanes scores. A block's maxima are lanes
 *                 values, each the maximum of the depth scores that stand in the same lane:
 *
 *                     block    s0  s1  s2  s3 | s4  s5  s6  s7      (lanes 4, depth 2)
 *                     maxima   max(s0,s4)  max(s1,s5)  max(s2,s6)  max(s3,s7)
 *
 *   2. threshold  The k-th largest of all maxima is a lower bound of the k-th best score, because k
 *                 different scores reach it. With several maxima per wanted result only a few
 *                 more than k do. It need not be exact: a bisection over the bits counts.
 *   3. list       Blocks with a maximum that reaches the threshold; the others are left alone.
 *                 Where these are few, and full, they go through 1 to 3 again in smaller blocks.
 *   4. collect    Their scores that reach it go into the buffer, with their indices, in order.
 *   5. refine     A buffer that is full is cut back to about k, and the threshold rises.
 *   6. finish     At the end what is left is sorted as 64-bit keys: the total order is one compare.
 *
 * Branches depend on counts, hardly ever on a single score: rows are new each time, and a branch
 * predictor cannot learn them. With a small k what bounds it all is the read of the row in step 1;
 * the other steps grow with k.
 */
#ifndef MMK_TOPK_H
#define MMK_TOPK_H

#include "../mmk.h"

#include <stdbool.h>

/* Every loop may write to its outputs up to this many elements beyond those that it returns. */
enum { TOPK_PAD = 16 };

/* Greatest depth, and greatest number of scores in a block (depth x lanes). */
enum { TOPK_DEPTH_MAX = 16, TOPK_BLOCK_MAX = 256 };

/* A stretch of n scores in blocks, and which blocks to read. */
struct topk_blocks {
    size_t n;
    size_t depth;
    const float *scores;
    uint32_t first_index; /* of scores[0] */
    size_t listed;
    const uint32_t *list; /* block numbers, ascending */
};

struct topk_ops {
    size_t lanes;    /* elements of a vector, at most TOPK_PAD */
    size_t sort_max; /* longest input of sort(), a power of two; the radix sort does the others */

    /* maxima[b * lanes + l] = maximum of the scores of lane l in block b; NaN and scores that a
     * short last block lacks count as -Inf. depth is even. */
    void (*maxima)(size_t n, const float *scores, size_t depth, float *maxima);

    /* The same of n maxima, a multiple of lanes, each from another lane: what comes again every
     * lanes-th score is not all in one maximum. */
    void (*fold)(size_t n, const float *maxima, size_t depth, float *folded);

    /* Least and greatest of n values, NaN left out; +Inf and -Inf when there is none. */
    void (*range)(size_t n, const float *values, float *least, float *greatest);

    /* The same of the values > above and < below. */
    void (*between)(size_t n, const float *values, float above, float below, float *least,
                    float *greatest);

    /* How many of n values are >= at_least (a NaN on either side is not). */
    size_t (*count)(size_t n, const float *values, float at_least);

    /* Writes the numbers of the blocks that have a maximum >= at_least; returns how many. */
    size_t (*list)(size_t blocks, const float *maxima, float at_least, uint32_t *list);

    /* Appends the scores >= at_least of the listed blocks from number *next on, with their indices;
     * returns how many. Stops before a block that might not fit into room; *next says where. */
    size_t (*collect)(const struct topk_blocks *blocks, float at_least, size_t *next, float *values,
                      uint32_t *indices, size_t room);

    /* Keeps the values >= at_least with their indices, in order, in place; returns how many. */
    size_t (*compact)(size_t n, float *values, uint32_t *indices, float at_least);

    /* keys[i] = order of the value in the high half (topk_order of order.h), ~index in the low
     * half: the greater key comes first. Returns whether a value is -0, which the order does not
     * tell from +0. */
    bool (*pack)(size_t n, const float *values, const uint32_t *indices, uint64_t *keys);

    /* Sorts n <= sort_max keys, greatest first, and returns where they stand: at keys or behind
     * them. keys has room for twice the next power of two, or 32. */
    uint64_t *(*sort)(size_t n, uint64_t *keys);

    /* The reverse of pack; either output may be NULL. NaN comes out as 0x7fc00000, -0 as +0. Writes
     * exactly n elements. */
    void (*unpack)(size_t n, const uint64_t *keys, float *values, uint32_t *indices);
};

extern const struct topk_ops topk_ops_scalar;
extern const struct topk_ops topk_ops_avx2;
extern const struct topk_ops topk_ops_avx512;
extern const struct topk_ops topk_ops_neon;

#endif
