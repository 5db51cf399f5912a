/* search_avx512.c - inner loops of fused search, AVX-512.
 * SPDX-License-Identifier: MIT
 *
 * filter_rows     a row is two vcmpps to masks and one store of these: 3 clocks, against 32 d / 64
 *                 for the products. Rows with a hit are listed without a branch, as none could be
 *                 foretold (a branch a row takes 4 % longer in all at k = 100, d = 128); theirs are
 *                 compressed in registers and stored whole (vpcompress to memory is microcode on
 *                 Zen).
 * filter_columns  the same with the thresholds of the 32 columns in two registers; candidates go to
 *                 as many streams as there are hits, one by one.
 */
#include "search.h"

#include "../simd/avx512.h"

enum { STRIP_SCORES = TILE_BLOCK_ROWS * SEARCH_STRIP };

static inline void search_keep_avx512(struct topk_stream *stream, __mmask16 keep, __m512 scores,
                                      __m512i index)
{
    _mm512_storeu_ps(stream->values + stream->count, _mm512_maskz_compress_ps(keep, scores));
    _mm512_storeu_si512(stream->indices + stream->count, _mm512_maskz_compress_epi32(keep, index));
    stream->count += (size_t)__builtin_popcount(keep);
}

/* Numbers of the rows that have a hit. */
static inline size_t search_list_avx512(size_t rows, const uint32_t *keep, uint32_t *list)
{
    const __m512i iota = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    size_t listed = 0;
    for (size_t r = 0; r < rows; r += 16) {
        __mmask16 there = simd_first(rows - r < 16 ? rows - r : 16);
        __m512i masks = _mm512_maskz_loadu_epi32(there, keep + r);
        __mmask16 hit = _mm512_test_epi32_mask(masks, masks);
        __m512i row = _mm512_add_epi32(_mm512_set1_epi32((int)r), iota);
        _mm512_storeu_si512(list + listed, _mm512_maskz_compress_epi32(hit, row));
        listed += (size_t)__builtin_popcount(hit);
    }
    return listed;
}

static size_t search_filter_rows_avx512(const struct search_strip *strip, const float *at_least,
                                        struct topk_stream *streams, uint32_t *full)
{
    uint32_t keep[TILE_BLOCK_ROWS], list[TILE_BLOCK_ROWS + TOPK_PAD];
    const __m512i iota = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i index0 = _mm512_add_epi32(_mm512_set1_epi32((int)strip->first_col), iota);
    const __m512i index1 = _mm512_add_epi32(index0, _mm512_set1_epi32(16));
    const size_t low = strip->cols < 16 ? strip->cols : 16;
    const __mmask16 there0 = simd_first(low), there1 = simd_first(strip->cols - low);
    for (size_t r = 0; r < strip->rows; r++) {
        const float *scores = strip->scores + r * SEARCH_STRIP;
        __m512 t = _mm512_set1_ps(at_least[r]);
        __mmask16 keep0 = _mm512_mask_cmp_ps_mask(there0, _mm512_loadu_ps(scores), t, _CMP_GE_OQ);
        __mmask16 keep1 =
            _mm512_mask_cmp_ps_mask(there1, _mm512_loadu_ps(scores + 16), t, _CMP_GE_OQ);
        _store_mask32((__mmask32 *)&keep[r], _mm512_kunpackw(keep1, keep0));
    }
    size_t full_count = 0, listed = search_list_avx512(strip->rows, keep, list);
    for (size_t h = 0; h < listed; h++) {
        size_t r = list[h];
        const float *scores = strip->scores + r * SEARCH_STRIP;
        struct topk_stream *stream = &streams[r];
        search_keep_avx512(stream, (__mmask16)keep[r], _mm512_loadu_ps(scores), index0);
        search_keep_avx512(stream, (__mmask16)(keep[r] >> 16), _mm512_loadu_ps(scores + 16),
                           index1);
        full[full_count] = (uint32_t)r;
        full_count += search_is_full(stream, SEARCH_ROW_ROOM);
    }
    return full_count;
}

/* First a list of what passes, compressed like a row's; then one loop over it, without a branch
 * that depends on where the hits are: 26 clocks for each of them if it is one loop over rows and
 * bits, some 10 so. */
static size_t search_filter_columns_avx512(const struct search_strip *strip, const float *at_least,
                                           struct topk_stream *streams, uint32_t *full)
{
    enum { ROW_SHIFT = 5, COLUMN = SEARCH_STRIP - 1 }; /* an entry: row * SEARCH_STRIP + column */
    uint32_t hits[STRIP_SCORES + TOPK_PAD];
    const __m512i iota = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512 t0 = _mm512_loadu_ps(at_least), t1 = _mm512_loadu_ps(at_least + 16);
    const size_t low = strip->cols < 16 ? strip->cols : 16;
    const __mmask16 there0 = simd_first(low), there1 = simd_first(strip->cols - low);
    uint32_t touched = 0;
    size_t hit_count = 0, full_count = 0;
    for (size_t r = 0; r < strip->rows; r++) {
        const float *scores = strip->scores + r * SEARCH_STRIP;
        __mmask16 keep0 = _mm512_mask_cmp_ps_mask(there0, _mm512_loadu_ps(scores), t0, _CMP_GE_OQ);
        __mmask16 keep1 =
            _mm512_mask_cmp_ps_mask(there1, _mm512_loadu_ps(scores + 16), t1, _CMP_GE_OQ);
        if (_mm512_kortestz(keep0, keep1))
            continue;
        touched |= _mm512_kunpackw(keep1, keep0);
        __m512i at = _mm512_add_epi32(_mm512_set1_epi32((int)(r * SEARCH_STRIP)), iota);
        _mm512_storeu_si512(hits + hit_count, _mm512_maskz_compress_epi32(keep0, at));
        hit_count += (size_t)__builtin_popcount(keep0);
        at = _mm512_add_epi32(at, _mm512_set1_epi32(16));
        _mm512_storeu_si512(hits + hit_count, _mm512_maskz_compress_epi32(keep1, at));
        hit_count += (size_t)__builtin_popcount(keep1);
    }
    for (size_t h = 0; h < hit_count; h++)
        search_append(&streams[hits[h] & COLUMN], strip->scores[hits[h]],
                      strip->first_row + (hits[h] >> ROW_SHIFT));
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
