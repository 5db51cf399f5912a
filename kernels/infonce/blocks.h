/* blocks.h - how the logits are cut, and the order in which sums are joined (internal).
 * SPDX-License-Identifier: MIT
 *
 * The m x n logits are walked in blocks of TILE_BLOCK_ROWS x TILE_BLOCK_COLS, the tasks that
 * threads share, and each block in strips of INFONCE_STRIP columns. Rows of X and Y are packed for
 * many blocks at once (HELD_ROWS, HELD_COLS).
 *
 * Sums over the batch, so that their error does not grow with it and nothing of threads or of what
 * is held at once shows in the bits:
 *   exponentials and G   float for few terms within a block (infonce.h), then double, in order
 *   dX, dY               chains of SUM_CHAIN terms, each from 0; those of a SUM_BLOCK added up in
 *                        float, in order; SUM_BLOCKs joined in double, in order. Chains and blocks
 *                        are counted from row 0 of what is summed over. A sum of one SUM_BLOCK is
 *                        never in double
 *   positives            last; in the chains where a row or column has several
 */
#ifndef MMK_INFONCE_BLOCKS_H
#define MMK_INFONCE_BLOCKS_H

#include "../call/size.h"
#include "infonce.h"

#include <stdbool.h>

enum {
    /* Y is packed again for every HELD_ROWS rows of X, at some 30 rows' worth of work: many rows.
     * The backward keeps G of one column of blocks, which should stay in L3. */
    HELD_ROW_BLOCKS = 56,
    HELD_COL_BLOCKS = 2,
    GRADIENT_ROW_BLOCKS = 32,
    /* Products and exponentials of a strip go together where there are this many rows, for at the
     * beginning and at the end there is only one of them: twice exp_product_rows at the least, so
     * that the rows that wait are not written. No deeper than this (and than TILE_DEPTH, for a
     * product comes in one piece): deeper, fewer rows at a time cost more than the exponentials
     * are, 1 % at 768. And no flatter: then most exponentials would come after the product. */
    EXP_PRODUCT_LEAST_ROWS = 72,
    EXP_PRODUCT_DEPTH = 512,
    EXP_PRODUCT_LEAST_DEPTH = 32,
    /* Nor with more positives in a strip, which are sorted by its parts. */
    EXP_PRODUCT_PLACES_A_ROW = 2,
    /* Of 672 / 4 = 168 terms, the next multiple of 16, which product_rows wants. */
    SUM_CHAIN = 176,
    SUM_BLOCK = TILE_BLOCK_COLS,
    HELD_ROWS = HELD_ROW_BLOCKS * TILE_BLOCK_ROWS,
    HELD_COLS = HELD_COL_BLOCKS * TILE_BLOCK_COLS,
    GRADIENT_ROWS = GRADIENT_ROW_BLOCKS * TILE_BLOCK_ROWS,
    STRIP_FLOATS = TILE_BLOCK_ROWS * INFONCE_STRIP,
    LANE_FLOATS = TILE_BLOCK_ROWS * INFONCE_LANES,
    /* E of a block as it is kept: its strips, one after the other */
    KEPT_BLOCK_FLOATS = TILE_BLOCK_ROWS * TILE_BLOCK_COLS
};

/* A part of the logits. */
struct region {
    size_t row, rows, col, cols;
};

/* sum += part, or sum = part where it is the first. */
static inline void add_part(size_t count, double *sum, const float *part, bool first)
{
    for (size_t i = 0; i < count; i++)
        sum[i] = first ? (double)part[i] : sum[i] + (double)part[i];
}

/* The same of parts that are in double. */
static inline void join_sums(size_t count, double *sum, const double *part, bool first)
{
    for (size_t i = 0; i < count; i++)
        sum[i] = first ? part[i] : sum[i] + part[i];
}

/* Rows of the stretch that begins at `row`, of `count` rows cut into as few stretches of at most
 * `most` as there can be: whole SUM_BLOCKs, as many in each but for one, and what is left. */
static inline size_t stretch_rows(size_t count, size_t most, size_t row)
{
    size_t blocks = size_blocks(count, SUM_BLOCK), parts = size_blocks(count, most);
    size_t number = size_blocks(row / SUM_BLOCK * parts, blocks);
    return size_min((number + 1) * blocks / parts * SUM_BLOCK, count) - row;
}

/* The task-th block of a region, column block after column block of the same rows. */
static inline struct region region_block(const struct region *all, size_t task)
{
    size_t col_blocks = size_blocks(all->cols, TILE_BLOCK_COLS);
    size_t row = task / col_blocks * TILE_BLOCK_ROWS, col = task % col_blocks * TILE_BLOCK_COLS;
    return (struct region){all->row + row, size_min(all->rows - row, TILE_BLOCK_ROWS),
                           all->col + col, size_min(all->cols - col, TILE_BLOCK_COLS)};
}

static inline size_t region_blocks(const struct region *all)
{
    return size_blocks(all->rows, TILE_BLOCK_ROWS) * size_blocks(all->cols, TILE_BLOCK_COLS);
}

#endif
