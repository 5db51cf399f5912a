/* test_filter.c - a search that is filtered through codes gives what one gives that is not, bit for
 * bit.
 * SPDX-License-Identifier: MIT
 *
 * Every instruction set that has codes, with and without them, 1, 2 and 13 threads; all
 * similarities; rows of which the codes decide nearly all and rows of which they decide nothing,
 * what has no codes, and ties at the threshold. That a search without them is right, test_search.c
 * shows.
 */
#include "../../kernels/codes/codes.h"
#include "../../kernels/isa/isa.h"
#include "../../kernels/search/search.h"
#include "../../ref/cases.h"
#include "matrix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum data {
    DATA_NORMAL,
    DATA_CLUSTERS,   /* some 40 rows of the gallery around each of the centres */
    DATA_DUPLICATES, /* every row of the gallery 50 times */
    DATA_NEAR,       /* all rows within the bound of codes of each other */
    DATA_SAME,       /* all rows the same: every score ties */
    DATA_CONSTANT,   /* each row a number of its own */
    DATA_ZERO_ROWS,  /* half of the rows */
    DATA_NAN,        /* a NaN in every 9th row of the gallery, every 5th of X */
    DATA_INF,
    DATA_ALL_NAN, /* all of X and of the gallery but a few rows */
    DATA_TINY,    /* products are denormal, or zero */
    DATA_SMALL,   /* norms on both sides of what has codes */
    DATA_GREAT,
    DATA_MAGNITUDES,   /* each row a power of two of its own */
    DATA_RISING,       /* each score above the one before, */
    DATA_FALLING,      /* or below */
    DATA_LATE,         /* the best come last, by a place more than the threshold */
    DATA_PEAKED,       /* one element is far above the others, whose codes are 0 */
    DATA_NEGATIVE,     /* all products are below 0 */
    DATA_FAR,          /* all rows near one far from 0 */
    DATA_ZERO_QUERIES, /* some rows of X, and none of the gallery */
    DATA_TIED_STRIPS,  /* the best are a whole strip of equals, and one before it */
    DATA_SHELL,        /* short queries, and rows of two lengths that differ by roundings alone */
    DATA_INF_FIRST,    /* zero queries, whose products with the first rows are NaN */
    DATA_COUNT
};

static float element(enum data data, bool gallery, size_t i, size_t k)
{
    float g = (float)fill_normal(gallery ? 5 : 6, i * 4099 + k);
    float of_all = (float)fill_normal(4, k);
    switch (data) {
    case DATA_CLUSTERS:
        return (float)fill_normal(7, i % 100 * 4099 + k) + 0.2f * g + of_all;
    case DATA_DUPLICATES:
        return gallery ? (float)fill_normal(7, i % 97 * 4099 + k) : g;
    case DATA_NEAR:
        return of_all + 1e-5f * g;
    case DATA_SAME:
        return gallery ? of_all : g;
    case DATA_CONSTANT:
        return (float)(int)(fill_hash(gallery ? 8 : 9, i) % 1000) - 400;
    case DATA_ZERO_ROWS:
        return i % 2 == 0 ? 0.0f : g;
    case DATA_NAN:
        return i % (gallery ? 9 : 5) == 0 && k == i % 37 ? NAN : g;
    case DATA_INF:
        return i % (gallery ? 9 : 5) == 0 && k == i % 37 ? (i % 2 ? INFINITY : -INFINITY) : g;
    case DATA_ALL_NAN:
        return (gallery ? i % 1000 == 999 : i % 7 == 3) ? g : NAN;
    case DATA_TINY:
        return 1e-20f * g;
    case DATA_SMALL:
        return 0x1p-42f * g * (float)(1 + i % 5);
    case DATA_GREAT:
        return 0x1p57f * g * (float)(1 + i % 9);
    case DATA_MAGNITUDES:
        return ldexpf(g, (int)(fill_hash(10, i) % 30) - 15);
    case DATA_RISING:
        return gallery ? of_all * (1 + (float)i) : of_all + 0.01f * g;
    case DATA_FALLING:
        return gallery ? of_all / (1 + (float)i) : of_all + 0.01f * g;
    case DATA_LATE:
        return !gallery ? of_all : i > 4000 && i % 100 == 7 ? of_all * (1 + 0x1p-20f) : of_all;
    case DATA_PEAKED:
        return k == (gallery ? i : 3 * i) % 37 ? 1000 * g : g;
    case DATA_NEGATIVE:
        return gallery ? -fabsf(g) : fabsf(g);
    case DATA_ZERO_QUERIES:
        return !gallery && i % 5 == 0 ? 0.0f : g;
    case DATA_TIED_STRIPS:
        if (!gallery)
            return of_all + 0.01f * g;
        return i % 256 < 31 || i % 256 >= 64 ? g : of_all * (1 + 0x1p-9f * (float)(i / 256));
    case DATA_SHELL:
        return !gallery                ? 0x1p-20f * g
               : i < 64 || i % 32 == 0 ? (float)fill_normal(11, (k * 7 + i) % 61)
                                       : 2 * (float)fill_normal(11, (k * 7 + i) % 61);
    case DATA_INF_FIRST:
        return gallery ? (i < 300 && k == i % 37 ? INFINITY : g) : i % 3 == 0 ? 0.0f : g;
    case DATA_FAR:
        return 1000 + g;
    default:
        return g;
    }
}

