/* query_neon.c - one vector against many on float32x4_t.
 * SPDX-License-Identifier: MIT
 *
 *               registers                              a block of 64 floats    bound (2 FMA pipes)
 *   query dot   16 sums, x, y                          32 loads, 16 FMA        loads; L2 to memory
 *   query cos.  2 passes: 16 sums (xy, yy), x, y       32 loads, 32 FMA        2 FMA a clock
 *
 * A cosine is taken in two passes over the row, as pair_neon.c does it and for its reason; rows of
 * more than PAIR_LONG_ROW floats are left to it. Nothing is prefetched: only emulated so far, no
 * timing to judge it by.
 */
#include "query.h"

#include "../pair/lanes_neon.h"
#include "../pair/pair.h"
#include "../simd/trees_neon.h"

/* Rows whose trees are summed together: one vector of results. */
enum { GROUP = 4 };

#ifdef QUERY_OF_HALVES
#include "query_half.h"

static inline float query_square_neon(size_t d, const float *x)
{
    return query_half_square(&pair_ops_neon, d, x);
}

static inline float pair_scaled_cosine_neon(size_t d, const float *x, const uint16_t *y)
{
    return query_half_cosine(&pair_ops_neon, half_ops_neon.PAIR_HALF, d, x, y);
}

static inline float query_any_cosine_neon(size_t d, const float *x, const uint16_t *y)
{
    return query_half_cosine(&pair_ops_neon, half_ops_neon.PAIR_HALF, d, x, y);
}

#else

/* |x|^2 */
static inline float query_square_neon(size_t d, const float *x)
{
    return simd_sum4x4(pair_dot_row_neon(d, x, x));
}

/* Of rows that are too long for two passes, or that must be scaled. */
static inline float query_any_cosine_neon(size_t d, const float *x, const float *y)
{
    return pair_ops_neon.pair[MMK_COSINE](d, x, y);
}

#endif

/* One pass of two over the lanes of xy and yy: first is 0 or 16, the first lane. t has 16 lanes of
 * 32 of xy, then of yy. */
__attribute__((always_inline)) static inline void
query_cosine_pass_neon(size_t d, const pair_x *x, const pair_y *y, size_t first,
                       const struct pair_tail *tail, size_t blocks, float32x4_t t[8])
{
    float32x4_t xy0 = vdupq_n_f32(0.0f);
    float32x4_t yy0 = vdupq_n_f32(0.0f);
    float32x4_t xy1 = vdupq_n_f32(0.0f);
    float32x4_t yy1 = vdupq_n_f32(0.0f);
    float32x4_t xy2 = vdupq_n_f32(0.0f);
    float32x4_t yy2 = vdupq_n_f32(0.0f);
    float32x4_t xy3 = vdupq_n_f32(0.0f);
    float32x4_t yy3 = vdupq_n_f32(0.0f);
    float32x4_t xy8 = vdupq_n_f32(0.0f);
    float32x4_t yy8 = vdupq_n_f32(0.0f);
    float32x4_t xy9 = vdupq_n_f32(0.0f);
    float32x4_t yy9 = vdupq_n_f32(0.0f);
    float32x4_t xy10 = vdupq_n_f32(0.0f);
    float32x4_t yy10 = vdupq_n_f32(0.0f);
    float32x4_t xy11 = vdupq_n_f32(0.0f);
    float32x4_t yy11 = vdupq_n_f32(0.0f);
    const size_t whole = d / 64;
    for (size_t b = 0; b < blocks; b++, x += 64, y += 64) {
        if (b == whole) {
            x = tail->x;
            y = tail->y;
        }
        const pair_x *u = x + first;
        const pair_y *v = y + first;
        float32x4_t u0 = pair_load(u);
        float32x4_t v0 = pair_load(v);
        xy0 = vfmaq_f32(xy0, u0, v0);
        yy0 = vfmaq_f32(yy0, v0, v0);
        float32x4_t u1 = pair_load(u + 4);
        float32x4_t v1 = pair_load(v + 4);
        xy1 = vfmaq_f32(xy1, u1, v1);
        yy1 = vfmaq_f32(yy1, v1, v1);
        float32x4_t u2 = pair_load(u + 8);
        float32x4_t v2 = pair_load(v + 8);
        xy2 = vfmaq_f32(xy2, u2, v2);
        yy2 = vfmaq_f32(yy2, v2, v2);
        float32x4_t u3 = pair_load(u + 12);
        float32x4_t v3 = pair_load(v + 12);
        xy3 = vfmaq_f32(xy3, u3, v3);
        yy3 = vfmaq_f32(yy3, v3, v3);
        float32x4_t u8 = pair_load(u + 32);
        float32x4_t v8 = pair_load(v + 32);
        xy8 = vfmaq_f32(xy8, u8, v8);
        yy8 = vfmaq_f32(yy8, v8, v8);
        float32x4_t u9 = pair_load(u + 36);
        float32x4_t v9 = pair_load(v + 36);
        xy9 = vfmaq_f32(xy9, u9, v9);
        yy9 = vfmaq_f32(yy9, v9, v9);
        float32x4_t u10 = pair_load(u + 40);
        float32x4_t v10 = pair_load(v + 40);
        xy10 = vfmaq_f32(xy10, u10, v10);
        yy10 = vfmaq_f32(yy10, v10, v10);
        float32x4_t u11 = pair_load(u + 44);
        float32x4_t v11 = pair_load(v + 44);
        xy11 = vfmaq_f32(xy11, u11, v11);
        yy11 = vfmaq_f32(yy11, v11, v11);
    }
    t[0] = vaddq_f32(xy0, xy8);
    t[1] = vaddq_f32(xy1, xy9);
    t[2] = vaddq_f32(xy2, xy10);
    t[3] = vaddq_f32(xy3, xy11);
    t[4] = vaddq_f32(yy0, yy8);
    t[5] = vaddq_f32(yy1, yy9);
    t[6] = vaddq_f32(yy2, yy10);
    t[7] = vaddq_f32(yy3, yy11);
}

