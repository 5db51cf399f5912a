/* test_simd.c - the other building blocks of kernels/simd/, on every instruction set.
 * SPDX-License-Identifier: MIT
 */
#include "simd_blocks.h"

#include "../../kernels/simd/scalar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static const struct simd_blocks *usable[MMK_ISA_COUNT];
static size_t usable_count;

static uint64_t random_state = 1;

static uint32_t random_bits(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 32);
}

static float random_float(void)
{
    return (float)(int32_t)random_bits() * 0x1p-31f * (float)(1u << (random_bits() & 15));
}

/* n floats that end at an unreadable page. */
static float *before_guard(size_t n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(map != MAP_FAILED);
    assert_int_equal(mprotect(map + page, page, PROT_NONE), 0);
    return (float *)(void *)(map + page) - n;
}

static void release_guarded(float *start, size_t n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    munmap((char *)(void *)(start + n) - page, 2 * page);
}

static void sum64_same_bits(void **state)
{
    (void)state;
    for (int trial = 0; trial < 2000; trial++) {
        float lane[64];
        for (int l = 0; l < 64; l++)
            lane[l] = random_float();
        uint32_t expected = simd_bits(simd_sum64(lane));
        for (size_t u = 0; u < usable_count; u++)
            assert_int_equal(simd_bits(usable[u]->sum64(lane)), expected);
    }
}

/* The tree written out: 64 -> 32 -> ... -> 1, lane l with lane l + half. */
static void sum64_is_the_tree(void **state)
{
    (void)state;
    float lane[64], t[64];
    for (int l = 0; l < 64; l++)
        t[l] = lane[l] = random_float();
    for (int half = 32; half > 0; half /= 2)
        for (int l = 0; l < half; l++)
            t[l] += t[l + half];
    for (size_t u = 0; u < usable_count; u++)
        assert_int_equal(simd_bits(usable[u]->sum64(lane)), simd_bits(t[0]));
}

static void sum64_of_minus_zeros_is_plus_zero(void **state)
{
    (void)state;
    float lane[64];
    for (int l = 0; l < 64; l++)
        lane[l] = -0.0f;
    for (size_t u = 0; u < usable_count; u++)
        assert_int_equal(simd_bits(usable[u]->sum64(lane)), 0);
}

static void canonical_nan_any_nan(void **state)
{
    (void)state;
    float in[64], out[64];
    for (int trial = 0; trial < 1000; trial++) {
        for (int i = 0; i < 64; i++)
            in[i] = simd_from_bits(i % 3 == 0 ? random_bits() | 0x7f800001 : random_bits());
        for (size_t u = 0; u < usable_count; u++) {
            usable[u]->canonical_nan(64, in, out);
            for (int i = 0; i < 64; i++)
                assert_int_equal(simd_bits(out[i]), in[i] == in[i] ? simd_bits(in[i]) : 0x7fc00000);
        }
    }
}

static void max_passes_over_nan(void **state)
{
    (void)state;
    float in[64], start[64], acc[64];
    for (int trial = 0; trial < 1000; trial++) {
        for (int i = 0; i < 64; i++) {
            in[i] = i % 5 == 0 ? simd_from_bits(0x7fc00000) : random_float();
            start[i] = i % 7 == 0 ? -INFINITY : random_float();
        }
        for (size_t u = 0; u < usable_count; u++) {
            memcpy(acc, start, sizeof acc);
            usable[u]->max(64, in, acc);
            for (int i = 0; i < 64; i++)
                assert_int_equal(simd_bits(acc[i]), simd_bits(in[i] > start[i] ? in[i] : start[i]));
        }
    }
}

/* 2^(z - c) for z from far below to far above c: within 3 * 2^-24 where the result is a normal
 * float, 0 and Inf beyond, NaN kept; and the same bits everywhere, denormal results too. */
static void exp2_shifted_in_range(void **state)
{
    (void)state;
    static const float shifts[] = {0, 1, -36, 1000, -1048576};
    for (size_t k = 0; k < sizeof shifts / sizeof *shifts; k++)
        for (int trial = 0; trial < 3000; trial++) {
            float c = shifts[k], z[64], expected[64], out[64];
            for (int i = 0; i < 64; i++)
                z[i] =
                    c + (float)(int32_t)random_bits() * 0x1p-31f * (i % 8 == 0 ? 200.0f : 127.0f);
            z[1] = c - 127.0f;
            z[2] = c + 128.0f;
            z[3] = -INFINITY;
            z[4] = INFINITY;
            z[5] = simd_from_bits(0x7fc00000);
            usable[0]->exp2_shifted(64, z, c, expected);
            for (int i = 0; i < 64; i++) {
                double t = (double)z[i] - (double)c, right = exp2(t);
                if (t >= -126 && t < 128)
                    assert_true(fabs((double)expected[i] - right) <= 3 * 0x1p-24 * right);
                else if (t == t && t < 0)
                    assert_true(expected[i] <= 0x1p-126f && (t > -127 || expected[i] == 0));
                else if (t == t)
                    assert_true(expected[i] == INFINITY);
                else
                    assert_true(expected[i] != expected[i]);
            }
            for (size_t u = 1; u < usable_count; u++) {
                usable[u]->exp2_shifted(64, z, c, out);
                assert_memory_equal(out, expected, sizeof out);
            }
        }
}

