/* test_gate.c - what a gate makes of launches.
 * SPDX-License-Identifier: MIT
 *
 * Launches are simulated, so that it is known what is true of them.
 */
#include "../../bench/machine/health.h"
#include "../../bench/report/gate_report.h"
#include "../../bench/results/gate_json.h"
#include "../../bench/timing/verdict.h"
#include "noise.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { WHOLE = 70 }; /* cases of a whole gate */
#define TWO_PERCENT 0.02

/* Launches come until the verdict is settled. spread: standard deviation of ln between launches, of
 * which each is `alike` the one before. */
static struct judgement simulate_alike(double slower, double spread, double alike, size_t cases,
                                       uint64_t *state)
{
    struct evidence evidence;
    struct judgement j = {.settled = false};
    double noise = noise_normal(state);
    memset(&evidence, 0, sizeof evidence);
    while (!j.settled) {
        struct verdict_launches *l = verdict_next(&evidence);
        assert_true(l->count < MOST_LAUNCHES);
        l->log_ratio[l->count++] = log1p(slower) + spread * noise;
        noise = alike * noise + sqrt(1.0 - alike * alike) * noise_normal(state);
        j = verdict_judge(&evidence, TWO_PERCENT, cases);
    }
    return j;
}

static struct judgement simulate(double slower, double spread, size_t cases, uint64_t *state)
{
    return simulate_alike(slower, spread, 0.0, cases, state);
}

static void tally(double slower, double spread, size_t cases, size_t trials, size_t found[4])
{
    uint64_t state = 11;
    memset(found, 0, 4 * sizeof *found);
    for (size_t i = 0; i < trials; i++)
        found[simulate(slower, spread, cases, &state).verdict]++;
}

/* Of 10,000 comparisons of a build with itself, 142 whole gates, next to none may be called a
 * regression: VERDICT_CHANCE allows each gate 5 %, if all of its cases were suspects. */
static void test_itself_is_not_slower(void **unused)
{
    (void)unused;
    static const double spreads[] = {0.002, 0.005, 0.01, 0.02};
    size_t found[4];
    for (size_t s = 0; s < sizeof spreads / sizeof spreads[0]; s++) {
        tally(0.0, spreads[s], WHOLE, 10000, found);
        assert_true(found[GATE_REGRESSED] <= 1);
        if (spreads[s] <= 0.01)
            assert_true(found[GATE_PASS] > 9950);
    }
}

/* Nor where a launch is like the one before it, and they vary by as much as the threshold, so that
 * many are suspects: VERDICT_CHANCE in a gate is 3.6 of 5000 cases. */
static void test_launches_that_are_alike_prove_little(void **unused)
{
    (void)unused;
    uint64_t state = 5;
    size_t regressed = 0;
    for (size_t i = 0; i < 5000; i++)
        regressed += simulate_alike(0.0, 0.02, 0.6, WHOLE, &state).verdict == GATE_REGRESSED;
    assert_true(regressed <= 3);
}

/* PASS is looked for again and again: a build that is slower by more than what matters is not to
 * come through by that. By how much at most is what bench/README.md says. */
static void test_slower_does_not_pass(void **unused)
{
    (void)unused;
    static const double spreads[] = {0.005, 0.01, 0.02, 0.05};
    size_t found[4];
    for (size_t s = 0; s < sizeof spreads / sizeof spreads[0]; s++) {
        tally(0.02, spreads[s], WHOLE, 150, found);
        size_t at_threshold = found[GATE_PASS];
        tally(0.03, spreads[s], WHOLE, 150, found);
        assert_true(at_threshold < 27 && found[GATE_PASS] < 6);
        if (spreads[s] <= 0.01)
            assert_true(at_threshold < 6 && found[GATE_PASS] == 0);
    }
}

static void test_one_kernel_alone_is_not_blamed_either(void **unused)
{
    (void)unused;
    size_t found[4];
    tally(0.0, 0.01, 1, 10000, found);
    assert_true(found[GATE_REGRESSED] < 10000 / 500);
}

static void test_three_percent_are_found(void **unused)
{
    (void)unused;
    size_t found[4];
    tally(0.03, 0.005, WHOLE, 1000, found);
    assert_true(found[GATE_REGRESSED] > 990);
    tally(0.03, 0.01, 3, 1000, found);
    assert_true(found[GATE_REGRESSED] > 970);
    tally(0.10, 0.03, WHOLE, 1000, found);
    assert_true(found[GATE_REGRESSED] > 990);
}

