/* plan.c - which cases a run is made of.
 * SPDX-License-Identifier: MIT
 */
#include "plan.h"

#include <ctype.h>
#include <float.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Above this many flops one shape in the middle stands for its neighbours, unless all are asked
 * for. */
#define REPRESENTATIVE_FLOPS 2e9
enum { REPRESENTATIVE_D = 512 };

/* Above this many a case is left to those who ask for all, or for it. */
#define GREATEST_FLOPS 6e10

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

/* Whether a workspace can hold its logits. */
static bool keeps_logits(const struct kernel *kernel)
{
    return kernel->workspace != NULL && strstr(kernel->name, "forward_backward") != NULL;
}

static int default_workspace(const struct kernel *kernel)
{
    if (kernel->workspace == NULL)
        return WORKSPACE_NONE;
    return keeps_logits(kernel) ? WORKSPACE_STORED : WORKSPACE_STREAMED;
}

double plan_work(const struct kernel *kernel, const struct shape *shape)
{
    return kernel->flops(shape) + kernel->bytes(shape);
}

static const char *const similarities[] = {"dot", "cosine", "neg_sq_l2"};

__attribute__((format(printf, 3, 4))) static void append(char *text, size_t bytes,
                                                         const char *format, ...)
{
    size_t used = strlen(text);
    va_list list;
    va_start(list, format);
    vsnprintf(text + used, bytes - used, format, list);
    va_end(list);
}

/* Appends in what a shape differs from the kernel's standard ones, each word after `join`. */
static void append_words(const struct plan_case *c, char join, char *text, size_t bytes)
{
    const struct shape *s = &c->shape, *standard = &c->kernel->bench[0];
    if (shape_has_similarity(c->kernel) && s->similarity != standard->similarity)
        append(text, bytes, "%c%s", join, similarities[s->similarity]);
    if (is_infonce(c->kernel)) {
        if (s->logit_scale != standard->logit_scale)
            append(text, bytes, "%cs=%g", join, (double)s->logit_scale);
        if (s->weight_x != standard->weight_x || s->weight_y != standard->weight_y)
            append(text, bytes, "%cw=%g,%g", join, (double)s->weight_x, (double)s->weight_y);
        if (s->offset)
            append(text, bytes, "%coffset=%zu", join, s->offset);
    }
    if (s->ld_extra)
        append(text, bytes, "%cld+%zu", join, s->ld_extra);
}

static void append_workspace(const struct plan_case *c, char join, char *text, size_t bytes)
{
    if (c->workspace == WORKSPACE_STREAMED || c->workspace == WORKSPACE_STORED)
        append(text, bytes, "%c%s", join, c->workspace == WORKSPACE_STORED ? "stored" : "streamed");
    else
        append(text, bytes, "%cstored=%d%%", join, c->workspace);
}

void plan_shape_text(const struct plan_case *c, char *text, size_t bytes)
{
    text[0] = '\0';
    for (const char *dim = c->kernel->dims; *dim; dim++)
        append(text, bytes, "%s%zu",
               dim == c->kernel->dims ? ""
               : *dim == 'k'          ? " k="
                                      : "x",
               shape_size(c->kernel, &c->shape, *dim));
    append_words(c, ' ', text, bytes);
    if (keeps_logits(c->kernel))
        append_workspace(c, ' ', text, bytes);
}

void plan_shape_word(const struct plan_case *c, char *text, size_t bytes)
{
    text[0] = '\0';
    for (const char *dim = c->kernel->dims; *dim; dim++)
        append(text, bytes, "%s%c=%zu", dim == c->kernel->dims ? "" : ",", *dim,
               shape_size(c->kernel, &c->shape, *dim));
    append_words(c, ':', text, bytes);
    if (c->workspace != default_workspace(c->kernel))
        append_workspace(c, ':', text, bytes);
    if (c->fill != FILL_NORMAL && c->fill != FILL_GIVEN)
        append(text, bytes, ":%s", fill_name(c->fill));
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
    size_t unnamed[4]; /* sizes in the order of the kernel's dims */
    size_t unnamed_count;
    size_t m, n, d, k; /* by name; SIZE_MAX: not given */
    /* By words, and -1 or 0 where they say nothing. */
    int similarity, workspace, fill;
    float logit_scale, weight_x, weight_y;
    size_t offset, ld_extra;
};

