/* json.c - a run as a file of JSON, and back.
 * SPDX-License-Identifier: MIT
 */
#include "json.h"

#include "../base/memory.h"
#include "../report/analysis.h"
#include "json_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT "mmk-bench-1"

/* ---- Writing --------------------------------------------------------------------------------- */

/* Samples to six digits: more than any clock here gives. Void ones are null. */
static json_t *samples_to_json(const double *samples, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; samples && i < count; i++)
        json_array_append_new(list, isnan(samples[i]) ? json_null() : json_real(samples[i]));
    return list;
}

/* Not every peak is measured for every case. */
static bool has_sample(const double *samples, size_t count)
{
    for (size_t i = 0; samples && i < count; i++)
        if (!isnan(samples[i]))
            return true;
    return false;
}

/* Of a search: what another library found, what became of the pairs of ours. */
static void add_search(json_t *object, const struct column *c)
{
    const struct mmk_search_work *w = &c->work;
    if (c->recalled > 0)
        json_object_update_new(object,
                               json_pack("{s:b, s:f, s:I}", "approximate", c->approximate, "recall",
                                         c->recall, "results_looked_for", (json_int_t)c->recalled));
    if (w->scored + w->ruled_out_by_prefix + w->ruled_out_by_codes + w->ruled_out_by_sums > 0)
        json_object_set_new(object, "pairs",
                            json_pack("{s:I, s:I, s:I, s:I}", "scored", (json_int_t)w->scored,
                                      "ruled_out_by_prefix", (json_int_t)w->ruled_out_by_prefix,
                                      "ruled_out_by_codes", (json_int_t)w->ruled_out_by_codes,
                                      "ruled_out_by_sums", (json_int_t)w->ruled_out_by_sums));
}

static json_t *column_to_json(const struct column *c, size_t rounds)
{
    static const char *const states[] = {"timed", "not timed", "failed check"};
    json_t *voided = json_object();
    for (int d = 0; d < DISTURBANCE_COUNT; d++)
        json_object_set_new(voided, disturbance_name((enum disturbance)d),
                            json_integer((json_int_t)c->voided[d]));
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:I, s:f, s:f, s:I, s:I, s:f, s:I, s:o, s:f, s:o}",
        "variant", c->variant, "isa", c->isa, "baseline", c->baseline, "library", c->library,
        "state", states[c->state], "note", c->note, "checked", c->checked, "checked_rows",
        (json_int_t)c->checked_rows, "worst_share_of_bound", c->worst_share, "worst_abs_error",
        c->worst_abs, "calls_per_sample", (json_int_t)c->calls, "calls_before",
        (json_int_t)c->warm_up, "seconds_a_round", c->cost, "rounds_run", (json_int_t)c->run,
        "samples", voided, "ipc", c->ipc, "seconds",
        samples_to_json(c->seconds, c->seconds ? rounds : 0));
    add_search(object, c);
    return object;
}

static const char *const curve_names[CURVE_COUNT] = {"none", "batch", "workspace", "threads",
                                                     "search"};

static json_t *launches_to_json(const struct result *r)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->rounds; i++)
        json_array_append_new(list, json_integer((json_int_t)r->launch[i]));
    return list;
}

/* Of each canary its rates before and after every round. */
static json_t *canaries_to_json(const struct result *r)
{
    json_t *object = json_object();
    for (int c = 0; c < CANARY_COUNT; c++) {
        double *rates = memory_new(2 * r->rounds, sizeof *rates);
        for (size_t i = 0; i < 2 * r->rounds; i++)
            rates[i] = r->canary[i].rate[c];
        json_object_set_new(object, peak_name(canary_peaks[c]),
                            samples_to_json(rates, 2 * r->rounds));
        free(rates);
    }
    return object;
}

