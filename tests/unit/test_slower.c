/* test_slower.c - a wide instruction set that is slower than a narrower one is marked, and nothing
 * else is; peers are named with their version.
 * SPDX-License-Identifier: MIT
 */
#include "../../bench/report/report.h"
#include "../../bench/results/json.h"
#include "made_up.h"

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

/* Seconds of each; avx512 takes the second time in every other launch. */
struct times {
    double scalar, avx2, autovec, peer, avx512, avx512_too;
};

static void make_run(struct run *run, const struct times *times, size_t launches)
{
    run_init(run);
    for (size_t l = 0; l < launches; l++) {
        struct run launch;
        double slower = 1.0 + 0.01 * (double)(l * 7 % 4), of_machine = 1.0 + 0.1 * (double)(l % 3);
        slower *= of_machine; /* what all have in common drops out of pairs */
        made_up_launch(&launch, times->avx2 * of_machine, times->autovec * slower, NULL);
        made_up_column(&launch, "scalar", "scalar", times->scalar * slower);
        made_up_column(&launch, "autovec-avx512", "avx512", times->autovec * slower);
        struct column *avx512 = made_up_column(
            &launch, "avx512", "avx512", (l % 2 ? times->avx512_too : times->avx512) * slower);
        snprintf(avx512->baseline, sizeof avx512->baseline, "autovec-avx512");
        made_up_column(&launch, "ref", "", times->autovec * slower);
        struct column *peer = made_up_column(&launch, "onednn", "avx512", times->peer * slower);
        snprintf(peer->library, sizeof peer->library, "oneDNN 2.6.3 (2022); avx512_core");
        assert_true(run_merge(run, &launch.results[0], l));
        run_free(&launch);
    }
    run->launches = launches;
    run_judge(run);
}

/* What is said of a variant: the instruction sets that it is slower than. */
static void said(const struct run *run, const char *variant, const char *expected)
{
    struct row row;
    char text[64];
    analyse(&run->results[0], result_find_column(&run->results[0], variant), &row);
    text_slower(&row, text, sizeof text);
    assert_string_equal(text, expected);
}

/* All that a report writes; to be freed. */
static char *written(void (*report)(FILE *out, const struct run *run), const struct run *run)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    report(out, run);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void as_markdown(FILE *out, const struct run *run)
{
    report_markdown(out, run, 1);
}

static void as_json(FILE *out, const struct run *run)
{
    char path[] = "/tmp/test-slower-XXXXXX", error[512] = "";
    int file = mkstemp(path), c;
    assert_true(file >= 0);
    close(file);
    if (!results_write_json(run, path, error, sizeof error))
        fail_msg("%s", error);
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    while ((c = fgetc(in)) != EOF)
        fputc(c, out);
    fclose(in);
    unlink(path);
}

static size_t count_of(const char *text, const char *word)
{
    size_t count = 0;
    for (; (text = strstr(text, word)) != NULL; text += strlen(word))
        count++;
    return count;
}

/* Each report has the words so many times. */
static void reports_have(const struct run *run, size_t count, const char *terminal,
                         const char *markdown, const char *csv, const char *json)
{
    const struct {
        void (*report)(FILE *out, const struct run *run);
        const char *words;
    } reports[] = {
        {report_terminal, terminal}, {as_markdown, markdown}, {report_csv, csv}, {as_json, json}};
    for (size_t i = 0; i < sizeof reports / sizeof reports[0]; i++) {
        char *text = written(reports[i].report, run);
        if (count_of(text, reports[i].words) != count)
            fail_msg("not %zu times '%s' in:\n%s", count, reports[i].words, text);
        free(text);
    }
    char *last = written(report_summary, run), expected[64];
    snprintf(expected, sizeof expected, " %zu slower than a narrower ISA;", count);
    assert_non_null(strstr(last, expected));
    free(last);
    assert_int_equal(analyse_tally(run).slower, count);
}

