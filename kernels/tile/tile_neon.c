/* tile_neon.c - register tile 12 x 8 and its packing, AArch64 NEON.
 * SPDX-License-Identifier: MIT
 *
 * Registers   24 accumulators, 2 of B, in columns 3 of A: 29 of 32.
 * Bound by    the FMA pipes: 24 FMAs a step against 14 loads in rows (2 of B, 12 of one element of
 *             A), of which all logits, matrices and dX are made, and 5 in columns (dY).
 * Differs     A is not broadcast: each FMA names a lane, in rows lane 0, in columns one of three
 *             registers that hold the 12 rows.
 * Unrolled    by pragma, every loop over the accumulators: a loop that is left indexes them in
 *             memory, and gcc then keeps them there.
 * Packing     4 x 4 transposes with trn1/trn2.
 */
#include "tile.h"

#include "../simd/neon.h"

enum { MR = 12, NR = 8, STRIPE = 48 };

static inline __attribute__((always_inline)) void
tile_load_neon(float32x4_t acc[MR][2], const float *c, size_t ldc, unsigned flags)
{
    bool accumulate = flags & TILE_ACCUMULATE;
#pragma GCC unroll 12
    for (size_t r = 0; r < MR; r++) {
        acc[r][0] = accumulate ? vld1q_f32(c + r * ldc) : vdupq_n_f32(0.0f);
        acc[r][1] = accumulate ? vld1q_f32(c + r * ldc + 4) : vdupq_n_f32(0.0f);
    }
}

static inline __attribute__((always_inline)) void tile_store_neon(float32x4_t acc[MR][2], float *c,
                                                                  size_t ldc, unsigned flags)
{
    if (flags & TILE_ADD) {
#pragma GCC unroll 12
        for (size_t r = 0; r < MR; r++) {
            acc[r][0] = vaddq_f32(vld1q_f32(c + r * ldc), acc[r][0]);
            acc[r][1] = vaddq_f32(vld1q_f32(c + r * ldc + 4), acc[r][1]);
        }
    }
    if (flags & TILE_CANONICAL) {
#pragma GCC unroll 12
        for (size_t r = 0; r < MR; r++) {
            acc[r][0] = simd_canonical_nan4(acc[r][0]);
            acc[r][1] = simd_canonical_nan4(acc[r][1]);
        }
    }
#pragma GCC unroll 12
    for (size_t r = 0; r < MR; r++) {
        vst1q_f32(c + r * ldc, acc[r][0]);
        vst1q_f32(c + r * ldc + 4, acc[r][1]);
    }
}

/* Four rows of accumulators by the four lanes of a. */
static inline __attribute__((always_inline)) void
tile_fma4_neon(float32x4_t acc[4][2], float32x4_t a, float32x4_t b0, float32x4_t b1)
{
    acc[0][0] = vfmaq_laneq_f32(acc[0][0], b0, a, 0);
    acc[0][1] = vfmaq_laneq_f32(acc[0][1], b1, a, 0);
    acc[1][0] = vfmaq_laneq_f32(acc[1][0], b0, a, 1);
    acc[1][1] = vfmaq_laneq_f32(acc[1][1], b1, a, 1);
    acc[2][0] = vfmaq_laneq_f32(acc[2][0], b0, a, 2);
    acc[2][1] = vfmaq_laneq_f32(acc[2][1], b1, a, 2);
    acc[3][0] = vfmaq_laneq_f32(acc[3][0], b0, a, 3);
    acc[3][1] = vfmaq_laneq_f32(acc[3][1], b1, a, 3);
}

/* a(r, k) = a[k * a_step + r] */
static inline __attribute__((always_inline)) void
tile_accumulate_neon(size_t depth, const float *a, size_t a_step, const float *b, float *c,
                     size_t ldc, unsigned flags, struct tile_ahead ahead)
{
    float32x4_t acc[MR][2];
    tile_load_neon(acc, c, ldc, flags);
    for (size_t k = 0; k < depth; k++) {
        float32x4_t b0 = vld1q_f32(b), b1 = vld1q_f32(b + 4);
        __builtin_prefetch(ahead.at, 0, 2);
        ahead.at += ahead.step;
        tile_fma4_neon(acc, vld1q_f32(a), b0, b1);
        tile_fma4_neon(acc + 4, vld1q_f32(a + 4), b0, b1);
        tile_fma4_neon(acc + 8, vld1q_f32(a + 8), b0, b1);
        a += a_step;
        b += NR;
    }
    tile_store_neon(acc, c, ldc, flags);
}

static void tile_product_columns_neon(size_t rows, size_t depth, const float *a, const float *b,
                                      float *c, size_t ldc, unsigned flags, struct tile_ahead ahead)
{
    (void)rows;
    tile_accumulate_neon(depth, a, STRIPE, b, c, ldc, flags, ahead);
}

