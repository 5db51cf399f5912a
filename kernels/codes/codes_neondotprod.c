/* codes_neondotprod.c - codes of 8 bits, NEON with dot products (Armv8.2).
 * SPDX-License-Identifier: MIT
 *
 * Bound by the product (tile8_neondotprod.c); not timed.
 */
#include "codes_by_rows.h"

#include "../simd/neon.h"

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

const struct codes_ops codes_ops_neondotprod = {
    .tile = &tile8_ops_neondotprod,
    .quantize = &quantize_ops_neon,
    .screen = codes_screen_neondotprod,
};
