/* int8_cases.c - cases of rows of codes: made of floats, and their similarities, two by two and one
 * with many.
 * SPDX-License-Identifier: MIT
 */
#include "cases.h"
#include "int8_ref.h"
#include "sweep.h"

#include <stdio.h>

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
    return mmk_dot_query_i8(t->buffer[DOT_X].data, MATRIX(&t->buffer[DOT_Y]),
                            t->buffer[DOT_RESULT].data);
}

static void dot_query_oracle(struct trial *t)
{
    const struct buffer *b = t->buffer;
#pragma omp parallel for if (t->shape.n * t->shape.d > 100000) schedule(static)
    for (size_t j = 0; j < t->shape.n; j++)
        b[DOT_RESULT].expected[j] =
            (double)int8_ref_dot(t->shape.d, b[DOT_X].data, row(&b[DOT_Y], j));
}

/* ---- Rows to codes ---------------------------------------------------------------------------
 *
 * The scale is a correctly rounded quotient. A code is the integer next to v / scale, but that the
 * quotient is taken as v (1 / scale), off by 3 u of 127 at most. How great an error is right is
 * judged from the codes that came out: not below the exact one, and not above the slack that mmk.h
 * gives.
 */

enum { FLOATS, CENTRE, CODES, SCALES, ERRORS };

static void quantize_layout(struct trial *t)
{
    add_buffer(t, "x", false, t->shape.m, t->shape.d);
    add_buffer(t, "centre", false, 1, t->shape.d);
    add_codes(t, "codes", "scales", true, t->shape.m, t->shape.d);
    add_buffer(t, "errors", true, t->shape.m, 1)->ld = 1;
}

/* Every second number of rows goes without. */
static const float *centre_of(const struct trial *t)
{
    return t->shape.m % 2 == 0 ? NULL : t->buffer[CENTRE].data;
}

static enum mmk_status quantize_call(struct trial *t)
{
    const struct buffer *b = t->buffer;
    return mmk_quantize_rows(MATRIX(&b[FLOATS]), centre_of(t), WANTED_MATRIX(&b[CODES]),
                             wanted(&b[SCALES]), wanted(&b[ERRORS]));
}

static float centred(const struct trial *t, size_t i, size_t k)
{
    const struct buffer *x = &t->buffer[FLOATS];
    float v = ((const float *)x->data)[i * x->ld + k];
    return centre_of(t) != NULL ? v - centre_of(t)[k] : v;
}

static float scale_of_row(const struct trial *t, size_t i)
{
    float greatest = 0;
    for (size_t k = 0; k < t->shape.d; k++) {
        float v = fabsf(centred(t, i, k));
        if (!isfinite(v))
            return NAN;
        greatest = fmaxf(greatest, v);
    }
    double exact = (double)greatest / 127;
    float scale = (float)exact;
    return scale < FLT_MIN && (double)scale < exact ? nextafterf(scale, INFINITY) : scale;
}

static void quantize_oracle(struct trial *t)
{
    const struct buffer *b = t->buffer;
    for (size_t i = 0; i < t->shape.m; i++) {
        float scale = scale_of_row(t, i);
        b[SCALES].expected[i] = (double)scale;
        b[ERRORS].expected[i] = (double)scale;
        b[ERRORS].bound[i] = scale > 0 ? BOUND_OPEN : 0;
        for (size_t k = 0; k < t->shape.d; k++) {
            size_t e = i * t->shape.d + k;
            b[CODES].expected[e] = scale > 0 ? (double)centred(t, i, k) / (double)scale : 0;
            b[CODES].bound[e] = scale > 0 ? 0.5 + 127 * 3 * BOUND_U : 0;
        }
    }
}

