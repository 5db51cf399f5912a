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

/* Groups g .. g + 4 of rows r .. r + 4 to their places. The places of two rows that a strip has not
 * (its last are two) are those of the next group. */
static inline void tile8_store_x86(__m128i v[4], size_t groups, bool four, uint8_t *out,
                                   size_t pitch)
{
    __m128i ab0 = _mm_unpacklo_epi32(v[0], v[1]), ab2 = _mm_unpackhi_epi32(v[0], v[1]);
    __m128i cd0 = _mm_unpacklo_epi32(v[2], v[3]), cd2 = _mm_unpackhi_epi32(v[2], v[3]);
    const __m128i to[4] = {_mm_unpacklo_epi64(ab0, cd0), _mm_unpackhi_epi64(ab0, cd0),
                           _mm_unpacklo_epi64(ab2, cd2), _mm_unpackhi_epi64(ab2, cd2)};
#pragma GCC unroll 4
    for (size_t g = 0; g < 4; g++) {
        if (g >= groups)
            break;
        if (four)
            _mm_storeu_si128((__m128i *)(void *)(out + g * pitch * 4), to[g]);
        else
            _mm_storel_epi64((__m128i *)(void *)(out + g * pitch * 4), to[g]);
    }
}

static inline __attribute__((always_inline)) void tile8_pack_x86(size_t group, size_t count,
                                                                 const int8_t *const *row, size_t d,
                                                                 size_t pitch, uint8_t bias,
                                                                 uint8_t *packed)
{
    const __m128i flip = _mm_set1_epi8((char)bias);
    const size_t groups = size_blocks(d, group);
    for (size_t r = 0; r < pitch; r += 4)
        for (size_t g = 0; g < groups; g += 4) {
            __m128i v[4];
#pragma GCC unroll 4
            for (size_t i = 0; i < 4; i++) {
                v[i] = r + i < count ? tile8_load_x86(group, row[r + i], g * group, d)
                                     : _mm_setzero_si128();
                v[i] = _mm_xor_si128(v[i], flip);
            }
            tile8_store_x86(v, groups - g, pitch - r >= 4, packed + (g * pitch + r) * 4, pitch);
        }
}

#endif
