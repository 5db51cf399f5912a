/* plan.c - which cases a run is made of.
 * SPDX-License-Identifier: MIT
 *
 * The second stop on the way of a --shape, which shape.c tells; job.c is the next.
 */
#include "plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Above this many flops one shape in the middle stands for its neighbours, unless all are asked
 * for. */
#define REPRESENTATIVE_FLOPS 2e9
enum { REPRESENTATIVE_D = 512 };

/* Above this many a case is left to those who ask for all, or for it. */
#define GREATEST_FLOPS 6e10

/* Threaded rows are for cases in which starting the threads does not matter, and that end in
 * time. */
#define THREADED_FLOPS      2e9
#define THREADED_BYTES      1e7
#define THREADED_MOST_FLOPS 1e11

double plan_work(const struct kernel *kernel, const struct shape *shape)
{
    return kernel->flops(shape) + kernel->bytes(shape);
}

/* ---- Options --------------------------------------------------------------------------------- */

/* Whether a word of a list, which a comma or its end follows, is this one. */
static bool is_word(const char *list, const char *word)
{
    size_t length = strcspn(list, ",");
    return strlen(word) == length && strncmp(list, word, length) == 0;
}

/* The word after this one of a list. */
static const char *next_word(const char *list)
{
    list += strcspn(list, ",");
    return list + (*list == ',');
}

static bool is_kernel_name(const char *list)
{
    for (size_t i = 0; i < kernel_count; i++)
        if (is_word(list, kernels[i]->name))
            return true;
    return false;
}

bool plan_names_by_name(const char *list, const struct kernel *kernel)
{
    for (; *list; list = next_word(list))
        if (is_word(list, kernel->name))
            return true;
    return false;
}

bool plan_names_kernel(const char *list, const struct kernel *kernel)
{
    for (; *list; list = next_word(list))
        if (is_word(list, kernel->name) || is_word(list, "all") ||
            (is_word(list, kernel->family) && !is_kernel_name(list)))
            return true;
    return false;
}

bool plan_names_single_kernels(const char *list)
{
    for (; *list; list = next_word(list))
        if (!is_kernel_name(list))
            return false;
    return true;
}

bool plan_check_kernels(const char *list, char *error, size_t error_bytes)
{
    for (; *list; list = next_word(list)) {
        size_t length = strcspn(list, ",");
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)(length < 60 ? length : 60), list);
        bool known = false;
        for (size_t i = 0; i < kernel_count; i++)
            known = known || plan_names_kernel(name, kernels[i]);
        if (!known) {
            snprintf(
                error, error_bytes,
                "--kernel %s: there is no such kernel or family; `mmk-bench --list` shows them",
                name);
            return false;
        }
    }
    return true;
}

/* ---- Cases ----------------------------------------------------------------------------------- */

bool plan_add(struct plan *plan, const struct plan_case *c)
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

/* The case with one thread, or as many as are asked for. Peers take part where their kernels do. */
static void add_one(struct plan *plan, const struct plan_options *options, struct plan_case c)
{
    c.threads = options->threads > 0 ? options->threads : 1;
    c.peers = true;
    plan_add(plan, &c);
}

/* The same with all CPUs, unless a number is asked for; without peers, which take too long for
 * that. */
static void add_threaded(struct plan *plan, const struct plan_options *options, struct plan_case c)
{
    if (options->threads > 0 || !c.kernel->takes_threads || options->cpus <= 1)
        return;
    c.threads = options->cpus;
    c.group = 0;
    plan_add(plan, &c);
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
    if (kernel->flops(shape) > GREATEST_FLOPS)
        return false;
    bool large = kernel->flops(shape) > REPRESENTATIVE_FLOPS;
    bool standard_d = !shape_has(kernel, 'd') || shape->d == REPRESENTATIVE_D;
    if (kernel->similarity == MMK_DOT || kernel->similarity == MMK_NEG_SQ_L2)
        return is_middle(kernel, shape) ||
               (kernel->similarity == MMK_DOT && large && standard_d && shape->m == shape->n);
    return !large || standard_d;
}

