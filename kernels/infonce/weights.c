/* weights.c - what makes softmaxes of exponentials: weights, factors, log-sum-exps.
 * SPDX-License-Identifier: MIT
 *
 * A row's softmax is its exponentials times a number, so G is an exponential times the sum of a
 * row's and a column's weight. Here these are found, in O(m + n), and whether one exponential
 * serves both softmaxes.
 */
#include "weights.h"

#include "../exp/lse.h"
#include "shift.h"

#include <float.h>
#include <math.h>

/* One exponential E = 2^(z - shift) serves both softmaxes, P = E 2^(shift - lse), where no E
 * overflows and no lse lies more than LSE_BELOW (in binary digits) below the shift: then what is
 * lost is below 2^-66 of a softmax. Weights are kept times a power of two that makes the greater
 * about 2^WEIGHT_BITS, so that they are normal floats up to LSE_ABOVE over the shift. Farther up,
 * with all sums of E below 2^80, all of P is below 2^-66 itself. */
#define LSE_BELOW      60.0
#define LSE_ABOVE      146.0
#define SUM_NEGLIGIBLE 0x1p80
/* Without a forward, E is at most 2^(lse - shift). */
#define SHIFT_HIGHEST 100.0
enum { WEIGHT_BITS = 20, WEIGHT_BITS_MOST = 100 }; /* logit_scale 2^-bits stays normal */

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

/* 2^(base - lse): makes an exponential, or a sum of them, relative to 2^base one of softmaxes. With
 * two exponentials they are softmaxes already. */
static double softmax_factor(const struct infonce *p, double base, double lse2)
{
    double t = base - lse2;
    return p->softmax.two_exps ? 1 : t > -1000 ? lse_exp2(t) : 0;
}

/* Whether one exponential serves: see LSE_BELOW. */
static bool one_exp_serves(const struct infonce *p, double lse2, double sum)
{
    double above = lse2 - (double)p->shift;
    return above >= -LSE_BELOW && (above <= LSE_ABOVE || sum <= SUM_NEGLIGIBLE);
}

/* One side of the softmaxes: what is known of its rows, and what is made of that. */
struct half {
    const struct infonce_side *side;
    size_t count;
    const double *lse2;
    const float *base; /* of the forward; NULL where there was none */
    const double *sum;
    double direction; /* weight of the direction, a row, times 2^weight_bits */
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

/* Whether one exponential serves all rows that count, and overflows in none. Without a forward the
 * greatest E of a row is known from its lse only. */
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
        if (!infonce_counts(&p->targets, h->side, i)) {
            /* It has no part in the loss: its softmax is 0. */
            h->lse[i] = FLT_MAX;
            h->lse_low[i] = h->weight[i] = 0.0f;
            h->factor[i] = 0;
            continue;
        }
        split(h->lse2[i], &h->lse[i], &h->lse_low[i]);
        h->weight[i] = (float)(h->direction * softmax_factor(p, shift, h->lse2[i]));
        h->factor[i] = softmax_factor(p, p->gradient.late ? shift : (double)h->base[i], h->lse2[i]);
    }
}

/* The weight of a direction, a row that counts. */
static double direction_weight(float weight, const struct infonce_side *side)
{
    return side->counted > 0 ? (double)weight / (double)side->counted : 0;
}

void infonce_set_weight_bits(struct infonce *p, double greatest)
{
    int exponent = 0;
    frexp(greatest, &exponent); /* 0 for 0 */
    p->gradient.weight_bits = WEIGHT_BITS - exponent;
    if (p->gradient.weight_bits > WEIGHT_BITS_MOST)
        p->gradient.weight_bits = WEIGHT_BITS_MOST;
}

void infonce_prepare_softmax(struct infonce *p)
{
    const struct infonce_targets *t = &p->targets;
    bool forward = p->forward.row_sum != NULL;
    double weight_x = p->config.upstream * direction_weight(p->config.weight_x, &t->x);
    double weight_y = p->config.upstream * direction_weight(p->config.weight_y, &t->y);
    infonce_set_weight_bits(p, fmax(fabs(weight_x), fabs(weight_y)));
    p->softmax.weight_x = ldexp(weight_x, p->gradient.weight_bits);
    p->softmax.weight_y = ldexp(weight_y, p->gradient.weight_bits);
    const struct half half[2] = {
        {&t->x, p->m, p->softmax.lse2_x, p->forward.row_base, p->forward.row_sum,
         p->softmax.weight_x, p->softmax.lse_x, p->softmax.lse_x_low, p->softmax.row_weight,
         p->softmax.row_factor},
        {&t->y, p->n, p->softmax.lse2_y, p->forward.col_base, p->forward.col_sum,
         p->softmax.weight_y, p->softmax.lse_y, p->softmax.lse_y_low, p->softmax.col_weight,
         p->softmax.col_factor},
    };
    if (!forward)
        p->shift = shift_of_lse(p, half);
    p->softmax.two_exps = (forward && p->forward.overflow) || !one_exp_serves_half(p, &half[0]) ||
                          !one_exp_serves_half(p, &half[1]);
    if (p->softmax.two_exps)
        p->kept.row_blocks = 0;
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
