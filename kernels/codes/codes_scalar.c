/* codes_scalar.c - codes of 8 bits, portable C.
 * SPDX-License-Identifier: MIT
 *
 * For comparison: a search in plain C is not filtered unless a test wants it.
 */
#include "codes_by_rows.h"

#include "../simd/scalar.h"

#include <string.h>

/* To the nearest integer, ties to even, below 2^22. */
static float codes_rint_scalar(float v)
{
    const float magic = 0x1.8p23f;
    return (v + magic) - magic;
}

static struct codes_scale codes_quantize_scalar(size_t d, const float *row, int8_t *codes)
{
    float lane[SIMD_LANES] = {0}, greatest = 0;
    for (size_t k = 0; k < d; k++) {
        float magnitude = fabsf(row[k]);
        lane[k % SIMD_LANES] = fmaf(row[k], row[k], lane[k % SIMD_LANES]);
        greatest = magnitude > greatest ? magnitude : greatest;
    }
    const float norm = codes_root_up(simd_sum64(lane), d);
    memset(codes, 0, codes_row_bytes(d));
    if (!codes_usable(norm))
        return codes_unusable(norm, greatest);
    const float step = greatest / 127, inverse = 127 / greatest;
    memset(lane, 0, sizeof lane);
    for (size_t k = 0; k < d; k++) {
        float code = codes_rint_scalar(row[k] * inverse), left = fmaf(-step, code, row[k]);
        lane[k % SIMD_LANES] = fmaf(left, left, lane[k % SIMD_LANES]);
        codes[k] = (int8_t)code;
    }
    return (struct codes_scale){step, codes_root_up(simd_sum64(lane), d) + norm * 0x1p-24f, norm};
}

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

static int32_t codes_dot_scalar(size_t bytes, const int8_t *a, int32_t start, const int8_t *b)
{
    int32_t sum = start;
    for (size_t k = 0; k < bytes; k++)
        sum += a[k] * b[k];
    return sum;
}

const struct codes_ops codes_ops_scalar = {
    .tile = &tile8_ops_scalar,
    .quantize = codes_quantize_scalar,
    .screen = codes_screen_scalar,
    .dot = codes_dot_scalar,
};
