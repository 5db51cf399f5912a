/* products.c - dX = G Y and dY = G^T X, while G is made.
 * SPDX-License-Identifier: MIT
 *
 * G is made for one column of blocks and up to GRADIENT_ROWS rows at a time. Each block of it, just
 * made and in L2, adds G Y to its rows of dX; when the column is done, G^T X is added to its rows
 * of dY. Both products read G as it is (the register tile broadcasts single elements of its left
 * operand, so neither needs packing). A tile's chains end after SUM_CHAIN terms (blocks.h), when
 * the tile's result, in L1, is added to; after a SUM_BLOCK it joins a sum in double.
 *
 * A profiler finds nearly all of the backward's time in the tile's three products, the two here and
 * the logits', bound by the FMA ports. What the next tiles will read or add to is prefetched, as it
 * comes from L3. Kept E comes from memory, and is fetched during the products of the block before.
 * Joining in double is bound by its stores: 0.6 % of a product. Sums lie in whole register tiles
 * until they are finished (infonce_sums_at), G in stripes.
 */
#include "products.h"

#include "../call/threads.h"
#include "finish.h"
#include "kept.h"
#include "strip.h"

#include <string.h>

/* Rows of dY whose sums are kept in double: all of them, where more rows of G follow than exist at
 * once; else those of a task for each worker. */
static size_t sums_y_rows(const struct infonce *p)
{
    return p->m > GRADIENT_ROWS ? size_round_up(p->n, TILE_BLOCK_COLS)
                                : (size_t)p->threads * TILE_BLOCK_ROWS;
}

void infonce_layout_products(struct infonce *p, struct scratch *s)
{
    const size_t f = sizeof(float);
    size_t rows = size_round_up(size_min(p->m, GRADIENT_ROWS), TILE_BLOCK_ROWS);
    if (p->wanted.rows)
        p->products.columns_y =
            scratch_take(s, tile_packed_floats(size_min(p->n, TILE_BLOCK_COLS), p->d), f);
    if (p->wanted.rows || p->wanted.columns)
        p->products.tiles =
            scratch_take(s, tile_panel_floats(p->d, TILE_BLOCK_ROWS), (size_t)p->threads * f);
    if (p->wanted.rows && p->n > SUM_BLOCK)
        p->products.sums_x = scratch_take(s, tile_panel_floats(p->d, rows), sizeof(double));
    if (p->wanted.columns && p->m > SUM_BLOCK)
        p->products.sums_y =
            scratch_take(s, tile_panel_floats(p->d, sums_y_rows(p)), sizeof(double));
    p->products.g = scratch_take(s, rows, TILE_BLOCK_COLS * f);
}

/* Rows [first, first + rows) of a gradient whose sums over the negatives are complete, in tiles of
 * `count` rows: finished, where the positives' G is known; else they wait for it in the caller's
 * matrix. */
static void leave_tiles(const struct stage *s, bool of_x, const float *tiles, size_t count,
                        size_t first, size_t rows)
{
    const struct infonce *p = s->p;
    size_t nr = p->isa->tile->nr;
    for (size_t r = 0; r < rows; r++) {
        float *matrix = gradient_row(s, of_x, first + r);
        if (!p->gradient.late)
            infonce_finish_row(s, of_x, first + r, tiles + r * nr, count);
        else
            for (size_t k = 0; matrix != NULL && k < p->d; k += nr)
                memcpy(matrix + k, tiles + k * count + r * nr,
                       size_min(p->d - k, nr) * sizeof *matrix);
    }
}

/* What the worker's next block of G is made from, and where it goes: E, and its part of each
 * stripe. */
struct next_block {
    struct tile_fetch part[1 + TILE_BLOCK_COLS / TILE_LEAST_STRIPE];
    size_t count, floats;
};

static void next_part(struct next_block *next, const float *at, size_t floats)
{
    next->part[next->count++] = (struct tile_fetch){at, floats};
    next->floats += floats;
}

