/* f16_cases.c - cases of rows of f16: the similarities of a pair, of one vector with many, squared
 * norms; and of rows of f16 and bf16, normalised.
 * SPDX-License-Identifier: MIT
 *
 * Oracles and bounds are those of floats, of the rows as floats, which these types go to exactly.
 */
#include "cases.h"
#include "matmul.h"
#include "similarity_bounds.h"
#include "similarity_ref.h"
#include "sweep.h"

#include <stdlib.h>

/* Order of the buffers; squared_norms and normalize_rows count from 0. */
enum { X, Y, RESULT, NORMS };

static void expect_similarities(struct trial *t)
{
    size_t n = t->buffer[Y].rows, d = t->shape.d;
    enum mmk_similarity similarity = t->shape.similarity;
    double *expected = t->buffer[RESULT].expected, *bound = t->buffer[RESULT].bound;
    float *x = floats_of(&t->buffer[X]), *y = floats_of(&t->buffer[Y]);
#pragma omp parallel for if (n * d > 100000) schedule(static)
    for (size_t j = 0; j < n; j++) {
        expected[j] = similarity_ref_pair(similarity, d, x, y + j * d);
        bound[j] = bound_pair(similarity, t->fill, d, x, y + j * d, expected[j]);
    }
    free(x);
    free(y);
}

/* ---- Pair ------------------------------------------------------------------------------------ */

static void pair_layout(struct trial *t)
{
    add_halves(t, "x", ELEMENT_F16, 1, t->shape.d);
    add_halves(t, "y", ELEMENT_F16, 1, t->shape.d);
    add_result(t, 1, 1);
}

static enum mmk_status pair_call(struct trial *t)
{
    return mmk_similarity_pair_f16(t->shape.similarity, t->shape.d, t->buffer[X].data,
                                   t->buffer[Y].data, t->buffer[RESULT].data);
}

/* ---- Query ----------------------------------------------------------------------------------- */

static void query_layout(struct trial *t)
{
    add_halves(t, "x", ELEMENT_F16, 1, t->shape.d);
    add_halves(t, "y", ELEMENT_F16, t->shape.n, t->shape.d);
    add_result(t, 1, t->shape.n);
}

static enum mmk_status query_call(struct trial *t)
{
    return mmk_similarity_query_f16(t->shape.similarity, t->buffer[X].data, MATRIX(&t->buffer[Y]),
                                    NULL, t->buffer[RESULT].data);
}

/* The norms stand behind the result, which stays where the oracle expects it. */
static void query_norms_layout(struct trial *t)
{
    query_layout(t);
    add_buffer(t, "squared_norms", false, 1, t->shape.n);
}

static void query_norms_fill(struct trial *t)
{
    if (mmk_squared_norms(MATRIX(&t->buffer[Y]), t->buffer[NORMS].data) != MMK_OK)
        abort();
}

static enum mmk_status query_norms_call(struct trial *t)
{
    return mmk_similarity_query_f16(t->shape.similarity, t->buffer[X].data, MATRIX(&t->buffer[Y]),
                                    t->buffer[NORMS].data, t->buffer[RESULT].data);
}

/* ---- Squared norms --------------------------------------------------------------------------- */

static void norms_layout(struct trial *t)
{
    add_halves(t, "y", ELEMENT_F16, t->shape.n, t->shape.d);
    add_buffer(t, "out", true, 1, t->shape.n)->sign = SIGN_NOT_NEGATIVE;
}

static enum mmk_status norms_call(struct trial *t)
{
    return mmk_squared_norms(MATRIX(&t->buffer[0]), t->buffer[1].data);
}

static void norms_oracle(struct trial *t)
{
    size_t n = t->shape.n, d = t->shape.d;
    double *expected = t->buffer[1].expected, *bound = t->buffer[1].bound;
    float *y = floats_of(&t->buffer[0]);
#pragma omp parallel for if (n * d > 100000) schedule(static)
    for (size_t j = 0; j < n; j++) {
        expected[j] = similarity_ref_pair(MMK_DOT, d, y + j * d, y + j * d);
        bound[j] = bound_pair(MMK_DOT, t->fill, d, y + j * d, y + j * d, expected[j]);
    }
    free(y);
}

