/* test_query.c - what a query of workspace bytes says of calls at the edge of what there can be.
 * SPDX-License-Identifier: MIT
 */
#include "../../kernels/mmk.h"
#include "matrix.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Of InfoNCE, forward and backward, of rows x rows x d. */
static enum mmk_status query_infonce(size_t rows, size_t d, int threads,
                                     struct mmk_workspace_bytes *bytes)
{
    float loss, nothing;
    const struct mmk_matrix x = {.rows = rows, .columns = d};
    const struct mmk_matrix_out dx = {.data = &nothing, .rows = rows, .columns = d};
    const struct mmk_infonce_problem problem = {
        .x = &x, .y = &x, .logit_scale = 1, .weight_x = 1, .weight_y = 1};
    return mmk_infonce(&problem, &(struct mmk_infonce_results){.loss = &loss, .dx = &dx},
                       &(struct mmk_options){.threads = threads, .query = bytes});
}

/* The exponentials of 2^32 - 1 rows by as many are beyond any memory; the call does without. */
static void only_all_overflows(void **state)
{
    (void)state;
    struct mmk_workspace_bytes bytes = {0, 0};
    assert_int_equal(query_infonce(UINT32_MAX, 1, 1, &bytes), MMK_OK);
    assert_true(bytes.least > (size_t)UINT32_MAX * sizeof(float) && bytes.least < SIZE_MAX / 2);
    assert_int_equal(bytes.all, SIZE_MAX);
    assert_int_equal(query_infonce(100000, 8, 1, &bytes), MMK_OK);
    assert_true(bytes.least < (size_t)1 << 32 && bytes.all - bytes.least > (size_t)4 * 10000000000);
    assert_true(bytes.all < (size_t)5 * 10000000000);
    /* What the call itself cannot do is refused here, too. */
    assert_int_equal(query_infonce(UINT32_MAX, SIZE_MAX / UINT32_MAX / 2, 1, &bytes), MMK_ERR_SIZE);
}

/* The greatest sizes are taken, and a query needs no such memory to say so; one more is refused. */
static void greatest_sizes_are_taken(void **state)
{
    (void)state;
    const size_t most = UINT32_MAX, floats = PTRDIFF_MAX / sizeof(float);
    struct mmk_workspace_bytes bytes;
    const struct mmk_options query = {.threads = 1, .query = &bytes};
    float nothing;
    for (size_t more = 0; more < 2; more++) {
        const enum mmk_status right = more == 0 ? MMK_OK : MMK_ERR_SIZE;
        struct mmk_topk_results topk = {.k = 3, .values = &nothing};
        assert_int_equal(mmk_topk(MATRIX_AT(NULL, 1, most + more, 0), &topk, &query), right);
        for (int of_y = 0; of_y < 2; of_y++) {
            const struct mmk_search_problem problem = {
                .x = MATRIX_AT(NULL, of_y ? 2 : most + more, 1, 0),
                .y = MATRIX_AT(NULL, of_y ? most + more : 2, 1, 0)};
            const struct mmk_search_results results = {.for_x = &topk};
            assert_int_equal(mmk_search(&problem, &results, &query), right);
        }
        assert_int_equal(query_infonce(most + more, 1, 1, &bytes), right);
        const struct mmk_infonce_problem with_negatives = {
            .x = MATRIX_AT(NULL, 5, 1, 0),
            .y = MATRIX_AT(NULL, 5, 1, 0),
            .negatives = MATRIX_AT(NULL, most - 5 + more, 1, 0),
            .logit_scale = 1,
            .weight_x = 1};
        assert_int_equal(
            mmk_infonce(&with_negatives, &(struct mmk_infonce_results){.loss = &nothing}, &query),
            right);
        /* The address space: of one row, and of two far apart. */
        struct mmk_matrix row = {.rows = 1, .columns = floats + more};
        assert_int_equal(mmk_similarity_rows(MMK_DOT, &row, &row, NULL, &query), right);
        topk.leading_dimension = floats / 2 + more;
        assert_int_equal(mmk_topk(MATRIX_AT(NULL, 2, 7, 0), &topk, &query), right);
        assert_int_equal(
            mmk_topk(MATRIX_AT(NULL, 2, 7, floats / 2 + more), TOPK(3, &nothing, NULL), &query),
            right);
    }
}

