/* trial.c - one trial from allocation to verdict; what the checker and the bench share.
 * SPDX-License-Identifier: MIT
 */
#define _DEFAULT_SOURCE /* madvise */
#include "trial.h"

#include "pages.h"
#include "sanitizers.h"
#include "targets.h"

#include <assert.h>
#include <float.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

/* A signalling NaN that no function here returns; twice, it is one as a double. */
static const uint32_t POISON = 0x7fa55a5au;
static const uint64_t POISON_WIDE = 0x7fa55a5a7fa55a5au;
static const int8_t POISON_CODE = INT8_MIN;
static const uint32_t QUIET_NAN = 0x7fc00000u;
static const uint64_t QUIET_NAN_WIDE = 0x7ff8000000000000u;

size_t element_bytes(enum element element)
{
    static const size_t bytes[] = {
        [ELEMENT_F32] = sizeof(float),    [ELEMENT_U32] = sizeof(uint32_t),
        [ELEMENT_F64] = sizeof(double),   [ELEMENT_SIZE] = sizeof(size_t),
        [ELEMENT_I8] = sizeof(int8_t),    [ELEMENT_I32] = sizeof(int32_t),
        [ELEMENT_F16] = sizeof(uint16_t), [ELEMENT_BF16] = sizeof(uint16_t)};
    return bytes[element];
}

size_t buffer_bytes(const struct buffer *b)
{
    if (b->rows == 0)
        return 0;
    return ((b->rows - 1) * b->ld + b->cols) * element_bytes(b->element);
}

static void lay_out(struct trial *t, const struct kernel *kernel, const struct shape *shape,
                    enum fill fill, uint64_t seed)
{
    memset(t, 0, sizeof *t);
    t->kernel = kernel;
    t->shape = *shape;
    if (kernel->similarity >= 0)
        t->shape.similarity = (enum mmk_similarity)kernel->similarity;
    t->fill = fill;
    t->seed = seed;
    kernel->layout(t);
}

bool trial_open(struct trial *t, const struct kernel *kernel, const struct shape *shape,
                enum fill fill, uint64_t seed)
{
    lay_out(t, kernel, shape, fill, seed);
    for (int i = 0; i < t->buffer_count; i++) {
        struct buffer *b = &t->buffer[i];
        size_t bytes;
        b->memory = b->data = pages_alloc(buffer_bytes(b), &bytes);
        if (b->output) {
            size_t elements = b->rows * b->cols + 1; /* calloc(0) may be NULL */
            b->expected = calloc(elements, sizeof(double));
            b->bound = calloc(elements, sizeof(double));
        }
        if (!b->data || (b->output && (!b->expected || !b->bound))) {
            trial_close(t);
            return false;
        }
        /* What was rounded up to whole lines. */
        sanitizers_not_ours((char *)b->data + buffer_bytes(b), bytes - buffer_bytes(b));
    }
    return true;
}

void trial_close(struct trial *t)
{
    if (t->prepared)
        t->kernel->release(t);
    for (int i = 0; i < t->buffer_count; i++) {
        free(t->buffer[i].memory);
        free(t->buffer[i].expected);
        free(t->buffer[i].bound);
    }
    t->buffer_count = 0;
}

void trial_oracle(struct trial *t)
{
    t->kernel->oracle(t);
}

void trial_poison(struct trial *t)
{
    static_assert(sizeof(wchar_t) == sizeof POISON, "wmemset writes words of another size");
    for (int i = 0; i < t->buffer_count; i++) {
        const struct buffer *b = &t->buffer[i];
        if (b->output && b->element == ELEMENT_I8)
            memset(b->data, POISON_CODE, buffer_bytes(b));
        else if (b->output)
            wmemset(b->data, POISON, buffer_bytes(b) / sizeof(wchar_t));
    }
    t->count = SIZE_MAX;
}

