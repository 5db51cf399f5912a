/* matrix_cases.c - cases of the similarity matrix.
 * SPDX-License-Identifier: MIT
 */
#include "cases.h"
#include "similarity_bounds.h"
#include "sweep.h"

#include <stdlib.h>

enum { X, Y, RESULT }; /* order of the buffers */

static void matrix_layout(struct trial *t)
{
    add_buffer(t, "x", false, t->shape.m, t->shape.d);
    add_buffer(t, "y", false, t->shape.n, t->shape.d);
    add_result(t, t->shape.m, t->shape.n);
}

static void matrix_f16_layout(struct trial *t)
{
    add_halves(t, "x", ELEMENT_F16, t->shape.m, t->shape.d);
    add_halves(t, "y", ELEMENT_F16, t->shape.n, t->shape.d);
    add_result(t, t->shape.m, t->shape.n);
}

static void matrix_bf16_layout(struct trial *t)
{
    add_halves(t, "x", ELEMENT_BF16, t->shape.m, t->shape.d);
    add_halves(t, "y", ELEMENT_BF16, t->shape.n, t->shape.d);
    add_result(t, t->shape.m, t->shape.n);
}

static enum mmk_status matrix_call(struct trial *t)
{
    const struct mmk_matrix x = matrix_of(&t->buffer[X]), y = matrix_of(&t->buffer[Y]);
    const struct mmk_matrix_out result = matrix_out_of(&t->buffer[RESULT]);
    return mmk_similarity_matrix(t->shape.similarity, &x, &y, &result, &t->options);
}

static void matrix_oracle(struct trial *t)
{
    struct buffer x = as_floats(&t->buffer[X]), y = as_floats(&t->buffer[Y]);
    double *origin = oracle_origin(t->shape.similarity, &y);
    const struct similarities s = {t->shape.similarity,
                                   t->fill,
                                   t->shape.m,
                                   t->shape.n,
                                   t->shape.d,
                                   x.data,
                                   x.ld,
                                   y.data,
                                   y.ld,
                                   origin};
    oracle_similarities(&s, t->buffer[RESULT].expected, t->buffer[RESULT].bound);
    free(origin);
    free_floats(&t->buffer[X], &x);
    free_floats(&t->buffer[Y], &y);
}

/* ---- Costs and shapes ------------------------------------------------------------------------ */

static double matrix_flops(const struct shape *s)
{
    return 2 * (double)s->m * (double)s->n * (double)s->d;
}

static double matrix_bytes(const struct shape *s)
{
    double m = (double)s->m, n = (double)s->n, d = (double)s->d;
    return 4 * (m * d + n * d + m * n);
}

static double matrix_half_bytes(const struct shape *s)
{
    double m = (double)s->m, n = (double)s->n, d = (double)s->d;
    return 2 * (m * d + n * d) + 4 * m * n;
}

/* Large shapes are there for the blocking: a few fills are enough for them. */
static bool matrix_fill_fits(const struct shape *s, enum fill fill)
{
    if (s->m * s->n * (s->d + 4) > 100000 || sweep_is_plain(s->d))
        return fill == FILL_NORMAL || fill == FILL_NAN_TAIL || fill == FILL_INTEGER ||
               (fill == FILL_SPECIALS && s->m * s->n > 8000000) || /* written past the caches */
               (s->similarity == MMK_NEG_SQ_L2 && fill_is_offset(fill));
    return fill_is_of_rows(fill);
}

static size_t matrix_sweep(bool quick, struct shape *shapes)
{
    size_t count = 0, dims[SWEEP_DIMS];
    size_t dim_count = sweep_dims(quick, dims);
    for (size_t i = 0; i < dim_count; i++) { /* whole tiles and edges of every ISA */
        sweep_add(shapes, &count, (struct shape){.m = 3, .n = 5, .d = dims[i], .ld_extra = i % 3});
        if (!quick || i % 4 == 0)
            sweep_add(shapes, &count, (struct shape){.m = 15, .n = 35, .d = dims[i]});
    }
    /* Every m and n up to two tiles of every ISA (mr 14, 6, 12, 8; nr 32, 16, 12, 8), one more. */
    for (size_t m = 0; m <= (quick ? 15u : 29u); m++)
        sweep_add(shapes, &count, (struct shape){.m = m, .n = 9, .d = 5, .ld_extra = m % 2});
    for (size_t n = 0; n <= (quick ? 33u : 65u); n++)
        sweep_add(shapes, &count, (struct shape){.m = 7, .n = n, .d = 10, .ld_extra = n % 2});
    if (quick)
        return count;
    /* Cache blocks of 84 rows (a multiple of every mr) and 672 columns, several of them;
     * super-blocks of 4200 rows and 1344 columns; more than one chunk of k. */
    static const struct shape large[] = {
        {.m = 167, .n = 33, .d = 9},   {.m = 168, .n = 31, .d = 10},  {.m = 169, .n = 32, .d = 17},
        {.m = 11, .n = 255, .d = 33},  {.m = 12, .n = 256, .d = 3},   {.m = 13, .n = 257, .d = 50},
        {.m = 169, .n = 257, .d = 65}, {.m = 336, .n = 100, .d = 12}, {.m = 337, .n = 513, .d = 20},
        {.m = 1100, .n = 40, .d = 9},  {.m = 4210, .n = 30, .d = 5},  {.m = 90, .n = 1400, .d = 11},
        {.m = 20, .n = 4100, .d = 7},  {.m = 60, .n = 70, .d = 1025},
    };
    for (size_t i = 0; i < sizeof large / sizeof large[0]; i++)
        sweep_add(shapes, &count, large[i]);
    return count;
}