struct filter_case {
    size_t m, n, d, k;
    enum mmk_similarity similarity;
    enum data data;
};

static void *room(size_t count, size_t size)
{
    void *memory = malloc(count * size + 1);
    assert_non_null(memory);
    memset(memory, 0xa5, count * size);
    return memory;
}

static float *rows_of(enum data data, bool gallery, size_t rows, size_t d, size_t ld)
{
    float *out = room(rows * ld, sizeof *out);
    for (size_t i = 0; i < rows; i++)
        for (size_t e = 0; e < d; e++)
            out[i * ld + e] = element(data, gallery, i, e);
    return out;
}

static struct isa_row the_row; /* in use: calls come one after the other */
static struct codes_ops counting;
static const struct codes_ops *counted;
static _Atomic size_t strips; /* that were screened */

static size_t count_and_screen(size_t quads, const struct codes_left *left, size_t first,
                               size_t rows, const struct codes_right *right, size_t col,
                               size_t cols, bool adds, const float *least, struct codes_pair *pairs)
{
    strips++;
    return counted->screen(quads, left, first, rows, right, col, cols, adds, least, pairs);
}

static void use(const struct isa_row *row, bool filters)
{
    the_row = *row;
    the_row.filters = filters;
    counted = row->codes;
    counting = *counted;
    counting.screen = count_and_screen;
    the_row.codes = &counting;
    isa_use_row(&the_row);
}

/* Which share of a case's strips must be screened at least, and may be at most. */
static void expect_strips(const struct filter_case *c, size_t screened)
{
    size_t all = (c->m + TILE_BLOCK_ROWS - 1) / TILE_BLOCK_ROWS * (c->n / SEARCH_STRIP);
    bool l2 = c->similarity == MMK_NEG_SQ_L2;
    /* What is NaN is no result, and of a zero row the first are. */
    bool decided = c->data == DATA_NORMAL || c->data == DATA_CLUSTERS || c->data == DATA_NAN ||
                   (c->data == DATA_INF && c->similarity == MMK_COSINE) ||
                   (c->data == DATA_ZERO_ROWS && !l2);
    /* Less their origin rows that are near each other are so no more. */
    bool near = c->data == DATA_NEAR && !l2;
    bool open = near || c->data == DATA_SAME;
    bool few = c->m * (c->d < FILTER_FULL_DEPTH ? c->d : FILTER_FULL_DEPTH) <
               FILTER_LEAST_ROWS * FILTER_FULL_DEPTH;
    if (few)
        return;
    if (decided && screened < all / 2)
        fail_msg("data %d: %zu of %zu strips are screened", (int)c->data, screened, all);
    if (open && screened > all / 6)
        fail_msg("data %d: %zu of %zu strips are screened, in vain", (int)c->data, screened, all);
}

enum { BY_TWO = 900 }; /* rows of which two threads filter a share, too */

static const float zeros[2048]; /* an origin */

static const float *origin_of(const struct filter_case *c)
{
    bool given =
        (c->data == DATA_SHELL || c->data == DATA_ZERO_QUERIES) && c->similarity == MMK_NEG_SQ_L2;
    return given ? zeros : NULL;
}