/* base + log2(1 + q) over floats q of all sizes up to 1: within 2.5 * 2^-24 of log2(1 + q) and the
 * last rounding; the same bits everywhere. */
static void log2_1p_in_range(void **state)
{
    (void)state;
    for (int trial = 0; trial < 3000; trial++) {
        float q[64], base[64], expected[64], out[64];
        for (int i = 0; i < 64; i++) {
            q[i] = simd_from_bits(random_bits() % (simd_bits(1.0f) + 1));
            base[i] = i % 2 ? 0.0f : fabsf(random_float());
        }
        q[1] = 0.0f;
        q[3] = 1.0f;
        usable[0]->log2_1p(64, q, base, expected);
        for (int i = 0; i < 64; i++) {
            double log2_1p = log1p((double)q[i]) / log(2), right = (double)base[i] + log2_1p;
            assert_true(fabs((double)expected[i] - right) <=
                        2.5 * 0x1p-24 * log2_1p + (base[i] > 0 ? 0x1p-24 * right : 0) + 0x1p-149);
        }
        assert_true(expected[1] == 0);
        for (size_t u = 1; u < usable_count; u++) {
            usable[u]->log2_1p(64, q, base, out);
            assert_memory_equal(out, expected, sizeof out);
        }
    }
}

/* The greatest in every lane in turn. */
static void hmax_every_lane(void **state)
{
    (void)state;
    for (size_t u = 0; u < usable_count; u++) {
        if (usable[u]->hmax == NULL)
            continue;
        for (size_t lane = 0; lane < usable[u]->width; lane++) {
            float in[64];
            for (size_t i = 0; i < usable[u]->width; i++)
                in[i] = i == lane ? -1.0f : -2.0f - (float)i;
            assert_true(usable[u]->hmax(in) == -1.0f);
        }
    }
}

static void load_first_reads_no_further(void **state)
{
    (void)state;
    for (size_t u = 0; u < usable_count; u++) {
        if (usable[u]->load_first == NULL)
            continue;
        for (size_t first = 0; first <= usable[u]->width; first++) {
            float *in = before_guard(first), out[64];
            for (size_t i = 0; i < first; i++)
                in[i] = 1.0f + (float)i;
            usable[u]->load_first(first, in, out);
            for (size_t i = 0; i < usable[u]->width; i++)
                assert_true(out[i] == (i < first ? 1.0f + (float)i : 0.0f));
            release_guarded(in, first);
        }
    }
}

static void store_first_writes_no_further(void **state)
{
    (void)state;
    float in[64];
    for (size_t i = 0; i < 64; i++)
        in[i] = 1.0f + (float)i;
    for (size_t u = 0; u < usable_count; u++) {
        if (usable[u]->store_first == NULL)
            continue;
        for (size_t first = 0; first <= usable[u]->width; first++) {
            float *guarded = before_guard(first), plain[65];
            usable[u]->store_first(first, in, guarded);
            for (size_t i = 0; i < first; i++)
                assert_true(guarded[i] == in[i]);
            release_guarded(guarded, first);
            for (size_t i = 0; i < 65; i++)
                plain[i] = -7.0f;
            usable[u]->store_first(first, in, plain);
            for (size_t i = 0; i < 65; i++)
                assert_true(plain[i] == (i < first ? in[i] : -7.0f));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sum64_same_bits),
        cmocka_unit_test(sum64_is_the_tree),
        cmocka_unit_test(sum64_of_minus_zeros_is_plus_zero),
        cmocka_unit_test(canonical_nan_any_nan),
        cmocka_unit_test(max_passes_over_nan),
        cmocka_unit_test(exp2_shifted_in_range),
        cmocka_unit_test(log2_1p_in_range),
        cmocka_unit_test(hmax_every_lane),
        cmocka_unit_test(load_first_reads_no_further),
        cmocka_unit_test(store_first_writes_no_further),
    };
    usable_count = simd_blocks_usable(usable);
    return cmocka_run_group_tests_name("simd", tests, NULL, NULL);
}