/* Rows of stripes of `pitch` columns. The empty asm hides `a` and the memory behind it. Without it
 * gcc loads all 12 rows first, which leaves too few registers for the accumulators, and row 0 with
 * ld1r, which takes an FMA pipe; ld1r has no offset, hence an `a` that is one element ahead. */
static inline __attribute__((always_inline)) void
tile_accumulate_rows_neon(size_t first, size_t depth, const float *a, size_t pitch, size_t stride,
                          const float *b, float *c, size_t ldc, unsigned flags,
                          struct tile_ahead ahead)
{
    float32x4_t acc[MR][2];
    tile_load_neon(acc, c, ldc, flags);
    a += first / pitch * stride + first % pitch;
    size_t until = pitch - first % pitch;
    for (size_t end; depth > 0; depth -= end, a += stride - pitch, until = pitch) {
        end = depth < until ? depth : until;
        for (size_t k = 0; k < end; k++) {
            float32x4_t b0 = vld1q_f32(b), b1 = vld1q_f32(b + 4);
            __builtin_prefetch(ahead.at, 0, 2);
            ahead.at += ahead.step;
            a++;
#pragma GCC unroll 12
            for (size_t r = 0; r < MR; r++) {
                if (r % 4 == 0)
                    __asm__ volatile("" : "+r"(a) : : "memory");
                float ar = *(a + r * pitch - 1);
                acc[r][0] = vfmaq_n_f32(acc[r][0], b0, ar);
                acc[r][1] = vfmaq_n_f32(acc[r][1], b1, ar);
            }
            b += NR;
        }
    }
    tile_store_neon(acc, c, ldc, flags);
}

static void tile_product_rows_neon(size_t rows, size_t first, size_t depth, const float *a,
                                   size_t pitch, size_t stride, const float *b, float *c,
                                   size_t ldc, unsigned flags, struct tile_ahead ahead)
{
    (void)rows;
    if (pitch == NR)
        tile_accumulate_rows_neon(first, depth, a, NR, stride, b, c, ldc, flags, ahead);
    else
        tile_accumulate_rows_neon(first, depth, a, STRIPE, stride, b, c, ldc, flags, ahead);
}

/* Transposes 4 rows of 4: after it v[k] holds element k of every row. */
static inline void tile_transpose_neon(float32x4_t v[4])
{
    float32x4_t t0 = vtrn1q_f32(v[0], v[1]),
                t1 = vtrn2q_f32(v[0], v[1]); /* a0 b0 a2 b2, a1 b1 a3 b3 */
    float32x4_t t2 = vtrn1q_f32(v[2], v[3]), t3 = vtrn2q_f32(v[2], v[3]);
    v[0] = vcombine_f32(vget_low_f32(t0), vget_low_f32(t2));
    v[1] = vcombine_f32(vget_low_f32(t1), vget_low_f32(t3));
    v[2] = vcombine_f32(vget_high_f32(t0), vget_high_f32(t2));
    v[3] = vcombine_f32(vget_high_f32(t1), vget_high_f32(t3));
}

/* Columns k .. k + cols of up to 4 rows, transposed. */
static inline void tile_gather_neon(size_t count, const float *const *row, const float *origin,
                                    const struct row_scale *scale, float factor, size_t k,
                                    size_t cols, float32x4_t v[4])
{
    for (size_t r = 0; r < 4; r++) {
        if (r >= count) {
            v[r] = vdupq_n_f32(0.0f);
            continue;
        }
        v[r] = simd_load_first(row[r] + k, cols);
        if (origin != NULL)
            v[r] = vsubq_f32(v[r], simd_load_first(origin + k, cols));
        if (scale == NULL)
            continue;
        v[r] = vmulq_n_f32(vmulq_n_f32(v[r], scale[r].power), scale[r].inverse);
        v[r] = vmulq_n_f32(v[r], factor);
    }
    tile_transpose_neon(v);
}

static void tile_pack_neon(size_t count, const float *const *row, const float *origin,
                           const struct row_scale *scale, float factor, size_t depth, float *panel)
{
    for (size_t r0 = 0; r0 < NR; r0 += 4) {
        size_t here = count < r0 ? 0 : count - r0;
        for (size_t k = 0; k < depth; k += 4) {
            size_t cols = depth - k < 4 ? depth - k : 4;
            float32x4_t v[4];
            tile_gather_neon(here, row + r0, origin, scale + r0, factor, k, cols, v);
            for (size_t e = 0; e < cols; e++)
                vst1q_f32(panel + (k + e) * NR + r0, simd_canonical_nan4(v[e]));
        }
    }
}

