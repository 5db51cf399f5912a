/* query_scalar.c - one vector against many in portable C: the definition of the bits.
 * SPDX-License-Identifier: MIT
 *
 * They are those of the pair functions, which are called for each row; only the cosine is written
 * out, because |x|^2 is the same for all of them. The loops over lanes are as in lanes_scalar.h.
 */
#include "query.h"

#include "../pair/lanes_scalar.h"

#ifdef QUERY_OF_HALVES
#include "query_half.h"

static inline float query_square_scalar(size_t d, const float *x)
{
    return query_half_square(&pair_ops_scalar, d, x);
}

static inline float pair_scaled_cosine_scalar(size_t d, const float *x, const uint16_t *y)
{
    return query_half_cosine(&pair_ops_scalar, half_ops_scalar.PAIR_HALF, d, x, y);
}

#else

/* |x|^2 */
static inline float query_square_scalar(size_t d, const float *x)
{
    return pair_dot_scalar(d, x, x);
}

#endif

#ifndef QUERY_OF_BF16
static void query_dot_scalar(size_t n, size_t d, const pair_x *x, const pair_y *y, size_t ldy,
                             float *result)
{
    for (size_t j = 0; j < n; j++)
        result[j] = pair_dot_scalar(d, x, y + j * ldy);
}
#endif

/* x.y; *squares = |y|^2 */
static inline float query_sums_scalar(size_t d, const pair_x *x, const pair_y *row, float *squares)
{
    float xy[SIMD_LANES] = {0};
    float yy[SIMD_LANES] = {0};
    size_t k = 0;
    for (; d - k >= SIMD_LANES; k += SIMD_LANES) {
        for (size_t l = 0; l < SIMD_LANES; l++) {
            xy[l] = fmaf(pair_value(x[k + l]), pair_value(row[k + l]), xy[l]);
            yy[l] = fmaf(pair_value(row[k + l]), pair_value(row[k + l]), yy[l]);
        }
    }
    for (size_t l = 0; l < d - k; l++) {
        xy[l] = fmaf(pair_value(x[k + l]), pair_value(row[k + l]), xy[l]);
        yy[l] = fmaf(pair_value(row[k + l]), pair_value(row[k + l]), yy[l]);
    }
    *squares = simd_sum64(yy);
    return simd_sum64(xy);
}

#ifndef QUERY_OF_BF16

static void query_cosine_scalar(size_t n, size_t d, const pair_x *x, const pair_y *y, size_t ldy,
                                float *result)
{
    float xx = query_square_scalar(d, x);
    for (size_t j = 0; j < n; j++) {
        float yy, xy = query_sums_scalar(d, x, y + j * ldy, &yy);
        if (norm_is_safe(xx) && norm_is_safe(yy))
            result[j] = xy / sqrtf(xx * yy);
        else
            result[j] = pair_scaled_cosine_scalar(d, x, y + j * ldy);
    }
}

static void query_norms_scalar(size_t n, size_t d, const pair_x *x, const pair_y *y, size_t ldy,
                               const float *squared_norms, float *result)
{
    float xx = query_square_scalar(d, x);
    for (size_t j = 0; j < n; j++) {
        if (norm_is_safe(xx) && norm_is_safe(squared_norms[j]))
            result[j] = pair_dot_scalar(d, x, y + j * ldy) / sqrtf(xx * squared_norms[j]);
        else
            result[j] = pair_scaled_cosine_scalar(d, x, y + j * ldy);
    }
}

static void query_neg_sq_l2_scalar(size_t n, size_t d, const pair_x *x, const pair_y *y, size_t ldy,
                                   float *result)
{
    for (size_t j = 0; j < n; j++)
        result[j] = pair_neg_sq_l2_scalar(d, x, y + j * ldy);
}
#endif

static void query_dots_scalar(size_t m, size_t n, size_t d, const pair_x *x, size_t ldx,
                              const pair_y *y, size_t ldy, float *result, size_t ldr,
                              float *squares)
{
    for (size_t j = 0; j < n; j++) {
        float yy = 0;
        for (size_t i = 0; i < m; i++) {
            float xy = query_sums_scalar(d, x + i * ldx, y + j * ldy, &yy);
            result[i * ldr + j] = simd_canonical_nan(xy);
        }
        squares[j] = simd_canonical_nan(yy);
    }
}

static void query_neg_sq_l2s_scalar(size_t m, size_t n, size_t d, const pair_x *x, size_t ldx,
                                    const pair_y *y, size_t ldy, float *result, size_t ldr)
{
    for (size_t j = 0; j < n; j++)
        for (size_t i = 0; i < m; i++)
            result[i * ldr + j] = pair_neg_sq_l2_scalar(d, x + i * ldx, y + j * ldy);
}

#ifdef QUERY_OF_HALVES

const struct query_several_ops PAIR_EXPAND(query_several_, PAIR_EXPAND(PAIR_HALF, _scalar)) = {
    .dots = query_dots_scalar,
    .neg_sq_l2s = query_neg_sq_l2s_scalar,
};

#ifdef QUERY_OF_F16
const struct query_f16_ops query_f16_ops_scalar = {
    .query = {[MMK_DOT] = query_dot_scalar,
              [MMK_COSINE] = query_cosine_scalar,
              [MMK_NEG_SQ_L2] = query_neg_sq_l2_scalar},
    .query_norms = query_norms_scalar,
};
#endif

#else

static void squared_norms_scalar(size_t n, size_t d, const pair_y *y, size_t ldy, float *out)
{
    for (size_t j = 0; j < n; j++)
        out[j] = pair_dot_scalar(d, y + j * ldy, y + j * ldy);
}

const struct query_ops query_ops_scalar = {
    .query = {[MMK_DOT] = query_dot_scalar,
              [MMK_COSINE] = query_cosine_scalar,
              [MMK_NEG_SQ_L2] = query_neg_sq_l2_scalar},
    .query_norms = query_norms_scalar,
    .dots = query_dots_scalar,
    .neg_sq_l2s = query_neg_sq_l2s_scalar,
    .squared_norms = squared_norms_scalar,
};

#endif
