/* bf16_avx512.c - rows of bf16, AVX-512 (BW).
 * SPDX-License-Identifier: MIT
 *
 * The even elements of 32 become floats by a shift, the odd ones by a mask, and each half is an
 * FMA of its own. Whether a row is plain takes three operations a vector more. A block of 128 of a
 * pair is 8 loads, 16 operations to widen, 24 to look and 8 FMAs, of a cosine 24.
 */
#include "flushed.h"
#include "rows_avx512.h"

BF16_INLINE __m512 even(__m512i v)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(v, 16));
}

BF16_INLINE __m512 odd(__m512i v)
{
    return _mm512_castsi512_ps(_mm512_and_si512(v, _mm512_set1_epi32((int)0xffff0000u)));
}

BF16_INLINE __m512 add(__m512 lanes, __m512i x, __m512i y)
{
    return _mm512_fmadd_ps(even(x), even(y), _mm512_fmadd_ps(odd(x), odd(y), lanes));
}

BF16_INLINE __m512i size(__m512i v)
{
    return _mm512_sub_epi16(_mm512_add_epi16(v, v), _mm512_set1_epi16(1));
}

BF16_INLINE bool is_rare(__m512i least)
{
    return _mm512_cmplt_epu16_mask(least, _mm512_set1_epi16((short)BF16_PLAIN_LEAST)) != 0;
}

static const struct bf16_way way = {
    .add = add, .size = size, .is_rare = is_rare, .flushed = bf16_flushed_dot};

BF16_TABLE_AVX512(avx512, &way);
