/* compare.c - saved runs side by side, row by row.
 * SPDX-License-Identifier: MIT
 */
#include "compare.h"

#include "../base/memory.h"
#include "../base/table.h"
#include "../base/text.h"
#include "../timing/plan.h"
#include "report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Two runs -------------------------------------------------------------------------------- */

/* Logarithms: a ratio and its inverse are to say the same. Returns how many launches. */
static size_t log_medians(const struct series *series, double *medians)
{
    if (!series->launch)
        return 0;
    size_t count = stats_launch_medians(series->seconds, series->launch, series->rounds, medians);
    for (size_t i = 0; i < count; i++)
        medians[i] = log(medians[i]);
    return count;
}

struct estimate compare_series(const struct series *before, const struct series *after, char *why,
                               size_t why_bytes)
{
    double *from = memory_new(before->rounds, sizeof *from);
    double *to = memory_new(after->rounds, sizeof *to);
    size_t m = log_medians(before, from), n = log_medians(after, to);
    struct estimate result = {.n = 0};
    why[0] = '\0';
    if (m > 0 && n > 0) {
        result = stats_from_logs(stats_shift(from, m, to, n));
        if (result.coverage < STATS_CONFIDENCE)
            snprintf(why, why_bytes, "%zu and %zu launches: no interval", m, n);
    } else {
        struct estimate a = stats_estimate(before->seconds, before->rounds);
        struct estimate b = stats_estimate(after->seconds, after->rounds);
        result = (struct estimate){.median = a.median / b.median,
                                   .low = 0.0,
                                   .high = (double)INFINITY,
                                   .sure_high = (double)INFINITY,
                                   .n = a.n < b.n ? a.n : b.n};
        snprintf(why, why_bytes, "one launch: no interval");
    }
    free(from);
    free(to);
    return result;
}

void compare_state_clock(struct saved *runs, size_t count)
{
    double clock = runs[0].run.best.clock;
    for (size_t r = 1; r < count; r++)
        if (!(runs[r].run.best.clock > 0.0) ||
            strcmp(runs[r].run.machine.slug, runs[0].run.machine.slug) != 0)
            clock = 0.0;
    for (size_t r = 0; r < count; r++) {
        runs[r].run.best.clock = clock;
        run_state_at(&runs[r].run, clock);
    }
}

static bool same_case(const struct result *a, const struct result *b)
{
    return a->threads == b->threads && strcmp(a->kernel, b->kernel) == 0 &&
           strcmp(a->shape, b->shape) == 0 && strcmp(a->data, b->data) == 0;
}

/* The median of a row that was timed; NaN: it was not. */
static double median_of(const struct result *result, const struct column *column)
{
    struct row row;
    analyse(result, column, &row);
    return row.timed ? row.seconds.median : (double)NAN;
}

/* The same row, timed, of a run; NULL: it has none. Curves may have a case twice: the first. */
static const struct column *find_row(const struct run *run, const struct result *like,
                                     const char *variant, const struct result **result)
{
    for (size_t i = 0; i < run->result_count; i++) {
        const struct column *column = same_case(&run->results[i], like)
                                          ? result_find_column(&run->results[i], variant)
                                          : NULL;
        if (!column || isnan(median_of(&run->results[i], column)))
            continue;
        *result = &run->results[i];
        return column;
    }
    return NULL;
}

static bool is_wanted(const struct result *result, const char *list)
{
    const struct kernel *kernel = list ? kernel_find(result->kernel) : NULL;
    return !list || (kernel && plan_names_kernel(list, kernel));
}

/* With a place for every column of a run. */
static struct compared *new_rows(const struct run *run)
{
    size_t columns = 0;
    for (size_t i = 0; i < run->result_count; i++)
        columns += run->results[i].column_count;
    return memory_new(columns, sizeof(struct compared));
}

