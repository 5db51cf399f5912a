/* plan.c - which cases a run is made of.
 * SPDX-License-Identifier: MIT
 */
#include "plan.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Above this many flops one shape in the middle stands for its neighbours, unless all are asked
 * for. */
#define REPRESENTATIVE_FLOPS 2e9
enum { REPRESENTATIVE_D = 512 };

/* Threaded rows are for cases in which starting the threads does not matter, and that end in time.
 */
#define THREADED_FLOPS      2e9
#define THREADED_BYTES      1e7
#define THREADED_MOST_FLOPS 1e11

static bool has(const struct kernel *kernel, char dim)
{
    return strchr(kernel->dims, dim) != NULL;
}

static bool is_infonce(const struct kernel *kernel)
{
    return strcmp(kernel->family, "infonce") == 0;
}

double plan_work(const struct kernel *kernel, const struct shape *shape)
{
    return kernel->flops(shape) + kernel->bytes(shape);
}

void plan_shape_text(const struct plan_case *c, char *text, size_t bytes)
{
    const struct shape *s = &c->shape;
    char out[160] = "";
    size_t used = 0;
    for (const char *dim = c->kernel->dims; *dim; dim++) {
        size_t value = *dim == 'm' ? s->m : *dim == 'n' ? s->n : *dim == 'd' ? s->d : s->k;
        const char *join = used == 0 ? "" : *dim == 'k' ? " k=" : "x";
        used += (size_t)snprintf(out + used, sizeof out - used, "%s%zu", join, value);
    }
    if (is_infonce(c->kernel)) {
        static const char *const names[] = {" dot", "", " neg_sq_l2"};
        used += (size_t)snprintf(out + used, sizeof out - used, "%s", names[s->similarity]);
        if (s->offset)
            used += (size_t)snprintf(out + used, sizeof out - used, " offset=%zu", s->offset);
        if (strstr(c->kernel->name, "forward_backward"))
            used += (size_t)snprintf(out + used, sizeof out - used, "%s",
                                     c->workspace == WORKSPACE_STORED ? " stored" : " streamed");
    }
    if (s->ld_extra)
        snprintf(out + used, sizeof out - used, " ld+%zu", s->ld_extra);
    snprintf(text, bytes, "%s", out);
}

/* ---- Options ----------------------------------------------------------------------------------
 */

static bool is_kernel_name(const char *name, size_t length)
{
    for (size_t i = 0; i < kernel_count; i++)
        if (strlen(kernels[i]->name) == length && strncmp(name, kernels[i]->name, length) == 0)
            return true;
    return false;
}

/* Whether a comma-separated list names it: in full, its family, or "all". A kernel's name wins over a
 * family's: topk is one kernel, not all of topk. */
static bool list_names(const char *list, const struct kernel *kernel)
{
    while (*list) {
        size_t length = strcspn(list, ",");
        if ((strlen(kernel->name) == length && strncmp(list, kernel->name, length) == 0) ||
            (strlen(kernel->family) == length && strncmp(list, kernel->family, length) == 0 &&
             !is_kernel_name(list, length)) ||
            (length == 3 && strncmp(list, "all", 3) == 0))
            return true;
        list += length + (list[length] == ',');
    }
    return false;
}

static bool check_kernel_list(const char *list, char *error, size_t error_bytes)
{
    while (*list) {
        size_t length = strcspn(list, ",");
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)(length < 60 ? length : 60), list);
        bool known = false;
        for (size_t i = 0; i < kernel_count; i++)
            known = known || list_names(name, kernels[i]);
        if (!known) {
            snprintf(
                error, error_bytes,
                "--kernel %s: there is no such kernel or family; `mmk-bench --list` shows them",
                name);
            return false;
        }
        list += length + (list[length] == ',');
    }
    return true;
}

static bool parse_number(const char **at, size_t *value)
{
    if (!isdigit((unsigned char)**at))
        return false;
    *value = 0;
    for (; isdigit((unsigned char)**at); (*at)++) {
        size_t digit = (size_t)(**at - '0');
        if (*value > (SIZE_MAX / 16 - digit) / 10)
            return false;
        *value = *value * 10 + digit;
    }
    return true;
}

