/* test_search.c - fused search gives what the matrix followed by top-k gives, bit for bit.
 * SPDX-License-Identifier: MIT
 *
 * Every search function, similarity and instruction set, 1, 2, 3 and 13 threads, with and without a
 * packed gallery; scores without ties, with many, all equal, rising, falling, NaN and Inf; from one
 * row to several batches and chunks, k up to more than there are.
 */
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
    DATA_TIES,
    DATA_EQUAL,
    DATA_RISING,
    DATA_FALLING,
    DATA_BOTH_RISING, /* each score beats those above it and those before it */
    DATA_LATE_RISING, /* beats what a column's threshold is, but for the best, which come first */
    DATA_LATE_INF,    /* nothing but NaN, which any threshold is equal to, and -Inf behind it */
    DATA_LATE_ULP,    /* all equal, and the last ones a place more */
    DATA_NEAR,        /* rows so much alike that rounding decides about their order */
    DATA_ROUNDED_UP,  /* and, at d = 16,000, nearly every addition of a chain is rounded up */
    DATA_NAN,
    DATA_HUGE,
    DATA_COUNT
};

static float element(enum data data, bool gallery, size_t i, size_t k)
{
    double g = fill_normal(gallery ? 5 : 6, i * 4099 + k);
    uint64_t h = fill_hash(gallery ? 7 : 8, i * 4099 + k);
    switch (data) {
    case DATA_TIES:
        return (float)((int)(h % 3) - 1);
    case DATA_EQUAL:
        return 0.5f;
    case DATA_RISING:
        return gallery ? (float)(i + 1) : 1.0f;
    case DATA_FALLING:
        return gallery ? -(float)(i + 1) : 1.0f;
    case DATA_BOTH_RISING:
        return (float)(i + 1);
    case DATA_LATE_RISING:
        return gallery ? 1 + 0.1f * (float)(i % 7) : i < 20 ? 1000 : 1 + 0.01f * (float)i;
    case DATA_LATE_INF:
        return !gallery ? 1 : i > 1500 && i % 100 == 7 ? -INFINITY : NAN;
    case DATA_LATE_ULP:
        return !gallery ? 1 : i > 1500 && i % 100 == 7 ? 1 + 0x1p-23f : 1;
    case DATA_NEAR:
        return gallery ? 1 + 0x1p-21f * (float)g : 1 + (float)(h % 8);
    case DATA_ROUNDED_UP:
        return gallery ? 1 + 1e-5f * (float)g : 1;
    case DATA_NAN:
        return h % 97 == 0 ? NAN : h % 89 == 0 ? INFINITY : (float)g;
    case DATA_HUGE:
        return (float)(g * 5e18); /* |x|^2 on both sides of 2^125 */
    default:
        return (float)g;
    }
}

static void *room(size_t count, size_t size)
{
    void *memory = malloc(count * size + 1);
    assert_non_null(memory);
    memset(memory, 0xa5, count * size);
    return memory;
}

struct search_case {
    size_t m, n, d, k;
    enum mmk_similarity similarity;
    enum data data;
};

/* Row top-k of a matrix, or of its transpose. */
static void expect_topk(const float *scores, size_t rows, size_t cols, size_t row_step,
                        size_t col_step, size_t k, const float *values, const uint32_t *indices)
{
    size_t found = k < cols ? k : cols;
    float *row = room(cols, sizeof *row), *expected = room(k, sizeof *expected);
    uint32_t *order = room(k, sizeof *order);
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < cols; j++)
            row[j] = scores[i * row_step + j * col_step];
        assert_int_equal(mmk_topk(MATRIX_AT(row, 1, cols, 0), TOPK(k, expected, order), NULL),
                         MMK_OK);
        assert_memory_equal(values + i * k, expected, found * sizeof *expected);
        assert_memory_equal(indices + i * k, order, found * sizeof *order);
        for (size_t r = found; r < k; r++) /* left alone */
            assert_int_equal(indices[i * k + r], 0xa5a5a5a5u);
    }
    free(row);
    free(expected);
    free(order);
}

