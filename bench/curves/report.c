/* report.c - the curves of a run as tables.
 * SPDX-License-Identifier: MIT
 */
#include "report.h"

#include "../base/table.h"
#include "../base/text.h"
#include "../report/report.h"
#include "../timing/plan.h"
#include "points.h"

#include <math.h>
#include <string.h>

static const char *plural(int count)
{
    return count == 1 ? "" : "s";
}

static const char *mode(int workspace)
{
    return workspace == WORKSPACE_STORED ? "stored" : "streamed";
}

/* "1.18 ms ±1.5 %"; a ? where too few launches or rounds were left for 95 %. */
static void text_time(const struct row *row, char *text, size_t bytes)
{
    char seconds[40];
    text_seconds(row->seconds.median, seconds, sizeof seconds);
    if (isfinite(row->seconds.high))
        snprintf(text, bytes, "%s ±%.1f %%%s", seconds, stats_spread(&row->seconds),
                 row->seconds.coverage < STATS_CONFIDENCE ? "?" : "");
    else
        snprintf(text, bytes, "%s ±?", seconds);
}

static void text_error(const struct row *row, char *text, size_t bytes)
{
    snprintf(text, bytes, "%.1e (%.2g)", row->column->worst_abs, row->column->worst_share);
}

/* "1.92 [1.90, 1.93]" */
static void text_ratio(const struct estimate *ratio, char *text, size_t bytes)
{
    if (ratio->n == 0)
        snprintf(text, bytes, "-");
    else if (!isfinite(ratio->high))
        snprintf(text, bytes, "%.2f ?", ratio->median);
    else
        snprintf(text, bytes, "%.2f [%.2f, %.2f]%s%s", ratio->median, ratio->low, ratio->high,
                 ratio->coverage < STATS_CONFIDENCE ? "?" : "",
                 stats_compare(ratio) == COMPARISON_INCONCLUSIVE ? " inconclusive" : "");
}

static void share_cell(struct table *table, const struct row *row)
{
    if (row->bounded)
        table_cell(table, "%.1f %%%s", 100.0 * row->share.median,
                   row->bug    ? " BUG"
                   : row->over ? " OVER"
                               : "");
    else
        table_cell(table, "-");
}

/* Why points are not there that should be: of each variant and mode the first. */
static void explain_missing(FILE *out, const struct curve_points *points)
{
    struct curve_series series[CURVE_SERIES];
    size_t count = curve_series_list(points, series);
    bool any = false;
    for (size_t s = 0; s < count; s++) {
        for (size_t i = 0; i < points->count; i++) {
            const struct result *result = points->list[i];
            const struct column *column = result_find_column(result, series[s].variant);
            struct row row;
            if (!column || result->workspace != series[s].workspace)
                continue;
            analyse(result, column, &row);
            if (row.timed)
                continue;
            fprintf(out, "- %s at %s: %s\n", column->variant, result->shape, row.why);
            any = true;
            break;
        }
    }
    if (any)
        fprintf(out, "\n");
}

/* The batches at which a narrower instruction set beats a wider one. */
static void explain_slower(FILE *out, const struct curve_points *points)
{
    bool any = false;
    for (size_t i = 0; i < points->count; i++) {
        const struct result *result = points->list[i];
        for (size_t c = 0; c < result->column_count; c++) {
            struct row row;
            char slower[64];
            analyse(result, &result->columns[c], &row);
            text_slower(&row, slower, sizeof slower);
            if (!slower[0])
                continue;
            fprintf(out, "- %s at %s: %s\n", row.column->variant, result->shape, slower);
            any = true;
        }
    }
    if (any)
        fprintf(out, "\n");
}

/* ---- Time against the batch ------------------------------------------------------------------ */

static void batch_cell(struct table *table, const struct row *row)
{
    char time[64];
    text_time(row, time, sizeof time);
    if (row->bounded)
        table_cell(table, "%s (%.0f %%)", time, 100.0 * row->share.median);
    else
        table_cell(table, "%s", time);
}

/* How many times as fast the widest of ours is as the fastest of the others, paired. */
static void versus_cell(struct table *table, const struct result *result)
{
    struct versus all[VERSUS_MOST];
    struct row widest;
    size_t best;
    char ratio[40], name[72];
    size_t count = analyse_peers(result, &widest, all, &best);
    if (count == 0 || best == count) {
        table_cell(table, "-");
        return;
    }
    text_ratio(&all[best].speedup, ratio, sizeof ratio);
    analysis_name_peer(all[best].peer, name, sizeof name);
    table_cell(table, "%s %s", ratio, name);
}

