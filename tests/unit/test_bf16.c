/* test_bf16.c - rows of bf16 where sums are flushed: the bits of an oracle without FMAs, on every
 * instruction set and with every extension; and what vdpbf16ps is tested by.
 * SPDX-License-Identifier: MIT
 */
#include "../../kernels/isa/dpbf16.h"
#include "../../kernels/isa/isa.h"
#include "../../kernels/bf16/bf16.h"
#include "../../ref/bf16_ref.h"
#include "../../ref/cases.h"
#include "../../ref/half.h"

#include <float.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *const names[] = {"scalar",      "avx2:base",        "avx512:base",
                                    "avx512:bf16", "avx512:vnni+bf16", "neon"};
enum { NAMES = sizeof names / sizeof names[0], ROWS = 18, LONGEST = 520 };

static uint16_t x[LONGEST], y[ROWS * LONGEST];

/* ---- Against the oracle ---------------------------------------------------------------------- */

static float one_nan(float v)
{
    return v == v ? v : half_of_bits(0x7fc00000);
}

/* x with all rows of y: pairs and queries, and norms. */
static void compare(const struct bf16_ops *ops, const char *name, size_t d, uint64_t what)
{
    float dot[ROWS], norm[ROWS], cosine[ROWS], given[ROWS];
    ops->query[MMK_DOT](ROWS, d, x, y, LONGEST, dot);
    ops->squared_norms(ROWS, d, y, LONGEST, norm);
    ops->query[MMK_COSINE](ROWS, d, x, y, LONGEST, cosine);
    ops->query_norms(ROWS, d, x, y, LONGEST, norm, given);
    for (size_t j = 0; j < ROWS; j++) {
        const uint16_t *row = y + j * LONGEST;
        float right = one_nan(bf16_ref_dot(d, x, row)), own = one_nan(bf16_ref_dot(d, row, row));
        float pair = ops->pair[MMK_DOT](d, x, row), both = ops->pair[MMK_COSINE](d, x, row);
        if (memcmp(&pair, &right, sizeof pair) != 0 || memcmp(&dot[j], &right, sizeof right) != 0)
            fail_msg("%s, %zu elements, row %zu of %llu: dot %a, of query %a; right is %a", name, d,
                     j, (unsigned long long)what, (double)pair, (double)dot[j], (double)right);
        if (memcmp(&norm[j], &own, sizeof own) != 0)
            fail_msg("%s, %zu elements, row %zu of %llu: |y|^2 %a; right is %a", name, d, j,
                     (unsigned long long)what, (double)norm[j], (double)own);
        float xx = bf16_ref_dot(d, x, x);
        if (xx >= 0x1p-60f && xx <= 0x1p60f && own >= 0x1p-60f && own <= 0x1p60f) {
            float expected = right / sqrtf(xx * own);
            assert_memory_equal(&both, &expected, sizeof both);
        }
        assert_memory_equal(&cosine[j], &both, sizeof both);
        assert_memory_equal(&given[j], &both, sizeof both);
    }
}

static uint16_t number(uint64_t h, unsigned least, unsigned span)
{
    uint64_t exponent = least + (h >> 8) % span, digits = h >> 24 & 127;
    if (h >> 32 & 1) /* the ends of a power of two */
        digits = digits & 1 ? 127 : 0;
    return (uint16_t)((h & 1) << 15 | exponent << 7 | digits);
}

/* Rows whose products are near 2^-126, of both signs and with zeros; in some, one of a pair of
 * elements cancels the other, but for its last digit. */
static void fill(uint64_t what, size_t d)
{
    static const unsigned kinds[][2] = {{60, 8}, {0, 4}, {71, 1}, {70, 2}, {0, 130}, {120, 12}};
    const unsigned *of_x = kinds[what % 6], *of_y = kinds[what / 6 % 6];
    for (size_t i = 0; i < (ROWS + 1) * d; i++) {
        size_t j = i / d, k = i % d;
        uint16_t *row = j == 0 ? x : y + (j - 1) * LONGEST;
        uint64_t h = fill_hash(what, i);
        const unsigned *kind = j == 0 ? of_x : of_y;
        row[k] = h % 7 == 0 ? (uint16_t)(h & 0x8000) : number(h >> 3, kind[0], kind[1]);
        if (k % 2 == 1 && h % 3 == 0) {
            row[k] = row[k - 1];
            if (j > 0)
                row[k] ^= (h >> 16 & 1) ? 0x8000 : 0x8001;
        }
    }
    /* one element that decides, in a row that is plain otherwise */
    size_t at = what % d;
    y[3 * LONGEST + at] = BF16_PLAIN - 1;
    y[4 * LONGEST + at] = BF16_PLAIN;
    y[5 * LONGEST + at] = 0x8001;
    x[at] = what % 4 == 0 ? 0x8000 | (BF16_PLAIN - 1) : x[at];
}

