/* plot.h - percent of peak by kernel and instruction set, as SVG through gnuplot.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_PLOT_H
#define MMK_BENCH_PLOT_H

#include "run.h"

/* "percent-of-peak.svg", or with a CPU's slug "percent-of-peak-<slug>.svg". */
void plot_name(const char *slug, char *name, size_t bytes);

/* Writes the plot of the single-threaded cases. Without gnuplot it says so on stderr, and leaves
 * what is there alone. False: error is one sentence. */
bool plot_percent_of_peak(const struct run *run, const char *path, char *error, size_t error_bytes);

#endif
