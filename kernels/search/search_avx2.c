/* search_avx2.c - inner loops of fused search, AVX2.
 * SPDX-License-Identifier: MIT
 *
 * A row is four vcmpps, three vorps and a vtestps; AVX2 has no compress, so what passes is appended
 * bit by bit, which is rare once the thresholds stand.
 */
#include "search.h"

#include "../simd/avx2.h"

/* Bit j: score j of 32 reaches its threshold. */
static inline uint32_t search_reached_avx2(const float *scores, const __m256 t[4])
{
    __m256 r0 = _mm256_cmp_ps(_mm256_loadu_ps(scores), t[0], _CMP_GE_OQ);
    __m256 r1 = _mm256_cmp_ps(_mm256_loadu_ps(scores + 8), t[1], _CMP_GE_OQ);
    __m256 r2 = _mm256_cmp_ps(_mm256_loadu_ps(scores + 16), t[2], _CMP_GE_OQ);
    __m256 r3 = _mm256_cmp_ps(_mm256_loadu_ps(scores + 24), t[3], _CMP_GE_OQ);
    __m256 any = _mm256_or_ps(_mm256_or_ps(r0, r1), _mm256_or_ps(r2, r3));
    if (__builtin_expect(_mm256_testz_ps(any, any), 1))
        return 0;
    return (uint32_t)_mm256_movemask_ps(r0) | (uint32_t)_mm256_movemask_ps(r1) << 8 |
           (uint32_t)_mm256_movemask_ps(r2) << 16 | (uint32_t)_mm256_movemask_ps(r3) << 24;
}

static inline uint32_t search_columns_avx2(size_t cols)
{
    return cols < 32 ? (1u << cols) - 1u : UINT32_MAX;
}

static size_t search_filter_rows_avx2(const struct search_strip *strip, const float *at_least,
                                      struct topk_stream *streams, uint32_t *full)
{
    const uint32_t there = search_columns_avx2(strip->cols);
    size_t full_count = 0;
    for (size_t r = 0; r < strip->rows; r++) {
        const float *scores = strip->scores + r * SEARCH_STRIP;
        __m256 v = _mm256_broadcast_ss(at_least + r);
        const __m256 t[4] = {v, v, v, v};
        uint32_t keep = search_reached_avx2(scores, t) & there;
        if (keep == 0)
            continue;
        for (; keep != 0; keep &= keep - 1) {
            uint32_t j = (uint32_t)__builtin_ctz(keep);
            search_append(&streams[r], scores[j], strip->first_col + j);
        }
        full[full_count] = (uint32_t)r;
        full_count += search_is_full(&streams[r], SEARCH_ROW_ROOM);
    }
    return full_count;
}

static size_t search_filter_columns_avx2(const struct search_strip *strip, const float *at_least,
                                         struct topk_stream *streams, uint32_t *full)
{
    const uint32_t there = search_columns_avx2(strip->cols);
    const __m256 t[4] = {_mm256_loadu_ps(at_least), _mm256_loadu_ps(at_least + 8),
                         _mm256_loadu_ps(at_least + 16), _mm256_loadu_ps(at_least + 24)};
    uint32_t touched = 0;
    size_t full_count = 0;
    for (size_t r = 0; r < strip->rows; r++) {
        const float *scores = strip->scores + r * SEARCH_STRIP;
        uint32_t keep = search_reached_avx2(scores, t) & there;
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

const struct search_ops search_ops_avx2 = {
    .filter_rows = search_filter_rows_avx2,
    .filter_columns = search_filter_columns_avx2,
};
