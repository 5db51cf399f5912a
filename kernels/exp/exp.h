/* exp.h - inner loops of exp and logsumexp, and the exponential itself (internal).
 * SPDX-License-Identifier: MIT
 *
 * e^x = 2^n e^r with n = x / ln(2) to the nearest integer and r = x - n ln(2). ln(2) is the sum of
 * two floats; the first has 16 bits, so that x - n * HI is exact, and with r in the natural
 * logarithm only the second step of the reduction rounds: worst 0.8914 ulp over all floats
 * (tests/unit/test_exp.c tries every one). By way of 2^(x log2(e)) it would be 1.011.
 *
 *   exp.c         mmk_exp, mmk_logsumexp
 *   exp_<isa>.c   the table; its head says what bounds it
 *   lse.h         logarithm and exponential in double, for the last step of a row
 */
#ifndef MMK_EXP_H
#define MMK_EXP_H

#include <stddef.h>

#define EXP_LOG2E  0x1.715476p+0f
#define EXP_LN2_HI 0x1.62e4p-1f
#define EXP_LN2_LO 0x1.7f7d1cp-20f

/* e^r for |r| <= ln(2)/2: 1 + r (1 + r (C2 + ...)), minimax of relative error 0.055 * 2^-24
 * (Sollya, fpminimax), Horner in FMAs from the first coefficient to the last. */
#define EXP_TERMS 7
static const float exp_coefficient[EXP_TERMS] = {
    0x1.694c8ep-10f, 0x1.12397ep-7f, 0x1.555a26p-5f, 0x1.555492p-3f, 0x1.fffffap-2f, 1.0f, 1.0f};

/* The least x with e^x >= 2^-126, below which the result is 0; the greatest with a finite e^x. */
#define EXP_LOWEST  (-0x1.5d589ep+6f)
#define EXP_HIGHEST 0x1.62e42ep+6f

/* Floats of a block of logsumexp: 16 KB, which the second pass finds in L1. */
enum { EXP_BLOCK = 4096 };

struct exp_ops {
    /* y_i = e^{x_i} for every float, NaN canonical; y == x is allowed. */
    void (*each)(size_t n, const float *x, float *y);
    /* The greatest of n floats; NaN where one of them is, -Inf for none. */
    float (*max)(size_t n, const float *x);
    /* sum e^{x_i - max} in 64 canonical lanes (simd/scalar.h). max is finite, no x_i is above it or
     * NaN. */
    float (*sum)(size_t n, const float *x, float max);
    /* y_i = 2^{t_i}, |t_i| <= 1000, in double (lse.h). */
    void (*powers)(size_t n, const double *t, double *y);
    /* y_i = log(1 + sum_i 2^{t_i}) likewise, of finite sums. */
    void (*log1p_sums)(size_t n, const double *sum, const double *t, double *y);
};

extern const struct exp_ops exp_ops_scalar;
extern const struct exp_ops exp_ops_avx2;
extern const struct exp_ops exp_ops_avx512;
extern const struct exp_ops exp_ops_neon;

#endif
