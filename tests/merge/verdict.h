/* verdict.h - what runs say together, as a table, as JUnit XML and as JSON.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_MERGE_VERDICT_H
#define MMK_MERGE_VERDICT_H

#include "join.h"

enum { REQUIRED_MAX = 16 };

struct verdict_of_runs {
    struct saved *runs;
    size_t count;
    struct required required[REQUIRED_MAX];
    size_t required_count;
    bool compared[REPORT_KERNELS]; /* two runs have the same inputs */
    bool differs[REPORT_KERNELS];  /* two runs have other bits for the same inputs */
    bool unjudged[REPORT_KERNELS]; /* results of a run that no oracle has judged */
    size_t passed, failed, skipped, missing;
};

/* Fills in all below required_count. */
void verdict_find(struct verdict_of_runs *v);

/* 0, 1 where something failed, and 3 where nothing did, but something required is missing. */
int verdict_status(const struct verdict_of_runs *v);

void verdict_print(const struct verdict_of_runs *v);

/* New files: complete, or not there. False: error is one sentence. */
bool verdict_junit(const struct verdict_of_runs *v, const char *path, char *error,
                   size_t error_bytes);
bool verdict_json(const struct verdict_of_runs *v, const char *path, char *error,
                  size_t error_bytes);

#endif
