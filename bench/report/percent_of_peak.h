/* percent_of_peak.h - a plot as SVG: percent of peak by kernel and instruction set.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_PERCENT_OF_PEAK_H
#define MMK_BENCH_PERCENT_OF_PEAK_H

#include "../base/new_file.h"
#include "../timing/run.h"

/* Makes the plot of the single-threaded cases, as plot_make does; without any there is no file
 * to be placed. False: error is one sentence. */
bool plot_percent_of_peak(struct new_file *n, const struct run *run, const char *path, char *error,
                          size_t error_bytes);

/* The colour of a variant, "#c8501e": each instruction set has one of its own, other libraries take
 * the next of some more. */
const char *plot_colour(const char *variant, size_t *others);

#endif
