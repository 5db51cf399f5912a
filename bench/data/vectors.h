/* vectors.h - embeddings from a file, one row a vector.
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

/* Opens FILE.fbin as fbin.h says, any other as npy.h says. False: error is one sentence that names
 * the file, the problem and the remedy. */
bool vectors_open(const char *path, struct vectors *vectors, char *error, size_t error_bytes);
void vectors_close(struct vectors *vectors);

/* All of it will be read soon: the kernel may begin to fetch what is mapped. */
void vectors_expect(const struct vectors *vectors);

#endif
