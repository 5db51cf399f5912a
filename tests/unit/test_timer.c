/* test_timer.c - what /proc/stat says of a CPU, the idlest one, and pinning.
 * SPDX-License-Identifier: MIT
 */
#include "../../bench/machine/timer.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char two_cpus[] = "cpu  301 30 50 5000 60 7 8 9 100 0\n"
                               "cpu1 100 10 20 3000 40 3 4 5 60 0\n"
                               "cpu10 201 20 30 2000 20 4 4 4 40 0\n"
                               "intr 12345 0 0\n"
                               "ctxt 99\n";

static void parsed(const char *text, int cpu, uint64_t busy, uint64_t steal)
{
    struct cpu_ticks ticks;
    assert_true(timer_parse_ticks(text, cpu, &ticks));
    assert_int_equal(ticks.busy, busy);
    assert_int_equal(ticks.steal, steal);
}

static void test_one_cpu_another_and_all(void **state)
{
    (void)state;
    parsed(two_cpus, 1, 142, 5);
    parsed(two_cpus, 10, 263, 4);
    parsed(two_cpus, -1, 405, 9);
    parsed("cpu0 1 2 3 4 5 6 7 8\n", 0, 27, 8); /* Linux before 2.6.24 had no guests */
}

static void test_steal_is_of_the_cpu_in_use(void **state)
{
    (void)state;
    assert_int_equal(timer_stolen(two_cpus, 1, 1), 5);
    assert_int_equal(timer_stolen(two_cpus, 1, 10), 4);
    assert_int_equal(timer_stolen(two_cpus, 2, 1), 9);
    assert_int_equal(timer_stolen(two_cpus, 1, 7), 0);
}

static void test_missing_line(void **state)
{
    (void)state;
    struct cpu_ticks ticks;
    assert_false(timer_parse_ticks(two_cpus, 0, &ticks)); /* offline */
    assert_false(timer_parse_ticks(two_cpus, 2, &ticks));
    assert_false(timer_parse_ticks("cpu1 1 2 3 4 5 6 7 8 9 10\n", -1, &ticks));
    assert_false(timer_parse_ticks("intr 1\n", 1, &ticks));
    assert_false(timer_parse_ticks("", 0, &ticks));
}

static void test_short_line(void **state)
{
    (void)state;
    struct cpu_ticks ticks;
    assert_false(timer_parse_ticks("cpu0 1 2 3 4 5 6 7\ncpu1 1 2 3 4 5 6 7 8\n", 0, &ticks));
    assert_false(timer_parse_ticks("cpu0 1 2 3 4 5 6 7 8", 0, &ticks)); /* 8, or 80? */
    assert_false(timer_parse_ticks("cpu0 1 2 3", 0, &ticks));
    assert_false(timer_parse_ticks("cpu0 ", 0, &ticks));
    assert_false(timer_parse_ticks("cpu0 1 2 three 4 5 6 7 8 9\n", 0, &ticks));
    assert_false(timer_parse_ticks("cpu0 1 2 3 -4 5 6 7 8 9\n", 0, &ticks));
}

/* /proc/stat of 4 CPUs: what each was busy and stolen. */
static void write_stat(char *text, size_t bytes, const int busy[4], const int steal[4])
{
    text[0] = '\0';
    for (int c = 0; c < 4; c++)
        snprintf(text + strlen(text), bytes - strlen(text), "cpu%d %d 0 0 %d 5 0 0 %d 0 0\n", c,
                 busy[c], 1000 - busy[c], steal[c]);
}

static int idlest_of(const int busy[4], const int steal[4], const int *cpus, size_t count,
                     uint64_t *random)
{
    static const int none[4] = {100, 0, 50, 70};
    int more[4];
    char before[512], after[512];
    for (int c = 0; c < 4; c++)
        more[c] = none[c] + busy[c];
    write_stat(before, sizeof before, none, (const int[4]){0, 0, 0, 0});
    write_stat(after, sizeof after, more, steal);
    return timer_idlest_between(before, after, cpus, count, random);
}

static void test_the_idlest(void **state)
{
    (void)state;
    const int all[] = {0, 1, 2, 3}, two[] = {0, 3}, offline[] = {7, 2}, gone[] = {8, 9};
    const int none[4] = {0, 0, 0, 0}, busy[4] = {3, 6, 1, 2}, tied[4] = {3, 2, 6, 0};
    uint64_t random = 1;
    assert_int_equal(idlest_of(busy, none, all, 4, &random), 2);
    assert_int_equal(idlest_of(busy, none, two, 2, &random), 3);
    assert_int_equal(idlest_of(busy, none, offline, 2, &random), 2);
    assert_int_equal(idlest_of(busy, none, gone, 2, &random), -1);
    assert_int_equal(idlest_of(busy, none, all, 0, &random), -1);
    /* All were busy for 6 ticks, if what was stolen counts. */
    assert_int_equal(idlest_of(tied, (const int[4]){3, 4, 0, 6}, all, 4, &random), 2);
}

static void test_equals_are_chosen_by_chance(void **state)
{
    (void)state;
    const int all[] = {0, 1, 2, 3}, busy[4] = {2, 9, 2, 2}, none[4] = {0, 0, 0, 0};
    int chosen[4] = {0};
    uint64_t random = 5;
    for (int i = 0; i < 3000; i++)
        chosen[idlest_of(busy, none, all, 4, &random)]++;
    assert_int_equal(chosen[1], 0);
    for (int c = 0; c < 4; c++)
        assert_true(c == 1 || (chosen[c] > 880 && chosen[c] < 1120));
}

static void test_pinning_there_and_back(void **state)
{
    (void)state;
    cpu_set_t former, now;
    assert_int_equal(sched_getaffinity(0, sizeof former, &former), 0);
    int idlest = timer_idlest_cpu();
    if (idlest >= 0) /* not where /proc is not as it is on Linux */
        assert_true(CPU_ISSET((size_t)idlest, &former));
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET((size_t)cpu, &former)) {
            assert_false(timer_pin_to(cpu));
            continue;
        }
        assert_true(timer_pin_to(cpu));
        assert_int_equal(sched_getcpu(), cpu);
        assert_int_equal(timer_cpus(), CPU_COUNT(&former));
        assert_true(timer_pin()); /* stays there */
        assert_int_equal(sched_getcpu(), cpu);
    }
    assert_false(timer_pin_to(-1));
    assert_false(timer_pin_to(CPU_SETSIZE));
    timer_unpin();
    assert_int_equal(sched_getaffinity(0, sizeof now, &now), 0);
    assert_true(CPU_EQUAL(&former, &now));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_cpu_another_and_all),
        cmocka_unit_test(test_steal_is_of_the_cpu_in_use),
        cmocka_unit_test(test_missing_line),
        cmocka_unit_test(test_short_line),
        cmocka_unit_test(test_the_idlest),
        cmocka_unit_test(test_equals_are_chosen_by_chance),
        cmocka_unit_test(test_pinning_there_and_back),
    };
    return cmocka_run_group_tests_name("timer", tests, NULL, NULL);
}
