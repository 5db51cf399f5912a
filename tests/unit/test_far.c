/* test_far.c - rows more than 2^32 elements apart: every function gives what it gives of rows that
 * stand together.
 * SPDX-License-Identifier: MIT
 */
#include "calls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static float expected[CALLS_FLOATS], found[CALLS_FLOATS];

static void rows_are_far_apart(void **state)
{
    (void)state;
    for (int isa = 0; isa < MMK_ISA_COUNT; isa++) {
        const char *name = mmk_isa_name((enum mmk_isa)isa);
        if (mmk_isa_usable((enum mmk_isa)isa) != MMK_OK)
            continue;
        assert_int_equal(mmk_isa_use(name), MMK_OK);
        for (size_t c = 0; c < calls_count; c++)
            for (int s = 0; s < MMK_SIMILARITY_COUNT; s++)
                for (int threads = 1; threads <= (calls[c].threads ? 3 : 1); threads += 2) {
                    enum mmk_similarity similarity = (enum mmk_similarity)s;
                    enum mmk_status status;
                    assert_int_equal(calls_run(&calls[c], similarity, threads, expected), MMK_OK);
                    if (!calls_run_far(&calls[c], similarity, threads, found, &status))
                        skip();
                    assert_int_equal(status, MMK_OK);
                    if (memcmp(found, expected, sizeof found) != 0)
                        fail_msg("%s, %s, similarity %d, %d threads: other bits where rows are far",
                                 calls[c].name, name, s, threads);
                }
    }
    assert_int_equal(mmk_isa_use(NULL), MMK_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows_are_far_apart)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