/* No more threads are counted than the call has tasks for. */
static void threads_as_in_the_call(void **state)
{
    (void)state;
    struct mmk_workspace_bytes one, many;
    assert_int_equal(query_infonce(20, 8, 1, &one), MMK_OK); /* one block */
    assert_int_equal(query_infonce(20, 8, 2000000000, &many), MMK_OK);
    assert_int_equal(many.least, one.least);
    assert_int_equal(many.all, one.all);
}

/* A matrix without elements takes nothing, whatever d is. */
static void nothing_to_do(void **state)
{
    (void)state;
    struct mmk_workspace_bytes bytes = {SIZE_MAX, SIZE_MAX};
    const struct mmk_matrix none = {.rows = 0, .columns = SIZE_MAX / 8};
    const struct mmk_matrix_out result = {.rows = 0, .columns = 0};
    assert_int_equal(mmk_similarity_matrix(MMK_DOT, &none, &none, &result,
                                           &(struct mmk_options){.query = &bytes}),
                     MMK_OK);
    assert_true(bytes.least <= 64 && bytes.all == bytes.least);
    assert_int_equal(mmk_similarity_matrix(MMK_DOT, &none, &none, &result, NULL), MMK_OK);
}

/* Pairs of rows take none, and the query no result. */
static void rows_take_nothing(void **state)
{
    (void)state;
    const struct mmk_matrix x = {.rows = 1000000, .columns = 512};
    struct mmk_workspace_bytes bytes = {1, 1};
    assert_int_equal(
        mmk_similarity_rows(MMK_COSINE, &x, &x, NULL, &(struct mmk_options){.query = &bytes}),
        MMK_OK);
    assert_true(bytes.least == 0 && bytes.all == 0);
}

/* 2^62 bytes can be addressed, as 2^61 elements of 16 bits are; 2^63, of floats, cannot. */
static void elements_have_their_size(void **state)
{
    (void)state;
    static const enum mmk_type types[] = {MMK_F16, MMK_BF16, MMK_F32};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        const struct mmk_matrix x = {
            .rows = 2, .columns = 3, .leading_dimension = (size_t)1 << 60, .type = types[i]};
        const struct mmk_matrix y = {.rows = 2, .columns = 3};
        struct mmk_workspace_bytes bytes;
        assert_int_equal(mmk_similarity_matrix(MMK_DOT, &x, &y, MATRIX_OUT_AT(NULL, 2, 2, 0),
                                               &(struct mmk_options){.query = &bytes}),
                         types[i] == MMK_F32 ? MMK_ERR_SIZE : MMK_OK);
    }
}

/* What mmk.h says of a search's memory, of rows x columns x d in one direction, with one worker;
 * halves: of 16-bit floats. */
static double memory_of_search(size_t rows, size_t columns, size_t d, size_t k, bool codes,
                               bool halves)
{
    const double packed = 4.0 * (double)(d + 32), streams = 16 * (double)k + 640;
    double held = fmin((double)rows, 4200);
    double batch = fmin(held, fmax(84, 0x1p26 / streams));
    double copies = (batch + 32 + fmin((double)columns, 1376) + 32) * packed;
    if (rows <= 8)
        copies += (double)(rows + 1) * 4 * fmin((double)columns, 4096) + 4 * (double)(rows * d);
    double with = copies / 4 + batch * (4.0 * (double)d + 136) + 36 * (double)d;
    double wide = (batch + 32) * 4 * (double)d;
    return copies + batch * streams + (codes ? with : 0) + (halves ? wide : 0);
}

