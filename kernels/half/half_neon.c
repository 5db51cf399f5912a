/* half_neon.c - 16-bit floats to float, NEON.
 * SPDX-License-Identifier: MIT
 *
 * Bound by    the stores, twice the bytes of what is read; not timed.
 */
#include "half.h"

#include <arm_neon.h>
#include <string.h>

static inline __attribute__((always_inline)) float32x4_t widen_f16x4(uint16x4_t v)
{
    return vcvt_f32_f16(vreinterpret_f16_u16(v));
}

static inline __attribute__((always_inline)) float32x4_t widen_bf16x4(uint16x4_t v)
{
    return vreinterpretq_f32_u32(vshll_n_u16(v, 16));
}

/* The last ones, fewer than 8, by way of whole registers in memory. */
#define WIDEN(name)                                                                                \
    static void name##_neon(size_t n, const uint16_t *from, float *to)                             \
    {                                                                                              \
        size_t k = 0;                                                                              \
        for (; k + 8 <= n; k += 8) {                                                               \
            uint16x8_t v = vld1q_u16(from + k);                                                    \
            vst1q_f32(to + k, name##x4(vget_low_u16(v)));                                          \
            vst1q_f32(to + k + 4, name##x4(vget_high_u16(v)));                                     \
        }                                                                                          \
        if (k == n)                                                                                \
            return;                                                                                \
        uint16_t last[8] = {0};                                                                    \
        float floats[8];                                                                           \
        memcpy(last, from + k, (n - k) * sizeof *last);                                            \
        vst1q_f32(floats, name##x4(vld1_u16(last)));                                               \
        vst1q_f32(floats + 4, name##x4(vld1_u16(last + 4)));                                       \
        memcpy(to + k, floats, (n - k) * sizeof *floats);                                          \
    }

WIDEN(widen_f16)
WIDEN(widen_bf16)

const struct half_ops half_ops_neon = {.f16 = widen_f16_neon, .bf16 = widen_bf16_neon};
