/* search_cases.c - cases of search: rows, both directions, in a packed gallery.
 * SPDX-License-Identifier: MIT
 *
 * Bounds. Let B be the greatest bound among the scores of a row (that of the matrix). Scores that
 * err by at most B, sorted, err by at most B place by place: the r-th greatest of the row lies
 * within B of the r-th greatest true score. Which gallery row stands there is open where true
 * scores are closer than that; but its true score must lie within B of the value beside it, indices
 * must be below n and different, and values must not rise. That search gives the very bits of
 * matrix and top-k, ties included, is shown by tests/unit/test_search.c.
 *
 * Of large cases the oracle judges some rows (columns) only.
 */
#include "cases.h"
#include "matmul.h"
#include "similarity_bounds.h"
#include "sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { X, Y, VALUES, INDICES, VALUES_Y, INDICES_Y };

enum { MANY_COLS = 8000 }; /* codes may be made */
enum { JUDGED_ROWS = 48, BLOCK_SCORES = 1 << 23 };
#define JUDGED_WHOLE_WORK 4e9 /* m n d up to which all is judged */

/* One direction: for each row of `of` the best of `among`, both as floats. */
struct direction {
    const struct buffer *of, *among, *y, *values, *indices;
};

/* X and Y as floats. */
struct operands {
    struct buffer x, y;
};

static struct operands open_operands(const struct trial *t)
{
    return (struct operands){as_floats(&t->buffer[X]), as_floats(&t->buffer[Y])};
}

static void close_operands(const struct trial *t, struct operands *o)
{
    free_floats(&t->buffer[X], &o->x);
    free_floats(&t->buffer[Y], &o->y);
}

static struct direction rows_of(const struct trial *t, const struct operands *o)
{
    return (struct direction){&o->x, &o->y, &o->y, &t->buffer[VALUES], &t->buffer[INDICES]};
}

static struct direction columns_of(const struct trial *t, const struct operands *o)
{
    return (struct direction){&o->y, &o->x, &o->y, &t->buffer[VALUES_Y], &t->buffer[INDICES_Y]};
}

static bool has_both(const struct trial *t)
{
    return t->kernel == &kernel_search_both;
}

static void add_outputs(struct trial *t, const char *values_name, const char *indices_name,
                        size_t rows)
{
    struct buffer *values = add_buffer(t, values_name, true, rows, t->shape.k);
    struct buffer *indices = add_buffer(t, indices_name, true, rows, t->shape.k);
    indices->element = ELEMENT_U32;
    indices->ld = values->ld;
    if (t->shape.similarity == MMK_NEG_SQ_L2)
        values->sign = SIGN_NOT_POSITIVE;
}

static void layout(struct trial *t)
{
    add_buffer(t, "x", false, t->shape.m, t->shape.d);
    add_buffer(t, "y", false, t->shape.n, t->shape.d);
    add_outputs(t, "values", "indices", t->shape.m);
}

static void f16_layout(struct trial *t)
{
    add_halves(t, "x", ELEMENT_F16, t->shape.m, t->shape.d);
    add_halves(t, "y", ELEMENT_F16, t->shape.n, t->shape.d);
    add_outputs(t, "values", "indices", t->shape.m);
}

static void bf16_layout(struct trial *t)
{
    add_halves(t, "x", ELEMENT_BF16, t->shape.m, t->shape.d);
    add_halves(t, "y", ELEMENT_BF16, t->shape.n, t->shape.d);
    add_outputs(t, "values", "indices", t->shape.m);
}

static void both_layout(struct trial *t)
{
    layout(t);
    add_outputs(t, "values_y", "indices_y", t->shape.n);
}

/* Scores that rise from row to row: all of them, which fills a column's candidates evenly, or 60 of
 * 84 rows in turn, which fills them at any place of a block. */
