/* child.h - another program that waits for orders, a line each, and answers each with a line.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_CHILD_H
#define MMK_BENCH_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct child {
    pid_t pid; /* 0: there is none */
    FILE *to, *from;
};

/* Starts argv[0] (looked for in PATH where it has no /) with `set`, "NAME=value" each, in its
 * environment besides ours; NULL ends both. False: it cannot be started, errno says why, nothing
 * is to be stopped. */
bool child_start(struct child *child, const char *const *argv, const char *const *set);

/* What child_start_padded says in the environment: the parent's process, so that a child can see
 * whether it still has one. */
#define CHILD_PARENT "MMK_PARENT"

/* The same with a random number of bytes more in its environment: the stack begins behind it, and
 * its place in a page changes speed (Mytkowicz et al. 2009). */
bool child_start_padded(struct child *child, const char *const *argv, uint64_t *random);

/* The same as child_start of one that does not answer, but writes into the file `out`. */
bool child_start_into(struct child *child, const char *const *argv, int out);

/* Ends its input, at which it is to exit, and waits for that. True: it took all of its input and
 * exited with 0. */
bool child_stop(struct child *child);

/* The same, for not longer than so many seconds: then it is killed, and that is no success. */
bool child_stop_within(struct child *child, double seconds);

/* Reads the next line, without its end. False: the child has gone. */
bool child_read(struct child *child, char *answer, size_t bytes);

/* Sends an order and reads the answer. */
bool child_ask(struct child *child, const char *order, char *answer, size_t bytes);

enum child_answer { CHILD_ANSWERED, CHILD_GONE, CHILD_LATE };

/* The same, for not longer than so many seconds; order NULL: reads only, a line at a time. Of one
 * child either all orders are given with this function, or none. */
enum child_answer child_ask_within(struct child *child, const char *order, char *answer,
                                   size_t bytes, double seconds);

/* Ends it whatever it is at; how it ended is then in `how` ("signal 11 (Segmentation fault)", "exit
 * status 1"). Where it has ended by itself it says how. */
void child_kill(struct child *child, char *how, size_t how_bytes);

#endif
