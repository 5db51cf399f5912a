/* test_fp_state.c - results do not depend on the caller's floating-point state, nor on that of
 * OpenMP's workers, and both are after a call what they were before; the flags of exceptions too.
 * SPDX-License-Identifier: MIT
 *
 * Pair and query keep to the caller's state: of them NaN and memory are looked at.
 */
#include "../../kernels/call/fp_state.h"
#include "../../kernels/simd/scalar.h"
#include "../../ref/cases.h"
#include "calls.h"
#include "matrix.h"

#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct named_state {
    const char *name;
    struct fp_state state;
};

static const struct named_state states[] = {
#if defined(__x86_64__)
    {"default", {0x1f80}},          {"default, all flags", {0x1fbf}},
    {"FTZ and DAZ", {0x9fc0}},      {"downwards", {0x3f80}},
    {"upwards", {0x5f80}},          {"towards zero", {0x7f80}},
    {"invalid trapped", {0x1f00}},  {"all trapped", {0x0000}},
    {"all of it", {0xe040 | 0x3f}},
#elif defined(__aarch64__)
    {"default", {0, 0}},
    {"default, all flags", {0, 0x9f}},
    {"FZ", {1 << 24, 0}},
    {"downwards", {2 << 22, 0}},
    {"upwards", {1 << 22, 0}},
    {"towards zero", {3 << 22, 0}},
    {"NaN by default, FZ16", {1 << 25 | 1 << 19, 0}},
    {"all trapped", {0x9f00, 0}}, /* where the machine can */
#endif
};
enum { STATES = sizeof states / sizeof states[0] };

#if !defined(__x86_64__) && !defined(__aarch64__)
#error "name the states of this architecture"
#endif

/* Every bit of the caller's control alone is another state than the default. */
static void every_bit_counts(void **unused)
{
    (void)unused;
    const struct fp_state here = fp_state_read();
    for (int bit = 0; bit < 27; bit++) {
        struct fp_state other = states[0].state;
        other.control ^= 1u << bit;
#if defined(__x86_64__)
        if (bit < 6 || bit > 15) /* flags, and bits that may not be set */
            continue;
#endif
        fp_state_write(&other);
        struct fp_state present = fp_state_read();
        fp_state_set_default(&present);
        struct fp_state now = fp_state_read();
        fp_state_write(&here);
        assert_int_equal(now.control, states[0].state.control);
    }
}

static float expected[CALLS_FLOATS], found[CALLS_FLOATS];

