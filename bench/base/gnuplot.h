/* gnuplot.h - runs gnuplot on a script, and names the files that come out.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_GNUPLOT_H
#define MMK_BENCH_GNUPLOT_H

#include "new_file.h"

/* "<plot>.svg", or with a CPU's slug "<plot>-<slug>.svg". */
void plot_name(const char *plot, const char *slug, char *name, size_t bytes);

/* Writes a script's string, quoted: whatever the text is, gnuplot and the shell take nothing in
 * it for a command. */
void plot_text(FILE *gnuplot, const char *text);

/* The same of the name of a tick, which is a format. */
void plot_tick_text(FILE *gnuplot, const char *text);

/* Runs gnuplot on a script that plots an SVG to the standard output, and finishes a new file of it,
 * which is to be placed at path. Without gnuplot it says so on stderr, and there is no file to be
 * placed: what is there stays. False: error is one sentence. */
bool plot_make(struct new_file *n, const char *path,
               void (*write_script)(FILE *gnuplot, const void *context), const void *context,
               char *error, size_t error_bytes);

#endif
