/* test_exp.c - exp and exp2 of every instruction set against MPFR, and against each other in bits;
 * what is made for each row in double, against long double.
 * SPDX-License-Identifier: MIT
 *
 * Every 61st float; for exp2, which promises less, of [-151, 128). exp is mmk_exp itself, exp2 the
 * building block. A double exp of libm is 2^-29 of a float's ulp off at most, so it judges all of
 * them; MPFR has the last word where the verdict is closer to the bound than that, and judges libm
 * itself on every 1009th.
 */
#include "simd_blocks.h"

#include "../../kernels/exp/exp.h"
#include "../../kernels/exp/lse.h"
#include "../../kernels/isa/isa.h"
#include "../../kernels/simd/scalar.h"

#include <float.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <mpfr.h>

enum { BATCH = 4096, MPFR_EVERY = 1009 };

/* MMK_EXP_STRIDE=1 in the environment tries every float: about two minutes. */
enum { STRIDE = 61 };
static uint64_t stride_of_sweep = STRIDE;

static const double DOUBLE_DOUBT = 1e-6; /* ulps of a float; far above libm's error */

struct function {
    const char *name;
    void (*run)(const struct simd_blocks *blocks, size_t n, const float *in, float *out);
    double (*in_double)(double x);
    int (*in_mpfr)(mpfr_t result, const mpfr_t x, mpfr_rnd_t rounding);
};

static void run_exp(const struct simd_blocks *blocks, size_t n, const float *in, float *out)
{
    isa_builtin_row(blocks->isa)->exp->each(n, in, out);
}

static void run_exp2(const struct simd_blocks *blocks, size_t n, const float *in, float *out)
{
    blocks->exp2(n, in, out);
}

static const struct function exp_function = {"exp", run_exp, exp, mpfr_exp};
static const struct function exp2_function = {"exp2", run_exp2, exp2, mpfr_exp2};

/* What rounds to Inf. */
static const double OVERFLOWS = (double)FLT_MAX * (1 + 0x1p-25);

/* |got - exact| in units of the last place of a float at exact, which is a normal number. */
static double ulps(float got, double exact)
{
    int exponent;
    frexp(exact, &exponent);
    return ldexp(fabs((double)got - exact), 24 - exponent);
}

static double ulps_mpfr(const struct function *function, float x, float got)
{
    mpfr_t value;
    mpfr_init2(value, 200);
    mpfr_set_flt(value, x, MPFR_RNDN);
    function->in_mpfr(value, value, MPFR_RNDN);
    mpfr_exp_t exponent = mpfr_get_exp(value);
    mpfr_sub_d(value, value, (double)got, MPFR_RNDN);
    mpfr_abs(value, value, MPFR_RNDN);
    mpfr_mul_2si(value, value, 24 - exponent, MPFR_RNDN);
    double error = mpfr_get_d(value, MPFR_RNDU);
    mpfr_clear(value);
    return error;
}

static void judge(const struct function *function, const char *isa, float x, float got,
                  bool by_mpfr, double *worst, float *worst_at)
{
    double exact = function->in_double((double)x);
    if (exact < 0x1p-126) {
        if (got != 0.0f)
            fail_msg("%s: %s(%a) is %a, must be 0 below the normal range", isa, function->name,
                     (double)x, (double)got);
        return;
    }
    if (exact >= OVERFLOWS) {
        if (got != INFINITY)
            fail_msg("%s: %s(%a) is %a, must be Inf", isa, function->name, (double)x, (double)got);
        return;
    }
    double error = ulps(got, exact);
    if (by_mpfr || fabs(error - 1.0) < DOUBLE_DOUBT) {
        double certain = ulps_mpfr(function, x, got);
        if (fabs(certain - error) > DOUBLE_DOUBT)
            fail_msg("libm's %s(%a) and MPFR's differ by %g ulp", function->name, (double)x,
                     certain - error);
        error = certain;
    }
    if (error > *worst) {
        *worst = error;
        *worst_at = x;
    }
    if (!(error <= 1.0))
        fail_msg("%s: %s(%a) is %a, %.3f ulp off", isa, function->name, (double)x, (double)got,
                 error);
}

/* Bit patterns first, first + stride, ... last. All results of every STRIDEth have the hash whole:
 * a coefficient in its last places changes few of them, and none by as much as is allowed. What
 * changes it on purpose changes mmk_numerics_version, too. */
