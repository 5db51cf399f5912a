/* weights.c - what makes softmaxes of exponentials: weights, factors, log-sum-exps.
 * SPDX-License-Identifier: MIT
 *
 * A row's softmax is its exponentials times a number, so G is an exponential times the sum of a
 * row's and a column's weight. Here these are found, in O(m + n), and whether one exponential
 * serves both softmaxes.
 */
#include "weights.h"

#include "../exp/exp.h"
#include "../exp/lse.h"
#include "kept.h"
#include "shift.h"

#include <float.h>
#include <math.h>

/* One exponential E = 2^(z - shift) serves both softmaxes, P = E 2^(shift - lse), where no E
 * overflows and no softmax of 2^-126 or more is lost. E are normal numbers from 2^-126 on: P >=
 * 2^-126 is one of them where the lse is not below the shift. G is E times a weight, a direction's
 * times 2^(shift - lse), and a normal number, with the greatest G near 2^WEIGHT_BITS and no
 * direction below 2^-22 of the other (wide.c). The weight is one up to 2^-126; beyond that the row
 * is done all the same where its P are all below 2^-126, since they count as 0. */
#define SOFTMAX_LEAST 0x1p-126
/* Without a forward, E is at most 2^(lse - shift). */
#define SHIFT_HIGHEST 100.0
enum { WEIGHT_BITS = 24, WEIGHT_BITS_MOST = 100 };

void infonce_layout_softmax(struct infonce *p, struct scratch *s)
{
    const size_t f = sizeof(float);
    size_t n_padded = size_round_up(p->n, INFONCE_COL_MULTIPLE);
    p->softmax.lse2_x = scratch_take(s, p->m, sizeof *p->softmax.lse2_x);
    p->softmax.lse2_y = scratch_take(s, p->n, sizeof *p->softmax.lse2_y);
    p->softmax.lse_x = scratch_take(s, p->m, f);
    p->softmax.lse_x_low = scratch_take(s, p->m, f);
    p->softmax.lse_y = scratch_take(s, n_padded, f);
    p->softmax.lse_y_low = scratch_take(s, n_padded, f);
    p->softmax.row_weight = scratch_take(s, p->m, f);
    p->softmax.col_weight = scratch_take(s, n_padded, f);
    p->softmax.row_factor = scratch_take(s, p->m, sizeof *p->softmax.row_factor);
    p->softmax.col_factor = scratch_take(s, p->n, sizeof *p->softmax.col_factor);
}

void infonce_take_lse(struct infonce *p, const float *lse_x, const float *lse_y)
{
    /* as the logits are scaled here, with alpha */
    double to_bits = (double)p->alpha / (double)p->config.logit_scale;
    for (size_t i = 0; i < p->m; i++)
        p->softmax.lse2_x[i] = (double)lse_x[i] * to_bits;
    for (size_t j = 0; j < p->own; j++)
        p->softmax.lse2_y[j] = (double)lse_y[j] * to_bits;
    for (size_t j = p->own; j < p->n; j++) /* has no part in the loss, and bounds nothing */
        p->softmax.lse2_y[j] = -INFINITY;
}

/* v as the sum of two floats. */
static void split(double v, float *high, float *low)
{
    *high = simd_canonical_nan((float)v);
    *low = isfinite(*high) ? (float)(v - (double)*high) : 0.0f;
}

/* |v| is below 2^ this, and at least half of it. */
static int exponent_of(double v)
{
    int exponent = 0;
    frexp(v, &exponent);
    return exponent;
}

/* 2^t, 0 far below; of an lse that is NaN 0, too: its row then has an exponential of its own. */
static double power_of(double t)
{
    return t > -1000 ? lse_exp2(t < 1000 ? t : 1000) : 0;
}

