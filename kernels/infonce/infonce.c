/* infonce.c - InfoNCE's public functions: one-to-one, many-to-many, uniformity.
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
 * Backward. G = E (row weight + column weight) is made block by block, from E kept in the caller's
 * workspace or from logits computed again; a block adds G Y to dX while it is in L2, a column of
 * blocks G^T X to dY. Logits are never in memory unless the workspace has room for them.
 *
 * Which file: problem.h draws the memory and problem.c opens it; targets.c lists the positives,
 * blocks.h cuts the logits, strip.c makes them. Forward: shift.c, pass.c, forward.c. Backward:
 * weights.c, gradient.c, products.c, finish.c, and backward.c in turn through these. Inner loops:
 * infonce.h.
 *
 * Where the time goes: into the register tile's products, of 2 m n d flops each and bound by the
 * FMA ports. A forward, uniformity's too, is one, a backward three. forward_backward is three where
 * the workspace keeps all exponentials, four where it keeps none. Beside them stands one
 * exponential for an element of each product that makes logits. Positives, joins and the last step
 * of a gradient's row are O((m + n + positives) d), and show in small batches. workspace_bytes only
 * adds up.
 */
#include "backward.h"
#include "forward.h"
#include "problem.h"
#include "weights.h"

#include <math.h>

/* What a call is given to write to; which of it is used depends on its parts. */
struct outputs {
    float *loss, *lse_x, *lse_y;
    size_t *counted_x, *counted_y; /* NULL: not wanted */
    float *dx;
    size_t lddx;
    float *dy;
    size_t lddy;
    float *dlogit_scale;
    const float *given_lse_x, *given_lse_y; /* INFONCE_BACKWARD alone reads them */
};

static enum mmk_status check_outputs(const struct infonce *p, enum infonce_parts parts,
                                     const struct outputs *o)
{
    if (parts & INFONCE_BACKWARD) {
        enum mmk_status status;
        if (o->dlogit_scale == NULL)
            return MMK_ERR_NULL;
        if ((status = infonce_check_gradients(p, o->dx, o->lddx, o->dy, o->lddy)) != MMK_OK)
            return status;
    }
    const float *lse_x = parts & INFONCE_FORWARD ? o->lse_x : o->given_lse_x;
    const float *lse_y = parts & INFONCE_FORWARD ? o->lse_y : o->given_lse_y;
    if ((parts & INFONCE_FORWARD && o->loss == NULL) || (lse_x == NULL && p->m > 0) ||
        (lse_y == NULL && p->n > 0))
        return MMK_ERR_NULL;
    return MMK_OK;
}

static void fill(size_t count, float *v, float value)
{
    for (size_t i = 0; i < count; i++)
        v[i] = value;
}

/* Without rows or without columns the loss and all gradients are 0. */
static void run_empty(const struct infonce *p, enum infonce_parts parts, const struct outputs *o)
{
    if (parts & INFONCE_FORWARD) {
        *o->loss = 0.0f;
        fill(p->m, o->lse_x, -INFINITY);
        fill(p->n, o->lse_y, -INFINITY);
    }
    if (parts & INFONCE_BACKWARD) {
        infonce_clear_rows(p->m, p->d, o->dx, o->lddx);
        infonce_clear_rows(p->n, p->d, o->dy, o->lddy);
        *o->dlogit_scale = 0.0f;
    }
}

static enum mmk_status run(struct infonce *p, const struct mmk_infonce_config *config,
                           enum infonce_parts parts, const struct outputs *o,
                           const struct mmk_options *options)
{
    struct scratch scratch;
    enum mmk_status status = infonce_check(p, config, options);
    if (status != MMK_OK || (status = check_outputs(p, parts, o)) != MMK_OK)
        return status;
    if (p->m == 0 || p->n == 0) {
        run_empty(p, parts, o);
    } else {
        if ((status = infonce_open(p, &scratch, parts, options)) != MMK_OK)
            return status;
        if (parts & INFONCE_FORWARD)
            infonce_run_forward(p, o->loss, o->lse_x, o->lse_y);
        else
            infonce_take_lse(p, o->given_lse_x, o->given_lse_y);
        if (parts & INFONCE_BACKWARD)
            infonce_run_backward(p, o->dx, o->lddx, o->dy, o->lddy, o->dlogit_scale);
        scratch_close(&scratch);
    }
    if (o->counted_x != NULL)
        *o->counted_x = p->targets.x.counted;
    if (o->counted_y != NULL)
        *o->counted_y = p->targets.y.counted;
    return MMK_OK;
}

