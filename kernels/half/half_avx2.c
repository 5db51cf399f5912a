/* half_avx2.c - 16-bit floats to float, AVX2 with F16C.
 * SPDX-License-Identifier: MIT
 *
 * Bound by    the stores, 8 floats a clock: twice the bytes of what is read.
 */
#include "half.h"

#include "../simd/avx2.h"

static void widen_f16_avx2(size_t n, const uint16_t *from, float *to)
{
    for (; n >= 8; n -= 8, from += 8, to += 8)
        _mm256_storeu_ps(to, simd_load_f16(from));
    if (n > 0)
        simd_store_first(to, n, simd_load_tail_f16(from, n));
}

static void widen_bf16_avx2(size_t n, const uint16_t *from, float *to)
{
    for (; n >= 8; n -= 8, from += 8, to += 8)
        _mm256_storeu_ps(to, simd_load_bf16(from));
    if (n > 0)
        simd_store_first(to, n, simd_load_tail_bf16(from, n));
}

const struct half_ops half_ops_avx2 = {.f16 = widen_f16_avx2, .bf16 = widen_bf16_avx2};
