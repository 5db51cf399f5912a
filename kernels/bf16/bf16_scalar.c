/* bf16_scalar.c - rows of bf16, in portable C: the definition of their bits.
 * SPDX-License-Identifier: MIT
 *
 * Rows that are plain (bf16.h) take plain FMAs, for the compiler that has them. Without FMA flags
 * each is a call.
 */
#include "flushed.h"
#include "scaled.h"

#include <stdbool.h>

static bool is_plain(size_t d, const uint16_t *x)
{
    uint16_t least = UINT16_MAX;
    for (size_t k = 0; k < d; k++) {
        uint16_t size = (uint16_t)(2u * x[k] - 1u);
        least = size < least ? size : least;
    }
    return least >= BF16_PLAIN_LEAST;
}

static inline void plain_step(float lane[SIMD_LANES], size_t l, uint32_t x, uint32_t y)
{
    lane[l] = fmaf(simd_from_bits(x << 16), simd_from_bits(y << 16), lane[l]);
}

static float plain_dot(size_t d, const uint16_t *x, const uint16_t *y)
{
    float lane[SIMD_LANES] = {0};
    for (; d >= BF16_BLOCK; d -= BF16_BLOCK, x += BF16_BLOCK, y += BF16_BLOCK)
        for (size_t l = 0; l < SIMD_LANES; l++) {
            plain_step(lane, l, x[2 * l + 1], y[2 * l + 1]);
            plain_step(lane, l, x[2 * l], y[2 * l]);
        }
    for (size_t l = 0; 2 * l < d; l++) {
        if (2 * l + 1 < d)
            plain_step(lane, l, x[2 * l + 1], y[2 * l + 1]);
        plain_step(lane, l, x[2 * l], y[2 * l]);
    }
    return simd_sum64(lane);
}

/* x.y, of rows that are both plain or not both; a NaN may be any */
static float sum(bool plain, size_t d, const uint16_t *x, const uint16_t *y)
{
    return plain ? plain_dot(d, x, y) : bf16_flushed_dot(d, x, y);
}

/* ---- Pairs ----------------------------------------------------------------------------------- */

static float pair_dot_scalar(size_t d, const uint16_t *x, const uint16_t *y)
{
    return simd_canonical_nan(sum(is_plain(d, x) && is_plain(d, y), d, x, y));
}

static float cosine(size_t d, const uint16_t *x, bool x_plain, float xx, const uint16_t *y,
                    bool y_plain, float yy)
{
    if (!norm_is_safe(xx) || !norm_is_safe(yy))
        return bf16_scaled_cosine(d, x, y);
    return sum(x_plain && y_plain, d, x, y) / sqrtf(xx * yy);
}

static float pair_cosine_scalar(size_t d, const uint16_t *x, const uint16_t *y)
{
    bool x_plain = is_plain(d, x), y_plain = is_plain(d, y);
    return cosine(d, x, x_plain, sum(x_plain, d, x, x), y, y_plain, sum(y_plain, d, y, y));
}

static float pair_neg_sq_l2_scalar(size_t d, const uint16_t *x, const uint16_t *y)
{
    float lane[SIMD_LANES] = {0};
    for (; d >= SIMD_LANES; d -= SIMD_LANES, x += SIMD_LANES, y += SIMD_LANES)
        for (size_t l = 0; l < SIMD_LANES; l++) {
            float difference = bf16_float(x[l]) - bf16_float(y[l]);
            lane[l] = fmaf(difference, difference, lane[l]);
        }
    for (size_t l = 0; l < d; l++) {
        float difference = bf16_float(x[l]) - bf16_float(y[l]);
        lane[l] = fmaf(difference, difference, lane[l]);
    }
    return simd_canonical_nan(0.0f - simd_sum64(lane));
}

/* ---- One against many ------------------------------------------------------------------------ */

static void query_dot_scalar(size_t n, size_t d, const uint16_t *x, const uint16_t *y, size_t ldy,
                             float *result)
{
    bool x_plain = is_plain(d, x);
    for (size_t j = 0; j < n; j++, y += ldy)
        result[j] = simd_canonical_nan(sum(x_plain && is_plain(d, y), d, x, y));
}

static void query_cosine_scalar(size_t n, size_t d, const uint16_t *x, const uint16_t *y,
                                size_t ldy, float *result)
{
    bool x_plain = is_plain(d, x);
    float xx = sum(x_plain, d, x, x);
    for (size_t j = 0; j < n; j++, y += ldy) {
        bool y_plain = is_plain(d, y);
        result[j] = cosine(d, x, x_plain, xx, y, y_plain, sum(y_plain, d, y, y));
    }
}

static void query_norms_scalar(size_t n, size_t d, const uint16_t *x, const uint16_t *y, size_t ldy,
                               const float *squared_norms, float *result)
{
    bool x_plain = is_plain(d, x);
    float xx = sum(x_plain, d, x, x);
    for (size_t j = 0; j < n; j++, y += ldy)
        result[j] = cosine(d, x, x_plain, xx, y, is_plain(d, y), squared_norms[j]);
}

static void query_neg_sq_l2_scalar(size_t n, size_t d, const uint16_t *x, const uint16_t *y,
                                   size_t ldy, float *result)
{
    for (size_t j = 0; j < n; j++)
        result[j] = pair_neg_sq_l2_scalar(d, x, y + j * ldy);
}

static void squared_norms_scalar(size_t n, size_t d, const uint16_t *y, size_t ldy, float *out)
{
    for (size_t j = 0; j < n; j++, y += ldy)
        out[j] = simd_canonical_nan(sum(is_plain(d, y), d, y, y));
}

const struct bf16_ops bf16_ops_scalar = {
    .pair = {[MMK_DOT] = pair_dot_scalar,
             [MMK_COSINE] = pair_cosine_scalar,
             [MMK_NEG_SQ_L2] = pair_neg_sq_l2_scalar},
    .query = {[MMK_DOT] = query_dot_scalar,
              [MMK_COSINE] = query_cosine_scalar,
              [MMK_NEG_SQ_L2] = query_neg_sq_l2_scalar},
    .query_norms = query_norms_scalar,
    .squared_norms = squared_norms_scalar,
};
