/* test_launch.c - launches of a run: how they are joined, when they are enough, and what is kept
 * from run to run.
 * SPDX-License-Identifier: MIT
 */
#include "../../bench/report/analysis.h"
#include "../../bench/results/undisturbed.h"
#include "made_up.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { ROUNDS = MADE_UP_ROUNDS };

static const int all_quiet[ROUNDS] = {1, 1, 1, 1}, none_quiet[ROUNDS] = {0, 0, 0, 0};

/* A run of so many launches; times spread over 3 percent. */
static void make_run(struct run *run, size_t launches, const int *quiet)
{
    run_init(run);
    run->best = made_up_best;
    for (size_t l = 0; l < launches; l++) {
        struct run launch;
        double slower = 1.0 + 0.01 * (double)(l * 7 % 4);
        made_up_launch(&launch, 2.0 * slower, 6.0 * slower, quiet);
        assert_true(run_merge(run, &launch.results[0], l));
        run_free(&launch);
    }
    run->launches = launches;
    run_judge(run);
}

static void analyse_avx2(const struct run *run, struct row *row)
{
    analyse(&run->results[0], result_find_column(&run->results[0], "avx2"), row);
}

static void test_launches_are_joined(void **state)
{
    (void)state;
    struct run run;
    struct row row;
    make_run(&run, 8, all_quiet);
    const struct result *result = &run.results[0];
    assert_int_equal(run.result_count, 1);
    assert_int_equal(result->rounds, 8 * ROUNDS);
    assert_int_equal(analyse_launches(result), 8);
    assert_int_equal(result->columns[1].run, 8 * ROUNDS);
    assert_int_equal(result->columns[1].voided[UNDISTURBED], 8 * ROUNDS);
    assert_int_equal(result->launch[ROUNDS], 1);
    assert_true(result->peak[PEAK_READ_L1][8 * ROUNDS - 1] == 1.0);
    analyse_avx2(&run, &row);
    assert_true(row.timed);
    assert_int_equal(row.seconds.launches, 8);
    assert_int_equal(row.seconds.n, 8 * ROUNDS);
    assert_true(row.seconds.low >= 2.0 && row.seconds.high <= 2.2);
    assert_true(row.seconds.coverage >= STATS_CONFIDENCE);
    assert_true(row.speedup.median > 2.999 && row.speedup.median < 3.001);
    assert_int_equal(row.comparison, COMPARISON_FASTER);
    assert_true(row.effective >= 1.0 && row.effective <= 8 * ROUNDS);
    run_free(&run);
}

/* A slower clock makes no slower kernel: times are stated at one clock, but for cases in memory. */
static void test_times_are_at_one_clock(void **state)
{
    (void)state;
    struct run run;
    struct row row;
    double median[3];
    for (int i = 0; i < 3; i++) {
        make_run(&run, 8, all_quiet);
        struct result *result = &run.results[0];
        for (size_t r = 0; r < result->rounds; r++) {
            double slower = i > 0 && r % 2 ? 0.97 : 1.0; /* every other round */
            for (size_t at = 2 * r; at < 2 * r + 2; at++)
                result->canary[at].rate[0] *= slower;
            for (size_t c = 0; c < result->column_count; c++)
                result->columns[c].seconds[r] /= slower;
        }
        result->level = i == 2 ? PEAK_READ_MEMORY : PEAK_READ_L1;
        result->clock = 0.0;
        run_judge(&run);
        assert_true(run.best.clock == 1e9);
        analyse_avx2(&run, &row);
        median[i] = row.seconds.median;
        /* Peaks, too, here of half the rounds at the greater clock. */
        double peak = analyse_peak(&run, PEAK_READ_L1, 1).median;
        assert_true(fabs(peak - (i == 1 ? 0.5 + 0.5 / 0.97 : 1.0)) < 1e-12);
        if (i == 2)
            break;
        run_state_at(&run, 2e9);
        assert_true(fabs(analyse_peak(&run, PEAK_READ_L1, 1).median - 2.0 * peak) < 1e-12);
        analyse_avx2(&run, &row);
        assert_true(fabs(row.seconds.median / median[i] - 0.5) < 1e-12);
        run_free(&run);
    }
    assert_true(fabs(median[1] / median[0] - 1.0) < 1e-12);
    assert_true(median[2] > 1.005 * median[0]);
    run_free(&run);
}

static void test_which_clock_is_stated(void **state)
{
    (void)state;
    struct mood_best best = {.clock = 0.0};
    mood_set_clock(&best); /* nothing is known */
    assert_true(best.clock == 0.0);
    best.rate[0] = 3.68e9;
    mood_set_clock(&best);
    assert_true(fabs(best.clock - 3.7e9) < 1.0);
    best.rate[0] = 4.25e9; /* another day */
    mood_set_clock(&best);
    assert_true(fabs(best.clock - 3.7e9) < 1.0);
    const double wrong[] = {(double)NAN, (double)INFINITY, -1.0, 1.0};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        best.clock = wrong[i];
        mood_set_clock(&best);
        assert_true(fabs(best.clock - 4.25e9) < 6e7);
    }
}

