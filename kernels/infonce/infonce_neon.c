/* infonce_neon.c - inner loops of InfoNCE, AArch64 NEON.
 * SPDX-License-Identifier: MIT
 *
 * softmax_block   4 elements cost one multiply for the argument, six for 2^r and one for the column; four
 *                 vectors side by side hide the FMA latency of the polynomial.
 * Differs         the 16 lanes of a row sum are four q registers, and a step is 16 columns.
 */
#include "infonce.h"

#include "../simd/neon.h"

#include <float.h>

static inline float infonce_row_max_neon(size_t cols, const float *sim)
{
    float32x4_t m[4];
    for (int h = 0; h < 4; h++)
        m[h] = vdupq_n_f32(-FLT_MAX);
    for (size_t j = 0; j < cols; j += 16)
        for (size_t h = 0; h < 4; h++)
            m[h] = simd_max4(vld1q_f32(sim + j + 4 * h), m[h]);
    float max = simd_hmax4(vmaxq_f32(vmaxq_f32(m[0], m[1]), vmaxq_f32(m[2], m[3])));
    return (max > FLT_MAX ? FLT_MAX : max) + 0.0f;
}

/* 2^(alpha (s - shift) + headroom) */
static inline float32x4_t infonce_exp_neon(float32x4_t s, float32x4_t alpha, float32x4_t shift)
{
    return simd_exp2_raised4(vmulq_f32(vsubq_f32(s, shift), alpha));
}

static inline float infonce_exp_row_neon(size_t cols, const float *sim, float alpha, float max,
                                         float weight, float *col_sum)
{
    const float32x4_t scale = vdupq_n_f32(alpha), shift = vdupq_n_f32(max);
    const float32x4_t w = vdupq_n_f32(weight);
    float32x4_t lane[4];
    for (int h = 0; h < 4; h++)
        lane[h] = vdupq_n_f32(0.0f);
    for (size_t j = 0; j < cols; j += 16) {
#pragma GCC unroll 4
        for (size_t h = 0; h < 4; h++) {
            float32x4_t e = infonce_exp_neon(vld1q_f32(sim + j + 4 * h), scale, shift);
            lane[h] = vaddq_f32(lane[h], e);
            if (col_sum != NULL)
                vst1q_f32(col_sum + j + 4 * h, vfmaq_f32(vld1q_f32(col_sum + j + 4 * h), e, w));
        }
    }
    return simd_sum16x4(lane);
}

static void infonce_softmax_block_neon(size_t rows, size_t cols, const float *sim, float alpha,
                                       float *row_max, float *row_sum, float *col_shift,
                                       float *col_sum)
{
    float shift = -FLT_MAX;
    for (size_t j = 0; col_sum != NULL && j < cols; j += 4)
        vst1q_f32(col_sum + j, vdupq_n_f32(0.0f));
    for (size_t r = 0; r < rows; r += INFONCE_CHUNK_ROWS) {
        size_t end = rows - r < INFONCE_CHUNK_ROWS ? rows : r + INFONCE_CHUNK_ROWS;
        float raised = shift;
        for (size_t i = r; i < end; i++) {
            row_max[i] = infonce_row_max_neon(cols, sim + i * TILE_BLOCK_LD);
            raised = simd_max(row_max[i], raised);
        }
        if (raised > shift) {
            float32x4_t factor = simd_exp2x4(vdupq_n_f32((shift - raised) * alpha));
            for (size_t j = 0; col_sum != NULL && j < cols; j += 4)
                vst1q_f32(col_sum + j, vmulq_f32(vld1q_f32(col_sum + j), factor));
            shift = raised;
        }
        for (size_t i = r; i < end; i++) {
            float32x4_t weight =
                infonce_exp_neon(vdupq_n_f32(row_max[i]), vdupq_n_f32(alpha), vdupq_n_f32(shift));
            row_sum[i] = infonce_exp_row_neon(cols, sim + i * TILE_BLOCK_LD, alpha, row_max[i],
                                              vgetq_lane_f32(weight, 0), col_sum);
        }
    }
    if (col_sum != NULL)
        *col_shift = shift;
}

