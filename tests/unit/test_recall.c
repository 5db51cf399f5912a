/* test_recall.c - searches that may miss results: what share they find is measured and said, and
 * they are no rivals; and of our own searches, what became of the pairs.
 * SPDX-License-Identifier: MIT
 */
#include "../../bench/base/stats.h"
#include "../../bench/report/report.h"
#include "../../bench/results/json.h"
#include "../../bench/timing/job.h"
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
#include <unistd.h>

#include <cmocka.h>

enum { QUERIES = 6, GALLERY = 40, RESULTS = 5 };

/* ---- Measured -------------------------------------------------------------------------------- */

/* A library that finds all, but that in the last queries the first result stands in place of the
 * last. */
static size_t spoiled;

static enum mmk_status find(struct peer *peer, struct trial *trial)
{
    (void)peer;
    enum mmk_status status = trial->kernel->call(trial);
    const struct buffer *indices = trial_buffer(trial, "indices");
    for (size_t i = indices->rows - spoiled; i < indices->rows; i++) {
        uint32_t *row = (uint32_t *)indices->data + i * indices->ld;
        row[RESULTS - 1] = row[0];
    }
    return status;
}

static bool judge(size_t wrong, bool approximate, struct column *column)
{
    const struct plan_case plan = {.kernel = kernel_find("search"),
                                   .shape = {.m = QUERIES, .n = GALLERY, .d = 12, .k = RESULTS},
                                   .fill = FILL_NORMAL,
                                   .threads = 1,
                                   .workspace = WORKSPACE_NONE};
    struct peer peer = {.name = "made up", .approximate = approximate, .call = find};
    const struct variant variant = variant_of_peer(&peer);
    struct job job;
    char error[256];
    spoiled = wrong;
    *column = (struct column){.calls = 1};
    assert_true(job_open(&job, &plan, 1, error, sizeof error));
    assert_true(job_oracle(&job, true));
    bool good = job_check(&job, &variant, column);
    job_close(&job);
    return good;
}

static void test_share_that_is_found(void **state)
{
    (void)state;
    struct column column;
    for (size_t wrong = 0; wrong <= QUERIES; wrong += 3) {
        assert_true(judge(wrong, true, &column));
        assert_true(column.checked && column.approximate);
        assert_int_equal(column.recalled, QUERIES * RESULTS);
        assert_true(column.recall == (double)(QUERIES * RESULTS - wrong) / (QUERIES * RESULTS));
    }
}

/* Who promises all results is checked, and its recall is known beside. */
static void test_exact_ones_are_checked(void **state)
{
    (void)state;
    struct column column;
    assert_true(judge(0, false, &column));
    assert_true(column.checked && !column.approximate && column.recall == 1.0);
    assert_false(judge(1, false, &column));
    assert_false(column.checked);
    assert_non_null(strstr(column.note, "indices"));
}

static void test_pairs_of_ours(void **state)
{
    (void)state;
    const struct plan_case plan = {.kernel = kernel_find("search"),
                                   .shape = {.m = QUERIES, .n = GALLERY, .d = 12, .k = RESULTS},
                                   .fill = FILL_NORMAL,
                                   .threads = 1,
                                   .workspace = WORKSPACE_NONE};
    const struct variant *list;
    struct column column = {.calls = 1};
    struct job job;
    char error[256];
    size_t count = variants_list(&list);
    assert_true(job_open(&job, &plan, 1, error, sizeof error));
    assert_true(job_oracle(&job, true));
    assert_true(job_check(&job, &list[count - 1], &column));
    const struct mmk_search_work *w = &column.work;
    assert_int_equal(w->scored + w->ruled_out_by_prefix + w->ruled_out_by_codes +
                         w->ruled_out_by_sums,
                     QUERIES * GALLERY);
    assert_int_equal(column.recalled, 0);
    assert_null(job.trial.work); /* what is timed does not count */
    job_close(&job);
}

/* ---- Said ------------------------------------------------------------------------------------ */