/* ---- normalize_rows -------------------------------------------------------------------------- */

static void normalize_f16_layout(struct trial *t)
{
    add_halves(t, "x", ELEMENT_F16, t->shape.m, t->shape.d);
    add_buffer(t, "out", true, t->shape.m, t->shape.d);
}

static void normalize_bf16_layout(struct trial *t)
{
    add_halves(t, "x", ELEMENT_BF16, t->shape.m, t->shape.d);
    add_buffer(t, "out", true, t->shape.m, t->shape.d);
}

static enum mmk_status normalize_call(struct trial *t)
{
    return mmk_normalize_rows(MATRIX(&t->buffer[0]), WANTED_MATRIX(&t->buffer[1]));
}

static void normalize_oracle(struct trial *t)
{
    float *rows = floats_of(&t->buffer[0]);
    oracle_normalized(t->shape.m, t->shape.d, rows, t->shape.d, &t->buffer[1]);
    free(rows);
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
    return 4 * (double)s->d;
}

static double query_flops(const struct shape *s)
{
    return 2 * (double)s->n * (double)s->d;
}

static double query_bytes(const struct shape *s)
{
    return 2 * (double)s->n * (double)s->d;
}

static double normalize_flops(const struct shape *s)
{
    return 3 * (double)s->m * (double)s->d;
}

static double normalize_bytes(const struct shape *s)
{
    return 6 * (double)s->m * (double)s->d;
}

static size_t pair_sweep(bool quick, struct shape *shapes)
{
    size_t count = 0, dims[SWEEP_DIMS];
    size_t dim_count = sweep_dims(quick, dims);
    for (size_t i = 0; i < dim_count; i++)
        sweep_add(shapes, &count, (struct shape){.d = dims[i]});
    for (size_t d = 1023; d <= 1025; d++)
        sweep_add(shapes, &count, (struct shape){.d = d});
    return count;
}

/* Large ones with few fills. */
static bool query_fill_fits(const struct shape *s, enum fill fill)
{
    if (s->n * s->d > 5000)
        return fill == FILL_NORMAL || fill == FILL_DENORMAL || fill == FILL_SPECIALS;
    return fill_is_of_rows(fill);
}

static size_t query_sweep(bool quick, struct shape *shapes)
{
    size_t count = 0, dims[SWEEP_DIMS];
    size_t dim_count = sweep_dims(quick, dims);
    for (size_t i = 0; i < dim_count; i++)
        sweep_add(shapes, &count, (struct shape){.n = 5, .d = dims[i], .ld_extra = i % 3});
    /* Rows are taken 16 at a time, and by one, two or any number of blocks. */
    for (size_t n = 0; n <= (quick ? 19u : 40u); n++) {
        sweep_add(shapes, &count, (struct shape){.n = n, .d = 64 - n % 2, .ld_extra = n % 3});
        sweep_add(shapes, &count, (struct shape){.n = n, .d = 67, .ld_extra = 5});
        sweep_add(shapes, &count, (struct shape){.n = n, .d = 133});
    }
    return count;
}

/* Neither norms nor normalised rows go other ways than by d. */
static size_t norms_sweep(bool quick, struct shape *shapes)
{
    size_t count = 0, dims[SWEEP_DIMS];
    size_t dim_count = sweep_dims(quick, dims);
    for (size_t i = 0; i < dim_count; i++)
        sweep_add(shapes, &count,
                  (struct shape){.m = i % 5, .n = i % 5, .d = dims[i], .ld_extra = i % 3});
    return count;
}

static const struct shape pair_bench[] = {{.d = 128}, {.d = 768}, {.d = 1536}};

/* Galleries of 16 KB, 128 KB, 2 MB or 8 MB, 147 to 268 MB: L1, L2, L3, memory. */
static const struct shape query_bench[] = {
    {.n = 128, .d = 128},     {.n = 1024, .d = 128},   {.n = 16384, .d = 128},
    {.n = 1048576, .d = 128}, {.n = 262144, .d = 384}, {.n = 21, .d = 768},
    {.n = 2730, .d = 768},    {.n = 100000, .d = 768},
};

static const struct shape norms_bench[] = {{.n = 1024, .d = 128}, {.n = 2730, .d = 768}};