static void search_fill(struct trial *t)
{
    const struct buffer *x = &t->buffer[X], *y = &t->buffer[Y];
    if (t->fill != FILL_ASCENDING && t->fill != FILL_SAWTOOTH)
        return;
    bool all = t->fill == FILL_ASCENDING;
    for (size_t i = 0; i < x->rows; i++)
        for (size_t k = 0; k < x->cols; k++)
            ((float *)x->data)[i * x->ld + k] = all || i % 84 < 60 ? (float)(i + 1) : -1.0f;
    for (size_t j = 0; j < y->rows; j++)
        for (size_t k = 0; k < y->cols; k++)
            ((float *)y->data)[j * y->ld + k] = all ? (float)(j + 1) : 1.0f;
}

/* ---- Calls ----------------------------------------------------------------------------------- */

static enum mmk_status call_with(struct trial *t, const struct mmk_matrix *y, bool both)
{
    const struct buffer *b = t->buffer;
    size_t count_y = 0;
    const struct mmk_search_problem problem = {
        .x = MATRIX(&b[X]), .y = y, .similarity = t->shape.similarity};
    const struct mmk_topk_results for_x = {
        .k = t->shape.k,
        .values = wanted(&b[VALUES]),
        .indices = wanted(&b[INDICES]),
        .leading_dimension = b[VALUES].ld,
        .count = wanted_count(t),
    };
    const struct mmk_topk_results for_y = {
        .k = t->shape.k,
        .values = both ? wanted(&b[VALUES_Y]) : NULL,
        .indices = both ? wanted(&b[INDICES_Y]) : NULL,
        .leading_dimension = both ? b[VALUES_Y].ld : 0,
        .count = t->count_unwanted ? NULL : &count_y,
    };
    const struct mmk_search_results results = {
        .for_x = for_x.values || for_x.indices || for_x.count ? &for_x : NULL,
        .for_y = both && (for_y.values || for_y.indices || for_y.count) ? &for_y : NULL,
        .work = t->work};
    enum mmk_status status = mmk_search(&problem, &results, &t->options);
    if (both && !t->count_unwanted)
        t->count = count_of(t->count, count_y);
    return status;
}

static enum mmk_status search_call(struct trial *t)
{
    return call_with(t, MATRIX(&t->buffer[Y]), false);
}

static enum mmk_status both_call(struct trial *t)
{
    return call_with(t, MATRIX(&t->buffer[Y]), true);
}

static enum mmk_status gallery_call(struct trial *t)
{
    return call_with(t, &(const struct mmk_matrix){.packed = t->prepared}, false);
}

/* ---- Oracle ---------------------------------------------------------------------------------- */

/* How many rows of a direction are judged, spread evenly; all where that does not take long. */
static size_t judged_count(const struct shape *s, size_t rows)
{
    bool whole = (double)s->m * (double)s->n * (double)s->d <= JUDGED_WHOLE_WORK;
    return whole ? rows : least(rows, JUDGED_ROWS);
}

static double judged_share(const struct shape *s)
{
    return s->m == 0 ? 1 : (double)judged_count(s, s->m) / (double)s->m;
}

static size_t judged_row(size_t rows, size_t judged, size_t r)
{
    return judged == rows ? r : r * (rows - 1) / (judged - 1);
}

static int descending(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    if (isnan(a) || isnan(b))
        return isnan(a) - isnan(b);
    return a > b ? -1 : a < b;
}

/* The sorted scores of one row, and B. */
static void judge_scores(const struct direction *direction, size_t i, size_t n, double *scores,
                         const double *bounds)
{
    const struct buffer *values = direction->values;
    double bound = 0;
    for (size_t j = 0; j < n; j++)
        bound = bounds[j] > bound ? bounds[j] : bound;
    qsort(scores, n, sizeof *scores, descending);
    for (size_t r = 0; r < least(values->cols, n); r++) {
        values->expected[i * values->cols + r] = scores[r];
        values->bound[i * values->cols + r] = bound;
    }
}

