/* test_retrieval.c - the retrieval metrics: values computed by hand, and what makes them errors.
 * SPDX-License-Identifier: MIT
 */
#include "../../kernels/mmk.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { N = 100, DEPTH = 10 };

/* One query whose relevant items are 1, 2, ... R, in an order that is none. */
struct one {
    double recall_1, recall_10, r_precision, map_at_r;
};

static struct one measure(size_t R, const uint32_t ranking[DEPTH])
{
    static const size_t K[] = {10, 1};
    size_t row_start[] = {0, R}, counted = 77;
    uint32_t column[DEPTH];
    for (uint32_t e = 0; e < R; e++)
        column[e] = (uint32_t)R - e;
    struct mmk_csr relevant = {row_start, column, NULL};
    double recall[2];
    struct one one;
    assert_int_equal(mmk_retrieval_metrics(1, N, DEPTH, ranking, DEPTH, &relevant, 2, K, recall,
                                           &one.r_precision, &one.map_at_r, &counted),
                     MMK_OK);
    assert_int_equal(counted, 1);
    one.recall_10 = recall[0];
    one.recall_1 = recall[1];
    return one;
}

static void is(double got, double right)
{
    if (!(fabs(got - right) <= 1e-15))
        fail_msg("%.17g, must be %.17g", got, right);
}

/* ---- Values ---------------------------------------------------------------------------------- */

/* The four examples of Musgrave et al. 2020: of 10 relevant items the ranking has one, in the first
 * place; two, in the first and the last; two, in the first places; all. */
