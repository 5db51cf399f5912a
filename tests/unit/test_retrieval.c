/* test_retrieval.c - the retrieval metrics: values computed by hand, and what makes them errors.
 * SPDX-License-Identifier: MIT
 */
#include "../../kernels/mmk.h"
#include "detail.h"

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
    assert_int_equal(
        mmk_retrieval_metrics(&(struct mmk_retrieval_problem){.m = 1,
                                                              .n = N,
                                                              .depth = DEPTH,
                                                              .rankings = ranking,
                                                              .relevant = &relevant,
                                                              .recall_count = 2,
                                                              .recall_at = K},
                              &(struct mmk_retrieval_results){.recall = recall,
                                                              .r_precision = &one.r_precision,
                                                              .map_at_r = &one.map_at_r,
                                                              .counted = &counted}),
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
    struct mmk_retrieval_problem problem = {.m = 3,
                                            .n = 10,
                                            .depth = 2,
                                            .rankings = rankings,
                                            .leading_dimension = 3,
                                            .relevant = &relevant,
                                            .recall_count = 3,
                                            .recall_at = K};
    const struct mmk_retrieval_results results = {
        .recall = recall, .r_precision = &r_precision, .map_at_r = &map_at_r, .counted = &counted};
    assert_int_equal(mmk_retrieval_metrics(&problem, &results), MMK_OK);
    assert_int_equal(counted, 1);
    is(recall[0], 0);
    is(recall[1], 1);
    is(recall[2], 0);
    is(r_precision, 0.5);
    is(map_at_r, 0.25);
    /* row_start + 1: the two queries that are not counted */
    relevant.row_start = row_start + 1;
    problem.m = 2;
    problem.rankings = rankings + 3;
    problem.recall_count = 1;
    assert_int_equal(mmk_retrieval_metrics(&problem, &results), MMK_OK);
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
    struct mmk_retrieval_problem problem = {
        .m = 1, .n = N, .depth = DEPTH, .relevant = &relevant, .recall_count = 1, .recall_at = &K};
    const struct mmk_retrieval_results results = {
        .recall = &recall, .r_precision = &r_precision, .map_at_r = &map_at_r, .counted = &one};
    for (size_t i = 0; i < QUERIES; i++) {
        relevant.row_start = row_start + i;
        problem.rankings = rankings + i * DEPTH;
        assert_int_equal(mmk_retrieval_metrics(&problem, &results), MMK_OK);
        if (one == 0)
            continue;
        counted++;
        assert_true(map_at_r <= r_precision && r_precision <= 1);
        sums[0] += recall;
        sums[1] += r_precision;
        sums[2] += map_at_r;
    }
    relevant.row_start = row_start;
    problem.m = QUERIES;
    problem.rankings = rankings;
    assert_int_equal(mmk_retrieval_metrics(&problem, &results), MMK_OK);
    assert_int_equal(one, counted);
    assert_true(recall == sums[0] / (double)counted); /* to the bit */
    assert_true(r_precision == sums[1] / (double)counted);
    assert_true(map_at_r == sums[2] / (double)counted);
}

/* Recall@K looks at the first K items of a ranking as it is given, be it longer than n. */
static void a_ranking_longer_than_n(void **state)
{
    (void)state;
    static const size_t row_start[] = {0, 1}, K[] = {8, 7, 6, 5, 0, SIZE_MAX};
    static const uint32_t column[] = {1}, ranking[] = {0, 0, 0, 0, 0, 0, 1};
    static const double right[] = {1, 1, 0, 0, 0, 1};
    double recall[6], r_precision, map_at_r;
    size_t counted;
    assert_int_equal(
        mmk_retrieval_metrics(
            &(struct mmk_retrieval_problem){.m = 1,
                                            .n = 5,
                                            .depth = 7,
                                            .rankings = ranking,
                                            .relevant = &(struct mmk_csr){row_start, column, NULL},
                                            .recall_count = 6,
                                            .recall_at = K},
            &(struct mmk_retrieval_results){.recall = recall,
                                            .r_precision = &r_precision,
                                            .map_at_r = &map_at_r,
                                            .counted = &counted}),
        MMK_OK);
    assert_int_equal(counted, 1);
    for (int k = 0; k < 6; k++)
        is(recall[k], right[k]);
    is(r_precision, 0);
    is(map_at_r, 0);
}