static void search_in(const struct filter_case *c, const float *x, const struct mmk_matrix *y,
                      int threads, bool without_codes, float *values, uint32_t *indices)
{
    memset(values, 0xa5, c->m * c->k * sizeof *values);
    memset(indices, 0xa5, c->m * c->k * sizeof *indices);
    const struct mmk_search_problem problem = {.x = MATRIX_AT(x, c->m, c->d, c->d + 1),
                                               .y = y,
                                               .similarity = c->similarity,
                                               .without_codes = without_codes};
    assert_int_equal(
        mmk_search(&problem, &(struct mmk_search_results){.for_x = TOPK(c->k, values, indices)},
                   &(struct mmk_options){.threads = threads,
                                         .origin = y->packed == NULL ? origin_of(c) : NULL}),
        MMK_OK);
}

static void search(const struct filter_case *c, const float *x, const float *y, int threads,
                   bool without_codes, float *values, uint32_t *indices)
{
    search_in(c, x, MATRIX_AT(y, c->n, c->d, c->d + 3), threads, without_codes, values, indices);
}

/* The codes made before, by more or fewer threads than search. */
static void check_coded(const struct filter_case *c, const float *x, const float *y,
                        const float *right, const uint32_t *order, float *values, uint32_t *indices)
{
    size_t results = c->m * c->k;
    struct mmk_gallery *gallery;
    for (int threads = the_row.isa == MMK_ISA_SCALAR ? 3 : 1; threads <= 3; threads += 2) {
        assert_int_equal(
            mmk_gallery_encode(c->similarity, MATRIX_AT(y, c->n, c->d, c->d + 3),
                               &(struct mmk_options){.threads = threads, .origin = origin_of(c)},
                               &gallery),
            MMK_OK);
        strips = 0;
        search_in(c, x, PACKED(gallery), threads == 3 ? 1 : 2, false, values, indices);
        assert_memory_equal(values, right, results * sizeof *values);
        assert_memory_equal(indices, order, results * sizeof *indices);
        assert_true(strips > 0 || c->data == DATA_ALL_NAN || c->n < 2 * FILTER_LEAST_COLS);
        if (threads == 3)
            expect_strips(c, strips);
        mmk_gallery_free(gallery);
    }
}

static void check_case(const struct isa_row *row, const struct filter_case *c)
{
    size_t results = c->m * c->k;
    float *x = rows_of(c->data, false, c->m, c->d, c->d + 1);
    float *y = rows_of(c->data, true, c->n, c->d, c->d + 3);
    float *values = room(results, sizeof *values), *right = room(results, sizeof *right);
    uint32_t *indices = room(results, sizeof *indices), *order = room(results, sizeof *order);
    use(row, false);
    strips = 0;
    search(c, x, y, 1, false, right, order);
    assert_int_equal(strips, 0);
    use(row, true);
    static const int threads[] = {1, 2, 13}; /* 13 are too many for codes to be made */
    for (int t = 0; t < (row->isa == MMK_ISA_SCALAR ? 1 : 3); t++) {
        strips = 0;
        search(c, x, y, threads[t], false, values, indices);
        if (threads[t] == 1)
            expect_strips(c, strips);
        if (threads[t] == 2 && c->m == BY_TWO)
            assert_true(strips > 0);
        bool same = memcmp(values, right, results * sizeof *values) == 0 &&
                    memcmp(indices, order, results * sizeof *indices) == 0;
        if (!same)
            fail_msg("%s, %d threads, data %d, similarity %d, %zu x %zu x %zu, k %zu", row->name,
                     threads[t], (int)c->data, (int)c->similarity, c->m, c->n, c->d, c->k);
    }
    check_coded(c, x, y, right, order, values, indices);
    strips = 0;
    search(c, x, y, 2, true, values, indices);
    assert_int_equal(strips, 0);
    assert_memory_equal(values, right, results * sizeof *values);
    assert_memory_equal(indices, order, results * sizeof *indices);
    free(x);
    free(y);
    free(values);
    free(right);
    free(indices);
    free(order);
}

