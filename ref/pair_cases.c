/* pair_cases.c - cases of the similarity of a pair of vectors, of pairs of rows, and of row
 * normalisation.
 * SPDX-License-Identifier: MIT
 */
#include "cases.h"
#include "matmul.h"
#include "similarity_bounds.h"
#include "similarity_ref.h"
#include "sweep.h"

#include <math.h>
#include <stdlib.h>

enum { X, Y, RESULT }; /* order of the buffers */

/* ---- Pair ------------------------------------------------------------------------------------ */

static void pair_layout(struct trial *t)
{
    add_buffer(t, "x", false, 1, t->shape.d);
    add_buffer(t, "y", false, 1, t->shape.d);
    add_result(t, 1, 1);
}

static enum mmk_status pair_call(struct trial *t)
{
    return mmk_similarity_pair(t->shape.similarity, t->shape.d, t->buffer[X].data,
                               t->buffer[Y].data, t->buffer[RESULT].data);
}

static void pair_oracle(struct trial *t)
{
    const float *x = t->buffer[X].data, *y = t->buffer[Y].data;
    enum mmk_similarity similarity = t->shape.similarity;
    double expected = similarity_ref_pair(similarity, t->shape.d, x, y);
    *t->buffer[RESULT].expected = expected;
    *t->buffer[RESULT].bound = bound_pair(similarity, t->fill, t->shape.d, x, y, expected);
}

/* ---- Rows: each is a pair -------------------------------------------------------------------- */

static void rows_layout(struct trial *t)
{
    add_buffer(t, "x", false, t->shape.m, t->shape.d);
    add_buffer(t, "y", false, t->shape.m, t->shape.d);
    add_result(t, 1, t->shape.m);
}

static enum mmk_status rows_call(struct trial *t)
{
    return mmk_similarity_rows(t->shape.similarity, MATRIX(&t->buffer[X]), MATRIX(&t->buffer[Y]),
                               t->buffer[RESULT].data, &t->options);
}

static void rows_oracle(struct trial *t)
{
    const float *x = t->buffer[X].data, *y = t->buffer[Y].data;
    size_t d = t->shape.d, ldx = t->buffer[X].ld, ldy = t->buffer[Y].ld;
    enum mmk_similarity similarity = t->shape.similarity;
    double *expected = t->buffer[RESULT].expected, *bound = t->buffer[RESULT].bound;
#pragma omp parallel for if (t->shape.m * d > 100000) schedule(static)
    for (size_t i = 0; i < t->shape.m; i++) {
        const float *row = x + i * ldx, *other = y + i * ldy;
        expected[i] = similarity_ref_pair(similarity, d, row, other);
        bound[i] = bound_pair(similarity, t->fill, d, row, other, expected[i]);
    }
}

/* ---- normalize_rows -------------------------------------------------------------------------- */

static void normalize_layout(struct trial *t)
{
    add_buffer(t, "x", false, t->shape.m, t->shape.d);
    add_buffer(t, "out", true, t->shape.m, t->shape.d);
}

static enum mmk_status normalize_call(struct trial *t)
{
    return mmk_normalize_rows(MATRIX(&t->buffer[0]), WANTED_MATRIX(&t->buffer[1]));
}

static void normalize_oracle(struct trial *t)
{
    oracle_normalized(t->shape.m, t->shape.d, t->buffer[0].data, t->buffer[0].ld, &t->buffer[1]);
}

/* ---- Costs and shapes ------------------------------------------------------------------------ */

static double pair_flops_2d(const struct shape *s)
{
    return 2 * (double)s->d;
}

static double pair_flops_3d(const struct shape *s)
{
    return 3 * (double)s->d;
}

static double pair_flops_6d(const struct shape *s)
{
    return 6 * (double)s->d;
}

static double pair_bytes(const struct shape *s)
{
    return 8 * (double)s->d;
}

static double rows_flops_2md(const struct shape *s)
{
    return 2 * (double)s->m * (double)s->d;
}

static double rows_flops_3md(const struct shape *s)
{
    return 3 * (double)s->m * (double)s->d;
}

static double rows_flops_6md(const struct shape *s)
{
    return 6 * (double)s->m * (double)s->d;
}

static double rows_bytes(const struct shape *s)
{
    return 8 * (double)s->m * (double)s->d;
}

static double normalize_flops(const struct shape *s)
{
    return 3 * (double)s->m * (double)s->d;
}

static double normalize_bytes(const struct shape *s)
{
    return 8 * (double)s->m * (double)s->d;
}

static size_t pair_sweep(bool quick, struct shape *shapes)
{
    size_t count = 0, dims[SWEEP_DIMS];
    size_t dim_count = sweep_dims(quick, dims);
    for (size_t i = 0; i < dim_count; i++)
        sweep_add(shapes, &count, (struct shape){.d = dims[i]});
    return count;
}

