/* verdict.c - what runs say together, as a table, as JUnit XML and as JSON.
 * SPDX-License-Identifier: MIT
 */
#include "verdict.h"

#include "../../bench/base/new_file.h"
#include "../../bench/base/text.h"
#include "../../bench/results/json_parts.h"

#include <math.h>
#include <string.h>

enum { EXIT_FAILED = 1, EXIT_MISSING = 3 };

void verdict_find(struct verdict_of_runs *v)
{
    char with[RUNS_MAX + 1];
    for (size_t r = 0; r < v->count; r++) {
        v->passed += v->runs[r].passed;
        v->failed += v->runs[r].failed;
        v->skipped += v->runs[r].skipped;
        for (size_t k = 0; k < kernel_count; k++) {
            enum bits bits = join_bits(v->runs, v->count, r, k, with);
            v->compared[k] = v->compared[k] || bits != BITS_ALONE;
            v->differs[k] = v->differs[k] || bits == BITS_DIFFER;
        }
        for (size_t k = 0; k < kernel_count; k++)
            if (v->runs[r].kernel[k].trials > 0 && !join_judged(v->runs, v->count, r, k))
                v->unjudged[k] = true;
    }
    for (size_t k = 0; k < kernel_count; k++)
        v->missing += v->unjudged[k];
    for (size_t k = 0; k < kernel_count; k++)
        v->failed += v->differs[k];
    for (size_t i = 0; i < v->required_count; i++) {
        required_find(&v->required[i], v->runs, v->count);
        v->missing += v->required[i].missing_count;
    }
}

int verdict_status(const struct verdict_of_runs *v)
{
    return v->failed > 0 ? EXIT_FAILED : v->missing > 0 ? EXIT_MISSING : 0;
}

/* "x86_64 native" */
static void machine_text(const struct saved *run, char *text, size_t bytes)
{
    snprintf(text, bytes, "%s %s", run->architecture, host_kind_name(run->kind));
}

static void bits_text(const struct verdict_of_runs *v, size_t r, size_t k, char *text, size_t bytes)
{
    char with[RUNS_MAX + 1];
    enum bits bits = join_bits(v->runs, v->count, r, k, with);
    if (v->runs[r].kernel[k].trials == 0)
        snprintf(text, bytes, "-");
    else if (bits == BITS_ALONE)
        snprintf(text, bytes, "not compared");
    else
        snprintf(text, bytes, "%s %s", bits == BITS_SAME ? "as in" : "DIFFER:", with);
}

/* ---- The table ------------------------------------------------------------------------------- */

static void print_narrowing(const char *option, const char *only)
{
    if (only[0])
        printf(", --%s %s", option, only);
}

static void print_runs(const struct verdict_of_runs *v)
{
    for (size_t r = 0; r < v->count; r++) {
        const struct saved *run = &v->runs[r];
        printf("%c  %s: %s %s, CPU %s, commit %s\n", (char)('A' + r), run->path, run->architecture,
               host_kind_name(run->kind), run->cpu, run->commit);
        printf("   %s: %s; %s, seed %s", host_kind_name(run->kind), run->evidence,
               run->quick ? "quick" : "whole", run->seed);
        if (run->repeat > 1)
            printf(" and the %zu after it", run->repeat - 1);
        printf(", threads %s", run->threads);
        print_narrowing("kernel", run->only_kernel);
        print_narrowing("shape", run->only_shape);
        print_narrowing("fill", run->only_fill);
        print_narrowing("isa", run->only_isa);
        if (!run->oracle)
            printf(", without the oracle (counts where a run that has it has the same results)");
        if (run->only_shape[0] || run->only_fill[0])
            printf(" (narrowed: no run of what --require asks)");
        printf("\n");
    }
    const struct saved *first = &v->runs[0];
    printf("mmk %s, numerics version %d", first->mmk, first->numerics);
    if (first->of_library)
        printf(", of a library of mmk %s, numerics version %d", first->library_mmk,
               first->library_numerics);
    printf(
        "\nBits are compared where two runs have the same inputs: of the same seed, both quick or "
        "both whole, and narrowed alike.\n");
    for (size_t r = 1; r < v->count; r++)
        if (strcmp(v->runs[r].commit, first->commit) != 0) {
            printf("Not all are of the same commit, as far as it is known.\n");
            break;
        }
    printf("\n");
}

static void print_cell(const struct verdict_of_runs *v, size_t r, size_t k,
                       const struct saved_cell *c)
{
    char machine[64], bits[64];
    machine_text(&v->runs[r], machine, sizeof machine);
    bits_text(v, r, k, bits, sizeof bits);
    printf("%-41s %-15s %c %-17s ", kernels[k]->name, c->variant, (char)('A' + r), machine);
    if (c->passed + c->failed == 0)
        printf("%9s %7s %8s  skipped %zu: %s\n", "-", "-", "-", c->skipped, c->skip_reason);
    else
        printf("%9zu %7zu %8.3f  %s\n", c->passed, c->failed, c->worst_share, bits);
}

