/* strip.c - packs rows for the register tile, and makes strips of logits from them.
 * SPDX-License-Identifier: MIT
 *
 * Here is nearly all of a forward's time: the register tile's product, bound by the FMA ports. A
 * backward without logits or exponentials kept from the forward spends a third of its time here.
 * What follows the product (the scale, neg_sq_l2's norms, -Inf for what must not count) finds the
 * strip in L1.
 */
#include "strip.h"

#include <math.h>
#include <string.h>

void infonce_layout_packed(struct infonce *p, struct scratch *s)
{
    const size_t f = sizeof(float);
    size_t longer = size_max(p->m, p->n); /* columns that are done again swap the operands */
    size_t a_rows = size_min(longer, HELD_ROWS), b_rows = size_min(longer, HELD_COLS);
    if (p->config.similarity == MMK_COSINE) {
        p->x.scale = p->packed.x_scale = scratch_take(s, p->m, sizeof *p->packed.x_scale);
        p->y.scale = p->packed.y_scale = scratch_take(s, p->n, sizeof *p->packed.y_scale);
    }
    if (p->config.similarity == MMK_NEG_SQ_L2) {
        p->packed.origin = scratch_take(s, p->d, f);
        p->packed.spare = scratch_take(s, 2 * (size_t)p->threads, p->d * f);
        p->x.origin = p->y.origin = p->config.origin != NULL ? p->config.origin : p->packed.origin;
    }
    p->packed.a = scratch_take(s, tile_packed_floats(a_rows, p->d), f);
    p->packed.b = scratch_take(s, tile_packed_floats(b_rows, p->d), f);
    p->packed.xx = scratch_take(s, a_rows, f);
    p->packed.yy = scratch_take(s, b_rows, f);
    p->strip.z = scratch_take(s, (size_t)p->threads, STRIP_FLOATS * f);
    p->strip.lane = scratch_take(s, (size_t)p->threads, 3 * LANE_FLOATS * f);
}

void infonce_hold_rows(const struct infonce *p, const struct operands *o, struct region *held,
                       const struct region *needed, size_t worker, size_t workers)
{
    const struct tile_ops *tile = p->isa->tile;
    if (needed->row >= held->row && needed->row + needed->rows <= held->row + held->rows)
        return;
    held->row = needed->row;
    held->rows = needed->rows;
    tile_pack_columns(tile, o->a, held->row, held->rows, p->d, p->packed.a, worker, workers);
    if (p->config.similarity == MMK_NEG_SQ_L2)
        tile_row_squares(tile, o->a, held->row, held->rows, p->d, p->packed.xx, worker, workers);
}

void infonce_hold(const struct infonce *p, const struct operands *o, struct region *held,
                  const struct region *needed, size_t worker, size_t workers)
{
    const struct tile_ops *tile = p->isa->tile;
    bool norms = p->config.similarity == MMK_NEG_SQ_L2;
    infonce_hold_rows(p, o, held, needed, worker, workers);
    if (needed->col < held->col || needed->col + needed->cols > held->col + held->cols) {
        held->col = needed->col;
        held->cols = needed->cols;
        tile_pack(tile, o->b, held->col, held->cols, p->d, p->packed.b, worker, workers);
        if (norms)
            tile_sum_squares(tile, p->d, p->packed.b, held->cols, p->packed.yy, worker, workers);
    }
}

void infonce_strip(const struct infonce *p, const struct operands *o, const struct region *held,
                   const struct region *strip, size_t worker, float *z, size_t ldz, float *logit,
                   struct tile_fetch fetch)
{
    const struct tile_ops *tile = p->isa->tile;
    size_t row = strip->row - held->row, col = strip->col - held->col;
    size_t next_col = col + INFONCE_STRIP < held->cols ? col + INFONCE_STRIP : 0;
    tile_multiply(tile, p->d, p->packed.a, held->rows, row, strip->rows, p->packed.b, held->cols,
                  col, strip->cols, next_col, z, ldz, 0, fetch);
    if (p->config.similarity == MMK_NEG_SQ_L2)
        tile_neg_sq_l2_block(tile, p->isa->pair, p->d, o->a, strip->row, strip->rows,
                             p->packed.xx + row, o->b, strip->col, strip->cols, p->packed.yy + col,
                             p->alpha, z, ldz, p->packed.spare + 2 * worker * p->d);
    for (size_t j = strip->cols; j < size_round_up(strip->cols, INFONCE_COL_MULTIPLE); j++)
        for (size_t r = 0; r < strip->rows; r++)
            z[r * ldz + j] = -INFINITY;
    struct infonce_places places = infonce_places(p, strip);
    for (const struct infonce_place *at = places.begin; at < places.end; at++) {
        float *element = z + (at->row - strip->row) * ldz + (at->col - strip->col);
        if (logit != NULL && at->entry != INFONCE_NO_ENTRY)
            logit[at->entry] = *element;
        *element = -INFINITY;
    }
}

void infonce_sum_lanes(const struct infonce *p, size_t rows, float *lane, double *sum, bool first)
{
    float part[TILE_BLOCK_ROWS];
    p->isa->infonce->row_sums(rows, lane, part);
    add_part(rows, sum, part, first);
    memset(lane, 0, rows * INFONCE_LANES * sizeof *lane);
}
