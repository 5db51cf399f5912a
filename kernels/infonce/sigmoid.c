/* sigmoid.c - the sigmoid loss: what it has of its own beside InfoNCE's passes.
 * SPDX-License-Identifier: MIT
 *
 * Every pair stands alone: softplus(L) over all of them as if they were negatives, and the positives, kept
 * out of that, add softplus(-L) in double. No sum over a row is needed before G is known, so loss and
 * gradients come from one pass over the logits.
 */
#include "lse.h"
#include "problem.h"

#include <math.h>

double infonce_sigmoid_logit(const struct infonce *p, size_t entry, size_t row, size_t col,
                             double *e)
{
    double w =
        (double)p->targets.logit[entry] + ((double)p->row_term[row] + (double)p->col_term[col]);
    double size = fabs(w);
    *e = size <= 1000 ? lse_exp2(-size) : size == size ? 0 : size;
    return w;
}

/* 1/m (sum over the rows + softplus(-L) of the positives). */
static float sigmoid_loss(const struct infonce *p, const float *row_sum)
{
    const struct infonce_targets *t = &p->targets;
    double negatives = 0, positives = 0;
    for (size_t i = 0; i < p->m; i++)
        negatives += (double)row_sum[i];
    for (size_t j = 0; j < p->n; j++)
        for (size_t entry = t->y.start[j]; entry < t->y.start[j + 1]; entry++) {
            double e, w = infonce_sigmoid_logit(p, entry, t->y.index[entry], j, &e);
            positives += (w < 0 ? -w * LSE_LN2 : 0) + lse_log1p(e);
        }
    return simd_canonical_nan((float)((negatives * LSE_LN2 + positives) / (double)p->m));
}

/* sum_ij G_ij */
static double sum_of_g(const struct infonce *p)
{
    double sum = 0;
    for (size_t i = 0; i < p->m; i++)
        sum += (double)p->row_g[i];
    for (size_t entry = 0; entry < p->targets.y.start[p->n]; entry++)
        sum += (double)p->targets.coef[entry];
    return ldexp(sum, -p->weight_bits);
}

static void set_terms(struct infonce *p, float bias)
{
    float term = (float)((double)bias * ((double)p->alpha / (double)p->config.logit_scale));
    for (size_t i = 0; i < p->m; i++)
        p->row_term[i] = term;
    for (size_t j = 0; j < tile_round_up(p->n, INFONCE_COL_MULTIPLE); j++)
        p->col_term[j] = 0.0f;
}

/* What the two functions have in common before they compute. */
static enum mmk_status check(struct infonce *p, const struct mmk_sigmoid_config *config,
                             const struct mmk_csr *positives, const float *loss,
                             const struct mmk_options *options)
{
    if (config == NULL || loss == NULL)
        return MMK_ERR_NULL;
    const struct mmk_infonce_config shared = {.similarity = config->similarity,
                                              .logit_scale = config->logit_scale,
                                              .offset = config->offset};
    p->sigmoid = true;
    p->targets.weights = positives;
    enum mmk_status status = infonce_check(p, &shared, options);
    if (status != MMK_OK)
        return status;
    return isfinite(config->bias) && fabsf(config->bias) <= 0x1p100f ? MMK_OK : MMK_ERR_BIAS;
}

enum mmk_status mmk_sigmoid_forward(const struct mmk_sigmoid_config *config,
                                    const struct mmk_csr *positives, size_t m, size_t n, size_t d,
                                    const float *x, size_t ldx, const float *y, size_t ldy,
                                    float *loss, const struct mmk_options *options)
{
    struct infonce p = infonce_one_to_one(m, n, d, x, ldx, y, ldy);
    struct scratch scratch;
    enum mmk_status status = check(&p, config, positives, loss, options);
    if (status != MMK_OK)
        return status;
    if (m == 0 || n == 0) {
        *loss = 0.0f;
        return MMK_OK;
    }
    if ((status = infonce_open(&p, &scratch, INFONCE_FORWARD, options)) != MMK_OK)
        return status;
    set_terms(&p, config->bias);
    infonce_run_sigmoid(&p);
    *loss = sigmoid_loss(&p, p.row_sum);
    scratch_close(&scratch);
    return MMK_OK;
}

enum mmk_status mmk_sigmoid_forward_backward(const struct mmk_sigmoid_config *config,
                                             const struct mmk_csr *positives, size_t m, size_t n,
                                             size_t d, const float *x, size_t ldx, const float *y,
                                             size_t ldy, float *loss, float *dx, size_t lddx,
                                             float *dy, size_t lddy, float *dlogit_scale,
                                             float *dbias, const struct mmk_options *options)
{
    struct infonce p = infonce_one_to_one(m, n, d, x, ldx, y, ldy);
    struct scratch scratch;
    enum mmk_status status = check(&p, config, positives, loss, options);
    if (status == MMK_OK && (dlogit_scale == NULL || dbias == NULL))
        status = MMK_ERR_NULL;
    if (status != MMK_OK || (status = infonce_check_gradients(&p, dx, lddx, dy, lddy)) != MMK_OK)
        return status;
    if (m == 0 || n == 0) {
        *loss = *dlogit_scale = *dbias = 0.0f;
        infonce_clear_rows(m, d, dx, lddx);
        infonce_clear_rows(n, d, dy, lddy);
        return MMK_OK;
    }
    if ((status = infonce_open(&p, &scratch, INFONCE_BACKWARD, options)) != MMK_OK)
        return status;
    set_terms(&p, config->bias);
    infonce_run_sigmoid_backward(&p, dx, lddx, dy, lddy, dlogit_scale);
    *loss = sigmoid_loss(&p, p.row_e);
    *dbias = simd_canonical_nan((float)sum_of_g(&p));
    scratch_close(&scratch);
    return MMK_OK;
}
