/* quantize_neon.c - rows of floats to codes, NEON.
 * SPDX-License-Identifier: MIT
 *
 * Bound by    conversions and narrowings, 2 and 2 of 4 floats; not timed.
 */
#include "quantize.h"

#include "../call/size.h"
#include "../simd/neon.h"

#include <stdbool.h>

static inline __attribute__((always_inline)) struct quantize_range
range_neon(size_t d, const float *row, const float *centre)
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
            if (centre != NULL)
                v = vsubq_f32(v, simd_load_first(centre + k + 4 * i, d - k - 4 * i));
            s[i] = vfmaq_f32(s[i], v, v);
            greatest = simd_max4(vabsq_f32(v), greatest);
        }
    return (struct quantize_range){simd_sum64x4(s), simd_hmax4(greatest)};
}

static struct quantize_range quantize_range_neon(size_t d, const float *row, const float *centre)
{
    return centre != NULL ? range_neon(d, row, centre) : range_neon(d, row, NULL);
}

static inline __attribute__((always_inline)) float
encode_neon(bool plain, size_t d, const float *row, const struct quantize_unit *unit, int8_t *codes)
{
    float32x4_t s[16];
    for (size_t i = 0; i < 16; i++)
        s[i] = vdupq_n_f32(0);
    if (d % QUANTIZE_BLOCK != 0)
        memset(codes + d / QUANTIZE_BLOCK * QUANTIZE_BLOCK, 0, QUANTIZE_BLOCK);
    for (size_t k = 0; k < d; k += 64)
#pragma GCC unroll 16
        for (size_t i = 0; i < 16; i++) {
            if (k + 4 * i >= d)
                continue;
            float32x4_t v = simd_load_first(row + k + 4 * i, d - k - 4 * i);
            if (!plain && unit->centre != NULL)
                v = vsubq_f32(v, simd_load_first(unit->centre + k + 4 * i, d - k - 4 * i));
            if (!plain)
                v = vmulq_n_f32(v, unit->power);
            int32x4_t q = vcvtnq_s32_f32(vmulq_n_f32(v, unit->inverse));
            float32x4_t left = vfmsq_f32(v, vdupq_n_f32(unit->step), vcvtq_f32_s32(q));
            s[i] = vfmaq_f32(s[i], left, left);
            int16x4_t words = vmovn_s32(q);
            int8x8_t bytes = vmovn_s16(vcombine_s16(words, words));
            vst1_lane_s32((int32_t *)(void *)(codes + k + 4 * i), vreinterpret_s32_s8(bytes), 0);
        }
    return simd_sum64x4(s);
}

static float quantize_encode_neon(size_t d, const float *row, const struct quantize_unit *unit,
                                  int8_t *codes)
{
    return quantize_is_plain(unit) ? encode_neon(true, d, row, unit, codes)
                                   : encode_neon(false, d, row, unit, codes);
}

const struct quantize_ops quantize_ops_neon = {
    .range = quantize_range_neon,
    .encode = quantize_encode_neon,
};
