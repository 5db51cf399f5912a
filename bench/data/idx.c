/* idx.c - images and labels from gzipped IDX files (the MNIST family's format).
 * SPDX-License-Identifier: MIT
 *
 *     u32 big-endian: 0x00000803 (unsigned bytes, 3 dimensions), images, height, width; the bytes
 *     u32 big-endian: 0x00000801 (unsigned bytes, 1 dimension), labels; the bytes
 */
#include "idx.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

static bool read_exactly(gzFile file, void *buffer, size_t bytes)
{
    return bytes <= INT_MAX && gzread(file, buffer, (unsigned)bytes) == (int)bytes;
}

static uint32_t big_endian(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static gzFile open_file(const char *path, char *error, size_t error_bytes)
{
    gzFile file = gzopen(path, "rb");
    if (!file)
        snprintf(error, error_bytes, "%s is not there; `make deps` installs it", path);
    return file;
}

static float *read_open_file(gzFile file, const char *path, size_t limit, size_t *images,
                             size_t *height, size_t *width, char *error, size_t error_bytes)
{
    unsigned char head[16];
    if (!read_exactly(file, head, sizeof head) || big_endian(head) != 0x00000803u) {
        snprintf(error, error_bytes,
                 "%s: this is no IDX file of images; reinstall dataset-fashion-mnist", path);
        return NULL;
    }
    size_t count = big_endian(head + 4);
    *height = big_endian(head + 8);
    *width = big_endian(head + 12);
    if (count > limit)
        count = limit;
    size_t pixels = *height * *width;
    if (count == 0 || pixels == 0 || pixels > 1u << 20) {
        snprintf(error, error_bytes, "%s: it holds no images; reinstall dataset-fashion-mnist",
                 path);
        return NULL;
    }
    float *result = malloc(count * pixels * sizeof *result);
    unsigned char *row = malloc(pixels);
    bool good = result && row;
    for (size_t i = 0; good && i < count; i++) {
        good = read_exactly(file, row, pixels);
        for (size_t j = 0; good && j < pixels; j++)
            result[i * pixels + j] = (float)row[j] / 255.0f;
    }
    free(row);
    if (!good) {
        snprintf(error, error_bytes, "%s: it is truncated; reinstall dataset-fashion-mnist", path);
        free(result);
        return NULL;
    }
    *images = count;
    return result;
}

float *idx_read_images(const char *path, size_t limit, size_t *images, size_t *height,
                       size_t *width, char *error, size_t error_bytes)
{
    gzFile file = open_file(path, error, error_bytes);
    if (!file)
        return NULL;
    float *result = read_open_file(file, path, limit, images, height, width, error, error_bytes);
    gzclose(file);
    return result;
}

unsigned char *idx_read_labels(const char *path, size_t count, char *error, size_t error_bytes)
{
    unsigned char head[8];
    gzFile file = open_file(path, error, error_bytes);
    if (!file)
        return NULL;
    unsigned char *labels = malloc(count);
    bool good = labels && read_exactly(file, head, sizeof head) &&
                big_endian(head) == 0x00000801u && big_endian(head + 4) == count &&
                read_exactly(file, labels, count);
    gzclose(file);
    if (!good) {
        snprintf(error, error_bytes,
                 "%s: this is no IDX file of %zu labels; reinstall dataset-fashion-mnist", path,
                 count);
        free(labels);
        return NULL;
    }
    return labels;
}
