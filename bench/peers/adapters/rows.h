/* rows.h - what assembled kernels need of rows of floats: room for them, and their lengths.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_ROWS_H
#define MMK_BENCH_ROWS_H

#include <stdbool.h>
#include <stddef.h>

/* Rows of d floats. */
struct rows {
    const float *data;
    size_t ld;
};

/* Zeroed and touched, so that no call pays for pages; large pages, as a matrix wants them. To be
 * freed. False: no memory. */
bool rows_alloc(float **floats, size_t count);

/* n, or a little more: rows that far apart do not all fall into one set of the cache. */
size_t rows_padded(size_t n);

float rows_dot(size_t d, const float *x, const float *y);

/* Rows of length 1 (n x d, without gaps), and where over_norm is not NULL 1 / |row|. A zero row
 * stays zero: its cosine is 0 with everything. */
void rows_normalize(int threads, size_t n, size_t d, struct rows rows, float *unit,
                    float *over_norm);

/* |row|^2. */
void rows_squares(int threads, size_t n, size_t d, struct rows rows, float *squares);

#endif