/* One side of the softmaxes: what is known of its rows, and what is made of that. */
struct half {
    const struct infonce_side *side;
    size_t count;
    const double *lse2;
    const float *base; /* of the forward; NULL where there was none */
    const double *sum;
    double direction; /* weight of the direction, a row; later times 2^weight_bits */
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
                low = h->direction != 0 && h->lse2[i] < low ? h->lse2[i] : low;
                high = h->lse2[i] > high ? h->lse2[i] : high;
            }
    double shift = fmax(floor(low), ceil(high) - SHIFT_HIGHEST);
    return fabs(shift) <= (double)INFONCE_SHIFT_MOST ? (float)shift : 0.0f;
}

static double base_of(const struct infonce *p, const struct half *h, size_t i)
{
    return h->base != NULL ? (double)h->base[i] : (double)p->shift;
}

/* What makes a sum of E relative to base one of P, where one exponential serves: power_of(base -
 * lse). */
static void set_factors(const struct infonce *p, const struct half *h)
{
    for (size_t first = 0; first < h->count; first += ROWS_AT_ONCE) {
        double below[ROWS_AT_ONCE], *factor = h->factor + first;
        size_t rows = size_min(h->count - first, ROWS_AT_ONCE);
        for (size_t r = 0; r < rows; r++) {
            below[r] = base_of(p, h, first + r) - h->lse2[first + r];
            below[r] = below[r] > -1000 ? fmin(below[r], 1000) : -1000;
        }
        p->isa->exp->powers(rows, below, factor);
        for (size_t r = 0; r < rows; r++)
            if (below[r] == -1000 || !infonce_counts(&p->targets, h->side, first + r))
                factor[r] = 0;
    }
}

/* The greatest part that a row has in G: where its only positive is all but certain, what the
 * others have. */
static double greatest_part(const struct infonce *p, const struct half *h)
{
    double greatest = 0;
    for (size_t i = 0; i < h->count; i++) {
        bool one = h->sum != NULL && h->side->start[i + 1] - h->side->start[i] == 1;
        double others = one ? (double)h->sum[i] * h->factor[i] : 1;
        if (infonce_counts(&p->targets, h->side, i))
            greatest = others > greatest ? others : greatest;
    }
    return fabs(h->direction) * (greatest < 1 ? greatest : 1);
}

/* Whether a row has softmaxes that count, of 2^-126 or more, and weight. Without a forward that is
 * not known. */
static bool has_softmax(const struct half *h, size_t i)
{
    return h->direction != 0 &&
           (h->sum == NULL || !((double)h->sum[i] * h->factor[i] < SOFTMAX_LEAST));
}

/* Whether one exponential serves all rows that count, and overflows in none. Without a forward the
 * greatest E of a row is known from its lse only. */
static bool one_exp_serves(const struct infonce *p, const struct half *h)
{
    double highest = h->sum != NULL ? INFINITY : SHIFT_HIGHEST;
    double normal = exponent_of(h->direction) - 1 + 126; /* so far up its weight is one */
    for (size_t i = 0; i < h->count; i++) {
        double above = h->lse2[i] - (double)p->shift;
        if (above > highest)
            return false;
        if (infonce_counts(&p->targets, h->side, i) &&
            (!isfinite(above) || (has_softmax(h, i) && !(above >= 0 && above <= normal))))
            return false;
    }
    return true;
}

static void prepare_half(const struct infonce *p, const struct half *h)
{
    double shift = (double)p->shift;
    for (size_t i = 0; i < h->count; i++) {
        if (!infonce_counts(&p->targets, h->side, i)) {
            /* It has no part in the loss: its softmax is 0. */
            h->lse[i] = FLT_MAX;
            h->lse_low[i] = h->weight[i] = 0.0f;
            continue;
        }
        split(h->lse2[i], &h->lse[i], &h->lse_low[i]);
        if (p->softmax.two_exps) {
            h->weight[i] = (float)ldexp(h->direction, -p->softmax.raise);
            h->factor[i] = ldexp(1, -p->softmax.raise); /* sums of E are sums of P and Q */
        } else {
            double below = shift - h->lse2[i]; /* above 0 only where all P count as 0 */
            double power = base_of(p, h, i) == shift ? h->factor[i] : power_of(below);
            h->weight[i] = below <= 0 ? (float)(h->direction * power) : 0.0f;
        }
    }
}

