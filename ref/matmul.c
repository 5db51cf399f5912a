/* matmul.c - the few operations on double matrices that the oracles share.
 * SPDX-License-Identifier: MIT
 */
#include "matmul.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

double *ref_doubles(size_t count)
{
    return ref_zeros(count, sizeof(double));
}

void *ref_zeros(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size);
    if (!p) {
        fprintf(stderr, "oracle: no memory for %zu elements of %zu bytes; use smaller shapes\n",
                count, size);
        exit(2);
    }
    return p;
}

void ref_from_float(size_t rows, size_t cols, const float *in, size_t ld, double *out)
{
#pragma omp parallel for if (rows * cols > 100000) schedule(static)
    for (size_t i = 0; i < rows; i++)
        for (size_t k = 0; k < cols; k++)
            out[i * cols + k] = (double)in[i * ld + k];
}

void ref_transpose(size_t rows, size_t cols, const double *in, double *out)
{
    enum { BLOCK = 32 }; /* a block's lines of in and out stay in the cache */
#pragma omp parallel for if (rows * cols > 100000) schedule(static)
    for (size_t j0 = 0; j0 < cols; j0 += BLOCK)
        for (size_t i0 = 0; i0 < rows; i0 += BLOCK)
            for (size_t j = j0; j < cols && j < j0 + BLOCK; j++)
                for (size_t i = i0; i < rows && i < i0 + BLOCK; i++)
                    out[j * rows + i] = in[i * cols + j];
}

/* Large bench shapes go through here with the oracle's 2 m n d multiplications twice over, so the
 * inner loops are compiled for wider registers as well. Same operations in the same order: same
 * results. The sanitizers do not survive the resolver that target_clones makes, and musl calls
 * none. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) &&       \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define CLONES __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define CLONES
#endif

/* One row of out over a block of columns and of k, added to what the blocks of k before have given;
 * the inner loop runs over j, so it vectorises without changing the order of any sum. */
CLONES static void row_block(size_t depth, size_t n, size_t width, const double *restrict a,
                             const double *restrict weight, const double *restrict b,
                             double *restrict out, double *restrict magnitude)
{
    for (size_t k = 0; k < depth; k++) {
        const double *row = b + k * n;
        double w = weight ? weight[k] : fabs(a[k]);
        if (magnitude)
            for (size_t j = 0; j < width; j++) {
                out[j] += a[k] * row[j];
                magnitude[j] += w * fabs(row[j]);
            }
        else
            for (size_t j = 0; j < width; j++)
                out[j] += a[k] * row[j];
    }
}

void ref_matmul(size_t m, size_t d, size_t n, const double *a, const double *weight,
                const double *b, double *out, double *magnitude)
{
    enum { WIDTH = 128, DEPTH = 256 }; /* of the block of b that every row reads again: 256 KB */
    size_t blocks = (n + WIDTH - 1) / WIDTH;
    memset(out, 0, m * n * sizeof *out);
    if (magnitude)
        memset(magnitude, 0, m * n * sizeof *magnitude);
#pragma omp parallel for if (m * n * (d + 1) > 100000) schedule(dynamic)
    for (size_t block = 0; block < blocks; block++) {
        size_t j = block * WIDTH;
        size_t width = n - j < WIDTH ? n - j : WIDTH;
        for (size_t k = 0; k < d; k += DEPTH)
            for (size_t i = 0; i < m; i++)
                row_block(d - k < DEPTH ? d - k : DEPTH, n, width, a + i * d + k,
                          weight ? weight + i * d + k : NULL, b + k * n + j, out + i * n + j,
                          magnitude ? magnitude + i * n + j : NULL);
    }
}
