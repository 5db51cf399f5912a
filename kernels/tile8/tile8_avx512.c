/* tile8_avx512.c - products of int8, AVX-512 (BW): register tile 14 x 32 of 16-bit pairs.
 * SPDX-License-Identifier: MIT
 *
 * Registers   28 accumulators of 16 sums, 2 of B, 1 broadcast of A, 1 of products: 32 zmm.
 * Bound by    vpmaddwd, of 32 exact products, and a vpaddd for each: 28 of both a step of two
 *             columns against 16 loads. Zen 5 starts two vpmaddwd a clock and adds beside them, so
 *             twice the products of the f32 tile; where both share the ports of FMAs (Intel's),
 *             as many. vpmaddubsw, of bytes, saturates: exact products need as many instructions.
 */
#include "tile8_avx512.h"

enum { MR = 14 };

static inline __attribute__((always_inline)) void
tile8_accumulate_avx512(size_t rows, size_t groups, const uint8_t *a, const int32_t *start,
                        const uint8_t *b, int32_t *c, size_t ldc)
{
    __m512i acc[MR][2];
#pragma GCC unroll 14
    for (size_t r = 0; r < rows; r++)
        acc[r][0] = acc[r][1] = _mm512_set1_epi32(start[r]);
    for (size_t g = 0; g < groups; g++, a += 4 * MR, b += 4 * TILE8_PANEL) {
        __m512i b0 = _mm512_loadu_si512(b), b1 = _mm512_loadu_si512(b + 64);
#pragma GCC unroll 14
        for (size_t r = 0; r < rows; r++) {
            int32_t two;
            memcpy(&two, a + 4 * r, 4);
            __m512i ar = _mm512_set1_epi32(two);
            acc[r][0] = _mm512_add_epi32(acc[r][0], _mm512_madd_epi16(b0, ar));
            acc[r][1] = _mm512_add_epi32(acc[r][1], _mm512_madd_epi16(b1, ar));
        }
    }
#pragma GCC unroll 14
    for (size_t r = 0; r < rows; r++) {
        _mm512_storeu_si512(c + r * ldc, acc[r][0]);
        _mm512_storeu_si512(c + r * ldc + 16, acc[r][1]);
    }
}

static void tile8_product_avx512(size_t rows, size_t groups, const uint8_t *a, const int32_t *start,
                                 const uint8_t *b, int32_t *c, size_t ldc)
{
    if (rows > 8)
        tile8_accumulate_avx512(MR, groups, a, start, b, c, ldc);
    else
        tile8_accumulate_avx512(8, groups, a, start, b, c, ldc);
}

static void tile8_pack_avx512(size_t count, const int8_t *const *row, size_t d, size_t pitch,
                              size_t bias, uint8_t *packed)
{
    tile8_pack_x86(2, count, row, d, pitch, bias, packed);
}

const struct tile8_ops tile8_ops_avx512 = {
    .mr = MR,
    .group = 2,
    .bias = 0,
    .pack = tile8_pack_avx512,
    .product = tile8_product_avx512,
    TILE8_FINISH_AVX512,
};
