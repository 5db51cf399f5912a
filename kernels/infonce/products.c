/* products.c - dX = G Y and dY = G^T X, while G is made.
 * SPDX-License-Identifier: MIT
 *
 * G is made for one column of blocks and up to GRADIENT_ROWS rows at a time. Each block of it, just
 * made and in L2, adds G Y to its rows of dX; when the column is done, G^T X is added to its rows
 * of dY. Both products read G as it is (the register tile broadcasts single elements of its left
 * operand, so neither needs packing), and each element of a gradient is one chain over its
 * contraction index in order, so that nothing of the blocking shows in the bits.
 *
 * A profiler finds nearly all of the backward's time in the tile's three products, the two here and
 * the logits', bound by the FMA ports. What the next tiles will read or add to is prefetched: it
 * comes from L3, and a tile starts with the loads of its result. Kept E comes from memory, and is
 * fetched during the products of the block before. Gradients lie in whole register tiles until they
 * are finished (result_tile), G in stripes.
 */
#include "products.h"

#include "finish.h"
#include "strip.h"

#include <string.h>

/* Contraction depth of a step of dY: so many rows of X in column panels (600 KB) stay in L2. */
enum { COLUMN_PANEL_FLOATS = 150 * 1024 };

void infonce_layout_products(struct infonce *p, struct scratch *s)
{
    const size_t f = sizeof(float);
    size_t rows = size_round_up(size_min(p->m, GRADIENT_ROWS), TILE_BLOCK_ROWS);
    size_t by_rows = p->wanted.rows ? f : 0, by_columns = p->wanted.columns ? f : 0;
    p->products.columns_x = scratch_take(s, tile_packed_floats(rows, p->d), by_columns);
    p->products.columns_y =
        scratch_take(s, tile_packed_floats(size_min(p->n, TILE_BLOCK_COLS), p->d), by_rows);
    p->products.tiles_x = scratch_take(s, tile_packed_floats(rows, p->d), by_rows);
    p->products.tiles_y = scratch_take(s, tile_packed_floats(TILE_BLOCK_COLS, p->d), by_columns);
    p->products.g = scratch_take(s, rows, TILE_BLOCK_COLS * f);
    if (p->wanted.stand_in_rows)
        p->products.stand_in_x = scratch_take(s, p->m, p->d * f);
    if (p->wanted.stand_in_columns)
        p->products.stand_in_y = scratch_take(s, p->n, p->d * f);
}

/* While they are added to, gradients lie in whole register tiles, one after the other as they are
 * come to: rows of the caller's matrix, often a power of two apart, would share a few cache sets
 * and use a page for each line. Here: tiles of `count` rows, for one panel of columns after the
 * other. */
static float *result_tile(const struct infonce *p, float *tiles, size_t count, size_t row, size_t k)
{
    const struct tile_ops *tile = p->isa->tile;
    return tiles + row / count * count * size_round_up(p->d, tile->nr) + k * count +
           row % count * tile->nr;
}

/* Rows [row, row + rows) from their tiles to the gradient's rows from `first` + row on, or back. */
static void copy_result(const struct stage *s, bool of_x, size_t first, float *tiles, size_t count,
                        size_t row, size_t rows, bool to_matrix)
{
    const struct infonce *p = s->p;
    size_t nr = p->isa->tile->nr;
    for (size_t r = row; r < row + rows; r++) {
        float *matrix = gradient_row(s, of_x, first + r);
        for (size_t k = 0; matrix != NULL && k < p->d; k += nr) {
            size_t bytes = size_min(p->d - k, nr) * sizeof(float);
            float *in_tile = result_tile(p, tiles, count, r, k), *out = matrix + k;
            memcpy(to_matrix ? out : in_tile, to_matrix ? in_tile : out, bytes);
        }
    }
}

/* Rows of a gradient whose sums are complete, from their tiles: finished, where the sums over the
 * negatives are known from the forward; else they wait for those in the caller's matrix. */
static void leave_tiles(const struct stage *s, bool of_x, float *tiles, size_t count, size_t row,
                        size_t rows)
{
    size_t first = of_x ? s->super.row : s->super.col;
    if (s->p->gradient.late)
        copy_result(s, of_x, first, tiles, count, row, rows, true);
    else
        for (size_t r = row; r < row + rows; r++)
            infonce_finish_row(s, of_x, first + r, result_tile(s->p, tiles, count, r, 0), count);
}

