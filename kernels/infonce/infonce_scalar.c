/* infonce_scalar.c - inner loops of InfoNCE in portable C: the order of operations of every ISA.
 * SPDX-License-Identifier: MIT
 */
#include "infonce.h"

#include "../simd/scalar.h"

#include <float.h>

enum { LANES = 16 };

static float infonce_row_max_scalar(size_t cols, const float *sim)
{
    float lane[LANES];
    for (size_t l = 0; l < LANES; l++)
        lane[l] = -FLT_MAX;
    for (size_t j = 0; j < cols; j += LANES)
        for (size_t l = 0; l < LANES; l++)
            lane[l] = simd_max(sim[j + l], lane[l]);
    float max = lane[0];
    for (size_t l = 1; l < LANES; l++)
        max = simd_max(lane[l], max);
    return (max > FLT_MAX ? FLT_MAX : max) + 0.0f;
}

static float infonce_row_exp_scalar(size_t cols, const float *sim, float alpha, float max,
                                    float weight, float *col_sum)
{
    float lane[LANES] = {0};
    for (size_t j = 0; j < cols; j += LANES) {
        float e[LANES];
        for (size_t l = 0; l < LANES; l++)
            e[l] = simd_exp2_raised((sim[j + l] - max) * alpha);
        for (size_t l = 0; l < LANES; l++)
            lane[l] += e[l];
        if (col_sum != NULL)
            for (size_t l = 0; l < LANES; l++)
                col_sum[j + l] = fmaf(e[l], weight, col_sum[j + l]);
    }
    return simd_sum16(lane);
}

static void infonce_softmax_block_scalar(size_t rows, size_t cols, const float *sim, float alpha,
                                         float *row_max, float *row_sum, float *col_shift,
                                         float *col_sum)
{
    float shift = -FLT_MAX;
    for (size_t j = 0; col_sum != NULL && j < cols; j++)
        col_sum[j] = 0.0f;
    for (size_t r = 0; r < rows; r += INFONCE_CHUNK_ROWS) {
        size_t end = rows - r < INFONCE_CHUNK_ROWS ? rows : r + INFONCE_CHUNK_ROWS;
        float raised = shift;
        for (size_t i = r; i < end; i++) {
            row_max[i] = infonce_row_max_scalar(cols, sim + i * TILE_BLOCK_LD);
            raised = simd_max(row_max[i], raised);
        }
        if (raised > shift) {
            float factor = simd_exp2((shift - raised) * alpha);
            for (size_t j = 0; col_sum != NULL && j < cols; j++)
                col_sum[j] *= factor;
            shift = raised;
        }
        for (size_t i = r; i < end; i++)
            row_sum[i] =
                infonce_row_exp_scalar(cols, sim + i * TILE_BLOCK_LD, alpha, row_max[i],
                                       simd_exp2_raised((row_max[i] - shift) * alpha), col_sum);
    }
    if (col_sum != NULL)
        *col_shift = shift;
}

static void infonce_join_rows_scalar(size_t count, float alpha, float *max, float *sum,
                                     const float *max2, const float *sum2)
{
    for (size_t i = 0; i < count; i++) {
        float joined = simd_max(max2[i], max[i]);
        float e = sum[i] * simd_exp2((max[i] - joined) * alpha);
        sum[i] = fmaf(sum2[i], simd_exp2((max2[i] - joined) * alpha), e);
        max[i] = joined;
    }
}

static void infonce_join_columns_scalar(size_t count, float *sum, float factor, const float *sum2,
                                        float factor2)
{
    for (size_t j = 0; j < count; j++)
        sum[j] = fmaf(sum2[j], factor2, sum[j] * factor);
}

/* 2^(z - lse) with lse in two parts; never above 1 whatever the rounding of lse. */
static inline float infonce_softmax_scalar(float s, float alpha, float lse, float lse_low)
{
    float z = fmaf(s, alpha, -lse) - lse_low;
    return simd_exp2(z > 0.0f ? 0.0f : z);
}

