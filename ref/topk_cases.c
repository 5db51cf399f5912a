/* topk_cases.c - cases of top-k: one row, and the rows of a matrix.
 * SPDX-License-Identifier: MIT
 *
 * Results are copies, so the bound is 0: values and indices must be equal.
 */
#include "cases.h"
#include "sweep.h"
#include "topk_ref.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SCORES, VALUES, INDICES };

static void rows_layout(struct trial *t)
{
    add_buffer(t, "scores", false, t->shape.m, t->shape.n);
    struct buffer *values = add_buffer(t, "values", true, t->shape.m, t->shape.k);
    struct buffer *indices = add_buffer(t, "indices", true, t->shape.m, t->shape.k);
    indices->element = ELEMENT_U32;
    indices->ld = values->ld;
    values->exact = true;
}

static void row_layout(struct trial *t)
{
    t->shape.m = 1;
    rows_layout(t);
}

/* Scores of its own kinds: in order, wholly or in parts, and in one place of every vector, which
 * are the best and the worst case for a threshold; many equal ones; two zeros; too few numbers. */
static void scores_fill(struct trial *t)
{
    static const float specials[] = {INFINITY,  -INFINITY,  NAN,       -NAN,    0.0f,    -0.0f,
                                     0x1p-149f, -0x1p-149f, 0x1p-126f, FLT_MAX, -FLT_MAX};
    const struct buffer *b = &t->buffer[SCORES];
    uint64_t stream = fill_stream(t, b->name);
    for (size_t i = 0; i < b->rows; i++) {
        float *row = (float *)b->data + i * b->ld;
        for (size_t j = 0; j < b->cols; j++) {
            uint64_t h = fill_hash(stream, i * b->cols + j);
            if (t->fill == FILL_ASCENDING)
                row[j] = (float)j;
            else if (t->fill == FILL_DESCENDING)
                row[j] = -(float)j;
            else if (t->fill == FILL_CONSTANT)
                row[j] = 0.25f;
            else if (t->fill == FILL_SAWTOOTH)
                row[j] = (float)(j % 64 + j / 512);
            else if (t->fill == FILL_ORGAN_PIPE)
                row[j] = (float)least(j, b->cols - j);
            else if (t->fill == FILL_SPIKES && j % 64 == 63)
                row[j] = 10.0f + (float)j;
            else if (t->fill == FILL_OUTLIERS)
                row[j] = j == b->cols / 2   ? INFINITY
                         : j == b->cols / 3 ? -INFINITY
                                            : 1.0f + 1e-6f * row[j];
            else if (t->fill == FILL_MOST_NAN && h % 257 != 0)
                row[j] = h % 127 == 0 ? -INFINITY : NAN;
            else if (t->fill == FILL_MOST_INF && h % 257 != 0)
                row[j] = h % 127 == 0 ? NAN : -INFINITY;
            else if (t->fill == FILL_DUPLICATES)
                row[j] = h % 64 ? 0.25f : (float)fill_normal(stream, h % 5);
            else if (t->fill == FILL_ZERO_ROWS)
                row[j] = h % 3 == 0 ? -0.0f : h % 3 == 1 ? 0.0f : h % 16 == 2 ? 1e-30f : -1.0f;
            else if (t->fill == FILL_INF && h % 4 < 2)
                row[j] = h % 4 ? INFINITY : -INFINITY;
            else if (t->fill == FILL_SPECIALS && h % 4 != 0)
                row[j] = specials[(h >> 8) % (sizeof specials / sizeof *specials)];
            else if (t->fill == FILL_NAN_FIRST && h % 3 == 0)
                row[j] = -NAN; /* many, so that they reach the output */
        }
    }
}

static enum mmk_status call(struct trial *t)
{
    const struct mmk_matrix scores = matrix_of(&t->buffer[SCORES]);
    const struct mmk_topk_results results = {
        .k = t->shape.k,
        .values = wanted(&t->buffer[VALUES]),
        .indices = wanted(&t->buffer[INDICES]),
        .leading_dimension = t->buffer[VALUES].ld,
        .count = wanted_count(t),
    };
    return mmk_topk(&scores, &results, &t->options);
}

static void oracle(struct trial *t)
{
    size_t m = t->shape.m, n = t->shape.n, k = t->shape.k;
    struct buffer *values = &t->buffer[VALUES], *indices = &t->buffer[INDICES];
    t->expected_count = least(k, n);
#pragma omp parallel for if (m * n > 10000) schedule(static)
    for (size_t i = 0; i < m; i++) {
        const float *scores = (const float *)t->buffer[SCORES].data + i * t->buffer[SCORES].ld;
        uint32_t *order = malloc((n ? n : 1) * sizeof *order);
        if (!order)
            abort();
        topk_ref_order(n, scores, order);
        for (size_t r = 0; r < k; r++) {
            size_t e = i * k + r;
            bool written = r < n;
            values->expected[e] = written ? (double)scores[order[r]] : 0;
            indices->expected[e] = written ? (double)order[r] : 0;
            values->bound[e] = indices->bound[e] = written ? 0 : BOUND_UNTOUCHED;
        }
        free(order);
    }
}

static double bytes(const struct shape *s)
{
    return 4 * (double)(s->m ? s->m : 1) * (double)s->n;
}

static double no_flops(const struct shape *s)
{
    (void)s;
    return 0;
}

