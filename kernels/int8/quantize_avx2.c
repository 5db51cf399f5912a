/* quantize_avx2.c - rows of floats to codes, AVX2.
 * SPDX-License-Identifier: MIT
 *
 * Bound by    as quantize_avx512.c, on 8 floats; narrowing to bytes takes three shuffles.
 */
#include "quantize.h"

#include "../call/size.h"
#include "../simd/avx2.h"

#include <stdbool.h>

static inline __attribute__((always_inline)) struct quantize_range
range_avx2(size_t d, const float *row, const float *centre)
{
    const __m256 magnitude = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
    __m256 s[8], greatest = _mm256_setzero_ps();
    for (size_t i = 0; i < 8; i++)
        s[i] = _mm256_setzero_ps();
    for (size_t k = 0; k < d; k += 64)
#pragma GCC unroll 8
        for (size_t i = 0; i < 8; i++) {
            if (k + 8 * i >= d)
                continue;
            __m256 v = simd_load_tail(row + k + 8 * i, d - k - 8 * i);
            if (centre != NULL)
                v = _mm256_sub_ps(v, simd_load_tail(centre + k + 8 * i, d - k - 8 * i));
            s[i] = _mm256_fmadd_ps(v, v, s[i]);
            greatest = simd_max8(_mm256_and_ps(v, magnitude), greatest);
        }
    return (struct quantize_range){simd_sum64x8(s), simd_hmax8(greatest)};
}

static struct quantize_range quantize_range_avx2(size_t d, const float *row, const float *centre)
{
    return centre != NULL ? range_avx2(d, row, centre) : range_avx2(d, row, NULL);
}

static inline __attribute__((always_inline)) float
encode_avx2(bool plain, size_t d, const float *row, const struct quantize_unit *unit, int8_t *codes)
{
    const __m256 step = _mm256_set1_ps(unit->step), inverse = _mm256_set1_ps(unit->inverse);
    const __m256 power = _mm256_set1_ps(unit->power);
    __m256 s[8];
    for (size_t i = 0; i < 8; i++)
        s[i] = _mm256_setzero_ps();
    if (d % QUANTIZE_BLOCK != 0)
        memset(codes + d / QUANTIZE_BLOCK * QUANTIZE_BLOCK, 0, QUANTIZE_BLOCK);
    for (size_t k = 0; k < d; k += 64)
#pragma GCC unroll 8
        for (size_t i = 0; i < 8; i++) {
            if (k + 8 * i >= d)
                continue;
            __m256 v = simd_load_tail(row + k + 8 * i, d - k - 8 * i);
            if (!plain && unit->centre != NULL)
                v = _mm256_sub_ps(v, simd_load_tail(unit->centre + k + 8 * i, d - k - 8 * i));
            if (!plain)
                v = _mm256_mul_ps(v, power);
            __m256i q = _mm256_cvtps_epi32(_mm256_mul_ps(v, inverse));
            __m256 left = _mm256_fnmadd_ps(step, _mm256_cvtepi32_ps(q), v);
            s[i] = _mm256_fmadd_ps(left, left, s[i]);
            __m128i words =
                _mm_packs_epi32(_mm256_castsi256_si128(q), _mm256_extracti128_si256(q, 1));
            _mm_storel_epi64((__m128i *)(void *)(codes + k + 8 * i), _mm_packs_epi16(words, words));
        }
    return simd_sum64x8(s);
}

static float quantize_encode_avx2(size_t d, const float *row, const struct quantize_unit *unit,
                                  int8_t *codes)
{
    return quantize_is_plain(unit) ? encode_avx2(true, d, row, unit, codes)
                                   : encode_avx2(false, d, row, unit, codes);
}

const struct quantize_ops quantize_ops_avx2 = {
    .range = quantize_range_avx2,
    .encode = quantize_encode_avx2,
};
