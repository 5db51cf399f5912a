/* pair_neon.c - two vectors, and row norms, on float32x4_t.
 * SPDX-License-Identifier: MIT
 *
 * The 64 canonical lanes of a sum are 16 q registers; a block of 64 floats of a row is 16 loads.
 *
 *               registers                              a block of 64 floats    bound (2 FMA pipes)
 *   pair dot    16 sums, x, y                          32 loads, 16 FMA        2 loads a clock
 *   pair cosine 2 passes: 24 sums (xy, xx, yy), x, y   32 loads, 48 FMA        2 FMA a clock
 *
 * 16 chains of latency 4 are enough for the cores with 4 FMA pipes too. Three sums of 64 lanes are
 * 48 registers of 32, so a cosine is taken in two passes over the row, which must stay in L1
 * between them: lanes 0-15 and 32-47, then 16-31 and 48-63; each pass does the first level of the
 * tree by itself (lane l + lane l + 32). Rows of more than PAIR_LONG_ROW floats are cut into pieces
 * of L1 size, with the lanes of each sum kept in memory between them.
 *
 * Nothing is prefetched: only emulated so far, no timing to judge it by.
 */
#include "pair.h"

#include "lanes_neon.h"

/* ---- Two vectors ----------------------------------------------------------------------------- */

static float pair_dot_neon(size_t d, const pair_x *x, const pair_y *y)
{
    return simd_canonical_nan(simd_sum4x4(pair_dot_row_neon(d, x, y)));
}

static float pair_neg_sq_l2_neon(size_t d, const pair_x *x, const pair_y *y)
{
    return simd_canonical_nan(0.0f - simd_sum4x4(pair_sq_l2_row_neon(d, x, y)));
}

/* lane += x.y over a piece of a long row; only the last piece may have a tail. */
static void dot_lanes_neon(size_t d, const pair_x *x, const pair_y *y, float32x4_t lane[16])
{
    float32x4_t s0 = lane[0];
    float32x4_t s1 = lane[1];
    float32x4_t s2 = lane[2];
    float32x4_t s3 = lane[3];
    float32x4_t s4 = lane[4];
    float32x4_t s5 = lane[5];
    float32x4_t s6 = lane[6];
    float32x4_t s7 = lane[7];
    float32x4_t s8 = lane[8];
    float32x4_t s9 = lane[9];
    float32x4_t s10 = lane[10];
    float32x4_t s11 = lane[11];
    float32x4_t s12 = lane[12];
    float32x4_t s13 = lane[13];
    float32x4_t s14 = lane[14];
    float32x4_t s15 = lane[15];
    struct pair_tail tail;
    const size_t whole = d / 64;
    const size_t blocks = pair_fill_tail_neon(&tail, d, x, y);
    for (size_t b = 0; b < blocks; b++, x += 64, y += 64) {
        if (b == whole) {
            x = tail.x;
            y = tail.y;
        }
        s0 = vfmaq_f32(s0, pair_load(x), pair_load(y));
        s1 = vfmaq_f32(s1, pair_load(x + 4), pair_load(y + 4));
        s2 = vfmaq_f32(s2, pair_load(x + 8), pair_load(y + 8));
        s3 = vfmaq_f32(s3, pair_load(x + 12), pair_load(y + 12));
        s4 = vfmaq_f32(s4, pair_load(x + 16), pair_load(y + 16));
        s5 = vfmaq_f32(s5, pair_load(x + 20), pair_load(y + 20));
        s6 = vfmaq_f32(s6, pair_load(x + 24), pair_load(y + 24));
        s7 = vfmaq_f32(s7, pair_load(x + 28), pair_load(y + 28));
        s8 = vfmaq_f32(s8, pair_load(x + 32), pair_load(y + 32));
        s9 = vfmaq_f32(s9, pair_load(x + 36), pair_load(y + 36));
        s10 = vfmaq_f32(s10, pair_load(x + 40), pair_load(y + 40));
        s11 = vfmaq_f32(s11, pair_load(x + 44), pair_load(y + 44));
        s12 = vfmaq_f32(s12, pair_load(x + 48), pair_load(y + 48));
        s13 = vfmaq_f32(s13, pair_load(x + 52), pair_load(y + 52));
        s14 = vfmaq_f32(s14, pair_load(x + 56), pair_load(y + 56));
        s15 = vfmaq_f32(s15, pair_load(x + 60), pair_load(y + 60));
    }
    lane[0] = s0;
    lane[1] = s1;
    lane[2] = s2;
    lane[3] = s3;
    lane[4] = s4;
    lane[5] = s5;
    lane[6] = s6;
    lane[7] = s7;
    lane[8] = s8;
    lane[9] = s9;
    lane[10] = s10;
    lane[11] = s11;
    lane[12] = s12;
    lane[13] = s13;
    lane[14] = s14;
    lane[15] = s15;
}