/* Whatever K and depth are, there is nothing that could be too short. */
static void no_queries(void **state)
{
    (void)state;
    static const size_t K[] = {1, 10};
    double recall[2] = {0, 0}, r_precision = 0, map_at_r = 0;
    size_t counted = 1;
    assert_int_equal(mmk_retrieval_metrics(
                         &(struct mmk_retrieval_problem){.n = 5, .recall_count = 2, .recall_at = K},
                         &(struct mmk_retrieval_results){.recall = recall,
                                                         .r_precision = &r_precision,
                                                         .map_at_r = &map_at_r,
                                                         .counted = &counted}),
                     MMK_OK);
    assert_int_equal(counted, 0);
    assert_true(isnan(recall[0]) && isnan(recall[1]) && isnan(r_precision) && isnan(map_at_r));
}

/* ---- Errors ---------------------------------------------------------------------------------- */

/* Arguments that are right: two queries with two relevant items each. */
struct arguments {
    size_t K[2], row_start[3];
    uint32_t rankings[6], column[4];
    float weight[4];
    struct mmk_csr relevant;
    struct mmk_retrieval_problem problem;
    bool no_recall, no_r_precision, no_map_at_r;
};

/* The problem points into the arguments: they stay where they are. */
static void set_right(struct arguments *a)
{
    *a = (struct arguments){.K = {1, 3},
                            .row_start = {0, 2, 4},
                            .rankings = {1, 2, 3, 4, 5, 9},
                            .column = {1, 2, 9, 0},
                            .weight = {1, 1, 1, 1}};
    a->relevant = (struct mmk_csr){a->row_start, a->column, a->weight};
    a->problem = (struct mmk_retrieval_problem){.m = 2,
                                                .n = 10,
                                                .depth = 3,
                                                .rankings = a->rankings,
                                                .relevant = &a->relevant,
                                                .recall_count = 2,
                                                .recall_at = a->K};
}

/* On an error nothing is written, and the detail has the parts of `says`. */
static void returns(const struct arguments *a, enum mmk_status status, const char *says)
{
    struct {
        double recall[2], r_precision, map_at_r;
        size_t counted;
    } out, before;
    memset(&out, 0xa5, sizeof out);
    before = out;
    assert_int_equal(
        mmk_retrieval_metrics(&a->problem,
                              &(struct mmk_retrieval_results){
                                  .recall = a->no_recall ? NULL : out.recall,
                                  .r_precision = a->no_r_precision ? NULL : &out.r_precision,
                                  .map_at_r = a->no_map_at_r ? NULL : &out.map_at_r,
                                  .counted = &out.counted}),
        status);
    if (status == MMK_OK)
        return;
    assert_memory_equal(&out, &before, sizeof out);
    assert_true(detail_says(says));
}

/* What comes of right arguments with a change to `a` or its problem `p`. */
#define RETURNS(status, says, ...)                                                                 \
    do {                                                                                           \
        struct arguments a;                                                                        \
        set_right(&a);                                                                             \
        struct mmk_retrieval_problem *p = &a.problem;                                              \
        (void)p;                                                                                   \
        __VA_ARGS__;                                                                               \
        returns(&a, status, says);                                                                 \
    } while (0)