/* To be freed. */
static double *quiet_seconds(const struct result *result, const struct column *column)
{
    double *stated = analyse_at_clock(result, column->seconds);
    double *quiet = analyse_quiet_rounds(result, stated);
    free(stated);
    return quiet;
}

static void compare_row(const struct run *after, const struct compared *one, struct compare *c)
{
    const struct result *there;
    const struct column *column = find_row(after, one->result, one->column->variant, &there);
    if (!column) {
        c->before_alone[c->before_count++] = *one;
        return;
    }
    struct compared *row = &c->rows[c->count++];
    *row = *one;
    row->after = median_of(there, column);
    double *quiet_before = quiet_seconds(one->result, one->column);
    double *quiet_after = quiet_seconds(there, column);
    const struct series from = {quiet_before, one->result->launch, one->result->rounds};
    const struct series to = {quiet_after, there->launch, there->rounds};
    row->speedup = compare_series(&from, &to, row->why, sizeof row->why);
    free(quiet_before);
    free(quiet_after);
    row->comparison = stats_compare(&row->speedup);
}

/* The rows of a run that it has timed, of the kernels that the list names, in the order of tables;
 * to be freed. */
static struct compared *timed_rows(const struct run *run, const char *list, size_t *count)
{
    struct compared *rows = new_rows(run);
    const struct result *ignored, **order = analyse_order(run);
    *count = 0;
    for (size_t i = 0; i < run->result_count; i++) {
        for (size_t k = 0; is_wanted(order[i], list) && k < order[i]->column_count; k++) {
            const struct column *column = &order[i]->columns[k];
            if (find_row(run, order[i], column->variant, &ignored) == column)
                rows[(*count)++] = (struct compared){
                    .result = order[i], .column = column, .before = median_of(order[i], column)};
        }
    }
    free(order);
    return rows;
}

void compare_runs(const struct run *before, const struct run *after, const char *list,
                  struct compare *compare)
{
    size_t ours, theirs;
    struct compared *first = timed_rows(before, list, &ours);
    struct compared *second = timed_rows(after, list, &theirs);
    *compare = (struct compare){
        .rows = new_rows(before), .before_alone = new_rows(before), .after_alone = new_rows(after)};
    for (size_t i = 0; i < ours; i++)
        compare_row(after, &first[i], compare);
    for (size_t i = 0; i < theirs; i++) {
        const struct result *ignored;
        if (!find_row(before, second[i].result, second[i].column->variant, &ignored))
            compare->after_alone[compare->after_count++] = second[i];
    }
    free(first);
    free(second);
}

void compare_free(struct compare *compare)
{
    free(compare->rows);
    free(compare->before_alone);
    free(compare->after_alone);
}

/* ---- As text --------------------------------------------------------------------------------- */

static const char history[] =
    "History, and no judge: these runs were not timed together, so whatever else changed on the\n"
    "machine between them is in every ratio. Whether a change made something slower `mmk-bench\n"
    "--gate` decides. Faster and slower are said where the 99 % interval does not hold 1;\n"
    "the 95 % one is shown.\n";

static char letter(size_t run)
{
    return (char)('A' + run);
}

/* What may make runs differ, other than what they time. */
enum property {
    PROPERTY_CPU,
    PROPERTY_CPUS,
    PROPERTY_HYPERVISOR,
    PROPERTY_GOVERNOR,
    PROPERTY_SYSTEM,
    PROPERTY_COMPILER,
    PROPERTY_FLAGS,
    PROPERTY_MMK,
    PROPERTY_DAY,
    PROPERTIES
};

static const char *const property_names[PROPERTIES] = {
    "CPU", "CPUs", "hypervisor", "governor", "system", "compiler", "flags", "mmk", "day"};