/* No batch is greater than that, however many rows there are; and few rows take little. */
static void search_takes_what_is_said(void **state)
{
    (void)state;
    static const size_t rows[] = {3, 84, 4200, 1000000}, k[] = {1, 10, 1000, 100000};
    float nothing;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
        for (size_t i = 0; i < 4 * (sizeof k / sizeof *k); i++) {
            const size_t columns = 200000, d = 64, results_k = k[i / 4];
            const bool halves = i % 4 >= 2;
            /* Where they are used, if this machine has such. */
            const bool codes = i % 2 && rows[r] >= 4200 && results_k <= 400;
            const enum mmk_type type = halves ? MMK_F16 : MMK_F32;
            const struct mmk_matrix x = {.rows = rows[r], .columns = d, .type = type};
            const struct mmk_matrix y = {.rows = columns, .columns = d, .type = type};
            const struct mmk_search_problem problem = {
                .x = &x, .y = &y, .without_codes = i % 2 == 0};
            const struct mmk_search_results results = {
                .for_x = &(struct mmk_topk_results){.k = results_k, .values = &nothing}};
            struct mmk_workspace_bytes bytes;
            const struct mmk_options options = {.threads = 1, .query = &bytes};
            assert_int_equal(mmk_search(&problem, &results, &options), MMK_OK);
            /* beside it stands the work of one selection at a time, some 64 bytes a result */
            double said = memory_of_search(rows[r], columns, d, results_k, codes, halves) +
                          64 * (double)results_k + 65536;
            assert_true((double)bytes.least < 1.1 * said);
            assert_true((double)bytes.least > 0.3 * said);
        }
}

/* Blocks that are full to their last element, in a workspace of all there is for it but a few
 * bytes, at any address: what is kept there ends where the workspace does, or is not kept. */
static void kept_blocks_end_in_time(void **state)
{
    (void)state;
    enum { ROWS = 84, COLUMNS = 672, D = 2, ALIGNMENT = 64, CANARY = 0x5a };
    static float x[ROWS * D], y[COLUMNS * D], dx[ROWS * D], right[ROWS * D];
    for (size_t e = 0; e < COLUMNS * D; e++)
        y[e] = (float)(e * 7 % 31) / 32;
    for (size_t e = 0; e < ROWS * D; e++)
        x[e] = (float)(e * 5 % 23) / 32;
    const struct mmk_matrix rows = {.data = x, .rows = ROWS, .columns = D},
                            columns = {.data = y, .rows = COLUMNS, .columns = D};
    const struct mmk_infonce_problem problem = {.x = &rows, .y = &columns, .logit_scale = 1};
    struct mmk_matrix_out out = {.data = right, .rows = ROWS, .columns = D};
    float loss;
    const struct mmk_infonce_results wanted = {.loss = &loss, .dx = &out};
    struct mmk_workspace_bytes bytes;
    assert_int_equal(
        mmk_infonce(&problem, &wanted, &(struct mmk_options){.threads = 1, .query = &bytes}),
        MMK_OK);
    assert_int_equal(mmk_infonce(&problem, &wanted, NULL), MMK_OK);
    assert_true(bytes.all >= bytes.least + sizeof(float) * ROWS * COLUMNS);
    unsigned char *memory = aligned_alloc(ALIGNMENT, (bytes.all / ALIGNMENT + 4) * ALIGNMENT);
    assert_non_null(memory);
    out.data = dx;
    for (size_t at = 0; at < ALIGNMENT; at += 3)
        for (size_t less = 0; less <= ALIGNMENT; less++) {
            unsigned char *end = memory + at + bytes.all - less;
            memset(end, CANARY, ALIGNMENT);
            const struct mmk_options options = {
                .threads = 1, .workspace = memory + at, .workspace_bytes = bytes.all - less};
            assert_int_equal(mmk_infonce(&problem, &wanted, &options), MMK_OK);
            for (size_t i = 0; i < ALIGNMENT; i++)
                assert_int_equal(end[i], CANARY);
            assert_memory_equal(dx, right, sizeof right);
        }
    free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_all_overflows),       cmocka_unit_test(greatest_sizes_are_taken),
        cmocka_unit_test(threads_as_in_the_call),   cmocka_unit_test(nothing_to_do),
        cmocka_unit_test(rows_take_nothing),        cmocka_unit_test(search_takes_what_is_said),
        cmocka_unit_test(elements_have_their_size), cmocka_unit_test(kept_blocks_end_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
