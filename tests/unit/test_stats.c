/* test_stats.c - medians, intervals, paired ratios and verdicts of the bench.
 * SPDX-License-Identifier: MIT
 */
#include "../../bench/base/stats.h"
#include "noise.h"

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
                values[i] = -log(noise_uniform(&random)); /* exponential: median log 2 */
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
    const double base[] = {2, 4, 8, 16, 32, 64, 128, 256}, ours[] = {1, 2, 4, 8, 16, 32, 64, 128};
    for (size_t n = 6; n <= 8; n++) {
        struct estimate e = stats_paired_ratio(base, ours, n);
        assert_true(near(e.median, 2) && near(e.low, 2) && near(e.high, 2));
        assert_int_equal(e.n, n);
        /* Fewer than eight are not enough to be sure. */
        assert_int_equal(stats_compare(&e), n < 8 ? COMPARISON_INCONCLUSIVE : COMPARISON_FASTER);
    }
}

/* A drift of the machine that hits both alike drops out, though it is far larger than the
 * difference. */
static void test_paired_ratio_takes_out_drift(void **state)
{
    (void)state;
    double base[30], ours[30];
    uint64_t random = 7;
    for (int i = 0; i < 30; i++) {
        double machine = 1.0 + 5.0 * noise_uniform(&random);
        base[i] = machine * (1.0 + 0.002 * noise_uniform(&random));
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
        faster =
            {.median = 1.2, .low = 1.1, .high = 1.3, .sure_low = 1.05, .sure_high = 1.4, .n = 20},
        slower =
            {.median = 0.8, .low = 0.7, .high = 0.9, .sure_low = 0.6, .sure_high = 0.95, .n = 20},
        both = {.median = 1.01,
                .low = 1.005,
                .high = 1.03,
                .sure_low = 0.99,
                .sure_high = 1.04,
                .n = 20},
        edge = {.median = 1.1, .low = 1.0, .high = 1.2, .sure_low = 1.0, .sure_high = 1.3, .n = 20},
        few = {.median = 1.2,
               .low = 1.1,
               .high = 1.3,
               .sure_low = -(double)INFINITY,
               .sure_high = (double)INFINITY,
               .n = 7},
        none = {.median = 0, .n = 0};
    assert_int_equal(stats_compare(&faster), COMPARISON_FASTER);
    assert_int_equal(stats_compare(&slower), COMPARISON_SLOWER);
    assert_int_equal(stats_compare(&both), COMPARISON_INCONCLUSIVE);
    assert_int_equal(stats_compare(&edge), COMPARISON_INCONCLUSIVE);
    assert_int_equal(stats_compare(&few), COMPARISON_INCONCLUSIVE);
    assert_int_equal(stats_compare(&none), COMPARISON_NONE);
}

/* Two columns of the same speed are called different in no more than the 1 % that the interval
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
            a[i] = 1.0 + 0.1 * noise_uniform(&random);
            b[i] = 1.0 + 0.1 * noise_uniform(&random);
        }
        struct estimate e = stats_paired_ratio(a, b, 21);
        wrong += stats_compare(&e) != COMPARISON_INCONCLUSIVE;
    }
    assert_true(wrong <= trials * 0.01 + 3.0 * sqrt(trials * 0.01));
}

/* ---- By launch ------------------------------------------------------------------------------- */

/* As in any table of Wilcoxon's distribution: two-sided critical values at 5 % are one below the
 * rank. */
static void test_signed_ranks(void **state)
{
    (void)state;
    static const struct {
        size_t n, rank;
        double coverage;
    } known[] = {{0, 0, 0.0},      {1, 1, 0.0},       {5, 1, 0.9375},    {6, 1, 0.96875},
                 {7, 3, 0.953125}, {8, 4, 0.9609375}, {9, 6, 0.9609375}, {10, 9, 0.951171875}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        double coverage;
        assert_int_equal(stats_signed_rank(known[i].n, 0.95, &coverage), known[i].rank);
        assert_true(fabs(coverage - known[i].coverage) < 1e-12);
    }
}

/* The same of Mann and Whitney's: of 70 orders of 4 and 4 values one has no pair the wrong way
 * round. */
static void test_shift_ranks(void **state)
{
    (void)state;
    static const struct {
        size_t m, n, rank;
        double coverage;
    } known[] = {{0, 4, 0, 0.0},
                 {1, 1, 1, 0.0},
                 {3, 3, 1, 1.0 - 2.0 / 20},
                 {4, 4, 1, 1.0 - 2.0 / 70},
                 {5, 5, 3, 1.0 - 8.0 / 252},
                 {3, 8, 3, 1.0 - 8.0 / 165},
                 {8, 3, 3, 1.0 - 8.0 / 165}};
    double coverage, other;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        assert_int_equal(stats_shift_rank(known[i].m, known[i].n, 0.95, &coverage), known[i].rank);
        assert_true(fabs(coverage - known[i].coverage) < 1e-12);
    }
    assert_int_equal(stats_shift_rank(8, 8, 0.95, &coverage), 14);
    assert_int_equal(stats_shift_rank(16, 16, 0.95, &coverage), 76);
    assert_int_equal(stats_shift_rank(6, 20, 0.95, &coverage),
                     stats_shift_rank(20, 6, 0.95, &other));
    assert_true(near(coverage, other) && coverage >= 0.95 && coverage < 0.96);
}

