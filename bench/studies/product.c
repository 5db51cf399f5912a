/* product.c - the matrix products of the studies, through the library.
 * SPDX-License-Identifier: MIT
 */
#include "product.h"

#include "../../ref/cases.h"
#include "../base/console.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { TILE = 16 }; /* of a transposition: lines of 64 bytes on both sides */

void *allocate(size_t bytes)
{
    size_t lines = (bytes + 63) / 64;
    void *memory = aligned_alloc(64, lines * 64);
    if (!memory)
        refuse("there is no memory for %zu bytes; close something", bytes);
    return memset(memory, 0, lines * 64);
}

float *floats(size_t count)
{
    return allocate(count * sizeof(float));
}

/* As product(), with rows of a and b that are `stride` apart. */
static void strided_product(size_t m, size_t n, size_t k, size_t stride, const float *a,
                            const float *b, float *c)
{
    const struct mmk_matrix x = {.data = a, .rows = m, .columns = k, .leading_dimension = stride},
                            y = {.data = b, .rows = n, .columns = k, .leading_dimension = stride};
    const struct mmk_matrix_out result = {.data = c, .rows = m, .columns = n};
    must_be_good(
        mmk_similarity_matrix(MMK_DOT, &x, &y, &result, &(struct mmk_options){.threads = 1}),
        "mmk_similarity_matrix");
}

void product(size_t m, size_t n, size_t k, const float *a, const float *b, float *c)
{
    strided_product(m, n, k, k, a, b, c);
}

/* sum += part, and in the end part = sum. */
static void join(size_t count, bool last, float *restrict part, double *restrict sum)
{
    for (size_t i = 0; i < count; i++)
        sum[i] += (double)part[i];
    for (size_t i = 0; last && i < count; i++)
        part[i] = (float)sum[i];
}

void product_over_batch(size_t m, size_t n, size_t k, const float *a, const float *b, double *sum,
                        float *c)
{
    memset(sum, 0, m * n * sizeof *sum);
    for (size_t first = 0; first < k; first += CHAIN) {
        size_t count = least(CHAIN, k - first);
        strided_product(m, n, count, k, a + first, b + first, c);
        join(m * n, first + count == k, c, sum);
    }
}

void sum_over_batch(size_t rows, size_t width, const float *v, double *sum, float *sums)
{
    memset(sum, 0, width * sizeof *sum);
    for (size_t first = 0; first < rows; first += CHAIN) {
        size_t count = least(CHAIN, rows - first);
        memset(sums, 0, width * sizeof *sums);
        for (size_t i = 0; i < count; i++, v += width)
            for (size_t j = 0; j < width; j++)
                sums[j] += v[j];
        join(width, first + count == rows, sums, sum);
    }
}

void transpose(size_t rows, size_t cols, const float *in, float *out)
{
    for (size_t i = 0; i < rows; i += TILE)
        for (size_t j = 0; j < cols; j += TILE)
            for (size_t c = j; c < least(j + TILE, cols); c++)
                for (size_t r = i; r < least(i + TILE, rows); r++)
                    out[c * rows + r] = in[r * cols + c];
}
