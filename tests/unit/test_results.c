/* test_results.c - what is asked of a loss, and how, changes nothing of what comes out.
 * SPDX-License-Identifier: MIT
 *
 * Every loss in every form (targets, further negatives, log-sum-exps given, log-variances): each
 * result asked alone, and all but it, has the bits of all asked together; for any number of threads
 * and any workspace between what a query calls the least and all. Upstream factors scale exactly,
 * and further negatives are rows of Y that belong to nobody.
 */
#include "../../kernels/tile/tile.h"
#include "../../ref/cases.h"
#include "matrix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* ---- Counting allocations: glibc lets a program bring its own -------------------------------- */

static struct allocations {
    size_t count, greatest;
} allocations;

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define COUNTS_ALLOCATIONS 1
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_memalign(size_t align, size_t size);

static void count_allocation(size_t bytes)
{
    allocations.count++;
    if (bytes > allocations.greatest)
        allocations.greatest = bytes;
}

/* What is left in it from the call before would hide what this one leaves out. */
void *malloc(size_t size)
{
    count_allocation(size);
    void *memory = __libc_malloc(size);
    return memory != NULL ? memset(memory, 0xa5, size) : NULL;
}

void *calloc(size_t count, size_t size)
{
    count_allocation(count * size);
    return __libc_calloc(count, size);
}

void *aligned_alloc(size_t align, size_t size)
{
    count_allocation(size);
    return __libc_memalign(align, size);
}

int posix_memalign(void **memory, size_t align, size_t size)
{
    count_allocation(size);
    *memory = __libc_memalign(align, size);
    return *memory ? 0 : 12;
}
#else
#define COUNTS_ALLOCATIONS 0
#endif

/* ---- Forms of losses, shapes and results ----------------------------------------------------- */

enum loss { INFONCE, UNIFORMITY, ALIGNMENT, SIGMOID };

enum {
    LOSS,
    LSE_X,
    LSE_Y,
    ROWS_COUNTED,
    COLUMNS_COUNTED,
    DX,
    DY,
    DNEGATIVES,
    DLOGIT_SCALE,
    DBIAS,
    DLOG_VARIANCE_X,
    DLOG_VARIANCE_Y,
    OUTPUTS
};

enum {
    SOFTMAX_VALUES = 1 << LOSS | 1 << LSE_X | 1 << LSE_Y | 1 << ROWS_COUNTED | 1 << COLUMNS_COUNTED,
    GRADIENTS = 1 << DX | 1 << DY | 1 << DLOGIT_SCALE,
    VARIANCES = 1 << DLOG_VARIANCE_X | 1 << DLOG_VARIANCE_Y,
    ALL_GRADIENTS = GRADIENTS | VARIANCES | 1 << DNEGATIVES | 1 << DBIAS
};

struct form {
    const char *name;
    enum loss loss;
    unsigned outputs;
    bool targets, exclude_self, negatives, given_lse, variances;
};

static const struct form forms[] = {
    {"infonce", INFONCE, SOFTMAX_VALUES | GRADIENTS, false, false, false, false, false},
    {"targets", INFONCE, SOFTMAX_VALUES | GRADIENTS, true, false, false, false, false},
    {"targets, self left out", INFONCE, SOFTMAX_VALUES | GRADIENTS, true, true, false, false,
     false},
    {"negatives", INFONCE, SOFTMAX_VALUES | GRADIENTS | 1 << DNEGATIVES, false, false, true, false,
     false},
    {"negatives and targets", INFONCE, SOFTMAX_VALUES | GRADIENTS | 1 << DNEGATIVES, true, false,
     true, false, false},
    {"lse given", INFONCE, GRADIENTS, false, false, false, true, false},
    {"targets, lse given", INFONCE, GRADIENTS, true, false, false, true, false},
    {"negatives, lse given", INFONCE, GRADIENTS | 1 << DNEGATIVES, false, false, true, true, false},
    {"uniformity", UNIFORMITY, 1 << LOSS | 1 << LSE_X | 1 << LSE_Y | GRADIENTS, false, false, false,
     false, false},
    {"alignment", ALIGNMENT, 1 << LOSS | GRADIENTS, false, false, false, false, false},
    {"sigmoid", SIGMOID, 1 << LOSS | GRADIENTS | 1 << DBIAS, false, false, false, false, false},
    {"sigmoid, positives", SIGMOID, 1 << LOSS | GRADIENTS | 1 << DBIAS, true, false, false, false,
     false},
    {"log-variances", SIGMOID, 1 << LOSS | GRADIENTS | 1 << DBIAS | VARIANCES, false, false, false,
     false, true},
    {"log-variances, positives", SIGMOID, 1 << LOSS | GRADIENTS | 1 << DBIAS | VARIANCES, true,
     false, false, false, true},
};

enum { FORMS = sizeof forms / sizeof forms[0] };

struct sizes {
    size_t m, n, q, d;
};

/* A block has 84 rows, a strip of columns 672, four of them 2688. */
static const struct sizes shapes[] = {{85, 97, 90, 9}, {130, 673, 5, 5}, {86, 2689, 1, 3}},
                          more_rows = {2689, 86, 3, 3};