static bool scores_fit(const struct shape *s, enum fill fill)
{
    if (s->n > 2000)
        return fill == FILL_NORMAL || fill == FILL_DUPLICATES || fill == FILL_TIES ||
               fill == FILL_NAN_FIRST || fill == FILL_SPECIALS ||
               (!fill_is_of_rows(fill) && fill != FILL_GIVEN);
    return fill != FILL_GIVEN && fill != FILL_TINY && fill != FILL_INTEGER &&
           fill != FILL_UNIT_ROWS && fill != FILL_ALIGNED && fill != FILL_MAGNITUDES;
}

static size_t row_sweep(bool quick, struct shape *shapes)
{
    static const size_t ks[] = {0, 1, 2, 3, 7, 8, 10, 16, 17, 33, 64, 100, 130};
    static const size_t ns[] = {255,  256,  257,  300,  511,  512,  513, 1000,
                                1023, 1024, 1025, 2047, 2049, 4096, 4097};
    static const struct shape large[] = {
        {.n = 10000, .k = 1},     {.n = 10000, .k = 10},    {.n = 10001, .k = 100},
        {.n = 16384, .k = 1000},  {.n = 25000, .k = 10},    {.n = 25000, .k = 24999},
        {.n = 25000, .k = 25000}, {.n = 25000, .k = 25001}, {.n = 40003, .k = 257},
        {.n = 70000, .k = 5000},  {.n = 270000, .k = 300},
    };
    size_t count = 0;
    size_t k_count = sizeof ks / sizeof ks[0];
    for (size_t n = 0; n <= 130; n += quick ? (n < 20 ? 1 : 15) : 1) {
        sweep_add(shapes, &count, (struct shape){.n = n, .k = ks[n % k_count]});
        sweep_add(shapes, &count, (struct shape){.n = n, .k = ks[(n / k_count + 1) % k_count]});
        sweep_add(shapes, &count, (struct shape){.n = n, .k = n});
        sweep_add(shapes, &count, (struct shape){.n = n, .k = n + 3});
        if (n > 0)
            sweep_add(shapes, &count, (struct shape){.n = n, .k = n - 1});
    }
    for (size_t i = 0; i < sizeof ns / sizeof ns[0]; i += quick ? 4 : 1)
        for (size_t j = 1; j < k_count; j += quick ? 4 : 1)
            sweep_add(shapes, &count, (struct shape){.n = ns[i], .k = ks[j]});
    for (size_t i = 0; i < sizeof large / sizeof large[0]; i += quick ? 5 : 1)
        sweep_add(shapes, &count, large[i]);
    return count;
}

static size_t rows_sweep(bool quick, struct shape *shapes)
{
    size_t count = 0;
    for (size_t m = 0; m <= (quick ? 5u : 12u); m++) {
        sweep_add(shapes, &count, (struct shape){.m = m, .n = 37, .k = 5});
        sweep_add(shapes, &count, (struct shape){.m = m, .n = 100, .k = 10, .ld_extra = 3});
        sweep_add(shapes, &count, (struct shape){.m = m, .n = 9, .k = 12, .ld_extra = 1});
        sweep_add(shapes, &count, (struct shape){.m = m, .n = 20, .k = 0});
        sweep_add(shapes, &count, (struct shape){.m = m, .n = 0, .k = 4});
    }
    if (!quick)
        sweep_add(shapes, &count, (struct shape){.m = 50, .n = 3000, .k = 100, .ld_extra = 7});
    return count;
}

static const struct shape row_bench[] = {
    {.n = 1000, .k = 1},     {.n = 1000, .k = 10},     {.n = 1000, .k = 100},
    {.n = 1000, .k = 1000},  {.n = 25000, .k = 1},     {.n = 25000, .k = 10},
    {.n = 25000, .k = 100},  {.n = 25000, .k = 1000},  {.n = 1000000, .k = 1},
    {.n = 1000000, .k = 10}, {.n = 1000000, .k = 100}, {.n = 1000000, .k = 1000},
};

static const struct shape rows_bench[] = {{.m = 1000, .n = 5000, .k = 10},
                                          {.m = 200, .n = 25000, .k = 10},
                                          {.m = 200, .n = 25000, .k = 100}};

const struct kernel kernel_topk = {
    .name = "topk",
    .rooms = "topk",
    .family = "topk",
    .formula = "first k of n scores: value descending, then index",
    .allowance = ALLOWANCE_TIES,
    .dims = "nk",
    .similarity = SIMILARITY_NONE,
    .layout = row_layout,
    .fill = scores_fill,
    .call = call,
    .counts = true,
    .oracle = oracle,
    .flops = no_flops,
    .bytes = bytes,
    .fill_fits = scores_fit,
    .sweep = row_sweep,
    BENCH(row_bench),
};

const struct kernel kernel_topk_rows = {
    .name = "topk_rows",
    .rooms = "topk",
    .family = "topk",
    .formula = "the first k of n scores of each of m rows",
    .allowance = ALLOWANCE_TIES,
    .dims = "mnk",
    .similarity = SIMILARITY_NONE,
    .layout = rows_layout,
    .fill = scores_fill,
    .call = call,
    .counts = true,
    .oracle = oracle,
    .flops = no_flops,
    .bytes = bytes,
    .takes_threads = true,
    .fill_fits = scores_fit,
    .sweep = rows_sweep,
    BENCH(rows_bench),
};
