/* test_topk.c - top-k of long rows that are no random ones is the first k of the sorted row.
 * SPDX-License-Identifier: MIT
 *
 * Rows for which a threshold found early is a bad one, and rows with hardly a threshold: sorted,
 * in runs, in one place of every vector, with equals, outliers, NaN and Inf. From one stretch of
 * the selection to several, and every instruction set of this machine.
 */
#include "../../kernels/mmk.h"
#include "../../ref/cases.h"
#include "../../ref/topk_ref.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum pattern {
    NORMAL,
    RISING,
    FALLING,
    EQUAL,
    ONE_GREATER,
    ONE_LESS,
    ALTERNATE,
    TEETH_SHORT,
    TEETH_LONG,
    ORGAN_PIPE,
    VALLEY,
    BLOCKS_RISE,
    SPIKES,
    ONE_LANE,
    ONE_BLOCK,
    LAST,
    DENORMAL,
    ALL_NAN,
    HALF_NAN_RISING,
    FEW_NUMBERS,
    HALF_INF,
    ALL_MINUS_INF,
    FEW_FINITE,
    ZEROS,
    ANY_BITS,
    OUTLIERS,
    ALL_INF_THEN_RISING,
    NAN_THEN_MINUS_INF,
    RANDOM_THEN_TIES,
    NEIGHBOURS,
    NEIGHBOURS_OF_ZERO,
    PATTERNS
};

static float bits_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float score(enum pattern pattern, size_t n, size_t j)
{
    float g = (float)fill_normal(3, j), up = (float)j;
    uint64_t h = fill_hash(4, j);
    switch (pattern) {
    case RISING:
        return up;
    case FALLING:
        return -up;
    case EQUAL:
        return 0.25f;
    case ONE_GREATER:
        return j == n - 2 ? 1.0f : 0.25f;
    case ONE_LESS:
        return j == 5 ? -1.0f : 0.25f;
    case ALTERNATE:
        return j % 2 ? 0.5f : 0.25f;
    case TEETH_SHORT:
        return (float)(j % 17);
    case TEETH_LONG:
        return (float)(j % (n / 3 + 1));
    case ORGAN_PIPE:
        return (float)(j < n / 2 ? j : n - j);
    case VALLEY:
        return -(float)(j < n / 2 ? j : n - j);
    case BLOCKS_RISE:
        return (float)(j / 256);
    case SPIKES:
        return j % 64 == 63 ? 10.0f + up : g;
    case ONE_LANE:
        return j % 16 == 3 ? g + 10.0f : g;
    case ONE_BLOCK:
        return j >= n / 3 && j < n / 3 + 1000 ? g + 20.0f : g;
    case LAST:
        return j + 100 >= n ? g + 20.0f : g;
    case DENORMAL:
        return bits_of((uint32_t)h & 0x807fffffu);
    case ALL_NAN:
        return NAN;
    case HALF_NAN_RISING:
        return j % 2 ? NAN : up;
    case FEW_NUMBERS:
        return h % n < 40 ? g : h % n < 60 ? -INFINITY : NAN;
    case HALF_INF:
        return h % 2 ? INFINITY : g;
    case ALL_MINUS_INF:
        return -INFINITY;
    case FEW_FINITE:
        return h % n < 40 ? g : h % n < 60 ? NAN : -INFINITY;
    case ZEROS:
        return h % 2 ? -0.0f : 0.0f;
    case ANY_BITS:
        return bits_of((uint32_t)h);
    case OUTLIERS:
        return j == n / 2 ? INFINITY : j == n / 3 ? -INFINITY : 1.0f + 1e-6f * g;
    case ALL_INF_THEN_RISING:
        return j < 99 ? INFINITY : up;
    case NAN_THEN_MINUS_INF:
        return j < 3 * (n / 4) ? NAN : -INFINITY;
    case RANDOM_THEN_TIES: /* above all before, where that was in a stretch of its own */
        return j > 2 * (n / 3) && j % 25 == 7 ? 100.0f : g;
    case NEIGHBOURS: /* a few floats with none between them, the greatest of them rare */
        return bits_of(0x3f800000u + (h % 100 == 0 ? 2 : (uint32_t)(h >> 32) % 2));
    case NEIGHBOURS_OF_ZERO:
        return (float)((int)(h % 5) - 2) * 0x1p-149f;
    default:
        return g;
    }
}

static void compare(const char *isa, size_t n, const float *scores, const uint32_t *order, size_t k)
{
    enum { K_MAX = 3000 };
    static float values[K_MAX];
    static uint32_t indices[K_MAX];
    const struct mmk_matrix row = {.data = scores, .rows = 1, .columns = n};
    const struct mmk_topk_results results = {.k = k, .values = values, .indices = indices};
    assert_true(k <= K_MAX && k <= n);
    assert_int_equal(mmk_isa_use(isa), MMK_OK);
    assert_int_equal(mmk_topk(&row, &results, NULL), MMK_OK);
    assert_memory_equal(indices, order, k * sizeof *order);
    for (size_t r = 0; r < k; r++) {
        float value = scores[order[r]];
        bool same =
            value == value ? memcmp(&values[r], &value, sizeof value) == 0 : values[r] != values[r];
        assert_true(same);
    }
}

static void is_sorted_row(void **state)
{
    (void)state;
    static const size_t ns[] = {1000, 25000, 70001, 400000}, ks[] = {1, 2, 10, 100, 1000, 3000};
    for (size_t i = 0; i < sizeof ns / sizeof ns[0]; i++) {
        size_t n = ns[i];
        float *scores = malloc(n * sizeof *scores);
        uint32_t *order = malloc(n * sizeof *order);
        assert_non_null(scores);
        assert_non_null(order);
        for (enum pattern pattern = 0; pattern < PATTERNS; pattern++) {
            for (size_t j = 0; j < n; j++)
                scores[j] = score(pattern, n, j);
            topk_ref_order(n, scores, order);
            for (enum mmk_isa isa = 0; mmk_isa_name(isa) != NULL; isa++)
                for (size_t k = 0; k < sizeof ks / sizeof ks[0]; k++)
                    if (mmk_isa_usable(isa) == MMK_OK && ks[k] <= n)
                        compare(mmk_isa_name(isa), n, scores, order, ks[k]);
        }
        free(scores);
        free(order);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(is_sorted_row)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