static json_t *result_to_json(const struct result *r)
{
    json_t *peaks = json_object(), *columns = json_array();
    for (int p = 0; p < PEAK_COUNT; p++)
        if (has_sample(r->peak[p], r->rounds))
            json_object_set_new(peaks, peak_name((enum peak)p),
                                samples_to_json(r->peak[p], r->rounds));
    for (size_t c = 0; c < r->column_count; c++)
        json_array_append_new(columns, column_to_json(&r->columns[c], r->rounds));
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:i, s:f, s:i, s:i, s:i, s:f, s:f, s:f, "
        "s:s, s:I, s:b, s:s, s:I, s:o, s:o}",
        "kernel", r->kernel, "family", r->family, "shape", r->shape, "data", r->data, "curve",
        curve_names[r->curve], "m", (json_int_t)r->m, "d", (json_int_t)r->d, "workspace_percent",
        r->workspace, "workspace_bytes", r->workspace_bytes, "threads", r->threads, "group",
        r->group, "order", r->order, "flops", r->flops, "bytes", r->bytes, "working_set_bytes",
        r->working_set, "level", peak_name(r->level), "inputs_in_rotation", (json_int_t)r->rotated,
        "closed", r->closed, "note", r->note, "rounds", (json_int_t)r->rounds, "peaks", peaks,
        "columns", columns);
    if (r->launch)
        json_object_set_new(object, "launch", launches_to_json(r));
    if (r->canary)
        json_object_set_new(object, "canaries", canaries_to_json(r));
    return object;
}

static json_t *memory_to_json(const struct memory *m)
{
    return json_pack("{s:s, s:s, s:i, s:I, s:I, s:i, s:f, s:f, s:f, s:f, s:f, s:s}", "kernel",
                     m->kernel, "variant", m->variant, "workspace_percent", m->workspace, "m",
                     (json_int_t)m->m, "d", (json_int_t)m->d, "threads", m->threads, "data_bytes",
                     m->data_bytes, "logits_bytes", m->logits_bytes, "peak_bytes", m->peak_bytes,
                     "program_bytes", m->program_bytes, "seconds", m->seconds, "note", m->note);
}

/* What is derived of a case, for those who read the file without mmk; here it is derived anew. */
static void add_verdicts(json_t *object, const struct result *r)
{
    for (size_t c = 0; c < r->column_count; c++) {
        struct row row;
        const struct column *than[MMK_ISA_COUNT];
        if (!analysis_is_hand_written(&r->columns[c]))
            continue;
        analyse(r, &r->columns[c], &row);
        json_t *list = json_array();
        size_t count = analyse_slower(&row, than);
        for (size_t i = 0; i < count; i++)
            json_array_append_new(list, json_string(than[i]->variant));
        json_object_set_new(json_array_get(json_object_get(object, "columns"), c), "slower_than",
                            list);
    }
}

/* One line a case, so that a diff of two files says something. */
static bool write_run(FILE *file, const struct run *run)
{
    fprintf(file, "{\"format\":\"" FORMAT "\",\n\"machine\":");
    bool good = json_write_value(file, json_from_machine(&run->machine));
    fprintf(file, ",\n\"seed\":%llu,\n\"seconds\":%.1f,\n\"missing\":",
            (unsigned long long)(run->seed & INT64_MAX), run->seconds);
    json_t *missing = json_array();
    for (size_t i = 0; i < run->missing_count; i++)
        json_array_append_new(missing, json_string(run->missing[i]));
    good = good && json_write_value(file, missing);
    if (run->launches > 0) {
        json_t *best = json_object();
        for (int c = 0; c < CANARY_COUNT; c++)
            json_object_set_new(best, peak_name(canary_peaks[c]), json_real(run->best.rate[c]));
        json_object_set_new(best, "stated_clock_hz", json_real(run->best.clock));
        fprintf(file,
                ",\n\"launches\":%zu,\n\"precision_percent\":%g,\n\"undisturbed\":", run->launches,
                run->precision);
        good = good && json_write_value(file, best);
    }
    fprintf(file, ",\n\"results\":[");
    for (size_t i = 0; good && i < run->result_count; i++) {
        fprintf(file, i > 0 ? ",\n" : "\n");
        json_t *object = result_to_json(&run->results[i]);
        add_verdicts(object, &run->results[i]);
        good = json_write_value(file, object);
    }
    fprintf(file, "\n],\n\"memory\":[");
    for (size_t i = 0; good && i < run->memory_count; i++) {
        fprintf(file, i > 0 ? ",\n" : "\n");
        good = json_write_value(file, memory_to_json(&run->memory[i]));
    }
    fprintf(file, "\n]}\n");
    return good && !ferror(file);
}

