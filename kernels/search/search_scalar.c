/* search_scalar.c - inner loops of fused search in portable C.
 * SPDX-License-Identifier: MIT
 *
 * The greatest score of a row decides whether it is looked at again: a loop without branches, of
 * which a compiler may make vectors.
 */
#include "search.h"

#include "../simd/scalar.h"

static size_t search_filter_rows_scalar(const struct search_strip *strip, const float *at_least,
                                        struct topk_stream *streams, uint32_t *full)
{
    size_t full_count = 0;
    for (size_t r = 0; r < strip->rows; r++) {
        const float *scores = strip->scores + r * SEARCH_STRIP;
        float greatest = -INFINITY;
        for (size_t j = 0; j < strip->cols; j++)
            greatest = simd_max(scores[j], greatest);
        if (!(greatest >= at_least[r]))
            continue;
        for (size_t j = 0; j < strip->cols; j++)
            if (scores[j] >= at_least[r])
                search_append(&streams[r], scores[j], strip->first_col + (uint32_t)j);
        if (search_is_full(&streams[r], SEARCH_ROW_ROOM))
            full[full_count++] = (uint32_t)r;
    }
    return full_count;
}

static size_t search_filter_columns_scalar(const struct search_strip *strip, const float *at_least,
                                           struct topk_stream *streams, uint32_t *full)
{
    size_t full_count = 0;
    for (size_t r = 0; r < strip->rows; r++) {
        const float *scores = strip->scores + r * SEARCH_STRIP;
        unsigned reached = 0;
        for (size_t j = 0; j < strip->cols; j++)
            reached |= scores[j] >= at_least[j];
        if (!reached)
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

const struct search_ops search_ops_scalar = {
    .filter_rows = search_filter_rows_scalar,
    .filter_columns = search_filter_columns_scalar,
};
