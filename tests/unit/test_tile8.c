/* test_tile8.c - matrices of rows of int8: the bits of pairs, and cosines near a number half way
 * between two floats.
 * SPDX-License-Identifier: MIT
 */
#include "../../kernels/isa/isa.h"
#include "../../kernels/tile8/tile8.h"
#include "../../ref/cases.h"
#include "matrix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *const rows_of_tables[] = {
    "scalar", "avx2:base", "avx2:vnni", "avx512:base", "avx512:vnni", "neon:base", "neon:dotprod"};
enum { TABLES = sizeof rows_of_tables / sizeof rows_of_tables[0] };

/* ---- Cosines near a half --------------------------------------------------------------------- */

/* Rows and columns of one square each, s and 4 s, and products whose cosine is an odd number above
 * 2^24, half way between two floats: root and quotient are exact then, and inverses of roots are
 * not. */
static void cosines_near_a_half(void **state)
{
    (void)state;
    size_t tables = 0, wrong_by_inverses = 0;
    for (size_t t = 0; t < TABLES; t++) {
        enum mmk_status status;
        const struct isa_row *row = isa_named_row("test", rows_of_tables[t], &status);
        if (row == NULL)
            continue;
        tables++;
        const struct tile8_ops *tile = row->tile8;
        double x_factor[TILE8_MAX_MR], x_square[TILE8_MAX_MR];
        double y_factor[TILE8_PANEL], y_square[TILE8_PANEL];
        int32_t c[TILE8_MAX_MR * TILE8_PANEL];
        float got[TILE8_MAX_MR * TILE8_PANEL];
        for (int32_t s = 2; s < 60; s++)
            for (size_t cols = 1; cols <= TILE8_PANEL; cols += 31) {
                const struct int8_side left = int8_side(-0.5f, s), right = int8_side(3.0f, 4 * s);
                for (size_t r = 0; r < tile->mr; r++)
                    tile8_know(MMK_COSINE, true, left, &x_factor[r], &x_square[r]);
                for (size_t j = 0; j < TILE8_PANEL; j++)
                    tile8_know(MMK_COSINE, false, right, &y_factor[j], &y_square[j]);
                for (size_t i = 0; i < tile->mr * TILE8_PANEL; i++)
                    c[i] = i % 5 == 0 ? 2 * s * ((1 << 24) + 2 * (int32_t)(i % 64) + 1)
                                      : (int32_t)(i * i);
                memset(got, 0, sizeof got);
                const struct tile8_side x = {x_factor, x_square}, y = {y_factor, y_square};
                if ((int64_t)2 * s * ((1 << 24) + 129) > INT32_MAX)
                    continue;
                tile->finish[MMK_COSINE](tile->mr, cols, c, &x, &y, got, TILE8_PANEL);
                for (size_t r = 0; r < tile->mr; r++)
                    for (size_t j = 0; j < cols; j++) {
                        size_t i = r * TILE8_PANEL + j;
                        float right_one = int8_cosine_of(c[i], &left, &right);
                        assert_memory_equal(&got[i], &right_one, sizeof right_one);
                        wrong_by_inverses += (float)(x_factor[r] * y_factor[j] * c[i]) != right_one;
                    }
                for (size_t r = 0; r < tile->mr; r++)
                    for (size_t j = cols; j < TILE8_PANEL; j++)
                        assert_true(got[r * TILE8_PANEL + j] == 0);
            }
    }
    assert_true(tables > 0);
    assert_true(wrong_by_inverses > 0);
}

/* ---- The bits of pairs ----------------------------------------------------------------------- */

enum { M = 29, N = 67, D_MOST = 300 };

static int8_t codes_x[M * D_MOST], codes_y[N * D_MOST];
static float scales_x[M], scales_y[N];

static void fill_rows(void)
{
    for (size_t i = 0; i < sizeof codes_x; i++)
        codes_x[i] = (int8_t)fill_hash(1, i);
    for (size_t i = 0; i < sizeof codes_y; i++)
        codes_y[i] = (int8_t)fill_hash(2, i);
    memcpy(codes_y, codes_x, D_MOST);
    memset(codes_x + D_MOST, -128, D_MOST);
    memset(codes_y + D_MOST, -128, D_MOST);
    memset(codes_x + 2 * D_MOST, 0, D_MOST);
    static const float scales[] = {1, -0.25f, 3e20f, 1e-30f, 0, -0.0f, NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < M; i++)
        scales_x[i] = i < 9 ? scales[i] : (float)fill_normal(3, i);
    for (size_t j = 0; j < N; j++)
        scales_y[j] = j < 18 ? scales[j % 9] : (float)fill_normal(4, j);
}

