/* heatmap.h - a table of figures between 0 and 1 as a heat map, through gnuplot.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_STUDY_HEATMAP_H
#define MMK_STUDY_HEATMAP_H

#include <stddef.h>

enum { HEATMAP_NAME = 96 };

struct heatmap {
    const char *title;
    size_t rows, cols;
    char (*row_name)[HEATMAP_NAME];
    const char *const *col_name;
    const double *value; /* rows x cols; NaN: nothing is there */
};

/* Ends the program where path cannot be written; without gnuplot it says so and goes on. */
void heatmap_make(const struct heatmap *map, const char *path);

#endif
