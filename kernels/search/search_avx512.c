/* search_avx512.c - inner loops of fused search, AVX-512.
 * SPDX-License-Identifier: MIT
 *
 * filter_rows     a row is two vcmpps to masks, one kortest and a branch that is hardly ever taken once
 *                 the thresholds stand: 3 clocks, against 32 d / 64 for the products. What passes is
 *                 compressed in registers and stored whole (vpcompress to memory is microcode on Zen).
 * filter_columns  the same with the thresholds of the 32 columns in two registers; candidates go to as
 *                 many streams as there are bits, one by one.
 */
#include "search.h"

#include "../simd/avx512.h"

static inline void search_keep_avx512(struct topk_stream *stream, __mmask16 keep, __m512 scores,
                                      __m512i index)
{
    _mm512_storeu_ps(stream->values + stream->count, _mm512_maskz_compress_ps(keep, scores));
    _mm512_storeu_si512(stream->indices + stream->count, _mm512_maskz_compress_epi32(keep, index));
    stream->count += (size_t)__builtin_popcount(keep);
}

static size_t search_filter_rows_avx512(const struct search_strip *strip, const float *at_least,
                                        struct topk_stream *streams, uint32_t *full)
{
    const __m512i iota = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i index = _mm512_add_epi32(_mm512_set1_epi32((int)strip->first_col), iota);
    const size_t low = strip->cols < 16 ? strip->cols : 16;
    const __mmask16 there0 = simd_first(low), there1 = simd_first(strip->cols - low);
    size_t full_count = 0;
    for (size_t r = 0; r < strip->rows; r++) {
        const float *scores = strip->scores + r * SEARCH_STRIP;
        __m512 t = _mm512_set1_ps(at_least[r]);
        __m512 s0 = _mm512_loadu_ps(scores), s1 = _mm512_loadu_ps(scores + 16);
        __mmask16 keep0 = _mm512_mask_cmp_ps_mask(there0, s0, t, _CMP_GE_OQ);
        __mmask16 keep1 = _mm512_mask_cmp_ps_mask(there1, s1, t, _CMP_GE_OQ);
        if (__builtin_expect(_mm512_kortestz(keep0, keep1), 1))
            continue;
        struct topk_stream *stream = &streams[r];
        search_keep_avx512(stream, keep0, s0, index);
        search_keep_avx512(stream, keep1, s1, _mm512_add_epi32(index, _mm512_set1_epi32(16)));
        full[full_count] = (uint32_t)r;
        full_count += search_is_full(stream, SEARCH_ROW_ROOM);
    }
    return full_count;
}

static size_t search_filter_columns_avx512(const struct search_strip *strip, const float *at_least,
                                           struct topk_stream *streams, uint32_t *full)
{
    const __m512 t0 = _mm512_loadu_ps(at_least), t1 = _mm512_loadu_ps(at_least + 16);
    const size_t low = strip->cols < 16 ? strip->cols : 16;
    const __mmask16 there0 = simd_first(low), there1 = simd_first(strip->cols - low);
    uint32_t touched = 0;
    size_t full_count = 0;
    for (size_t r = 0; r < strip->rows; r++) {
        const float *scores = strip->scores + r * SEARCH_STRIP;
        __mmask16 keep0 = _mm512_mask_cmp_ps_mask(there0, _mm512_loadu_ps(scores), t0, _CMP_GE_OQ);
        __mmask16 keep1 =
            _mm512_mask_cmp_ps_mask(there1, _mm512_loadu_ps(scores + 16), t1, _CMP_GE_OQ);
        if (_mm512_kortestz(keep0, keep1))
            continue;
        uint32_t keep = _mm512_kunpackw(keep1, keep0);
        touched |= keep;
        for (; keep != 0; keep &= keep - 1) {
            size_t j = (size_t)__builtin_ctz(keep);
            search_append(&streams[j], scores[j], strip->first_row + (uint32_t)r);
        }
    }
    for (; touched != 0; touched &= touched - 1) {
        size_t j = (size_t)__builtin_ctz(touched);
        full[full_count] = (uint32_t)j;
        full_count += search_is_full(&streams[j], SEARCH_COLUMN_ROOM);
    }
    return full_count;
}

const struct search_ops search_ops_avx512 = {
    .filter_rows = search_filter_rows_avx512,
    .filter_columns = search_filter_columns_avx512,
};
