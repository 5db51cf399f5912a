/* product.h - the matrix products of the studies, through the library.
 * SPDX-License-Identifier: MIT
 *
 * Every element is one chain of fused multiply-adds in order (mmk_similarity_matrix), the same bits
 * on every instruction set and machine, at the speed of OpenBLAS. One thread: the studies run one
 * encoder a thread. A sum over a batch, whose length nothing bounds, is made of such chains of
 * CHAIN rows, joined in double in order: else its error would grow with the batch.
 */
#ifndef MMK_STUDY_PRODUCT_H
#define MMK_STUDY_PRODUCT_H

#include <stddef.h>

enum { CHAIN = 176 };

/* c (m x n) = a (m x k) b^T, b being n x k; all dense. */
void product(size_t m, size_t n, size_t k, const float *a, const float *b, float *c);

/* The same where k is a batch. sum: room for m x n. */
void product_over_batch(size_t m, size_t n, size_t k, const float *a, const float *b, double *sum,
                        float *c);

/* sums[j] = sum_i v_ij over a batch of rows x width. sum: room for width. */
void sum_over_batch(size_t rows, size_t width, const float *v, double *sum, float *sums);

/* out (cols x rows) = in transposed. */
void transpose(size_t rows, size_t cols, const float *in, float *out);

/* Zeroed memory, aligned to cache lines; where there is none they end the program. */
void *allocate(size_t bytes);
float *floats(size_t count);

#endif
