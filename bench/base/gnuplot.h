/* gnuplot.h - runs gnuplot on a script, and names the files that come out.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_GNUPLOT_H
#define MMK_BENCH_GNUPLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* "<plot>.svg", or with a CPU's slug "<plot>-<slug>.svg". */
void plot_name(const char *plot, const char *slug, char *name, size_t bytes);

/* Runs gnuplot on a script whose output goes to `output`, and puts that in its place at path once
 * it is whole. Without gnuplot it says so on stderr, and leaves what is there alone. False: error
 * is one sentence. */
bool plot_make(const char *path,
               void (*write_script)(FILE *gnuplot, const char *output, const void *context),
               const void *context, char *error, size_t error_bytes);

#endif