static void check_case(const struct search_case *c)
{
    size_t m = c->m, n = c->n, d = c->d, k = c->k, ldx = d + 1, ldy = d + 3;
    float *x = room(m * ldx, sizeof *x), *y = room(n * ldy, sizeof *y);
    float *scores = room(m * n, sizeof *scores), *packed_scores = room(m * n, sizeof *scores);
    for (size_t i = 0; i < m; i++)
        for (size_t e = 0; e < d; e++)
            x[i * ldx + e] = element(c->data, false, i, e);
    for (size_t j = 0; j < n; j++)
        for (size_t e = 0; e < d; e++)
            y[j * ldy + e] = element(c->data, true, j, e);
    const struct mmk_matrix *rows = MATRIX_AT(x, m, d, ldx), *columns = MATRIX_AT(y, n, d, ldy);
    assert_int_equal(
        mmk_similarity_matrix(c->similarity, rows, columns, MATRIX_OUT_AT(scores, m, n, 0), NULL),
        MMK_OK);
    struct mmk_gallery *gallery = NULL;
    assert_int_equal(mmk_gallery_pack(c->similarity, columns, NULL, &gallery), MMK_OK);
    assert_int_equal(mmk_similarity_matrix(c->similarity, rows, PACKED(gallery),
                                           MATRIX_OUT_AT(packed_scores, m, n, 0), NULL),
                     MMK_OK);
    assert_memory_equal(scores, packed_scores, m * n * sizeof *scores);

    for (int threads = 1; threads <= 13; threads = threads < 3 ? threads + 1 : threads + 10) {
        const struct mmk_options options = {.threads = threads};
        float *values = room(m * k, sizeof *values), *values_y = room(n * k, sizeof *values_y);
        uint32_t *indices = room(m * k, sizeof *indices), *indices_y = room(n * k, sizeof *indices);
        size_t count = 0;
        struct mmk_search_problem problem = {.x = rows, .y = columns, .similarity = c->similarity};
        const struct mmk_topk_results for_x = {
            .k = k, .values = values, .indices = indices, .count = &count};
        assert_int_equal(
            mmk_search(&problem, &(struct mmk_search_results){.for_x = &for_x}, &options), MMK_OK);
        assert_int_equal(count, k < n ? k : n);
        expect_topk(scores, m, n, n, 1, k, values, indices);

        memset(values, 0xa5, m * k * sizeof *values);
        memset(indices, 0xa5, m * k * sizeof *indices);
        problem.y = PACKED(gallery);
        assert_int_equal(
            mmk_search(&problem, &(struct mmk_search_results){.for_x = &for_x}, &options), MMK_OK);
        expect_topk(scores, m, n, n, 1, k, values, indices);

        for (int packed = 0; packed < 2; packed++) {
            memset(values, 0xa5, m * k * sizeof *values);
            memset(indices, 0xa5, m * k * sizeof *indices);
            memset(values_y, 0xa5, n * k * sizeof *values_y);
            memset(indices_y, 0xa5, n * k * sizeof *indices_y);
            problem.y = packed ? PACKED(gallery) : columns;
            assert_int_equal(mmk_search(&problem,
                                        &(struct mmk_search_results){
                                            .for_x = &for_x, .for_y = TOPK(k, values_y, indices_y)},
                                        &options),
                             MMK_OK);
            expect_topk(scores, m, n, n, 1, k, values, indices);
            expect_topk(scores, n, m, 1, n, k, values_y, indices_y);
        }
        free(values);
        free(values_y);
        free(indices);
        free(indices_y);
    }
    mmk_gallery_free(gallery);
    free(x);
    free(y);
    free(scores);
    free(packed_scores);
}

static void on_every_isa(void (*test)(void))
{
    for (int isa = 0; isa < MMK_ISA_COUNT; isa++)
        if (mmk_isa_usable((enum mmk_isa)isa) == MMK_OK) {
            assert_int_equal(mmk_isa_use(mmk_isa_name((enum mmk_isa)isa)), MMK_OK);
            test();
        }
    assert_int_equal(mmk_isa_use(NULL), MMK_OK);
}

static void small_cases(void)
{
    static const size_t sizes[][3] = {{1, 1, 3},    {1, 33, 5},   {3, 64, 7},
                                      {7, 31, 1},   {40, 2, 9},   {85, 97, 4},
                                      {33, 200, 0}, {90, 70, 17}, {130, 65, 3}};
    static const size_t ks[] = {1, 2, 10, 64, 150};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
        for (int similarity = 0; similarity < MMK_SIMILARITY_COUNT; similarity++)
            for (int data = 0; data < DATA_COUNT; data++) {
                size_t k = ks[(s + (size_t)data + (size_t)similarity) % 5];
                check_case(&(struct search_case){sizes[s][0], sizes[s][1], sizes[s][2], k,
                                                 (enum mmk_similarity)similarity, (enum data)data});
            }
}

