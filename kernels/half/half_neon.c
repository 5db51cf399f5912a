/* half_neon.c - 16-bit floats to float, NEON.
 * SPDX-License-Identifier: MIT
 *
 * Bound by    the stores, twice the bytes of what is read; not timed.
 */
#include "half.h"

#include "../simd/neon.h"

static void widen_f16_neon(size_t n, const uint16_t *from, float *to)
{
    for (; n >= 4; n -= 4, from += 4, to += 4)
        vst1q_f32(to, simd_load_f16(from));
    simd_store_first(to, n, simd_load_first_f16(from, n));
}

static void widen_bf16_neon(size_t n, const uint16_t *from, float *to)
{
    for (; n >= 4; n -= 4, from += 4, to += 4)
        vst1q_f32(to, simd_load_bf16(from));
    simd_store_first(to, n, simd_load_first_bf16(from, n));
}

const struct half_ops half_ops_neon = {.f16 = widen_f16_neon, .bf16 = widen_bf16_neon};
