/* int8_avx512.c - rows of MMK_I8, AVX-512 (BW).
 * SPDX-License-Identifier: MIT
 *
 * Bytes become words with a sign, those of odd columns by one shift, those of even columns by two,
 * and vpmaddwd multiplies 32 of them and adds two and two: at most 2 128 128. A vector of 64
 * columns takes 3 shifts, 2 products and 2 adds; the cosine of a pair 6, 6 and 6.
 *
 * Bound by    shifts and adds, which have two ports on Zen 5; a query by memory, and beyond L2 the
 *             dot product by L3.
 */
#include "rows_avx512.h"
#include "table.h"

struct words {
    __m512i even, odd;
};

INT8_INLINE struct words words_of(__m512i v)
{
    return (struct words){_mm512_srai_epi16(_mm512_slli_epi16(v, 8), 8), _mm512_srai_epi16(v, 8)};
}

INT8_INLINE __m512i add_products(__m512i sum, struct words p, struct words q)
{
    return _mm512_add_epi32(
        sum, _mm512_add_epi32(_mm512_madd_epi16(p.even, q.even), _mm512_madd_epi16(p.odd, q.odd)));
}

INT8_INLINE void pair_step(bool squares, __m512i p, __m512i q, struct int8_pair_sums *s)
{
    struct words pw = words_of(p), qw = words_of(q);
    s->pq = add_products(s->pq, pw, qw);
    if (!squares)
        return;
    s->pp = add_products(s->pp, pw, pw);
    s->qq = add_products(s->qq, qw, qw);
}

INT8_INLINE void row_step(bool squares, __m512i x, __m512i y, struct int8_row_sums *s)
{
    struct words yw = words_of(y);
    s->xy = add_products(s->xy, words_of(x), yw);
    if (squares)
        s->yy = add_products(s->yy, yw, yw);
}

INT8_INLINE __m512i start_step(__m512i x, __m512i sum)
{
    (void)x;
    return sum; /* signed products start at 0 */
}

static const struct int8_way way = {pair_step, row_step, start_step};

INT8_TABLE(avx512, avx512, &way);
