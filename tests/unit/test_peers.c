/* test_peers.c - the adapters of other libraries: right outputs, and what they cannot do is said.
 * SPDX-License-Identifier: MIT
 *
 * A peer that is not installed here is a skip.
 */
#include "../../bench/peers/allowance.h"
#include "../../bench/base/child.h"
#include "../../bench/peers/adapters/release.h"
#include "../../bench/peers/peers.h"
#include "../../bench/machine/timer.h"
#include "../../bench/report/analysis.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Opens the peer of that name, or ends the test as skipped. */
static struct peer *open_peer(const char *name)
{
    char error[512] = "";
    size_t i = 0;
    while (strcmp(peers_name(i), name) != 0)
        i++;
    struct peer *peer = peers_find(i, error, sizeof error);
    if (!peer) {
        print_message("%s: %s\n", name, error);
        assert_true(error[0] != '\0');
        skip();
    }
    assert_string_equal(peer->name, name);
    assert_ptr_equal(peers_find(i, error, sizeof error), peer);
    if (!peers_open(peer, error, sizeof error))
        fail_msg("%s: %s", name, error);
    assert_true(strlen(peer->version) > strlen("OpenBLAS "));
    return peer;
}

static void open_trial(struct trial *trial, const char *kernel, const struct shape *shape,
                       enum fill fill, int threads)
{
    assert_true(trial_open(trial, kernel_find(kernel), shape, fill, 7));
    trial->options.threads = threads;
    trial_fill(trial);
}

/* Twice, the second time without getting ready anew: what the first left behind must not show. */
static void right(struct peer *peer, const char *kernel, const struct shape *shape, enum fill fill,
                  int threads)
{
    struct trial trial;
    struct verdict verdict;
    char error[512], text[128];
    open_trial(&trial, kernel, shape, fill, threads);
    shape_format(trial.kernel, shape, text, sizeof text);
    if (!peer->prepare(peer, &trial, error, sizeof error))
        fail_msg("%s %s %s: %s", peer->name, kernel, text, error);
    assert_true(peer->kernel[0] != '\0');
    trial_oracle(&trial);
    for (int i = 0; i < 2; i++) {
        trial_poison(&trial);
        assert_int_equal(peer->call(peer, &trial), MMK_OK);
        if (!allowance_check(&trial, &verdict))
            fail_msg("%s %s %s, %d threads: %s", peer->name, kernel, text, threads,
                     verdict.message);
        assert_true(verdict.judged > 0);
    }
    trial_close(&trial);
}

static void refused(struct peer *peer, const char *kernel, const struct shape *shape)
{
    struct trial trial;
    char error[512] = "";
    open_trial(&trial, kernel, shape, FILL_NORMAL, 1);
    assert_false(peer->prepare(peer, &trial, error, sizeof error));
    assert_true(error[0] != '\0');
    trial_close(&trial);
}

static const struct shape clip = {.m = 37,
                                  .n = 37,
                                  .d = 20,
                                  .similarity = MMK_COSINE,
                                  .logit_scale = 14.3f,
                                  .weight_x = 0.5f,
                                  .weight_y = 0.5f};

/* All that a peer of InfoNCE says it can do, and what it must say that it cannot. */
static void check_infonce(struct peer *peer)
{
    static const char *const both[] = {"infonce_forward", "infonce_forward_backward"};
    static const size_t sizes[][2] = {{1, 1}, {2, 33}, {37, 20}, {130, 5}, {700, 40}};
    for (int k = 0; k < 2; k++) {
        assert_true(peer->runs(kernel_find(both[k])));
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            struct shape s = clip;
            s.m = s.n = sizes[i][0];
            s.d = sizes[i][1];
            right(peer, both[k], &s, FILL_NORMAL, 1);
            right(peer, both[k], &s, FILL_ALIGNED, 1);
            s.similarity = MMK_DOT;
            s.ld_extra = 3;
            s.weight_x = 0.75f;
            s.weight_y = i % 2 ? 0.0f : 1.0f;
            right(peer, both[k], &s, FILL_NORMAL, 2);
        }
    }
    struct shape s = clip;
    s.n++;
    refused(peer, "infonce_forward", &s);
    s.offset = 1;
    refused(peer, "infonce_forward", &s);
    s = clip;
    s.similarity = MMK_NEG_SQ_L2;
    refused(peer, "infonce_forward", &s);
    right(peer, "infonce_forward", &clip, FILL_NORMAL, 1); /* it goes on after that */
}

/* Whatever of the kernel the peer can do: sizes around the width of a vector, and inputs whose
 * rounding errors all go one way, or are none. */
