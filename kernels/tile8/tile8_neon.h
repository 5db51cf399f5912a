/* tile8_neon.h - what both tables of NEON do with rows of int8 and their products (internal).
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_TILE8_NEON_H
#define MMK_TILE8_NEON_H

#include "tile8.h"

#include "../simd/neon.h"

/* 16 codes of a row from column k on, zeros beyond its end. */
static inline int8x16_t tile8_load_neon(const int8_t *row, size_t k, size_t d)
{
    if (d - k >= 16)
        return vld1q_s8(row + k);
    int8_t tail[16] = {0};
    memcpy(tail, row + k, d - k);
    return vld1q_s8(tail);
}

/* Transposes of 4 x 4 groups. A strip may have two rows in place of the last four: the places of
 * the others are those of the next group. */
static void tile8_pack_neon(size_t count, const int8_t *const *row, size_t d, size_t pitch,
                            size_t bias, uint8_t *packed)
{
    const int8x16_t flip = vreinterpretq_s8_u8(vdupq_n_u8((uint8_t)bias));
    const size_t groups = size_blocks(d, 4);
    for (size_t r = 0; r < pitch; r += 4)
        for (size_t g = 0; g < groups; g += 4) {
            uint32x4_t v[4];
            for (size_t i = 0; i < 4; i++) {
                int8x16_t codes =
                    r + i < count ? tile8_load_neon(row[r + i], 4 * g, d) : vdupq_n_s8(0);
                v[i] = vreinterpretq_u32_s8(veorq_s8(codes, flip));
            }
            uint64x2_t ab0 = vreinterpretq_u64_u32(vzip1q_u32(v[0], v[1]));
            uint64x2_t ab2 = vreinterpretq_u64_u32(vzip2q_u32(v[0], v[1]));
            uint64x2_t cd0 = vreinterpretq_u64_u32(vzip1q_u32(v[2], v[3]));
            uint64x2_t cd2 = vreinterpretq_u64_u32(vzip2q_u32(v[2], v[3]));
            const uint64x2_t to[4] = {vzip1q_u64(ab0, cd0), vzip2q_u64(ab0, cd0),
                                      vzip1q_u64(ab2, cd2), vzip2q_u64(ab2, cd2)};
            for (size_t i = 0; i < 4 && g + i < groups; i++) {
                uint8_t *out = packed + ((g + i) * pitch + r) * 4;
                if (pitch - r >= 4)
                    vst1q_u8(out, vreinterpretq_u8_u64(to[i]));
                else
                    vst1_u8(out, vget_low_u8(vreinterpretq_u8_u64(to[i])));
            }
        }
}

static inline float64x2_t tile8_low_neon(int32x4_t c)
{
    return vcvtq_f64_s64(vmovl_s32(vget_low_s32(c)));
}

static inline float64x2_t tile8_high_neon(int32x4_t c)
{
    return vcvtq_f64_s64(vmovl_high_s32(c));
}

/* Columns j .. j + 4 of a row of results, as far as there are so many. */
static inline void tile8_store_neon(float *out, size_t cols, size_t j, float64x2_t low,
                                    float64x2_t high)
{
    float32x4_t v = vcvt_high_f32_f64(vcvt_f32_f64(low), high);
    simd_store_first(out + j, cols - j, simd_canonical_nan4(v));
}

/* Whether one of four results is near a half (tile8.h). */
static inline bool tile8_near_neon(float64x2_t low, float64x2_t high)
{
    int32x4_t halves = vuzp1q_s32(vreinterpretq_s32_f64(low), vreinterpretq_s32_f64(high));
    int32x4_t bits = vaddq_s32(halves, vdupq_n_s32(TILE8_NEAR_ADD));
    bits = vandq_s32(bits, vdupq_n_s32(TILE8_NEAR_BITS));
    return vminvq_u32(vreinterpretq_u32_s32(bits)) == 0;
}

static inline __attribute__((always_inline)) void
tile8_scale_neon(bool is_cosine, size_t rows, size_t cols, const int32_t *c,
                 const struct tile8_side *x, const struct tile8_side *y, float *out, size_t ldout)
{
    const float64x2_t zero = vdupq_n_f64(0);
    for (size_t j = 0; j < cols; j += 4) {
        const float64x2_t g0 = vld1q_f64(y->factor + j), g1 = vld1q_f64(y->factor + j + 2);
        for (size_t r = 0; r < rows; r++) {
            const float64x2_t f = vdupq_n_f64(x->factor[r]);
            int32x4_t p = vld1q_s32(c + r * TILE8_PANEL + j);
            /* + 0: never -0 */
            float64x2_t low = vfmaq_f64(zero, vmulq_f64(f, g0), tile8_low_neon(p));
            float64x2_t high = vfmaq_f64(zero, vmulq_f64(f, g1), tile8_high_neon(p));
            tile8_store_neon(out + r * ldout, cols, j, low, high);
            if (!is_cosine)
                continue;
            if (__builtin_expect(tile8_near_neon(low, high), 0))
                tile8_cosines(j, size_min(j + 4, cols), c + r * TILE8_PANEL, x, r, y,
                              out + r * ldout);
        }
    }
}

static void tile8_dot_neon(size_t rows, size_t cols, const int32_t *c, const struct tile8_side *x,
                           const struct tile8_side *y, float *out, size_t ldout)
{
    tile8_scale_neon(false, rows, cols, c, x, y, out, ldout);
}

static void tile8_cosine_neon(size_t rows, size_t cols, const int32_t *c,
                              const struct tile8_side *x, const struct tile8_side *y, float *out,
                              size_t ldout)
{
    tile8_scale_neon(true, rows, cols, c, x, y, out, ldout);
}

/* 0 - max((a + b) - (f g) c, 0); fmax gives NaN when either is. */
static inline float64x2_t tile8_distance2_neon(float64x2_t a, float64x2_t b, float64x2_t f,
                                               float64x2_t g, float64x2_t c)
{
    float64x2_t v = vsubq_f64(vaddq_f64(a, b), vmulq_f64(vmulq_f64(f, g), c));
    return vsubq_f64(vdupq_n_f64(0), vmaxq_f64(v, vdupq_n_f64(0)));
}

static void tile8_neg_sq_l2_neon(size_t rows, size_t cols, const int32_t *c,
                                 const struct tile8_side *x, const struct tile8_side *y, float *out,
                                 size_t ldout)
{
    for (size_t j = 0; j < cols; j += 4) {
        const float64x2_t g0 = vld1q_f64(y->factor + j), g1 = vld1q_f64(y->factor + j + 2);
        const float64x2_t b0 = vld1q_f64(y->square + j), b1 = vld1q_f64(y->square + j + 2);
        for (size_t r = 0; r < rows; r++) {
            const float64x2_t f = vdupq_n_f64(x->factor[r]), a = vdupq_n_f64(x->square[r]);
            int32x4_t p = vld1q_s32(c + r * TILE8_PANEL + j);
            tile8_store_neon(out + r * ldout, cols, j,
                             tile8_distance2_neon(a, b0, f, g0, tile8_low_neon(p)),
                             tile8_distance2_neon(a, b1, f, g1, tile8_high_neon(p)));
        }
    }
}

#define TILE8_FINISH_NEON                                                                          \
    .finish = {[MMK_DOT] = tile8_dot_neon,                                                         \
               [MMK_COSINE] = tile8_cosine_neon,                                                   \
               [MMK_NEG_SQ_L2] = tile8_neg_sq_l2_neon}

#endif
