/* codes_neondotprod.c - codes of 8 bits, NEON with dot products (Armv8.2): register tile 12 x 8.
 * SPDX-License-Identifier: MIT
 *
 * Registers   24 accumulators of 4 sums, 2 of B, 3 of A, whose lanes sdot takes: 29 of 32. A panel
 *             is taken in four parts.
 * Bound by    sdot, of 16 products: 24 a step of four columns against 5 loads. Where it starts as
 *             often as fmla these are four times the products of the f32 tile; not timed.
 * Signs       sdot multiplies signed bytes: nothing is added.
 */
#include "codes_by_rows.h"

#include "../simd/neon.h"

enum { MR = 12, PART = 8 };

static struct codes_scale codes_quantize_neondotprod(size_t d, const float *row, int8_t *codes)
{
    float32x4_t s[16], greatest = vdupq_n_f32(0);
    for (size_t i = 0; i < 16; i++)
        s[i] = vdupq_n_f32(0);
    for (size_t k = 0; k < d; k += 64)
#pragma GCC unroll 16
        for (size_t i = 0; i < 16; i++) {
            if (k + 4 * i >= d)
                continue;
            float32x4_t v = simd_load_first(row + k + 4 * i, d - k - 4 * i);
            s[i] = vfmaq_f32(s[i], v, v);
            greatest = simd_max4(vabsq_f32(v), greatest);
        }
    const float norm = codes_root_up(simd_sum64x4(s), d), most = simd_hmax4(greatest);
    memset(codes, 0, codes_row_bytes(d));
    if (!codes_usable(norm))
        return codes_unusable(norm, most);
    const float step = most / 127, inverse = 127 / most;
    for (size_t i = 0; i < 16; i++)
        s[i] = vdupq_n_f32(0);
    for (size_t k = 0; k < d; k += 64)
#pragma GCC unroll 16
        for (size_t i = 0; i < 16; i++) {
            if (k + 4 * i >= d)
                continue;
            float32x4_t v = simd_load_first(row + k + 4 * i, d - k - 4 * i);
            int32x4_t q = vcvtnq_s32_f32(vmulq_n_f32(v, inverse));
            float32x4_t left = vfmsq_f32(v, vdupq_n_f32(step), vcvtq_f32_s32(q));
            s[i] = vfmaq_f32(s[i], left, left);
            int16x4_t words = vmovn_s32(q);
            int8x8_t bytes = vmovn_s16(vcombine_s16(words, words));
            vst1_lane_s32((int32_t *)(void *)(codes + k + 4 * i), vreinterpret_s32_s8(bytes), 0);
        }
    float error = codes_root_up(simd_sum64x4(s), d) + norm * 0x1p-24f;
    return (struct codes_scale){step, error, norm};
}

/* c[r][0..PART) for the columns of b, a part of a panel. */
static inline __attribute__((always_inline)) void
codes_accumulate_neondotprod(size_t quads, const int8_t *a, const uint8_t *b, int32_t *c)
{
    int32x4_t acc[MR][2];
#pragma GCC unroll 12
    for (size_t r = 0; r < MR; r++)
        acc[r][0] = acc[r][1] = vdupq_n_s32(0);
    for (size_t q = 0; q < quads; q++) {
        int8x16_t b0 = vreinterpretq_s8_u8(vld1q_u8(b));
        int8x16_t b1 = vreinterpretq_s8_u8(vld1q_u8(b + 16));
        int8x16_t rows[3] = {vld1q_s8(a), vld1q_s8(a + 16), vld1q_s8(a + 32)};
#pragma GCC unroll 3
        for (size_t g = 0; g < 3; g++) {
            acc[4 * g][0] = vdotq_laneq_s32(acc[4 * g][0], b0, rows[g], 0);
            acc[4 * g][1] = vdotq_laneq_s32(acc[4 * g][1], b1, rows[g], 0);
            acc[4 * g + 1][0] = vdotq_laneq_s32(acc[4 * g + 1][0], b0, rows[g], 1);
            acc[4 * g + 1][1] = vdotq_laneq_s32(acc[4 * g + 1][1], b1, rows[g], 1);
            acc[4 * g + 2][0] = vdotq_laneq_s32(acc[4 * g + 2][0], b0, rows[g], 2);
            acc[4 * g + 2][1] = vdotq_laneq_s32(acc[4 * g + 2][1], b1, rows[g], 2);
            acc[4 * g + 3][0] = vdotq_laneq_s32(acc[4 * g + 3][0], b0, rows[g], 3);
            acc[4 * g + 3][1] = vdotq_laneq_s32(acc[4 * g + 3][1], b1, rows[g], 3);
        }
        a += 4 * MR;
        b += 4 * CODES_PANEL;
    }
#pragma GCC unroll 12
    for (size_t r = 0; r < MR; r++) {
        vst1q_s32(c + r * CODES_PANEL, acc[r][0]);
        vst1q_s32(c + r * CODES_PANEL + 4, acc[r][1]);
    }
}