static void check_similarity(struct peer *peer, const char *kernel)
{
    static const enum fill fills[] = {FILL_NORMAL, FILL_POSITIVE, FILL_INTEGER, FILL_DUPLICATES};
    static const size_t dims[] = {1, 3, 15, 16, 17, 33, 64, 100, 768, 2049};
    static const size_t sides[] = {1, 2, 7, 33};
    assert_true(peer->runs(kernel_find(kernel)));
    for (size_t f = 0; f < sizeof fills / sizeof fills[0]; f++)
        for (size_t i = 0; i < sizeof dims / sizeof dims[0]; i++)
            for (size_t j = 0; j < sizeof sides / sizeof sides[0]; j++) {
                struct shape s = {.m = sides[j], .n = sides[(i + j) % 4], .d = dims[i]};
                s.ld_extra = i % 3;
                right(peer, kernel, &s, fills[f], 1);
            }
}

/* Blocks of queries and of the gallery, whole and not; more to be found than a block holds. */
static void check_search(struct peer *peer)
{
    static const char *const can[] = {"search", "gallery_search"};
    static const struct shape shapes[] = {
        {.m = 1, .n = 1, .d = 3, .k = 1},       {.m = 1, .n = 300, .d = 20, .k = 10},
        {.m = 5, .n = 9, .d = 17, .k = 9},      {.m = 33, .n = 700, .d = 64, .k = 100},
        {.m = 30, .n = 9000, .d = 5, .k = 130}, {.m = 2100, .n = 40, .d = 7, .k = 3},
        {.m = 3, .n = 9000, .d = 5, .k = 5000},
    };
    for (size_t c = 0; c < sizeof can / sizeof can[0]; c++) {
        assert_true(peer->runs(kernel_find(can[c])));
        for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
            for (int similarity = 0; similarity < MMK_SIMILARITY_COUNT; similarity++) {
                struct shape s = shapes[i];
                s.similarity = (enum mmk_similarity)similarity;
                right(peer, can[c], &s, FILL_NORMAL, 1 + (int)i % 2);
                right(peer, can[c], &s, FILL_DUPLICATES, 1);
            }
    }
    assert_false(peer->runs(kernel_find("search_both")));
}

/* The share of what ours finds that the peer finds, too, for each similarity. */
static double recall(struct peer *peer, enum mmk_similarity similarity, int threads)
{
    const struct shape shape = {.m = 24, .n = 3000, .d = 64, .k = 10, .similarity = similarity};
    struct trial trial;
    char error[512];
    open_trial(&trial, "search", &shape, FILL_NORMAL, threads);
    assert_true(peer->runs(trial.kernel));
    if (!peer->prepare(peer, &trial, error, sizeof error))
        fail_msg("%s: %s", peer->name, error);
    const struct buffer *indices = trial_buffer(&trial, "indices");
    const uint32_t *found = indices->data;
    uint32_t wanted[24][10];
    assert_int_equal(trial.kernel->call(&trial), MMK_OK);
    for (size_t i = 0; i < 24; i++)
        memcpy(wanted[i], found + i * indices->ld, sizeof wanted[i]);
    trial_poison(&trial);
    assert_int_equal(peer->call(peer, &trial), MMK_OK);
    size_t hits = 0;
    for (size_t i = 0; i < 24; i++)
        for (size_t r = 0; r < 10; r++)
            for (size_t at = 0; at < 10; at++)
                hits += found[i * indices->ld + at] == wanted[i][r];
    trial_close(&trial);
    return (double)hits / 240.0;
}

/* What is narrowed misses some results, and not many. */
static void check_narrow(const char *name, double least, bool all_similarities)
{
    struct peer *peer = open_peer(name);
    assert_true(peer->approximate);
    assert_false(peer->runs(kernel_find("topk")) || peer->runs(kernel_find("cosine_pair")));
    for (int s = 0; s < MMK_SIMILARITY_COUNT; s++) {
        const struct shape shape = {
            .m = 2, .n = 5, .d = 3, .k = 2, .similarity = (enum mmk_similarity)s};
        if (!all_similarities && s != MMK_COSINE) {
            refused(peer, "search", &shape);
            continue;
        }
        double found = recall(peer, (enum mmk_similarity)s, 1 + s % 2);
        if (found < least)
            fail_msg("%s finds %g of what it is to find", name, found);
    }
    peers_close();
}

