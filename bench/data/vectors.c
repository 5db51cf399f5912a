/* vectors.c - a matrix of embeddings in memory, mapped or its own.
 * SPDX-License-Identifier: MIT
 */
#include "vectors.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

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
