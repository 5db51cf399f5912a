/* matmul.h - the few operations on double matrices that the oracles share.
 * SPDX-License-Identifier: MIT
 *
 * Everything here is dense and row-major. No result depends on the number of threads.
 */
#ifndef MMK_REF_MATMUL_H
#define MMK_REF_MATMUL_H

#include <stddef.h>

/* Allocates count doubles, all 0; prints and exits when there is no memory (the oracle's user is a
 * test program). Free with free(). */
double *ref_doubles(size_t count);

/* The same for elements of any size. */
void *ref_zeros(size_t count, size_t size);

/* out (rows x cols) = in, a float matrix with leading dimension ld. */
void ref_from_float(size_t rows, size_t cols, const float *in, size_t ld, double *out);

/* out (cols x rows) = in transposed. */
void ref_transpose(size_t rows, size_t cols, const double *in, double *out);

/* out (m x n) = a (m x d) b (d x n), and with the same sums over k
 *     magnitude_ij = sum_k weight_ik |b_kj|
 * from which the bounds are made: with weight = |a| it is sum_k |a_ik b_kj|. weight and magnitude
 * may be NULL (no magnitude); weight NULL alone means |a|. Sums run over k in order. */
void ref_matmul(size_t m, size_t d, size_t n, const double *a, const double *weight,
                const double *b, double *out, double *magnitude);

#endif