enum mmk_status mmk_infonce_forward(const struct mmk_infonce_config *config, size_t m, size_t n,
                                    size_t d, const float *x, size_t ldx, const float *y,
                                    size_t ldy, float *loss, float *lse_x, float *lse_y,
                                    const struct mmk_options *options)
{
    struct infonce p = infonce_arguments(m, n, d, x, ldx, y, ldy);
    struct outputs o = {.loss = loss, .lse_x = lse_x, .lse_y = lse_y};
    return run(&p, config, INFONCE_FORWARD, &o, options);
}

enum mmk_status mmk_infonce_backward(const struct mmk_infonce_config *config, size_t m, size_t n,
                                     size_t d, const float *x, size_t ldx, const float *y,
                                     size_t ldy, const float *lse_x, const float *lse_y, float *dx,
                                     size_t lddx, float *dy, size_t lddy, float *dlogit_scale,
                                     const struct mmk_options *options)
{
    struct infonce p = infonce_arguments(m, n, d, x, ldx, y, ldy);
    struct outputs o = {.dx = dx,
                        .lddx = lddx,
                        .dy = dy,
                        .lddy = lddy,
                        .dlogit_scale = dlogit_scale,
                        .given_lse_x = lse_x,
                        .given_lse_y = lse_y};
    return run(&p, config, INFONCE_BACKWARD, &o, options);
}

enum mmk_status mmk_infonce_forward_backward(const struct mmk_infonce_config *config, size_t m,
                                             size_t n, size_t d, const float *x, size_t ldx,
                                             const float *y, size_t ldy, float *loss, float *lse_x,
                                             float *lse_y, float *dx, size_t lddx, float *dy,
                                             size_t lddy, float *dlogit_scale,
                                             const struct mmk_options *options)
{
    struct infonce p = infonce_arguments(m, n, d, x, ldx, y, ldy);
    struct outputs o = {.loss = loss,
                        .lse_x = lse_x,
                        .lse_y = lse_y,
                        .dx = dx,
                        .lddx = lddx,
                        .dy = dy,
                        .lddy = lddy,
                        .dlogit_scale = dlogit_scale};
    return run(&p, config, INFONCE_FORWARD | INFONCE_BACKWARD, &o, options);
}

/* MMK_ERR_NULL without targets: one-to-one InfoNCE has functions of its own. */
static enum mmk_status many_to_many(struct infonce *p, const struct mmk_targets *targets)
{
    if (targets == NULL)
        return MMK_ERR_NULL;
    p->targets.weights = &targets->weights;
    p->targets.exclude_self = targets->exclude_self != 0;
    return MMK_OK;
}

enum mmk_status mmk_multi_infonce_forward(const struct mmk_infonce_config *config,
                                          const struct mmk_targets *targets, size_t m, size_t n,
                                          size_t d, const float *x, size_t ldx, const float *y,
                                          size_t ldy, float *loss, float *lse_x, float *lse_y,
                                          size_t *counted_x, size_t *counted_y,
                                          const struct mmk_options *options)
{
    struct infonce p = infonce_arguments(m, n, d, x, ldx, y, ldy);
    struct outputs o = {.loss = loss,
                        .lse_x = lse_x,
                        .lse_y = lse_y,
                        .counted_x = counted_x,
                        .counted_y = counted_y};
    enum mmk_status status = many_to_many(&p, targets);
    return status != MMK_OK ? status : run(&p, config, INFONCE_FORWARD, &o, options);
}

