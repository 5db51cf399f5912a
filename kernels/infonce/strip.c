/* strip.c - packs rows for the register tile, and makes strips of logits from them.
 * SPDX-License-Identifier: MIT
 *
 * Here is nearly all of a forward's time: the register tile's product, bound by the FMA ports. A backward
 * without exponentials kept from the forward spends a third of its time here. What follows the product
 * (the scale, neg_sq_l2's norms, -Inf for what must not count) finds the strip in L1.
 */
#include "strip.h"

#include <math.h>

void infonce_hold(const struct infonce *p, const struct operands *o, struct region *held,
                  const struct region *needed, size_t worker, size_t workers)
{
    const struct tile_ops *tile = p->isa->tile;
    bool norms = p->config.similarity == MMK_NEG_SQ_L2;
    if (needed->row < held->row || needed->row + needed->rows > held->row + held->rows) {
        held->row = needed->row;
        held->rows = needed->rows;
        tile_pack(tile, false, o->a, held->row, held->rows, p->d, p->packed_a, worker, workers);
        if (norms)
            tile_sum_squares(tile, false, p->d, p->packed_a, held->rows, p->xx, worker, workers);
    }
    if (needed->col < held->col || needed->col + needed->cols > held->col + held->cols) {
        held->col = needed->col;
        held->cols = needed->cols;
        tile_pack(tile, true, o->b, held->col, held->cols, p->d, p->packed_b, worker, workers);
        if (norms)
            tile_sum_squares(tile, true, p->d, p->packed_b, held->cols, p->yy, worker, workers);
    }
}

void infonce_strip(const struct infonce *p, const struct operands *o, const struct region *held,
                   const struct region *strip, float *z, size_t ldz, float *logit,
                   struct tile_fetch fetch)
{
    const struct tile_ops *tile = p->isa->tile;
    size_t row = strip->row - held->row, col = strip->col - held->col;
    size_t next_col = col + INFONCE_STRIP < held->cols ? col + INFONCE_STRIP : 0;
    tile_multiply(tile, p->d, p->packed_a, held->rows, row, strip->rows, p->packed_b, held->cols,
                  col, strip->cols, next_col, z, ldz, 0, fetch);
    if (p->config.similarity == MMK_NEG_SQ_L2)
        tile_neg_sq_l2_block(tile, p->isa->cosine, p->d, o->a, strip->row, strip->rows, p->xx + row,
                             o->b, strip->col, strip->cols, p->yy + col, p->alpha, z, ldz);
    else if (!p->fold)
        for (size_t r = 0; r < strip->rows; r++)
            for (size_t j = 0; j < strip->cols; j++)
                z[r * ldz + j] = simd_canonical_nan(z[r * ldz + j] * p->alpha);
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
