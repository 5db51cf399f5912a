/* infonce_scalar.c - inner loops of InfoNCE in portable C: the order of operations of every ISA.
 * SPDX-License-Identifier: MIT
 */
#include "infonce.h"

#include "../simd/scalar.h"

#include <float.h>

enum { LANES = INFONCE_LANES };

static void infonce_exp_strip_scalar(size_t rows, size_t cols, const float *z,
                                     struct simd_shift shift, float *row_lane, float *col_sum,
                                     float *e)
{
    for (size_t i = 0, count; i < rows; i += count) {
        count = i + 4 <= rows ? 4 : 1;
        for (size_t j = 0; j < cols; j++) {
            float v[4];
            for (size_t r = 0; r < count; r++) {
                v[r] = simd_exp2_shifted(z[(i + r) * INFONCE_STRIP + j], shift);
                row_lane[(i + r) * LANES + j % LANES] += v[r];
                if (e != NULL)
                    e[(i + r) * INFONCE_STRIP + j] = v[r];
            }
            col_sum[j] += count == 4 ? (v[0] + v[1]) + (v[2] + v[3]) : v[0];
        }
    }
}

/* 2^(z - lse - c) with lse in two parts; never above 2^-c whatever the rounding of lse. */
static inline float infonce_softmax_scalar(float z, float lse, float lse_low, struct simd_shift c)
{
    z = (z - lse) - lse_low;
    return simd_exp2_shifted(z > 0.0f ? 0.0f : z, c);
}

/* An entry that does not count has z = -Inf, and G = 0. */
static inline void infonce_add_gz_scalar(float *sum, float g, float z)
{
    *sum = fmaf(g, simd_max(-FLT_MAX, z), *sum);
}

static inline __attribute__((always_inline)) void
infonce_gradient_form_scalar(const struct infonce_gradient *g, size_t rows, size_t cols,
                             const float *strip, enum infonce_form form)
{
    bool sums_e = g->row_e != NULL, sums_g = g->row_g != NULL, sums_gz = g->row_gz != NULL;
    for (size_t j = 0; j < cols; j++) {
        if (sums_e)
            g->col_e[j] = 0.0f;
        if (sums_g)
            g->col_g[j] = 0.0f;
        if (sums_gz)
            g->col_gz[j] = 0.0f;
    }
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++) {
            float v = strip[i * INFONCE_STRIP + j], e, e_col, gij;
            if (form == INFONCE_TWO_EXPS) {
                e = infonce_softmax_scalar(v, g->lse_x[i], g->lse_x_low[i], g->shift);
                e_col = infonce_softmax_scalar(v, g->lse_y[j], g->lse_y_low[j], g->shift);
                gij = fmaf(g->col_weight[j], e_col, g->row_weight[i] * e);
            } else {
                e = e_col = form == INFONCE_FROM_E ? v : simd_exp2_shifted(v, g->shift);
                gij = e * (g->row_weight[i] + g->col_weight[j]);
            }
            if (sums_e) {
                g->row_e[i * LANES + j % LANES] += e;
                g->col_e[j] += e_col;
            }
            if (sums_g) {
                g->row_g[i * LANES + j % LANES] += gij;
                g->col_g[j] += gij;
            }
            if (sums_gz) {
                infonce_add_gz_scalar(&g->row_gz[i * LANES + j % LANES], gij, v);
                infonce_add_gz_scalar(&g->col_gz[j], gij, v);
            }
            g->out[j / 16][i * g->ldout + j % 16] = gij;
        }
}

static void infonce_gradient_strip_scalar(const struct infonce_gradient *g, size_t rows,
                                          size_t cols, const float *strip)
{
    if (g->form == INFONCE_FROM_Z)
        infonce_gradient_form_scalar(g, rows, cols, strip, INFONCE_FROM_Z);
    else if (g->form == INFONCE_FROM_E)
        infonce_gradient_form_scalar(g, rows, cols, strip, INFONCE_FROM_E);
    else
        infonce_gradient_form_scalar(g, rows, cols, strip, INFONCE_TWO_EXPS);
}

static inline __attribute__((always_inline)) void
infonce_sigmoid_form_scalar(const struct infonce_sigmoid *g, size_t rows, size_t cols,
                            const float *strip, bool with_g)
{
    const struct simd_shift shift = infonce_raised();
    for (size_t j = 0; with_g && j < cols; j++) {
        g->col_g[j] = 0.0f;
        if (g->row_gz != NULL)
            g->col_gz[j] = 0.0f;
    }
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++) {
            float w = strip[i * INFONCE_STRIP + j] + (g->row_term[i] + g->col_term[j]);
            float raised = simd_exp2_shifted(-fabsf(w), shift); /* 2^(24 - |w|) */
            float q = simd_max(INFONCE_RAISED_LEAST, raised) * (1 / INFONCE_RAISE);
            g->row_s[i * LANES + j % LANES] +=
                simd_log2_1p(q, raised, simd_max(w, 0.0f) * INFONCE_RAISE);
            if (!with_g)
                continue;
            float gij = ((w < 0.0f ? raised : INFONCE_RAISE) / (1.0f + q)) * g->scale;
            g->row_g[i * LANES + j % LANES] += gij;
            g->col_g[j] += gij;
            if (g->row_gz != NULL) {
                float z = strip[i * INFONCE_STRIP + j];
                infonce_add_gz_scalar(&g->row_gz[i * LANES + j % LANES], gij, z);
                infonce_add_gz_scalar(&g->col_gz[j], gij, z);
            }
            g->out[j / 16][i * g->ldout + j % 16] = gij;
        }
}