static void test_centre(void **state)
{
    (void)state;
    const double values[] = {1, NAN, 6, 2, 5, 3, 4}, outlier[] = {1, 6, 2, 5, 3, 4000};
    struct estimate e = stats_centre(values, 7);
    assert_int_equal(e.n, 6);
    assert_int_equal(e.launches, 6);
    assert_true(near(e.median, 3.5) && near(e.coverage, 0.96875));
    assert_true(near(e.low, 1) && near(e.high, 6) && near(e.effective, 6));
    assert_true(stats_centre(outlier, 6).median < 5.0);
    assert_int_equal(stats_centre(NULL, 0).n, 0);
    assert_true(isnan(stats_centre(NULL, 0).median));
}

static void test_centre_of_few_has_no_interval(void **state)
{
    (void)state;
    const double values[] = {1, 2, 3, 4, 5};
    for (size_t n = 1; n <= 5; n++) {
        struct estimate e = stats_centre(values, n);
        assert_true(near(e.median, 0.5 + 0.5 * (double)n));
        assert_true(isinf(e.low) && e.low < 0 && isinf(e.high) && e.high > 0);
        assert_true(e.coverage < STATS_CONFIDENCE);
        assert_int_equal(stats_compare(&e), COMPARISON_INCONCLUSIVE);
    }
}

/* The same values in an order that goes up say less, and are the same in the middle. */
static void test_centre_is_wider_where_neighbours_are_alike(void **state)
{
    (void)state;
    const double up[] = {1, 2, 3, 4, 5, 6}, mixed[] = {1, 6, 2, 5, 3, 4};
    struct estimate wide = stats_centre(up, 6), narrow = stats_centre(mixed, 6);
    assert_true(near(wide.median, narrow.median));
    assert_true(wide.low < narrow.low && wide.high > narrow.high);
    assert_true(wide.effective < 2.0);
    assert_true(near(wide.high - wide.low,
                     (narrow.high - narrow.low) * sqrt(narrow.effective / wide.effective)));
}

static void test_chance_above(void **state)
{
    (void)state;
    const double three[] = {1, 2, 3}, two[] = {-1, 1};
    assert_true(near(stats_chance_above(NULL, 0, 0.0), 1.0));
    assert_true(near(stats_chance_above(three, 3, 0.0), 1.0 / 8));
    assert_true(near(stats_chance_above(three, 3, 4.0), 1.0));
    assert_true(near(stats_chance_above(three, 3, 1.25), 2.0 / 8)); /* 1 lies below: T >= 5 */
    assert_true(near(stats_chance_above(two, 2, 0.0), 3.0 / 4));
    uint64_t random = 11;
    const int trials = 4000;
    int low = 0;
    for (int t = 0; t < trials; t++) {
        double values[8];
        for (int i = 0; i < 8; i++)
            values[i] = noise_normal(&random);
        low += stats_chance_above(values, 8, 0.0) <= 0.05;
    }
    assert_true(low > 0.035 * trials && low < 0.055 * trials);
}