/* Why a run does not count, reason by reason, each with the kernels that it holds for. */
static void print_reasons(const struct verdict_of_runs *v, const struct required *required,
                          size_t r)
{
    char why[REPORT_KERNELS][400];
    for (size_t k = 0; k < kernel_count; k++)
        if (required->missing[k])
            required_why(required, &v->runs[r], k, why[k], sizeof why[k]);
    for (size_t k = 0; k < kernel_count; k++) {
        bool told = !required->missing[k];
        size_t kernels_of_it = 0;
        for (size_t other = 0; !told && other < kernel_count; other++)
            if (required->missing[other] && strcmp(why[other], why[k]) == 0) {
                told = other < k;
                kernels_of_it++;
            }
        if (!told)
            printf("    %s %s (%zu kernel%s)\n", v->runs[r].path, why[k], kernels_of_it,
                   kernels_of_it == 1 ? "" : "s");
    }
}

static void print_missing(const struct verdict_of_runs *v, const struct required *required)
{
    if (required->missing_count == 0) {
        printf("required %s: all %zu kernels\n", required->text, kernel_count);
        return;
    }
    if (required->missing_count == kernel_count)
        printf("MISSING %s: all %zu kernels", required->text, kernel_count);
    else
        printf("MISSING %s: %zu of %zu kernels:", required->text, required->missing_count,
               kernel_count);
    for (size_t k = 0; required->missing_count < kernel_count && k < kernel_count; k++)
        if (required->missing[k])
            printf(" %s", kernels[k]->name);
    printf("\n");
    for (size_t r = 0; r < v->count; r++)
        print_reasons(v, required, r);
}

void verdict_print(const struct verdict_of_runs *v)
{
    print_runs(v);
    printf("%-41s %-15s %-19s %9s %7s %8s  %s\n", "kernel", "variant", "run", "passed", "failed",
           "of bound", "bits");
    for (size_t k = 0; k < kernel_count; k++)
        for (size_t r = 0; r < v->count; r++)
            for (int c = 0; c < v->runs[r].kernel[k].cells; c++)
                print_cell(v, r, k, &v->runs[r].kernel[k].cell[c]);
    printf("\n");
    for (size_t r = 0; r < v->count; r++) {
        const struct saved *run = &v->runs[r];
        if (run->failed > 0)
            printf("FAIL %s: %zu failed\n", run->path, run->failed);
        for (size_t k = 0; k < kernel_count; k++)
            for (int c = 0; c < run->kernel[k].cells; c++)
                if (run->kernel[k].cell[c].failed > 0)
                    printf("FAIL %s: %s\n", run->path, run->kernel[k].cell[c].first_failure);
    }
    for (size_t k = 0; k < kernel_count; k++)
        for (size_t r = 0; r < v->count; r++) {
            char with[RUNS_MAX + 1];
            if (join_bits(v->runs, v->count, r, k, with) != BITS_DIFFER)
                continue;
            printf("FAIL %s: other bits for the same inputs:", kernels[k]->name);
            printf(" %s", v->runs[r].path);
            for (const char *other = with; *other; other++)
                printf(" %s", v->runs[*other - 'A'].path);
            printf("\n");
            break;
        }
    for (size_t i = 0; i < v->required_count; i++)
        print_missing(v, &v->required[i]);
    for (size_t k = 0; k < kernel_count; k++)
        if (v->unjudged[k])
            printf("MISSING the oracle of %s: no run that has it has the results of one with "
                   "--no-oracle\n",
                   kernels[k]->name);
    if (v->required_count > 0 || v->missing > 0)
        printf("%zu missing\n", v->missing);
    printf("%zu passed, %zu failed, %zu skipped\n", v->passed, v->failed, v->skipped);
}

/* ---- JUnit ----------------------------------------------------------------------------------- */

static void open_case(FILE *f, const char *suite, const char *name, const char *where)
{
    fputs("    <testcase classname=\"", f);
    text_write_xml(f, suite);
    fputs("\" name=\"", f);
    text_write_xml(f, name);
    fputs(where ? " in " : "", f);
    text_write_xml(f, where ? where : "");
    fputs("\">", f);
}

static void failure(FILE *f, const char *message, const char *text)
{
    fputs("<failure message=\"", f);
    text_write_xml(f, message);
    fputs("\">", f);
    text_write_xml(f, text);
    fputs("</failure>", f);
}

static void junit_cell(FILE *f, const struct saved *run, size_t k, const struct saved_cell *c)
{
    char said[96];
    open_case(f, kernels[k]->name, c->variant, run->path);
    if (c->failed > 0) {
        snprintf(said, sizeof said, "%zu of %zu checks failed", c->failed, c->passed + c->failed);
        failure(f, said, c->first_failure);
    } else if (c->passed == 0) {
        fputs("<skipped message=\"", f);
        text_write_xml(f, c->skip_reason);
        fputs("\"/>", f);
    }
    fputs("</testcase>\n", f);
}

