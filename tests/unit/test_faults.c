/* test_faults.c - the n-th allocation of a call fails, for every function and every n: the status
 * says so or the result is whole, nothing is written in between, and the next call works.
 * SPDX-License-Identifier: MIT
 *
 * malloc and its kin are this program's: glibc lets a program have its own. A sanitizer has its
 * own, too, and there the test is skipped.
 */
#define _DEFAULT_SOURCE
#include "../../kernels/isa/isa.h"
#include "calls.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__) || !defined(__GLIBC__)
#define HAS_OWN_MALLOC 0
#else
#define HAS_OWN_MALLOC 1
#endif

/* Allocations of this thread before one fails; -1: none does. Those of OpenMP's workers are not
 * ours. */
static _Thread_local long before_failure = -1;
static _Thread_local bool has_failed;
static _Thread_local bool one_alone; /* those after it do not fail */
static _Thread_local long held;      /* allocations less frees, while counting */

#if HAS_OWN_MALLOC
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);
void __libc_free(void *memory);

static bool fails(void)
{
    if (before_failure < 0)
        return false;
    if (before_failure-- > 0) {
        held++;
        return false;
    }
    has_failed = true;
    before_failure = one_alone ? LONG_MAX : 0; /* 0: memory does not come back */
    errno = ENOMEM;
    return true;
}

void *malloc(size_t bytes)
{
    return fails() ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    return fails() ? NULL : __libc_calloc(count, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    return fails() ? NULL : __libc_memalign(alignment, bytes);
}

void free(void *memory)
{
    if (before_failure >= 0 && memory != NULL)
        held--;
    __libc_free(memory);
}
#endif

static float expected[CALLS_FLOATS], found[CALLS_FLOATS], untouched[CALLS_FLOATS];

/* With the allocation after `successes` failing, alone or with all after it: true if none was left
 * to fail. */
static bool one_fails(const struct call *call, enum mmk_similarity similarity, int threads,
                      long successes, bool alone)
{
    has_failed = false;
    one_alone = alone;
    held = 0;
    before_failure = successes;
    enum mmk_status status = calls_run(call, similarity, threads, found);
    before_failure = -1;
    if (!has_failed) {
        assert_int_equal(status, MMK_OK);
        assert_memory_equal(found, expected, sizeof found);
        return true;
    }
    if (held > 0)
        fail_msg("%s: %ld allocations were not given back", call->name, held);
    if (status == MMK_OK) { /* it does without, and bits stay */
        assert_memory_equal(found, expected, sizeof found);
    } else {
        assert_int_equal(status, MMK_ERR_NO_MEMORY);
        assert_memory_equal(found, untouched, sizeof found);
        assert_non_null(mmk_error_detail());
    }
    assert_int_equal(calls_run(call, similarity, threads, found), MMK_OK);
    assert_memory_equal(found, expected, sizeof found);
    return false;
}

static void every_allocation_fails(void **state)
{
    (void)state;
    if (!HAS_OWN_MALLOC)
        skip();
    size_t failures = 0;
    for (size_t c = 0; c < calls_count; c++)
        for (int s = 0; s < MMK_SIMILARITY_COUNT; s++)
            for (int threads = 1; threads <= (calls[c].threads ? 2 : 1); threads++) {
                enum mmk_similarity similarity = (enum mmk_similarity)s;
                assert_int_equal(calls_run(&calls[c], similarity, threads, expected), MMK_OK);
                for (int alone = 0; alone <= (s == MMK_NEG_SQ_L2); alone++) /* it takes most */
                    for (long n = 0; !one_fails(&calls[c], similarity, threads, n, alone); n++) {
                        assert_true(n < 1000);
                        failures++;
                    }
            }
    assert_true(failures > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_fails)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