static const struct shape normalize_bench[] = {
    {.m = 1024, .d = 128}, {.m = 1024, .d = 768}, {.m = 25000, .d = 512}};

#define PAIR_PARTS                                                                                 \
    .rooms = "pair", .family = "f16", .dims = "d", .layout = pair_layout, .call = pair_call,       \
    .oracle = expect_similarities, .bytes = pair_bytes, .sweep = pair_sweep,                       \
    .callers_state = true, .allowance = ALLOWANCE_SIMILARITY, BENCH(pair_bench)

const struct kernel kernel_dot_pair_f16 = {
    .name = "dot_pair_f16",
    .formula = "x.y",
    .similarity = MMK_DOT,
    .flops = pair_flops_2d,
    PAIR_PARTS,
};

const struct kernel kernel_cosine_pair_f16 = {
    .name = "cosine_pair_f16",
    .formula = "x.y / (|x| |y|)",
    .similarity = MMK_COSINE,
    .flops = pair_flops_6d,
    PAIR_PARTS,
};

const struct kernel kernel_neg_sq_l2_pair_f16 = {
    .name = "neg_sq_l2_pair_f16",
    .formula = "-|x - y|^2",
    .similarity = MMK_NEG_SQ_L2,
    .flops = pair_flops_3d,
    PAIR_PARTS,
};

#define QUERY_PARTS                                                                                \
    .rooms = "query", .family = "f16", .dims = "nd", .oracle = expect_similarities,                \
    .flops = query_flops, .bytes = query_bytes, .fill_fits = query_fill_fits,                      \
    .sweep = query_sweep, .callers_state = true, .allowance = ALLOWANCE_SIMILARITY,                \
    BENCH(query_bench)

const struct kernel kernel_dot_query_f16 = {
    .name = "dot_query_f16",
    .formula = "x.y_j",
    .similarity = MMK_DOT,
    .layout = query_layout,
    .call = query_call,
    QUERY_PARTS,
};

const struct kernel kernel_cosine_query_f16 = {
    .name = "cosine_query_f16",
    .formula = "x.y_j / (|x| |y_j|)",
    .similarity = MMK_COSINE,
    .layout = query_layout,
    .call = query_call,
    QUERY_PARTS,
};

const struct kernel kernel_cosine_query_norms_f16 = {
    .name = "cosine_query_norms_f16",
    .formula = "x.y_j / (|x| |y_j|), |y_j|^2 given",
    .similarity = MMK_COSINE,
    .layout = query_norms_layout,
    .fill = query_norms_fill,
    .call = query_norms_call,
    QUERY_PARTS,
};

const struct kernel kernel_neg_sq_l2_query_f16 = {
    .name = "neg_sq_l2_query_f16",
    .formula = "-|x - y_j|^2",
    .similarity = MMK_NEG_SQ_L2,
    .layout = query_layout,
    .call = query_call,
    QUERY_PARTS,
};

const struct kernel kernel_squared_norms_f16 = {
    .name = "squared_norms_f16",
    .rooms = "pair",
    .family = "f16",
    .formula = "|y_j|^2",
    .dims = "nd",
    .similarity = SIMILARITY_NONE,
    .both_signs = true,
    .layout = norms_layout,
    .call = norms_call,
    .oracle = norms_oracle,
    .flops = query_flops,
    .bytes = query_bytes,
    .sweep = norms_sweep,

    BENCH(norms_bench),
};

#define NORMALIZE_PARTS                                                                            \
    .rooms = "pair", .dims = "md", .formula = "x_i / |x_i|", .similarity = SIMILARITY_NONE,        \
    .both_signs = true, .call = normalize_call, .oracle = normalize_oracle,                        \
    .flops = normalize_flops, .bytes = normalize_bytes, .sweep = norms_sweep,                      \
    BENCH(normalize_bench)

const struct kernel kernel_normalize_rows_f16 = {
    .name = "normalize_rows_f16",
    .family = "f16",
    .layout = normalize_f16_layout,
    NORMALIZE_PARTS,
};

const struct kernel kernel_normalize_rows_bf16 = {
    .name = "normalize_rows_bf16",
    .family = "bf16",
    .layout = normalize_bf16_layout,
    NORMALIZE_PARTS,
};
