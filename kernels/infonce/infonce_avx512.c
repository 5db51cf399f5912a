/* infonce_avx512.c - inner loops of InfoNCE, AVX-512.
 * SPDX-License-Identifier: MIT
 *
 * exp_strip       16 elements: five FMAs, and two adds done as FMAs, on the two FMA ports of Zen 5
 *                 (3.5 clocks); the clamp on both sides, three more adds and a shift on the two
 *                 others (3). Measured 5.4 clocks from L1: the chain is 40 clocks long, and the
 *                 schedulers hold too few of them at once. On AMD's cores, at 32 to 512 columns,
 *                 most come between the instructions of a product (infonce_exp_product_avx512.h)
 * gradient_strip  one exponential for both softmaxes, one more multiply, two FMAs for the sums of G
 *                 z, and a store to L2: some 30 instructions, 8 clocks for 16 elements, as long as
 *                 kept logits come in time (AHEAD_ROWS; without it 12). From E no exponential:
 *                 bound by reading it, from L3 or memory.
 * sigmoid_strip   an exponential, a logarithm (two polynomials, one after the other) and, for G, a
 *                 division: 15 FMAs among some 80 instructions for 16 elements, so that it is bound
 *                 by their number and not by the FMA ports
 * finish_row      one pass over a row of sums, with x and y: bound by moving these from L2 or L3,
 *                 and the gradient to there, 5 clocks for 16 elements of 17 instructions. Finishing
 *                 tiles of 32 columns, in L1 still, in place of whole rows is slower, by 4 % of a
 *                 call at 32 x 32 x 512: the machine fetches long rows by itself
 * Differs         one zmm holds all 16 lanes of a row sum; AVX2 needs two ymm, NEON four q.
 */
#include "infonce.h"

#include "../simd/avx512.h"

#include "infonce_exp_product_avx512.h"

#include <float.h>

/* `count` rows, 4 or 1, of 16 v columns. */
static inline __attribute__((always_inline)) void
infonce_exp_rows_avx512(size_t count, size_t v, const float *z, struct simd_shift shift,
                        float *row_lane, __m512 column[2], float *e)
{
    __m512 exp[4][2];
#pragma GCC unroll 4
    for (size_t r = 0; r < count; r++)
#pragma GCC unroll 2
        for (size_t c = 0; c < v; c++)
            exp[r][c] = simd_exp2_shifted16(_mm512_loadu_ps(z + r * INFONCE_STRIP + 16 * c), shift);
#pragma GCC unroll 4
    for (size_t r = 0; r < count; r++) {
        __m512 lane = _mm512_loadu_ps(row_lane + r * INFONCE_LANES);
#pragma GCC unroll 2
        for (size_t c = 0; c < v; c++) {
            lane = _mm512_add_ps(lane, exp[r][c]);
            if (e != NULL)
                _mm512_storeu_ps(e + r * INFONCE_STRIP + 16 * c, exp[r][c]);
        }
        _mm512_storeu_ps(row_lane + r * INFONCE_LANES, lane);
    }
    const __m512 one = _mm512_set1_ps(1.0f);
#pragma GCC unroll 2
    for (size_t c = 0; c < v; c++) {
        __m512 sum = exp[0][c];
        if (count == 4)
            sum = _mm512_fmadd_ps(_mm512_fmadd_ps(exp[0][c], one, exp[1][c]), one,
                                  _mm512_fmadd_ps(exp[2][c], one, exp[3][c]));
        column[c] = _mm512_fmadd_ps(sum, one, column[c]);
    }
}

static inline __attribute__((always_inline)) void
infonce_exp_columns_avx512(size_t rows, size_t v, const float *z, struct simd_shift shift,
                           float *row_lane, float *col_sum, float *e)
{
    __m512 column[2] = {_mm512_loadu_ps(col_sum), _mm512_setzero_ps()};
    if (v == 2)
        column[1] = _mm512_loadu_ps(col_sum + 16);
    size_t i = 0;
    for (; i + 4 <= rows; i += 4)
        infonce_exp_rows_avx512(4, v, z + i * INFONCE_STRIP, shift, row_lane + i * INFONCE_LANES,
                                column, e != NULL ? e + i * INFONCE_STRIP : NULL);
    for (; i < rows; i++)
        infonce_exp_rows_avx512(1, v, z + i * INFONCE_STRIP, shift, row_lane + i * INFONCE_LANES,
                                column, e != NULL ? e + i * INFONCE_STRIP : NULL);
    for (size_t c = 0; c < v; c++)
        _mm512_storeu_ps(col_sum + 16 * c, column[c]);
}

