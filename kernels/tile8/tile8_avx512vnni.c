/* tile8_avx512vnni.c - products of int8, AVX-512 with VNNI: register tile 14 x 32.
 * SPDX-License-Identifier: MIT
 *
 * Registers   28 accumulators of 16 sums, 2 of B, 1 broadcast of A: 31 of 32 zmm.
 * Bound by    vpdpbusd, of 64 products: 28 a step of four columns against 16 loads. Zen 5 starts
 *             two a clock, as many as FMAs, so four times the products of the f32 tile.
 * Signs       vpdpbusd multiplies unsigned by signed bytes: B has 128 added, which the start of the
 *             sums takes back. On the way a sum is that of the columns that are done, and of -128
 *             times the codes of A of the others: below 128 128 d, too.
 */
#include "tile8_avx512vnni.h"

#include "tile8_avx512.h"

enum { MR = TILE8_MR_AVX512VNNI };

static inline __attribute__((always_inline)) void
tile8_rows_avx512vnni(size_t rows, size_t groups, const uint8_t *a, const int32_t *start,
                      const uint8_t *b, int32_t *c, size_t ldc)
{
    __m512i acc[MR][2];
    tile8_accumulate_avx512vnni(rows, groups, a, start, b, acc);
#pragma GCC unroll 14
    for (size_t r = 0; r < rows; r++) {
        _mm512_storeu_si512(c + r * ldc, acc[r][0]);
        _mm512_storeu_si512(c + r * ldc + 16, acc[r][1]);
    }
}

static void tile8_product_avx512vnni(size_t rows, size_t groups, const uint8_t *a,
                                     const int32_t *start, const uint8_t *b, int32_t *c, size_t ldc)
{
    if (rows > 8)
        tile8_rows_avx512vnni(MR, groups, a, start, b, c, ldc);
    else
        tile8_rows_avx512vnni(8, groups, a, start, b, c, ldc);
}

static void tile8_pack_avx512vnni(size_t count, const int8_t *const *row, size_t d, size_t pitch,
                                  size_t bias, uint8_t *packed)
{
    tile8_pack_x86(4, count, row, d, pitch, bias, packed);
}

static int32_t tile8_sum_avx512vnni(size_t d, const int8_t *row)
{
    const __m512i ones = _mm512_set1_epi8(1);
    __m512i sum = _mm512_setzero_si512();
    for (; d >= 64; d -= 64, row += 64)
        sum = _mm512_dpbusd_epi32(sum, ones, _mm512_loadu_si512(row));
    const __mmask64 here = ((__mmask64)1 << d) - 1;
    sum = _mm512_dpbusd_epi32(sum, ones, _mm512_maskz_loadu_epi8(here, row));
    return _mm512_reduce_add_epi32(sum);
}

const struct tile8_ops tile8_ops_avx512vnni = {
    .mr = MR,
    .group = 4,
    .bias = 128,
    .pack = tile8_pack_avx512vnni,
    .sum = tile8_sum_avx512vnni,
    .product = tile8_product_avx512vnni,
    TILE8_FINISH_AVX512,
};