static void sweep(const struct function *function, uint32_t first, uint32_t last, uint64_t stride,
                  uint64_t whole)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a, of words */
    const struct simd_blocks *usable[MMK_ISA_COUNT];
    size_t count = simd_blocks_usable(usable);
    static float in[BATCH], expected[BATCH], out[BATCH];
    double worst = 0.0;
    float worst_at = 0.0f;
    uint64_t tried = 0;

    for (uint64_t start = first; start <= last; start += BATCH * stride) {
        for (uint64_t i = 0; i < BATCH; i++) {
            uint64_t bits = start + i * stride;
            in[i] = simd_from_bits((uint32_t)(bits <= last ? bits : last));
        }
        function->run(usable[0], BATCH, in, expected);
        for (size_t i = 0; i < BATCH; i++)
            judge(function, "scalar", in[i], expected[i], ++tried % MPFR_EVERY == 0, &worst,
                  &worst_at);
        for (size_t i = 0; i < BATCH; i++)
            hash = (hash ^ simd_bits(expected[i])) * 0x100000001b3u;
        for (size_t u = 1; u < count; u++) {
            function->run(usable[u], BATCH, in, out);
            for (size_t i = 0; i < BATCH; i++)
                if (simd_bits(out[i]) != simd_bits(expected[i]))
                    fail_msg("%s(%a): %s returns %a, scalar %a", function->name, (double)in[i],
                             mmk_isa_name(usable[u]->isa), (double)out[i], (double)expected[i]);
        }
    }
    print_message("%s over [%g, %g]: worst %.4f ulp at %a\n", function->name,
                  (double)simd_from_bits(first), (double)simd_from_bits(last), worst,
                  (double)worst_at);
    if (stride == STRIDE && hash != whole)
        fail_msg("%s: the results over [%g, %g] have the hash %#" PRIx64 ", not %#" PRIx64,
                 function->name, (double)simd_from_bits(first), (double)simd_from_bits(last), hash,
                 whole);
}

/* Patterns of negative floats grow away from zero. */
static void exp_negative(void **state)
{
    (void)state;
    sweep(&exp_function, simd_bits(-0.0f), simd_bits(-INFINITY), stride_of_sweep,
          0xcde49f300ca19a69u);
}

static void exp_positive(void **state)
{
    (void)state;
    sweep(&exp_function, simd_bits(0.0f), simd_bits(INFINITY), stride_of_sweep,
          0x17afaadce46455dau);
}

static void exp2_negative(void **state)
{
    (void)state;
    sweep(&exp2_function, simd_bits(-0.0f), simd_bits(-151.0f), stride_of_sweep,
          0x789ec6d11a756995u);
}

static void exp2_positive(void **state)
{
    (void)state;
    sweep(&exp2_function, simd_bits(0.0f), simd_bits(0x1.fffffep+6f), stride_of_sweep,
          0x9e2d1bca610de406u);
}

/* All floats within 2000 steps of the places where the result changes its kind, and of those where
 * a reduction by way of log2(e) would be more than an ulp off. */
static void edges(void **state)
{
    (void)state;
    const float edge[] = {EXP_LOWEST, EXP_HIGHEST, -87.0f,    -104.0f,         88.0f,         1.0f,
                          -1.0f,      0x1p-24f,    -0x1p-24f, -0x1.f5a074p+5f, 0x1.924bdep+5f};
    for (size_t i = 0; i < sizeof edge / sizeof edge[0]; i++)
        sweep(&exp_function, simd_bits(edge[i]) - 2000, simd_bits(edge[i]) + 2000, 1, 0);
}

/* Every NaN there is comes out as the canonical one. */
static void exp_of_nan(void **state)
{
    (void)state;
    const struct simd_blocks *usable[MMK_ISA_COUNT];
    size_t count = simd_blocks_usable(usable);
    float in[BATCH], out[BATCH];
    for (uint64_t start = 0x7f800001u; start <= 0x7fffffffu; start += BATCH / 2 * stride_of_sweep) {
        for (uint64_t i = 0; i < BATCH; i++) {
            uint64_t bits = start + i / 2 * stride_of_sweep;
            bits = bits < 0x7fffffffu ? bits : 0x7fffffffu;
            in[i] = simd_from_bits((uint32_t)(bits | i % 2 << 31));
        }
        for (size_t u = 0; u < count; u++) {
            run_exp(usable[u], BATCH, in, out);
            for (size_t i = 0; i < BATCH; i++)
                if (simd_bits(out[i]) != 0x7fc00000u)
                    fail_msg("%s: exp of the NaN 0x%08x is 0x%08x", mmk_isa_name(usable[u]->isa),
                             simd_bits(in[i]), simd_bits(out[i]));
        }
    }
}

