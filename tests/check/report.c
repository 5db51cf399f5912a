/* report.c - what was found: counters per kernel and variant, hashes of all results, failures, TAP
 * and JUnit output.
 * SPDX-License-Identifier: MIT
 */
#include "report.h"

#include "../../bench/base/new_file.h"
#include "../../bench/base/text.h"

#include <stdarg.h>
#include <string.h>

void report_worst(struct cell *cell, const struct verdict *v, const char *where)
{
    if (v->worst_share > cell->worst_share) {
        cell->worst_share = v->worst_share;
        cell->worst_abs = v->worst_abs;
        cell->worst_ulp = v->worst_ulp;
        snprintf(cell->worst_where, sizeof cell->worst_where, "%s", where);
    }
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 29;
}

static uint64_t mix_text(uint64_t hash, const char *text)
{
    for (; *text; text++)
        hash = mix(hash, (unsigned char)*text);
    return mix(hash, 0);
}

/* Without the padding between rows. */
static uint64_t mix_inputs(uint64_t hash, const struct trial *t)
{
    for (int index = 0; index < t->buffer_count; index++) {
        const struct buffer *b = &t->buffer[index];
        size_t words = b->cols * element_bytes(b->element) / sizeof(uint32_t);
        size_t stride = b->ld * element_bytes(b->element) / sizeof(uint32_t);
        for (size_t i = 0; !b->output && i < b->rows; i++)
            for (size_t w = 0; w < words; w++)
                hash = mix(hash, ((const uint32_t *)b->data)[i * stride + w]);
    }
    return hash;
}

void report_digest(struct digest *digest, size_t number, const struct trial *t, const char *shape)
{
    if (digest->trials > 0 && digest->last == number)
        return;
    digest->last = number;
    digest->trials++;
    digest->inputs = mix_text(mix_text(digest->inputs, shape), fill_name(t->fill));
    digest->inputs = mix_inputs(mix(digest->inputs, t->seed), t);
    digest->results = mix(digest->results, trial_fingerprint(t));
}

void report_skip(struct cell *cell, const char *reason)
{
    cell->skipped++;
    snprintf(cell->skip_reason, sizeof cell->skip_reason, "%s", reason);
}

void report_fail(struct cell *cell, const char *where, const char *how, const char *again)
{
    if (cell->failed++ == 0)
        snprintf(cell->first_failure, sizeof cell->first_failure, "%s: %s", where, how);
    if (!again)
        return;
    if (++cell->shown <= REPORT_FAILURES_SHOWN)
        fprintf(stderr, "FAIL %s: %s\n     again: %s\n", where, how, again);
    else if (cell->shown == REPORT_FAILURES_SHOWN + 1)
        fprintf(stderr, "FAIL ... more of this kernel and variant are counted, not shown\n");
}

void report_fail_run(struct report *report, const char *format, ...)
{
    char text[512];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    fprintf(stderr, "FAIL %s\n", text);
    size_t length = strlen(report->run_failure);
    snprintf(report->run_failure + length, sizeof report->run_failure - length, "%s%s",
             report->run_failed++ > 0 ? "; " : "", text);
}

static bool used(const struct cell *cell)
{
    return cell->passed + cell->failed + cell->skipped > 0;
}

void report_table(const struct report *report, const struct variant *variants, int variant_count)
{
    printf("%-25s %-15s %9s %7s %8s  %-9s %-9s %s\n", "kernel", "variant", "passed", "failed",
           "of bound", "abs", "ulp", "worst of bound at");
    for (size_t k = 0; k < kernel_count; k++)
        for (int v = 0; v < variant_count; v++) {
            const struct cell *c = &report->cell[k][v];
            if (!used(c))
                continue;
            if (c->passed + c->failed == 0)
                printf("%-25s %-15s %9s %7s %8s  skipped %zu: %s\n", kernels[k]->name,
                       variants[v].name, "-", "-", "-", c->skipped, c->skip_reason);
            else
                printf("%-25s %-15s %9zu %7zu %8.3f  %-9.2e %-9.3g %s\n", kernels[k]->name,
                       variants[v].name, c->passed, c->failed, c->worst_share, c->worst_abs,
                       c->worst_ulp, c->worst_where);
        }
}

