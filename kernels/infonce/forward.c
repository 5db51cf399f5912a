/* forward.c - InfoNCE forward: sums over the negatives, log-sum-exps, the loss.
 * SPDX-License-Identifier: MIT
 *
 * Rows and columns are summed from the same exponentials E = 2^(z - shift), one integer shift for
 * the whole call, chosen from a few pairs (shift.c), in one pass over the logits (pass.c), which
 * takes nearly all of the time. Only the negatives are in these sums, and a sum serves where it
 * lies within 2^-60 and 2^120. What does not is done again, each row or column from its own maximum
 * (sums_again): right for logits of any size, but slower. The positives are joined last, in double:
 * O(m + n + positives).
 */
#include "forward.h"

#include "../exp/exp.h"
#include "../exp/lse.h"
#include "pass.h"
#include "shift.h"

#include <float.h>
#include <math.h>

/* A term below 2^-126 may be lost; 2^32 of them are 2^-34 of the least sum. */
#define SUM_LEAST 0x1p-60

/* The greatest sum of E of a row or column: with it no E has overflowed. */
#define SUM_GREATEST 0x1p120

void infonce_layout_forward(struct infonce *p, struct scratch *s)
{
    const size_t f = sizeof(float), whole = sizeof(double);
    size_t longer = size_max(p->m, p->n);
    p->forward.row_base = scratch_take(s, p->m, f);
    p->forward.row_sum = scratch_take(s, p->m, whole);
    p->forward.col_base = scratch_take(s, p->n, f);
    p->forward.col_sum = scratch_take(s, p->n, whole);
    p->forward.pick = scratch_take(s, longer, sizeof *p->forward.pick);
    p->forward.pick_max = scratch_take(s, longer, f);
    p->forward.pick_sum = scratch_take(s, longer, whole);
}

/* Rows of `operands` whose sum the shift does not serve become the rows of a pass of their own. */
static void sums_again(struct infonce *p, const struct operands *operands, float *base, double *sum)
{
    struct tile_operand picked = *operands->a;
    size_t count = picked.rows;
    picked.rows = 0;
    picked.pick = p->forward.pick;
    for (size_t i = 0; i < count; i++) {
        base[i] = p->shift;
        if (!(sum[i] >= SUM_LEAST && sum[i] <= SUM_GREATEST))
            p->forward.pick[picked.rows++] = (uint32_t)i;
        if (!(sum[i] <= SUM_GREATEST))
            p->forward.overflow = true;
    }
    if (picked.rows == 0)
        return;
    struct pass pass = {.operands = *operands,
                        .kind = PASS_OWN_MAXIMUM,
                        .row_max = p->forward.pick_max,
                        .row_sum = p->forward.pick_sum};
    pass.operands.a = &picked;
    infonce_list_places(p, &pass.operands);
    (void)infonce_run_pass(p, &pass);
    p->packed.held = (struct region){0, 0, 0, 0};
    for (size_t r = 0; r < picked.rows; r++) {
        base[p->forward.pick[r]] = p->forward.pick_max[r];
        sum[p->forward.pick[r]] = p->forward.pick_sum[r];
    }
}

/* E of all positives, as a strip makes it. */
static void exp_positives(const struct infonce *p)
{
    const struct infonce_targets *t = &p->targets;
    size_t count = t->y.start[p->n], padded = size_round_up(count, INFONCE_STRIP);
    for (size_t e = count; e < padded; e++)
        t->logit[e] = -INFINITY;
    for (size_t e = 0; e < padded; e += STRIP_FLOATS) {
        float unused[INFONCE_STRIP] = {0}; /* sums of columns; nor are those of rows looked at */
        p->isa->infonce->exp_strip(size_min(padded - e, STRIP_FLOATS) / INFONCE_STRIP,
                                   INFONCE_STRIP, t->logit + e, simd_shift(p->shift), p->strip.lane,
                                   unused, t->e + e);
    }
}

/* With a greatest E in this range no other has overflowed, and what is flushed is below 2^-126 of
 * it. */
#define JOIN_LEAST    1.0f
#define JOIN_GREATEST 0x1p127f

/* What the positives of row i of a side add to a sum and to the loss, relative to the greatest of
 * their logits: the others' share of the sum, and how far below it the targets' mean lies, in base
 * 2. */
struct joined {
    double greatest, others, below;
};

static struct joined join_positives(const struct infonce *p, const struct infonce_side *side,
                                    size_t i)
{
    const struct infonce_targets *t = &p->targets;
    size_t begin = side->start[i], end = side->start[i + 1], greatest = begin;
    for (size_t q = begin; q < end; q++) {
        float logit = t->logit[side->entry[q]];
        if (logit > t->logit[side->entry[greatest]] || logit != logit) /* a NaN wins */
            greatest = q;
    }
    float top = t->logit[side->entry[greatest]], top_e = t->e[side->entry[greatest]];
    struct joined joined = {(double)top, 0, 0};
    if (end - begin == 1 || top == -INFINITY)
        return joined;
    bool in_reach = top_e >= JOIN_LEAST && top_e <= JOIN_GREATEST;
    for (size_t q = begin; q < end; q++) {
        size_t entry = side->entry[q];
        double down = (double)top - (double)t->logit[entry];
        double share = in_reach ? (double)t->e[entry] : down < 1000 ? lse_exp2(-down) : 0;
        joined.others += q == greatest ? 0 : share;
        joined.below += t->weight[entry] * down;
    }
    if (in_reach)
        joined.others /= (double)top_e;
    joined.below /= side->total[i];
    return joined;
}

