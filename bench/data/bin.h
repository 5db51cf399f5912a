/* bin.h - .fbin files and their kin, as the benchmarks of billion-scale search have them.
 * SPDX-License-Identifier: MIT
 *
 *     u32 rows, u32 dimension, then rows x dimension elements; little-endian
 *
 * The ending says of which type: .fbin f32, .f16bin f16, .i8bin and .u8bin bytes.
 */
#ifndef MMK_BENCH_BIN_H
#define MMK_BENCH_BIN_H

#include "vectors.h"

/* v->stored says the type. The file must be exactly as long as its first 8 bytes say. False: error
 * is one sentence. */
bool bin_read(struct input *in, struct vectors *v);

#endif
