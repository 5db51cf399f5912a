/* test_json.c - a saved run comes back as it was, and an old one's peaks mean what they meant.
 * SPDX-License-Identifier: MIT
 */
#include "../../bench/report/analysis.h"
#include "../../bench/results/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { ROUNDS = 9 };

/* A run of one case: peak p is p + 1 in every round, and scalar takes 4 s for 2 flops. */
static void make_run(struct run *run)
{
    run_init(run);
    struct result *result = run_add_results(run, 1);
    assert_non_null(result);
    snprintf(result->kernel, sizeof result->kernel, "cosine_pair");
    result->threads = 1;
    result->flops = 2.0;
    result->level = PEAK_READ_L1;
    struct column *column = result_add_column(result);
    assert_non_null(column);
    snprintf(column->variant, sizeof column->variant, "scalar");
    snprintf(column->isa, sizeof column->isa, "scalar");
    column->checked = true;
    column->run = column->voided[UNDISTURBED] = ROUNDS;
    assert_true(result_set_rounds(result, ROUNDS));
    for (size_t r = 0; r < ROUNDS; r++) {
        column->seconds[r] = 4.0;
        for (int p = 0; p < PEAK_COUNT; p++)
            if (result->peak[p]) /* this machine can run it */
                result->peak[p][r] = p + 1.0;
    }
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static char *read_file(const char *path)
{
    enum { MOST = 1 << 14 };
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char *text = calloc(MOST, 1);
    assert_non_null(text);
    assert_in_range(fread(text, 1, MOST - 1, file), 1, MOST - 2);
    fclose(file);
    return text;
}

/* The run is saved, `from` is replaced by `to` in the file, and what is there then is read. */
static void save_and_read(const char *from, const char *to, struct run *read)
{
    struct run run;
    char path[] = "/tmp/test-json-XXXXXX", error[512] = "";
    int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
    make_run(&run);
    assert_true(results_write_json(&run, path, error, sizeof error));
    run_free(&run);
    if (from) {
        char *text = read_file(path), *at = strstr(text, from), changed[1 << 15];
        assert_non_null(at);
        snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - text), text, to,
                 at + strlen(from));
        write_file(path, changed);
        free(text);
    }
    bool good = results_read_json(read, path, error, sizeof error);
    unlink(path);
    if (!good)
        fail_msg("%s", error);
    assert_int_equal(read->result_count, 1);
}

static void test_peaks_come_back(void **state)
{
    (void)state;
    struct run run;
    struct row row;
    save_and_read(NULL, NULL, &run);
    const struct result *result = &run.results[0];
    for (int p = 0; p < PEAK_COUNT; p++) {
        assert_true((result->peak[p] != NULL) == peak_possible((enum peak)p));
        for (size_t r = 0; result->peak[p] && r < ROUNDS; r++)
            assert_true(result->peak[p][r] == p + 1.0);
    }
    analyse(result, &result->columns[0], &row);
    assert_true(row.bounded);
    assert_int_equal(row.bound, PEAK_MULTIPLY_ADD_SCALAR);
    assert_true(row.share.median == 0.5); /* 2 flops in 4 s, at a peak of 1 a second */
    run_free(&run);
}

/* The oldest runs measured one multiply-add at a time, and called it so. */
static void test_old_scalar_peak_is_left_out(void **state)
{
    (void)state;
    struct run run;
    struct row row;
    char now[64];
    snprintf(now, sizeof now, "\"%s\":", peak_name(PEAK_MULTIPLY_ADD_SCALAR));
    save_and_read(now, "\"FMA scalar\":", &run);
    const struct result *result = &run.results[0];
    assert_null(result->peak[PEAK_MULTIPLY_ADD_SCALAR]);
    assert_non_null(result->peak[PEAK_READ_L1]);
    analyse(result, &result->columns[0], &row);
    assert_true(row.timed);
    assert_false(row.bounded);
    run_free(&run);
}

