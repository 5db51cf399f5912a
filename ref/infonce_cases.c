/* infonce_cases.c - cases of InfoNCE, one-to-one and multi-positive: forward, backward, both in one call.
 * SPDX-License-Identifier: MIT
 *
 * Bounds, with u = 2^-24, chain() and e_ij = error of sim_ij as for the similarity matrix. Errors
 * of exponents become relative errors of what is summed, so everything scales with s by itself.
 *
 * Logit, with s log2(e) rounded and multiplied into x before the product:
 *     delta_ij = s (e_ij + u sum_k |x_ik y_jk|) + 2u |L_ij|
 * Term e^{L_ij - M} of a sum; an integer M (in base 2) is taken out without rounding, and where a row is
 * done again M_i is its greatest logit but the positive's; exp:
 *     epsilon_ij = delta_ij + 2u |L_ij - M_i| + 4u
 * lse_i, rounded once at its end:
 *     sum_j P_ij epsilon_ij + (chain(n) + 4) u + 2u |lse_i|
 * loss_i is log(1 + sum of the others e^{L_ij - L_ip}), so that only the others' errors count:
 *     sum_{j != p} P_ij (epsilon_ij + epsilon_ip + (chain(n) + 4) u) + 4u loss_i
 * With several targets p is the one of the greatest logit, as rounded, and sum_j t_ij (L_ip - L_ij) is
 * added: sum_{j != p} t_ij (delta_ij + delta_ip) more, with the greatest epsilon of a target for p's.
 * loss: the weighted mean of these, and (chain(m) + 4) u loss.
 *
 * P_ij, relative:
 *     gamma_ij = e^{delta_ij + error of lse_i + 3u (|L_ij| + |lse_i|) + 4u} - 1
 * Both may be made from one exponential and two factors 2^(c - lse): 6u more.
 * Uniformity has no targets: the loss of a row is lse_i - log n, bounded as lse_i and 2u log n.
 * G_ij, for each direction; on the positive the sum of the others' errors and (chain(n) + 4) u of
 * their sum:
 *     weight/m P_ij (gamma_ij + 4u)
 * and u weight/m t_ij on a target that is not its row's only one.
 * dX, with W_ij = error of G_ij + (chain(n) + 4) u |G_ij|, for dot, neg_sq_l2 and cosine:
 *     s sum_j W_ij |y_jk|
 *     2 s sum_j W_ij (|x_ik| + |y_jk|)
 *     s/|x_i| (V_k + A |unit_x_ik|)
 * where V_k = sum_j W_ij |unit_y_jk|, W with the rounding of the normalised rows, and
 * A = sum_k V_k |unit_x_ik| + sum_j |G_ij| e_ij is the error of the part along x_i.
 * dlogit_scale, made from the products of the gradients' rows with their own x (and y), which hold
 * mag_ij = sum_k |x_ik y_jk|, for neg_sq_l2 sum_k (|x_ik| + |y_jk|)^2:
 *     sum_ij (error of G_ij) |sim_ij| + (chain(m) + chain(n) + lanes(d) + 8) u |G_ij| mag_ij
 *
 * Terms below 2^-126 of 2^c are flushed to 0. Forward, and backward with it: a sum below 2^-60 of 2^c is
 * not used, so that a flush is an error of 2^-66 of the sum. The backward alone has c at the least lse,
 * or just as much above it as the greatest lse is more than 100 binary digits away.
 */
#include "cases.h"
#include "infonce_ref.h"
#include "infonce_bounds.h"
#include "matmul.h"
#include "sweep.h"
#include "targets.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FLUSH       0x1p-66
#define FLUSH_NEAR  0x1p-125 /* of the backward alone, no lse far from another */
#define SPREAD_NEAR (100 * 0.6931471805599453)

/* ---- Layout, call ---------------------------------------------------------------------------- */

/* Order of the buffers: x, y, then those of the call. */
enum { X, Y };
enum { FORWARD_LOSS = 2, FORWARD_LSE_X, FORWARD_LSE_Y, BOTH_DX, BOTH_DY, BOTH_DSCALE };
enum { BACKWARD_LSE_X = 2, BACKWARD_LSE_Y, BACKWARD_DX, BACKWARD_DY, BACKWARD_DSCALE };

static void add_rows(struct trial *t)
{
    add_buffer(t, "x", false, t->shape.m, t->shape.d);
    add_buffer(t, "y", false, t->shape.n, t->shape.d);
}

static void add_gradients(struct trial *t)
{
    add_buffer(t, "dx", true, t->shape.m, t->shape.d);
    add_buffer(t, "dy", true, t->shape.n, t->shape.d);
    add_buffer(t, "dlogit_scale", true, 1, 1);
}

