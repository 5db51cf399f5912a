/* scalar.h - building blocks in portable C; the definition of the bits that every ISA returns.
 * SPDX-License-Identifier: MIT
 *
 * The same names stand in avx2.h, avx512.h and neon.h, on the vectors of that ISA. A "first"
 * argument counts how many elements at the start of a vector are there at all.
 *
 * Why the bits are the same everywhere, and instruction sets can be compared with memcmp:
 *   sums         A long sum of one vector runs in 64 canonical lanes joined by a fixed tree: 4 zmm,
 *                8 ymm or 16 q registers. In a matrix product every element is one chain over k
 *                (tile/tile.h). Sums over blocks belong to blocks whose size no ISA and no thread
 *                count changes, and are joined in the order of blocks.
 *   functions    one polynomial each, one order of FMAs.
 *   NaN          Results are one NaN.
 *   compiler     -ffp-contract=off, never -ffast-math: an FMA is where one is written.
 * Tolerance is needed only against the oracle in double.
 */
#ifndef MMK_SIMD_SCALAR_H
#define MMK_SIMD_SCALAR_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { SIMD_LANES = 64 }; /* canonical lanes of a long sum: lane = index mod 64 */

static inline uint32_t simd_bits(float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

static inline float simd_from_bits(uint32_t bits)
{
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* The float that the bits of an IEEE binary16 stand for, exactly; without branches, and without
 * denormal floats, which the caller's state may flush. A NaN keeps its payload. */
static inline float simd_from_f16(uint16_t half)
{
    uint32_t sign = (half & 0x8000u) << 16, magnitude = half & 0x7fffu;
    uint32_t special = magnitude >= 0x7c00u ? 112u << 23 : 0u; /* Inf, NaN */
    uint32_t normal = (magnitude << 13) + (112u << 23) + special;
    uint32_t denormal = simd_bits((float)(int32_t)magnitude * 0x1p-24f); /* of 2^-24 so many */
    return simd_from_bits(sign | (magnitude < 0x0400u ? denormal : normal));
}

/* And those of a bfloat16: the upper half of a float. */
static inline float simd_from_bf16(uint16_t half)
{
    return simd_from_bits((uint32_t)half << 16);
}

/* Any NaN becomes 0x7fc00000: x86 and ARM make different ones. */
static inline float simd_canonical_nan(float v)
{
    return v == v ? v : simd_from_bits(0x7fc00000u);
}

/* The greater of v and acc; a NaN in v is passed over, acc is never NaN. */
static inline float simd_max(float v, float acc)
{
    return v > acc ? v : acc;
}

/* Tree over the canonical lanes: lane l joins lane l + 32, then 16, 8, 4, 2, 1. The last + 0.0f
 * makes -0 into +0, because an ISA that feeds zeros for missing lanes never has a -0. */
static inline float simd_sum64(const float lane[SIMD_LANES])
{
    float t[SIMD_LANES / 2];
    for (int l = 0; l < 32; l++)
        t[l] = lane[l] + lane[l + 32];
    for (int half = 16; half > 0; half /= 2)
        for (int l = 0; l < half; l++)
            t[l] = t[l] + t[l + half];
    return t[0] + 0.0f;
}

/* The same over 16 lanes, for sums within a block. */
static inline float simd_sum16(const float lane[16])
{
    float t[8];
    for (int l = 0; l < 8; l++)
        t[l] = lane[l] + lane[l + 8];
    for (int half = 4; half > 0; half /= 2)
        for (int l = 0; l < half; l++)
            t[l] = t[l] + t[l + half];
    return t[0] + 0.0f;
}

/* 2^r for |r| <= 1/2: minimax of relative error 0.061 * 2^-24 (Sollya, fpminimax), Horner in
 * FMAs. */
#define SIMD_EXP2_C1 0x1.62e43p-1f
#define SIMD_EXP2_C2 0x1.ebfbd8p-3f
#define SIMD_EXP2_C3 0x1.c6af76p-5f
#define SIMD_EXP2_C4 0x1.3b30ap-7f
#define SIMD_EXP2_C5 0x1.5f0b82p-10f
#define SIMD_EXP2_C6 0x1.3fa206p-13f

/* 1.5 * 2^23: adding it leaves the nearest integer (ties to even) in the low mantissa bits. */
#define SIMD_ROUND_MAGIC 12582912.0f

/* p * 2^n with n in the low bits of the rounded t. */
static inline float simd_exp2_join(float t, float r)
{
    float p = SIMD_EXP2_C6;
    p = fmaf(p, r, SIMD_EXP2_C5);
    p = fmaf(p, r, SIMD_EXP2_C4);
    p = fmaf(p, r, SIMD_EXP2_C3);
    p = fmaf(p, r, SIMD_EXP2_C2);
    p = fmaf(p, r, SIMD_EXP2_C1);
    p = fmaf(p, r, 1.0f);
    return simd_from_bits(simd_bits(p) + (simd_bits(t) << 23));
}

/* 2^z for z <= 128, exactly 0 below 2^-126. A NaN must be one whose low 9 bits are 0 (any that
 * arithmetic makes, or simd_canonical_nan) and comes out as a NaN. */
static inline float simd_exp2(float z)
{
    float t = z + SIMD_ROUND_MAGIC;
    float n = t - SIMD_ROUND_MAGIC;
    float e = simd_exp2_join(t, z - n);
    return z < -126.0f ? 0.0f : e;
}

/* 2^r for |r| <= 1/2 and no more than float needs in a sum: minimax of relative error 1.61 * 2^-24
 * with 2^0 = 1 exactly (Remez, then a search over the roundings of the coefficients). */
#define SIMD_EXP2_SHORT_C1 0x1.62e42ap-1f
#define SIMD_EXP2_SHORT_C2 0x1.ebf9bep-3f
#define SIMD_EXP2_SHORT_C3 0x1.c6b712p-5f
#define SIMD_EXP2_SHORT_C4 0x1.3ceaa8p-7f
#define SIMD_EXP2_SHORT_C5 0x1.5bb874p-10f

/* What simd_exp2_shifted takes in place of its integer c. */
struct simd_shift {
    float magic, lowest, highest;
};

/* c is an integer, |c| <= 2^20. */
static inline struct simd_shift simd_shift(float c)
{
    return (struct simd_shift){SIMD_ROUND_MAGIC - c, c - 127.0f, c + 128.0f};
}

/* 2^(z - c), relative error below 3 * 2^-24 however large z is, since nothing is rounded before the
 * fraction of z is known: the constant that rounds z takes c off the exponent. 0 for z <= c - 127,
 * +Inf for z >= c + 128; below 2^-126 the result has few digits or none. NaN as for simd_exp2. */
static inline float simd_exp2_shifted(float z, struct simd_shift c)
{
    z = z < c.lowest ? c.lowest : z;
    z = z > c.highest ? c.highest : z;
    float t = z + c.magic;
    float r = z - (t - c.magic);
    float p = SIMD_EXP2_SHORT_C5;
    p = fmaf(p, r, SIMD_EXP2_SHORT_C4);
    p = fmaf(p, r, SIMD_EXP2_SHORT_C3);
    p = fmaf(p, r, SIMD_EXP2_SHORT_C2);
    p = fmaf(p, r, SIMD_EXP2_SHORT_C1);
    p = fmaf(p, r, 1.0f);
    return simd_from_bits(simd_bits(p) + (simd_bits(t) << 23));
}

/* log2(1 + q) / q for 0 <= q <= 1: minimax of relative error 0.55 * 2^-24 (Sollya, fpminimax). */
#define SIMD_LOG2_1P_C0 0x1.715476p+0f
#define SIMD_LOG2_1P_C1 -0x1.7153a6p-1f
#define SIMD_LOG2_1P_C2 0x1.ec3eb2p-2f
#define SIMD_LOG2_1P_C3 -0x1.6f1abp-2f
#define SIMD_LOG2_1P_C4 0x1.1a907p-2f
#define SIMD_LOG2_1P_C5 -0x1.94d83cp-3f
#define SIMD_LOG2_1P_C6 0x1.d0b1c2p-4f
#define SIMD_LOG2_1P_C7 -0x1.5f76a2p-5f
#define SIMD_LOG2_1P_C8 0x1.f3e176p-8f

/* base + log2(1 + q) raised / q for 0 <= q <= 1, where raised is q, or q times a power of two. With
 * base 0 the relative error is below 2.5 * 2^-24, and 0 gives 0. */
static inline float simd_log2_1p(float q, float raised, float base)
{
    float p = SIMD_LOG2_1P_C8;
    p = fmaf(p, q, SIMD_LOG2_1P_C7);
    p = fmaf(p, q, SIMD_LOG2_1P_C6);
    p = fmaf(p, q, SIMD_LOG2_1P_C5);
    p = fmaf(p, q, SIMD_LOG2_1P_C4);
    p = fmaf(p, q, SIMD_LOG2_1P_C3);
    p = fmaf(p, q, SIMD_LOG2_1P_C2);
    p = fmaf(p, q, SIMD_LOG2_1P_C1);
    p = fmaf(p, q, SIMD_LOG2_1P_C0);
    return fmaf(p, raised, base);
}

#endif
