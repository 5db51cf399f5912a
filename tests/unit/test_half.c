/* test_half.c - f16 and bf16 of ref/half.h: all values, and between any two what is rounded where.
 * SPDX-License-Identifier: MIT
 *
 * The second way to a value is ldexp of its fields. Rounding is monotone: it is right everywhere if
 * it is right at each value, and at the middle between two and next to it.
 */
#include "../../ref/half.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* One sign bit, then an exponent, then digits. */
struct format {
    int digits, bias;
    uint16_t infinity;
    float (*from)(uint16_t half);
    uint16_t (*to)(float value);
};

static const struct format formats[] = {{10, 15, 0x7c00, half_from_f16, half_to_f16},
                                        {7, 127, 0x7f80, half_from_bf16, half_to_bf16}};
enum { FORMATS = sizeof formats / sizeof formats[0] };

static double value_of(const struct format *f, uint16_t half)
{
    int magnitude = half & 0x7fff, exponent = magnitude >> f->digits;
    int digits = magnitude & ((1 << f->digits) - 1), one = exponent > 0 ? 1 << f->digits : 0;
    double value = ldexp(one + digits, (exponent > 0 ? exponent : 1) - f->bias - f->digits);
    return half & 0x8000 ? -value : value;
}

static void test_values(void **state)
{
    (void)state;
    for (int i = 0; i < FORMATS; i++) {
        const struct format *f = &formats[i];
        for (unsigned h = 0; h <= 0xffff; h++) {
            uint16_t half = (uint16_t)h, magnitude = half & 0x7fff;
            float value = f->from(half);
            assert_int_equal(f->to(value), half); /* NaN, too */
            assert_int_equal(half_bits_of(value) >> 31, half >> 15);
            if (magnitude > f->infinity) {
                assert_true(isnan(value));
                bool is_quiet = (half >> (f->digits - 1) & 1) != 0;
                assert_int_equal(half_bits_of(value) >> 22 & 1, is_quiet);
            } else if (magnitude == f->infinity) {
                assert_true(isinf(value));
            } else {
                assert_true((double)value == value_of(f, half));
            }
        }
    }
}

static void test_rounding(void **state)
{
    (void)state;
    for (int i = 0; i < FORMATS; i++) {
        const struct format *f = &formats[i];
        for (uint16_t half = 0; half < f->infinity; half++) {
            uint16_t next = (uint16_t)(half + 1), even = half & 1 ? next : half;
            /* Infinity stands for what would be the next value. */
            float middle = (float)(0.5 * (value_of(f, half) + value_of(f, next)));
            float below = nextafterf(middle, 0), above = nextafterf(middle, INFINITY);
            assert_int_equal(f->to(middle), even);
            assert_int_equal(f->to(below), half);
            assert_int_equal(f->to(above), next);
            assert_int_equal(f->to(-middle), even | 0x8000);
            assert_int_equal(f->to(-below), half | 0x8000);
            assert_int_equal(f->to(-above), next | 0x8000);
        }
    }
}

/* Payloads that do not fit leave a NaN. */
static void test_nan(void **state)
{
    (void)state;
    static const struct {
        uint32_t bits;
        uint16_t f16, bf16;
    } nans[] = {{0x7fc00000u, 0x7e00, 0x7fc0},
                {0x7f800001u, 0x7c01, 0x7f81},
                {0xff800001u, 0xfc01, 0xff81},
                {0xffc12345u, 0xfe09, 0xffc1},
                {0xffffffffu, 0xffff, 0xffff}};
    for (size_t i = 0; i < sizeof nans / sizeof nans[0]; i++) {
        assert_int_equal(half_to_f16(half_of_bits(nans[i].bits)), nans[i].f16);
        assert_int_equal(half_to_bf16(half_of_bits(nans[i].bits)), nans[i].bf16);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_rounding),
        cmocka_unit_test(test_nan),
    };
    return cmocka_run_group_tests_name("half", tests, NULL, NULL);
}