static void test_by_launch(void **state)
{
    (void)state;
    const double values[] = {3, 1, 2, 7, NAN, NAN, 4, 6, 100, 100, 5};
    const size_t launch[] = {0, 0, 0, 1, 1, 2, 3, 3, 5, 5, 5};
    double medians[11];
    struct estimate e = stats_by_launch(values, launch, 11);
    assert_int_equal(e.n, 9);
    assert_int_equal(e.launches, 4); /* launch 2 has nothing that counts */
    assert_int_equal(stats_launch_medians(values, launch, 11, medians), 4);
    assert_true(medians[0] == 2 && medians[1] == 7 && medians[2] == 5 && medians[3] == 100);
    assert_true(near(e.median, stats_centre(medians, 4).median));
    assert_int_equal(stats_by_launch(NULL, NULL, 0).n, 0);
}

static void test_ratio_by_launch(void **state)
{
    (void)state;
    double a[36], b[36];
    size_t launch[36];
    uint64_t random = 8;
    for (size_t i = 0; i < 36; i++) {
        b[i] = 1.0 + noise_uniform(&random);
        a[i] = 2.0 * b[i] * (1.0 + 0.01 * noise_uniform(&random));
        launch[i] = i / 4;
    }
    a[3] = NAN;
    b[7] = NAN;
    struct estimate e = stats_ratio_by_launch(a, b, launch, 36);
    struct estimate back = stats_ratio_by_launch(b, a, launch, 36);
    assert_int_equal(e.n, 34);
    assert_int_equal(e.launches, 9);
    assert_true(e.low > 2.0 && e.high < 2.02);
    assert_int_equal(stats_compare(&e), COMPARISON_FASTER);
    assert_true(near(e.median, 1.0 / back.median));
    assert_true(near(e.low, 1.0 / back.high) && near(e.high, 1.0 / back.low));
}

static void test_effective_number(void **state)
{
    (void)state;
    enum { MANY = 4000 };
    static double values[MANY];
    const double same[] = {2, 2, 2, 2}, turns[] = {1, -1, 1, -1, 1, -1};
    uint64_t random = 12;
    double s = 0.0;
    assert_true(near(stats_effective_number(same, 4), 4));
    assert_true(near(stats_effective_number(turns, 6), 6));
    assert_true(near(stats_effective_number(same, 1), 1));
    for (int i = 0; i < MANY; i++)
        values[i] = noise_normal(&random);
    assert_in_range(stats_effective_number(values, MANY), 3200, MANY);
    for (int i = 0; i < MANY; i++)
        values[i] = s = 0.6 * s + noise_normal(&random);
    assert_in_range(stats_effective_number(values, MANY), 750, 1250); /* 4000 x 0.4 / 1.6 */
    for (int i = 0; i < MANY; i++)
        values[i] = i;
    assert_in_range(stats_effective_number(values, MANY), 1, 5);
}

static void test_shift(void **state)
{
    (void)state;
    const double x[] = {14, 11, 13, NAN, 12}, y[] = {2, 3, NAN, 1, 4};
    struct estimate e = stats_shift(x, 5, y, 5), back = stats_shift(y, 5, x, 5);
    assert_true(near(e.median, 10) && near(e.low, 7) && near(e.high, 13));
    assert_true(near(e.coverage, 1.0 - 2.0 / 70));
    assert_int_equal(e.n, 8);
    assert_int_equal(e.launches, 4);
    assert_true(near(e.effective, 8)); /* of so few nobody knows how alike neighbours are */
    assert_true(near(back.median, -10) && near(back.low, -13) && near(back.high, -7));
    e = stats_shift(x, 3, y, 2);
    assert_true(near(e.median, 10.5) && isinf(e.low) && isinf(e.high));
    assert_int_equal(stats_compare(&e), COMPARISON_INCONCLUSIVE);
    assert_int_equal(stats_shift(x, 5, NULL, 0).n, 0);
    assert_true(isnan(stats_shift(NULL, 0, y, 5).median));
}

