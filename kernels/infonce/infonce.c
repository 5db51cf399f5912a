/* infonce.c - mmk_infonce, with any targets, and mmk_uniformity.
 * SPDX-License-Identifier: MIT
 *
 * Forward. Register tiles of logits gather in a strip of 84 x 32 that is still in L1 when it
 * becomes exponentials E = 2^(z - c): base 2, so that the range reduction is three adds, and one
 * integer c for the whole call, so that the same E is summed along rows and along columns and
 * nothing is rounded before the fraction of z is known. c comes from a few sampled pairs; rows and
 * columns out of its reach are found by their sums and done again, each from its own maximum. The
 * positives stay out of the sums and are joined last, in double, so a loss of 1e-9 has its digits.
 * They are a sparse matrix, met strip by strip: one a row or many cost the same, one-to-one InfoNCE
 * is the case of a diagonal, and no m x n target exists.
 *
 * Backward. G = E (row weight + column weight) is made block by block, from logits (or E, where no
 * sums of G z are needed) that were kept or are computed again; a block adds G Y to dX while it is
 * in L2, a column of blocks G^T X to dY. Logits are in memory only where the workspace has room for
 * them, or gradients that nothing has been written to.
 *
 * Which file: problem.h draws the memory and problem.c opens it; targets.c lists the positives,
 * blocks.h cuts the logits, strip.c makes them, kept.c finds room for them. Forward: shift.c,
 * pass.c, forward.c. Backward: weights.c, gradient.c, products.c, finish.c, and backward.c in turn
 * through these. Inner loops: infonce.h. Inputs that float has not the range for: wide.c.
 *
 * Where the time goes: into the register tile's products, of 2 m n d flops each and bound by the
 * FMA ports. A forward, uniformity's too, is one; dX and dY are one each. Logits or exponentials
 * that are not kept gradients make once more. Beside them stand one or two exponentials for a pair.
 * Positives, joins and the last step of a gradient's row are O((m + n + positives) d), and show in
 * small batches: of the time of 32 x 32 x 512 the products are 52 %, the rows' last step 16,
 * packing 18, what is done for each row in double 6. A query of workspace bytes only adds up.
 */
#include "backward.h"
#include "forward.h"
#include "problem.h"
#include "weights.h"
#include "wide.h"

#include <math.h>

struct call {
    const struct mmk_infonce_problem *problem;
    const struct mmk_infonce_results *results;
    const struct mmk_options *options;
    struct gradients out;
    bool given; /* the log-sum-exps of an earlier call */
    enum infonce_parts parts;
};

enum mmk_status infonce_refuse_targets(const char *function,
                                       const struct mmk_infonce_problem *problem)
{
    const char *given = problem->targets != NULL     ? "targets"
                        : problem->offset != 0       ? "offset"
                        : problem->exclude_self != 0 ? "exclude_self"
                        : problem->negatives != NULL ? "negatives"
                        : problem->lse_x != NULL     ? "lse_x"
                        : problem->lse_y != NULL     ? "lse_y"
                                                     : NULL;
    return given == NULL
               ? MMK_OK
               : args_error(MMK_ERR_CONFLICT, "%s is given, and %s has none", given, function);
}

/* Both 0 stands for CLIP's. */
static enum mmk_status take_weights(struct infonce *p, const struct mmk_infonce_problem *problem)
{
    float x = problem->weight_x, y = problem->weight_y;
    bool x_valid = infonce_weight_valid(x);
    if (!x_valid || !infonce_weight_valid(y))
        return args_error(MMK_ERR_WEIGHT, "weight_%c is %g; it must be finite and not negative",
                          x_valid ? 'y' : 'x', (double)(x_valid ? y : x));
    bool none = x == 0 && y == 0;
    p->config.weight_x = none ? 0.5f : x;
    p->config.weight_y = none ? 0.5f : y;
    return MMK_OK;
}

/* Log-sum-exps of an earlier call come for both sides, and then only gradients are left to do. */
static enum mmk_status take_given_lse(const struct infonce *p, struct call *c)
{
    const struct mmk_infonce_problem *problem = c->problem;
    const struct mmk_infonce_results *r = c->results;
    c->given = problem->lse_x != NULL || problem->lse_y != NULL;
    if (!c->given)
        return MMK_OK;
    if ((problem->lse_x == NULL && p->m > 0) || (problem->lse_y == NULL && p->own > 0))
        return args_error(MMK_ERR_CONFLICT, "problem.lse_%c is given and lse_%c is not",
                          problem->lse_x != NULL ? 'x' : 'y', problem->lse_x != NULL ? 'y' : 'x');
    const char *made = r->loss != NULL    ? "loss"
                       : r->lse_x != NULL ? "lse_x"
                       : r->lse_y != NULL ? "lse_y"
                                          : NULL;
    return made == NULL ? MMK_OK
                        : args_error(MMK_ERR_CONFLICT,
                                     "results.%s is wanted, and with problem.lse_x given only "
                                     "gradients are made",
                                     made);
}

