/* vectors.h - a matrix of embeddings in memory, one row a vector.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_VECTORS_H
#define MMK_BENCH_VECTORS_H

#include "stored.h"
#include "input.h"

/* A row-major float matrix: the mapped file itself (f32), or a converted copy. */
struct vectors {
    size_t rows, cols;
    const float *data;
    size_t ld;          /* floats from a row to the next */
    enum stored stored; /* of the file */
    struct mapping file;
    float *owned;
};

/* The rows, whose number, length and type v says, lie in the file from byte `start` on, each
 * `stride` bytes after the one before. Where they are floats at multiples of 4 bytes v takes the
 * mapping over; else they are converted, into 4 bytes an element, if there is memory. False: error
 * is one sentence. */
bool vectors_take(struct vectors *v, struct input *in, size_t start, size_t stride);

/* Gives back what a reader opened. */
void vectors_close(struct vectors *vectors);

/* All of it will be read soon: the kernel may begin to fetch what is mapped. */
void vectors_expect(const struct vectors *vectors);

#endif
