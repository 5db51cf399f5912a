/* test_stats.c - medians, intervals, paired ratios and verdicts of the bench.
 * SPDX-License-Identifier: MIT
 */
#include "../../bench/base/stats.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-12 * (fabs(a) + fabs(b));
}

/* Uniform in (0, 1). */
static double uniform(uint64_t *state)
{
    return ((double)(stats_random(state) >> 11) + 0.5) * 0x1p-53;
}

static void test_median(void **state)
{
    (void)state;
    const double odd[] = {5, 1, 3}, even[] = {4, 1, 3, 2}, one[] = {7};
    assert_true(near(stats_estimate(odd, 3).median, 3));
    assert_true(near(stats_estimate(even, 4).median, 2.5));
    assert_true(near(stats_estimate(one, 1).median, 7));
    assert_true(odd[0] > odd[1]); /* the input keeps its order */
}

static void test_median_of_extremes_does_not_overflow(void **state)
{
    (void)state;
    const double huge[] = {1.7e308, 1.7e308};
    assert_true(near(stats_estimate(huge, 2).median, 1.7e308));
}

static void test_nothing(void **state)
{
    (void)state;
    struct estimate e = stats_estimate(NULL, 0);
    assert_int_equal(e.n, 0);
    assert_true(isnan(e.median));
    assert_true(e.coverage == 0.0);
}

static void test_void_samples_are_left_out(void **state)
{
    (void)state;
    const double some[] = {NAN, 2, NAN, 1, 3, NAN}, none[] = {NAN, NAN};
    struct estimate e = stats_estimate(some, 6);
    assert_int_equal(e.n, 3);
    assert_true(near(e.median, 2));
    assert_int_equal(stats_estimate(none, 2).n, 0);
}

/* Ranks and coverages from the tables of the binomial distribution (David and Nagaraja, Order
 * Statistics, section 7.1). */
static void test_interval_ranks(void **state)
{
    (void)state;
    static const struct {
        size_t n, rank;
        double coverage;
    } known[] = {{0, 0, 0.0},       {1, 1, 0.0},          {2, 1, 0.5},
                 {5, 1, 0.9375},    {6, 1, 0.96875},      {8, 1, 0.9921875},
                 {9, 2, 0.9609375}, {10, 2, 0.978515625}, {20, 6, 0.958610534667968750}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        double coverage;
        assert_int_equal(stats_interval_rank(known[i].n, 0.95, &coverage), known[i].rank);
        assert_true(fabs(coverage - known[i].coverage) < 1e-12);
    }
}

static void test_interval_of_large_n_does_not_underflow(void **state)
{
    (void)state;
    double coverage;
    size_t rank = stats_interval_rank(5000, 0.95, &coverage); /* 2^-5000 is no double */
    assert_true(coverage >= 0.95 && coverage < 0.953);
    assert_true(rank > 2425 && rank < 2436); /* 2500 - 1.96 sqrt(5000) / 2 = 2430.7 */
}

static void test_interval_is_made_of_samples(void **state)
{
    (void)state;
    double values[20];
    for (int i = 0; i < 20; i++)
        values[i] = 20 - i;
    struct estimate e = stats_estimate(values, 20);
    assert_true(near(e.low, 6) && near(e.high, 15) && near(e.median, 10.5));
}

/* The interval holds the true median as often as it says, for a skew distribution with outliers,
 * and is not wider than needed. */
static void test_coverage_by_simulation(void **state)
{
    (void)state;
    static const size_t sizes[] = {6, 9, 15, 41};
    const int trials = 20000;
    uint64_t random = 20240229;
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        int held = 0;
        double claimed = 0.0;
        for (int t = 0; t < trials; t++) {
            double values[41];
            for (size_t i = 0; i < sizes[s]; i++) {
                values[i] = -log(uniform(&random)); /* exponential: median log 2 */
                if (values[i] > 2.0)
                    values[i] *= 100.0;
            }
            struct estimate e = stats_estimate(values, sizes[s]);
            held += e.low <= log(2.0) && log(2.0) <= e.high;
            claimed = e.coverage;
        }
        double observed = (double)held / trials;
        assert_true(claimed >= 0.95);
        assert_true(fabs(observed - claimed) < 4.0 * sqrt(0.05 * 0.95 / trials));
    }
}

static void test_paired_ratio(void **state)
{
    (void)state;
    const double base[] = {2, 4, 8, 16, 32, 64}, ours[] = {1, 2, 4, 8, 16, 32};
    struct estimate e = stats_paired_ratio(base, ours, 6);
    assert_true(near(e.median, 2) && near(e.low, 2) && near(e.high, 2));
    assert_int_equal(e.n, 6);
    assert_int_equal(stats_compare(&e), COMPARISON_FASTER);
}

/* A drift of the machine that hits both alike drops out, though it is far larger than the
 * difference. */
