/* infonce_avx2.c - inner loops of InfoNCE, AVX2 and FMA.
 * SPDX-License-Identifier: MIT
 *
 * exp_strip       8 elements: five FMAs; a clamp on both sides, five adds, a shift and an integer
 *                 add, on ports of their own (Zen) or the same (Intel). Measured 9 clocks for 16.
 *                 16 columns at a time, two rows side by side: four independent polynomials hide
 *                 most of their latency, and the constants that do not fit in 16 registers come
 *                 from L1 as operands.
 * gradient_strip  one exponential for both softmaxes, one more multiply, two FMAs where G z is
 * summed,
 *                 and a store to L2; from E no exponential: bound by reading it, from L3 or memory.
 * sigmoid_strip   an exponential, a logarithm (two polynomials, one after the other) and, for G, a
 *                 division: 15 FMAs among some 80 instructions for 8 elements, so that it is bound
 *                 by their number and not by the FMA ports
 * finish_row      one pass over a row of sums, with x and y: bound by moving these and the gradient
 * Differs         two ymm hold the 16 lanes of a row sum, one zmm in AVX-512, four q in NEON.
 */
#include "infonce.h"

#include "../simd/avx2.h"

#include <float.h>

/* `count` rows, 2 or 1, of 16 columns. Sets column to their sum. */
static inline __attribute__((always_inline)) void
infonce_exp_rows_avx2(size_t count, const float *z, struct simd_shift shift, float *row_lane,
                      float *e, __m256 column[2])
{
    __m256 exp[2][2];
#pragma GCC unroll 2
    for (size_t r = 0; r < count; r++)
#pragma GCC unroll 2
        for (size_t h = 0; h < 2; h++)
            exp[r][h] = simd_exp2_shifted8(_mm256_loadu_ps(z + r * INFONCE_STRIP + 8 * h), shift);
#pragma GCC unroll 2
    for (size_t r = 0; r < count; r++)
#pragma GCC unroll 2
        for (size_t h = 0; h < 2; h++) {
            float *lane = row_lane + r * INFONCE_LANES + 8 * h;
            column[h] = r == 0 ? exp[r][h] : _mm256_add_ps(column[h], exp[r][h]);
            _mm256_storeu_ps(lane, _mm256_add_ps(_mm256_loadu_ps(lane), exp[r][h]));
            if (e != NULL)
                _mm256_storeu_ps(e + r * INFONCE_STRIP + 8 * h, exp[r][h]);
        }
}

static inline __attribute__((always_inline)) void
infonce_exp_columns_avx2(size_t rows, const float *z, struct simd_shift shift, float *row_lane,
                         float *col_sum, float *e)
{
    __m256 column[2] = {_mm256_loadu_ps(col_sum), _mm256_loadu_ps(col_sum + 8)}, low[2], high[2];
    size_t i = 0;
    for (; i + 4 <= rows; i += 4) {
        infonce_exp_rows_avx2(2, z + i * INFONCE_STRIP, shift, row_lane + i * INFONCE_LANES,
                              e != NULL ? e + i * INFONCE_STRIP : NULL, low);
        infonce_exp_rows_avx2(2, z + (i + 2) * INFONCE_STRIP, shift,
                              row_lane + (i + 2) * INFONCE_LANES,
                              e != NULL ? e + (i + 2) * INFONCE_STRIP : NULL, high);
        for (size_t h = 0; h < 2; h++)
            column[h] = _mm256_add_ps(column[h], _mm256_add_ps(low[h], high[h]));
    }
    for (; i < rows; i++) {
        infonce_exp_rows_avx2(1, z + i * INFONCE_STRIP, shift, row_lane + i * INFONCE_LANES,
                              e != NULL ? e + i * INFONCE_STRIP : NULL, low);
        for (size_t h = 0; h < 2; h++)
            column[h] = _mm256_add_ps(column[h], low[h]);
    }
    _mm256_storeu_ps(col_sum, column[0]);
    _mm256_storeu_ps(col_sum + 8, column[1]);
}

static void infonce_exp_strip_avx2(size_t rows, size_t cols, const float *z,
                                   struct simd_shift shift, float *row_lane, float *col_sum,
                                   float *e)
{
    for (size_t j = 0; j < cols; j += 16)
        if (e == NULL)
            infonce_exp_columns_avx2(rows, z + j, shift, row_lane, col_sum + j, NULL);
        else
            infonce_exp_columns_avx2(rows, z + j, shift, row_lane, col_sum + j, e + j);
}

