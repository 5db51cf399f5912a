/* test_plan.c - what --shape understands: all that the tables write, and nothing that does not fit.
 * SPDX-License-Identifier: MIT
 */
#include "../../bench/timing/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The cases of a kernel at a shape; false with an error. */
static bool make(struct plan *plan, const char *kernel, const char *shape, char *error,
                 size_t error_bytes)
{
    struct run run;
    run_init(&run);
    struct plan_options options = {.kernel = kernel, .shape = shape, .threads = 1, .cpus = 1};
    bool good = plan_make(plan, &options, &run, error, error_bytes);
    run_free(&run);
    return good;
}

/* What the gate asks of a build is all that a case is, whichever its standards are. */
static void test_whole_words(void **state)
{
    (void)state;
    for (size_t k = 0; k < kernel_count; k++)
        for (size_t s = 0; s < kernels[k]->bench_count; s++) {
            char error[1024] = "", whole[160];
            struct plan again;
            struct plan_case c = {.kernel = kernels[k], .shape = kernels[k]->bench[s]};
            c.workspace = shape_default_workspace(kernels[k]);
            shape_write_whole(&c, whole, sizeof whole);
            if (!make(&again, kernels[k]->name, whole, error, sizeof error))
                fail_msg("%s: %s", whole, error);
            assert_int_equal(again.count, 1);
            assert_memory_equal(&again.cases[0].shape, &c.shape, sizeof c.shape);
            assert_int_equal(again.cases[0].workspace, c.workspace);
            assert_int_equal(again.cases[0].fill, c.fill);
            bool one_of = strstr(whole, similarity_name(c.shape.similarity)) != NULL;
            assert_int_equal(one_of, shape_has_similarity(kernels[k]));
            plan_free(&again);
        }
}

/* Written one way, a shape comes out as `text`, and both that and its word mean the same again. */
static void means(const char *kernel, const char *shape, const char *text)
{
    char error[1024] = "", out[128], word[128];
    struct plan first, again;
    if (!make(&first, kernel, shape, error, sizeof error))
        fail_msg("%s: %s", shape, error);
    assert_int_equal(first.count, 1);
    shape_write(&first.cases[0], out, sizeof out);
    assert_string_equal(out, text);
    shape_write_word(&first.cases[0], word, sizeof word);
    assert_null(strchr(word, ' '));
    const char *const other[] = {out, word};
    for (int i = 0; i < 2; i++) {
        if (!make(&again, kernel, other[i], error, sizeof error))
            fail_msg("%s: %s", other[i], error);
        assert_int_equal(again.count, 1);
        assert_memory_equal(&again.cases[0].shape, &first.cases[0].shape, sizeof(struct shape));
        assert_int_equal(again.cases[0].workspace, first.cases[0].workspace);
        plan_free(&again);
    }
    plan_free(&first);
}

static void refused(const char *kernel, const char *shape)
{
    char error[1024] = "";
    struct plan plan;
    if (make(&plan, kernel, shape, error, sizeof error))
        fail_msg("%s %s: this must not be understood", kernel, shape);
    assert_non_null(strstr(error, shape));
    assert_null(plan.cases);
    assert_int_equal(plan.count, 0);
}

static void test_sizes(void **state)
{
    (void)state;
    means("cosine_pair", "768", "768");
    means("cosine_pair", "d=768", "768");
    means("cosine_matrix", "3x4x5", "3x4x5");
    means("cosine_matrix", "3, 4, 5", "3x4x5");
    means("cosine_matrix", "d=5,m=3,n=4", "3x4x5");
    means("topk", "25000 k=10", "25000 k=10");
    means("topk", "k=10:25000", "25000 k=10");
    refused("cosine_pair", "3x4");
    refused("cosine_pair", "n=4");
    refused("cosine_matrix", "3x4x");
    refused("cosine_matrix", "3x4x5x6");
    refused("cosine_matrix", "99999999999999999999x4x5");
    refused("cosine_matrix", "");
}

static void test_words(void **state)
{
    (void)state;
    const char *both = "infonce_forward_backward";
    means(both, "8x9x5", "8x9x5 stored");
    means(both, "8x9x5:stored", "8x9x5 stored");
    means(both, "8x9x5 streamed", "8x9x5 streamed");
    means(both, "8x9x5 stored=25%", "8x9x5 stored=25%");
    means(both, "8x9x5,stored=0%", "8x9x5 streamed");
    means(both, "8x9x5,stored=100%", "8x9x5 stored");
    means(both, "m=8,n=9,d=5:dot:s=100:w=1,0:offset=1:ld+3:streamed",
          "8x9x5 dot s=100 w=1,0 offset=1 ld+3 streamed");
    means("infonce_forward", "8x9x5 neg_sq_l2 w=0,0.25", "8x9x5 neg_sq_l2 w=0,0.25");
    means("infonce_negatives_forward_backward", "8x9x5 q=7 dot", "8x9x5 q=7 dot stored");
    means("infonce_negatives_forward_backward", "8x9x5:q=0", "8x9x5 q=0 stored");
    means("multi_infonce_forward", "9x8x5 k=3", "9x8x5 k=3"); /* with targets m may be above n */
    means("multi_infonce_forward", "8x9x5 k=3 offset=1", "8x9x5 k=3 offset=1");
    means("sigmoid_forward", "9x8x5 k=3", "9x8x5 k=3");
    means("csd_sigmoid_forward_backward", "9x8x5 k=3", "9x8x5 k=3");
    means("uniformity_forward", "64x32x8", "64x32x8");
    means("alignment_forward_backward", "512x10", "512x10");
    means("cosine_matrix", "3x4x5 ld+2", "3x4x5 ld+2");
    /* what ref's shape_format writes for the plain shape */
    means("infonce_forward", "8x8x5 cosine s=14.3 w=0.5,0.5", "8x8x5");
}

