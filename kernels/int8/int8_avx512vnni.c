/* int8_avx512vnni.c - rows of MMK_I8, AVX-512 with VNNI.
 * SPDX-License-Identifier: MIT
 *
 * vpdpbusd multiplies 64 bytes without a sign by 64 with one, and Zen 5 starts two a clock. The
 * left ones get 128 added, all by a xor, and 128 times the sum of the right ones is taken back: of
 * a pair by a product with bytes of 128, of a query once, for its x is the right side.
 *
 *                 a vector of 64 columns                bound
 *   dot pair      2 loads, 2 products, 1 xor            loads; below 1,000 columns the tree
 *   cosine pair   2 loads, 5 products, 2 xors           products; then root and division
 *   dot query     1.25 loads, 1 product, 1 xor          L2, L3 or memory
 *   cosine query  1.25 loads, 3 products, 1 xor         L3 or memory
 */
#include "rows_avx512.h"
#include "table.h"

INT8_INLINE __m512i biased(__m512i v)
{
    return _mm512_xor_si512(v, _mm512_set1_epi8(-128));
}

INT8_INLINE __m512i sum_128(__m512i sum, __m512i v)
{
    return _mm512_dpbusd_epi32(sum, _mm512_set1_epi8(-128), v);
}

INT8_INLINE void pair_step(bool squares, __m512i p, __m512i q, struct int8_pair_sums *s)
{
    __m512i u = biased(q);
    s->pq = _mm512_dpbusd_epi32(s->pq, u, p);
    s->extra_p = sum_128(s->extra_p, p);
    if (!squares)
        return;
    s->qq = _mm512_dpbusd_epi32(s->qq, u, q);
    s->extra_q = sum_128(s->extra_q, q);
    s->pp = _mm512_dpbusd_epi32(s->pp, biased(p), p);
}

INT8_INLINE void row_step(bool squares, __m512i x, __m512i y, struct int8_row_sums *s)
{
    __m512i u = biased(y);
    s->xy = _mm512_dpbusd_epi32(s->xy, u, x);
    if (!squares)
        return;
    s->yy = _mm512_dpbusd_epi32(s->yy, u, y);
    s->extra = sum_128(s->extra, y);
}

INT8_INLINE __m512i start_step(__m512i x, __m512i sum)
{
    return sum_128(sum, x);
}

static const struct int8_way way = {pair_step, row_step, start_step};

INT8_TABLE(avx512, avx512vnni, &way);
