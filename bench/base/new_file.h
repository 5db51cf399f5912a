/* new_file.h - a file that takes its place, by rename, once it is complete.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_NEW_FILE_H
#define MMK_BENCH_NEW_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct new_file {
    FILE *file;
    char temporary[4096];
    const char *path;
};

/* Whether there can be one: asked before a long run. False, here and below: error is one
 * sentence. */
bool new_file_possible(const char *path, char *error, size_t error_bytes);

bool new_file_open(struct new_file *n, const char *path, char *error, size_t error_bytes);

/* good: all that was to be written has been; else, or where the disk is full, nothing is left. */
bool new_file_close(struct new_file *n, bool good, char *error, size_t error_bytes);

#endif