static void test_words_that_do_not_fit(void **state)
{
    (void)state;
    const char *both = "infonce_forward_backward";
    refused("infonce_forward", "8x9x5 stored"); /* it keeps no logits */
    refused("cosine_matrix", "3x4x5 dot");
    refused("cosine_matrix", "3x4x5 s=2");
    refused("topk", "100 k=3 offset=1");
    refused(both, "8x9x5 q=7");      /* it has no negatives */
    refused(both, "9x8x5");          /* m > n */
    refused(both, "8x9x5 offset=2"); /* x_7 would have no positive */
    refused("infonce_negatives_forward_backward", "9x8x5 q=7");
    refused("multi_infonce_forward", "64x32x8 k=3 offset=50");
    refused("sigmoid_forward", "8x9x5 k=3 offset=2");
    refused("csd_sigmoid_forward_backward", "8x9x5 k=3 dot"); /* its similarity is its own */
    refused("uniformity_forward", "8x9x5 offset=1");          /* nothing belongs to anything */
    refused("alignment_forward_backward", "8x5 offset=1");
    refused(both, "8x9x5 storedd");
    refused(both, "8x9x5 stored=101%");
    refused(both, "8x9x5 stored=10");
    refused(both, "8x9x5 s=0");
    refused(both, "8x9x5 s=-1");
    refused(both, "8x9x5 w=1");
    refused(both, "8x9x5 w=1,-1");
    refused(both, "8x9x5 w=0,0");
    refused(both, "stored");
}

/* What was listed before the bad shape is given back. */
static void test_a_good_shape_before_a_bad_one(void **state)
{
    (void)state;
    char error[1024] = "";
    struct plan plan;
    assert_false(make(&plan, "cosine_matrix", "3x4x5;3x4x5:slow", error, sizeof error));
    assert_non_null(strstr(error, "3x4x5:slow"));
    assert_null(plan.cases);
    assert_int_equal(plan.count, 0);
}

/* What is asked for and left out is told. */
static void test_left_out(void **state)
{
    (void)state;
    static const struct {
        const char *kernel, *shape;
        size_t cases, missing;
        const char *told; /* the last, or the error where there is no case */
    } asked[] = {
        {"topk,cosine_matrix", "1000x10", 1, 1,
         "cosine_matrix: no --shape fits it; its sizes are mnd"},
        {"topk,cosine_matrix", "1000x10;3x4x5", 2, 0, ""},
        {"topk", "1000x10;3x4x5", 1, 1, "--shape 3x4x5: none of the kernels takes it"},
        {"cosine", "64;3x4x5", 6, 0, ""}, /* of a family those that it fits */
        {"topk,cosine_matrix", "5", 0, 0, "--shape 5: it does not fit topk,cosine_matrix"},
        {"dot_pair_i8", "131071", 1, 0, ""},
        {"dot_pair_i8", "131072", 0, 0,
         "--shape 131072: dot_pair_i8 takes rows of at most 131071; give a smaller d"},
        {"dot_pair_i8,dot_pair", "131072", 1, 1,
         "--shape 131072: dot_pair_i8 takes rows of at most 131071; give a smaller d"},
    };
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        struct plan plan;
        struct run run;
        char error[1024] = "";
        const struct plan_options options = {
            .kernel = asked[i].kernel, .shape = asked[i].shape, .threads = 1, .cpus = 1};
        run_init(&run);
        bool good = plan_make(&plan, &options, &run, error, sizeof error);
        assert_int_equal(good, asked[i].cases > 0);
        if (good) {
            assert_int_equal(plan.count, asked[i].cases);
            assert_int_equal(run.missing_count, asked[i].missing);
            snprintf(error, sizeof error, "%s",
                     run.missing_count ? run.missing[run.missing_count - 1] : "");
            plan_free(&plan);
        }
        if (strncmp(error, asked[i].told, strlen(asked[i].told)) != 0)
            fail_msg("%s at %s: %s", asked[i].kernel, asked[i].shape, error);
        run_free(&run);
    }
}

/* The longest rows that a kernel is said to take are those that its function does take. */
static void test_longest_rows(void **state)
{
    (void)state;
    for (size_t k = 0; k < kernel_count; k++)
        for (size_t beyond = 0; beyond < 2 && kernels[k]->most_d > 0; beyond++) {
            struct trial trial;
            const struct shape shape = {.m = 1, .n = 1, .d = kernels[k]->most_d + beyond};
            assert_true(trial_open(&trial, kernels[k], &shape, FILL_NORMAL, 1));
            trial_fill(&trial);
            assert_int_equal(trial_call(&trial), beyond ? MMK_ERR_SIZE : MMK_OK);
            trial_close(&trial);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_whole_words),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_words_that_do_not_fit),
        cmocka_unit_test(test_a_good_shape_before_a_bad_one),
        cmocka_unit_test(test_left_out),
        cmocka_unit_test(test_longest_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
