/* infonce_neon.c - inner loops of InfoNCE, AArch64 NEON.
 * SPDX-License-Identifier: MIT
 *
 * exp_strip       4 elements: five FMAs and as many moves, since an FMA overwrites the constant it
 *                 adds to, a clamp on both sides, five adds, a shift and an integer add: 19
 *                 operations, all on the same pipes. Four vectors of a row side by side hide the
 *                 latency of the polynomial; the column sums and all constants stay in registers.
 * gradient_strip  one exponential for both softmaxes, and beside it an add and a multiply.
 * sigmoid_strip   an exponential, a logarithm (two polynomials, one after the other) and, for G, a
 *                 division: bound by the number of instructions, as in infonce_avx512.c
 * finish_row      one pass over a row of sums, with x and y: bound by moving these and the gradient
 * Differs         the 16 lanes of a row sum are four q registers, and a step is 16 columns.
 */
#include "infonce.h"

#include "../simd/neon.h"

#include <float.h>

/* `count` rows, 2 or 1, of 16 columns. Sets column to their sum. */
static inline __attribute__((always_inline)) void
infonce_exp_rows_neon(size_t count, const float *z, struct simd_shift shift, float *row_lane,
                      float *e, float32x4_t column[4])
{
#pragma GCC unroll 2
    for (size_t r = 0; r < count; r++) {
        float *lane = row_lane + r * INFONCE_LANES;
        float32x4_t exp[4];
#pragma GCC unroll 4
        for (size_t h = 0; h < 4; h++)
            exp[h] = simd_exp2_shifted4(vld1q_f32(z + r * INFONCE_STRIP + 4 * h), shift);
#pragma GCC unroll 4
        for (size_t h = 0; h < 4; h++) {
            column[h] = r == 0 ? exp[h] : vaddq_f32(column[h], exp[h]);
            vst1q_f32(lane + 4 * h, vaddq_f32(vld1q_f32(lane + 4 * h), exp[h]));
            if (e != NULL)
                vst1q_f32(e + r * INFONCE_STRIP + 4 * h, exp[h]);
        }
    }
}

static inline __attribute__((always_inline)) void
infonce_exp_columns_neon(size_t rows, const float *z, struct simd_shift shift, float *row_lane,
                         float *col_sum, float *e)
{
    float32x4_t column[4], low[4], high[4];
    for (size_t h = 0; h < 4; h++)
        column[h] = vld1q_f32(col_sum + 4 * h);
    size_t i = 0;
    for (; i + 4 <= rows; i += 4) {
        infonce_exp_rows_neon(2, z + i * INFONCE_STRIP, shift, row_lane + i * INFONCE_LANES,
                              e != NULL ? e + i * INFONCE_STRIP : NULL, low);
        infonce_exp_rows_neon(2, z + (i + 2) * INFONCE_STRIP, shift,
                              row_lane + (i + 2) * INFONCE_LANES,
                              e != NULL ? e + (i + 2) * INFONCE_STRIP : NULL, high);
        for (size_t h = 0; h < 4; h++)
            column[h] = vaddq_f32(column[h], vaddq_f32(low[h], high[h]));
    }
    for (; i < rows; i++) {
        infonce_exp_rows_neon(1, z + i * INFONCE_STRIP, shift, row_lane + i * INFONCE_LANES,
                              e != NULL ? e + i * INFONCE_STRIP : NULL, low);
        for (size_t h = 0; h < 4; h++)
            column[h] = vaddq_f32(column[h], low[h]);
    }
    for (size_t h = 0; h < 4; h++)
        vst1q_f32(col_sum + 4 * h, column[h]);
}

static void infonce_exp_strip_neon(size_t rows, size_t cols, const float *z,
                                   struct simd_shift shift, float *row_lane, float *col_sum,
                                   float *e)
{
    for (size_t j = 0; j < cols; j += 16)
        if (e == NULL)
            infonce_exp_columns_neon(rows, z + j, shift, row_lane, col_sum + j, NULL);
        else
            infonce_exp_columns_neon(rows, z + j, shift, row_lane, col_sum + j, e + j);
}

