/* report.h - the curves of a run as tables.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_CURVES_REPORT_H
#define MMK_BENCH_CURVES_REPORT_H

#include "../timing/run.h"

#include <stdio.h>

/* A table for each of the curves that the run has. level: the number of # before the title. */
void curve_report(FILE *out, const struct run *run, int level);

/* The points of memory as comma-separated values. What is timed are rows as any: report_csv. */
void curve_memory_csv(FILE *out, const struct run *run);

#endif
