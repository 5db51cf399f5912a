/* test_relevance.c - lists in text files, and what is relevant by lists and by labels.
 * SPDX-License-Identifier: MIT
 */
#include "../../bench/data/relevance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char path[64];

static int make_path(void **state)
{
    (void)state;
    snprintf(path, sizeof path, P_tmpdir "/mmk-test-lists-XXXXXX");
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_path(void **state)
{
    (void)state;
    return remove(path);
}

static void write_text(const char *text)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static struct lists read_good(const char *text)
{
    struct lists lists;
    char error[512];
    write_text(text);
    if (!lists_read(path, &lists, error, sizeof error))
        fail_msg("%s", error);
    return lists;
}

static void are(const struct lists *lists, size_t lines, const size_t *row_start,
                const uint32_t *items)
{
    assert_int_equal(lists->lines, lines);
    assert_memory_equal(lists->row_start, row_start, (lines + 1) * sizeof *row_start);
    assert_memory_equal(lists->items, items, row_start[lines] * sizeof *items);
}

static void good_lists(void **state)
{
    (void)state;
    static const size_t row_start[] = {0, 3, 3, 5, 5};
    static const uint32_t items[] = {3, 17, 4, 4294967294, 9};
    static const char *const texts[] = {
        "3 17 4\n\n4294967294,9\n\n",
        "3,17,4\r\n\r\n4294967294 ,\t9\r\n\r\n",
        "  3\t17  4 \n \n0004294967294 9\n\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct lists lists = read_good(texts[i]);
        are(&lists, 4, row_start, items);
        assert_int_equal(lists_bound(&lists), 4294967295);
        lists_free(&lists);
    }
    struct lists lists = read_good("1\n2 3"); /* the last newline is missing */
    are(&lists, 2, (const size_t[]){0, 1, 3}, (const uint32_t[]){1, 2, 3});
    lists_free(&lists);
    lists = read_good("\n");
    are(&lists, 1, (const size_t[]){0, 0}, NULL);
    assert_int_equal(lists_bound(&lists), 0);
    lists_free(&lists);
}

static void bad_lists(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } bad[] = {
        {"1 2\n3 x\n", "line 2"},
        {"-1\n", "no index"},
        {"1.5\n", "no index"},
        {"4294967295\n", "beyond"},
        {"99999999999999999999999\n", "beyond"},
        {"1,,2\n", "comma"},
        {"1,\n", "comma"},
        {",1\n", "no index"},
        {"1\n\n\n1;2\n", "line 4"},
        {"", "empty"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct lists lists;
        char error[512] = "";
        write_text(bad[i].text);
        assert_false(lists_read(path, &lists, error, sizeof error));
        if (!strstr(error, path) || !strstr(error, bad[i].expected) || !strstr(error, "; "))
            fail_msg("the message should name the file, \"%s\" and a remedy: %s", bad[i].expected,
                     error);
    }
}

static void turned_round(void **state)
{
    (void)state;
    struct lists lists = read_good("2 0\n\n2\n4 0\n"), turned, again;
    assert_true(lists_transpose(&lists, 5, &turned));
    are(&turned, 5, (const size_t[]){0, 2, 2, 4, 4, 5}, (const uint32_t[]){0, 3, 0, 2, 3});
    assert_true(lists_transpose(&turned, 4, &again));
    are(&again, 4, (const size_t[]){0, 2, 2, 3, 5}, (const uint32_t[]){0, 2, 2, 0, 4});
    lists_free(&lists);
    lists_free(&turned);
    lists_free(&again);
}

static void lists_lose_what_is_double(void **state)
{
    (void)state;
    struct lists lists = read_good("5 1 5 5 1\n\n7 7\n");
    struct relevance relevance;
    relevance_of_lists(&relevance, &lists);
    are(&relevance.lists, 3, (const size_t[]){0, 2, 2, 3}, (const uint32_t[]){1, 5, 7});
    assert_int_equal(relevance_largest(&relevance), 0);
    assert_int_equal(relevance_count(&relevance, 0), 2);
    assert_int_equal(relevance_count(&relevance, 1), 0);
    relevance_free(&relevance);
}

/* The same by labels and by lists: metrics with the same bits, for one thread and for three. */
static void labels_are_lists(void **state)
{
    (void)state;
    enum { QUERIES = 1500, ITEMS = 40, DEPTH = 20 };
    static int64_t query_labels[QUERIES], item_labels[ITEMS];
    static uint32_t rankings[QUERIES * DEPTH];
    static unsigned char classes[QUERIES];
    FILE *file = fopen(path, "wb");
    uint32_t random = 1;
    for (size_t j = 0; j < ITEMS; j++)
        item_labels[j] = (int64_t)(j % 7) - 3;
    for (size_t i = 0; i < QUERIES; i++) {
        query_labels[i] = (int64_t)(i % 8) - 3; /* one of them no item has */
        classes[i] = (unsigned char)(i % 2);
        for (size_t j = 0; j < ITEMS; j++)
            if (query_labels[i] == item_labels[j])
                fprintf(file, "%zu ", j);
        fprintf(file, "\n");
        for (size_t r = 0; r < DEPTH; r++)
            rankings[i * DEPTH + r] = (random = random * 1664525u + 1013904223u) % ITEMS;
    }
    assert_int_equal(fclose(file), 0);
    struct lists lists;
    struct relevance by_labels, by_lists;
    struct metrics of_labels, of_lists, by_class[2] = {{0}};
    struct metrics_wanted wanted = {.k = {1, 20}, .k_count = 2, .deep = true};
    char error[512];
    assert_true(lists_read(path, &lists, error, sizeof error));
    relevance_of_lists(&by_lists, &lists);
    assert_true(relevance_of_labels(&by_labels, QUERIES, query_labels, ITEMS, item_labels));
    for (size_t i = 0; i < QUERIES; i++)
        assert_int_equal(relevance_count(&by_labels, i), relevance_count(&by_lists, i));
    assert_int_equal(relevance_measure(&by_labels, ITEMS, DEPTH, rankings, &wanted, 3, &of_labels,
                                       classes, by_class),
                     MMK_OK);
    assert_int_equal(
        relevance_measure(&by_lists, ITEMS, DEPTH, rankings, &wanted, 1, &of_lists, NULL, NULL),
        MMK_OK);
    assert_memory_equal(&of_labels, &of_lists, sizeof of_lists);
    assert_int_equal(of_lists.counted + of_lists.left_out, QUERIES);
    assert_int_equal(of_lists.left_out, QUERIES / 8);
    assert_int_equal(by_class[0].counted + by_class[1].counted, of_lists.counted);
    assert_true(by_class[0].recall[0] + by_class[1].recall[0] == of_lists.recall[0]);
    rankings[QUERIES * DEPTH - 1] = ITEMS;
    assert_int_equal(
        relevance_measure(&by_labels, ITEMS, DEPTH, rankings, &wanted, 3, &of_labels, NULL, NULL),
        MMK_ERR_INDEX);
    relevance_free(&by_labels);
    relevance_free(&by_lists);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_lists),       cmocka_unit_test(bad_lists),
        cmocka_unit_test(turned_round),     cmocka_unit_test(lists_lose_what_is_double),
        cmocka_unit_test(labels_are_lists),
    };
    return cmocka_run_group_tests_name("relevance", tests, make_path, remove_path);
}
