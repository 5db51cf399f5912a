/* saved.c - what `mmk-check --json` wrote, read back.
 * SPDX-License-Identifier: MIT
 */
#include "saved.h"

#include "../../bench/results/json_parts.h"
#include "../check/report_json.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

/* Says that it is no whole report, and why. */
__attribute__((format(printf, 4, 5))) static bool
damaged(const char *path, char *error, size_t error_bytes, const char *format, ...)
{
    char what[256];
    va_list list;
    va_start(list, format);
    vsnprintf(what, sizeof what, format, list);
    va_end(list);
    snprintf(error, error_bytes,
             "%s is no whole report of mmk-check: %s; remove it, or run mmk-check --json again",
             path, what);
    return false;
}

static void copy(char *to, size_t bytes, const char *from)
{
    snprintf(to, bytes, "%s", from);
    json_make_one_line(to);
}

/* "a,b"; "" of an empty list. False: it is no list of texts or numbers. */
static bool join_list(const json_t *list, char *text, size_t bytes)
{
    size_t i;
    json_t *item;
    text[0] = '\0';
    json_array_foreach(list, i, item)
    {
        size_t length = strlen(text);
        const char *comma = i > 0 ? "," : "";
        if (json_is_string(item))
            snprintf(text + length, bytes - length, "%s%s", comma, json_string_value(item));
        else if (json_is_integer(item))
            snprintf(text + length, bytes - length, "%s%d", comma, (int)json_integer_value(item));
        else
            return false;
    }
    json_make_one_line(text);
    return json_is_array(list);
}

static bool read_cell(struct saved_cell *c, json_t *object, json_error_t *problem)
{
    const char *variant, *reason, *failure;
    json_int_t passed, failed, skipped;
    json_t *share;
    if (json_unpack_ex(object, problem, 0, "{s:s, s:I, s:I, s:I, s:s, s:o, s:s}", "variant",
                       &variant, "passed", &passed, "failed", &failed, "skipped", &skipped,
                       "skip_reason", &reason, "worst_of_bound", &share, "first_failure",
                       &failure) != 0)
        return false;
    copy(c->variant, sizeof c->variant, variant);
    copy(c->skip_reason, sizeof c->skip_reason, reason);
    copy(c->first_failure, sizeof c->first_failure, failure);
    c->passed = passed > 0 ? (size_t)passed : 0;
    c->failed = failed > 0 ? (size_t)failed : 0;
    c->skipped = skipped > 0 ? (size_t)skipped : 0;
    c->worst_share = json_is_number(share) ? json_number_value(share) : HUGE_VAL;
    return true;
}

static bool read_kernel(struct saved *run, json_t *object, const char *path, char *error,
                        size_t error_bytes)
{
    json_error_t problem;
    const char *name, *inputs, *results;
    json_int_t trials;
    json_t *variants, *item;
    if (json_unpack_ex(object, &problem, 0, "{s:s, s:I, s:s, s:s, s:o}", "kernel", &name, "trials",
                       &trials, "inputs", &inputs, "results", &results, "variants", &variants) != 0)
        return damaged(path, error, error_bytes, "%s", problem.text);
    size_t k = 0, i;
    while (k < kernel_count && strcmp(kernels[k]->name, name) != 0)
        k++;
    if (k == kernel_count) {
        snprintf(error, error_bytes,
                 "%s has a kernel '%.60s' that this mmk-check does not know; merge with the "
                 "mmk-check of the build that wrote it",
                 path, name);
        return false;
    }
    struct saved_kernel *kernel = &run->kernel[k];
    if (kernel->inputs[0])
        return damaged(path, error, error_bytes, "the kernel %s is there twice", name);
    copy(kernel->inputs, sizeof kernel->inputs, inputs);
    copy(kernel->results, sizeof kernel->results, results);
    kernel->trials = trials > 0 ? (size_t)trials : 0;
    if (!kernel->inputs[0] || !json_is_array(variants) || json_array_size(variants) > VARIANT_MAX)
        return damaged(path, error, error_bytes, "what it says of %s", name);
    json_array_foreach(variants, i,
                       item) if (!read_cell(&kernel->cell[kernel->cells++], item,
                                            &problem)) return damaged(path, error, error_bytes,
                                                                      "%s: %s", name, problem.text);
    return true;
}

static bool read_kernels(struct saved *run, const json_t *list, const char *path, char *error,
                         size_t error_bytes)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i,
                       item) if (!read_kernel(run, item, path, error, error_bytes)) return false;
    for (size_t k = 0; k < kernel_count; k++)
        if (!run->kernel[k].inputs[0]) {
            snprintf(error, error_bytes,
                     "%s does not know the kernel '%s', which this mmk-check has; merge with the "
                     "mmk-check of the build that wrote it",
                     path, kernels[k]->name);
            return false;
        }
    return true;
}

