/* matrix8_cases.c - cases of the similarity matrix of rows of int8, and their oracle.
 * SPDX-License-Identifier: MIT
 *
 * Products of codes are integers, and their sums below 2^31: in double they are exact in any order.
 * With u = 2^-24, v = 2^-53, rows s p and t q, and underflow as in cases.h, the bounds are those of
 * one rounding to float of what double makes of them (kernels/int8/int8.h):
 *
 *     dot             0
 *     dot, scaled     (u + 2 v) |dot|          s t is exact, and its product rounded once
 *     cosine          (u + 4 v) |cosine|       three roundings, one under the root
 *     neg_sq_l2       (u + v) |x - y|^2 + 6 v (|x|^2 + |y|^2)
 *
 * A distance is expanded: |x|^2, |y|^2, their sum and 2 x.y are rounded once, no more than
 * 3 v (|x|^2 + |y|^2) together, here and there. Rows that are equal have 0.
 */
#include "cases.h"
#include "matmul.h"
#include "sweep.h"

#include <stdlib.h>

/* Order of the buffers: with scales, and of the exact products, which have none. */
enum { X, X_SCALES, Y, Y_SCALES, RESULT };
enum { DOT_X, DOT_Y, DOT_RESULT };

static void matrix8_layout(struct trial *t)
{
    add_codes(t, "x", "x_scales", false, t->shape.m, t->shape.d);
    add_codes(t, "y", "y_scales", false, t->shape.n, t->shape.d);
    add_result(t, t->shape.m, t->shape.n);
}

static enum mmk_status matrix8_call(struct trial *t)
{
    const struct mmk_matrix x = codes_of(t, &t->buffer[X]), y = codes_of(t, &t->buffer[Y]);
    const struct mmk_matrix_out result = matrix_out_of(&t->buffer[RESULT]);
    return mmk_similarity_matrix(t->shape.similarity, &x, &y, &result, &t->options);
}

static void dot_layout(struct trial *t)
{
    add_codes(t, "x", NULL, false, t->shape.m, t->shape.d);
    add_codes(t, "y", NULL, false, t->shape.n, t->shape.d);
    add_buffer(t, "result", true, t->shape.m, t->shape.n)->element = ELEMENT_I32;
}

static enum mmk_status dot_call(struct trial *t)
{
    const struct mmk_matrix x = matrix_of(&t->buffer[DOT_X]), y = matrix_of(&t->buffer[DOT_Y]);
    const struct mmk_matrix_out result = matrix_out_of(&t->buffer[DOT_RESULT]);
    return mmk_similarity_matrix(MMK_DOT, &x, &y, &result, &t->options);
}

/* ---- The oracle ------------------------------------------------------------------------------ */

/* Rows of codes in double, and the sums of their squares; their scales, unless all are 1. */
struct side {
    double *codes, *square;
    const float *scales;
};

static struct side side_of(const struct buffer *b, const float *scales)
{
    size_t rows = b->rows, d = b->cols;
    struct side side = {ref_doubles(rows * d), ref_doubles(rows), scales};
    for (size_t i = 0; i < rows; i++)
        for (size_t k = 0; k < d; k++) {
            double code = ((const int8_t *)b->data)[i * b->ld + k];
            side.codes[i * d + k] = code;
            side.square[i] += code * code;
        }
    return side;
}

static double scale_of(const struct side *side, size_t i)
{
    return side->scales != NULL ? (double)side->scales[i] : 1;
}

static void side_free(struct side *side)
{
    free(side->codes);
    free(side->square);
}

/* Sums of products, exact. */
static void products(const struct side *x, const struct side *y, struct buffer *result, size_t d)
{
    double *transposed = ref_doubles(result->cols * d);
    ref_transpose(result->cols, d, y->codes, transposed);
    ref_matmul(result->rows, d, result->cols, x->codes, NULL, transposed, result->expected, NULL);
    free(transposed);
}