/* ---- Coverage by launch, simulated ----------------------------------------------------------- */

enum { ROUNDS = 24, MOST_LAUNCHES = 16, REPETITIONS = 5000 };

/* How the samples of one program come about; each is 1 % more or less, as a rule. */
struct noise {
    const char *name;
    double alike;    /* correlation of a round with the next, */
    bool goes_on;    /* also from launch to launch, with the time of one between them */
    double spikes;   /* share of samples that are up to 20 % slower */
    double launches; /* what a launch has of its own, all along */
    double drift;    /* of the machine from first to last, for both sides of a ratio */
};

static const struct noise noises[] = {{"independent", 0, false, 0, 0, 0},
                                      {"AR(1) 0.6", 0.6, false, 0, 0, 0},
                                      {"AR(1) 0.95", 0.95, false, 0, 0, 0},
                                      {"AR(1) 0.6 through launches", 0.6, true, 0, 0, 0},
                                      {"AR(1) 0.95 through launches", 0.95, true, 0, 0, 0},
                                      {"drift of 10 %", 0, false, 0, 0, 0.1},
                                      {"spikes", 0, false, 0.05, 0, 0},
                                      {"launches of 0.5 %", 0, false, 0, 0.005, 0},
                                      {"launches of 1 %", 0, false, 0, 0.01, 0},
                                      {"launches of 2 %", 0, false, 0, 0.02, 0}};
enum { NOISES = sizeof noises / sizeof noises[0] };

static void simulate(const struct noise *noise, size_t launches, double *samples, uint64_t *random)
{
    double level = noise_normal(random), fresh = sqrt(1.0 - noise->alike * noise->alike);
    double far = pow(noise->alike, ROUNDS);
    for (size_t launch = 0; launch < launches; launch++) {
        double own = noise->launches * noise_normal(random);
        if (launch > 0 && noise->goes_on)
            level = far * level + sqrt(1.0 - far * far) * noise_normal(random);
        else
            level = noise_normal(random);
        for (size_t round = 0; round < ROUNDS; round++) {
            level = noise->alike * level + fresh * noise_normal(random);
            double slower =
                noise_uniform(random) < noise->spikes ? 0.2 * noise_uniform(random) : 0.0;
            samples[launch * ROUNDS + round] = exp(0.01 * level + own) * (1.0 + slower);
        }
    }
}

/* Turn by turn, the first of a pair second in the next. */
static void drift(double *a, double *b, size_t n, double whole)
{
    for (size_t i = 0; i < n; i++) {
        a[i] *= 1.0 + whole * (double)(2 * i + i % 2) / (double)(2 * n);
        b[i] *= 1.0 + whole * (double)(2 * i + 1 - i % 2) / (double)(2 * n);
    }
}

/* The median of a sample of that noise: 1, but for what spikes add. */
static double true_median(const struct noise *noise)
{
    enum { MANY = 20000 };
    if (!(noise->spikes > 0.0))
        return 1.0;
    static double samples[MANY * ROUNDS];
    uint64_t random = 77;
    simulate(noise, MANY, samples, &random);
    return stats_estimate(samples, MANY * ROUNDS).median;
}

static void holds_as_often_as_it_says(const char *name, const char *what, size_t launches, int held,
                                      double most)
{
    double share = (double)held / REPETITIONS;
    if (share < 0.93 || share > most)
        fail_msg("%s, %zu launches: %s hold in %.2f %%", name, launches, what, 100.0 * share);
}

