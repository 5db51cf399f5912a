/* int8_avx2.c - rows of MMK_I8, AVX2.
 * SPDX-License-Identifier: MIT
 *
 * As int8_avx512.c, on 32 columns: bytes become words, which vpmaddwd multiplies and adds two and
 * two. (vpmaddubsw takes bytes, but saturates.)
 *
 * Bound by    shifts and adds; a query by L3 or memory.
 */
#include "rows_avx2.h"
#include "table.h"

struct words {
    __m256i even, odd;
};

INT8_INLINE struct words words_of(__m256i v)
{
    return (struct words){_mm256_srai_epi16(_mm256_slli_epi16(v, 8), 8), _mm256_srai_epi16(v, 8)};
}

INT8_INLINE __m256i add_products(__m256i sum, struct words p, struct words q)
{
    return _mm256_add_epi32(
        sum, _mm256_add_epi32(_mm256_madd_epi16(p.even, q.even), _mm256_madd_epi16(p.odd, q.odd)));
}

INT8_INLINE void pair_step(bool squares, __m256i p, __m256i q, struct int8_pair_sums *s)
{
    struct words pw = words_of(p), qw = words_of(q);
    s->pq = add_products(s->pq, pw, qw);
    if (!squares)
        return;
    s->pp = add_products(s->pp, pw, pw);
    s->qq = add_products(s->qq, qw, qw);
}

INT8_INLINE void row_step(bool squares, __m256i x, __m256i y, struct int8_row_sums *s)
{
    struct words yw = words_of(y);
    s->xy = add_products(s->xy, words_of(x), yw);
    if (squares)
        s->yy = add_products(s->yy, yw, yw);
}

INT8_INLINE __m256i start_step(__m256i x, __m256i sum)
{
    (void)x;
    return sum; /* signed products start at 0 */
}

static const struct int8_way way = {pair_step, row_step, start_step};

INT8_TABLE(avx2, avx2, &way);
