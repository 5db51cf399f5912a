/* test_forms.c - ways to call that the trials of mmk-check do not take.
 * SPDX-License-Identifier: MIT
 *
 * Outputs left out, in place, one matrix twice, a leading dimension left out, logits so large that
 * each softmax picks one.
 */
#include "../../kernels/isa/isa.h"
#include "../../kernels/pair/pair.h"
#include "../../ref/cases.h"
#include "matrix.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* Calls test() once for every instruction set that runs here. */
static void on_every_isa(void (*test)(void))
{
    for (int isa = 0; isa < MMK_ISA_COUNT; isa++)
        if (mmk_isa_usable((enum mmk_isa)isa) == MMK_OK) {
            assert_int_equal(mmk_isa_use(mmk_isa_name((enum mmk_isa)isa)), MMK_OK);
            test();
        }
    assert_int_equal(mmk_isa_use(NULL), MMK_OK);
}

static void fill_floats(float *v, size_t count, uint64_t stream)
{
    for (size_t e = 0; e < count; e++)
        v[e] = (float)fill_normal(stream, e);
}

/* ---- Top-k with an output left out ----------------------------------------------------------- */

static void select_first(size_t m, size_t n, const float *scores, size_t k, float *values,
                         uint32_t *indices, size_t *count)
{
    const struct mmk_topk_results results = {
        .k = k, .values = values, .indices = indices, .count = count};
    assert_int_equal(mmk_topk(MATRIX_AT(scores, m, n, 0), &results, NULL), MMK_OK);
}

static void topk_parts(void)
{
    enum { N = 5000, K = 700 };
    static float scores[N], values[K], only_values[K];
    static uint32_t indices[K], only_indices[K];
    fill_floats(scores, N, 11);
    for (size_t e = 0; e < N; e += 7)
        scores[e] = scores[0];
    static const size_t ns[] = {1, 20, 300, N};
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 1; k <= K; k = k * 3 + 1) {
            size_t n = ns[i], count, expected = k < n ? k : n;
            memset(only_values, 0, sizeof only_values);
            memset(only_indices, 0, sizeof only_indices);
            select_first(1, n, scores, k, values, indices, &count);
            assert_int_equal(count, expected);
            select_first(1, n, scores, k, only_values, NULL, NULL);
            select_first(1, n, scores, k, NULL, only_indices, &count);
            assert_int_equal(count, expected);
            assert_memory_equal(values, only_values, expected * sizeof *values);
            assert_memory_equal(indices, only_indices, expected * sizeof *indices);
        }
    size_t n = 1000, m = 5, k = 20, count;
    float row_values[5 * 20];
    uint32_t row_indices[5 * 20];
    select_first(m, n, scores, k, row_values, NULL, NULL);
    select_first(m, n, scores, k, NULL, row_indices, &count);
    for (size_t i = 0; i < m; i++) {
        select_first(1, n, scores + i * n, k, values, indices, NULL);
        assert_memory_equal(values, row_values + i * k, k * sizeof *values);
        assert_memory_equal(indices, row_indices + i * k, k * sizeof *indices);
    }
}

static void topk_without_values_or_indices(void **state)
{
    (void)state;
    on_every_isa(topk_parts);
}

/* ---- In place, and one matrix as both -------------------------------------------------------- */

static void normalize_both_ways(void)
{
    enum { M = 6, D = 131, LD = 135 };
    float x[M * LD], out[M * LD];
    fill_floats(x, M * LD, 12);
    memset(x + LD, 0, D * sizeof *x);
    memcpy(out, x, sizeof x);
    assert_int_equal(mmk_normalize_rows(MATRIX_AT(x, M, D, LD), MATRIX_OUT_AT(out, M, D, LD)),
                     MMK_OK);
    assert_int_equal(mmk_normalize_rows(MATRIX_AT(x, M, D, LD), MATRIX_OUT_AT(x, M, D, LD)),
                     MMK_OK);
    assert_memory_equal(x, out, sizeof x);
}

static void normalize_in_place(void **state)
{
    (void)state;
    on_every_isa(normalize_both_ways);
}

static void exp_both_ways(void)
{
    enum { N = 200 };
    static float x[N], y[N], in_place[N];
    fill_floats(x, N, 17);
    for (size_t n = 0; n <= N; n++) {
        memcpy(in_place, x, sizeof x);
        memcpy(y, x, sizeof x);
        assert_int_equal(mmk_exp(n, x, y), MMK_OK);
        assert_int_equal(mmk_exp(n, in_place, in_place), MMK_OK);
        assert_memory_equal(y, in_place, sizeof y);
    }
}

static void exp_in_place(void **state)
{
    (void)state;
    on_every_isa(exp_both_ways);
}