enum { SHAPES = sizeof shapes / sizeof shapes[0], MOST = 2700, FLOATS = 1 << 14 };

struct results {
    float loss, dlogit_scale, dbias, lse_x[MOST], lse_y[MOST];
    size_t rows_counted, columns_counted;
    float dx[FLOATS], dy[FLOATS], dnegatives[FLOATS], dlog_variance_x[FLOATS],
        dlog_variance_y[FLOATS];
};

static float rows_x[FLOATS], rows_y[FLOATS], log_variance_x[FLOATS], log_variance_y[FLOATS];
static size_t row_start[MOST + 1];
static uint32_t column[2 * MOST];
static float weight[2 * MOST];
static struct results all, other;

static void fill_floats(float *v, size_t count, uint64_t stream)
{
    for (size_t e = 0; e < count; e++)
        v[e] = (float)fill_normal(stream, e);
}

static void fill_rows(void)
{
    fill_floats(rows_x, FLOATS, 31);
    fill_floats(rows_y, FLOATS, 32);
    fill_floats(log_variance_x, FLOATS, 33);
    fill_floats(log_variance_y, FLOATS, 34);
}

/* Two targets a row, one of weight 0 now and then, in some rows none; never in column i. */
static struct mmk_csr some_targets(const struct sizes *s)
{
    size_t entries = 0;
    for (size_t i = 0; i < s->m; i++) {
        row_start[i] = entries;
        for (size_t t = 0; i % 7 != 3 && t < 2; t++) {
            size_t j = (i * 5 + 11 * t + 1) % s->n;
            column[entries] = (uint32_t)(j != i ? j : (j + 1) % s->n);
            weight[entries++] = (float)((i + t) % 5) * 0.5f;
        }
    }
    row_start[s->m] = entries;
    return (struct mmk_csr){row_start, column, weight};
}

static void *place(struct results *r, int output)
{
    switch (output) {
    case LOSS:
        return &r->loss;
    case LSE_X:
        return r->lse_x;
    case LSE_Y:
        return r->lse_y;
    case ROWS_COUNTED:
        return &r->rows_counted;
    case COLUMNS_COUNTED:
        return &r->columns_counted;
    case DX:
        return r->dx;
    case DY:
        return r->dy;
    case DNEGATIVES:
        return r->dnegatives;
    case DLOGIT_SCALE:
        return &r->dlogit_scale;
    case DBIAS:
        return &r->dbias;
    case DLOG_VARIANCE_X:
        return r->dlog_variance_x;
    default:
        return r->dlog_variance_y;
    }
}

static size_t bytes_of(const struct sizes *s, int output)
{
    switch (output) {
    case LSE_X:
        return s->m * sizeof(float);
    case LSE_Y:
        return s->n * sizeof(float);
    case ROWS_COUNTED:
    case COLUMNS_COUNTED:
        return sizeof(size_t);
    case DX:
    case DLOG_VARIANCE_X:
        return s->m * s->d * sizeof(float);
    case DY:
    case DLOG_VARIANCE_Y:
        return s->n * s->d * sizeof(float);
    case DNEGATIVES:
        return s->q * s->d * sizeof(float);
    default:
        return sizeof(float);
    }
}

/* ---- One call -------------------------------------------------------------------------------- */

struct setting {
    enum mmk_similarity similarity;
    float logit_scale;
    float weight_x, weight_y;
    const float *upstream;
    bool leading_dimensions; /* said, though rows are contiguous */
    const struct mmk_options *options;
};

static enum mmk_status call_sigmoid(const struct form *f, const struct sizes *s,
                                    const struct setting *by, unsigned wanted, struct results *r)
{
    size_t ld = by->leading_dimensions ? s->d : 0;
    const struct mmk_csr targets = some_targets(s);
    const struct mmk_matrix *p = MATRIX_AT(log_variance_x, s->m, s->d, ld);
    const struct mmk_matrix *q = MATRIX_AT(log_variance_y, s->n, s->d, ld);
    const struct mmk_matrix_out *dx = MATRIX_OUT_AT(r->dx, s->m, s->d, ld);
    const struct mmk_matrix_out *dy = MATRIX_OUT_AT(r->dy, s->n, s->d, ld);
    const struct mmk_matrix_out *dp = MATRIX_OUT_AT(r->dlog_variance_x, s->m, s->d, ld);
    const struct mmk_matrix_out *dq = MATRIX_OUT_AT(r->dlog_variance_y, s->n, s->d, ld);
    return mmk_sigmoid(&(struct mmk_sigmoid_problem){.x = MATRIX_AT(rows_x, s->m, s->d, ld),
                                                     .y = MATRIX_AT(rows_y, s->n, s->d, ld),
                                                     .log_variance_x = f->variances ? p : NULL,
                                                     .log_variance_y = f->variances ? q : NULL,
                                                     .similarity = by->similarity,
                                                     .logit_scale = by->logit_scale,
                                                     .bias = -1,
                                                     .positives = f->targets ? &targets : NULL,
                                                     .offset = f->targets ? 0 : s->n - s->m,
                                                     .upstream = by->upstream},
                       &(struct mmk_sigmoid_results){
                           .loss = wanted >> LOSS & 1 ? &r->loss : NULL,
                           .dx = wanted >> DX & 1 ? dx : NULL,
                           .dy = wanted >> DY & 1 ? dy : NULL,
                           .dlog_variance_x = wanted >> DLOG_VARIANCE_X & 1 ? dp : NULL,
                           .dlog_variance_y = wanted >> DLOG_VARIANCE_Y & 1 ? dq : NULL,
                           .dlogit_scale = wanted >> DLOGIT_SCALE & 1 ? &r->dlogit_scale : NULL,
                           .dbias = wanted >> DBIAS & 1 ? &r->dbias : NULL},
                       by->options);
}

