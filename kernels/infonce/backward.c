/* backward.c - InfoNCE backward: logits (or exponentials kept from the forward) become G, and G two
 * products.
 * SPDX-License-Identifier: MIT
 *
 * G is made for one column of blocks and up to GRADIENT_ROWS rows at a time. Each block of it, just
 * made and in L2, adds G Y to its rows of dX; when the column is done, G^T X is added to its rows of
 * dY. Both products read G as it is (the register tile broadcasts single elements of its left operand,
 * so neither needs packing), and each element of a gradient is one chain over its contraction index in
 * order, so that nothing of the blocking shows in the bits.
 *
 * A profiler finds nearly all of the time in the tile's three products, bound by the FMA ports. What the
 * next tiles will read or add to is prefetched: it comes from L3, and a tile starts with the loads of
 * its result. Kept E comes from memory, and is fetched during the products of the block before.
 *
 * The positives' own entries of G, weight_x/m (P - t) + weight_y/m (Q - t), are made in double; where a
 * row has one positive, 1 - P is the sum of the negatives, so that nothing cancels when P is near 1. They
 * are put into G after each strip, and where those sums are not known before the end, added last.
 */
#include "../exp/lse.h"
#include "problem.h"
#include "shift.h"
#include "strip.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* One exponential E = 2^(z - shift) serves both softmaxes, P = E 2^(shift - lse), where no E overflows
 * and no lse lies more than LSE_BELOW (in binary digits) below the shift: then what is lost is below
 * 2^-66 of a softmax. Weights are kept times a power of two that makes the greater about
 * 2^WEIGHT_BITS, so that they are normal floats up to LSE_ABOVE over the shift. Farther up, with all
 * sums of E below 2^80, all of P is below 2^-66 itself. */
#define LSE_BELOW      60.0
#define LSE_ABOVE      146.0
#define SUM_NEGLIGIBLE 0x1p80f
/* Without a forward, E is at most 2^(lse - shift). */
#define SHIFT_HIGHEST 100.0
enum { WEIGHT_BITS = 20, WEIGHT_BITS_MOST = 100 }; /* logit_scale 2^-bits stays normal */

/* Contraction depth of a step of dY: so many rows of X in column panels (600 KB) stay in L2. */
enum { COLUMN_PANEL_FLOATS = 150 * 1024 };

struct gradients {
    float *dx, *dy;
    size_t lddx, lddy;
};

/* What is being worked on: rows of G that exist at once, one column of blocks, packed operands. */
struct stage {
    const struct infonce *p;
    struct operands operands;
    struct gradients out;
    struct region super, held;
    size_t stride; /* from stripe to stripe of G */
    size_t worker, workers;
};

/* Where G of a row and a column of the super-block stands: it lies in stripes. */
static float *g_at(const struct stage *s, size_t row, size_t col)
{
    size_t stripe = s->p->isa->tile->stripe;
    return s->p->g + col / stripe * s->stride + row * stripe + col % stripe;
}

/* G of the positives in a strip. */
static void put_positives(const struct stage *s, const struct region *strip)
{
    struct infonce_places places = infonce_places(s->p, strip);
    for (const struct infonce_place *at = places.begin; at < places.end; at++)
        if (at->entry != INFONCE_NO_ENTRY)
            *g_at(s, at->row - s->super.row, at->col - s->super.col) =
                s->p->targets.coef[at->entry];
}

