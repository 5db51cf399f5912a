/* report.h - accuracy as tables.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_ACCURACY_REPORT_H
#define MMK_BENCH_ACCURACY_REPORT_H

#include "accuracy.h"

#include <stdio.h>

/* level: the number of # before the title. */
void accuracy_report(FILE *out, const struct accuracy *accuracy, int level);

/* The worst errors of kernels; nothing where none were measured. */
void accuracy_report_kernels(FILE *out, const struct accuracy *accuracy, int level);

#endif
