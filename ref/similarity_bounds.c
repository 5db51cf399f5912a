/* similarity_bounds.c - error bounds of a pair's similarity and of the similarity matrix.
 * SPDX-License-Identifier: MIT
 *
 * u = 2^-24, c = ceil(d / 64). Each with d times the rounding below the normal range.
 *
 * Pair, query and rows, sums in 64 lanes (bound_lanes is c + 7):
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
 * Rows that are normalised: an element is one rounded product with an inverse norm, which errs by
 * half of the sum of squares' (c + 7) u and two roundings.
 *
 * Matrix, one chain of d (bound_chain):
 *
 *     dot          chain u sum|x_k y_k|
 *     neg_sq_l2    (chain + 5) u (2 sum|a_k b_k| + |a|^2 + |b|^2), a = x - o and b = y - o with
 *                  the origin o; equal rows give exactly 0
 *     cosine       (chain + 3) u sum|x_k y_k| / |x||y| + (c + 7 + 4) u |cos|
 *
 * Each normalised element is rounded once, on both sides; the two inverse norms err by half of
 * (c + 7) u and two roundings each. a_k and b_k are rounded once: the distance of what is
 * multiplied is off by 2u sum|a_k - b_k| (|a_k| + |b_k|) at most, and that is within
 * 2u sum(|a_k| + |b_k|)^2. Integers less an integer are not rounded.
 */
#include "similarity_bounds.h"

#include "cases.h"
#include "matmul.h"
#include "similarity_ref.h"

#include <stdlib.h>
#include <string.h>

double bound_pair(enum mmk_similarity similarity, enum fill fill, size_t d, const float *x,
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
    double norms = similarity_ref_norm(d, x) * similarity_ref_norm(d, y);
    if (norms == 0)
        return 0;
    /* unscaled norms are 2^-30 at least, and scaled rows have an element of 2^-23 at least */
    return bound_lanes(d) * BOUND_U * magnitude / norms +
           (bound_lanes(d) + 4) * BOUND_U * fabs(expected) + underflow * 0x1p60;
}

void oracle_normalized(size_t m, size_t d, const float *x, size_t ldx, const struct buffer *out)
{
    double *rows = ref_doubles(m * d);
    ref_from_float(m, d, x, ldx, rows);
    similarity_ref_normalize(m, d, rows, out->expected, NULL);
    for (size_t e = 0; e < m * d; e++) {
        double relative = (bound_lanes(d) / 2 + 4) * BOUND_U, expected = out->expected[e];
        out->bound[e] = isfinite(expected) && expected != 0
                            ? relative * fabs(expected) + 2 * BOUND_UNDERFLOW
                            : 0;
    }
    free(rows);
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
    return (chain + 5) * BOUND_U * (2 * magnitude + squares) + 4 * underflow;
}

static bool equal_rows(size_t d, const float *x, const float *y)
{
    return memcmp(x, y, d * sizeof *x) == 0;
}

double *oracle_origin(enum mmk_similarity similarity, const struct buffer *y)
{
    if (similarity != MMK_NEG_SQ_L2)
        return NULL;
    double *sample = ref_doubles(SIMILARITY_REF_ORIGIN_ROWS * y->cols);
    double *origin = ref_doubles(y->cols);
    for (size_t i = 0; y->rows > 0 && i < SIMILARITY_REF_ORIGIN_ROWS; i++)
        ref_from_float(1, y->cols,
                       (const float *)y->data + similarity_ref_origin_row(y->rows, i) * y->ld,
                       y->ld, sample + i * y->cols);
    similarity_ref_origin(y->cols, sample, origin);
    free(sample);
    return origin;
}

void oracle_similarities(const struct similarities *s, double *expected, double *bound)
{
    size_t m = s->m, n = s->n, d = s->d;
    double *x = ref_doubles(m * d), *y = ref_doubles(n * d);
    double *squares_y = ref_doubles(n);
    ref_from_float(m, d, s->x, s->ldx, x);
    ref_from_float(n, d, s->y, s->ldy, y);
    if (s->origin != NULL) {
        similarity_ref_subtract(m, d, x, s->origin, x);
        similarity_ref_subtract(n, d, y, s->origin, y);
    }
    similarity_ref_matrix(s->similarity, m, n, d, x, y, expected, bound); /* bound = magnitude */

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
