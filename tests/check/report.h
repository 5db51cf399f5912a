/* report.h - what was found: counters per kernel and variant, hashes of all results, failures, TAP
 * and JUnit output.
 * SPDX-License-Identifier: MIT
 *
 * The counters live in memory that is shared with the child process that runs the checks, so that
 * they survive its crash.
 */
#ifndef MMK_REPORT_H
#define MMK_REPORT_H

#include "../../ref/trial.h"
#include "variants.h"

#include <stdio.h>

enum { REPORT_KERNELS = 96, REPORT_FAILURES_SHOWN = 4, GREAT_WORK = 1 << 16 /* products */ };

/* One kernel on one variant. */
struct cell {
    size_t passed, failed, shown, skipped, crashed;
    size_t great; /* checks of GREAT_WORK and more, skipped ones too */
    char skip_reason[160];
    double worst_share;          /* greatest |error| / bound, */
    double worst_abs, worst_ulp; /* and the errors of that trial */
    char worst_where[128];
    char first_failure[512];
};

/* All trials of a kernel, in order. Two runs whose inputs are the same must have the same results:
 * bits do not depend on machine, instruction set, threads or workspace. */
struct digest {
    uint64_t inputs;  /* what was tried: shapes, fills, seeds, and all bytes of the inputs */
    uint64_t results; /* as trial_fingerprint() has them, of the first variant that came through */
    size_t trials;
    size_t last; /* the trial that was counted last: a crash begins one anew */
};

struct report {
    struct cell cell[REPORT_KERNELS][VARIANT_MAX];
    size_t run_failed;      /* what is no kernel's: a run that did not come to its end, say */
    char run_failure[1024]; /* their sentences */
    struct digest digest[REPORT_KERNELS];
};

/* number: of the trial, counted over the whole run. */
void report_digest(struct digest *digest, size_t number, const struct trial *trial,
                   const char *shape);

/* Counts a skip, and keeps why. */
void report_skip(struct cell *cell, const char *reason);

/* Keeps the verdict's errors where they are the cell's worst so far. */
void report_worst(struct cell *cell, const struct verdict *verdict, const char *where);

/* Prints the failure (the first few of a cell) and keeps the first for TAP and JUnit. where names
 * the trial, how what was wrong, again the command that repeats it; NULL: the
 * same bits as the first variant, counted only. */
void report_fail(struct cell *cell, const char *where, const char *how, const char *again);

/* Prints a failure of the run as a whole, and keeps it for TAP and JUnit. */
__attribute__((format(printf, 2, 3))) void report_fail_run(struct report *report,
                                                           const char *format, ...);

/* Worst error per kernel and variant. */
void report_table(const struct report *report, const struct variant *variants, int variant_count);

/* "N passed, N failed, N skipped" */
void report_total(const struct report *report, size_t *passed, size_t *failed, size_t *skipped);

void report_tap(const struct report *report, const struct variant *variants, int variant_count);

/* A new_file: complete, or not there. False: error is one sentence. */
bool report_junit(const struct report *report, const struct variant *variants, int variant_count,
                  const char *path, char *error, size_t error_bytes);

#endif
