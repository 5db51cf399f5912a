/* npy.h - a strict reader of .npy files: embeddings and labels.
 * SPDX-License-Identifier: MIT
 *
 * Formats 1.0, 2.0 and 3.0, little-endian. A file must be exactly as long as its header says. On
 * failure the functions return false, and error is one sentence that names the file, the problem
 * and the remedy.
 */
#ifndef MMK_BENCH_NPY_H
#define MMK_BENCH_NPY_H

#include "vectors.h"

/* f16, f32, f64, i8 or u8 in C order: n x d, or 1-D, which is one row. With in->bf16 NumPy's u2 is
 * bf16, and so is V2, as which it writes ml_dtypes' bfloat16. NaN and Inf are taken as they are. */
bool npy_read(struct input *in, struct vectors *v);

/* i8 to i64 or u8 to u64 (NumPy's i1 to i8, u1 to u8), 1-D: *count values, to be freed. */
bool npy_read_integers(const char *path, int64_t **values, size_t *count, char *error,
                       size_t error_bytes);

#endif
