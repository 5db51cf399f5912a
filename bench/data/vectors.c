/* vectors.c - embeddings from a file, one row a vector.
 * SPDX-License-Identifier: MIT
 */
#include "vectors.h"

#include "fbin.h"
#include "npy.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

bool vectors_open(const char *path, struct vectors *vectors, char *error, size_t error_bytes)
{
    const char *dot = strrchr(path, '.');
    if (dot && strcmp(dot, ".fbin") == 0)
        return fbin_open(path, vectors, error, error_bytes);
    return npy_open(path, vectors, error, error_bytes);
}

void vectors_close(struct vectors *vectors)
{
    mapping_close(&vectors->file);
    free(vectors->owned);
    memset(vectors, 0, sizeof *vectors);
}

void vectors_expect(const struct vectors *vectors)
{
    if (vectors->file.bytes)
        madvise((void *)(uintptr_t)vectors->file.bytes, vectors->file.size, MADV_WILLNEED);
}