/* Further negatives are the rows of Y after the first n. */
static enum mmk_status call_softmax(const struct form *f, const struct sizes *s,
                                    const struct setting *by, const struct results *given,
                                    unsigned wanted, struct results *r)
{
    size_t ld = by->leading_dimensions ? s->d : 0;
    bool offset = f->loss == INFONCE && !f->targets;
    const struct mmk_csr targets = some_targets(s);
    const struct mmk_matrix *negatives = MATRIX_AT(rows_y + s->n * s->d, s->q, s->d, ld);
    const struct mmk_matrix_out *dx = MATRIX_OUT_AT(r->dx, s->m, s->d, ld);
    const struct mmk_matrix_out *dy = MATRIX_OUT_AT(r->dy, s->n, s->d, ld);
    const struct mmk_matrix_out *dnegatives = MATRIX_OUT_AT(r->dnegatives, s->q, s->d, ld);
    const struct mmk_infonce_problem problem = {.x = MATRIX_AT(rows_x, s->m, s->d, ld),
                                                .y = MATRIX_AT(rows_y, s->n, s->d, ld),
                                                .negatives = f->negatives ? negatives : NULL,
                                                .similarity = by->similarity,
                                                .logit_scale = by->logit_scale,
                                                .weight_x = f->loss == ALIGNMENT ? 0 : by->weight_x,
                                                .weight_y = f->loss == ALIGNMENT ? 0 : by->weight_y,
                                                .targets = f->targets ? &targets : NULL,
                                                .offset = offset ? s->n - s->m : 0,
                                                .exclude_self = f->exclude_self,
                                                .lse_x = given != NULL ? given->lse_x : NULL,
                                                .lse_y = given != NULL ? given->lse_y : NULL,
                                                .upstream = by->upstream};
    const struct mmk_infonce_results results = {
        .loss = wanted >> LOSS & 1 ? &r->loss : NULL,
        .lse_x = wanted >> LSE_X & 1 ? r->lse_x : NULL,
        .lse_y = wanted >> LSE_Y & 1 ? r->lse_y : NULL,
        .rows_counted = wanted >> ROWS_COUNTED & 1 ? &r->rows_counted : NULL,
        .columns_counted = wanted >> COLUMNS_COUNTED & 1 ? &r->columns_counted : NULL,
        .dx = wanted >> DX & 1 ? dx : NULL,
        .dy = wanted >> DY & 1 ? dy : NULL,
        .dnegatives = wanted >> DNEGATIVES & 1 ? dnegatives : NULL,
        .dlogit_scale = wanted >> DLOGIT_SCALE & 1 ? &r->dlogit_scale : NULL};
    return (f->loss == INFONCE      ? mmk_infonce
            : f->loss == UNIFORMITY ? mmk_uniformity
                                    : mmk_alignment)(&problem, &results, by->options);
}

/* Where log-sum-exps are to be given, they come from a call of its own. */
static void call(const struct form *f, const struct sizes *s, const struct setting *by,
                 unsigned wanted, struct results *r)
{
    static struct results given;
    if (f->loss == SIGMOID) {
        assert_int_equal(call_sigmoid(f, s, by, wanted, r), MMK_OK);
        return;
    }
    if (f->given_lse) {
        struct setting forward = *by;
        forward.options =
            &(struct mmk_options){.origin = by->options != NULL ? by->options->origin : NULL};
        struct allocations before = allocations; /* that call is not what is tried */
        assert_int_equal(call_softmax(f, s, &forward, NULL, 1 << LSE_X | 1 << LSE_Y, &given),
                         MMK_OK);
        allocations = before;
    }
    assert_int_equal(call_softmax(f, s, by, f->given_lse ? &given : NULL, wanted, r), MMK_OK);
}

static void same(const struct form *f, const struct sizes *s, const struct setting *by,
                 unsigned outputs, struct results *one, struct results *two, const char *how)
{
    for (int o = 0; o < OUTPUTS; o++)
        if (outputs >> o & 1 && memcmp(place(one, o), place(two, o), bytes_of(s, o)) != 0)
            fail_msg("%s, %zux%zux%zu, similarity %d, scale %g: result %d is another %s", f->name,
                     s->m, s->n, s->d, (int)by->similarity, (double)by->logit_scale, o, how);
}

/* Calls test() for every form, shape, similarity and scale that go together, and instruction set.
 * Of the scales the second makes a softmax pick one, so that P and Q need an exponential each. */
