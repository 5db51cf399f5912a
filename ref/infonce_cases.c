/* infonce_cases.c - cases of InfoNCE, one-to-one and multi-positive: forward, backward, both in one
 * call.
 * SPDX-License-Identifier: MIT
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

/* ---- Layout, call ---------------------------------------------------------------------------- */

/* Order of the buffers: x, y, then those of the call. */
enum { X, Y };
enum { FORWARD_LOSS = 2, FORWARD_LSE_X, FORWARD_LSE_Y, BOTH_DX, BOTH_DY, BOTH_DSCALE };
enum { NEGATIVES = BOTH_DSCALE + 1, DNEGATIVES };
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

static bool is_multi(const struct trial *t)
{
    return t->shape.positives > 0;
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

static void negatives_layout(struct trial *t)
{
    both_layout(t);
    add_buffer(t, "negatives", false, t->shape.negatives, t->shape.d);
    add_buffer(t, "dnegatives", true, t->shape.negatives, t->shape.d);
    if (is_multi(t))
        targets_layout(t);
}

static bool has_negatives(const struct trial *t)
{
    return t->kernel == &kernel_infonce_negatives_forward_backward;
}

static bool is_uniformity(const struct trial *t)
{
    return t->kernel == &kernel_uniformity_forward ||
           t->kernel == &kernel_uniformity_forward_backward;
}

/* The problem of a trial, and what it points to. */
struct arguments {
    struct mmk_infonce_problem problem;
    struct mmk_matrix x, y, negatives;
    struct mmk_csr targets;
};

/* With targets, an offset says which pairs are left out. */
static struct mmk_infonce_problem *problem_of(struct trial *t, struct arguments *a)
{
    const struct shape *s = &t->shape;
    a->x = matrix_of(&t->buffer[X]);
    a->y = matrix_of(&t->buffer[Y]);
    a->problem = (struct mmk_infonce_problem){
        .x = &a->x,
        .y = &a->y,
        .similarity = s->similarity,
        .logit_scale = s->logit_scale,
        .weight_x = s->weight_x,
        .weight_y = s->weight_y,
        .offset = s->offset,
        .exclude_self = is_multi(t) && s->offset > 0,
        .upstream = s->upstream != 0 ? &s->upstream : NULL,
    };
    if (is_multi(t)) {
        a->targets = targets_of(t);
        a->problem.targets = &a->targets;
    }
    if (has_negatives(t)) {
        a->negatives = matrix_of(&t->buffer[NEGATIVES]);
        a->problem.negatives = &a->negatives;
    }
    return &a->problem;
}

typedef enum mmk_status loss_function(const struct mmk_infonce_problem *,
                                      const struct mmk_infonce_results *,
                                      const struct mmk_options *);

/* Calls it with the results, and the counts of the kernels that have them. */
static enum mmk_status call_with(struct trial *t, loss_function *function,
                                 const struct mmk_infonce_problem *problem,
                                 struct mmk_infonce_results *results)
{
    size_t rows = 0, columns = 0;
    bool counts = t->kernel->counts && !t->count_unwanted;
    results->rows_counted = counts ? &rows : NULL;
    results->columns_counted = counts ? &columns : NULL;
    enum mmk_status status = function(problem, results, &t->options);
    if (counts)
        t->count = count_of(rows, columns);
    return status;
}

static enum mmk_status forward_with(struct trial *t, loss_function *function)
{
    struct arguments a;
    const struct buffer *b = t->buffer;
    struct mmk_infonce_results results = {
        .loss = wanted(&b[FORWARD_LOSS]),
        .lse_x = wanted(&b[FORWARD_LSE_X]),
        .lse_y = wanted(&b[FORWARD_LSE_Y]),
    };
    return call_with(t, function, problem_of(t, &a), &results);
}

static enum mmk_status both_with(struct trial *t, loss_function *function)
{
    struct arguments a;
    const struct buffer *b = t->buffer;
    struct mmk_infonce_results results = {
        .loss = wanted(&b[FORWARD_LOSS]),
        .lse_x = wanted(&b[FORWARD_LSE_X]),
        .lse_y = wanted(&b[FORWARD_LSE_Y]),
        .dx = WANTED_MATRIX(&b[BOTH_DX]),
        .dy = WANTED_MATRIX(&b[BOTH_DY]),
        .dnegatives = has_negatives(t) ? WANTED_MATRIX(&b[DNEGATIVES]) : NULL,
        .dlogit_scale = wanted(&b[BOTH_DSCALE]),
    };
    return call_with(t, function, problem_of(t, &a), &results);
}

static enum mmk_status forward_call(struct trial *t)
{
    return forward_with(t, mmk_infonce);
}

static enum mmk_status backward_call(struct trial *t)
{
    struct arguments a;
    const struct buffer *b = t->buffer;
    struct mmk_infonce_problem *problem = problem_of(t, &a);
    struct mmk_infonce_results results = {
        .dx = WANTED_MATRIX(&b[BACKWARD_DX]),
        .dy = WANTED_MATRIX(&b[BACKWARD_DY]),
        .dlogit_scale = wanted(&b[BACKWARD_DSCALE]),
    };
    problem->lse_x = b[BACKWARD_LSE_X].data;
    problem->lse_y = b[BACKWARD_LSE_Y].data;
    return call_with(t, mmk_infonce, problem, &results);
}

static enum mmk_status both_call(struct trial *t)
{
    return both_with(t, mmk_infonce);
}

static enum mmk_status uniformity_call(struct trial *t)
{
    return forward_with(t, mmk_uniformity);
}

static enum mmk_status uniformity_both_call(struct trial *t)
{
    return both_with(t, mmk_uniformity);
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

/* ---- Oracles --------------------------------------------------------------------------------- */

static void run_reference(struct trial *t, struct infonce_ref *r)
{
    static const struct mmk_csr none;
    struct arguments a;
    struct mmk_infonce_problem *problem = problem_of(t, &a);
    if (is_uniformity(t))
        problem->targets = &none;
    infonce_ref_open(r, problem);
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
    for (size_t i = 0; i < b->cols; i++) { /* of y, the negatives' are left out */
        b->expected[i] = dir->lse[i];
        b->bound[i] = isfinite(dir->lse[i]) ? error[i] : 0;
        if (dir->cols > 0 && dir->lse[i] == -(double)INFINITY)
            b->bound[i] = BOUND_OPEN;
    }
}

static void set_forward(struct trial *t, const struct infonce_ref *r, struct infonce_bounds *bounds)
{
    bounds->loss = infonce_forward_bounds(&r->dir_x, bounds->delta_x, bounds->lse_x) +
                   infonce_forward_bounds(&r->dir_y, bounds->delta_y, bounds->lse_y);
    struct buffer *loss = &t->buffer[FORWARD_LOSS];
    *loss->expected = r->loss;
    double parts = 0;
    for (size_t i = 0; i < r->m; i++)
        parts += r->dir_x.weight * fabs(r->dir_x.loss[i]);
    for (size_t j = 0; j < r->n; j++)
        parts += r->dir_y.weight * fabs(r->dir_y.loss[j]);
    *loss->bound = bounds->loss + (bound_batch(r->m) + 4) * BOUND_U * parts + BOUND_UNDERFLOW;
    if (!isfinite(r->loss))
        *loss->bound = 0;
    if (open_lse(&r->dir_x) || open_lse(&r->dir_y))
        *loss->bound = BOUND_OPEN;
    if (r->m <= 1 && r->n <= 1 && isfinite(r->loss) && !r->dir_x.uniform)
        *loss->bound = 0; /* exactly 0 */
    if (t->kernel->counts)
        t->expected_count = count_of(r->dir_x.counted, r->dir_y.counted);
    set_lse(&t->buffer[FORWARD_LSE_X], &r->dir_x, bounds->lse_x);
    set_lse(&t->buffer[FORWARD_LSE_Y], &r->dir_y, bounds->lse_y);
}

static void set_backward(struct trial *t, struct infonce_ref *r,
                         const struct infonce_bounds *bounds, int dx, int dy, int dscale)
{
    size_t m = r->m, n = r->n;
    infonce_ref_backward(r);
    double *g_error = ref_doubles(m * n), *transposed = ref_doubles(m * n);
    infonce_g_bounds(&r->dir_y, bounds->delta_y, 6 * BOUND_U, bounds->lse_y, transposed);
    ref_transpose(n, m, transposed, g_error);
    infonce_g_bounds(&r->dir_x, bounds->delta_x, 6 * BOUND_U, bounds->lse_x, g_error);
    for (size_t at = 0; at < m * n && r->upstream != 1; at++)
        g_error[at] = fabs(r->upstream) * g_error[at] + 2 * BOUND_U * fabs(r->g[at]);
    double weight = fabs(r->upstream) * fmax(r->dir_x.weight, r->dir_y.weight);
    infonce_gradient_bounds(t, r, bounds, g_error, infonce_kept_underflow(weight), dx, dy, dscale);
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
    set_backward(t, &r, &bounds, BOTH_DX, BOTH_DY, BOTH_DSCALE);
    infonce_bounds_close(&bounds);
    infonce_ref_close(&r);
}

/* The lse that are passed are rounded once, and may be infinite then. */
static double rounding_of(double lse)
{
    return fabs(lse) > (double)FLT_MAX ? (double)INFINITY : BOUND_U * fabs(lse);
}

static void backward_oracle(struct trial *t)
{
    struct infonce_ref r;
    struct infonce_bounds bounds;
    run_reference(t, &r);
    infonce_bounds_open(&bounds, &r);
    for (size_t i = 0; i < r.m; i++)
        bounds.lse_x[i] = rounding_of(r.dir_x.lse[i]);
    for (size_t j = 0; j < r.n; j++)
        bounds.lse_y[j] = rounding_of(r.dir_y.lse[j]);
    set_backward(t, &r, &bounds, BACKWARD_DX, BACKWARD_DY, BACKWARD_DSCALE);
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

/* Where the last element is a NaN, that of the negatives, too. */
static void negatives_fill(struct trial *t)
{
    const struct buffer *b = &t->buffer[NEGATIVES];
    if (t->fill == FILL_NAN_LAST && b->rows > 0 && b->cols > 0)
        ((float *)b->data)[(b->rows - 1) * b->ld + b->cols - 1] = -NAN;
    if (is_multi(t))
        targets_fill(t);
}

/* ---- Costs and shapes ------------------------------------------------------------------------ */

double infonce_forward_flops(const struct shape *s)
{
    return 2 * (double)s->m * (double)s->n * (double)s->d;
}

double infonce_backward_flops(const struct shape *s)
{
    return 6 * (double)s->m * (double)s->n * (double)s->d;
}

double infonce_forward_bytes(const struct shape *s)
{
    return 4 * (double)(s->m + s->n) * (double)s->d;
}

double infonce_backward_bytes(const struct shape *s)
{
    return 8 * (double)(s->m + s->n) * (double)s->d;
}

static bool infonce_is_long(const struct shape *s)
{
    return s->m == INFONCE_LONG || s->n == INFONCE_LONG;
}

/* Unless the similarity is the cosine, rows of 1e20 make logits overflow, and long rows of integers
 * make them so large that float keeps nothing of the softmax; so do distances of rows that are 1 or
 * more apart. Large shapes are there for the blocking, long ones for sums that are one chain: a few
 * fills are enough for them. One NaN makes all of a loss NaN: rows of every kind say no more than
 * rows of each. */
bool infonce_forward_fill_fits(const struct shape *s, enum fill fill)
{
    if (fill == FILL_SPECIALS || (fill == FILL_MAGNITUDES && s->similarity != MMK_COSINE))
        return false;
    if (infonce_is_long(s) || fill == FILL_EQUAL_ROWS)
        return infonce_is_long(s) && (fill == FILL_NORMAL || fill == FILL_EQUAL_ROWS);
    if (fill_is_offset(fill))
        return s->similarity == MMK_NEG_SQ_L2 && (fill == FILL_MEAN_10 || s->d <= 12) &&
               !sweep_is_plain(s->d);
    if (s->m * s->n > 1000000)
        return fill == FILL_NORMAL;
    if (s->m * s->n * (s->d + 4) > 60000 || sweep_is_plain(s->d))
        return fill == FILL_NORMAL || fill == FILL_NAN_TAIL || fill == FILL_ALIGNED;
    if (s->similarity != MMK_COSINE && ((fill == FILL_HUGE && !sweep_is_huge(s)) ||
                                        (s->d > 12 && (fill == FILL_INTEGER || fill == FILL_TIES))))
        return false;
    return fill_is_of_rows(fill);
}

/* With an Inf among the logits a gradient is 0 * Inf or tiny * Inf, as a softmax underflows. */
bool infonce_backward_fill_fits(const struct shape *s, enum fill fill)
{
    if (fill == FILL_INF && s->similarity != MMK_COSINE)
        return false;
    return infonce_forward_fill_fits(s, fill);
}

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
    add_all(shapes, &count, (struct shape){.m = 3, .n = INFONCE_LONG, .d = 3, .offset = 5});
    sweep_add_extremes(shapes, &count, (struct shape){.m = 9, .n = 12, .d = 7, .offset = 2});
    sweep_add_extremes(shapes, &count, (struct shape){.m = 1, .n = 1, .d = 3});
    /* Blocks of 84 rows and 672 columns; super-blocks of 1344 columns. */
    if (quick) {
        add_all(shapes, &count, (struct shape){.m = 170, .n = 180, .d = 3, .offset = 7});
        add_all(shapes, &count, (struct shape){.m = 86, .n = 700, .d = 3, .offset = 600});
        /* exponentials in the sums of dX, and in dX and dY */
        sweep_add(shapes, &count,
                  (struct shape){.m = 86,
                                 .n = 700,
                                 .d = 340,
                                 .offset = 600,
                                 .similarity = MMK_COSINE,
                                 .logit_scale = 14.3f,
                                 .weight_x = 0.5f,
                                 .weight_y = 0.5f});
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
        {.m = 86, .n = 700, .d = 340, .offset = 600},
        {.m = 1350, .n = 1360, .d = 3, .offset = 9},
    };
    for (size_t i = 0; i < sizeof large / sizeof large[0]; i++)
        add_all(shapes, &count, large[i]);
    return count;
}

/* Rows of X are held 4,704 at a time. */
static size_t forward_sweep(bool quick, struct shape *shapes)
{
    size_t count = sweep(quick, shapes);
    if (!quick)
        sweep_add(shapes, &count,
                  (struct shape){.m = 4709,
                                 .n = 4714,
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
                (struct shape){.m = 5,
                               .n = 7,
                               .d = dims[i],
                               .positives = 1 + i % 6,
                               .offset = i % 3,
                               .ld_extra = 1});
    for (size_t m = 0; m <= (quick ? 9u : 40u); m += quick ? 3 : 1)
        for (size_t k = 1; k < 6; k += 2)
            add_all(shapes, &count, (struct shape){.m = m, .n = m / 2 + k, .d = 5, .positives = k});
    for (size_t n = 1; n <= (quick ? 5u : 30u); n++)
        add_all(shapes, &count,
                (struct shape){.m = n / 2, .n = n, .d = 3, .positives = n, .offset = (n + 1) / 2});
    sweep_add_extremes(shapes, &count,
                       (struct shape){.m = 9, .n = 12, .d = 7, .positives = 3, .offset = 2});
    sweep_add_extremes(shapes, &count, (struct shape){.m = 7, .n = 4, .d = 600, .positives = 1});
    add_all(shapes, &count, (struct shape){.m = 170, .n = 90, .d = 3, .positives = 9});
    add_all(shapes, &count,
            (struct shape){.m = 86, .n = 700, .d = 3, .positives = 30, .offset = 600});
    add_all(shapes, &count, (struct shape){.m = INFONCE_LONG, .n = 3, .d = 3, .positives = 1});
    if (quick)
        return count;
    static const struct shape large[] = {
        {.m = 100, .n = 100, .d = 50, .positives = 1},
        {.m = 169, .n = 257, .d = 33, .positives = 17, .offset = 60},
        {.m = 337, .n = 337, .d = 9, .positives = 17},
        {.m = 1030, .n = 9, .d = 10, .positives = 3},
        {.m = 9, .n = 1030, .d = 10, .positives = 300},
        {.m = 1350, .n = 1360, .d = 3, .positives = 20, .offset = 9},
        {.m = 86, .n = 1500, .d = 70, .positives = 3},
        /* 2688 rows of G exist at once: sums of dY wait, of two blocks of columns, two panels. */
        {.m = 2700, .n = 700, .d = 33, .positives = 3},
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
                  (struct shape){.m = 4709,
                                 .n = 4714,
                                 .d = 2,
                                 .positives = 5,
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
    sweep_add_extremes(shapes, &count, (struct shape){.m = 9, .n = 12, .d = 7});
    add_all(shapes, &count, (struct shape){.m = 170, .n = 180, .d = 3});
    add_all(shapes, &count, (struct shape){.m = 86, .n = 700, .d = 3});
    add_all(shapes, &count, (struct shape){.m = INFONCE_LONG, .n = 3, .d = 3});
    add_all(shapes, &count, (struct shape){.m = 3, .n = INFONCE_LONG, .d = 3});
    return count;
}

/* The negatives stand for columns of y. */
static struct shape as_columns(const struct shape *s)
{
    struct shape shape = *s;
    shape.n += s->negatives;
    return shape;
}

static double negatives_flops(const struct shape *s)
{
    const struct shape columns = as_columns(s);
    return infonce_backward_flops(&columns);
}

static double negatives_bytes(const struct shape *s)
{
    const struct shape columns = as_columns(s);
    return infonce_backward_bytes(&columns);
}

static bool negatives_fill_fits(const struct shape *s, enum fill fill)
{
    const struct shape columns = as_columns(s);
    return infonce_backward_fill_fits(&columns, fill);
}

/* Also with an upstream factor, and with targets (and pairs left out). Blocks have 672 columns. */
static size_t negatives_sweep(bool quick, struct shape *shapes)
{
    static const float upstreams[] = {0, -2.5f, 0.3f};
    static const struct shape some[] = {
        {.m = 0, .n = 4, .negatives = 3, .d = 5},
        {.m = 5, .n = 0, .negatives = 4, .d = 3, .positives = 2},
        {.m = 1, .n = 1, .d = 5},
        {.m = 1, .n = 1, .negatives = 1, .d = 5, .upstream = -1},
        {.m = 6, .n = 6, .negatives = 17, .d = 10, .upstream = 128},
        {.m = 20, .n = 671, .negatives = 2, .d = 4, .offset = 600},
        {.m = 86, .n = 90, .negatives = 700, .d = 3, .upstream = 0.7f},
        {.m = 40, .n = 90, .negatives = 1350, .d = 3, .positives = 9, .offset = 50},
        {.m = 170, .n = 180, .negatives = 1350, .d = 9, .upstream = -0.1f},
        {.m = 1350, .n = 1360, .negatives = 700, .d = 3, .offset = 9},
        {.m = 30, .n = 40, .negatives = 5400, .d = 3, .positives = 3},
    };
    size_t count = 0, dims[SWEEP_DIMS], all = sizeof some / sizeof some[0];
    size_t dim_count = sweep_dims(quick, dims);
    for (size_t i = 0; i < dim_count; i += quick ? 2 : 1)
        add_all(shapes, &count,
                (struct shape){.m = 5,
                               .n = 7,
                               .negatives = i % 5,
                               .d = dims[i],
                               .positives = i % 4 == 2 ? 3 : 0,
                               .offset = i % 3,
                               .upstream = upstreams[i / 2 % 3],
                               .ld_extra = i / 2 % 2});
    for (size_t i = 0; i < (quick ? all - 3 : all); i++)
        add_all(shapes, &count, some[i]);
    sweep_add_extremes(shapes, &count,
                       (struct shape){.m = 9, .n = 12, .negatives = 5, .d = 7, .upstream = 3e-9f});
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
        .m = (B), .n = (B), .d = (D), .positives = 17, .similarity = MMK_COSINE,                   \
        .logit_scale = 14.3f, .weight_x = 0.5f, .weight_y = 0.5f                                   \
    }

static const struct shape multi_bench[] = {MULTI(256, 512), MULTI(1024, 512), MULTI(4096, 512)};

/* Cai et al.: distances, one direction, temperature 1. */
static const struct shape uniformity_bench[] = {
    {.m = 512, .n = 512, .d = 10, .similarity = MMK_NEG_SQ_L2, .logit_scale = 1, .weight_x = 1},
    {.m = 4096, .n = 4096, .d = 512, .similarity = MMK_NEG_SQ_L2, .logit_scale = 1, .weight_x = 1}};

/* MoCo's batch, width and temperature, and a queue of 4,096. */
static const struct shape negatives_bench[] = {{.m = 256,
                                                .n = 256,
                                                .negatives = 4096,
                                                .d = 128,
                                                .similarity = MMK_COSINE,
                                                .logit_scale = 14.3f,
                                                .weight_x = 1}};

#define SHARED_PARTS                                                                               \
    .similarity = SIMILARITY_FROM_SHAPE, .workspace = true, .takes_threads = true, INFONCE_PARTS

const struct kernel kernel_infonce_forward = {
    .name = "infonce_forward",
    .offset = OFFSET_ALWAYS,
    .rooms = "infonce tile",
    .formula = "loss = w_x mean_i (lse_j L_ij - L_ip) + w_y mean_j (lse_i L_ij - L_pj)",
    .clip_loss = true,
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
    .offset = OFFSET_ALWAYS,
    .rooms = "infonce tile",
    .formula = "dX, dY, d logit_scale from the two lse",
    .gradients = true,
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
    .offset = OFFSET_ALWAYS,
    .rooms = "infonce tile",
    .formula = "loss, lse, dX, dY, d logit_scale in one call",
    .keeps_exponentials = true,
    .gradients = true,
    .clip_loss = true,
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

const struct kernel kernel_infonce_negatives_forward_backward = {
    .name = "infonce_negatives_forward_backward",
    .offset = OFFSET_ALWAYS,
    .rooms = "infonce tile",
    .formula = "the same with q columns that belong to no row, their gradient, d upstream",
    .keeps_exponentials = true,
    .gradients = true,
    .counts = true,
    .synthetic_only = true,
    .layout = negatives_layout,
    .fill = negatives_fill,
    .call = both_call,
    .oracle = both_oracle,
    .flops = negatives_flops,
    .bytes = negatives_bytes,
    .fill_fits = negatives_fill_fits,
    .sweep = negatives_sweep,
    .dims = "mnd",
    BENCH(negatives_bench),
    SHARED_PARTS,
};

const struct kernel kernel_multi_infonce_forward = {
    .name = "multi_infonce_forward",
    .offset = OFFSET_IF_GIVEN,
    .rooms = "infonce tile",
    .formula = "InfoNCE with k positives a row: mean_i sum_j t_ij (lse_i - L_ij), columns alike",
    .layout = multi_forward_layout,
    .fill = targets_fill,
    .call = forward_call,
    .counts = true,
    .oracle = forward_oracle,
    .flops = infonce_forward_flops,
    .bytes = infonce_forward_bytes,
    .fill_fits = infonce_forward_fill_fits,
    .sweep = multi_forward_sweep,
    .dims = "mndk",
    .has_positives = true,
    BENCH(multi_bench),
    SHARED_PARTS,
};

const struct kernel kernel_multi_infonce_backward = {
    .name = "multi_infonce_backward",
    .offset = OFFSET_IF_GIVEN,
    .rooms = "infonce tile",
    .formula = "dX, dY, d logit_scale with k positives a row",
    .gradients = true,
    .layout = multi_backward_layout,
    .fill = backward_fill,
    .call = backward_call,
    .oracle = backward_oracle,
    .flops = infonce_backward_flops,
    .bytes = infonce_backward_bytes,
    .fill_fits = infonce_backward_fill_fits,
    .sweep = multi_sweep,
    .dims = "mndk",
    .has_positives = true,
    BENCH(multi_bench),
    SHARED_PARTS,
};

const struct kernel kernel_multi_infonce_forward_backward = {
    .name = "multi_infonce_forward_backward",
    .offset = OFFSET_IF_GIVEN,
    .rooms = "infonce tile",
    .formula = "loss, lse, dX, dY, d logit_scale with k positives a row",
    .keeps_exponentials = true,
    .gradients = true,
    .layout = multi_both_layout,
    .fill = targets_fill,
    .call = both_call,
    .counts = true,
    .oracle = both_oracle,
    .flops = infonce_backward_flops,
    .bytes = infonce_backward_bytes,
    .fill_fits = infonce_backward_fill_fits,
    .sweep = multi_sweep,
    .dims = "mndk",
    .has_positives = true,
    BENCH(multi_bench),
    SHARED_PARTS,
};

const struct kernel kernel_uniformity_forward = {
    .name = "uniformity_forward",
    .rooms = "infonce tile",
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
    .rooms = "infonce tile",
    .formula = "uniformity, lse, dX, dY, d logit_scale in one call",
    .keeps_exponentials = true,
    .gradients = true,
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