/* One row of G; with two_exps the column softmax has an exponential of its own. */
static inline __attribute__((always_inline)) void
infonce_gradient_row_scalar(const struct infonce_gradient *g, size_t i, size_t cols, float *sim,
                            bool two_exps)
{
    float e_lane[LANES] = {0}, g_lane[LANES] = {0}, gs_lane[LANES] = {0};
    float row_weight = g->row_weight[i];
    for (size_t j = 0; j < cols; j += LANES)
        for (size_t l = 0; l < LANES; l++) {
            float s = sim[j + l], col_weight = g->col_weight[j + l];
            float e, e_col, gij;
            if (two_exps) {
                e = infonce_softmax_scalar(s, g->alpha, g->lse_x[i], g->lse_x_low[i]);
                e_col = infonce_softmax_scalar(s, g->alpha, g->lse_y[j + l], g->lse_y_low[j + l]);
                gij = fmaf(col_weight, e_col, row_weight * e);
            } else {
                e = e_col = simd_exp2(fmaf(s, g->alpha, -g->low));
                gij = e * (row_weight + col_weight);
            }
            e_lane[l] += e;
            g_lane[l] += gij;
            gs_lane[l] = fmaf(gij, simd_max(s, -FLT_MAX), gs_lane[l]);
            g->col_e[j + l] += e_col;
            g->col_g[j + l] += gij;
            sim[j + l] = gij;
        }
    g->row_e[i] = simd_sum16(e_lane);
    g->row_g[i] = simd_sum16(g_lane);
    g->row_gs[i] = simd_sum16(gs_lane);
}

static void infonce_gradient_block_scalar(const struct infonce_gradient *g, size_t rows,
                                          size_t cols, float *sim)
{
    for (size_t j = 0; j < cols; j++)
        g->col_e[j] = g->col_g[j] = 0.0f;
    for (size_t i = 0; i < rows; i++)
        if (g->lse_x != NULL)
            infonce_gradient_row_scalar(g, i, cols, sim + i * TILE_BLOCK_LD, true);
        else
            infonce_gradient_row_scalar(g, i, cols, sim + i * TILE_BLOCK_LD, false);
}

static void infonce_exp2_difference_scalar(size_t count, const float *v, float c, float scale,
                                           float *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = simd_exp2(scale * (v[i] - c));
}

static void infonce_finish_dot_scalar(const struct infonce_row *row)
{
    for (size_t k = 0; k < row->d; k++) {
        float v = row->gradient[k];
        if (row->positive != NULL)
            v = fmaf(row->coef, row->positive[k], v);
        row->gradient[k] = simd_canonical_nan(row->scale * v);
    }
}

static void infonce_finish_cosine_scalar(const struct infonce_row *row)
{
    struct row_scale xs = row->self_scale, ps = row->positive_scale;
    float lane[SIMD_LANES] = {0};
    for (size_t k = 0; k < row->d; k++) {
        float v = row->gradient[k];
        if (row->positive != NULL)
            v = fmaf(row->coef, (row->positive[k] * ps.power) * ps.inverse, v);
        row->gradient[k] = v;
        lane[k % SIMD_LANES] =
            fmaf((row->self[k] * xs.power) * xs.inverse, v, lane[k % SIMD_LANES]);
    }
    float projection = simd_sum64(lane);
    for (size_t k = 0; k < row->d; k++) {
        float x = (row->self[k] * xs.power) * xs.inverse;
        float v = row->scale * fmaf(-projection, x, row->gradient[k]);
        row->gradient[k] = simd_canonical_nan((v * xs.inverse) * xs.power);
    }
}

static void infonce_finish_neg_sq_l2_scalar(const struct infonce_row *row)
{
    for (size_t k = 0; k < row->d; k++) {
        float v = row->gradient[k];
        if (row->positive != NULL)
            v = fmaf(row->coef, row->positive[k], v);
        v = row->scale * fmaf(-row->sum_g, row->self[k], v);
        row->gradient[k] = simd_canonical_nan(v);
    }
}

const struct infonce_ops infonce_ops_scalar = {
    .softmax_block = infonce_softmax_block_scalar,
    .join_rows = infonce_join_rows_scalar,
    .join_columns = infonce_join_columns_scalar,
    .gradient_block = infonce_gradient_block_scalar,
    .exp2_difference = infonce_exp2_difference_scalar,
    .finish_row = {infonce_finish_dot_scalar, infonce_finish_cosine_scalar,
                   infonce_finish_neg_sq_l2_scalar},
};
