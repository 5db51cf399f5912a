/* join.h - whether runs belong together, what they say of each other, and what none of them did.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_MERGE_JOIN_H
#define MMK_MERGE_JOIN_H

#include "saved.h"

enum { RUNS_MAX = 26 }; /* they are called A to Z */

/* What must have been checked: an instruction set, perhaps only on machines of one kind. */
struct required {
    const char *text; /* "neon:native" */
    char isa[32];
    bool any_kind;
    enum host_kind kind;
    bool missing[REPORT_KERNELS];
    size_t missing_count;
};

/* How a kernel's bits in one run stand to those of the others with the same inputs. */
enum bits { BITS_ALONE, BITS_SAME, BITS_DIFFER };

/* False: text names no instruction set, or no kind of machine; error is one sentence. */
bool required_parse(struct required *required, const char *text, char *error, size_t error_bytes);

/* Whether one verdict over them means something: all finished, of one version, none twice. False:
 * error is one sentence that names the files. */
bool join_possible(const struct saved *runs, size_t count, char *error, size_t error_bytes);

/* Of kernel k in a run; with: the letters of the others that it was compared with. */
enum bits join_bits(const struct saved *runs, size_t count, size_t run, size_t k,
                    char with[RUNS_MAX + 1]);

/* Whether the oracle has judged a run's results of a kernel: in it, or in one with the same. */
bool join_judged(const struct saved *runs, size_t count, size_t run, size_t k);

/* Finds the kernels that no run checked so. A run counts for a kernel whose whole sweep it tried:
 * not one that was narrowed by --shape or --fill. */
void required_find(struct required *required, const struct saved *runs, size_t count);

/* Why this run does not count for the kernel. */
void required_why(const struct required *required, const struct saved *run, size_t k, char *text,
                  size_t bytes);

#endif