static bool are_equal(size_t d, double s, const double *p, double t, const double *q)
{
    for (size_t k = 0; k < d; k++)
        if (s * p[k] != t * q[k])
            return false;
    return true;
}

static double sign_of(double scale)
{
    return isfinite(scale) ? (double)(scale > 0) - (double)(scale < 0) : NAN;
}

/* Of row i of x and j of y, whose codes have the product pq. */
static double similarity(enum mmk_similarity which, size_t d, const struct side *x, size_t i,
                         const struct side *y, size_t j, double pq, double *bound)
{
    const double u = 0x1p-24, v = 0x1p-53, s = scale_of(x, i), t = scale_of(y, j);
    double result, more = 0;
    if (which == MMK_DOT) {
        result = s * t * pq;
        more = 2 * v * fabs(result);
    } else if (which == MMK_COSINE) {
        double squares = x->square[i] * y->square[j];
        result = sign_of(s) * sign_of(t) * (squares > 0 ? pq / sqrt(squares) : 0);
        more = 4 * v * fabs(result);
    } else {
        double a = s * s * x->square[i], b = t * t * y->square[j];
        result = a + b - 2 * s * t * pq;
        more = v * fabs(result) + 6 * v * (a + b);
        if (result == 0 && are_equal(d, s, x->codes + i * d, t, y->codes + j * d))
            more = 0;
        result = result > 0 || isnan(result) ? -result : 0;
    }
    *bound = isfinite(result) ? u * fabs(result) + more + (result != 0 ? BOUND_UNDERFLOW : 0) : 0;
    return result;
}

static void matrix8_oracle(struct trial *t)
{
    struct buffer *r = &t->buffer[RESULT];
    size_t n = t->shape.n, d = t->shape.d;
    struct side x = side_of(&t->buffer[X], codes_of(t, &t->buffer[X]).row_scales);
    struct side y = side_of(&t->buffer[Y], codes_of(t, &t->buffer[Y]).row_scales);
    products(&x, &y, r, d);
#pragma omp parallel for if (r->rows * n > 10000) schedule(static)
    for (size_t i = 0; i < r->rows; i++)
        for (size_t j = 0; j < n; j++) {
            size_t e = i * n + j;
            r->expected[e] =
                similarity(t->shape.similarity, d, &x, i, &y, j, r->expected[e], &r->bound[e]);
        }
    side_free(&x);
    side_free(&y);
}

static void dot_oracle(struct trial *t)
{
    struct side x = side_of(&t->buffer[DOT_X], NULL), y = side_of(&t->buffer[DOT_Y], NULL);
    products(&x, &y, &t->buffer[DOT_RESULT], t->shape.d);
    side_free(&x);
    side_free(&y);
}

/* ---- Costs and shapes ------------------------------------------------------------------------ */

static double matrix8_flops(const struct shape *s)
{
    return 2 * (double)s->m * (double)s->n * (double)s->d;
}

static double matrix8_bytes(const struct shape *s)
{
    double m = (double)s->m, n = (double)s->n, d = (double)s->d;
    return m * d + n * d + 4 * m * n;
}

static bool matrix8_fill_fits(const struct shape *s, enum fill fill)
{
    if (s->m * s->n * (s->d + 4) > 100000 || sweep_is_plain(s->d))
        return fill == FILL_NORMAL || fill == FILL_INTEGER || fill == FILL_TIES ||
               fill == FILL_SPECIALS;
    return fill_is_of_rows(fill);
}

