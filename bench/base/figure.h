/* figure.h - lines in one plot, as SVG: each is named at its end in its own colour, so that nobody
 * has to go back and forth between lines and a key.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_FIGURE_H
#define MMK_BENCH_FIGURE_H

#include "new_file.h"

enum { FIGURE_LINES = 14, FIGURE_POINTS = 32 };

struct line {
    char name[64];
    const char *colour;
    bool dashed;
    bool reference; /* a limit, not a measurement: thin and without marks */
    size_t count;
    double x[FIGURE_POINTS], y[FIGURE_POINTS], low[FIGURE_POINTS], high[FIGURE_POINTS];
};

struct figure {
    char title[128];
    const char *x_title, *y_title;
    char day[160]; /* under the title: the machine and the day */
    bool log_x, log_y;
    double y_least, y_most; /* 0: from the data */
    struct line lines[FIGURE_LINES];
    size_t count;
};

/* A new line, or where there are too many the last once more. */
struct line *figure_line(struct figure *figure);

/* The line of a limit, with its name. */
struct line *figure_reference(struct figure *figure, const char *name);

/* A point, unless y is 0 or NaN; without an interval where low and high are none around it. */
void line_add(struct line *line, double x, double y, double low, double high);

/* Leaves out the lines without a point. */
void figure_drop_empty(struct figure *figure);

/* Makes it, as plot_make does. There must be a line. */
bool figure_draw(struct new_file *n, const struct figure *figure, const char *path, char *error,
                 size_t error_bytes);

#endif