static void infonce_exp_strip_avx512(size_t rows, size_t cols, const float *z,
                                     struct simd_shift shift, float *row_lane, float *col_sum,
                                     float *e)
{
    if (cols == 16)
        infonce_exp_columns_avx512(rows, 1, z, shift, row_lane, col_sum, e);
    else if (e == NULL)
        infonce_exp_columns_avx512(rows, 2, z, shift, row_lane, col_sum, NULL);
    else
        infonce_exp_columns_avx512(rows, 2, z, shift, row_lane, col_sum, e);
}

/* 2^(z - lse - c) with lse in two parts; never above 2^-c whatever the rounding of lse. */
static inline __m512 infonce_softmax_avx512(__m512 z, __m512 lse, __m512 lse_low,
                                            struct simd_shift c)
{
    z = _mm512_sub_ps(_mm512_sub_ps(z, lse), lse_low);
    z = _mm512_min_ps(_mm512_setzero_ps(), z); /* second operand where NaN */
    return simd_exp2_shifted16(z, c);
}

/* How far ahead a strip of logits is fetched: an exponential between two loads leaves the machine
 * too few of them to see at once. */
enum { AHEAD_ROWS = 48 };

/* gcc at -Os does not see that loops to v read what a loop to v wrote. Zeros to begin with would be
 * other code. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
/* All rows of 16 v columns. */
static inline __attribute__((always_inline)) void
infonce_gradient_columns_avx512(const struct infonce_gradient *given, size_t rows, size_t v,
                                const float *strip, enum infonce_form form, bool sums_e,
                                bool sums_g, bool sums_gz)
{
    const struct infonce_gradient copy = *given, *g = &copy; /* stores cannot change it */
    const __m512 zero = _mm512_setzero_ps();
    __m512 col_weight[2], lse_y[2] = {zero, zero}, lse_y_low[2] = {zero, zero};
    __m512 column_e[2] = {zero, zero}, column_g[2] = {zero, zero}, column_gz[2] = {zero, zero};
#pragma GCC unroll 2
    for (size_t c = 0; c < v; c++) {
        col_weight[c] = _mm512_loadu_ps(g->col_weight + 16 * c);
        if (form == INFONCE_TWO_EXPS) {
            lse_y[c] = _mm512_loadu_ps(g->lse_y + 16 * c);
            lse_y_low[c] = _mm512_loadu_ps(g->lse_y_low + 16 * c);
        }
    }
    for (size_t i = 0; i < rows; i++) {
        const __m512 row_weight = _mm512_set1_ps(g->row_weight[i]);
        for (size_t c = 0; c < v; c++) /* kept logits come from L2 or L3 */
            _mm_prefetch((const char *)(strip + (i + AHEAD_ROWS) * INFONCE_STRIP + 16 * c),
                         _MM_HINT_T0);
        __m512 lane_e = sums_e ? _mm512_loadu_ps(g->row_e + i * INFONCE_LANES) : zero;
        __m512 lane_g = sums_g ? _mm512_loadu_ps(g->row_g + i * INFONCE_LANES) : zero;
        __m512 lane_gz = sums_gz ? _mm512_loadu_ps(g->row_gz + i * INFONCE_LANES) : zero;
#pragma GCC unroll 2
        for (size_t c = 0; c < v; c++) {
            __m512 z = _mm512_loadu_ps(strip + i * INFONCE_STRIP + 16 * c), e, e_col, gij;
            if (form == INFONCE_TWO_EXPS) {
                e = infonce_softmax_avx512(z, _mm512_set1_ps(g->lse_x[i]),
                                           _mm512_set1_ps(g->lse_x_low[i]), g->shift);
                e_col = infonce_softmax_avx512(z, lse_y[c], lse_y_low[c], g->shift);
                gij = _mm512_fmadd_ps(col_weight[c], e_col, _mm512_mul_ps(row_weight, e));
            } else {
                e = e_col = form == INFONCE_FROM_E ? z : simd_exp2_shifted16(z, g->shift);
                gij = _mm512_mul_ps(e, _mm512_add_ps(row_weight, col_weight[c]));
            }
            if (sums_e) {
                lane_e = _mm512_add_ps(lane_e, e);
                column_e[c] = _mm512_add_ps(column_e[c], e_col);
            }
            if (sums_g) {
                lane_g = _mm512_add_ps(lane_g, gij);
                column_g[c] = _mm512_add_ps(column_g[c], gij);
            }
            if (sums_gz) { /* an entry that does not count has z = -Inf, and G = 0 */
                z = simd_max16(_mm512_set1_ps(-FLT_MAX), z);
                lane_gz = _mm512_fmadd_ps(gij, z, lane_gz);
                column_gz[c] = _mm512_fmadd_ps(gij, z, column_gz[c]);
            }
            _mm512_storeu_ps(g->out[c] + i * g->ldout, gij);
        }
        if (sums_e)
            _mm512_storeu_ps(g->row_e + i * INFONCE_LANES, lane_e);
        if (sums_g)
            _mm512_storeu_ps(g->row_g + i * INFONCE_LANES, lane_g);
        if (sums_gz)
            _mm512_storeu_ps(g->row_gz + i * INFONCE_LANES, lane_gz);
    }
#pragma GCC unroll 2
    for (size_t c = 0; c < v; c++) {
        if (sums_e)
            _mm512_storeu_ps(g->col_e + 16 * c, column_e[c]);
        if (sums_g)
            _mm512_storeu_ps(g->col_g + 16 * c, column_g[c]);
        if (sums_gz)
            _mm512_storeu_ps(g->col_gz + 16 * c, column_gz[c]);
    }
}
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

