/* trees_avx512.h - the trees of many sums together, on __m512 (internal).
 * SPDX-License-Identifier: MIT
 *
 * A row leaves 16 lanes (simd_fold64x16), whose tree is 4 adds and as many shuffles, each waiting
 * for the one before. Of 16 rows together it is 15 adds and 30 shuffles.
 */
#ifndef MMK_SIMD_TREES_AVX512_H
#define MMK_SIMD_TREES_AVX512_H

#include "avx512.h"

/* Rows a and b, 16 -> 8 lanes each: blocks of 4 lanes a a b b. */
static inline __m512 join16_avx512(__m512 a, __m512 b)
{
    return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, _MM_SHUFFLE(1, 0, 1, 0)),
                         _mm512_shuffle_f32x4(a, b, _MM_SHUFFLE(3, 2, 3, 2)));
}

/* a a b b and c c e e, 8 -> 4 lanes each: blocks a b c e. */
static inline __m512 join8_avx512(__m512 ab, __m512 ce)
{
    return _mm512_add_ps(_mm512_shuffle_f32x4(ab, ce, _MM_SHUFFLE(2, 0, 2, 0)),
                         _mm512_shuffle_f32x4(ab, ce, _MM_SHUFFLE(3, 1, 3, 1)));
}

/* 4 -> 2 lanes: within every block two of a and two of b. */
static inline __m512 join4_avx512(__m512 a, __m512 b)
{
    __m512d p = _mm512_castps_pd(a);
    __m512d q = _mm512_castps_pd(b);
    return _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(p, q)),
                         _mm512_castpd_ps(_mm512_unpackhi_pd(p, q)));
}

/* 2 -> 1 lane: within every block one of each of four rows. */
static inline __m512 join2_avx512(__m512 a, __m512 b)
{
    return _mm512_add_ps(_mm512_shuffle_ps(a, b, _MM_SHUFFLE(2, 0, 2, 0)),
                         _mm512_shuffle_ps(a, b, _MM_SHUFFLE(3, 1, 3, 1)));
}

/* 16 rows, 16 -> 1 lane each. Element 4 block + place of the result is that row. */
static inline __m512 sum_rows_avx512(const __m512 s[16])
{
    __m512 place0 = join8_avx512(join16_avx512(s[0], s[4]), join16_avx512(s[8], s[12]));
    __m512 place1 = join8_avx512(join16_avx512(s[1], s[5]), join16_avx512(s[9], s[13]));
    __m512 place2 = join8_avx512(join16_avx512(s[2], s[6]), join16_avx512(s[10], s[14]));
    __m512 place3 = join8_avx512(join16_avx512(s[3], s[7]), join16_avx512(s[11], s[15]));
    __m512 t = join2_avx512(join4_avx512(place0, place1), join4_avx512(place2, place3));
    return _mm512_add_ps(t, _mm512_setzero_ps());
}

/* One sum of each of three rows of 16 lanes, -0 as it is: in element 0 of the first block of a,
 * the second of b, the third of c. */
static inline __m512 sum_three_avx512(__m512 a, __m512 b, __m512 c)
{
    /* 8 lanes, as blocks of 4: a a b b, and c c - - */
    __m512 ab = join16_avx512(a, b);
    __m512 cc = _mm512_add_ps(c, _mm512_shuffle_f32x4(c, c, _MM_SHUFFLE(3, 2, 3, 2)));
    /* 4 lanes: a b c c */
    __m512 t = _mm512_add_ps(_mm512_shuffle_f32x4(ab, cc, _MM_SHUFFLE(0, 0, 2, 0)),
                             _mm512_shuffle_f32x4(ab, cc, _MM_SHUFFLE(1, 1, 3, 1)));
    t = _mm512_add_ps(t, _mm512_permute_ps(t, _MM_SHUFFLE(1, 0, 3, 2)));
    return _mm512_add_ps(t, _mm512_permute_ps(t, _MM_SHUFFLE(2, 3, 0, 1)));
}

#endif
