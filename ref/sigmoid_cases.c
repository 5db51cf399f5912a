/* sigmoid_cases.c - cases of the sigmoid loss.
 * SPDX-License-Identifier: MIT
 *
 * Bounds, with u, batch(), e_ij and delta_ij as in infonce_bounds.c. To the product the bias is
 * added, both in base 2 and rounded:
 *     eta_ij = delta_ij + 2u |bias| + 2u (|L_ij| + |bias|),   L_ij = s sim_ij + bias
 * Since log(1 + a e^eta) - log(1 + a) <= a/(1 + a) (e^eta - 1), each softplus(v) of the sum, made
 * from an exponential (3u) and a polynomial (4u), kept times 2^24 and 0 where the exponential is
 * below 2^-150, is off by
 *     sigma(v) (e^eta - 1) + 7u softplus(v) + 2^-149
 * and the sum of all, none of them negative, by the sum of these and (batch(n) + batch(m) + 8) u of
 * itself. G_ij: the relative derivative of sigma is at most 1, and a quotient and two products
 * round:
 *     |G_ij| (e^eta - 1 + 9u) + 2^-149/m
 * With variances, s V_ij = s (var_x_i + var_y_j) is taken off L_ij; a sum of them rounds by
 * (lanes(d) + 10) u of itself, which eta has s V_ij times more, beside 2u s V_ij for |bias|.
 * dlog_var_x, a product of e^p with the sum of a row of G:
 *     s e^p sum_j (error of G_ij + (batch(n) + 8) u |G_ij|)
 * and dlogit_scale the sum of (error of G_ij + (batch(m) + batch(n) + lanes(d) + 18) u |G_ij|) V_ij
 * more. dX, dY, dlogit_scale as in infonce_bounds.c; dbias: the sum of these and (batch(m) +
 * batch(n) + 8) u sum |G_ij|.
 */
#include "cases.h"
#include "infonce_bounds.h"
#include "infonce_cases.h"
#include "infonce_ref.h"
#include "matmul.h"
#include "sweep.h"
#include "targets.h"

#include <math.h>
#include <stdlib.h>

enum { X, Y, LOSS, DX, DY, DSCALE, DBIAS };
enum { LOG_VAR_X = 7, LOG_VAR_Y, DLOG_VAR_X, DLOG_VAR_Y }; /* CSD */

static void forward_layout(struct trial *t)
{
    add_buffer(t, "x", false, t->shape.m, t->shape.d);
    add_buffer(t, "y", false, t->shape.n, t->shape.d);
    add_buffer(t, "loss", true, 1, 1)->sign = SIGN_NOT_NEGATIVE;
    targets_layout(t);
}

static void add_both(struct trial *t)
{
    add_buffer(t, "x", false, t->shape.m, t->shape.d);
    add_buffer(t, "y", false, t->shape.n, t->shape.d);
    add_buffer(t, "loss", true, 1, 1)->sign = SIGN_NOT_NEGATIVE;
    add_buffer(t, "dx", true, t->shape.m, t->shape.d);
    add_buffer(t, "dy", true, t->shape.n, t->shape.d);
    add_buffer(t, "dlogit_scale", true, 1, 1);
    add_buffer(t, "dbias", true, 1, 1);
}

static void both_layout(struct trial *t)
{
    add_both(t);
    targets_layout(t);
}

static void csd_layout(struct trial *t)
{
    add_both(t);
    add_buffer(t, "log_var_x", false, t->shape.m, t->shape.d);
    add_buffer(t, "log_var_y", false, t->shape.n, t->shape.d);
    add_buffer(t, "dlog_var_x", true, t->shape.m, t->shape.d);
    add_buffer(t, "dlog_var_y", true, t->shape.n, t->shape.d);
    targets_layout(t);
}

/* Variances near 1/d, whatever the means are. */
static void csd_fill(struct trial *t)
{
    for (int index = LOG_VAR_X; index <= LOG_VAR_Y; index++) {
        const struct buffer *b = &t->buffer[index];
        uint64_t stream = fill_stream(t, b->name);
        for (size_t i = 0; i < b->rows; i++)
            for (size_t k = 0; k < b->cols; k++)
                ((float *)b->data)[i * b->ld + k] =
                    (float)(fill_normal(stream, i * b->cols + k) - log((double)b->cols));
    }
    targets_fill(t);
}

static bool has_variances(const struct trial *t)
{
    return t->kernel == &kernel_csd_sigmoid_forward_backward;
}

/* SigLIP begins with -10; others by the shape. */
static float bias_of(const struct shape *s)
{
    static const float biases[] = {-10.0f, 0.0f, 2.5f};
    return biases[s->d % 16 == 0 ? 0 : s->d % 3];
}

/* The problem of a trial, and what it points to. Shapes with an offset have one positive a row, by
 * the offset. */