/* Returns a log-sum-exp in nats. */
static double write_lse(const struct infonce *p, double bits, float *lse, double *lse2)
{
    /* alpha is rounded; the logits are made with it */
    double nats = bits * ((double)p->config.logit_scale / (double)p->alpha);
    if (lse != NULL)
        *lse = simd_canonical_nan((float)nats);
    if (lse2 != NULL)
        *lse2 = bits;
    return nats;
}

/* Finishes row i of a side, whose negatives are sum 2^base: returns its part of the loss, which is
 * lse - sum_j t_ij L_ij, without any positives lse - log(count), and 0 where the row does not
 * count. Writes lse, in nats, and where asked for in base 2. */
static double finish_lse(const struct infonce *p, const struct infonce_side *side, size_t i,
                         double base, double sum, float *lse, double *lse2)
{
    double bits, loss = 0;
    if (side->start[i] == side->start[i + 1]) {
        bits = base + lse_log(sum) * LSE_LOG2E;
    } else {
        struct joined joined = join_positives(p, side, i);
        double distance = base - joined.greatest, above;
        if (sum == 0 && joined.greatest == -INFINITY) {
            bits = -INFINITY;
            above = NAN; /* -Inf - -Inf, as the formula has it */
        } else {
            above =
                joined.greatest < INFINITY ? lse_minus_logit(distance, sum, joined.others) : NAN;
            if (distance > 200) /* also where the positives' logits are -Inf */
                bits = base + lse_log(sum) * LSE_LOG2E;
            else
                bits = joined.greatest + above * LSE_LOG2E;
        }
        loss = above + joined.below * LSE_LN2;
    }
    double nats = write_lse(p, bits, lse, lse2);
    if (p->targets.none)
        loss = nats - lse_log((double)(side == &p->targets.x ? p->n : p->m));
    return loss;
}

/* Whether row i has one positive, and its lse is what lse_minus_logit makes in the usual case: then
 * sets the logit and how far the sum's base is above it. */
static bool is_usual(const struct infonce *p, const struct infonce_side *side, size_t i,
                     double base, double sum, double *logit, double *above)
{
    if (side->start[i + 1] - side->start[i] != 1 || !(sum >= 0 && sum <= DBL_MAX))
        return false;
    *logit = (double)p->targets.logit[side->entry[side->start[i]]];
    *above = base - *logit;
    return fabs(*logit) < INFINITY && *above >= -1000 && *above <= 200;
}

/* All rows of a side: returns the sum of their parts of the loss. */
static double finish_side(const struct infonce *p, const struct infonce_side *side, size_t count,
                          const float *base, const double *sum, float *lse, size_t own,
                          double *lse2)
{
    double loss = 0;
    for (size_t first = 0; first < count; first += ROWS_AT_ONCE) {
        double logit[ROWS_AT_ONCE], above[ROWS_AT_ONCE], minus[ROWS_AT_ONCE], sums[ROWS_AT_ONCE];
        bool usual[ROWS_AT_ONCE];
        size_t rows = size_min(count - first, ROWS_AT_ONCE);
        for (size_t r = 0; r < rows; r++) {
            size_t i = first + r;
            usual[r] = is_usual(p, side, i, (double)base[i], sum[i], &logit[r], &above[r]);
            sums[r] = usual[r] ? sum[i] : 0;
            above[r] = usual[r] ? above[r] : 0;
        }
        p->isa->exp->log1p_sums(rows, sums, above, minus);
        for (size_t r = 0; r < rows; r++) {
            size_t i = first + r;
            float *to = lse != NULL && i < own ? &lse[i] : NULL;
            if (usual[r]) {
                write_lse(p, logit[r] + minus[r] * LSE_LOG2E, to, lse2 != NULL ? &lse2[i] : NULL);
                loss += minus[r];
            } else {
                loss += finish_lse(p, side, i, (double)base[i], sum[i], to,
                                   lse2 != NULL ? &lse2[i] : NULL);
            }
        }
    }
    return loss;
}

/* The mean over the rows (or columns) that have positives; 0 where none has. */
static double mean_of(double sum, size_t counted)
{
    return counted > 0 ? sum / (double)counted : 0;
}

void infonce_run_forward(struct infonce *p, float *loss, float *lse_x, float *lse_y)
{
    const struct infonce_targets *t = &p->targets;
    struct tile_operand y = infonce_scaled_columns(p);
    ptrdiff_t offset = (ptrdiff_t)p->config.offset;
    struct pass pass = {.operands = {&p->x, &y, &t->x, &t->y, offset},
                        .row_sum = p->forward.row_sum,
                        .logit = t->logit};
    infonce_list_places(p, &pass.operands);
    p->shift = infonce_choose_shift(p);
    p->forward.overflow = false;
    p->packed.held = infonce_run_pass(p, &pass);
    exp_positives(p);
    sums_again(p, &pass.operands, p->forward.row_base, p->forward.row_sum);
    sums_again(p, &(struct operands){&y, &p->x, &t->y, &t->x, -offset}, p->forward.col_base,
               p->forward.col_sum);

    double loss_x = finish_side(p, &t->x, p->m, p->forward.row_base, p->forward.row_sum, lse_x,
                                p->m, p->softmax.lse2_x);
    double loss_y = finish_side(p, &t->y, p->n, p->forward.col_base, p->forward.col_sum, lse_y,
                                p->own, p->softmax.lse2_y);
    if (loss != NULL)
        *loss =
            simd_canonical_nan((float)((double)p->config.weight_x * mean_of(loss_x, t->x.counted) +
                                       (double)p->config.weight_y * mean_of(loss_y, t->y.counted)));
}
