/* tile8_neondotprod.c - products of int8, NEON with dot products (Armv8.2): register tile 12 x 8.
 * SPDX-License-Identifier: MIT
 *
 * Registers   24 accumulators of 4 sums, 2 of B, 3 of A, whose lanes sdot takes: 29 of 32. A panel
 *             is taken in four parts.
 * Bound by    sdot, of 16 products: 24 a step of four columns against 5 loads. Where it starts as
 *             often as fmla these are four times the products of the f32 tile; not timed.
 * Signs       sdot multiplies signed bytes: nothing is added.
 */
#include "tile8_neon.h"

enum { MR = TILE8_MR_NEONDOTPROD, PART = 8 };

/* c[r][0..PART) for the columns of b, a part of a panel. */
static inline __attribute__((always_inline)) void
tile8_accumulate_neondotprod(size_t groups, const uint8_t *a, const int32_t *start,
                             const uint8_t *b, int32_t *c, size_t ldc)
{
    int32x4_t acc[MR][2];
#pragma GCC unroll 12
    for (size_t r = 0; r < MR; r++)
        acc[r][0] = acc[r][1] = vdupq_n_s32(start[r]);
    for (size_t g = 0; g < groups; g++, a += 4 * MR, b += 4 * TILE8_PANEL) {
        int8x16_t b0 = vreinterpretq_s8_u8(vld1q_u8(b));
        int8x16_t b1 = vreinterpretq_s8_u8(vld1q_u8(b + 16));
#pragma GCC unroll 3
        for (size_t f = 0; f < MR; f += 4) {
            int8x16_t four = vreinterpretq_s8_u8(vld1q_u8(a + 4 * f));
            acc[f][0] = vdotq_laneq_s32(acc[f][0], b0, four, 0);
            acc[f][1] = vdotq_laneq_s32(acc[f][1], b1, four, 0);
            acc[f + 1][0] = vdotq_laneq_s32(acc[f + 1][0], b0, four, 1);
            acc[f + 1][1] = vdotq_laneq_s32(acc[f + 1][1], b1, four, 1);
            acc[f + 2][0] = vdotq_laneq_s32(acc[f + 2][0], b0, four, 2);
            acc[f + 2][1] = vdotq_laneq_s32(acc[f + 2][1], b1, four, 2);
            acc[f + 3][0] = vdotq_laneq_s32(acc[f + 3][0], b0, four, 3);
            acc[f + 3][1] = vdotq_laneq_s32(acc[f + 3][1], b1, four, 3);
        }
    }
#pragma GCC unroll 12
    for (size_t r = 0; r < MR; r++) {
        vst1q_s32(c + r * ldc, acc[r][0]);
        vst1q_s32(c + r * ldc + 4, acc[r][1]);
    }
}

static void tile8_product_neondotprod(size_t rows, size_t groups, const uint8_t *a,
                                      const int32_t *start, const uint8_t *b, int32_t *c,
                                      size_t ldc)
{
    (void)rows; /* all of a strip */
    for (size_t part = 0; part < TILE8_PANEL; part += PART)
        tile8_accumulate_neondotprod(groups, a, start, b + 4 * part, c + part, ldc);
}

const struct tile8_ops tile8_ops_neondotprod = {
    .mr = MR,
    .group = 4,
    .bias = 0,
    .pack = tile8_pack_neon,
    .product = tile8_product_neondotprod,
    TILE8_FINISH_NEON,
};