struct arguments {
    struct mmk_sigmoid_problem problem;
    struct mmk_matrix x, y, log_var_x, log_var_y;
    struct mmk_csr positives;
};

static const struct mmk_sigmoid_problem *problem_of(struct trial *t, struct arguments *a)
{
    const struct shape *s = &t->shape;
    a->x = matrix_of(&t->buffer[X]);
    a->y = matrix_of(&t->buffer[Y]);
    a->positives = targets_of(t);
    a->problem = (struct mmk_sigmoid_problem){
        .x = &a->x,
        .y = &a->y,
        .similarity = s->similarity,
        .logit_scale = s->logit_scale,
        .bias = bias_of(s),
        .positives = s->offset > 0 ? NULL : &a->positives,
        .offset = s->offset,
    };
    if (has_variances(t)) {
        a->log_var_x = matrix_of(&t->buffer[LOG_VAR_X]);
        a->log_var_y = matrix_of(&t->buffer[LOG_VAR_Y]);
        a->problem.log_variance_x = &a->log_var_x;
        a->problem.log_variance_y = &a->log_var_y;
    }
    return &a->problem;
}

static enum mmk_status forward_call(struct trial *t)
{
    struct arguments a;
    const struct mmk_sigmoid_results results = {.loss = wanted(&t->buffer[LOSS])};
    return mmk_sigmoid(problem_of(t, &a), &results, &t->options);
}

static enum mmk_status both_call(struct trial *t)
{
    struct arguments a;
    const struct buffer *b = t->buffer;
    const struct mmk_sigmoid_results results = {
        .loss = wanted(&b[LOSS]),
        .dx = WANTED_MATRIX(&b[DX]),
        .dy = WANTED_MATRIX(&b[DY]),
        .dlog_variance_x = has_variances(t) ? WANTED_MATRIX(&b[DLOG_VAR_X]) : NULL,
        .dlog_variance_y = has_variances(t) ? WANTED_MATRIX(&b[DLOG_VAR_Y]) : NULL,
        .dlogit_scale = wanted(&b[DSCALE]),
        .dbias = wanted(&b[DBIAS]),
    };
    return mmk_sigmoid(problem_of(t, &a), &results, &t->options);
}

static double *read_rows(const struct buffer *b)
{
    double *rows = ref_doubles(b->rows * b->cols);
    ref_from_float(b->rows, b->cols, b->data, b->ld, rows);
    return rows;
}

static void close_reference(struct infonce_ref *r)
{
    free(r->log_var_x);
    free(r->log_var_y);
    free(r->dlog_var_x);
    free(r->dlog_var_y);
    infonce_ref_close(r);
}

static void run_reference(struct trial *t, struct infonce_ref *r)
{
    struct arguments a;
    const struct mmk_sigmoid_problem *problem = problem_of(t, &a);
    infonce_ref_open(r, &(const struct mmk_infonce_problem){
                            .x = problem->x,
                            .y = problem->y,
                            .similarity = problem->similarity,
                            .logit_scale = problem->logit_scale,
                            .targets = problem->positives,
                            .offset = problem->offset,
                        });
    r->bias = (double)bias_of(&t->shape);
    if (has_variances(t)) {
        r->log_var_x = read_rows(&t->buffer[LOG_VAR_X]);
        r->log_var_y = read_rows(&t->buffer[LOG_VAR_Y]);
        r->dlog_var_x = ref_doubles(r->m * r->d);
        r->dlog_var_y = ref_doubles(r->n * r->d);
    }
    infonce_ref_sigmoid(r);
}

/* var_x_i + var_y_j */
static double variance_of(const struct infonce_ref *r, size_t i, size_t j)
{
    return r->var_x[i] + r->var_y[j];
}

/* Bound of the loss, and where g_error is not NULL of G. */
static double pair_bounds(const struct infonce_ref *r, const struct infonce_bounds *bounds,
                          double *g_error)
{
    double u = BOUND_U, m = (double)r->m, errors = 0, bias = fabs(r->bias);
    double lanes = bound_lanes(r->d) + 10;
    for (size_t i = 0; i < r->m; i++) {
        for (size_t j = 0; j < r->n; j++) {
            size_t at = i * r->n + j;
            double variance = r->scale * variance_of(r, i, j), sigma = fabs(r->g[at]) * m;
            double logit = r->dir_x.logits[at] + r->bias - variance;
            double eta = isfinite(logit)
                             ? bounds->delta_x[at] + 2 * u * bias + lanes * u * variance +
                                   2 * u * (fabs(logit) + bias + variance)
                             : 0;
            double grown = sigma * expm1(eta); /* of softplus no more than eta, of sigma than 1 */
            errors += (grown < eta ? grown : eta) + 0x1p-149;
            if (g_error != NULL)
                g_error[at] = ((grown < 1 ? grown : 1) + 9 * u * sigma + 0x1p-149) / m;
        }
    }
    double sums = bound_batch(r->n) + bound_batch(r->m) + 8 + 7 + 4;
    return errors / m + sums * u * r->loss + BOUND_UNDERFLOW;
}

