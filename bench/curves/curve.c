/* curve.c - which cases the curves are made of.
 * SPDX-License-Identifier: MIT
 */
#include "curve.h"

#include <stdio.h>
#include <string.h>

/* The batch and the dimensions at which workspaces and threads are compared. */
enum { BATCH = 4096, SMALL_DIM = 128, SMOKE_BATCH = 256 };

/* The search whose dimension is varied. */
enum { QUERIES = 1000, GALLERY = 100000, RESULTS = 10, SMOKE_QUERIES = 64, SMOKE_GALLERY = 2000 };

static const struct {
    const char *name;
    enum curve curve; /* CURVE_NONE: memory */
} names[] = {{"batch", CURVE_BATCH},
             {"memory", CURVE_NONE},
             {"workspace", CURVE_WORKSPACE},
             {"threads", CURVE_THREADS},
             {"search", CURVE_SEARCH}};
enum { NAMES = sizeof names / sizeof names[0] };

bool curve_parse(struct curve_options *options, const char *list, char *error, size_t error_bytes)
{
    if (!list[0])
        list = "batch,memory,workspace,threads";
    while (*list) {
        size_t length = strcspn(list, ",");
        int i = 0;
        while (i < NAMES &&
               (strlen(names[i].name) != length || strncmp(list, names[i].name, length) != 0))
            i++;
        if (i == NAMES) {
            snprintf(error, error_bytes,
                     "--curves=%.*s: there is no such curve; it is batch, memory, workspace, "
                     "threads or search",
                     (int)length, list);
            return false;
        }
        if (names[i].curve == CURVE_NONE)
            options->memory = true;
        else
            options->wanted[names[i].curve] = true;
        list += length + (list[length] == ',');
    }
    return true;
}

/* CLIP, as the kernel's standard shapes are, with a batch and a dimension. */
static struct plan_case square(enum curve curve, size_t batch, size_t dim)
{
    struct plan_case c = {.kernel = kernel_find("infonce_forward_backward"),
                          .fill = FILL_NORMAL,
                          .threads = 1,
                          .workspace = WORKSPACE_STORED,
                          .curve = curve};
    c.shape = c.kernel->bench[0];
    c.shape.m = c.shape.n = batch;
    c.shape.d = dim;
    return c;
}

/* The case with all of the workspace and with none of it, in the same rounds. */
static bool add_both_modes(struct plan *plan, struct plan_case c)
{
    c.workspace = WORKSPACE_STORED;
    if (!plan_add(plan, &c))
        return false;
    c.workspace = WORKSPACE_STREAMED;
    return plan_add(plan, &c);
}

static bool add_batches(struct plan *plan, const struct curve_options *options, int *group)
{
    size_t most = options->smoke ? 128 : 8192;
    for (size_t batch = 32; batch <= most; batch *= 2) {
        struct plan_case c = square(CURVE_BATCH, batch, options->dim ? options->dim : CURVE_DIM);
        c.peers = true;
        c.threads = options->threads ? options->threads : 1;
        c.group = ++*group;
        if (!add_both_modes(plan, c))
            return false;
    }
    return true;
}

static bool add_workspaces(struct plan *plan, const struct curve_options *options, int *group)
{
    static const size_t standard[] = {CURVE_DIM, SMALL_DIM};
    const size_t *dims = options->dim ? &options->dim : standard;
    int steps = options->smoke ? 2 : 8;
    for (int i = 0; i < (options->dim ? 1 : 2); i++) {
        struct plan_case c = square(CURVE_WORKSPACE, options->smoke ? SMOKE_BATCH : BATCH, dims[i]);
        c.threads = options->threads ? options->threads : 1;
        c.group = ++*group;
        for (int step = 0; step <= steps; step++) {
            c.workspace = WORKSPACE_STORED * step / steps;
            if (!plan_add(plan, &c))
                return false;
        }
    }
    return true;
}

/* 1, 2 and 4 threads, as far as there are CPUs. */
static bool add_threads(struct plan *plan, const struct curve_options *options, int *group)
{
    struct plan_case c = square(CURVE_THREADS, options->smoke ? SMOKE_BATCH : BATCH,
                                options->dim ? options->dim : CURVE_DIM);
    c.group = ++*group;
    for (; c.threads <= 4 && c.threads <= options->cpus; c.threads *= 2) {
        if (!add_both_modes(plan, c))
            return false;
    }
    return true;
}

static bool add_searches(struct plan *plan, const struct curve_options *options, int *group)
{
    static const size_t standard[] = {64, 128, 256, 384, 512, 768};
    const size_t *dims = options->dim ? &options->dim : standard;
    size_t count = options->dim ? 1 : options->smoke ? 2 : sizeof standard / sizeof standard[0];
    for (size_t i = 0; i < count; i++) {
        struct plan_case c = {.kernel = kernel_find("search"),
                              .fill = FILL_NORMAL,
                              .threads = options->threads ? options->threads : 1,
                              .curve = CURVE_SEARCH,
                              .peers = true};
        c.shape = (struct shape){.m = options->smoke ? SMOKE_QUERIES : QUERIES,
                                 .n = options->smoke ? SMOKE_GALLERY : GALLERY,
                                 .d = dims[i],
                                 .k = RESULTS,
                                 .similarity = MMK_COSINE};
        c.workspace = shape_default_workspace(c.kernel);
        c.group = ++*group;
        if (!plan_add(plan, &c))
            return false;
    }
    return true;
}

bool curve_plan(struct plan *plan, const struct curve_options *options)
{
    int group = 0;
    return (!options->wanted[CURVE_BATCH] || add_batches(plan, options, &group)) &&
           (!options->wanted[CURVE_WORKSPACE] || add_workspaces(plan, options, &group)) &&
           (!options->wanted[CURVE_THREADS] || add_threads(plan, options, &group)) &&
           (!options->wanted[CURVE_SEARCH] || add_searches(plan, options, &group));
}

/* Ours with an extension left out: "avx512:base". */
static bool is_partial(const struct variant *variant)
{
    return variant->row && strchr(variant->name, ':');
}

/* Whether it takes part beside ours. */
static bool is_compared(const struct variant *variant, enum curve curve)
{
    if (curve == CURVE_SEARCH)
        return is_partial(variant) || (variant->peer && !variant->peer->approximate);
    return variant->peer && curve == CURVE_BATCH;
}

static bool is_ours(const struct variant *variant)
{
    return variant->row && strcmp(variant->name, variant->isa) == 0;
}

size_t curve_variants(enum curve curve, const struct variant *const *picked, size_t count,
                      const struct variant **chosen)
{
    size_t chosen_count = 0;
    for (size_t v = 0; v < count; v++) {
        bool compared = is_compared(picked[v], curve);
        if (!is_ours(picked[v]) && !compared)
            continue;
        if (curve == CURVE_BATCH || compared || chosen_count == 0)
            chosen_count++;
        chosen[chosen_count - 1] = picked[v];
    }
    return chosen_count;
}