/* Surely slower, but by less than half of what matters. */
static void test_little_slower_passes(void **unused)
{
    (void)unused;
    size_t found[4];
    tally(0.005, 0.002, WHOLE, 1000, found);
    assert_int_equal(found[GATE_REGRESSED], 0);
    assert_true(found[GATE_PASS] > 990);
}

static void test_faster_passes(void **unused)
{
    (void)unused;
    size_t found[4];
    tally(-0.05, 0.01, WHOLE, 1000, found);
    assert_int_equal(found[GATE_PASS], 1000);
}

/* Where launches differ more than the threshold nothing can be said. */
static void test_noise_is_inconclusive(void **unused)
{
    (void)unused;
    size_t found[4];
    tally(0.0, 0.2, WHOLE, 10, found);
    assert_int_equal(found[GATE_REGRESSED], 0);
    assert_true(found[GATE_INCONCLUSIVE] > 0); /* others happen to lie below 1 */
}

static void test_few_launches_settle_nothing(void **unused)
{
    (void)unused;
    struct evidence evidence;
    memset(&evidence, 0, sizeof evidence);
    for (size_t i = 0; i + 1 < LEAST_FIRST_LAUNCHES; i++) {
        evidence.first.log_ratio[evidence.first.count++] = 0.0;
        struct judgement j = verdict_judge(&evidence, TWO_PERCENT, 1);
        assert_false(j.settled);
        assert_int_equal(j.verdict, GATE_INCONCLUSIVE);
    }
    evidence.first.log_ratio[evidence.first.count++] = 0.0;
    assert_int_equal(verdict_judge(&evidence, TWO_PERCENT, 1).verdict, GATE_PASS);
}

/* What made a case suspicious does not count in its proof. */
static void test_a_suspicion_is_no_proof(void **unused)
{
    (void)unused;
    struct evidence evidence;
    struct judgement j = {.settled = false};
    memset(&evidence, 0, sizeof evidence);
    for (size_t i = 0; i < LEAST_FIRST_LAUNCHES; i++) {
        struct verdict_launches *l = verdict_next(&evidence);
        l->log_ratio[l->count++] = 0.05 + 0.001 * (double)i;
        j = verdict_judge(&evidence, TWO_PERCENT, 1);
    }
    assert_true(evidence.suspect);
    assert_false(j.settled);
    for (size_t i = 0; i < FIRST_LOOK; i++) {
        struct verdict_launches *l = verdict_next(&evidence);
        assert_ptr_equal(l, &evidence.again);
        l->log_ratio[l->count++] = i % 2 == 0 ? 0.001 : -0.001;
        j = verdict_judge(&evidence, TWO_PERCENT, 1);
    }
    assert_true(j.settled);
    assert_int_equal(j.verdict, GATE_PASS);
    assert_true(j.ratio.high < 1.01);
}