/* The weight of a direction, a row that counts. */
static double direction_weight(float weight, const struct infonce_side *side)
{
    return side->counted > 0 ? (double)weight / (double)side->counted : 0;
}

void infonce_set_weight_bits(struct infonce *p, double greatest)
{
    p->gradient.weight_bits = WEIGHT_BITS - exponent_of(greatest);
}

/* The same where all of G is known to be small beside the weights, as far as the weights and
 * logit_scale 2^-weight_bits stay far from the ends of float. */
static void raise_weight_bits(struct infonce *p, double weight, double greatest)
{
    int most = WEIGHT_BITS_MOST - exponent_of(weight);
    int by_scale = WEIGHT_BITS_MOST + exponent_of((double)p->config.logit_scale);
    infonce_set_weight_bits(p, greatest > 0 ? greatest : weight);
    most = by_scale < most ? by_scale : most;
    if (p->gradient.weight_bits > most)
        p->gradient.weight_bits = most;
}

void infonce_prepare_softmax(struct infonce *p)
{
    const struct infonce_targets *t = &p->targets;
    bool forward = p->forward.row_sum != NULL;
    double weight_x = p->config.upstream * direction_weight(p->config.weight_x, &t->x);
    double weight_y = p->config.upstream * direction_weight(p->config.weight_y, &t->y);
    struct half half[2] = {
        {&t->x, p->m, p->softmax.lse2_x, p->forward.row_base, p->forward.row_sum, weight_x,
         p->softmax.lse_x, p->softmax.lse_x_low, p->softmax.row_weight, p->softmax.row_factor},
        {&t->y, p->n, p->softmax.lse2_y, p->forward.col_base, p->forward.col_sum, weight_y,
         p->softmax.lse_y, p->softmax.lse_y_low, p->softmax.col_weight, p->softmax.col_factor},
    };
    if (!forward)
        p->shift = shift_of_lse(p, half);
    set_factors(p, &half[0]);
    set_factors(p, &half[1]);
    raise_weight_bits(p, fmax(fabs(weight_x), fabs(weight_y)),
                      fmax(greatest_part(p, &half[0]), greatest_part(p, &half[1])));
    p->softmax.weight_x = half[0].direction = ldexp(weight_x, p->gradient.weight_bits);
    p->softmax.weight_y = half[1].direction = ldexp(weight_y, p->gradient.weight_bits);
    p->softmax.two_exps = (forward && p->forward.overflow) || !one_exp_serves(p, &half[0]) ||
                          !one_exp_serves(p, &half[1]);
    p->softmax.raise = exponent_of(fmax(fabs(half[0].direction), fabs(half[1].direction)));
    if (p->softmax.two_exps)
        infonce_keep_nothing(p);
    p->gradient.sums_g = p->config.similarity == MMK_NEG_SQ_L2;
    p->gradient.sums_gz = infonce_sums_gz(p);
    p->gradient.late = p->softmax.two_exps || !forward;
    p->gradient.positives_in_g = !p->gradient.late && infonce_several_positives(p);
    if (!p->gradient.late) {
        p->gradient.row_e = p->forward.row_sum;
        p->gradient.col_e = p->forward.col_sum;
    }
    prepare_half(p, &half[0]);
    prepare_half(p, &half[1]);
    for (size_t j = p->n; j < size_round_up(p->n, INFONCE_COL_MULTIPLE); j++)
        p->softmax.lse_y[j] = p->softmax.lse_y_low[j] = p->softmax.col_weight[j] = 0.0f;
}
