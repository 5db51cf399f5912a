/* bf16_cases.c - cases of the similarities of rows of bf16, two by two and one with many, and of
 * their squared norms.
 * SPDX-License-Identifier: MIT
 *
 * Bounds. A lane takes two FMAs of each 128 elements, one more at most than those of floats take of
 * each 64: to the bound of a pair of floats (similarity_bounds.c) come u sum|x_k y_k|, of a cosine
 * u sum|x_k y_k| / |x||y| and u |cos|. Each step may flush up to 2^-126; of a cosine that is not
 * scaled the norms are 2^-30 at least, and what they lose themselves is less. Denormal elements are
 * 0 in the oracle of dot products, and lost with the rest in that of cosines. Distances have the
 * bounds of floats.
 */
#include "cases.h"
#include "similarity_bounds.h"
#include "similarity_ref.h"
#include "sweep.h"

#include <float.h>
#include <stdlib.h>

enum { X, Y, RESULT, NORMS }; /* order of the buffers; squared_norms has no X and counts from 0 */

/* ---- Oracle ---------------------------------------------------------------------------------- */

static double right(enum mmk_similarity similarity, enum fill fill, size_t d, const float *x,
                    const float *y, double *bound)
{
    double expected = similarity_ref_pair(similarity, d, x, y), magnitude = 0;
    *bound = bound_pair(similarity, fill, d, x, y, expected);
    if (similarity == MMK_NEG_SQ_L2 || *bound == 0 || !isfinite(*bound))
        return expected;
    for (size_t k = 0; k < d; k++)
        magnitude += fabs((double)x[k] * (double)y[k]);
    if (similarity == MMK_DOT) {
        *bound += BOUND_U * magnitude + (double)d * 0x1p-126;
    } else {
        double norms = similarity_ref_norm(d, x) * similarity_ref_norm(d, y);
        *bound += BOUND_U * (magnitude / norms + fabs(expected)) + (double)d * 0x1p-65;
    }
    return expected;
}

/* As floats, for dot products without denormal numbers; to be freed. */
static float *rows_of(enum mmk_similarity similarity, const struct buffer *b)
{
    float *rows = floats_of(b);
    for (size_t e = 0; similarity == MMK_DOT && e < b->rows * b->cols; e++)
        rows[e] = fabsf(rows[e]) < FLT_MIN ? 0 : rows[e];
    return rows;
}

static void oracle(struct trial *t)
{
    enum mmk_similarity similarity = t->shape.similarity;
    const struct buffer *result = &t->buffer[RESULT];
    size_t d = t->shape.d;
    float *x = rows_of(similarity, &t->buffer[X]), *y = rows_of(similarity, &t->buffer[Y]);
#pragma omp parallel for if (t->buffer[Y].rows * d > 100000) schedule(static)
    for (size_t j = 0; j < t->buffer[Y].rows; j++)
        result->expected[j] = right(similarity, t->fill, d, x, y + j * d, &result->bound[j]);
    free(x);
    free(y);
}

/* ---- Pairs ----------------------------------------------------------------------------------- */

static void pair_layout(struct trial *t)
{
    add_halves(t, "x", ELEMENT_BF16, 1, t->shape.d);
    add_halves(t, "y", ELEMENT_BF16, 1, t->shape.d);
    add_result(t, 1, 1);
}

static enum mmk_status pair_call(struct trial *t)
{
    return mmk_similarity_pair_bf16(t->shape.similarity, t->shape.d, t->buffer[X].data,
                                    t->buffer[Y].data, t->buffer[RESULT].data);
}

/* ---- Queries --------------------------------------------------------------------------------- */

static void query_layout(struct trial *t)
{
    add_halves(t, "x", ELEMENT_BF16, 1, t->shape.d);
    add_halves(t, "y", ELEMENT_BF16, t->shape.n, t->shape.d);
    add_result(t, 1, t->shape.n);
}

