/* figure.c - lines in one plot, as SVG.
 * SPDX-License-Identifier: MIT
 */
#include "figure.h"

#include "gnuplot.h"

#include <math.h>

/* ---- Lines ----------------------------------------------------------------------------------- */

struct line *figure_line(struct figure *figure)
{
    return &figure->lines[figure->count < FIGURE_LINES ? figure->count++ : FIGURE_LINES - 1];
}

void line_add(struct line *line, double x, double y, double low, double high)
{
    if (line->count == FIGURE_POINTS || !(y > 0.0))
        return;
    line->x[line->count] = x;
    line->y[line->count] = y;
    bool interval = low > 0.0 && low <= y && y <= high && isfinite(high);
    line->low[line->count] = interval ? low : y;
    line->high[line->count++] = interval ? high : y;
}

void figure_drop_empty(struct figure *figure)
{
    size_t left = 0;
    for (size_t l = 0; l < figure->count; l++)
        if (figure->lines[l].count > 0)
            figure->lines[left++] = figure->lines[l];
    figure->count = left;
}

struct line *figure_reference(struct figure *figure, const char *name)
{
    struct line *line = figure_line(figure);
    *line = (struct line){.colour = "#333333", .reference = true};
    snprintf(line->name, sizeof line->name, "%s", name);
    return line;
}

/* ---- Drawing --------------------------------------------------------------------------------- */

struct range {
    double least, most;
};

static struct range range_of(const struct figure *figure, bool y)
{
    struct range r = {(double)INFINITY, 0.0};
    for (size_t l = 0; l < figure->count; l++)
        for (size_t i = 0; i < figure->lines[l].count; i++) {
            const struct line *line = &figure->lines[l];
            r.least = fmin(r.least, y ? line->low[i] : line->x[i]);
            r.most = fmax(r.most, y ? line->high[i] : line->x[i]);
        }
    return r;
}

/* A little room around the data. */
static struct range axis_of(const struct figure *figure, bool y)
{
    struct range r = range_of(figure, y);
    if (y ? figure->log_y : figure->log_x) {
        double room = y ? 1.5 : 1.15;
        return (struct range){r.least / room, r.most * room};
    }
    if (y && figure->y_most > 0.0)
        return (struct range){figure->y_least, figure->y_most};
    return (struct range){0.0, r.most * (y ? 1.08 : 1.02)};
}

/* Where a value lies on an axis: 0 to 1. */
static double place(double value, struct range axis, bool logarithmic)
{
    if (logarithmic)
        return log(value / axis.least) / log(axis.most / axis.least);
    return (value - axis.least) / (axis.most - axis.least);
}

/* Where the name of a line would stand by itself: at its end, or where a line that ends before the
 * others would have gone on to. */
static double place_end(const struct figure *figure, const struct line *line, struct range y_axis,
                        double right)
{
    size_t last = line->count - 1;
    double y = place(line->y[last], y_axis, figure->log_y);
    if (!figure->log_x || last == 0 || line->x[last] == right)
        return y;
    double before = place(line->y[last - 1], y_axis, figure->log_y);
    return y + (y - before) * log(right / line->x[last]) / log(line->x[last] / line->x[last - 1]);
}

/* Where the names of the lines stand on the right side, from 0 to 1: at the ends of the lines, but
 * not on each other. */
static void place_names(const struct figure *figure, struct range y_axis, double right,
                        double *places)
{
    const double gap = 0.042;
    size_t order[FIGURE_LINES], count = figure->count;
    for (size_t l = 0, at; l < count; l++) {
        places[l] = place_end(figure, &figure->lines[l], y_axis, right);
        for (at = l; at > 0 && places[order[at - 1]] > places[l]; at--)
            order[at] = order[at - 1];
        order[at] = l;
    }
    /* A crowd is spread around its middle: upwards from the lowest, then all of it down by half of
     * what the highest was moved. */
    for (size_t first = 0, next; first < count; first = next) {
        double moved = 0.0, last = places[order[first]];
        for (next = first + 1; next < count && places[order[next]] < last + gap; next++) {
            moved = last + gap - places[order[next]];
            last = places[order[next]] = last + gap;
        }
        for (size_t i = first; i < next; i++)
            places[order[i]] -= moved / 2.0;
    }
    /* Crowds may have met, or left the plot. */
    double most = 1.0;
    for (size_t i = count; i-- > 0; most = places[order[i]] - gap)
        places[order[i]] = fmin(places[order[i]], most);
    double least = 0.0;
    for (size_t i = 0; i < count; least = places[order[i++]] + gap)
        places[order[i]] = fmax(places[order[i]], least);
}