static void add_lse(struct trial *t, bool output)
{
    add_buffer(t, "lse_x", output, 1, t->shape.m);
    add_buffer(t, "lse_y", output, 1, t->shape.n);
}

static void forward_layout(struct trial *t)
{
    add_rows(t);
    add_buffer(t, "loss", true, 1, 1)->sign = SIGN_NOT_NEGATIVE;
    add_lse(t, true);
}

static void backward_layout(struct trial *t)
{
    add_rows(t);
    add_lse(t, false);
    add_gradients(t);
}

static void both_layout(struct trial *t)
{
    forward_layout(t);
    add_gradients(t);
}

static void multi_forward_layout(struct trial *t)
{
    forward_layout(t);
    targets_layout(t);
}

static void multi_backward_layout(struct trial *t)
{
    backward_layout(t);
    targets_layout(t);
}

static void multi_both_layout(struct trial *t)
{
    both_layout(t);
    targets_layout(t);
}

static bool is_multi(const struct trial *t)
{
    return t->shape.k > 0;
}

static bool is_uniformity(const struct trial *t)
{
    return t->kernel == &kernel_uniformity_forward ||
           t->kernel == &kernel_uniformity_forward_backward;
}

static struct mmk_infonce_config config_of(const struct shape *s)
{
    return (struct mmk_infonce_config){.similarity = s->similarity,
                                       .logit_scale = s->logit_scale,
                                       .weight_x = s->weight_x,
                                       .weight_y = s->weight_y,
                                       .offset = s->offset};
}

static enum mmk_status forward_call(struct trial *t)
{
    struct mmk_infonce_config config = config_of(&t->shape);
    const struct buffer *b = t->buffer;
    return mmk_infonce_forward(&config, t->shape.m, t->shape.n, t->shape.d, b[X].data, b[X].ld,
                               b[Y].data, b[Y].ld, b[FORWARD_LOSS].data, b[FORWARD_LSE_X].data,
                               b[FORWARD_LSE_Y].data, &t->options);
}

static enum mmk_status backward_call(struct trial *t)
{
    struct mmk_infonce_config config = config_of(&t->shape);
    const struct buffer *b = t->buffer;
    return mmk_infonce_backward(&config, t->shape.m, t->shape.n, t->shape.d, b[X].data, b[X].ld,
                                b[Y].data, b[Y].ld, b[BACKWARD_LSE_X].data, b[BACKWARD_LSE_Y].data,
                                b[BACKWARD_DX].data, b[BACKWARD_DX].ld, b[BACKWARD_DY].data,
                                b[BACKWARD_DY].ld, b[BACKWARD_DSCALE].data, &t->options);
}

static enum mmk_status both_call(struct trial *t)
{
    struct mmk_infonce_config config = config_of(&t->shape);
    const struct buffer *b = t->buffer;
    return mmk_infonce_forward_backward(
        &config, t->shape.m, t->shape.n, t->shape.d, b[X].data, b[X].ld, b[Y].data, b[Y].ld,
        b[FORWARD_LOSS].data, b[FORWARD_LSE_X].data, b[FORWARD_LSE_Y].data, b[BOTH_DX].data,
        b[BOTH_DX].ld, b[BOTH_DY].data, b[BOTH_DY].ld, b[BOTH_DSCALE].data, &t->options);
}

/* Both counts in one number. */
static size_t count_of(size_t counted_x, size_t counted_y)
{
    return counted_x << 32 | counted_y;
}

static enum mmk_status multi_forward_call(struct trial *t)
{
    struct mmk_infonce_config config = config_of(&t->shape);
    struct mmk_targets targets = targets_of(t);
    const struct buffer *b = t->buffer;
    size_t counted_x = 0, counted_y = 0;
    enum mmk_status status = mmk_multi_infonce_forward(
        &config, &targets, t->shape.m, t->shape.n, t->shape.d, b[X].data, b[X].ld, b[Y].data,
        b[Y].ld, b[FORWARD_LOSS].data, b[FORWARD_LSE_X].data, b[FORWARD_LSE_Y].data, &counted_x,
        &counted_y, &t->options);
    t->count = count_of(counted_x, counted_y);
    return status;
}

