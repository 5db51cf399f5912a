/* plot.c - accuracy as SVG: the error of a gradient's sum against its length.
 * SPDX-License-Identifier: MIT
 */
#include "plot.h"

#include "../base/figure.h"

#include <math.h>
#include <stdio.h>

const char *accuracy_plot_name(enum accuracy_plot plot)
{
    return plot == ACCURACY_NORMAL ? "accuracy" : "accuracy-equal";
}

const char *accuracy_plot_title(enum accuracy_plot plot)
{
    return plot == ACCURACY_NORMAL ? "Error of a gradient's sum against its length: normal rows"
                                   : "Error of a gradient's sum against its length: equal rows";
}

/* The greater of dX's error at 256 x length and of dY's at length x 256. */
static double error_at(const struct accuracy *a, size_t loss, bool equal, enum judged judged,
                       size_t length)
{
    double error = 0.0;
    for (size_t i = 0; i < a->count; i++) {
        const struct accuracy_point *p = &a->points[i];
        if (p->loss != loss || p->equal != equal)
            continue;
        if (p->x_long && p->m == length)
            error = fmax(error, p->error[judged][OUT_DY]);
        if (!p->x_long && p->n == length)
            error = fmax(error, p->error[judged][OUT_DX]);
    }
    return error;
}

static void add_line(struct figure *figure, const struct accuracy *a, size_t loss, bool equal,
                     enum judged judged)
{
    static const char *const colours[ACCURACY_LOSSES] = {"#2a78b5", "#c8501e", "#2e8b57", "#7b3fa0",
                                                         "#8a6d00"};
    struct line *line = figure_line(figure);
    *line = (struct line){.colour = colours[loss], .dashed = judged == JUDGED_TORCH};
    snprintf(line->name, sizeof line->name, "%s %s", judged == JUDGED_TORCH ? "PyTorch" : "mmk",
             accuracy_loss(loss));
    for (size_t i = 0; i < a->count; i++) {
        const struct accuracy_point *p = &a->points[i];
        size_t length = p->m > p->n ? p->m : p->n;
        if (line->count > 0 && line->x[line->count - 1] >= (double)length)
            continue;
        double error = error_at(a, loss, equal, judged, length);
        line_add(line, (double)length, error, error, error);
    }
}

bool accuracy_plot_draw(struct new_file *n, const struct accuracy *a, enum accuracy_plot plot,
                        const char *path, char *error, size_t error_bytes)
{
    static struct figure figure;
    figure = (struct figure){.x_title = "rows that are summed over",
                             .y_title = "max |error| / max |right| of dX or dY",
                             .log_x = true,
                             .log_y = true};
    snprintf(figure.title, sizeof figure.title, "%s (%d x n, n x %d, d = %d)",
             accuracy_plot_title(plot), ACCURACY_SHORT, ACCURACY_SHORT, ACCURACY_DIM);
    machine_text_day(&a->machine, figure.day, sizeof figure.day);
    for (size_t loss = 0; loss < ACCURACY_LOSSES; loss++)
        for (int judged = 0; judged < JUDGED_COUNT; judged++)
            if (judged != JUDGED_EXCESS)
                add_line(&figure, a, loss, plot == ACCURACY_EQUAL, (enum judged)judged);
    figure_drop_empty(&figure);
    return figure.count == 0 || figure_draw(n, &figure, path, error, error_bytes);
}