static struct next_block next_block(const struct stage *s, size_t row)
{
    size_t stripe = s->p->isa->tile->stripe;
    struct next_block next = {.count = 0};
    if (row >= s->super.rows)
        return next;
    size_t rows = size_min(s->super.rows - row, TILE_BLOCK_ROWS);
    const float *kept = infonce_kept_block(s->p, s->super.row + row, s->super.col);
    for (size_t col = 0; col < s->super.cols; col += stripe)
        next_part(&next, g_at(s, row, col), rows * stripe);
    if (kept != NULL)
        next_part(&next, kept, KEPT_BLOCK_FLOATS);
    return next;
}

static struct tile_ahead next_lines(struct next_block *next, size_t depth, const float *resident)
{
    while (next->count > 0 && next->part[next->count - 1].floats == 0)
        next->count--;
    if (next->count == 0)
        return (struct tile_ahead){resident, 0};
    return tile_fetch_some(&next->part[next->count - 1], depth, resident);
}

/* To bring `count` of the sums in double. */
static struct tile_fetch fetch_doubles(const double *sums, size_t at, size_t count)
{
    if (sums == NULL)
        return (struct tile_fetch){NULL, 0};
    return (struct tile_fetch){(const float *)(const void *)(sums + at),
                               count * (sizeof *sums / sizeof(float))};
}

/* dX of a block of rows: the rows of a panel of Y's columns that one chain takes, in L1, serve all
 * of the block's row panels. Meanwhile come the sums in double that the panel joins, and the next
 * block, late enough to be in L2 still when it is made. */
static void gradient_rows(const struct stage *s, size_t row)
{
    const struct infonce *p = s->p;
    const struct tile_ops *tile = p->isa->tile;
    size_t rows = size_min(s->super.rows - row, TILE_BLOCK_ROWS), cols = s->super.cols;
    bool joined = p->n > SUM_BLOCK, last = s->super.col + cols == p->n;
    double *sums = joined ? p->products.sums_x + infonce_sums_at(p, row) : NULL;
    struct next_block next = next_block(s, row + s->workers * TILE_BLOCK_ROWS);
    /* what the tiles of one panel can fetch, but for those that fetch B; one part is left over by
     * each stripe's end */
    size_t tiles = size_blocks(rows, tile->mr), of_b = size_blocks(tile->nr, TILE_LINE);
    size_t per_panel = tiles > of_b ? (tiles - of_b) * cols * TILE_LINE : 0;
    size_t of_sums = joined ? rows * tile->nr : 0;
    per_panel = per_panel > 2 * of_sums ? per_panel - 2 * of_sums : 1;
    size_t fetch_from = size_blocks(2 * next.floats, per_panel) * tile->nr; /* the end */
    const float *g = g_at(s, row, 0);
    for (size_t k = 0; k < p->d; k += tile->nr) {
        const float *b = p->products.columns_y + k * tile_column_rows(cols);
        const float *b_next =
            k + tile->nr < p->d ? b + tile->nr * tile_column_rows(cols) : p->products.columns_y;
        struct tile_fetch fetch_sums = fetch_doubles(sums, k * TILE_BLOCK_ROWS, of_sums);
        float *c = infonce_worker_tiles(s) + (last ? k * TILE_BLOCK_ROWS : 0);
        for (size_t j = 0; j < cols; j += SUM_CHAIN) {
            size_t depth = size_min(cols - j, SUM_CHAIN);
            for (size_t i = 0, part = 0; i < rows; i += tile->mr, part += TILE_LINE) {
                struct tile_ahead ahead = {b_next + part * cols + j * TILE_LINE, TILE_LINE};
                if (part >= tile->nr)
                    ahead = fetch_sums.floats != 0   ? tile_fetch_some(&fetch_sums, depth, b)
                            : p->d - k <= fetch_from ? next_lines(&next, depth, b)
                                                     : (struct tile_ahead){b, 0};
                tile->product_rows(size_min(rows - i, tile->mr), j, depth, g + i * tile->stripe,
                                   tile->stripe, s->stride, b + j * tile->nr, c + i * tile->nr,
                                   tile->nr, j == 0 ? 0 : TILE_ADD, ahead);
            }
        }
        if (joined)
            p->isa->infonce->join_blocks(rows * tile->nr, sums + k * TILE_BLOCK_ROWS, c,
                                         s->super.col == 0, last);
    }
    if (last)
        leave_tiles(s, true, infonce_worker_tiles(s), TILE_BLOCK_ROWS, s->super.row + row, rows);
}