/* What one --shape said. */
struct shape_text {
    size_t plain[4];
    size_t plain_count;
    size_t m, n, d, k; /* by name; SIZE_MAX: not given */
};

/* "4096x4096x512", "m=64,n=1000,d=3", "25000,k=10", "25000 k=10": sizes in the order of the
 * kernel's dims, or by name. */
static bool parse_shape(const char *text, struct shape_text *s)
{
    memset(s, 0, sizeof *s);
    s->m = s->n = s->d = s->k = SIZE_MAX;
    const char *at = text;
    while (*at) {
        if (*at == ' ' || *at == ',' || *at == 'x') {
            at++;
        } else if (at[0] && at[1] == '=' && strchr("mndk", at[0])) {
            size_t *slot = at[0] == 'm'   ? &s->m
                           : at[0] == 'n' ? &s->n
                           : at[0] == 'd' ? &s->d
                                          : &s->k;
            at += 2;
            if (!parse_number(&at, slot))
                return false;
        } else if (s->plain_count < 4) {
            if (!parse_number(&at, &s->plain[s->plain_count++]))
                return false;
        } else {
            return false;
        }
    }
    return s->plain_count > 0 || s->m != SIZE_MAX || s->n != SIZE_MAX || s->d != SIZE_MAX ||
           s->k != SIZE_MAX;
}

/* The shape that the text means for a kernel; base gives what is no size (logit scale, weights),
 * and the sizes that names leave out. False: it does not fit the kernel. */
static bool shape_for(const struct kernel *kernel, const struct shape_text *text,
                      const struct shape *base, struct shape *shape)
{
    *shape = *base;
    shape->offset = 0;
    shape->ld_extra = 0;
    const size_t named[4] = {text->m, text->n, text->d, text->k};
    const char letters[4] = {'m', 'n', 'd', 'k'};
    size_t *const slots[4] = {&shape->m, &shape->n, &shape->d, &shape->k};
    size_t dims = strlen(kernel->dims), unnamed = 0, next = 0;
    for (int i = 0; i < 4; i++) {
        if (named[i] != SIZE_MAX && !has(kernel, letters[i]))
            return false;
        if (named[i] == SIZE_MAX && has(kernel, letters[i]))
            unnamed++;
    }
    if (text->plain_count != 0 && text->plain_count != unnamed)
        return false;
    for (size_t j = 0; j < dims; j++) {
        const char *where = memchr(letters, kernel->dims[j], sizeof letters);
        int i = (int)(where - letters);
        if (named[i] != SIZE_MAX)
            *slots[i] = named[i];
        else if (text->plain_count != 0)
            *slots[i] = text->plain[next++];
    }
    if (is_infonce(kernel) && shape->m > shape->n)
        return false;
    return true;
}

/* ---- Cases ------------------------------------------------------------------------------------
 */

static bool add_case(struct plan *plan, const struct plan_case *c)
{
    struct plan_case *grown = realloc(plan->cases, (plan->count + 1) * sizeof *grown);
    if (!grown)
        return false;
    plan->cases = grown;
    grown[plan->count] = *c;
    grown[plan->count].order = (int)plan->count;
    plan->count++;
    return true;
}

static enum workspace default_workspace(const struct kernel *kernel)
{
    if (!is_infonce(kernel))
        return WORKSPACE_NONE;
    return strstr(kernel->name, "forward_backward") ? WORKSPACE_STORED : WORKSPACE_STREAMED;
}

/* The case with one thread, and where that is wanted with all CPUs. */
static void add_with_threads(struct plan *plan, const struct plan_options *options,
                             struct plan_case c, bool threaded)
{
    c.threads = options->threads > 0 ? options->threads : 1;
    add_case(plan, &c);
    if (options->threads == 0 && threaded && c.kernel->takes_threads && options->cpus > 1) {
        c.threads = options->cpus;
        add_case(plan, &c);
    }
}

/* Whether at least half of the standard shapes are smaller, and less than half larger. */
static bool is_middle(const struct kernel *kernel, const struct shape *shape)
{
    size_t smaller = 0, equal = 0;
    for (size_t i = 0; i < kernel->bench_count; i++) {
        double work = plan_work(kernel, &kernel->bench[i]), ours = plan_work(kernel, shape);
        smaller += work < ours;
        equal += work == ours;
    }
    return smaller <= kernel->bench_count / 2 && kernel->bench_count / 2 < smaller + equal;
}

