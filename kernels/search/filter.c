/* filter.c - codes of both sides of a search, and the strips that they decide.
 * SPDX-License-Identifier: MIT
 */
#include "filter.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static_assert((int)CODES_PANEL == (int)SEARCH_STRIP, "a strip is a panel");

void filter_layout(struct filter *filter, size_t batch, struct scratch *scratch)
{
    size_t rows = batch + CODES_MAX_MR;
    filter->held = scratch_take(scratch, batch * filter->d, sizeof(float));
    filter->left = (struct codes_left){
        .codes = scratch_take(scratch, rows, codes_quads(filter->d) * 4),
        .start = scratch_take(scratch, rows, sizeof(int32_t)),
        .per_step = scratch_take(scratch, rows, sizeof(float)),
        .norm = scratch_take(scratch, rows, sizeof(float)),
        .error = scratch_take(scratch, rows, sizeof(float)),
    };
    filter->norm = scratch_take(scratch, rows, sizeof(float));
}

void filter_hold_rows(const struct filter *filter, const struct tile_operand *x, size_t row,
                      size_t rows, float *xx, struct coded_spare *spare, size_t worker,
                      size_t workers)
{
    const struct codes_ops *codes = filter->codes;
    size_t d = filter->d, mr = codes->mr;
    /* Whole strips: what two workers write is not on one cache line most often. */
    for (size_t strip = worker; strip * mr < rows; strip += workers)
        for (size_t r = strip * mr; r < (strip + 1) * mr; r++) {
            struct codes_scale scale = {0, 0, 0};
            if (r < rows) {
                float *held = filter->held + r * d;
                tile_hold_row(filter->isa->tile, d, x, row + r, held, xx != NULL ? &xx[r] : NULL);
                scale = codes->quantize(d, held, spare->codes);
            } else {
                memset(spare->codes, 0, codes_row_bytes(d));
            }
            codes_put_left(codes, d, &filter->left, r, scale, spare->codes);
            filter->norm[r] = scale.norm;
        }
}

size_t filter_strip(const struct filter *filter, const struct coded_rows *coded, size_t row,
                    size_t rows, size_t col, size_t cols, const float *at_least, const float *xx,
                    struct codes_pair *pairs)
{
    float least[TILE_BLOCK_ROWS];
    for (size_t r = 0; xx != NULL && r < rows; r++)
        least[r] = 0.5f * (xx[r] + at_least[r]) - (xx[r] + fabsf(at_least[r])) * 0x1p-21f;
    size_t count =
        filter->codes->screen(codes_quads(filter->d), &filter->left, row, rows, &coded->right, col,
                              cols, xx != NULL, xx != NULL ? least : at_least, pairs);
    /* Where no score can be among the first any more: in a row with a NaN, of which all scores are
     * NaN, and in a zero row, of which all are 0 (or NaN), since the first are there. And where k
     * scores are +Inf, which makes the threshold NaN. */
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        size_t r = pairs[i].row;
        float norm = filter->norm[row + r];
        bool closed = at_least[r] != at_least[r] || norm != norm || (xx == NULL && norm == 0);
        pairs[kept] = pairs[i];
        kept += !closed;
    }
    return kept;
}

bool filter_pair(const struct filter *filter, const struct coded_rows *coded,
                 const struct tile_operand *x, size_t of_x, size_t r, const struct tile_operand *y,
                 size_t of_y, size_t col, float at_least)
{
    const struct pair_ops *pair = filter->isa->pair;
    size_t d = filter->d;
    const float *row = tile_operand_row(y, of_y);
    float norm = filter->norm[r], reach = coded->right.reach[col];
    float spare = CODES_SPARE(d) * 0x1p-24f, upper;
    if (filter->similarity == MMK_NEG_SQ_L2) {
        upper = pair->pair[MMK_NEG_SQ_L2](d, tile_operand_row(x, of_x), row) +
                spare * (norm + reach) * (norm + reach);
    } else {
        upper = pair->pair[MMK_DOT](d, filter->held + r * d, row);
        if (filter->similarity == MMK_COSINE) {
            if (coded->scale[col].power != 1.0f)
                return true;
            upper *= coded->scale[col].inverse;
        }
        upper += spare * norm * reach;
    }
    return !(upper < at_least);
}
