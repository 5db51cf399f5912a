/* flushed.h - sums of products of bf16, flushed after each step: the definition, in portable C
 * (internal to bf16_<isa>.c).
 * SPDX-License-Identifier: MIT
 *
 * For rows that bf16.h calls not plain, on instruction sets that do not flush by themselves. The
 * inner loop goes over the 64 lanes of a block without a branch, so that the compiler can keep it
 * in the vector registers of whoever includes this.
 */
#ifndef MMK_BF16_FLUSHED_H
#define MMK_BF16_FLUSHED_H

#include "bf16.h"

#include "../simd/scalar.h"

static inline float bf16_daz(uint32_t bits)
{
    return simd_from_bits(bits & 0x7f800000u ? bits : bits & 0x80000000u);
}

/* f of bf16.h. A result of 2^-126 may have been less before it was rounded: the same times 2^64
 * tells, where the places of a float do not end. (A sum that is near 2^-126 has a c below 2^-101,
 * and a factor below 2^26, or it would be a multiple of more: nothing overflows then.) */
static inline float bf16_flushed_fma(float a, float b, float c)
{
    uint32_t sum = simd_bits(fmaf(a, b, c));
    uint32_t great = simd_bits(fmaf(a * 0x1p64f, b, c * 0x1p64f)) & 0x7fffffffu;
    uint32_t magnitude = sum & 0x7fffffffu;
    uint32_t tiny = magnitude < 0x00800000u;
    tiny |= (uint32_t)(magnitude == 0x00800000u) & (uint32_t)(great < simd_bits(0x1p-62f));
    return simd_from_bits(sum & (0x80000000u | (tiny - 1u)));
}

static inline void bf16_flushed_block(const uint16_t *x, const uint16_t *y, float lane[SIMD_LANES])
{
    for (size_t l = 0; l < SIMD_LANES; l++) {
        float odd = bf16_flushed_fma(bf16_daz((uint32_t)x[2 * l + 1] << 16),
                                     bf16_daz((uint32_t)y[2 * l + 1] << 16), lane[l]);
        lane[l] = bf16_flushed_fma(bf16_daz((uint32_t)x[2 * l] << 16),
                                   bf16_daz((uint32_t)y[2 * l] << 16), odd);
    }
}

/* x.y; a NaN may be any */
__attribute__((noinline)) static float bf16_flushed_dot(size_t d, const uint16_t *x,
                                                        const uint16_t *y)
{
    float lane[SIMD_LANES] = {0};
    for (; d >= BF16_BLOCK; d -= BF16_BLOCK, x += BF16_BLOCK, y += BF16_BLOCK)
        bf16_flushed_block(x, y, lane);
    if (d > 0) {
        uint16_t last_x[BF16_BLOCK] = {0}, last_y[BF16_BLOCK] = {0};
        memcpy(last_x, x, d * sizeof *x);
        memcpy(last_y, y, d * sizeof *y);
        bf16_flushed_block(last_x, last_y, lane);
    }
    return simd_sum64(lane);
}

#endif
