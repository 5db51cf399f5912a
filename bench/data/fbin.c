/* fbin.c - .fbin files.
 * SPDX-License-Identifier: MIT
 */
#include "fbin.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { HEAD_BYTES = 8 };

/* In double, where 2^32 x 2^32 x 4 does not overflow. */
static bool check_length(const char *path, const struct mapping *file, const uint32_t head[2],
                         char *error, size_t error_bytes)
{
    double wanted = HEAD_BYTES + 4.0 * head[0] * head[1];
    if (head[0] == 0 || head[1] == 0)
        snprintf(error, error_bytes, "%s: holds %u x %u numbers; give at least one row", path,
                 head[0], head[1]);
    else if ((double)file->size != wanted)
        snprintf(error, error_bytes,
                 "%s: %u rows of %u floats and the 8 bytes before them are %.0f bytes, and the "
                 "file has %zu; copy or write it again",
                 path, head[0], head[1], wanted, file->size);
    else
        return true;
    return false;
}

bool fbin_open(const char *path, struct vectors *vectors, char *error, size_t error_bytes)
{
    uint32_t head[2];
    memset(vectors, 0, sizeof *vectors);
    if (!mapping_open(&vectors->file, path, error, error_bytes))
        return false;
    if (vectors->file.size < HEAD_BYTES) {
        snprintf(error, error_bytes,
                 "%s: is too short for a .fbin file, which begins with rows and dimension in 8 "
                 "bytes; write it again",
                 path);
        vectors_close(vectors);
        return false;
    }
    memcpy(head, vectors->file.bytes, sizeof head);
    if (!check_length(path, &vectors->file, head, error, error_bytes)) {
        vectors_close(vectors);
        return false;
    }
    vectors->rows = head[0];
    vectors->cols = head[1];
    vectors->data = (const float *)(const void *)(vectors->file.bytes + HEAD_BYTES);
    snprintf(vectors->dtype, sizeof vectors->dtype, "f32");
    return true;
}
