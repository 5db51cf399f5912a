/* infonce_avx512.c - inner loops of InfoNCE, AVX-512.
 * SPDX-License-Identifier: MIT
 *
 * softmax_block   16 elements cost one multiply for the argument, six for 2^r and one for the column: 8 on
 *                 the two FMA ports, 4 clocks; six adds, shifts and compares run beside them. Measured
 *                 7 clocks, and 2 more for the pass that finds the maximum (the block comes from L2).
 * gradient_block  one exponential for both softmaxes; two more FMA-port operations (G, G S), in place.
 * Differs         one zmm holds all 16 lanes of a row sum; AVX2 needs two ymm, NEON four q. Positives
 *                 and padding are -Inf, so there are no tails.
 */
#include "infonce.h"

#include "../simd/avx512.h"

#include <float.h>

static inline float infonce_row_max_avx512(size_t cols, const float *sim)
{
    __m512 m0 = _mm512_set1_ps(-FLT_MAX), m1 = m0;
    size_t j = 0;
    for (; j + 32 <= cols; j += 32) {
        m0 = simd_max16(_mm512_loadu_ps(sim + j), m0);
        m1 = simd_max16(_mm512_loadu_ps(sim + j + 16), m1);
    }
    if (j < cols)
        m0 = simd_max16(_mm512_loadu_ps(sim + j), m0);
    float max = simd_hmax16(_mm512_max_ps(m0, m1));
    return (max > FLT_MAX ? FLT_MAX : max) + 0.0f;
}

/* Two rows at a time share the loads and stores of the column sums; row r of each column first. */
static inline __attribute__((always_inline)) void
infonce_exp_rows_avx512(size_t cols, size_t count, const float *sim, float alpha, const float *max,
                        const float *weight, float *row_sum, float *col_sum)
{
    const __m512 scale = _mm512_set1_ps(alpha);
    __m512 lane[2], shift[2], w[2];
    for (size_t r = 0; r < count; r++) {
        lane[r] = _mm512_setzero_ps();
        shift[r] = _mm512_set1_ps(max[r]);
        w[r] = _mm512_set1_ps(weight[r]);
    }
    for (size_t j = 0; j < cols; j += 16) {
        __m512 column = col_sum != NULL ? _mm512_loadu_ps(col_sum + j) : _mm512_setzero_ps();
        for (size_t r = 0; r < count; r++) {
            __m512 s = _mm512_loadu_ps(sim + r * TILE_BLOCK_LD + j);
            __m512 e = simd_exp2_raised16(_mm512_mul_ps(_mm512_sub_ps(s, shift[r]), scale));
            lane[r] = _mm512_add_ps(lane[r], e);
            column = _mm512_fmadd_ps(e, w[r], column);
        }
        if (col_sum != NULL)
            _mm512_storeu_ps(col_sum + j, column);
    }
    for (size_t r = 0; r < count; r++)
        row_sum[r] = simd_sum16x16(lane[r]);
}

static void infonce_softmax_block_avx512(size_t rows, size_t cols, const float *sim, float alpha,
                                         float *row_max, float *row_sum, float *col_shift,
                                         float *col_sum)
{
    float shift = -FLT_MAX;
    for (size_t j = 0; col_sum != NULL && j < cols; j += 16)
        _mm512_storeu_ps(col_sum + j, _mm512_setzero_ps());
    for (size_t r = 0; r < rows; r += INFONCE_CHUNK_ROWS) {
        size_t end = rows - r < INFONCE_CHUNK_ROWS ? rows : r + INFONCE_CHUNK_ROWS;
        float raised = shift;
        for (size_t i = r; i < end; i++) {
            row_max[i] = infonce_row_max_avx512(cols, sim + i * TILE_BLOCK_LD);
            raised = simd_max(row_max[i], raised);
        }
        if (raised > shift) {
            __m512 factor = simd_exp2x16(_mm512_set1_ps((shift - raised) * alpha));
            for (size_t j = 0; col_sum != NULL && j < cols; j += 16)
                _mm512_storeu_ps(col_sum + j, _mm512_mul_ps(_mm512_loadu_ps(col_sum + j), factor));
            shift = raised;
        }
        float weight[16];
        __m512 max = simd_load_first(row_max + r, end - r);
        max = _mm512_sub_ps(max, _mm512_set1_ps(shift));
        _mm512_storeu_ps(weight, simd_exp2_raised16(_mm512_mul_ps(max, _mm512_set1_ps(alpha))));
        size_t i = r;
        for (; i + 2 <= end; i += 2)
            infonce_exp_rows_avx512(cols, 2, sim + i * TILE_BLOCK_LD, alpha, row_max + i,
                                    weight + (i - r), row_sum + i, col_sum);
        if (i < end)
            infonce_exp_rows_avx512(cols, 1, sim + i * TILE_BLOCK_LD, alpha, row_max + i,
                                    weight + (i - r), row_sum + i, col_sum);
    }
    if (col_sum != NULL)
        *col_shift = shift;
}

