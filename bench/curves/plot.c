/* plot.c - the curves of a run as SVG.
 * SPDX-License-Identifier: MIT
 *
 * All four are figures of lines, each named at its end in its own colour, so that nobody has to go
 * back and forth between lines and a key.
 */
#include "plot.h"

#include "../base/gnuplot.h"
#include "../report/percent_of_peak.h"
#include "../timing/plan.h"
#include "points.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINES = CURVE_SERIES + 2, POINTS = 32 };

struct line {
    char name[64];
    const char *colour;
    bool dashed;
    bool reference; /* a limit, not a measurement: thin and without marks */
    size_t count;
    double x[POINTS], y[POINTS], low[POINTS], high[POINTS];
};

struct figure {
    char title[128];
    const char *x_title, *y_title;
    const struct machine *machine;
    bool log_x, log_y;
    double y_least, y_most; /* 0: from the data */
    struct line lines[LINES];
    size_t count;
};

/* ---- Lines ----------------------------------------------------------------------------------- */

/* A new line, or where there are too many the last once more. */
static struct line *next_line(struct figure *figure)
{
    return &figure->lines[figure->count < LINES ? figure->count++ : LINES - 1];
}

static void add_point(struct line *line, double x, double y, double low, double high)
{
    if (line->count == POINTS || !(y > 0.0))
        return;
    line->x[line->count] = x;
    line->y[line->count] = y;
    line->low[line->count] = low;
    line->high[line->count++] = high;
}

/* Series of which no point was measured. */
static void drop_empty(struct figure *figure)
{
    size_t left = 0;
    for (size_t l = 0; l < figure->count; l++)
        if (figure->lines[l].count > 0)
            figure->lines[left++] = figure->lines[l];
    figure->count = left;
}

static struct line *reference_line(struct figure *figure, const char *name)
{
    struct line *line = next_line(figure);
    *line = (struct line){.colour = "#333333", .reference = true};
    snprintf(line->name, sizeof line->name, "%s", name);
    return line;
}

/* Time in ms, or speed in GFLOP/s, of every series against the batch, and the FMA limit. */
static void add_batches(struct figure *figure, const struct run *run, bool speed)
{
    struct curve_points points = curve_points_open(run, CURVE_BATCH);
    struct curve_series series[CURVE_SERIES];
    size_t count = curve_series_list(&points, series), others = 0;
    for (size_t s = 0; s < count; s++) {
        struct line *line = next_line(figure);
        *line = (struct line){.colour = plot_colour(series[s].variant, &others),
                              .dashed = series[s].workspace != WORKSPACE_STORED};
        snprintf(line->name, sizeof line->name, "%s", series[s].name);
        for (size_t i = 0; i < points.count; i++) {
            const struct result *result = points.list[i];
            struct row row;
            if (result->workspace != series[s].workspace ||
                !curve_find(&points, &series[s], result->m, &row))
                continue;
            const struct estimate *e = &row.seconds;
            double work = 1e-9 * result->flops;
            if (speed)
                add_point(line, (double)result->m, work / e->median, work / e->high, work / e->low);
            else
                add_point(line, (double)result->m, 1e3 * e->median, 1e3 * e->low, 1e3 * e->high);
        }
    }
    struct line *limit = reference_line(figure, "FMA limit");
    for (size_t i = 0; i < points.count; i++) {
        const struct result *result = points.list[i];
        double seconds = curve_limit(result);
        double y = speed ? 1e-9 * result->flops / seconds : 1e3 * seconds;
        if (i == 0 || result->m != points.list[i - 1]->m)
            add_point(limit, (double)result->m, y, y, y);
    }
    curve_points_close(&points);
}

static bool same_series(const struct memory *a, const struct memory *b)
{
    return strcmp(a->kernel, b->kernel) == 0 && strcmp(a->variant, b->variant) == 0 &&
           a->workspace == b->workspace;
}

static void add_memory(struct figure *figure, const struct run *run)
{
    size_t others = 0;
    for (size_t i = 0; i < run->memory_count; i++) {
        const struct memory *first = &run->memory[i];
        bool both = strcmp(first->kernel, "infonce_forward_backward") == 0, seen = false;
        for (size_t j = 0; j < i; j++)
            seen = seen || same_series(&run->memory[j], first);
        if (seen)
            continue;
        struct line *line = next_line(figure);
        *line = (struct line){.colour = !both ? "#2e8b57" : plot_colour(first->variant, &others),
                              .dashed = first->workspace == WORKSPACE_STREAMED};
        if (both && first->workspace == WORKSPACE_NONE)
            snprintf(line->name, sizeof line->name, "%s", first->variant);
        else /* ours: memory does not depend on the instruction set */
            snprintf(line->name, sizeof line->name, "mmk %s",
                     !both                                  ? "forward"
                     : first->workspace == WORKSPACE_STORED ? "stored"
                                                            : "streamed");
        for (size_t j = i; j < run->memory_count; j++) {
            double y = 1e-6 * run->memory[j].peak_bytes;
            if (same_series(&run->memory[j], first))
                add_point(line, (double)run->memory[j].m, y, y, y);
        }
    }
    struct line *logits = reference_line(figure, "the logits alone");
    for (size_t i = 0; i < run->memory_count; i++)
        if (i == 0 || run->memory[i].m != run->memory[i - 1].m) {
            double y = 1e-6 * run->memory[i].logits_bytes;
            add_point(logits, (double)run->memory[i].m, y, y, y);
        }
    struct line *data = reference_line(figure, "inputs + gradients");
    for (size_t i = 0; i < run->memory_count; i++)
        if (strcmp(run->memory[i].kernel, "infonce_forward_backward") == 0 &&
            run->memory[i].workspace == WORKSPACE_STREAMED) {
            double y = 1e-6 * run->memory[i].data_bytes;
            add_point(data, (double)run->memory[i].m, y, y, y);
        }
}