static void on_all(void (*test)(const struct form *, const struct sizes *, const struct setting *),
                   size_t shape_count)
{
#if defined(__SANITIZE_ADDRESS__) /* twenty times as slow: one alone, at one shape */
    const int first = mmk_isa_usable(MMK_ISA_AVX2) == MMK_OK ? MMK_ISA_AVX2 : MMK_ISA_SCALAR;
    const int end = first + 1;
    shape_count = 1;
#else
    const int first = 0, end = MMK_ISA_COUNT;
#endif
    for (int isa = first; isa < end; isa++) {
        if (mmk_isa_use(mmk_isa_name((enum mmk_isa)isa)) != MMK_OK)
            continue;
        for (size_t f = 0; f < FORMS; f++)
            for (size_t i = 0; i <= shape_count; i++) {
                struct sizes s = i < shape_count ? shapes[i] : more_rows;
                bool any_rows = forms[f].targets && !forms[f].exclude_self;
                if (i == shape_count && (shape_count < SHAPES || !any_rows) &&
                    forms[f].loss != UNIFORMITY)
                    continue;
                if (isa == MMK_ISA_SCALAR && i > 0) /* slow, and its bits are those of the others */
                    continue;
                if (forms[f].loss == ALIGNMENT)
                    s.n = s.m;
                for (int scale = 0; scale < (i == 0 ? 2 : 1); scale++)
                    for (int k = 0; k < MMK_SIMILARITY_COUNT; k++)
                        if (!forms[f].variances || k == MMK_NEG_SQ_L2)
                            test(&forms[f], &s,
                                 &(struct setting){.similarity = (enum mmk_similarity)k,
                                                   .logit_scale = scale == 0 ? 5.0f : 3e4f,
                                                   .weight_x = 0.25f,
                                                   .weight_y = 0.5f});
            }
    }
    assert_int_equal(mmk_isa_use(NULL), MMK_OK);
}

/* ---- Results alone --------------------------------------------------------------------------- */

static void ask_for_parts(const struct form *f, const struct sizes *s, const struct setting *given)
{
    struct setting by = *given;
    struct mmk_options options = {.threads = 1};
    by.options = &options;
    for (int threads = 1; threads <= 2; threads++) {
        options.threads = threads;
        if (threads == 1) {
            call(f, s, &by, f->outputs, &all);
        } else {
            call(f, s, &by, f->outputs, &other);
            same(f, s, &by, f->outputs, &all, &other, "by 2 threads");
        }
        for (int o = 0; o < OUTPUTS; o++) {
            if (!(f->outputs >> o & 1))
                continue;
            memset(&other, 0xa5, sizeof other);
            call(f, s, &by, 1u << o, &other);
            same(f, s, &by, 1u << o, &all, &other, "alone");
            if (threads > 1)
                continue;
            call(f, s, &by, f->outputs & ~(1u << o), &other);
            same(f, s, &by, f->outputs & ~(1u << o), &all, &other, "without one");
        }
        call(f, s, &by, 0, &other); /* nothing is nothing to do */
    }
    by.leading_dimensions = true;
    call(f, s, &by, f->outputs, &other);
    same(f, s, &by, f->outputs, &all, &other, "with leading dimensions said");
}

static void each_result_alone(void **state)
{
    (void)state;
    on_all(ask_for_parts, SHAPES);
}

/* ---- Upstream -------------------------------------------------------------------------------- */

/* Multiplies the gradients in place; what is no normal number is rounded, and made 0. */
static void scale(const struct form *f, const struct sizes *s, float factor, struct results *r)
{
    for (int o = 0; o < OUTPUTS; o++)
        if (f->outputs & ALL_GRADIENTS & 1u << o) {
            float *v = place(r, o);
            for (size_t e = 0; e < bytes_of(s, o) / sizeof(float); e++) {
                v[e] = v[e] * factor + 0.0f; /* -0 is 0 */
                if (fabsf(v[e]) < FLT_MIN)
                    v[e] = 0;
            }
        }
}

static void put_factors(const struct form *f, const struct sizes *s, const struct setting *given,
                        size_t count, const float *factors)
{
    static struct results expected;
    struct setting by = *given;
    call(f, s, &by, f->outputs, &all);
    for (size_t i = 0; i < count; i++) {
        by.upstream = &factors[i];
        call(f, s, &by, f->outputs, &other);
        if (factors[i] == 1) {
            same(f, s, &by, f->outputs, &all, &other, "with upstream 1");
            continue;
        }
        memcpy(&expected, &all, sizeof all);
        scale(f, s, factors[i], &expected);
        scale(f, s, 1, &other);
        same(f, s, &by, f->outputs, &expected, &other, "times upstream");
    }
}

static void put_upstream(const struct form *f, const struct sizes *s, const struct setting *given)
{
    static const float factors[] = {1, 2, -1, 0, 0x1p-20f};
    put_factors(f, s, given, sizeof factors / sizeof factors[0], factors);
}

/* Directions that weigh as good as nothing beside each other, times a factor of either sign. */
static void weigh_unequally(const struct form *f, const struct sizes *s,
                            const struct setting *given)
{
    if (f->loss != INFONCE && f->loss != UNIFORMITY)
        return;
    static const float weights[][2] = {{1, 1e-37f}, {1e-37f, 1}};
    struct setting by = *given;
    for (int w = 0; w < 2; w++) {
        by.weight_x = weights[w][0];
        by.weight_y = weights[w][1];
        put_factors(f, s, &by, 1, &(float){-1});
    }
}

