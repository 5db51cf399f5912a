/* saved.h - what `mmk-check --json` wrote, read back.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_MERGE_SAVED_H
#define MMK_MERGE_SAVED_H

#include "../check/host.h"
#include "../check/report.h"

#include <stdbool.h>
#include <stddef.h>

enum { SAVED_TEXT = 320 };

/* One kernel on one variant. */
struct saved_cell {
    char variant[64], skip_reason[SAVED_TEXT], first_failure[512];
    size_t passed, failed, skipped;
    double worst_share; /* of the bound */
};

struct saved_kernel {
    size_t trials;
    char inputs[20], results[20]; /* hashes */
    struct saved_cell cell[VARIANT_MAX];
    int cells;
};

/* A run. Texts are one line each. */
struct saved {
    const char *path;
    char id[40], mmk[64], commit[64];
    int numerics;
    bool of_library; /* --library, whose versions are these */
    char library_mmk[64];
    int library_numerics;
    char architecture[32], cpu[96], evidence[SAVED_TEXT];
    enum host_kind kind;
    char seed[24];
    size_t repeat;
    bool quick, oracle;
    char threads[64];                                                      /* "1,3,2" */
    char only_kernel[512], only_shape[512], only_fill[512], only_isa[512]; /* "" where all ran */
    bool finished;
    size_t passed, failed, skipped;
    struct saved_kernel kernel[REPORT_KERNELS]; /* in the order of kernels[] */
};

/* False: error is one sentence that names the file. */
bool saved_read(struct saved *run, const char *path, char *error, size_t error_bytes);

/* The variant of a kernel; NULL: the run has none of it. */
const struct saved_cell *saved_cell(const struct saved *run, size_t kernel, const char *variant);

#endif
