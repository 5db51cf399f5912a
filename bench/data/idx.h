/* idx.h - images and labels from gzipped IDX files (the MNIST family's format).
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_IDX_H
#define MMK_BENCH_IDX_H

#include <stdbool.h>
#include <stddef.h>

/* Reads the first `limit` images (fewer where the file's head says fewer) as floats in [0, 1],
 * one image a row of *pixels = height x width floats. Returns a malloc'd block, or NULL with one
 * sentence in error. */
float *idx_read_images(const char *path, size_t limit, size_t *images, size_t *height,
                       size_t *width, char *error, size_t error_bytes);

/* Reads the labels of `count` images, all that the file has. A malloc'd block, or NULL likewise. */
unsigned char *idx_read_labels(const char *path, size_t count, char *error, size_t error_bytes);

#endif
