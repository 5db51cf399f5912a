/* filter.c - codes of both sides of a search, and the strips that they decide.
 * SPDX-License-Identifier: MIT
 */
#include "filter.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static_assert((int)CODES_PANEL == (int)SEARCH_STRIP, "a strip is a panel");

static void left_layout(struct codes_left *left, size_t rows, size_t d, struct scratch *scratch)
{
    *left = (struct codes_left){
        .codes = scratch_take(scratch, rows, codes_quads(d) * 4),
        .start = scratch_take(scratch, rows, sizeof(int32_t)),
        .per_step = scratch_take(scratch, rows, sizeof(float)),
        .norm = scratch_take(scratch, rows, sizeof(float)),
        .error = scratch_take(scratch, rows, sizeof(float)),
    };
}

void filter_layout(struct filter *filter, size_t batch, struct scratch *scratch)
{
    size_t rows = batch + CODES_MAX_MR;
    filter->held = scratch_take(scratch, batch * filter->d, sizeof(float));
    left_layout(&filter->left, rows, filter->d, scratch);
    filter->norm = scratch_take(scratch, rows, sizeof(float));
    if (filter->levels == NULL)
        return;
    filter->rows = scratch_take(scratch, rows, codes_row_bytes(filter->d));
    left_layout(&filter->prefix, rows, filter->levels->p + 1, scratch);
    filter->shift = scratch_take(scratch, rows, sizeof(double));
}

/* What levels need of row r, whose codes are there; held: the row, NULL for one that fills up. */
static void hold_prefix(const struct filter *filter, size_t r, const float *held,
                        struct codes_scale whole, const int8_t *codes)
{
    size_t columns = filter->levels->p + 1, pitch = codes_row_bytes(filter->d);
    float u[LEVELS_MOST + 1];
    int8_t prefix[LEVELS_MOST + 1] = {0};
    struct codes_scale scale = {0, 0, 0};
    memcpy(filter->rows + r * pitch, codes, pitch);
    filter->shift[r] = 0;
    if (held != NULL && codes_usable(whole.norm)) {
        filter->shift[r] = levels_left(filter->levels, filter->isa, filter->d, held, whole.norm, u);
        scale = codes_quantize(filter->codes, columns, u, prefix);
    }
    codes_put_left(filter->codes, columns, &filter->prefix, r, scale, prefix);
}

void filter_hold_rows(const struct filter *filter, const struct tile_operand *x, float *xx,
                      struct coded_spare *spare, size_t worker, size_t workers)
{
    const struct codes_ops *codes = filter->codes;
    size_t d = filter->d, mr = codes->tile->mr, rows = x->rows;
    /* Whole strips: what two workers write is not on one cache line most often. */
    for (size_t strip = worker; strip * mr < rows; strip += workers)
        for (size_t r = strip * mr; r < (strip + 1) * mr; r++) {
            struct codes_scale scale = {0, 0, 0};
            float *held = r < rows ? filter->held + r * d : NULL;
            if (held != NULL) {
                tile_hold_row(filter->isa->tile, d, x, r, held, xx != NULL ? &xx[r] : NULL);
                scale = codes_quantize(codes, d, held, spare->codes);
            } else {
                memset(spare->codes, 0, codes_row_bytes(d));
            }
            codes_put_left(codes, d, &filter->left, r, scale, spare->codes);
            filter->norm[r] = scale.norm;
            if (filter->levels != NULL)
                hold_prefix(filter, r, held, scale, spare->codes);
        }
}

/* What products must reach for their scores to reach at_least. */
static const float *products_wanted(size_t rows, const float *at_least, const float *xx,
                                    float *least)
{
    if (xx == NULL)
        return at_least;
    for (size_t r = 0; r < rows; r++)
        least[r] = 0.5f * (xx[r] + at_least[r]) - (xx[r] + fabsf(at_least[r])) * 0x1p-21f;
    return least;
}

/* Drops pairs where no score can be among the first any more: in a row with a NaN, of which
 * all scores are NaN, since the first of them are there; in a zero row, of which all are 0 or
 * NaN, if the first are 0; and where k scores are +Inf, which makes the threshold NaN. */
