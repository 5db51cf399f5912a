/* test_launch.c - launches of a run: how they are joined, when they are enough, and what is kept
 * from run to run.
 * SPDX-License-Identifier: MIT
 */
#include "../../bench/results/undisturbed.h"

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

static void remove_undisturbed(const char *dir)
{
    char path[300];
    snprintf(path, sizeof path, "%s/cpu/undisturbed.json", dir);
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
    struct mood_best none = {.rate = {0.0}}, best = {.rate = {4e9, 6.0, 8.0, 100.0}};
    struct mood_best worse = {.rate = {5e9, 5.0, 9.0, 90.0}};
    assert_true(undisturbed_load(&none, dir, "cpu", error, sizeof error));
    for (int c = 0; c < CANARY_COUNT; c++)
        assert_true(none.rate[c] == 0.0);
    assert_true(undisturbed_save(&best, dir, "cpu", error, sizeof error));
    assert_true(undisturbed_save(&worse, dir, "cpu", error, sizeof error));
    assert_true(undisturbed_load(&none, dir, "cpu", error, sizeof error));
    assert_true(none.rate[0] == 0.0); /* the clock is not kept */
    assert_true(none.rate[1] == 6.0 && none.rate[2] == 9.0 && none.rate[3] == 100.0);
    struct mood_best higher = {.rate = {0.0, 7.0, 0.0, 0.0}};
    assert_true(undisturbed_load(&higher, dir, "cpu", error, sizeof error));
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
        cmocka_unit_test(test_undisturbed_is_kept),
        cmocka_unit_test(test_undisturbed_of_another_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
