/* neon.h - building blocks on float32x4_t (AArch64 Advanced SIMD).
 * SPDX-License-Identifier: MIT
 *
 * The names and results are those of scalar.h, 4 elements at a time. NEON has no masked loads:
 * tails go through single lanes, so that nothing beyond the first elements is touched.
 */
#ifndef MMK_SIMD_NEON_H
#define MMK_SIMD_NEON_H

#include "scalar.h"

#include <arm_neon.h>

/* first is 0..4; the other lanes are 0. */
static inline float32x4_t simd_load_first(const float *p, size_t first)
{
    float32x4_t v = vdupq_n_f32(0.0f);
    if (first >= 4)
        return vld1q_f32(p);
    if (first >= 1)
        v = vld1q_lane_f32(p, v, 0);
    if (first >= 2)
        v = vld1q_lane_f32(p + 1, v, 1);
    if (first >= 3)
        v = vld1q_lane_f32(p + 2, v, 2);
    return v;
}

/* The same of f16. */
static inline uint16x4_t simd_load_first_halves(const uint16_t *p, size_t first)
{
    uint16x4_t v = vdup_n_u16(0);
    if (first >= 4)
        return vld1_u16(p);
    if (first >= 1)
        v = vld1_lane_u16(p, v, 0);
    if (first >= 2)
        v = vld1_lane_u16(p + 1, v, 1);
    if (first >= 3)
        v = vld1_lane_u16(p + 2, v, 2);
    return v;
}

static inline float32x4_t simd_load_f16(const uint16_t *p)
{
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
}

static inline float32x4_t simd_load_first_f16(const uint16_t *p, size_t first)
{
    return vcvt_f32_f16(vreinterpret_f16_u16(simd_load_first_halves(p, first)));
}

/* And of bf16. */
static inline float32x4_t simd_load_bf16(const uint16_t *p)
{
    return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16));
}

static inline float32x4_t simd_load_first_bf16(const uint16_t *p, size_t first)
{
    return vreinterpretq_f32_u32(vshll_n_u16(simd_load_first_halves(p, first), 16));
}

static inline void simd_store_first(float *p, size_t first, float32x4_t v)
{
    if (first >= 4) {
        vst1q_f32(p, v);
        return;
    }
    if (first >= 1)
        vst1q_lane_f32(p, v, 0);
    if (first >= 2)
        vst1q_lane_f32(p + 1, v, 1);
    if (first >= 3)
        vst1q_lane_f32(p + 2, v, 2);
}

static inline float32x4_t simd_canonical_nan4(float32x4_t v)
{
    uint32x4_t number = vceqq_f32(v, v);
    return vbslq_f32(number, v, vreinterpretq_f32_u32(vdupq_n_u32(0x7fc00000u)));
}

/* A compare and select, not fmax: fmax returns a NaN operand. A NaN in v leaves acc. */
static inline float32x4_t simd_max4(float32x4_t v, float32x4_t acc)
{
    return vbslq_f32(vcgtq_f32(v, acc), v, acc);
}

/* Greatest of 4 elements, none of them NaN. */
static inline float simd_hmax4(float32x4_t v)
{
    return vmaxvq_f32(v);
}

/* The last levels of a tree, 4 -> 1 lane. */
static inline float simd_sum4x4(float32x4_t t)
{
    float32x2_t q = vadd_f32(vget_low_f32(t), vget_high_f32(t)); /* 0+2 1+3 */
    return vget_lane_f32(q, 0) + vget_lane_f32(q, 1) + 0.0f;
}

/* lane[i] holds lanes 4i .. 4i+3 of 16. */
static inline float simd_sum16x4(const float32x4_t lane[4])
{
    return simd_sum4x4(vaddq_f32(vaddq_f32(lane[0], lane[2]), vaddq_f32(lane[1], lane[3])));
}

/* Three levels of the tree from the second on, 32 -> 4 lanes; t0 holds lanes 0..3, t1 4..7, and so
 * on. */
static inline float32x4_t simd_fold32x4(float32x4_t t0, float32x4_t t1, float32x4_t t2,
                                        float32x4_t t3, float32x4_t t4, float32x4_t t5,
                                        float32x4_t t6, float32x4_t t7)
{
    float32x4_t even = vaddq_f32(vaddq_f32(t0, t4), vaddq_f32(t2, t6));
    float32x4_t odd = vaddq_f32(vaddq_f32(t1, t5), vaddq_f32(t3, t7));
    return vaddq_f32(even, odd);
}

