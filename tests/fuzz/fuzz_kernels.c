/* fuzz_kernels.c - any kernel at any shape, strides, values, threads, workspace, caller's state:
 * every instruction set gives the same bits, and the oracle's bounds hold.
 * SPDX-License-Identifier: MIT
 *
 * The input says all of it: a kernel, one of the checker's shapes and what is changed in it, a
 * fill, and values that are put anywhere into the rows.
 */
#include "../../kernels/isa/isa.h"
#include "../../ref/trial.h"
#include "../check/state.h"
#include "fuzz.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST_SHAPES = 4096,
    MOST_WORK = 300000, /* m n (d + 8), for the oracle's sake */
    MOST_PUT = 8,
    BYTES_OFF = 4 /* workspaces begin anywhere, outputs on a multiple of this */
};

static size_t changed(struct fuzz_input *in, size_t size)
{
    static const size_t edges[] = {1, 2, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 84, 85, 128, 257};
    switch (fuzz_below(in, 6)) {
    case 0:
        return size + 1;
    case 1:
        return size - (size > 0);
    case 2:
        return fuzz_below(in, 100);
    case 3:
        return edges[fuzz_below(in, sizeof edges / sizeof edges[0])];
    case 4:
        return fuzz_below(in, 1100);
    default:
        return size;
    }
}

static struct shape some_shape(struct fuzz_input *in, const struct kernel *kernel)
{
    static struct shape shapes[MOST_SHAPES];
    size_t count = kernel->sweep(true, NULL);
    if (count > MOST_SHAPES)
        fuzz_fail("%s has %zu shapes; raise MOST_SHAPES", kernel->name, count);
    kernel->sweep(true, shapes);
    struct shape s = shapes[fuzz_below(in, count)];
    static const float scales[] = {0, 1e-6f, 0.01f, 1, 14.3f, 60, 100, 1e4f};
    if (strchr(kernel->dims, 'm'))
        s.m = changed(in, s.m);
    if (strchr(kernel->dims, 'n'))
        s.n = changed(in, s.n);
    if (strchr(kernel->dims, 'd'))
        s.d = changed(in, s.d);
    if (!kernel->has_positives && strchr(kernel->dims, 'k'))
        s.k = changed(in, s.k);
    if (s.positives > 0)
        s.positives = fuzz_below(in, 12) + 1;
    if (s.negatives > 0)
        s.negatives = fuzz_below(in, 90) + 1;
    s.ld_extra = fuzz_below(in, 2) ? fuzz_below(in, 40) : s.ld_extra;
    if (kernel->has_logit_scale && fuzz_below(in, 3) == 0) {
        s.logit_scale = scales[fuzz_below(in, 7) + 1];
        s.weight_x = scales[fuzz_below(in, 5)];
        s.weight_y = scales[fuzz_below(in, 5)];
    }
    bool offset = kernel->offset == OFFSET_ALWAYS || s.offset > 0;
    if (offset)
        s.offset %= 200;
    if (offset && s.n < s.m + s.offset)
        s.n = s.m + s.offset;
    return s;
}

/* Values that are at the edge of something, but whose squares and sums are floats. */
static float some_value(struct fuzz_input *in)
{
    static const float values[] = {0,        -0.0f,     1,    -1,         1e-45f, -1e-40f,
                                   1e-38f,   1e-20f,    1e4f, -1e3f,      127,    -88.7f,
                                   INFINITY, -INFINITY, NAN,  0.99999994f};
    return values[fuzz_below(in, sizeof values / sizeof values[0])];
}

/* Puts values anywhere into the first two inputs, where nothing else follows from them, and says
 * so. Not into huge rows: their signs are such that no product becomes Inf - Inf. */
static void put_values(struct trial *t, struct fuzz_input *in, char *what, size_t size)
{
    const struct kernel *kernel = t->kernel;
    bool takes = kernel->fill == NULL && !kernel->callers_state && t->fill != FILL_HUGE;
    size_t count = takes ? fuzz_below(in, MOST_PUT) : 0;
    for (size_t i = 0; i < count; i++) {
        struct buffer *b = &t->buffer[fuzz_below(in, 2)];
        if (b->output || b->element != ELEMENT_F32 || b->rows * b->cols == 0)
            continue;
        size_t at = (size_t)fuzz_take(in, 2) % (b->rows * b->cols), used = strlen(what);
        float value = some_value(in);
        ((float *)b->data)[at / b->cols * b->ld + at % b->cols] = value;
        snprintf(what + used, size - used, ", %s[%zu,%zu] = %g", b->name, at / b->cols,
                 at % b->cols, (double)value);
        t->fill = FILL_GIVEN; /* what a fill promises, exact products of integers, holds no more */
    }
}

/* All of it on the heap and no longer than it is, with nothing but an element's alignment: a byte
 * too far is seen by ASan. */
static void place(struct trial *t, void *home[TRIAL_BUFFERS])
{
    for (int i = 0; i < t->buffer_count; i++) {
        struct buffer *b = &t->buffer[i];
        size_t bytes = element_bytes(b->element);
        size_t off = bytes == 8 || bytes == 2 ? bytes : BYTES_OFF;
        home[i] = malloc(off + buffer_bytes(b));
        if (home[i] == NULL)
            fuzz_fail("no memory for %s", b->name);
        char *to = (char *)home[i] + off;
        if (!b->output)
            memcpy(to, b->data, buffer_bytes(b));
        b->data = to;
    }
}

