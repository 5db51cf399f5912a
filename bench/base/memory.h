/* memory.h - memory for what is always small, without which there is no right result; and how much
 * there is.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_MEMORY_H
#define MMK_BENCH_MEMORY_H

#include <stddef.h>

/* As malloc and realloc, of count elements (0 too) of `bytes` each; where there is no memory the
 * program ends with a sentence and exit status 2, rather than go on with less. */
void *memory_new(size_t count, size_t bytes);
void *memory_grow(void *old, size_t count, size_t bytes);

/* Bytes that can be had without swapping, as the kernel estimates it; INFINITY where it does not
 * say. */
double memory_available(void);

#endif
