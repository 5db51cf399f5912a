/* half_avx512.c - 16-bit floats to float, AVX-512.
 * SPDX-License-Identifier: MIT
 *
 * Bound by    the stores, 16 floats a clock: twice the bytes of what is read.
 */
#include "half.h"

#include "../simd/avx512.h"

static void widen_f16_avx512(size_t n, const uint16_t *from, float *to)
{
    for (; n >= 16; n -= 16, from += 16, to += 16)
        _mm512_storeu_ps(to, simd_load_f16(from));
    if (n > 0)
        simd_store_first(to, n, simd_load_tail_f16(from, n));
}

static void widen_bf16_avx512(size_t n, const uint16_t *from, float *to)
{
    for (; n >= 16; n -= 16, from += 16, to += 16)
        _mm512_storeu_ps(to, simd_load_bf16(from));
    if (n > 0)
        simd_store_first(to, n, simd_load_tail_bf16(from, n));
}

const struct half_ops half_ops_avx512 = {.f16 = widen_f16_avx512, .bf16 = widen_bf16_avx512};