static bool ends_word(char c)
{
    return c == '\0' || c == ' ' || c == ',' || c == ':';
}

/* Goes past a word, or past the beginning of one that ends in = or +. */
static bool take(const char **at, const char *word)
{
    size_t length = strlen(word);
    if (strncmp(*at, word, length) != 0 ||
        (isalnum((unsigned char)word[length - 1]) && !ends_word((*at)[length])))
        return false;
    *at += length;
    return true;
}

static bool parse_float(const char **at, float least, float most, float *value)
{
    char *end;
    if (!isdigit((unsigned char)**at) && **at != '.')
        return false;
    *value = strtof(*at, &end);
    *at = end;
    return *value >= least && *value <= most;
}

/* "w=1,0" without its beginning. */
static bool parse_weights(const char **at, struct shape_text *s)
{
    return parse_float(at, 0.0f, FLT_MAX, &s->weight_x) && *(*at)++ == ',' &&
           parse_float(at, 0.0f, FLT_MAX, &s->weight_y);
}

static bool parse_percent(const char **at, int *percent)
{
    size_t value;
    if (!parse_number(at, &value) || value > WORKSPACE_STORED || *(*at)++ != '%')
        return false;
    *percent = (int)value;
    return true;
}

/* One word that is no size. */
static bool parse_word(const char **at, struct shape_text *s)
{
    for (int i = 0; i < MMK_SIMILARITY_COUNT; i++) {
        if (take(at, similarities[i])) {
            s->similarity = i;
            return true;
        }
    }
    for (int i = 0; i < FILL_GIVEN; i++) {
        if (take(at, fill_name((enum fill)i))) {
            s->fill = i;
            return true;
        }
    }
    if (take(at, "stored")) {
        s->workspace = WORKSPACE_STORED;
        return true;
    }
    if (take(at, "streamed")) {
        s->workspace = WORKSPACE_STREAMED;
        return true;
    }
    if (take(at, "stored="))
        return parse_percent(at, &s->workspace);
    if (take(at, "s="))
        return parse_float(at, FLT_MIN, 1.7e38f, &s->logit_scale);
    if (take(at, "w="))
        return parse_weights(at, s);
    if (take(at, "offset="))
        return parse_number(at, &s->offset);
    return take(at, "ld+") && parse_number(at, &s->ld_extra);
}

/* "4096x4096x512 stored", "m=64,n=1000,d=3:dot:offset=7", "25000,k=10": sizes in the order of the
 * kernel's dims, or by name, and words; what plan_shape_text and ref's shape_format write. */
static bool parse_shape(const char *text, struct shape_text *s)
{
    memset(s, 0, sizeof *s);
    s->m = s->n = s->d = s->k = SIZE_MAX;
    s->similarity = s->workspace = s->fill = -1;
    s->weight_x = -1.0f;
    const char *at = text;
    while (*at) {
        if (strchr(" ,:x", *at)) {
            at++;
        } else if (at[1] == '=' && strchr("mndk", at[0])) {
            size_t *slot = at[0] == 'm'   ? &s->m
                           : at[0] == 'n' ? &s->n
                           : at[0] == 'd' ? &s->d
                                          : &s->k;
            at += 2;
            if (!parse_number(&at, slot))
                return false;
        } else if (!isdigit((unsigned char)*at)) {
            if (!parse_word(&at, s))
                return false;
        } else if (s->unnamed_count == 4 || !parse_number(&at, &s->unnamed[s->unnamed_count++])) {
            return false;
        }
    }
    return s->unnamed_count > 0 || s->m != SIZE_MAX || s->n != SIZE_MAX || s->d != SIZE_MAX ||
           s->k != SIZE_MAX;
}

