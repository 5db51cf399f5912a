/* sigmoid.c - the sigmoid losses' public functions, of rows and of Gaussian embeddings.
 * SPDX-License-Identifier: MIT
 *
 * InfoNCE's strips become log(1 + 2^w) and its derivative (sigmoid_strip in infonce.h). Every pair
 * stands alone: softplus(L) over all of them as if they were negatives, and the positives, kept out
 * of that, add softplus(-L) in double. No sum over a row is needed before G is known, so loss and
 * gradients come from one pass over the logits. Variances of Gaussian embeddings enter as a term of
 * the row and one of the column.
 *
 * Where the time goes: into InfoNCE's products, one for mmk_sigmoid_forward (pass.c) and three
 * where there are gradients (products.c), and beside the first into an exponential, a logarithm
 * and, for G, a division for each element: more than InfoNCE has, so that short rows cost more.
 * What Gaussian embeddings add is O((m + n) d): two exponentials for each log-variance.
 */
#include "sigmoid.h"

#include "../exp/exp.h"
#include "../exp/lse.h"
#include "backward.h"
#include "gradient.h"
#include "pass.h"

#include <math.h>

void infonce_layout_sigmoid(struct infonce *p, struct scratch *s)
{
    p->sigmoid.row_term = scratch_take(s, p->m, sizeof *p->sigmoid.row_term);
    p->sigmoid.col_term =
        scratch_take(s, size_round_up(p->n, INFONCE_COL_MULTIPLE), sizeof *p->sigmoid.col_term);
    p->sigmoid.var_x = scratch_take(s, p->m, sizeof *p->sigmoid.var_x);
    p->sigmoid.var_y = scratch_take(s, p->n, sizeof *p->sigmoid.var_y);
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

/* sum_j G_ij of row i of a side, whose negatives' sum is known. */
static double sum_of_row(const struct infonce *p, const struct infonce_side *side, size_t i,
                         float negatives)
{
    double sum = (double)negatives;
    for (size_t q = side->start[i]; q < side->start[i + 1]; q++)
        sum += (double)p->targets.coef[side->entry[q]];
    return ldexp(sum, -p->gradient.weight_bits);
}

/* sum_ij G_ij */
static float bias_gradient(const struct infonce *p)
{
    double sum = 0;
    for (size_t i = 0; i < p->m; i++)
        sum += sum_of_row(p, &p->targets.x, i, p->gradient.row_g[i]);
    return simd_canonical_nan((float)sum);
}

/* bias - a var_x and -a var_y in base 2; without variances bias and 0. */
static void set_terms(struct infonce *p, float bias, const double *var_x, const double *var_y)
{
    double to_bits = (double)p->alpha / (double)p->config.logit_scale;
    double scale = (double)p->config.logit_scale;
    for (size_t i = 0; i < p->m; i++)
        p->sigmoid.row_term[i] = simd_canonical_nan(
            (float)(((double)bias - (var_x != NULL ? scale * var_x[i] : 0)) * to_bits));
    for (size_t j = 0; j < p->n; j++)
        p->sigmoid.col_term[j] =
            simd_canonical_nan((float)(var_y != NULL ? -scale * var_y[j] * to_bits : 0));
    for (size_t j = p->n; j < size_round_up(p->n, INFONCE_COL_MULTIPLE); j++)
        p->sigmoid.col_term[j] = 0.0f;
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
    p->sigmoid.on = true;
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
    struct infonce p = infonce_arguments(m, n, d, x, ldx, y, ldy);
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
    set_terms(&p, config->bias, NULL, NULL);
    infonce_run_sigmoid(&p);
    *loss = sigmoid_loss(&p, p.forward.row_sum);
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
    struct infonce p = infonce_arguments(m, n, d, x, ldx, y, ldy);
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
    set_terms(&p, config->bias, NULL, NULL);
    infonce_run_sigmoid_backward(&p, dx, lddx, dy, lddy, dlogit_scale);
    *loss = sigmoid_loss(&p, p.gradient.row_e);
    *dbias = bias_gradient(&p);
    scratch_close(&scratch);
    return MMK_OK;
}

/* ---- Closed-form sampled distance ---------------------------------------------------------- */

/* var[i] = sum_k e^{log_var_ik} */
static void sum_variances(const struct infonce *p, size_t rows, const float *log_var, size_t ld,
                          double *var)
{
    const struct exp_ops *exp = p->isa->exp;
#pragma omp parallel for schedule(static) num_threads(p->threads) if (p->threads > 1)
    for (size_t i = 0; i < rows; i++) {
        const float *row = log_var + i * ld;
        float max = exp->max(p->d, row);
        double bits = (double)max * LSE_LOG2E;
        if (!(fabs(bits) <= 1000)) /* no k, NaN, or far out of float */
            var[i] = max < 0 ? 0 : (double)max;
        else
            var[i] = (double)exp->sum(p->d, row, max) * lse_exp2(bits);
    }
}

/* d loss / d log_var_ik = -a (sum_j G_ij) e^{log_var_ik}. Returns the rows' part of d loss / d a,
 * which is -sum_i (sum_j G_ij) var_i. */
static double variance_gradients(const struct infonce *p, const struct infonce_side *side,
                                 size_t rows, const float *negatives, const float *log_var,
                                 size_t ld, const double *var, float *gradient, size_t ldgradient)
{
    double part = 0;
#pragma omp parallel for schedule(static) num_threads(p->threads) if (p->threads > 1)
    for (size_t i = 0; i < rows; i++) {
        double sum = sum_of_row(p, side, i, negatives[i]);
        float *out = gradient + i * ldgradient;
        struct row_scale scale = {1.0f, (float)(-(double)p->config.logit_scale * sum)};
        p->isa->exp->each(p->d, log_var + i * ld, out);
        p->isa->pair->scale_row(p->d, out, scale, out);
    }
    for (size_t i = 0; i < rows; i++)
        part -= sum_of_row(p, side, i, negatives[i]) * var[i];
    return part;
}

enum mmk_status mmk_csd_sigmoid_forward_backward(
    const struct mmk_sigmoid_config *config, const struct mmk_csr *positives, size_t m, size_t n,
    size_t d, const float *mu, const float *log_var_x, size_t ldx, const float *nu,
    const float *log_var_y, size_t ldy, float *loss, float *dmu, float *dlog_var_x, size_t lddx,
    float *dnu, float *dlog_var_y, size_t lddy, float *dlogit_scale, float *dbias,
    const struct mmk_options *options)
{
    struct infonce p = infonce_arguments(m, n, d, mu, ldx, nu, ldy);
    struct scratch scratch;
    if (config == NULL)
        return MMK_ERR_NULL;
    struct mmk_sigmoid_config distance = *config;
    distance.similarity = MMK_NEG_SQ_L2;
    enum mmk_status status = check(&p, &distance, positives, loss, options);
    if (status == MMK_OK && (dlogit_scale == NULL || dbias == NULL))
        status = MMK_ERR_NULL;
    if (status != MMK_OK || (status = args_matrix(log_var_x, m, d, ldx)) != MMK_OK ||
        (status = args_matrix(log_var_y, n, d, ldy)) != MMK_OK ||
        (status = infonce_check_gradients(&p, dmu, lddx, dnu, lddy)) != MMK_OK ||
        (status = infonce_check_gradients(&p, dlog_var_x, lddx, dlog_var_y, lddy)) != MMK_OK)
        return status;
    if (m == 0 || n == 0) {
        *loss = *dlogit_scale = *dbias = 0.0f;
        infonce_clear_rows(m, d, dmu, lddx);
        infonce_clear_rows(m, d, dlog_var_x, lddx);
        infonce_clear_rows(n, d, dnu, lddy);
        infonce_clear_rows(n, d, dlog_var_y, lddy);
        return MMK_OK;
    }
    if ((status = infonce_open(&p, &scratch, INFONCE_BACKWARD, options)) != MMK_OK)
        return status;
    sum_variances(&p, m, log_var_x, ldx, p.sigmoid.var_x);
    sum_variances(&p, n, log_var_y, ldy, p.sigmoid.var_y);
    set_terms(&p, config->bias, p.sigmoid.var_x, p.sigmoid.var_y);
    float dscale;
    infonce_run_sigmoid_backward(&p, dmu, lddx, dnu, lddy, &dscale);
    double da = (double)dscale;
    da += variance_gradients(&p, &p.targets.x, m, p.gradient.row_g, log_var_x, ldx, p.sigmoid.var_x,
                             dlog_var_x, lddx);
    da += variance_gradients(&p, &p.targets.y, n, p.gradient.col_g, log_var_y, ldy, p.sigmoid.var_y,
                             dlog_var_y, lddy);
    *loss = sigmoid_loss(&p, p.gradient.row_e);
    *dlogit_scale = simd_canonical_nan((float)da);
    *dbias = bias_gradient(&p);
    scratch_close(&scratch);
    return MMK_OK;
}