static void open_outputs(const struct direction *direction, size_t n)
{
    const struct buffer *values = direction->values, *indices = direction->indices;
    for (size_t e = 0; e < values->rows * values->cols; e++) {
        bool written = e % values->cols < n;
        values->expected[e] = indices->expected[e] = 0;
        values->bound[e] = indices->bound[e] = written ? BOUND_OPEN : BOUND_UNTOUCHED;
    }
}

static void direction_oracle(const struct trial *t, const struct direction *direction)
{
    const struct buffer *of = direction->of, *among = direction->among;
    size_t rows = of->rows, n = among->rows, d = t->shape.d;
    size_t judged = judged_count(&t->shape, rows),
           block = least(judged, BLOCK_SCORES / (n ? n : 1)) + 1;
    open_outputs(direction, n);
    float *picked = malloc((block * d + 1) * sizeof *picked);
    double *scores = ref_doubles(block * n), *bounds = ref_doubles(block * n);
    double *origin = oracle_origin(t->shape.similarity, direction->y);
    if (!picked)
        abort();
    for (size_t first = 0; first < judged; first += block) {
        size_t count = least(judged - first, block);
        for (size_t r = 0; r < count; r++)
            if (d > 0)
                memcpy(picked + r * d,
                       (const float *)of->data + judged_row(rows, judged, first + r) * of->ld,
                       d * sizeof *picked);
        const struct similarities s = {t->shape.similarity, t->fill,   count, n, d, picked, d,
                                       among->data,         among->ld, origin};
        oracle_similarities(&s, scores, bounds);
#pragma omp parallel for if (count * n > 10000) schedule(static)
        for (size_t r = 0; r < count; r++)
            judge_scores(direction, judged_row(rows, judged, first + r), n, scores + r * n,
                         bounds + r * n);
    }
    free(picked);
    free(scores);
    free(bounds);
    free(origin);
}

static void oracle(struct trial *t)
{
    struct operands o = open_operands(t);
    const struct direction rows = rows_of(t, &o), columns = columns_of(t, &o);
    size_t judged = judged_count(&t->shape, t->shape.m);
    t->expected_count = least(t->shape.k, t->shape.n);
    if (has_both(t))
        t->expected_count = count_of(t->expected_count, least(t->shape.k, t->shape.m));
    t->judged_rows = judged < t->shape.m ? judged : 0;
    direction_oracle(t, &rows);
    if (has_both(t))
        direction_oracle(t, &columns);
    close_operands(t, &o);
}

/* ---- Indices --------------------------------------------------------------------------------- */

/* One row: its indices, and the true scores of these beside the values. */
static bool judge_row(const struct trial *t, const struct direction *direction, size_t i,
                      char *message, size_t message_bytes)
{
    const struct buffer *values = direction->values, *indices = direction->indices;
    const struct buffer *of = direction->of, *among = direction->among;
    size_t n = among->rows, d = t->shape.d, found = least(values->cols, n);
    const float *value = (const float *)values->data + i * values->ld;
    const uint32_t *index = (const uint32_t *)indices->data + i * indices->ld;
    double bound = values->bound[i * values->cols];
    bool *seen = calloc(n + 1, sizeof *seen), good = true;
    float *rows = malloc((found * d + 1) * sizeof *rows);
    double *scores = ref_doubles(found), *bounds = ref_doubles(found);
    double *origin = oracle_origin(t->shape.similarity, direction->y);
    if (!seen || !rows)
        abort();
    for (size_t r = 0; good && r < found; r++) {
        good = index[r] < n && !seen[index[r]] && !(r > 0 && value[r] > value[r - 1]);
        if (!good)
            snprintf(message, message_bytes,
                     "%s[%zu,%zu] is %u with %.9g: beyond n, there before, or out of order",
                     indices->name, i, r, index[r], (double)value[r]);
        else if (d > 0)
            memcpy(rows + r * d, (const float *)among->data + index[r] * among->ld,
                   d * sizeof *rows);
        if (good)
            seen[index[r]] = true;
    }
    const struct similarities s = {t->shape.similarity,
                                   t->fill,
                                   1,
                                   found,
                                   d,
                                   (const float *)of->data + i * of->ld,
                                   of->ld,
                                   rows,
                                   d,
                                   origin};
    if (good)
        oracle_similarities(&s, scores, bounds);
    for (size_t r = 0; good && r < found; r++) {
        double got = (double)value[r];
        bool same = isnan(got)                       ? (bool)isnan(scores[r])
                    : isinf(got) || isinf(scores[r]) ? got == scores[r] || isinf(bounds[r])
                                                     : fabs(got - scores[r]) <= bound;
        good = same;
        if (!good)
            snprintf(message, message_bytes, "%s[%zu,%zu] is %u, whose score is %.9g, not %.9g",
                     indices->name, i, r, index[r], scores[r], got);
    }
    free(seen);
    free(rows);
    free(scores);
    free(bounds);
    free(origin);
    return good;
}

