/* tile8_avxvnni.c - products of int8, AVX2 with AVX-VNNI: register tile 6 x 16.
 * SPDX-License-Identifier: MIT
 *
 * Registers   12 accumulators of 8 sums, 2 of B, 1 broadcast of A: 15 of 16 ymm. A panel is taken
 *             in two halves.
 * Bound by    vpdpbusd, of 32 products: 12 a step of four columns against 8 loads. Where it starts
 *             as often as FMAs do these are four times the products of the f32 tile.
 * Signs       as in tile8_avx512vnni.c: B has 128 added.
 */
#include "tile8_avx2.h"

enum { MR = TILE8_MR_AVXVNNI, HALF = TILE8_PANEL / 2 };

/* c[r][0..HALF) for the columns of b, a panel or its second half. */
static inline __attribute__((always_inline)) void
tile8_accumulate_avxvnni(size_t rows, size_t groups, const uint8_t *a, const int32_t *start,
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
            int32_t four;
            memcpy(&four, a + 4 * r, 4);
            __m256i ar = _mm256_set1_epi32(four);
            acc[r][0] = _mm256_dpbusd_avx_epi32(acc[r][0], b0, ar);
            acc[r][1] = _mm256_dpbusd_avx_epi32(acc[r][1], b1, ar);
        }
    }
#pragma GCC unroll 6
    for (size_t r = 0; r < rows; r++) {
        _mm256_storeu_si256((__m256i *)(void *)(c + r * ldc), acc[r][0]);
        _mm256_storeu_si256((__m256i *)(void *)(c + r * ldc + 8), acc[r][1]);
    }
}

static void tile8_product_avxvnni(size_t rows, size_t groups, const uint8_t *a,
                                  const int32_t *start, const uint8_t *b, int32_t *c, size_t ldc)
{
    for (size_t half = 0; half < 2; half++, b += 4 * HALF, c += HALF)
        if (rows > 2)
            tile8_accumulate_avxvnni(MR, groups, a, start, b, c, ldc);
        else
            tile8_accumulate_avxvnni(2, groups, a, start, b, c, ldc);
}

static void tile8_pack_avxvnni(size_t count, const int8_t *const *row, size_t d, size_t pitch,
                               size_t bias, uint8_t *packed)
{
    tile8_pack_x86(4, count, row, d, pitch, bias, packed);
}

static int32_t tile8_sum_avxvnni(size_t d, const int8_t *row)
{
    const __m128i ones = _mm_set1_epi8(1);
    __m128i sum = _mm_setzero_si128();
    for (size_t k = 0; k < d; k += 16)
        sum = _mm_dpbusd_avx_epi32(sum, ones, tile8_load_x86(4, row, k, d));
    sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4e));
    return _mm_cvtsi128_si32(sum) + _mm_extract_epi32(sum, 1);
}

const struct tile8_ops tile8_ops_avxvnni = {
    .mr = MR,
    .group = 4,
    .bias = 128,
    .pack = tile8_pack_avxvnni,
    .sum = tile8_sum_avxvnni,
    .product = tile8_product_avxvnni,
    TILE8_FINISH_AVX2,
};