static void report_batches(FILE *out, const struct run *run, int level)
{
    struct curve_points points = curve_points_open(run, CURVE_BATCH);
    struct curve_series series[CURVE_SERIES];
    size_t count = curve_series_list(&points, series);
    struct table table;
    char align[TABLE_COLUMNS + 1] = "rr", limit[40];
    if (points.count > 0) {
        table_heading(out, level, "Time against the batch");
        fprintf(out,
                "One forward + backward of a B x B batch of %zu-dimensional rows, %d thread%s: "
                "median ± half of its 95 %% interval, and in brackets percent of the FMA peak of "
                "that instruction set (another library: of the widest) in the same rounds, counted "
                "as 6 B² d flops whatever is computed twice. `limit`: these flops at the widest "
                "instruction set's peak. `stored`: with a workspace that holds the logits. `over "
                "the fastest library`: how many times as fast ours is (widest, stored), paired "
                "round by round. Every point was checked at its shape; `worst error` is the "
                "greatest of the line's, and its share of the derived bound.\n\n",
                points.list[0]->d, points.list[0]->threads, plural(points.list[0]->threads));
    }
    bool libraries = false;
    for (size_t s = 0; s < count; s++) {
        libraries = libraries || series[s].library[0];
        strcat(align, "r");
    }
    strcat(align, libraries ? "lr" : "r");
    table_open(&table, align);
    table_cell(&table, "B");
    table_cell(&table, "limit");
    for (size_t s = 0; s < count; s++)
        table_cell(&table, "%s", series[s].name);
    if (libraries)
        table_cell(&table, "over the fastest library");
    table_cell(&table, "worst error");
    for (size_t i = 0; i < points.count; i++) {
        const struct result *result = points.list[i];
        if (i > 0 && points.list[i - 1]->m == result->m)
            continue; /* the other mode of the same batch */
        struct row row, worst = {.column = NULL};
        double seconds = curve_limit(result);
        table_cell(&table, "%zu", result->m);
        text_seconds(seconds, limit, sizeof limit);
        table_cell(&table, "%s", isnan(seconds) ? "-" : limit);
        for (size_t s = 0; s < count; s++) {
            if (!curve_find(&points, &series[s], result->m, &row)) {
                table_cell(&table, "-");
                continue;
            }
            batch_cell(&table, &row);
            if (!worst.column || row.column->worst_share > worst.column->worst_share)
                worst = row;
        }
        if (libraries)
            versus_cell(&table, result);
        if (worst.column)
            text_error(&worst, limit, sizeof limit);
        table_cell(&table, "%s", worst.column ? limit : "-");
    }
    table_close(&table, out);
    for (size_t s = 0; s < count; s++)
        if (series[s].library[0])
            fprintf(out, "- %s: %s\n", series[s].name, series[s].library);
    if (libraries)
        fprintf(out, "\n");
    explain_missing(out, &points);
    explain_slower(out, &points);
    curve_points_close(&points);
}

/* ---- Memory against the batch ---------------------------------------------------------------- */

/* "infonce_forward_backward stored" */
static void text_kernel(const struct memory *m, char *text, size_t bytes)
{
    bool modes = m->workspace >= 0;
    snprintf(text, bytes, "%s%s%s", m->kernel, modes ? " " : "", modes ? mode(m->workspace) : "");
}

/* Of each kernel, mode and variant the first point that is not there. */
static void explain_unmeasured(FILE *out, const struct run *run)
{
    bool any = false;
    for (size_t i = 0; i < run->memory_count; i++) {
        const struct memory *m = &run->memory[i];
        char kernel[64], before[64];
        bool said = m->peak_bytes > 0.0;
        text_kernel(m, kernel, sizeof kernel);
        for (size_t j = 0; j < i && !said; j++) {
            const struct memory *other = &run->memory[j];
            text_kernel(other, before, sizeof before);
            said = other->peak_bytes == 0.0 && strcmp(before, kernel) == 0 &&
                   strcmp(other->variant, m->variant) == 0;
        }
        if (said)
            continue;
        fprintf(out, "- %s, %s, at B = %zu: not measured: %s\n", kernel, m->variant, m->m, m->note);
        any = true;
    }
    if (any)
        fprintf(out, "\n");
}

