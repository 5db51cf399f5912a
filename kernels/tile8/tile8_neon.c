/* tile8_neon.c - products of int8, NEON: register tile 6 x 8.
 * SPDX-License-Identifier: MIT
 *
 * Registers   24 accumulators of 4 sums, two of each column, 2 of B, 1 broadcast of A, 2 of
 *             products: 29 of 32. A panel is taken in four parts.
 * Bound by    smull, of 8 exact products, and a sadalp for each: 24 of both a step of four columns
 *             against 8 loads. Four products an instruction, as many as fmla has; not timed.
 */
#include "tile8_neon.h"

enum { MR = 6, PART = 8 };

/* c[r][0..PART) for the columns of b, a part of a panel. */
static inline __attribute__((always_inline)) void
tile8_accumulate_neon(size_t rows, size_t groups, const uint8_t *a, const int32_t *start,
                      const uint8_t *b, int32_t *c, size_t ldc)
{
    int32x4_t acc[MR][4];
#pragma GCC unroll 6
    for (size_t r = 0; r < rows; r++)
        acc[r][0] = acc[r][1] = acc[r][2] = acc[r][3] = vdupq_n_s32(0);
    for (size_t g = 0; g < groups; g++, a += 4 * MR, b += 4 * TILE8_PANEL) {
        int8x16_t b0 = vreinterpretq_s8_u8(vld1q_u8(b));
        int8x16_t b1 = vreinterpretq_s8_u8(vld1q_u8(b + 16));
#pragma GCC unroll 6
        for (size_t r = 0; r < rows; r++) {
            int32_t four;
            memcpy(&four, a + 4 * r, 4);
            int8x16_t ar = vreinterpretq_s8_s32(vdupq_n_s32(four));
            acc[r][0] = vpadalq_s16(acc[r][0], vmull_s8(vget_low_s8(b0), vget_low_s8(ar)));
            acc[r][1] = vpadalq_s16(acc[r][1], vmull_high_s8(b0, ar));
            acc[r][2] = vpadalq_s16(acc[r][2], vmull_s8(vget_low_s8(b1), vget_low_s8(ar)));
            acc[r][3] = vpadalq_s16(acc[r][3], vmull_high_s8(b1, ar));
        }
    }
#pragma GCC unroll 6
    for (size_t r = 0; r < rows; r++) {
        int32x4_t from = vdupq_n_s32(start[r]);
        vst1q_s32(c + r * ldc, vaddq_s32(from, vpaddq_s32(acc[r][0], acc[r][1])));
        vst1q_s32(c + r * ldc + 4, vaddq_s32(from, vpaddq_s32(acc[r][2], acc[r][3])));
    }
}

static void tile8_product_neon(size_t rows, size_t groups, const uint8_t *a, const int32_t *start,
                               const uint8_t *b, int32_t *c, size_t ldc)
{
    for (size_t part = 0; part < TILE8_PANEL; part += PART)
        if (rows > 2)
            tile8_accumulate_neon(MR, groups, a, start, b + 4 * part, c + part, ldc);
        else
            tile8_accumulate_neon(2, groups, a, start, b + 4 * part, c + part, ldc);
}

const struct tile8_ops tile8_ops_neon = {
    .mr = MR,
    .group = 4,
    .bias = 0,
    .pack = tile8_pack_neon,
    .product = tile8_product_neon,
    TILE8_FINISH_NEON,
};
