/* test_processes.c - forks, callers with threads of their own, and more threads than there can be.
 * What needs a process of its own is in tests/processes.sh.
 * SPDX-License-Identifier: MIT
 */
#include "calls.h"

#include "../../kernels/call/threads.h"

#include <limits.h>
#include <omp.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static float expected[CALLS_FLOATS], found[CALLS_FLOATS];

/* Seconds after which a child that hangs is ended. */
enum { CHILD_SECONDS = 60 };

/* Whether all threads that the call asks for, and those that OpenMP has, give the expected bits. */
static bool as_expected(const struct call *call, enum mmk_similarity similarity)
{
    for (int threads = 2; threads >= 0; threads -= 2)
        if (calls_run(call, similarity, threads, found) != MMK_OK ||
            memcmp(expected, found, sizeof found) != 0) {
            fprintf(stderr, "# %s, %d threads, after a fork\n", call->name, threads);
            return false;
        }
    return true;
}

/* Runs the call in a child, and in a child of that. */
static int in_child(const struct call *call, enum mmk_similarity similarity, int generations)
{
    pid_t child = fork();
    if (child == 0) {
        alarm(CHILD_SECONDS);
        bool right = as_expected(call, similarity) &&
                     (generations == 1 || in_child(call, similarity, generations - 1) == 0);
        _exit(right ? 0 : 1);
    }
    int status = -1;
    return child > 0 && waitpid(child, &status, 0) == child ? status : -1;
}

static void a_child_of_a_process_with_threads_computes(void **unused)
{
    (void)unused;
    omp_set_num_threads(2);
    for (size_t c = 0; c < calls_count; c++) {
        if (!calls[c].threads)
            continue;
        for (int s = 0; s < MMK_SIMILARITY_COUNT; s++) {
            enum mmk_similarity similarity = (enum mmk_similarity)s;
            assert_int_equal(calls_run(&calls[c], similarity, 2, expected), MMK_OK);
            int status = in_child(&calls[c], similarity, 2);
            if (status != 0)
                fail_msg("%s: the child ended with status %#x", calls[c].name, (unsigned)status);
            /* The parent's threads are still there. */
            assert_true(as_expected(&calls[c], similarity));
        }
    }
}

static void any_number_of_threads_is_taken(void **unused)
{
    (void)unused;
    static const int numbers[] = {1000, INT_MAX - 1, INT_MAX};
    for (size_t c = 0; c < calls_count; c++) {
        assert_int_equal(calls_run(&calls[c], MMK_COSINE, 1, expected), MMK_OK);
        for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
            assert_int_equal(calls_run(&calls[c], MMK_COSINE, numbers[i], found), MMK_OK);
            assert_memory_equal(expected, found, sizeof found);
        }
    }
}

/* A query asks for as much as a call will use, and no more than threads that can be had. */
static void a_query_counts_the_threads_that_there_can_be(void **unused)
{
    (void)unused;
    enum { ROWS = 1 << 20, WIDTH = 4096 };
    struct mmk_workspace_bytes bytes[2];
    static const int numbers[] = {1, INT_MAX};
    const struct mmk_matrix scores = {.rows = ROWS, .columns = WIDTH};
    float value;
    for (int i = 0; i < 2; i++)
        assert_int_equal(mmk_topk(&scores, &(struct mmk_topk_results){.k = WIDTH, .values = &value},
                                  &(struct mmk_options){.threads = numbers[i], .query = &bytes[i]}),
                         MMK_OK);
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    size_t most = cpus > 4 ? 4 * (size_t)cpus : 16;
    assert_true(bytes[0].least > 0);
    assert_int_equal(bytes[1].least, most * bytes[0].least);
}

/* Each thread of a caller's own team makes whole calls: of one thread, which must share nothing out
 * to that team, and of two. */
static void calls_of_a_team_are_whole(void **unused)
{
    (void)unused;
    enum { TEAM = 3 };
    static float of_thread[TEAM][CALLS_FLOATS];
    for (size_t c = 0; c < calls_count; c++)
        for (int threads = 1; threads <= (calls[c].threads ? 2 : 1); threads++) {
            int wrong = 0, team = 0;
            assert_int_equal(calls_run(&calls[c], MMK_COSINE, 1, expected), MMK_OK);
#pragma omp parallel num_threads(TEAM) reduction(+ : wrong, team)
            {
                float *out = of_thread[omp_get_thread_num()];
                team++;
                wrong += calls_run(&calls[c], MMK_COSINE, threads, out) != MMK_OK ||
                         memcmp(expected, out, sizeof expected) != 0;
            }
            if (wrong != 0)
                fail_msg("%s, %d threads: %d of a team of %d differ", calls[c].name, threads, wrong,
                         team);
        }
}

/* Shares follow one another from the first to the last, and differ by one at most. */
static void shares_are_all(void **unused)
{
    (void)unused;
    for (size_t workers = 1; workers < 20; workers++)
        for (size_t count = 0; count < 100; count++) {
            size_t next = 0;
            for (size_t w = 0; w < workers; w++) {
                size_t begin, end;
                threads_share(count, w, workers, &begin, &end);
                assert_int_equal(begin, next);
                assert_in_range(end - begin, count / workers, count / workers + 1);
                next = end;
            }
            assert_int_equal(next, count);
        }
}

/* ---- The first call -------------------------------------------------------------------------- */

static atomic_int at_the_line;

static void *call_first(void *status)
{
    float x = 2, result = 0;
    atomic_fetch_add(&at_the_line, 1);
    while (atomic_load(&at_the_line) < 2)
        sched_yield();
    *(bool *)status = mmk_similarity_pair(MMK_DOT, 1, &x, &x, &result) == MMK_OK && result == 4;
    return NULL;
}

/* What mmk_isa_use() chose while another thread's first call was still looking for the best stands.
 * In children of a process that has called nothing yet: so this is the first test. */
static void a_choice_outlives_the_first_call_of_another_thread(void **unused)
{
    (void)unused;
    for (int i = 0; i < 600; i++) {
        pid_t child = fork();
        if (child == 0) {
            bool called = false;
            pthread_t thread;
            enum mmk_isa isa = MMK_ISA_COUNT;
            alarm(CHILD_SECONDS);
            if (pthread_create(&thread, NULL, call_first, &called) != 0)
                _exit(3);
            atomic_fetch_add(&at_the_line, 1);
            while (atomic_load(&at_the_line) < 2)
                sched_yield();
            for (volatile int wait = 0; wait < i % 300; wait++)
                ;
            if (mmk_isa_use("scalar") != MMK_OK || pthread_join(thread, NULL) != 0 || !called)
                _exit(2);
            _exit(mmk_isa_in_use(&isa) != MMK_OK || isa != MMK_ISA_SCALAR);
        }
        int status = -1;
        assert_true(child > 0 && waitpid(child, &status, 0) == child);
        if (status != 0)
            fail_msg("child %d ended with status %#x", i, (unsigned)status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_choice_outlives_the_first_call_of_another_thread),
        cmocka_unit_test(shares_are_all),
        cmocka_unit_test(calls_of_a_team_are_whole),
        cmocka_unit_test(a_child_of_a_process_with_threads_computes),
        cmocka_unit_test(any_number_of_threads_is_taken),
        cmocka_unit_test(a_query_counts_the_threads_that_there_can_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