static void junit_kernel(FILE *f, const struct verdict_of_runs *v, size_t k)
{
    fputs("  <testsuite name=\"mmk-check.", f);
    text_write_xml(f, kernels[k]->name);
    fputs("\">\n", f);
    for (size_t r = 0; r < v->count; r++)
        for (int c = 0; c < v->runs[r].kernel[k].cells; c++)
            junit_cell(f, &v->runs[r], k, &v->runs[r].kernel[k].cell[c]);
    open_case(f, kernels[k]->name, "the same bits in all runs of the same inputs", NULL);
    if (v->differs[k])
        failure(f, "other bits for the same inputs", "");
    else if (!v->compared[k])
        fputs("<skipped message=\"no two runs have the same inputs\"/>", f);
    fputs("</testcase>\n", f);
    if (v->unjudged[k]) {
        open_case(f, kernels[k]->name, "judged by the oracle", NULL);
        failure(f, "missing: no run with the oracle has these results", "");
        fputs("</testcase>\n", f);
    }
    for (size_t i = 0; i < v->required_count; i++) {
        open_case(f, kernels[k]->name, v->required[i].text, "any run");
        if (v->required[i].missing[k])
            failure(f, "missing: no run checked it so", "");
        fputs("</testcase>\n", f);
    }
    fputs("  </testsuite>\n", f);
}

/* What failed in a run beside its checks, as a --require of its own. */
static void junit_runs(FILE *f, const struct verdict_of_runs *v)
{
    fputs("  <testsuite name=\"mmk-check.runs\">\n", f);
    for (size_t r = 0; r < v->count; r++) {
        const struct saved *run = &v->runs[r];
        size_t of_checks = 0;
        for (size_t k = 0; k < kernel_count; k++)
            for (int c = 0; c < run->kernel[k].cells; c++)
                of_checks += run->kernel[k].cell[c].failed;
        open_case(f, "runs", run->path, NULL);
        if (run->failed > of_checks)
            failure(f, "the run failed, beside its checks", "");
        fputs("</testcase>\n", f);
    }
    fputs("  </testsuite>\n", f);
}

bool verdict_junit(const struct verdict_of_runs *v, const char *path, char *error,
                   size_t error_bytes)
{
    struct new_file n;
    if (!new_file_open(&n, path, error, error_bytes))
        return false;
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n", n.file);
    junit_runs(n.file, v);
    for (size_t k = 0; k < kernel_count; k++)
        junit_kernel(n.file, v, k);
    fputs("</testsuites>\n", n.file);
    return new_file_close(&n, true, error, error_bytes);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static json_t *kernel_list(const bool chosen[REPORT_KERNELS])
{
    json_t *list = json_array();
    for (size_t k = 0; k < kernel_count; k++)
        if (chosen[k])
            json_array_append_new(list, json_string(kernels[k]->name));
    return list;
}

bool verdict_json(const struct verdict_of_runs *v, const char *path, char *error,
                  size_t error_bytes)
{
    static const char *const words[] = {"passed", "failed", "", "missing"};
    struct new_file n;
    if (!new_file_open(&n, path, error, error_bytes))
        return false;
    json_end_without_memory();
    json_t *runs = json_array(), *missing = json_object();
    for (size_t r = 0; r < v->count; r++) {
        const struct saved *run = &v->runs[r];
        json_array_append_new(
            runs, json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:I, s:I, s:I}", "file", run->path,
                            "id", run->id, "architecture", run->architecture, "cpu", run->cpu,
                            "kind", host_kind_name(run->kind), "oracle", run->oracle, "passed",
                            (json_int_t)run->passed, "failed", (json_int_t)run->failed, "skipped",
                            (json_int_t)run->skipped));
    }
    for (size_t i = 0; i < v->required_count; i++)
        json_object_set_new(missing, v->required[i].text, kernel_list(v->required[i].missing));
    bool good = json_write_value(
        n.file,
        json_pack("{s:s, s:s, s:s, s:i, s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "format",
                  "mmk-verdict-1", "verdict", words[verdict_status(v)], "mmk", v->runs[0].mmk,
                  "numerics", v->runs[0].numerics, "passed", (json_int_t)v->passed, "failed",
                  (json_int_t)v->failed, "skipped", (json_int_t)v->skipped, "missing", missing,
                  "other_bits", kernel_list(v->differs), "unjudged", kernel_list(v->unjudged),
                  "runs", runs));
    fputc('\n', n.file);
    if (good)
        return new_file_close(&n, true, error, error_bytes);
    new_file_drop(&n);
    snprintf(error, error_bytes, "%s: a text in it is no UTF-8; give files by other names", path);
    return false;
}