static void infonce_join_rows_neon(size_t count, float alpha, float *max, float *sum,
                                   const float *max2, const float *sum2)
{
    for (size_t i = 0; i < count; i += 4) {
        size_t first = count - i < 4 ? count - i : 4;
        float32x4_t m1 = simd_load_first(max + i, first), m2 = simd_load_first(max2 + i, first);
        float32x4_t joined = simd_max4(m2, m1);
        float32x4_t e = vmulq_f32(simd_load_first(sum + i, first),
                                  simd_exp2x4(vmulq_n_f32(vsubq_f32(m1, joined), alpha)));
        e = vfmaq_f32(e, simd_load_first(sum2 + i, first),
                      simd_exp2x4(vmulq_n_f32(vsubq_f32(m2, joined), alpha)));
        simd_store_first(sum + i, first, e);
        simd_store_first(max + i, first, joined);
    }
}

static void infonce_join_columns_neon(size_t count, float *sum, float factor, const float *sum2,
                                      float factor2)
{
    for (size_t j = 0; j < count; j += 4) {
        size_t first = count - j < 4 ? count - j : 4;
        float32x4_t v = vmulq_n_f32(simd_load_first(sum + j, first), factor);
        v = vfmaq_n_f32(v, simd_load_first(sum2 + j, first), factor2);
        simd_store_first(sum + j, first, v);
    }
}

/* 2^(z - lse) with lse in two parts; never above 1 whatever the rounding of lse. */
static inline float32x4_t infonce_softmax_neon(float32x4_t s, float32x4_t alpha, float32x4_t lse,
                                               float32x4_t lse_low)
{
    const float32x4_t zero = vdupq_n_f32(0.0f);
    float32x4_t z = vsubq_f32(vfmaq_f32(vnegq_f32(lse), s, alpha), lse_low);
    return simd_exp2x4(vbslq_f32(vcgtq_f32(z, zero), zero, z));
}

/* One row of G; with two_exps the column softmax has an exponential of its own. */
static inline __attribute__((always_inline)) void
infonce_gradient_row_neon(const struct infonce_gradient *g, size_t i, size_t cols, float *sim,
                          bool two_exps)
{
    const float32x4_t alpha = vdupq_n_f32(g->alpha), lowest = vdupq_n_f32(-FLT_MAX);
    const float32x4_t minus_low = vdupq_n_f32(-g->low), row_weight = vdupq_n_f32(g->row_weight[i]);
    const float32x4_t lse_x = vdupq_n_f32(two_exps ? g->lse_x[i] : 0.0f);
    const float32x4_t lse_x_low = vdupq_n_f32(two_exps ? g->lse_x_low[i] : 0.0f);
    float32x4_t e_lane[4], g_lane[4], gs_lane[4];
    for (int h = 0; h < 4; h++)
        e_lane[h] = g_lane[h] = gs_lane[h] = vdupq_n_f32(0.0f);
    for (size_t j = 0; j < cols; j += 16) {
#pragma GCC unroll 4
        for (size_t h = 0; h < 4; h++) {
            size_t at = j + 4 * h;
            float32x4_t s = vld1q_f32(sim + at), col_weight = vld1q_f32(g->col_weight + at);
            float32x4_t e, e_col, gij;
            if (two_exps) {
                e = infonce_softmax_neon(s, alpha, lse_x, lse_x_low);
                e_col = infonce_softmax_neon(s, alpha, vld1q_f32(g->lse_y + at),
                                             vld1q_f32(g->lse_y_low + at));
                gij = vfmaq_f32(vmulq_f32(row_weight, e), col_weight, e_col);
            } else {
                e = e_col = simd_exp2x4(vfmaq_f32(minus_low, s, alpha));
                gij = vmulq_f32(e, vaddq_f32(row_weight, col_weight));
            }
            e_lane[h] = vaddq_f32(e_lane[h], e);
            g_lane[h] = vaddq_f32(g_lane[h], gij);
            gs_lane[h] = vfmaq_f32(gs_lane[h], gij, simd_max4(s, lowest));
            vst1q_f32(g->col_e + at, vaddq_f32(vld1q_f32(g->col_e + at), e_col));
            vst1q_f32(g->col_g + at, vaddq_f32(vld1q_f32(g->col_g + at), gij));
            vst1q_f32(sim + at, gij);
        }
    }
    g->row_e[i] = simd_sum16x4(e_lane);
    g->row_g[i] = simd_sum16x4(g_lane);
    g->row_gs[i] = simd_sum16x4(gs_lane);
}

static void infonce_gradient_block_neon(const struct infonce_gradient *g, size_t rows, size_t cols,
                                        float *sim)
{
    for (size_t j = 0; j < cols; j += 4) {
        vst1q_f32(g->col_e + j, vdupq_n_f32(0.0f));
        vst1q_f32(g->col_g + j, vdupq_n_f32(0.0f));
    }
    for (size_t i = 0; i < rows; i++)
        if (g->lse_x != NULL)
            infonce_gradient_row_neon(g, i, cols, sim + i * TILE_BLOCK_LD, true);
        else
            infonce_gradient_row_neon(g, i, cols, sim + i * TILE_BLOCK_LD, false);
}

