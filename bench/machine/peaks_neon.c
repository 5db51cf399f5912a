/* peaks_neon.c - FMA rate and read bandwidth with 128-bit NEON registers.
 * SPDX-License-Identifier: MIT
 *
 * 16 chains: up to four FMA units with a latency of four cycles.
 */
#include "peaks.h"

#include <arm_neon.h>

enum { CHAINS = 16 };

static float fma_neon(size_t iterations)
{
    float32x4_t chain[CHAINS];
    for (int c = 0; c < CHAINS; c++)
        chain[c] = vdupq_n_f32((float)c);
    float32x4_t factor = vdupq_n_f32(0.5f), addend = vdupq_n_f32(1.0f);
    __asm__ volatile("" : "+w"(factor), "+w"(addend));
    for (size_t i = 0; i < iterations; i++) {
        /* vfmaq adds the product to its first operand, so the chain runs through the sum. */
#pragma GCC unroll 16
        for (int c = 0; c < CHAINS; c++)
            chain[c] = vfmaq_f32(chain[c], factor, addend);
        __asm__ volatile("" : "+w"(factor), "+w"(addend)); /* not a constant sum */
    }
    for (int c = 1; c < CHAINS; c++)
        chain[0] = vaddq_f32(chain[0], chain[c]);
    return vaddvq_f32(chain[0]);
}

__attribute__((always_inline)) static inline float read_with(const float *data, size_t floats,
                                                             size_t passes, enum read_way way)
{
    float32x4_t sum[16];
    for (int c = 0; c < 16; c++)
        sum[c] = vdupq_n_f32(0.0f);
    for (size_t pass = 0; pass < passes; pass++) {
        for (size_t i = 0; i < floats; i += 64) {
#pragma GCC unroll 16
            for (size_t c = 0; c < 16; c++) {
                const float *p = data + peak_place(way, floats, i, c, 4);
                if (way == READ_AHEAD && c % 4 == 0)
                    __builtin_prefetch(p + PEAK_AHEAD);
                sum[c] = vaddq_f32(sum[c], vld1q_f32(p));
            }
        }
        __asm__ volatile("" ::: "memory"); /* every pass reads again */
    }
    for (int c = 1; c < 16; c++)
        sum[0] = vaddq_f32(sum[0], sum[c]);
    return vaddvq_f32(sum[0]);
}

static float read_neon(const float *data, size_t floats, size_t passes)
{
    return read_with(data, floats, passes, READ_IN_ORDER);
}

static float read_ahead_neon(const float *data, size_t floats, size_t passes)
{
    return read_with(data, floats, passes, READ_AHEAD);
}

static float read_apart_neon(const float *data, size_t floats, size_t passes)
{
    return read_with(data, floats, passes, READ_APART);
}

const struct peak_loops peak_loops_neon = {
    .multiply_add = fma_neon,
    .flops_per_iteration = 2.0 * 4 * CHAINS,
    .read = {[READ_IN_ORDER] = read_neon,
             [READ_AHEAD] = read_ahead_neon,
             [READ_APART] = read_apart_neon},
};
