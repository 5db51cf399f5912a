/* similarity_bounds.h - error bounds of a pair's similarity and of the similarity matrix.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_SIMILARITY_BOUNDS_H
#define MMK_SIMILARITY_BOUNDS_H

#include "case.h"

/* Bound of a pair's similarity, whose right value is expected. */
double bound_pair(enum mmk_similarity similarity, enum fill fill, size_t d, const float *x,
                  const float *y, double expected);

/* Expected and bound of rows that are normalised. */
void oracle_normalized(size_t m, size_t d, const float *x, size_t ldx, const struct buffer *out);

/* Bound of an element of the similarity matrix. magnitude = sum_k |x_k y_k| of the rows
 * that are multiplied; squares = |x|^2 + |y|^2 of these, read for neg_sq_l2 only. */
double bound_similarity(enum mmk_similarity similarity, size_t d, double expected, double magnitude,
                        double squares);

/* m x n similarities as a matrix takes them, in double, and their bounds. */
struct similarities {
    enum mmk_similarity similarity;
    enum fill fill;
    size_t m, n, d;
    const float *x;
    size_t ldx;
    const float *y;
    size_t ldy;
    const double *origin; /* neg_sq_l2: d, subtracted from all rows */
};

/* The origin that a gallery y has by default, to be freed; NULL but for neg_sq_l2. */
double *oracle_origin(enum mmk_similarity similarity, const struct buffer *y);

void oracle_similarities(const struct similarities *s, double *expected, double *bound);

#endif
