/* search_neon.c - inner loops of fused search, NEON.
 * SPDX-License-Identifier: MIT
 *
 * A row is eight compares, seven ors and one horizontal maximum; NEON has no compress and no
 * movemask, so a row that passes is walked score by score, which is rare once the thresholds stand.
 */
#include "search.h"

#include "../simd/neon.h"

/* Whether one of 32 scores reaches its threshold. */
static inline bool search_reached_neon(const float *scores, const float32x4_t t[8])
{
    uint32x4_t any = vcgeq_f32(vld1q_f32(scores), t[0]);
#pragma GCC unroll 7
    for (int q = 1; q < 8; q++)
        any = vorrq_u32(any, vcgeq_f32(vld1q_f32(scores + 4 * q), t[q]));
    return vmaxvq_u32(any) != 0;
}

static size_t search_filter_rows_neon(const struct search_strip *strip, const float *at_least,
                                      struct topk_stream *streams, uint32_t *full)
{
    size_t full_count = 0;
    for (size_t r = 0; r < strip->rows; r++) {
        const float *scores = strip->scores + r * SEARCH_STRIP;
        float32x4_t v = vdupq_n_f32(at_least[r]);
        const float32x4_t t[8] = {v, v, v, v, v, v, v, v};
        if (__builtin_expect(!search_reached_neon(scores, t), 1))
            continue;
        for (size_t j = 0; j < strip->cols; j++)
            if (scores[j] >= at_least[r])
                search_append(&streams[r], scores[j], strip->first_col + (uint32_t)j);
        full[full_count] = (uint32_t)r;
        full_count += search_is_full(&streams[r], SEARCH_ROW_ROOM);
    }
    return full_count;
}

static size_t search_filter_columns_neon(const struct search_strip *strip, const float *at_least,
                                         struct topk_stream *streams, uint32_t *full)
{
    float32x4_t t[8];
    for (int q = 0; q < 8; q++)
        t[q] = vld1q_f32(at_least + 4 * q);
    size_t full_count = 0;
    for (size_t r = 0; r < strip->rows; r++) {
        const float *scores = strip->scores + r * SEARCH_STRIP;
        if (!search_reached_neon(scores, t))
            continue;
        for (size_t j = 0; j < strip->cols; j++)
            if (scores[j] >= at_least[j])
                search_append(&streams[j], scores[j], strip->first_row + (uint32_t)r);
    }
    for (size_t j = 0; j < strip->cols; j++)
        if (search_is_full(&streams[j], SEARCH_COLUMN_ROOM))
            full[full_count++] = (uint32_t)j;
    return full_count;
}

const struct search_ops search_ops_neon = {
    .filter_rows = search_filter_rows_neon,
    .filter_columns = search_filter_columns_neon,
};
