/* stored.h - the types of elements that files of vectors have, and their way to f32.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_STORED_H
#define MMK_BENCH_STORED_H

#include <stddef.h>

enum stored { STORED_F32, STORED_F64, STORED_F16, STORED_BF16, STORED_I8, STORED_U8 };

/* "f32", "bf16", ... */
const char *stored_name(enum stored type);
size_t stored_bytes(enum stored type);

/* Writes count elements (little-endian, wherever they lie) as f32: exactly, but for f64, which is
 * rounded. How many were written: fewer than count where the next is a finite f64 beyond the range
 * of f32. */
size_t stored_convert(enum stored type, const unsigned char *from, size_t count, float *to);

#endif