/* A variant that a launch had not, and a launch that brought nothing. */
static void test_what_a_launch_lacks_is_void(void **state)
{
    (void)state;
    struct run run, launch;
    struct row row;
    make_run(&run, 6, all_quiet);
    made_up_launch(&launch, 2.0, 6.0, all_quiet);
    launch.results[0].column_count = 1;
    assert_true(run_merge(&run, &launch.results[0], 6));
    launch.results[0].column_count = 2;
    launch.results[0].rounds = 0;
    assert_true(run_merge(&run, &launch.results[0], 7));
    run_free(&launch);
    run_judge(&run);
    assert_int_equal(analyse_launches(&run.results[0]), 7);
    analyse_avx2(&run, &row);
    assert_int_equal(row.seconds.launches, 6);
    assert_int_equal(row.seconds.n, 6 * ROUNDS);
    run_free(&run);
}

static void test_few_launches_have_no_interval(void **state)
{
    (void)state;
    struct run run;
    struct row row;
    make_run(&run, 5, all_quiet);
    analyse_avx2(&run, &row);
    assert_true(row.timed);
    assert_true(isinf(row.seconds.high));
    assert_int_equal(row.comparison, COMPARISON_INCONCLUSIVE);
    assert_int_equal(analyse_until(&row, 100.0), UNTIL_TIME);
    run_free(&run);
}

/* Disturbed rounds stand beside the quiet ones, and those that changed count as neither. */
static void test_figures_are_of_quiet_rounds(void **state)
{
    (void)state;
    static const int mixed[ROUNDS] = {1, 0, -1, 1};
    struct run run;
    struct row row;
    make_run(&run, 8, mixed);
    struct result *result = &run.results[0];
    for (size_t r = 0; r < result->rounds; r++)
        if (mixed[r % ROUNDS] != 1)
            result->columns[1].seconds[r] *= mixed[r % ROUNDS] == 0 ? 2.0 : 100.0;
    analyse_avx2(&run, &row);
    assert_int_equal(analyse_quiet(result), 16);
    assert_int_equal(row.seconds.n, 16);
    assert_true(row.seconds.high < 2.2);
    assert_int_equal(row.disturbed.n, 8);
    assert_true(row.disturbed.median > 3.9 && row.disturbed.median < 4.2);
    assert_true(row.speedup.median > 2.999 && row.speedup.median < 3.001);
    run_free(&run);
}

static void test_without_quiet_rounds_nothing_is_claimed(void **state)
{
    (void)state;
    struct run run;
    struct row row;
    make_run(&run, 8, none_quiet);
    analyse_avx2(&run, &row);
    assert_false(row.timed);
    assert_int_equal(row.speedup.n, 0);
    assert_int_equal(row.comparison, COMPARISON_NONE);
    assert_false(row.bounded);
    assert_int_equal(strncmp(row.why, "disturbed: 2.0", 14), 0);
    struct tally tally = analyse_tally(&run);
    assert_int_equal(tally.disturbed, 2);
    assert_int_equal(tally.timed, 0);
    assert_false(analyse_done(&run.results[0], 1.0));
    run_free(&run);
}

/* With several threads no canary is read. */
static void test_without_canaries_all_rounds_count(void **state)
{
    (void)state;
    struct run run;
    struct row row;
    make_run(&run, 8, NULL);
    assert_null(run.results[0].mood);
    analyse_avx2(&run, &row);
    assert_true(row.timed);
    assert_int_equal(row.seconds.n, 8 * ROUNDS);
    run_free(&run);
}

static void test_over_a_peak_is_counted(void **state)
{
    (void)state;
    struct run run;
    struct row row;
    make_run(&run, 8, all_quiet);
    struct result *result = &run.results[0];
    analyse_avx2(&run, &row);
    assert_false(row.over);
    for (size_t r = 0; r < result->rounds; r++)
        result->columns[1].seconds[r] /= 2.5; /* 1 byte in 0.8 s and a little more */
    analyse_avx2(&run, &row);
    assert_true(row.over && row.bug);
    struct tally tally = analyse_tally(&run);
    assert_int_equal(tally.over, 1);
    assert_string_equal(tally.greatest.column->variant, "avx2");
    assert_true(tally.greatest.share.median > 1.2);
    /* The same of a level that is shared is no bug, but said. */
    result->level = PEAK_READ_L3;
    for (size_t r = 0; r < result->rounds; r++)
        result->peak[PEAK_READ_L3][r] = 1.0;
    analyse_avx2(&run, &row);
    assert_true(row.over && !row.bug);
    assert_int_equal(analyse_tally(&run).over, 1);
    run_free(&run);
}