/* Rows that do not stay in L1 for a second pass. */
__attribute__((noinline)) static float long_cosine_neon(size_t d, const pair_x *x, const pair_y *y)
{
    float32x4_t xy[16];
    float32x4_t xx[16];
    float32x4_t yy[16];
    for (int i = 0; i < 16; i++)
        xy[i] = xx[i] = yy[i] = vdupq_n_f32(0.0f);
    for (size_t k = 0, piece; k < d; k += piece) {
        piece = d - k < PAIR_LONG_PIECE_NEON ? d - k : PAIR_LONG_PIECE_NEON;
        dot_lanes_neon(piece, x + k, y + k, xy);
        dot_lanes_neon(piece, x + k, x + k, xx);
        dot_lanes_neon(piece, y + k, y + k, yy);
    }
    float sum_xx = simd_sum64x4(xx);
    float sum_yy = simd_sum64x4(yy);
    if (!norm_is_safe(sum_xx) || !norm_is_safe(sum_yy))
        return pair_scaled_cosine_neon(d, x, y);
    return simd_sum64x4(xy) / sqrtf(sum_xx * sum_yy);
}

/* One pass of two over the lanes of xy, xx and yy: first is 0 or 16, the first lane. t has 16 lanes
 * of 32 of xy, then of xx, then of yy. */
__attribute__((always_inline)) static inline void
pair_cosine_pass_neon(size_t d, const pair_x *x, const pair_y *y, size_t first,
                      const struct pair_tail *tail, size_t blocks, float32x4_t t[12])
{
    float32x4_t xy0 = vdupq_n_f32(0.0f);
    float32x4_t xx0 = vdupq_n_f32(0.0f);
    float32x4_t yy0 = vdupq_n_f32(0.0f);
    float32x4_t xy1 = vdupq_n_f32(0.0f);
    float32x4_t xx1 = vdupq_n_f32(0.0f);
    float32x4_t yy1 = vdupq_n_f32(0.0f);
    float32x4_t xy2 = vdupq_n_f32(0.0f);
    float32x4_t xx2 = vdupq_n_f32(0.0f);
    float32x4_t yy2 = vdupq_n_f32(0.0f);
    float32x4_t xy3 = vdupq_n_f32(0.0f);
    float32x4_t xx3 = vdupq_n_f32(0.0f);
    float32x4_t yy3 = vdupq_n_f32(0.0f);
    float32x4_t xy8 = vdupq_n_f32(0.0f);
    float32x4_t xx8 = vdupq_n_f32(0.0f);
    float32x4_t yy8 = vdupq_n_f32(0.0f);
    float32x4_t xy9 = vdupq_n_f32(0.0f);
    float32x4_t xx9 = vdupq_n_f32(0.0f);
    float32x4_t yy9 = vdupq_n_f32(0.0f);
    float32x4_t xy10 = vdupq_n_f32(0.0f);
    float32x4_t xx10 = vdupq_n_f32(0.0f);
    float32x4_t yy10 = vdupq_n_f32(0.0f);
    float32x4_t xy11 = vdupq_n_f32(0.0f);
    float32x4_t xx11 = vdupq_n_f32(0.0f);
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
        xx0 = vfmaq_f32(xx0, u0, u0);
        yy0 = vfmaq_f32(yy0, v0, v0);
        float32x4_t u1 = pair_load(u + 4);
        float32x4_t v1 = pair_load(v + 4);
        xy1 = vfmaq_f32(xy1, u1, v1);
        xx1 = vfmaq_f32(xx1, u1, u1);
        yy1 = vfmaq_f32(yy1, v1, v1);
        float32x4_t u2 = pair_load(u + 8);
        float32x4_t v2 = pair_load(v + 8);
        xy2 = vfmaq_f32(xy2, u2, v2);
        xx2 = vfmaq_f32(xx2, u2, u2);
        yy2 = vfmaq_f32(yy2, v2, v2);
        float32x4_t u3 = pair_load(u + 12);
        float32x4_t v3 = pair_load(v + 12);
        xy3 = vfmaq_f32(xy3, u3, v3);
        xx3 = vfmaq_f32(xx3, u3, u3);
        yy3 = vfmaq_f32(yy3, v3, v3);
        float32x4_t u8 = pair_load(u + 32);
        float32x4_t v8 = pair_load(v + 32);
        xy8 = vfmaq_f32(xy8, u8, v8);
        xx8 = vfmaq_f32(xx8, u8, u8);
        yy8 = vfmaq_f32(yy8, v8, v8);
        float32x4_t u9 = pair_load(u + 36);
        float32x4_t v9 = pair_load(v + 36);
        xy9 = vfmaq_f32(xy9, u9, v9);
        xx9 = vfmaq_f32(xx9, u9, u9);
        yy9 = vfmaq_f32(yy9, v9, v9);
        float32x4_t u10 = pair_load(u + 40);
        float32x4_t v10 = pair_load(v + 40);
        xy10 = vfmaq_f32(xy10, u10, v10);
        xx10 = vfmaq_f32(xx10, u10, u10);
        yy10 = vfmaq_f32(yy10, v10, v10);
        float32x4_t u11 = pair_load(u + 44);
        float32x4_t v11 = pair_load(v + 44);
        xy11 = vfmaq_f32(xy11, u11, v11);
        xx11 = vfmaq_f32(xx11, u11, u11);
        yy11 = vfmaq_f32(yy11, v11, v11);
    }
    t[0] = vaddq_f32(xy0, xy8);
    t[1] = vaddq_f32(xy1, xy9);
    t[2] = vaddq_f32(xy2, xy10);
    t[3] = vaddq_f32(xy3, xy11);
    t[4] = vaddq_f32(xx0, xx8);
    t[5] = vaddq_f32(xx1, xx9);
    t[6] = vaddq_f32(xx2, xx10);
    t[7] = vaddq_f32(xx3, xx11);
    t[8] = vaddq_f32(yy0, yy8);
    t[9] = vaddq_f32(yy1, yy9);
    t[10] = vaddq_f32(yy2, yy10);
    t[11] = vaddq_f32(yy3, yy11);
}

