/* test_cosine.c - how far beyond 1 a cosine can come: the bounds of mmk.h, and rows that reach for
 * them.
 * SPDX-License-Identifier: MIT
 *
 * u = 2^-24, c = ceil(d / 64). Matrix and search: the sum of squares in 64 lanes errs by (c + 7) u
 * at most, of which the square root leaves a half; it and the division round once, each element
 * once more: a row of length 1 is at most 1 + ((c + 7) / 2 + 3) u long, two of them multiplied
 * 1 + (c + 13) u. One chain of d fused multiply-adds errs by d u of the sum of magnitudes, whatever
 * d is (Jeannerod and Rump 2013: a rounding is no greater than what is added, either). Together
 *
 *     1 + (d + c + 13) u + second order <= 1 + (1.02 d + 16) u  up to d = 2^22.
 *
 * Pair and query: (c + 7) u in the product, as much in the root of two sums of squares, and four
 * roundings: 1 + (2 c + 18) u + second order <= 1 + (d / 30 + 24) u, c being at most d / 64 + 1.
 *
 * The rows that reach for it round up in every step. From a first square below 1 on, terms just
 * above 2^-25 count as 2^-24; once the sum has reached 1, terms just above 2^-24 count as 2^-23.
 * With twice as many of the first kind as of the second the sum is right at 1 when the first are
 * done, and ends (d - 1) / 3 units of 2^-23 above it: two thirds of d u.
 */
#include "../../kernels/mmk.h"
#include "matrix.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define U 0x1p-24

static double most_of_matrix(size_t d)
{
    return 1 + (1.02 * (double)d + 16) * U;
}

static double most_of_pair(size_t d)
{
    return 1 + ((double)d / 30 + 24) * U;
}

/* x.x is 1, and its chain rounds up; `above` is how far terms are above the half of a unit. */
static void fill_adverse(size_t d, double above, float *x)
{
    size_t late = (d - 1) / 3, early = d - 1 - late;
    double first = 1 - (double)early * 0x1p-25 * (1 + above) - (double)late * 0x1p-24 * (1 + above);
    x[0] = (float)sqrt(first);
    for (size_t k = 1; k < d; k++)
        x[k] = (float)sqrt((k <= early ? 0x1p-25 : 0x1p-24) * (1 + above));
}

static float matrix(size_t d, const float *x, const float *y)
{
    float result;
    assert_int_equal(mmk_similarity_matrix(MMK_COSINE, MATRIX_AT(x, 1, d, 0), MATRIX_AT(y, 1, d, 0),
                                           MATRIX_OUT_AT(&result, 1, 1, 0), NULL),
                     MMK_OK);
    return result;
}

static float search(size_t d, const float *x, const float *y)
{
    float result;
    uint32_t index;
    const struct mmk_search_problem problem = {
        .x = MATRIX_AT(x, 1, d, 0), .y = MATRIX_AT(y, 1, d, 0), .similarity = MMK_COSINE};
    assert_int_equal(
        mmk_search(&problem, &(struct mmk_search_results){.for_x = TOPK(1, &result, &index)}, NULL),
        MMK_OK);
    return result;
}

static float pair(size_t d, const float *x, const float *y)
{
    float result, of_query, of_rows;
    assert_int_equal(mmk_similarity_pair(MMK_COSINE, d, x, y, &result), MMK_OK);
    assert_int_equal(mmk_similarity_query(MMK_COSINE, x, MATRIX_AT(y, 1, d, 0), NULL, &of_query),
                     MMK_OK);
    assert_int_equal(mmk_similarity_rows(MMK_COSINE, MATRIX_AT(x, 1, d, 0), MATRIX_AT(y, 1, d, 0),
                                         &of_rows, NULL),
                     MMK_OK);
    assert_true(result == of_query && result == of_rows);
    return result;
}

static const size_t dims[] = {1, 2, 3, 64, 65, 100, 512, 768, 1000, 4096, 100003};
enum { DIMS = sizeof dims / sizeof dims[0] };

static float *row(size_t d)
{
    float *x = malloc(d * sizeof *x);
    assert_non_null(x);
    return x;
}

static void within(const char *name, size_t d, float cosine, double most)
{
    if (!(fabs((double)cosine) <= most))
        fail_msg("%s, d = %zu: %.9g, and at most %.9g is allowed", name, d, (double)cosine, most);
}

static void rows_that_round_up(void **state)
{
    (void)state;
    for (int i = 0; i < DIMS; i++) {
        size_t d = dims[i];
        float *x = row(d);
        double reached = 0;
        for (double above = 0x1p-22; above < 0.1; above *= 2) {
            fill_adverse(d, above, x);
            float cosine = matrix(d, x, x);
            within("matrix", d, cosine, most_of_matrix(d));
            assert_true(search(d, x, x) == cosine);
            within("pair", d, pair(d, x, x), most_of_pair(d));
            if ((double)cosine > reached)
                reached = (double)cosine;
            for (size_t k = 0; k < d; k++) /* and just as far below -1 */
                x[k] = -x[k];
            float *y = row(d);
            fill_adverse(d, above, y);
            assert_true(matrix(d, x, y) == -cosine);
            free(y);
        }
        printf("# d = %zu: %.1f ulp above 1, %.2f of the bound\n", d, (reached - 1) / (2 * U),
               (reached - 1) / (most_of_matrix(d) - 1));
        /* the bound is no idle one: more than half of it is reached */
        if (d >= 512)
            assert_true(reached - 1 > (most_of_matrix(d) - 1) / 2);
        free(x);
    }
}