static void call(struct trial *t, size_t number, char *who, size_t size)
{
    struct state before;
    struct mmk_workspace_bytes need = {0, 0};
    char how[256], *memory = NULL;
    t->options = (struct mmk_options){.threads = (int)(number % 4) + (number % 11 == 0 ? 5 : 0)};
    if (!t->kernel->takes_threads)
        t->options.threads = 0;
    else if (number % 3 != 0 && trial_query(t, t->options.threads, &need) == MMK_OK &&
             need.all > 0) {
        size_t bytes = number % 5 == 0 ? need.all : 1 + number * 7919 % (need.all + 64),
               off = number % 67;
        memory = malloc(off + bytes);
        if (memory == NULL)
            fuzz_fail("no memory for a workspace of %zu bytes", bytes);
        t->options.workspace = memory + off;
        t->options.workspace_bytes = bytes;
    }
    state_before(&before, number, t->kernel->callers_state);
    enum mmk_status status = trial_call(t);
    bool is_changed = state_changed(&before, t->kernel->callers_state, how, sizeof how);
    size_t used = strlen(who);
    snprintf(who + used, size - used, ", threads %d, workspace %zu", t->options.threads,
             t->options.workspace_bytes);
    if (is_changed)
        fuzz_fail("%s: %s", who, how);
    if (status != MMK_OK)
        fuzz_fail("%s: %s (%s)", who, mmk_status_string(status), mmk_error_detail());
    free(memory);
}

/* Whether mmk.h lets a loss be NaN where the oracle knows better: Inf in X, and in another operand
 * an element that the logit scale makes 0. */
static bool vanishes_beside_inf(const struct trial *t)
{
    bool inf = false, vanishes = false;
    double scale = (double)t->shape.logit_scale;
    for (int b = 0; b < t->buffer_count && scale > 0; b++) {
        const struct buffer *in = &t->buffer[b];
        for (size_t e = 0; !in->output && in->element == ELEMENT_F32 && e < in->rows * in->cols;
             e++) {
            float v = ((const float *)in->data)[e / in->cols * in->ld + e % in->cols];
            inf = inf || (b == 0 && isinf(v));
            vanishes = vanishes || (b != 0 && v != 0 && fabs((double)v) * scale < 0x1p-149);
        }
    }
    return inf && vanishes;
}

/* Where great values and scales make a bound of 0 * Inf, nobody can say how far off a result may
 * be: it must be the same bits everywhere all the same. */
static void open_bounds(const struct trial *t)
{
    bool open = vanishes_beside_inf(t);
    for (int b = 0; b < t->buffer_count; b++)
        for (size_t e = 0; t->buffer[b].output && e < t->buffer[b].rows * t->buffer[b].cols; e++)
            if (open || isnan(t->buffer[b].bound[e]))
                t->buffer[b].bound[e] = BOUND_OPEN;
}

static void call_all(struct trial *t, const char *what, size_t number)
{
    uint64_t first = 0;
    bool there = false;
    char who[1100];
    struct verdict verdict;
    trial_oracle(t);
    open_bounds(t);
    for (int isa = 0; isa < MMK_ISA_COUNT; isa++) {
        if (mmk_isa_usable((enum mmk_isa)isa) != MMK_OK)
            continue;
        struct isa_row row = *isa_builtin_row((enum mmk_isa)isa);
        row.add_ports = number >> isa & 1;
        row.filters = row.codes && number >> isa & 2;
        isa_use_row(&row);
        snprintf(who, sizeof who, "%s, %s", what, row.name);
        trial_poison(t);
        call(t, number + (size_t)isa, who, sizeof who);
        uint64_t bits = trial_fingerprint(t);
        if (there && bits != first)
            fuzz_fail("%s: other bits than before", who);
        if (!trial_check(t, &verdict))
            fuzz_fail("%s: %s", who, verdict.message);
        first = bits;
        there = true;
    }
    isa_use_row(NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    const struct kernel *kernel = kernels[fuzz_below(&in, kernel_count)];
    struct shape shape = some_shape(&in, kernel);
    enum fill fill = (enum fill)fuzz_below(&in, FILL_GIVEN);
    uint64_t seed = fuzz_take(&in, 2);
    size_t number = (size_t)fuzz_take(&in, 2);
    struct trial t;
    size_t columns = strchr(kernel->dims, 'n') ? shape.n + shape.negatives : shape.m;
    if ((shape.m + 1) * (columns + 1) * (shape.d + 8) > MOST_WORK ||
        !fill_fits(kernel, &shape, fill) || !trial_open(&t, kernel, &shape, fill, seed))
        return 0;
    void *home[TRIAL_BUFFERS];
    char text[200], what[900];
    shape_format(kernel, &shape, text, sizeof text);
    snprintf(what, sizeof what, "%s %s, fill %s, seed %llu", kernel->name, text, fill_name(fill),
             (unsigned long long)seed);
    trial_fill(&t);
    put_values(&t, &in, what, sizeof what);
    place(&t, home);
    call_all(&t, what, number);
    for (int i = 0; i < t.buffer_count; i++)
        free(home[i]);
    trial_close(&t);
    return 0;
}
