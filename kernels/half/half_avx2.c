/* half_avx2.c - 16-bit floats to float, AVX2 with F16C.
 * SPDX-License-Identifier: MIT
 *
 * Bound by    the stores, 8 floats a clock: twice the bytes of what is read.
 */
#include "half.h"

#include <immintrin.h>
#include <string.h>

static inline __attribute__((always_inline)) __m256 widen_f16x8(__m128i v)
{
    return _mm256_cvtph_ps(v);
}

static inline __attribute__((always_inline)) __m256 widen_bf16x8(__m128i v)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(v), 16));
}

/* The last ones, fewer than 8, by way of a whole register in memory. */
#define WIDEN(name)                                                                                \
    static void name##_avx2(size_t n, const uint16_t *from, float *to)                             \
    {                                                                                              \
        size_t k = 0;                                                                              \
        for (; k + 8 <= n; k += 8)                                                                 \
            _mm256_storeu_ps(to + k, name##x8(_mm_loadu_si128((const __m128i *)(from + k))));      \
        if (k == n)                                                                                \
            return;                                                                                \
        uint16_t last[8] = {0};                                                                    \
        float floats[8];                                                                           \
        memcpy(last, from + k, (n - k) * sizeof *last);                                            \
        _mm256_storeu_ps(floats, name##x8(_mm_loadu_si128((const __m128i *)last)));                \
        memcpy(to + k, floats, (n - k) * sizeof *floats);                                          \
    }

WIDEN(widen_f16)
WIDEN(widen_bf16)

const struct half_ops half_ops_avx2 = {.f16 = widen_f16_avx2, .bf16 = widen_bf16_avx2};