static void set_loss(struct trial *t, const struct infonce_ref *r, double bound)
{
    *t->buffer[LOSS].expected = r->loss;
    *t->buffer[LOSS].bound = isfinite(r->loss) ? bound : 0;
}

static void forward_oracle(struct trial *t)
{
    struct infonce_ref r;
    struct infonce_bounds bounds;
    run_reference(t, &r);
    infonce_bounds_open(&bounds, &r);
    set_loss(t, &r, r.m > 0 ? pair_bounds(&r, &bounds, NULL) : 0);
    infonce_bounds_close(&bounds);
    close_reference(&r);
}

/* dlog_var of rows x cols G. */
static void set_dlog_var(struct buffer *b, const struct infonce_ref *r, size_t cols,
                         const double *g, const double *g_error, const double *log_var,
                         const double *expected)
{
    double roundings = (bound_batch(cols) + 8) * BOUND_U;
    for (size_t i = 0; i < b->rows; i++) {
        double error = 0;
        for (size_t j = 0; j < cols; j++)
            error += g_error[i * cols + j] + roundings * fabs(g[i * cols + j]);
        for (size_t k = 0; k < b->cols; k++) {
            size_t at = i * b->cols + k;
            b->expected[at] = expected[at];
            b->bound[at] = isfinite(expected[at])
                               ? r->scale * exp(log_var[at]) * error + 4 * BOUND_UNDERFLOW
                               : 0;
        }
    }
}

static void set_variances(struct trial *t, const struct infonce_ref *r, const double *g_error)
{
    size_t m = r->m, n = r->n;
    double roundings = bound_batch(m) + bound_batch(n) + bound_lanes(r->d) + 18, more = 0;
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            more += (g_error[i * n + j] + roundings * BOUND_U * fabs(r->g[i * n + j])) *
                    variance_of(r, i, j);
    if (isfinite(r->dscale))
        *t->buffer[DSCALE].bound += more;
    double *g_transposed = ref_doubles(m * n), *error_transposed = ref_doubles(m * n);
    ref_transpose(m, n, r->g, g_transposed);
    ref_transpose(m, n, g_error, error_transposed);
    set_dlog_var(&t->buffer[DLOG_VAR_X], r, n, r->g, g_error, r->log_var_x, r->dlog_var_x);
    set_dlog_var(&t->buffer[DLOG_VAR_Y], r, m, g_transposed, error_transposed, r->log_var_y,
                 r->dlog_var_y);
    free(g_transposed);
    free(error_transposed);
}

static void both_oracle(struct trial *t)
{
    struct infonce_ref r;
    struct infonce_bounds bounds;
    run_reference(t, &r);
    infonce_bounds_open(&bounds, &r);
    double *g_error = ref_doubles(r.m * r.n), error = 0, sum = 0;
    set_loss(t, &r, r.m > 0 ? pair_bounds(&r, &bounds, g_error) : 0);
    infonce_gradient_bounds(t, &r, &bounds, g_error, infonce_kept_underflow(1 / (double)r.m), DX,
                            DY, DSCALE);
    for (size_t at = 0; at < r.m * r.n; at++) {
        error += g_error[at];
        sum += fabs(r.g[at]);
    }
    *t->buffer[DBIAS].expected = r.dbias;
    *t->buffer[DBIAS].bound =
        isfinite(r.dbias)
            ? error + (bound_batch(r.m) + bound_batch(r.n) + 8) * BOUND_U * sum + BOUND_UNDERFLOW
            : 0;
    if (has_variances(t))
        set_variances(t, &r, g_error);
    free(g_error);
    infonce_bounds_close(&bounds);
    close_reference(&r);
}

static void add_all(struct shape *shapes, size_t *count, struct shape shape)
{
    static const float scales[] = {1, 10, 100};
    for (int similarity = 0; similarity < MMK_SIMILARITY_COUNT; similarity++) {
        shape.similarity = (enum mmk_similarity)similarity;
        shape.logit_scale = scales[(*count + *count / 3) % 3];
        sweep_add(shapes, count, shape);
    }
}

