/* weights.c - what makes softmaxes of exponentials: weights, factors, log-sum-exps.
 * SPDX-License-Identifier: MIT
 *
 * A row's softmax is its exponentials times a number, so G is an exponential times the sum of a row's and
 * a column's weight. Here these are found, in O(m + n), and whether one exponential serves both softmaxes.
 */
#include "weights.h"

#include "../exp/lse.h"
#include "shift.h"

#include <float.h>
#include <math.h>

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

void infonce_set_weight_bits(struct infonce *p, double greatest)
{
    int exponent = 0;
    frexp(greatest, &exponent); /* 0 for 0 */
    p->weight_bits = WEIGHT_BITS - exponent;
    if (p->weight_bits > WEIGHT_BITS_MOST)
        p->weight_bits = WEIGHT_BITS_MOST;
}

void infonce_prepare_softmax(struct infonce *p)
{
    const struct infonce_targets *t = &p->targets;
    bool forward = p->row_sum != NULL;
    double weight_x = direction_weight(p->config.weight_x, &t->x);
    double weight_y = direction_weight(p->config.weight_y, &t->y);
    infonce_set_weight_bits(p, fmax(weight_x, weight_y));
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