static void test_narrow(void **state)
{
    (void)state;
    check_narrow("usearch-f16", 0.98, true);
    check_narrow("usearch-i8", 0.8, false);
    check_narrow("faiss-sq8", 0.9, true);
    check_narrow("faiss-sq8-refine2", 0.99, true);
    check_narrow("faiss-sq8-refine4", 0.99, true);
}

/* Two of one library are ready at the same time. */
static void test_one_library_twice(void **state)
{
    (void)state;
    const struct shape shape = {.m = 3, .n = 500, .d = 20, .k = 5, .similarity = MMK_COSINE};
    static const char *const pairs[][2] = {{"faiss", "faiss-sq8"}, {"usearch", "usearch-f16"}};
    for (size_t p = 0; p < 2; p++) {
        struct peer *exact = open_peer(pairs[p][0]), *narrow = open_peer(pairs[p][1]);
        struct trial trial;
        struct verdict verdict;
        char error[512];
        assert_false(exact->approximate);
        open_trial(&trial, "search", &shape, FILL_NORMAL, 1);
        trial_oracle(&trial);
        assert_true(exact->prepare(exact, &trial, error, sizeof error));
        assert_true(narrow->prepare(narrow, &trial, error, sizeof error));
        assert_int_equal(narrow->call(narrow, &trial), MMK_OK);
        trial_poison(&trial);
        assert_int_equal(exact->call(exact, &trial), MMK_OK);
        assert_true(allowance_check(&trial, &verdict));
        trial_close(&trial);
    }
    peers_close();
}

/* Some shared objects set the processor to flush denormals when they are loaded. */
static void denormals_are_kept(void)
{
    volatile float least = 1.4e-45f, two = 2.0f;
    assert_true(least * two > 0.0f);
}

static void check_assembled(const char *name)
{
    static const char *const can[] = {"dot_matrix", "cosine_matrix", "neg_sq_l2_matrix"};
    struct peer *peer = open_peer(name);
    denormals_are_kept();
    for (size_t i = 0; i < sizeof can / sizeof can[0]; i++)
        check_similarity(peer, can[i]);
    assert_false(peer->runs(kernel_find("gallery_matrix"))); /* whose rows are packed before */
    check_search(peer);
    check_infonce(peer);
    struct shape s = clip;
    s.logit_scale = 100.0f; /* its softmax would overflow */
    refused(peer, "infonce_forward", &s);
    peers_close();
}

static void test_openblas(void **state)
{
    (void)state;
    static const char *const can[] = {"dot_pair", "dot_query", "cosine_query_norms"};
    struct peer *peer = open_peer("openblas");
    for (size_t i = 0; i < sizeof can / sizeof can[0]; i++)
        check_similarity(peer, can[i]);
    assert_false(peer->runs(kernel_find("cosine_pair")));
    check_assembled("openblas");
}

static void test_onednn(void **state)
{
    (void)state;
    check_assembled("onednn");
}

static void test_faiss(void **state)
{
    (void)state;
    static const size_t sizes[][2] = {{1, 1},      {2, 1},      {16, 16},   {17, 5},
                                      {100, 10},   {100, 99},   {100, 100}, {3000, 100},
                                      {3000, 257}, {5000, 5000}};
    static const enum fill fills[] = {FILL_NORMAL, FILL_DUPLICATES, FILL_ALIGNED, FILL_UNIT_ROWS};
    struct peer *peer = open_peer("faiss");
    denormals_are_kept();
    assert_false(peer->runs(kernel_find("cosine_matrix")));
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (size_t f = 0; f < sizeof fills / sizeof fills[0]; f++) {
            struct shape s = {.m = 5, .n = sizes[i][0], .k = sizes[i][1], .ld_extra = i % 2};
            right(peer, "topk", &s, fills[f], 1);
            right(peer, "topk_rows", &s, fills[f], 1 + (int)i % 2);
            s.k += 3; /* more than there are, or not a round number */
            right(peer, "topk_rows", &s, fills[f], 1);
        }
    struct shape none = {.m = 1, .n = 5};
    refused(peer, "topk", &none);
    check_search(peer);
    struct shape few = {.m = 2, .n = 5, .d = 3, .k = 6};
    refused(peer, "search", &few);
    peers_close();
}

