/* fbin.h - .fbin files, as the benchmarks of billion-scale search have them.
 * SPDX-License-Identifier: MIT
 *
 *     u32 rows, u32 dimension, then rows x dimension f32; little-endian
 */
#ifndef MMK_BENCH_FBIN_H
#define MMK_BENCH_FBIN_H

#include "vectors.h"

/* Maps the file, which must be exactly as long as its first 8 bytes say. False: error is one
 * sentence that names the file, the problem and the remedy. */
bool fbin_open(const char *path, struct vectors *vectors, char *error, size_t error_bytes);

#endif
