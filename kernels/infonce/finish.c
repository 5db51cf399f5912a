/* finish.c - what makes a gradient's row of the sum of its products: positives, derivative, scale.
 * SPDX-License-Identifier: MIT
 *
 * The positives' own entries of G, weight_x/m (P - t) + weight_y/m (Q - t), are made in double;
 * where a row has one positive, 1 - P is the sum of the negatives, so that nothing cancels when P
 * is near 1. What they add to a gradient's row is added last, unless they were in the products.
 *
 * The derivative of a cosine takes out of a row's sum what lies along the row, x^ . v with v =
 * sum_j G_ij y^_j. That is sum_j G_ij S_ij, and comes with G from the logits, before the products
 * do: so one pass over a row is enough. It costs a multiply-add and a maximum for each pair.
 *
 * O((m + n + positives) d): it shows in the time of small batches only. A row is finished right
 * after the last product that adds to it. The machine fetches what follows by itself: prefetching
 * the next rows took 1.03 times as long at 64 x 64 x 512 on Zen 5, and gained nothing from 1024 on.
 */
#include "finish.h"

#include "../call/threads.h"
#include "../exp/lse.h"

#include <math.h>
#include <string.h>

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

void infonce_positive_gradients(const struct infonce *p, size_t worker, size_t workers)
{
    const struct infonce_targets *targets = &p->targets;
    size_t begin, end;
    threads_share(p->n, worker, workers, &begin, &end);
    for (size_t j = begin; j < end; j++) {
        double rest_y = p->gradient.col_e[j] * p->softmax.col_factor[j];
        for (size_t e = targets->y.start[j]; e < targets->y.start[j + 1]; e++) {
            size_t i = targets->y.index[e];
            double rest_x = p->gradient.row_e[i] * p->softmax.row_factor[i];
            targets->coef[e] =
                (float)(p->softmax.weight_x * softmax_minus_target(p, &targets->x, i, e,
                                                                   p->softmax.lse2_x[i], rest_x) +
                        p->softmax.weight_y * softmax_minus_target(p, &targets->y, j, e,
                                                                   p->softmax.lse2_y[j], rest_y));
        }
    }
    threads_wait(workers);
}

static struct row_scale scale_of(const struct tile_operand *operand, size_t i)
{
    return operand->scale != NULL ? operand->scale[i] : (struct row_scale){1.0f, 1.0f};
}

/* Makes the row's sum that with all of its positives, which wait for it: a chain over many would be
 * one over the batch. Here chains of SUM_CHAIN from 0, joined in double. */
static void add_chains(const struct stage *s, struct infonce_row *row, bool of_x, size_t i)
{
    const struct infonce *p = s->p;
    const struct infonce_side *side = of_x ? &p->targets.x : &p->targets.y;
    const struct tile_operand *other = of_x ? &p->y : &p->x;
    size_t padded = size_round_up(p->d, TILE_MAX_NR), count = side->start[i + 1] - side->start[i];
    float *part = infonce_worker_tiles(s), *zero = part + padded, *gradient = row->gradient;
    double *total = (double *)(void *)(part + 2 * padded);
    memset(part, 0, 2 * padded * sizeof *part);
    memcpy(part, row->sum, p->d * sizeof *part);
    p->isa->infonce->join_blocks(padded, total, part, true, false);
    row->gradient = part;
    for (size_t q = 0; q < count; q++) {
        size_t at = side->start[i] + q;
        row->sum = q % SUM_CHAIN == 0 ? zero : part;
        row->other = tile_operand_row(other, side->index[at]);
        row->other_scale = scale_of(other, side->index[at]);
        row->coef = p->targets.coef[side->entry[at]];
        p->isa->infonce->add_positive(row);
        if (q % SUM_CHAIN == SUM_CHAIN - 1 || q + 1 == count)
            p->isa->infonce->join_blocks(padded, total, part, false, q + 1 == count);
    }
    row->sum = part;
    row->gradient = gradient;
    row->other = NULL;
}

/* The negatives' part of infonce_row.along. */
static double negatives_along(const struct infonce *p, bool of_x, size_t i)
{
    const struct gradient_state *g = &p->gradient;
    switch (p->config.similarity) {
    case MMK_COSINE:
        return (of_x ? g->row_gz : g->col_gz)[i] / (double)p->alpha;
    case MMK_NEG_SQ_L2:
        return (of_x ? g->row_g : g->col_g)[i];
    default:
        return 0;
    }
}

void infonce_finish_row(const struct stage *s, bool of_x, size_t i, const float *sum,
                        size_t panel_rows)
{
    const struct infonce *p = s->p;
    if (gradient_row(s, of_x, i) == NULL)
        return;
    const struct tile_operand *self = of_x ? &p->x : &p->y, *other = of_x ? &p->y : &p->x;
    const struct infonce_side *side = of_x ? &p->targets.x : &p->targets.y;
    bool neg_sq_l2 = p->config.similarity == MMK_NEG_SQ_L2;
    struct infonce_row row = {
        .d = p->d,
        .sum = sum,
        .nr = p->isa->tile->nr,
        .panel_rows = panel_rows,
        .gradient = gradient_row(s, of_x, i),
        .self = tile_operand_row(self, i),
        .origin = self->origin,
        .self_scale = scale_of(self, i),
    };
    infonce_set_scale(&row, p->gradient.scale);
    double along = negatives_along(p, of_x, i);
    bool chains = p->gradient.late && side->start[i + 1] - side->start[i] > SUM_CHAIN;
    if (chains)
        add_chains(s, &row, of_x, i);
    for (size_t q = side->start[i]; q < side->start[i + 1]; q++) {
        float coef = p->targets.coef[side->entry[q]];
        along += (double)coef *
                 (neg_sq_l2 ? 1 : (double)p->targets.logit[side->entry[q]] / (double)p->alpha);
        if (p->gradient.positives_in_g || chains)
            continue;
        if (row.other != NULL) {
            p->isa->infonce->add_positive(&row);
            row.sum = row.gradient;
            row.panel_rows = 1;
        }
        row.other = tile_operand_row(other, side->index[q]);
        row.other_scale = scale_of(other, side->index[q]);
        row.coef = coef;
    }
    row.along = (float)along;
    p->isa->infonce->finish_row[p->config.similarity](&row);
}

void infonce_finish_waiting(const struct stage *s)
{
    const struct infonce *p = s->p;
    for (size_t i = s->worker; p->wanted.rows && i < p->m; i += s->workers)
        infonce_finish_row(s, true, i, gradient_row(s, true, i), 1);
    for (size_t j = s->worker; p->wanted.columns && j < p->n; j += s->workers)
        infonce_finish_row(s, false, j, gradient_row(s, false, j), 1);
}
