/* regular.h - opens regular files only: of a FIFO or a device nobody knows when it ends.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_REGULAR_H
#define MMK_BENCH_REGULAR_H

#include <stddef.h>

/* A descriptor to read from and to be closed, and the file's size; -1: error is one sentence. */
int regular_open(const char *path, size_t *size, char *error, size_t error_bytes);

#endif
