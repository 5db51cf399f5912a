/* mapping.h - a whole file in memory, mapped and not copied.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_MAPPING_H
#define MMK_BENCH_MAPPING_H

#include <stdbool.h>
#include <stddef.h>

struct mapping {
    const unsigned char *bytes; /* NULL: nothing is mapped */
    size_t size;
};

/* Maps a file to read it; it may be larger than memory. Files that are not there, no regular files
 * or empty are refused: error is one sentence. */
bool mapping_open(struct mapping *mapping, const char *path, char *error, size_t error_bytes);
void mapping_close(struct mapping *mapping);

#endif
