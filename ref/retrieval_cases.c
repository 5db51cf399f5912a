/* retrieval_cases.c - cases of the retrieval metrics.
 * SPDX-License-Identifier: MIT
 *
 * Recall is a quotient of two counts, rounded once in the oracle as in the kernel: the bound is 0.
 * Of the other two a query's value takes R additions and R + 1 divisions of positive numbers, and
 * the mean m additions and a division; with the oracle's own roundings that is less than 2 (2 R + m
 * + 2) 2^-53 of the result.
 */
#include "cases.h"
#include "retrieval_ref.h"
#include "sweep.h"

#include <math.h>

enum { RANKINGS, ROW_START, COLUMN, WEIGHT, RECALL, R_PRECISION, MAP_AT_R };
enum { RECALLS = 4 };

/* Rankings are no longer than there are items, but with FILL_TIES: these list items again. */
static size_t depth_of(const struct trial *t)
{
    if (t->fill == FILL_TIES && t->shape.n != 0)
        return t->shape.k;
    return least(t->shape.k, t->shape.n);
}

/* Entries of row i: from none to as many as the rankings are long. The sizes of the buffers follow
 * from it, so it depends on shape and fill alone. */
static size_t entries_of(const struct trial *t, size_t i)
{
    return (size_t)(fill_hash(t->shape.n, i) % (depth_of(t) + 1));
}

static void layout(struct trial *t)
{
    size_t entries = 0;
    for (size_t i = 0; i < t->shape.m; i++)
        entries += entries_of(t, i);
    add_buffer(t, "rankings", false, t->shape.m, depth_of(t))->element = ELEMENT_U32;
    add_vector(t, "row_start", false, ELEMENT_SIZE, t->shape.m + 1);
    add_vector(t, "column", false, ELEMENT_U32, entries);
    add_vector(t, "weight", false, ELEMENT_F32, entries);
    add_vector(t, "recall", true, ELEMENT_F64, RECALLS);
    add_vector(t, "r_precision", true, ELEMENT_F64, 1);
    add_vector(t, "map_at_r", true, ELEMENT_F64, 1);
}

/* Every fourth item of a ranking is a relevant one, so that there are hits however large n is; some
 * then come twice. With FILL_TIES the last item only, which may stand beyond rank n. */
static void fill_query(struct trial *t, size_t i)
{
    size_t *row_start = t->buffer[ROW_START].data, count = entries_of(t, i), n = t->shape.n;
    uint32_t *column = (uint32_t *)t->buffer[COLUMN].data + row_start[i];
    float *weight = (float *)t->buffer[WEIGHT].data + row_start[i];
    uint32_t *ranking = (uint32_t *)t->buffer[RANKINGS].data + i * t->buffer[RANKINGS].ld;
    uint64_t stream = fill_hash(fill_stream(t, "relevant"), i);
    uint64_t items = t->fill == FILL_DUPLICATES ? least(n, 3) : n;
    row_start[i + 1] = row_start[i] + count;
    for (size_t e = 0; e < count; e++) {
        uint64_t h = fill_hash(stream, e);
        column[e] = (uint32_t)(t->fill == FILL_ALIGNED ? (i + e) % n : (h >> 8) % items);
        weight[e] = t->fill == FILL_ZERO_ROWS && (i % 3 == 0 || h % 4 == 0)
                        ? 0.0f
                        : ldexpf(1, (int)(h % 8));
    }
    for (size_t r = 0; r < depth_of(t); r++) {
        uint64_t h = fill_hash(~stream, r);
        ranking[r] = (uint32_t)((h >> 8) % items);
        if (t->fill == FILL_ALIGNED ? r < count : count > 0 && h % 4 == 0)
            ranking[r] = column[t->fill == FILL_ALIGNED ? r : (h >> 8) % count];
        if (t->fill == FILL_TIES)
            ranking[r] = r + 1 == depth_of(t) && count > 0 ? column[0] : 0;
    }
}

static void fill(struct trial *t)
{
    *(size_t *)t->buffer[ROW_START].data = 0;
    for (size_t i = 0; i < t->shape.m; i++)
        fill_query(t, i);
}

/* The normal fill has no weights. */
static struct mmk_csr relevant_of(const struct trial *t)
{
    return (struct mmk_csr){t->buffer[ROW_START].data, t->buffer[COLUMN].data,
                            t->fill == FILL_NORMAL ? NULL : t->buffer[WEIGHT].data};
}

static void recall_at(const struct trial *t, size_t K[RECALLS])
{
    K[0] = t->shape.k;
    K[1] = least(t->shape.k, 1);
    K[2] = (t->shape.k + 1) / 2;
    K[3] = 0;
}

