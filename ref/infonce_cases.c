/* infonce_cases.c - cases of InfoNCE, one-to-one and multi-positive: forward, backward, both in one call.
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
    return t->shape.positives > 0;
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
    bounds->loss =
        infonce_forward_bounds(&r->dir_x, bounds->delta_x, INFONCE_FLUSH, bounds->lse_x) +
        infonce_forward_bounds(&r->dir_y, bounds->delta_y, INFONCE_FLUSH, bounds->lse_y);
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

static void set_backward(struct trial *t, struct infonce_ref *r,
                         const struct infonce_bounds *bounds, double flush, int dx, int dy,
                         int dscale)
{
    size_t m = r->m, n = r->n;
    infonce_ref_backward(r);
    double *g_error = ref_doubles(m * n), *transposed = ref_doubles(m * n);
    infonce_g_bounds(&r->dir_y, bounds->delta_y, 6 * BOUND_U, flush, bounds->lse_y, transposed);
    ref_transpose(n, m, transposed, g_error);
    infonce_g_bounds(&r->dir_x, bounds->delta_x, 6 * BOUND_U, flush, bounds->lse_x, g_error);
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
    set_backward(t, &r, &bounds, INFONCE_FLUSH, BOTH_DX, BOTH_DY, BOTH_DSCALE);
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
    set_backward(t, &r, &bounds, infonce_backward_flush(&r), BACKWARD_DX, BACKWARD_DY,
                 BACKWARD_DSCALE);
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
    if (s->positives > 0)
        return mmk_multi_infonce_workspace_bytes(s->m, s->n, s->d, s->m * s->positives, threads,
                                                 streamed, stored);
    return mmk_infonce_workspace_bytes(s->m, s->n, s->d, threads, streamed, stored);
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

/* Unless the similarity is the cosine, rows of 1e20 make logits overflow, and long rows of integers
 * make them so large that float keeps nothing of the softmax. Large shapes are there for the
 * blocking: a few fills are enough for them. */
bool infonce_forward_fill_fits(const struct shape *s, enum fill fill)
{
    if (s->m * s->n > 1000000)
        return fill == FILL_NORMAL;
    if (s->m * s->n * (s->d + 4) > 60000 || sweep_is_plain(s->d))
        return fill == FILL_NORMAL || fill == FILL_NAN_TAIL || fill == FILL_ALIGNED;
    if (s->similarity != MMK_COSINE &&
        (fill == FILL_HUGE || (s->d > 12 && (fill == FILL_INTEGER || fill == FILL_TIES))))
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
    add_all(shapes, &count, (struct shape){.m = 170, .n = 90, .d = 3, .positives = 9});
    add_all(shapes, &count,
            (struct shape){.m = 86, .n = 700, .d = 3, .positives = 30, .offset = 600});
    if (quick)
        return count;
    static const struct shape large[] = {
        {.m = 100, .n = 100, .d = 50, .positives = 1},
        {.m = 169, .n = 257, .d = 33, .positives = 17, .offset = 60},
        {.m = 337, .n = 337, .d = 9, .positives = 17},
        {.m = 1030, .n = 9, .d = 10, .positives = 3},
        {.m = 9, .n = 1030, .d = 10, .positives = 300},
        {.m = 1350, .n = 1360, .d = 3, .positives = 20, .offset = 9},
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
        .m = (B), .n = (B), .d = (D), .positives = 17, .similarity = MMK_COSINE,                   \
        .logit_scale = 14.3f, .weight_x = 0.5f, .weight_y = 0.5f                                   \
    }

static const struct shape multi_bench[] = {MULTI(256, 512), MULTI(1024, 512), MULTI(4096, 512)};

/* Cai et al.: distances, one direction, temperature 1. */
static const struct shape uniformity_bench[] = {
    {.m = 512, .n = 512, .d = 10, .similarity = MMK_NEG_SQ_L2, .logit_scale = 1, .weight_x = 1},
    {.m = 4096, .n = 4096, .d = 512, .similarity = MMK_NEG_SQ_L2, .logit_scale = 1, .weight_x = 1}};

#define SHARED_PARTS                                                                               \
    .similarity = SIMILARITY_FROM_SHAPE, .workspace = workspace, .takes_threads = true,            \
    INFONCE_PARTS

const struct kernel kernel_infonce_forward = {
    .name = "infonce_forward",
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

const struct kernel kernel_multi_infonce_forward = {
    .name = "multi_infonce_forward",
    .rooms = "infonce tile",
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
    .has_positives = true,
    BENCH(multi_bench),
    SHARED_PARTS,
};

const struct kernel kernel_multi_infonce_backward = {
    .name = "multi_infonce_backward",
    .rooms = "infonce tile",
    .formula = "dX, dY, d logit_scale with k positives a row",
    .gradients = true,
    .layout = multi_backward_layout,
    .fill = backward_fill,
    .call = multi_backward_call,
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
    .rooms = "infonce tile",
    .formula = "loss, lse, dX, dY, d logit_scale with k positives a row",
    .keeps_exponentials = true,
    .gradients = true,
    .layout = multi_both_layout,
    .fill = targets_fill,
    .call = multi_both_call,
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