/* 2^(z - lse - c) with lse in two parts; never above 2^-c whatever the rounding of lse. */
static inline float32x4_t infonce_softmax_neon(float32x4_t z, float32x4_t lse, float32x4_t lse_low,
                                               struct simd_shift c)
{
    z = vsubq_f32(vsubq_f32(z, lse), lse_low);
    return simd_exp2_shifted4(vminq_f32(z, vdupq_n_f32(0.0f)), c); /* NaN where z is */
}

/* lane += g z; returns column + g z. An entry that does not count has z = -Inf, and G = 0. */
static inline float32x4_t infonce_add_gz_neon(float *lane, float32x4_t g, float32x4_t z,
                                              float32x4_t column)
{
    z = simd_max4(vdupq_n_f32(-FLT_MAX), z);
    vst1q_f32(lane, vfmaq_f32(vld1q_f32(lane), g, z));
    return vfmaq_f32(column, g, z);
}

/* 4 columns, all rows. */
static inline __attribute__((always_inline)) void
infonce_gradient_columns_neon(const struct infonce_gradient *g, size_t rows, size_t j,
                              const float *strip, enum infonce_form form, bool sums_e, bool sums_g,
                              bool sums_gz)
{
    const float32x4_t col_weight = vld1q_f32(g->col_weight + j);
    float32x4_t lse_y = col_weight, lse_y_low = col_weight;
    if (form == INFONCE_TWO_EXPS) {
        lse_y = vld1q_f32(g->lse_y + j);
        lse_y_low = vld1q_f32(g->lse_y_low + j);
    }
    float32x4_t column_e = vdupq_n_f32(0.0f), column_g = column_e, column_gz = column_e;
    const struct simd_shift shift = g->shift; /* read once: a store might change *g */
    float *out = g->out[j / 16] + j % 16;
    for (size_t i = 0; i < rows; i++, out += g->ldout) {
        float32x4_t v = vld1q_f32(strip + i * INFONCE_STRIP + j), e, e_col, gij;
        float32x4_t row_weight = vdupq_n_f32(g->row_weight[i]);
        if (form == INFONCE_TWO_EXPS) {
            e = infonce_softmax_neon(v, vdupq_n_f32(g->lse_x[i]), vdupq_n_f32(g->lse_x_low[i]),
                                     g->shift);
            e_col = infonce_softmax_neon(v, lse_y, lse_y_low, g->shift);
            gij = vfmaq_f32(vmulq_f32(row_weight, e), col_weight, e_col);
        } else {
            e = e_col = form == INFONCE_FROM_E ? v : simd_exp2_shifted4(v, shift);
            gij = vmulq_f32(e, vaddq_f32(row_weight, col_weight));
        }
        if (sums_e) {
            float *lane = g->row_e + i * INFONCE_LANES + j % INFONCE_LANES;
            vst1q_f32(lane, vaddq_f32(vld1q_f32(lane), e));
            column_e = vaddq_f32(column_e, e_col);
        }
        if (sums_g) {
            float *lane = g->row_g + i * INFONCE_LANES + j % INFONCE_LANES;
            vst1q_f32(lane, vaddq_f32(vld1q_f32(lane), gij));
            column_g = vaddq_f32(column_g, gij);
        }
        if (sums_gz)
            column_gz = infonce_add_gz_neon(g->row_gz + i * INFONCE_LANES + j % INFONCE_LANES, gij,
                                            v, column_gz);
        vst1q_f32(out, gij);
    }
    if (sums_e)
        vst1q_f32(g->col_e + j, column_e);
    if (sums_g)
        vst1q_f32(g->col_g + j, column_g);
    if (sums_gz)
        vst1q_f32(g->col_gz + j, column_gz);
}