void report_total(const struct report *report, size_t *passed, size_t *failed, size_t *skipped)
{
    *passed = *skipped = 0;
    *failed = report->run_failed;
    for (size_t k = 0; k < kernel_count; k++)
        for (int v = 0; v < VARIANT_MAX; v++) {
            *passed += report->cell[k][v].passed;
            *failed += report->cell[k][v].failed;
            *skipped += report->cell[k][v].skipped;
        }
}

void report_tap(const struct report *report, const struct variant *variants, int variant_count)
{
    int number = 0;
    printf("TAP version 13\n");
    for (size_t k = 0; k < kernel_count; k++)
        for (int v = 0; v < variant_count; v++) {
            const struct cell *c = &report->cell[k][v];
            if (!used(c))
                continue;
            printf("%sok %d - %s %s", c->failed ? "not " : "", ++number, kernels[k]->name,
                   variants[v].name);
            if (c->passed + c->failed == 0)
                printf(" # SKIP %s\n", c->skip_reason);
            else
                printf("\n# %zu passed, %zu failed, worst error %.3f of the bound\n", c->passed,
                       c->failed, c->worst_share);
            if (c->failed)
                printf("# %s\n", c->first_failure);
        }
    if (report->run_failed > 0)
        printf("not ok %d - the run\n# %s\n", ++number, report->run_failure);
    printf("1..%d\n", number);
}

static void junit_run(FILE *f, const struct report *report)
{
    if (report->run_failed == 0)
        return;
    fputs("  <testsuite name=\"mmk-check\" tests=\"1\" failures=\"1\" skipped=\"0\">\n"
          "    <testcase classname=\"mmk-check\" name=\"the run\">\n      <failure message=\"",
          f);
    text_write_xml(f, report->run_failure);
    fputs("\"/>\n    </testcase>\n  </testsuite>\n", f);
}

static void junit_suite(FILE *f, const struct report *report, const struct variant *variants,
                        int variant_count, size_t k)
{
    int tests = 0, failures = 0, skipped = 0;
    for (int v = 0; v < variant_count; v++) {
        const struct cell *c = &report->cell[k][v];
        tests += used(c);
        failures += c->failed > 0;
        skipped += used(c) && c->passed + c->failed == 0;
    }
    if (tests == 0)
        return;
    fprintf(f, "  <testsuite name=\"mmk-check.%s\" tests=\"%d\" failures=\"%d\" skipped=\"%d\">\n",
            kernels[k]->name, tests, failures, skipped);
    for (int v = 0; v < variant_count; v++) {
        const struct cell *c = &report->cell[k][v];
        if (!used(c))
            continue;
        fprintf(f, "    <testcase classname=\"%s\" name=\"%s\">\n", kernels[k]->name,
                variants[v].name);
        if (c->failed) {
            fprintf(f, "      <failure message=\"%zu of %zu checks failed\">", c->failed,
                    c->passed + c->failed);
            text_write_xml(f, c->first_failure);
            fputs("</failure>\n", f);
        } else if (c->passed == 0) {
            fputs("      <skipped message=\"", f);
            text_write_xml(f, c->skip_reason);
            fputs("\"/>\n", f);
        }
        fprintf(f,
                "      <system-out>%zu checks, worst error %.3f of the bound, %.3g absolute, %.3g "
                "ulp</system-out>\n    </testcase>\n",
                c->passed + c->failed, c->worst_share, c->worst_abs, c->worst_ulp);
    }
    fputs("  </testsuite>\n", f);
}

bool report_junit(const struct report *report, const struct variant *variants, int variant_count,
                  const char *path, char *error, size_t error_bytes)
{
    struct new_file n;
    if (!new_file_open(&n, path, error, error_bytes))
        return false;
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n", n.file);
    for (size_t k = 0; k < kernel_count; k++)
        junit_suite(n.file, report, variants, variant_count, k);
    junit_run(n.file, report);
    fputs("</testsuites>\n", n.file);
    return new_file_close(&n, true, error, error_bytes);
}
