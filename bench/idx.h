/* idx.h - images from a gzipped IDX file (the MNIST family's format).
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_IDX_H
#define MMK_BENCH_IDX_H

#include <stdbool.h>
#include <stddef.h>

/* Reads the first `limit` images (fewer where the file has fewer) as floats in [0, 1], one image a
 * row of *pixels = height x width floats. Returns a malloc'd block, or NULL with one sentence in
 * error. */
float *idx_read_images(const char *path, size_t limit, size_t *images, size_t *height,
                       size_t *width, char *error, size_t error_bytes);

#endif