static void coverage_by_launch(const struct noise *noise, size_t launches, uint64_t random)
{
    double a[MOST_LAUNCHES * ROUNDS], b[MOST_LAUNCHES * ROUNDS], truth = true_median(noise);
    size_t launch[MOST_LAUNCHES * ROUNDS], n = launches * ROUNDS;
    int held = 0, held_ratio = 0, called = 0;
    for (size_t i = 0; i < n; i++)
        launch[i] = i / ROUNDS;
    for (int t = 0; t < REPETITIONS; t++) {
        simulate(noise, launches, a, &random);
        simulate(noise, launches, b, &random);
        drift(a, b, n, noise->drift);
        struct estimate time = stats_by_launch(a, launch, n);
        struct estimate ratio = stats_ratio_by_launch(a, b, launch, n);
        held += time.low <= truth && truth <= time.high;
        held_ratio += ratio.low <= 1.0 && 1.0 <= ratio.high;
        called += stats_compare(&ratio) != COMPARISON_INCONCLUSIVE;
    }
    if (!(noise->drift > 0.0)) /* there is no true time then */
        holds_as_often_as_it_says(noise->name, "times", launches, held, 0.98);
    holds_as_often_as_it_says(noise->name, "ratios", launches, held_ratio, 0.98);
    if (called > 0.01 * REPETITIONS)
        fail_msg("%s, %zu launches: equals are called different in %.2f %%", noise->name, launches,
                 100.0 * called / REPETITIONS);
}

static void test_coverage_by_launch(void **state)
{
    (void)state;
    for (size_t i = 0; i < NOISES; i++)
        for (size_t launches = 8; launches <= MOST_LAUNCHES; launches *= 2)
            coverage_by_launch(&noises[i], launches, i);
}

/* Two runs of unlike numbers of launches, one 3 % slower; neighbours alike or not. Of likeness in
 * both, each known from few, the interval allows a little too much. */
static void test_coverage_of_shift(void **state)
{
    (void)state;
    static const size_t sizes[][2] = {{6, 6}, {6, 10}, {8, 8}, {12, 6}};
    static const double alikes[] = {0.0, 0.3};
    uint64_t random = 21;
    for (size_t s = 0; s < 2 * sizeof sizes / sizeof sizes[0]; s++) {
        const size_t *size = sizes[s / 2];
        double alike = alikes[s % 2];
        int held = 0, missed = 0;
        for (int t = 0; t < REPETITIONS; t++) {
            double sides[2][12];
            for (int side = 0; side < 2; side++) {
                double level = noise_normal(&random);
                for (size_t i = 0; i < size[side]; i++) {
                    sides[side][i] = 0.01 * level + (side == 0 ? 0.03 : 0.0);
                    level = alike * level + sqrt(1.0 - alike * alike) * noise_normal(&random);
                }
            }
            struct estimate e = stats_shift(sides[0], size[0], sides[1], size[1]);
            held += e.low <= 0.03 && 0.03 <= e.high;
            missed += !(e.sure_low <= 0.03 && 0.03 <= e.sure_high);
        }
        assert_true(missed <= (alike > 0.0 ? 0.02 : 0.01) * REPETITIONS);
        holds_as_often_as_it_says("two runs", "shifts", size[0], held, 0.985);
    }
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
        cmocka_unit_test(test_signed_ranks),
        cmocka_unit_test(test_shift_ranks),
        cmocka_unit_test(test_centre),
        cmocka_unit_test(test_centre_of_few_has_no_interval),
        cmocka_unit_test(test_centre_is_wider_where_neighbours_are_alike),
        cmocka_unit_test(test_chance_above),
        cmocka_unit_test(test_by_launch),
        cmocka_unit_test(test_ratio_by_launch),
        cmocka_unit_test(test_effective_number),
        cmocka_unit_test(test_shift),
        cmocka_unit_test(test_coverage_by_launch),
        cmocka_unit_test(test_coverage_of_shift),
        cmocka_unit_test(test_shuffle_is_a_permutation_and_fair),
    };
    return cmocka_run_group_tests_name("stats", tests, NULL, NULL);
}
