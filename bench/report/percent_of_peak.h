/* percent_of_peak.h - plots as SVG through gnuplot; here percent of peak by kernel and instruction set.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_PLOT_H
#define MMK_BENCH_PLOT_H

#include "../timing/run.h"

#include <stdio.h>

/* "<plot>.svg", or with a CPU's slug "<plot>-<slug>.svg". */
void plot_name(const char *plot, const char *slug, char *name, size_t bytes);

/* Writes the plot of the single-threaded cases. Without gnuplot it says so on stderr, and leaves
 * what is there alone. False: error is one sentence. */
bool plot_percent_of_peak(const struct run *run, const char *path, char *error, size_t error_bytes);

/* Runs gnuplot on a script whose output goes to `output`, and puts that in its place at path once
 * it is whole. Without gnuplot as above. False: error is one sentence. */
bool plot_make(const char *path,
               void (*write_script)(FILE *gnuplot, const char *output, const void *context),
               const void *context, char *error, size_t error_bytes);

/* The colour of a variant, "#c8501e": each instruction set has one of its own, other libraries take
 * the next of some more. */
const char *plot_colour(const char *variant, size_t *others);

#endif