static void test_slower_is_marked(void **state)
{
    (void)state;
    const struct times times = {8.0, 2.0, 6.0, 6.0, 2.2, 2.2};
    struct run run;
    make_run(&run, &times, 8);
    said(&run, "avx512", "slower than avx2");
    said(&run, "avx2", "");
    reports_have(&run, 1, "slower than avx2\n", " | faster; slower than avx2 | ", ",faster,avx2,",
                 "\"slower_than\":[\"avx2\"]");
    run_free(&run);
}

/* Its time is greater, but not surely. */
static void test_maybe_slower_is_not(void **state)
{
    (void)state;
    const struct times times = {8.0, 2.0, 6.0, 6.0, 2.12, 1.92};
    struct run run;
    struct row row;
    make_run(&run, &times, 12);
    const struct result *result = &run.results[0];
    analyse(result, result_find_column(result, "avx512"), &row);
    struct estimate e = analyse_series(result, result_find_column(result, "avx2")->seconds,
                                       result_find_column(result, "avx512")->seconds);
    assert_true(e.median < 1.0 && e.sure_high > 1.0);
    said(&run, "avx512", "");
    reports_have(&run, 0, "slower than", "; slower than", "faster,avx2,", "\"slower_than\":[\"");
    run_free(&run);
}

/* Surely slower by all of them, which is too few of them to be sure. */
static void test_few_launches_mark_nothing(void **state)
{
    (void)state;
    const struct times times = {8.0, 2.0, 6.0, 6.0, 3.0, 3.0};
    struct run run;
    make_run(&run, &times, 5);
    said(&run, "avx512", "");
    run_free(&run);
}

/* Whoever else is faster: the compiler's versions, the oracle, another library. */
static void test_others_do_not_count(void **state)
{
    (void)state;
    const struct times times = {8.0, 3.0, 1.0, 0.5, 2.0, 2.0};
    struct run run;
    make_run(&run, &times, 8);
    static const char *const variants[] = {"scalar", "autovec-avx2", "avx2",  "autovec-avx512",
                                           "avx512", "ref",          "onednn"};
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++)
        said(&run, variants[i], "");
    assert_int_equal(analyse_tally(&run).slower, 0);
    run_free(&run);
}

/* The version stands with the name, wherever a peer is spoken of. */
static void test_peers_have_their_version(void **state)
{
    (void)state;
    const struct times times = {8.0, 3.0, 6.0, 4.0, 2.0, 2.0};
    struct run run;
    make_run(&run, &times, 8);
    char *terminal = written(report_terminal, &run), *markdown = written(as_markdown, &run);
    assert_non_null(strstr(terminal, "onednn: oneDNN 2.6.3 (2022); avx512_core (topk)"));
    assert_non_null(strstr(terminal, "avx512 over the best peer, onednn 2.6.3: 2.00 ["));
    assert_non_null(strstr(markdown, "| peer onednn | oneDNN 2.6.3 (2022); avx512_core (topk) |"));
    assert_non_null(strstr(markdown, "| over onednn 2.6.3 |"));
    assert_non_null(strstr(markdown, "| onednn 2.6.3 | 2.00 ["));
    free(terminal);
    free(markdown);
    run_free(&run);
}

static void test_all_narrower_ones_are_named(void **state)
{
    (void)state;
    const struct times times = {1.0, 2.0, 6.0, 6.0, 3.0, 3.0};
    struct run run;
    make_run(&run, &times, 8);
    said(&run, "avx512", "slower than scalar, avx2");
    said(&run, "avx2", "slower than scalar");
    said(&run, "scalar", "");
    assert_int_equal(analyse_tally(&run).slower, 2);
    /* What was not timed says nothing. */
    result_find_column(&run.results[0], "avx2")->state = COLUMN_NOT_TIMED;
    said(&run, "avx512", "slower than scalar");
    said(&run, "avx2", "");
    run_free(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slower_is_marked),
        cmocka_unit_test(test_maybe_slower_is_not),
        cmocka_unit_test(test_few_launches_mark_nothing),
        cmocka_unit_test(test_others_do_not_count),
        cmocka_unit_test(test_all_narrower_ones_are_named),
        cmocka_unit_test(test_peers_have_their_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
