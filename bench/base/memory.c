/* memory.c - memory for what is always small, without which there is no right result; and how much
 * there is.
 * SPDX-License-Identifier: MIT
 */
#include "memory.h"

#include "console.h"

#include <math.h>
#include <stdio.h>
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

double memory_available(void)
{
    char line[256];
    double kilobytes = INFINITY;
    FILE *file = fopen("/proc/meminfo", "re");
    while (file && fgets(line, sizeof line, file) &&
           sscanf(line, "MemAvailable: %lf kB", &kilobytes) != 1)
        continue;
    if (file)
        fclose(file);
    return 1024.0 * kilobytes;
}
