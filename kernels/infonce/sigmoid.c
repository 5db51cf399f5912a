/* sigmoid.c - mmk_sigmoid: the sigmoid loss of rows, and of Gaussian embeddings.
 * SPDX-License-Identifier: MIT
 *
 * InfoNCE's strips become log(1 + 2^w) and its derivative (sigmoid_strip in infonce.h). Every pair
 * stands alone: softplus(L) over all of them as if they were negatives, and the positives, kept out
 * of that, add softplus(-L) in double. No sum over a row is needed before G is known, so loss and
 * gradients come from one pass over the logits. Variances of Gaussian embeddings enter as a term of
 * the row and one of the column.
 *
 * Where the time goes: into InfoNCE's products, one for the loss alone (pass.c) and one more for
 * each of dX and dY (products.c), and beside the first into an exponential, a logarithm and, for G,
 * a division for each element: more than InfoNCE has, so that short rows cost more. What Gaussian
 * embeddings add is O((m + n) d): two exponentials for each log-variance.
 */
#include "sigmoid.h"

#include "../call/threads.h"
#include "../exp/exp.h"
#include "../exp/lse.h"
#include "backward.h"
#include "gradient.h"
#include "pass.h"
#include "wide.h"

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
static float sigmoid_loss(const struct infonce *p, const double *row_sum)
{
    const struct infonce_targets *t = &p->targets;
    double negatives = 0, positives = 0;
    for (size_t i = 0; i < p->m; i++)
        negatives += row_sum[i];
    negatives /= (double)INFONCE_RAISE;
    for (size_t j = 0; j < p->n; j++)
        for (size_t entry = t->y.start[j]; entry < t->y.start[j + 1]; entry++) {
            double e, w = infonce_sigmoid_logit(p, entry, t->y.index[entry], j, &e);
            positives += (w < 0 ? -w * LSE_LN2 : 0) + lse_log1p(e);
        }
    return simd_canonical_nan((float)((negatives * LSE_LN2 + positives) / (double)p->m));
}