static void self_similarity(void)
{
    enum { M = 37, D = 50 };
    static float x[M * D], copy[M * D], once[M * M], twice[M * M];
    fill_floats(x, M * D, 13);
    memcpy(copy, x, sizeof x);
    for (int s = 0; s < MMK_SIMILARITY_COUNT; s++) {
        enum mmk_similarity similarity = (enum mmk_similarity)s;
        assert_int_equal(mmk_similarity_matrix(similarity, MATRIX_AT(x, M, D, 0),
                                               MATRIX_AT(x, M, D, 0), MATRIX_OUT_AT(once, M, M, 0),
                                               NULL),
                         MMK_OK);
        assert_int_equal(mmk_similarity_matrix(similarity, MATRIX_AT(x, M, D, 0),
                                               MATRIX_AT(copy, M, D, 0),
                                               MATRIX_OUT_AT(twice, M, M, 0), NULL),
                         MMK_OK);
        assert_memory_equal(once, twice, sizeof once);
        for (size_t i = 0; i < M; i++) {
            assert_true(similarity != MMK_NEG_SQ_L2 || once[i * M + i] == 0);
            for (size_t j = 0; j < M; j++) /* symmetric in every bit */
                assert_true(once[i * M + j] == once[j * M + i]);
        }
    }
}

static void matrix_with_itself(void **state)
{
    (void)state;
    on_every_isa(self_similarity);
}

/* A query's results have the bits of pairs, with the squared norms given or not. */
static void query_and_pairs(void)
{
    enum { N = 19, D = 300 };
    static float x[D], y[N * D], norms[N], result[N], given[N];
    fill_floats(x, D, 14);
    fill_floats(y, N * D, 15);
    memset(y + 3 * D, 0, D * sizeof *y); /* rows whose norms are not safe */
    y[5 * D] = NAN;
    y[7 * D] = 1e30f;
    for (int s = 0; s < MMK_SIMILARITY_COUNT; s++)
        for (size_t d = 0; d <= D; d += d < 140 ? 1 : 31) {
            enum mmk_similarity similarity = (enum mmk_similarity)s;
            assert_int_equal(mmk_squared_norms(MATRIX_AT(y, N, d, D), norms), MMK_OK);
            assert_int_equal(
                mmk_similarity_query(similarity, x, MATRIX_AT(y, N, d, D), NULL, result), MMK_OK);
            assert_int_equal(
                mmk_similarity_query(similarity, x, MATRIX_AT(y, N, d, D), norms, given), MMK_OK);
            assert_memory_equal(given, result, sizeof result);
            for (size_t j = 0; j < N; j++) {
                float pair;
                assert_int_equal(mmk_similarity_pair(similarity, d, x, y + j * D, &pair), MMK_OK);
                assert_memory_equal(&pair, &result[j], sizeof pair);
            }
        }
}

static void query_has_the_bits_of_pairs(void **state)
{
    (void)state;
    on_every_isa(query_and_pairs);
}

/* Rows have the bits of pairs, for any number of threads: few of them, and more than count as
 * near. */
static void rows_and_pairs(void)
{
    enum { FEW = 19, MANY = 1500, D = 400, LDY = D + 3 };
    static_assert(2 * MANY * D * sizeof(float) > PAIR_FAR_BYTES, "rows that come from memory");
    static float x[MANY * D], y[MANY * LDY], result[MANY];
    fill_floats(x, (size_t)MANY * D, 23);
    fill_floats(y, (size_t)MANY * LDY, 24);
    memset(y + 3 * LDY, 0, D * sizeof *y); /* rows whose norms are not safe */
    x[5 * D] = NAN;
    y[7 * LDY] = 1e30f;
    y[8 * LDY] = -INFINITY;
    memcpy(y + 9 * LDY, x + 9 * D, D * sizeof *y);
    for (int s = 0; s < MMK_SIMILARITY_COUNT; s++)
        for (size_t d = 0; d <= D; d += d < 140 ? 1 : 26)
            for (int threads = 1; threads <= 3; threads++) {
                enum mmk_similarity similarity = (enum mmk_similarity)s;
                size_t m = d == D ? MANY : FEW;
                memset(result, 0xa5, sizeof result);
                assert_int_equal(mmk_similarity_rows(similarity, MATRIX_AT(x, m, d, D),
                                                     MATRIX_AT(y, m, d, LDY), result,
                                                     &(struct mmk_options){.threads = threads}),
                                 MMK_OK);
                for (size_t i = 0; i < m; i++) {
                    float pair;
                    assert_int_equal(
                        mmk_similarity_pair(similarity, d, x + i * D, y + i * LDY, &pair), MMK_OK);
                    assert_memory_equal(&pair, &result[i], sizeof pair);
                }
            }
}

