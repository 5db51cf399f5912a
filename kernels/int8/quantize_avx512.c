/* quantize_avx512.c - rows of floats to codes, AVX-512.
 * SPDX-License-Identifier: MIT
 *
 * Bound by    the second pass: of 16 floats a load, 2 conversions, 1 narrowing to bytes, 3 FMAs and
 *             a store, on the ports of shuffles and conversions; a row beyond L2 by its way to L1.
 */
#include "quantize.h"

#include "../call/size.h"
#include "../simd/avx512.h"

#include <stdbool.h>

/* 16 floats from k on, zeros beyond d. */
static inline __attribute__((always_inline)) __m512 load_avx512(const float *row, size_t k,
                                                                size_t d)
{
    return k + 16 <= d ? _mm512_loadu_ps(row + k)
           : k < d     ? simd_load_first(row + k, d - k)
                       : _mm512_setzero_ps();
}

static inline __attribute__((always_inline)) struct quantize_range
range_avx512(size_t d, const float *row, const float *centre)
{
    __m512 s[4], greatest[4];
    for (size_t i = 0; i < 4; i++)
        s[i] = greatest[i] = _mm512_setzero_ps();
    for (size_t k = 0; k < d; k += 64)
#pragma GCC unroll 4
        for (size_t i = 0; i < 4; i++) {
            __m512 v = load_avx512(row, k + 16 * i, d);
            if (centre != NULL)
                v = _mm512_sub_ps(v, load_avx512(centre, k + 16 * i, d));
            s[i] = _mm512_fmadd_ps(v, v, s[i]);
            greatest[i] = simd_max16(_mm512_abs_ps(v), greatest[i]);
        }
    float most = simd_hmax16(_mm512_max_ps(_mm512_max_ps(greatest[0], greatest[1]),
                                           _mm512_max_ps(greatest[2], greatest[3])));
    return (struct quantize_range){simd_sum64x16(s[0], s[1], s[2], s[3]), most};
}

static struct quantize_range quantize_range_avx512(size_t d, const float *row, const float *centre)
{
    return centre != NULL ? range_avx512(d, row, centre) : range_avx512(d, row, NULL);
}

static inline __attribute__((always_inline)) float encode_avx512(bool plain, size_t d,
                                                                 const float *row,
                                                                 const struct quantize_unit *unit,
                                                                 int8_t *codes)
{
    const __m512 step = _mm512_set1_ps(unit->step), inverse = _mm512_set1_ps(unit->inverse);
    const __m512 power = _mm512_set1_ps(unit->power);
    __m512 s[4];
    for (size_t i = 0; i < 4; i++)
        s[i] = _mm512_setzero_ps();
    for (size_t k = 0; k < d; k += 64, codes += 64)
#pragma GCC unroll 4
        for (size_t i = 0; i < 4; i++) {
            __m512 v = load_avx512(row, k + 16 * i, d);
            if (!plain && unit->centre != NULL)
                v = _mm512_sub_ps(v, load_avx512(unit->centre, k + 16 * i, d));
            if (!plain)
                v = _mm512_mul_ps(v, power);
            __m512i q = _mm512_cvtps_epi32(_mm512_mul_ps(v, inverse));
            __m512 left = _mm512_fnmadd_ps(step, _mm512_cvtepi32_ps(q), v);
            s[i] = _mm512_fmadd_ps(left, left, s[i]);
            _mm_storeu_si128((__m128i *)(void *)(codes + 16 * i), _mm512_cvtepi32_epi8(q));
        }
    return simd_sum64x16(s[0], s[1], s[2], s[3]);
}

static float quantize_encode_avx512(size_t d, const float *row, const struct quantize_unit *unit,
                                    int8_t *codes)
{
    return quantize_is_plain(unit) ? encode_avx512(true, d, row, unit, codes)
                                   : encode_avx512(false, d, row, unit, codes);
}

const struct quantize_ops quantize_ops_avx512 = {
    .range = quantize_range_avx512,
    .encode = quantize_encode_avx512,
};