static enum mmk_status multi_backward_call(struct trial *t)
{
    struct mmk_infonce_config config = config_of(&t->shape);
    struct mmk_targets targets = targets_of(t);
    const struct buffer *b = t->buffer;
    t->count = 0;
    return mmk_multi_infonce_backward(&config, &targets, t->shape.m, t->shape.n, t->shape.d,
                                      b[X].data, b[X].ld, b[Y].data, b[Y].ld,
                                      b[BACKWARD_LSE_X].data, b[BACKWARD_LSE_Y].data,
                                      b[BACKWARD_DX].data, b[BACKWARD_DX].ld, b[BACKWARD_DY].data,
                                      b[BACKWARD_DY].ld, b[BACKWARD_DSCALE].data, &t->options);
}

static enum mmk_status multi_both_call(struct trial *t)
{
    struct mmk_infonce_config config = config_of(&t->shape);
    struct mmk_targets targets = targets_of(t);
    const struct buffer *b = t->buffer;
    size_t counted_x = 0, counted_y = 0;
    enum mmk_status status = mmk_multi_infonce_forward_backward(
        &config, &targets, t->shape.m, t->shape.n, t->shape.d, b[X].data, b[X].ld, b[Y].data,
        b[Y].ld, b[FORWARD_LOSS].data, b[FORWARD_LSE_X].data, b[FORWARD_LSE_Y].data, &counted_x,
        &counted_y, b[BOTH_DX].data, b[BOTH_DX].ld, b[BOTH_DY].data, b[BOTH_DY].ld,
        b[BOTH_DSCALE].data, &t->options);
    t->count = count_of(counted_x, counted_y);
    return status;
}

static void uniformity_layout(struct trial *t)
{
    add_rows(t);
    add_buffer(t, "loss", true, 1, 1);
    add_lse(t, true);
}

static void uniformity_both_layout(struct trial *t)
{
    uniformity_layout(t);
    add_gradients(t);
}

static enum mmk_status uniformity_call(struct trial *t)
{
    struct mmk_infonce_config config = config_of(&t->shape);
    const struct buffer *b = t->buffer;
    return mmk_uniformity_forward(&config, t->shape.m, t->shape.n, t->shape.d, b[X].data, b[X].ld,
                                  b[Y].data, b[Y].ld, b[FORWARD_LOSS].data, b[FORWARD_LSE_X].data,
                                  b[FORWARD_LSE_Y].data, &t->options);
}

static enum mmk_status uniformity_both_call(struct trial *t)
{
    struct mmk_infonce_config config = config_of(&t->shape);
    const struct buffer *b = t->buffer;
    return mmk_uniformity_forward_backward(
        &config, t->shape.m, t->shape.n, t->shape.d, b[X].data, b[X].ld, b[Y].data, b[Y].ld,
        b[FORWARD_LOSS].data, b[FORWARD_LSE_X].data, b[FORWARD_LSE_Y].data, b[BOTH_DX].data,
        b[BOTH_DX].ld, b[BOTH_DY].data, b[BOTH_DY].ld, b[BOTH_DSCALE].data, &t->options);
}

/* ---- Bounds ---------------------------------------------------------------------------------- */

/* The greatest logit of row i but its targets'. */
static double greatest_other(const struct infonce_direction *dir, size_t i, const double *t)
{
    double max = -(double)INFINITY;
    for (size_t j = 0; j < dir->cols; j++)
        if (t[j] == 0)
            max = fmax(max, dir->logits[i * dir->cols + j]);
    return max;
}

/* The target of the greatest logit of row i. */
static size_t greatest_target(const struct infonce_direction *dir, size_t i)
{
    size_t greatest = dir->column[dir->start[i]];
    for (size_t e = dir->start[i]; e < dir->start[i + 1]; e++)
        if (dir->logits[i * dir->cols + dir->column[e]] > dir->logits[i * dir->cols + greatest])
            greatest = dir->column[e];
    return greatest;
}

