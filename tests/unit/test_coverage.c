/* test_coverage.c - how many intervals of many runs hold, of runs that are made up.
 * SPDX-License-Identifier: MIT
 */
#include "../../bench/report/coverage.h"
#include "made_up.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { RUNS = 10, LAUNCHES = 8 };

/* What of a run differs from the others. */
struct kind {
    double slower;  /* avx2, the baseline not */
    double clock;   /* over that of the others; kernels keep to it */
    bool disturbed; /* in all rounds */
};

static void add_launch(struct run *run, size_t launch, const struct kind *kind)
{
    static const int quiet[MADE_UP_ROUNDS] = {1, 1, 1, 1}, disturbed[MADE_UP_ROUNDS] = {0, 0, 0, 0};
    struct run one;
    double spread = 1.0 + 0.01 * (double)(launch * 7 % 4);
    made_up_launch(&one, 2.0 * spread * kind->slower, 6.0 * spread,
                   kind->disturbed ? disturbed : quiet);
    made_up_clock(&one, kind->clock);
    assert_true(run_merge(run, &one.results[0], launch));
    run_free(&one);
}

static struct coverage_runs make_runs(const struct kind *kinds)
{
    static struct run runs[RUNS];
    for (size_t r = 0; r < RUNS; r++) {
        run_init(&runs[r]);
        runs[r].best = made_up_best;
        runs[r].best.clock = 1e9;
        for (size_t l = 0; l < LAUNCHES; l++)
            add_launch(&runs[r], l, &kinds[r]);
        runs[r].launches = LAUNCHES;
        run_judge(&runs[r]);
    }
    return (struct coverage_runs){.load = "none", .runs = runs, .count = RUNS};
}

static void free_runs(const struct coverage_runs *series)
{
    for (size_t r = 0; r < series->count; r++)
        run_free(&series->runs[r]);
}

static struct coverage count(const struct coverage_runs *series, enum figure figure)
{
    struct coverage held = {0};
    coverage_count(series, series->runs[0].results[0].order, "avx2", figure, &held);
    return held;
}

/* So many runs like the others, and then `rest` as the kind. */
static void make_kinds(struct kind *kinds, size_t rest, struct kind kind)
{
    for (size_t r = 0; r < RUNS; r++)
        kinds[r] = r < RUNS - rest ? (struct kind){.slower = 1.0, .clock = 1.0} : kind;
}

static void test_runs_that_are_alike_hold(void **state)
{
    (void)state;
    struct kind kinds[RUNS];
    make_kinds(kinds, 0, (struct kind){.slower = 1.0, .clock = 1.0});
    struct coverage_runs series = make_runs(kinds);
    for (int f = 0; f < FIGURES; f++) {
        struct coverage held = count(&series, (enum figure)f);
        assert_int_equal(held.rows, 1);
        assert_int_equal(held.intervals, RUNS);
        assert_int_equal(held.held, RUNS);
        assert_int_equal(held.unknown, 0);
        assert_true(held.width > 0.0 || f == FIGURE_SPEEDUP);
    }
    free_runs(&series);
}

static void test_runs_apart_do_not(void **state)
{
    (void)state;
    struct kind kinds[RUNS];
    make_kinds(kinds, 2, (struct kind){.slower = 1.1, .clock = 1.0});
    struct coverage_runs series = make_runs(kinds);
    for (int f = 0; f < FIGURES; f++)
        assert_int_equal(count(&series, (enum figure)f).held, RUNS - 2);
    free_runs(&series);
}

/* Another clock is another time on the wall, and no other time at the clock that is stated. */
static void test_clocks(void **state)
{
    (void)state;
    struct kind kinds[RUNS];
    make_kinds(kinds, 3, (struct kind){.slower = 1.0, .clock = 1.2});
    struct coverage_runs series = make_runs(kinds);
    assert_int_equal(count(&series, FIGURE_TIME).held, RUNS);
    assert_int_equal(count(&series, FIGURE_SHARE).held, RUNS);
    assert_int_equal(count(&series, FIGURE_SPEEDUP).held, RUNS);
    assert_int_equal(count(&series, FIGURE_MEASURED).held, RUNS - 3);
    free_runs(&series);
}

/* Runs without a quiet round have no interval; with few that have, nothing is known. */
static void test_few_intervals_are_unknown(void **state)
{
    (void)state;
    struct kind kinds[RUNS];
    for (size_t disturbed = 2; disturbed <= 3; disturbed++) {
        make_kinds(kinds, disturbed, (struct kind){.slower = 1.0, .clock = 1.0, .disturbed = true});
        struct coverage_runs series = make_runs(kinds);
        struct coverage held = count(&series, FIGURE_TIME);
        assert_int_equal(held.intervals, disturbed == 2 ? RUNS - 2 : 0);
        assert_int_equal(held.held, held.intervals);
        assert_int_equal(held.rows, disturbed == 2);
        assert_int_equal(held.unknown, disturbed == 3);
        free_runs(&series);
    }
}

static void test_launches_joined(void **state)
{
    (void)state;
    struct kind kinds[RUNS];
    make_kinds(kinds, 4, (struct kind){.slower = 1.5, .clock = 1.0});
    kinds[0].disturbed = true;
    struct coverage_runs series = make_runs(kinds);
    int order = series.runs[0].results[0].order;
    struct estimate e = coverage_joined_speedup(&series, 0, RUNS - 4, order, "avx2");
    assert_true(fabs(e.median - 3.0) < 1e-9);
    assert_int_equal(e.launches, (RUNS - 5) * LAUNCHES);
    e = coverage_joined_speedup(&series, RUNS - 4, RUNS, order, "avx2");
    assert_true(fabs(e.median - 2.0) < 1e-9);
    e = coverage_joined_speedup(&series, 0, 1, order, "avx2");
    assert_int_equal(e.n, 0);
    free_runs(&series);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs_that_are_alike_hold),
        cmocka_unit_test(test_runs_apart_do_not),
        cmocka_unit_test(test_clocks),
        cmocka_unit_test(test_few_intervals_are_unknown),
        cmocka_unit_test(test_launches_joined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