static inline __attribute__((always_inline)) void
infonce_gradient_form_avx512(const struct infonce_gradient *g, size_t rows, size_t cols,
                             const float *strip, enum infonce_form form)
{
    bool sums_e = g->row_e != NULL, sums_g = g->row_g != NULL, sums_gz = g->row_gz != NULL;
    if (sums_e || sums_g)
        infonce_gradient_columns_avx512(g, rows, cols / 16, strip, form, sums_e, sums_g, sums_gz);
    else if (cols == 16)
        infonce_gradient_columns_avx512(g, rows, 1, strip, form, false, false, sums_gz);
    else if (sums_gz)
        infonce_gradient_columns_avx512(g, rows, 2, strip, form, false, false, true);
    else
        infonce_gradient_columns_avx512(g, rows, 2, strip, form, false, false, false);
}

static void infonce_gradient_strip_avx512(const struct infonce_gradient *g, size_t rows,
                                          size_t cols, const float *strip)
{
    if (g->form == INFONCE_FROM_Z)
        infonce_gradient_form_avx512(g, rows, cols, strip, INFONCE_FROM_Z);
    else if (g->form == INFONCE_FROM_E)
        infonce_gradient_form_avx512(g, rows, cols, strip, INFONCE_FROM_E);
    else
        infonce_gradient_form_avx512(g, rows, cols, strip, INFONCE_TWO_EXPS);
}

/* lane += g z; returns column + g z. An entry that does not count has z = -Inf, and G = 0. */
static inline __m512 infonce_add_gz_avx512(float *lane, __m512 g, __m512 z, __m512 column)
{
    z = simd_max16(_mm512_set1_ps(-FLT_MAX), z);
    _mm512_storeu_ps(lane, _mm512_fmadd_ps(g, z, _mm512_loadu_ps(lane)));
    return _mm512_fmadd_ps(g, z, column);
}