/* 2^(z - lse - c) with lse in two parts; never above 2^-c whatever the rounding of lse. */
static inline __m256 infonce_softmax_avx2(__m256 z, __m256 lse, __m256 lse_low, struct simd_shift c)
{
    z = _mm256_sub_ps(_mm256_sub_ps(z, lse), lse_low);
    z = _mm256_min_ps(_mm256_setzero_ps(), z); /* second operand where NaN */
    return simd_exp2_shifted8(z, c);
}

/* lane += g z; returns column + g z. An entry that does not count has z = -Inf, and G = 0. */
static inline __m256 infonce_add_gz_avx2(float *lane, __m256 g, __m256 z, __m256 column)
{
    z = simd_max8(_mm256_set1_ps(-FLT_MAX), z);
    _mm256_storeu_ps(lane, _mm256_fmadd_ps(g, z, _mm256_loadu_ps(lane)));
    return _mm256_fmadd_ps(g, z, column);
}

/* 8 columns, all rows. */
static inline __attribute__((always_inline)) void
infonce_gradient_columns_avx2(const struct infonce_gradient *g, size_t rows, size_t j,
                              const float *strip, enum infonce_form form, bool sums_e, bool sums_g,
                              bool sums_gz)
{
    const __m256 col_weight = _mm256_loadu_ps(g->col_weight + j);
    __m256 lse_y = col_weight, lse_y_low = col_weight;
    if (form == INFONCE_TWO_EXPS) {
        lse_y = _mm256_loadu_ps(g->lse_y + j);
        lse_y_low = _mm256_loadu_ps(g->lse_y_low + j);
    }
    __m256 column_e = _mm256_setzero_ps(), column_g = column_e, column_gz = column_e;
    for (size_t i = 0; i < rows; i++) {
        __m256 v = _mm256_loadu_ps(strip + i * INFONCE_STRIP + j), e, e_col, gij;
        __m256 row_weight = _mm256_broadcast_ss(g->row_weight + i);
        if (form == INFONCE_TWO_EXPS) {
            e = infonce_softmax_avx2(v, _mm256_broadcast_ss(g->lse_x + i),
                                     _mm256_broadcast_ss(g->lse_x_low + i), g->shift);
            e_col = infonce_softmax_avx2(v, lse_y, lse_y_low, g->shift);
            gij = _mm256_fmadd_ps(col_weight, e_col, _mm256_mul_ps(row_weight, e));
        } else {
            e = e_col = form == INFONCE_FROM_E ? v : simd_exp2_shifted8(v, g->shift);
            gij = _mm256_mul_ps(e, _mm256_add_ps(row_weight, col_weight));
        }
        if (sums_e) {
            float *lane = g->row_e + i * INFONCE_LANES + j % INFONCE_LANES;
            _mm256_storeu_ps(lane, _mm256_add_ps(_mm256_loadu_ps(lane), e));
            column_e = _mm256_add_ps(column_e, e_col);
        }
        if (sums_g) {
            float *lane = g->row_g + i * INFONCE_LANES + j % INFONCE_LANES;
            _mm256_storeu_ps(lane, _mm256_add_ps(_mm256_loadu_ps(lane), gij));
            column_g = _mm256_add_ps(column_g, gij);
        }
        if (sums_gz)
            column_gz = infonce_add_gz_avx2(g->row_gz + i * INFONCE_LANES + j % INFONCE_LANES, gij,
                                            v, column_gz);
        _mm256_storeu_ps(g->out[j / 16] + i * g->ldout + j % 16, gij);
    }
    if (sums_e)
        _mm256_storeu_ps(g->col_e + j, column_e);
    if (sums_g)
        _mm256_storeu_ps(g->col_g + j, column_g);
    if (sums_gz)
        _mm256_storeu_ps(g->col_gz + j, column_gz);
}

static inline __attribute__((always_inline)) void
infonce_gradient_form_avx2(const struct infonce_gradient *g, size_t rows, size_t cols,
                           const float *strip, enum infonce_form form)
{
    bool sums_e = g->row_e != NULL, sums_g = g->row_g != NULL, sums_gz = g->row_gz != NULL;
    for (size_t j = 0; j < cols; j += 8)
        if (sums_e || sums_g)
            infonce_gradient_columns_avx2(g, rows, j, strip, form, sums_e, sums_g, sums_gz);
        else if (sums_gz)
            infonce_gradient_columns_avx2(g, rows, j, strip, form, false, false, true);
        else
            infonce_gradient_columns_avx2(g, rows, j, strip, form, false, false, false);
}

