/* test_f16.c - rows of 16 bits have the bits of the same rows as floats, on every instruction set.
 * SPDX-License-Identifier: MIT
 *
 * The rows are any bits (NaN, Inf, denormal numbers), or ordinary numbers with single ones of any
 * bits among them; ref/half.h widens them. All 65,536 are among them.
 */
#include "../../kernels/query/query.h"
#include "../../ref/half.h"
#include "matrix.h"
#include "noise.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { N = 48, D = 1100, GAP = 3, LONG_N = 3, LONG_D = QUERY_WIDE_ROW + 1 };
enum { ROOM = N * (D + GAP) > LONG_N *(LONG_D + GAP) ? N *(D + GAP) : LONG_N *(LONG_D + GAP) };

static uint16_t x[LONG_D], y[ROOM];
static float wide_x[LONG_D], wide_y[ROOM], got[ROOM], right[ROOM];
static uint64_t random_state = 20261129;

static size_t below(size_t most)
{
    return (size_t)(noise_uniform(&random_state) * (double)most);
}

static void widen(const uint16_t *halves, size_t count, bool is_f16, float *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = is_f16 ? half_from_f16(halves[i]) : half_from_bf16(halves[i]);
}

/* Of one row in four all elements are any bits, of one in four one is. */
static void fill(uint16_t *halves, size_t count, bool is_f16)
{
    size_t kind = below(4), one = count > 0 ? below(count) : 0;
    for (size_t i = 0; i < count; i++) {
        float value = (float)noise_normal(&random_state);
        bool any = kind == 0 || (kind == 1 && i == one);
        halves[i] = any      ? (uint16_t)below(65536)
                    : is_f16 ? half_to_f16(value)
                             : half_to_bf16(value);
    }
}

static void same(const char *what, size_t n, size_t d, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(&got[i], &right[i], sizeof got[i]) != 0)
            fail_msg("%s, %zu x %zu: [%zu] is %a (0x%08x), must be %a (0x%08x)", what, n, d, i,
                     (double)got[i], half_bits_of(got[i]), (double)right[i],
                     half_bits_of(right[i]));
}

static void check_queries(const char *isa, size_t n, size_t d, size_t ld)
{
    const struct mmk_matrix rows = {
        .data = y, .rows = n, .columns = d, .leading_dimension = ld, .type = MMK_F16};
    const struct mmk_matrix *wide_rows = MATRIX_AT(wide_y, n, d, ld);
    float norms[N];
    char what[80];
    assert_true(n <= N);
    assert_int_equal(mmk_squared_norms(&rows, got), MMK_OK);
    assert_int_equal(mmk_squared_norms(wide_rows, right), MMK_OK);
    snprintf(what, sizeof what, "%s, squared norms", isa);
    same(what, n, d, n);
    memcpy(norms, right, n * sizeof *norms);
    for (int s = 0; s < MMK_SIMILARITY_COUNT; s++) {
        enum mmk_similarity similarity = (enum mmk_similarity)s;
        snprintf(what, sizeof what, "%s, similarity %d", isa, s);
        assert_int_equal(mmk_similarity_query(similarity, wide_x, wide_rows, NULL, right), MMK_OK);
        assert_int_equal(mmk_similarity_query_f16(similarity, x, &rows, NULL, got), MMK_OK);
        same(what, n, d, n);
        assert_int_equal(mmk_similarity_query_f16(similarity, x, &rows, norms, got), MMK_OK);
        same(what, n, d, n);
        for (size_t j = 0; j < n; j++)
            assert_int_equal(mmk_similarity_pair_f16(similarity, d, x, y + j * ld, &got[j]),
                             MMK_OK);
        same(what, n, d, n);
    }
}

static void fill_rows(size_t n, size_t d, size_t ld, bool is_f16)
{
    fill(x, d, is_f16);
    widen(x, d, is_f16, wide_x);
    for (size_t j = 0; j < n; j++) {
        fill(y + j * ld, d, is_f16);
        widen(y + j * ld, d, is_f16, wide_y + j * ld);
    }
}

static void random_shapes(void **state)
{
    (void)state;
    static const size_t dims[] = {0, 1, 7, 8, 63, 64, 65, 127, 128, 129, 768, 1023, D};
    for (int isa = 0; isa < MMK_ISA_COUNT; isa++) {
        const char *name = mmk_isa_name((enum mmk_isa)isa);
        if (mmk_isa_use(name) != MMK_OK)
            continue;
        for (int trial = 0; trial < 60; trial++) {
            size_t d = trial % 3 == 0 ? dims[below(sizeof dims / sizeof dims[0])] : below(300);
            size_t n = below(N + 1), ld = d + below(GAP + 1);
            fill_rows(n, d, ld, true);
            check_queries(name, n, d, ld);
        }
        for (size_t d = LONG_D - 1; d <= LONG_D; d++) {
            fill_rows(LONG_N, d, d + 1, true);
            check_queries(name, LONG_N, d, d + 1);
        }
    }
    assert_int_equal(mmk_isa_use(NULL), MMK_OK);
}

/* Times 1, in every place of a vector and in tails, and against themselves. */
static void all_values(void **state)
{
    (void)state;
    for (int isa = 0; isa < MMK_ISA_COUNT; isa++) {
        const char *name = mmk_isa_name((enum mmk_isa)isa);
        if (mmk_isa_use(name) != MMK_OK)
            continue;
        for (size_t first = 0, d = 1; first < 65536; d = 1 + d % 37) {
            size_t n = N;
            memset(x, 0, sizeof x);
            x[first % d] = 0x3c00;
            for (size_t e = 0; e < n * d; e++)
                y[e] = (uint16_t)(first + e);
            widen(x, d, true, wide_x);
            widen(y, n * d, true, wide_y);
            check_queries(name, n, d, d);
            first += n * d;
        }
    }
    assert_int_equal(mmk_isa_use(NULL), MMK_OK);
}

static void normalized_rows(void **state)
{
    (void)state;
    for (int isa = 0; isa < MMK_ISA_COUNT; isa++) {
        const char *name = mmk_isa_name((enum mmk_isa)isa);
        if (mmk_isa_use(name) != MMK_OK)
            continue;
        for (int trial = 0; trial < 120; trial++) {
            bool is_f16 = trial % 2 == 0;
            size_t n = below(N + 1), d = trial < 4 ? D : below(150), ld = d + below(GAP + 1);
            fill_rows(n, d, ld, is_f16);
            const struct mmk_matrix rows = {.data = y,
                                            .rows = n,
                                            .columns = d,
                                            .leading_dimension = ld,
                                            .type = is_f16 ? MMK_F16 : MMK_BF16};
            assert_int_equal(mmk_normalize_rows(&rows, MATRIX_OUT_AT(got, n, d, 0)), MMK_OK);
            assert_int_equal(
                mmk_normalize_rows(MATRIX_AT(wide_y, n, d, ld), MATRIX_OUT_AT(right, n, d, 0)),
                MMK_OK);
            same(name, n, d, n * d);
        }
    }
    assert_int_equal(mmk_isa_use(NULL), MMK_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_shapes),
        cmocka_unit_test(all_values),
        cmocka_unit_test(normalized_rows),
    };
    return cmocka_run_group_tests_name("f16", tests, NULL, NULL);
}
