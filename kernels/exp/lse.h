/* lse.h - logarithm and exponential in double for the last step of a row, and joining its
 * positives.
 * SPDX-License-Identifier: MIT
 *
 * libm's log and exp are not the same function on every machine; these are, being plain C without
 * contraction. Relative error below 2e-12: the results are rounded to float. What many rows need
 * has no branches, so that a compiler makes vectors of a loop over it (exp_<isa>.c), with the same
 * bits.
 */
#ifndef MMK_EXP_LSE_H
#define MMK_EXP_LSE_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#define LSE_LN2   0x1.62e42fefa39efp-1
#define LSE_LOG2E 0x1.71547652b82fep+0

/* 2 atanh(s) for |s| <= 0.1716: s^15 / 15 is below 1.3e-12 of it. */
static inline double lse_two_atanh(double s)
{
    double q = s * s, q2 = q * q;
    double low = 1.0 / 3 + q * (1.0 / 5), middle = 1.0 / 7 + q * (1.0 / 9);
    double high = 1.0 / 11 + q * (1.0 / 13);
    double p = low + q2 * (middle + q2 * high);
    return 2 * s + 2 * s * (q * p);
}

static inline uint64_t lse_bits(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

static inline double lse_double(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* Normal v > 0 is 2^e f with f in [sqrt(1/2), sqrt(2)): sets f and returns e. */
static inline double lse_split(double v, double *f)
{
    /* e + 1023, which is above 0; in the low bits of 2^52 it is a double */
    uint64_t e = (lse_bits(v) - 0x3fe6a09e667f3bcdu + 0x3ff0000000000000u) >> 52;
    *f = lse_double(lse_bits(v) - (e << 52) + 0x3ff0000000000000u);
    return lse_double(e | 0x4330000000000000u) - (0x1p52 + 1023);
}

/* log v for normal v > 0; -Inf for 0, Inf for Inf, NaN for NaN. */
static inline double lse_log(double v)
{
    if (!(v > 0) || v > 0x1.fffffffffffffp+1023)
        return v == 0 ? -INFINITY : v;
    double f, e = lse_split(v, &f);
    return e * LSE_LN2 + lse_two_atanh((f - 1) / (f + 1));
}

/* a where all bits are set in the mask, b where none is. A conditional the compiler may make a
 * branch, and then no vectors. */
static inline double lse_choose(uint64_t mask, double a, double b)
{
    return lse_double((lse_bits(a) & mask) | (lse_bits(b) & ~mask));
}

/* log(1 + v) for finite v >= 0, exact in the limit of small v; NaN for NaN. */
static inline double lse_log1p(double v)
{
    double f, e = lse_split(1 + v, &f);
    uint64_t small = -(uint64_t)(v < 0.41);
    double above = lse_choose(small, v, f - 1), below = lse_choose(small, 2 + v, f + 1);
    return lse_choose(small, 0, e * LSE_LN2) + lse_two_atanh(above / below) + (v - v);
}

/* 2^t for |t| <= 1000. */
static inline double lse_exp2(double t)
{
    const double magic = 0x1.8p52; /* adding it rounds to an integer, which its low bits are then */
    double shifted = t + magic;
    double r = (t - (shifted - magic)) * LSE_LN2;
    double r2 = r * r, r4 = r2 * r2; /* in pairs: one chain would wait for each of its steps */
    double p0 = 1.0 + r, p2 = 0.5 + r * (1.0 / 6), p4 = 1.0 / 24 + r * (1.0 / 120);
    double p6 = 1.0 / 720 + r * (1.0 / 5040), p8 = 1.0 / 40320 + r * (1.0 / 362880);
    double p = (p0 + r2 * p2) + r4 * ((p4 + r2 * p6) + r4 * (p8 + r2 * (1.0 / 3628800)));
    return p * lse_double((lse_bits(shifted) << 52) + 0x3ff0000000000000u);
}

/* lse - L for one of the logits L: log(1 + the others / e^L), never negative. The others are sum
 * 2^(above + z), z being that logit in base 2, and what is `joined` of them already, relative to
 * e^L. */
static inline double lse_minus_logit(double above, double sum, double joined)
{
    if (!(sum >= 0) || above != above)
        return NAN;
    if (sum > 0 && above >= 500)
        return above * LSE_LN2 + lse_log(sum); /* the rest adds less than 2^-400 */
    double others = (sum > 0 && above >= -1000 ? sum * lse_exp2(above) : 0) + joined;
    return others <= 0x1.fffffffffffffp+1023 ? lse_log1p(others) : others;
}

#endif