/* Bounds of lse and of the weighted sum of the rows' losses. */
static double forward_bounds(const struct infonce_direction *dir, const double *delta, double flush,
                             double *lse_error)
{
    double u = BOUND_U, cols = (double)dir->cols, total = 0;
#pragma omp parallel for if (dir->rows * dir->cols > 10000) schedule(static) reduction(+ : total)
    for (size_t i = 0; i < dir->rows; i++) {
        const double *logits = dir->logits + i * dir->cols;
        double lse = dir->lse[i];
        if (!isfinite(lse))
            continue;
        double *t = ref_doubles(dir->cols);
        infonce_ref_targets(dir, i, t);
        size_t pivot = infonce_ref_target_count(dir, i) > 0 ? greatest_target(dir, i) : SIZE_MAX;
        bool has_loss = pivot != SIZE_MAX && isfinite(dir->loss[i]);
        double pivot_error = 0, max = greatest_other(dir, i, t);
        for (size_t e = dir->start[i]; has_loss && e < dir->start[i + 1]; e++)
            pivot_error = fmax(pivot_error, delta[i * dir->cols + dir->column[e]] + 4 * u);
        double all = 0, others = 0, others_sum = 0;
        for (size_t j = 0; j < dir->cols; j++) {
            double p = exp(logits[j] - lse);
            if (j != pivot)
                others += t[j] * (delta[i * dir->cols + j] + pivot_error);
            if (p == 0)
                continue;
            double epsilon = delta[i * dir->cols + j] + 4 * u;
            if (t[j] == 0)
                epsilon += 2 * u * fabs(logits[j] - max);
            all += p * expm1(epsilon);
            if (j != pivot) {
                others += p * expm1(epsilon + pivot_error);
                others_sum += p;
            }
        }
        free(t);
        double sums = (bound_chain(dir->cols) + 4) * u;
        lse_error[i] = all + sums + 2 * u * fabs(lse) + cols * flush;
        if (dir->uniform)
            total += dir->weight * (lse_error[i] + 2 * u * log(cols));
        if (has_loss)
            total +=
                dir->weight * (others + sums * others_sum + 4 * u * dir->loss[i] + cols * flush);
    }
    return total;
}

/* error of the direction's part of G, added to error (rows x cols); factors: of an exponent made as
 * a product, flush: absolute, of a softmax. */
static void g_bounds(const struct infonce_direction *dir, const double *delta, double factors,
                     double flush, const double *lse_error, double *error)
{
    double u = BOUND_U, cols = (double)dir->cols;
#pragma omp parallel for if (dir->rows * dir->cols > 10000) schedule(static)
    for (size_t i = 0; i < dir->rows; i++) {
        size_t targets = infonce_ref_target_count(dir, i);
        if (targets == 0 && !dir->uniform)
            continue;
        double *t = ref_doubles(dir->cols);
        infonce_ref_targets(dir, i, t);
        double others = (bound_chain(dir->cols) + 4) * u * dir->others[i] + cols * flush;
        for (size_t j = 0; j < dir->cols; j++) {
            size_t at = i * dir->cols + j;
            double p = dir->p[at];
            if ((t[j] > 0 && targets == 1) || (t[j] == 0 && p == 0))
                continue;
            double gamma =
                expm1(delta[at] + lse_error[i] +
                      3 * u * (fabs(dir->logits[at]) + fabs(dir->lse[i])) + 4 * u + factors);
            double p_error = p * (gamma + 4 * u) + flush;
            error[at] += dir->weight * (p_error + u * t[j]);
            others += p_error;
        }
        if (targets == 1)
            error[i * dir->cols + dir->column[dir->start[i]]] += dir->weight * others;
        free(t);
    }
}

/* ---- Oracles --------------------------------------------------------------------------------- */

static void run_reference(struct trial *t, struct infonce_ref *r)
{
    struct mmk_infonce_config config = config_of(&t->shape);
    struct mmk_targets targets = {{NULL, NULL, NULL}, 0}; /* none */
    if (is_multi(t))
        targets = targets_of(t);
    infonce_ref_open(r, &config, is_multi(t) || is_uniformity(t) ? &targets : NULL, t->shape.m,
                     t->shape.n, t->shape.d);
    ref_from_float(r->m, r->d, t->buffer[X].data, t->buffer[X].ld, r->x);
    ref_from_float(r->n, r->d, t->buffer[Y].data, t->buffer[Y].ld, r->y);
    infonce_ref_forward(r);
}

/* A row of logits that are all -Inf: the formula says -Inf, the usual subtraction of the maximum
 * NaN; both may stand. */
static bool open_lse(const struct infonce_direction *dir)
{
    for (size_t i = 0; i < dir->rows; i++)
        if (dir->cols > 0 && dir->lse[i] == -(double)INFINITY)
            return true;
    return false;
}

static void set_lse(struct buffer *b, const struct infonce_direction *dir, const double *error)
{
    for (size_t i = 0; i < dir->rows; i++) {
        b->expected[i] = dir->lse[i];
        b->bound[i] = isfinite(dir->lse[i]) ? error[i] : 0;
        if (dir->cols > 0 && dir->lse[i] == -(double)INFINITY)
            b->bound[i] = BOUND_OPEN;
    }
}