static void text_property(const struct machine *m, enum property property, char *text, size_t bytes)
{
    const char *const plain[PROPERTIES] = {
        [PROPERTY_CPU] = m->cpu,           [PROPERTY_HYPERVISOR] = m->hypervisor,
        [PROPERTY_GOVERNOR] = m->governor, [PROPERTY_SYSTEM] = m->system,
        [PROPERTY_COMPILER] = m->compiler, [PROPERTY_FLAGS] = m->flags};
    char library[64];
    if (property == PROPERTY_CPUS) {
        snprintf(text, bytes, "%d", m->cpus);
    } else if (property == PROPERTY_MMK) {
        machine_text_library(m, library, sizeof library);
        snprintf(text, bytes, "%s, commit %s", library, m->commit);
    } else if (property == PROPERTY_DAY) {
        snprintf(text, bytes, "%.10s", m->date);
    } else {
        snprintf(text, bytes, "%s", plain[property]);
    }
}

/* "gcc 12.2.0", or where they differ "A gcc 12.2.0; B clang 14.0.6": true. */
static bool print_property(FILE *out, const struct saved *runs, size_t count,
                           enum property property)
{
    char first[300], text[300];
    bool differs = false;
    text_property(&runs[0].run.machine, property, first, sizeof first);
    for (size_t r = 1; r < count; r++) {
        text_property(&runs[r].run.machine, property, text, sizeof text);
        differs = differs || strcmp(text, first) != 0;
    }
    if (!differs)
        fprintf(out, "%s", first);
    for (size_t r = 0; differs && r < count; r++) {
        text_property(&runs[r].run.machine, property, text, sizeof text);
        fprintf(out, "%s%c %s", r ? "; " : "", letter(r), text);
    }
    return differs;
}

static void print_head(FILE *out, const struct saved *runs, size_t count, bool markdown)
{
    const char *const item = markdown ? "- " : "", *const join = markdown ? ": " : "";
    const int width = markdown ? 0 : 12;
    fprintf(out, "%s\n", history);
    for (size_t r = 0; r < count; r++)
        fprintf(out, "%s%c%*s%s%s\n", item, letter(r), width ? width - 1 : 0, "", join,
                runs[r].path);
    double clock = runs[0].run.best.clock;
    fprintf(out, "%s%-*s%s", item, width, "clock", join);
    if (clock > 0.0)
        fprintf(out, "times of one thread are stated at %.1f GHz, but for memory\n", clock * 1e-9);
    else
        fprintf(out, "times are as they were measured, at whatever clock\n");
    for (int p = 0; p < PROPERTIES; p++) {
        fprintf(out, "%s%-*s%s", item, width, property_names[p], join);
        bool differs = print_property(out, runs, count, (enum property)p);
        fprintf(out, "%s\n", differs ? "  (they differ)" : "");
    }
}

struct compare_cells {
    char before[40], after[40], speedup[96];
    const char *words;
};

static void fill_compared(const struct compared *row, struct compare_cells *cells)
{
    text_seconds(row->before, cells->before, sizeof cells->before);
    text_seconds(row->after, cells->after, sizeof cells->after);
    if (row->why[0])
        text_3(row->speedup.median, cells->speedup, sizeof cells->speedup);
    else
        text_speedup(&row->speedup, cells->speedup, sizeof cells->speedup);
    cells->words = stats_comparison_name(row->comparison);
}

static void print_case_name(FILE *out, const struct result *result)
{
    fprintf(out, "%s  %s  %s  %d thread%s", result->kernel, result->shape, result->data,
            result->threads, result->threads == 1 ? "" : "s");
}

static void print_alone(FILE *out, const struct compared *rows, size_t count, char who)
{
    if (count == 0)
        return;
    fprintf(out, "timed in %c alone, %zu row%s:\n", who, count, count == 1 ? "" : "s");
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || rows[i].result != rows[i - 1].result) {
            fprintf(out, "%s- ", i ? "\n" : "");
            print_case_name(out, rows[i].result);
            fprintf(out, ": %s", rows[i].column->variant);
        } else {
            fprintf(out, ", %s", rows[i].column->variant);
        }
    }
    fprintf(out, "\n\n");
}

