/* program.h - one of the two builds that a gate compares, started again and again.
 * SPDX-License-Identifier: MIT
 *
 * How fast a file is executed depends on which pages of memory its copy in the page cache has, by
 * up to a fifth, for as long as it stays there. So every start executes another copy, in memory.
 */
#ifndef MMK_BENCH_PROGRAM_H
#define MMK_BENCH_PROGRAM_H

#include "../base/child.h"

enum {
    PROGRAM_COPIES = 24
}; /* made in advance: then starts do not move the pages of what is timed */

struct program {
    const char *path;
    int copies[PROGRAM_COPIES]; /* file descriptors; -1: there is none, path is executed itself */
};

void program_make(struct program *program, const char *path);
void program_free(struct program *program);

/* Starts it with --serve, from a copy that was not used before. False: errno says why. */
bool program_start(struct child *child, struct program *program, uint64_t *state);

#endif
