/* npy.h - a strict reader of .npy embedding files.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_NPY_H
#define MMK_BENCH_NPY_H

#include <stdbool.h>
#include <stddef.h>

/* A row-major float matrix, either the mapped file itself (f32) or a converted copy (f16, f64). */
struct npy {
    size_t rows, cols;
    const float *data;
    char dtype[8]; /* what the file holds: "f16", "f32", "f64" */
    void *map;
    size_t map_bytes;
    float *owned;
};

/* Opens a .npy file (format 1.0, 2.0 or 3.0) of little-endian f16, f32 or f64 in C order: n x d, or
 * 1-D, which is one row. The file must be exactly as long as its header says. NaN and Inf are taken
 * as they are. On failure returns false, and error is one sentence that names the file, the problem
 * and the remedy. */
bool npy_open(const char *path, struct npy *npy, char *error, size_t error_bytes);
void npy_close(struct npy *npy);

#endif
