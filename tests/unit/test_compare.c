/* test_compare.c - saved runs side by side: which rows belong together, and what is said of them.
 * SPDX-License-Identifier: MIT
 */
#include "../../bench/report/compare.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROUNDS = 12 };

/* One case: variants are timed in as many seconds, or not at all (0). */
static void add_case(struct run *run, const char *kernel, const char *shape, int threads,
                     double scalar, double avx2)
{
    static const char *const variants[] = {"scalar", "avx2"};
    const double seconds[] = {scalar, avx2};
    struct result *result = run_add_results(run, 1);
    assert_non_null(result);
    snprintf(result->kernel, sizeof result->kernel, "%s", kernel);
    snprintf(result->shape, sizeof result->shape, "%s", shape);
    snprintf(result->data, sizeof result->data, "normal");
    result->threads = threads;
    result->order = (int)run->result_count;
    for (int v = 0; v < 2; v++) {
        struct column *column = result_add_column(result);
        assert_non_null(column);
        snprintf(column->variant, sizeof column->variant, "%s", variants[v]);
        column->checked = true;
        column->state = seconds[v] > 0.0 ? COLUMN_TIMED : COLUMN_NOT_TIMED;
        column->run = column->voided[UNDISTURBED] = ROUNDS;
    }
    assert_true(result_set_rounds(result, ROUNDS));
    for (size_t r = 0; r < ROUNDS; r++)
        for (int v = 0; v < 2; v++)
            result->columns[v].seconds[r] = seconds[v];
}

static void make_runs(struct run *before, struct run *after)
{
    run_init(before);
    run_init(after);
    snprintf(before->machine.compiler, sizeof before->machine.compiler, "gcc 12");
    snprintf(after->machine.compiler, sizeof after->machine.compiler, "clang 14");
    add_case(before, "topk", "1000 k=10", 1, 4e-3, 2e-3);
    add_case(before, "dot_pair", "128", 1, 4e-6, 2e-6);
    add_case(before, "dot_pair", "128", 2, 4e-6, 2e-6);
    add_case(after, "dot_pair", "768", 1, 3e-6, 3e-6);
    add_case(after, "topk", "1000 k=10", 1, 8e-3, 1e-3);
    add_case(after, "dot_pair", "128", 1, 0, 2e-6);
    add_case(after, "dot_pair", "128", 1, 1e-6, 7e-6); /* once more, as curves may have it */
}

static bool is_row(const struct compared *row, const char *kernel, const char *variant)
{
    return strcmp(row->result->kernel, kernel) == 0 && strcmp(row->column->variant, variant) == 0;
}

static void test_rows_find_each_other(void **state)
{
    (void)state;
    struct run before, after;
    struct compare c;
    make_runs(&before, &after);
    compare_runs(&before, &after, NULL, &c);
    assert_int_equal(c.count, 4);
    assert_true(is_row(&c.rows[0], "topk", "scalar") && is_row(&c.rows[1], "topk", "avx2"));
    assert_true(is_row(&c.rows[2], "dot_pair", "scalar") && is_row(&c.rows[3], "dot_pair", "avx2"));
    assert_true(c.rows[0].before == 4e-3 && c.rows[0].after == 8e-3);
    assert_true(fabs(c.rows[0].speedup.median - 0.5) < 1e-12);
    assert_true(fabs(c.rows[1].speedup.median - 2.0) < 1e-12);
    assert_true(c.rows[2].after == 1e-6); /* the first that was timed */
    assert_true(c.rows[3].after == 2e-6);
    assert_int_equal(c.before_count, 2); /* with 2 threads */
    assert_int_equal(c.before_alone[0].result->threads, 2);
    assert_int_equal(c.after_count, 2); /* of 768 */
    assert_string_equal(c.after_alone[1].result->shape, "768");
    compare_free(&c);
    run_free(&before);
    run_free(&after);
}

static void test_filter(void **state)
{
    (void)state;
    struct run before, after;
    struct compare c;
    make_runs(&before, &after);
    compare_runs(&before, &after, "topk", &c);
    assert_int_equal(c.count, 2);
    assert_int_equal(c.before_count + c.after_count, 0);
    compare_free(&c);
    compare_runs(&before, &after, "infonce", &c);
    assert_int_equal(c.count + c.before_count + c.after_count, 0);
    compare_free(&c);
    run_free(&before);
    run_free(&after);
}

/* Of one launch nothing is known, however far apart two runs are. */
static void test_without_launches_nothing_is_claimed(void **state)
{
    (void)state;
    struct run before, after;
    struct compare c;
    make_runs(&before, &after);
    compare_runs(&before, &after, NULL, &c);
    for (size_t i = 0; i < c.count; i++) {
        assert_int_equal(c.rows[i].comparison, COMPARISON_INCONCLUSIVE);
        assert_string_equal(c.rows[i].why, "one launch: no interval");
    }
    compare_free(&c);
    run_free(&before);
    run_free(&after);
}

/* Launches of 3 rounds, half a percent apart, and in each a round that was disturbed. */
struct launches {
    double seconds[24];
    size_t launch[24];
};

static struct series launches_at(struct launches *l, size_t count, double seconds)
{
    for (size_t i = 0; i < 3 * count; i++) {
        l->launch[i] = i / 3;
        l->seconds[i] = i % 3 == 1 ? 9 * seconds : seconds * (1 + 0.005 * (double)(i / 3 * 5 % 8));
    }
    return (struct series){l->seconds, l->launch, 3 * count};
}