/* What a run takes of the standard shapes unless all are asked for. cosine stands for its two
 * sisters, which run the same loops, except at one shape each, and the plain product at a large
 * one. */
static bool representative(const struct kernel *kernel, const struct shape *shape)
{
    bool large = kernel->flops(shape) > REPRESENTATIVE_FLOPS;
    bool standard_d = !has(kernel, 'd') || shape->d == REPRESENTATIVE_D;
    if (kernel->similarity == MMK_DOT || kernel->similarity == MMK_NEG_SQ_L2)
        return is_middle(kernel, shape) ||
               (kernel->similarity == MMK_DOT && large && standard_d && shape->m == shape->n);
    return !large || standard_d;
}

static bool threads_pay(const struct kernel *kernel, const struct shape *shape)
{
    double flops = kernel->flops(shape), bytes = kernel->bytes(shape);
    if (has(kernel, 'd') && shape->d != REPRESENTATIVE_D)
        return false;
    return flops > 0.0 ? flops >= THREADED_FLOPS && flops <= THREADED_MOST_FLOPS
                       : bytes >= THREADED_BYTES;
}

static struct shape smallest(const struct kernel *kernel)
{
    struct shape best = kernel->bench[0];
    for (size_t i = 1; i < kernel->bench_count; i++)
        if (plan_work(kernel, &kernel->bench[i]) < plan_work(kernel, &best))
            best = kernel->bench[i];
    return best;
}

static void add_synthetic(struct plan *plan, const struct plan_options *options,
                          const struct kernel *kernel)
{
    struct plan_case c = {.kernel = kernel, .fill = FILL_NORMAL, .order = 0};
    c.workspace = default_workspace(kernel);
    if (options->smoke) {
        c.shape = smallest(kernel);
        add_with_threads(plan, options, c, false);
        return;
    }
    for (size_t i = 0; i < kernel->bench_count; i++) {
        c.shape = kernel->bench[i];
        if (!options->all && !representative(kernel, &c.shape))
            continue;
        add_with_threads(plan, options, c, threads_pay(kernel, &c.shape));
        if (c.workspace == WORKSPACE_STORED &&
            (options->all || threads_pay(kernel, &c.shape))) { /* the same with little memory */
            struct plan_case streamed = c;
            streamed.workspace = WORKSPACE_STREAMED;
            add_with_threads(plan, options, streamed, false);
        }
    }
}

/* Shapes that suit a source: the sizes are what the source has, within what a run has time for. */
static size_t real_shapes(const struct kernel *kernel, const struct source *source, bool smoke,
                          struct shape *shapes)
{
    static const size_t query_gallery[] = {2500, 25000}, topk_k[] = {10, 100};
    struct shape base = kernel->bench[0];
    base.offset = 0;
    base.ld_extra = 0;
    base.d = source->d;
    size_t queries = source->query_rows, gallery = source->gallery_rows;
    size_t side = smoke ? 64 : 1024, widest = smoke ? 1000 : 25000;
    size_t count = 0;
    base.m = side < queries ? side : queries;
    if (is_infonce(kernel)) {
        if (source->pair_rows == 0)
            return 0;
        if (base.m > source->pair_rows)
            base.m = source->pair_rows;
        base.n = base.m;
        shapes[count++] = base;
    } else if (has(kernel, 'k')) {
        base.n = widest < gallery ? widest : gallery;
        base.m = smoke ? 8 : 64;
        base.m = base.m < queries ? base.m : queries;
        for (size_t i = 0; i < (smoke || has(kernel, 'm') ? 1u : 2u); i++) {
            base.k = topk_k[i];
            shapes[count++] = base;
        }
    } else if (has(kernel, 'n') && !has(kernel, 'm')) {
        for (size_t i = 0; i < (smoke ? 1u : 2u); i++) {
            if (i > 0 && gallery <= query_gallery[i - 1])
                break;
            base.n = smoke ? widest : query_gallery[i];
            base.n = base.n < gallery ? base.n : gallery;
            shapes[count++] = base;
        }
    } else {
        base.n = side < gallery ? side : gallery;
        shapes[count++] = base;
    }
    return count;
}

