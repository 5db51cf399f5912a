/* plot.c - the curves of a run as SVG.
 * SPDX-License-Identifier: MIT
 */
#include "plot.h"

#include "../base/figure.h"
#include "../report/percent_of_peak.h"
#include "../timing/plan.h"
#include "points.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Time in ms, or speed in GFLOP/s, of every series against the batch, and the FMA limit. */
static void add_batches(struct figure *figure, const struct run *run, bool speed)
{
    struct curve_points points = curve_points_open(run, CURVE_BATCH);
    struct curve_series series[CURVE_SERIES];
    size_t count = curve_series_list(&points, series), others = 0;
    for (size_t s = 0; s < count; s++) {
        struct line *line = figure_line(figure);
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
                line_add(line, (double)result->m, work / e->median, work / e->high, work / e->low);
            else
                line_add(line, (double)result->m, 1e3 * e->median, 1e3 * e->low, 1e3 * e->high);
        }
    }
    struct line *limit = figure_reference(figure, "FMA limit");
    for (size_t i = 0; i < points.count; i++) {
        const struct result *result = points.list[i];
        double seconds = curve_limit(result);
        double y = speed ? 1e-9 * result->flops / seconds : 1e3 * seconds;
        if (i == 0 || result->m != points.list[i - 1]->m)
            line_add(limit, (double)result->m, y, y, y);
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
        struct line *line = figure_line(figure);
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
                line_add(line, (double)run->memory[j].m, y, y, y);
        }
    }
    struct line *logits = figure_reference(figure, "the logits alone");
    for (size_t i = 0; i < run->memory_count; i++)
        if (i == 0 || run->memory[i].m != run->memory[i - 1].m) {
            double y = 1e-6 * run->memory[i].logits_bytes;
            line_add(logits, (double)run->memory[i].m, y, y, y);
        }
    struct line *data = figure_reference(figure, "inputs + gradients");
    for (size_t i = 0; i < run->memory_count; i++)
        if (strcmp(run->memory[i].kernel, "infonce_forward_backward") == 0 &&
            run->memory[i].workspace == WORKSPACE_STREAMED) {
            double y = 1e-6 * run->memory[i].data_bytes;
            line_add(data, (double)run->memory[i].m, y, y, y);
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
            line = figure_line(figure);
            *line = (struct line){.colour = colours[(figure->count - 1) % 4]};
        }
        if (!curve_timed_column(result, &row) || !row.bounded)
            continue;
        snprintf(line->name, sizeof line->name, "%s, d = %zu", row.column->variant, result->d);
        double x = 1e-6 * result->workspace_bytes;
        line_add(line, x, 100.0 * row.share.median, 100.0 * row.share.low, 100.0 * row.share.high);
        most = fmax(most, x);
        figure->y_most = 100.0;
        figure->y_least =
            fmin(figure->y_least > 0.0 ? figure->y_least : 50.0,
                 10.0 * floor(10.0 * (row.share.low > 0.0 ? row.share.low : row.share.median)));
    }
    struct line *ceiling = figure_reference(figure, "75 %: each logit made twice");
    line_add(ceiling, 0.0, 75.0, 75.0, 75.0);
    line_add(ceiling, most, 75.0, 75.0, 75.0);
    curve_points_close(&points);
}

/* Queries a second of every searcher against the dimension, and what products of floats allow. */
static void add_searches(struct figure *figure, const struct run *run)
{
    static const char *const ours[] = {"#c8501e", "#2a78b5"};
    struct curve_points points = curve_points_open(run, CURVE_SEARCH);
    struct curve_searcher searchers[CURVE_SERIES];
    size_t count = curve_searchers(&points, searchers), mine = 0, others = 0;
    for (size_t s = 0; s < count; s++) {
        struct line *line = figure_line(figure);
        *line =
            (struct line){.colour = searchers[s].ours ? ours[mine++ % 2]
                                                      : plot_colour(searchers[s].variant, &others)};
        snprintf(line->name, sizeof line->name, "%s", searchers[s].name);
        for (size_t i = 0; i < points.count; i++) {
            double queries = (double)points.list[i]->m;
            struct row row;
            if (curve_search(points.list[i], &searchers[s], &row))
                line_add(line, (double)points.list[i]->d, queries / row.seconds.median,
                         queries / row.seconds.high, queries / row.seconds.low);
        }
    }
    struct line *limit = figure_reference(figure, "FMA limit of all products");
    for (size_t i = 0; i < points.count; i++) {
        double y = (double)points.list[i]->m / curve_limit(points.list[i]);
        line_add(limit, (double)points.list[i]->d, y, y, y);
    }
    curve_points_close(&points);
}

/* ---- The plots ------------------------------------------------------------------------------- */

const char *plot_curve_name(enum plot_curve plot)
{
    static const char *const names[PLOT_CURVES] = {
        "infonce-time", "infonce-speed", "infonce-memory", "infonce-workspace", "search-dimension"};
    return names[plot];
}

const char *plot_curve_title(enum plot_curve plot)
{
    static const char *const titles[PLOT_CURVES] = {
        "InfoNCE forward + backward: time against the batch",
        "InfoNCE forward + backward: speed against the batch",
        "InfoNCE: peak resident memory against the batch",
        "InfoNCE forward + backward: speed against the workspace",
        "Exact search: queries a second against the dimension"};
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

/* What all searches have in common: all but the dimension. */
static void add_search_circumstances(struct figure *figure, const struct run *run)
{
    struct curve_points points = curve_points_open(run, CURVE_SEARCH);
    size_t used = strlen(figure->title), m, n;
    char rest[64];
    if (points.count > 0 &&
        sscanf(points.list[0]->shape, "%zux%zux%*[0-9]%63[^\n]", &m, &n, rest) == 3)
        snprintf(figure->title + used, sizeof figure->title - used,
                 " (%zu x %zu x d%s, %d thread%s)", m, n, rest, points.list[0]->threads,
                 points.list[0]->threads == 1 ? "" : "s");
    curve_points_close(&points);
}

static void fill_figure(struct figure *figure, const struct run *run, enum plot_curve plot)
{
    memset(figure, 0, sizeof *figure);
    machine_text_day(&run->machine, figure->day, sizeof figure->day);
    snprintf(figure->title, sizeof figure->title, "%s", plot_curve_title(plot));
    figure->x_title = "batch B (rows)";
    figure->log_x = plot != PLOT_WORKSPACE;
    figure->log_y = plot == PLOT_TIME || plot == PLOT_MEMORY || plot == PLOT_SEARCH;
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
    case PLOT_SEARCH:
        figure->x_title = "dimension d";
        figure->y_title = "queries a second";
        add_search_circumstances(figure, run);
        add_searches(figure, run);
        break;
    default:
        figure->x_title = "workspace, MB";
        figure->y_title = "percent of the FMA peak, counted as 6 B² d flops";
        add_circumstances(figure, run, CURVE_WORKSPACE);
        add_workspaces(figure, run);
    }
    figure_drop_empty(figure);
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
    return figure_draw(n, &figure, path, error, error_bytes);
}
