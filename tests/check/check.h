/* check.h - runs every trial that was asked for on every variant, and judges what comes back.
 * SPDX-License-Identifier: MIT
 *
 * A check is one kernel, variant (instruction set and thread count), shape, fill and pass (where
 * the buffers lie, see guard.h). Its outputs are judged against the double oracle within the
 * derived bound and must have the bits of every other variant and pass that is made (passed_over in
 * check.c says which are not); nothing but the outputs may have changed. In one check of each
 * trial, every output is also asked alone: it must have the same bits.
 */
#ifndef MMK_CHECK_CHECK_H
#define MMK_CHECK_CHECK_H

#include "crash.h"
#include "library.h"
#include "options.h"
#include "place.h"
#include "report.h"
#include "variants.h"

/* One run of the program. */
struct run {
    struct options options;
    struct variant variants[VARIANT_MAX];
    int variant_count;
    bool chosen[VARIANT_MAX];
    struct report *report;   /* shared */
    struct crash_note *note; /* shared */
    size_t first;            /* checks before this one have been done by an earlier child */
    size_t ordinal;
    size_t trial; /* the one that runs: how many checks came before it */
    struct places places;
    struct isa_row row;            /* in use */
    const struct library *library; /* NULL: our own code is judged */
    const char *version;           /* of our own code, whatever is judged */
    int numerics;
};

/* Calls visit for every chosen kernel (its index), shape, fill and seed. */
void check_each(struct run *run,
                void (*visit)(struct run *run, size_t kernel, const struct shape *shape,
                              const char *shape_text, enum fill fill, uint64_t seed));

/* For crash_run(), with the run as context: all checks from number first on, and what a crash
 * costs. */
void check_run(void *context, size_t first);
void check_crashed(void *context);

#endif