/* A file that somebody has edited, or a line of which was lost. A run may have failures beside
 * those of its cells (--require). */
static bool adds_up(const struct saved *run)
{
    size_t passed = 0, failed = 0, skipped = 0;
    for (size_t k = 0; k < kernel_count; k++)
        for (int c = 0; c < run->kernel[k].cells; c++) {
            passed += run->kernel[k].cell[c].passed;
            failed += run->kernel[k].cell[c].failed;
            skipped += run->kernel[k].cell[c].skipped;
        }
    return passed == run->passed && skipped == run->skipped && failed <= run->failed;
}

static bool read_kind(struct saved *run, const char *kind)
{
    for (int k = HOST_NATIVE; k <= HOST_UNKNOWN; k++)
        if (strcmp(kind, host_kind_name((enum host_kind)k)) == 0) {
            run->kind = (enum host_kind)k;
            return true;
        }
    return false;
}

static bool read_root(struct saved *run, json_t *root, char *error, size_t error_bytes)
{
    json_error_t problem;
    const char *id, *mmk, *commit, *architecture, *cpu, *kind, *evidence, *seed;
    const char *library = "";
    json_t *theirs, *threads, *kernel, *shape, *fill, *isa, *list;
    json_int_t repeat, passed, failed, skipped;
    int quick, finished, oracle;
    if (json_unpack_ex(root, &problem, 0,
                       "{s:s, s:s, s:i, s:s, s:o, s:{s:s, s:s, s:s, s:s}, s:s, s:I, s:b, s:o, "
                       "s:{s:o, s:o, s:o, s:o}, s:o, s:b, s:I, s:I, s:I, s:b}",
                       "id", &id, "mmk", &mmk, "numerics", &run->numerics, "commit", &commit,
                       "library", &theirs, "machine", "architecture", &architecture, "cpu", &cpu,
                       "kind", &kind, "evidence", &evidence, "seed", &seed, "repeat", &repeat,
                       "quick", &quick, "threads", &threads, "narrowed", "kernel", &kernel, "shape",
                       &shape, "fill", &fill, "isa", &isa, "kernels", &list, "finished", &finished,
                       "passed", &passed, "failed", &failed, "skipped", &skipped, "oracle",
                       &oracle) != 0)
        return damaged(run->path, error, error_bytes, "%s", problem.text);
    run->of_library = !json_is_null(theirs);
    if (run->of_library && json_unpack_ex(theirs, &problem, 0, "{s:s, s:i}", "mmk", &library,
                                          "numerics", &run->library_numerics) != 0)
        return damaged(run->path, error, error_bytes, "%s", problem.text);
    copy(run->id, sizeof run->id, id);
    copy(run->mmk, sizeof run->mmk, mmk);
    copy(run->commit, sizeof run->commit, commit);
    copy(run->library_mmk, sizeof run->library_mmk, library);
    copy(run->architecture, sizeof run->architecture, architecture);
    copy(run->cpu, sizeof run->cpu, cpu);
    copy(run->evidence, sizeof run->evidence, evidence);
    copy(run->seed, sizeof run->seed, seed);
    run->repeat = (size_t)repeat;
    run->quick = quick;
    run->oracle = oracle;
    run->finished = finished;
    run->passed = passed > 0 ? (size_t)passed : 0;
    run->failed = failed > 0 ? (size_t)failed : 0;
    run->skipped = skipped > 0 ? (size_t)skipped : 0;
    if (!read_kind(run, kind) || !join_list(threads, run->threads, sizeof run->threads) ||
        !join_list(kernel, run->only_kernel, sizeof run->only_kernel) ||
        !join_list(shape, run->only_shape, sizeof run->only_shape) ||
        !join_list(fill, run->only_fill, sizeof run->only_fill) ||
        !join_list(isa, run->only_isa, sizeof run->only_isa) || !json_is_array(list))
        return damaged(run->path, error, error_bytes, "what it says of its machine and options");
    if (!read_kernels(run, list, run->path, error, error_bytes))
        return false;
    if (!adds_up(run))
        return damaged(run->path, error, error_bytes, "its counts do not add up");
    return true;
}

bool saved_read(struct saved *run, const char *path, char *error, size_t error_bytes)
{
    *run = (struct saved){.path = path};
    json_t *root = json_open(path, REPORT_JSON_FORMAT, error, error_bytes);
    bool good = root && read_root(run, root, error, error_bytes);
    json_decref(root);
    return good;
}

const struct saved_cell *saved_cell(const struct saved *run, size_t kernel, const char *variant)
{
    const struct saved_kernel *k = &run->kernel[kernel];
    for (int c = 0; c < k->cells; c++)
        if (strcmp(k->cell[c].variant, variant) == 0)
            return &k->cell[c];
    return NULL;
}