/* G of a strip of InfoNCE from E, or z where e is NULL. lane: sums of its rows, of E and of G. */
static void softmax_strip(const struct stage *s, const struct region *strip, const float *z,
                          const float *e, float *lane)
{
    const struct infonce *p = s->p;
    size_t row = strip->row - s->super.row, j = strip->col - s->super.col;
    size_t part = row / TILE_BLOCK_ROWS * TILE_BLOCK_COLS + j;
    const struct infonce_gradient g = {
        .form = p->two_exps ? INFONCE_TWO_EXPS
                : e != NULL ? INFONCE_FROM_E
                            : INFONCE_FROM_Z,
        .shift = simd_shift(p->shift),
        .row_weight = p->row_weight + strip->row,
        .col_weight = p->col_weight + strip->col,
        .lse_x = p->lse_x + strip->row,
        .lse_x_low = p->lse_x_low + strip->row,
        .lse_y = p->lse_y + strip->col,
        .lse_y_low = p->lse_y_low + strip->col,
        .out = {g_at(s, row, j), g_at(s, row, j + INFONCE_COL_MULTIPLE)},
        .ldout = p->isa->tile->stripe,
        .row_e = p->late ? lane : NULL,
        .row_g = p->sums_g ? lane + LANE_FLOATS : NULL,
        .col_e = p->part_e + part,
        .col_g = p->part_g + part,
    };
    p->isa->infonce->gradient_strip(
        &g, strip->rows, size_round_up(strip->cols, INFONCE_COL_MULTIPLE), e != NULL ? e : z);
    if (!p->late)
        put_positives(s, strip);
}

/* G of a strip of the sigmoid loss. A positive's is known as soon as its logit is. */
static void sigmoid_strip(const struct stage *s, const struct region *strip, const float *z,
                          float *lane)
{
    const struct infonce *p = s->p;
    size_t row = strip->row - s->super.row, j = strip->col - s->super.col;
    const struct infonce_sigmoid g = {
        .row_term = p->row_term + strip->row,
        .col_term = p->col_term + strip->col,
        .scale = p->g_scale,
        .row_s = lane,
        .out = {g_at(s, row, j), g_at(s, row, j + INFONCE_COL_MULTIPLE)},
        .ldout = p->isa->tile->stripe,
        .row_g = lane + LANE_FLOATS,
        .col_g = p->part_g + row / TILE_BLOCK_ROWS * TILE_BLOCK_COLS + j,
    };
    p->isa->infonce->sigmoid_strip(&g, strip->rows,
                                   size_round_up(strip->cols, INFONCE_COL_MULTIPLE), z);
    struct infonce_places places = infonce_places(p, strip);
    for (const struct infonce_place *at = places.begin; at < places.end; at++) {
        double e, w = infonce_sigmoid_logit(p, at->entry, at->row, at->col, &e);
        p->targets.coef[at->entry] = (float)(-(double)p->g_scale * (w < 0 ? 1 : e) / (1 + e));
    }
    put_positives(s, strip);
}

/* G of a block, from E kept or from logits computed again, and the sums of its rows. */
static void gradient_block(const struct stage *s, size_t row)
{
    const struct infonce *p = s->p;
    size_t first = s->super.row + row, rows = size_min(s->super.rows - row, TILE_BLOCK_ROWS);
    float *lane = p->lane + s->worker * 2 * LANE_FLOATS, *z = p->strip + s->worker * STRIP_FLOATS;
    const float *kept = kept_block(p, first, s->super.col);
    memset(lane, 0, 2 * LANE_FLOATS * sizeof *lane);
    for (size_t j = 0; j < s->super.cols; j += INFONCE_STRIP) {
        struct region strip = {first, rows, s->super.col + j,
                               size_min(s->super.cols - j, INFONCE_STRIP)};
        if (kept == NULL)
            infonce_strip(p, &s->operands, &s->held, &strip, z, INFONCE_STRIP,
                          p->late || p->sigmoid ? p->targets.logit : NULL,
                          (struct tile_fetch){NULL, 0});
        if (p->sigmoid)
            sigmoid_strip(s, &strip, z, lane);
        else
            softmax_strip(s, &strip, z, kept != NULL ? kept + j * TILE_BLOCK_ROWS : NULL, lane);
    }
    for (int of_g = 0; of_g < 2; of_g++) {
        float sum[TILE_BLOCK_ROWS], *total = (of_g ? p->row_g : p->row_e) + first;
        if (!(of_g ? p->sums_g : p->late || p->sigmoid))
            continue;
        p->isa->infonce->row_sums(rows, lane + of_g * LANE_FLOATS, sum);
        add_part(rows, total, sum, s->super.col == 0);
    }
}

