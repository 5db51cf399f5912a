/* tile8_scalar.c - products of int8, portable C.
 * SPDX-License-Identifier: MIT
 *
 * For comparison. What a compiler makes of it for a wide instruction set is the autovec row.
 */
#include "tile8.h"

enum { MR = TILE8_MR_SCALAR };

static void tile8_pack_scalar(size_t count, const int8_t *const *row, size_t d, size_t pitch,
                              size_t bias, uint8_t *packed)
{
    memset(packed, (int)bias, size_blocks(d, 4) * pitch * 4);
    for (size_t r = 0; r < count; r++)
        for (size_t k = 0; k < d; k++)
            packed[(k / 4 * pitch + r) * 4 + k % 4] = (uint8_t)((size_t)row[r][k] ^ bias);
}

static void tile8_product_scalar(size_t rows, size_t groups, const uint8_t *a, const int32_t *start,
                                 const uint8_t *b, int32_t *c, size_t ldc)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < TILE8_PANEL; j++)
            c[r * ldc + j] = start[r];
    for (size_t g = 0; g < groups; g++, a += 4 * MR, b += 4 * TILE8_PANEL)
        for (size_t r = 0; r < rows; r++)
            for (size_t j = 0; j < TILE8_PANEL; j++)
                for (size_t i = 0; i < 4; i++)
                    c[r * ldc + j] += (int8_t)a[4 * r + i] * (int8_t)b[4 * j + i];
}

static void tile8_dot_scalar(size_t rows, size_t cols, const int32_t *c, const struct tile8_side *x,
                             const struct tile8_side *y, float *out, size_t ldout)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < cols; j++)
            out[r * ldout + j] = int8_dot_of(c[r * TILE8_PANEL + j], x->factor[r], y->factor[j]);
}

static void tile8_cosine_scalar(size_t rows, size_t cols, const int32_t *c,
                                const struct tile8_side *x, const struct tile8_side *y, float *out,
                                size_t ldout)
{
    for (size_t r = 0; r < rows; r++)
        tile8_cosines(0, cols, c + r * TILE8_PANEL, x, r, y, out + r * ldout);
}

static void tile8_neg_sq_l2_scalar(size_t rows, size_t cols, const int32_t *c,
                                   const struct tile8_side *x, const struct tile8_side *y,
                                   float *out, size_t ldout)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < cols; j++) {
            const struct int8_side p = {.scale = x->factor[r] / 2, .part = x->square[r]};
            const struct int8_side q = {.scale = y->factor[j], .part = y->square[j]};
            out[r * ldout + j] = int8_neg_sq_l2_of(c[r * TILE8_PANEL + j], &p, &q);
        }
}

const struct tile8_ops tile8_ops_scalar = {
    .mr = MR,
    .group = 4,
    .bias = 0,
    .pack = tile8_pack_scalar,
    .product = tile8_product_scalar,
    .finish = {[MMK_DOT] = tile8_dot_scalar,
               [MMK_COSINE] = tile8_cosine_scalar,
               [MMK_NEG_SQ_L2] = tile8_neg_sq_l2_scalar},
};
