/* codes_scalar.c - codes of 8 bits, portable C.
 * SPDX-License-Identifier: MIT
 *
 * For comparison: a search in plain C is not filtered unless a test wants it.
 */
#include "codes_by_rows.h"

static uint32_t codes_pass_scalar(const int32_t *c, const struct codes_row *row)
{
    uint32_t pass = 0;
    for (size_t j = 0; j < CODES_PANEL; j++) {
        float upper = row->norm * row->off[j] + row->base[j];
        upper += row->adds ? row->per_step * row->add[j] : 0;
        upper += (float)c[j] * row->step[j];
        pass |= (uint32_t) !(upper < row->least) << j;
    }
    return pass;
}

static size_t codes_screen_scalar(size_t quads, const struct codes_left *left, size_t first,
                                  size_t rows, const struct codes_right *right, size_t col,
                                  size_t cols, bool adds, const float *least,
                                  struct codes_pair *pairs)
{
    return codes_screen_by_rows(TILE8_MR_SCALAR, &tile8_ops_scalar, codes_pass_scalar, quads, left,
                                first, rows, right, col, cols, adds, least, pairs);
}

const struct codes_ops codes_ops_scalar = {
    .tile = &tile8_ops_scalar,
    .quantize = &quantize_ops_scalar,
    .screen = codes_screen_scalar,
};
