/* open_vectors.c - which format a file of embeddings has.
 * SPDX-License-Identifier: MIT
 */
#include "open_vectors.h"

#include "fbin.h"
#include "npy.h"

#include <string.h>

bool vectors_open(const char *path, struct vectors *vectors, char *error, size_t error_bytes)
{
    const char *dot = strrchr(path, '.');
    if (dot && strcmp(dot, ".fbin") == 0)
        return fbin_open(path, vectors, error, error_bytes);
    return npy_open(path, vectors, error, error_bytes);
}