static void upstream_scales(void **state)
{
    (void)state;
    on_all(put_upstream, 1);
    on_all(weigh_unequally, 1);
}

/* ---- Further negatives ----------------------------------------------------------------------- */

/* The same with the log-sum-exps of a call before. Of columns that nobody belongs to they are not
 * looked at, but for an overflow: here they cannot make one. */
static void join_given(const struct form *f, const struct sizes *s, const struct setting *by,
                       const struct mmk_csr *targets, const struct results *lse)
{
    static struct results apart, joined;
    static float lse_y[MOST];
    for (size_t j = 0; j < s->n + s->q; j++)
        lse_y[j] = j < s->n ? lse->lse_y[j] : -INFINITY;
    struct form of_lse = *f;
    of_lse.given_lse = true;
    of_lse.outputs &= ALL_GRADIENTS;
    memset(&joined, 0xa5, sizeof joined);
    size_t columns = s->n + s->q;
    assert_int_equal(
        mmk_infonce(&(struct mmk_infonce_problem){.x = MATRIX_AT(rows_x, s->m, s->d, 0),
                                                  .y = MATRIX_AT(rows_y, columns, s->d, 0),
                                                  .similarity = by->similarity,
                                                  .logit_scale = by->logit_scale,
                                                  .weight_x = by->weight_x,
                                                  .weight_y = by->weight_y,
                                                  .targets = targets,
                                                  .lse_x = lse->lse_x,
                                                  .lse_y = lse_y},
                    &(struct mmk_infonce_results){.dx = MATRIX_OUT_AT(joined.dx, s->m, s->d, 0),
                                                  .dy = MATRIX_OUT_AT(joined.dy, columns, s->d, 0),
                                                  .dlogit_scale = &joined.dlogit_scale},
                    by->options),
        MMK_OK);
    memcpy(joined.dnegatives, joined.dy + s->n * s->d, bytes_of(s, DNEGATIVES));
    call(&of_lse, s, by, of_lse.outputs, &apart); /* last: it may use the targets' memory */
    same(&of_lse, s, by, of_lse.outputs, &apart, &joined, "with Y and negatives joined, lse given");
}

/* Y and the negatives joined, with the same targets and the same origin, has the same results,
 * gradients one after the other; and no negatives at all are those of none. */
static void join(const struct form *f, const struct sizes *s, const struct setting *given)
{
    if (f->loss != INFONCE || f->given_lse || f->exclude_self || !f->negatives)
        return;
    static const float weights[][2] = {{1, 0}, {0.25f, 0.5f}};
    const struct sizes none = {s->m, s->n, 0, s->d};
    size_t columns = s->n + s->q;
    struct setting by = *given;
    struct form without = *f;
    without.negatives = false;
    without.outputs &= ~(1u << DNEGATIVES);
    for (int w = 0; w < 2; w++)
        for (int threads = 1; threads <= 2; threads++) {
            by.weight_x = weights[w][0];
            by.weight_y = weights[w][1];
            by.options = &(struct mmk_options){
                .threads = threads, .origin = by.similarity == MMK_NEG_SQ_L2 ? rows_y : NULL};
            call(f, s, &by, f->outputs, &all);

            struct mmk_csr targets = some_targets(s);
            if (!f->targets) {
                for (size_t i = 0; i <= s->m; i++)
                    row_start[i] = i;
                for (size_t i = 0; i < s->m; i++)
                    column[i] = (uint32_t)(i + s->n - s->m);
                targets.weight = NULL;
            }
            memset(&other, 0xa5, sizeof other);
            assert_int_equal(
                mmk_infonce(
                    &(struct mmk_infonce_problem){.x = MATRIX_AT(rows_x, s->m, s->d, 0),
                                                  .y = MATRIX_AT(rows_y, columns, s->d, 0),
                                                  .similarity = by.similarity,
                                                  .logit_scale = by.logit_scale,
                                                  .weight_x = by.weight_x,
                                                  .weight_y = by.weight_y,
                                                  .targets = &targets},
                    &(struct mmk_infonce_results){.loss = &other.loss,
                                                  .lse_x = other.lse_x,
                                                  .lse_y = other.lse_y,
                                                  .rows_counted = &other.rows_counted,
                                                  .columns_counted = &other.columns_counted,
                                                  .dx = MATRIX_OUT_AT(other.dx, s->m, s->d, 0),
                                                  .dy = MATRIX_OUT_AT(other.dy, columns, s->d, 0),
                                                  .dlogit_scale = &other.dlogit_scale},
                    by.options),
                MMK_OK);
            memcpy(other.dnegatives, other.dy + s->n * s->d, bytes_of(s, DNEGATIVES));
            same(f, s, &by, f->outputs, &all, &other, "with Y and negatives joined");
            if (!f->targets)
                join_given(f, s, &by, &targets, &other);

            call(f, &none, &by, f->outputs, &other);
            call(&without, &none, &by, without.outputs, &all);
            same(f, &none, &by, without.outputs, &all, &other, "with 0 negatives");
        }
}