static void errors(void **state)
{
    (void)state;
    RETURNS(MMK_OK, "", (void)a);
    RETURNS(MMK_ERR_NULL, "rankings NULL", p->rankings = NULL);
    RETURNS(MMK_ERR_NULL, "relevant NULL", p->relevant = NULL);
    RETURNS(MMK_ERR_NULL, "relevant.row_start NULL", a.relevant.row_start = NULL);
    RETURNS(MMK_ERR_NULL, "relevant.column NULL", a.relevant.column = NULL);
    RETURNS(MMK_ERR_NULL, "recall_at NULL", p->recall_at = NULL);
    RETURNS(MMK_OK, "", p->recall_at = NULL; a.no_recall = true);
    RETURNS(MMK_OK, "", a.relevant.weight = NULL);
    RETURNS(MMK_OK, "", p->leading_dimension = 3);
    RETURNS(MMK_ERR_LEADING_DIMENSION, "leading_dimension 2 3", p->leading_dimension = 2);
    RETURNS(MMK_ERR_SIZE, "rankings", p->leading_dimension = SIZE_MAX / 8);
    RETURNS(MMK_ERR_SIZE, "n 4294967296", p->n = (size_t)UINT32_MAX + 1);
    RETURNS(MMK_ERR_SIZE, "recall_at", p->recall_count = SIZE_MAX / 4);
    RETURNS(MMK_ERR_SIZE, "relevant", a.row_start[2] = SIZE_MAX);
    RETURNS(MMK_ERR_SIZE, "memory", a.row_start[2] = SIZE_MAX / 16);
    RETURNS(MMK_ERR_ROW_START, "relevant.row_start 5 4", a.row_start[1] = 5);
    RETURNS(MMK_ERR_INDEX, "9", p->n = 9);
    RETURNS(MMK_ERR_INDEX, "relevant.column[0] 10", a.column[0] = 10);
    RETURNS(MMK_ERR_INDEX, "relevant.column[3] 4294967295 10", a.column[3] = UINT32_MAX;
            a.weight[3] = 0);
    RETURNS(MMK_ERR_INDEX, "rankings 10", a.rankings[2] = 10);
    RETURNS(MMK_ERR_WEIGHT, "relevant.weight[2] -1", a.weight[2] = -1);
    RETURNS(MMK_ERR_WEIGHT, "relevant.weight[2] nan", a.weight[2] = NAN);
    RETURNS(MMK_ERR_WEIGHT, "relevant.weight[2] inf", a.weight[2] = INFINITY);
    RETURNS(MMK_ERR_DEPTH, "recall_at[0] 4 rankings 3 deep", a.K[0] = 4);
    RETURNS(MMK_OK, "", a.K[0] = 4; a.no_recall = true);
    RETURNS(MMK_ERR_RESERVED, "problem.reserved[7]", p->reserved[7] = p);
}

/* Wherever it stands: whatever is asked, and whether or not anybody would look there. */
static void a_bad_value_is_refused_at_every_place(void **state)
{
    (void)state;
    enum { QUERIES = 3, ITEMS = 40, DEEP = 20, HITS = 6 };
    static const size_t K[] = {1};
    static uint32_t rankings[QUERIES * DEEP], column[QUERIES * HITS];
    static float weight[QUERIES * HITS];
    size_t row_start[QUERIES + 1];
    for (size_t i = 0; i <= QUERIES; i++)
        row_start[i] = i * HITS;
    for (size_t e = 0; e < QUERIES * DEEP; e++)
        rankings[e] = (uint32_t)(e * 7 % ITEMS);
    for (size_t e = 0; e < QUERIES * HITS; e++) {
        column[e] = (uint32_t)(e * 3 % ITEMS);
        weight[e] = e % 2 ? 1.0f : 0.0f;
    }
    const struct mmk_csr relevant = {row_start, column, weight};
    const struct mmk_retrieval_problem problem = {.m = QUERIES,
                                                  .n = ITEMS,
                                                  .depth = DEEP,
                                                  .rankings = rankings,
                                                  .relevant = &relevant,
                                                  .recall_count = 1,
                                                  .recall_at = K};
    double recall, r_precision, map_at_r;
    const struct mmk_retrieval_results asked[] = {
        {.recall = &recall}, {.r_precision = &r_precision}, {.map_at_r = &map_at_r}};
    for (size_t a = 0; a < sizeof asked / sizeof asked[0]; a++) {
        assert_int_equal(mmk_retrieval_metrics(&problem, &asked[a]), MMK_OK);
        for (size_t e = 0; e < QUERIES * DEEP; e++) {
            uint32_t right = rankings[e];
            rankings[e] = ITEMS + (uint32_t)(e % 2) * (UINT32_MAX - ITEMS);
            assert_int_equal(mmk_retrieval_metrics(&problem, &asked[a]), MMK_ERR_INDEX);
            rankings[e] = right;
        }
        for (size_t e = 0; e < QUERIES * HITS; e++) {
            uint32_t right = column[e];
            float right_weight = weight[e];
            column[e] = ITEMS;
            assert_int_equal(mmk_retrieval_metrics(&problem, &asked[a]), MMK_ERR_INDEX);
            column[e] = right;
            weight[e] = e % 2 ? NAN : -0x1p-149f;
            assert_int_equal(mmk_retrieval_metrics(&problem, &asked[a]), MMK_ERR_WEIGHT);
            weight[e] = right_weight;
        }
        for (size_t i = 1; i < QUERIES; i++) {
            row_start[i] += 2 * HITS + 1;
            assert_int_equal(mmk_retrieval_metrics(&problem, &asked[a]), MMK_ERR_ROW_START);
            row_start[i] -= 2 * HITS + 1;
        }
    }
}