/* lane[i] holds canonical lanes 4i .. 4i+3. */
static inline float simd_sum64x4(const float32x4_t lane[16])
{
    float32x4_t t[8];
    for (int i = 0; i < 8; i++)
        t[i] = vaddq_f32(lane[i], lane[i + 8]);
    return simd_sum4x4(simd_fold32x4(t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7]));
}

static inline float32x4_t simd_exp2_join4(float32x4_t t, float32x4_t r)
{
    float32x4_t p = vfmaq_f32(vdupq_n_f32(SIMD_EXP2_C5), vdupq_n_f32(SIMD_EXP2_C6), r);
    p = vfmaq_f32(vdupq_n_f32(SIMD_EXP2_C4), p, r);
    p = vfmaq_f32(vdupq_n_f32(SIMD_EXP2_C3), p, r);
    p = vfmaq_f32(vdupq_n_f32(SIMD_EXP2_C2), p, r);
    p = vfmaq_f32(vdupq_n_f32(SIMD_EXP2_C1), p, r);
    p = vfmaq_f32(vdupq_n_f32(1.0f), p, r);
    int32x4_t n = vshlq_n_s32(vreinterpretq_s32_f32(t), 23);
    return vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(p), n));
}

static inline float32x4_t simd_exp2x4(float32x4_t z)
{
    const float32x4_t magic = vdupq_n_f32(SIMD_ROUND_MAGIC);
    float32x4_t t = vaddq_f32(z, magic);
    float32x4_t n = vsubq_f32(t, magic);
    float32x4_t e = simd_exp2_join4(t, vsubq_f32(z, n));
    /* clear where less; false for NaN, which is kept */
    uint32x4_t under = vcltq_f32(z, vdupq_n_f32(-126.0f));
    return vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(e), under));
}

static inline float32x4_t simd_exp2_shifted4(float32x4_t z, struct simd_shift c)
{
    /* fmax and fmin give NaN when either is NaN */
    z = vmaxq_f32(z, vdupq_n_f32(c.lowest));
    z = vminq_f32(z, vdupq_n_f32(c.highest));
    const float32x4_t magic = vdupq_n_f32(c.magic);
    float32x4_t t = vaddq_f32(z, magic);
    float32x4_t r = vsubq_f32(z, vsubq_f32(t, magic));
    float32x4_t p = vfmaq_f32(vdupq_n_f32(SIMD_EXP2_SHORT_C4), vdupq_n_f32(SIMD_EXP2_SHORT_C5), r);
    p = vfmaq_f32(vdupq_n_f32(SIMD_EXP2_SHORT_C3), p, r);
    p = vfmaq_f32(vdupq_n_f32(SIMD_EXP2_SHORT_C2), p, r);
    p = vfmaq_f32(vdupq_n_f32(SIMD_EXP2_SHORT_C1), p, r);
    p = vfmaq_f32(vdupq_n_f32(1.0f), p, r);
    int32x4_t n = vshlq_n_s32(vreinterpretq_s32_f32(t), 23);
    return vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(p), n));
}

static inline float32x4_t simd_log2_1px4(float32x4_t q, float32x4_t raised, float32x4_t base)
{
    float32x4_t p = vdupq_n_f32(SIMD_LOG2_1P_C8);
    p = vfmaq_f32(vdupq_n_f32(SIMD_LOG2_1P_C7), p, q);
    p = vfmaq_f32(vdupq_n_f32(SIMD_LOG2_1P_C6), p, q);
    p = vfmaq_f32(vdupq_n_f32(SIMD_LOG2_1P_C5), p, q);
    p = vfmaq_f32(vdupq_n_f32(SIMD_LOG2_1P_C4), p, q);
    p = vfmaq_f32(vdupq_n_f32(SIMD_LOG2_1P_C3), p, q);
    p = vfmaq_f32(vdupq_n_f32(SIMD_LOG2_1P_C2), p, q);
    p = vfmaq_f32(vdupq_n_f32(SIMD_LOG2_1P_C1), p, q);
    p = vfmaq_f32(vdupq_n_f32(SIMD_LOG2_1P_C0), p, q);
    return vfmaq_f32(base, p, raised);
}

#endif
