/* test_mood.c - what canaries say of a core, from readings that are made up.
 * SPDX-License-Identifier: MIT
 */
#include "../../bench/machine/mood.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { CLOCK = 0 }; /* among the canaries; the others count in clocks */

/* The best of all that follows: a clock of 4 GHz, and 1, 2, 3 of the others a clock. */
static const struct mood_best best = {.rate = {4e9, 1, 2, 3}};

/* A reading in which each canary reaches a share of its best. */
static struct canaries reading(const double share[CANARY_COUNT])
{
    struct canaries r;
    for (int c = 0; c < CANARY_COUNT; c++)
        r.rate[c] = share[c] * best.rate[c] * (c == CLOCK ? 1.0 : share[CLOCK] * best.rate[CLOCK]);
    return r;
}

/* All at their best but one. */
static enum mood mood_with(int canary, double share)
{
    double shares[CANARY_COUNT];
    for (int c = 0; c < CANARY_COUNT; c++)
        shares[c] = c == canary ? share : 1.0;
    const struct canaries r = reading(shares);
    return mood_of(&r, &best);
}

static struct canaries all_at(double share)
{
    return reading((const double[CANARY_COUNT]){share, share, share, share});
}

static void test_canaries(void **state)
{
    (void)state;
    assert_int_equal(canary_peaks[CLOCK], PEAK_CLOCK);
    assert_string_equal(mood_name(MOOD_QUIET), "quiet");
    assert_string_equal(mood_name(MOOD_DISTURBED), "disturbed");
    assert_string_equal(mood_name(MOOD_UNKNOWN), "unknown");
}

/* A single canary is enough; and faster than the best that is known is quiet. */
static void test_quiet_and_disturbed(void **state)
{
    (void)state;
    for (int c = 0; c < CANARY_COUNT; c++) {
        assert_int_equal(mood_with(c, 1.0), MOOD_QUIET);
        assert_int_equal(mood_with(c, 1.1), MOOD_QUIET);
        assert_int_equal(mood_with(c, 0.98), MOOD_QUIET);
        assert_int_equal(mood_with(c, 0.75), MOOD_DISTURBED);
    }
}

/* Each has one limit, as far below its best as the header says. */
static void test_limits(void **state)
{
    (void)state;
    for (int c = 0; c < CANARY_COUNT; c++) {
        double low = 0.5, high = 1.0;
        while (high - low > 1e-9) {
            double middle = (low + high) / 2;
            *(mood_with(c, middle) == MOOD_QUIET ? &high : &low) = middle;
        }
        assert_true(high > 0.80 - 1e-6 && high < 0.96 + 1e-6);
    }
}

/* A slower clock slows all loops down, and they are as before a clock. */
static void test_clock_is_counted_once(void **state)
{
    (void)state;
    const struct canaries slower = reading((const double[CANARY_COUNT]){0.97, 0.97, 1, 1});
    assert_int_equal(mood_of(&slower, &best), MOOD_QUIET);
}

static void test_interrupted_is_unknown(void **state)
{
    (void)state;
    for (int c = 0; c < CANARY_COUNT; c++) {
        struct canaries r = all_at(0.5); /* which would be disturbed */
        r.rate[c] = NAN;
        assert_int_equal(mood_of(&r, &best), MOOD_UNKNOWN);
    }
}

static void test_between(void **state)
{
    (void)state;
    struct canaries quiet = all_at(1), disturbed = all_at(0.7), unknown = all_at(1);
    unknown.rate[1] = NAN;
    assert_int_equal(mood_between(&quiet, &quiet, &best), MOOD_QUIET);
    assert_int_equal(mood_between(&disturbed, &disturbed, &best), MOOD_DISTURBED);
    assert_int_equal(mood_between(&quiet, &disturbed, &best), MOOD_UNKNOWN);
    assert_int_equal(mood_between(&disturbed, &quiet, &best), MOOD_UNKNOWN);
    assert_int_equal(mood_between(&quiet, &unknown, &best), MOOD_UNKNOWN);
    assert_int_equal(mood_between(&unknown, &unknown, &best), MOOD_UNKNOWN);
}

static void has_learned(const struct mood_best *learned, double share)
{
    for (int c = 0; c < CANARY_COUNT; c++)
        assert_true(fabs(learned->rate[c] / best.rate[c] - share) < 1e-12);
}

/* Of 21 readings the two highest may be wrong. */
static void test_learning_the_upper_decile(void **state)
{
    (void)state;
    struct canaries r[21];
    for (int i = 0; i < 21; i++)
        r[(i * 8) % 21] = all_at(i < 19 ? 0.80 + 0.01 * i : 3.0);
    struct mood_best learned = {.rate = {0}};
    mood_learn(&learned, r, 21);
    has_learned(&learned, 0.98);
}

/* So many readings, all at that share. */
static void learn(struct mood_best *learned, size_t count, double share)
{
    struct canaries r[MOOD_READINGS] = {{{0}}};
    for (size_t i = 0; i < count; i++)
        r[i] = all_at(share);
    mood_learn(learned, r, count);
}