enum mmk_status mmk_multi_infonce_backward(const struct mmk_infonce_config *config,
                                           const struct mmk_targets *targets, size_t m, size_t n,
                                           size_t d, const float *x, size_t ldx, const float *y,
                                           size_t ldy, const float *lse_x, const float *lse_y,
                                           float *dx, size_t lddx, float *dy, size_t lddy,
                                           float *dlogit_scale, const struct mmk_options *options)
{
    struct infonce p = infonce_arguments(m, n, d, x, ldx, y, ldy);
    struct outputs o = {.dx = dx,
                        .lddx = lddx,
                        .dy = dy,
                        .lddy = lddy,
                        .dlogit_scale = dlogit_scale,
                        .given_lse_x = lse_x,
                        .given_lse_y = lse_y};
    enum mmk_status status = many_to_many(&p, targets);
    return status != MMK_OK ? status : run(&p, config, INFONCE_BACKWARD, &o, options);
}

enum mmk_status mmk_multi_infonce_forward_backward(
    const struct mmk_infonce_config *config, const struct mmk_targets *targets, size_t m, size_t n,
    size_t d, const float *x, size_t ldx, const float *y, size_t ldy, float *loss, float *lse_x,
    float *lse_y, size_t *counted_x, size_t *counted_y, float *dx, size_t lddx, float *dy,
    size_t lddy, float *dlogit_scale, const struct mmk_options *options)
{
    struct infonce p = infonce_arguments(m, n, d, x, ldx, y, ldy);
    struct outputs o = {.loss = loss,
                        .lse_x = lse_x,
                        .lse_y = lse_y,
                        .counted_x = counted_x,
                        .counted_y = counted_y,
                        .dx = dx,
                        .lddx = lddx,
                        .dy = dy,
                        .lddy = lddy,
                        .dlogit_scale = dlogit_scale};
    enum mmk_status status = many_to_many(&p, targets);
    return status != MMK_OK ? status
                            : run(&p, config, INFONCE_FORWARD | INFONCE_BACKWARD, &o, options);
}

enum mmk_status mmk_uniformity_forward(const struct mmk_infonce_config *config, size_t m, size_t n,
                                       size_t d, const float *x, size_t ldx, const float *y,
                                       size_t ldy, float *loss, float *lse_x, float *lse_y,
                                       const struct mmk_options *options)
{
    struct infonce p = infonce_arguments(m, n, d, x, ldx, y, ldy);
    struct outputs o = {.loss = loss, .lse_x = lse_x, .lse_y = lse_y};
    p.targets.none = true;
    return run(&p, config, INFONCE_FORWARD, &o, options);
}

enum mmk_status mmk_uniformity_forward_backward(const struct mmk_infonce_config *config, size_t m,
                                                size_t n, size_t d, const float *x, size_t ldx,
                                                const float *y, size_t ldy, float *loss,
                                                float *lse_x, float *lse_y, float *dx, size_t lddx,
                                                float *dy, size_t lddy, float *dlogit_scale,
                                                const struct mmk_options *options)
{
    struct infonce p = infonce_arguments(m, n, d, x, ldx, y, ldy);
    struct outputs o = {.loss = loss,
                        .lse_x = lse_x,
                        .lse_y = lse_y,
                        .dx = dx,
                        .lddx = lddx,
                        .dy = dy,
                        .lddy = lddy,
                        .dlogit_scale = dlogit_scale};
    p.targets.none = true;
    return run(&p, config, INFONCE_FORWARD | INFONCE_BACKWARD, &o, options);
}

enum mmk_status mmk_infonce_workspace_bytes(size_t m, size_t n, size_t d, int threads,
                                            size_t *streamed, size_t *stored)
{
    struct infonce p = {.m = m, .n = n, .d = d, .targets.most = m};
    return infonce_workspace_bytes(&p, threads, streamed, stored);
}

enum mmk_status mmk_multi_infonce_workspace_bytes(size_t m, size_t n, size_t d, size_t entries,
                                                  int threads, size_t *streamed, size_t *stored)
{
    struct infonce p = {.m = m, .n = n, .d = d, .targets = {.most = entries, .exclude_self = true}};
    return infonce_workspace_bytes(&p, threads, streamed, stored);
}