static void infonce_join_rows_avx512(size_t count, float alpha, float *max, float *sum,
                                     const float *max2, const float *sum2)
{
    const __m512 scale = _mm512_set1_ps(alpha);
    for (size_t i = 0; i < count; i += 16) {
        size_t first = count - i < 16 ? count - i : 16;
        __m512 m1 = simd_load_first(max + i, first), m2 = simd_load_first(max2 + i, first);
        __m512 joined = simd_max16(m2, m1);
        __m512 e = _mm512_mul_ps(simd_load_first(sum + i, first),
                                 simd_exp2x16(_mm512_mul_ps(_mm512_sub_ps(m1, joined), scale)));
        e = _mm512_fmadd_ps(simd_load_first(sum2 + i, first),
                            simd_exp2x16(_mm512_mul_ps(_mm512_sub_ps(m2, joined), scale)), e);
        simd_store_first(sum + i, first, e);
        simd_store_first(max + i, first, joined);
    }
}

static void infonce_join_columns_avx512(size_t count, float *sum, float factor, const float *sum2,
                                        float factor2)
{
    __m512 f = _mm512_set1_ps(factor), f2 = _mm512_set1_ps(factor2);
    for (size_t j = 0; j < count; j += 16) {
        size_t first = count - j < 16 ? count - j : 16;
        __m512 v = _mm512_mul_ps(simd_load_first(sum + j, first), f);
        v = _mm512_fmadd_ps(simd_load_first(sum2 + j, first), f2, v);
        simd_store_first(sum + j, first, v);
    }
}

/* 2^(z - lse) with lse in two parts; never above 1 whatever the rounding of lse. */
static inline __m512 infonce_softmax_avx512(__m512 s, __m512 alpha, __m512 lse, __m512 lse_low)
{
    __m512 z = _mm512_sub_ps(_mm512_fmsub_ps(s, alpha, lse), lse_low);
    return simd_exp2x16(_mm512_min_ps(_mm512_setzero_ps(), z)); /* second operand where NaN */
}

/* One row of G; with two_exps the column softmax has an exponential of its own. */
static inline __attribute__((always_inline)) void
infonce_gradient_row_avx512(const struct infonce_gradient *g, size_t i, size_t cols, float *sim,
                            bool two_exps)
{
    const __m512 alpha = _mm512_set1_ps(g->alpha), lowest = _mm512_set1_ps(-FLT_MAX);
    const __m512 low = _mm512_set1_ps(g->low), row_weight = _mm512_set1_ps(g->row_weight[i]);
    const __m512 lse_x = _mm512_set1_ps(two_exps ? g->lse_x[i] : 0.0f);
    const __m512 lse_x_low = _mm512_set1_ps(two_exps ? g->lse_x_low[i] : 0.0f);
    __m512 e_lane = _mm512_setzero_ps(), g_lane = e_lane, gs_lane = e_lane;
    for (size_t j = 0; j < cols; j += 16) {
        __m512 s = _mm512_loadu_ps(sim + j), col_weight = _mm512_loadu_ps(g->col_weight + j);
        __m512 e, e_col, gij;
        if (two_exps) {
            e = infonce_softmax_avx512(s, alpha, lse_x, lse_x_low);
            e_col = infonce_softmax_avx512(s, alpha, _mm512_loadu_ps(g->lse_y + j),
                                           _mm512_loadu_ps(g->lse_y_low + j));
            gij = _mm512_fmadd_ps(col_weight, e_col, _mm512_mul_ps(row_weight, e));
        } else {
            e = e_col = simd_exp2x16(_mm512_fmsub_ps(s, alpha, low));
            gij = _mm512_mul_ps(e, _mm512_add_ps(row_weight, col_weight));
        }
        e_lane = _mm512_add_ps(e_lane, e);
        g_lane = _mm512_add_ps(g_lane, gij);
        gs_lane = _mm512_fmadd_ps(gij, simd_max16(s, lowest), gs_lane);
        _mm512_storeu_ps(g->col_e + j, _mm512_add_ps(_mm512_loadu_ps(g->col_e + j), e_col));
        _mm512_storeu_ps(g->col_g + j, _mm512_add_ps(_mm512_loadu_ps(g->col_g + j), gij));
        _mm512_storeu_ps(sim + j, gij);
    }
    g->row_e[i] = simd_sum16x16(e_lane);
    g->row_g[i] = simd_sum16x16(g_lane);
    g->row_gs[i] = simd_sum16x16(gs_lane);
}

static void infonce_gradient_block_avx512(const struct infonce_gradient *g, size_t rows,
                                          size_t cols, float *sim)
{
    for (size_t j = 0; j < cols; j += 16) {
        _mm512_storeu_ps(g->col_e + j, _mm512_setzero_ps());
        _mm512_storeu_ps(g->col_g + j, _mm512_setzero_ps());
    }
    for (size_t i = 0; i < rows; i++)
        if (g->lse_x != NULL)
            infonce_gradient_row_avx512(g, i, cols, sim + i * TILE_BLOCK_LD, true);
        else
            infonce_gradient_row_avx512(g, i, cols, sim + i * TILE_BLOCK_LD, false);
}