static void negatives_are_rows_of_nobody(void **state)
{
    (void)state;
    on_all(join, SHAPES);
}

/* ---- Workspace ------------------------------------------------------------------------------- */

enum { GUARD = 64, OF_OPENMP = 1 << 14 };

/* A workspace of `bytes` at an odd place, with bytes around it that nobody may write. */
static void *guarded(char *memory, size_t bytes, size_t odd)
{
    memset(memory, 0xa5, GUARD + odd);
    memset(memory + GUARD + odd + bytes, 0xa5, GUARD);
    return bytes > 0 ? memory + GUARD + odd : NULL;
}

static void guards_are_whole(const char *memory, size_t bytes, size_t odd)
{
    for (size_t i = 0; i < GUARD; i++) {
        assert_int_equal((unsigned char)memory[i], 0xa5);
        assert_int_equal((unsigned char)memory[GUARD + odd + bytes + i], 0xa5);
    }
}

/* What any call needs: run(context, options) makes it, and says whether the results are the right
 * ones. */
static void try_workspaces(void (*run)(void *context, const struct mmk_options *options),
                           void *context, int threads)
{
    struct mmk_workspace_bytes query;
    run(context, &(struct mmk_options){.threads = threads, .query = &query});
    assert_true(query.least <= query.all);
    char *memory = malloc(query.all + 2 * GUARD + 8);
    assert_non_null(memory);
    const size_t more = query.all - query.least;
    const size_t line = more < GUARD ? more : GUARD; /* less than all, but for what aligns it */
    const size_t sizes[] = {0, more / 4, more / 2, more / 4 * 3, more - line, more};
    for (size_t step = 0; step < sizeof sizes / sizeof *sizes; step++) {
        size_t bytes = query.least + sizes[step];
        struct mmk_options options = {.threads = threads,
                                      .workspace = guarded(memory, bytes, step),
                                      .workspace_bytes = bytes};
        if (threads > 1) /* OpenMP takes memory for its first team of so many threads, */
            run(context, &options);
        size_t before = allocations.count;
        allocations.greatest = 0;
        run(context, &options);
        if (threads == 1)
            assert_int_equal(allocations.count, before);
        else if (query.least >= OF_OPENMP) /* and now and then for one of several, but little */
            assert_in_range(allocations.greatest, 0, OF_OPENMP - 1);
        guards_are_whole(memory, bytes, step);
    }
    if (query.least > 1) { /* a byte too few: as without one */
        struct mmk_options options = {.threads = threads,
                                      .workspace = guarded(memory, query.least - 1, 1),
                                      .workspace_bytes = query.least - 1};
        size_t before = allocations.count;
        run(context, &options);
        assert_true(allocations.count > before || !COUNTS_ALLOCATIONS);
        guards_are_whole(memory, query.least - 1, 1);
    }
    free(memory);
}

struct loss_call {
    const struct form *f;
    const struct sizes *s;
    struct setting by;
    unsigned wanted;
};

static void run_loss(void *context, const struct mmk_options *options)
{
    struct loss_call *c = context;
    c->by.options = options;
    call(c->f, c->s, &c->by, c->wanted, &other);
    if (options->query == NULL)
        same(c->f, c->s, &c->by, c->wanted, &all, &other, "in a workspace");
}

static void in_workspaces(const struct form *f, const struct sizes *s, const struct setting *by)
{
    const unsigned asked[] = {f->outputs, f->outputs & ~(unsigned)ALL_GRADIENTS,
                              f->outputs & (1u << DX), f->outputs & (1u << DLOGIT_SCALE)};
    call(f, s, by, f->outputs, &all);
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++)
        for (int threads = 1; threads <= 2; threads++)
            if (asked[i] != 0)
                try_workspaces(run_loss, &(struct loss_call){f, s, *by, asked[i]}, threads);
}

static void workspaces_of_losses(void **state)
{
    (void)state;
    on_all(in_workspaces, 1);
}

/* Of three by three blocks some are kept, the last of a column of them not. */
static void workspaces_of_many_blocks(void **state)
{
    (void)state;
    const struct sizes s = {170, 1400, 2, 4};
    for (size_t f = 0; f < FORMS; f++)
        if (forms[f].loss == INFONCE)
            in_workspaces(
                &forms[f], &s,
                &(struct setting){
                    .similarity = MMK_DOT, .logit_scale = 2, .weight_x = 0.25f, .weight_y = 0.5f});
}

enum { M = 90, N = 200, D = 20 };

static void run_matrix(void *context, const struct mmk_options *options)
{
    static float scores[M * N];
    memset(scores, 0xa5, sizeof scores);
    assert_int_equal(mmk_similarity_matrix(MMK_COSINE, MATRIX_AT(rows_x, M, D, 0),
                                           MATRIX_AT(rows_y, N, D, 0),
                                           MATRIX_OUT_AT(scores, M, N, 0), options),
                     MMK_OK);
    if (options == NULL)
        memcpy(context, scores, sizeof scores);
    else if (options->query == NULL)
        assert_memory_equal(context, scores, sizeof scores);
}