static void query_dot_neon(size_t n, size_t d, const pair_x *x, const pair_y *y, size_t ldy,
                           float *result)
{
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, result += rows) {
        rows = n < GROUP ? n : GROUP;
        float32x4_t s[GROUP];
        for (size_t r = 0; r < rows; r++)
            s[r] = pair_dot_row_neon(d, x, y + r * ldy);
        for (size_t r = rows; r < GROUP; r++)
            s[r] = vdupq_n_f32(0.0f);
        simd_store_first(result, rows, simd_canonical_nan4(sum_rows_neon(s)));
    }
}

/* The cosines of a group from the sums of its rows; those whose |y|^2 is not safe go the scaled
 * way. */
static inline void store_cosines_neon(size_t rows, size_t d, const pair_x *x, const pair_y *y,
                                      size_t ldy, float32x4_t xy, float xx, float32x4_t yy,
                                      float *result)
{
    simd_store_first(result, rows, vdivq_f32(xy, vsqrtq_f32(vmulq_n_f32(yy, xx))));
    /* norm_is_safe of 4 rows */
    uint32x4_t above = vsubq_u32(vreinterpretq_u32_f32(yy), vdupq_n_u32(NORM_SAFE_LOWEST));
    uint32x4_t unsafe = vcgtq_u32(above, vdupq_n_u32(NORM_SAFE_SPAN));
    if (__builtin_expect(vmaxvq_u32(unsafe) != 0, 0)) {
        float row_yy[GROUP];
        vst1q_f32(row_yy, yy);
        for (size_t r = 0; r < rows; r++)
            if (!norm_is_safe(row_yy[r]))
                result[r] = pair_scaled_cosine_neon(d, x, y + r * ldy);
    }
}

/* x.y of up to GROUP rows; *squares = |y|^2 */
static inline float32x4_t query_cosine_sums_neon(size_t rows, size_t d, const pair_x *x,
                                                 const pair_y *y, size_t ldy, float32x4_t *squares)
{
    float32x4_t xy[GROUP];
    float32x4_t yy[GROUP];
    for (size_t r = 0; r < rows; r++) {
        float32x4_t a[8];
        float32x4_t b[8];
        const pair_y *row = y + r * ldy;
        struct pair_tail tail;
        size_t blocks = pair_fill_tail_neon(&tail, d, x, row);
        query_cosine_pass_neon(d, x, row, 0, &tail, blocks, a);
        query_cosine_pass_neon(d, x, row, 16, &tail, blocks, b);
        xy[r] = pair_fold_passes_neon(a, b);
        yy[r] = pair_fold_passes_neon(a + 4, b + 4);
    }
    for (size_t r = rows; r < GROUP; r++)
        xy[r] = yy[r] = vdupq_n_f32(0.0f);
    *squares = sum_rows_neon(yy);
    return sum_rows_neon(xy);
}

#ifndef QUERY_OF_BF16

static void query_cosine_neon(size_t n, size_t d, const pair_x *x, const pair_y *y, size_t ldy,
                              float *result)
{
    float xx = query_square_neon(d, x);
    if (d > PAIR_LONG_ROW || !norm_is_safe(xx)) {
        for (size_t j = 0; j < n; j++)
            result[j] = query_any_cosine_neon(d, x, y + j * ldy);
        return;
    }
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, result += rows) {
        rows = n < GROUP ? n : GROUP;
        float32x4_t yy;
        float32x4_t xy = query_cosine_sums_neon(rows, d, x, y, ldy, &yy);
        store_cosines_neon(rows, d, x, y, ldy, xy, xx, yy, result);
    }
}

