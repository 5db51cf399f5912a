/* bf16.h - rows of bf16: the arithmetic of their sums, and the contract of the inner loops
 * (internal).
 * SPDX-License-Identifier: MIT
 *
 * A sum of products runs in 64 canonical lanes of float. Lane l takes the elements 2l and 2l + 1 of
 * each 128, the odd one first:
 *     lane_l = f(x_2l, y_2l, f(x_2l+1, y_2l+1, lane_l))
 * where f(a, b, c) is a b + c, rounded once to nearest even, with denormal a, b and c taken as 0,
 * and a result that is denormal after rounding (as if exponents had no end) made 0, of its sign.
 * That is vdpbf16ps of AVX512-BF16 in every bit, NaN but for its payload, whatever MXCSR says: so
 * it was found on Zen 5, in 120 million lanes of all kinds of numbers. (Tininess before rounding,
 * inner results kept, or denormal inputs kept each fail there.) Whether a machine's instruction
 * does so is tested before it is used (isa/dpbf16.h). The lanes are joined by the tree of all long
 * sums (simd/scalar.h), in ordinary float arithmetic, which ends with + 0: that of the lanes' zeros
 * may differ in sign, because a loop that feeds zeros for missing elements makes -0 into +0.
 *
 * Without that instruction f is a plain FMA of the widened halves, as long as no element of x or y
 * but 0 is below 2^-56 (BF16_PLAIN): then nothing denormal can arise. Proof: an element is a
 * multiple of its last place, which for |v| >= 2^e is 2^(e - 7) or more, as a bf16 has 8 bits: a
 * product is a multiple of 2^-63 2^-63 = 2^-126. Let a lane be a multiple of 2^-126. The exact sum
 * of it and a product is one, too. Below 2^-102 it has at most 24 bits and is exact; from there on
 * the places of a float are 2^-125 or more, and what it is rounded to is a multiple of these. So
 * every result is a multiple of 2^-126: 0, or normal. Lanes begin at 0, inputs are no denormals,
 * and of Inf and NaN none is ever made denormal. What is left out is the sign of zeros, which is
 * the same in f and in a plain FMA, as nothing is flushed. The rule cannot be weaker: less 2^-113
 * (1 + 2^-6), the product of 2^-57 (1 + 2^-7) and 2^-56 (1 + 2^-7) is 2^-127.
 * Whether rows are so is seen on the way, from the least of 2 |v| - 1 as 16 bits without a sign,
 * which takes 0 to the end of the scale. Rows that are not are summed again by flushed.h.
 *
 * neg_sq_l2 has other lanes, those of the floats that the rows stand for (pair/pair.h), for
 * differences of bf16 are none. So has the cosine of rows whose squares are not safe (scaled.h).
 *
 *   bf16.c            mmk_similarity_pair_bf16, mmk_similarity_query_bf16
 *   bf16_<isa>.c      the table; its head says what bounds it
 *   rows_avx512.h     what tables of one instruction set share
 *   flushed.h         f, step by step
 *   scaled.h          the cosine of rows that must be scaled
 */
#ifndef MMK_BF16_H
#define MMK_BF16_H

#include "../mmk.h"

/* 2^-56, as bits of a bf16, and what 2 |v| - 1 is not below then. */
enum { BF16_PLAIN = (127 - 56) << 7, BF16_PLAIN_LEAST = 2 * BF16_PLAIN - 1 };

/* Elements of a block: each lane takes two of them. */
enum { BF16_BLOCK = 128 };

/* Of queries, rows of up to so many columns are taken several at a time, which share the loads of
 * x, and longer ones one after the other: hardware follows no streams that run within a page of
 * each other (int8/int8.h). And how far ahead lines are prefetched, in bytes. Both are those of
 * int8, and were not tried for rows of bf16. */
enum { BF16_SHORT_ROW = 256, BF16_AHEAD = 4096 };

struct bf16_ops {
    /* sim(x, y), indexed by enum mmk_similarity. */
    float (*pair[MMK_SIMILARITY_COUNT])(size_t d, const uint16_t *x, const uint16_t *y);
    /* result[j] = sim(x, y_j), the bits of pair. */
    void (*query[MMK_SIMILARITY_COUNT])(size_t n, size_t d, const uint16_t *x, const uint16_t *y,
                                        size_t ldy, float *result);
    /* query[MMK_COSINE], the same bits, with what squared_norms gives for the rows of y. */
    void (*query_norms)(size_t n, size_t d, const uint16_t *x, const uint16_t *y, size_t ldy,
                        const float *squared_norms, float *result);
    /* out[j] = |y_j|^2, the sum that pair and query take, NaN canonical. */
    void (*squared_norms)(size_t n, size_t d, const uint16_t *y, size_t ldy, float *out);
};

extern const struct bf16_ops bf16_ops_scalar;
extern const struct bf16_ops bf16_ops_avx2;
extern const struct bf16_ops bf16_ops_avx512, bf16_ops_avx512bf16;
extern const struct bf16_ops bf16_ops_neon;

#endif