/* Lane i of a vector of special values, each value in every lane. */
static void special_values(void **state)
{
    (void)state;
    const uint32_t nan = 0x7fc00000;
    const struct {
        float x;
        uint32_t exp_bits;
        bool exp2_too; /* exp2 promises less: z <= 128 and NaN with low bits of zero */
        uint32_t exp2_bits;
    } cases[] = {
        {0.0f, 0x3f800000, true, 0x3f800000},
        {-0.0f, 0x3f800000, true, 0x3f800000},
        {-INFINITY, 0, true, 0},
        {INFINITY, 0x7f800000, false, 0},
        {simd_from_bits(nan), nan, true, nan},
        {simd_from_bits(0xffc00000), nan, false, 0},
        {simd_from_bits(0x7f800001), nan, false, 0},
        {simd_from_bits(0xffffffff), nan, false, 0},
        {0x1p-149f, 0x3f800000, true, 0x3f800000},
        {-0x1p-149f, 0x3f800000, true, 0x3f800000},
        {-126.0f, 0, true, 0x00800000},
        {-0x1.f80002p+6f, 0, true, 0},
        {127.0f, 0x7f800000, true, 0x7f000000},
        {128.0f, 0x7f800000, true, 0x7f800000},
        {89.0f, 0x7f800000, false, 0},
        {3.4e38f, 0x7f800000, false, 0},
        {-3.4e38f, 0, true, 0},
    };
    const struct simd_blocks *usable[MMK_ISA_COUNT];
    size_t count = simd_blocks_usable(usable);
    for (size_t u = 0; u < count; u++)
        for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++)
            for (size_t lane = 0; lane < 64; lane++) {
                float in[64], out[64];
                for (size_t i = 0; i < 64; i++)
                    in[i] = i == lane ? cases[c].x : 1.0f;
                run_exp(usable[u], 64, in, out);
                if (simd_bits(out[lane]) != cases[c].exp_bits)
                    fail_msg("%s: exp(%a) is %a", mmk_isa_name(usable[u]->isa), (double)cases[c].x,
                             (double)out[lane]);
                if (!cases[c].exp2_too)
                    continue;
                usable[u]->exp2(64, in, out);
                bool same = simd_bits(out[lane]) == cases[c].exp2_bits;
                bool both_nan = cases[c].exp2_bits == nan && out[lane] != out[lane];
                if (!same && !both_nan)
                    fail_msg("%s: exp2(%a) is %a", mmk_isa_name(usable[u]->isa), (double)cases[c].x,
                             (double)out[lane]);
            }
}

/* lse.h promises 2e-12, relative. */
static void is_near(const char *what, double at, double got, long double right)
{
    if (!(fabsl((long double)got - right) <= 2e-12L * fabsl(right)))
        fail_msg("%s at %a is %a, right is %La", what, at, got, right);
}

/* exp2 and log(1 + sum 2^t) of many rows in double: right, in every place of a vector and behind
 * the last whole one, and the same bits on every instruction set. */
static void rows_in_double(void **state)
{
    (void)state;
    enum { ROWS = 1001 };
    double t[ROWS], sum[ROWS], power[ROWS], log1p_sum[ROWS];
    for (size_t i = 0; i < ROWS; i++) {
        t[i] = ((double)i - 500) * 2 + (double)(i * 7919 % 1000) / 1000 - (i == ROWS - 1);
        sum[i] = i % 50 == 0 ? 0 : ldexp(1 + (double)(i * 104729 % 997) / 997, (int)(i % 21) - 20);
    }
    const struct simd_blocks *usable[MMK_ISA_COUNT];
    size_t count = simd_blocks_usable(usable);
    for (size_t u = 0; u < count; u++) {
        const struct exp_ops *ops = isa_builtin_row(usable[u]->isa)->exp;
        for (size_t first = 0; first < ROWS; first += 13) {
            size_t rows = ROWS - first < 13 ? ROWS - first : 13;
            double part[13], other[13];
            ops->powers(rows, t + first, part);
            ops->log1p_sums(rows, sum + first, t + first, other);
            for (size_t r = 0; r < rows; r++) {
                size_t i = first + r;
                if (u == 0) {
                    power[i] = part[r];
                    log1p_sum[i] = other[r];
                }
                assert_memory_equal(&power[i], &part[r], sizeof part[r]);
                assert_memory_equal(&log1p_sum[i], &other[r], sizeof other[r]);
            }
        }
    }
    for (size_t i = 0; i < ROWS; i++) {
        is_near("2^t", t[i], power[i], exp2l((long double)t[i]));
        is_near("log(1 + sum 2^t)", t[i], log1p_sum[i],
                log1pl((long double)sum[i] * exp2l((long double)t[i])));
    }
}