static size_t matrix8_sweep(bool quick, struct shape *shapes)
{
    size_t count = 0, dims[SWEEP_DIMS];
    size_t dim_count = sweep_dims(quick, dims);
    for (size_t i = 0; i < dim_count;
         i++) { /* groups of 2 and 4 columns, vectors, and their ends */
        sweep_add(shapes, &count, (struct shape){.m = 3, .n = 5, .d = dims[i], .ld_extra = i % 3});
        if (!quick || i % 4 == 0)
            sweep_add(shapes, &count, (struct shape){.m = 15, .n = 35, .d = dims[i]});
    }
    /* Every m up to two strips of every ISA (14, 12, 6, 4), one more, and n up to two panels. */
    for (size_t m = 0; m <= (quick ? 15u : 29u); m++)
        sweep_add(shapes, &count, (struct shape){.m = m, .n = 9, .d = 5, .ld_extra = m % 2});
    for (size_t n = 0; n <= (quick ? 33u : 65u); n++)
        sweep_add(shapes, &count, (struct shape){.m = 7, .n = n, .d = 10, .ld_extra = n % 2});
    /* The longest rows, and one less; a block and a super-block. */
    static const struct shape large[] = {
        {.m = 3, .n = 2, .d = LONGEST_CODES}, {.m = 16, .n = 33, .d = LONGEST_CODES - 1},
        {.m = 85, .n = 67, .d = 6},           {.m = 2, .n = 673, .d = 5},
        {.m = 169, .n = 673, .d = 65},        {.m = 337, .n = 100, .d = 12},
        {.m = 90, .n = 1400, .d = 11},        {.m = 4210, .n = 30, .d = 5},
        {.m = 20, .n = 4100, .d = 7},         {.m = 60, .n = 70, .d = 1025},
        {.m = 100, .n = 97, .d = 4099},
    };
    for (size_t i = 0; i < (quick ? 4 : sizeof large / sizeof large[0]); i++)
        if (!quick || i != 1)
            sweep_add(shapes, &count, large[i]);
    return count;
}

static const struct shape matrix8_bench[] = {
    {.m = 256, .n = 256, .d = 128},   {.m = 256, .n = 256, .d = 512},
    {.m = 1024, .n = 1024, .d = 128}, {.m = 1024, .n = 1024, .d = 512},
    {.m = 1024, .n = 1024, .d = 768}, {.m = 4096, .n = 4096, .d = 128},
    {.m = 4096, .n = 4096, .d = 512},
};

#define MATRIX8_PARTS                                                                              \
    .rooms = "tile8", .family = "int8", .dims = "mnd", .fill = fill_codes, .flops = matrix8_flops, \
    .bytes = matrix8_bytes, .takes_threads = true, .fill_fits = matrix8_fill_fits,                 \
    .sweep = matrix8_sweep, .narrow = true, .synthetic_only = true, .most_d = LONGEST_CODES,       \
    BENCH(matrix8_bench)

const struct kernel kernel_dot_matrix_i8 = {
    .name = "dot_matrix_i8",
    .formula = "p_i.q_j, exactly",
    .similarity = MMK_DOT,
    .layout = dot_layout,
    .call = dot_call,
    .oracle = dot_oracle,
    MATRIX8_PARTS,
};

const struct kernel kernel_scaled_dot_matrix_i8 = {
    .name = "scaled_dot_matrix_i8",
    .formula = "s_i t_j p_i.q_j",
    .similarity = MMK_DOT,
    .layout = matrix8_layout,
    .call = matrix8_call,
    .oracle = matrix8_oracle,
    MATRIX8_PARTS,
};

const struct kernel kernel_cosine_matrix_i8 = {
    .name = "cosine_matrix_i8",
    .formula = "p_i.q_j / (|p_i| |q_j|)",
    .similarity = MMK_COSINE,
    .layout = matrix8_layout,
    .call = matrix8_call,
    .oracle = matrix8_oracle,
    MATRIX8_PARTS,
};

const struct kernel kernel_neg_sq_l2_matrix_i8 = {
    .name = "neg_sq_l2_matrix_i8",
    .formula = "-|s_i p_i - t_j q_j|^2",
    .similarity = MMK_NEG_SQ_L2,
    .layout = matrix8_layout,
    .call = matrix8_call,
    .oracle = matrix8_oracle,
    MATRIX8_PARTS,
};