static void the_published_examples(void **state)
{
    (void)state;
    struct one one = measure(10, (const uint32_t[]){1, 21, 22, 23, 24, 25, 26, 27, 28, 29});
    is(one.recall_1, 1);
    is(one.r_precision, 0.1);
    is(one.map_at_r, 0.1);
    one = measure(10, (const uint32_t[]){1, 21, 22, 23, 24, 25, 26, 27, 28, 2});
    is(one.recall_1, 1);
    is(one.r_precision, 0.2);
    is(one.map_at_r, (1.0 + 2.0 / 10) / 10); /* 12.0 % */
    one = measure(10, (const uint32_t[]){1, 2, 21, 22, 23, 24, 25, 26, 27, 28});
    is(one.recall_1, 1);
    is(one.r_precision, 0.2);
    is(one.map_at_r, 0.2);
    one = measure(10, (const uint32_t[]){1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
    is(one.recall_1, 1);
    is(one.r_precision, 1);
    is(one.map_at_r, 1);
}

/* R = 3: ranks beyond R count for Recall@10 alone. */
static void by_hand(void **state)
{
    (void)state;
    struct one one = measure(3, (const uint32_t[]){50, 2, 1, 3, 51, 52, 53, 54, 55, 56});
    is(one.recall_1, 0);
    is(one.recall_10, 1);
    is(one.r_precision, 2.0 / 3);
    is(one.map_at_r, (1.0 / 2 + 2.0 / 3) / 3);
    one = measure(3, (const uint32_t[]){50, 51, 52, 53, 54, 55, 56, 57, 58, 3});
    is(one.recall_10, 1);
    is(one.r_precision, 0);
    is(one.map_at_r, 0);
    one = measure(1, (const uint32_t[]){1, 51, 52, 53, 54, 55, 56, 57, 58, 3});
    is(one.r_precision, 1);
    is(one.map_at_r, 1);
}

static void an_item_again_is_no_second_hit(void **state)
{
    (void)state;
    struct one one = measure(4, (const uint32_t[]){1, 1, 1, 1, 1, 1, 1, 1, 1, 1});
    is(one.r_precision, 0.25);
    is(one.map_at_r, 0.25);
}

/* Three queries: R = 2 (one of its columns twice, one of weight 0), none by weight, none at all. */
static void weights_and_queries_left_out(void **state)
{
    (void)state;
    static const size_t row_start[] = {5, 9, 10, 10}, K[] = {1, 2, 0};
    static const uint32_t column[] = {99, 99, 99, 99, 99, 7, 3, 7, 5, 4};
    static const float weight[] = {-1, -1, -1, -1, -1, 0.5f, 2, 0, 0, 0};
    static const uint32_t rankings[] = {5, 7, 0, 4, 4, 0, 4, 4};
    struct mmk_csr relevant = {row_start, column, weight};
    double recall[3], r_precision, map_at_r;
    size_t counted;
    assert_int_equal(mmk_retrieval_metrics(3, 10, 2, rankings, 3, &relevant, 3, K, recall,
                                           &r_precision, &map_at_r, &counted),
                     MMK_OK);
    assert_int_equal(counted, 1);
    is(recall[0], 0);
    is(recall[1], 1);
    is(recall[2], 0);
    is(r_precision, 0.5);
    is(map_at_r, 0.25);
    /* row_start + 1: the two queries that are not counted */
    relevant.row_start = row_start + 1;
    assert_int_equal(mmk_retrieval_metrics(2, 10, 2, rankings + 3, 3, &relevant, 1, K, recall,
                                           &r_precision, &map_at_r, &counted),
                     MMK_OK);
    assert_int_equal(counted, 0);
    assert_true(isnan(recall[0]) && isnan(r_precision) && isnan(map_at_r));
}

/* Each query alone, then all: the mean. Always mAP@R <= R-Precision <= 1. */
static void the_mean_of_single_queries(void **state)
{
    (void)state;
    enum { QUERIES = 200, MOST = 8 };
    static uint32_t rankings[QUERIES * DEPTH], column[QUERIES * MOST];
    size_t row_start[QUERIES + 1] = {0}, counted = 0, one, K = 3;
    uint32_t random = 1;
    for (size_t i = 0; i < sizeof rankings / sizeof *rankings; i++)
        rankings[i] = (random = random * 1664525u + 1013904223u) >> 27; /* of 32 items */
    for (size_t i = 0; i < QUERIES; i++) {
        row_start[i + 1] = row_start[i] + i % (MOST + 1);
        for (size_t e = row_start[i]; e < row_start[i + 1]; e++)
            column[e] = (random = random * 1664525u + 1013904223u) >> 27;
    }
    struct mmk_csr relevant = {row_start, column, NULL};
    double sums[3] = {0}, recall, r_precision, map_at_r;
    for (size_t i = 0; i < QUERIES; i++) {
        relevant.row_start = row_start + i;
        assert_int_equal(mmk_retrieval_metrics(1, N, DEPTH, rankings + i * DEPTH, DEPTH, &relevant,
                                               1, &K, &recall, &r_precision, &map_at_r, &one),
                         MMK_OK);
        if (one == 0)
            continue;
        counted++;
        assert_true(map_at_r <= r_precision && r_precision <= 1);
        sums[0] += recall;
        sums[1] += r_precision;
        sums[2] += map_at_r;
    }
    relevant.row_start = row_start;
    assert_int_equal(mmk_retrieval_metrics(QUERIES, N, DEPTH, rankings, DEPTH, &relevant, 1, &K,
                                           &recall, &r_precision, &map_at_r, &one),
                     MMK_OK);
    assert_int_equal(one, counted);
    assert_true(recall == sums[0] / (double)counted); /* to the bit */
    assert_true(r_precision == sums[1] / (double)counted);
    assert_true(map_at_r == sums[2] / (double)counted);
}

/* ---- Errors ---------------------------------------------------------------------------------- */

/* Arguments that are right: two queries with two relevant items each. */
struct arguments {
    size_t m, n, depth, ld, recall_count, K[2];
    size_t row_start[3];
    uint32_t rankings[6], column[4];
    float weight[4];
    struct mmk_csr relevant, *relevant_pointer;
    const uint32_t *rankings_pointer;
    const size_t *K_pointer;
    bool no_recall, no_r_precision, no_map_at_r;
};

static struct arguments right(void)
{
    return (struct arguments){.m = 2,
                              .n = 10,
                              .depth = 3,
                              .ld = 3,
                              .recall_count = 2,
                              .K = {1, 3},
                              .row_start = {0, 2, 4},
                              .rankings = {1, 2, 3, 4, 5, 9},
                              .column = {1, 2, 9, 0},
                              .weight = {1, 1, 1, 1}};
}

/* On an error nothing is written. */
static enum mmk_status call(struct arguments a)
{
    struct {
        double recall[2], r_precision, map_at_r;
        size_t counted;
    } out, before;
    memset(&out, 0xa5, sizeof out);
    before = out;
    enum mmk_status status = mmk_retrieval_metrics(
        a.m, a.n, a.depth, a.rankings_pointer, a.ld, a.relevant_pointer, a.recall_count,
        a.K_pointer, a.no_recall ? NULL : out.recall, a.no_r_precision ? NULL : &out.r_precision,
        a.no_map_at_r ? NULL : &out.map_at_r, &out.counted);
    if (status != MMK_OK)
        assert_memory_equal(&out, &before, sizeof out);
    return status;
}

/* right() with a change, and what comes of it. */
#define RETURNS(status, ...)                                                                       \
    do {                                                                                           \
        struct arguments a = right();                                                              \
        a.relevant = (struct mmk_csr){a.row_start, a.column, a.weight};                            \
        a.relevant_pointer = &a.relevant;                                                          \
        a.rankings_pointer = a.rankings;                                                           \
        a.K_pointer = a.K;                                                                         \
        __VA_ARGS__;                                                                               \
        assert_int_equal(call(a), status);                                                         \
    } while (0)

static void errors(void **state)
{
    (void)state;
    RETURNS(MMK_OK, (void)a);
    RETURNS(MMK_ERR_NULL, a.rankings_pointer = NULL);
    RETURNS(MMK_ERR_NULL, a.relevant_pointer = NULL);
    RETURNS(MMK_ERR_NULL, a.relevant.row_start = NULL);
    RETURNS(MMK_ERR_NULL, a.relevant.column = NULL);
    RETURNS(MMK_ERR_NULL, a.K_pointer = NULL);
    RETURNS(MMK_OK, a.K_pointer = NULL; a.no_recall = true);
    RETURNS(MMK_OK, a.relevant.weight = NULL);
    RETURNS(MMK_ERR_LEADING_DIMENSION, a.ld = 2);
    RETURNS(MMK_ERR_SIZE, a.ld = SIZE_MAX / 8);
    RETURNS(MMK_ERR_SIZE, a.n = (size_t)UINT32_MAX + 1);
    RETURNS(MMK_ERR_SIZE, a.row_start[2] = SIZE_MAX);
    RETURNS(MMK_ERR_SIZE, a.row_start[2] = SIZE_MAX / 16);
    RETURNS(MMK_ERR_ROW_START, a.row_start[1] = 5);
    RETURNS(MMK_ERR_INDEX, a.n = 9);
    RETURNS(MMK_ERR_INDEX, a.column[0] = 10);
    RETURNS(MMK_ERR_INDEX, a.column[3] = UINT32_MAX; a.weight[3] = 0);
    RETURNS(MMK_ERR_INDEX, a.rankings[2] = 10);
    RETURNS(MMK_ERR_WEIGHT, a.weight[2] = -1);
    RETURNS(MMK_ERR_WEIGHT, a.weight[2] = NAN);
    RETURNS(MMK_ERR_WEIGHT, a.weight[2] = INFINITY);
    RETURNS(MMK_ERR_DEPTH, a.K[0] = 4);
    RETURNS(MMK_OK, a.K[0] = 4; a.no_recall = true);
}

static void the_depth_that_is_needed(void **state)
{
    (void)state;
    /* K beyond n, with rankings of all there is */
    RETURNS(MMK_OK, a.n = 3; a.K[1] = 50; a.column[2] = 0;
            memset(a.rankings, 0, sizeof a.rankings));
    /* R = 2 in a ranking of one */
    RETURNS(MMK_ERR_DEPTH, a.depth = 1; a.K[1] = 1);
    RETURNS(MMK_ERR_DEPTH, a.depth = 1; a.K[1] = 1; a.no_r_precision = true);
    RETURNS(MMK_ERR_DEPTH, a.depth = 1; a.K[1] = 1; a.no_map_at_r = true);
    RETURNS(MMK_OK, a.depth = 1; a.K[1] = 1; a.no_map_at_r = a.no_r_precision = true);
    /* R = 1, though there are two entries */
    RETURNS(MMK_OK, a.depth = 1; a.K[1] = 1; a.column[0] = 2; a.weight[2] = 0);
    /* nothing to rank */
    RETURNS(MMK_OK, a.m = 0; a.rankings_pointer = NULL; a.relevant_pointer = NULL);
    RETURNS(MMK_OK, a.n = a.depth = 0; a.row_start[1] = a.row_start[2] = 0;
            a.relevant.column = NULL; a.rankings_pointer = NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_examples),
        cmocka_unit_test(by_hand),
        cmocka_unit_test(an_item_again_is_no_second_hit),
        cmocka_unit_test(weights_and_queries_left_out),
        cmocka_unit_test(the_mean_of_single_queries),
        cmocka_unit_test(errors),
        cmocka_unit_test(the_depth_that_is_needed),
    };
    return cmocka_run_group_tests_name("retrieval", tests, NULL, NULL);
}