static void set_forward(struct trial *t, const struct infonce_ref *r, struct infonce_bounds *bounds)
{
    bounds->loss = forward_bounds(&r->dir_x, bounds->delta_x, FLUSH, bounds->lse_x) +
                   forward_bounds(&r->dir_y, bounds->delta_y, FLUSH, bounds->lse_y);
    struct buffer *loss = &t->buffer[FORWARD_LOSS];
    *loss->expected = r->loss;
    double parts = 0;
    for (size_t i = 0; i < r->m; i++)
        parts += r->dir_x.weight * fabs(r->dir_x.loss[i]);
    for (size_t j = 0; j < r->n; j++)
        parts += r->dir_y.weight * fabs(r->dir_y.loss[j]);
    *loss->bound = bounds->loss + (bound_chain(r->m) + 4) * BOUND_U * parts + BOUND_UNDERFLOW;
    if (!isfinite(r->loss))
        *loss->bound = 0;
    if (open_lse(&r->dir_x) || open_lse(&r->dir_y))
        *loss->bound = BOUND_OPEN;
    if (r->m <= 1 && r->n <= 1 && isfinite(r->loss) && !r->dir_x.uniform)
        *loss->bound = 0; /* exactly 0 */
    if (is_multi(t))
        t->expected_count = count_of(r->dir_x.counted, r->dir_y.counted);
    set_lse(&t->buffer[FORWARD_LSE_X], &r->dir_x, bounds->lse_x);
    set_lse(&t->buffer[FORWARD_LSE_Y], &r->dir_y, bounds->lse_y);
}

/* Greatest distance of two lse. */
static double lse_spread(const struct infonce_ref *r)
{
    double low = (double)INFINITY, high = -(double)INFINITY;
    for (size_t i = 0; i < r->m; i++) {
        low = fmin(low, r->dir_x.lse[i]);
        high = fmax(high, r->dir_x.lse[i]);
    }
    for (size_t j = 0; j < r->n; j++) {
        low = fmin(low, r->dir_y.lse[j]);
        high = fmax(high, r->dir_y.lse[j]);
    }
    return high - low;
}

static void set_backward(struct trial *t, struct infonce_ref *r,
                         const struct infonce_bounds *bounds, double flush, int dx, int dy,
                         int dscale)
{
    size_t m = r->m, n = r->n;
    infonce_ref_backward(r);
    double *g_error = ref_doubles(m * n), *transposed = ref_doubles(m * n);
    g_bounds(&r->dir_y, bounds->delta_y, 6 * BOUND_U, flush, bounds->lse_y, transposed);
    ref_transpose(n, m, transposed, g_error);
    g_bounds(&r->dir_x, bounds->delta_x, 6 * BOUND_U, flush, bounds->lse_x, g_error);
    infonce_gradient_bounds(t, r, bounds, g_error, dx, dy, dscale);
    free(g_error);
    free(transposed);
}

static void forward_oracle(struct trial *t)
{
    struct infonce_ref r;
    struct infonce_bounds bounds;
    run_reference(t, &r);
    infonce_bounds_open(&bounds, &r);
    set_forward(t, &r, &bounds);
    infonce_bounds_close(&bounds);
    infonce_ref_close(&r);
}

static void both_oracle(struct trial *t)
{
    struct infonce_ref r;
    struct infonce_bounds bounds;
    run_reference(t, &r);
    infonce_bounds_open(&bounds, &r);
    set_forward(t, &r, &bounds);
    set_backward(t, &r, &bounds, FLUSH, BOTH_DX, BOTH_DY, BOTH_DSCALE);
    infonce_bounds_close(&bounds);
    infonce_ref_close(&r);
}

static void backward_oracle(struct trial *t)
{
    struct infonce_ref r;
    struct infonce_bounds bounds;
    run_reference(t, &r);
    infonce_bounds_open(&bounds, &r);
    for (size_t i = 0; i < r.m; i++) /* the lse that are passed: rounded once */
        bounds.lse_x[i] = BOUND_U * fabs(r.dir_x.lse[i]);
    for (size_t j = 0; j < r.n; j++)
        bounds.lse_y[j] = BOUND_U * fabs(r.dir_y.lse[j]);
    set_backward(t, &r, &bounds, lse_spread(&r) < SPREAD_NEAR ? FLUSH_NEAR : FLUSH, BACKWARD_DX,
                 BACKWARD_DY, BACKWARD_DSCALE);
    infonce_bounds_close(&bounds);
    infonce_ref_close(&r);
}

/* The lse that a forward would have given: the oracle's, rounded. */
static void backward_fill(struct trial *t)
{
    struct infonce_ref r;
    if (is_multi(t))
        targets_fill(t);
    run_reference(t, &r);
    float *lse_x = t->buffer[BACKWARD_LSE_X].data, *lse_y = t->buffer[BACKWARD_LSE_Y].data;
    for (size_t i = 0; i < r.m; i++)
        lse_x[i] = isnan(r.dir_x.lse[i]) ? NAN : (float)r.dir_x.lse[i];
    for (size_t j = 0; j < r.n; j++)
        lse_y[j] = isnan(r.dir_y.lse[j]) ? NAN : (float)r.dir_y.lse[j];
    infonce_ref_close(&r);
}

