/* points.c - the curves of a run, found again among its results.
 * SPDX-License-Identifier: MIT
 */
#include "points.h"

#include "../timing/plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct curve_points curve_points_open(const struct run *run, enum curve curve)
{
    struct curve_points points = {analyse_order(run), 0};
    for (size_t i = 0; i < run->result_count; i++)
        if (points.list[i]->curve == curve)
            points.list[points.count++] = points.list[i];
    return points;
}

void curve_points_close(struct curve_points *points)
{
    free(points->list);
}

static bool is_ours(const struct column *column)
{
    return strcmp(column->variant, column->isa) == 0;
}

static bool is_listed(const struct curve_series *series, size_t count, const char *variant,
                      int workspace)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(series[i].variant, variant) == 0 && series[i].workspace == workspace)
            return true;
    return false;
}

/* Another library takes no workspace, and stands in the points of both modes: it is one series. */
static void add_series(struct curve_series *series, size_t *count, const struct column *column,
                       int workspace)
{
    if (!is_ours(column))
        workspace = WORKSPACE_STORED;
    if (*count == CURVE_SERIES || is_listed(series, *count, column->variant, workspace))
        return;
    struct curve_series *s = &series[(*count)++];
    s->variant = column->variant;
    s->library = column->library;
    s->workspace = workspace;
    if (is_ours(column))
        snprintf(s->name, sizeof s->name, "%s %s", column->variant,
                 workspace == WORKSPACE_STORED ? "stored" : "streamed");
    else
        analysis_name_peer(column, s->name, sizeof s->name);
}

size_t curve_series_list(const struct curve_points *points, struct curve_series *series)
{
    size_t count = 0, most = 0;
    for (size_t i = 0; i < points->count; i++)
        if (points->list[i]->column_count > most)
            most = points->list[i]->column_count;
    /* Columns stand from the narrowest instruction set to the widest. */
    for (int pass = 0; pass < 2; pass++)
        for (size_t c = 0; c < most; c++)
            for (size_t i = 0; i < points->count; i++) {
                const struct result *result = points->list[i];
                size_t at = pass == 0 ? most - 1 - c : c;
                if (at < result->column_count && is_ours(&result->columns[at]) == (pass == 0))
                    add_series(series, &count, &result->columns[at], result->workspace);
            }
    return count;
}

bool curve_find(const struct curve_points *points, const struct curve_series *series, size_t batch,
                struct row *row)
{
    for (size_t i = 0; i < points->count; i++) {
        const struct result *result = points->list[i];
        const struct column *column = result_find_column(result, series->variant);
        if (result->m != batch || result->workspace != series->workspace || !column)
            continue;
        analyse(result, column, row);
        return row->timed;
    }
    return false;
}

static bool has_codes(const struct column *column)
{
    return column->work.ruled_out_by_codes + column->work.ruled_out_by_prefix > 0;
}

size_t curve_searchers(const struct curve_points *points, struct curve_searcher *searchers)
{
    size_t count = 0;
    for (size_t i = 0; i < points->count; i++)
        for (size_t c = 0; c < points->list[i]->column_count; c++) {
            const struct column *column = &points->list[i]->columns[c];
            size_t s = 0;
            while (s < count && strcmp(searchers[s].variant, column->variant) != 0)
                s++;
            if (s < count || count == CURVE_SERIES)
                continue;
            struct curve_searcher *searcher = &searchers[count++];
            /* By the name: a library that was not timed has not said what it is. */
            size_t set = strlen(column->isa);
            bool partial =
                strncmp(column->variant, column->isa, set) == 0 && column->variant[set] == ':';
            *searcher = (struct curve_searcher){.variant = column->variant,
                                                .ours = partial || is_ours(column)};
            if (searcher->ours)
                snprintf(searcher->name, sizeof searcher->name, "mmk%s",
                         has_codes(column) ? ", codes made in the call"
                         : partial         ? " without codes"
                                           : "");
            else
                analysis_name_peer(column, searcher->name, sizeof searcher->name);
        }
    return count;
}

bool curve_search(const struct result *result, const struct curve_searcher *searcher,
                  struct row *row)
{
    const struct column *column = result_find_column(result, searcher->variant);
    if (!column)
        return false;
    analyse(result, column, row);
    return row->timed;
}

double curve_limit(const struct result *result)
{
    double rate = 0.0;
    for (int p = PEAK_MULTIPLY_ADD_SCALAR; p <= PEAK_FMA_NEON; p++) {
        if (!result->peak[p])
            continue;
        double *rates = analyse_peak_rounds(result, (enum peak)p);
        rate = fmax(rate, stats_estimate(rates, result->rounds).median);
        free(rates);
    }
    return rate > 0.0 ? result->flops / rate : (double)NAN;
}

const struct column *curve_timed_column(const struct result *result, struct row *row)
{
    for (size_t c = 0; c < result->column_count; c++) {
        analyse(result, &result->columns[c], row);
        if (row->timed)
            return &result->columns[c];
    }
    return NULL;
}