static void print_counts(FILE *out, const struct compare *c, char other)
{
    size_t counts[4] = {0};
    for (size_t i = 0; i < c->count; i++)
        counts[c->rows[i].comparison]++;
    fprintf(out,
            "%c against A: %zu rows in both: %zu faster, %zu slower, %zu inconclusive; %zu in A "
            "alone, %zu in %c alone\n",
            other, c->count, counts[COMPARISON_FASTER], counts[COMPARISON_SLOWER],
            counts[COMPARISON_INCONCLUSIVE], c->before_count, c->after_count, other);
}

static void print_rows(FILE *out, const struct compare *c, char other)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct compared *row = &c->rows[i];
        struct compare_cells cells;
        if (i == 0 || row->result != c->rows[i - 1].result) {
            fprintf(out, "\n");
            print_case_name(out, row->result);
            fprintf(out, "\n  %-15s %-10c %-10c %c over %-16s %s\n", "variant", 'A', other, other,
                    "A", "verdict");
        }
        fill_compared(row, &cells);
        fprintf(out, "  %-15s %-10s %-10s %-23s %s%s%s%s\n", row->column->variant, cells.before,
                cells.after, cells.speedup, cells.words, row->why[0] ? " (" : "", row->why,
                row->why[0] ? ")" : "");
    }
    fprintf(out, "\n");
}

static void print_table(FILE *out, const struct compare *c, char other)
{
    char title[4];
    struct table table;
    table_open(&table, "llllrrrrll");
    snprintf(title, sizeof title, "%c", other);
    const char *const titles[] = {"kernel", "shape", "data",   "variant", "threads",
                                  "A",      title,   "over A", "verdict", "interval"};
    table_titles(&table, titles);
    for (size_t i = 0; i < c->count; i++) {
        const struct compared *row = &c->rows[i];
        struct compare_cells cells;
        fill_compared(row, &cells);
        table_cell(&table, "%s", row->result->kernel);
        table_cell(&table, "%s", row->result->shape);
        table_cell(&table, "%s", row->result->data);
        table_cell(&table, "%s", row->column->variant);
        table_cell(&table, "%d", row->result->threads);
        table_cell(&table, "%s", cells.before);
        table_cell(&table, "%s", cells.after);
        table_cell(&table, "%s", cells.speedup);
        table_cell(&table, "%s", cells.words);
        table_cell(&table, "%s", row->why[0] ? row->why : "95 %, by launch");
    }
    table_close(&table, out);
}

void compare_terminal(FILE *out, const struct saved *runs, size_t count, const char *list)
{
    print_head(out, runs, count, false);
    for (size_t r = 1; r < count; r++) {
        struct compare c;
        compare_runs(&runs[0].run, &runs[r].run, list, &c);
        print_rows(out, &c, letter(r));
        print_alone(out, c.before_alone, c.before_count, 'A');
        print_alone(out, c.after_alone, c.after_count, letter(r));
        print_counts(out, &c, letter(r));
        compare_free(&c);
    }
}

void compare_markdown(FILE *out, const struct saved *runs, size_t count, const char *list)
{
    table_heading(out, 1, "Saved runs compared");
    print_head(out, runs, count, true);
    fprintf(out, "\n");
    for (size_t r = 1; r < count; r++) {
        char title[64];
        struct compare c;
        snprintf(title, sizeof title, "%c against A", letter(r));
        table_heading(out, 2, title);
        compare_runs(&runs[0].run, &runs[r].run, list, &c);
        fprintf(out, "Over A: how many times as fast.\n\n");
        print_table(out, &c, letter(r));
        print_alone(out, c.before_alone, c.before_count, 'A');
        print_alone(out, c.after_alone, c.after_count, letter(r));
        print_counts(out, &c, letter(r));
        fprintf(out, "\n");
        compare_free(&c);
    }
}