/* Of whole blocks of logits what is kept ends where the workspace does. Exponentials are kept for
 * dX alone, logits where d loss / d logit_scale is wanted, too. */
enum { WHOLE_M = TILE_BLOCK_ROWS, WHOLE_N = TILE_BLOCK_COLS };

static void run_kept(void *context, const struct mmk_options *options, bool logits)
{
    static float gradient[WHOLE_M + 2];
    memset(gradient, 0xa5, sizeof gradient);
    const struct mmk_infonce_problem problem = {.x = MATRIX_AT(rows_x, WHOLE_M, 1, 0),
                                                .y = MATRIX_AT(rows_y, WHOLE_N, 1, 0),
                                                .logit_scale = 3};
    const struct mmk_infonce_results results = {.loss = &gradient[WHOLE_M + 1],
                                                .dx = MATRIX_OUT_AT(gradient, WHOLE_M, 1, 0),
                                                .dlogit_scale = logits ? &gradient[WHOLE_M] : NULL};
    assert_int_equal(mmk_infonce(&problem, &results, options), MMK_OK);
    if (options == NULL)
        memcpy(context, gradient, sizeof gradient);
    else if (options->query == NULL)
        assert_memory_equal(context, gradient, sizeof gradient);
}

static void run_kept_exponentials(void *context, const struct mmk_options *options)
{
    run_kept(context, options, false);
}

static void run_kept_logits(void *context, const struct mmk_options *options)
{
    run_kept(context, options, true);
}

/* More of a row than the stack has room for. */
enum { TOPK_M = 8, TOPK_N = 2000, TOPK_K = 1000 };

static void run_topk(void *context, const struct mmk_options *options)
{
    static uint32_t indices[TOPK_M * TOPK_K];
    memset(indices, 0xa5, sizeof indices);
    assert_int_equal(
        mmk_topk(MATRIX_AT(rows_x, TOPK_M, TOPK_N, 0), TOPK(TOPK_K, NULL, indices), options),
        MMK_OK);
    if (options != NULL && options->query != NULL)
        assert_true(options->query->least >= OF_OPENMP);
    if (options == NULL)
        memcpy(context, indices, sizeof indices);
    else if (options->query == NULL)
        assert_memory_equal(context, indices, sizeof indices);
}

static void run_search(void *context, const struct mmk_options *options)
{
    static struct {
        float x[M * 7];
        uint32_t y[N * 3];
    } found;
    memset(&found, 0xa5, sizeof found);
    assert_int_equal(mmk_search(&(struct mmk_search_problem){.x = MATRIX_AT(rows_x, M, D, 0),
                                                             .y = MATRIX_AT(rows_y, N, D, 0),
                                                             .similarity = MMK_NEG_SQ_L2},
                                &(struct mmk_search_results){.for_x = TOPK(7, found.x, NULL),
                                                             .for_y = TOPK(3, NULL, found.y)},
                                options),
                     MMK_OK);
    if (options == NULL)
        memcpy(context, &found, sizeof found);
    else if (options->query == NULL)
        assert_memory_equal(context, &found, sizeof found);
}

static void workspaces_of_the_rest(void **state)
{
    (void)state;
    static void (*const runs[])(void *, const struct mmk_options *) = {
        run_matrix, run_topk, run_search, run_kept_exponentials, run_kept_logits};
    static char right[M * N * sizeof(float)];
    for (int isa = 0; isa < MMK_ISA_COUNT; isa++) {
        if (mmk_isa_use(mmk_isa_name((enum mmk_isa)isa)) != MMK_OK)
            continue;
        for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++)
            for (int threads = 1; threads <= 2; threads++) {
                runs[i](right, NULL);
                try_workspaces(runs[i], right, threads);
            }
    }
    assert_int_equal(mmk_isa_use(NULL), MMK_OK);
}

/* More room saves work where there are exponentials to be kept, and only there. */
static void all_is_more_where_exponentials_are_kept(void **state)
{
    (void)state;
    for (size_t f = 0; f < FORMS; f++) {
        struct sizes s = shapes[0];
        if (forms[f].loss == ALIGNMENT)
            s.n = s.m;
        struct setting by = {.similarity = MMK_NEG_SQ_L2, .logit_scale = 5};
        for (int gradients = 0; gradients < 2; gradients++) {
            struct mmk_workspace_bytes query;
            by.options = &(struct mmk_options){.threads = 1, .query = &query};
            call(&forms[f], &s, &by, gradients ? forms[f].outputs : 1u << DX, &other);
            bool two_passes =
                (forms[f].loss == INFONCE || forms[f].loss == UNIFORMITY) && !forms[f].given_lse;
            assert_int_equal(query.all - query.least >= s.m * s.n * sizeof(float), two_passes);
        }
    }
}

