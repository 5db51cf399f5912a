/* report_json.c - a run of mmk-check as a file of JSON, for `mmk-check merge` and for others.
 * SPDX-License-Identifier: MIT
 *
 * Written by hand: Debian has no jansson for the cross build. One kernel is one line, so that a
 * diff of two files says something.
 */
#include "report_json.h"

#include "../../bench/base/new_file.h"
#include "../../bench/base/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <sys/random.h>

static void put_text(FILE *f, const char *key, const char *text)
{
    fprintf(f, "\"%s\":", key);
    text_write_json(f, text);
}

/* JSON has no infinity. */
static void put_number(FILE *f, const char *key, double value)
{
    if (isfinite(value))
        fprintf(f, "\"%s\":%.6g", key, value);
    else
        fprintf(f, "\"%s\":null", key);
}

static void put_list(FILE *f, const char *key, const struct list *list)
{
    fprintf(f, "\"%s\":[", key);
    for (int i = 0; i < list->count; i++) {
        fputs(i > 0 ? "," : "", f);
        text_write_json(f, list->item[i]);
    }
    fputc(']', f);
}

/* Tells a copy of a report from another run. */
static void put_id(FILE *f)
{
    uint64_t id[2] = {0, 0};
    if (getrandom(id, sizeof id, 0) != sizeof id)
        abort();
    fprintf(f, "\"id\":\"%016" PRIx64 "%016" PRIx64 "\"", id[0], id[1]);
}

static void put_library(FILE *f, const struct library *library)
{
    fputs(",\n\"library\":", f);
    if (!library) {
        fputs("null", f);
        return;
    }
    fputc('{', f);
    put_text(f, "path", library->path);
    fputc(',', f);
    put_text(f, "mmk", library->version);
    fprintf(f, ",\"numerics\":%d,", library->numerics);
    put_text(f, "lacks", library->lacks);
    fputc('}', f);
}

static void put_host(FILE *f, const struct host *host)
{
    fputs(",\n\"machine\":{", f);
    put_text(f, "architecture", host->architecture);
    fputc(',', f);
    put_text(f, "cpu", host->cpu);
    fputc(',', f);
    put_text(f, "kind", host_kind_name(host->kind));
    fputc(',', f);
    put_text(f, "evidence", host->evidence);
    fputc('}', f);
}

/* What was asked, and what that leaves out. */
static void put_options(FILE *f, const struct options *o)
{
    fprintf(f,
            ",\n\"seed\":\"%" PRIu64 "\",\"repeat\":%lu,\"quick\":%s,\"oracle\":%s,\"threads\":[",
            o->seed, o->repeat, o->quick ? "true" : "false", o->no_oracle ? "false" : "true");
    for (int i = 0; i < o->thread_count; i++)
        fprintf(f, "%s%d", i > 0 ? "," : "", o->threads[i]);
    fputs("],\n\"narrowed\":{", f);
    put_list(f, "kernel", &o->kernel);
    fputc(',', f);
    put_list(f, "shape", &o->shape);
    fputc(',', f);
    put_list(f, "fill", &o->fill);
    fputc(',', f);
    put_list(f, "isa", &o->isa);
    fputc('}', f);
}

static void put_cell(FILE *f, const struct cell *c, const char *variant)
{
    fputc('{', f);
    put_text(f, "variant", variant);
    fprintf(f, ",\"passed\":%zu,\"failed\":%zu,\"skipped\":%zu,", c->passed, c->failed, c->skipped);
    put_text(f, "skip_reason", c->skip_reason);
    fputc(',', f);
    put_number(f, "worst_of_bound", c->worst_share);
    fputc(',', f);
    put_number(f, "worst_absolute", c->worst_abs);
    fputc(',', f);
    put_number(f, "worst_ulp", c->worst_ulp);
    fputc(',', f);
    put_text(f, "worst_at", c->worst_where);
    fputc(',', f);
    put_text(f, "first_failure", c->first_failure);
    fputc('}', f);
}

/* Kernels that were left out are there too, without variants: a reader learns what there is. */
static void put_kernel(FILE *f, const struct run *run, size_t k)
{
    const struct digest *digest = &run->report->digest[k];
    fprintf(f,
            "{\"kernel\":\"%s\",\"trials\":%zu,\"inputs\":\"%016" PRIx64
            "\",\"results\":\"%016" PRIx64 "\",\"variants\":[",
            kernels[k]->name, digest->trials, digest->inputs, digest->results);
    const char *comma = "";
    for (int v = 0; v < run->variant_count; v++) {
        const struct cell *c = &run->report->cell[k][v];
        if (c->passed + c->failed + c->skipped == 0)
            continue;
        fputs(comma, f);
        put_cell(f, c, run->variants[v].name);
        comma = ",";
    }
    fputs("]}", f);
}

bool report_json(const struct run *run, const struct report_facts *facts, const char *path,
                 char *error, size_t error_bytes)
{
    struct new_file n;
    if (!new_file_open(&n, path, error, error_bytes))
        return false;
    FILE *f = n.file;
    fputs("{\"format\":\"" REPORT_JSON_FORMAT "\",", f);
    put_id(f);
    fputs(",\n", f);
    put_text(f, "mmk", facts->version);
    fprintf(f, ",\"numerics\":%d,", facts->numerics);
    put_text(f, "commit", facts->host->commit);
    put_library(f, run->library);
    put_host(f, facts->host);
    put_options(f, &run->options);
    fputs(",\n\"kernels\":[\n", f);
    for (size_t k = 0; k < kernel_count; k++) {
        put_kernel(f, run, k);
        fputs(k + 1 < kernel_count ? ",\n" : "\n", f);
    }
    fprintf(f, "],\n\"finished\":%s,\"passed\":%zu,\"failed\":%zu,\"skipped\":%zu}\n",
            facts->finished ? "true" : "false", facts->passed, facts->failed, facts->skipped);
    return new_file_close(&n, true, error, error_bytes);
}