static void infonce_exp2_difference_neon(size_t count, const float *v, float c, float scale,
                                         float *out)
{
    for (size_t i = 0; i < count; i += 4) {
        size_t first = count - i < 4 ? count - i : 4;
        float32x4_t z = vsubq_f32(simd_load_first(v + i, first), vdupq_n_f32(c));
        simd_store_first(out + i, first, simd_exp2x4(vmulq_n_f32(z, scale)));
    }
}

/* Columns k .. k+3 of gradient + coef positive (normalised with scale where given). */
static inline float32x4_t infonce_with_positive_neon(const struct infonce_row *row, size_t k,
                                                     size_t first, const struct row_scale *scale)
{
    float32x4_t v = simd_load_first(row->gradient + k, first);
    if (row->positive == NULL)
        return v;
    float32x4_t p = simd_load_first(row->positive + k, first);
    if (scale != NULL)
        p = vmulq_n_f32(vmulq_n_f32(p, scale->power), scale->inverse);
    return vfmaq_f32(v, vdupq_n_f32(row->coef), p);
}

static void infonce_finish_dot_neon(const struct infonce_row *row)
{
    for (size_t k = 0; k < row->d; k += 4) {
        size_t first = row->d - k < 4 ? row->d - k : 4;
        float32x4_t v = infonce_with_positive_neon(row, k, first, NULL);
        simd_store_first(row->gradient + k, first, simd_canonical_nan4(vmulq_n_f32(v, row->scale)));
    }
}

static inline float32x4_t infonce_normalised_neon(const struct infonce_row *row, size_t k,
                                                  size_t first)
{
    float32x4_t x = vmulq_n_f32(simd_load_first(row->self + k, first), row->self_scale.power);
    return vmulq_n_f32(x, row->self_scale.inverse);
}

static void infonce_finish_cosine_neon(const struct infonce_row *row)
{
    float32x4_t lane[16];
    for (size_t l = 0; l < 16; l++)
        lane[l] = vdupq_n_f32(0.0f);
    for (size_t k = 0; k < row->d; k += SIMD_LANES) {
        for (size_t l = 0; l < 16; l++) {
            size_t at = k + 4 * l;
            if (at >= row->d)
                break;
            size_t first = row->d - at < 4 ? row->d - at : 4;
            float32x4_t v = infonce_with_positive_neon(row, at, first, &row->positive_scale);
            /* beyond the tail both are 0, or NaN where all of the row is NaN */
            lane[l] = vfmaq_f32(lane[l], infonce_normalised_neon(row, at, first), v);
            simd_store_first(row->gradient + at, first, v);
        }
    }
    float32x4_t projection = vdupq_n_f32(simd_sum64x4(lane));
    for (size_t k = 0; k < row->d; k += 4) {
        size_t first = row->d - k < 4 ? row->d - k : 4;
        float32x4_t x = infonce_normalised_neon(row, k, first);
        float32x4_t v = vfmsq_f32(simd_load_first(row->gradient + k, first), projection, x);
        v = vmulq_n_f32(v, row->scale);
        v = vmulq_n_f32(vmulq_n_f32(v, row->self_scale.inverse), row->self_scale.power);
        simd_store_first(row->gradient + k, first, simd_canonical_nan4(v));
    }
}

static void infonce_finish_neg_sq_l2_neon(const struct infonce_row *row)
{
    const float32x4_t sum_g = vdupq_n_f32(row->sum_g);
    for (size_t k = 0; k < row->d; k += 4) {
        size_t first = row->d - k < 4 ? row->d - k : 4;
        float32x4_t v = infonce_with_positive_neon(row, k, first, NULL);
        v = vfmsq_f32(v, sum_g, simd_load_first(row->self + k, first));
        simd_store_first(row->gradient + k, first, simd_canonical_nan4(vmulq_n_f32(v, row->scale)));
    }
}

const struct infonce_ops infonce_ops_neon = {
    .softmax_block = infonce_softmax_block_neon,
    .join_rows = infonce_join_rows_neon,
    .join_columns = infonce_join_columns_neon,
    .gradient_block = infonce_gradient_block_neon,
    .exp2_difference = infonce_exp2_difference_neon,
    .finish_row = {infonce_finish_dot_neon, infonce_finish_cosine_neon,
                   infonce_finish_neg_sq_l2_neon},
};
