/* query_cases.c - cases of the similarities of one vector with many, and of the many's squared
 * norms.
 * SPDX-License-Identifier: MIT
 */
#include "cases.h"
#include "similarity_bounds.h"
#include "similarity_ref.h"
#include "sweep.h"

#include <stdlib.h>

enum { X, Y, RESULT, NORMS }; /* order of the buffers; squared_norms has no X and counts from 0 */

static const float *row(const struct buffer *b, size_t i)
{
    return (const float *)b->data + i * b->ld;
}

/* ---- Query ----------------------------------------------------------------------------------- */

static void query_layout(struct trial *t)
{
    add_buffer(t, "x", false, 1, t->shape.d);
    add_buffer(t, "y", false, t->shape.n, t->shape.d);
    add_result(t, 1, t->shape.n);
}

static enum mmk_status query_call(struct trial *t)
{
    const struct mmk_matrix y = matrix_of(&t->buffer[Y]);
    return mmk_similarity_query(t->shape.similarity, t->buffer[X].data, &y, NULL,
                                t->buffer[RESULT].data);
}

static void query_oracle(struct trial *t)
{
    const struct buffer *y = &t->buffer[Y];
    const float *x = t->buffer[X].data;
    size_t d = t->shape.d;
    enum mmk_similarity similarity = t->shape.similarity;
    double *expected = t->buffer[RESULT].expected, *bound = t->buffer[RESULT].bound;
#pragma omp parallel for if (t->shape.n * d > 100000) schedule(static)
    for (size_t j = 0; j < t->shape.n; j++) {
        similarity_ref_query(similarity, 1, d, x, row(y, j), d, &expected[j]);
        bound[j] = bound_pair(similarity, t->fill, d, x, row(y, j), expected[j]);
    }
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
    const struct mmk_matrix y = matrix_of(&t->buffer[Y]);
    return mmk_similarity_query(t->shape.similarity, t->buffer[X].data, &y, t->buffer[NORMS].data,
                                t->buffer[RESULT].data);
}

/* ---- Squared norms --------------------------------------------------------------------------- */

static void norms_layout(struct trial *t)
{
    add_buffer(t, "y", false, t->shape.n, t->shape.d);
    add_buffer(t, "out", true, 1, t->shape.n)->sign = SIGN_NOT_NEGATIVE;
}

static enum mmk_status norms_call(struct trial *t)
{
    return mmk_squared_norms(MATRIX(&t->buffer[0]), t->buffer[1].data);
}

/* Bounded as the dot product y_j.y_j. */
static void norms_oracle(struct trial *t)
{
    double *expected = t->buffer[1].expected, *bound = t->buffer[1].bound;
    size_t d = t->shape.d;
#pragma omp parallel for if (t->shape.n * d > 100000) schedule(static)
    for (size_t j = 0; j < t->shape.n; j++) {
        const float *y = row(&t->buffer[0], j);
        expected[j] = similarity_ref_pair(MMK_DOT, d, y, y);
        bound[j] = bound_pair(MMK_DOT, t->fill, d, y, y, expected[j]);
    }
}

/* ---- Costs and shapes ------------------------------------------------------------------------ */

static double query_flops(const struct shape *s)
{
    return 2 * (double)s->n * (double)s->d;
}

static double query_bytes(const struct shape *s)
{
    return 4 * (double)s->n * (double)s->d;
}

static size_t query_sweep(bool quick, struct shape *shapes)
{
    size_t count = 0, dims[SWEEP_DIMS];
    size_t dim_count = sweep_dims(quick, dims);
    for (size_t i = 0; i < dim_count; i++)
        sweep_add(shapes, &count, (struct shape){.n = 5, .d = dims[i], .ld_extra = i % 3});
    /* Rows of one block are taken 16 at a time, and from 512 KB on another way. */
    for (size_t n = 0; n <= (quick ? 19u : 40u); n++) {
        sweep_add(shapes, &count, (struct shape){.n = n, .d = 10});
        sweep_add(shapes, &count, (struct shape){.n = n, .d = 64, .ld_extra = n % 2});
        sweep_add(shapes, &count, (struct shape){.n = n, .d = 67, .ld_extra = 5});
    }
    for (size_t n = 2047; n <= 2049; n++) {
        sweep_add(shapes, &count, (struct shape){.n = n, .d = 64});
        sweep_add(shapes, &count, (struct shape){.n = n, .d = 50, .ld_extra = 14});
    }
    if (!quick)
        sweep_add(shapes, &count, (struct shape){.n = 1000, .d = 50});
    return count;
}

/* Galleries of 64 KB, 512 KB, 8 MB, 512 MB: L1 or L2, L2, L3, memory. */
static const struct shape query_bench[] = {
    {.n = 2048, .d = 64},   {.n = 32768, .d = 64},    {.n = 128, .d = 128}, {.n = 1024, .d = 128},
    {.n = 16384, .d = 128}, {.n = 1048576, .d = 128}, {.n = 21, .d = 768},  {.n = 170, .d = 768},
    {.n = 2730, .d = 768},  {.n = 174762, .d = 768},
};

static const struct shape norms_bench[] = {{.n = 1024, .d = 128}, {.n = 2730, .d = 768}};

#define QUERY_PARTS                                                                                \
    .family = "cosine", .allowance = ALLOWANCE_SIMILARITY, .dims = "nd", .layout = query_layout,   \
    .call = query_call, .oracle = query_oracle, .flops = query_flops, .bytes = query_bytes,        \
    .sweep = query_sweep, .callers_state = true, BENCH(query_bench)

const struct kernel kernel_dot_query = {
    .name = "dot_query",
    .rooms = "query",
    .formula = "x.y_j",
    .similarity = MMK_DOT,
    QUERY_PARTS,
};

const struct kernel kernel_cosine_query = {
    .name = "cosine_query",
    .rooms = "query",
    .formula = "x.y_j / (|x| |y_j|)",
    .similarity = MMK_COSINE,
    QUERY_PARTS,
};

const struct kernel kernel_cosine_query_norms = {
    .name = "cosine_query_norms",
    .rooms = "query",
    .family = "cosine",
    .formula = "x.y_j / (|x| |y_j|), |y_j|^2 given",
    .allowance = ALLOWANCE_SIMILARITY,
    .dims = "nd",
    .similarity = MMK_COSINE,
    .layout = query_norms_layout,
    .fill = query_norms_fill,
    .call = query_norms_call,
    .oracle = query_oracle,
    .flops = query_flops,
    .bytes = query_bytes,
    .sweep = query_sweep,
    .callers_state = true,
    BENCH(query_bench),
};

const struct kernel kernel_squared_norms = {
    .name = "squared_norms",
    .rooms = "query",
    .family = "cosine",
    .formula = "|y_j|^2",
    .dims = "nd",
    .similarity = SIMILARITY_NONE,
    .both_signs = true,
    .layout = norms_layout,
    .call = norms_call,
    .oracle = norms_oracle,
    .flops = query_flops,
    .bytes = query_bytes,
    .sweep = query_sweep,
    BENCH(norms_bench),
};

const struct kernel kernel_neg_sq_l2_query = {
    .name = "neg_sq_l2_query",
    .rooms = "query",
    .formula = "-|x - y_j|^2",
    .similarity = MMK_NEG_SQ_L2,
    QUERY_PARTS,
};
