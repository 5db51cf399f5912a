/* new_file.h - a file that takes its place, by rename, once it is complete.
 * SPDX-License-Identifier: MIT
 *
 * Until then it is PATH.<pid>.part, locked. Whoever is ended by a signal that can be caught removes
 * it first, and dies of the signal; those of a run that was killed are removed by the next.
 * Devices, FIFOs, symbolic links and folders at PATH are refused, for a rename would replace them.
 */
#ifndef MMK_BENCH_NEW_FILE_H
#define MMK_BENCH_NEW_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Stays where it is from open until it is placed or dropped. */
struct new_file {
    FILE *file; /* NULL: there is none */
    char path[4096], temporary[4096];
    struct new_file *next; /* another that is open */
};

/* Whether there can be one: asked before a long run. False, here and below: error is one
 * sentence. */
bool new_file_possible(const char *path, char *error, size_t error_bytes);

bool new_file_open(struct new_file *n, const char *path, char *error, size_t error_bytes);

/* Brings it to the disk, whole: what is left to do is a rename. good: all that was to be written
 * has been; else, or where the disk is full, nothing is left of it. */
bool new_file_finish(struct new_file *n, bool good, char *error, size_t error_bytes);

/* Puts a finished one in its place. One that is not open: nothing to do. */
bool new_file_place(struct new_file *n, char *error, size_t error_bytes);

/* Removes it, whether finished or not. Whatever is open when the program exits is dropped. */
void new_file_drop(struct new_file *n);

/* Finishes and places it. */
bool new_file_close(struct new_file *n, bool good, char *error, size_t error_bytes);

/* Removes what killed runs left in a folder; name: of that file alone, NULL: of any. */
void new_file_clean(const char *folder, const char *name);

#endif
