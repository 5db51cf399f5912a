/* json.c - a run as a file of JSON, and back.
 * SPDX-License-Identifier: MIT
 */
#include "json.h"

#include "../base/memory.h"
#include "../base/regular.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FORMAT "mmk-bench-1"

static void *allocate(size_t bytes)
{
    return memory_new(1, bytes);
}

/* Not every failure of jansson's is told: an array may just be shorter. */
static void end_without_memory(void)
{
    json_set_alloc_funcs(allocate, free);
}

/* ---- Writing --------------------------------------------------------------------------------- */

/* Samples to six digits: more than any clock here gives. Void ones are null. */
static json_t *samples_to_json(const double *samples, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; samples && i < count; i++)
        json_array_append_new(list, isnan(samples[i]) ? json_null() : json_real(samples[i]));
    return list;
}

static json_t *column_to_json(const struct column *c, size_t rounds)
{
    static const char *const states[] = {"timed", "not timed", "failed check"};
    json_t *voided = json_object();
    for (int d = 0; d < DISTURBANCE_COUNT; d++)
        json_object_set_new(voided, disturbance_name((enum disturbance)d),
                            json_integer((json_int_t)c->voided[d]));
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:I, s:f, s:f, s:I, s:I, s:o, s:f, s:o}",
                     "variant", c->variant, "isa", c->isa, "baseline", c->baseline, "library",
                     c->library, "state", states[c->state], "note", c->note, "checked", c->checked,
                     "checked_rows", (json_int_t)c->checked_rows, "worst_share_of_bound",
                     c->worst_share, "worst_abs_error", c->worst_abs, "calls_per_sample",
                     (json_int_t)c->calls, "rounds_run", (json_int_t)c->run, "samples", voided,
                     "ipc", c->ipc, "seconds",
                     samples_to_json(c->seconds, c->seconds ? rounds : 0));
}

static const char *const curve_names[CURVE_COUNT] = {"none", "batch", "workspace", "threads"};

static json_t *result_to_json(const struct result *r)
{
    json_t *peaks = json_object(), *columns = json_array();
    for (int p = 0; p < PEAK_COUNT; p++)
        if (r->peak[p] && r->rounds > 0)
            json_object_set_new(peaks, peak_name((enum peak)p),
                                samples_to_json(r->peak[p], r->rounds));
    for (size_t c = 0; c < r->column_count; c++)
        json_array_append_new(columns, column_to_json(&r->columns[c], r->rounds));
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:i, s:f, s:i, s:i, s:i, s:f, s:f, s:f, "
                     "s:s, s:I, s:I, s:o, s:o}",
                     "kernel", r->kernel, "family", r->family, "shape", r->shape, "data", r->data,
                     "curve", curve_names[r->curve], "m", (json_int_t)r->m, "d", (json_int_t)r->d,
                     "workspace_percent", r->workspace, "workspace_bytes", r->workspace_bytes,
                     "threads", r->threads, "group", r->group, "order", r->order, "flops", r->flops,
                     "bytes", r->bytes, "working_set_bytes", r->working_set, "level",
                     peak_name(r->level), "inputs_in_rotation", (json_int_t)r->rotated, "rounds",
                     (json_int_t)r->rounds, "peaks", peaks, "columns", columns);
}

static json_t *memory_to_json(const struct memory *m)
{
    return json_pack("{s:s, s:s, s:i, s:I, s:I, s:i, s:f, s:f, s:f, s:f, s:f, s:s}", "kernel",
                     m->kernel, "variant", m->variant, "workspace_percent", m->workspace, "m",
                     (json_int_t)m->m, "d", (json_int_t)m->d, "threads", m->threads, "data_bytes",
                     m->data_bytes, "logits_bytes", m->logits_bytes, "peak_bytes", m->peak_bytes,
                     "program_bytes", m->program_bytes, "seconds", m->seconds, "note", m->note);
}

static json_t *machine_to_json(const struct machine *m)
{
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:i, s:I, s:I, s:I, s:b, s:s, s:s, s:s, s:s, s:s, s:s, "
        "s:s, s:s, s:i}",
        "cpu", m->cpu, "slug", m->slug, "architecture", m->architecture, "extensions",
        m->extensions, "hypervisor", m->hypervisor, "cpus", m->cpus, "l1d_bytes",
        (json_int_t)m->l1d, "l2_bytes", (json_int_t)m->l2, "l3_bytes", (json_int_t)m->l3,
        "caches_known", m->caches_known, "governor", m->governor, "counters", m->counters, "system",
        m->system, "compiler", m->compiler, "flags", m->flags, "library", m->library, "commit",
        m->commit, "date", m->date, "numerics", m->numerics);
}

static bool write_value(FILE *file, json_t *value)
{
    if (!value)
        return false;
    int status = json_dumpf(value, file, JSON_COMPACT | JSON_REAL_PRECISION(6));
    json_decref(value);
    return status == 0;
}

