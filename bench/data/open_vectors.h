/* open_vectors.h - embeddings from a file of any format that is known here.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_OPEN_VECTORS_H
#define MMK_BENCH_OPEN_VECTORS_H

#include "vectors.h"

/* Opens FILE.fbin as fbin.h says, any other as npy.h says. False: error is one sentence that names
 * the file, the problem and the remedy. */
bool vectors_open(const char *path, struct vectors *vectors, char *error, size_t error_bytes);

#endif