static void test_paired_ratio_takes_out_drift(void **state)
{
    (void)state;
    double base[30], ours[30];
    uint64_t random = 7;
    for (int i = 0; i < 30; i++) {
        double machine = 1.0 + 5.0 * uniform(&random);
        base[i] = machine * (1.0 + 0.002 * uniform(&random));
        ours[i] = machine * 0.98;
    }
    struct estimate e = stats_paired_ratio(base, ours, 30);
    assert_true(e.low > 1.019 && e.high < 1.024);
}

static void test_ratio_and_its_inverse_agree(void **state)
{
    (void)state;
    const double a[] = {1, 5, 2, 8, 3, 9, 4, 4}, b[] = {2, 4, 6, 1, 3, 7, 5, 2};
    struct estimate there = stats_paired_ratio(a, b, 8), back = stats_paired_ratio(b, a, 8);
    assert_true(near(there.median, 1.0 / back.median));
    assert_true(near(there.low, 1.0 / back.high) && near(there.high, 1.0 / back.low));
}

static void test_ratio_drops_rounds_with_a_void_side(void **state)
{
    (void)state;
    const double a[] = {2, NAN, 2, 100, 2}, b[] = {1, 1, 1, NAN, 1};
    struct estimate e = stats_paired_ratio(a, b, 5);
    assert_int_equal(e.n, 3);
    assert_true(near(e.median, 2));
}

static void test_verdicts(void **state)
{
    (void)state;
    const struct estimate
        faster = {.median = 1.2, .low = 1.1, .high = 1.3, .coverage = 0.96, .n = 20},
        slower = {.median = 0.8, .low = 0.7, .high = 0.9, .coverage = 0.96, .n = 20},
        both = {.median = 1.01, .low = 0.99, .high = 1.03, .coverage = 0.96, .n = 20},
        edge = {.median = 1.1, .low = 1.0, .high = 1.2, .coverage = 0.96, .n = 20},
        few = {.median = 1.2, .low = 1.1, .high = 1.3, .coverage = 0.9375, .n = 5},
        none = {.median = 0, .low = 0, .high = 0, .coverage = 0, .n = 0};
    assert_int_equal(stats_compare(&faster), COMPARISON_FASTER);
    assert_int_equal(stats_compare(&slower), COMPARISON_SLOWER);
    assert_int_equal(stats_compare(&both), COMPARISON_INCONCLUSIVE);
    assert_int_equal(stats_compare(&edge), COMPARISON_INCONCLUSIVE);
    assert_int_equal(stats_compare(&few), COMPARISON_INCONCLUSIVE);
    assert_int_equal(stats_compare(&none), COMPARISON_NONE);
}

/* Two columns of the same speed are called different in no more than the 5 % that the interval
 * allows. */
static void test_equal_columns_are_inconclusive(void **state)
{
    (void)state;
    const int trials = 4000;
    int wrong = 0;
    uint64_t random = 99;
    for (int t = 0; t < trials; t++) {
        double a[21], b[21];
        for (int i = 0; i < 21; i++) {
            a[i] = 1.0 + 0.1 * uniform(&random);
            b[i] = 1.0 + 0.1 * uniform(&random);
        }
        struct estimate e = stats_paired_ratio(a, b, 21);
        wrong += stats_compare(&e) != COMPARISON_INCONCLUSIVE;
    }
    assert_true(wrong <= trials * 0.05 + 3.0 * sqrt(trials * 0.05));
}

static void test_shuffle_is_a_permutation_and_fair(void **state)
{
    (void)state;
    size_t order[6], first[6] = {0};
    uint64_t random = 3;
    for (int t = 0; t < 6000; t++) {
        unsigned seen = 0;
        stats_shuffle(6, order, &random);
        for (int i = 0; i < 6; i++)
            seen |= 1u << order[i];
        assert_int_equal(seen, 63);
        first[order[0]]++;
    }
    for (int i = 0; i < 6; i++)
        assert_in_range(first[i], 880, 1120);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_median),
        cmocka_unit_test(test_median_of_extremes_does_not_overflow),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_void_samples_are_left_out),
        cmocka_unit_test(test_interval_ranks),
        cmocka_unit_test(test_interval_of_large_n_does_not_underflow),
        cmocka_unit_test(test_interval_is_made_of_samples),
        cmocka_unit_test(test_coverage_by_simulation),
        cmocka_unit_test(test_paired_ratio),
        cmocka_unit_test(test_paired_ratio_takes_out_drift),
        cmocka_unit_test(test_ratio_and_its_inverse_agree),
        cmocka_unit_test(test_ratio_drops_rounds_with_a_void_side),
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_equal_columns_are_inconclusive),
        cmocka_unit_test(test_shuffle_is_a_permutation_and_fair),
    };
    return cmocka_run_group_tests_name("stats", tests, NULL, NULL);
}
