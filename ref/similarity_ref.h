/* similarity_ref.h - oracle of the similarities and of row normalisation, in double.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_SIMILARITY_REF_H
#define MMK_SIMILARITY_REF_H

#include "../kernels/mmk.h"

/* |x|; NaN when x holds a NaN or an Inf. */
double similarity_ref_norm(size_t d, const float *x);

/* sim(x, y), from the differences for neg_sq_l2. */
double similarity_ref_pair(enum mmk_similarity similarity, size_t d, const float *x,
                           const float *y);

/* result[j] = sim(x, y_j). */
void similarity_ref_query(enum mmk_similarity similarity, size_t n, size_t d, const float *x,
                          const float *y, size_t ldy, double *result);

/* result[i * n + j] = sim(x_i, y_j) of dense double rows, as mmk_similarity_matrix expands it:
 * neg_sq_l2 is min(0, 2 x.y - |x|^2 - |y|^2) (from the differences where a row holds NaN or Inf),
 * cosine the product of normalised rows. magnitude (may be NULL) becomes sum_k |x_ik y_jk| of the
 * rows that were multiplied. */
void similarity_ref_matrix(enum mmk_similarity similarity, size_t m, size_t n, size_t d,
                           const double *x, const double *y, double *result, double *magnitude);

/* The origin of neg_sq_l2: in each column the median of nine rows of Y, not finite or from 2^100 on
 * counting as 0. Number i of the nine is row similarity_ref_origin_row() of `rows`; sample holds
 * them dense, or zeros where Y has no rows. */
enum { SIMILARITY_REF_ORIGIN_ROWS = 9 };
size_t similarity_ref_origin_row(size_t rows, size_t i);
void similarity_ref_origin(size_t d, const double *sample, double *origin);

/* out_i = x_i - origin, in place too. */
void similarity_ref_subtract(size_t m, size_t d, const double *x, const double *origin,
                             double *out);

/* out_i = x_i / |x_i|, in place too; a zero row stays zero, one with NaN or Inf is all NaN. norms
 * (may be NULL) gets the m lengths. */
void similarity_ref_normalize(size_t m, size_t d, const double *x, double *out, double *norms);

#endif
