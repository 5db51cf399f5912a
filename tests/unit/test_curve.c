/* test_curve.c - which cases the curves are made of, and the tables that show them.
 * SPDX-License-Identifier: MIT
 */
#include "../../bench/curves/curve.h"
#include "../../bench/base/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct curve_options wanted(const char *list)
{
    struct curve_options options = {.cpus = 2};
    char error[256] = "";
    if (!curve_parse(&options, list, error, sizeof error))
        fail_msg("%s: %s", list, error);
    return options;
}

static struct plan planned(const struct curve_options *options)
{
    struct plan plan = {NULL, 0};
    assert_true(curve_plan(&plan, options));
    return plan;
}

static void test_lists(void **state)
{
    (void)state;
    struct curve_options all = wanted(""), some = wanted("memory,threads");
    assert_true(all.memory && all.wanted[CURVE_BATCH] && all.wanted[CURVE_WORKSPACE] &&
                all.wanted[CURVE_THREADS]);
    assert_false(all.wanted[CURVE_SEARCH]); /* the others are of InfoNCE */
    assert_true(wanted("search").wanted[CURVE_SEARCH]);
    assert_true(some.memory && some.wanted[CURVE_THREADS] && !some.wanted[CURVE_BATCH] &&
                !some.wanted[CURVE_WORKSPACE]);
    const char *const bad[] = {"speed", "batch,,memory", "bat", "batches", ","};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct curve_options options = {.cpus = 1};
        char error[256] = "";
        bool good = curve_parse(&options, bad[i], error, sizeof error);
        if (good)
            fail_msg("%s: this must not be understood", bad[i]);
        assert_non_null(strstr(error, "no such curve"));
    }
}

/* The sampler takes a group from cases that follow each other and differ in threads and workspace
 * only. */
static void test_groups_hold_together(void **state)
{
    (void)state;
    struct curve_options options = wanted("");
    struct plan plan = planned(&options);
    for (size_t i = 0; i < plan.count; i++) {
        const struct plan_case *c = &plan.cases[i];
        assert_true(c->group > 0);
        for (size_t j = 0; j < i; j++) {
            const struct plan_case *other = &plan.cases[j];
            if (other->group != c->group)
                continue;
            assert_int_equal(plan.cases[i - 1].group, c->group);
            assert_memory_equal(&other->shape, &c->shape, sizeof c->shape);
            assert_true(other->threads != c->threads || other->workspace != c->workspace);
        }
    }
    plan_free(&plan);
}

static void test_batches(void **state)
{
    (void)state;
    struct curve_options options = wanted("batch");
    options.dim = 96;
    struct plan plan = planned(&options);
    assert_int_equal(plan.count, 18); /* 32, 64 ... 8192 in two modes */
    for (size_t i = 0; i < plan.count; i++) {
        assert_int_equal(plan.cases[i].shape.m, (size_t)32 << i / 2);
        assert_int_equal(plan.cases[i].shape.d, 96);
        assert_int_equal(plan.cases[i].threads, 1);
    }
    plan_free(&plan);
}

static void test_searches_by_dimension(void **state)
{
    (void)state;
    static const size_t dims[] = {64, 128, 256, 384, 512, 768};
    struct curve_options options = wanted("search");
    struct plan plan = planned(&options);
    assert_int_equal(plan.count, 6);
    for (size_t i = 0; i < plan.count; i++) {
        const struct shape *s = &plan.cases[i].shape;
        assert_string_equal(plan.cases[i].kernel->name, "search");
        assert_true(s->m == 1000 && s->n == 100000 && s->k == 10 && s->d == dims[i]);
        assert_true(s->similarity == MMK_COSINE && plan.cases[i].peers);
    }
    plan_free(&plan);
    options.dim = 96;
    plan = planned(&options);
    assert_int_equal(plan.count, 1);
    assert_int_equal(plan.cases[0].shape.d, 96);
    plan_free(&plan);
}

