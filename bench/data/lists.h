/* lists.h - a text file of lists of indices, one a line.
 * SPDX-License-Identifier: MIT
 *
 *     3 17 4        indices from 0, separated by spaces, or by
 *     2, 9          commas;
 *                   an empty line is an empty list
 */
#ifndef MMK_BENCH_LISTS_H
#define MMK_BENCH_LISTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Line i has items row_start[i] .. row_start[i + 1] - 1: the rows of a struct mmk_csr. */
struct lists {
    size_t lines;
    size_t *row_start;
    uint32_t *items;
};

/* False: error is one sentence that names the file, the line and the remedy. */
bool lists_read(const char *path, struct lists *lists, char *error, size_t error_bytes);
void lists_free(struct lists *lists);

/* 1 more than the greatest item; 0 where there is none. */
size_t lists_bound(const struct lists *lists);

/* What each line lists, of n items, turned round: line j of `to` lists the lines of `from` that
 * have the item j. False: no memory. */
bool lists_transpose(const struct lists *from, size_t n, struct lists *to);

#endif