static bool threads_pay(const struct kernel *kernel, const struct shape *shape)
{
    double flops = kernel->flops(shape), bytes = kernel->bytes(shape);
    if (shape_has(kernel, 'd') && shape->d != REPRESENTATIVE_D)
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
    c.workspace = shape_default_workspace(kernel);
    if (options->smoke) {
        c.shape = smallest(kernel);
        add_one(plan, options, c);
        return;
    }
    for (size_t i = 0; i < kernel->bench_count; i++) {
        c.shape = kernel->bench[i];
        if (!options->all && !representative(kernel, &c.shape))
            continue;
        bool threaded = threads_pay(kernel, &c.shape);
        bool streamed = kernel->keeps_exponentials && (options->all || threaded);
        c.group = streamed ? (int)plan->count + 1 : 0;
        add_one(plan, options, c);
        if (streamed) { /* the same with little memory, in the same rounds */
            c.workspace = WORKSPACE_STREAMED;
            add_one(plan, options, c);
            c.workspace = shape_default_workspace(kernel);
        }
        if (threaded)
            add_threaded(plan, options, c);
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
    if (kernel->paired) {
        if (source->pair_rows == 0)
            return 0;
        if (base.m > source->pair_rows)
            base.m = source->pair_rows;
        base.n = base.m;
        shapes[count++] = base;
    } else if (shape_has(kernel, 'k')) {
        base.n = widest < gallery ? widest : gallery;
        base.m = smoke ? 8 : 64;
        base.m = base.m < queries ? base.m : queries;
        for (size_t i = 0; i < (smoke || shape_has(kernel, 'm') ? 1u : 2u); i++) {
            base.k = topk_k[i];
            shapes[count++] = base;
        }
    } else if (shape_has(kernel, 'n') && !shape_has(kernel, 'm')) {
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
    c.workspace = shape_default_workspace(kernel);
    for (size_t i = 0; i < count; i++) {
        c.shape = shapes[i];
        add_one(plan, options, c);
        if (options->all)
            add_threaded(plan, options, c);
    }
    if (count == 0)
        run_add_missing(run,
                        "%s on %s: it needs a second view of the same rows; give it with --pairs",
                        kernel->name, options->source->name);
}

static bool has_no_work(const struct plan_case *c)
{
    for (const char *dim = c->kernel->dims; *dim; dim++)
        if (shape_size(c->kernel, &c->shape, *dim) == 0)
            return true;
    return false;
}

/* One shape of --shape, for a kernel that it fits. Beyond the kernel's limit it is told to
 * run_add_missing, and in error, too, should nothing else be left. */
static bool add_given(struct plan *plan, const struct plan_options *options,
                      const struct kernel *kernel, const char *one, struct run *run, char *error,
                      size_t error_bytes)
{
    struct shape_text text;
    struct plan_case c = {.kernel = kernel, .fill = FILL_NORMAL};
    c.workspace = shape_default_workspace(kernel);
    if (!shape_parse(one, &text)) {
        snprintf(
            error, error_bytes,
            "--shape %s: that is no shape; write sizes such as 4096x4096x512, or m=64,n=1000,d=3, "
            "for InfoNCE also with words: 64x100x512:dot:s=100:w=1,0:offset=7:streamed, and how "
            "synthetic data is filled: 25000x10:ascending",
            one);
        return false;
    }
    if (!shape_put(&text, &c))
        return true;
    if (has_no_work(&c)) {
        snprintf(error, error_bytes,
                 "--shape %s: with a size of 0 there is nothing for %s to do; give sizes from 1 on",
                 one, kernel->name);
        return false;
    }
    if (kernel->most_d > 0 && c.shape.d > kernel->most_d) {
        snprintf(error, error_bytes, "--shape %s: %s takes rows of at most %zu; give a smaller d",
                 one, kernel->name, kernel->most_d);
        run_add_missing(run, "%s", error);
        return true;
    }
    if (!options->own_data)
        add_one(plan, options, c);
    if (options->source && text.fill < 0 && data_fits(options->source, kernel, &c.shape)) {
        c.source = options->source;
        c.fill = FILL_GIVEN;
        add_one(plan, options, c);
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

/* The shapes of --shape that fit the kernel. One that is named, and that none of them fits, is told
 * to run_add_missing; of a family, or of all, those are meant that they fit. */
static bool add_all_given(struct plan *plan, const struct plan_options *options,
                          const struct kernel *kernel, struct run *run, char *error,
                          size_t error_bytes)
{
    size_t cases = plan->count, missing = run->missing_count;
    const char *list = options->shape;
    char one[128];
    do {
        list = next_shape(list, one, sizeof one);
        if (!add_given(plan, options, kernel, one, run, error, error_bytes))
            return false;
    } while (*list);
    if (plan->count == cases && run->missing_count == missing && options->kernel &&
        plan_names_by_name(options->kernel, kernel))
        run_add_missing(run, "%s: no --shape fits it%s; its sizes are %s", kernel->name,
                        options->own_data ? " and the data" : "", kernel->dims);
    return true;
}

static bool is_wanted(const struct plan_options *options, const struct kernel *kernel)
{
    return !options->kernel || plan_names_kernel(options->kernel, kernel);
}

/* Tells run_add_missing which of the shapes fit none of the kernels, or not the user's data. */
static void name_unused_shapes(const struct plan_options *options, struct run *run)
{
    const char *list = options->shape;
    char one[128];
    do {
        struct shape_text text;
        bool used = false;
        list = next_shape(list, one, sizeof one);
        shape_parse(one, &text); /* which is right, or there would be no plan */
        for (size_t i = 0; i < kernel_count && !used; i++) {
            struct plan_case c = {.kernel = kernels[i], .fill = FILL_NORMAL};
            used = is_wanted(options, c.kernel) && shape_put(&text, &c) &&
                   (!options->own_data || data_fits(options->source, c.kernel, &c.shape));
        }
        if (!used)
            run_add_missing(run, "--shape %s: none of the kernels takes it%s", one,
                            options->own_data ? " with these data" : "");
    } while (*list);
}

/* Nothing is left of what --shape asks for: why, unless a limit says it already. */
static bool fail_without_shape(const struct plan_options *options, char *error, size_t error_bytes)
{
    const struct kernel *example = options->kernel ? kernel_find(options->kernel) : NULL;
    if (error[0] != '\0')
        return false;
    if (options->own_data)
        snprintf(
            error, error_bytes,
            "--shape %s: %s has %zu x %zu rows of %zu, which do not give it; leave --shape out "
            "or give a shape within them",
            options->shape, options->source->name, options->source->query_rows,
            options->source->gallery_rows, options->source->d);
    else
        snprintf(error, error_bytes,
                 "--shape %s: it does not fit %s%s%s; `mmk-bench --list` shows how "
                 "each kernel's shapes are written (InfoNCE needs offset + m <= n)",
                 options->shape, options->kernel ? options->kernel : "any kernel",
                 example ? ", whose sizes are " : "", example ? example->dims : "");
    return false;
}

static bool list_cases(struct plan *plan, const struct plan_options *options, struct run *run,
                       char *error, size_t error_bytes)
{
    error[0] = '\0';
    if (options->kernel && !plan_check_kernels(options->kernel, error, error_bytes))
        return false;
    for (size_t i = 0; i < kernel_count; i++) {
        const struct kernel *kernel = kernels[i];
        if (!is_wanted(options, kernel))
            continue;
        if (options->shape) {
            if (!add_all_given(plan, options, kernel, run, error, error_bytes))
                return false;
            continue;
        }
        if (!options->own_data)
            add_synthetic(plan, options, kernel);
        if (options->source && !kernel->synthetic_only)
            add_real(plan, options, kernel, run);
    }
    if (plan->count == 0 && options->shape)
        return fail_without_shape(options, error, error_bytes);
    if (options->shape)
        name_unused_shapes(options, run);
    if (plan->count == 0) {
        snprintf(error, error_bytes,
                 "there is nothing to time: %s needs two views; give the second "
                 "with --pairs",
                 options->kernel ? options->kernel : "every kernel");
        return false;
    }
    return true;
}

bool plan_make(struct plan *plan, const struct plan_options *options, struct run *run, char *error,
               size_t error_bytes)
{
    memset(plan, 0, sizeof *plan);
    bool good = list_cases(plan, options, run, error, error_bytes);
    if (!good)
        plan_free(plan);
    return good;
}

void plan_free(struct plan *plan)
{
    free(plan->cases);
    memset(plan, 0, sizeof *plan);
}