static void add_workspaces(struct figure *figure, const struct run *run)
{
    static const char *const colours[] = {"#c8501e", "#2a78b5", "#2e8b57", "#7b3fa0"};
    struct curve_points points = curve_points_open(run, CURVE_WORKSPACE);
    struct line *line = NULL;
    double most = 0.0;
    for (size_t i = 0; i < points.count; i++) {
        const struct result *result = points.list[i];
        struct row row;
        if (i == 0 || result->group != points.list[i - 1]->group) {
            line = next_line(figure);
            *line = (struct line){.colour = colours[(figure->count - 1) % 4]};
        }
        if (!curve_timed_column(result, &row) || !row.bounded)
            continue;
        snprintf(line->name, sizeof line->name, "%s, d = %zu", row.column->variant, result->d);
        double x = 1e-6 * result->workspace_bytes;
        add_point(line, x, 100.0 * row.share.median, 100.0 * row.share.low, 100.0 * row.share.high);
        most = fmax(most, x);
        figure->y_most = 100.0;
        figure->y_least = fmin(figure->y_least > 0.0 ? figure->y_least : 50.0,
                               10.0 * floor(10.0 * row.share.low));
    }
    struct line *ceiling = reference_line(figure, "75 %: each logit made twice");
    add_point(ceiling, 0.0, 75.0, 75.0, 75.0);
    add_point(ceiling, most, 75.0, 75.0, 75.0);
    curve_points_close(&points);
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
    size_t order[LINES], count = figure->count;
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
    double right = range_of(figure, false).most, places[LINES];
    char day[160], name[128];
    fprintf(out, "set encoding utf8\n"
                 "set terminal svg size 1000,600 dynamic font 'Helvetica,Arial,sans-serif,13' "
                 "background rgb 'white' noenhanced\nset title ");
    plot_text(out, figure->title);
    fprintf(out, ".\"\\n\".");
    machine_text_day(figure->machine, day, sizeof day);
    plot_text(out, day);
    fprintf(out,
            " font \",16\" offset 0,0.3\n"
            "set lmargin at screen 0.095\nset rmargin at screen 0.80\nset tmargin 5\nset bmargin "
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

/* ---- The plots ------------------------------------------------------------------------------- */

const char *plot_curve_name(enum plot_curve plot)
{
    static const char *const names[PLOT_CURVES] = {"infonce-time", "infonce-speed",
                                                   "infonce-memory", "infonce-workspace"};
    return names[plot];
}

const char *plot_curve_title(enum plot_curve plot)
{
    static const char *const titles[PLOT_CURVES] = {
        "InfoNCE forward + backward: time against the batch",
        "InfoNCE forward + backward: speed against the batch",
        "InfoNCE: peak resident memory against the batch",
        "InfoNCE forward + backward: speed against the workspace"};
    return titles[plot];
}

/* What all points have in common, behind the title. */
static void add_circumstances(struct figure *figure, const struct run *run, enum curve curve)
{
    struct curve_points points = curve_points_open(run, curve);
    size_t used = strlen(figure->title);
    if (points.count > 0) {
        const struct result *first = points.list[0];
        snprintf(figure->title + used, sizeof figure->title - used, " (%s = %zu, %d thread%s)",
                 curve == CURVE_BATCH ? "d" : "B", curve == CURVE_BATCH ? first->d : first->m,
                 first->threads, first->threads == 1 ? "" : "s");
    }
    curve_points_close(&points);
}

static void fill_figure(struct figure *figure, const struct run *run, enum plot_curve plot)
{
    memset(figure, 0, sizeof *figure);
    figure->machine = &run->machine;
    snprintf(figure->title, sizeof figure->title, "%s", plot_curve_title(plot));
    figure->x_title = "batch B (rows)";
    figure->log_x = plot != PLOT_WORKSPACE;
    figure->log_y = plot == PLOT_TIME || plot == PLOT_MEMORY;
    switch (plot) {
    case PLOT_TIME:
        figure->y_title = "ms a call";
        add_circumstances(figure, run, CURVE_BATCH);
        add_batches(figure, run, false);
        break;
    case PLOT_SPEED:
        figure->y_title = "GFLOP/s, counted as 6 B² d flops";
        add_circumstances(figure, run, CURVE_BATCH);
        add_batches(figure, run, true);
        break;
    case PLOT_MEMORY:
        figure->y_title = "MB, all of the process";
        if (run->memory_count > 0)
            snprintf(figure->title, sizeof figure->title, "%s (d = %zu, %d thread%s)",
                     plot_curve_title(plot), run->memory[0].d, run->memory[0].threads,
                     run->memory[0].threads == 1 ? "" : "s");
        add_memory(figure, run);
        break;
    default:
        figure->x_title = "workspace, MB";
        figure->y_title = "percent of the FMA peak, counted as 6 B² d flops";
        add_circumstances(figure, run, CURVE_WORKSPACE);
        add_workspaces(figure, run);
    }
    drop_empty(figure);
}

bool plot_curve_drawn(const struct run *run, enum plot_curve plot)
{
    static struct figure figure;
    fill_figure(&figure, run, plot);
    for (size_t l = 0; l < figure.count; l++)
        if (!figure.lines[l].reference)
            return true;
    return false;
}

bool plot_curve_draw(struct new_file *n, const struct run *run, enum plot_curve plot,
                     const char *path, char *error, size_t error_bytes)
{
    static struct figure figure;
    fill_figure(&figure, run, plot);
    return plot_make(n, path, write_script, &figure, error, error_bytes);
}