/* That they are those of the same floats is tests/unit/test_narrow.c's to show, at every block. */
static size_t matrix_half_sweep(bool quick, struct shape *shapes)
{
    static const struct shape some[] = {
        {.m = 0, .n = 5, .d = 3},     {.m = 2, .n = 0, .d = 9},     {.m = 3, .n = 5, .d = 0},
        {.m = 1, .n = 1, .d = 1},     {.m = 1, .n = 33, .d = 7},    {.m = 2, .n = 70, .d = 17},
        {.m = 3, .n = 31, .d = 8},    {.m = 15, .n = 35, .d = 33},  {.m = 14, .n = 32, .d = 64},
        {.m = 85, .n = 97, .d = 5},   {.m = 7, .n = 65, .d = 129},  {.m = 4, .n = 40, .d = 769},
        {.m = 170, .n = 700, .d = 3}, {.m = 4210, .n = 30, .d = 5}, {.m = 20, .n = 1400, .d = 9},
    };
    size_t count = 0, all = sizeof some / sizeof some[0];
    for (size_t i = 0; i < (quick ? all - 3 : all); i++) {
        struct shape shape = some[i];
        shape.ld_extra = i % 3;
        sweep_add(shapes, &count, shape);
    }
    return count;
}

static const struct shape matrix_half_bench[] = {
    {.m = 1, .n = 100000, .d = 512},
    {.m = 1024, .n = 1024, .d = 128},
    {.m = 1024, .n = 1024, .d = 512},
    {.m = 4096, .n = 4096, .d = 512},
};

static const struct shape matrix_bench[] = {
    {.m = 256, .n = 256, .d = 128},   {.m = 256, .n = 256, .d = 512},
    {.m = 256, .n = 256, .d = 768},   {.m = 1024, .n = 1024, .d = 128},
    {.m = 1024, .n = 1024, .d = 512}, {.m = 1024, .n = 1024, .d = 768},
    {.m = 4096, .n = 4096, .d = 128}, {.m = 4096, .n = 4096, .d = 512},
    {.m = 4096, .n = 4096, .d = 768}, {.m = 5000, .n = 25000, .d = 512},
};

#define MATRIX_PARTS                                                                               \
    .family = "cosine", .allowance = ALLOWANCE_SIMILARITY, .similarity_matrix = true,              \
    .dims = "mnd", .layout = matrix_layout, .call = matrix_call, .oracle = matrix_oracle,          \
    .flops = matrix_flops, .bytes = matrix_bytes, .takes_threads = true,                           \
    .fill_fits = matrix_fill_fits, .sweep = matrix_sweep, BENCH(matrix_bench)

const struct kernel kernel_dot_matrix = {
    .name = "dot_matrix",
    .rooms = "tile",
    .formula = "x_i.y_j",
    .similarity = MMK_DOT,
    MATRIX_PARTS,
};

const struct kernel kernel_cosine_matrix = {
    .name = "cosine_matrix",
    .rooms = "tile pair",
    .formula = "x_i.y_j / (|x_i| |y_j|)",
    .similarity = MMK_COSINE,
    MATRIX_PARTS,
};

const struct kernel kernel_neg_sq_l2_matrix = {
    .name = "neg_sq_l2_matrix",
    .rooms = "tile",
    .formula = "-|x_i - y_j|^2",
    .similarity = MMK_NEG_SQ_L2,
    MATRIX_PARTS,
};

#define HALF_PARTS                                                                                 \
    .dims = "mnd", .call = matrix_call, .oracle = matrix_oracle, .flops = matrix_flops,            \
    .bytes = matrix_half_bytes, .takes_threads = true, .fill_fits = matrix_fill_fits,              \
    .sweep = matrix_half_sweep, .rooms = "half tile", BENCH(matrix_half_bench)

const struct kernel kernel_dot_matrix_f16 = {
    .name = "dot_matrix_f16",
    .formula = "x_i.y_j, rows of f16",
    .similarity = MMK_DOT,
    .family = "f16",
    .layout = matrix_f16_layout,
    HALF_PARTS,
};

const struct kernel kernel_cosine_matrix_f16 = {
    .name = "cosine_matrix_f16",
    .formula = "x_i.y_j / (|x_i| |y_j|), rows of f16",
    .similarity = MMK_COSINE,
    .family = "f16",
    .layout = matrix_f16_layout,
    HALF_PARTS,
};

const struct kernel kernel_neg_sq_l2_matrix_f16 = {
    .name = "neg_sq_l2_matrix_f16",
    .formula = "-|x_i - y_j|^2, rows of f16",
    .similarity = MMK_NEG_SQ_L2,
    .family = "f16",
    .layout = matrix_f16_layout,
    HALF_PARTS,
};

const struct kernel kernel_dot_matrix_bf16 = {
    .name = "dot_matrix_bf16",
    .formula = "x_i.y_j, rows of bf16",
    .similarity = MMK_DOT,
    .family = "bf16",
    .layout = matrix_bf16_layout,
    HALF_PARTS,
};

const struct kernel kernel_cosine_matrix_bf16 = {
    .name = "cosine_matrix_bf16",
    .formula = "x_i.y_j / (|x_i| |y_j|), rows of bf16",
    .similarity = MMK_COSINE,
    .family = "bf16",
    .layout = matrix_bf16_layout,
    HALF_PARTS,
};

const struct kernel kernel_neg_sq_l2_matrix_bf16 = {
    .name = "neg_sq_l2_matrix_bf16",
    .formula = "-|x_i - y_j|^2, rows of bf16",
    .similarity = MMK_NEG_SQ_L2,
    .family = "bf16",
    .layout = matrix_bf16_layout,
    HALF_PARTS,
};
