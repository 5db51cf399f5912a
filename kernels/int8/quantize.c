/* quantize.c - rows of MMK_I8 from rows of floats: checks and dispatch.
 * SPDX-License-Identifier: MIT
 *
 * A row is read twice, from L1 the second time; what is greater than the caches costs its reading.
 *
 * Range. Codes are made of v = (x - centre) 2^e with e such that the greatest |v_k| is in [1, 2),
 * or, where 2^e would leave float, in [2^-22, 4): squares of what is left neither under- nor
 * overflow. The step of v is scale 2^e, exactly, where scale = greatest / 127 as a float; below
 * 2^-126, where a float has few digits, it is rounded up, so that no code is beyond 127.
 *
 * Error. With u = 2^-24 and c the codes, what is summed is fl(v_k - step c_k) for v_k that are off
 * by u |v_k| of one rounding, x_k - centre_k, and by 2^-150 where 2^e makes denormals of elements
 * far below the greatest: together less than 1.5 u g sqrt(d) of the norm, g the greatest |v_k|. The
 * rest is QUANTIZE_PIECE / 64 + 7 roundings of the sum of squares, of which the root keeps half,
 * one more of each element, and of a square that underflows less than u g. Hence, in double,
 *     error 2^e = root (1 + 64 u) + 2 u g sqrt(d + 1)
 * which is then rounded up to float.
 */
#include "quantize.h"

#include "../call/args.h"
#include "../call/fp_state.h"
#include "../call/size.h"
#include "../isa/isa.h"
#include "../simd/scalar.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* The least float that is not below v >= 0. */
static float float_above(double v)
{
    float f = (float)v;
    return (double)f < v ? simd_from_bits(simd_bits(f) + 1) : f;
}

struct quantized_row {
    float scale, error;
};

static struct quantized_row quantize_row(const struct quantize_ops *ops, size_t d, const float *row,
                                         const float *centre, int8_t *codes)
{
    const struct quantize_range range = ops->range(d, row, centre);
    const float greatest = range.greatest;
    bool number = range.squares == range.squares && greatest < INFINITY;
    if (!number || greatest == 0) {
        if (codes != NULL)
            memset(codes, 0, d);
        float result = number ? 0 : simd_canonical_nan(NAN);
        return (struct quantized_row){result, result};
    }
    /* 2^-exponent of greatest, but 2^127 for a denormal, and 2^-126 at least */
    uint32_t exponent = simd_bits(greatest) >> 23;
    const float power = simd_from_bits(exponent < 253 ? (254 - exponent) << 23 : 1 << 23);
    float scale = greatest / 127;
    if (scale < 0x1p-126f)
        scale = float_above((double)greatest / 127);
    const float step = scale * power;
    struct quantize_unit unit = {centre, power, step, 1 / step};
    double squares = 0;
    for (size_t k = 0, columns; k < d; k += columns) {
        /* Blocks that are not whole, or not wanted, beside the codes: these end with the row. */
        int8_t piece[QUANTIZE_PIECE];
        columns = size_min(d - k, QUANTIZE_PIECE);
        bool direct = codes != NULL && columns % QUANTIZE_BLOCK == 0;
        unit.centre = centre != NULL ? centre + k : NULL;
        squares += (double)ops->encode(columns, row + k, &unit, direct ? codes + k : piece);
        if (codes != NULL && !direct)
            memcpy(codes + k, piece, columns);
    }
    double error = sqrt(squares) * (1 + 64 * 0x1p-24) +
                   2 * 0x1p-24 * (double)greatest * (double)power * sqrt((double)d + 1);
    return (struct quantized_row){scale, float_above(error / (double)power)};
}

enum mmk_status mmk_quantize_rows(const struct mmk_matrix *x, const float *centre,
                                  const struct mmk_matrix_out *codes, float *scales, float *errors)
{
    FP_STATE_DEFAULT();
    const struct isa_row *isa;
    struct args_rows rows;
    struct args_out to;
    enum mmk_status status = isa_current(&isa);
    if (status != MMK_OK ||
        (status = args_matrix("x", x, ARGS_F32, ARGS_READ, NULL, &rows)) != MMK_OK ||
        (status = args_i8_columns("x.columns", rows.columns)) != MMK_OK ||
        (codes != NULL && (status = args_matrix_out("codes", codes, ARGS_I8, rows.rows,
                                                    rows.columns, "x", NULL, &to)) != MMK_OK))
        return status;
    for (size_t i = 0; i < rows.rows; i++) {
        bool written = codes != NULL && rows.columns > 0;
        int8_t *row_codes = written ? to.codes + i * to.ld : NULL;
        struct quantized_row row =
            quantize_row(isa->quantize, rows.columns, rows.data + i * rows.ld, centre, row_codes);
        if (scales != NULL)
            scales[i] = row.scale;
        if (errors != NULL)
            errors[i] = row.error;
    }
    return MMK_OK;
}
