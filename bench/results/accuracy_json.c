/* accuracy_json.c - accuracy as a file of JSON, and back.
 * SPDX-License-Identifier: MIT
 */
#include "accuracy_json.h"

#include "../base/memory.h"
#include "json_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT "mmk-accuracy-1"

static void set_error(json_t *object, const char *key, double error)
{
    json_object_set_new(object, key, isnan(error) ? json_null() : json_real(error));
}

static double get_error(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static json_t *point_to_json(const struct accuracy_point *p)
{
    json_t *object = json_pack("{s:s, s:I, s:I, s:s, s:b}", "loss", accuracy_loss(p->loss), "m",
                               (json_int_t)p->m, "n", (json_int_t)p->n, "long",
                               p->x_long ? "x" : "y", "equal_rows", p->equal);
    for (int j = 0; j < JUDGED_COUNT; j++) {
        json_t *errors = json_object();
        for (int o = 0; o < OUTPUTS; o++)
            set_error(errors, output_name((enum output)o), p->error[j][o]);
        json_object_set_new(object, judged_name((enum judged)j), errors);
    }
    return object;
}

static json_t *logits_to_json(const struct logits_point *p)
{
    json_t *object = json_pack("{s:I}", "d", (json_int_t)p->d);
    set_error(object, "chain", p->chain);
    set_error(object, "blocked", p->blocked);
    set_error(object, "openblas", p->sgemm);
    return object;
}

static json_t *worst_to_json(const struct worst_point *p)
{
    json_t *object = json_pack("{s:s, s:s, s:s}", "kernel", p->kernel, "shape", p->shape,
                               "same_bits_on", p->same_on);
    json_t *all = json_array();
    for (size_t w = 0; w < p->who_count; w++) {
        const struct worst_of *who = &p->who[w];
        json_t *one = json_pack("{s:s, s:s, s:I}", "library", who->name, "rows", who->fill, "steps",
                                (json_int_t)who->steps);
        set_error(one, "of_right", who->of_result);
        set_error(one, "of_bound", who->of_bound);
        set_error(one, "found_of_bound", who->found);
        json_array_append_new(all, one);
    }
    json_object_set_new(object, "errors", all);
    return object;
}

/* One line a point, so that a diff of two files says something. */
static bool write_accuracy(FILE *file, const struct accuracy *a)
{
    fprintf(file, "{\"format\":\"" FORMAT "\",\n\"machine\":");
    bool good = json_write_value(file, json_from_machine(&a->machine));
    fprintf(file, ",\n\"run\":");
    good =
        good && json_write_value(file, json_pack("{s:I, s:f, s:s, s:s, s:s}", "seed",
                                                 (json_int_t)(a->seed & INT64_MAX), "seconds",
                                                 a->seconds, "pytorch", a->torch, "openblas",
                                                 a->openblas, "without_peers", a->without_peers));
    fprintf(file, ",\n\"losses\":[");
    for (size_t i = 0; good && i < a->count; i++) {
        fprintf(file, i > 0 ? ",\n" : "\n");
        good = json_write_value(file, point_to_json(&a->points[i]));
    }
    fprintf(file, "\n],\n\"logits\":[");
    for (size_t i = 0; good && i < a->logits_count; i++) {
        fprintf(file, i > 0 ? ",\n" : "\n");
        good = json_write_value(file, logits_to_json(&a->logits[i]));
    }
    fprintf(file, "\n],\n\"kernels\":[");
    for (size_t i = 0; good && i < a->worst_count; i++) {
        fprintf(file, i > 0 ? ",\n" : "\n");
        good = json_write_value(file, worst_to_json(&a->worst[i]));
    }
    fprintf(file, "\n]}\n");
    return good && !ferror(file);
}

bool accuracy_finish_json(struct new_file *n, const struct accuracy *a, const char *path,
                          char *error, size_t error_bytes)
{
    json_end_without_memory();
    return new_file_open(n, path, error, error_bytes) &&
           new_file_finish(n, write_accuracy(n->file, a), error, error_bytes);
}

bool accuracy_write_json(const struct accuracy *a, const char *path, char *error,
                         size_t error_bytes)
{
    struct new_file n;
    return accuracy_finish_json(&n, a, path, error, error_bytes) &&
           new_file_place(&n, error, error_bytes);
}

static bool get_point(const json_t *object, struct accuracy_point *p)
{
    char text[32];
    p->loss = 0;
    json_get_text(object, "long", text, sizeof text);
    p->x_long = strcmp(text, "x") == 0;
    p->equal = json_is_true(json_object_get(object, "equal_rows"));
    p->m = json_get_size(object, "m");
    p->n = json_get_size(object, "n");
    for (int j = 0; j < JUDGED_COUNT; j++)
        for (int o = 0; o < OUTPUTS; o++)
            p->error[j][o] = get_error(json_object_get(object, judged_name((enum judged)j)),
                                       output_name((enum output)o));
    json_get_text(object, "loss", text, sizeof text);
    while (p->loss < ACCURACY_LOSSES && strcmp(accuracy_loss(p->loss), text) != 0)
        p->loss++;
    return p->loss < ACCURACY_LOSSES;
}

static void get_worst(const json_t *object, struct worst_point *p)
{
    const json_t *all = json_object_get(object, "errors");
    *p = (struct worst_point){.who_count = 0};
    json_get_text(object, "kernel", p->kernel, sizeof p->kernel);
    json_get_text(object, "shape", p->shape, sizeof p->shape);
    json_get_text(object, "same_bits_on", p->same_on, sizeof p->same_on);
    for (; p->who_count < json_array_size(all) && p->who_count < WORST_WHO; p->who_count++) {
        const json_t *one = json_array_get(all, p->who_count);
        struct worst_of *who = &p->who[p->who_count];
        json_get_text(one, "library", who->name, sizeof who->name);
        json_get_text(one, "rows", who->fill, sizeof who->fill);
        who->steps = json_get_size(one, "steps");
        who->of_result = get_error(one, "of_right");
        who->of_bound = get_error(one, "of_bound");
        who->found = get_error(one, "found_of_bound");
    }
}

static bool get_accuracy(const json_t *root, struct accuracy *a)
{
    const json_t *run = json_object_get(root, "run"), *points = json_object_get(root, "losses"),
                 *logits = json_object_get(root, "logits");
    json_get_machine(json_object_get(root, "machine"), &a->machine);
    a->seed = (uint64_t)json_integer_value(json_object_get(run, "seed"));
    a->seconds = json_get_number(run, "seconds");
    json_get_text(run, "pytorch", a->torch, sizeof a->torch);
    json_get_text(run, "openblas", a->openblas, sizeof a->openblas);
    /* Files of before have no kernels. */
    const json_t *kernels = json_object_get(root, "kernels");
    a->worst = memory_new(json_array_size(kernels), sizeof *a->worst);
    for (; a->worst_count < json_array_size(kernels); a->worst_count++)
        get_worst(json_array_get(kernels, a->worst_count), &a->worst[a->worst_count]);
    if (json_object_get(run, "without_peers"))
        json_get_text(run, "without_peers", a->without_peers, sizeof a->without_peers);
    a->points = memory_new(json_array_size(points), sizeof *a->points);
    for (; a->count < json_array_size(points); a->count++)
        if (!get_point(json_array_get(points, a->count), &a->points[a->count]))
            return false;
    for (; a->logits_count < LOGITS_MOST && a->logits_count < json_array_size(logits);
         a->logits_count++) {
        const json_t *object = json_array_get(logits, a->logits_count);
        a->logits[a->logits_count] =
            (struct logits_point){json_get_size(object, "d"), get_error(object, "chain"),
                                  get_error(object, "blocked"), get_error(object, "openblas")};
    }
    return true;
}

bool accuracy_read_json(struct accuracy *a, const char *path, char *error, size_t error_bytes)
{
    *a = (struct accuracy){.count = 0};
    json_t *root = json_open(path, FORMAT, error, error_bytes);
    bool good = root && get_accuracy(root, a);
    if (root && !good) {
        accuracy_free(a);
        json_disown(path, FORMAT, error, error_bytes);
    }
    json_decref(root);
    return good;
}
