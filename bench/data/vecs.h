/* vecs.h - .fvecs and .bvecs files, as the data sets of TEXMEX (SIFT, GIST) have them.
 * SPDX-License-Identifier: MIT
 *
 *     each row: i32 dimension, then so many f32 (.fvecs) or u8 (.bvecs); little-endian
 *
 * Rows of .fvecs are used where they lie, with their dimensions between them.
 */
#ifndef MMK_BENCH_VECS_H
#define MMK_BENCH_VECS_H

#include "vectors.h"

/* v->stored says the type. All rows must have one dimension: the whole file is looked at. False:
 * error is one sentence. */
bool vecs_read(struct input *in, struct vectors *v);

#endif
