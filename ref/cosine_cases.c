/* cosine_cases.c - cases of the similarities (pair, query, matrix) and of row normalisation.
 * SPDX-License-Identifier: MIT
 */
#include "cases.h"
#include "cosine_ref.h"
#include "matmul.h"
#include "sweep.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { X, Y, RESULT, NORMS }; /* order of the buffers; what has no X and Y counts from 0 */

static const float *row(const struct buffer *b, size_t i)
{
    return (const float *)b->data + i * b->ld;
}

/* ---- Bounds ----------------------------------------------------------------------------------
 *
 * u = 2^-24, c = ceil(d / 64). Each with d times the rounding below the normal range.
 *
 * Pair and query, sums in 64 lanes (bound_lanes is c + 7):
 *
 *     dot          (c + 7) u sum|x_k y_k|
 *     neg_sq_l2    (c + 7 + 2) u |x - y|^2
 *     cosine       (c + 7) u sum|x_k y_k| / |x||y| + (c + 7 + 4) u |cos|
 *
 * All terms of a distance are positive, so its error is relative; each difference is rounded and
 * then squared, 2u. In the cosine each sum of squares errs by (c + 7) u, of which a half is left
 * after the square root, and there are two; then four roundings: product or second square root,
 * square root, division, one to spare. Scaling by a power of two is exact.
 *
 * Matrix, one chain of d (bound_chain):
 *
 *     dot          chain u sum|x_k y_k|
 *     neg_sq_l2    (chain + 3) u (2 sum|x_k y_k| + |x|^2 + |y|^2); equal rows give exactly 0
 *     cosine       (chain + 3) u sum|x_k y_k| / |x||y| + (c + 7 + 4) u |cos|
 *
 * Each normalised element is rounded once, on both sides; the two inverse norms err by half of
 * (c + 7) u and two roundings each.
 */

static double pair_bound(enum mmk_similarity similarity, enum fill fill, size_t d, const float *x,
                         const float *y, double expected)
{
    if (!isfinite(expected))
        return 0;
    double magnitude = 0;
    for (size_t k = 0; k < d; k++)
        magnitude += fabs((double)x[k] * (double)y[k]);
    double underflow = (double)d * BOUND_UNDERFLOW;
    if (similarity == MMK_NEG_SQ_L2) {
        if (bound_is_exact(fill, fabs(expected)))
            return 0;
        return (bound_lanes(d) + 2) * BOUND_U * fabs(expected) + underflow;
    }
    if (similarity == MMK_DOT) {
        if (bound_is_exact(fill, magnitude))
            return 0;
        if (bound_overflows(expected, magnitude))
            return BOUND_OPEN;
        return bound_lanes(d) * BOUND_U * magnitude + underflow;
    }
    double norms = cosine_ref_norm(d, x) * cosine_ref_norm(d, y);
    if (norms == 0)
        return 0;
    /* unscaled norms are 2^-30 at least, and scaled rows have an element of 2^-23 at least */
    return bound_lanes(d) * BOUND_U * magnitude / norms +
           (bound_lanes(d) + 4) * BOUND_U * fabs(expected) + underflow * 0x1p60;
}

static bool equal_rows(size_t d, const float *x, const float *y)
{
    return memcmp(x, y, d * sizeof *x) == 0;
}

/* ---- Pair and query -------------------------------------------------------------------------- */

static void add_result(struct trial *t, size_t rows, size_t cols)
{
    struct buffer *result = add_buffer(t, "result", true, rows, cols);
    if (t->shape.similarity == MMK_NEG_SQ_L2)
        result->sign = SIGN_NOT_POSITIVE;
}

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
    double expected = cosine_ref_pair(similarity, t->shape.d, x, y);
    *t->buffer[RESULT].expected = expected;
    *t->buffer[RESULT].bound = pair_bound(similarity, t->fill, t->shape.d, x, y, expected);
}

static void query_layout(struct trial *t)
{
    add_buffer(t, "x", false, 1, t->shape.d);
    add_buffer(t, "y", false, t->shape.n, t->shape.d);
    add_result(t, 1, t->shape.n);
}

static enum mmk_status query_call(struct trial *t)
{
    return mmk_similarity_query(t->shape.similarity, t->shape.n, t->shape.d, t->buffer[X].data,
                                t->buffer[Y].data, t->buffer[Y].ld, NULL, t->buffer[RESULT].data);
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
        cosine_ref_query(similarity, 1, d, x, row(y, j), d, &expected[j]);
        bound[j] = pair_bound(similarity, t->fill, d, x, row(y, j), expected[j]);
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
    const struct buffer *y = &t->buffer[Y];
    if (mmk_squared_norms(t->shape.n, t->shape.d, y->data, y->ld, t->buffer[NORMS].data) != MMK_OK)
        abort();
}