/* Launches, canaries and what they were judged by. */
static void test_launches_come_back(void **state)
{
    (void)state;
    struct run run, launch, read;
    char path[] = "/tmp/test-json-XXXXXX", error[512] = "";
    int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
    run_init(&run);
    make_run(&launch);
    launch.results[0].columns[0].warm_up = 3;
    launch.results[0].columns[0].cost = 0.25;
    launch.results[0].canary = calloc(2 * ROUNDS, sizeof(struct canaries));
    assert_non_null(launch.results[0].canary);
    for (size_t r = 0; r < 2 * ROUNDS; r++)
        for (int c = 0; c < CANARY_COUNT; c++)
            launch.results[0].canary[r].rate[c] = r < 2 ? 1e9 / (c + 1) : 2e9;
    for (size_t l = 0; l < 2; l++)
        assert_true(run_merge(&run, &launch.results[0], l));
    snprintf(run.results[0].note, sizeof run.results[0].note, "launch 3 crashed here");
    run.results[0].closed = true;
    run.launches = 2;
    run.precision = 0.5;
    run_judge(&run);
    assert_true(results_write_json(&run, path, error, sizeof error));
    if (!results_read_json(&read, path, error, sizeof error))
        fail_msg("%s", error);
    unlink(path);
    const struct result *result = &read.results[0];
    assert_true(result->clock == run.best.clock);
    assert_int_equal(read.launches, 2);
    assert_true(read.precision == 0.5);
    assert_true(read.best.rate[0] == run.best.rate[0] && read.best.rate[0] > 0.0);
    assert_true(read.best.clock == run.best.clock && read.best.clock > 0.0);
    assert_true(result->closed);
    assert_string_equal(result->note, "launch 3 crashed here");
    assert_int_equal(result->rounds, 2 * ROUNDS);
    assert_int_equal(result->columns[0].warm_up, 3);
    assert_true(result->columns[0].cost == 0.25);
    assert_int_equal(analyse_launches(result), 2);
    for (size_t r = 0; r < 2 * ROUNDS; r++) {
        assert_int_equal(result->launch[r], r / ROUNDS);
        assert_int_equal(result->mood[r], run.results[0].mood[r]);
    }
    assert_int_equal(result->mood[0], MOOD_DISTURBED);
    assert_int_equal(result->mood[1], MOOD_QUIET);
    run_free(&read);
    /* From before times were stated at a clock: they stay as they were measured. */
    run.best.clock = 0.0;
    assert_true(results_write_json(&run, path, error, sizeof error));
    assert_true(results_read_json(&read, path, error, sizeof error));
    unlink(path);
    assert_true(read.best.clock == 0.0 && read.results[0].clock == 0.0);
    run_free(&read);
    run_free(&run);
    run_free(&launch);
}

/* A run from before there were launches keeps its statistics: those of rounds. */
static void test_old_run_has_no_launches(void **state)
{
    (void)state;
    struct run run;
    struct row row;
    save_and_read(NULL, NULL, &run);
    const struct result *result = &run.results[0];
    assert_null(result->launch);
    assert_null(result->mood);
    analyse(result, &result->columns[0], &row);
    assert_true(row.timed);
    assert_int_equal(row.seconds.launches, 0);
    assert_int_equal(row.seconds.n, ROUNDS);
    assert_int_equal(analyse_until(&row, 1.0), UNTIL_UNKNOWN);
    run_free(&run);
}

/* A run is read on machines of another architecture, too. */
static void test_names_are_of_no_architecture(void **state)
{
    (void)state;
    assert_string_equal(peak_name(PEAK_MULTIPLY_ADD_SCALAR), "multiply-add scalar");
    for (int p = 0; p < PEAK_COUNT; p++) {
        assert_string_not_equal(peak_name((enum peak)p), "FMA scalar");
        assert_string_not_equal(peak_name((enum peak)p), "");
        assert_string_not_equal(peak_label((enum peak)p), "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_peaks_come_back),
        cmocka_unit_test(test_old_scalar_peak_is_left_out),
        cmocka_unit_test(test_launches_come_back),
        cmocka_unit_test(test_old_run_has_no_launches),
        cmocka_unit_test(test_names_are_of_no_architecture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