bool results_finish_json(struct new_file *n, const struct run *run, const char *path, char *error,
                         size_t error_bytes)
{
    json_end_without_memory();
    return new_file_open(n, path, error, error_bytes) &&
           new_file_finish(n, write_run(n->file, run), error, error_bytes);
}

bool results_write_json(const struct run *run, const char *path, char *error, size_t error_bytes)
{
    struct new_file n;
    return results_finish_json(&n, run, path, error, error_bytes) &&
           new_file_place(&n, error, error_bytes);
}

bool results_put_result(FILE *file, const struct result *result)
{
    json_end_without_memory();
    return json_write_value(file, result_to_json(result)) && fputc('\n', file) != EOF;
}

/* ---- Reading --------------------------------------------------------------------------------- */

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

/* Runs from before there was such a thing have none of it. */
static void get_search(const json_t *object, struct column *c)
{
    const json_t *pairs = json_object_get(object, "pairs");
    c->approximate = json_is_true(json_object_get(object, "approximate"));
    c->recall = json_get_number(object, "recall");
    c->recalled = json_get_size(object, "results_looked_for");
    c->work.scored = json_get_size(pairs, "scored");
    c->work.ruled_out_by_prefix = json_get_size(pairs, "ruled_out_by_prefix");
    c->work.ruled_out_by_codes = json_get_size(pairs, "ruled_out_by_codes");
    c->work.ruled_out_by_sums = json_get_size(pairs, "ruled_out_by_sums");
}

static bool get_column(const json_t *object, struct column *c, size_t rounds)
{
    char state[24];
    json_get_text(object, "variant", c->variant, sizeof c->variant);
    json_get_text(object, "isa", c->isa, sizeof c->isa);
    json_get_text(object, "baseline", c->baseline, sizeof c->baseline);
    if (json_object_get(object, "library")) /* runs from before there were peers have none */
        json_get_text(object, "library", c->library, sizeof c->library);
    json_get_text(object, "note", c->note, sizeof c->note);
    json_get_text(object, "state", state, sizeof state);
    c->state = strcmp(state, "timed") == 0       ? COLUMN_TIMED
               : strcmp(state, "not timed") == 0 ? COLUMN_NOT_TIMED
                                                 : COLUMN_FAILED;
    c->checked = json_is_true(json_object_get(object, "checked"));
    c->checked_rows = json_get_size(object, "checked_rows");
    c->worst_share = json_get_number(object, "worst_share_of_bound");
    c->worst_abs = json_get_number(object, "worst_abs_error");
    get_search(object, c);
    c->calls = json_get_size(object, "calls_per_sample");
    c->warm_up = json_get_size(object, "calls_before");
    c->cost = json_get_number(object, "seconds_a_round");
    c->run = json_get_size(object, "rounds_run");
    c->ipc = json_get_number(object, "ipc");
    for (int d = 0; d < DISTURBANCE_COUNT; d++)
        c->voided[d] = json_get_size(json_object_get(object, "samples"),
                                     disturbance_name((enum disturbance)d));
    c->seconds = get_samples(json_object_get(object, "seconds"), rounds);
    return c->seconds != NULL;
}

static void get_memory(const json_t *object, struct memory *m)
{
    json_get_text(object, "kernel", m->kernel, sizeof m->kernel);
    json_get_text(object, "variant", m->variant, sizeof m->variant);
    json_get_text(object, "note", m->note, sizeof m->note);
    m->workspace = (int)json_get_number(object, "workspace_percent");
    m->m = json_get_size(object, "m");
    m->d = json_get_size(object, "d");
    m->threads = (int)json_get_size(object, "threads");
    m->data_bytes = json_get_number(object, "data_bytes");
    m->logits_bytes = json_get_number(object, "logits_bytes");
    m->peak_bytes = json_get_number(object, "peak_bytes");
    m->program_bytes = json_get_number(object, "program_bytes");
    m->seconds = json_get_number(object, "seconds");
}

