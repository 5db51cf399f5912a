/* trees_avx2.h - the trees of many sums together, on __m256 (internal).
 * SPDX-License-Identifier: MIT
 *
 * A row leaves 8 lanes (simd_fold64x8).
 */
#ifndef MMK_SIMD_TREES_AVX2_H
#define MMK_SIMD_TREES_AVX2_H

#include "avx2.h"

/* Rows a and b, 8 -> 4 lanes each: halves a b. */
static inline __m256 join8_avx2(__m256 a, __m256 b)
{
    return _mm256_add_ps(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));
}

/* 4 -> 2 lanes: within every half two of a and two of b. */
static inline __m256 join4_avx2(__m256 a, __m256 b)
{
    __m256d p = _mm256_castps_pd(a);
    __m256d q = _mm256_castps_pd(b);
    return _mm256_add_ps(_mm256_castpd_ps(_mm256_unpacklo_pd(p, q)),
                         _mm256_castpd_ps(_mm256_unpackhi_pd(p, q)));
}

/* 2 -> 1 lane: within every half one of each of four rows. */
static inline __m256 join2_avx2(__m256 a, __m256 b)
{
    return _mm256_add_ps(_mm256_shuffle_ps(a, b, _MM_SHUFFLE(2, 0, 2, 0)),
                         _mm256_shuffle_ps(a, b, _MM_SHUFFLE(3, 1, 3, 1)));
}

/* The trees of 8 rows from 8 lanes each; element r of the result is row r. */
static inline __m256 sum_rows_avx2(const __m256 s[8])
{
    __m256 places01 = join4_avx2(join8_avx2(s[0], s[4]), join8_avx2(s[1], s[5]));
    __m256 places23 = join4_avx2(join8_avx2(s[2], s[6]), join8_avx2(s[3], s[7]));
    return _mm256_add_ps(join2_avx2(places01, places23), _mm256_setzero_ps());
}

#endif