static enum mmk_status query_call(struct trial *t)
{
    return mmk_similarity_query_bf16(t->shape.similarity, t->buffer[X].data, MATRIX(&t->buffer[Y]),
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
    return mmk_similarity_query_bf16(t->shape.similarity, t->buffer[X].data, MATRIX(&t->buffer[Y]),
                                     t->buffer[NORMS].data, t->buffer[RESULT].data);
}

/* ---- Squared norms --------------------------------------------------------------------------- */

static void norms_layout(struct trial *t)
{
    add_halves(t, "y", ELEMENT_BF16, t->shape.n, t->shape.d);
    add_buffer(t, "out", true, 1, t->shape.n)->sign = SIGN_NOT_NEGATIVE;
}

static enum mmk_status norms_call(struct trial *t)
{
    return mmk_squared_norms(MATRIX(&t->buffer[0]), t->buffer[1].data);
}

static void norms_oracle(struct trial *t)
{
    const struct buffer *out = &t->buffer[1];
    size_t d = t->shape.d;
    float *y = rows_of(MMK_DOT, &t->buffer[0]);
#pragma omp parallel for if (t->shape.n * d > 100000) schedule(static)
    for (size_t j = 0; j < t->shape.n; j++)
        out->expected[j] = right(MMK_DOT, t->fill, d, y + j * d, y + j * d, &out->bound[j]);
    free(y);
}

/* ---- Costs and shapes ------------------------------------------------------------------------ */

/* Products of 16 bits have no peak of their own here: bytes alone are counted. */
static double no_flops(const struct shape *s)
{
    (void)s;
    return 0;
}

static double pair_bytes(const struct shape *s)
{
    return 4 * (double)s->d;
}

static double query_bytes(const struct shape *s)
{
    return 2 * (double)s->n * (double)s->d;
}

/* Edges of vectors of 8, 16 and 32 elements, of blocks of 64 and 128, and of rows of 256, which
 * queries take several at a time. */
static const size_t sizes[] = {0,   1,   2,   3,   8,   15,  16,  17,   31,   32,  33,
                               63,  64,  65,  97,  127, 128, 129, 191,  255,  256, 257,
                               300, 383, 385, 511, 512, 513, 769, 1023, 1024, 1025};

static size_t pair_sweep(bool quick, struct shape *shapes)
{
    size_t count = 0;
    (void)quick;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        sweep_add(shapes, &count, (struct shape){.d = sizes[i]});
    return count;
}

static size_t query_sweep(bool quick, struct shape *shapes)
{
    size_t count = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        if (!quick || sizes[i] <= 385)
            sweep_add(shapes, &count, (struct shape){.n = 5, .d = sizes[i], .ld_extra = i % 3});
    /* Rows are taken 16, 8 or 4 at a time. */
    for (size_t n = 0; n <= (quick ? 19u : 40u); n++)
        sweep_add(shapes, &count, (struct shape){.n = n, .d = n % 2 ? 147 : 64, .ld_extra = n % 3});
    sweep_add(shapes, &count, (struct shape){.n = 18, .d = 301, .ld_extra = 1});
    return count;
}

static const struct shape pair_bench[] = {{.d = 128}, {.d = 768}, {.d = 1536}};

/* Galleries of 32 KB, 256 KB, 4 MB, 256, 77 and 154 MB: L1, L2, L3, memory. */
static const struct shape query_bench[] = {
    {.n = 128, .d = 128},     {.n = 1024, .d = 128},   {.n = 16384, .d = 128},
    {.n = 1048576, .d = 128}, {.n = 100000, .d = 384}, {.n = 2730, .d = 768},
    {.n = 100000, .d = 768},
};

static const struct shape norms_bench[] = {{.n = 1024, .d = 128}, {.n = 2730, .d = 768}};

#define PARTS .rooms = "bf16", .family = "bf16", .flops = no_flops

#define PAIR_PARTS                                                                                 \
    PARTS, .dims = "d", .layout = pair_layout, .call = pair_call, .oracle = oracle,                \
           .bytes = pair_bytes, .sweep = pair_sweep, .callers_state = true,                        \
           .allowance = ALLOWANCE_SIMILARITY, BENCH(pair_bench)

const struct kernel kernel_dot_pair_bf16 = {
    .name = "dot_pair_bf16",
    .formula = "x.y",
    .similarity = MMK_DOT,
    PAIR_PARTS,
};

const struct kernel kernel_cosine_pair_bf16 = {
    .name = "cosine_pair_bf16",
    .formula = "x.y / (|x| |y|)",
    .similarity = MMK_COSINE,
    PAIR_PARTS,
};

const struct kernel kernel_neg_sq_l2_pair_bf16 = {
    .name = "neg_sq_l2_pair_bf16",
    .formula = "-|x - y|^2",
    .similarity = MMK_NEG_SQ_L2,
    PAIR_PARTS,
};

#define QUERY_PARTS                                                                                \
    PARTS, .dims = "nd", .layout = query_layout, .call = query_call, .oracle = oracle,             \
           .bytes = query_bytes, .sweep = query_sweep, .callers_state = true,                      \
           .allowance = ALLOWANCE_SIMILARITY, BENCH(query_bench)

const struct kernel kernel_dot_query_bf16 = {
    .name = "dot_query_bf16",
    .formula = "x.y_j",
    .similarity = MMK_DOT,
    QUERY_PARTS,
};

const struct kernel kernel_cosine_query_bf16 = {
    .name = "cosine_query_bf16",
    .formula = "x.y_j / (|x| |y_j|)",
    .similarity = MMK_COSINE,
    QUERY_PARTS,
};

const struct kernel kernel_cosine_query_norms_bf16 = {
    .name = "cosine_query_norms_bf16",
    .formula = "x.y_j / (|x| |y_j|), |y_j|^2 given",
    .similarity = MMK_COSINE,
    PARTS,
    .dims = "nd",
    .layout = query_norms_layout,
    .fill = query_norms_fill,
    .call = query_norms_call,
    .oracle = oracle,
    .bytes = query_bytes,
    .sweep = query_sweep,
    .callers_state = true,
    BENCH(query_bench),
};

const struct kernel kernel_neg_sq_l2_query_bf16 = {
    .name = "neg_sq_l2_query_bf16",
    .formula = "-|x - y_j|^2",
    .similarity = MMK_NEG_SQ_L2,
    QUERY_PARTS,
};

const struct kernel kernel_squared_norms_bf16 = {
    .name = "squared_norms_bf16",
    .formula = "|y_j|^2",
    .similarity = SIMILARITY_NONE,
    .both_signs = true,
    PARTS,
    .dims = "nd",
    .layout = norms_layout,
    .call = norms_call,
    .oracle = norms_oracle,
    .bytes = query_bytes,
    .sweep = query_sweep,
    BENCH(norms_bench),
};