/* Ours with and without its extension, and of other libraries those that find all. */
static void test_searchers(void **state)
{
    (void)state;
    const struct isa_row *row = isa_builtin_row(MMK_ISA_SCALAR);
    struct peer exact = {.name = "exact"}, narrow = {.name = "narrow", .approximate = true};
    const struct variant all[] = {
        {"autovec-b", "b", "", row, NULL},  {"a", "a", "", row, NULL},
        {"b", "b", "", row, NULL},          {"b:base", "b", "", row, NULL},
        {"narrow", "b", "", NULL, &narrow}, {"exact", "b", "", NULL, &exact}};
    enum { ALL = sizeof all / sizeof all[0] };
    const struct variant *picked[ALL], *chosen[ALL];
    for (size_t v = 0; v < ALL; v++)
        picked[v] = &all[v];
    assert_int_equal(curve_variants(CURVE_SEARCH, picked, ALL, chosen), 3);
    assert_string_equal(chosen[0]->name, "b");
    assert_string_equal(chosen[1]->name, "b:base");
    assert_string_equal(chosen[2]->name, "exact");
    assert_int_equal(curve_variants(CURVE_THREADS, picked, ALL, chosen), 1);
}

static void test_workspaces_from_none_to_all(void **state)
{
    (void)state;
    struct curve_options options = wanted("workspace");
    struct plan plan = planned(&options);
    assert_int_equal(plan.count, 18); /* nine for each of two dimensions */
    for (size_t i = 0; i < plan.count; i += 9) {
        assert_int_equal(plan.cases[i].workspace, WORKSPACE_STREAMED);
        assert_int_equal(plan.cases[i + 8].workspace, WORKSPACE_STORED);
        for (size_t j = i + 1; j < i + 9; j++)
            assert_true(plan.cases[j].workspace > plan.cases[j - 1].workspace);
    }
    plan_free(&plan);
}

static void test_threads_within_the_cpus(void **state)
{
    (void)state;
    static const struct {
        int cpus;
        size_t counts;
    } machines[] = {{1, 1}, {2, 2}, {3, 2}, {4, 3}, {64, 3}};
    for (size_t i = 0; i < sizeof machines / sizeof machines[0]; i++) {
        struct curve_options options = wanted("threads");
        options.cpus = machines[i].cpus;
        struct plan plan = planned(&options);
        assert_int_equal(plan.count, 2 * machines[i].counts);
        plan_free(&plan);
    }
}

static void test_variants(void **state)
{
    (void)state;
    const struct variant *all, *picked[32], *chosen[32];
    size_t count = variants_list(&all);
    for (size_t v = 0; v < count; v++)
        picked[v] = &all[v];
    size_t batch = curve_variants(CURVE_BATCH, picked, count, chosen);
    assert_true(batch >= 1);
    for (size_t v = 0; v < batch; v++) {
        assert_string_not_equal(chosen[v]->name, "ref");
        assert_null(strstr(chosen[v]->name, "autovec"));
    }
    const struct variant *widest = chosen[0];
    for (size_t v = 0; v < batch; v++)
        if (strcmp(chosen[v]->name, chosen[v]->isa) == 0)
            widest = chosen[v];
    assert_int_equal(curve_variants(CURVE_THREADS, picked, count, chosen), 1);
    assert_ptr_equal(chosen[0], widest);
    assert_int_equal(curve_variants(CURVE_BATCH, picked, 1, chosen), 0); /* the oracle alone */
}

static void test_table(void **state)
{
    (void)state;
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    struct table table;
    table_open(&table, "lr");
    table_cell(&table, "name");
    table_cell(&table, "B²"); /* one column wide, three bytes long */
    table_cell(&table, "%s", "a");
    table_cell(&table, "%d", 4096);
    table_close(&table, out);
    table_open(&table, "lr"); /* a heading without rows */
    table_cell(&table, "name");
    table_cell(&table, "B");
    table_close(&table, out);
    fclose(out);
    assert_string_equal(text, "| name |   B² |\n"
                              "|------|-----:|\n"
                              "| a    | 4096 |\n\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_groups_hold_together),
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_searches_by_dimension),
        cmocka_unit_test(test_searchers),
        cmocka_unit_test(test_workspaces_from_none_to_all),
        cmocka_unit_test(test_threads_within_the_cpus),
        cmocka_unit_test(test_variants),
        cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