static bool judge_direction(const struct trial *t, const struct direction *direction,
                            size_t *judged, char *message, size_t message_bytes)
{
    const struct buffer *values = direction->values;
    if (values->cols == 0 || direction->among->rows == 0)
        return true;
    for (size_t i = 0; i < values->rows; i++) {
        if (isinf(values->bound[i * values->cols])) /* BOUND_OPEN */
            continue;
        if (!judge_row(t, direction, i, message, message_bytes))
            return false;
        *judged += least(values->cols, direction->among->rows);
    }
    return true;
}

static bool judge(const struct trial *t, size_t *judged, char *message, size_t message_bytes)
{
    struct operands o = open_operands(t);
    const struct direction rows = rows_of(t, &o), columns = columns_of(t, &o);
    bool good = judge_direction(t, &rows, judged, message, message_bytes) &&
                (!has_both(t) || judge_direction(t, &columns, judged, message, message_bytes));
    close_operands(t, &o);
    return good;
}

/* ---- Costs and shapes ------------------------------------------------------------------------ */

static double flops(const struct shape *s)
{
    return 2 * (double)s->m * (double)s->n * (double)s->d;
}

static double bytes(const struct shape *s)
{
    return 4 * ((double)s->m + (double)s->n) * (double)s->d;
}

static double half_bytes(const struct shape *s)
{
    return 2 * ((double)s->m + (double)s->n) * (double)s->d;
}

/* Where products overflow, the order of a sum decides between Inf and NaN, and the matrix's own
 * checks say all there is to say. */
static bool fits_work(const struct shape *s, enum fill fill, bool much)
{
    if (fill == FILL_HUGE && s->similarity != MMK_COSINE)
        return false;
    if (much || s->m * s->n * (s->d + 4) > 200000)
        return fill == FILL_NORMAL || fill == FILL_DUPLICATES || fill == FILL_NAN_TAIL ||
               (s->n > MANY_COLS && fill == FILL_INF) || /* rows without codes */
               (s->similarity == MMK_NEG_SQ_L2 && fill_is_offset(fill));
    return fill_is_of_rows(fill) || fill == FILL_ASCENDING || fill == FILL_SAWTOOTH;
}

static bool fits(const struct shape *s, enum fill fill)
{
    return fits_work(s, fill, false);
}

/* Few queries have long results in the other direction. */
static bool both_fits(const struct shape *s, enum fill fill)
{
    return fits_work(s, fill, (s->m + s->n) * s->k > 1000000);
}