static void rows_have_the_bits_of_pairs(void **state)
{
    (void)state;
    on_every_isa(rows_and_pairs);
}

/* ---- Leading dimension 0 is the number of columns -------------------------------------------- */

static void contiguous_matrices(void)
{
    enum { M = 30, N = 41, D = 19, K = 5 };
    static float x[M * D], y[N * D], named[M * N], left_out[M * N], values[2][M * K], norms[2][N];
    static uint32_t indices[2][M * K];
    fill_floats(x, M * D, 21);
    fill_floats(y, N * D, 22);
    assert_int_equal(mmk_similarity_matrix(MMK_COSINE, MATRIX_AT(x, M, D, D), MATRIX_AT(y, N, D, D),
                                           MATRIX_OUT_AT(named, M, N, N), NULL),
                     MMK_OK);
    assert_int_equal(mmk_similarity_matrix(MMK_COSINE, MATRIX_AT(x, M, D, 0), MATRIX_AT(y, N, D, 0),
                                           MATRIX_OUT_AT(left_out, M, N, 0), NULL),
                     MMK_OK);
    assert_memory_equal(named, left_out, sizeof named);
    for (size_t by = 0; by < 2; by++) {
        const struct mmk_topk_results for_x = {
            .k = K, .values = values[by], .indices = indices[by], .leading_dimension = by ? K : 0};
        assert_int_equal(mmk_search(&(struct mmk_search_problem){.x = MATRIX_AT(x, M, D, by * D),
                                                                 .y = MATRIX_AT(y, N, D, by * D)},
                                    &(struct mmk_search_results){.for_x = &for_x}, NULL),
                         MMK_OK);
        assert_int_equal(mmk_squared_norms(MATRIX_AT(y, N, D, by * D), norms[by]), MMK_OK);
    }
    assert_memory_equal(values[0], values[1], sizeof values[0]);
    assert_memory_equal(indices[0], indices[1], sizeof indices[0]);
    assert_memory_equal(norms[0], norms[1], sizeof norms[0]);
}

static void leading_dimension_left_out(void **state)
{
    (void)state;
    on_every_isa(contiguous_matrices);
}

/* ---- Logits in the tens of thousands --------------------------------------------------------- */

/* Each column's softmax is 1 at its greatest logit, far above the next: dY_j is logit_scale/m times
 * the difference of that x and the positive's. It takes log-sum-exps and gradients that are made
 * from the very same logits, rounding by rounding. */
static void one_of_each_column(void)
{
    enum { ROWS = 60, DIM = 16 };
    static float x[ROWS * DIM], y[ROWS * DIM], dy[ROWS * DIM];
    size_t judged = 0;
    fill_floats(x, ROWS * DIM, 5);
    fill_floats(y, ROWS * DIM, 6);
    assert_int_equal(
        mmk_infonce(&(struct mmk_infonce_problem){.x = MATRIX_AT(x, ROWS, DIM, 0),
                                                  .y = MATRIX_AT(y, ROWS, DIM, 0),
                                                  .similarity = MMK_DOT,
                                                  .logit_scale = 3e4f,
                                                  .weight_y = 1},
                    &(struct mmk_infonce_results){.dy = MATRIX_OUT_AT(dy, ROWS, DIM, 0)}, NULL),
        MMK_OK);
    for (size_t j = 0; j < ROWS; j++) {
        double best = -(double)INFINITY, next = best;
        size_t at = 0;
        for (size_t i = 0; i < ROWS; i++) {
            double dot = 0;
            for (size_t k = 0; k < DIM; k++)
                dot += (double)x[i * DIM + k] * (double)y[j * DIM + k];
            if (dot > best) {
                next = best;
                best = dot;
                at = i;
            } else if (dot > next) {
                next = dot;
            }
        }
        if ((best - next) * 3e4 < 100)
            continue;
        judged++;
        for (size_t k = 0; k < DIM; k++) {
            double right = 3e4 / ROWS * ((double)x[at * DIM + k] - (double)x[j * DIM + k]);
            assert_true(fabs((double)dy[j * DIM + k] - right) <= 1e-6 * 3e4 / ROWS * 8);
        }
    }
    assert_true(judged > ROWS / 2);
}

static void large_logits(void **state)
{
    (void)state;
    on_every_isa(one_of_each_column);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(topk_without_values_or_indices),
        cmocka_unit_test(normalize_in_place),
        cmocka_unit_test(exp_in_place),
        cmocka_unit_test(matrix_with_itself),
        cmocka_unit_test(query_has_the_bits_of_pairs),
        cmocka_unit_test(rows_have_the_bits_of_pairs),
        cmocka_unit_test(leading_dimension_left_out),
        cmocka_unit_test(large_logits),
    };
    return cmocka_run_group_tests_name("forms", tests, NULL, NULL);
}
