/* plot.h - the curves of a run as SVG.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_CURVES_PLOT_H
#define MMK_BENCH_CURVES_PLOT_H

#include "../base/new_file.h"
#include "../timing/run.h"

enum plot_curve { PLOT_TIME, PLOT_SPEED, PLOT_MEMORY, PLOT_WORKSPACE, PLOT_SEARCH, PLOT_CURVES };

const char *plot_curve_name(enum plot_curve plot);  /* "infonce-time" */
const char *plot_curve_title(enum plot_curve plot); /* for a reader who cannot see it */

/* Whether the run has points for it. */
bool plot_curve_drawn(const struct run *run, enum plot_curve plot);

/* Makes it, as plot_make does. */
bool plot_curve_draw(struct new_file *n, const struct run *run, enum plot_curve plot,
                     const char *path, char *error, size_t error_bytes);

#endif
