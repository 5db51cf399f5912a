/* infonce_avx2.c - inner loops of InfoNCE, AVX2 and FMA.
 * SPDX-License-Identifier: MIT
 *
 * softmax_block   8 elements cost one multiply for the argument, six for 2^r and one for the column: 4
 *                 clocks on two FMA ports. The block is read twice (maximum, then exponentials), the
 *                 second time from L1. The polynomial's constants are memory operands: 16 ymm do not
 *                 hold them beside the lanes.
 * Differs         the 16 lanes of a row sum are two ymm; columns go by pairs of ymm.
 */
#include "infonce.h"

#include "../simd/avx2.h"

#include <float.h>

static inline float infonce_row_max_avx2(size_t cols, const float *sim)
{
    __m256 m0 = _mm256_set1_ps(-FLT_MAX), m1 = m0;
    for (size_t j = 0; j < cols; j += 16) {
        m0 = simd_max8(_mm256_loadu_ps(sim + j), m0);
        m1 = simd_max8(_mm256_loadu_ps(sim + j + 8), m1);
    }
    float max = simd_hmax8(_mm256_max_ps(m0, m1));
    return (max > FLT_MAX ? FLT_MAX : max) + 0.0f;
}

static inline float infonce_exp_row_avx2(size_t cols, const float *sim, float alpha, float max,
                                         float weight, float *col_sum)
{
    const __m256 scale = _mm256_set1_ps(alpha), shift = _mm256_set1_ps(max);
    const __m256 w = _mm256_set1_ps(weight);
    __m256 lane0 = _mm256_setzero_ps(), lane1 = lane0;
    for (size_t j = 0; j < cols; j += 16) {
        __m256 e0 =
            simd_exp2_raised8(_mm256_mul_ps(_mm256_sub_ps(_mm256_loadu_ps(sim + j), shift), scale));
        __m256 e1 = simd_exp2_raised8(
            _mm256_mul_ps(_mm256_sub_ps(_mm256_loadu_ps(sim + j + 8), shift), scale));
        lane0 = _mm256_add_ps(lane0, e0);
        lane1 = _mm256_add_ps(lane1, e1);
        if (col_sum == NULL)
            continue;
        _mm256_storeu_ps(col_sum + j, _mm256_fmadd_ps(e0, w, _mm256_loadu_ps(col_sum + j)));
        _mm256_storeu_ps(col_sum + j + 8, _mm256_fmadd_ps(e1, w, _mm256_loadu_ps(col_sum + j + 8)));
    }
    return simd_sum16x8(lane0, lane1);
}

static void infonce_softmax_block_avx2(size_t rows, size_t cols, const float *sim, float alpha,
                                       float *row_max, float *row_sum, float *col_shift,
                                       float *col_sum)
{
    float shift = -FLT_MAX;
    for (size_t j = 0; col_sum != NULL && j < cols; j += 8)
        _mm256_storeu_ps(col_sum + j, _mm256_setzero_ps());
    for (size_t r = 0; r < rows; r += INFONCE_CHUNK_ROWS) {
        size_t end = rows - r < INFONCE_CHUNK_ROWS ? rows : r + INFONCE_CHUNK_ROWS;
        float raised = shift;
        for (size_t i = r; i < end; i++) {
            row_max[i] = infonce_row_max_avx2(cols, sim + i * TILE_BLOCK_LD);
            raised = simd_max(row_max[i], raised);
        }
        if (raised > shift) {
            __m256 factor = simd_exp2x8(_mm256_set1_ps((shift - raised) * alpha));
            for (size_t j = 0; col_sum != NULL && j < cols; j += 8)
                _mm256_storeu_ps(col_sum + j, _mm256_mul_ps(_mm256_loadu_ps(col_sum + j), factor));
            shift = raised;
        }
        float weight[16] = {0};
        for (size_t i = 0; i < 16 && r + i < end; i += 8) {
            __m256 max = simd_load_first(row_max + r + i, end - r - i < 8 ? end - r - i : 8);
            max = _mm256_sub_ps(max, _mm256_set1_ps(shift));
            _mm256_storeu_ps(weight + i,
                             simd_exp2_raised8(_mm256_mul_ps(max, _mm256_set1_ps(alpha))));
        }
        for (size_t i = r; i < end; i++)
            row_sum[i] = infonce_exp_row_avx2(cols, sim + i * TILE_BLOCK_LD, alpha, row_max[i],
                                              weight[i - r], col_sum);
    }
    if (col_sum != NULL)
        *col_shift = shift;
}

static void infonce_join_rows_avx2(size_t count, float alpha, float *max, float *sum,
                                   const float *max2, const float *sum2)
{
    const __m256 scale = _mm256_set1_ps(alpha);
    for (size_t i = 0; i < count; i += 8) {
        size_t first = count - i < 8 ? count - i : 8;
        __m256 m1 = simd_load_first(max + i, first), m2 = simd_load_first(max2 + i, first);
        __m256 joined = simd_max8(m2, m1);
        __m256 e = _mm256_mul_ps(simd_load_first(sum + i, first),
                                 simd_exp2x8(_mm256_mul_ps(_mm256_sub_ps(m1, joined), scale)));
        e = _mm256_fmadd_ps(simd_load_first(sum2 + i, first),
                            simd_exp2x8(_mm256_mul_ps(_mm256_sub_ps(m2, joined), scale)), e);
        simd_store_first(sum + i, first, e);
        simd_store_first(max + i, first, joined);
    }
}