static void infonce_sigmoid_strip_scalar(const struct infonce_sigmoid *g, size_t rows, size_t cols,
                                         const float *strip)
{
    if (g->out[0] != NULL)
        infonce_sigmoid_form_scalar(g, rows, cols, strip, true);
    else
        infonce_sigmoid_form_scalar(g, rows, cols, strip, false);
}

static void infonce_row_sums_scalar(size_t rows, const float *row_lane, float *sum)
{
    for (size_t i = 0; i < rows; i++)
        sum[i] = simd_sum16(row_lane + i * LANES);
}

static void infonce_softmax_rows_scalar(size_t rows, size_t cols, const float *z, float *max,
                                        float *sum)
{
    for (size_t i = 0; i < rows; i++, z += TILE_BLOCK_LD) {
        float m = -FLT_MAX, lane[LANES] = {0};
        for (size_t j = 0; j < cols; j++)
            m = simd_max(z[j], m);
        max[i] = (m > FLT_MAX ? FLT_MAX : m) + 0.0f;
        for (size_t j = 0; j < cols; j += LANES)
            for (size_t l = 0; l < LANES; l++)
                lane[l] += simd_exp2(z[j + l] - max[i]);
        sum[i] = simd_sum16(lane);
    }
}

static void infonce_join_blocks_scalar(size_t count, double *sum, float *part, bool first,
                                       bool last)
{
    for (size_t e = 0; e < count; e++)
        if (first)
            sum[e] = (double)part[e];
        else if (!last)
            sum[e] += (double)part[e];
        else
            part[e] = (float)(sum[e] + (double)part[e]);
}

static inline float infonce_scaled_scalar(float v, struct row_scale scale)
{
    return (v * scale.power) * scale.inverse;
}

/* Element k of sum + coef y. Without cosine the scale is 1, which is exact. */
static inline float infonce_with_positive_scalar(const struct infonce_row *row, size_t k,
                                                 bool has_origin, float v)
{
    float y = has_origin ? row->other[k] - row->origin[k] : row->other[k];
    return fmaf(row->coef, infonce_scaled_scalar(y, row->other_scale), v);
}

static void infonce_add_positive_scalar(const struct infonce_row *row)
{
    for (size_t k = 0; k < row->d; k++)
        row->gradient[k] =
            infonce_with_positive_scalar(row, k, row->origin != NULL, *infonce_sum_at(row, k));
}

static inline __attribute__((always_inline)) void
infonce_finish_scalar(const struct infonce_row *row, enum mmk_similarity similarity)
{
    bool has_origin = similarity == MMK_NEG_SQ_L2 && row->origin != NULL;
    float left[SIMD_LANES] = {0}, square[SIMD_LANES] = {0};
    for (size_t k = 0; k < row->d; k++) {
        float v = *infonce_sum_at(row, k), x = row->self[k];
        if (has_origin)
            x -= row->origin[k];
        if (row->other != NULL)
            v = infonce_with_positive_scalar(row, k, has_origin, v);
        if (similarity != MMK_DOT) {
            x = infonce_scaled_scalar(x, row->self_scale);
            v = fmaf(-row->along, x, v);
            left[k % SIMD_LANES] = fmaf(x, v, left[k % SIMD_LANES]);
            square[k % SIMD_LANES] = fmaf(v, v, square[k % SIMD_LANES]);
        }
        v = (v * row->self_scale.inverse) * row->scale;
        row->gradient[k] = simd_canonical_nan(v * row->after);
    }
    float more = infonce_left_along(row, simd_sum64(left), simd_sum64(square));
    for (size_t k = 0; similarity == MMK_COSINE && more != 0 && k < row->d; k++) {
        float x = infonce_scaled_scalar(row->self[k], row->self_scale);
        row->gradient[k] = simd_canonical_nan(fmaf(-more, x, row->gradient[k]));
    }
}

static void infonce_finish_dot_scalar(const struct infonce_row *row)
{
    infonce_finish_scalar(row, MMK_DOT);
}

static void infonce_finish_cosine_scalar(const struct infonce_row *row)
{
    infonce_finish_scalar(row, MMK_COSINE);
}

static void infonce_finish_neg_sq_l2_scalar(const struct infonce_row *row)
{
    infonce_finish_scalar(row, MMK_NEG_SQ_L2);
}

const struct infonce_ops infonce_ops_scalar = {
    .exp_strip = infonce_exp_strip_scalar,
    .gradient_strip = infonce_gradient_strip_scalar,
    .sigmoid_strip = infonce_sigmoid_strip_scalar,
    .row_sums = infonce_row_sums_scalar,
    .softmax_rows = infonce_softmax_rows_scalar,
    .join_blocks = infonce_join_blocks_scalar,
    .add_positive = infonce_add_positive_scalar,
    .finish_row = {infonce_finish_dot_scalar, infonce_finish_cosine_scalar,
                   infonce_finish_neg_sq_l2_scalar},
};