/* ---- Verdict --------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void wrong(struct verdict *v, const char *format, ...)
{
    if (v->wrong++ == 0) {
        va_list args;
        va_start(args, format);
        vsnprintf(v->message, sizeof v->message, format, args);
        va_end(args);
    }
    v->pass = false;
}

double trial_ulp(double value)
{
    int exponent;
    frexp(value, &exponent);
    return ldexp(1, (exponent < -125 ? -125 : exponent) - 24);
}

static void check_float(const struct buffer *b, size_t i, size_t j, struct verdict *v)
{
    uint32_t bits = ((const uint32_t *)b->data)[i * b->ld + j];
    float got;
    memcpy(&got, &bits, sizeof got);
    double expected = b->expected[i * b->cols + j], bound = b->bound[i * b->cols + j];
    if (bound == BOUND_UNTOUCHED) {
        v->judged++;
        if (bits != POISON)
            wrong(v, "%s[%zu,%zu] must be left alone, but %.9g (0x%08x) was written", b->name, i, j,
                  (double)got, bits);
        return;
    }
    if (bits == POISON) {
        wrong(v, "%s[%zu,%zu] was not written", b->name, i, j);
        return;
    }
    if (isnan(got) && bits != QUIET_NAN) {
        wrong(v, "%s[%zu,%zu] is the NaN 0x%08x; only 0x7fc00000 is right", b->name, i, j, bits);
        return;
    }
    if (isinf(bound)) /* BOUND_OPEN */
        return;
    v->judged++;
    bool right;
    if (isnan(bound)) { /* a mistake in the oracle must not let anything pass */
        wrong(v, "%s[%zu,%zu]: the oracle's bound is NaN", b->name, i, j);
        return;
    }
    if (isnan(expected) || isnan(got)) {
        right = isnan(expected) && isnan(got);
    } else if (isinf(expected)) {
        right = (double)got == expected;
    } else if (isinf(got)) { /* right where the float nearest to the sum, or within bound, is Inf */
        right = (got > 0 ? bound + expected : bound - expected) >= (double)FLT_MAX * (1 + 0x1p-25);
    } else {
        double error = fabs((double)got - expected);
        right = error <= bound;
        if (b->exact)
            right = error == 0 && !signbit(got) == !signbit(expected);
        if (error > v->worst_abs)
            v->worst_abs = error;
        if (error > v->worst_ulp * 0x1p-24 * fabs(expected)) { /* an ulp is at least that */
            double ulps = error / trial_ulp(expected);
            if (ulps > v->worst_ulp)
                v->worst_ulp = ulps;
        }
        if (bound > 0 && error > v->worst_share * bound)
            v->worst_share = error / bound;
    }
    if ((b->sign == SIGN_NOT_NEGATIVE && got < 0) || (b->sign == SIGN_NOT_POSITIVE && got > 0))
        wrong(v, "%s[%zu,%zu] is %.9g; it must not be %s", b->name, i, j, (double)got,
              got < 0 ? "negative" : "positive");
    else if (!right)
        wrong(v, "%s[%zu,%zu] is %.9g; right is %.9g +- %.3g (error %.3g, %.3g of the bound)",
              b->name, i, j, (double)got, expected, bound, fabs((double)got - expected),
              fabs((double)got - expected) / bound);
}

static void check_index(const struct buffer *b, size_t i, size_t j, struct verdict *v)
{
    uint32_t got = ((const uint32_t *)b->data)[i * b->ld + j];
    double expected = b->expected[i * b->cols + j], bound = b->bound[i * b->cols + j];
    v->judged++;
    if (bound == BOUND_UNTOUCHED) {
        if (got != POISON)
            wrong(v, "%s[%zu,%zu] must be left alone, but %u was written", b->name, i, j, got);
    } else if (isinf(bound)) { /* BOUND_OPEN */
        v->judged--;
        if (got == POISON)
            wrong(v, "%s[%zu,%zu] was not written", b->name, i, j);
    } else if ((double)got != expected) {
        wrong(v,
              got == POISON ? "%s[%zu,%zu] was not written (%u); right is %.0f"
                            : "%s[%zu,%zu] is %u; right is %.0f",
              b->name, i, j, got, expected);
    }
}

static void check_code(const struct buffer *b, size_t i, size_t j, struct verdict *v)
{
    int8_t got = ((const int8_t *)b->data)[i * b->ld + j];
    double expected = b->expected[i * b->cols + j], bound = b->bound[i * b->cols + j];
    v->judged++;
    if (got == POISON_CODE)
        wrong(v, "%s[%zu,%zu] was not written", b->name, i, j);
    else if (!(fabs(got - expected) <= bound))
        wrong(v, "%s[%zu,%zu] is %d; right is %.9g +- %.3g", b->name, i, j, got, expected, bound);
}

static void check_integer(const struct buffer *b, size_t i, size_t j, struct verdict *v)
{
    int32_t got = ((const int32_t *)b->data)[i * b->ld + j];
    double expected = b->expected[i * b->cols + j];
    v->judged++;
    if ((double)got != expected)
        wrong(v,
              (uint32_t)got == POISON ? "%s[%zu,%zu] was not written (%d); right is %.0f"
                                      : "%s[%zu,%zu] is %d; right is %.0f",
              b->name, i, j, got, expected);
}