static size_t sweep(bool quick, struct shape *shapes)
{
    static const struct shape some[] = {
        {.m = 3, .n = 0, .d = 4, .k = 2},       {.m = 0, .n = 7, .d = 4, .k = 2},
        {.m = 4, .n = 7, .d = 0, .k = 3},       {.m = 5, .n = 9, .d = 6, .k = 0},
        {.m = 1, .n = 1, .d = 3, .k = 1},       {.m = 1, .n = 40, .d = 10, .k = 10},
        {.m = 5, .n = 33, .d = 10, .k = 50},    {.m = 14, .n = 64, .d = 17, .k = 1},
        {.m = 15, .n = 31, .d = 50, .k = 7},    {.m = 84, .n = 96, .d = 3, .k = 10},
        {.m = 1030, .n = 9, .d = 2, .k = 10},   {.m = 400, .n = 35, .d = 4, .k = 3},
        {.m = 85, .n = 97, .d = 5, .k = 20},    {.m = 7, .n = 300, .d = 129, .k = 33},
        {.m = 1, .n = 700, .d = 65, .k = 10},   {.m = 6, .n = 500, .d = 31, .k = 3},
        {.m = 2, .n = 2000, .d = 9, .k = 100},  {.m = 90, .n = 1400, .d = 12, .k = 10},
        {.m = 20, .n = 3000, .d = 7, .k = 64},  {.m = 9, .n = 40, .d = 800, .k = 5},
        {.m = 3, .n = 4000, .d = 4, .k = 1500},
    };
    size_t count = 0, all = sizeof some / sizeof some[0];
    for (size_t i = 0; i < (quick ? all - 5 : all); i++)
        for (int similarity = 0; similarity < MMK_SIMILARITY_COUNT; similarity++) {
            struct shape shape = some[i];
            shape.similarity = (enum mmk_similarity)similarity;
            shape.ld_extra = i % 3;
            sweep_add(shapes, &count, shape);
        }
    return count;
}

/* Of 16-bit floats: blocks, chunks and k are as above. */
static bool half_fits(const struct shape *s, enum fill fill)
{
    return fits(s, fill) && fill != FILL_ASCENDING && fill != FILL_SAWTOOTH;
}

static size_t half_sweep(bool quick, struct shape *shapes)
{
    static const struct shape some[] = {
        {.m = 3, .n = 0, .d = 4, .k = 2},       {.m = 4, .n = 7, .d = 0, .k = 3},
        {.m = 1, .n = 700, .d = 65, .k = 10},   {.m = 9, .n = 40, .d = 800, .k = 5},
        {.m = 85, .n = 97, .d = 5, .k = 20},    {.m = 6, .n = 500, .d = 31, .k = 3},
        {.m = 90, .n = 1400, .d = 12, .k = 10},
    };
    size_t count = 0, all = sizeof some / sizeof some[0];
    for (size_t i = 0; i < (quick ? all - 2 : all); i++)
        for (int similarity = 0; similarity < MMK_SIMILARITY_COUNT; similarity++) {
            struct shape shape = some[i];
            shape.similarity = (enum mmk_similarity)similarity;
            shape.ld_extra = i % 3;
            sweep_add(shapes, &count, shape);
        }
    return count;
}

static const struct shape half_bench[] = {
    {.m = 1000, .n = 100000, .d = 512, .k = 10},
    {.m = 1, .n = 100000, .d = 512, .k = 10},
    {.m = 1, .n = 100000, .d = 128, .k = 10},
    {.m = 8, .n = 100000, .d = 512, .k = 10},
};

static const struct shape search_bench[] = {
    {.m = 1000, .n = 100000, .d = 512, .k = 10},   {.m = 1000, .n = 100000, .d = 512, .k = 100},
    {.m = 1000, .n = 100000, .d = 128, .k = 10},   {.m = 1000, .n = 100000, .d = 128, .k = 100},
    {.m = 1000, .n = 100000, .d = 128, .k = 1000}, {.m = 1, .n = 100000, .d = 512, .k = 10},
    {.m = 1, .n = 100000, .d = 128, .k = 10},      {.m = 64, .n = 10000, .d = 512, .k = 10},
    {.m = 64, .n = 100000, .d = 128, .k = 10},     {.m = 1, .n = 1000, .d = 128, .k = 10},
};