static void test_gravest_verdict_is_the_runs(void **unused)
{
    (void)unused;
    static const struct {
        size_t tally[4];
        enum gate_verdict verdict;
    } known[] = {{{5, 0, 0, 0}, GATE_PASS},         {{5, 0, 1, 0}, GATE_INCONCLUSIVE},
                 {{5, 1, 1, 0}, GATE_REGRESSED},    {{5, 1, 1, 1}, GATE_NOT_COMPARED},
                 {{5, 0, 0, 1}, GATE_NOT_COMPARED}, {{0, 0, 0, 0}, GATE_NOT_COMPARED}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        assert_int_equal(verdict_of_run(known[i].tally), known[i].verdict);
}

/* ---- What is written ------------------------------------------------------------------------- */

/* One case of each verdict. */
static void make_gate(struct gate *gate, struct gate_case cases[4])
{
    memset(gate, 0, sizeof *gate);
    memset(cases, 0, 4 * sizeof *cases);
    gate->cases = cases;
    gate->count = 4;
    gate->options = (struct gate_options){.baseline = "old", .threshold = TWO_PERCENT};
    for (size_t i = 0; i < 4; i++) {
        struct gate_case *c = &cases[i];
        snprintf(c->kernel, sizeof c->kernel, "kernel%zu", i);
        snprintf(c->shape, sizeof c->shape, "64x8");
        snprintf(c->variant, sizeof c->variant, "avx2");
        c->judgement.verdict = (enum gate_verdict)i;
        c->judgement.ratio = (struct estimate){.median = 1.03, .low = 1.01, .high = 1.05, .n = 8};
        c->evidence.first.count = LEAST_FIRST_LAUNCHES;
        gate->tally[i]++;
    }
    cases[1].evidence.suspect = true; /* its row is of its proof */
    cases[1].evidence.again.count = FIRST_LOOK;
    cases[1].evidence.again.quiet[3] = true;
    snprintf(cases[3].why, sizeof cases[3].why, "this build crashed: <signal \"11\">");
    cases[3].judgement.ratio = (struct estimate){.median = NAN, .low = NAN, .high = NAN};
    gate->verdict = verdict_of_run(gate->tally);
}

static char *written(void (*report)(FILE *, const struct gate *), const struct gate *gate)
{
    char *text = NULL;
    size_t bytes;
    FILE *file = open_memstream(&text, &bytes);
    assert_non_null(file);
    report(file, gate);
    fclose(file);
    return text;
}

static size_t count_of(const char *text, const char *word)
{
    size_t count = 0;
    for (; (text = strstr(text, word)) != NULL; text += strlen(word))
        count++;
    return count;
}

static void test_junit(void **unused)
{
    (void)unused;
    struct gate gate;
    struct gate_case cases[4];
    make_gate(&gate, cases);
    char *text = written(gate_report_junit, &gate);
    assert_int_equal(count_of(text, "<testcase "), 4);
    assert_int_equal(count_of(text, ", 16 launches<"), 1);
    assert_int_equal(count_of(text, ", 8 launches<"), 3);
    assert_int_equal(count_of(text, "<failure "), 1);
    assert_int_equal(count_of(text, "<skipped "), 1);
    assert_int_equal(count_of(text, "<error "), 1);
    assert_non_null(strstr(text, "tests=\"4\" failures=\"1\" errors=\"1\" skipped=\"1\""));
    assert_non_null(strstr(text, "&lt;signal &quot;11&quot;&gt;"));
    free(text);
}

static void test_text_and_markdown_say_the_same(void **unused)
{
    (void)unused;
    struct gate gate;
    struct gate_case cases[4];
    make_gate(&gate, cases);
    char *text = written(gate_report_text, &gate), *table = written(gate_report_markdown, &gate);
    static const char *const words[] = {"PASS",
                                        "REGRESSED",
                                        "INCONCLUSIVE",
                                        "NOT COMPARED: this build crashed",
                                        "1.030 [1.010, 1.050]",
                                        "1 passed, 1 regressed, 1 inconclusive, 1 not compared"};
    for (size_t w = 0; w < sizeof words / sizeof words[0]; w++) {
        assert_non_null(strstr(text, words[w]));
        assert_non_null(strstr(table, words[w]));
    }
    free(text);
    free(table);
}

static void test_json(void **unused)
{
    (void)unused;
    struct gate gate;
    struct gate_case cases[4];
    struct machine machine;
    char *text = NULL;
    size_t bytes;
    make_gate(&gate, cases);
    memset(&machine, 0, sizeof machine);
    FILE *file = open_memstream(&text, &bytes);
    assert_true(gate_json_write(file, &gate, &machine));
    fclose(file);
    json_error_t problem;
    json_t *root = json_loads(text, 0, &problem);
    assert_non_null(root);
    const json_t *list = json_object_get(root, "cases");
    assert_int_equal(json_array_size(list), 4);
    const json_t *last = json_array_get(list, 3), *first = json_array_get(list, 0);
    assert_string_equal(json_string_value(json_object_get(last, "verdict")), "NOT COMPARED");
    assert_true(json_is_null(json_object_get(last, "ratio")));
    assert_true(fabs(json_number_value(json_object_get(first, "ratio")) - 1.03) < 1e-6);
    assert_int_equal(
        json_array_size(json_object_get(json_object_get(first, "first_launches"), "ratio")),
        LEAST_FIRST_LAUNCHES);
    json_decref(root);
    free(text);
}

static void test_chosen_word(void **unused)
{
    (void)unused;
    char word[16];
    health_chosen("always [madvise] never", word, sizeof word);
    assert_string_equal(word, "madvise");
    health_chosen("never", word, sizeof word);
    assert_string_equal(word, "");
    health_chosen("broken [", word, sizeof word);
    assert_string_equal(word, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_itself_is_not_slower),
        cmocka_unit_test(test_launches_that_are_alike_prove_little),
        cmocka_unit_test(test_slower_does_not_pass),
        cmocka_unit_test(test_one_kernel_alone_is_not_blamed_either),
        cmocka_unit_test(test_three_percent_are_found),
        cmocka_unit_test(test_little_slower_passes),
        cmocka_unit_test(test_faster_passes),
        cmocka_unit_test(test_noise_is_inconclusive),
        cmocka_unit_test(test_few_launches_settle_nothing),
        cmocka_unit_test(test_a_suspicion_is_no_proof),
        cmocka_unit_test(test_gravest_verdict_is_the_runs),
        cmocka_unit_test(test_junit),
        cmocka_unit_test(test_text_and_markdown_say_the_same),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_chosen_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