static float pair_cosine_neon(size_t d, const pair_x *x, const pair_y *y)
{
    if (d > PAIR_LONG_ROW)
        return long_cosine_neon(d, x, y);
    float32x4_t a[12];
    float32x4_t b[12];
    struct pair_tail tail;
    size_t blocks = pair_fill_tail_neon(&tail, d, x, y);
    pair_cosine_pass_neon(d, x, y, 0, &tail, blocks, a);
    pair_cosine_pass_neon(d, x, y, 16, &tail, blocks, b);
    float sum_xx = simd_sum4x4(pair_fold_passes_neon(a + 4, b + 4));
    float sum_yy = simd_sum4x4(pair_fold_passes_neon(a + 8, b + 8));
    if (__builtin_expect(!(norm_is_safe(sum_xx) && norm_is_safe(sum_yy)), 0))
        return pair_scaled_cosine_neon(d, x, y);
    return simd_sum4x4(pair_fold_passes_neon(a, b)) / sqrtf(sum_xx * sum_yy);
}

#ifdef PAIR_OF_F16

static float pair_square_neon(size_t d, const uint16_t *x)
{
    return pair_dot_neon(d, x, x);
}

const struct pair_f16_ops pair_f16_ops_neon = {
    .pair = {[MMK_DOT] = pair_dot_neon,
             [MMK_COSINE] = pair_cosine_neon,
             [MMK_NEG_SQ_L2] = pair_neg_sq_l2_neon},
    .square = pair_square_neon,
};

#else

/* ---- Rows ------------------------------------------------------------------------------------ */

static struct row_scale row_scale_neon(size_t d, const float *x)
{
    float xx = pair_dot_neon(d, x, x);
    if (norm_is_safe(xx))
        return (struct row_scale){1.0f, 1.0f / sqrtf(xx)};
    uint32_t greatest = pair_greatest_neon(d, x);
    if (greatest >= NORM_INFINITY)
        return (struct row_scale){1.0f, simd_canonical_nan(NAN)};
    if (greatest == 0)
        return (struct row_scale){1.0f, 0.0f};
    float power = norm_power(greatest);
    return (struct row_scale){power, 1.0f / sqrtf(pair_scaled_dot_neon(d, x, power, x, power))};
}

static void scale_row_neon(size_t d, const float *x, struct row_scale scale, float *out)
{
    for (; d >= 4; d -= 4, x += 4, out += 4) {
        float32x4_t v = vmulq_n_f32(vmulq_n_f32(vld1q_f32(x), scale.power), scale.inverse);
        vst1q_f32(out, simd_canonical_nan4(v));
    }
    if (d > 0) {
        float32x4_t v = vmulq_n_f32(vmulq_n_f32(simd_load_first(x, d), scale.power), scale.inverse);
        simd_store_first(out, d, simd_canonical_nan4(v));
    }
}

const struct pair_ops pair_ops_neon = {
    .pair = {[MMK_DOT] = pair_dot_neon,
             [MMK_COSINE] = pair_cosine_neon,
             [MMK_NEG_SQ_L2] = pair_neg_sq_l2_neon},
    .far_cosine = pair_cosine_neon,
    .row_scale = row_scale_neon,
    .scale_row = scale_row_neon,
};

#endif