static const struct shape gallery_bench[] = {
    {.m = 1000, .n = 100000, .d = 512, .k = 10},
    {.m = 1, .n = 100000, .d = 512, .k = 10},
    {.m = 64, .n = 10000, .d = 512, .k = 10},
};

static const struct shape coded_bench[] = {
    {.m = 1000, .n = 100000, .d = 512, .k = 10},
    {.m = 1000, .n = 100000, .d = 128, .k = 10},
    {.m = 1, .n = 100000, .d = 512, .k = 10},
    {.m = 64, .n = 100000, .d = 128, .k = 10},
};

static const struct shape both_bench[] = {
    {.m = 1000, .n = 5000, .d = 512, .k = 10},
    {.m = 5000, .n = 25000, .d = 512, .k = 50},
};

#define PARTS                                                                                      \
    .counts = true, .family = "search", .allowance = ALLOWANCE_SCORES, .dims = "mndk",             \
    .similarity = SIMILARITY_FROM_SHAPE, .oracle = oracle, .judged = judged_share, .judge = judge, \
    .flops = flops, .takes_threads = true
#define FLOAT_PARTS PARTS, .bytes = bytes, .fill = search_fill, .sweep = sweep
#define HALF_PARTS                                                                                 \
    PARTS, .skips_products = true, .rooms = "codes half search tile topk", .fill_fits = half_fits, \
           .bytes = half_bytes, .sweep = half_sweep, BENCH(half_bench)

const struct kernel kernel_search = {
    .name = "search",
    .ranks_gallery = true,
    .skips_products = true,
    .rooms = "codes search tile topk",
    .formula = "first k of sim(x_i, y_j) for each i",
    .layout = layout,
    .call = search_call,
    .fill_fits = fits,
    BENCH(search_bench),
    FLOAT_PARTS,
};

const struct kernel kernel_search_both = {
    .name = "search_both",
    .rooms = "search tile topk",
    .formula = "first k of sim(x_i, y_j) for each i, and for each j",
    .layout = both_layout,
    .call = both_call,
    .fill_fits = both_fits,
    BENCH(both_bench),
    FLOAT_PARTS,
};

const struct kernel kernel_coded_search = {
    .name = "coded_search",
    .ranks_gallery = true,
    .skips_products = true,
    .rooms = "codes search tile topk",
    .formula = "the same, codes of Y made before",
    .layout = layout,
    .prepare = gallery_prepare_codes,
    .release = gallery_release,
    .call = gallery_call,
    .fill_fits = fits,
    BENCH(coded_bench),
    FLOAT_PARTS,
};

const struct kernel kernel_gallery_search = {
    .name = "gallery_search",
    .ranks_gallery = true,
    .rooms = "search tile topk",
    .formula = "the same, Y packed before",
    .layout = layout,
    .prepare = gallery_prepare,
    .release = gallery_release,
    .call = gallery_call,
    .fill_fits = fits,
    BENCH(gallery_bench),
    FLOAT_PARTS,
};

const struct kernel kernel_search_f16 = {
    .name = "search_f16",
    .formula = "first k of sim(x_i, y_j) for each i, rows of f16",
    .layout = f16_layout,
    .call = search_call,
    HALF_PARTS,
};

const struct kernel kernel_search_bf16 = {
    .name = "search_bf16",
    .formula = "first k of sim(x_i, y_j) for each i, rows of bf16",
    .layout = bf16_layout,
    .call = search_call,
    HALF_PARTS,
};

const struct kernel kernel_coded_search_f16 = {
    .name = "coded_search_f16",
    .formula = "of f16, codes of Y made before",
    .layout = f16_layout,
    .prepare = gallery_prepare_codes,
    .release = gallery_release,
    .call = gallery_call,
    HALF_PARTS,
};