static size_t drop_closed(const struct filter *filter, size_t row, const float *at_least,
                          const float *xx, struct codes_pair *pairs, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        size_t r = pairs[i].row;
        float norm = filter->norm[row + r];
        bool closed = at_least[r] != at_least[r] || norm != norm ||
                      (xx == NULL && norm == 0 && at_least[r] >= 0);
        pairs[kept] = pairs[i];
        kept += !closed;
    }
    return kept;
}

size_t filter_strip(const struct filter *filter, const struct coded_rows *coded, size_t row,
                    size_t rows, size_t col, size_t cols, const float *at_least, const float *xx,
                    struct codes_pair *pairs)
{
    float spare[TILE_BLOCK_ROWS];
    const float *least = products_wanted(rows, at_least, xx, spare);
    size_t count = filter->codes->screen(codes_quads(filter->d), &filter->left, row, rows,
                                         &coded->right, col, cols, xx != NULL, least, pairs);
    return drop_closed(filter, row, at_least, xx, pairs, count);
}

size_t filter_prefixes(const struct filter *filter, const struct coded_rows *coded, size_t row,
                       size_t rows, size_t col, size_t cols, const float *at_least, const float *xx,
                       struct codes_pair *pairs)
{
    float spare[TILE_BLOCK_ROWS], least[TILE_BLOCK_ROWS];
    const float *wanted = products_wanted(rows, at_least, xx, spare);
    for (size_t r = 0; r < rows; r++) {
        double w = (double)wanted[r], shift = filter->shift[row + r];
        least[r] = isinf(w) ? wanted[r] : (float)(w - shift - (fabs(w) + fabs(shift)) * 0x1p-22);
    }
    size_t count = filter->codes->screen(codes_quads(filter->levels->p + 1), &filter->prefix, row,
                                         rows, &coded->prefix, col, cols, xx != NULL, least, pairs);
    return drop_closed(filter, row, at_least, xx, pairs, count);
}

size_t filter_whole_rows(const struct filter *filter, const struct coded_rows *coded, size_t row,
                         size_t rows, size_t col, const float *at_least, const float *xx,
                         struct codes_pair *pairs, size_t count)
{
    const struct codes_left *left = &filter->left;
    const struct codes_right *right = &coded->right;
    size_t pitch = codes_row_bytes(filter->d), kept = 0;
    float spare[TILE_BLOCK_ROWS];
    const float *least = products_wanted(rows, at_least, xx, spare);
    for (size_t i = 0; i < count; i++) {
        size_t r = row + pairs[i].row, j = col + pairs[i].col;
        int32_t sum =
            filter->isa->int8->dot(pitch, filter->rows + r * pitch, coded->rows + j * pitch);
        /* the bound of codes.h, as the screen of a strip has it */
        float upper = left->norm[r] * right->off[j] +
                      left->error[r / filter->codes->tile->mr] * right->reach[j];
        float wanted = least[pairs[i].row] * left->per_step[r];
        if (xx != NULL)
            upper += left->per_step[r] * right->add[j];
        upper += (float)sum * right->step[j];
        wanted *= wanted > 0 ? 1 - 0x1p-20f : 1 + 0x1p-20f;
        pairs[kept] = pairs[i];
        kept += !(upper < wanted);
    }
    return kept;
}

bool filter_pair(const struct filter *filter, const struct coded_rows *coded,
                 const struct tile_operand *x, size_t r, const struct tile_operand *y, size_t of_y,
                 size_t col, float at_least)
{
    const struct pair_ops *pair = filter->isa->pair;
    size_t d = filter->d;
    const float *row = tile_widened_row(y, of_y, d, y->window);
    float norm = filter->norm[r], reach = coded->right.reach[col];
    float spare = CODES_SPARE(d) * 0x1p-24f, upper;
    if (filter->similarity == MMK_NEG_SQ_L2) {
        upper = pair->pair[MMK_NEG_SQ_L2](d, tile_operand_row(x, r), row) +
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