/* Rows of one number, of random ones, and of another length: what is met in practice. */
static void equal_rows(void **state)
{
    (void)state;
    uint32_t random = 1;
    for (int i = 0; i < DIMS; i++) {
        size_t d = dims[i];
        float *x = row(d), *y = row(d);
        for (int kind = 0; kind < 40; kind++) {
            for (size_t k = 0; k < d; k++) {
                random = random * 1664525u + 1013904223u;
                x[k] = kind % 2 == 0 ? 1 : (float)(random >> 8) * 0x1p-24f - (kind % 4 == 1);
                y[k] = x[k] * (1 + (float)kind);
            }
            float cosine = matrix(d, x, y);
            within("matrix", d, cosine, most_of_matrix(d));
            assert_true(search(d, x, y) == cosine);
            within("pair", d, pair(d, x, y), most_of_pair(d));
        }
        free(x);
        free(y);
    }
}

/* Rows of any finite length: with elements of +-2^e all that is computed of a cosine of 64 elements
 * is exact, and e must not show, from denormal numbers to the greatest power of two. The rows of Y
 * are of all lengths at once. */
enum { EXACT = 64, LEAST = -149, LENGTHS = 127 + 149 + 1 };

static void fill_exact(float *x, int exponent, uint32_t signs)
{
    for (int k = 0; k < EXACT; k++)
        x[k] = ldexpf((signs >> (k % 24) & 1) != 0 ? -1 : 1, exponent);
}

static void all_are(const char *name, const float *v, size_t count, float right)
{
    for (size_t i = 0; i < count; i++)
        if (v[i] != right)
            fail_msg("%s: %.9g at %zu, right is %.9g", name, (double)v[i], i, (double)right);
}

static void lengths_do_not_show(void)
{
    static float x[LENGTHS * EXACT], y[LENGTHS * EXACT], out[LENGTHS * EXACT];
    float squares[LENGTHS], result[LENGTHS];
    const struct mmk_matrix *rows_x = MATRIX_AT(x, LENGTHS, EXACT, 0);
    const struct mmk_matrix *rows_y = MATRIX_AT(y, LENGTHS, EXACT, 0);
    for (int e = 0; e < LENGTHS; e++) {
        fill_exact(x + e * EXACT, e + LEAST, 0xabcdef);
        fill_exact(y + e * EXACT, e + LEAST, 0x00ff00);
    }
    float right;
    assert_int_equal(
        mmk_similarity_pair(MMK_COSINE, EXACT, x - LEAST * EXACT, y - LEAST * EXACT, &right),
        MMK_OK); /* of rows of 1 and -1 */
    assert_int_equal(mmk_squared_norms(rows_y, squares), MMK_OK);
    for (int e = 0; e < LENGTHS; e++) {
        const float *one = x + e * EXACT;
        assert_int_equal(mmk_similarity_query(MMK_COSINE, one, rows_y, NULL, result), MMK_OK);
        all_are("query", result, LENGTHS, right);
        assert_int_equal(mmk_similarity_query(MMK_COSINE, one, rows_y, squares, result), MMK_OK);
        all_are("query with norms", result, LENGTHS, right);
        assert_true(matrix(EXACT, one, y + (LENGTHS - 1 - e) * EXACT) == right);
    }
    assert_int_equal(mmk_similarity_rows(MMK_COSINE, rows_x, rows_y, result, NULL), MMK_OK);
    all_are("rows", result, LENGTHS, right);
    static float products[LENGTHS * LENGTHS];
    assert_int_equal(mmk_similarity_matrix(MMK_COSINE, rows_x, rows_y,
                                           MATRIX_OUT_AT(products, LENGTHS, LENGTHS, 0), NULL),
                     MMK_OK);
    all_are("matrix", products, LENGTHS * LENGTHS, right);
    assert_int_equal(mmk_normalize_rows(rows_x, MATRIX_OUT_AT(out, LENGTHS, EXACT, 0)), MMK_OK);
    for (int e = 0; e < LENGTHS * EXACT; e++)
        assert_true(out[e] == copysignf(0.125f, x[e]));
}

static void rows_of_any_finite_length(void **state)
{
    (void)state;
    for (int isa = 0; isa < MMK_ISA_COUNT; isa++)
        if (mmk_isa_use(mmk_isa_name((enum mmk_isa)isa)) == MMK_OK)
            lengths_do_not_show();
    assert_int_equal(mmk_isa_use(NULL), MMK_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_that_round_up),
        cmocka_unit_test(equal_rows),
        cmocka_unit_test(rows_of_any_finite_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
