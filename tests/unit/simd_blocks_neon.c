/* simd_blocks_neon.c - kernels/simd/neon.h as a table.
 * SPDX-License-Identifier: MIT
 */
#include "simd_blocks.h"

#include "../../kernels/simd/neon.h"

static void exp2_neon(size_t n, const float *in, float *out)
{
    for (size_t i = 0; i < n; i += 4)
        vst1q_f32(out + i, simd_exp2x4(vld1q_f32(in + i)));
}

static void exp2_shifted_neon(size_t n, const float *in, float c, float *out)
{
    for (size_t i = 0; i < n; i += 4)
        vst1q_f32(out + i, simd_exp2_shifted4(vld1q_f32(in + i), simd_shift(c)));
}

static void log2_1p_neon(size_t n, const float *q, const float *base, float *out)
{
    for (size_t i = 0; i < n; i += 4)
        vst1q_f32(out + i, simd_log2_1px4(vld1q_f32(q + i), vld1q_f32(q + i), vld1q_f32(base + i)));
}

static void canonical_nan_neon(size_t n, const float *in, float *out)
{
    for (size_t i = 0; i < n; i += 4)
        vst1q_f32(out + i, simd_canonical_nan4(vld1q_f32(in + i)));
}

static void max_neon(size_t n, const float *in, float *acc)
{
    for (size_t i = 0; i < n; i += 4)
        vst1q_f32(acc + i, simd_max4(vld1q_f32(in + i), vld1q_f32(acc + i)));
}

static float sum64_neon(const float *lane)
{
    float32x4_t v[16];
    for (int i = 0; i < 16; i++)
        v[i] = vld1q_f32(lane + 4 * i);
    return simd_sum64x4(v);
}

static float hmax_neon(const float *in)
{
    return simd_hmax4(vld1q_f32(in));
}

static void load_first_neon(size_t first, const float *in, float *out)
{
    vst1q_f32(out, simd_load_first(in, first));
}

static void store_first_neon(size_t first, const float *in, float *out)
{
    simd_store_first(out, first, vld1q_f32(in));
}

const struct simd_blocks simd_blocks_neon = {
    .isa = MMK_ISA_NEON,
    .width = 4,
    .exp2 = exp2_neon,
    .exp2_shifted = exp2_shifted_neon,
    .log2_1p = log2_1p_neon,
    .canonical_nan = canonical_nan_neon,
    .max = max_neon,
    .sum64 = sum64_neon,
    .hmax = hmax_neon,
    .load_first = load_first_neon,
    .store_first = store_first_neon,
};