static void test_simsimd(void **state)
{
    (void)state;
    static const char *const can[] = {"dot_pair",  "cosine_pair",  "neg_sq_l2_pair",
                                      "dot_query", "cosine_query", "neg_sq_l2_query",
                                      "dot_rows",  "cosine_rows",  "neg_sq_l2_rows"};
    static const char *const codes[] = {
        "dot_pair_i8",  "scaled_dot_pair_i8",  "cosine_pair_i8",  "neg_sq_l2_pair_i8",
        "dot_query_i8", "scaled_dot_query_i8", "cosine_query_i8", "neg_sq_l2_query_i8"};
    static const char *const halves[] = {
        "dot_pair_f16",        "cosine_pair_f16",     "neg_sq_l2_pair_f16", "dot_query_f16",
        "cosine_query_f16",    "neg_sq_l2_query_f16", "dot_pair_bf16",      "cosine_pair_bf16",
        "neg_sq_l2_pair_bf16", "dot_query_bf16",      "cosine_query_bf16",  "neg_sq_l2_query_bf16"};
    struct peer *peer = open_peer("simsimd");
    denormals_are_kept();
    for (size_t i = 0; i < sizeof can / sizeof can[0]; i++)
        check_similarity(peer, can[i]);
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        check_similarity(peer, codes[i]);
    for (size_t i = 0; i < sizeof halves / sizeof halves[0]; i++)
        check_similarity(peer, halves[i]);
    assert_false(peer->runs(kernel_find("cosine_matrix")));
    assert_false(peer->runs(kernel_find("infonce_forward")));
    peers_close();
}

static void test_usearch(void **state)
{
    (void)state;
    struct peer *peer = open_peer("usearch");
    denormals_are_kept();
    check_similarity(peer, "cosine_pair");
    check_similarity(peer, "neg_sq_l2_pair");
    assert_false(peer->runs(kernel_find("dot_pair")));
    check_search(peer);
    peers_close();
}

static void test_pytorch(void **state)
{
    (void)state;
    struct peer *peer = open_peer("pytorch-tuned");
    check_infonce(peer);

    struct trial trial;
    struct peer_sample one, many;
    char error[512];
    struct shape s = clip;
    s.m = s.n = 200;
    open_trial(&trial, "infonce_forward_backward", &s, FILL_NORMAL, 1);
    assert_true(peer->prepare(peer, &trial, error, sizeof error));
    double start = timer_now();
    assert_true(peer->run(peer, 3, 1, &one));
    assert_true(peer->run(peer, 0, 20, &many));
    assert_true(one.seconds > 0.0 && many.seconds > one.seconds);
    assert_true(one.seconds + many.seconds < timer_now() - start);
    assert_true(many.switches >= 0 && many.cpu_seconds > 0.0);
    trial_close(&trial);
    peers_close();
    assert_false(peer->run(peer, 0, 1, &one)); /* the process has gone */
}

/* Makes the first element of an output wrong. */
static void spoil(const struct buffer *buffer)
{
    if (buffer->element == ELEMENT_F32)
        *(float *)buffer->data *= 1.001f;
    else
        *(uint32_t *)buffer->data += 1;
}

/* What is granted to others is no licence to be wrong. */
static void check_allowance(const char *kernel, const struct shape *shape)
{
    struct trial trial;
    struct verdict verdict;
    open_trial(&trial, kernel, shape, FILL_NORMAL, 1);
    trial_oracle(&trial);
    trial_poison(&trial);
    assert_int_equal(trial.kernel->call(&trial), MMK_OK);
    assert_true(allowance_check(&trial, &verdict));
    for (int b = 0; b < trial.buffer_count; b++) {
        uint32_t *first = trial.buffer[b].data, right_bits = *first;
        if (!trial.buffer[b].output)
            continue;
        spoil(&trial.buffer[b]);
        assert_false(allowance_check(&trial, &verdict));
        assert_non_null(strstr(verdict.message, trial.buffer[b].name));
        *first = right_bits;
    }
    trial_close(&trial);
}

static void test_allowance(void **state)
{
    static const char *const others[] = {"dot_pair",
                                         "cosine_pair",
                                         "neg_sq_l2_pair",
                                         "cosine_query",
                                         "cosine_matrix",
                                         "neg_sq_l2_matrix",
                                         "cosine_rows",
                                         "neg_sq_l2_rows",
                                         "topk",
                                         "search",
                                         "cosine_pair_i8",
                                         "cosine_pair_f16",
                                         "neg_sq_l2_query_f16"};
    (void)state;
    check_allowance("infonce_forward_backward", &clip);
    struct shape shape = clip;
    shape.k = 7;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        check_allowance(others[i], &shape);
}