static void test_when_a_row_is_done(void **state)
{
    (void)state;
    struct run run;
    struct row row;
    make_run(&run, 8, all_quiet); /* times spread over 3 % */
    analyse_avx2(&run, &row);
    assert_int_equal(analyse_until(&row, 5.0), UNTIL_PRECISE);
    assert_int_equal(analyse_until(&row, 0.01), UNTIL_TIME);
    assert_true(analyse_done(&run.results[0], 5.0));
    assert_false(analyse_done(&run.results[0], 0.01));
    run_free(&run);
    make_run(&run, 16, all_quiet);
    struct result *result = &run.results[0];
    for (size_t r = 0; r < result->rounds; r++) { /* the second half is as wide by itself */
        double drift = r < result->rounds / 2 ? 1.0 : 1.2;
        result->columns[0].seconds[r] *= drift * drift;
        result->columns[1].seconds[r] *= drift;
    }
    analyse_avx2(&run, &row);
    assert_true(row.no_narrower);
    assert_int_equal(analyse_until(&row, 0.01), UNTIL_NO_NARROWER);
    run_free(&run);
}

static void remove_undisturbed(const char *dir)
{
    char path[300];
    snprintf(path, sizeof path, "%s/cpu/undisturbed.json", dir);
    unlink(path);
    snprintf(path, sizeof path, "%s/cpu/clock.json", dir);
    unlink(path);
    snprintf(path, sizeof path, "%s/cpu", dir);
    rmdir(path);
    rmdir(dir);
}

static void test_undisturbed_is_kept(void **state)
{
    (void)state;
    char dir[] = "/tmp/test-launch-XXXXXX", error[512] = "";
    assert_non_null(mkdtemp(dir));
    struct mood_best none = {.rate = {0.0}};
    struct mood_best best = {.rate = {4e9, 6.0, 8.0, 100.0}, .clock = 4e9};
    struct mood_best worse = {.rate = {5e9, 5.0, 9.0, 90.0}};
    assert_true(undisturbed_load(&none, dir, "cpu", error, sizeof error));
    for (int c = 0; c < CANARY_COUNT; c++)
        assert_true(none.rate[c] == 0.0);
    assert_true(undisturbed_save(&best, dir, "cpu", error, sizeof error));
    assert_true(undisturbed_save(&worse, dir, "cpu", error, sizeof error));
    assert_true(undisturbed_load(&none, dir, "cpu", error, sizeof error));
    assert_true(none.rate[0] == 0.0 && none.clock == 4e9); /* the clock itself is not kept */
    assert_true(none.rate[1] == 6.0 && none.rate[2] == 9.0 && none.rate[3] == 100.0);
    struct mood_best higher = {.rate = {0.0, 7.0, 0.0, 0.0}};
    assert_true(undisturbed_load(&higher, dir, "cpu", error, sizeof error));
    assert_true(higher.clock == 4e9);
    higher.clock = 4.5e9; /* not what times were stated at before */
    assert_true(undisturbed_save(&higher, dir, "cpu", error, sizeof error));
    assert_true(undisturbed_load(&none, dir, "cpu", error, sizeof error));
    assert_true(none.clock == 4e9 && none.rate[1] == 7.0);
    /* What stands beside results wins, and is written once. */
    higher.clock = 3.5e9;
    assert_true(undisturbed_save_clock(&higher, dir, "cpu", error, sizeof error));
    higher.clock = 3.7e9;
    assert_true(undisturbed_save_clock(&higher, dir, "cpu", error, sizeof error));
    assert_true(undisturbed_load(&none, dir, "cpu", error, sizeof error));
    assert_true(none.clock == 3.5e9);
    assert_true(higher.rate[1] == 7.0 && higher.rate[2] == 9.0);
    remove_undisturbed(dir);
}

static void test_undisturbed_of_another_format(void **state)
{
    (void)state;
    char dir[] = "/tmp/test-launch-XXXXXX", path[300], error[512] = "";
    assert_non_null(mkdtemp(dir));
    struct mood_best best = {.rate = {4e9, 6.0, 8.0, 100.0}};
    snprintf(path, sizeof path, "%s/cpu", dir);
    assert_int_equal(mkdir(path, 0777), 0);
    snprintf(path, sizeof path, "%s/cpu/undisturbed.json", dir);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("{\"format\":\"other\"}", file);
    fclose(file);
    assert_false(undisturbed_load(&best, dir, "cpu", error, sizeof error));
    assert_non_null(strstr(error, path));
    assert_false(undisturbed_save(&best, dir, "cpu", error, sizeof error));
    remove_undisturbed(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_launches_are_joined),
        cmocka_unit_test(test_times_are_at_one_clock),
        cmocka_unit_test(test_which_clock_is_stated),
        cmocka_unit_test(test_what_a_launch_lacks_is_void),
        cmocka_unit_test(test_few_launches_have_no_interval),
        cmocka_unit_test(test_figures_are_of_quiet_rounds),
        cmocka_unit_test(test_without_quiet_rounds_nothing_is_claimed),
        cmocka_unit_test(test_without_canaries_all_rounds_count),
        cmocka_unit_test(test_over_a_peak_is_counted),
        cmocka_unit_test(test_when_a_row_is_done),
        cmocka_unit_test(test_undisturbed_is_kept),
        cmocka_unit_test(test_undisturbed_of_another_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
