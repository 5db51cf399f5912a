/* tile8_avx512vnni.h - the loop of AVX-512 with VNNI over a tile's groups, for products and for
 * screens (internal).
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_TILE8_AVX512VNNI_H
#define MMK_TILE8_AVX512VNNI_H

#include "tile8.h"

#include <immintrin.h>
#include <string.h>

/* acc[r] = start[r] + sum over the groups of a b, of a panel. */
static inline __attribute__((always_inline)) void
tile8_accumulate_avx512vnni(size_t rows, size_t groups, const uint8_t *a, const int32_t *start,
                            const uint8_t *b, __m512i acc[TILE8_MR_AVX512VNNI][2])
{
#pragma GCC unroll 14
    for (size_t r = 0; r < rows; r++)
        acc[r][0] = acc[r][1] = _mm512_set1_epi32(start[r]);
    for (size_t g = 0; g < groups; g++, a += 4 * TILE8_MR_AVX512VNNI, b += 4 * TILE8_PANEL) {
        __m512i b0 = _mm512_loadu_si512(b), b1 = _mm512_loadu_si512(b + 64);
#pragma GCC unroll 14
        for (size_t r = 0; r < rows; r++) {
            int32_t four;
            memcpy(&four, a + 4 * r, 4);
            __m512i ar = _mm512_set1_epi32(four);
            acc[r][0] = _mm512_dpbusd_epi32(acc[r][0], b0, ar);
            acc[r][1] = _mm512_dpbusd_epi32(acc[r][1], b1, ar);
        }
    }
}

#endif
