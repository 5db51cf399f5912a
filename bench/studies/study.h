/* study.h - what the studies share: options, verdicts, where the time went.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_STUDY_STUDY_H
#define MMK_STUDY_STUDY_H

#include "trainer.h"

#include <stdbool.h>
#include <stdint.h>

struct options {
    const char *selected, *perturbed; /* NULL: not given */
    bool dependent;
    const char *loss, *svg;
    uint64_t seed;
    size_t steps; /* 0: the study's own */
    int threads;
};

/* Exit statuses as in console.h: EXIT_WRONG where a target was missed. */
int misalignment_run(const struct options *options);
int multiplicity_run(const struct options *options);

/* ---- Verdicts ---- */

enum { MOST_VERDICTS = 64 };

struct verdicts {
    struct {
        char what[96], needed[32];
        double reached;
        bool pass;
    } list[MOST_VERDICTS];
    size_t count;
};

void verdict_least(struct verdicts *v, double reached, double least, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void verdict_most(struct verdicts *v, double reached, double most, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Prints them; the exit status. */
int verdicts_print(const struct verdicts *v);

/* ---- Time ---- */

/* Of training, in seconds of the clock. */
struct shares {
    double all, loss, products;
};

void shares_add(struct shares *shares, const struct trainer *trainer);
void shares_print(const struct shares *shares, double seconds, size_t settings, int threads);

/* "avx512" */
const char *isa_in_use(void);

#endif