static void infonce_join_columns_avx2(size_t count, float *sum, float factor, const float *sum2,
                                      float factor2)
{
    __m256 f = _mm256_set1_ps(factor), f2 = _mm256_set1_ps(factor2);
    size_t j = 0;
    for (; j + 8 <= count; j += 8) {
        __m256 v = _mm256_mul_ps(_mm256_loadu_ps(sum + j), f);
        _mm256_storeu_ps(sum + j, _mm256_fmadd_ps(_mm256_loadu_ps(sum2 + j), f2, v));
    }
    if (j < count) {
        __m256 v = _mm256_mul_ps(simd_load_first(sum + j, count - j), f);
        v = _mm256_fmadd_ps(simd_load_first(sum2 + j, count - j), f2, v);
        simd_store_first(sum + j, count - j, v);
    }
}

/* 2^(z - lse) with lse in two parts; never above 1 whatever the rounding of lse. */
static inline __m256 infonce_softmax_avx2(__m256 s, __m256 alpha, __m256 lse, __m256 lse_low)
{
    __m256 z = _mm256_sub_ps(_mm256_fmsub_ps(s, alpha, lse), lse_low);
    return simd_exp2x8(_mm256_min_ps(_mm256_setzero_ps(), z)); /* second operand where NaN */
}

/* One row of G; with two_exps the column softmax has an exponential of its own. */
static inline __attribute__((always_inline)) void
infonce_gradient_row_avx2(const struct infonce_gradient *g, size_t i, size_t cols, float *sim,
                          bool two_exps)
{
    const __m256 alpha = _mm256_set1_ps(g->alpha), lowest = _mm256_set1_ps(-FLT_MAX);
    const __m256 low = _mm256_set1_ps(g->low), row_weight = _mm256_set1_ps(g->row_weight[i]);
    const __m256 lse_x = _mm256_set1_ps(two_exps ? g->lse_x[i] : 0.0f);
    const __m256 lse_x_low = _mm256_set1_ps(two_exps ? g->lse_x_low[i] : 0.0f);
    __m256 e_lane[2], g_lane[2], gs_lane[2];
    for (int h = 0; h < 2; h++)
        e_lane[h] = g_lane[h] = gs_lane[h] = _mm256_setzero_ps();
    for (size_t j = 0; j < cols; j += 16) {
#pragma GCC unroll 2
        for (size_t h = 0; h < 2; h++) {
            size_t at = j + 8 * h;
            __m256 s = _mm256_loadu_ps(sim + at), col_weight = _mm256_loadu_ps(g->col_weight + at);
            __m256 e, e_col, gij;
            if (two_exps) {
                e = infonce_softmax_avx2(s, alpha, lse_x, lse_x_low);
                e_col = infonce_softmax_avx2(s, alpha, _mm256_loadu_ps(g->lse_y + at),
                                             _mm256_loadu_ps(g->lse_y_low + at));
                gij = _mm256_fmadd_ps(col_weight, e_col, _mm256_mul_ps(row_weight, e));
            } else {
                e = e_col = simd_exp2x8(_mm256_fmsub_ps(s, alpha, low));
                gij = _mm256_mul_ps(e, _mm256_add_ps(row_weight, col_weight));
            }
            e_lane[h] = _mm256_add_ps(e_lane[h], e);
            g_lane[h] = _mm256_add_ps(g_lane[h], gij);
            gs_lane[h] = _mm256_fmadd_ps(gij, simd_max8(s, lowest), gs_lane[h]);
            _mm256_storeu_ps(g->col_e + at, _mm256_add_ps(_mm256_loadu_ps(g->col_e + at), e_col));
            _mm256_storeu_ps(g->col_g + at, _mm256_add_ps(_mm256_loadu_ps(g->col_g + at), gij));
            _mm256_storeu_ps(sim + at, gij);
        }
    }
    g->row_e[i] = simd_sum16x8(e_lane[0], e_lane[1]);
    g->row_g[i] = simd_sum16x8(g_lane[0], g_lane[1]);
    g->row_gs[i] = simd_sum16x8(gs_lane[0], gs_lane[1]);
}

static void infonce_gradient_block_avx2(const struct infonce_gradient *g, size_t rows, size_t cols,
                                        float *sim)
{
    for (size_t j = 0; j < cols; j += 8) {
        _mm256_storeu_ps(g->col_e + j, _mm256_setzero_ps());
        _mm256_storeu_ps(g->col_g + j, _mm256_setzero_ps());
    }
    for (size_t i = 0; i < rows; i++)
        if (g->lse_x != NULL)
            infonce_gradient_row_avx2(g, i, cols, sim + i * TILE_BLOCK_LD, true);
        else
            infonce_gradient_row_avx2(g, i, cols, sim + i * TILE_BLOCK_LD, false);
}

