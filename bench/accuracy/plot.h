/* plot.h - accuracy as SVG: the error of a gradient's sum against its length.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_ACCURACY_PLOT_H
#define MMK_BENCH_ACCURACY_PLOT_H

#include "../base/new_file.h"
#include "accuracy.h"

enum accuracy_plot { ACCURACY_NORMAL, ACCURACY_EQUAL, ACCURACY_PLOTS };

const char *accuracy_plot_name(enum accuracy_plot plot);  /* "accuracy" */
const char *accuracy_plot_title(enum accuracy_plot plot); /* for a reader who cannot see it */

/* Makes it, as plot_make does; without a point there is no file to be placed. */
bool accuracy_plot_draw(struct new_file *n, const struct accuracy *accuracy,
                        enum accuracy_plot plot, const char *path, char *error, size_t error_bytes);

#endif
