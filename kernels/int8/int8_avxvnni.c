/* int8_avxvnni.c - rows of MMK_I8, AVX2 with AVX-VNNI.
 * SPDX-License-Identifier: MIT
 *
 * As int8_avx512vnni.c, on 32 columns: vpdpbusd, one side with 128 added, which is taken back.
 *
 * Bound by    loads of a dot product, products of a cosine; a query by L3 or memory.
 */
#include "rows_avx2.h"
#include "table.h"

INT8_INLINE __m256i biased(__m256i v)
{
    return _mm256_xor_si256(v, _mm256_set1_epi8(-128));
}

INT8_INLINE __m256i sum_128(__m256i sum, __m256i v)
{
    return _mm256_dpbusd_avx_epi32(sum, _mm256_set1_epi8(-128), v);
}

INT8_INLINE void pair_step(bool squares, __m256i p, __m256i q, struct int8_pair_sums *s)
{
    __m256i u = biased(q);
    s->pq = _mm256_dpbusd_avx_epi32(s->pq, u, p);
    s->extra_p = sum_128(s->extra_p, p);
    if (!squares)
        return;
    s->qq = _mm256_dpbusd_avx_epi32(s->qq, u, q);
    s->extra_q = sum_128(s->extra_q, q);
    s->pp = _mm256_dpbusd_avx_epi32(s->pp, biased(p), p);
}

INT8_INLINE void row_step(bool squares, __m256i x, __m256i y, struct int8_row_sums *s)
{
    __m256i u = biased(y);
    s->xy = _mm256_dpbusd_avx_epi32(s->xy, u, x);
    if (!squares)
        return;
    s->yy = _mm256_dpbusd_avx_epi32(s->yy, u, y);
    s->extra = sum_128(s->extra, y);
}

INT8_INLINE __m256i start_step(__m256i x, __m256i sum)
{
    return sum_128(sum, x);
}

static const struct int8_way way = {pair_step, row_step, start_step};

INT8_TABLE(avx2, avxvnni, &way);
