/* memory.c - memory for what is always small, without which there is no right result.
 * SPDX-License-Identifier: MIT
 */
#include "memory.h"

#include "console.h"

#include <stdlib.h>

void *memory_grow(void *old, size_t count, size_t bytes)
{
    size_t size;
    void *memory = NULL;
    if (!__builtin_mul_overflow(count, bytes, &size))
        memory = realloc(old, size ? size : 1);
    if (!memory)
        refuse("there is no memory for %zu times %zu bytes; close something", count, bytes);
    return memory;
}

void *memory_new(size_t count, size_t bytes)
{
    return memory_grow(NULL, count, bytes);
}
