/* gate_report.h - a gate's rows and verdict, for a terminal, as Markdown and as JUnit's XML.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_GATE_REPORT_H
#define MMK_BENCH_GATE_REPORT_H

#include "../timing/gate.h"

#include <stdio.h>

void gate_report_text(FILE *out, const struct gate *gate);
void gate_report_markdown(FILE *out, const struct gate *gate);

/* A failure for REGRESSED, an error for what was not compared, skipped for INCONCLUSIVE. */
void gate_report_junit(FILE *out, const struct gate *gate);

#endif