/* What runs from before there were launches have not. */
static void get_launches(const json_t *object, struct result *r)
{
    const json_t *launches = json_object_get(object, "launch");
    const json_t *canaries = json_object_get(object, "canaries");
    r->closed = json_is_true(json_object_get(object, "closed"));
    if (json_object_get(object, "note"))
        json_get_text(object, "note", r->note, sizeof r->note);
    if (launches) {
        r->launch = memory_new(r->rounds, sizeof *r->launch);
        for (size_t i = 0; i < r->rounds; i++)
            r->launch[i] = (size_t)json_integer_value(json_array_get(launches, i));
    }
    if (canaries)
        r->canary = memory_new(2 * r->rounds, sizeof *r->canary);
    for (int c = 0; canaries && c < CANARY_COUNT; c++) {
        double *rates =
            get_samples(json_object_get(canaries, peak_name(canary_peaks[c])), 2 * r->rounds);
        for (size_t i = 0; i < 2 * r->rounds; i++)
            r->canary[i].rate[c] = rates[i];
        free(rates);
    }
}

static bool get_result(const json_t *object, struct result *r)
{
    json_get_text(object, "kernel", r->kernel, sizeof r->kernel);
    json_get_text(object, "family", r->family, sizeof r->family);
    json_get_text(object, "shape", r->shape, sizeof r->shape);
    json_get_text(object, "data", r->data, sizeof r->data);
    const char *curve = json_string_value(json_object_get(object, "curve"));
    for (int c = 0; curve && c < CURVE_COUNT; c++)
        if (strcmp(curve, curve_names[c]) == 0)
            r->curve = (enum curve)c;
    r->m = json_get_size(object, "m");
    r->d = json_get_size(object, "d");
    r->workspace = (int)json_get_number(object, "workspace_percent");
    r->workspace_bytes = json_get_number(object, "workspace_bytes");
    r->threads = (int)json_get_size(object, "threads");
    r->group = (int)json_get_size(object, "group");
    r->order = (int)json_get_size(object, "order");
    r->flops = json_get_number(object, "flops");
    r->bytes = json_get_number(object, "bytes");
    r->working_set = json_get_number(object, "working_set_bytes");
    r->rotated = json_get_size(object, "inputs_in_rotation");
    r->rounds = json_get_size(object, "rounds");
    if (!get_peak(json_string_value(json_object_get(object, "level")), &r->level) ||
        r->rounds > 1u << 20)
        return false;
    get_launches(object, r);
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
    json_get_machine(json_object_get(root, "machine"), &run->machine);
    run->seed = (uint64_t)json_integer_value(json_object_get(root, "seed"));
    run->seconds = json_get_number(root, "seconds");
    run->launches = json_get_size(root, "launches");
    run->precision = json_get_number(root, "precision_percent");
    for (int c = 0; c < CANARY_COUNT; c++)
        run->best.rate[c] =
            json_get_number(json_object_get(root, "undisturbed"), peak_name(canary_peaks[c]));
    run->best.clock = json_get_number(json_object_get(root, "undisturbed"), "stated_clock_hz");
    size_t i;
    json_t *value;
    json_array_foreach(json_object_get(root, "missing"), i, value)
    {
        run_add_missing(run, "%s", json_string_value(value) ? json_string_value(value) : "");
        json_make_one_line(run->missing[run->missing_count - 1]);
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
    double stated = run->best.clock;
    run_judge(run);
    if (!(stated > 0.0)) { /* from before times were stated at a clock */
        run->best.clock = 0.0;
        run_state_at(run, 0.0);
    }
    return true;
}

bool results_get_result(struct run *run, const char *line)
{
    json_end_without_memory();
    json_t *root = json_loads(line, 0, NULL);
    struct result *result = root ? run_add_results(run, 1) : NULL;
    bool good = result && get_result(root, result);
    json_decref(root);
    return good;
}

bool results_read_json(struct run *run, const char *path, char *error, size_t error_bytes)
{
    run_init(run);
    json_t *root = json_open(path, FORMAT, error, error_bytes);
    bool good = root && get_run(root, run);
    if (root && !good) {
        run_free(run);
        json_disown(path, FORMAT, error, error_bytes);
    }
    json_decref(root);
    return good;
}