static void same_as_without_fma(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 31, 33, 64, 97, 127, 128, 129, 255, 258, 513};
    size_t tables = 0;
    for (size_t n = 0; n < NAMES; n++) {
        enum mmk_status status;
        const struct isa_row *row = isa_named_row("test", names[n], &status);
        if (row == NULL)
            continue;
        tables++;
        for (uint64_t what = 0; what < 108; what++) {
            size_t d = sizes[fill_hash(what, UINT64_MAX) % 12];
            fill(what, d);
            compare(row->bf16, row->name, d, what);
        }
    }
    assert_true(tables >= 2);
}

/* What of a pair of products comes out, alone in a row of zeros and at its end. */
static void edges(void **state)
{
    (void)state;
    /* 2^-63 2^-63 is 2^-126; 0x2000 is 2^-63, 0x1f80 2^-64 */
    static const struct {
        uint16_t even_x, even_y, odd_x, odd_y;
        uint32_t dot;
    } cases[] = {
        {0x2000, 0x2000, 0, 0, 0x00800000},           /* at it */
        {0x2000, 0x2001, 0, 0, 0x00810000},           /* above */
        {0x2000, 0x1fff, 0, 0, 0},                    /* below */
        {0xa000, 0x1fff, 0, 0, 0},                    /* of the other sign, and + 0 */
        {0x2000, 0x1f80, 0x2000, 0x1f80, 0},          /* two halves, the odd one flushed */
        {0x2000, 0x1f80, 0x2000, 0x2000, 0x00c00000}, /* one and a half */
        {0xa000, 0x1f80, 0x2000, 0x2000, 0},          /* a half is left */
        {0x2000, 0x2000, 0x2000, 0x9f80, 0x00800000}, /* less a half that was flushed */
        {0x9780, 0x1780, 0x2000, 0x2000, 0x00800000}, /* 2^-126 - 2^-160: not tiny when rounded */
        {0x9a00, 0x1a00, 0x2000, 0x2000, 0},          /* 2^-126 - 2^-150: tiny */
        {0x0040, 0x7f00, 0, 0, 0},                    /* a denormal number times 2^127 */
        {0x7f00, 0x807f, 0x3f80, 0x3f80, 0x3f800000}, /* beside 1 */
        {0x0001, 0x7f80, 0, 0, 0x7fc00000},           /* times Inf */
        {0x7f80, 0xbf80, 0x7f80, 0x3f80, 0x7fc00000}, /* Inf - Inf */
        {0x7f00, 0x4000, 0x7f00, 0xbf80, 0x7f000000}, /* 2^128 - 2^127 is fused */
    };
    for (size_t n = 0; n < NAMES; n++) {
        enum mmk_status status;
        const struct isa_row *row = isa_named_row("test", names[n], &status);
        if (row == NULL)
            continue;
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
            for (size_t d = 2; d <= 146; d += 36) {
                memset(x, 0, sizeof x);
                memset(y, 0, sizeof y);
                x[d - 2] = cases[i].even_x;
                y[d - 2] = cases[i].even_y;
                x[d - 1] = cases[i].odd_x;
                y[d - 1] = cases[i].odd_y;
                float dot = row->bf16->pair[MMK_DOT](d, x, y), query;
                row->bf16->query[MMK_DOT](1, d, x, y, d, &query);
                if (half_bits_of(dot) != cases[i].dot || half_bits_of(query) != cases[i].dot)
                    fail_msg("%s, %zu elements, case %zu: %a, of query %a", names[n], d, i,
                             (double)dot, (double)query);
            }
    }
}

/* ---- The instruction ------------------------------------------------------------------------- */

/* What it might do instead. */
enum {
    RIGHT,
    EVEN_FIRST,
    TOGETHER,
    NOT_FUSED,
    KEEPS_SUM,
    KEEPS_INPUTS,
    KEEPS_ODD,
    KEEPS_RESULT,
    NO_SIGN,
    BEFORE_ROUNDING,
    TO_ZERO,
    WAYS
};
static int way;

