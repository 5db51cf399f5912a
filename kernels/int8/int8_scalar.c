/* int8_scalar.c - rows of MMK_I8 in portable C.
 * SPDX-License-Identifier: MIT
 *
 * For the bits; what the compiler makes of these loops for a wide instruction set is the autovec
 * row.
 */
#include "int8.h"

#include <stdbool.h>

static int32_t dot_scalar(size_t d, const int8_t *p, const int8_t *q)
{
    int32_t sum = 0;
    for (size_t k = 0; k < d; k++)
        sum += p[k] * q[k];
    return sum;
}

static float pair_dot_scalar(size_t d, const int8_t *p, float a, const int8_t *q, float b)
{
    return int8_dot_of((double)dot_scalar(d, p, q), (double)a, (double)b);
}

static struct int8_sums sums_scalar(size_t d, const int8_t *p, const int8_t *q)
{
    return (struct int8_sums){(double)dot_scalar(d, p, q), (double)dot_scalar(d, p, p),
                              (double)dot_scalar(d, q, q)};
}

static float pair_cosine_scalar(size_t d, const int8_t *p, float a, const int8_t *q, float b)
{
    return int8_cosine_of_sums(sums_scalar(d, p, q), a, b);
}

static float pair_neg_sq_l2_scalar(size_t d, const int8_t *p, float a, const int8_t *q, float b)
{
    return int8_neg_sq_l2_of_sums(sums_scalar(d, p, q), a, b);
}

static void dots_scalar(size_t n, size_t d, const int8_t *x, const int8_t *y, size_t ldy,
                        int32_t *result)
{
    for (size_t j = 0; j < n; j++)
        result[j] = dot_scalar(d, x, y + j * ldy);
}

static void query_dot_scalar(size_t n, size_t d, const int8_t *x, float a, const int8_t *y,
                             size_t ldy, const float *scales, float *result)
{
    for (size_t j = 0; j < n; j++)
        result[j] = pair_dot_scalar(d, x, a, y + j * ldy, scales != NULL ? scales[j] : 1);
}

static void query_cosine_scalar(size_t n, size_t d, const int8_t *x, float a, const int8_t *y,
                                size_t ldy, const float *scales, float *result)
{
    const struct int8_side p = int8_side(a, (double)dot_scalar(d, x, x));
    for (size_t j = 0; j < n; j++) {
        const int8_t *row = y + j * ldy;
        const struct int8_side q =
            int8_side(scales != NULL ? scales[j] : 1, (double)dot_scalar(d, row, row));
        result[j] = int8_cosine_of((double)dot_scalar(d, x, row), &p, &q);
    }
}

static void query_neg_sq_l2_scalar(size_t n, size_t d, const int8_t *x, float a, const int8_t *y,
                                   size_t ldy, const float *scales, float *result)
{
    const struct int8_side p = int8_side(a, (double)dot_scalar(d, x, x));
    for (size_t j = 0; j < n; j++) {
        const int8_t *row = y + j * ldy;
        const struct int8_side q =
            int8_side(scales != NULL ? scales[j] : 1, (double)dot_scalar(d, row, row));
        result[j] = int8_neg_sq_l2_of((double)dot_scalar(d, x, row), &p, &q);
    }
}

const struct int8_ops int8_ops_scalar = {
    .dot = dot_scalar,
    .pair = {[MMK_DOT] = pair_dot_scalar,
             [MMK_COSINE] = pair_cosine_scalar,
             [MMK_NEG_SQ_L2] = pair_neg_sq_l2_scalar},
    .dots = dots_scalar,
    .query = {[MMK_DOT] = query_dot_scalar,
              [MMK_COSINE] = query_cosine_scalar,
              [MMK_NEG_SQ_L2] = query_neg_sq_l2_scalar},
};
