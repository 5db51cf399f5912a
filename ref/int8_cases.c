/* int8_cases.c - cases of the similarities of rows of codes: pairs, and one with many.
 * SPDX-License-Identifier: MIT
 */
#include "cases.h"
#include "int8_ref.h"
#include "sweep.h"

/* Order of the buffers: with scales, and of the exact products, which have none. */
enum { X, X_SCALE, Y, Y_SCALE, RESULT };
enum { DOT_X, DOT_Y, DOT_RESULT };

static const int8_t *row(const struct buffer *b, size_t i)
{
    return (const int8_t *)b->data + i * b->ld;
}

static float scale(const struct buffer *b, size_t i)
{
    return ((const float *)b->data)[i];
}

/* ---- Pairs ----------------------------------------------------------------------------------- */

static void pair_layout(struct trial *t)
{
    add_codes(t, "x", "x_scale", false, 1, t->shape.d);
    add_codes(t, "y", "y_scale", false, 1, t->shape.d);
    add_result(t, 1, 1);
}

static enum mmk_status pair_call(struct trial *t)
{
    const struct buffer *b = t->buffer;
    return mmk_similarity_pair_i8(t->shape.similarity, t->shape.d, b[X].data, scale(&b[X_SCALE], 0),
                                  b[Y].data, scale(&b[Y_SCALE], 0), b[RESULT].data);
}

static void pair_oracle(struct trial *t)
{
    const struct buffer *b = t->buffer;
    *b[RESULT].expected =
        int8_ref_pair(t->shape.similarity, t->shape.d, b[X].data, scale(&b[X_SCALE], 0), b[Y].data,
                      scale(&b[Y_SCALE], 0), b[RESULT].bound);
}

static void dot_pair_layout(struct trial *t)
{
    add_codes(t, "x", NULL, false, 1, t->shape.d);
    add_codes(t, "y", NULL, false, 1, t->shape.d);
    add_vector(t, "result", true, ELEMENT_I32, 1);
}

static enum mmk_status dot_pair_call(struct trial *t)
{
    return mmk_dot_pair_i8(t->shape.d, t->buffer[DOT_X].data, t->buffer[DOT_Y].data,
                           t->buffer[DOT_RESULT].data);
}

static void dot_pair_oracle(struct trial *t)
{
    *t->buffer[DOT_RESULT].expected =
        (double)int8_ref_dot(t->shape.d, t->buffer[DOT_X].data, t->buffer[DOT_Y].data);
}

/* ---- Queries --------------------------------------------------------------------------------- */

static void query_layout(struct trial *t)
{
    add_codes(t, "x", "x_scale", false, 1, t->shape.d);
    add_codes(t, "y", "y_scales", false, t->shape.n, t->shape.d);
    add_result(t, 1, t->shape.n);
}

static enum mmk_status query_call(struct trial *t)
{
    const struct buffer *b = t->buffer;
    const struct mmk_matrix y = codes_of(t, &b[Y]);
    return mmk_similarity_query_i8(t->shape.similarity, b[X].data, scale(&b[X_SCALE], 0), &y,
                                   b[RESULT].data);
}

static void query_oracle(struct trial *t)
{
    const struct buffer *b = t->buffer;
#pragma omp parallel for if (t->shape.n * t->shape.d > 100000) schedule(static)
    for (size_t j = 0; j < t->shape.n; j++)
        b[RESULT].expected[j] =
            int8_ref_pair(t->shape.similarity, t->shape.d, b[X].data, scale(&b[X_SCALE], 0),
                          row(&b[Y], j), scale(&b[Y_SCALE], j), &b[RESULT].bound[j]);
}

static void dot_query_layout(struct trial *t)
{
    add_codes(t, "x", NULL, false, 1, t->shape.d);
    add_codes(t, "y", NULL, false, t->shape.n, t->shape.d);
    add_vector(t, "result", true, ELEMENT_I32, t->shape.n);
}

static enum mmk_status dot_query_call(struct trial *t)
{
    struct mmk_matrix y = matrix_of(&t->buffer[DOT_Y]);
    y.type = MMK_I8;
    return mmk_dot_query_i8(t->buffer[DOT_X].data, &y, t->buffer[DOT_RESULT].data);
}

static void dot_query_oracle(struct trial *t)
{
    const struct buffer *b = t->buffer;
#pragma omp parallel for if (t->shape.n * t->shape.d > 100000) schedule(static)
    for (size_t j = 0; j < t->shape.n; j++)
        b[DOT_RESULT].expected[j] =
            (double)int8_ref_dot(t->shape.d, b[DOT_X].data, row(&b[DOT_Y], j));
}

/* ---- Costs and shapes ------------------------------------------------------------------------ */

/* Instructions of 8 bits have no peak of their own here: bytes alone are counted. */
static double no_flops(const struct shape *s)
{
    (void)s;
    return 0;
}

static double pair_bytes(const struct shape *s)
{
    return 2 * (double)s->d;
}

static double query_bytes(const struct shape *s)
{
    return (double)s->n * (double)s->d;
}

/* The longest row, where sums come near 2^31. */
enum { LONGEST = 131071 };

static bool codes_fill_fits(const struct shape *s, enum fill fill)
{
    if (s->d > 2000)
        return fill == FILL_NORMAL || fill == FILL_INTEGER || fill == FILL_TIES ||
               fill == FILL_DUPLICATES;
    return fill_is_of_rows(fill);
}