/* Equal scores may change places; nothing else may. */
static void test_ties(void **state)
{
    (void)state;
    static const float given[] = {3, 1, 2, 2, 1, 2, 0};
    struct shape shape = {.n = 7, .k = 5};
    struct trial trial;
    struct verdict verdict;
    assert_true(trial_open(&trial, kernel_find("topk"), &shape, FILL_GIVEN, 7));
    memcpy(trial.buffer[0].data, given, sizeof given);
    trial_oracle(&trial);
    assert_int_equal(trial.kernel->call(&trial), MMK_OK);
    uint32_t *indices = trial.buffer[2].data;
    static const struct {
        uint32_t indices[5];
        bool right;
    } rows[] = {{{0, 2, 3, 5, 1}, true},  {{0, 5, 2, 3, 4}, true},  {{0, 3, 5, 2, 1}, true},
                {{0, 2, 2, 5, 1}, false}, {{0, 2, 3, 5, 6}, false}, {{2, 0, 3, 5, 1}, false},
                {{0, 2, 3, 1, 5}, false}, {{0, 2, 3, 7, 1}, false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        memcpy(indices, rows[i].indices, sizeof rows[i].indices);
        assert_int_equal(allowance_check(&trial, &verdict), rows[i].right);
    }
    trial_close(&trial);
}

static void test_names(void **state)
{
    (void)state;
    size_t count = 0;
    for (; peers_name(count); count++)
        for (size_t other = 0; other < count; other++)
            assert_string_not_equal(peers_name(other), peers_name(count));
    assert_true(count > 0);
}

/* A year is said of the very versions that are known. */
static void test_releases(void **state)
{
    static const struct release_year years[] = {{2022, "0.3.20 0.3.21"}, {2023, "0.3.22"}};
    static const char *const said[][2] = {
        {"0.3.20", "BLAS 0.3.20 (2022)"},
        {"0.3.21", "BLAS 0.3.21 (2022)"},
        {"0.3.22", "BLAS 0.3.22 (2023)"},
        {"0.3.2", "BLAS 0.3.2"},
        {"0.3.221", "BLAS 0.3.221"},
        {"0.3.21.dev", "BLAS 0.3.21.dev"},
        {"0.3", "BLAS 0.3"},
        {"of unknown version", "BLAS of unknown version"},
    };
    struct peer peer;
    (void)state;
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
        release_say(&peer, "BLAS", said[i][0], years, 2);
        assert_string_equal(peer.version, said[i][1]);
    }
}

/* In sentences a peer is named with its version. */
static void test_names_in_sentences(void **state)
{
    static const char *const said[][2] = {
        {"oneDNN 2.6.3 (2022); avx512_core", "peer 2.6.3"},
        {"oneDNN 2.6.3; avx512_core; its product", "peer 2.6.3"},
        {"PyTorch 1.13.1+cpu", "peer 1.13.1+cpu"},
        {"BLAS of unknown version; 3 threads", "peer"},
        {"", "peer"},
    };
    struct column column = {.variant = "peer"};
    char text[72];
    (void)state;
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
        snprintf(column.library, sizeof column.library, "%s", said[i][0]);
        analysis_name_peer(&column, text, sizeof text);
        assert_string_equal(text, said[i][1]);
    }
}

static void test_child(void **state)
{
    (void)state;
    const char *const cat[] = {"cat", NULL}, *const none[] = {"/no/such/program", NULL};
    const char *const print[] = {"sh", "-c", "echo \"$MMK_TEST $HOME\"", NULL};
    const char *const set[] = {"MMK_TEST=a b", "HOME=c", NULL};
    char answer[32];
    struct child child;
    assert_true(child_start(&child, cat, NULL));
    assert_true(child_ask(&child, "hello", answer, sizeof answer));
    assert_string_equal(answer, "hello");
    child_stop(&child);
    assert_false(child_ask(&child, "hello", answer, sizeof answer));

    assert_true(child_start(&child, print, set));
    assert_true(child_read(&child, answer, sizeof answer));
    assert_string_equal(answer, "a b c");
    assert_false(child_ask(&child, "more", answer, sizeof answer));
    child_stop(&child);

    assert_false(child_start(&child, none, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),     cmocka_unit_test(test_child),
        cmocka_unit_test(test_releases),  cmocka_unit_test(test_names_in_sentences),
        cmocka_unit_test(test_allowance), cmocka_unit_test(test_ties),
        cmocka_unit_test(test_openblas),  cmocka_unit_test(test_onednn),
        cmocka_unit_test(test_faiss),     cmocka_unit_test(test_simsimd),
        cmocka_unit_test(test_usearch),   cmocka_unit_test(test_pytorch),
        cmocka_unit_test(test_narrow),    cmocka_unit_test(test_one_library_twice),
    };
    return cmocka_run_group_tests_name("peers", tests, NULL, NULL);
}