/* 16 columns, all rows. */
static inline __attribute__((always_inline)) void
infonce_sigmoid_columns_avx512(const struct infonce_sigmoid *g, size_t rows, size_t j,
                               const float *strip, bool with_g)
{
    const struct simd_shift shift = infonce_raised();
    const __m512 zero = _mm512_setzero_ps(), one = _mm512_set1_ps(1.0f);
    const __m512 raise = _mm512_set1_ps(INFONCE_RAISE), lower = _mm512_set1_ps(1 / INFONCE_RAISE);
    const __m512 least = _mm512_set1_ps(INFONCE_RAISED_LEAST);
    const __m512 col_term = _mm512_loadu_ps(g->col_term + j), scale = _mm512_set1_ps(g->scale);
    const float *row_term = g->row_term;
    float *row_s = g->row_s, *row_g = g->row_g, *row_gz = g->row_gz;
    float *out = with_g ? g->out[j / 16] : NULL;
    __m512 column_g = zero, column_gz = zero;
    for (size_t i = 0; i < rows; i++) {
        __m512 term = _mm512_add_ps(_mm512_set1_ps(row_term[i]), col_term);
        __m512 z = _mm512_loadu_ps(strip + i * INFONCE_STRIP + j), w = _mm512_add_ps(z, term);
        /* 2^(24 - |w|) */
        __m512 raised = simd_exp2_shifted16(_mm512_or_ps(w, _mm512_set1_ps(-0.0f)), shift);
        __m512 q = _mm512_mul_ps(simd_max16(least, raised), lower);
        __m512 s = simd_log2_1px16(q, raised, _mm512_mul_ps(simd_max16(w, zero), raise));
        float *lane = row_s + i * INFONCE_LANES;
        _mm512_storeu_ps(lane, _mm512_add_ps(_mm512_loadu_ps(lane), s));
        if (!with_g)
            continue;
        __m512 part = _mm512_mask_mov_ps(raise, _mm512_cmp_ps_mask(w, zero, _CMP_LT_OQ), raised);
        __m512 gij = _mm512_mul_ps(_mm512_div_ps(part, _mm512_add_ps(one, q)), scale);
        lane = row_g + i * INFONCE_LANES;
        _mm512_storeu_ps(lane, _mm512_add_ps(_mm512_loadu_ps(lane), gij));
        column_g = _mm512_add_ps(column_g, gij);
        if (row_gz != NULL)
            column_gz = infonce_add_gz_avx512(row_gz + i * INFONCE_LANES, gij, z, column_gz);
        _mm512_storeu_ps(out + i * g->ldout, gij);
    }
    if (with_g)
        _mm512_storeu_ps(g->col_g + j, column_g);
    if (with_g && row_gz != NULL)
        _mm512_storeu_ps(g->col_gz + j, column_gz);
}

static void infonce_sigmoid_strip_avx512(const struct infonce_sigmoid *g, size_t rows, size_t cols,
                                         const float *strip)
{
    for (size_t j = 0; j < cols; j += 16)
        if (g->out[0] != NULL)
            infonce_sigmoid_columns_avx512(g, rows, j, strip, true);
        else
            infonce_sigmoid_columns_avx512(g, rows, j, strip, false);
}

static void infonce_row_sums_avx512(size_t rows, const float *row_lane, float *sum)
{
    for (size_t i = 0; i < rows; i++)
        sum[i] = simd_sum16x16(_mm512_loadu_ps(row_lane + i * INFONCE_LANES));
}

static void infonce_softmax_rows_avx512(size_t rows, size_t cols, const float *z, float *max,
                                        float *sum)
{
    for (size_t i = 0; i < rows; i++, z += TILE_BLOCK_LD) {
        __m512 m = _mm512_set1_ps(-FLT_MAX), lane = _mm512_setzero_ps();
        for (size_t j = 0; j < cols; j += 16)
            m = simd_max16(_mm512_loadu_ps(z + j), m);
        float greatest = simd_hmax16(m);
        max[i] = (greatest > FLT_MAX ? FLT_MAX : greatest) + 0.0f;
        __m512 shift = _mm512_set1_ps(max[i]);
        for (size_t j = 0; j < cols; j += 16)
            lane = _mm512_add_ps(lane, simd_exp2x16(_mm512_sub_ps(_mm512_loadu_ps(z + j), shift)));
        sum[i] = simd_sum16x16(lane);
    }
}