static enum mmk_status workspace(const struct shape *s, int threads, size_t *streamed,
                                 size_t *stored)
{
    if (s->k > 0)
        return mmk_multi_infonce_workspace_bytes(s->m, s->n, s->d, s->m * s->k, threads, streamed,
                                                 stored);
    return mmk_infonce_workspace_bytes(s->m, s->n, s->d, threads, streamed, stored);
}

/* ---- Costs and shapes ------------------------------------------------------------------------ */

/* Goes through scales and weights by the index, and through all similarities for each. */
static void add_all(struct shape *shapes, size_t *count, struct shape shape)
{
    static const float scales[] = {1, 14.3f, 100};
    static const float weights[][2] = {{0.5f, 0.5f}, {1, 0}, {0, 1}, {0.5f, 0.5f}};
    for (int similarity = 0; similarity < MMK_SIMILARITY_COUNT; similarity++) {
        shape.similarity = (enum mmk_similarity)similarity;
        shape.logit_scale = scales[(*count + *count / 3) % 3];
        shape.weight_x = weights[*count / 3 % 4][0];
        shape.weight_y = weights[*count / 3 % 4][1];
        sweep_add(shapes, count, shape);
    }
}

static size_t sweep(bool quick, struct shape *shapes)
{
    size_t count = 0, dims[SWEEP_DIMS];
    size_t dim_count = sweep_dims(quick, dims);
    for (size_t i = 0; i < dim_count; i += quick ? 2 : 1)
        add_all(shapes, &count,
                (struct shape){.m = 5, .n = 7, .d = dims[i], .offset = i % 3, .ld_extra = i % 2});
    for (size_t m = 0; m <= (quick ? 17u : 40u); m++) /* square, and wide with an offset */
        add_all(shapes, &count, (struct shape){.m = m, .n = m, .d = 10});
    for (size_t n = 1; n <= (quick ? 17u : 68u); n += quick ? 4 : 1)
        add_all(shapes, &count,
                (struct shape){.m = n / 3, .n = n, .d = 5, .offset = n / 2, .ld_extra = n % 3});
    /* Blocks of 84 rows and 672 columns; super-blocks of 1344 rows (backward) and columns. */
    if (quick) {
        add_all(shapes, &count, (struct shape){.m = 170, .n = 180, .d = 3, .offset = 7});
        add_all(shapes, &count, (struct shape){.m = 86, .n = 700, .d = 3, .offset = 600});
        return count;
    }
    static const struct shape large[] = {
        {.m = 63, .n = 64, .d = 12},
        {.m = 64, .n = 65, .d = 7, .offset = 1},
        {.m = 100, .n = 100, .d = 50},
        {.m = 127, .n = 129, .d = 20, .offset = 2},
        {.m = 168, .n = 169, .d = 17},
        {.m = 169, .n = 257, .d = 33, .offset = 60},
        {.m = 256, .n = 256, .d = 16},
        {.m = 337, .n = 337, .d = 9},
        {.m = 9, .n = 1030, .d = 10, .offset = 1000},
        {.m = 84, .n = 85, .d = 9},
        {.m = 86, .n = 680, .d = 9, .offset = 590},
        {.m = 1350, .n = 1360, .d = 3, .offset = 9},
    };
    for (size_t i = 0; i < sizeof large / sizeof large[0]; i++)
        add_all(shapes, &count, large[i]);
    return count;
}

/* The forward's super-blocks have 4200 rows. */
static size_t forward_sweep(bool quick, struct shape *shapes)
{
    size_t count = sweep(quick, shapes);
    if (!quick)
        sweep_add(shapes, &count,
                  (struct shape){.m = 4205,
                                 .n = 4210,
                                 .d = 2,
                                 .offset = 4,
                                 .logit_scale = 14.3f,
                                 .weight_x = 0.5f,
                                 .weight_y = 0.5f});
    return count;
}