/* Rows of dY that are one task: a few panels of mr, a divisor of TILE_BLOCK_COLS. */
static size_t gradient_columns_width(const struct tile_ops *tile)
{
    return 4 * tile->mr;
}

static double *sums_y(const struct stage *s, size_t first)
{
    const struct infonce *p = s->p;
    if (p->m <= SUM_BLOCK)
        return NULL;
    return p->products.sums_y + infonce_sums_at(p, p->m > GRADIENT_ROWS
                                                       ? s->super.col + first
                                                       : s->worker * TILE_BLOCK_ROWS);
}

/* The column panel of X from column k on, from a row of the super-block on. */
static const float *columns_of_x(const struct stage *s, size_t row, size_t k)
{
    const struct infonce *p = s->p;
    return p->packed.a + k * tile_column_rows(s->held.rows) +
           (s->super.row - s->held.row + row) * p->isa->tile->nr;
}

/* The rows of G and X that dY sums as one SUM_BLOCK, and the task's columns of G. */
struct sum_block {
    size_t row, rows, col, cols;
};

/* One panel of X's columns adds one SUM_BLOCK to its part of the task's rows of dY, c. The rows of
 * the panel that one chain takes, in L1, serve all of the task's panels of G. Meanwhile come the
 * next panel, the sums to join, and the next part of G line by line of its rows. */
static void gradient_columns_panel(const struct stage *s, const struct sum_block *block, size_t k,
                                   const float *b_next, const float *g_next,
                                   struct tile_fetch fetch_sums, float *c)
{
    const struct infonce *p = s->p;
    const struct tile_ops *tile = p->isa->tile;
    const float *b = columns_of_x(s, block->row, k);
    size_t tiles = size_blocks(block->cols, tile->mr), of_b = size_blocks(tile->nr, TILE_LINE);
    for (size_t r = 0; r < block->rows; r += SUM_CHAIN) {
        size_t depth = size_min(block->rows - r, SUM_CHAIN);
        const float *g = g_at(s, block->row + r, block->col); /* a task's are in one stripe */
        for (size_t t = 0, j = 0; t < tiles; t++, j += tile->mr) {
            struct tile_ahead ahead = {b_next + (t * block->rows + r) * TILE_LINE, TILE_LINE};
            if (t >= of_b) {
                size_t line = (k / tile->nr * (tiles - of_b) + t - of_b) * TILE_LINE;
                ahead = fetch_sums.floats != 0 ? tile_fetch_some(&fetch_sums, depth, b)
                                               : (struct tile_ahead){b, 0};
                if (line <= block->cols)
                    ahead = (struct tile_ahead){g_next + r * tile->stripe + line, tile->stripe};
            }
            tile->product_columns(size_min(block->cols - j, tile->mr), depth, g + j,
                                  b + r * tile->nr, c + j * tile->nr, tile->nr,
                                  r == 0 ? 0 : TILE_ADD, ahead);
        }
    }
}

/* dY of some columns of G. */
static void gradient_columns(const struct stage *s, size_t first)
{
    const struct infonce *p = s->p;
    const struct tile_ops *tile = p->isa->tile;
    size_t width = gradient_columns_width(tile), cols = size_min(s->super.cols - first, width);
    size_t rows = s->super.rows;
    double *sums = sums_y(s, first);
    bool all = s->super.row + rows == p->m;
    for (size_t row = 0; row < rows; row += SUM_BLOCK) {
        struct sum_block block = {row, size_min(rows - row, SUM_BLOCK), first, cols};
        size_t end = row + block.rows;
        bool last = all && end == rows;
        const float *g_next =
            end == rows ? g_at(s, 0, first + s->workers * width) : g_at(s, end, first);
        for (size_t k = 0; k < p->d; k += tile->nr) {
            const float *b_next =
                k + tile->nr < p->d ? columns_of_x(s, row, k + tile->nr) : columns_of_x(s, end, 0);
            float *c = infonce_worker_tiles(s) + (last ? k * width : 0);
            gradient_columns_panel(s, &block, k, b_next, g_next,
                                   fetch_doubles(sums, k * width, cols * tile->nr), c);
            if (sums != NULL)
                p->isa->infonce->join_blocks(cols * tile->nr, sums + k * width, c,
                                             s->super.row + row == 0, last);
        }
    }
    if (all)
        leave_tiles(s, false, infonce_worker_tiles(s), width, s->super.col + first, cols);
}

