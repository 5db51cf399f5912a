/* gate_report.c - a gate's rows and verdict.
 * SPDX-License-Identifier: MIT
 */
#include "gate_report.h"

#include "../base/text.h"

#include <math.h>
#include <string.h>

/* The launches that a row speaks of: of a suspect those of its proof. */
static const struct verdict_launches *launches_of(const struct gate_case *c)
{
    return c->evidence.again.count > 0 ? &c->evidence.again : &c->evidence.first;
}

static size_t quiet_of(const struct gate_case *c)
{
    const struct verdict_launches *l = launches_of(c);
    size_t quiet = 0;
    for (size_t i = 0; i < l->count; i++)
        quiet += l->quiet[i];
    return quiet;
}

/* "1.003 [0.998, 1.009]", or "-". */
static void write_range(const struct estimate *ratio, char *text, size_t bytes)
{
    if (ratio->n == 0)
        snprintf(text, bytes, "-");
    else if (isinf(ratio->high))
        snprintf(text, bytes, "%.3f", ratio->median);
    else
        snprintf(text, bytes, "%.3f [%.3f, %.3f]", ratio->median, ratio->low, ratio->high);
}

/* The verdict, and what there is to add to it. */
static void write_verdict(const struct gate_case *c, char *text, size_t bytes)
{
    const char *name = gate_verdict_name(c->judgement.verdict);
    if (c->why[0])
        snprintf(text, bytes, "%s: %s", name, c->why);
    else if (c->evidence.first.count < LEAST_FIRST_LAUNCHES)
        snprintf(text, bytes, "%s: too little time, or samples too disturbed, for %d launches",
                 name, LEAST_FIRST_LAUNCHES);
    else if (c->evidence.suspect)
        snprintf(text, bytes, "%s, tried again", name);
    else
        snprintf(text, bytes, "%s", name);
}

/* The cells of a row, the same in every form. */
struct gate_cells {
    char seconds[40], range[64], verdict[480], quiet[24];
};

static void fill_cells(const struct gate_case *c, struct gate_cells *cells)
{
    snprintf(cells->seconds, sizeof cells->seconds, "-");
    snprintf(cells->quiet, sizeof cells->quiet, "-"); /* of several threads nobody knows */
    if (c->new_seconds > 0.0)
        text_seconds(c->new_seconds, cells->seconds, sizeof cells->seconds);
    if (c->threads <= 1)
        snprintf(cells->quiet, sizeof cells->quiet, "%zu", quiet_of(c));
    write_range(&c->judgement.ratio, cells->range, sizeof cells->range);
    write_verdict(c, cells->verdict, sizeof cells->verdict);
}

static void write_closing(FILE *out, const struct gate *gate)
{
    fprintf(out,
            "%s: %zu passed, %zu regressed, %zu inconclusive, %zu not compared (threshold %.3g %%, "
            "%zu launches, %.0f s",
            gate_verdict_name(gate->verdict), gate->tally[GATE_PASS], gate->tally[GATE_REGRESSED],
            gate->tally[GATE_INCONCLUSIVE], gate->tally[GATE_NOT_COMPARED],
            100.0 * gate->options.threshold, gate->launches, gate->seconds);
    if (gate->reading_count > 0)
        fprintf(out, "; the core was undisturbed in %.0f %% of rounds",
                100.0 * (double)gate->quiet_readings / (double)gate->reading_count);
    fprintf(out, ")");
}

void gate_report_text(FILE *out, const struct gate *gate)
{
    fprintf(out, "%-26s %-22s %-14s %-10s %-24s %8s %6s  %s\n", "kernel", "shape", "variant",
            "last time", "time over baseline", "launches", "quiet", "verdict");
    for (size_t i = 0; i < gate->count; i++) {
        const struct gate_case *c = &gate->cases[i];
        struct gate_cells cells;
        fill_cells(c, &cells);
        fprintf(out, "%-26s %-22s %-14s %-10s %-24s %8zu %6s  %s\n", c->kernel, c->shape,
                c->variant, cells.seconds, cells.range, launches_of(c)->count, cells.quiet,
                cells.verdict);
    }
    fprintf(out, "\n");
    write_closing(out, gate);
    fprintf(out, "\n");
}

void gate_report_markdown(FILE *out, const struct gate *gate)
{
    fprintf(out, "**");
    write_closing(out, gate);
    fprintf(out, "**\n\n"
                 "Time over the baseline's, paired by round: median over launches and its 95 %% "
                 "interval. What seemed slower was tried again in fresh launches, which alone "
                 "count then.\n\n"
                 "| kernel | shape | variant | last time | time over baseline | launches | quiet | "
                 "verdict |\n|---|---|---|---:|---|---:|---:|---|\n");
    for (size_t i = 0; i < gate->count; i++) {
        const struct gate_case *c = &gate->cases[i];
        struct gate_cells cells;
        fill_cells(c, &cells);
        fprintf(out, "| %s | %s | %s | %s | %s | %zu | %s | %s |\n", c->kernel, c->shape,
                c->variant, cells.seconds, cells.range, launches_of(c)->count, cells.quiet,
                cells.verdict);
    }
}

void gate_report_junit(FILE *out, const struct gate *gate)
{
    static const char *const elements[] = {NULL, "failure", "skipped", "error"};
    fprintf(out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite "
            "name=\"mmk-bench.gate\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" "
            "skipped=\"%zu\" time=\"%.1f\">\n",
            gate->count, gate->tally[GATE_REGRESSED], gate->tally[GATE_NOT_COMPARED],
            gate->tally[GATE_INCONCLUSIVE], gate->seconds);
    for (size_t i = 0; i < gate->count; i++) {
        const struct gate_case *c = &gate->cases[i];
        struct gate_cells cells;
        const char *element = elements[c->judgement.verdict];
        fill_cells(c, &cells);
        fprintf(out, "    <testcase classname=\"");
        text_write_xml(out, c->kernel);
        fprintf(out, "\" name=\"");
        text_write_xml(out, c->shape);
        fprintf(out, " ");
        text_write_xml(out, c->variant);
        fprintf(out, "\">\n");
        if (element) {
            fprintf(out, "      <%s message=\"", element);
            text_write_xml(out, cells.verdict);
            fprintf(out, ", time over baseline %s\"/>\n", cells.range);
        }
        fprintf(out, "      <system-out>time over baseline %s, %zu launches</system-out>\n",
                cells.range, launches_of(c)->count);
        fprintf(out, "    </testcase>\n");
    }
    fprintf(out, "  </testsuite>\n</testsuites>\n");
}