/* With an offset the pairs (i, i + offset) are left out. Here m may be above n. */
static size_t multi_sweep(bool quick, struct shape *shapes)
{
    size_t count = 0, dims[SWEEP_DIMS];
    size_t dim_count = sweep_dims(quick, dims);
    for (size_t i = 0; i < dim_count; i += quick ? 4 : 1)
        add_all(shapes, &count,
                (struct shape){
                    .m = 5, .n = 7, .d = dims[i], .k = 1 + i % 6, .offset = i % 3, .ld_extra = 1});
    for (size_t m = 0; m <= (quick ? 9u : 40u); m += quick ? 3 : 1)
        for (size_t k = 1; k < 6; k += 2)
            add_all(shapes, &count, (struct shape){.m = m, .n = m / 2 + k, .d = 5, .k = k});
    for (size_t n = 1; n <= (quick ? 5u : 30u); n++)
        add_all(shapes, &count,
                (struct shape){.m = n / 2, .n = n, .d = 3, .k = n, .offset = (n + 1) / 2});
    add_all(shapes, &count, (struct shape){.m = 170, .n = 90, .d = 3, .k = 9});
    add_all(shapes, &count, (struct shape){.m = 86, .n = 700, .d = 3, .k = 30, .offset = 600});
    if (quick)
        return count;
    static const struct shape large[] = {
        {.m = 100, .n = 100, .d = 50, .k = 1},
        {.m = 169, .n = 257, .d = 33, .k = 17, .offset = 60},
        {.m = 337, .n = 337, .d = 9, .k = 17},
        {.m = 1030, .n = 9, .d = 10, .k = 3},
        {.m = 9, .n = 1030, .d = 10, .k = 300},
        {.m = 1350, .n = 1360, .d = 3, .k = 20, .offset = 9},
    };
    for (size_t i = 0; i < sizeof large / sizeof large[0]; i++)
        add_all(shapes, &count, large[i]);
    return count;
}

static size_t multi_forward_sweep(bool quick, struct shape *shapes)
{
    size_t count = multi_sweep(quick, shapes);
    if (!quick)
        sweep_add(shapes, &count,
                  (struct shape){.m = 4205,
                                 .n = 4210,
                                 .d = 2,
                                 .k = 5,
                                 .logit_scale = 14.3f,
                                 .weight_x = 0.5f,
                                 .weight_y = 0.5f});
    return count;
}

static size_t uniformity_sweep(bool quick, struct shape *shapes)
{
    size_t count = 0, dims[SWEEP_DIMS];
    size_t dim_count = sweep_dims(quick, dims);
    for (size_t i = 0; i < dim_count; i += quick ? 6 : 3)
        add_all(shapes, &count, (struct shape){.m = 5, .n = 7, .d = dims[i], .ld_extra = i % 2});
    for (size_t m = 0; m <= (quick ? 9u : 40u); m += 3)
        add_all(shapes, &count, (struct shape){.m = m, .n = m, .d = 10});
    add_all(shapes, &count, (struct shape){.m = 170, .n = 180, .d = 3});
    add_all(shapes, &count, (struct shape){.m = 86, .n = 700, .d = 3});
    return count;
}

/* CLIP: cosine, temperature 0.07, both directions. */
#define CLIP(B, D)                                                                                 \
    {                                                                                              \
        .m = (B), .n = (B), .d = (D), .similarity = MMK_COSINE, .logit_scale = 14.3f,              \
        .weight_x = 0.5f, .weight_y = 0.5f                                                         \
    }

static const struct shape bench[] = {
    CLIP(256, 128),  CLIP(256, 512),  CLIP(256, 768),  CLIP(1024, 128), CLIP(1024, 512),
    CLIP(1024, 768), CLIP(4096, 128), CLIP(4096, 512), CLIP(4096, 768),
};

/* As many positives as ECCV Caption has captions for an image, 17.9. */
#define MULTI(B, D)                                                                                \
    {                                                                                              \
        .m = (B), .n = (B), .d = (D), .k = 17, .similarity = MMK_COSINE, .logit_scale = 14.3f,     \
        .weight_x = 0.5f, .weight_y = 0.5f                                                         \
    }

static const struct shape multi_bench[] = {MULTI(256, 512), MULTI(1024, 512), MULTI(4096, 512)};

/* Cai et al.: distances, one direction, temperature 1. */
static const struct shape uniformity_bench[] = {
    {.m = 512, .n = 512, .d = 10, .similarity = MMK_NEG_SQ_L2, .logit_scale = 1, .weight_x = 1},
    {.m = 4096, .n = 4096, .d = 512, .similarity = MMK_NEG_SQ_L2, .logit_scale = 1, .weight_x = 1}};

#define SHARED_PARTS                                                                               \
    .family = "infonce", .similarity = SIMILARITY_FROM_SHAPE, .workspace = workspace,              \
    .takes_threads = true

#define BENCH(shapes) .bench = (shapes), .bench_count = sizeof(shapes) / sizeof((shapes)[0])

