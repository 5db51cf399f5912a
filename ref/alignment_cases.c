/* alignment_cases.c - cases of the alignment of pairs.
 * SPDX-License-Identifier: MIT
 *
 * Bounds: the loss is s times the mean of m similarities, each with the error e_ii of the
 * similarity matrix (a pair's is less), and s, 1/m and the result are rounded:
 *     s/m sum_i e_ii + 4u s/m sum_i |sim_ii|
 * Gradients as in infonce_bounds.c, with G_ii = -1/m, which with s is rounded twice.
 */
#include "cases.h"
#include "infonce_bounds.h"
#include "infonce_cases.h"
#include "infonce_ref.h"
#include "matmul.h"
#include "sweep.h"

#include <math.h>
#include <stdlib.h>

enum { X, Y, LOSS, DX, DY, DSCALE };

static void layout(struct trial *t)
{
    add_buffer(t, "x", false, t->shape.m, t->shape.d);
    add_buffer(t, "y", false, t->shape.m, t->shape.d);
    add_buffer(t, "loss", true, 1, 1);
    add_buffer(t, "dx", true, t->shape.m, t->shape.d);
    add_buffer(t, "dy", true, t->shape.m, t->shape.d);
    add_buffer(t, "dlogit_scale", true, 1, 1);
}

static enum mmk_status call(struct trial *t)
{
    const struct buffer *b = t->buffer;
    const struct mmk_infonce_problem problem = {
        .x = MATRIX(&b[X]),
        .y = MATRIX(&b[Y]),
        .similarity = t->shape.similarity,
        .logit_scale = t->shape.logit_scale,
    };
    const struct mmk_infonce_results results = {
        .loss = wanted(&b[LOSS]),
        .dx = WANTED_MATRIX(&b[DX]),
        .dy = WANTED_MATRIX(&b[DY]),
        .dlogit_scale = wanted(&b[DSCALE]),
    };
    return mmk_alignment(&problem, &results, &t->options);
}

static void oracle(struct trial *t)
{
    const struct mmk_infonce_problem problem = {
        .x = MATRIX(&t->buffer[X]),
        .y = MATRIX(&t->buffer[Y]),
        .similarity = t->shape.similarity,
        .logit_scale = t->shape.logit_scale,
    };
    struct infonce_ref r;
    struct infonce_bounds bounds;
    size_t m = t->shape.m;
    infonce_ref_open(&r, &problem);
    infonce_ref_alignment(&r);
    infonce_bounds_open(&bounds, &r);
    double *g_error = ref_doubles(m * m), error = 0;
    for (size_t i = 0; i < m; i++) {
        size_t at = i * m + i;
        g_error[at] = 4 * BOUND_U * fabs(r.g[at]);
        error += r.scale / (double)m * (bounds.e[at] + 4 * BOUND_U * fabs(r.sim[at]));
    }
    /* G is 1, and its weight a factor of the whole */
    infonce_gradient_bounds(t, &r, &bounds, g_error, BOUND_UNDERFLOW / (double)m, DX, DY, DSCALE);
    *t->buffer[LOSS].expected = r.loss;
    *t->buffer[LOSS].bound = isfinite(r.loss) ? error + BOUND_UNDERFLOW : 0;
    /* of the pairs alone; elsewhere G is 0 */
    double loss = 0, scale_error = 0;
    for (size_t i = 0; i < m; i++) {
        loss -= r.sim[i * m + i] / (double)m;
        scale_error += (bounds.e[i * m + i] + 4 * BOUND_U * fabs(r.sim[i * m + i])) / (double)m;
    }
    *t->buffer[DSCALE].expected = loss;
    *t->buffer[DSCALE].bound = isfinite(loss) ? scale_error + BOUND_UNDERFLOW : 0;
    free(g_error);
    infonce_bounds_close(&bounds);
    infonce_ref_close(&r);
}

static bool pairs_fit(const struct shape *s, enum fill fill)
{
    /* an Inf times the sums that are 0 by definition */
    return fill != FILL_INF && infonce_backward_fill_fits(s, fill);
}

static double flops(const struct shape *s)
{
    return 6 * (double)s->m * (double)s->d;
}

static double bytes(const struct shape *s)
{
    return 16 * (double)s->m * (double)s->d;
}

static size_t sweep(bool quick, struct shape *shapes)
{
    static const float scales[] = {1, 14.3f, 100};
    size_t count = 0, dims[SWEEP_DIMS];
    size_t dim_count = sweep_dims(quick, dims);
    for (int similarity = 0; similarity < MMK_SIMILARITY_COUNT; similarity++) {
        struct shape shape = {.similarity = (enum mmk_similarity)similarity, .ld_extra = 1};
        for (size_t i = 0; i < dim_count; i++) {
            shape.logit_scale = scales[i % 3];
            shape.m = i % 6;
            shape.d = dims[i];
            sweep_add(shapes, &count, shape);
        }
        shape.m = 200;
        shape.d = 9;
        sweep_add(shapes, &count, shape);
    }
    sweep_add_extremes(shapes, &count, (struct shape){.m = 9, .d = 7});
    return count;
}

static const struct shape bench[] = {
    {.m = 512, .d = 10, .similarity = MMK_NEG_SQ_L2, .logit_scale = 1},
    {.m = 4096, .d = 512, .similarity = MMK_NEG_SQ_L2, .logit_scale = 1}};

const struct kernel kernel_alignment_forward_backward = {
    .name = "alignment_forward_backward",
    .rooms = "infonce pair",
    INFONCE_PARTS,
    .formula = "mean_i -s sim(x_i, y_i), dX, dY, d logit_scale",
    .gradients = true,
    .dims = "md",
    .similarity = SIMILARITY_FROM_SHAPE,
    .layout = layout,
    .call = call,
    .oracle = oracle,
    .flops = flops,
    .bytes = bytes,
    .fill_fits = pairs_fit,
    .sweep = sweep,
    .takes_threads = true,
    BENCH(bench),
};