static void infonce_join_blocks_avx512(size_t count, double *sum, float *part, bool first,
                                       bool last)
{
    for (size_t e = 0; e < count; e += 8) {
        __m512d v = _mm512_cvtps_pd(_mm256_loadu_ps(part + e));
        if (!first)
            v = _mm512_add_pd(_mm512_loadu_pd(sum + e), v);
        if (last && !first)
            _mm256_storeu_ps(part + e, _mm512_cvtpd_ps(v));
        else
            _mm512_storeu_pd(sum + e, v);
    }
}

/* The row is read again at once, and a load cannot take its data from a masked store that is still
 * on its way to the cache. */
static inline void infonce_store_avx512(float *p, size_t first, __m512 v)
{
    if (first == 16)
        _mm512_storeu_ps(p, v);
    else
        simd_store_first(p, first, v);
}

static inline __attribute__((always_inline)) __m512
infonce_scaled_avx512(__m512 v, const struct row_scale *scale, enum infonce_factors factors)
{
    if (factors == INFONCE_POWER_AND_INVERSE)
        v = _mm512_mul_ps(v, _mm512_set1_ps(scale->power));
    return factors == INFONCE_NO_FACTOR ? v : _mm512_mul_ps(v, _mm512_set1_ps(scale->inverse));
}

/* Elements of a row, less the origin's. */
static inline __m512 infonce_row_avx512(const float *elements, const struct infonce_row *row,
                                        size_t k, size_t first, bool has_origin)
{
    __m512 v = simd_load_first(elements + k, first);
    return has_origin ? _mm512_sub_ps(v, simd_load_first(row->origin + k, first)) : v;
}

/* v + coef y. */
static inline __attribute__((always_inline)) __m512
infonce_with_positive_avx512(const struct infonce_row *row, size_t k, size_t first, bool has_origin,
                             enum infonce_factors factors, __m512 v)
{
    __m512 y = infonce_row_avx512(row->other, row, k, first, has_origin);
    y = infonce_scaled_avx512(y, &row->other_scale, factors);
    return _mm512_fmadd_ps(_mm512_set1_ps(row->coef), y, v);
}

static void infonce_add_positive_avx512(const struct infonce_row *given)
{
    const struct infonce_row row = *given; /* stores cannot change it */
    const bool has_origin = row.origin != NULL;
    for (size_t k = 0; k < row.d; k += 16) {
        size_t first = row.d - k < 16 ? row.d - k : 16;
        __m512 v = simd_load_first(infonce_sum_at(&row, k), first);
        infonce_store_avx512(
            row.gradient + k, first,
            infonce_with_positive_avx512(&row, k, first, has_origin, INFONCE_POWER_AND_INVERSE, v));
    }
}

/* 16 columns of a row, fewer at its end. cosine: lanes of x^ . v and of v . v, v being what is left
 * of the sum. */
static inline __attribute__((always_inline)) void
infonce_finish_step_avx512(const struct infonce_row *row, enum mmk_similarity similarity,
                           enum infonce_factors factors, bool has_positive, size_t k, size_t first,
                           __m512 *left, __m512 *square)
{
    bool has_origin = similarity == MMK_NEG_SQ_L2 && row->origin != NULL;
    __m512 v = simd_load_first(infonce_sum_at(row, k), first);
    if (has_positive)
        v = infonce_with_positive_avx512(row, k, first, has_origin, factors, v);
    if (similarity != MMK_DOT) {
        __m512 x = infonce_row_avx512(row->self, row, k, first, has_origin);
        x = infonce_scaled_avx512(x, &row->self_scale, factors);
        v = _mm512_fnmadd_ps(_mm512_set1_ps(row->along), x, v);
        if (similarity == MMK_COSINE) {
            *left = _mm512_fmadd_ps(x, v, *left);
            *square = _mm512_fmadd_ps(v, v, *square);
        }
    }
    if (factors != INFONCE_NO_FACTOR)
        v = _mm512_mul_ps(v, _mm512_set1_ps(row->self_scale.inverse));
    v = _mm512_mul_ps(v, _mm512_set1_ps(row->scale));
    if (factors == INFONCE_POWER_AND_INVERSE)
        v = _mm512_mul_ps(v, _mm512_set1_ps(row->after));
    infonce_store_avx512(row->gradient + k, first, simd_canonical_nan16(v));
}