static void infonce_exp2_difference_avx512(size_t count, const float *v, float c, float scale,
                                           float *out)
{
    const __m512 vc = _mm512_set1_ps(c), vscale = _mm512_set1_ps(scale);
    for (size_t i = 0; i < count; i += 16) {
        size_t first = count - i < 16 ? count - i : 16;
        __m512 z = _mm512_mul_ps(vscale, _mm512_sub_ps(simd_load_first(v + i, first), vc));
        simd_store_first(out + i, first, simd_exp2x16(z));
    }
}

/* Columns k .. k+15 of gradient + coef positive (normalised with scale where given). */
static inline __m512 infonce_with_positive_avx512(const struct infonce_row *row, size_t k,
                                                  size_t first, const struct row_scale *scale)
{
    __m512 v = simd_load_first(row->gradient + k, first);
    if (row->positive == NULL)
        return v;
    __m512 p = simd_load_first(row->positive + k, first);
    if (scale != NULL)
        p = _mm512_mul_ps(_mm512_mul_ps(p, _mm512_set1_ps(scale->power)),
                          _mm512_set1_ps(scale->inverse));
    return _mm512_fmadd_ps(_mm512_set1_ps(row->coef), p, v);
}

static void infonce_finish_dot_avx512(const struct infonce_row *row)
{
    for (size_t k = 0; k < row->d; k += 16) {
        size_t first = row->d - k < 16 ? row->d - k : 16;
        __m512 v = infonce_with_positive_avx512(row, k, first, NULL);
        v = _mm512_mul_ps(_mm512_set1_ps(row->scale), v);
        simd_store_first(row->gradient + k, first, simd_canonical_nan16(v));
    }
}

static void infonce_finish_cosine_avx512(const struct infonce_row *row)
{
    const __m512 power = _mm512_set1_ps(row->self_scale.power);
    const __m512 inverse = _mm512_set1_ps(row->self_scale.inverse);
    __m512 lane[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(),
                      _mm512_setzero_ps()};
    for (size_t k = 0; k < row->d; k += SIMD_LANES) {
#pragma GCC unroll 4
        for (size_t l = 0; l < 4; l++) {
            size_t at = k + 16 * l;
            if (at >= row->d)
                break;
            size_t first = row->d - at < 16 ? row->d - at : 16;
            __m512 v = infonce_with_positive_avx512(row, at, first, &row->positive_scale);
            __m512 x = simd_load_first(row->self + at, first);
            x = _mm512_mul_ps(_mm512_mul_ps(x, power), inverse);
            lane[l] = _mm512_mask3_fmadd_ps(x, v, lane[l], simd_first(first));
            simd_store_first(row->gradient + at, first, v);
        }
    }
    __m512 projection = _mm512_set1_ps(simd_sum64x16(lane[0], lane[1], lane[2], lane[3]));
    for (size_t k = 0; k < row->d; k += 16) {
        size_t first = row->d - k < 16 ? row->d - k : 16;
        __m512 x = simd_load_first(row->self + k, first);
        x = _mm512_mul_ps(_mm512_mul_ps(x, power), inverse);
        __m512 v = _mm512_fnmadd_ps(projection, x, simd_load_first(row->gradient + k, first));
        v = _mm512_mul_ps(_mm512_set1_ps(row->scale), v);
        v = _mm512_mul_ps(_mm512_mul_ps(v, inverse), power);
        simd_store_first(row->gradient + k, first, simd_canonical_nan16(v));
    }
}

static void infonce_finish_neg_sq_l2_avx512(const struct infonce_row *row)
{
    const __m512 sum_g = _mm512_set1_ps(row->sum_g);
    for (size_t k = 0; k < row->d; k += 16) {
        size_t first = row->d - k < 16 ? row->d - k : 16;
        __m512 v = infonce_with_positive_avx512(row, k, first, NULL);
        v = _mm512_fnmadd_ps(sum_g, simd_load_first(row->self + k, first), v);
        v = _mm512_mul_ps(_mm512_set1_ps(row->scale), v);
        simd_store_first(row->gradient + k, first, simd_canonical_nan16(v));
    }
}

const struct infonce_ops infonce_ops_avx512 = {
    .softmax_block = infonce_softmax_block_avx512,
    .join_rows = infonce_join_rows_avx512,
    .join_columns = infonce_join_columns_avx512,
    .gradient_block = infonce_gradient_block_avx512,
    .exp2_difference = infonce_exp2_difference_avx512,
    .finish_row = {infonce_finish_dot_avx512, infonce_finish_cosine_avx512,
                   infonce_finish_neg_sq_l2_avx512},
};