/* The column sums of the blocks of G, in their order. */
static void join_columns(const struct stage *s, size_t first, size_t count)
{
    const struct infonce *p = s->p;
    const struct gradient_state *g = &p->gradient;
    const struct {
        bool wanted;
        double *total;
        const float *part;
    } sums[] = {{g->late, g->col_e, g->part_e},
                {g->sums_g, g->col_g, g->part_g},
                {g->sums_gz, g->col_gz, g->part_gz}};
    for (size_t of = 0; of < sizeof sums / sizeof *sums; of++)
        for (size_t row = 0; sums[of].wanted && row < s->super.rows; row += TILE_BLOCK_ROWS)
            add_part(count, sums[of].total + s->super.col + first,
                     sums[of].part + row / TILE_BLOCK_ROWS * TILE_BLOCK_COLS + first,
                     s->super.row + row == 0);
}

static void rows_task(void *stage, size_t task)
{
    const struct stage *s = stage;
    infonce_gradient_block(s, task * TILE_BLOCK_ROWS);
    if (s->p->wanted.rows)
        gradient_rows(s, task * TILE_BLOCK_ROWS);
}

static void columns_task(void *stage, size_t task)
{
    const struct stage *s = stage;
    size_t width = gradient_columns_width(s->p->isa->tile), first = task * width;
    join_columns(s, first, size_min(s->super.cols - first, width));
    if (s->p->wanted.columns)
        gradient_columns(s, first);
}

/* One column of blocks, super: G, dX and dY. */
static void super_run(struct stage *s)
{
    threads_each(s->workers, size_blocks(s->super.rows, TILE_BLOCK_ROWS), rows_task, s);
    threads_wait(s->workers);
    threads_each(s->workers, size_blocks(s->super.cols, gradient_columns_width(s->p->isa->tile)),
                 columns_task, s);
    threads_wait(s->workers);
}

void infonce_run_stage(struct stage *s)
{
    const struct infonce *p = s->p;
    const struct tile_ops *tile = p->isa->tile;
    for (size_t held = 0, held_rows; held < p->m; held += held_rows) {
        held_rows = stretch_rows(p->m, HELD_ROWS, held);
        for (size_t row = 0; row < held_rows; row += s->super.rows) {
            s->super.row = held + row;
            s->super.rows = stretch_rows(held_rows, GRADIENT_ROWS, row);
            s->stride = size_round_up(s->super.rows, TILE_BLOCK_ROWS) * tile->stripe;
            for (size_t col = 0; col < p->n; col += TILE_BLOCK_COLS) {
                s->super.col = col;
                s->super.cols = size_min(p->n - col, TILE_BLOCK_COLS);
                if (p->wanted.rows)
                    tile_pack_columns(tile, &p->y, col, s->super.cols, p->d, p->products.columns_y,
                                      s->worker, s->workers);
                size_t held_col = col / HELD_COLS * HELD_COLS;
                struct region needed = {held, held_rows, held_col,
                                        size_min(p->n - held_col, HELD_COLS)};
                if (infonce_kept_block(p, s->super.row + s->super.rows - 1, col) == NULL)
                    infonce_hold(p, &s->operands, &s->held, &needed, s->worker, s->workers);
                else if (p->wanted.columns)
                    infonce_hold_rows(p, &s->operands, &s->held, &needed, s->worker, s->workers);
                threads_wait(s->workers);
                super_run(s);
            }
        }
    }
}