static void query_norms_neon(size_t n, size_t d, const pair_x *x, const pair_y *y, size_t ldy,
                             const float *squared_norms, float *result)
{
    float xx = query_square_neon(d, x);
    if (!norm_is_safe(xx)) {
        for (size_t j = 0; j < n; j++)
            result[j] = pair_scaled_cosine_neon(d, x, y + j * ldy);
        return;
    }
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, squared_norms += rows, result += rows) {
        rows = n < GROUP ? n : GROUP;
        float32x4_t xy[GROUP];
        for (size_t r = 0; r < rows; r++)
            xy[r] = pair_dot_row_neon(d, x, y + r * ldy);
        for (size_t r = rows; r < GROUP; r++)
            xy[r] = vdupq_n_f32(0.0f);
        store_cosines_neon(rows, d, x, y, ldy, sum_rows_neon(xy), xx,
                           simd_load_first(squared_norms, rows), result);
    }
}

#endif

static void query_neg_sq_l2_neon(size_t n, size_t d, const pair_x *x, const pair_y *y, size_t ldy,
                                 float *result)
{
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, result += rows) {
        rows = n < GROUP ? n : GROUP;
        float32x4_t s[GROUP];
        for (size_t r = 0; r < rows; r++)
            s[r] = pair_sq_l2_row_neon(d, x, y + r * ldy);
        for (size_t r = rows; r < GROUP; r++)
            s[r] = vdupq_n_f32(0.0f);
        simd_store_first(result, rows,
                         simd_canonical_nan4(vsubq_f32(vdupq_n_f32(0.0f), sum_rows_neon(s))));
    }
}

/* Groups of rows stay in L1 from one row of X to the next. */
static void query_dots_neon(size_t m, size_t n, size_t d, const pair_x *x, size_t ldx,
                            const pair_y *y, size_t ldy, float *result, size_t ldr, float *squares)
{
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, result += rows, squares += rows) {
        rows = n < GROUP ? n : GROUP;
        float32x4_t yy;
        float32x4_t xy = query_cosine_sums_neon(rows, d, x, y, ldy, &yy);
        simd_store_first(result, rows, simd_canonical_nan4(xy));
        simd_store_first(squares, rows, simd_canonical_nan4(yy));
        for (size_t i = 1; i < m; i++)
            query_dot_neon(rows, d, x + i * ldx, y, ldy, result + i * ldr);
    }
}

static void query_neg_sq_l2s_neon(size_t m, size_t n, size_t d, const pair_x *x, size_t ldx,
                                  const pair_y *y, size_t ldy, float *result, size_t ldr)
{
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, result += rows) {
        rows = n < GROUP ? n : GROUP;
        for (size_t i = 0; i < m; i++)
            query_neg_sq_l2_neon(rows, d, x + i * ldx, y, ldy, result + i * ldr);
    }
}

#ifdef QUERY_OF_HALVES

const struct query_several_ops PAIR_EXPAND(query_several_, PAIR_EXPAND(PAIR_HALF, _neon)) = {
    .dots = query_dots_neon,
    .neg_sq_l2s = query_neg_sq_l2s_neon,
};

#ifdef QUERY_OF_F16
const struct query_f16_ops query_f16_ops_neon = {
    .query = {[MMK_DOT] = query_dot_neon,
              [MMK_COSINE] = query_cosine_neon,
              [MMK_NEG_SQ_L2] = query_neg_sq_l2_neon},
    .query_norms = query_norms_neon,
};
#endif

#else

static void squared_norms_neon(size_t n, size_t d, const pair_y *y, size_t ldy, float *out)
{
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, out += rows) {
        rows = n < GROUP ? n : GROUP;
        float32x4_t s[GROUP];
        for (size_t r = 0; r < rows; r++)
            s[r] = pair_dot_row_neon(d, y + r * ldy, y + r * ldy);
        for (size_t r = rows; r < GROUP; r++)
            s[r] = vdupq_n_f32(0.0f);
        simd_store_first(out, rows, simd_canonical_nan4(sum_rows_neon(s)));
    }
}

const struct query_ops query_ops_neon = {
    .query = {[MMK_DOT] = query_dot_neon,
              [MMK_COSINE] = query_cosine_neon,
              [MMK_NEG_SQ_L2] = query_neg_sq_l2_neon},
    .query_norms = query_norms_neon,
    .dots = query_dots_neon,
    .neg_sq_l2s = query_neg_sq_l2s_neon,
    .squared_norms = squared_norms_neon,
};

#endif