static void infonce_exp2_difference_avx2(size_t count, const float *v, float c, float scale,
                                         float *out)
{
    const __m256 vc = _mm256_set1_ps(c), vscale = _mm256_set1_ps(scale);
    for (size_t i = 0; i < count; i += 8) {
        size_t first = count - i < 8 ? count - i : 8;
        __m256 z = _mm256_mul_ps(vscale, _mm256_sub_ps(simd_load_first(v + i, first), vc));
        simd_store_first(out + i, first, simd_exp2x8(z));
    }
}

/* Columns k .. k+7 of gradient + coef positive (normalised with scale where given). */
static inline __m256 infonce_with_positive_avx2(const struct infonce_row *row, size_t k,
                                                size_t first, const struct row_scale *scale)
{
    __m256 v = simd_load_first(row->gradient + k, first);
    if (row->positive == NULL)
        return v;
    __m256 p = simd_load_first(row->positive + k, first);
    if (scale != NULL)
        p = _mm256_mul_ps(_mm256_mul_ps(p, _mm256_set1_ps(scale->power)),
                          _mm256_set1_ps(scale->inverse));
    return _mm256_fmadd_ps(_mm256_set1_ps(row->coef), p, v);
}

/* vmaskmov stores cost some twenty times a plain store here: only for the tail. */
static inline void infonce_store_avx2(float *p, size_t first, __m256 v)
{
    if (first == 8)
        _mm256_storeu_ps(p, v);
    else
        simd_store_first(p, first, v);
}

static void infonce_finish_dot_avx2(const struct infonce_row *row)
{
    for (size_t k = 0; k < row->d; k += 8) {
        size_t first = row->d - k < 8 ? row->d - k : 8;
        __m256 v = infonce_with_positive_avx2(row, k, first, NULL);
        v = _mm256_mul_ps(_mm256_set1_ps(row->scale), v);
        infonce_store_avx2(row->gradient + k, first, simd_canonical_nan8(v));
    }
}

static void infonce_finish_cosine_avx2(const struct infonce_row *row)
{
    const __m256 power = _mm256_set1_ps(row->self_scale.power);
    const __m256 inverse = _mm256_set1_ps(row->self_scale.inverse);
    __m256 lane[8];
    for (size_t l = 0; l < 8; l++)
        lane[l] = _mm256_setzero_ps();
    for (size_t k = 0; k < row->d; k += SIMD_LANES) {
#pragma GCC unroll 8
        for (size_t l = 0; l < 8; l++) {
            size_t at = k + 8 * l;
            if (at >= row->d)
                break;
            size_t first = row->d - at < 8 ? row->d - at : 8;
            __m256 v = infonce_with_positive_avx2(row, at, first, &row->positive_scale);
            __m256 x = simd_load_first(row->self + at, first);
            x = _mm256_mul_ps(_mm256_mul_ps(x, power), inverse);
            /* beyond the tail both are 0, or NaN where all of the row is NaN */
            lane[l] = _mm256_fmadd_ps(x, v, lane[l]);
            infonce_store_avx2(row->gradient + at, first, v);
        }
    }
    __m256 projection = _mm256_set1_ps(simd_sum64x8(lane));
    for (size_t k = 0; k < row->d; k += 8) {
        size_t first = row->d - k < 8 ? row->d - k : 8;
        __m256 x = simd_load_first(row->self + k, first);
        x = _mm256_mul_ps(_mm256_mul_ps(x, power), inverse);
        __m256 v = _mm256_fnmadd_ps(projection, x, simd_load_first(row->gradient + k, first));
        v = _mm256_mul_ps(_mm256_set1_ps(row->scale), v);
        v = _mm256_mul_ps(_mm256_mul_ps(v, inverse), power);
        infonce_store_avx2(row->gradient + k, first, simd_canonical_nan8(v));
    }
}

static void infonce_finish_neg_sq_l2_avx2(const struct infonce_row *row)
{
    const __m256 sum_g = _mm256_set1_ps(row->sum_g);
    for (size_t k = 0; k < row->d; k += 8) {
        size_t first = row->d - k < 8 ? row->d - k : 8;
        __m256 v = infonce_with_positive_avx2(row, k, first, NULL);
        v = _mm256_fnmadd_ps(sum_g, simd_load_first(row->self + k, first), v);
        v = _mm256_mul_ps(_mm256_set1_ps(row->scale), v);
        infonce_store_avx2(row->gradient + k, first, simd_canonical_nan8(v));
    }
}

const struct infonce_ops infonce_ops_avx2 = {
    .softmax_block = infonce_softmax_block_avx2,
    .join_rows = infonce_join_rows_avx2,
    .join_columns = infonce_join_columns_avx2,
    .gradient_block = infonce_gradient_block_avx2,
    .exp2_difference = infonce_exp2_difference_avx2,
    .finish_row = {infonce_finish_dot_avx2, infonce_finish_cosine_avx2,
                   infonce_finish_neg_sq_l2_avx2},
};