static bool quantize_judge(const struct trial *t, size_t *judged, char *message, size_t size)
{
    const struct buffer *b = t->buffer;
    for (size_t i = 0; i < t->shape.m; i++) {
        const float *row = (const float *)b[FLOATS].data + i * b[FLOATS].ld;
        const int8_t *codes = (const int8_t *)b[CODES].data + i * b[CODES].ld;
        float scale = ((const float *)b[SCALES].data)[i], error = ((float *)b[ERRORS].data)[i];
        if (!(scale > 0))
            continue; /* the error is judged as it stands */
        long double sum = 0, greatest = 0;
        for (size_t k = 0; k < t->shape.d; k++) {
            long double v = row[k];
            v -= centre_of(t) != NULL ? (long double)centre_of(t)[k] : 0;
            greatest = fmaxl(greatest, fabsl(v));
            v -= (long double)scale * codes[k];
            sum += v * v;
        }
        long double exact = sqrtl(sum), slack = exact * 0x1p-17L + 0x1p-149L;
        slack += 0x1p-21L * sqrtl((long double)t->shape.d + 1) * greatest;
        ++*judged;
        if ((long double)error >= exact && (long double)error <= exact + slack)
            continue;
        snprintf(message, size, "errors[%zu,0] is %.9g; right is %.12Lg, and %.3Lg more at most", i,
                 (double)error, exact, slack);
        return false;
    }
    return true;
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

static double quantize_bytes(const struct shape *s)
{
    return 5 * (double)s->m * (double)s->d;
}

static double query_bytes(const struct shape *s)
{
    return (double)s->n * (double)s->d;
}

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
    sweep_add(shapes, &count, (struct shape){.d = LONGEST_CODES - 1});
    sweep_add(shapes, &count, (struct shape){.d = LONGEST_CODES});
    return count;
}

static size_t quantize_sweep(bool quick, struct shape *shapes)
{
    size_t count = 0, dims[SWEEP_DIMS];
    size_t dim_count = sweep_dims(quick, dims);
    for (size_t i = 0; i < dim_count; i++)
        sweep_add(shapes, &count, (struct shape){.m = 4 + i % 2, .d = dims[i], .ld_extra = i % 3});
    for (size_t m = 0; m <= 9; m++)
        sweep_add(shapes, &count, (struct shape){.m = m, .d = 10});
    /* Sums of 4,096 columns, and then one column more. */
    sweep_add(shapes, &count, (struct shape){.m = 2, .d = 4096, .ld_extra = 1});
    sweep_add(shapes, &count, (struct shape){.m = 1, .d = 4097});
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
    sweep_add(shapes, &count, (struct shape){.n = 2, .d = LONGEST_CODES, .ld_extra = 1});
    if (!quick)
        sweep_add(shapes, &count, (struct shape){.n = 1000, .d = 50});
    return count;
}

static const struct shape pair_bench[] = {{.d = 128}, {.d = 768}, {.d = 1536}};

static const struct shape quantize_bench[] = {
    {.m = 1024, .d = 128}, {.m = 1024, .d = 768}, {.m = 25000, .d = 512}};

/* Galleries of 16 KB, 128 KB, 2 MB or 8 MB, 77 or 128 MB: L1, L2, L3, memory. */
static const struct shape query_bench[] = {
    {.n = 128, .d = 128}, {.n = 1024, .d = 128}, {.n = 65536, .d = 128},  {.n = 1048576, .d = 128},
    {.n = 21, .d = 768},  {.n = 2730, .d = 768}, {.n = 100000, .d = 768},
};

#define CODES_PARTS                                                                                \
    .rooms = "int8", .family = "int8", .fill = fill_codes, .fill_fits = codes_fill_fits,           \
    .flops = no_flops, .callers_state = true, .synthetic_only = true, .most_d = LONGEST_CODES

const struct kernel kernel_quantize_rows = {
    .name = "quantize_rows",
    .rooms = "int8",
    .family = "int8",
    .formula = "x_i - centre as codes, a scale and an error",
    .dims = "md",
    .similarity = SIMILARITY_NONE,
    .both_signs = true,
    .layout = quantize_layout,
    .call = quantize_call,
    .oracle = quantize_oracle,
    .judge = quantize_judge,
    .flops = no_flops,
    .bytes = quantize_bytes,
    .most_d = LONGEST_CODES,
    .sweep = quantize_sweep,
    BENCH(quantize_bench),
};

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
    .allowance = ALLOWANCE_COSINE,
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
    .allowance = ALLOWANCE_COSINE,
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