static size_t sweep(bool quick, struct shape *shapes)
{
    size_t count = 0, dims[SWEEP_DIMS];
    size_t dim_count = sweep_dims(quick, dims);
    for (size_t i = 0; i < dim_count; i += quick ? 3 : 1)
        add_all(shapes, &count,
                (struct shape){.m = 5,
                               .n = 7,
                               .d = dims[i],
                               .positives = 1 + i % 6,
                               .offset = i % 3,
                               .ld_extra = 1});
    for (size_t m = 0; m <= (quick ? 18u : 70u); m += quick ? 6 : 1)
        for (size_t k = 1; k < 6; k += 2)
            add_all(shapes, &count, (struct shape){.m = m, .n = m / 2 + k, .d = 5, .positives = k});
    sweep_add_extremes(shapes, &count, (struct shape){.m = 9, .n = 12, .d = 7, .positives = 3});
    add_all(shapes, &count, (struct shape){.m = 170, .n = 90, .d = 3, .positives = 9});
    add_all(shapes, &count, (struct shape){.m = 86, .n = 700, .d = 3, .positives = 30});
    add_all(shapes, &count, (struct shape){.m = INFONCE_LONG, .n = 3, .d = 3, .positives = 1});
    add_all(shapes, &count, (struct shape){.m = 3, .n = INFONCE_LONG, .d = 3, .positives = 1});
    if (quick)
        return count;
    add_all(shapes, &count,
            (struct shape){.m = 169, .n = 257, .d = 33, .positives = 17, .offset = 60});
    add_all(shapes, &count, (struct shape){.m = 1350, .n = 1360, .d = 3, .positives = 20});
    return count;
}

/* SigLIP at the start of training; one positive a row, and as many as ECCV Caption has. */
#define SIGLIP(B, D, K)                                                                            \
    {                                                                                              \
        .m = (B), .n = (B), .d = (D), .positives = (K), .similarity = MMK_COSINE,                  \
        .logit_scale = 10                                                                          \
    }

static const struct shape bench[] = {SIGLIP(256, 512, 1), SIGLIP(1024, 512, 1),
                                     SIGLIP(4096, 512, 1), SIGLIP(4096, 512, 17)};

#define SHARED_PARTS                                                                               \
    .dims = "mndk", .has_positives = true, .similarity = SIMILARITY_FROM_SHAPE,                    \
    .offset = OFFSET_IF_GIVEN, .fill = targets_fill, .sweep = sweep, .takes_threads = true,        \
    INFONCE_PARTS, BENCH(bench)

const struct kernel kernel_sigmoid_forward = {
    .name = "sigmoid_forward",
    .rooms = "infonce tile",
    .formula = "loss = 1/m sum_ij log(1 + e^(-z_ij (s sim_ij + b))), k positives a row",
    .layout = forward_layout,
    .call = forward_call,
    .oracle = forward_oracle,
    .flops = infonce_forward_flops,
    .bytes = infonce_forward_bytes,
    .fill_fits = infonce_forward_fill_fits,
    SHARED_PARTS,
};

const struct kernel kernel_sigmoid_forward_backward = {
    .name = "sigmoid_forward_backward",
    .rooms = "infonce tile",
    .formula = "loss, dX, dY, d logit_scale, d bias of the sigmoid loss",
    .gradients = true,
    .layout = both_layout,
    .call = both_call,
    .oracle = both_oracle,
    .flops = infonce_backward_flops,
    .bytes = infonce_backward_bytes,
    .fill_fits = infonce_backward_fill_fits,
    SHARED_PARTS,
};

/* Of the similarities only the distance. */
static size_t csd_sweep(bool quick, struct shape *shapes)
{
    size_t count = 0, all = sweep(quick, NULL);
    struct shape *every = ref_zeros(all, sizeof *every);
    sweep(quick, every);
    for (size_t i = 0; i < all; i++)
        if (every[i].similarity == MMK_NEG_SQ_L2 && every[i].d > 0)
            sweep_add(shapes, &count, every[i]);
    free(every);
    return count;
}

static const struct shape csd_bench[] = {
    {.m = 1024, .n = 1024, .d = 512, .positives = 1, .similarity = MMK_NEG_SQ_L2, .logit_scale = 5},
    {.m = 4096,
     .n = 4096,
     .d = 512,
     .positives = 17,
     .similarity = MMK_NEG_SQ_L2,
     .logit_scale = 5}};

const struct kernel kernel_csd_sigmoid_forward_backward = {
    .name = "csd_sigmoid_forward_backward",
    .rooms = "infonce tile exp",
    INFONCE_PARTS,
    .formula = "the sigmoid loss of -a (|mu - nu|^2 + sum of the variances) + b, and its gradients",
    .gradients = true,
    .dims = "mndk",
    .has_positives = true,
    .offset = OFFSET_IF_GIVEN,
    .similarity = MMK_NEG_SQ_L2,
    .layout = csd_layout,
    .fill = csd_fill,
    .call = both_call,
    .oracle = both_oracle,
    .flops = infonce_backward_flops,
    .bytes = infonce_backward_bytes,
    .fill_fits = infonce_backward_fill_fits,
    .sweep = csd_sweep,
    .takes_threads = true,
    BENCH(csd_bench),
};