/* sum_j G_ij of row i of a side, whose negatives' sum is known. */
static double sum_of_row(const struct infonce *p, const struct infonce_side *side, size_t i,
                         double negatives)
{
    double sum = negatives;
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

/* ---- Closed-form sampled distance ---------------------------------------------------------- */

/* Where float has not the range (wide.c): variances of which float loses digits though they show in
 * gradients, and greater sums of a row's variances, or a greater bias. */
#define LOG_VARIANCE_LEAST  -80.0f
#define LOG_VARIANCE_UNSEEN -130.0f
#define VARIANCE_GREATEST   0x1p60
#define BIAS_GREATEST       0x1p60f

/* var[i] = sum_k e^{log_var_ik} */
struct variances {
    const struct infonce *p;
    const struct args_rows *log_var;
    double *var;
};

static void some_variances(void *context, size_t worker, size_t workers)
{
    const struct variances *v = context;
    const struct exp_ops *exp = v->p->isa->exp;
    size_t d = v->p->d, begin, end;
    threads_share(v->log_var->rows, worker, workers, &begin, &end);
    for (size_t i = begin; i < end; i++) {
        const float *row = v->log_var->data + i * v->log_var->ld;
        float max = exp->max(d, row);
        double bits = (double)max * LSE_LOG2E;
        if (fabs(bits) <= 1000)
            v->var[i] = (double)exp->sum(d, row, max) * lse_exp2(bits);
        else
            v->var[i] = infonce_wide_sum_exp(d, row);
    }
}

static void sum_variances(const struct infonce *p, const struct args_rows *log_var, double *var)
{
    threads_run(p->threads, some_variances, &(struct variances){p, log_var, var});
}

/* Whether log-variances make the call one for double. NaN does not. */
static bool variances_are_wide(const struct infonce *p, const struct args_rows *log_var,
                               const double *var)
{
    bool wide = false;
    for (size_t i = 0; i < log_var->rows; i++) {
        const float *row = log_var->data + i * log_var->ld;
        bool low = false;
        for (size_t k = 0; k < p->d; k++)
            low |= row[k] < LOG_VARIANCE_LEAST && row[k] > LOG_VARIANCE_UNSEEN;
        wide |= low || (double)p->alpha * var[i] > VARIANCE_GREATEST || var[i] > VARIANCE_GREATEST;
    }
    return wide;
}

/* One side's rows, the sums of G over their negatives, and where gradients go. */
struct variance_rows {
    const struct infonce *p;
    const struct infonce_side *side;
    size_t rows;
    const double *negatives;
    const struct args_rows *log_var;
    const struct args_out *gradient;
};

static void some_gradients(void *context, size_t worker, size_t workers)
{
    const struct variance_rows *v = context;
    const struct infonce *p = v->p;
    size_t begin, end;
    threads_share(v->rows, worker, workers, &begin, &end);
    for (size_t i = begin; v->gradient->data != NULL && i < end; i++) {
        float *out = v->gradient->data + i * v->gradient->ld;
        double factor = -(double)p->config.logit_scale * sum_of_row(p, v->side, i, v->negatives[i]);
        struct row_scale scale = {1.0f, (float)factor};
        if (fabs(factor) < 0x1p-66) /* a great variance makes it greater */
            scale = (struct row_scale){0x1p-60f, (float)(factor * 0x1p60)};
        p->isa->exp->each(p->d, v->log_var->data + i * v->log_var->ld, out);
        p->isa->pair->scale_row(p->d, out, scale, out);
    }
}

/* d loss / d log_var_ik = -a (sum_j G_ij) e^{log_var_ik}. Returns the rows' part of d loss / d a,
 * which is -sum_i (sum_j G_ij) var_i. */
static double variance_gradients(const struct infonce *p, const struct infonce_side *side,
                                 size_t rows, const double *negatives,
                                 const struct args_rows *log_var, const double *var,
                                 const struct args_out *gradient)
{
    double part = 0;
    threads_run(p->threads, some_gradients,
                &(struct variance_rows){p, side, rows, negatives, log_var, gradient});
    for (size_t i = 0; i < rows; i++)
        part -= sum_of_row(p, side, i, negatives[i]) * var[i];
    return part;
}

/* ---- The call -------------------------------------------------------------------------------- */

struct call {
    const struct mmk_sigmoid_problem *problem;
    const struct mmk_sigmoid_results *results;
    const struct mmk_options *options;
    struct args_rows log_variance_x, log_variance_y;
    bool variances;
    struct gradients out;
    struct args_out dlog_variance_x, dlog_variance_y;
    enum infonce_parts parts; /* forward: the loss alone */
};

/* Log-variances come for both sides, in the shape of the means. */
static enum mmk_status take_variances(const struct infonce *p, struct call *c)
{
    const struct mmk_matrix *x = c->problem->log_variance_x, *y = c->problem->log_variance_y;
    enum mmk_status status;
    c->variances = x != NULL;
    if ((x == NULL) != (y == NULL))
        return args_error(MMK_ERR_CONFLICT, "log_variance_%c is given and log_variance_%c is not",
                          x != NULL ? 'x' : 'y', x != NULL ? 'y' : 'x');
    if (x == NULL)
        return MMK_OK;
    if (c->problem->similarity != MMK_NEG_SQ_L2)
        return args_error(MMK_ERR_SIMILARITY, "log-variances need MMK_NEG_SQ_L2, similarity is %d",
                          (int)c->problem->similarity);
    if ((status = args_matrix("log_variance_x", x, ARGS_F32, ARGS_READ, c->options,
                              &c->log_variance_x)) != MMK_OK ||
        (status = args_matrix("log_variance_y", y, ARGS_F32, ARGS_READ, c->options,
                              &c->log_variance_y)) != MMK_OK ||
        (status = args_same_shape("log_variance_x", &c->log_variance_x, "x", p->m, p->d)) != MMK_OK)
        return status;
    return args_same_shape("log_variance_y", &c->log_variance_y, "y", p->n, p->d);
}

static enum mmk_status take_problem(struct infonce *p, struct call *c)
{
    const struct mmk_sigmoid_problem *problem = c->problem;
    enum mmk_status status;
    if ((status = args_pointer("problem", problem)) != MMK_OK ||
        (status = ARGS_RESERVED("problem", problem)) != MMK_OK ||
        (status = infonce_take_rows(p, problem->x, problem->y, NULL, problem->similarity,
                                    c->options)) != MMK_OK ||
        (status = infonce_take_scale(p, problem->logit_scale, problem->upstream)) != MMK_OK ||
        (status = take_variances(p, c)) != MMK_OK)
        return status;
    if (!(fabsf(problem->bias) <= 0x1p100f))
        return args_error(MMK_ERR_BIAS, "bias is %g; it must be within 2^100",
                          (double)problem->bias);
    p->sigmoid.on = true;
    p->sigmoid.bias = (double)problem->bias;
    return infonce_take_targets(p, "positives", problem->positives, problem->offset, false);
}

static enum mmk_status take_results(struct infonce *p, struct call *c)
{
    const struct mmk_sigmoid_results *r = c->results;
    enum mmk_status status;
    if ((status = args_pointer("results", r)) != MMK_OK ||
        (status = ARGS_RESERVED("results", r)) != MMK_OK)
        return status;
    if (!c->variances && (r->dlog_variance_x != NULL || r->dlog_variance_y != NULL))
        return args_error(MMK_ERR_CONFLICT,
                          "dlog_variance_%c is wanted and the problem has no "
                          "log-variances",
                          r->dlog_variance_x != NULL ? 'x' : 'y');
    if ((status = infonce_take_gradient("dx", r->dx, p->m, p->d, "x", c->options, &c->out.x)) !=
            MMK_OK ||
        (status = infonce_take_gradient("dy", r->dy, p->n, p->d, "y", c->options, &c->out.y)) !=
            MMK_OK ||
        (status = infonce_take_gradient("dlog_variance_x", r->dlog_variance_x, p->m, p->d, "x",
                                        c->options, &c->dlog_variance_x)) != MMK_OK ||
        (status = infonce_take_gradient("dlog_variance_y", r->dlog_variance_y, p->n, p->d, "y",
                                        c->options, &c->dlog_variance_y)) != MMK_OK)
        return status;
    infonce_want(p, &c->out, r->dlogit_scale != NULL);
    bool gradients = p->wanted.rows || p->wanted.columns || p->wanted.dlogit_scale ||
                     r->dbias != NULL || r->dlog_variance_x != NULL || r->dlog_variance_y != NULL;
    c->parts = gradients ? INFONCE_BACKWARD : r->loss != NULL ? INFONCE_FORWARD : 0;
    return MMK_OK;
}

static void run_empty(const struct infonce *p, const struct call *c)
{
    const struct mmk_sigmoid_results *r = c->results;
    if (r->loss != NULL)
        *r->loss = 0.0f;
    if (r->dlogit_scale != NULL)
        *r->dlogit_scale = 0.0f;
    if (r->dbias != NULL)
        *r->dbias = 0.0f;
    infonce_clear_gradients(p, &c->out);
    infonce_clear_rows(p->m, p->d, &c->dlog_variance_x);
    infonce_clear_rows(p->n, p->d, &c->dlog_variance_y);
}

static void run_gradients(struct infonce *p, const struct call *c)
{
    const struct mmk_sigmoid_results *r = c->results;
    float dscale;
    infonce_run_sigmoid_backward(p, &c->out, &dscale);
    double da = p->wanted.dlogit_scale ? (double)dscale : 0;
    if (c->variances) {
        da += variance_gradients(p, &p->targets.x, p->m, p->gradient.row_g, &c->log_variance_x,
                                 p->sigmoid.var_x, &c->dlog_variance_x);
        da += variance_gradients(p, &p->targets.y, p->n, p->gradient.col_g, &c->log_variance_y,
                                 p->sigmoid.var_y, &c->dlog_variance_y);
    }
    if (r->loss != NULL)
        *r->loss = sigmoid_loss(p, p->gradient.row_e);
    if (r->dlogit_scale != NULL)
        *r->dlogit_scale = simd_canonical_nan((float)da);
    if (r->dbias != NULL)
        *r->dbias = bias_gradient(p);
}

static void run_wide(const struct infonce *p, const struct call *c)
{
    const struct mmk_sigmoid_results *r = c->results;
    const struct infonce_wide_results results = {.loss = r->loss,
                                                 .out = c->out,
                                                 .dlogit_scale = r->dlogit_scale,
                                                 .dbias = r->dbias,
                                                 .dlog_variance_x = c->dlog_variance_x,
                                                 .dlog_variance_y = c->dlog_variance_y};
    infonce_wide_sigmoid(p, (double)c->problem->bias, c->variances ? &c->log_variance_x : NULL,
                         c->variances ? &c->log_variance_y : NULL, &results);
}

enum mmk_status mmk_sigmoid(const struct mmk_sigmoid_problem *problem,
                            const struct mmk_sigmoid_results *results,
                            const struct mmk_options *options)
{
    FP_STATE_DEFAULT();
    struct infonce p = {0};
    struct call c = {.problem = problem, .results = results, .options = options};
    struct scratch scratch;
    enum mmk_status status;
    if ((status = take_problem(&p, &c)) != MMK_OK || (status = take_results(&p, &c)) != MMK_OK)
        return status;
    if (args_is_query(options))
        return infonce_answer(&p, c.parts, options);
    if (p.m == 0 || p.n == 0 || c.parts == 0) {
        run_empty(&p, &c);
        return MMK_OK;
    }
    if ((status = infonce_open(&p, &scratch, c.parts, &c.out, options)) != MMK_OK)
        return status;
    if (c.variances) {
        sum_variances(&p, &c.log_variance_x, p.sigmoid.var_x);
        sum_variances(&p, &c.log_variance_y, p.sigmoid.var_y);
        p.wide = p.wide || variances_are_wide(&p, &c.log_variance_x, p.sigmoid.var_x) ||
                 variances_are_wide(&p, &c.log_variance_y, p.sigmoid.var_y);
    }
    if (p.wide || fabsf(problem->bias) > BIAS_GREATEST) {
        run_wide(&p, &c);
        scratch_close(&scratch);
        return MMK_OK;
    }
    set_terms(&p, problem->bias, c.variances ? p.sigmoid.var_x : NULL,
              c.variances ? p.sigmoid.var_y : NULL);
    if (c.parts == INFONCE_FORWARD) {
        infonce_run_sigmoid(&p);
        *results->loss = sigmoid_loss(&p, p.forward.row_sum);
    } else {
        run_gradients(&p, &c);
    }
    scratch_close(&scratch);
    return MMK_OK;
}
