/* gradient.h - G of the logits, block by block; what a worker of the backward holds (internal).
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_INFONCE_GRADIENT_H
#define MMK_INFONCE_GRADIENT_H

#include "problem.h"

/* What is being worked on: rows of G that exist at once, one column of blocks, packed operands. */
struct stage {
    const struct infonce *p;
    struct operands operands;
    struct gradients out; /* or what stands in for them */
    struct region super, held;
    size_t stride; /* from stripe to stripe of G */
    size_t worker, workers;
};

/* Where G of a row and a column of the super-block stands: it lies in stripes. */
static inline float *g_at(const struct stage *s, size_t row, size_t col)
{
    size_t stripe = s->p->isa->tile->stripe;
    return s->p->products.g + col / stripe * s->stride + row * stripe + col % stripe;
}

/* Row i of dX, or row i of dY and the further negatives' gradient; NULL: not wanted. */
static inline float *gradient_row(const struct stage *s, bool of_x, size_t i)
{
    const struct args_out *out = of_x ? &s->out.x : &s->out.y;
    if (!of_x && i >= s->p->own) {
        out = &s->out.negatives;
        i -= s->p->own;
    }
    return out->data != NULL ? out->data + i * out->ld : NULL;
}

/* Where the sums of `count` rows of a gradient begin, those from `row` on, a multiple of count.
 * While they are added to they lie in whole register tiles, one after the other as they are come
 * to, for one panel of columns after the other: rows of the caller's matrix, often a power of two
 * apart, would share a few cache sets and use a page for each line. */
static inline size_t infonce_sums_at(const struct infonce *p, size_t row)
{
    return row * size_round_up(p->d, p->isa->tile->nr);
}

/* The float sums of the worker's task: room for TILE_BLOCK_ROWS rows. */
static inline float *infonce_worker_tiles(const struct stage *s)
{
    return s->p->products.tiles + infonce_sums_at(s->p, s->worker * TILE_BLOCK_ROWS);
}

void infonce_layout_gradient(struct infonce *p, struct scratch *s);

/* G of the block at a row of the super-block, from E kept or from logits computed again, and the
 * sums of its rows. */
void infonce_gradient_block(const struct stage *s, size_t row);

/* Logit w in base 2 of a positive of the sigmoid loss, and *e = 2^-|w|. */
double infonce_sigmoid_logit(const struct infonce *p, size_t entry, size_t row, size_t col,
                             double *e);

#endif