static void check_double(const struct buffer *b, size_t i, size_t j, struct verdict *v)
{
    uint64_t bits = ((const uint64_t *)b->data)[i * b->ld + j];
    double got, expected = b->expected[i * b->cols + j], bound = b->bound[i * b->cols + j];
    memcpy(&got, &bits, sizeof got);
    v->judged++;
    if (bits == POISON_WIDE) {
        wrong(v, "%s[%zu,%zu] was not written", b->name, i, j);
        return;
    }
    if (isnan(expected) ? bits != QUIET_NAN_WIDE : !(fabs(got - expected) <= bound)) {
        wrong(v, "%s[%zu,%zu] is %.17g; right is %.17g +- %.3g", b->name, i, j, got, expected,
              bound);
    } else if (!isnan(expected)) {
        v->worst_abs = fmax(v->worst_abs, fabs(got - expected));
        if (bound > 0)
            v->worst_share = fmax(v->worst_share, fabs(got - expected) / bound);
    }
}

static void check_element(const struct buffer *b, size_t i, size_t j, struct verdict *v)
{
    if (b->element == ELEMENT_F32)
        check_float(b, i, j, v);
    else if (b->element == ELEMENT_F64)
        check_double(b, i, j, v);
    else if (b->element == ELEMENT_I8)
        check_code(b, i, j, v);
    else if (b->element == ELEMENT_I32)
        check_integer(b, i, j, v);
    else
        check_index(b, i, j, v);
}

bool trial_check_padding(const struct trial *t, struct verdict *v)
{
    *v = (struct verdict){.pass = true};
    for (int index = 0; index < t->buffer_count; index++) {
        const struct buffer *b = &t->buffer[index];
        for (size_t i = 0; b->output && i + 1 < b->rows; i++)
            for (size_t j = b->cols; j < b->ld; j++)
                if (b->element == ELEMENT_I8
                        ? ((const int8_t *)b->data)[i * b->ld + j] != POISON_CODE
                        : ((const uint32_t *)b->data)[i * b->ld + j] != POISON)
                    wrong(v, "%s: the padding after row %zu was written at column %zu", b->name, i,
                          j);
    }
    return v->pass;
}

bool trial_check(const struct trial *t, struct verdict *v)
{
    trial_check_padding(t, v);
    for (int index = 0; index < t->buffer_count; index++) {
        const struct buffer *b = &t->buffer[index];
        if (!b->output)
            continue;
        for (size_t i = 0; i < b->rows; i++)
            for (size_t j = 0; j < b->cols; j++)
                check_element(b, i, j, v);
    }
    size_t judged = 0;
    char message[sizeof v->message];
    if (v->pass && t->kernel->judge && !t->kernel->judge(t, &judged, message, sizeof message))
        wrong(v, "%s", message);
    v->judged += judged;
    if (t->kernel->counts) {
        v->judged++;
        if (t->count != t->expected_count)
            wrong(v, "count is %zu; right is %zu", t->count, t->expected_count);
    }
    return v->pass;
}

enum mmk_status trial_call(struct trial *t)
{
    enum mmk_status status = t->kernel->prepare ? t->kernel->prepare(t) : MMK_OK;
    if (status != MMK_OK)
        return status;
    status = t->kernel->call(t);
    if (t->kernel->release)
        t->kernel->release(t);
    return status;
}

enum mmk_status trial_query(struct trial *t, int threads, struct mmk_workspace_bytes *bytes)
{
    const struct mmk_options options = t->options;
    size_t count = t->count;
    *bytes = (struct mmk_workspace_bytes){0};
    t->options = (struct mmk_options){.threads = threads, .query = bytes};
    enum mmk_status status = trial_call(t);
    t->options = options;
    t->count = count;
    return status;
}

/* Only the sparse matrix has to be there: its entries are counted. */
enum mmk_status trial_workspace(const struct kernel *kernel, const struct shape *shape, int threads,
                                struct mmk_workspace_bytes *bytes)
{
    static double nothing;
    struct trial t;
    lay_out(&t, kernel, shape, FILL_NORMAL, 1);
    bool there = true;
    for (int i = 0; i < t.buffer_count; i++) {
        struct buffer *b = &t.buffer[i];
        b->data = &nothing;
        if (!is_of_targets(b))
            continue;
        b->memory = b->data = malloc(buffer_bytes(b) + 1);
        there = there && b->data;
    }
    if (there && t.shape.positives > 0)
        targets_fill(&t);
    enum mmk_status status = there ? trial_query(&t, threads, bytes) : MMK_ERR_NO_MEMORY;
    trial_close(&t);
    return status;
}

uint64_t trial_fingerprint(const struct trial *t)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
    for (int index = 0; index < t->buffer_count; index++) {
        const struct buffer *b = &t->buffer[index];
        for (size_t i = 0; b->output && i < b->rows; i++) {
            size_t size = element_bytes(b->element);
            const unsigned char *row = (const unsigned char *)b->data + i * b->ld * size;
            for (size_t byte = 0; byte < b->cols * size; byte++)
                hash = (hash ^ row[byte]) * 0x100000001b3u;
        }
    }
    return (hash ^ (t->kernel->counts ? (uint64_t)t->count : 0)) * 0x100000001b3u;
}
