/* tile8_avx2.c - products of int8, AVX2: register tile 6 x 16 of 16-bit pairs.
 * SPDX-License-Identifier: MIT
 *
 * Registers   12 accumulators of 8 sums, 2 of B, 1 broadcast of A, 1 of products: 16 ymm. A panel
 *             is taken in two halves.
 * Bound by    vpmaddwd, of 16 exact products, and a vpaddd for each, as in tile8_avx512.c: twice
 *             the products of the f32 tile where adds have ports of their own, 1.5 times where
 *             there is one port beside those of FMAs.
 */
#include "tile8_avx2.h"

enum { MR = 6, HALF = TILE8_PANEL / 2 };

/* c[r][0..HALF) for the columns of b, a panel or its second half. */
static inline __attribute__((always_inline)) void
tile8_accumulate_avx2(size_t rows, size_t groups, const uint8_t *a, const int32_t *start,
                      const uint8_t *b, int32_t *c, size_t ldc)
{
    __m256i acc[MR][2];
#pragma GCC unroll 6
    for (size_t r = 0; r < rows; r++)
        acc[r][0] = acc[r][1] = _mm256_set1_epi32(start[r]);
    for (size_t g = 0; g < groups; g++, a += 4 * MR, b += 4 * TILE8_PANEL) {
        __m256i b0 = _mm256_loadu_si256((const __m256i *)(const void *)b);
        __m256i b1 = _mm256_loadu_si256((const __m256i *)(const void *)(b + 32));
#pragma GCC unroll 6
        for (size_t r = 0; r < rows; r++) {
            int32_t two;
            memcpy(&two, a + 4 * r, 4);
            __m256i ar = _mm256_set1_epi32(two);
            acc[r][0] = _mm256_add_epi32(acc[r][0], _mm256_madd_epi16(b0, ar));
            acc[r][1] = _mm256_add_epi32(acc[r][1], _mm256_madd_epi16(b1, ar));
        }
    }
#pragma GCC unroll 6
    for (size_t r = 0; r < rows; r++) {
        _mm256_storeu_si256((__m256i *)(void *)(c + r * ldc), acc[r][0]);
        _mm256_storeu_si256((__m256i *)(void *)(c + r * ldc + 8), acc[r][1]);
    }
}

static void tile8_product_avx2(size_t rows, size_t groups, const uint8_t *a, const int32_t *start,
                               const uint8_t *b, int32_t *c, size_t ldc)
{
    for (size_t half = 0; half < 2; half++, b += 4 * HALF, c += HALF)
        if (rows > 2)
            tile8_accumulate_avx2(MR, groups, a, start, b, c, ldc);
        else
            tile8_accumulate_avx2(2, groups, a, start, b, c, ldc);
}

static void tile8_pack_avx2(size_t count, const int8_t *const *row, size_t d, size_t pitch,
                            size_t bias, uint8_t *packed)
{
    tile8_pack_x86(2, count, row, d, pitch, bias, packed);
}

const struct tile8_ops tile8_ops_avx2 = {
    .mr = MR,
    .group = 2,
    .bias = 0,
    .pack = tile8_pack_avx2,
    .product = tile8_product_avx2,
    TILE8_FINISH_AVX2,
};