static void test_launches_give_an_interval(void **state)
{
    (void)state;
    static const struct {
        double before, after;
        enum comparison comparison;
    } known[] = {{1, 0.9, COMPARISON_FASTER},
                 {0.9, 1, COMPARISON_SLOWER},
                 {1, 1.002, COMPARISON_INCONCLUSIVE}};
    for (size_t i = 0; i < 3; i++) {
        struct launches a, b;
        char why[48];
        struct series before = launches_at(&a, 8, known[i].before);
        struct series after = launches_at(&b, 6, known[i].after);
        struct estimate e = compare_series(&before, &after, why, sizeof why);
        struct estimate back = compare_series(&after, &before, why, sizeof why);
        assert_string_equal(why, "");
        assert_true(fabs(e.median - known[i].before / known[i].after) < 0.01);
        assert_int_equal(stats_compare(&e), known[i].comparison);
        assert_true(fabs(e.low * back.high - 1) < 1e-9 && fabs(e.high * back.low - 1) < 1e-9);
    }
}

static void test_few_launches_have_no_interval(void **state)
{
    (void)state;
    struct launches a, b;
    char why[48];
    struct series before = launches_at(&a, 3, 1.0), after = launches_at(&b, 2, 0.5);
    struct estimate e = compare_series(&before, &after, why, sizeof why);
    assert_true(fabs(e.median - 2.0) < 0.05);
    assert_string_equal(why, "3 and 2 launches: no interval");
    assert_int_equal(stats_compare(&e), COMPARISON_INCONCLUSIVE);
    after.launch = NULL;
    e = compare_series(&before, &after, why, sizeof why);
    assert_string_equal(why, "one launch: no interval");
    assert_int_equal(stats_compare(&e), COMPARISON_INCONCLUSIVE);
}

static void says(const char *text, const char *words)
{
    if (!strstr(text, words))
        fail_msg("'%s' is missing in: %s", words, text);
}

/* Times are stated at the first run's clock where all state one and are of one kind of CPU. */
static void test_clocks(void **state)
{
    (void)state;
    struct saved runs[2] = {{.path = "a"}, {.path = "b"}};
    for (int i = 0; i < 4; i++) {
        make_runs(&runs[0].run, &runs[1].run);
        for (int r = 0; r < 2; r++) {
            struct run *run = &runs[r].run;
            run->best.clock = r == 0 ? 4e9 : i == 1 ? 0.0 : 2e9;
            snprintf(run->machine.slug, sizeof run->machine.slug, "cpu-%d", i == 2 ? r : 0);
            struct result *result = &run->results[0];
            result->level = i == 3 ? PEAK_READ_MEMORY : PEAK_READ_L2;
            result->canary = calloc(2 * ROUNDS, sizeof *result->canary);
            assert_non_null(result->canary);
            for (size_t c = 0; c < 2 * ROUNDS; c++)
                result->canary[c].rate[0] = run->best.clock;
            run_state_at(run, run->best.clock);
        }
        compare_state_clock(runs, 2);
        double clock = i == 0 || i == 3 ? 4e9 : 0.0;
        for (int r = 0; r < 2; r++) {
            assert_true(runs[r].run.best.clock == clock);
            assert_true(runs[r].run.results[0].clock == (i == 3 ? 0.0 : clock));
            run_free(&runs[r].run);
        }
    }
}

static void test_text(void **state)
{
    (void)state;
    static void (*const writers[])(FILE *, const struct saved *, size_t,
                                   const char *) = {compare_terminal, compare_markdown};
    for (int w = 0; w < 2; w++) {
        struct saved runs[3] = {{.path = "old.json"}, {.path = "new.json"}, {.path = "newer"}};
        struct run ignored;
        char *text;
        size_t bytes;
        make_runs(&runs[0].run, &runs[1].run);
        make_runs(&runs[2].run, &ignored);
        run_free(&ignored);
        FILE *out = open_memstream(&text, &bytes);
        assert_non_null(out);
        writers[w](out, runs, 3, NULL);
        assert_int_equal(fclose(out), 0);
        says(text, "History, and no judge");
        says(text, "old.json");
        says(text, "A gcc 12; B clang 14; C gcc 12  (they differ)");
        says(text, "timed in A alone, 2 rows:\n- dot_pair  128  normal  2 threads: scalar, avx2\n");
        says(text, "timed in B alone, 2 rows:\n- dot_pair  768  normal  1 thread: scalar, avx2\n");
        says(text, "B against A: 4 rows in both: 0 faster, 0 slower, 4 inconclusive; 2 in A alone, "
                   "2 in B alone\n");
        says(text, "C against A: 6 rows in both");
        says(text, "2.00 ms");
        free(text);
        for (int r = 0; r < 3; r++)
            run_free(&runs[r].run);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_find_each_other),
        cmocka_unit_test(test_filter),
        cmocka_unit_test(test_without_launches_nothing_is_claimed),
        cmocka_unit_test(test_launches_give_an_interval),
        cmocka_unit_test(test_few_launches_have_no_interval),
        cmocka_unit_test(test_clocks),
        cmocka_unit_test(test_text),
    };
    return cmocka_run_group_tests_name("compare", tests, NULL, NULL);
}