static void the_depth_that_is_needed(void **state)
{
    (void)state;
    /* K beyond n, with rankings of all there is */
    RETURNS(MMK_OK, "", p->n = 3; a.K[1] = 50; a.column[2] = 0;
            memset(a.rankings, 0, sizeof a.rankings));
    /* R = 2 in a ranking of one */
    RETURNS(MMK_ERR_DEPTH, "query 0 2 relevant rankings 1 deep", p->depth = 1; a.K[1] = 1);
    RETURNS(MMK_ERR_DEPTH, "query 0 2 relevant rankings 1 deep", p->depth = 1; a.K[1] = 1;
            a.no_r_precision = true);
    RETURNS(MMK_ERR_DEPTH, "query 0 2 relevant rankings 1 deep", p->depth = 1; a.K[1] = 1;
            a.no_map_at_r = true);
    RETURNS(MMK_OK, "", p->depth = 1; a.K[1] = 1; a.no_map_at_r = a.no_r_precision = true);
    /* R = 1, though there are two entries */
    RETURNS(MMK_OK, "", p->depth = 1; a.K[1] = 1; a.column[0] = 2; a.weight[2] = 0);
    /* nothing to rank */
    RETURNS(MMK_OK, "", p->m = 0; p->rankings = NULL; p->relevant = NULL);
    RETURNS(MMK_OK, "", p->n = p->depth = 0; a.row_start[1] = a.row_start[2] = 0;
            a.relevant.column = NULL; p->rankings = NULL);
}

/* What is not wanted is not looked for, and changes nothing of the rest. */
static void results_alone(void **state)
{
    (void)state;
    struct arguments a;
    set_right(&a);
    double recall[2], r_precision, map_at_r, alone[2];
    size_t counted, counted_alone;
    const struct mmk_retrieval_results all = {.recall = recall,
                                              .r_precision = &r_precision,
                                              .map_at_r = &map_at_r,
                                              .counted = &counted},
                                       none = {0};
    assert_int_equal(mmk_retrieval_metrics(&a.problem, &all), MMK_OK);
    assert_int_equal(mmk_retrieval_metrics(&a.problem, &none), MMK_OK);
    const struct mmk_retrieval_results only[] = {{.recall = alone},
                                                 {.r_precision = alone},
                                                 {.map_at_r = alone},
                                                 {.counted = &counted_alone}};
    const void *const together[] = {recall, &r_precision, &map_at_r};
    for (int r = 0; r < 3; r++) {
        assert_int_equal(mmk_retrieval_metrics(&a.problem, &only[r]), MMK_OK);
        assert_memory_equal(alone, together[r], (r == 0 ? 2 : 1) * sizeof(double));
    }
    assert_int_equal(mmk_retrieval_metrics(&a.problem, &only[3]), MMK_OK);
    assert_int_equal(counted_alone, counted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_examples),
        cmocka_unit_test(by_hand),
        cmocka_unit_test(an_item_again_is_no_second_hit),
        cmocka_unit_test(weights_and_queries_left_out),
        cmocka_unit_test(the_mean_of_single_queries),
        cmocka_unit_test(a_ranking_longer_than_n),
        cmocka_unit_test(no_queries),
        cmocka_unit_test(errors),
        cmocka_unit_test(a_bad_value_is_refused_at_every_place),
        cmocka_unit_test(the_depth_that_is_needed),
        cmocka_unit_test(results_alone),
    };
    return cmocka_run_group_tests_name("retrieval", tests, NULL, NULL);
}