static inline __attribute__((always_inline)) void
infonce_gradient_form_neon(const struct infonce_gradient *g, size_t rows, size_t cols,
                           const float *strip, enum infonce_form form)
{
    bool sums_e = g->row_e != NULL, sums_g = g->row_g != NULL, sums_gz = g->row_gz != NULL;
    for (size_t j = 0; j < cols; j += 4)
        if (sums_e || sums_g)
            infonce_gradient_columns_neon(g, rows, j, strip, form, sums_e, sums_g, sums_gz);
        else if (sums_gz)
            infonce_gradient_columns_neon(g, rows, j, strip, form, false, false, true);
        else
            infonce_gradient_columns_neon(g, rows, j, strip, form, false, false, false);
}

static void infonce_gradient_strip_neon(const struct infonce_gradient *g, size_t rows, size_t cols,
                                        const float *strip)
{
    if (g->form == INFONCE_FROM_Z)
        infonce_gradient_form_neon(g, rows, cols, strip, INFONCE_FROM_Z);
    else if (g->form == INFONCE_FROM_E)
        infonce_gradient_form_neon(g, rows, cols, strip, INFONCE_FROM_E);
    else
        infonce_gradient_form_neon(g, rows, cols, strip, INFONCE_TWO_EXPS);
}

/* 4 columns, all rows. */
static inline __attribute__((always_inline)) void
infonce_sigmoid_columns_neon(const struct infonce_sigmoid *g, size_t rows, size_t j,
                             const float *strip, bool with_g)
{
    const struct simd_shift shift = infonce_raised();
    const float32x4_t zero = vdupq_n_f32(0.0f), one = vdupq_n_f32(1.0f);
    const float32x4_t raise = vdupq_n_f32(INFONCE_RAISE);
    const float32x4_t least = vdupq_n_f32(INFONCE_RAISED_LEAST);
    const float32x4_t col_term = vld1q_f32(g->col_term + j);
    const float *row_term = g->row_term;
    const float scale = g->scale;
    float *row_s = g->row_s + j % INFONCE_LANES;
    float *row_g = with_g ? g->row_g + j % INFONCE_LANES : NULL;
    float *row_gz = g->row_gz != NULL ? g->row_gz + j % INFONCE_LANES : NULL;
    float *out = with_g ? g->out[j / 16] + j % 16 : NULL;
    float32x4_t column_g = zero, column_gz = zero;
    for (size_t i = 0; i < rows; i++) {
        float32x4_t term = vaddq_f32(vdupq_n_f32(row_term[i]), col_term);
        float32x4_t z = vld1q_f32(strip + i * INFONCE_STRIP + j), w = vaddq_f32(z, term);
        float32x4_t raised = simd_exp2_shifted4(vnegq_f32(vabsq_f32(w)), shift); /* 2^(24 - |w|) */
        float32x4_t q = vmulq_n_f32(simd_max4(least, raised), 1 / INFONCE_RAISE);
        float32x4_t s = simd_log2_1px4(q, raised, vmulq_f32(simd_max4(w, zero), raise));
        float *lane = row_s + i * INFONCE_LANES;
        vst1q_f32(lane, vaddq_f32(vld1q_f32(lane), s));
        if (!with_g)
            continue;
        float32x4_t part = vbslq_f32(vcltq_f32(w, zero), raised, raise);
        float32x4_t gij = vmulq_n_f32(vdivq_f32(part, vaddq_f32(one, q)), scale);
        lane = row_g + i * INFONCE_LANES;
        vst1q_f32(lane, vaddq_f32(vld1q_f32(lane), gij));
        column_g = vaddq_f32(column_g, gij);
        if (row_gz != NULL)
            column_gz = infonce_add_gz_neon(row_gz + i * INFONCE_LANES, gij, z, column_gz);
        vst1q_f32(out + i * g->ldout, gij);
    }
    if (with_g)
        vst1q_f32(g->col_g + j, column_g);
    if (with_g && row_gz != NULL)
        vst1q_f32(g->col_gz + j, column_gz);
}