static void report_memory(FILE *out, const struct run *run, int level)
{
    struct table table;
    if (run->memory_count == 0)
        return;
    table_heading(out, level, "Memory against the batch");
    fprintf(out,
            "One call in a process of its own with %d thread%s; MB of 10^6 bytes. `peak`: the most "
            "that was resident (VmHWM), all of the process counted. `beyond`: the peak less inputs "
            "and outputs; `program`: what of that was there without data and call (program, "
            "libraries, of another language its runtime). `logits`: what the B x B matrix would "
            "take, for comparison.\n\n",
            run->memory[0].threads, plural(run->memory[0].threads));
    table_open(&table, "rrllrrrrr");
    static const char *const titles[] = {
        "B",        "d",          "kernel",      "variant",   "inputs + outputs, MB",
        "peak, MB", "beyond, MB", "program, MB", "logits, MB"};
    table_titles(&table, titles);
    for (size_t i = 0; i < run->memory_count; i++) {
        const struct memory *m = &run->memory[i];
        if (m->peak_bytes == 0.0)
            continue;
        const double mb = 1e-6;
        char kernel[64];
        text_kernel(m, kernel, sizeof kernel);
        table_cell(&table, "%zu", m->m);
        table_cell(&table, "%zu", m->d);
        table_cell(&table, "%s", kernel);
        table_cell(&table, "%s", m->variant);
        table_cell(&table, "%.1f", mb * m->data_bytes);
        table_cell(&table, "%.1f", mb * m->peak_bytes);
        table_cell(&table, "%.1f", mb * (m->peak_bytes - m->data_bytes));
        table_cell(&table, "%.1f", mb * m->program_bytes);
        table_cell(&table, "%.1f", mb * m->logits_bytes);
    }
    table_close(&table, out);
    explain_unmeasured(out, run);
}

void curve_memory_csv(FILE *out, const struct run *run)
{
    fprintf(out, "kernel,workspace_percent,m,d,threads,variant,data_bytes,peak_bytes,program_bytes,"
                 "logits_bytes,seconds,note\n");
    for (size_t i = 0; i < run->memory_count; i++) {
        const struct memory *m = &run->memory[i];
        fprintf(out, "%s,%d,%zu,%zu,%d,%s,%.0f,%.0f,%.0f,%.0f,%.6g,\"%s\"\n", m->kernel,
                m->workspace, m->m, m->d, m->threads, m->variant, m->data_bytes, m->peak_bytes,
                m->program_bytes, m->logits_bytes, m->seconds, m->note);
    }
}

/* ---- Speed against the workspace ------------------------------------------------------------- */

/* The point of the same group that satisfies what is asked for; NULL: none that was timed. */
static const struct column *partner(const struct curve_points *points, const struct result *result,
                                    int workspace, int threads)
{
    for (size_t i = 0; i < points->count; i++) {
        const struct result *other = points->list[i];
        struct row row;
        if (other->group == result->group && other->workspace == workspace &&
            other->threads == threads)
            return curve_timed_column(other, &row);
    }
    return NULL;
}

static struct estimate speedup(const struct row *row, const struct column *over)
{
    if (!over)
        return (struct estimate){.n = 0};
    return analyse_series(row->result, over->seconds, row->column->seconds);
}

static void report_workspaces(FILE *out, const struct run *run, int level)
{
    struct curve_points points = curve_points_open(run, CURVE_WORKSPACE);
    struct table table;
    struct row row;
    char time[64], error[40], ratio[64];
    if (points.count > 0) {
        table_heading(out, level, "Speed against the workspace");
        fprintf(out,
                "forward + backward at B = %zu, %d thread%s, with workspaces from what streaming "
                "takes to what holds all logits (`options.query`); a call keeps as "
                "many rows of logits as fit and computes the others again. All sizes in the same "
                "rounds; percent of the FMA peak as 6 B² d flops: 75 %% is the ceiling of a call "
                "that keeps none.\n\n",
                points.list[0]->m, points.list[0]->threads, plural(points.list[0]->threads));
    }
    table_open(&table, "rrrlrrrr");
    static const char *const titles[] = {"d",    "workspace, MB", "logits kept",   "variant",
                                         "time", "of FMA peak",   "over streamed", "worst error"};
    table_titles(&table, titles);
    for (size_t i = 0; i < points.count; i++) {
        const struct result *result = points.list[i];
        if (!curve_timed_column(result, &row))
            continue;
        struct estimate faster =
            speedup(&row, partner(&points, result, WORKSPACE_STREAMED, result->threads));
        text_time(&row, time, sizeof time);
        text_ratio(&faster, ratio, sizeof ratio);
        text_error(&row, error, sizeof error);
        table_cell(&table, "%zu", result->d);
        table_cell(&table, "%.1f", 1e-6 * result->workspace_bytes);
        table_cell(&table, "%d %%", result->workspace);
        table_cell(&table, "%s", row.column->variant);
        table_cell(&table, "%s", time);
        share_cell(&table, &row);
        table_cell(&table, "%s", ratio);
        table_cell(&table, "%s", error);
    }
    table_close(&table, out);
    explain_missing(out, &points);
    curve_points_close(&points);
}

/* ---- Threads --------------------------------------------------------------------------------- */