static enum mmk_status call(struct trial *t)
{
    struct mmk_csr relevant = relevant_of(t);
    size_t K[RECALLS];
    recall_at(t, K);
    const struct mmk_retrieval_problem problem = {
        .m = t->shape.m,
        .n = t->shape.n,
        .depth = depth_of(t),
        .rankings = t->buffer[RANKINGS].data,
        .leading_dimension = t->buffer[RANKINGS].ld,
        .relevant = &relevant,
        .recall_count = RECALLS,
        .recall_at = K,
    };
    const struct mmk_retrieval_results results = {
        .recall = wanted(&t->buffer[RECALL]),
        .r_precision = wanted(&t->buffer[R_PRECISION]),
        .map_at_r = wanted(&t->buffer[MAP_AT_R]),
        .counted = wanted_count(t),
    };
    return mmk_retrieval_metrics(&problem, &results);
}

static void oracle(struct trial *t)
{
    struct mmk_csr relevant = relevant_of(t);
    size_t K[RECALLS], hits[RECALLS] = {0}, counted = 0, most = 0;
    double r_precision = 0, map_at_r = 0;
    recall_at(t, K);
    for (size_t i = 0; i < t->shape.m; i++) {
        const uint32_t *ranking =
            (const uint32_t *)t->buffer[RANKINGS].data + i * t->buffer[RANKINGS].ld;
        size_t R = retrieval_ref_relevant(&relevant, i);
        if (R == 0)
            continue;
        counted++;
        most = R > most ? R : most;
        for (int k = 0; k < RECALLS; k++)
            hits[k] += retrieval_ref_recall(depth_of(t), ranking, &relevant, i, K[k]);
        r_precision += retrieval_ref_r_precision(ranking, &relevant, i);
        map_at_r += retrieval_ref_map_at_r(ranking, &relevant, i);
    }
    double count = (double)counted; /* 0 / 0 is the NaN that is wanted */
    double roundings = 2 * (2 * (double)most + (double)t->shape.m + 2) * 0x1p-53;
    t->expected_count = counted;
    for (int k = 0; k < RECALLS; k++)
        t->buffer[RECALL].expected[k] = (double)hits[k] / count;
    *t->buffer[R_PRECISION].expected = r_precision / count;
    *t->buffer[MAP_AT_R].expected = map_at_r / count;
    *t->buffer[R_PRECISION].bound = counted ? roundings * r_precision / count : 0;
    *t->buffer[MAP_AT_R].bound = counted ? roundings * map_at_r / count : 0;
}

/* Rankings, and as many relevant items as half of them is long. */
static double bytes(const struct shape *s)
{
    return 4 * (double)s->m * 1.5 * (double)least(s->k, s->n);
}

static double no_flops(const struct shape *s)
{
    (void)s;
    return 0;
}

static bool fits(const struct shape *s, enum fill fill)
{
    (void)s;
    return fill == FILL_NORMAL || fill == FILL_POSITIVE || fill == FILL_ALIGNED ||
           fill == FILL_DUPLICATES || fill == FILL_ZERO_ROWS || fill == FILL_TIES;
}

static size_t sweep(bool quick, struct shape *shapes)
{
    static const size_t ns[] = {0, 1, 2, 3, 10, 100, 1000, 100000}, ks[] = {0, 1, 2, 5, 17, 64};
    size_t count = 0;
    for (size_t m = 0; m <= (quick ? 3u : 7u); m++)
        for (size_t n = 0; n < sizeof ns / sizeof ns[0]; n++)
            for (size_t k = 0; k < sizeof ks / sizeof ks[0]; k++)
                sweep_add(shapes, &count,
                          (struct shape){.m = m, .n = ns[n], .k = ks[k], .ld_extra = m % 3});
    sweep_add(shapes, &count, (struct shape){.m = 100, .n = 4294967295, .k = 20});
    if (!quick)
        sweep_add(shapes, &count, (struct shape){.m = 20, .n = 500, .k = 500, .ld_extra = 5});
    return count;
}

static const struct shape bench[] = {{.m = 5000, .n = 25000, .k = 50},
                                     {.m = 1000, .n = 10000, .k = 100}};

const struct kernel kernel_retrieval_metrics = {
    .name = "retrieval_metrics",
    .rooms = "retrieval",
    .family = "retrieval",
    .formula = "Recall@K, R-Precision, mAP@R of m rankings of k out of n items",
    .synthetic_only = true,
    .dims = "mnk",
    .similarity = SIMILARITY_NONE,
    .layout = layout,
    .fill = fill,
    .call = call,
    .counts = true,
    .oracle = oracle,
    .flops = no_flops,
    .bytes = bytes,
    .fill_fits = fits,
    .sweep = sweep,
    BENCH(bench),
};