/* One line a case, so that a diff of two files says something. */
static bool write_run(FILE *file, const struct run *run)
{
    fprintf(file, "{\"format\":\"" FORMAT "\",\n\"machine\":");
    bool good = write_value(file, machine_to_json(&run->machine));
    fprintf(file, ",\n\"seed\":%llu,\n\"seconds\":%.1f,\n\"missing\":",
            (unsigned long long)(run->seed & INT64_MAX), run->seconds);
    json_t *missing = json_array();
    for (size_t i = 0; i < run->missing_count; i++)
        json_array_append_new(missing, json_string(run->missing[i]));
    good = good && write_value(file, missing);
    fprintf(file, ",\n\"results\":[");
    for (size_t i = 0; good && i < run->result_count; i++) {
        fprintf(file, i > 0 ? ",\n" : "\n");
        good = write_value(file, result_to_json(&run->results[i]));
    }
    fprintf(file, "\n],\n\"memory\":[");
    for (size_t i = 0; good && i < run->memory_count; i++) {
        fprintf(file, i > 0 ? ",\n" : "\n");
        good = write_value(file, memory_to_json(&run->memory[i]));
    }
    fprintf(file, "\n]}\n");
    return good && !ferror(file);
}

bool results_finish_json(struct new_file *n, const struct run *run, const char *path, char *error,
                         size_t error_bytes)
{
    end_without_memory();
    return new_file_open(n, path, error, error_bytes) &&
           new_file_finish(n, write_run(n->file, run), error, error_bytes);
}

bool results_write_json(const struct run *run, const char *path, char *error, size_t error_bytes)
{
    struct new_file n;
    return results_finish_json(&n, run, path, error, error_bytes) &&
           new_file_place(&n, error, error_bytes);
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* A line is a row of a table. */
static void make_one_line(char *text)
{
    for (char *at = text; *at; at++)
        if ((unsigned char)*at < ' ' || *at == '\x7f')
            *at = ' ';
}

static void get_text(const json_t *object, const char *key, char *text, size_t bytes)
{
    const char *value = json_string_value(json_object_get(object, key));
    snprintf(text, bytes, "%s", value ? value : "unknown");
    make_one_line(text);
}

static double get_number(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static size_t get_size(const json_t *object, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(object, key));
    return value > 0 ? (size_t)value : 0;
}

static bool get_peak(const char *name, enum peak *peak)
{
    for (int p = 0; p < PEAK_COUNT; p++) {
        if (name && strcmp(peak_name((enum peak)p), name) == 0) {
            *peak = (enum peak)p;
            return true;
        }
    }
    return false;
}

/* `count` samples; null and what is missing are void. */
static double *get_samples(const json_t *list, size_t count)
{
    double *samples = memory_new(count, sizeof *samples);
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_array_get(list, i);
        samples[i] = json_is_number(value) ? json_number_value(value) : (double)NAN;
    }
    return samples;
}

static void get_machine(const json_t *object, struct machine *m)
{
    get_text(object, "cpu", m->cpu, sizeof m->cpu);
    get_text(object, "slug", m->slug, sizeof m->slug);
    get_text(object, "architecture", m->architecture, sizeof m->architecture);
    get_text(object, "extensions", m->extensions, sizeof m->extensions);
    get_text(object, "hypervisor", m->hypervisor, sizeof m->hypervisor);
    m->cpus = (int)get_size(object, "cpus");
    m->l1d = get_size(object, "l1d_bytes");
    m->l2 = get_size(object, "l2_bytes");
    m->l3 = get_size(object, "l3_bytes");
    m->caches_known = json_is_true(json_object_get(object, "caches_known"));
    get_text(object, "governor", m->governor, sizeof m->governor);
    get_text(object, "counters", m->counters, sizeof m->counters);
    get_text(object, "system", m->system, sizeof m->system);
    get_text(object, "compiler", m->compiler, sizeof m->compiler);
    get_text(object, "flags", m->flags, sizeof m->flags);
    get_text(object, "library", m->library, sizeof m->library);
    get_text(object, "commit", m->commit, sizeof m->commit);
    get_text(object, "date", m->date, sizeof m->date);
    m->numerics = (int)get_size(object, "numerics"); /* older runs have none */
}

static bool get_column(const json_t *object, struct column *c, size_t rounds)
{
    char state[24];
    get_text(object, "variant", c->variant, sizeof c->variant);
    get_text(object, "isa", c->isa, sizeof c->isa);
    get_text(object, "baseline", c->baseline, sizeof c->baseline);
    if (json_object_get(object, "library")) /* runs from before there were peers have none */
        get_text(object, "library", c->library, sizeof c->library);
    get_text(object, "note", c->note, sizeof c->note);
    get_text(object, "state", state, sizeof state);
    c->state = strcmp(state, "timed") == 0       ? COLUMN_TIMED
               : strcmp(state, "not timed") == 0 ? COLUMN_NOT_TIMED
                                                 : COLUMN_FAILED;
    c->checked = json_is_true(json_object_get(object, "checked"));
    c->checked_rows = get_size(object, "checked_rows");
    c->worst_share = get_number(object, "worst_share_of_bound");
    c->worst_abs = get_number(object, "worst_abs_error");
    c->calls = get_size(object, "calls_per_sample");
    c->run = get_size(object, "rounds_run");
    c->ipc = get_number(object, "ipc");
    for (int d = 0; d < DISTURBANCE_COUNT; d++)
        c->voided[d] =
            get_size(json_object_get(object, "samples"), disturbance_name((enum disturbance)d));
    c->seconds = get_samples(json_object_get(object, "seconds"), rounds);
    return c->seconds != NULL;
}