/* While they are added to, gradients lie in whole register tiles, one after the other as they are come to:
 * rows of the caller's matrix, often a power of two apart, would share a few cache sets and use a page
 * for each line. Here: tiles of `count` rows, for one panel of columns after the other. */
static float *result_tile(const struct infonce *p, float *tiles, size_t count, size_t row, size_t k)
{
    const struct tile_ops *tile = p->isa->tile;
    return tiles + row / count * count * size_round_up(p->d, tile->nr) + k * count +
           row % count * tile->nr;
}

/* Rows [row, row + rows) from their tiles to the matrix, or back. */
static void copy_result(const struct infonce *p, float *tiles, size_t count, size_t row,
                        size_t rows, float *matrix, size_t ld, bool to_matrix)
{
    size_t nr = p->isa->tile->nr;
    for (size_t r = 0; r < rows; r++)
        for (size_t k = 0; k < p->d; k += nr) {
            size_t bytes = size_min(p->d - k, nr) * sizeof(float);
            float *in_tile = result_tile(p, tiles, count, row + r, k), *out = matrix + r * ld + k;
            memcpy(to_matrix ? out : in_tile, to_matrix ? in_tile : out, bytes);
        }
}

/* P - t of the entry q of a row's list; `rest` is the sum of P over the row's negatives. */
static double softmax_minus_target(const struct infonce *p, const struct infonce_side *side,
                                   size_t i, size_t entry, double lse2, double rest)
{
    if (side->start[i + 1] - side->start[i] == 1)
        return -rest;
    double t = (double)p->targets.logit[entry] - lse2;
    double softmax = t > 0 ? 1 : t < -1000 ? 0 : t == t ? lse_exp2(t) : t; /* lse may be rounded */
    return softmax - p->targets.weight[entry] / side->total[i];
}

/* G of all positives, times 2^weight_bits like all of G; a barrier is at its end. */
static void positive_gradients(const struct infonce *p)
{
    const struct infonce_targets *targets = &p->targets;
#pragma omp for schedule(static)
    for (size_t j = 0; j < p->n; j++) {
        double rest_y = (double)p->col_e[j] * p->col_factor[j];
        for (size_t e = targets->y.start[j]; e < targets->y.start[j + 1]; e++) {
            size_t i = targets->y.index[e];
            double rest_x = (double)p->row_e[i] * p->row_factor[i];
            targets->coef[e] = (float)(p->weight_x * softmax_minus_target(p, &targets->x, i, e,
                                                                          p->lse2_x[i], rest_x) +
                                       p->weight_y * softmax_minus_target(p, &targets->y, j, e,
                                                                          p->lse2_y[j], rest_y));
        }
    }
}

/* Row i of dX (or dY) from its sum: the positives that it lacks, the similarity's derivative, the
 * scale. */
static void finish_row(const struct stage *s, bool of_x, size_t i, const float *sum,
                       size_t panel_rows)
{
    const struct infonce *p = s->p;
    const struct tile_operand *self = of_x ? &p->x : &p->y, *other = of_x ? &p->y : &p->x;
    const struct infonce_side *side = of_x ? &p->targets.x : &p->targets.y;
    const struct row_scale none = {1.0f, 1.0f};
    bool neg_sq_l2 = p->config.similarity == MMK_NEG_SQ_L2;
    size_t first = side->start[i], positives = side->start[i + 1] - first;
    struct infonce_row row = {
        .d = p->d,
        .sum = sum,
        .nr = p->isa->tile->nr,
        .panel_rows = panel_rows,
        .gradient = of_x ? s->out.dx + i * s->out.lddx : s->out.dy + i * s->out.lddy,
        .self = self->data + i * self->ld,
        .positives = p->late ? positives : 0,
        .index = side->index + first,
        .entry = side->entry + first,
        .coef = p->targets.coef,
        .other = other->data,
        .ldother = other->ld,
        .scale = (float)ldexp((double)p->config.logit_scale * (neg_sq_l2 ? 2 : 1), -p->weight_bits),
        .self_scale = self->scale != NULL ? self->scale[i] : none,
        .other_scale = other->scale,
    };
    if (neg_sq_l2) {
        row.sum_g = of_x ? p->row_g[i] : p->col_g[i];
        for (size_t q = 0; q < positives; q++)
            row.sum_g += row.coef[row.entry[q]];
    }
    tile_fetch_row(row.gradient + (of_x ? s->out.lddx : s->out.lddy), p->d);
    tile_fetch_row(row.self + self->ld, p->d);
    (of_x ? p->along_x : p->along_y)[i] = p->isa->infonce->finish_row[p->config.similarity](&row);
}