static float flush(float v)
{
    return fabsf(v) < FLT_MIN ? copysignf(0, way == NO_SIGN ? 0 : v) : v;
}

static float input(float v)
{
    return way == KEEPS_INPUTS ? v : flush(v);
}

static float step(float a, float b, float c, bool keeps)
{
    float right = bf16_ref_fma(a, b, c);
    double exact = (double)input(a) * (double)input(b) + (double)(way == KEEPS_SUM ? c : flush(c));
    switch (way) {
    case NOT_FUSED:
        return flush(flush(input(a) * input(b)) + flush(c));
    case KEEPS_SUM:
    case KEEPS_INPUTS:
        return flush((float)exact);
    case BEFORE_ROUNDING:
        return fabs((double)fmaf(a, b, c)) <= 0x1p-126 &&
                       fabs(fma((double)a, (double)b, (double)c)) < 0x1p-126
                   ? copysignf(0, right)
                   : right;
    case TO_ZERO:
        if (isfinite(right) && fabs((double)right) > fabs(exact))
            return nextafterf(right, 0);
        return right;
    case NO_SIGN:
        return right == 0 ? 0 : right;
    default:
        return keeps ? fmaf(flush(a), flush(b), flush(c)) : right;
    }
}

static void model(float sum[16], const uint16_t a[32], const uint16_t b[32])
{
    for (size_t i = 0; i < 16; i++) {
        size_t first = 2 * i + (way != EVEN_FIRST), second = 2 * i + (way == EVEN_FIRST);
        float a1 = half_from_bf16(a[first]), b1 = half_from_bf16(b[first]);
        float a2 = half_from_bf16(a[second]), b2 = half_from_bf16(b[second]);
        if (way == TOGETHER) {
            float v = (float)((double)input(a1) * (double)input(b1) +
                              (double)input(a2) * (double)input(b2) + (double)flush(sum[i]));
            sum[i] = flush(v);
            continue;
        }
        float odd = step(a1, b1, sum[i], way == KEEPS_ODD);
        if (way == KEEPS_ODD)
            sum[i] = flush(fmaf(flush(a2), flush(b2), odd));
        else
            sum[i] = step(a2, b2, odd, way == KEEPS_RESULT);
    }
}

/* Right, but for a NaN where a number is due. */
static void model_with_nan(float sum[16], const uint16_t a[32], const uint16_t b[32])
{
    way = RIGHT;
    model(sum, a, b);
    for (size_t i = 0; i < 16; i++)
        if (sum[i] == sum[i]) {
            sum[i] = NAN;
            return;
        }
}

static void instructions_that_do_otherwise_are_found(void **state)
{
    (void)state;
    assert_false(isa_dpbf16_is_as_defined(model_with_nan));
    for (way = RIGHT; way < WAYS; way++)
        if (isa_dpbf16_is_as_defined(model) != (way == RIGHT))
            fail_msg("way %d is taken for %s", way, way == RIGHT ? "wrong" : "right");
}

/* A product that underflows, of a row x that is plain and one of y that is not, and the other way:
 * with norms given, too, it counts as 0. */
static void norms_of_rare_rows(void **state)
{
    (void)state;
    uint16_t plain[2 * BF16_BLOCK] = {0}, rare[2 * BF16_BLOCK] = {0};
    plain[0] = rare[4] = half_to_bf16(1);
    plain[2] = half_to_bf16(0x1p-56f);
    rare[2] = half_to_bf16(0x1p-75f);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (mmk_isa_use(names[i]) != MMK_OK)
            continue;
        for (int swap = 0; swap < 2; swap++) {
            const struct mmk_matrix row = {.data = swap ? plain : rare,
                                           .rows = 1,
                                           .columns = 2 * BF16_BLOCK,
                                           .type = MMK_BF16};
            float norm, cosine = 5;
            assert_int_equal(mmk_squared_norms(&row, &norm), MMK_OK);
            assert_int_equal(
                mmk_similarity_query_bf16(MMK_COSINE, swap ? rare : plain, &row, &norm, &cosine),
                MMK_OK);
            assert_true(cosine == 0);
        }
    }
    assert_int_equal(mmk_isa_use(NULL), MMK_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edges),
        cmocka_unit_test(same_as_without_fma),
        cmocka_unit_test(norms_of_rare_rows),
        cmocka_unit_test(instructions_that_do_otherwise_are_found),
    };
    return cmocka_run_group_tests_name("bf16", tests, NULL, NULL);
}
