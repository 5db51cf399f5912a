/* rows.c - what assembled kernels need of rows of floats: room for them, and their lengths.
 * SPDX-License-Identifier: MIT
 */
#include "rows.h"

#include "../../../ref/pages.h"

#include <math.h>

bool rows_alloc(float **floats, size_t count)
{
    *floats = pages_alloc(count * sizeof(float), NULL);
    return *floats != NULL;
}

size_t rows_padded(size_t n)
{
    const size_t line = 64 / sizeof(float);
    return ((n + line - 1) / line | 1) * line; /* an odd number of lines */
}

float rows_dot(size_t d, const float *x, const float *y)
{
    float sum = 0.0f;
    for (size_t k = 0; k < d; k++)
        sum += x[k] * y[k];
    return sum;
}

void rows_normalize(int threads, size_t n, size_t d, struct rows rows, float *unit,
                    float *over_norm)
{
#pragma omp parallel for num_threads(threads) schedule(static)
    for (size_t i = 0; i < n; i++) {
        const float *row = rows.data + i * rows.ld;
        float square = rows_dot(d, row, row);
        float over = square > 0.0f ? 1.0f / sqrtf(square) : 0.0f;
        if (over_norm)
            over_norm[i] = over;
        for (size_t k = 0; k < d; k++)
            unit[i * d + k] = row[k] * over;
    }
}

void rows_squares(int threads, size_t n, size_t d, struct rows rows, float *squares)
{
#pragma omp parallel for num_threads(threads) schedule(static)
    for (size_t i = 0; i < n; i++)
        squares[i] = rows_dot(d, rows.data + i * rows.ld, rows.data + i * rows.ld);
}
