/* lists.h - a file of lists of indices: what is relevant to each query, or rankings.
 * SPDX-License-Identifier: MIT
 *
 * Its name's ending says the format; any other is text.
 *
 *     3 17 4        text: indices from 0, separated by spaces, or by
 *     2, 9          commas, a list a line;
 *                   an empty line is an empty list
 *
 *     .ivecs        a list: i32 length, then so many i32 (TEXMEX)
 *     .ibin         u32 lists n, u32 length k, n x k u32; n x k f32 may follow, distances, which
 *                   are not looked at (the ground truth of big-ann-benchmarks)
 */
#ifndef MMK_BENCH_LISTS_H
#define MMK_BENCH_LISTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* List i has items row_start[i] .. row_start[i + 1] - 1: the rows of a struct mmk_csr. */
struct lists {
    size_t lines;
    bool binary; /* rows of a binary file, not lines */
    size_t *row_start;
    uint32_t *items;
};

/* False: error is one sentence that names the file, the place and the remedy. */
bool lists_read(const char *path, struct lists *lists, char *error, size_t error_bytes);

/* The same of a file whose name says nothing: as one with this ending. */
bool lists_read_as(const char *path, const char *ending, struct lists *lists, char *error,
                   size_t error_bytes);

/* The endings that are known, in their order; NULL after the last. */
const char *lists_ending(size_t number);

/* Lists of so many items, all empty. False: no memory. */
bool lists_allocate(struct lists *lists, size_t lines, size_t items);
void lists_free(struct lists *lists);

/* "line", or of a binary file "row"; and list i as messages name it: "line 3", from 1, as editors
 * count, or "row 2", from 0. */
const char *lists_unit(const struct lists *lists);
struct lists_place {
    char text[32];
};
struct lists_place lists_place(const struct lists *lists, size_t i);

/* 1 more than the greatest item; 0 where there is none. */
size_t lists_bound(const struct lists *lists);

/* What each line lists, of n items, turned round: line j of `to` lists the lines of `from` that
 * have the item j. False: no memory. */
bool lists_transpose(const struct lists *from, size_t n, struct lists *to);

#endif