static void infonce_sigmoid_strip_neon(const struct infonce_sigmoid *g, size_t rows, size_t cols,
                                       const float *strip)
{
    for (size_t j = 0; j < cols; j += 4)
        if (g->out[0] != NULL)
            infonce_sigmoid_columns_neon(g, rows, j, strip, true);
        else
            infonce_sigmoid_columns_neon(g, rows, j, strip, false);
}

static inline float infonce_row_sum_neon(const float *row_lane)
{
    float32x4_t lane[4];
    for (size_t h = 0; h < 4; h++)
        lane[h] = vld1q_f32(row_lane + 4 * h);
    return simd_sum16x4(lane);
}

static void infonce_row_sums_neon(size_t rows, const float *row_lane, float *sum)
{
    for (size_t i = 0; i < rows; i++)
        sum[i] = infonce_row_sum_neon(row_lane + i * INFONCE_LANES);
}

static void infonce_softmax_rows_neon(size_t rows, size_t cols, const float *z, float *max,
                                      float *sum)
{
    for (size_t i = 0; i < rows; i++, z += TILE_BLOCK_LD) {
        float32x4_t m = vdupq_n_f32(-FLT_MAX), lane[4];
        for (size_t h = 0; h < 4; h++)
            lane[h] = vdupq_n_f32(0.0f);
        for (size_t j = 0; j < cols; j += 4)
            m = simd_max4(vld1q_f32(z + j), m);
        float greatest = simd_hmax4(m);
        max[i] = (greatest > FLT_MAX ? FLT_MAX : greatest) + 0.0f;
        float32x4_t shift = vdupq_n_f32(max[i]);
        for (size_t j = 0; j < cols; j += 16)
            for (size_t h = 0; h < 4; h++) {
                float32x4_t v = vsubq_f32(vld1q_f32(z + j + 4 * h), shift);
                lane[h] = vaddq_f32(lane[h], simd_exp2x4(v));
            }
        sum[i] = simd_sum16x4(lane);
    }
}

static void infonce_join_blocks_neon(size_t count, double *sum, float *part, bool first, bool last)
{
    for (size_t e = 0; e < count; e += 2) {
        float64x2_t v = vcvt_f64_f32(vld1_f32(part + e));
        if (!first)
            v = vaddq_f64(vld1q_f64(sum + e), v);
        if (last && !first)
            vst1_f32(part + e, vcvt_f32_f64(v));
        else
            vst1q_f64(sum + e, v);
    }
}

static inline float32x4_t infonce_scaled_neon(float32x4_t v, const struct row_scale *scale)
{
    return vmulq_n_f32(vmulq_n_f32(v, scale->power), scale->inverse);
}

/* Elements of a row, less the origin's. */
static inline float32x4_t infonce_row_neon(const float *elements, const struct infonce_row *row,
                                           size_t k, size_t first, bool has_origin)
{
    float32x4_t v = simd_load_first(elements + k, first);
    return has_origin ? vsubq_f32(v, simd_load_first(row->origin + k, first)) : v;
}

/* v + coef y. Without cosine the scale is 1, which is exact. */
static inline float32x4_t infonce_with_positive_neon(const struct infonce_row *row, size_t k,
                                                     size_t first, bool has_origin, float32x4_t v)
{
    float32x4_t y = infonce_row_neon(row->other, row, k, first, has_origin);
    y = infonce_scaled_neon(y, &row->other_scale);
    return vfmaq_n_f32(v, y, row->coef);
}

static void infonce_add_positive_neon(const struct infonce_row *given)
{
    const struct infonce_row row = *given; /* stores cannot change it */
    const bool has_origin = row.origin != NULL;
    for (size_t k = 0; k < row.d; k += 4) {
        size_t first = row.d - k < 4 ? row.d - k : 4;
        float32x4_t v = simd_load_first(infonce_sum_at(&row, k), first);
        simd_store_first(row.gradient + k, first,
                         infonce_with_positive_neon(&row, k, first, has_origin, v));
    }
}