/* avx2 and two libraries at a search, of which the faster may miss results. */
static void make_run(struct run *run, bool with_exact)
{
    run_init(run);
    for (size_t launch = 0; launch < 8; launch++) {
        struct run one;
        made_up_launch(&one, 1.0 + 0.001 * (double)launch, 3.0, NULL);
        struct result *result = &one.results[0];
        snprintf(result->kernel, sizeof result->kernel, "search");
        snprintf(result->shape, sizeof result->shape, "10x1000x8 k=5");
        result->m = 10;
        result->columns[1].work =
            (struct mmk_search_work){.scored = 1234, .ruled_out_by_codes = 8766};
        struct column *column;
        if (with_exact) {
            column = made_up_column(&one, "flat", "avx2", 2.0);
            snprintf(column->library, sizeof column->library, "Flat 1.0; heap");
            column->recall = 1.0;
            column->recalled = 50;
        }
        column = made_up_column(&one, "codes", "avx2", 0.5);
        snprintf(column->library, sizeof column->library, "Codes 2.0; narrow");
        column->approximate = true;
        column->recall = 0.98;
        column->recalled = 50;
        assert_true(run_merge(run, result, launch));
        run_free(&one);
    }
}

static void test_no_rival(void **state)
{
    (void)state;
    for (int with_exact = 0; with_exact < 2; with_exact++) {
        struct run run;
        struct row widest;
        struct versus all[VERSUS_MOST];
        size_t best = 99;
        make_run(&run, with_exact);
        size_t count = analyse_peers(&run.results[0], &widest, all, &best);
        assert_int_equal(count, 1 + with_exact);
        assert_int_equal(best, with_exact ? 0 : count);
        if (with_exact)
            assert_string_equal(all[best].peer->variant, "flat");
        run_free(&run);
    }
}

static void report_has(void (*report)(FILE *out, const struct run *run), const struct run *run,
                       const char *const *words)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    report(out, run);
    assert_int_equal(fclose(out), 0);
    for (; *words; words++)
        if (!strstr(text, *words))
            fail_msg("no '%s' in:\n%s", *words, text);
    free(text);
}

static void as_markdown(FILE *out, const struct run *run)
{
    report_markdown(out, run, 1);
}

static void check_reports(const struct run *run)
{
    const char *const terminal[] = {"over the best peer, flat 1.0: 1.9",
                                    "; over codes 2.0, at recall 0.9800: 0.50", "recall 0.9800",
                                    "scored a query 123 of 1000 (codes)", NULL};
    const char *const markdown[] = {
        "| flat 1.0 | 1.9",
        "0.50, at recall 0.9800 |",
        "| 1 | exact, the same bits everywhere | 123 of 1000 (codes) |",
        "| flat 1.0 | 5.00 | 1 | exact, to the rounding of its sums | - |",
        "| codes 2.0 | 20.0 | 0.9800 | none | - |",
        NULL};
    const char *const csv[] = {",recall,pairs_scored,", ",0.98,0,0,0,0,\"Codes 2.0; narrow\"",
                               ",1234,0,8766,0,", NULL};
    report_has(report_terminal, run, terminal);
    report_has(as_markdown, run, markdown);
    report_has(report_csv, run, csv);
}

static void test_reports(void **state)
{
    (void)state;
    char path[] = "/tmp/test-recall-XXXXXX", error[512] = "";
    struct run run, again;
    make_run(&run, true);
    check_reports(&run);
    int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
    if (!results_write_json(&run, path, error, sizeof error))
        fail_msg("%s", error);
    if (!results_read_json(&again, path, error, sizeof error))
        fail_msg("%s", error);
    unlink(path);
    check_reports(&again);
    run_free(&again);
    run_free(&run);

    make_run(&run, false);
    const char *const alone[] = {"  avx2 over codes 2.0, at recall 0.9800: 0.50", NULL};
    const char *const none[] = {" | - | - | - | 0.50, at recall 0.9800 |", NULL};
    report_has(report_terminal, &run, alone);
    report_has(as_markdown, &run, none);
    run_free(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_share_that_is_found),
        cmocka_unit_test(test_exact_ones_are_checked),
        cmocka_unit_test(test_pairs_of_ours),
        cmocka_unit_test(test_no_rival),
        cmocka_unit_test(test_reports),
    };
    return cmocka_run_group_tests_name("recall", tests, NULL, NULL);
}