static __attribute__((noinline)) void codes_product_neondotprod(size_t rows, size_t quads,
                                                                const int8_t *a,
                                                                const int32_t *start,
                                                                const uint8_t *b, int32_t *c)
{
    (void)rows, (void)start; /* all of a strip; signed products start at 0 */
    for (size_t part = 0; part < CODES_PANEL; part += PART)
        codes_accumulate_neondotprod(quads, a, b + 4 * part, c + part);
}

static inline uint32_t codes_pass_neondotprod(const int32_t *c, const struct codes_row *row)
{
    static const uint32_t bits[4] = {1, 2, 4, 8};
    const uint32x4_t bit = vld1q_u32(bits);
    const float32x4_t norm = vdupq_n_f32(row->norm), per_step = vdupq_n_f32(row->per_step);
    const float32x4_t least = vdupq_n_f32(row->least);
    uint32_t pass = 0;
#pragma GCC unroll 8
    for (size_t j = 0; j < CODES_PANEL; j += 4) {
        float32x4_t sum = vcvtq_f32_s32(vld1q_s32(c + j));
        float32x4_t upper = vfmaq_f32(vld1q_f32(row->base + j), norm, vld1q_f32(row->off + j));
        if (row->adds)
            upper = vfmaq_f32(upper, per_step, vld1q_f32(row->add + j));
        upper = vfmaq_f32(upper, sum, vld1q_f32(row->step + j));
        /* not less than, true for NaN */
        pass |= vaddvq_u32(vbicq_u32(bit, vcltq_f32(upper, least))) << j;
    }
    return pass;
}

static size_t codes_screen_neondotprod(size_t quads, const struct codes_left *left, size_t first,
                                       size_t rows, const struct codes_right *right, size_t col,
                                       size_t cols, bool adds, const float *least,
                                       struct codes_pair *pairs)
{
    return codes_screen_by_rows(MR, codes_product_neondotprod, codes_pass_neondotprod, quads, left,
                                first, rows, right, col, cols, adds, least, pairs);
}

static int32_t codes_dot_neondotprod(size_t bytes, const int8_t *a, int32_t start, const int8_t *b)
{
    int32x4_t s[4];
    for (size_t i = 0; i < 4; i++)
        s[i] = vdupq_n_s32(0);
    for (size_t k = 0; k < bytes; k += 64)
#pragma GCC unroll 4
        for (size_t i = 0; i < 4; i++)
            s[i] = vdotq_s32(s[i], vld1q_s8(a + k + 16 * i), vld1q_s8(b + k + 16 * i));
    return start + vaddvq_s32(vaddq_s32(vaddq_s32(s[0], s[1]), vaddq_s32(s[2], s[3])));
}

const struct codes_ops codes_ops_neondotprod = {
    .mr = MR,
    .bias = 0,
    .quantize = codes_quantize_neondotprod,
    .screen = codes_screen_neondotprod,
    .dot = codes_dot_neondotprod,
};