static void on_every_row(void (*test)(const struct isa_row *row))
{
    int tried = 0;
    for (int isa = 0; isa < MMK_ISA_COUNT; isa++) {
        if (mmk_isa_usable((enum mmk_isa)isa) != MMK_OK)
            continue;
        const struct isa_row *row = isa_builtin_row((enum mmk_isa)isa);
        if (row->codes == NULL)
            continue;
        test(row);
        tried++;
    }
    assert_true(tried > 0);
    assert_int_equal(mmk_isa_use(NULL), MMK_OK);
}

/* Just enough rows for codes to be made, at a few depths. */
static void every_kind_of_data(const struct isa_row *row)
{
    static const size_t sizes[][3] = {
        {FILTER_LEAST_ROWS, 2 * FILTER_LEAST_COLS, FILTER_FULL_DEPTH},
        {245, 2 * FILTER_LEAST_COLS + 37, 67},
    };
    /* Plain C takes ten times as long, and is no more than a comparison. */
    bool slow = row->isa == MMK_ISA_SCALAR;
    for (int data = 0; data < DATA_COUNT; data++)
        for (int similarity = 0; similarity < MMK_SIMILARITY_COUNT; similarity++) {
            if ((data + similarity) % (slow ? 16 : 2) != 1)
                continue;
            int s = slow || data % 4 < 2;
            check_case(row, &(struct filter_case){
                                sizes[s][0], sizes[s][1], sizes[s][2], data % 3 == 0 ? 1 : 10,
                                (enum mmk_similarity)similarity, (enum data)data});
        }
}

static void many_rows(const struct isa_row *row)
{
    static const struct filter_case cases[] = {
        /* a second batch; many results; long rows */
        {SEARCH_SUPER_ROWS + 90, FILTER_LEAST_COLS + 500, FILTER_LEAST_DEPTH, 10, MMK_NEG_SQ_L2,
         DATA_CLUSTERS},
        {256, 2 * FILTER_LEAST_COLS, 64, 10, MMK_DOT, DATA_TIED_STRIPS},
        {4, 2 * FILTER_LEAST_COLS, 183, 10, MMK_NEG_SQ_L2, DATA_SHELL},
        {5, 2 * FILTER_LEAST_COLS, 122, 10, MMK_NEG_SQ_L2, DATA_SHELL},
        {3, 2 * FILTER_LEAST_COLS, 732, 10, MMK_NEG_SQ_L2, DATA_SHELL},
        {245, 2 * FILTER_LEAST_COLS + 37, 67, 10, MMK_NEG_SQ_L2, DATA_ZERO_QUERIES},
        {260, 20000, 65, 20, MMK_DOT, DATA_CLUSTERS},
        {BY_TWO, 3 * FILTER_LEAST_COLS, 64, 10, MMK_COSINE, DATA_NORMAL},
        {64, 2 * FILTER_LEAST_COLS, 541, 3, MMK_NEG_SQ_L2, DATA_CLUSTERS},
        {65, 2 * FILTER_LEAST_COLS, 1030, 2, MMK_DOT, DATA_DUPLICATES},
    };
    size_t count = sizeof cases / sizeof cases[0];
    for (size_t i = 0; i < count && row->isa != MMK_ISA_SCALAR; i++)
        check_case(row, &cases[i]);
}

/* So few that only a gallery's codes are looked at. */
static void few_rows(const struct isa_row *row)
{
    for (int data = 0; data < DATA_COUNT; data++) {
        size_t m = 1 + (size_t)data % 4;
        if (row->isa == MMK_ISA_SCALAR && data % 5 != 0)
            continue;
        check_case(row,
                   &(struct filter_case){m, 2 * FILTER_LEAST_COLS + 3 * m, 64 + m, 10,
                                         (enum mmk_similarity)(data / 4 % 3), (enum data)data});
    }
}

/* Every number of rows in a strip. */
static void every_strip(const struct isa_row *row)
{
    for (size_t m = 5; m <= 30 && row->isa != MMK_ISA_SCALAR; m++)
        check_case(
            row, &(struct filter_case){m, 2 * FILTER_LEAST_COLS + m, 64, 1, MMK_DOT, DATA_NORMAL});
}

static void same_bits_of_every_strip(void **state)
{
    (void)state;
    on_every_row(every_strip);
}