static void infonce_gradient_strip_avx2(const struct infonce_gradient *g, size_t rows, size_t cols,
                                        const float *strip)
{
    if (g->form == INFONCE_FROM_Z)
        infonce_gradient_form_avx2(g, rows, cols, strip, INFONCE_FROM_Z);
    else if (g->form == INFONCE_FROM_E)
        infonce_gradient_form_avx2(g, rows, cols, strip, INFONCE_FROM_E);
    else
        infonce_gradient_form_avx2(g, rows, cols, strip, INFONCE_TWO_EXPS);
}

/* 8 columns, all rows. */
static inline __attribute__((always_inline)) void
infonce_sigmoid_columns_avx2(const struct infonce_sigmoid *g, size_t rows, size_t j,
                             const float *strip, bool with_g)
{
    const struct simd_shift shift = infonce_raised();
    const __m256 zero = _mm256_setzero_ps(), one = _mm256_set1_ps(1.0f);
    const __m256 raise = _mm256_set1_ps(INFONCE_RAISE), lower = _mm256_set1_ps(1 / INFONCE_RAISE);
    const __m256 least = _mm256_set1_ps(INFONCE_RAISED_LEAST);
    const __m256 col_term = _mm256_loadu_ps(g->col_term + j), scale = _mm256_set1_ps(g->scale);
    const float *row_term = g->row_term;
    float *row_s = g->row_s + j % INFONCE_LANES;
    float *row_g = with_g ? g->row_g + j % INFONCE_LANES : NULL;
    float *row_gz = g->row_gz != NULL ? g->row_gz + j % INFONCE_LANES : NULL;
    float *out = with_g ? g->out[j / 16] + j % 16 : NULL;
    __m256 column_g = zero, column_gz = zero;
    for (size_t i = 0; i < rows; i++) {
        __m256 term = _mm256_add_ps(_mm256_broadcast_ss(row_term + i), col_term);
        __m256 z = _mm256_loadu_ps(strip + i * INFONCE_STRIP + j), w = _mm256_add_ps(z, term);
        /* 2^(24 - |w|) */
        __m256 raised = simd_exp2_shifted8(_mm256_or_ps(w, _mm256_set1_ps(-0.0f)), shift);
        __m256 q = _mm256_mul_ps(simd_max8(least, raised), lower);
        __m256 s = simd_log2_1px8(q, raised, _mm256_mul_ps(simd_max8(w, zero), raise));
        float *lane = row_s + i * INFONCE_LANES;
        _mm256_storeu_ps(lane, _mm256_add_ps(_mm256_loadu_ps(lane), s));
        if (!with_g)
            continue;
        __m256 part = _mm256_blendv_ps(raise, raised, _mm256_cmp_ps(w, zero, _CMP_LT_OQ));
        __m256 gij = _mm256_mul_ps(_mm256_div_ps(part, _mm256_add_ps(one, q)), scale);
        lane = row_g + i * INFONCE_LANES;
        _mm256_storeu_ps(lane, _mm256_add_ps(_mm256_loadu_ps(lane), gij));
        column_g = _mm256_add_ps(column_g, gij);
        if (row_gz != NULL)
            column_gz = infonce_add_gz_avx2(row_gz + i * INFONCE_LANES, gij, z, column_gz);
        _mm256_storeu_ps(out + i * g->ldout, gij);
    }
    if (with_g)
        _mm256_storeu_ps(g->col_g + j, column_g);
    if (with_g && row_gz != NULL)
        _mm256_storeu_ps(g->col_gz + j, column_gz);
}

static void infonce_sigmoid_strip_avx2(const struct infonce_sigmoid *g, size_t rows, size_t cols,
                                       const float *strip)
{
    for (size_t j = 0; j < cols; j += 8)
        if (g->out[0] != NULL)
            infonce_sigmoid_columns_avx2(g, rows, j, strip, true);
        else
            infonce_sigmoid_columns_avx2(g, rows, j, strip, false);
}

static void infonce_row_sums_avx2(size_t rows, const float *row_lane, float *sum)
{
    for (size_t i = 0; i < rows; i++, row_lane += INFONCE_LANES)
        sum[i] = simd_sum16x8(_mm256_loadu_ps(row_lane), _mm256_loadu_ps(row_lane + 8));
}