/* 4 columns of a row, fewer at its end; factors of 1 are exact. cosine: lanes of x^ . v and of v .
 * v, v being what is left of the sum. */
static inline __attribute__((always_inline)) void
infonce_finish_step_neon(const struct infonce_row *row, enum mmk_similarity similarity, size_t k,
                         size_t first, float32x4_t *left, float32x4_t *square)
{
    bool has_origin = similarity == MMK_NEG_SQ_L2 && row->origin != NULL;
    float32x4_t v = simd_load_first(infonce_sum_at(row, k), first);
    if (row->other != NULL)
        v = infonce_with_positive_neon(row, k, first, has_origin, v);
    if (similarity != MMK_DOT) {
        float32x4_t x = infonce_row_neon(row->self, row, k, first, has_origin);
        x = infonce_scaled_neon(x, &row->self_scale);
        v = vfmsq_f32(v, vdupq_n_f32(row->along), x);
        if (similarity == MMK_COSINE) {
            *left = vfmaq_f32(*left, x, v);
            *square = vfmaq_f32(*square, v, v);
        }
    }
    v = vmulq_n_f32(vmulq_n_f32(v, row->self_scale.inverse), row->scale);
    simd_store_first(row->gradient + k, first, simd_canonical_nan4(vmulq_n_f32(v, row->after)));
}

/* gradient -= more x^ */
static void infonce_take_out_neon(const struct infonce_row *row, float more)
{
    for (size_t k = 0; k < row->d; k += 4) {
        size_t first = row->d - k < 4 ? row->d - k : 4;
        float32x4_t x =
            infonce_scaled_neon(simd_load_first(row->self + k, first), &row->self_scale);
        float32x4_t v = vfmsq_f32(simd_load_first(row->gradient + k, first), vdupq_n_f32(more), x);
        simd_store_first(row->gradient + k, first, simd_canonical_nan4(v));
    }
}

static inline __attribute__((always_inline)) void
infonce_finish_neon(const struct infonce_row *given, enum mmk_similarity similarity)
{
    const struct infonce_row copy = *given, *row = &copy; /* stores cannot change it */
    float32x4_t left[16], square[16];
    for (size_t l = 0; l < 16; l++)
        left[l] = square[l] = vdupq_n_f32(0.0f);
    for (size_t k = 0; k < row->d; k += SIMD_LANES)
        for (size_t l = 0; l < 16; l++) {
            size_t at = k + 4 * l;
            if (at >= row->d)
                break;
            infonce_finish_step_neon(row, similarity, at, row->d - at < 4 ? row->d - at : 4,
                                     &left[l], &square[l]);
        }
    if (similarity != MMK_COSINE)
        return;
    float more = infonce_left_along(row, simd_sum64x4(left), simd_sum64x4(square));
    if (more != 0)
        infonce_take_out_neon(row, more);
}

static void infonce_finish_dot_neon(const struct infonce_row *row)
{
    infonce_finish_neon(row, MMK_DOT);
}

static void infonce_finish_cosine_neon(const struct infonce_row *row)
{
    infonce_finish_neon(row, MMK_COSINE);
}

static void infonce_finish_neg_sq_l2_neon(const struct infonce_row *row)
{
    infonce_finish_neon(row, MMK_NEG_SQ_L2);
}

const struct infonce_ops infonce_ops_neon = {
    .exp_strip = infonce_exp_strip_neon,
    .gradient_strip = infonce_gradient_strip_neon,
    .sigmoid_strip = infonce_sigmoid_strip_neon,
    .row_sums = infonce_row_sums_neon,
    .softmax_rows = infonce_softmax_rows_neon,
    .join_blocks = infonce_join_blocks_neon,
    .add_positive = infonce_add_positive_neon,
    .finish_row = {infonce_finish_dot_neon, infonce_finish_cosine_neon,
                   infonce_finish_neg_sq_l2_neon},
};