static size_t pair_sweep(bool quick, struct shape *shapes)
{
    size_t count = 0, dims[SWEEP_DIMS];
    size_t dim_count = sweep_dims(quick, dims);
    for (size_t i = 0; i < dim_count; i++)
        sweep_add(shapes, &count, (struct shape){.d = dims[i]});
    for (size_t d = 320; d <= 330; d += 5) /* four vectors of 64, one more, and tails */
        sweep_add(shapes, &count, (struct shape){.d = d});
    sweep_add(shapes, &count, (struct shape){.d = LONGEST - 1});
    sweep_add(shapes, &count, (struct shape){.d = LONGEST});
    return count;
}

static size_t query_sweep(bool quick, struct shape *shapes)
{
    size_t count = 0, dims[SWEEP_DIMS];
    size_t dim_count = sweep_dims(quick, dims);
    for (size_t i = 0; i < dim_count; i++)
        sweep_add(shapes, &count, (struct shape){.n = 5, .d = dims[i], .ld_extra = i % 3});
    /* Rows are taken 16, 8 or 4 at a time. */
    for (size_t n = 0; n <= (quick ? 19u : 40u); n++) {
        sweep_add(shapes, &count, (struct shape){.n = n, .d = 10});
        sweep_add(shapes, &count, (struct shape){.n = n, .d = 64, .ld_extra = n % 2});
        sweep_add(shapes, &count, (struct shape){.n = n, .d = 147, .ld_extra = 5});
    }
    sweep_add(shapes, &count, (struct shape){.n = 2, .d = LONGEST, .ld_extra = 1});
    if (!quick)
        sweep_add(shapes, &count, (struct shape){.n = 1000, .d = 50});
    return count;
}

static const struct shape pair_bench[] = {{.d = 128}, {.d = 768}, {.d = 1536}};

/* Galleries of 16 KB, 128 KB, 2 MB or 8 MB, 77 or 128 MB: L1, L2, L3, memory. */
static const struct shape query_bench[] = {
    {.n = 128, .d = 128}, {.n = 1024, .d = 128}, {.n = 65536, .d = 128},  {.n = 1048576, .d = 128},
    {.n = 21, .d = 768},  {.n = 2730, .d = 768}, {.n = 100000, .d = 768},
};

#define CODES_PARTS                                                                                \
    .rooms = "int8", .family = "int8", .fill = fill_codes, .fill_fits = codes_fill_fits,           \
    .flops = no_flops, .callers_state = true, .synthetic_only = true

#define PAIR_PARTS                                                                                 \
    CODES_PARTS, .dims = "d", .layout = pair_layout, .call = pair_call, .oracle = pair_oracle,     \
                 .bytes = pair_bytes, .sweep = pair_sweep, BENCH(pair_bench)

const struct kernel kernel_dot_pair_i8 = {
    .name = "dot_pair_i8",
    .formula = "p.q, exactly",
    .similarity = SIMILARITY_NONE,
    CODES_PARTS,
    .dims = "d",
    .layout = dot_pair_layout,
    .call = dot_pair_call,
    .oracle = dot_pair_oracle,
    .bytes = pair_bytes,
    .sweep = pair_sweep,
    BENCH(pair_bench),
};

const struct kernel kernel_scaled_dot_pair_i8 = {
    .name = "scaled_dot_pair_i8",
    .formula = "a b p.q",
    .similarity = MMK_DOT,
    PAIR_PARTS,
};

const struct kernel kernel_cosine_pair_i8 = {
    .name = "cosine_pair_i8",
    .formula = "p.q / (|p| |q|)",
    .similarity = MMK_COSINE,
    PAIR_PARTS,
};

const struct kernel kernel_neg_sq_l2_pair_i8 = {
    .name = "neg_sq_l2_pair_i8",
    .formula = "-|a p - b q|^2",
    .similarity = MMK_NEG_SQ_L2,
    PAIR_PARTS,
};

#define QUERY_PARTS                                                                                \
    CODES_PARTS, .dims = "nd", .layout = query_layout, .call = query_call, .oracle = query_oracle, \
                 .bytes = query_bytes, .sweep = query_sweep, BENCH(query_bench)

const struct kernel kernel_dot_query_i8 = {
    .name = "dot_query_i8",
    .formula = "p.q_j, exactly",
    .similarity = SIMILARITY_NONE,
    CODES_PARTS,
    .dims = "nd",
    .layout = dot_query_layout,
    .call = dot_query_call,
    .oracle = dot_query_oracle,
    .bytes = query_bytes,
    .sweep = query_sweep,
    BENCH(query_bench),
};

const struct kernel kernel_scaled_dot_query_i8 = {
    .name = "scaled_dot_query_i8",
    .formula = "a b_j p.q_j",
    .similarity = MMK_DOT,
    QUERY_PARTS,
};

const struct kernel kernel_cosine_query_i8 = {
    .name = "cosine_query_i8",
    .formula = "p.q_j / (|p| |q_j|)",
    .similarity = MMK_COSINE,
    QUERY_PARTS,
};

const struct kernel kernel_neg_sq_l2_query_i8 = {
    .name = "neg_sq_l2_query_i8",
    .formula = "-|a p - b_j q_j|^2",
    .similarity = MMK_NEG_SQ_L2,
    QUERY_PARTS,
};