static enum mmk_status take_results(struct infonce *p, struct call *c)
{
    const struct mmk_infonce_results *r = c->results;
    enum mmk_status status;
    if (c->problem->negatives == NULL && r->dnegatives != NULL)
        return args_error(MMK_ERR_CONFLICT,
                          "dnegatives is wanted and the problem has no negatives");
    if ((status = take_given_lse(p, c)) != MMK_OK ||
        (status = infonce_take_gradient("dx", r->dx, p->m, p->d, "x", c->options, &c->out.x)) !=
            MMK_OK ||
        (status = infonce_take_gradient("dy", r->dy, p->own, p->d, "y", c->options, &c->out.y)) !=
            MMK_OK ||
        (status = infonce_take_gradient("dnegatives", r->dnegatives, p->n - p->own, p->d,
                                        "negatives", c->options, &c->out.negatives)) != MMK_OK)
        return status;
    infonce_want(p, &c->out, r->dlogit_scale != NULL);
    bool gradients = p->wanted.rows || p->wanted.columns || p->wanted.dlogit_scale;
    bool forward = r->loss != NULL || r->lse_x != NULL || r->lse_y != NULL || gradients;
    c->parts = (forward && !c->given ? INFONCE_FORWARD : 0) | (gradients ? INFONCE_BACKWARD : 0);
    return MMK_OK;
}

static void fill(size_t count, float *v, float value)
{
    for (size_t i = 0; v != NULL && i < count; i++)
        v[i] = value;
}

/* Without rows or without columns the loss and all gradients are 0. */
static void run_empty(const struct infonce *p, const struct call *c)
{
    const struct mmk_infonce_results *r = c->results;
    fill(1, r->loss, 0.0f);
    fill(p->m, r->lse_x, -INFINITY);
    fill(p->own, r->lse_y, -INFINITY);
    fill(1, r->dlogit_scale, 0.0f);
    infonce_clear_gradients(p, &c->out);
}

/* Counts alone need no logits, but the lists of targets. */
static enum mmk_status run(struct infonce *p, const struct call *c)
{
    const struct mmk_infonce_results *r = c->results;
    struct scratch scratch;
    enum mmk_status status = infonce_open(p, &scratch, c->parts, &c->out, c->options);
    if (status != MMK_OK)
        return status;
    const struct mmk_infonce_problem *problem = c->problem;
    if (p->wide)
        infonce_wide_softmax(p, problem->lse_x, problem->lse_y,
                             &(struct infonce_wide_results){.loss = r->loss,
                                                            .lse_x = r->lse_x,
                                                            .lse_y = r->lse_y,
                                                            .out = c->out,
                                                            .dlogit_scale = r->dlogit_scale});
    else if (c->parts & INFONCE_FORWARD)
        infonce_run_forward(p, r->loss, r->lse_x, r->lse_y);
    else if (c->parts & INFONCE_BACKWARD)
        infonce_take_lse(p, problem->lse_x, problem->lse_y);
    if (!p->wide && (c->parts & INFONCE_BACKWARD))
        infonce_run_backward(p, &c->out, r->dlogit_scale);
    scratch_close(&scratch);
    return MMK_OK;
}

/* The whole call, when targets are taken. */
static enum mmk_status finish(struct infonce *p, struct call *c)
{
    enum mmk_status status;
    if ((status = take_results(p, c)) != MMK_OK)
        return status;
    if (args_is_query(c->options))
        return infonce_answer(p, c->parts, c->options);
    if (p->m == 0 || p->n == 0)
        run_empty(p, c);
    else if ((status = run(p, c)) != MMK_OK)
        return status;
    if (c->results->rows_counted != NULL)
        *c->results->rows_counted = p->targets.x.counted;
    if (c->results->columns_counted != NULL)
        *c->results->columns_counted = p->targets.y.counted;
    return MMK_OK;
}

/* What InfoNCE and uniformity have in common before their targets. */
static enum mmk_status begin(struct infonce *p, struct call *c)
{
    const struct mmk_infonce_problem *problem = c->problem;
    enum mmk_status status;
    if ((status = args_pointer("problem", problem)) != MMK_OK ||
        (status = ARGS_RESERVED("problem", problem)) != MMK_OK ||
        (status = args_pointer("results", c->results)) != MMK_OK ||
        (status = ARGS_RESERVED("results", c->results)) != MMK_OK ||
        (status = infonce_take_rows(p, problem->x, problem->y, problem->negatives,
                                    problem->similarity, c->options)) != MMK_OK ||
        (status = infonce_take_scale(p, problem->logit_scale, problem->upstream)) != MMK_OK)
        return status;
    return take_weights(p, problem);
}

enum mmk_status mmk_infonce(const struct mmk_infonce_problem *problem,
                            const struct mmk_infonce_results *results,
                            const struct mmk_options *options)
{
    FP_STATE_DEFAULT();
    struct infonce p = {0};
    struct call c = {.problem = problem, .results = results, .options = options};
    enum mmk_status status = begin(&p, &c);
    if (status != MMK_OK ||
        (status = infonce_take_targets(&p, "targets", problem->targets, problem->offset,
                                       problem->exclude_self != 0)) != MMK_OK)
        return status;
    return finish(&p, &c);
}

enum mmk_status mmk_uniformity(const struct mmk_infonce_problem *problem,
                               const struct mmk_infonce_results *results,
                               const struct mmk_options *options)
{
    FP_STATE_DEFAULT();
    struct infonce p = {.targets.none = true};
    struct call c = {.problem = problem, .results = results, .options = options};
    enum mmk_status status = begin(&p, &c);
    if (status != MMK_OK || (status = infonce_refuse_targets("mmk_uniformity", problem)) != MMK_OK)
        return status;
    return finish(&p, &c);
}