/* Rows of a gradient whose sums are complete, from their tiles: finished, where the sums over the
 * negatives are known from the forward; else they wait for those in the caller's matrix. */
static void leave_tiles(const struct stage *s, bool of_x, float *tiles, size_t count, size_t row,
                        size_t rows)
{
    size_t first = of_x ? s->super.row : s->super.col;
    size_t ld = of_x ? s->out.lddx : s->out.lddy;
    if (s->p->late)
        copy_result(s->p, tiles, count, row, rows,
                    (of_x ? s->out.dx : s->out.dy) + (first + row) * ld, ld, true);
    else
        for (size_t r = row; r < row + rows; r++)
            finish_row(s, of_x, first + r, result_tile(s->p, tiles, count, r, 0), count);
}

static void finish_waiting(const struct stage *s)
{
    const struct infonce *p = s->p;
    for (size_t i = s->worker; i < p->m; i += s->workers)
        finish_row(s, true, i, s->out.dx + i * s->out.lddx, 1);
    for (size_t j = s->worker; j < p->n; j += s->workers)
        finish_row(s, false, j, s->out.dy + j * s->out.lddy, 1);
}

/* The tile that is come to next. */
static void fetch_tile(const struct tile_ops *tile, const float *c)
{
    for (size_t e = 0; e < tile->mr * tile->nr; e += TILE_LINE)
        __builtin_prefetch(c + e, 1);
}

/* What the worker's next block of G is made from, and where it goes: E, and its part of each stripe. */
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

/* dX of a block of rows: a panel of Y's columns in L2 serves all of the block's row panels. Meanwhile
 * the next block comes, late enough to be in L2 still when it is made. */