/* A gallery's origin is its own: what the caller does with his afterwards does not matter. */
static void origin_is_copied(const struct isa_row *row)
{
    enum { M = 4, N = 2 * FILTER_LEAST_COLS, D = 70, K = 3 };
    const struct filter_case c = {M, N, D, K, MMK_NEG_SQ_L2, DATA_CLUSTERS};
    float *x = rows_of(c.data, false, M, D, D + 1), *y = rows_of(c.data, true, N, D, D + 3);
    float origin[D], right[M * K], values[M * K];
    uint32_t order[M * K], indices[M * K];
    for (size_t k = 0; k < D; k++)
        origin[k] = 1 + (float)k;
    const struct mmk_matrix *rows = MATRIX_AT(y, N, D, D + 3);
    const struct mmk_search_problem problem = {
        .x = MATRIX_AT(x, M, D, D + 1), .y = rows, .similarity = MMK_NEG_SQ_L2};
    struct mmk_gallery *gallery;
    use(row, true);
    assert_int_equal(mmk_search(&problem,
                                &(struct mmk_search_results){.for_x = TOPK(K, right, order)},
                                &(struct mmk_options){.origin = origin}),
                     MMK_OK);
    assert_int_equal(
        mmk_gallery_encode(MMK_NEG_SQ_L2, rows, &(struct mmk_options){.origin = origin}, &gallery),
        MMK_OK);
    for (size_t k = 0; k < D; k++)
        origin[k] = -100;
    search_in(&c, x, PACKED(gallery), 1, false, values, indices);
    assert_memory_equal(values, right, sizeof right);
    assert_memory_equal(indices, order, sizeof order);
    mmk_gallery_free(gallery);
    free(x);
    free(y);
}

static void origin_is_the_gallerys(void **state)
{
    (void)state;
    on_every_row(origin_is_copied);
}

static void same_bits_of_few_rows(void **state)
{
    (void)state;
    on_every_row(few_rows);
}

static void same_bits_of_every_kind(void **state)
{
    (void)state;
    on_every_row(every_kind_of_data);
}

static void same_bits_of_many_rows(void **state)
{
    (void)state;
    on_every_row(many_rows);
}

/* A row whose products overflow in lanes, to +Inf and -Inf and so to NaN, while its chain is
 * finite, and the best: a second look that is NaN rules nothing out. */
static void lanes_that_overflow(void **state)
{
    (void)state;
    enum { M = 64, N = 30000, D = 128, BEST = 25000 };
    float *x = malloc(M * D * sizeof *x), *y = malloc(N * D * sizeof *y), values[M];
    uint32_t indices[M], seed = 1;
    assert_non_null(x);
    assert_non_null(y);
    for (size_t e = 0; e < (size_t)(M + N) * D; e++) {
        seed = seed * 1664525 + 1013904223;
        *(e < M * D ? &x[e] : &y[e - M * D]) = (float)(seed >> 16 & 255) / 128 - 1;
    }
    static const size_t places[] = {0, 1, 64, 65, 66};
    for (size_t p = 0; p < 5; p++) {
        for (size_t i = 0; i < M; i++)
            x[i * D + places[p]] = 0x1p58f;
        y[BEST * D + places[p]] = p == 4 ? 1000 : p % 2 == 0 ? 0x1p69f : -0x1p69f;
    }
    struct mmk_gallery *gallery;
    assert_int_equal(mmk_gallery_encode(MMK_DOT, MATRIX_AT(y, N, D, 0), NULL, &gallery), MMK_OK);
    const struct mmk_matrix *const galleries[] = {MATRIX_AT(y, N, D, 0), PACKED(gallery)};
    for (size_t g = 0; g < 2; g++) {
        const struct mmk_search_problem problem = {
            .x = MATRIX_AT(x, M, D, 0), .y = galleries[g], .similarity = MMK_DOT};
        assert_int_equal(mmk_search(&problem,
                                    &(struct mmk_search_results){.for_x = TOPK(1, values, indices)},
                                    &(struct mmk_options){.threads = 1}),
                         MMK_OK);
        for (size_t i = 0; i < M; i++)
            assert_int_equal(indices[i], BEST);
    }
    mmk_gallery_free(gallery);
    free(x);
    free(y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bits_of_every_kind), cmocka_unit_test(same_bits_of_many_rows),
        cmocka_unit_test(same_bits_of_few_rows),   cmocka_unit_test(same_bits_of_every_strip),
        cmocka_unit_test(lanes_that_overflow),     cmocka_unit_test(origin_is_the_gallerys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