static void infonce_softmax_rows_avx2(size_t rows, size_t cols, const float *z, float *max,
                                      float *sum)
{
    for (size_t i = 0; i < rows; i++, z += TILE_BLOCK_LD) {
        __m256 m = _mm256_set1_ps(-FLT_MAX);
        __m256 lane[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
        for (size_t j = 0; j < cols; j += 8)
            m = simd_max8(_mm256_loadu_ps(z + j), m);
        float greatest = simd_hmax8(m);
        max[i] = (greatest > FLT_MAX ? FLT_MAX : greatest) + 0.0f;
        __m256 shift = _mm256_set1_ps(max[i]);
        for (size_t j = 0; j < cols; j += 16)
            for (size_t h = 0; h < 2; h++) {
                __m256 v = _mm256_sub_ps(_mm256_loadu_ps(z + j + 8 * h), shift);
                lane[h] = _mm256_add_ps(lane[h], simd_exp2x8(v));
            }
        sum[i] = simd_sum16x8(lane[0], lane[1]);
    }
}

/* vmaskmov stores cost some twenty times a plain store here: only for the tail. */
static inline void infonce_store_avx2(float *p, size_t first, __m256 v)
{
    if (first == 8)
        _mm256_storeu_ps(p, v);
    else
        simd_store_first(p, first, v);
}

static void infonce_join_blocks_avx2(size_t count, double *sum, float *part, bool first, bool last)
{
    for (size_t e = 0; e < count; e += 4) {
        __m256d v = _mm256_cvtps_pd(_mm_loadu_ps(part + e));
        if (!first)
            v = _mm256_add_pd(_mm256_loadu_pd(sum + e), v);
        if (last && !first)
            _mm_storeu_ps(part + e, _mm256_cvtpd_ps(v));
        else
            _mm256_storeu_pd(sum + e, v);
    }
}

static inline __attribute__((always_inline)) __m256
infonce_scaled_avx2(__m256 v, const struct row_scale *scale, enum infonce_factors factors)
{
    if (factors == INFONCE_POWER_AND_INVERSE)
        v = _mm256_mul_ps(v, _mm256_set1_ps(scale->power));
    return factors == INFONCE_NO_FACTOR ? v : _mm256_mul_ps(v, _mm256_set1_ps(scale->inverse));
}

/* Elements of a row, less the origin's. */
static inline __m256 infonce_row_avx2(const float *elements, const struct infonce_row *row,
                                      size_t k, size_t first, bool has_origin)
{
    __m256 v = simd_load_first(elements + k, first);
    return has_origin ? _mm256_sub_ps(v, simd_load_first(row->origin + k, first)) : v;
}

/* v + coef y. */
static inline __attribute__((always_inline)) __m256
infonce_with_positive_avx2(const struct infonce_row *row, size_t k, size_t first, bool has_origin,
                           enum infonce_factors factors, __m256 v)
{
    __m256 y = infonce_row_avx2(row->other, row, k, first, has_origin);
    y = infonce_scaled_avx2(y, &row->other_scale, factors);
    return _mm256_fmadd_ps(_mm256_set1_ps(row->coef), y, v);
}

static void infonce_add_positive_avx2(const struct infonce_row *given)
{
    const struct infonce_row row = *given; /* stores cannot change it */
    const bool has_origin = row.origin != NULL;
    for (size_t k = 0; k < row.d; k += 8) {
        size_t first = row.d - k < 8 ? row.d - k : 8;
        __m256 v = simd_load_first(infonce_sum_at(&row, k), first);
        infonce_store_avx2(
            row.gradient + k, first,
            infonce_with_positive_avx2(&row, k, first, has_origin, INFONCE_POWER_AND_INVERSE, v));
    }
}

/* 8 columns of a row, fewer at its end. cosine: lanes of x^ . v and of v . v, v being what is left
 * of the sum. */
static inline __attribute__((always_inline)) void
infonce_finish_step_avx2(const struct infonce_row *row, enum mmk_similarity similarity,
                         enum infonce_factors factors, bool has_positive, size_t k, size_t first,
                         __m256 *left, __m256 *square)
{
    bool has_origin = similarity == MMK_NEG_SQ_L2 && row->origin != NULL;
    __m256 v = simd_load_first(infonce_sum_at(row, k), first);
    if (has_positive)
        v = infonce_with_positive_avx2(row, k, first, has_origin, factors, v);
    if (similarity != MMK_DOT) {
        __m256 x = infonce_row_avx2(row->self, row, k, first, has_origin);
        x = infonce_scaled_avx2(x, &row->self_scale, factors);
        v = _mm256_fnmadd_ps(_mm256_set1_ps(row->along), x, v);
        if (similarity == MMK_COSINE) {
            *left = _mm256_fmadd_ps(x, v, *left);
            *square = _mm256_fmadd_ps(v, v, *square);
        }
    }
    if (factors != INFONCE_NO_FACTOR)
        v = _mm256_mul_ps(v, _mm256_set1_ps(row->self_scale.inverse));
    v = _mm256_mul_ps(v, _mm256_set1_ps(row->scale));
    if (factors == INFONCE_POWER_AND_INVERSE)
        v = _mm256_mul_ps(v, _mm256_set1_ps(row->after));
    infonce_store_avx2(row->gradient + k, first, simd_canonical_nan8(v));
}

/* gradient -= more x^ */
static inline __attribute__((always_inline)) void
infonce_take_out_avx2(const struct infonce_row *row, enum infonce_factors factors, float more)
{
    for (size_t k = 0; k < row->d; k += 8) {
        size_t first = row->d - k < 8 ? row->d - k : 8;
        __m256 x =
            infonce_scaled_avx2(simd_load_first(row->self + k, first), &row->self_scale, factors);
        __m256 v = simd_load_first(row->gradient + k, first);
        v = _mm256_fnmadd_ps(_mm256_set1_ps(more), x, v);
        infonce_store_avx2(row->gradient + k, first, simd_canonical_nan8(v));
    }
}

static inline __attribute__((always_inline)) void
infonce_finish_avx2(const struct infonce_row *given, enum mmk_similarity similarity,
                    enum infonce_factors factors, bool has_positive)
{
    const struct infonce_row copy = *given, *row = &copy; /* stores cannot change it */
    __m256 left[8], square[8];
    for (size_t l = 0; l < 8; l++)
        left[l] = square[l] = _mm256_setzero_ps();
    for (size_t k = 0; k < row->d; k += SIMD_LANES)
#pragma GCC unroll 8
        for (size_t l = 0; l < 8; l++) {
            size_t at = k + 8 * l;
            if (at < row->d)
                infonce_finish_step_avx2(row, similarity, factors, has_positive, at,
                                         row->d - at < 8 ? row->d - at : 8, &left[l], &square[l]);
        }
    if (similarity != MMK_COSINE)
        return;
    float more = infonce_left_along(row, simd_sum64x8(left), simd_sum64x8(square));
    if (more != 0)
        infonce_take_out_avx2(row, factors, more);
}

static void infonce_finish_dot_avx2(const struct infonce_row *row)
{
    if (row->other != NULL)
        infonce_finish_avx2(row, MMK_DOT, INFONCE_NO_FACTOR, true);
    else
        infonce_finish_avx2(row, MMK_DOT, INFONCE_NO_FACTOR, false);
}

static void infonce_finish_cosine_avx2(const struct infonce_row *row)
{
    if (infonce_has_power(row))
        infonce_finish_avx2(row, MMK_COSINE, INFONCE_POWER_AND_INVERSE, row->other != NULL);
    else if (row->other != NULL)
        infonce_finish_avx2(row, MMK_COSINE, INFONCE_INVERSE, true);
    else
        infonce_finish_avx2(row, MMK_COSINE, INFONCE_INVERSE, false);
}

static void infonce_finish_neg_sq_l2_avx2(const struct infonce_row *row)
{
    if (row->other != NULL)
        infonce_finish_avx2(row, MMK_NEG_SQ_L2, INFONCE_NO_FACTOR, true);
    else
        infonce_finish_avx2(row, MMK_NEG_SQ_L2, INFONCE_NO_FACTOR, false);
}

const struct infonce_ops infonce_ops_avx2 = {
    .exp_strip = infonce_exp_strip_avx2,
    .gradient_strip = infonce_gradient_strip_avx2,
    .sigmoid_strip = infonce_sigmoid_strip_avx2,
    .row_sums = infonce_row_sums_avx2,
    .softmax_rows = infonce_softmax_rows_avx2,
    .join_blocks = infonce_join_blocks_avx2,
    .add_positive = infonce_add_positive_avx2,
    .finish_row = {infonce_finish_dot_avx2, infonce_finish_cosine_avx2,
                   infonce_finish_neg_sq_l2_avx2},
};