static void get_memory(const json_t *object, struct memory *m)
{
    get_text(object, "kernel", m->kernel, sizeof m->kernel);
    get_text(object, "variant", m->variant, sizeof m->variant);
    get_text(object, "note", m->note, sizeof m->note);
    m->workspace = (int)get_number(object, "workspace_percent");
    m->m = get_size(object, "m");
    m->d = get_size(object, "d");
    m->threads = (int)get_size(object, "threads");
    m->data_bytes = get_number(object, "data_bytes");
    m->logits_bytes = get_number(object, "logits_bytes");
    m->peak_bytes = get_number(object, "peak_bytes");
    m->program_bytes = get_number(object, "program_bytes");
    m->seconds = get_number(object, "seconds");
}

static bool get_result(const json_t *object, struct result *r)
{
    get_text(object, "kernel", r->kernel, sizeof r->kernel);
    get_text(object, "family", r->family, sizeof r->family);
    get_text(object, "shape", r->shape, sizeof r->shape);
    get_text(object, "data", r->data, sizeof r->data);
    const char *curve = json_string_value(json_object_get(object, "curve"));
    for (int c = 0; curve && c < CURVE_COUNT; c++)
        if (strcmp(curve, curve_names[c]) == 0)
            r->curve = (enum curve)c;
    r->m = get_size(object, "m");
    r->d = get_size(object, "d");
    r->workspace = (int)get_number(object, "workspace_percent");
    r->workspace_bytes = get_number(object, "workspace_bytes");
    r->threads = (int)get_size(object, "threads");
    r->group = (int)get_size(object, "group");
    r->order = (int)get_size(object, "order");
    r->flops = get_number(object, "flops");
    r->bytes = get_number(object, "bytes");
    r->working_set = get_number(object, "working_set_bytes");
    r->rotated = get_size(object, "inputs_in_rotation");
    r->rounds = get_size(object, "rounds");
    if (!get_peak(json_string_value(json_object_get(object, "level")), &r->level) ||
        r->rounds > 1u << 20)
        return false;
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(object, "peaks"), name, value)
    {
        enum peak peak;
        if (get_peak(name, &peak) && !r->peak[peak])
            r->peak[peak] = get_samples(value, r->rounds);
    }
    size_t i;
    json_array_foreach(json_object_get(object, "columns"), i, value)
    {
        struct column *column = result_add_column(r);
        if (!column || !get_column(value, column, r->rounds))
            return false;
    }
    return true;
}

static bool get_run(const json_t *root, struct run *run)
{
    const char *format = json_string_value(json_object_get(root, "format"));
    if (!format || strcmp(format, FORMAT) != 0)
        return false;
    get_machine(json_object_get(root, "machine"), &run->machine);
    run->seed = (uint64_t)json_integer_value(json_object_get(root, "seed"));
    run->seconds = get_number(root, "seconds");
    size_t i;
    json_t *value;
    json_array_foreach(json_object_get(root, "missing"), i, value)
    {
        run_add_missing(run, "%s", json_string_value(value) ? json_string_value(value) : "");
        make_one_line(run->missing[run->missing_count - 1]);
    }
    json_array_foreach(json_object_get(root, "results"), i, value)
    {
        struct result *result = run_add_results(run, 1);
        if (!result || !get_result(value, result))
            return false;
    }
    json_array_foreach(json_object_get(root, "memory"), i, value)
    {
        struct memory *memory = run_add_memory(run);
        if (!memory)
            return false;
        get_memory(value, memory);
    }
    return true;
}

bool results_read_json(struct run *run, const char *path, char *error, size_t error_bytes)
{
    json_error_t problem;
    size_t size;
    run_init(run);
    int fd = regular_open(path, &size, error, error_bytes);
    if (fd < 0)
        return false;
    end_without_memory();
    json_t *root = json_loadfd(fd, 0, &problem);
    close(fd);
    if (!root) {
        snprintf(error, error_bytes, "%s is no JSON file (%s); remove it or restore it", path,
                 problem.text);
        return false;
    }
    bool good = get_run(root, run);
    json_decref(root);
    if (!good) {
        run_free(run);
        snprintf(error, error_bytes,
                 "%s was not written by this mmk-bench (format " FORMAT
                 "); remove it or restore it",
                 path);
    }
    return good;
}