static void add_real(struct plan *plan, const struct plan_options *options,
                     const struct kernel *kernel, struct run *run)
{
    struct shape shapes[4];
    size_t count = real_shapes(kernel, options->source, options->smoke, shapes);
    struct plan_case c = {.kernel = kernel, .source = options->source, .fill = FILL_GIVEN};
    c.workspace = default_workspace(kernel);
    for (size_t i = 0; i < count; i++) {
        c.shape = shapes[i];
        add_with_threads(plan, options, c, options->all);
    }
    if (count == 0)
        run_add_missing(run,
                        "%s on %s: it needs a second view of the same rows; give it with --pairs",
                        kernel->name, options->source->name);
}

/* Shapes from --shape. */
static bool add_given(struct plan *plan, const struct plan_options *options,
                      const struct kernel *kernel, const char *one, char *error, size_t error_bytes)
{
    struct shape_text text;
    struct plan_case c = {.kernel = kernel, .fill = FILL_NORMAL};
    c.workspace = default_workspace(kernel);
    if (!parse_shape(one, &text)) {
        snprintf(
            error, error_bytes,
            "--shape %s: that is no shape; write sizes such as 4096x4096x512, or m=64,n=1000,d=3",
            one);
        return false;
    }
    if (!shape_for(kernel, &text, &kernel->bench[0], &c.shape))
        return true;
    if (!options->own_data)
        add_with_threads(plan, options, c, false);
    if (options->source && data_fits(options->source, kernel, &c.shape)) {
        c.source = options->source;
        c.fill = FILL_GIVEN;
        add_with_threads(plan, options, c, false);
    }
    return true;
}

/* Copies the first of a list of shapes separated by ; or / and returns what follows it. */
static const char *next_shape(const char *list, char *one, size_t bytes)
{
    size_t length = strcspn(list, ";/");
    snprintf(one, bytes, "%.*s", (int)length, list);
    return list + length + (list[length] != '\0');
}

bool plan_make(struct plan *plan, const struct plan_options *options, struct run *run, char *error,
               size_t error_bytes)
{
    memset(plan, 0, sizeof *plan);
    if (options->kernel && !check_kernel_list(options->kernel, error, error_bytes))
        return false;
    for (size_t i = 0; i < kernel_count; i++) {
        const struct kernel *kernel = kernels[i];
        if (options->kernel && !list_names(options->kernel, kernel))
            continue;
        if (options->shape) {
            const char *list = options->shape;
            char one[128];
            do {
                list = next_shape(list, one, sizeof one);
                if (!add_given(plan, options, kernel, one, error, error_bytes))
                    return false;
            } while (*list);
            continue;
        }
        if (!options->own_data)
            add_synthetic(plan, options, kernel);
        if (options->source)
            add_real(plan, options, kernel, run);
    }
    if (plan->count == 0 && options->shape && options->own_data) {
        snprintf(
            error, error_bytes,
            "--shape %s: %s has %zu x %zu rows of %zu, which do not give it; leave --shape out "
            "or give a shape within them",
            options->shape, options->source->name, options->source->query_rows,
            options->source->gallery_rows, options->source->d);
        return false;
    }
    if (plan->count == 0 && options->shape) {
        const struct kernel *example = options->kernel ? kernel_find(options->kernel) : NULL;
        snprintf(error, error_bytes,
                 "--shape %s: it does not fit %s%s%s; `mmk-bench --list` shows how "
                 "each kernel's shapes are written (InfoNCE needs m <= n)",
                 options->shape, options->kernel ? options->kernel : "any kernel",
                 example ? ", whose sizes are " : "", example ? example->dims : "");
        return false;
    }
    if (plan->count == 0) {
        snprintf(error, error_bytes,
                 "there is nothing to time: %s needs two views; give the second "
                 "with --pairs",
                 options->kernel ? options->kernel : "every kernel");
        return false;
    }
    return true;
}

void plan_free(struct plan *plan)
{
    free(plan->cases);
    memset(plan, 0, sizeof *plan);
}
