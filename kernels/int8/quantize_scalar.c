/* quantize_scalar.c - rows of floats to codes, portable C.
 * SPDX-License-Identifier: MIT
 */
#include "quantize.h"

#include "../call/size.h"
#include "../simd/scalar.h"

/* To the nearest integer, ties to even, below 2^22. */
static float quantize_rint_scalar(float v)
{
    const float magic = 0x1.8p23f;
    return (v + magic) - magic;
}

static struct quantize_range quantize_range_scalar(size_t d, const float *row, const float *centre)
{
    float lane[SIMD_LANES] = {0}, greatest = 0;
    for (size_t k = 0; k < d; k++) {
        float v = centre != NULL ? row[k] - centre[k] : row[k];
        lane[k % SIMD_LANES] = fmaf(v, v, lane[k % SIMD_LANES]);
        greatest = simd_max(fabsf(v), greatest);
    }
    return (struct quantize_range){simd_sum64(lane), greatest};
}

static float quantize_encode_scalar(size_t d, const float *row, const struct quantize_unit *unit,
                                    int8_t *codes)
{
    float lane[SIMD_LANES] = {0};
    for (size_t k = 0; k < d; k++) {
        float v = (unit->centre != NULL ? row[k] - unit->centre[k] : row[k]) * unit->power;
        float code = quantize_rint_scalar(v * unit->inverse), left = fmaf(-unit->step, code, v);
        lane[k % SIMD_LANES] = fmaf(left, left, lane[k % SIMD_LANES]);
        codes[k] = (int8_t)code;
    }
    memset(codes + d, 0, size_round_up(d, QUANTIZE_BLOCK) - d);
    return simd_sum64(lane);
}

const struct quantize_ops quantize_ops_scalar = {
    .range = quantize_range_scalar,
    .encode = quantize_encode_scalar,
};