static void write_axes(FILE *out, const struct figure *figure, struct range x, struct range y)
{
    fprintf(out, "set xrange [%g:%g]\nset yrange [%g:%g]\n", x.least, x.most, y.least, y.most);
    fprintf(out, "set xlabel \"%s\"\nset ylabel \"%s\" offset 1,0\n", figure->x_title,
            figure->y_title);
    if (figure->log_y)
        fprintf(out, "set logscale y 10\nset mytics 10\n");
    if (figure->log_x) {
        fprintf(out, "set logscale x 2\nset xtics (");
        const char *join = "";
        for (double tick = 1.0; tick <= x.most; tick *= 2.0) {
            if (tick < x.least)
                continue;
            fprintf(out, "%s%.0f", join, tick);
            join = ", ";
        }
        fprintf(out, ")\n");
    }
    fprintf(out, "set xtics nomirror out textcolor rgb '#444444'\n"
                 "set ytics nomirror out textcolor rgb '#444444'\nset format y \"%%g\"\n"
                 "set border 3 lc rgb '#999999'\nset grid lt 1 lc rgb '#e4e4e4'\nunset key\n");
}

static void write_script(FILE *out, const void *context)
{
    const struct figure *figure = context;
    struct range x = axis_of(figure, false), y = axis_of(figure, true);
    double right = range_of(figure, false).most, places[FIGURE_LINES];
    char name[128];
    fprintf(out, "set encoding utf8\n"
                 "set terminal svg size 1000,600 dynamic font 'Helvetica,Arial,sans-serif,13' "
                 "background rgb 'white' noenhanced\nset title ");
    plot_text(out, figure->title);
    fprintf(out, ".\"\\n\".");
    plot_text(out, figure->day);
    fprintf(out,
            " font \",16\" offset 0,0.3\n"
            "set lmargin at screen 0.095\nset rmargin at screen 0.78\nset tmargin 5\nset bmargin "
            "4.5\n");
    write_axes(out, figure, x, y);
    place_names(figure, y, right, places);
    for (size_t l = 0; l < figure->count; l++) {
        const struct line *line = &figure->lines[l];
        double end = line->x[line->count - 1];
        char until[32] = "";
        if (figure->log_x && end < right)
            snprintf(until, sizeof until, ", to %.0f", end);
        snprintf(name, sizeof name, "%s%s", line->name, until);
        fprintf(out, "set label ");
        plot_text(out, name);
        fprintf(out, " at graph 1, graph %.4f left offset 0.8,0 textcolor rgb '%s'\n", places[l],
                line->colour);
        fprintf(out, "$line%zu << EOD\n", l);
        for (size_t i = 0; i < line->count; i++)
            fprintf(out, "%.8g %.6g %.6g %.6g\n", line->x[i], line->y[i], line->low[i],
                    line->high[i]);
        fprintf(out, "EOD\n");
    }
    for (size_t l = 0; l < figure->count; l++) {
        const struct line *line = &figure->lines[l];
        fprintf(out, "%s$line%zu using 1:2", l == 0 ? "plot " : ", ", l);
        if (line->reference)
            fprintf(out, " with lines lw 1.5 dt (2,3) lc rgb '%s'", line->colour);
        else
            fprintf(out, "%s lw 1.8 pt %d ps 0.7 dt %s lc rgb '%s'",
                    figure->log_y ? " with linespoints" : ":3:4 with yerrorlines",
                    line->dashed ? 6 : 7, line->dashed ? "(7,4)" : "1", line->colour);
    }
    fprintf(out, "\n");
}

bool figure_draw(struct new_file *n, const struct figure *figure, const char *path, char *error,
                 size_t error_bytes)
{
    return plot_make(n, path, write_script, figure, error, error_bytes);
}