/* One shape is beyond what rows in cache are: it takes the way of rows from memory. */
static bool rows_fill_fits(const struct shape *s, enum fill fill)
{
    if (s->m * s->d > 100000)
        return fill == FILL_NORMAL || fill == FILL_NAN_TAIL || fill == FILL_ZERO_ROWS ||
               fill == FILL_HUGE;
    return fill_is_of_rows(fill);
}

static size_t rows_sweep(bool quick, struct shape *shapes)
{
    size_t count = 0, dims[SWEEP_DIMS];
    size_t dim_count = sweep_dims(quick, dims);
    for (size_t i = 0; i < dim_count; i++)
        sweep_add(shapes, &count, (struct shape){.m = 5, .d = dims[i], .ld_extra = i % 3});
    for (size_t m = 0; m <= 9; m++)
        sweep_add(shapes, &count, (struct shape){.m = m, .d = 10, .ld_extra = m % 2});
    sweep_add(shapes, &count, (struct shape){.m = 1150, .d = 457, .ld_extra = 1});
    return count;
}

static size_t normalize_sweep(bool quick, struct shape *shapes)
{
    size_t count = 0, dims[SWEEP_DIMS];
    size_t dim_count = sweep_dims(quick, dims);
    for (size_t i = 0; i < dim_count; i++)
        sweep_add(shapes, &count, (struct shape){.m = 4, .d = dims[i], .ld_extra = i % 3});
    for (size_t m = 0; m <= 9; m++)
        sweep_add(shapes, &count, (struct shape){.m = m, .d = 10});
    return count;
}

static const struct shape pair_bench[] = {{.d = 128}, {.d = 768}, {.d = 1536}};

/* Both matrices together: 256 KB, 8 MB, 512 MB: L2, L3, memory. */
static const struct shape rows_bench[] = {
    {.m = 256, .d = 128}, {.m = 8192, .d = 128}, {.m = 524288, .d = 128}, {.m = 131072, .d = 512},
    {.m = 42, .d = 768},  {.m = 1365, .d = 768}, {.m = 87381, .d = 768},
};

static const struct shape normalize_bench[] = {
    {.m = 1024, .d = 128}, {.m = 1024, .d = 768}, {.m = 25000, .d = 512}};

#define PAIR_PARTS                                                                                 \
    .family = "cosine", .allowance = ALLOWANCE_SIMILARITY, .dims = "d", .layout = pair_layout,     \
    .call = pair_call, .oracle = pair_oracle, .bytes = pair_bytes, .sweep = pair_sweep,            \
    .callers_state = true, BENCH(pair_bench)

const struct kernel kernel_dot_pair = {
    .name = "dot_pair",
    .rooms = "pair",
    .formula = "x.y",
    .similarity = MMK_DOT,
    .flops = pair_flops_2d,
    PAIR_PARTS,
};

const struct kernel kernel_cosine_pair = {
    .name = "cosine_pair",
    .rooms = "pair",
    .formula = "x.y / (|x| |y|)",
    .similarity = MMK_COSINE,
    .flops = pair_flops_6d,
    PAIR_PARTS,
};

const struct kernel kernel_neg_sq_l2_pair = {
    .name = "neg_sq_l2_pair",
    .rooms = "pair",
    .formula = "-|x - y|^2",
    .similarity = MMK_NEG_SQ_L2,
    .flops = pair_flops_3d,
    PAIR_PARTS,
};

#define ROWS_PARTS                                                                                 \
    .family = "cosine", .allowance = ALLOWANCE_SIMILARITY, .paired = true, .dims = "md",           \
    .layout = rows_layout, .call = rows_call, .oracle = rows_oracle, .bytes = rows_bytes,          \
    .fill_fits = rows_fill_fits, .sweep = rows_sweep, .takes_threads = true, BENCH(rows_bench)

const struct kernel kernel_dot_rows = {
    .name = "dot_rows",
    .rooms = "pair",
    .formula = "x_i.y_i",
    .similarity = MMK_DOT,
    .flops = rows_flops_2md,
    ROWS_PARTS,
};

const struct kernel kernel_cosine_rows = {
    .name = "cosine_rows",
    .rooms = "pair",
    .formula = "x_i.y_i / (|x_i| |y_i|)",
    .similarity = MMK_COSINE,
    .flops = rows_flops_6md,
    ROWS_PARTS,
};

const struct kernel kernel_neg_sq_l2_rows = {
    .name = "neg_sq_l2_rows",
    .rooms = "pair",
    .formula = "-|x_i - y_i|^2",
    .similarity = MMK_NEG_SQ_L2,
    .flops = rows_flops_3md,
    ROWS_PARTS,
};

const struct kernel kernel_normalize_rows = {
    .name = "normalize_rows",
    .rooms = "pair",
    .family = "cosine",
    .formula = "x_i / |x_i|",
    .dims = "md",
    .similarity = SIMILARITY_NONE,
    .both_signs = true,
    .layout = normalize_layout,
    .call = normalize_call,
    .oracle = normalize_oracle,
    .flops = normalize_flops,
    .bytes = normalize_bytes,
    .sweep = normalize_sweep,
    BENCH(normalize_bench),
};