/* What would save time may be too much for any memory, and the call is right without it. */
static void all_saturates(void **state)
{
    (void)state;
    float loss;
    const struct {
        size_t rows;
        bool addressable;
    } sizes[] = {{1000000000, true}, {2000000000, false}, {4000000000, false}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t rows = sizes[i].rows;
        struct mmk_workspace_bytes query;
        const struct mmk_matrix x = {.rows = rows, .columns = 3};
        const struct mmk_matrix_out dx = {.rows = rows, .columns = 3};
        const struct mmk_infonce_problem problem = {.x = &x, .y = &x, .logit_scale = 1};
        const struct mmk_infonce_results results = {.loss = &loss, .dx = &dx};
        const struct mmk_options options = {.threads = 1, .query = &query};
        assert_int_equal(mmk_infonce(&problem, &results, &options), MMK_OK);
        assert_in_range(query.least, rows, 1000 * rows);
        if (sizes[i].addressable)
            assert_in_range(query.all - query.least, rows * rows * sizeof(float), PTRDIFF_MAX);
        else
            assert_true(query.all == SIZE_MAX);
    }
}

/* Without rows a call writes what is asked, and a query no more than its answer. */
static void empty_sides(void **state)
{
    (void)state;
    float loss, rows[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    size_t counted[2];
    const size_t start[] = {0, 0, 0};
    const struct mmk_csr nobody = {.row_start = start};
    for (int empty_x = 0; empty_x < 2; empty_x++) {
        const struct mmk_matrix *x = MATRIX_AT(rows, empty_x ? 0 : 2, 2, 0);
        const struct mmk_matrix *y = MATRIX_AT(rows, empty_x ? 2 : 0, 2, 0);
        const struct mmk_infonce_problem infonce = {
            .x = x, .y = y, .logit_scale = 1, .targets = &nobody};
        const struct mmk_infonce_results wanted = {
            .loss = &loss, .rows_counted = &counted[0], .columns_counted = &counted[1]};
        const struct mmk_sigmoid_problem sigmoid = {
            .x = x, .y = y, .logit_scale = 1, .positives = &nobody};
        const struct mmk_sigmoid_results sigmoid_loss = {.loss = &loss};
        struct mmk_workspace_bytes bytes = {77, 0};
        const struct mmk_options query = {.query = &bytes};
        loss = 77;
        counted[0] = counted[1] = 77;
        assert_int_equal(mmk_infonce(&infonce, &wanted, &query), MMK_OK);
        assert_true(loss == 77 && counted[0] == 77 && counted[1] == 77);
        assert_true(bytes.least <= bytes.all);
        bytes = (struct mmk_workspace_bytes){77, 0};
        assert_int_equal(mmk_sigmoid(&sigmoid, &sigmoid_loss, &query), MMK_OK);
        assert_true(loss == 77 && bytes.least <= bytes.all);
        assert_int_equal(mmk_infonce(&infonce, &wanted, NULL), MMK_OK);
        assert_true(loss == 0 && counted[0] == 0 && counted[1] == 0);
        loss = 77;
        assert_int_equal(mmk_sigmoid(&sigmoid, &sigmoid_loss, NULL), MMK_OK);
        assert_true(loss == 0);
    }
}

/* Of a side without rows there are no log-sum-exps to give, be there further negatives or not. */
static void given_lse_of_no_rows(void **state)
{
    (void)state;
    float rows[] = {1, 2, 3, 4}, lse[] = {1, 2}, gradient[4], further[4];
    const size_t start[] = {0, 0, 0};
    const struct mmk_csr nobody = {.row_start = start};
    for (int empty_x = 0; empty_x < 2; empty_x++)
        for (int negatives = 0; negatives < 2; negatives++) {
            const struct mmk_infonce_problem problem = {
                .x = MATRIX_AT(rows, empty_x ? 0 : 2, 2, 0),
                .y = MATRIX_AT(rows, empty_x ? 2 : 0, 2, 0),
                .negatives = negatives ? MATRIX_AT(rows, 2, 2, 0) : NULL,
                .logit_scale = 1,
                .targets = &nobody,
                .lse_x = empty_x ? NULL : lse,
                .lse_y = empty_x ? lse : NULL};
            const struct mmk_matrix_out *out = MATRIX_OUT_AT(gradient, 2, 2, 0);
            const struct mmk_infonce_results wanted = {
                .dx = empty_x ? NULL : out,
                .dy = empty_x ? out : NULL,
                .dnegatives = negatives ? MATRIX_OUT_AT(further, 2, 2, 0) : NULL};
            for (int e = 0; e < 4; e++)
                gradient[e] = further[e] = 77;
            assert_int_equal(mmk_infonce(&problem, &wanted, NULL), MMK_OK);
            for (int e = 0; e < 4; e++)
                assert_true(gradient[e] == 0 && further[e] == (negatives ? 0 : 77));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_sides),
        cmocka_unit_test(given_lse_of_no_rows),
        cmocka_unit_test(each_result_alone),
        cmocka_unit_test(upstream_scales),
        cmocka_unit_test(negatives_are_rows_of_nobody),
        cmocka_unit_test(workspaces_of_losses),
        cmocka_unit_test(workspaces_of_many_blocks),
        cmocka_unit_test(workspaces_of_the_rest),
        cmocka_unit_test(all_saturates),
        cmocka_unit_test(all_is_more_where_exponentials_are_kept),
    };
    fill_rows();
    return cmocka_run_group_tests_name("results", tests, NULL, NULL);
}