/* What was reached once stays known, and is raised by what is better. */
static void test_learning_goes_up_only(void **state)
{
    (void)state;
    struct mood_best learned = {.rate = {0}};
    learn(&learned, MOOD_READINGS, 0.9);
    has_learned(&learned, 0.9);
    learn(&learned, MOOD_READINGS, 1.0);
    has_learned(&learned, 1.0);
    learn(&learned, MOOD_READINGS, 0.9);
    has_learned(&learned, 1.0);
}

/* Where nothing is known, nothing is quiet. */
static void test_unknown_before_anything_is_learned(void **state)
{
    (void)state;
    struct mood_best none = {.rate = {0}};
    struct canaries reading = all_at(1);
    assert_int_equal(mood_of(&reading, &none), MOOD_UNKNOWN);
    none = best;
    none.rate[CANARY_COUNT - 1] = 0.0;
    assert_int_equal(mood_of(&reading, &none), MOOD_UNKNOWN);
}

/* A canary beside a clock that changes: by the higher one, so that none seems better than it is. */
static void test_a_canary_has_its_own_clock(void **state)
{
    (void)state;
    assert_float_equal(canary_at_clock(6.0, 3.0, 3.0, 3.0), 6.0, 1e-12);
    assert_float_equal(canary_at_clock(6.0, 3.0, 3.0, 2.7), 5.4, 1e-12);
    assert_float_equal(canary_at_clock(6.0, 2.7, 3.0, 3.0), 6.0, 1e-12);
    assert_float_equal(canary_at_clock(6.0, 3.0, 2.7, 3.0), 6.0, 1e-12);
}

/* Vectors of 512 bits lower the clock of some cores by 7 %: nobody has disturbed it. */
static void test_a_clock_of_wide_vectors_is_quiet(void **state)
{
    (void)state;
    struct canaries reading = all_at(1);
    for (int c = 0; c < CANARY_COUNT; c++)
        reading.rate[c] *= 0.933;
    assert_int_equal(mood_of(&reading, &best), MOOD_QUIET);
    for (int c = 0; c < CANARY_COUNT; c++)
        reading.rate[c] *= 0.9;
    assert_int_equal(mood_of(&reading, &best), MOOD_DISTURBED);
}

/* What this machine reaches is known at once, and the core is quiet by it more often than never. */
static void test_learning_now(void **state)
{
    (void)state;
    struct mood_best learned = {.rate = {0}};
    size_t known = 0;
    assert_true(peaks_open(1, false));
    mood_learn_now(&learned);
    for (int i = 0; i < 100; i++) {
        struct canaries reading;
        canaries_read(&reading);
        known += mood_of(&reading, &learned) != MOOD_UNKNOWN;
    }
    peaks_close();
    for (int c = 0; c < CANARY_COUNT; c++)
        assert_true(learned.rate[c] > 0.0);
    assert_true(known > 0); /* others are interrupted, on a busy machine */
}

static void test_nothing_is_learned_of_few(void **state)
{
    (void)state;
    struct mood_best learned = {.rate = {0}};
    learn(&learned, MOOD_READINGS - 1, 1.0);
    has_learned(&learned, 0.0);
    learn(&learned, 0, 1.0);
    has_learned(&learned, 0.0);
}

static void test_nothing_is_learned_of_interrupted_readings(void **state)
{
    (void)state;
    struct canaries r[MOOD_READINGS + 3];
    struct mood_best learned = {.rate = {0}};
    for (size_t i = 0; i < MOOD_READINGS + 3; i++) {
        r[i] = all_at(i < 3 ? 1.0 : 0.9);
        for (int c = 0; c < CANARY_COUNT && i < 3; c++)
            r[i].rate[c] = NAN;
    }
    mood_learn(&learned, r, MOOD_READINGS + 2); /* one too few that count */
    has_learned(&learned, 0.0);
    mood_learn(&learned, r, MOOD_READINGS + 3);
    has_learned(&learned, 0.9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_canaries),
        cmocka_unit_test(test_quiet_and_disturbed),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_clock_is_counted_once),
        cmocka_unit_test(test_interrupted_is_unknown),
        cmocka_unit_test(test_between),
        cmocka_unit_test(test_learning_the_upper_decile),
        cmocka_unit_test(test_learning_goes_up_only),
        cmocka_unit_test(test_unknown_before_anything_is_learned),
        cmocka_unit_test(test_a_canary_has_its_own_clock),
        cmocka_unit_test(test_a_clock_of_wide_vectors_is_quiet),
        cmocka_unit_test(test_learning_now),
        cmocka_unit_test(test_nothing_is_learned_of_few),
        cmocka_unit_test(test_nothing_is_learned_of_interrupted_readings),
    };
    return cmocka_run_group_tests_name("mood", tests, NULL, NULL);
}