/* The words of a shape for a case that has the standard ones. False: they do not fit its kernel. */
static bool words_for(const struct shape_text *text, struct plan_case *c)
{
    struct shape *shape = &c->shape;
    shape->offset = text->offset;
    shape->ld_extra = text->ld_extra;
    if (text->similarity >= 0)
        shape->similarity = (enum mmk_similarity)text->similarity;
    if (text->logit_scale > 0.0f)
        shape->logit_scale = text->logit_scale;
    if (text->weight_x >= 0.0f) {
        shape->weight_x = text->weight_x;
        shape->weight_y = text->weight_y;
    }
    if (text->workspace >= 0)
        c->workspace = text->workspace;
    if (text->fill >= 0)
        c->fill = (enum fill)text->fill;
    if (!fill_fits(c->kernel, shape, c->fill))
        return false;
    if (is_infonce(c->kernel))
        return (text->workspace < 0 || keeps_logits(c->kernel)) && shape->offset <= shape->n &&
               shape->m <= shape->n - shape->offset;
    return (text->similarity < 0 || shape_has_similarity(c->kernel)) && text->workspace < 0 &&
           text->logit_scale == 0.0f && text->weight_x < 0.0f && text->offset == 0;
}

/* Puts what the text means for the kernel into the case: its standard shape, where the text does
 * not say otherwise. False: it does not fit. */
static bool shape_for(const struct shape_text *text, struct plan_case *c)
{
    const struct kernel *kernel = c->kernel;
    struct shape *shape = &c->shape;
    *shape = kernel->bench[0];
    const size_t named[4] = {text->m, text->n, text->d, text->k};
    const char letters[4] = {'m', 'n', 'd', 'k'};
    size_t *const slots[4] = {&shape->m, &shape->n, &shape->d,
                              kernel->has_positives ? &shape->positives : &shape->k};
    size_t dims = strlen(kernel->dims), unnamed = 0, next = 0;
    for (int i = 0; i < 4; i++) {
        if (named[i] != SIZE_MAX && !has(kernel, letters[i]))
            return false;
        if (named[i] == SIZE_MAX && has(kernel, letters[i]))
            unnamed++;
    }
    if (text->unnamed_count != 0 && text->unnamed_count != unnamed)
        return false;
    for (size_t j = 0; j < dims; j++) {
        const char *where = memchr(letters, kernel->dims[j], sizeof letters);
        int i = (int)(where - letters);
        if (named[i] != SIZE_MAX)
            *slots[i] = named[i];
        else if (text->unnamed_count != 0)
            *slots[i] = text->unnamed[next++];
    }
    return words_for(text, c);
}

/* ---- Cases ------------------------------------------------------------------------------------
 */

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
        add_one(plan, options, c);
        return;
    }
    for (size_t i = 0; i < kernel->bench_count; i++) {
        c.shape = kernel->bench[i];
        if (!options->all && !representative(kernel, &c.shape))
            continue;
        bool threaded = threads_pay(kernel, &c.shape);
        bool streamed = keeps_logits(kernel) && (options->all || threaded);
        c.group = streamed ? (int)plan->count + 1 : 0;
        add_one(plan, options, c);
        if (streamed) { /* the same with little memory, in the same rounds */
            c.workspace = WORKSPACE_STREAMED;
            add_one(plan, options, c);
            c.workspace = default_workspace(kernel);
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
            "--shape %s: that is no shape; write sizes such as 4096x4096x512, or m=64,n=1000,d=3, "
            "for InfoNCE also with words: 64x100x512:dot:s=100:w=1,0:offset=7:streamed, and how "
            "synthetic data is filled: 25000x10:ascending",
            one);
        return false;
    }
    if (!shape_for(&text, &c))
        return true;
    if (has_no_work(&c)) {
        snprintf(error, error_bytes,
                 "--shape %s: with a size of 0 there is nothing for %s to do; give sizes from 1 on",
                 one, kernel->name);
        return false;
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
        if (options->source && data_feeds(kernel))
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
                 "each kernel's shapes are written (InfoNCE needs offset + m <= n)",
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