/* The tile that is come to next. */
static void fetch_tile(const struct tile_ops *tile, const float *c)
{
    for (size_t e = 0; e < tile->mr * tile->nr; e += TILE_LINE)
        __builtin_prefetch(c + e, 1);
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
    const float *kept = kept_block(s->p, s->super.row + row, s->super.col);
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

/* dX of a block of rows: a panel of Y's columns in L2 serves all of the block's row panels.
 * Meanwhile the next block comes, late enough to be in L2 still when it is made. */
static void gradient_rows(const struct stage *s, size_t row)
{
    const struct infonce *p = s->p;
    const struct tile_ops *tile = p->isa->tile;
    size_t rows = size_min(s->super.rows - row, TILE_BLOCK_ROWS), cols = s->super.cols;
    struct next_block next = next_block(s, row + s->workers * TILE_BLOCK_ROWS);
    /* what the tiles of one panel can fetch, but for those that fetch B; one part is left over by
     * each stripe's end */
    size_t tiles = size_blocks(rows, tile->mr), of_b = size_blocks(tile->nr, TILE_LINE);
    size_t per_panel = tiles > of_b ? (tiles - of_b) * cols * TILE_LINE : 1;
    size_t late = size_blocks(2 * next.floats, per_panel) * tile->nr;
    unsigned flags = s->super.col == 0 ? 0 : TILE_ACCUMULATE;
    for (size_t k = 0; k < p->d; k += tile->nr) {
        const float *b = p->products.columns_y + k * tile_column_rows(cols);
        const float *b_next =
            k + tile->nr < p->d ? b + tile->nr * tile_column_rows(cols) : p->products.columns_y;
        for (size_t i = 0; i < rows; i += tile->mr) {
            float *c = result_tile(p, p->products.tiles_x, TILE_BLOCK_ROWS, row + i, k);
            size_t part = i / tile->mr * TILE_LINE;
            struct tile_ahead ahead = {b_next + part * cols, TILE_LINE};
            if (part >= tile->nr)
                ahead = p->d - k <= late ? next_lines(&next, cols, b) : (struct tile_ahead){b, 0};
            if (flags & TILE_ACCUMULATE)
                fetch_tile(tile, c + tile->mr * tile->nr);
            tile->product_rows(size_min(rows - i, tile->mr), cols, g_at(s, row + i, 0), s->stride,
                               b, c, tile->nr, flags, ahead);
        }
    }
}

/* Rows of dY that are one task: a few panels of mr. */
static size_t gradient_columns_width(const struct tile_ops *tile)
{
    return 4 * tile->mr;
}

/* dY of some columns of G: a panel of X's columns in L1 serves all of their panels. Meanwhile comes
 * the next part of G, line by line of its rows. */
static void gradient_columns(const struct stage *s, size_t first)
{
    const struct infonce *p = s->p;
    const struct tile_ops *tile = p->isa->tile;
    size_t width = gradient_columns_width(tile), end = size_min(s->super.cols, first + width);
    size_t rows = s->super.rows;
    size_t step = COLUMN_PANEL_FLOATS / (p->d + 1) / TILE_BLOCK_ROWS * TILE_BLOCK_ROWS;
    step = step < TILE_BLOCK_ROWS ? TILE_BLOCK_ROWS : step;
    if (s->super.row != 0)
        copy_result(s, false, s->super.col, p->products.tiles_y, width, first, end - first, false);
    for (size_t row = 0; row < rows; row += step) {
        size_t depth = size_min(rows - row, step);
        bool last = row + depth == rows;
        const float *g_next =
            last ? g_at(s, 0, first + s->workers * width) : g_at(s, row + depth, first);
        size_t line = 0;
        unsigned flags = s->super.row + row == 0 ? 0 : TILE_ACCUMULATE;
        for (size_t k = 0; k < p->d; k += tile->nr) {
            const float *b = p->products.columns_x + k * tile_column_rows(rows) + row * tile->nr;
            const float *b_next = k + tile->nr < p->d
                                      ? b + tile->nr * tile_column_rows(rows)
                                      : p->products.columns_x + (row + depth) * tile->nr;
            for (size_t j = first; j < end; j += tile->mr) {
                float *c = result_tile(p, p->products.tiles_y, width, j, k);
                size_t part = (j - first) / tile->mr * TILE_LINE;
                struct tile_ahead ahead = {b_next + part * depth, TILE_LINE};
                if (part >= tile->nr) {
                    ahead = (struct tile_ahead){b, 0};
                    if (line <= width)
                        ahead = (struct tile_ahead){g_next + line, tile->stripe};
                    line += TILE_LINE;
                }
                if (flags & TILE_ACCUMULATE)
                    fetch_tile(tile, c + tile->mr * tile->nr);
                tile->product_columns(size_min(end - j, tile->mr), depth, g_at(s, row, j), b, c,
                                      tile->nr, flags, ahead);
            }
        }
    }
    if (s->super.row + rows == p->m)
        leave_tiles(s, false, p->products.tiles_y, width, first, end - first);
    else
        copy_result(s, false, s->super.col, p->products.tiles_y, width, first, end - first, true);
}

/* The column sums of the blocks of G, in their order. */
static void join_columns(const struct stage *s, size_t first, size_t count)
{
    const struct infonce *p = s->p;
    for (int of_g = 0; of_g < 2; of_g++) {
        float *total = (of_g ? p->gradient.col_g : p->gradient.col_e) + s->super.col + first;
        const float *part = (of_g ? p->gradient.part_g : p->gradient.part_e) + first;
        if (!(of_g ? p->gradient.sums_g : p->gradient.late))
            continue;
        for (size_t row = 0; row < s->super.rows; row += TILE_BLOCK_ROWS, part += TILE_BLOCK_COLS)
            add_part(count, total, part, s->super.row + row == 0);
    }
}

/* One column of blocks, super: G, dX and dY. Workers take what comes next when they are free: which
 * of them it was does not show, and on a shared machine one may be held up. */
static void super_run(const struct stage *s)
{
    const struct infonce *p = s->p;
#pragma omp for schedule(dynamic, 1)
    for (size_t row = 0; row < s->super.rows; row += TILE_BLOCK_ROWS) {
        infonce_gradient_block(s, row);
        if (!p->wanted.rows)
            continue;
        gradient_rows(s, row);
        if (s->super.col + s->super.cols == p->n)
            leave_tiles(s, true, p->products.tiles_x, TILE_BLOCK_ROWS, row,
                        size_min(s->super.rows - row, TILE_BLOCK_ROWS));
    }
    size_t width = gradient_columns_width(p->isa->tile);
#pragma omp for schedule(dynamic, 1)
    for (size_t first = 0; first < s->super.cols; first += width) {
        join_columns(s, first, size_min(s->super.cols - first, width));
        if (p->wanted.columns)
            gradient_columns(s, first);
    }
}

void infonce_run_stage(struct stage *s)
{
    const struct infonce *p = s->p;
    const struct tile_ops *tile = p->isa->tile;
    size_t held_step = even_rows(p->m, HELD_ROWS);
    for (size_t held = 0; held < p->m; held += held_step) {
        size_t held_rows = size_min(p->m - held, held_step);
        size_t step = even_rows(held_rows, GRADIENT_ROWS);
        for (size_t row = 0; row < held_rows; row += step) {
            s->super.row = held + row;
            s->super.rows = size_min(held_rows - row, step);
            s->stride = size_round_up(s->super.rows, TILE_BLOCK_ROWS) * tile->stripe;
            if (p->wanted.columns)
                tile_pack_columns(tile, &p->x, s->super.row, s->super.rows, p->d,
                                  p->products.columns_x, s->worker, s->workers);
            bool kept = kept_block(p, s->super.row + s->super.rows - 1, 0) != NULL;
            for (size_t col = 0; col < p->n; col += TILE_BLOCK_COLS) {
                s->super.col = col;
                s->super.cols = size_min(p->n - col, TILE_BLOCK_COLS);
                if (p->wanted.rows)
                    tile_pack_columns(tile, &p->y, col, s->super.cols, p->d, p->products.columns_y,
                                      s->worker, s->workers);
                size_t held_col = col / HELD_COLS * HELD_COLS;
                struct region needed = {held, held_rows, held_col,
                                        size_min(p->n - held_col, HELD_COLS)};
                if (!kept)
                    infonce_hold(p, &s->operands, &s->held, &needed, s->worker, s->workers);
#pragma omp barrier
                super_run(s);
            }
        }
    }
}
