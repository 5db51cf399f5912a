/* bars.h - figures between 0 and 1 as bars, in groups and panels, through gnuplot.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_STUDY_BARS_H
#define MMK_STUDY_BARS_H

#include <stddef.h>

/* Side by side in a panel stand groups, in each of them one bar for each of the series. */
struct bars {
    const char *title;
    size_t panels, groups, series;
    const char *const *panel_name, *const *group_name, *const *series_name;
    const double *value; /* panels x groups x series */
};

/* Ends the program where path cannot be written; without gnuplot it says so and goes on. */
void bars_make(const struct bars *bars, const char *path);

#endif