static enum mmk_status query_norms_call(struct trial *t)
{
    return mmk_similarity_query(t->shape.similarity, t->shape.n, t->shape.d, t->buffer[X].data,
                                t->buffer[Y].data, t->buffer[Y].ld, t->buffer[NORMS].data,
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
    const struct buffer *y = &t->buffer[0];
    return mmk_squared_norms(t->shape.n, t->shape.d, y->data, y->ld, t->buffer[1].data);
}

/* Bounded as the dot product y_j.y_j. */
static void norms_oracle(struct trial *t)
{
    double *expected = t->buffer[1].expected, *bound = t->buffer[1].bound;
    size_t d = t->shape.d;
#pragma omp parallel for if (t->shape.n * d > 100000) schedule(static)
    for (size_t j = 0; j < t->shape.n; j++) {
        const float *y = row(&t->buffer[0], j);
        expected[j] = cosine_ref_pair(MMK_DOT, d, y, y);
        bound[j] = pair_bound(MMK_DOT, t->fill, d, y, y, expected[j]);
    }
}

/* ---- Matrix ---------------------------------------------------------------------------------- */

static void matrix_layout(struct trial *t)
{
    add_buffer(t, "x", false, t->shape.m, t->shape.d);
    add_buffer(t, "y", false, t->shape.n, t->shape.d);
    add_result(t, t->shape.m, t->shape.n);
}

static enum mmk_status matrix_call(struct trial *t)
{
    const struct buffer *x = &t->buffer[X], *y = &t->buffer[Y], *result = &t->buffer[RESULT];
    return mmk_similarity_matrix(t->shape.similarity, t->shape.m, t->shape.n, t->shape.d, x->data,
                                 x->ld, y->data, y->ld, result->data, result->ld, &t->options);
}

double bound_similarity(enum mmk_similarity similarity, size_t d, double expected, double magnitude,
                        double squares)
{
    double chain = bound_chain(d), underflow = (double)d * BOUND_UNDERFLOW;
    if (!isfinite(expected))
        return 0;
    if (similarity == MMK_COSINE)
        return ((chain + 3) * magnitude + (bound_lanes(d) + 4) * fabs(expected)) * BOUND_U +
               underflow;
    if (similarity == MMK_DOT)
        return chain * BOUND_U * magnitude + underflow;
    return (chain + 3) * BOUND_U * (2 * magnitude + squares) + 4 * underflow;
}

void oracle_similarities(const struct similarities *s, double *expected, double *bound)
{
    size_t m = s->m, n = s->n, d = s->d;
    double *x = ref_doubles(m * d), *y = ref_doubles(n * d);
    double *squares_y = ref_doubles(n);
    ref_from_float(m, d, s->x, s->ldx, x);
    ref_from_float(n, d, s->y, s->ldy, y);
    cosine_ref_matrix(s->similarity, m, n, d, x, y, expected, bound); /* bound = magnitude */

    for (size_t j = 0; j < n; j++)
        for (size_t k = 0; k < d; k++)
            squares_y[j] += y[j * d + k] * y[j * d + k];
#pragma omp parallel for if (m * n > 10000) schedule(static)
    for (size_t i = 0; i < m; i++) {
        double squares_x = 0;
        for (size_t k = 0; k < d; k++)
            squares_x += x[i * d + k] * x[i * d + k];
        for (size_t j = 0; j < n; j++) {
            size_t e = i * n + j;
            double magnitude = bound[e], squares = squares_x + squares_y[j];
            bound[e] = bound_similarity(s->similarity, d, expected[e], magnitude, squares);
            if (s->similarity == MMK_DOT && bound_overflows(expected[e], magnitude))
                bound[e] = BOUND_OPEN;
            if (s->similarity == MMK_DOT && bound_is_exact(s->fill, magnitude))
                bound[e] = 0;
            if (s->similarity == MMK_NEG_SQ_L2 &&
                (equal_rows(d, s->x + i * s->ldx, s->y + j * s->ldy) ||
                 bound_is_exact(s->fill, 2 * magnitude + squares)))
                bound[e] = 0;
        }
    }
    free(x);
    free(y);
    free(squares_y);
}

static void matrix_oracle(struct trial *t)
{
    const struct buffer *x = &t->buffer[X], *y = &t->buffer[Y];
    const struct similarities s = {t->shape.similarity,
                                   t->fill,
                                   t->shape.m,
                                   t->shape.n,
                                   t->shape.d,
                                   x->data,
                                   x->ld,
                                   y->data,
                                   y->ld};
    oracle_similarities(&s, t->buffer[RESULT].expected, t->buffer[RESULT].bound);
}

/* ---- normalize_rows --------------------------------------------------------------------------
 *
 * An element is one rounded product with an inverse norm, which errs by half of the sum of squares'
 * (c + 7) u and two roundings.
 */

static void normalize_layout(struct trial *t)
{
    add_buffer(t, "x", false, t->shape.m, t->shape.d);
    add_buffer(t, "out", true, t->shape.m, t->shape.d);
}

static enum mmk_status normalize_call(struct trial *t)
{
    const struct buffer *x = &t->buffer[0], *out = &t->buffer[1];
    return mmk_normalize_rows(t->shape.m, t->shape.d, x->data, x->ld, out->data, out->ld);
}

static void normalize_oracle(struct trial *t)
{
    size_t m = t->shape.m, d = t->shape.d;
    double *expected = t->buffer[1].expected, *bound = t->buffer[1].bound;
    double *x = ref_doubles(m * d);
    ref_from_float(m, d, t->buffer[0].data, t->buffer[0].ld, x);
    cosine_ref_normalize(m, d, x, expected, NULL);
    for (size_t e = 0; e < m * d; e++) {
        double relative = (bound_lanes(d) / 2 + 4) * BOUND_U;
        bound[e] = isfinite(expected[e]) && expected[e] != 0
                       ? relative * fabs(expected[e]) + 2 * BOUND_UNDERFLOW
                       : 0;
    }
    free(x);
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

static double query_flops(const struct shape *s)
{
    return 2 * (double)s->n * (double)s->d;
}

static double query_bytes(const struct shape *s)
{
    return 4 * (double)s->n * (double)s->d;
}

static double matrix_flops(const struct shape *s)
{
    return 2 * (double)s->m * (double)s->n * (double)s->d;
}

static double matrix_bytes(const struct shape *s)
{
    double m = (double)s->m, n = (double)s->n, d = (double)s->d;
    return 4 * (m * d + n * d + m * n);
}

static double normalize_flops(const struct shape *s)
{
    return 3 * (double)s->m * (double)s->d;
}

static double normalize_bytes(const struct shape *s)
{
    return 8 * (double)s->m * (double)s->d;
}

static bool pair_fill_fits(const struct shape *s, enum fill fill)
{
    (void)s;
    return fill_is_of_rows(fill);
}

/* Large shapes are there for the blocking: a few fills are enough for them. */
static bool matrix_fill_fits(const struct shape *s, enum fill fill)
{
    if (s->m * s->n * (s->d + 4) > 100000 || sweep_is_plain(s->d))
        return fill == FILL_NORMAL || fill == FILL_NAN_TAIL || fill == FILL_INTEGER;
    return fill_is_of_rows(fill);
}

static size_t pair_sweep(bool quick, struct shape *shapes)
{
    size_t count = 0, dims[SWEEP_DIMS];
    size_t dim_count = sweep_dims(quick, dims);
    for (size_t i = 0; i < dim_count; i++)
        sweep_add(shapes, &count, (struct shape){.d = dims[i]});
    return count;
}

static size_t query_sweep(bool quick, struct shape *shapes)
{
    size_t count = 0, dims[SWEEP_DIMS];
    size_t dim_count = sweep_dims(quick, dims);
    for (size_t i = 0; i < dim_count; i++)
        sweep_add(shapes, &count, (struct shape){.n = 5, .d = dims[i], .ld_extra = i % 3});
    for (size_t n = 0; n <= (quick ? 9u : 40u); n++) {
        sweep_add(shapes, &count, (struct shape){.n = n, .d = 10});
        sweep_add(shapes, &count, (struct shape){.n = n, .d = 67, .ld_extra = 5});
    }
    if (!quick)
        sweep_add(shapes, &count, (struct shape){.n = 1000, .d = 50});
    return count;
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

/* Galleries of 64 KB, 512 KB, 8 MB, 512 MB: L1 or L2, L2, L3, memory. */
static const struct shape query_bench[] = {
    {.n = 128, .d = 128}, {.n = 1024, .d = 128}, {.n = 16384, .d = 128}, {.n = 1048576, .d = 128},
    {.n = 21, .d = 768},  {.n = 170, .d = 768},  {.n = 2730, .d = 768},  {.n = 174762, .d = 768},
};

static const struct shape norms_bench[] = {{.n = 1024, .d = 128}, {.n = 2730, .d = 768}};

static const struct shape matrix_bench[] = {
    {.m = 256, .n = 256, .d = 128},   {.m = 256, .n = 256, .d = 512},
    {.m = 256, .n = 256, .d = 768},   {.m = 1024, .n = 1024, .d = 128},
    {.m = 1024, .n = 1024, .d = 512}, {.m = 1024, .n = 1024, .d = 768},
    {.m = 4096, .n = 4096, .d = 128}, {.m = 4096, .n = 4096, .d = 512},
    {.m = 4096, .n = 4096, .d = 768}, {.m = 5000, .n = 25000, .d = 512},
};

static const struct shape normalize_bench[] = {
    {.m = 1024, .d = 128}, {.m = 1024, .d = 768}, {.m = 25000, .d = 512}};

#define BENCH(shapes) .bench = (shapes), .bench_count = sizeof(shapes) / sizeof((shapes)[0])

#define PAIR_PARTS                                                                                 \
    .family = "cosine", .dims = "d", .layout = pair_layout, .call = pair_call,                     \
    .oracle = pair_oracle, .bytes = pair_bytes, .fill_fits = pair_fill_fits, .sweep = pair_sweep,  \
    BENCH(pair_bench)

const struct kernel kernel_dot_pair = {
    .name = "dot_pair",
    .formula = "x.y",
    .similarity = MMK_DOT,
    .flops = pair_flops_2d,
    PAIR_PARTS,
};

const struct kernel kernel_cosine_pair = {
    .name = "cosine_pair",
    .formula = "x.y / (|x| |y|)",
    .similarity = MMK_COSINE,
    .flops = pair_flops_6d,
    PAIR_PARTS,
};

const struct kernel kernel_neg_sq_l2_pair = {
    .name = "neg_sq_l2_pair",
    .formula = "-|x - y|^2",
    .similarity = MMK_NEG_SQ_L2,
    .flops = pair_flops_3d,
    PAIR_PARTS,
};

#define QUERY_PARTS                                                                                \
    .family = "cosine", .dims = "nd", .layout = query_layout, .call = query_call,                  \
    .oracle = query_oracle, .flops = query_flops, .bytes = query_bytes,                            \
    .fill_fits = pair_fill_fits, .sweep = query_sweep, BENCH(query_bench)

const struct kernel kernel_dot_query = {
    .name = "dot_query",
    .formula = "x.y_j",
    .similarity = MMK_DOT,
    QUERY_PARTS,
};

const struct kernel kernel_cosine_query = {
    .name = "cosine_query",
    .formula = "x.y_j / (|x| |y_j|)",
    .similarity = MMK_COSINE,
    QUERY_PARTS,
};

const struct kernel kernel_cosine_query_norms = {
    .name = "cosine_query_norms",
    .family = "cosine",
    .formula = "x.y_j / (|x| |y_j|), |y_j|^2 given",
    .dims = "nd",
    .similarity = MMK_COSINE,
    .layout = query_norms_layout,
    .fill = query_norms_fill,
    .call = query_norms_call,
    .oracle = query_oracle,
    .flops = query_flops,
    .bytes = query_bytes,
    .fill_fits = pair_fill_fits,
    .sweep = query_sweep,
    BENCH(query_bench),
};

const struct kernel kernel_squared_norms = {
    .name = "squared_norms",
    .family = "cosine",
    .formula = "|y_j|^2",
    .dims = "nd",
    .similarity = MMK_COSINE,
    .layout = norms_layout,
    .call = norms_call,
    .oracle = norms_oracle,
    .flops = query_flops,
    .bytes = query_bytes,
    .fill_fits = pair_fill_fits,
    .sweep = query_sweep,
    BENCH(norms_bench),
};

const struct kernel kernel_neg_sq_l2_query = {
    .name = "neg_sq_l2_query",
    .formula = "-|x - y_j|^2",
    .similarity = MMK_NEG_SQ_L2,
    QUERY_PARTS,
};

#define MATRIX_PARTS                                                                               \
    .family = "cosine", .dims = "mnd", .layout = matrix_layout, .call = matrix_call,               \
    .oracle = matrix_oracle, .flops = matrix_flops, .bytes = matrix_bytes, .takes_threads = true,  \
    .fill_fits = matrix_fill_fits, .sweep = matrix_sweep, BENCH(matrix_bench)

const struct kernel kernel_dot_matrix = {
    .name = "dot_matrix",
    .formula = "x_i.y_j",
    .similarity = MMK_DOT,
    MATRIX_PARTS,
};

const struct kernel kernel_cosine_matrix = {
    .name = "cosine_matrix",
    .formula = "x_i.y_j / (|x_i| |y_j|)",
    .similarity = MMK_COSINE,
    MATRIX_PARTS,
};

const struct kernel kernel_neg_sq_l2_matrix = {
    .name = "neg_sq_l2_matrix",
    .formula = "-|x_i - y_j|^2",
    .similarity = MMK_NEG_SQ_L2,
    MATRIX_PARTS,
};

const struct kernel kernel_normalize_rows = {
    .name = "normalize_rows",
    .family = "cosine",
    .formula = "x_i / |x_i|",
    .dims = "md",
    .similarity = MMK_COSINE,
    .layout = normalize_layout,
    .call = normalize_call,
    .oracle = normalize_oracle,
    .flops = normalize_flops,
    .bytes = normalize_bytes,
    .fill_fits = pair_fill_fits,
    .sweep = normalize_sweep,
    BENCH(normalize_bench),
};