static bool same_state(const struct fp_state *a, const struct fp_state *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* What was set, as the machine gives it back. */
static struct fp_state set_state(const struct fp_state *state)
{
    __asm__ volatile("" : : : "memory");
    fp_state_write(state);
    struct fp_state set = fp_state_read();
    __asm__ volatile("" : : : "memory");
    return set;
}

/* The state of OpenMP's workers, of whom 1 is not this thread. */
static struct fp_state workers[2];

static void set_workers(const struct fp_state *state)
{
#pragma omp parallel num_threads(2)
    if (omp_get_thread_num() == 1)
        workers[1] = set_state(state);
}

/* clang's OpenMP gives workers the caller's state each time: they have none of theirs to keep. */
static bool workers_are(const struct fp_state *state)
{
#ifdef __clang__
    (void)state;
    return true;
#endif
    struct fp_state now = *state;
#pragma omp parallel num_threads(2)
    if (omp_get_thread_num() == 1)
        now = fp_state_read();
    return same_state(&now, state);
}

/* One call in the state; the workers are in it too, or in the default. */
static void check_in_state(const struct call *call, enum mmk_similarity similarity, int threads,
                           const struct named_state *named, bool of_workers)
{
    set_workers(of_workers ? &named->state : &states[0].state);
    struct fp_state here = fp_state_read();
    struct fp_state before = set_state(of_workers ? &states[0].state : &named->state);
    enum mmk_status status = calls_run(call, similarity, threads, found);
    struct fp_state after = fp_state_read();
    fp_state_write(&here);
    if (status != MMK_OK || memcmp(expected, found, sizeof found) != 0)
        fail_msg("%s, similarity %d, %d threads, %s%s: %s", call->name, (int)similarity, threads,
                 named->name, of_workers ? " in the workers" : "",
                 status != MMK_OK ? mmk_error_detail() : "other bits");
    if (!same_state(&before, &after) || !workers_are(&workers[1]))
        fail_msg("%s, %d threads: the state \"%s\" is another afterwards", call->name, threads,
                 named->name);
}

static void check_all_states(void)
{
    for (size_t c = 0; c < calls_count; c++)
        for (int s = 0; s < MMK_SIMILARITY_COUNT && calls[c].own_state; s++) {
            enum mmk_similarity similarity = (enum mmk_similarity)s;
            assert_int_equal(calls_run(&calls[c], similarity, 1, expected), MMK_OK);
            for (int threads = 1; threads <= (calls[c].threads ? 2 : 1); threads++)
                for (int state = 0; state < STATES; state++) {
                    check_in_state(&calls[c], similarity, threads, &states[state], false);
                    if (threads > 1)
                        check_in_state(&calls[c], similarity, threads, &states[state], true);
                }
        }
}

static void results_are_those_of_the_default_state(void **unused)
{
    (void)unused;
    for (unsigned isa = 0; isa < MMK_ISA_COUNT; isa++)
        if (mmk_isa_use(mmk_isa_name((enum mmk_isa)isa)) == MMK_OK)
            check_all_states();
}

/* A refusal formats numbers, and leaves by another way. */
static void a_refused_call_puts_the_state_back(void **unused)
{
    (void)unused;
    const float one = 1;
    float loss;
    const struct mmk_infonce_problem problem = {
        .x = MATRIX_AT(&one, 1, 1, 0), .y = MATRIX_AT(&one, 1, 1, 0), .logit_scale = -0.1f};
    for (int state = 0; state < STATES; state++) {
        struct fp_state here = fp_state_read(), before = set_state(&states[state].state);
        enum mmk_status status =
            mmk_infonce(&problem, &(struct mmk_infonce_results){.loss = &loss}, NULL);
        struct fp_state after = fp_state_read();
        fp_state_write(&here);
        assert_int_equal(status, MMK_ERR_LOGIT_SCALE);
        assert_true(same_state(&before, &after));
    }
}

/* Whatever the state: NaN is the one NaN, and nothing but the result is written. Traps aside, which
 * are the caller's wish. */
static void check_pair_and_query(void)
{
    enum { ROWS = 21, WIDTH = 70 };
    static float rows[ROWS * WIDTH];
    for (size_t i = 0; i < ROWS * WIDTH; i++)
        rows[i] = (float)fill_normal(9, i) * (i / WIDTH % 3 == 0 ? 1e-40f : 1.0f);
    rows[4 * WIDTH + 7] = simd_from_bits(0xffc12345u);
    for (int state = 0; state < STATES; state++) {
        if (strstr(states[state].name, "trapped") != NULL || strstr(states[state].name, "all of"))
            continue;
        for (int s = 0; s < MMK_SIMILARITY_COUNT; s++)
            for (size_t d = 8; d <= WIDTH; d++) {
                float result[ROWS + 2], pair;
                memset(result, 0xa5, sizeof result);
                struct fp_state here = fp_state_read();
                set_state(&states[state].state);
                enum mmk_status first =
                    mmk_similarity_query((enum mmk_similarity)s, rows,
                                         MATRIX_AT(rows, ROWS, d, WIDTH), NULL, result + 1);
                enum mmk_status second = mmk_similarity_pair((enum mmk_similarity)s, d,
                                                             rows + WIDTH, rows + 4 * WIDTH, &pair);
                __asm__ volatile("" : : : "memory");
                fp_state_write(&here);
                assert_int_equal(first, MMK_OK);
                assert_int_equal(second, MMK_OK);
                assert_int_equal(simd_bits(pair), 0x7fc00000u);
                assert_int_equal(simd_bits(result[1 + 4]), 0x7fc00000u);
                assert_int_equal(simd_bits(result[0]), 0xa5a5a5a5u);
                assert_int_equal(simd_bits(result[ROWS + 1]), 0xa5a5a5a5u);
                for (int i = 0; i < ROWS; i++)
                    if (result[1 + i] != result[1 + i])
                        assert_int_equal(simd_bits(result[1 + i]), 0x7fc00000u);
            }
    }
}

static void pair_and_query_keep_nan(void **unused)
{
    (void)unused;
    for (unsigned isa = 0; isa < MMK_ISA_COUNT; isa++)
        if (mmk_isa_use(mmk_isa_name((enum mmk_isa)isa)) == MMK_OK)
            check_pair_and_query();
}

/* Where denormals are switched off, rows of normal numbers have the cosines they have elsewhere,
 * however small or great: no product on the way is below the normal range. */
static void cosines_without_denormals(void **unused)
{
    (void)unused;
    enum { D = 8, STATE = 2 };
    static const float shape[D] = {1, 0.5f, -0.75f, 0.25f, 1.5f, -0.625f, 0.875f, 1.25f};
    for (int isa = 0; isa < MMK_ISA_COUNT; isa++) {
        if (mmk_isa_usable((enum mmk_isa)isa) != MMK_OK)
            continue;
        assert_int_equal(mmk_isa_use(mmk_isa_name((enum mmk_isa)isa)), MMK_OK);
        for (int ex = -62; ex <= 62; ex++)
            for (int ey = -62; ey <= 62; ey++) {
                float x[D], y[D], right[3], got[3];
                for (int k = 0; k < D; k++) {
                    x[k] = ldexpf(shape[k], ex);
                    y[k] = ldexpf(shape[(k + 3) % D], ey);
                }
                for (int off = 0; off < 2; off++) {
                    float *to = off ? got : right;
                    set_state(&states[off ? STATE : 0].state);
                    assert_int_equal(mmk_similarity_pair(MMK_COSINE, D, x, y, &to[0]), MMK_OK);
                    assert_int_equal(
                        mmk_similarity_query(MMK_COSINE, x, MATRIX_AT(y, 1, D, 0), NULL, &to[1]),
                        MMK_OK);
                    assert_int_equal(mmk_similarity_rows(MMK_COSINE, MATRIX_AT(x, 1, D, 0),
                                                         MATRIX_AT(y, 1, D, 0), &to[2], NULL),
                                     MMK_OK);
                    set_state(&states[0].state);
                }
                assert_memory_equal(right, got, sizeof got);
            }
    }
    assert_int_equal(mmk_isa_use(NULL), MMK_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bit_counts),
        cmocka_unit_test(results_are_those_of_the_default_state),
        cmocka_unit_test(a_refused_call_puts_the_state_back),
        cmocka_unit_test(pair_and_query_keep_nan),
        cmocka_unit_test(cosines_without_denormals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
