/* vectors.h - a matrix of embeddings in memory, one row a vector.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_VECTORS_H
#define MMK_BENCH_VECTORS_H

#include "../base/mapping.h"

/* A row-major float matrix: the mapped file itself (f32), or a converted copy (f16, f64). */
struct vectors {
    size_t rows, cols;
    const float *data;
    char dtype[8]; /* what the file holds: "f16", "f32", "f64" */
    struct mapping file;
    float *owned;
};

/* Gives back what a reader opened. */
void vectors_close(struct vectors *vectors);

/* All of it will be read soon: the kernel may begin to fetch what is mapped. */
void vectors_expect(const struct vectors *vectors);

#endif
