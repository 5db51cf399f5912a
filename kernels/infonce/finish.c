/* finish.c - what makes a gradient's row of the sum of its products: positives, derivative, scale.
 * SPDX-License-Identifier: MIT
 *
 * The positives' own entries of G, weight_x/m (P - t) + weight_y/m (Q - t), are made in double;
 * where a row has one positive, 1 - P is the sum of the negatives, so that nothing cancels when P
 * is near 1. They are put into G after each strip, and where those sums are not known before the
 * end, added last.
 *
 * O((m + n + positives) d): it shows in the time of small batches only. A row is finished right
 * after the last product that adds to it, while the next is prefetched.
 */
#include "finish.h"

#include "../exp/lse.h"

#include <math.h>

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

void infonce_positive_gradients(const struct infonce *p)
{
    const struct infonce_targets *targets = &p->targets;
#pragma omp for schedule(static)
    for (size_t j = 0; j < p->n; j++) {
        double rest_y = (double)p->gradient.col_e[j] * p->softmax.col_factor[j];
        for (size_t e = targets->y.start[j]; e < targets->y.start[j + 1]; e++) {
            size_t i = targets->y.index[e];
            double rest_x = (double)p->gradient.row_e[i] * p->softmax.row_factor[i];
            targets->coef[e] =
                (float)(p->softmax.weight_x * softmax_minus_target(p, &targets->x, i, e,
                                                                   p->softmax.lse2_x[i], rest_x) +
                        p->softmax.weight_y * softmax_minus_target(p, &targets->y, j, e,
                                                                   p->softmax.lse2_y[j], rest_y));
        }
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
    const struct row_scale none = {1.0f, 1.0f};
    bool neg_sq_l2 = p->config.similarity == MMK_NEG_SQ_L2;
    size_t first = side->start[i], positives = side->start[i + 1] - first;
    struct infonce_row row = {
        .d = p->d,
        .sum = sum,
        .nr = p->isa->tile->nr,
        .panel_rows = panel_rows,
        .gradient = gradient_row(s, of_x, i),
        .self = tile_operand_row(self, i),
        .positives = p->gradient.late ? positives : 0,
        .index = side->index + first,
        .entry = side->entry + first,
        .coef = p->targets.coef,
        .other = other->data,
        .ldother = other->ld,
        .self_scale = self->scale != NULL ? self->scale[i] : none,
        .other_scale = other->scale,
    };
    infonce_set_scale(
        &row, ldexp((double)p->config.logit_scale * (neg_sq_l2 ? 2 : 1), -p->gradient.weight_bits));
    if (neg_sq_l2) {
        row.sum_g = of_x ? p->gradient.row_g[i] : p->gradient.col_g[i];
        for (size_t q = 0; q < positives; q++)
            row.sum_g += row.coef[row.entry[q]];
    }
    tile_fetch_row(gradient_row(s, of_x, i + 1), p->d);
    tile_fetch_row(tile_operand_row(self, i + 1), p->d);
    (of_x ? p->gradient.along_x : p->gradient.along_y)[i] =
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