static void report_threads(FILE *out, const struct run *run, int level)
{
    struct curve_points points = curve_points_open(run, CURVE_THREADS);
    struct table table;
    struct row row;
    char time[64], error[40], ratio[64];
    if (points.count > 0) {
        table_heading(out, level, "Speed-up by threads");
        fprintf(out,
                "forward + backward at B = %zu; all thread counts in the same rounds, speed-ups "
                "paired. Percent of peak is of the FMA rate that as many threads reach "
                "together.\n\n",
                points.list[0]->m);
    }
    table_open(&table, "rllrrrrr");
    static const char *const titles[] = {"d",    "mode",          "variant",     "threads",
                                         "time", "over 1 thread", "of FMA peak", "worst error"};
    table_titles(&table, titles);
    for (size_t i = 0; i < points.count; i++) {
        const struct result *result = points.list[i];
        if (!curve_timed_column(result, &row))
            continue;
        struct estimate faster = speedup(&row, partner(&points, result, result->workspace, 1));
        text_time(&row, time, sizeof time);
        text_ratio(&faster, ratio, sizeof ratio);
        text_error(&row, error, sizeof error);
        table_cell(&table, "%zu", result->d);
        table_cell(&table, "%s", mode(result->workspace));
        table_cell(&table, "%s", row.column->variant);
        table_cell(&table, "%d", result->threads);
        table_cell(&table, "%s", time);
        table_cell(&table, "%s", result->threads == 1 ? "-" : ratio);
        share_cell(&table, &row);
        table_cell(&table, "%s", error);
    }
    table_close(&table, out);
    explain_missing(out, &points);
    curve_points_close(&points);
}

/* ---- Queries a second against the dimension -------------------------------------------------- */

static void report_searches(FILE *out, const struct run *run, int level)
{
    struct curve_points points = curve_points_open(run, CURVE_SEARCH);
    struct curve_searcher searchers[CURVE_SERIES];
    size_t count = curve_searchers(&points, searchers);
    struct table table;
    char align[TABLE_COLUMNS + 1] = "rrr", rate[24];
    if (points.count > 0) {
        table_heading(out, level, "Queries a second against the dimension");
        fprintf(out,
                "Searches of normal rows, %d thread%s: queries a second, by the median of a call. "
                "`limit`: what the FMA peak allows in the same rounds, if all 2 m n d flops are "
                "made in float. `over the fastest library`: how many times as fast ours is, paired "
                "round by round; all of these libraries find the same results, to the rounding of "
                "their sums.\n\n",
                points.list[0]->threads, plural(points.list[0]->threads));
    }
    for (size_t s = 0; s < count; s++)
        strcat(align, "r");
    strcat(align, "l");
    table_open(&table, align);
    table_cell(&table, "d");
    table_cell(&table, "shape");
    table_cell(&table, "limit");
    for (size_t s = 0; s < count; s++)
        table_cell(&table, "%s", searchers[s].name);
    table_cell(&table, "over the fastest library");
    for (size_t i = 0; i < points.count; i++) {
        const struct result *result = points.list[i];
        struct row row;
        table_cell(&table, "%zu", result->d);
        table_cell(&table, "%s", result->shape);
        double limit = (double)result->m / curve_limit(result);
        text_3(limit, rate, sizeof rate);
        table_cell(&table, "%s", isnan(limit) ? "-" : rate);
        for (size_t s = 0; s < count; s++) {
            bool timed = curve_search(result, &searchers[s], &row);
            text_3(timed ? (double)result->m / row.seconds.median : 0.0, rate, sizeof rate);
            table_cell(&table, "%s", timed ? rate : "-");
        }
        versus_cell(&table, result);
    }
    table_close(&table, out);
    for (size_t s = 0; s < count; s++)
        for (size_t i = 0; i < points.count; i++) {
            const struct column *column = result_find_column(points.list[i], searchers[s].variant);
            struct row row;
            if (!column)
                continue;
            analyse(points.list[i], column, &row);
            if (!row.timed)
                fprintf(out, "- %s at %s: %s\n", searchers[s].name, points.list[i]->shape, row.why);
            else if (column->library[0])
                fprintf(out, "- %s: %s\n", searchers[s].name, column->library);
            break;
        }
    if (points.count > 0)
        fprintf(out, "\n");
    curve_points_close(&points);
}

void curve_report(FILE *out, const struct run *run, int level)
{
    const struct machine *m = &run->machine;
    char library[64];
    machine_text_library(m, library, sizeof library);
    table_heading(out, level, "Curves");
    fprintf(out, "%s, %d CPUs; mmk %s, commit %s; %s; %s, %.0f s, seed %llu.\n\n", m->cpu, m->cpus,
            library, m->commit, m->compiler, m->date, run->seconds, (unsigned long long)run->seed);
    report_batches(out, run, level + 1);
    report_memory(out, run, level + 1);
    report_workspaces(out, run, level + 1);
    report_threads(out, run, level + 1);
    report_searches(out, run, level + 1);
    for (size_t i = 0; i < run->missing_count; i++)
        fprintf(out, "Missing: %s\n%s", run->missing[i], i + 1 == run->missing_count ? "\n" : "");
}