static void matrix_has_the_bits_of_pairs(void **state)
{
    (void)state;
    static const size_t dims[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 31, 33, 63, 64, 65, 127, 130, 300};
    static float result[M * N];
    static int32_t products[M * N];
    fill_rows();
    for (size_t t = 0; t < TABLES; t++) {
        if (mmk_isa_use(rows_of_tables[t]) != MMK_OK)
            continue;
        for (size_t i = 0; i < sizeof dims / sizeof dims[0]; i++) {
            size_t d = dims[i];
            struct mmk_matrix x = *MATRIX_AT(codes_x, M, d, D_MOST);
            struct mmk_matrix y = *MATRIX_AT(codes_y, N, d, D_MOST);
            x.type = y.type = MMK_I8;
            struct mmk_matrix_out integers = *MATRIX_OUT_AT(products, M, N, 0);
            integers.type = MMK_I32;
            assert_int_equal(mmk_similarity_matrix(MMK_DOT, &x, &y, &integers, NULL), MMK_OK);
            for (size_t e = 0; e < M * N; e++) {
                int32_t right;
                assert_int_equal(
                    mmk_dot_pair_i8(d, codes_x + e / N * D_MOST, codes_y + e % N * D_MOST, &right),
                    MMK_OK);
                assert_int_equal(products[e], right);
            }
            x.row_scales = scales_x;
            y.row_scales = scales_y;
            for (int similarity = 0; similarity < MMK_SIMILARITY_COUNT; similarity++) {
                const enum mmk_similarity s = (enum mmk_similarity)similarity;
                assert_int_equal(
                    mmk_similarity_matrix(s, &x, &y, MATRIX_OUT_AT(result, M, N, 0), NULL), MMK_OK);
                for (size_t e = 0; e < M * N; e++) {
                    float right;
                    assert_int_equal(
                        mmk_similarity_pair_i8(s, d, codes_x + e / N * D_MOST, scales_x[e / N],
                                               codes_y + e % N * D_MOST, scales_y[e % N], &right),
                        MMK_OK);
                    assert_memory_equal(&result[e], &right, sizeof right);
                }
            }
        }
    }
    assert_int_equal(mmk_isa_use(NULL), MMK_OK);
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static size_t least_workspace(size_t m, size_t n, size_t d)
{
    struct mmk_workspace_bytes bytes = {1, 1};
    struct mmk_matrix x = *MATRIX_AT(NULL, m, d, 0), y = *MATRIX_AT(NULL, n, d, 0);
    x.type = y.type = MMK_I8;
    assert_int_equal(mmk_similarity_matrix(MMK_COSINE, &x, &y, MATRIX_OUT_AT(NULL, m, n, 0),
                                           &(struct mmk_options){.threads = 2, .query = &bytes}),
                     MMK_OK);
    assert_int_equal(bytes.all, bytes.least);
    return bytes.least;
}

/* What mmk.h says: copies of rows that are packed at a time, whatever m and n. */
static void memory_is_that_of_packing(void **state)
{
    (void)state;
    for (size_t t = 0; t < TABLES; t++) {
        if (mmk_isa_use(rows_of_tables[t]) != MMK_OK)
            continue;
        const size_t most = (strcmp(rows_of_tables[t], "avx2:base") == 0 ||
                                     strcmp(rows_of_tables[t], "avx512:base") == 0
                                 ? 2
                                 : 1) *
                                1000 +
                            20;
        assert_int_equal(least_workspace(2, 100000, 1000), 0);
        assert_int_equal(least_workspace(0, 100000, 1000), 0);
        assert_int_equal(least_workspace(100000, 0, 1000), 0);
        assert_true(least_workspace(100, 1000, 1000) < (112 + 1024) * most + 4096);
        assert_true(least_workspace(100000, 100000, 1000) < (4200 + 1344) * most + 4096);
    }
    assert_int_equal(mmk_isa_use(NULL), MMK_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cosines_near_a_half),
        cmocka_unit_test(matrix_has_the_bits_of_pairs),
        cmocka_unit_test(memory_is_that_of_packing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