/* gradient -= more x^ */
static inline __attribute__((always_inline)) void
infonce_take_out_avx512(const struct infonce_row *row, enum infonce_factors factors, float more)
{
    for (size_t k = 0; k < row->d; k += 16) {
        size_t first = row->d - k < 16 ? row->d - k : 16;
        __m512 x =
            infonce_scaled_avx512(simd_load_first(row->self + k, first), &row->self_scale, factors);
        __m512 v = simd_load_first(row->gradient + k, first);
        v = _mm512_fnmadd_ps(_mm512_set1_ps(more), x, v);
        infonce_store_avx512(row->gradient + k, first, simd_canonical_nan16(v));
    }
}

static inline __attribute__((always_inline)) void
infonce_finish_avx512(const struct infonce_row *given, enum mmk_similarity similarity,
                      enum infonce_factors factors, bool has_positive)
{
    const struct infonce_row copy = *given, *row = &copy; /* stores cannot change it */
    const __m512 zero = _mm512_setzero_ps();
    __m512 left[4] = {zero, zero, zero, zero}, square[4] = {zero, zero, zero, zero};
    size_t k = 0;
    for (; k + SIMD_LANES <= row->d; k += SIMD_LANES)
#pragma GCC unroll 4
        for (size_t l = 0; l < 4; l++)
            infonce_finish_step_avx512(row, similarity, factors, has_positive, k + 16 * l, 16,
                                       &left[l], &square[l]);
#pragma GCC unroll 4
    for (size_t l = 0; l < 4; l++)
        if (k + 16 * l < row->d) {
            size_t at = k + 16 * l, first = row->d - at < 16 ? row->d - at : 16;
            infonce_finish_step_avx512(row, similarity, factors, has_positive, at, first, &left[l],
                                       &square[l]);
        }
    if (similarity != MMK_COSINE)
        return;
    float more = infonce_left_along(row, simd_sum64x16(left[0], left[1], left[2], left[3]),
                                    simd_sum64x16(square[0], square[1], square[2], square[3]));
    if (more != 0)
        infonce_take_out_avx512(row, factors, more);
}

static void infonce_finish_dot_avx512(const struct infonce_row *row)
{
    if (row->other != NULL)
        infonce_finish_avx512(row, MMK_DOT, INFONCE_NO_FACTOR, true);
    else
        infonce_finish_avx512(row, MMK_DOT, INFONCE_NO_FACTOR, false);
}

static void infonce_finish_cosine_avx512(const struct infonce_row *row)
{
    if (infonce_has_power(row))
        infonce_finish_avx512(row, MMK_COSINE, INFONCE_POWER_AND_INVERSE, row->other != NULL);
    else if (row->other != NULL)
        infonce_finish_avx512(row, MMK_COSINE, INFONCE_INVERSE, true);
    else
        infonce_finish_avx512(row, MMK_COSINE, INFONCE_INVERSE, false);
}

static void infonce_finish_neg_sq_l2_avx512(const struct infonce_row *row)
{
    if (row->other != NULL)
        infonce_finish_avx512(row, MMK_NEG_SQ_L2, INFONCE_NO_FACTOR, true);
    else
        infonce_finish_avx512(row, MMK_NEG_SQ_L2, INFONCE_NO_FACTOR, false);
}

const struct infonce_ops infonce_ops_avx512 = {
    .exp_strip = infonce_exp_strip_avx512,
    .exp_product_rows = EXP_PRODUCT_ROWS,
    .exp_product = infonce_exp_product_avx512,
    .gradient_strip = infonce_gradient_strip_avx512,
    .sigmoid_strip = infonce_sigmoid_strip_avx512,
    .row_sums = infonce_row_sums_avx512,
    .softmax_rows = infonce_softmax_rows_avx512,
    .join_blocks = infonce_join_blocks_avx512,
    .add_positive = infonce_add_positive_avx512,
    .finish_row = {infonce_finish_dot_avx512, infonce_finish_cosine_avx512,
                   infonce_finish_neg_sq_l2_avx512},
};