static void tile_row_product_neon(size_t count, size_t depth, const float *a,
                                  const float *const *row, const float *origin,
                                  const struct row_scale *scale, float *c, float *squares,
                                  const float *ahead)
{
    for (size_t j = 0; j < TILE_MAX_NR; j += 4) {
        size_t here = count < j ? 0 : count - j;
        float32x4_t sum = vdupq_n_f32(0.0f), square = sum;
        for (size_t k = 0; k < depth; k += 4) {
            size_t cols = depth - k < 4 ? depth - k : 4;
            float32x4_t v[4];
            __builtin_prefetch(ahead, 0, 2);
            ahead += TILE_LINE;
            tile_gather_neon(here, row + j, origin, scale != NULL ? scale + j : NULL, 1.0f, k, cols,
                             v);
            for (size_t e = 0; e < cols; e++) {
                sum = vfmaq_n_f32(sum, v[e], a[k + e]);
                square = vfmaq_f32(square, v[e], v[e]);
            }
        }
        vst1q_f32(c + j, sum);
        if (squares != NULL)
            vst1q_f32(squares + j, square);
    }
}

static void tile_copy_columns_neon(size_t d, const float *row, const float *origin,
                                   struct row_scale scale, float factor, float *out, size_t stride)
{
    for (size_t k = 0; k < d; k += NR, out += stride)
        for (size_t h = 0; h < NR; h += 4) {
            size_t first = d <= k + h ? 0 : d - k - h < 4 ? d - k - h : 4;
            float32x4_t v = first != 0 ? simd_load_first(row + k + h, first) : vdupq_n_f32(0.0f);
            if (origin != NULL && first != 0)
                v = vsubq_f32(v, simd_load_first(origin + k + h, first));
            v = vmulq_n_f32(vmulq_n_f32(v, scale.power), scale.inverse);
            vst1q_f32(out + h, simd_canonical_nan4(vmulq_n_f32(v, factor)));
        }
}

static inline float32x4_t tile_middle_neon(const float32x4_t v[3])
{
    return vmaxq_f32(vminq_f32(v[0], v[1]), vminq_f32(vmaxq_f32(v[0], v[1]), v[2]));
}

static void tile_median_neon(size_t d, const float *const *row, float *out)
{
    const float32x4_t limit = vdupq_n_f32(TILE_ORIGIN_LIMIT), zero = vdupq_n_f32(0.0f);
    for (size_t k = 0; k < d; k += 4) {
        size_t first = d - k < 4 ? d - k : 4;
        float32x4_t v[3], low[3], middle[3], high[3];
        for (size_t g = 0; g < 3; g++) {
            for (size_t i = 0; i < 3; i++) {
                v[i] = simd_load_first(row[3 * g + i] + k, first);
                uint32x4_t small = vcltq_f32(vabsq_f32(v[i]), limit);
                v[i] = vaddq_f32(vbslq_f32(small, v[i], zero), zero);
            }
            low[g] = vminq_f32(vminq_f32(v[0], v[1]), v[2]);
            middle[g] = tile_middle_neon(v);
            high[g] = vmaxq_f32(vmaxq_f32(v[0], v[1]), v[2]);
        }
        v[0] = vmaxq_f32(vmaxq_f32(low[0], low[1]), low[2]);
        v[1] = tile_middle_neon(middle);
        v[2] = vminq_f32(vminq_f32(high[0], high[1]), high[2]);
        simd_store_first(out + k, first, tile_middle_neon(v));
    }
}

static void tile_sum_squares_neon(size_t depth, const float *panel, float *sums)
{
    for (size_t w = 0; w < NR; w += 4) {
        float32x4_t s = vld1q_f32(sums + w);
        for (size_t k = 0; k < depth; k++) {
            float32x4_t v = vld1q_f32(panel + k * NR + w);
            s = vfmaq_f32(s, v, v);
        }
        vst1q_f32(sums + w, s);
    }
}

static void tile_neg_sq_l2_neon(size_t rows, size_t cols, float *c, size_t ldc, const float *xx,
                                const float *yy, float scale)
{
    const float32x4_t zero = vdupq_n_f32(0.0f);
    for (size_t r = 0; r < rows; r++, c += ldc) {
        float32x4_t xr = vdupq_n_f32(xx[r]);
        for (size_t j = 0; j < cols; j += 4) {
            size_t first = cols - j < 4 ? cols - j : 4;
            float32x4_t sum = vaddq_f32(xr, simd_load_first(yy + j, first));
            float32x4_t dot = simd_load_first(c + j, first);
            float32x4_t t = vfmaq_f32(vnegq_f32(sum), vdupq_n_f32(2.0f), dot);
            t = vaddq_f32(vbslq_f32(vcgtq_f32(t, zero), zero, t), zero);
            simd_store_first(c + j, first, simd_canonical_nan4(vmulq_n_f32(t, scale)));
        }
    }
}

const struct tile_ops tile_ops_neon = {
    .mr = MR,
    .nr = NR,
    .stripe = STRIPE,
    .pack = tile_pack_neon,
    .copy_columns = tile_copy_columns_neon,
    .row_product = tile_row_product_neon,
    .product_rows = tile_product_rows_neon,
    .product_columns = tile_product_columns_neon,
    .median = tile_median_neon,
    .sum_squares = tile_sum_squares_neon,
    .neg_sq_l2 = tile_neg_sq_l2_neon,
};