const struct kernel kernel_infonce_forward = {
    .name = "infonce_forward",
    .formula = "loss = w_x mean_i (lse_j L_ij - L_ip) + w_y mean_j (lse_i L_ij - L_pj)",
    .layout = forward_layout,
    .call = forward_call,
    .oracle = forward_oracle,
    .flops = infonce_forward_flops,
    .bytes = infonce_forward_bytes,
    .fill_fits = infonce_forward_fill_fits,
    .sweep = forward_sweep,
    .dims = "mnd",
    BENCH(bench),
    SHARED_PARTS,
};

const struct kernel kernel_infonce_backward = {
    .name = "infonce_backward",
    .formula = "dX, dY, d logit_scale from the two lse",
    .layout = backward_layout,
    .fill = backward_fill,
    .call = backward_call,
    .oracle = backward_oracle,
    .flops = infonce_backward_flops,
    .bytes = infonce_backward_bytes,
    .fill_fits = infonce_backward_fill_fits,
    .sweep = sweep,
    .dims = "mnd",
    BENCH(bench),
    SHARED_PARTS,
};

const struct kernel kernel_infonce_forward_backward = {
    .name = "infonce_forward_backward",
    .formula = "loss, lse, dX, dY, d logit_scale in one call",
    .layout = both_layout,
    .call = both_call,
    .oracle = both_oracle,
    .flops = infonce_backward_flops,
    .bytes = infonce_backward_bytes,
    .fill_fits = infonce_backward_fill_fits,
    .sweep = sweep,
    .dims = "mnd",
    BENCH(bench),
    SHARED_PARTS,
};

const struct kernel kernel_multi_infonce_forward = {
    .name = "multi_infonce_forward",
    .formula = "InfoNCE with k positives a row: mean_i sum_j t_ij (lse_i - L_ij), columns alike",
    .layout = multi_forward_layout,
    .fill = targets_fill,
    .call = multi_forward_call,
    .oracle = forward_oracle,
    .flops = infonce_forward_flops,
    .bytes = infonce_forward_bytes,
    .fill_fits = infonce_forward_fill_fits,
    .sweep = multi_forward_sweep,
    .dims = "mndk",
    BENCH(multi_bench),
    SHARED_PARTS,
};

const struct kernel kernel_multi_infonce_backward = {
    .name = "multi_infonce_backward",
    .formula = "dX, dY, d logit_scale with k positives a row",
    .layout = multi_backward_layout,
    .fill = backward_fill,
    .call = multi_backward_call,
    .oracle = backward_oracle,
    .flops = infonce_backward_flops,
    .bytes = infonce_backward_bytes,
    .fill_fits = infonce_backward_fill_fits,
    .sweep = multi_sweep,
    .dims = "mndk",
    BENCH(multi_bench),
    SHARED_PARTS,
};

const struct kernel kernel_multi_infonce_forward_backward = {
    .name = "multi_infonce_forward_backward",
    .formula = "loss, lse, dX, dY, d logit_scale with k positives a row",
    .layout = multi_both_layout,
    .fill = targets_fill,
    .call = multi_both_call,
    .oracle = both_oracle,
    .flops = infonce_backward_flops,
    .bytes = infonce_backward_bytes,
    .fill_fits = infonce_backward_fill_fits,
    .sweep = multi_sweep,
    .dims = "mndk",
    BENCH(multi_bench),
    SHARED_PARTS,
};

const struct kernel kernel_uniformity_forward = {
    .name = "uniformity_forward",
    .formula = "w_x mean_i log mean_j e^L_ij + w_y mean_j log mean_i e^L_ij",
    .layout = uniformity_layout,
    .call = uniformity_call,
    .oracle = forward_oracle,
    .flops = infonce_forward_flops,
    .bytes = infonce_forward_bytes,
    .fill_fits = infonce_forward_fill_fits,
    .sweep = uniformity_sweep,
    .dims = "mnd",
    BENCH(uniformity_bench),
    SHARED_PARTS,
};

const struct kernel kernel_uniformity_forward_backward = {
    .name = "uniformity_forward_backward",
    .formula = "uniformity, lse, dX, dY, d logit_scale in one call",
    .layout = uniformity_both_layout,
    .call = uniformity_both_call,
    .oracle = both_oracle,
    .flops = infonce_backward_flops,
    .bytes = infonce_backward_bytes,
    .fill_fits = infonce_backward_fill_fits,
    .sweep = uniformity_sweep,
    .dims = "mnd",
    BENCH(uniformity_bench),
    SHARED_PARTS,
};
