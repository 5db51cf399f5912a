/* half_avx512.c - 16-bit floats to float, AVX-512.
 * SPDX-License-Identifier: MIT
 *
 * Bound by    the stores, 16 floats a clock: twice the bytes of what is read.
 */
#include "half.h"

#include <immintrin.h>

static inline __attribute__((always_inline)) __m512 widen_f16x16(__m256i v)
{
    return _mm512_cvtph_ps(v);
}

static inline __attribute__((always_inline)) __m512 widen_bf16x16(__m256i v)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(v), 16));
}

#define WIDEN(name)                                                                                \
    static void name##_avx512(size_t n, const uint16_t *from, float *to)                           \
    {                                                                                              \
        size_t k = 0;                                                                              \
        for (; k + 16 <= n; k += 16)                                                               \
            _mm512_storeu_ps(to + k, name##x16(_mm256_loadu_si256((const __m256i *)(from + k))));  \
        if (k == n)                                                                                \
            return;                                                                                \
        __mmask16 last = (__mmask16)((1u << (n - k)) - 1);                                         \
        _mm512_mask_storeu_ps(to + k, last, name##x16(_mm256_maskz_loadu_epi16(last, from + k)));  \
    }

WIDEN(widen_f16)
WIDEN(widen_bf16)

const struct half_ops half_ops_avx512 = {.f16 = widen_f16_avx512, .bf16 = widen_bf16_avx512};
