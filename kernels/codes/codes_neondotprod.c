/* codes_neondotprod.c - codes of 8 bits, NEON with dot products (Armv8.2).
 * SPDX-License-Identifier: MIT
 *
 * Bound by the product (tile8_neondotprod.c); not timed.
 */
#include "codes_by_rows.h"

#include "../simd/neon.h"

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
    return codes_screen_by_rows(TILE8_MR_NEONDOTPROD, &tile8_ops_neondotprod,
                                codes_pass_neondotprod, quads, left, first, rows, right, col, cols,
                                adds, least, pairs);
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
    .tile = &tile8_ops_neondotprod,
    .quantize = codes_quantize_neondotprod,
    .screen = codes_screen_neondotprod,
    .dot = codes_dot_neondotprod,
};