static void large_cases(void)
{
    static const struct search_case cases[] = {
        {5, 3000, 9, 10, MMK_DOT, DATA_NORMAL},      {200, 2900, 5, 100, MMK_COSINE, DATA_NORMAL},
        {100, 2000, 3, 1, MMK_NEG_SQ_L2, DATA_TIES}, {3, 5000, 2, 1000, MMK_DOT, DATA_RISING},
        {90, 1500, 4, 7, MMK_DOT, DATA_NAN},         {4300, 40, 2, 3, MMK_NEG_SQ_L2, DATA_NORMAL},
        {20, 70, 1025, 10, MMK_COSINE, DATA_NORMAL}, {2, 6000, 1, 2500, MMK_DOT, DATA_EQUAL},
        {4300, 8, 2, 1, MMK_NEG_SQ_L2, DATA_HUGE},   {900, 40, 2, 3, MMK_DOT, DATA_BOTH_RISING},
        {3, 2000, 1, 5, MMK_DOT, DATA_LATE_INF},     {3, 2000, 1, 5, MMK_DOT, DATA_LATE_ULP},
        {4300, 160, 1, 1, MMK_DOT, DATA_NORMAL},     {1680, 64, 1, 32, MMK_DOT, DATA_BOTH_RISING},
        {900, 40, 2, 40, MMK_DOT, DATA_LATE_RISING},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_case(&cases[i]);
    /* Streams of candidates that fill up at other places from k to k. */
    for (size_t k = 1; k < 70; k++) {
        check_case(&(struct search_case){1, 1680, 1, k, MMK_DOT, DATA_RISING});
        check_case(&(struct search_case){1680, 1, 1, k, MMK_DOT, DATA_BOTH_RISING});
    }
}

/* Of one or two queries a cosine is mostly not made as the matrix makes it, but where it shows. */
static void cases_of_few_queries(void)
{
    static const size_t d[] = {0, 1, 9, 70, 200}, k[] = {1, 10, 40};
    for (size_t i = 0; i < sizeof d / sizeof *d; i++)
        for (size_t e = 0; e < sizeof k / sizeof *k; e++)
            for (int data = 0; data < DATA_COUNT; data++) {
                size_t m = 1 + ((size_t)data + e) % 2, n = 350 + 250 * ((i + e) % 2) + i;
                check_case(&(struct search_case){m, n, d[i], k[e], MMK_COSINE, (enum data)data});
            }
    /* Many more than there may be columns of a chunk, and rows of more than 4096. */
    check_case(&(struct search_case){1, 6001, 5, 10, MMK_COSINE, DATA_NORMAL});
    check_case(&(struct search_case){2, 140, 4100, 5, MMK_COSINE, DATA_NORMAL});
    /* A chain of d roundings that all go one way is 2e-4 off, other sums are not. */
    check_case(&(struct search_case){1, 120, 16000, 1, MMK_COSINE, DATA_ROUNDED_UP});
}

static void few_queries(void **state)
{
    (void)state;
    on_every_isa(cases_of_few_queries);
}

static void as_matrix_and_topk_small(void **state)
{
    (void)state;
    on_every_isa(small_cases);
}

static void as_matrix_and_topk_large(void **state)
{
    (void)state;
    on_every_isa(large_cases);
}

/* ---- Galleries and outputs left out ---------------------------------------------------------- */

static void gallery_of_another_isa(void **state)
{
    (void)state;
    float rows[] = {1, 2, 3, 4}, value = 7;
    struct mmk_gallery *gallery = NULL;
    assert_int_equal(mmk_isa_use("scalar"), MMK_OK);
    assert_int_equal(mmk_gallery_pack(MMK_DOT, MATRIX_AT(rows, 2, 2, 0), NULL, &gallery), MMK_OK);
    const struct mmk_matrix *x = MATRIX_AT(rows, 1, 2, 0);
    for (int isa = 1; isa < MMK_ISA_COUNT; isa++) {
        if (mmk_isa_usable((enum mmk_isa)isa) != MMK_OK)
            continue;
        const char *name = mmk_isa_name((enum mmk_isa)isa);
        assert_int_equal(mmk_isa_use(name), MMK_OK);
        assert_int_equal(mmk_similarity_matrix(MMK_DOT, x, PACKED(gallery),
                                               MATRIX_OUT_AT(&value, 1, 2, 0), NULL),
                         MMK_ERR_GALLERY);
        assert_non_null(strstr(mmk_error_detail(), "y"));
        assert_non_null(strstr(mmk_error_detail(), "scalar"));
        assert_non_null(strstr(mmk_error_detail(), name));
        assert_int_equal(mmk_search(&(struct mmk_search_problem){.x = x, .y = PACKED(gallery)},
                                    &(struct mmk_search_results){.for_x = TOPK(1, &value, NULL)},
                                    NULL),
                         MMK_ERR_GALLERY);
        assert_true(value == 7);
    }
    assert_int_equal(mmk_isa_use(NULL), MMK_OK);
    mmk_gallery_free(gallery);
    mmk_gallery_free(NULL);
}

/* Nothing is written when something is wrong, and a row alone may have any leading dimension. */
static void count_and_leading_dimension(void **state)
{
    (void)state;
    float x[] = {1, 2}, y[] = {3, 4, 5, 6}, value = 0, values[2];
    size_t count = 7;
    struct mmk_gallery *gallery = NULL;
    const struct mmk_search_problem too_wide = {.x = MATRIX_AT(x, 1, SIZE_MAX / 64, 0),
                                                .y = MATRIX_AT(y, 2, SIZE_MAX / 64, 0)};
    const struct mmk_topk_results one = {.k = 1, .values = &value, .count = &count};
    assert_int_not_equal(mmk_search(&too_wide, &(struct mmk_search_results){.for_x = &one}, NULL),
                         MMK_OK);
    assert_int_equal(count, 7);
    const struct mmk_search_problem right = {.x = MATRIX_AT(x, 1, 2, 0),
                                             .y = MATRIX_AT(y, 2, 2, 0)};
    const struct mmk_topk_results all = {.k = SIZE_MAX, .values = values, .count = &count};
    assert_int_equal(mmk_search(&right, &(struct mmk_search_results){.for_x = &all}, NULL), MMK_OK);
    assert_int_equal(count, 2);
    assert_true(values[0] == 17 && values[1] == 11);
    assert_int_equal(mmk_gallery_pack(MMK_DOT, MATRIX_AT(NULL, SIZE_MAX, 0, 0), NULL, &gallery),
                     MMK_ERR_SIZE);
    assert_null(gallery);
}

/* Each direction alone, and with a k of its own, has the bits of both. */
static void one_direction_of_both(void **state)
{
    (void)state;
    enum { M = 30, N = 50, D = 6, K = 4, K_Y = 9 };
    float x[M * D], y[N * D], all[M * K];
    uint32_t only_x[M * K], only_y[N * K_Y], both_x[M * K], both_y[N * K_Y];
    for (size_t e = 0; e < M * D; e++)
        x[e] = element(DATA_NORMAL, false, 0, e);
    for (size_t e = 0; e < N * D; e++)
        y[e] = element(DATA_NORMAL, true, 0, e);
    const struct mmk_search_problem problem = {.x = MATRIX_AT(x, M, D, 0),
                                               .y = MATRIX_AT(y, N, D, 0)};
    assert_int_equal(mmk_search(&problem,
                                &(struct mmk_search_results){.for_x = TOPK(K, all, both_x),
                                                             .for_y = TOPK(K_Y, NULL, both_y)},
                                NULL),
                     MMK_OK);
    assert_int_equal(
        mmk_search(&problem, &(struct mmk_search_results){.for_x = TOPK(K, NULL, only_x)}, NULL),
        MMK_OK);
    assert_int_equal(
        mmk_search(&problem, &(struct mmk_search_results){.for_y = TOPK(K_Y, NULL, only_y)}, NULL),
        MMK_OK);
    assert_memory_equal(only_x, both_x, sizeof only_x);
    assert_memory_equal(only_y, both_y, sizeof only_y);
}

/* Each direction has room for its own k, however much more the other wants, in the least that a
 * query tells. */
static void directions_with_other_k(void **state)
{
    (void)state;
    enum { LENGTH = 3000, FEW = 40, GUARD = 1 << 16 };
    float *x = room(LENGTH, sizeof *x), *y = room(FEW, sizeof *y);
    for (size_t i = 0; i < LENGTH; i++)
        x[i] = element(DATA_NORMAL, false, i, 0);
    for (size_t j = 0; j < FEW; j++)
        y[j] = element(DATA_NORMAL, true, j, 0);
    const struct mmk_matrix *longer = MATRIX_AT(x, LENGTH, 1, 0),
                            *shorter = MATRIX_AT(y, FEW, 1, 0);
    for (int turned = 0; turned < 2; turned++) {
        const size_t m = turned ? FEW : LENGTH, n = turned ? LENGTH : FEW;
        const size_t k_x = turned ? 2000 : 1, k_y = turned ? 1 : 2000;
        const struct mmk_search_problem problem = {.x = turned ? shorter : longer,
                                                   .y = turned ? longer : shorter};
        float *scores = room(m * n, sizeof *scores);
        assert_int_equal(mmk_similarity_matrix(MMK_DOT, problem.x, problem.y,
                                               MATRIX_OUT_AT(scores, m, n, 0), NULL),
                         MMK_OK);
        float *values_x = room(m * k_x, sizeof *values_x),
              *values_y = room(n * k_y, sizeof *values_y);
        uint32_t *indices_x = room(m * k_x, sizeof *indices_x),
                 *indices_y = room(n * k_y, sizeof *indices_y);
        const struct mmk_search_results results = {.for_x = TOPK(k_x, values_x, indices_x),
                                                   .for_y = TOPK(k_y, values_y, indices_y)};
        struct mmk_workspace_bytes bytes;
        assert_int_equal(
            mmk_search(&problem, &results, &(struct mmk_options){.threads = 1, .query = &bytes}),
            MMK_OK);
        unsigned char *workspace = room(bytes.least + GUARD, 1);
        const struct mmk_options options = {
            .threads = 1, .workspace = workspace, .workspace_bytes = bytes.least};
        assert_int_equal(mmk_search(&problem, &results, &options), MMK_OK);
        for (size_t i = 0; i < GUARD; i++)
            assert_int_equal(workspace[bytes.least + i], 0xa5);
        expect_topk(scores, m, n, n, 1, k_x, values_x, indices_x);
        expect_topk(scores, n, m, 1, n, k_y, values_y, indices_y);
        free(workspace);
        free(scores);
        free(values_x);
        free(values_y);
        free(indices_x);
        free(indices_y);
    }
    free(x);
    free(y);
}

/* A side with nothing to write asks for nothing of where it would go. */
static void a_side_without_outputs(void **state)
{
    (void)state;
    enum { M = 3, N = 5, D = 2, K = 4 };
    float x[M * D] = {1}, y[N * D] = {1};
    uint32_t indices[M * K];
    size_t count = 0, count_y = 0;
    const struct mmk_search_problem problem = {.x = MATRIX_AT(x, M, D, 0),
                                               .y = MATRIX_AT(y, N, D, 0)};
    const struct mmk_topk_results nothing = {.k = K, .leading_dimension = 1, .count = &count},
                                  for_x = {.k = K, .indices = indices},
                                  for_y = {.k = K, .leading_dimension = 1, .count = &count_y};
    assert_int_equal(mmk_search(&problem,
                                &(struct mmk_search_results){.for_x = &nothing, .for_y = &for_y},
                                NULL),
                     MMK_OK);
    assert_int_equal(count, K);
    assert_int_equal(count_y, M);
    assert_int_equal(
        mmk_search(&problem, &(struct mmk_search_results){.for_x = &for_x, .for_y = &for_y}, NULL),
        MMK_OK);
    count = 0;
    assert_int_equal(mmk_topk(MATRIX_AT(y, N, D, 0), &nothing, NULL), MMK_OK);
    assert_int_equal(count, D);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_matrix_and_topk_small),
        cmocka_unit_test(as_matrix_and_topk_large),
        cmocka_unit_test(few_queries),
        cmocka_unit_test(gallery_of_another_isa),
        cmocka_unit_test(count_and_leading_dimension),
        cmocka_unit_test(directions_with_other_k),
        cmocka_unit_test(one_direction_of_both),
        cmocka_unit_test(a_side_without_outputs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