static void gradient_rows(const struct stage *s, size_t row)
{
    const struct infonce *p = s->p;
    const struct tile_ops *tile = p->isa->tile;
    size_t rows = size_min(s->super.rows - row, TILE_BLOCK_ROWS), cols = s->super.cols;
    struct next_block next = next_block(s, row + s->workers * TILE_BLOCK_ROWS);
    /* what the tiles of one panel can fetch, but for those that fetch B; one part is left over by each
     * stripe's end */
    size_t tiles = size_blocks(rows, tile->mr), of_b = size_blocks(tile->nr, TILE_LINE);
    size_t per_panel = tiles > of_b ? (tiles - of_b) * cols * TILE_LINE : 1;
    size_t late = size_blocks(2 * next.floats, per_panel) * tile->nr;
    unsigned flags = s->super.col == 0 ? 0 : TILE_ACCUMULATE;
    for (size_t k = 0; k < p->d; k += tile->nr) {
        const float *b = p->columns_y + k * tile_column_rows(cols);
        const float *b_next =
            k + tile->nr < p->d ? b + tile->nr * tile_column_rows(cols) : p->columns_y;
        for (size_t i = 0; i < rows; i += tile->mr) {
            float *c = result_tile(p, p->tiles_x, TILE_BLOCK_ROWS, row + i, k);
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

/* dY of some columns of G: a panel of X's columns in L1 serves all of their panels. Meanwhile comes the
 * next part of G, line by line of its rows. */
static void gradient_columns(const struct stage *s, size_t first)
{
    const struct infonce *p = s->p;
    const struct tile_ops *tile = p->isa->tile;
    size_t width = gradient_columns_width(tile), end = size_min(s->super.cols, first + width);
    size_t rows = s->super.rows, ld = s->out.lddy;
    size_t step = COLUMN_PANEL_FLOATS / (p->d + 1) / TILE_BLOCK_ROWS * TILE_BLOCK_ROWS;
    step = step < TILE_BLOCK_ROWS ? TILE_BLOCK_ROWS : step;
    float *dy = s->out.dy + (s->super.col + first) * ld;
    if (s->super.row != 0)
        copy_result(p, p->tiles_y, width, first, end - first, dy, ld, false);
    for (size_t row = 0; row < rows; row += step) {
        size_t depth = size_min(rows - row, step);
        bool last = row + depth == rows;
        const float *g_next =
            last ? g_at(s, 0, first + s->workers * width) : g_at(s, row + depth, first);
        size_t line = 0;
        unsigned flags = s->super.row + row == 0 ? 0 : TILE_ACCUMULATE;
        for (size_t k = 0; k < p->d; k += tile->nr) {
            const float *b = p->columns_x + k * tile_column_rows(rows) + row * tile->nr;
            const float *b_next = k + tile->nr < p->d ? b + tile->nr * tile_column_rows(rows)
                                                      : p->columns_x + (row + depth) * tile->nr;
            for (size_t j = first; j < end; j += tile->mr) {
                float *c = result_tile(p, p->tiles_y, width, j, k);
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
        leave_tiles(s, false, p->tiles_y, width, first, end - first);
    else
        copy_result(p, p->tiles_y, width, first, end - first, dy, ld, true);
}

/* The column sums of the blocks of G, in their order. */
static void join_columns(const struct stage *s, size_t first, size_t count)
{
    const struct infonce *p = s->p;
    for (int of_g = 0; of_g < 2; of_g++) {
        float *total = (of_g ? p->col_g : p->col_e) + s->super.col + first;
        const float *part = (of_g ? p->part_g : p->part_e) + first;
        if (!(of_g ? p->sums_g : p->late))
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
        gradient_block(s, row);
        gradient_rows(s, row);
        if (s->super.col + s->super.cols == p->n)
            leave_tiles(s, true, p->tiles_x, TILE_BLOCK_ROWS, row,
                        size_min(s->super.rows - row, TILE_BLOCK_ROWS));
    }
    size_t width = gradient_columns_width(p->isa->tile);
#pragma omp for schedule(dynamic, 1)
    for (size_t first = 0; first < s->super.cols; first += width) {
        join_columns(s, first, size_min(s->super.cols - first, width));
        gradient_columns(s, first);
    }
}

/* All of G, inside a parallel region. */
static void stage_run(struct stage *s)
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
            tile_pack_columns(tile, &p->x, s->super.row, s->super.rows, p->d, p->columns_x,
                              s->worker, s->workers);
            bool kept = kept_block(p, s->super.row + s->super.rows - 1, 0) != NULL;
            for (size_t col = 0; col < p->n; col += TILE_BLOCK_COLS) {
                s->super.col = col;
                s->super.cols = size_min(p->n - col, TILE_BLOCK_COLS);
                tile_pack_columns(tile, &p->y, col, s->super.cols, p->d, p->columns_y, s->worker,
                                  s->workers);
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

/* sum_ij G_ij S_ij. Dot and cosine: S is x.y, so that it is sum_i x_i . (G Y)_i. neg_sq_l2: with
 * v_i = sum_j G_ij (y_j - x_i) and w_j = sum_i G_ij (x_i - y_j) it is sum_i v_i.x_i + sum_j w_j.y_j. */
static float logit_scale_gradient(const struct infonce *p)
{
    double sum = 0;
    for (size_t i = 0; i < p->m; i++)
        sum += (double)p->along_x[i];
    for (size_t j = 0; j < p->n && p->config.similarity == MMK_NEG_SQ_L2; j++)
        sum += (double)p->along_y[j];
    return simd_canonical_nan((float)ldexp(sum, -p->weight_bits));
}

void infonce_take_lse(struct infonce *p, const float *lse_x, const float *lse_y)
{
    /* as the logits are scaled here, with alpha */
    double to_bits = (double)p->alpha / (double)p->config.logit_scale;
    for (size_t i = 0; i < p->m; i++)
        p->lse2_x[i] = (double)lse_x[i] * to_bits;
    for (size_t j = 0; j < p->n; j++)
        p->lse2_y[j] = (double)lse_y[j] * to_bits;
}

/* v as the sum of two floats. */
static void split(double v, float *high, float *low)
{
    *high = simd_canonical_nan((float)v);
    *low = isfinite(*high) ? (float)(v - (double)*high) : 0.0f;
}

/* 2^(base - lse): makes an exponential, or a sum of them, relative to 2^base one of softmaxes. With two
 * exponentials they are softmaxes already. */
static double softmax_factor(const struct infonce *p, double base, double lse2)
{
    double t = base - lse2;
    return p->two_exps ? 1 : t > -1000 ? lse_exp2(t) : 0;
}

/* Whether one exponential serves: see LSE_BELOW. */
static bool one_exp_serves(const struct infonce *p, double lse2, float sum)
{
    double above = lse2 - (double)p->shift;
    return above >= -LSE_BELOW && (above <= LSE_ABOVE || sum <= SUM_NEGLIGIBLE);
}

/* One side of the softmaxes: what is known of its rows, and what is made of that. */
struct half {
    const struct infonce_side *side;
    size_t count;
    const double *lse2;
    const float *base, *sum; /* of the forward; NULL where there was none */
    double direction;        /* weight of the direction, a row, times 2^weight_bits */
    float *lse, *lse_low, *weight;
    double *factor;
};

/* The shift of a backward that has no forward before it, from the lse alone. */
static float shift_of_lse(const struct infonce *p, const struct half half[2])
{
    double low = INFINITY, high = -INFINITY;
    for (const struct half *h = half; h < half + 2; h++)
        for (size_t i = 0; i < h->count; i++)
            if (infonce_counts(&p->targets, h->side, i)) {
                low = h->lse2[i] < low ? h->lse2[i] : low;
                high = h->lse2[i] > high ? h->lse2[i] : high;
            }
    double shift = fmax(floor(low), ceil(high) - SHIFT_HIGHEST);
    return fabs(shift) <= (double)INFONCE_SHIFT_MOST ? (float)shift : 0.0f;
}

/* Whether one exponential serves all rows that count, and overflows in none. Without a forward the greatest
 * E of a row is known from its lse only. */
static bool one_exp_serves_half(const struct infonce *p, const struct half *h)
{
    double most = h->sum != NULL ? INFINITY : SHIFT_HIGHEST;
    for (size_t i = 0; i < h->count; i++)
        if (h->lse2[i] - (double)p->shift > most ||
            (infonce_counts(&p->targets, h->side, i) &&
             !one_exp_serves(p, h->lse2[i], h->sum != NULL ? h->sum[i] : INFINITY)))
            return false;
    return true;
}

static void prepare_half(const struct infonce *p, const struct half *h)
{
    double shift = (double)p->shift;
    for (size_t i = 0; i < h->count; i++) {
        if (!infonce_counts(&p->targets, h->side,
                            i)) { /* has no part in the loss: its softmax is 0 */
            h->lse[i] = FLT_MAX;
            h->lse_low[i] = h->weight[i] = 0.0f;
            h->factor[i] = 0;
            continue;
        }
        split(h->lse2[i], &h->lse[i], &h->lse_low[i]);
        h->weight[i] = (float)(h->direction * softmax_factor(p, shift, h->lse2[i]));
        h->factor[i] = softmax_factor(p, p->late ? shift : (double)h->base[i], h->lse2[i]);
    }
}

/* The weight of a direction, a row that counts. */
static double direction_weight(float weight, const struct infonce_side *side)
{
    return side->counted > 0 ? (double)weight / (double)side->counted : 0;
}

/* G is kept times 2^weight_bits, the greatest weight being near 2^WEIGHT_BITS then. */
static void set_weight_bits(struct infonce *p, double greatest)
{
    int exponent = 0;
    frexp(greatest, &exponent); /* 0 for 0 */
    p->weight_bits = WEIGHT_BITS - exponent;
    if (p->weight_bits > WEIGHT_BITS_MOST)
        p->weight_bits = WEIGHT_BITS_MOST;
}

/* Weights, factors and log-sum-exps of the softmaxes; one exponential for both where it serves. */
static void prepare(struct infonce *p)
{
    const struct infonce_targets *t = &p->targets;
    bool forward = p->row_sum != NULL;
    double weight_x = direction_weight(p->config.weight_x, &t->x);
    double weight_y = direction_weight(p->config.weight_y, &t->y);
    set_weight_bits(p, fmax(weight_x, weight_y));
    p->weight_x = ldexp(weight_x, p->weight_bits);
    p->weight_y = ldexp(weight_y, p->weight_bits);
    const struct half half[2] = {
        {&t->x, p->m, p->lse2_x, p->row_base, p->row_sum, p->weight_x, p->lse_x, p->lse_x_low,
         p->row_weight, p->row_factor},
        {&t->y, p->n, p->lse2_y, p->col_base, p->col_sum, p->weight_y, p->lse_y, p->lse_y_low,
         p->col_weight, p->col_factor},
    };
    if (!forward)
        p->shift = shift_of_lse(p, half);
    p->two_exps = (forward && p->overflow) || !one_exp_serves_half(p, &half[0]) ||
                  !one_exp_serves_half(p, &half[1]);
    if (p->two_exps)
        p->kept_row_blocks = 0;
    p->sums_g = p->config.similarity == MMK_NEG_SQ_L2;
    p->late = p->two_exps || !forward;
    if (!p->late) {
        p->row_e = p->row_sum;
        p->col_e = p->col_sum;
    }
    prepare_half(p, &half[0]);
    prepare_half(p, &half[1]);
    for (size_t j = p->n; j < size_round_up(p->n, INFONCE_COL_MULTIPLE); j++)
        p->lse_y[j] = p->lse_y_low[j] = p->col_weight[j] = 0.0f;
}

/* dX, dY and d logit_scale of what is prepared. */
static void run_prepared(struct infonce *p, float *dx, size_t lddx, float *dy, size_t lddy,
                         float *dlogit_scale)
{
    struct tile_operand x = infonce_scaled_rows(p);
    struct operands operands = {&x, &p->y, &p->targets.x, &p->targets.y,
                                (ptrdiff_t)p->config.offset};
    infonce_list_places(p, &operands);
#pragma omp parallel num_threads(p->threads) if (p->threads > 1)
    {
        struct stage stage = {
            .p = p,
            .operands = operands,
            .out = {dx, dy, lddx, lddy},
            .held = p->held,
            .worker = (size_t)omp_get_thread_num(),
            .workers = (size_t)omp_get_num_threads(),
        };
        if (!p->late && !p->sigmoid)
            positive_gradients(p);
        stage_run(&stage);
        if (p->late) {
#pragma omp barrier
            positive_gradients(p);
            finish_waiting(&stage);
        }
    }
    *dlogit_scale = logit_scale_gradient(p);
}

void infonce_run_backward(struct infonce *p, float *dx, size_t lddx, float *dy, size_t lddy,
                          float *dlogit_scale)
{
    prepare(p);
    run_prepared(p, dx, lddx, dy, lddy, dlogit_scale);
}

void infonce_run_sigmoid_backward(struct infonce *p, float *dx, size_t lddx, float *dy, size_t lddy,
                                  float *dlogit_scale)
{
    set_weight_bits(p, 1 / (double)p->m);
    p->g_scale = (float)ldexp(1 / (double)p->m, p->weight_bits);
    p->sums_g = true;
    run_prepared(p, dx, lddx, dy, lddy, dlogit_scale);
}
