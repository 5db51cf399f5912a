/* report.h - a run as text: for the terminal, Markdown, CSV.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_REPORT_H
#define MMK_BENCH_REPORT_H

#include "analysis.h"

#include <stdio.h>

/* "1.46 [1.30, 1.56]", with a ? where the interval rests on too few rounds. */
void text_speedup(const struct estimate *speedup, char *text, size_t bytes);

/* "slower than avx2": what analyse_slower finds; "": nothing. */
void text_slower(const struct row *row, char *text, size_t bytes);

void report_terminal(FILE *out, const struct run *run);
void report_csv(FILE *out, const struct run *run);

/* One run: machine, peaks, tables by kernel. heading: the number of # before its title. */
void report_markdown(FILE *out, const struct run *run, int heading);

/* How to read the tables; once a file. */
void report_markdown_legend(FILE *out, int heading);

/* The last line: what was counted. */
void report_summary(FILE *out, const struct run *run);

#endif
