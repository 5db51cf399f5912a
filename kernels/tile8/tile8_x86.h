/* tile8_x86.h - packing of rows of int8 for the tables of x86-64 (internal).
 * SPDX-License-Identifier: MIT
 *
 * Transposes of 4 x 4 groups in 128 bits: 8 shuffles for 16 groups, where moving each by itself
 * takes a clock apiece.
 */
#ifndef MMK_TILE8_X86_H
#define MMK_TILE8_X86_H

#include "tile8.h"

#include <immintrin.h>
#include <string.h>

/* Four groups of a row from column k on, zeros beyond its end: 16 codes, or 8 widened. */
static inline __m128i tile8_load_x86(size_t group, const int8_t *row, size_t k, size_t d)
{
    size_t bytes = 4 * group;
    if (d - k >= bytes)
        return group == 4
                   ? _mm_loadu_si128((const __m128i *)(const void *)(row + k))
                   : _mm_cvtepi8_epi16(_mm_loadl_epi64((const __m128i *)(const void *)(row + k)));
    int8_t tail[16] = {0};
    memcpy(tail, row + k, d - k);
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)tail);
    return group == 4 ? v : _mm_cvtepi8_epi16(v);
}

/* Four groups of rows 0 .. 8, transposed: to[g] has group g of all of them. */
static inline __attribute__((always_inline)) void tile8_transpose8_x86(size_t group,
                                                                       const int8_t *const *row,
                                                                       size_t k, size_t d,
                                                                       __m256i flip, __m256i to[4])
{
    __m256i v[4];
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++)
        v[i] = _mm256_xor_si256(
            flip,
            _mm256_inserti128_si256(_mm256_castsi128_si256(tile8_load_x86(group, row[i], k, d)),
                                    tile8_load_x86(group, row[i + 4], k, d), 1));
    __m256i ab0 = _mm256_unpacklo_epi32(v[0], v[1]), ab2 = _mm256_unpackhi_epi32(v[0], v[1]);
    __m256i cd0 = _mm256_unpacklo_epi32(v[2], v[3]), cd2 = _mm256_unpackhi_epi32(v[2], v[3]);
    to[0] = _mm256_unpacklo_epi64(ab0, cd0);
    to[1] = _mm256_unpackhi_epi64(ab0, cd0);
    to[2] = _mm256_unpacklo_epi64(ab2, cd2);
    to[3] = _mm256_unpackhi_epi64(ab2, cd2);
}

/* Packs eight rows, of which the first `places` have places in the strip. */
static inline __attribute__((always_inline)) void tile8_pack8_x86(size_t group, size_t places,
                                                                  const int8_t *const *row,
                                                                  size_t d, size_t pitch,
                                                                  __m256i flip, uint8_t *out)
{
    const size_t groups = size_blocks(d, group);
    const __m256i mask = _mm256_cmpgt_epi32(_mm256_set1_epi32((int)places),
                                            _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    __m256i to[4];
    for (size_t g = 0; g < groups; g += 4, out += 16 * pitch) {
        tile8_transpose8_x86(group, row, g * group, d, flip, to);
#pragma GCC unroll 4
        for (size_t i = 0; i < 4; i++)
            if (g + i >= groups)
                break;
            else if (places == 8)
                _mm256_storeu_si256((__m256i *)(void *)(out + 4 * i * pitch), to[i]);
            else
                _mm256_maskstore_epi32((int *)(void *)(out + 4 * i * pitch), mask, to[i]);
    }
}

static inline __attribute__((always_inline)) void tile8_pack_x86(size_t group, size_t count,
                                                                 const int8_t *const *row, size_t d,
                                                                 size_t pitch, size_t bias,
                                                                 uint8_t *packed)
{
    const __m256i flip = _mm256_set1_epi8((char)bias);
    for (size_t r = 0; r < pitch; r += 8) {
        const int8_t *eight[8];
        for (size_t i = 0; i < 8; i++)
            eight[i] = row[r + i < count ? r + i : 0];
        if (pitch - r >= 8)
            tile8_pack8_x86(group, 8, eight, d, pitch, flip, packed + 4 * r);
        else
            tile8_pack8_x86(group, pitch - r, eight, d, pitch, flip, packed + 4 * r);
    }
}

#endif