static void logarithms_in_double(void **state)
{
    (void)state;
    for (int e = -1022; e < 1023; e++)
        for (int f = 0; f < 41; f++) {
            double v = ldexp(1 + f / 41.0, e);
            /* near 1 the logarithm is as small as what is rounded */
            if (fabs(v - 1) > 0.1)
                is_near("log", v, lse_log(v), logl((long double)v));
            if (e < 1022)
                is_near("log1p", v, lse_log1p(v), log1pl((long double)v));
        }
    assert_true(lse_log(0) == -INFINITY && lse_log(INFINITY) == INFINITY);
    assert_true(isnan(lse_log(NAN)) && isnan(lse_log1p(NAN)));
    assert_true(lse_log1p(0) == 0 && lse_exp2(0) == 1 && lse_exp2(-3) == 0.125);
    assert_true(isnan(lse_exp2(NAN)));
}

/* Blocks of a log-sum-exp, each of one kind, in every order: what one block says must outlast what
 * the others do. */
static void special_blocks(void **state)
{
    (void)state;
    enum { ZEROS, MINUS_INF, PLUS_INF, NOT_A_NUMBER, KINDS, BLOCKS = 3 };
    static const float special[KINDS] = {0, -INFINITY, INFINITY, NAN};
    static float x[BLOCKS * EXP_BLOCK];
    for (int isa = 0; isa < MMK_ISA_COUNT; isa++) {
        if (mmk_isa_use(mmk_isa_name((enum mmk_isa)isa)) != MMK_OK)
            continue;
        for (int order = 0; order < KINDS * KINDS * KINDS; order++) {
            const int kind[BLOCKS] = {order % KINDS, order / KINDS % KINDS, order / KINDS / KINDS};
            bool has[KINDS] = {false};
            double zeros = 0;
            for (int b = 0; b < BLOCKS; b++) {
                float *block = x + b * EXP_BLOCK;
                has[kind[b]] = true;
                for (int i = 0; i < EXP_BLOCK; i++)
                    block[i] = kind[b] == MINUS_INF ? -INFINITY : 0;
                block[1000 * b] = special[kind[b]];
                zeros += kind[b] == ZEROS ? EXP_BLOCK : 0;
            }
            float result;
            assert_int_equal(mmk_logsumexp(BLOCKS * EXP_BLOCK, x, &result), MMK_OK);
            if (has[NOT_A_NUMBER])
                assert_int_equal(simd_bits(result), 0x7fc00000);
            else if (has[PLUS_INF])
                assert_true(result == INFINITY);
            else /* log 0 is -Inf */
                assert_true(zeros > 0 ? fabs((double)result - log(zeros)) < 1e-5
                                      : result == -INFINITY);
        }
    }
    assert_int_equal(mmk_isa_use(NULL), MMK_OK);
}

/* Blocks so far below the others that their share of the sum is a denormal double, or none. */
static void far_blocks(void **state)
{
    (void)state;
    enum { BLOCKS = 3 };
    static float x[BLOCKS * EXP_BLOCK];
    const double right = log(EXP_BLOCK);
    for (int isa = 0; isa < MMK_ISA_COUNT; isa++) {
        if (mmk_isa_use(mmk_isa_name((enum mmk_isa)isa)) != MMK_OK)
            continue;
        for (int below = 20; below <= 1600; below += below < 680 || below >= 760 ? 60 : 1)
            for (int first = 0; first < BLOCKS; first++) {
                for (int b = 0; b < BLOCKS; b++)
                    for (int i = 0; i < EXP_BLOCK; i++)
                        x[b * EXP_BLOCK + i] = (float)(-below * ((b + first) % BLOCKS));
                float result;
                assert_int_equal(mmk_logsumexp(BLOCKS * EXP_BLOCK, x, &result), MMK_OK);
                assert_true(fabs((double)result - right) < 1e-5);
            }
    }
    assert_int_equal(mmk_isa_use(NULL), MMK_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exp_negative),   cmocka_unit_test(exp_positive),
        cmocka_unit_test(exp2_negative),  cmocka_unit_test(exp2_positive),
        cmocka_unit_test(edges),          cmocka_unit_test(exp_of_nan),
        cmocka_unit_test(special_values), cmocka_unit_test(special_blocks),
        cmocka_unit_test(rows_in_double), cmocka_unit_test(logarithms_in_double),
        cmocka_unit_test(far_blocks),
    };
    const char *stride = getenv("MMK_EXP_STRIDE");
    if (stride != NULL && strtoull(stride, NULL, 10) > 0)
        stride_of_sweep = strtoull(stride, NULL, 10);
    return cmocka_run_group_tests_name("exp", tests, NULL, NULL);
}
