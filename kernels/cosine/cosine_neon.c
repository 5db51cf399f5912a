/* cosine_neon.c - pair, query and row norms on float32x4_t.
 * SPDX-License-Identifier: MIT
 *
 * The 64 canonical lanes of a sum are 16 q registers; a block of 64 floats of a row is 16 loads.
 *
 *               registers                              a block of 64 floats    bound (2 FMA pipes)
 *   pair dot    16 sums, x, y                          32 loads, 16 FMA        2 loads a clock
 *   pair cosine 2 passes: 24 sums (xy, xx, yy), x, y   32 loads, 48 FMA        2 FMA a clock
 *   query dot   16 sums, x, y                          32 loads, 16 FMA        loads; L2 to memory
 *   query cos.  2 passes: 16 sums (xy, yy), x, y       32 loads, 32 FMA        2 FMA a clock
 *
 * 16 chains of latency 4 are enough for the cores with 4 FMA pipes too. Three sums of 64 lanes are
 * 48 registers of 32, so a cosine is taken in two passes over the row, which must stay in L1
 * between them: lanes 0-15 and 32-47, then 16-31 and 48-63; each pass does the first level of the
 * tree by itself (lane l + lane l + 32). Rows of more than LONG_ROW floats are cut into pieces of
 * L1 size, with the lanes of each sum kept in memory between them.
 *
 * NEON has no masked loads. A tail is copied into a block of zeros and goes through the same code
 * as the whole blocks (tail_block). Nothing is prefetched: only emulated so far, no timing to judge
 * it by.
 */
#include "cosine.h"
#include "norm.h"

#include "../simd/neon.h"

/* Rows whose trees are summed together: one vector of results. */
enum { GROUP = 4 };

/* Longest row, in floats, that two passes find in L1: x and y take 32 KB. */
enum { LONG_ROW = 4096, LONG_PIECE = 1024 };

/* The last elements of a row of x and of y, with zeros up to a whole block. */
struct tail_block {
    float x[SIMD_LANES], y[SIMD_LANES];
};

/* Returns the number of blocks, tail included. Done before the loop over the blocks: a call within
 * it would make gcc keep sums on the stack. */
static inline size_t fill_tail_neon(struct tail_block *tail, size_t d, const float *x,
                                    const float *y)
{
    size_t whole = d / SIMD_LANES;
    size_t rest = d % SIMD_LANES;
    if (rest == 0)
        return whole;
    memset(tail, 0, sizeof *tail);
    memcpy(tail->x, x + d - rest, rest * sizeof *x);
    memcpy(tail->y, y + d - rest, rest * sizeof *y);
    return whole + 1;
}

/* The last levels of the tree for one row, 4 -> 1. */
static inline float sum4_neon(float32x4_t s)
{
    float32x2_t q = vadd_f32(vget_low_f32(s), vget_high_f32(s)); /* 0+2 1+3 */
    return vget_lane_f32(q, 0) + vget_lane_f32(q, 1) + 0.0f;
}

/* ---- Sums of one row, 4 lanes -------------------------------------------------------------- */

/* 32 -> 4 lanes. */
static inline float32x4_t fold32_neon(float32x4_t t0, float32x4_t t1, float32x4_t t2,
                                      float32x4_t t3, float32x4_t t4, float32x4_t t5,
                                      float32x4_t t6, float32x4_t t7)
{
    float32x4_t even = vaddq_f32(vaddq_f32(t0, t4), vaddq_f32(t2, t6));
    float32x4_t odd = vaddq_f32(vaddq_f32(t1, t5), vaddq_f32(t3, t7));
    return vaddq_f32(even, odd);
}

/* x.y */
static float32x4_t dot_row_neon(size_t d, const float *x, const float *y)
{
    float32x4_t s0 = vdupq_n_f32(0.0f);
    float32x4_t s1 = vdupq_n_f32(0.0f);
    float32x4_t s2 = vdupq_n_f32(0.0f);
    float32x4_t s3 = vdupq_n_f32(0.0f);
    float32x4_t s4 = vdupq_n_f32(0.0f);
    float32x4_t s5 = vdupq_n_f32(0.0f);
    float32x4_t s6 = vdupq_n_f32(0.0f);
    float32x4_t s7 = vdupq_n_f32(0.0f);
    float32x4_t s8 = vdupq_n_f32(0.0f);
    float32x4_t s9 = vdupq_n_f32(0.0f);
    float32x4_t s10 = vdupq_n_f32(0.0f);
    float32x4_t s11 = vdupq_n_f32(0.0f);
    float32x4_t s12 = vdupq_n_f32(0.0f);
    float32x4_t s13 = vdupq_n_f32(0.0f);
    float32x4_t s14 = vdupq_n_f32(0.0f);
    float32x4_t s15 = vdupq_n_f32(0.0f);
    struct tail_block tail;
    const size_t whole = d / 64;
    const size_t blocks = fill_tail_neon(&tail, d, x, y);
    for (size_t b = 0; b < blocks; b++, x += 64, y += 64) {
        if (b == whole) {
            x = tail.x;
            y = tail.y;
        }
        s0 = vfmaq_f32(s0, vld1q_f32(x), vld1q_f32(y));
        s1 = vfmaq_f32(s1, vld1q_f32(x + 4), vld1q_f32(y + 4));
        s2 = vfmaq_f32(s2, vld1q_f32(x + 8), vld1q_f32(y + 8));
        s3 = vfmaq_f32(s3, vld1q_f32(x + 12), vld1q_f32(y + 12));
        s4 = vfmaq_f32(s4, vld1q_f32(x + 16), vld1q_f32(y + 16));
        s5 = vfmaq_f32(s5, vld1q_f32(x + 20), vld1q_f32(y + 20));
        s6 = vfmaq_f32(s6, vld1q_f32(x + 24), vld1q_f32(y + 24));
        s7 = vfmaq_f32(s7, vld1q_f32(x + 28), vld1q_f32(y + 28));
        s8 = vfmaq_f32(s8, vld1q_f32(x + 32), vld1q_f32(y + 32));
        s9 = vfmaq_f32(s9, vld1q_f32(x + 36), vld1q_f32(y + 36));
        s10 = vfmaq_f32(s10, vld1q_f32(x + 40), vld1q_f32(y + 40));
        s11 = vfmaq_f32(s11, vld1q_f32(x + 44), vld1q_f32(y + 44));
        s12 = vfmaq_f32(s12, vld1q_f32(x + 48), vld1q_f32(y + 48));
        s13 = vfmaq_f32(s13, vld1q_f32(x + 52), vld1q_f32(y + 52));
        s14 = vfmaq_f32(s14, vld1q_f32(x + 56), vld1q_f32(y + 56));
        s15 = vfmaq_f32(s15, vld1q_f32(x + 60), vld1q_f32(y + 60));
    }
    return fold32_neon(vaddq_f32(s0, s8), vaddq_f32(s1, s9), vaddq_f32(s2, s10), vaddq_f32(s3, s11),
                       vaddq_f32(s4, s12), vaddq_f32(s5, s13), vaddq_f32(s6, s14),
                       vaddq_f32(s7, s15));
}

/* |x - y|^2 */
static float32x4_t sq_l2_row_neon(size_t d, const float *x, const float *y)
{
    float32x4_t s0 = vdupq_n_f32(0.0f);
    float32x4_t s1 = vdupq_n_f32(0.0f);
    float32x4_t s2 = vdupq_n_f32(0.0f);
    float32x4_t s3 = vdupq_n_f32(0.0f);
    float32x4_t s4 = vdupq_n_f32(0.0f);
    float32x4_t s5 = vdupq_n_f32(0.0f);
    float32x4_t s6 = vdupq_n_f32(0.0f);
    float32x4_t s7 = vdupq_n_f32(0.0f);
    float32x4_t s8 = vdupq_n_f32(0.0f);
    float32x4_t s9 = vdupq_n_f32(0.0f);
    float32x4_t s10 = vdupq_n_f32(0.0f);
    float32x4_t s11 = vdupq_n_f32(0.0f);
    float32x4_t s12 = vdupq_n_f32(0.0f);
    float32x4_t s13 = vdupq_n_f32(0.0f);
    float32x4_t s14 = vdupq_n_f32(0.0f);
    float32x4_t s15 = vdupq_n_f32(0.0f);
    struct tail_block tail;
    const size_t whole = d / 64;
    const size_t blocks = fill_tail_neon(&tail, d, x, y);
    for (size_t b = 0; b < blocks; b++, x += 64, y += 64) {
        if (b == whole) {
            x = tail.x;
            y = tail.y;
        }
        float32x4_t d0 = vsubq_f32(vld1q_f32(x), vld1q_f32(y));
        s0 = vfmaq_f32(s0, d0, d0);
        float32x4_t d1 = vsubq_f32(vld1q_f32(x + 4), vld1q_f32(y + 4));
        s1 = vfmaq_f32(s1, d1, d1);
        float32x4_t d2 = vsubq_f32(vld1q_f32(x + 8), vld1q_f32(y + 8));
        s2 = vfmaq_f32(s2, d2, d2);
        float32x4_t d3 = vsubq_f32(vld1q_f32(x + 12), vld1q_f32(y + 12));
        s3 = vfmaq_f32(s3, d3, d3);
        float32x4_t d4 = vsubq_f32(vld1q_f32(x + 16), vld1q_f32(y + 16));
        s4 = vfmaq_f32(s4, d4, d4);
        float32x4_t d5 = vsubq_f32(vld1q_f32(x + 20), vld1q_f32(y + 20));
        s5 = vfmaq_f32(s5, d5, d5);
        float32x4_t d6 = vsubq_f32(vld1q_f32(x + 24), vld1q_f32(y + 24));
        s6 = vfmaq_f32(s6, d6, d6);
        float32x4_t d7 = vsubq_f32(vld1q_f32(x + 28), vld1q_f32(y + 28));
        s7 = vfmaq_f32(s7, d7, d7);
        float32x4_t d8 = vsubq_f32(vld1q_f32(x + 32), vld1q_f32(y + 32));
        s8 = vfmaq_f32(s8, d8, d8);
        float32x4_t d9 = vsubq_f32(vld1q_f32(x + 36), vld1q_f32(y + 36));
        s9 = vfmaq_f32(s9, d9, d9);
        float32x4_t d10 = vsubq_f32(vld1q_f32(x + 40), vld1q_f32(y + 40));
        s10 = vfmaq_f32(s10, d10, d10);
        float32x4_t d11 = vsubq_f32(vld1q_f32(x + 44), vld1q_f32(y + 44));
        s11 = vfmaq_f32(s11, d11, d11);
        float32x4_t d12 = vsubq_f32(vld1q_f32(x + 48), vld1q_f32(y + 48));
        s12 = vfmaq_f32(s12, d12, d12);
        float32x4_t d13 = vsubq_f32(vld1q_f32(x + 52), vld1q_f32(y + 52));
        s13 = vfmaq_f32(s13, d13, d13);
        float32x4_t d14 = vsubq_f32(vld1q_f32(x + 56), vld1q_f32(y + 56));
        s14 = vfmaq_f32(s14, d14, d14);
        float32x4_t d15 = vsubq_f32(vld1q_f32(x + 60), vld1q_f32(y + 60));
        s15 = vfmaq_f32(s15, d15, d15);
    }
    return fold32_neon(vaddq_f32(s0, s8), vaddq_f32(s1, s9), vaddq_f32(s2, s10), vaddq_f32(s3, s11),
                       vaddq_f32(s4, s12), vaddq_f32(s5, s13), vaddq_f32(s6, s14),
                       vaddq_f32(s7, s15));
}

/* sum (x_k px)(y_k py) */
static float32x4_t scaled_dot_row_neon(size_t d, const float *x, const float *y, float px, float py)
{
    float32x4_t s0 = vdupq_n_f32(0.0f);
    float32x4_t s1 = vdupq_n_f32(0.0f);
    float32x4_t s2 = vdupq_n_f32(0.0f);
    float32x4_t s3 = vdupq_n_f32(0.0f);
    float32x4_t s4 = vdupq_n_f32(0.0f);
    float32x4_t s5 = vdupq_n_f32(0.0f);
    float32x4_t s6 = vdupq_n_f32(0.0f);
    float32x4_t s7 = vdupq_n_f32(0.0f);
    float32x4_t s8 = vdupq_n_f32(0.0f);
    float32x4_t s9 = vdupq_n_f32(0.0f);
    float32x4_t s10 = vdupq_n_f32(0.0f);
    float32x4_t s11 = vdupq_n_f32(0.0f);
    float32x4_t s12 = vdupq_n_f32(0.0f);
    float32x4_t s13 = vdupq_n_f32(0.0f);
    float32x4_t s14 = vdupq_n_f32(0.0f);
    float32x4_t s15 = vdupq_n_f32(0.0f);
    struct tail_block tail;
    const size_t whole = d / 64;
    const size_t blocks = fill_tail_neon(&tail, d, x, y);
    for (size_t b = 0; b < blocks; b++, x += 64, y += 64) {
        if (b == whole) {
            x = tail.x;
            y = tail.y;
        }
        s0 = vfmaq_f32(s0, vmulq_n_f32(vld1q_f32(x), px), vmulq_n_f32(vld1q_f32(y), py));
        s1 = vfmaq_f32(s1, vmulq_n_f32(vld1q_f32(x + 4), px), vmulq_n_f32(vld1q_f32(y + 4), py));
        s2 = vfmaq_f32(s2, vmulq_n_f32(vld1q_f32(x + 8), px), vmulq_n_f32(vld1q_f32(y + 8), py));
        s3 = vfmaq_f32(s3, vmulq_n_f32(vld1q_f32(x + 12), px), vmulq_n_f32(vld1q_f32(y + 12), py));
        s4 = vfmaq_f32(s4, vmulq_n_f32(vld1q_f32(x + 16), px), vmulq_n_f32(vld1q_f32(y + 16), py));
        s5 = vfmaq_f32(s5, vmulq_n_f32(vld1q_f32(x + 20), px), vmulq_n_f32(vld1q_f32(y + 20), py));
        s6 = vfmaq_f32(s6, vmulq_n_f32(vld1q_f32(x + 24), px), vmulq_n_f32(vld1q_f32(y + 24), py));
        s7 = vfmaq_f32(s7, vmulq_n_f32(vld1q_f32(x + 28), px), vmulq_n_f32(vld1q_f32(y + 28), py));
        s8 = vfmaq_f32(s8, vmulq_n_f32(vld1q_f32(x + 32), px), vmulq_n_f32(vld1q_f32(y + 32), py));
        s9 = vfmaq_f32(s9, vmulq_n_f32(vld1q_f32(x + 36), px), vmulq_n_f32(vld1q_f32(y + 36), py));
        s10 =
            vfmaq_f32(s10, vmulq_n_f32(vld1q_f32(x + 40), px), vmulq_n_f32(vld1q_f32(y + 40), py));
        s11 =
            vfmaq_f32(s11, vmulq_n_f32(vld1q_f32(x + 44), px), vmulq_n_f32(vld1q_f32(y + 44), py));
        s12 =
            vfmaq_f32(s12, vmulq_n_f32(vld1q_f32(x + 48), px), vmulq_n_f32(vld1q_f32(y + 48), py));
        s13 =
            vfmaq_f32(s13, vmulq_n_f32(vld1q_f32(x + 52), px), vmulq_n_f32(vld1q_f32(y + 52), py));
        s14 =
            vfmaq_f32(s14, vmulq_n_f32(vld1q_f32(x + 56), px), vmulq_n_f32(vld1q_f32(y + 56), py));
        s15 =
            vfmaq_f32(s15, vmulq_n_f32(vld1q_f32(x + 60), px), vmulq_n_f32(vld1q_f32(y + 60), py));
    }
    return fold32_neon(vaddq_f32(s0, s8), vaddq_f32(s1, s9), vaddq_f32(s2, s10), vaddq_f32(s3, s11),
                       vaddq_f32(s4, s12), vaddq_f32(s5, s13), vaddq_f32(s6, s14),
                       vaddq_f32(s7, s15));
}

/* One pass of two over the lanes of xy, xx and yy: first is 0 or 16, the first lane. t has 16 lanes
 * of 32 of xy, then of xx, then of yy. */
static inline void pair_cosine_pass_neon(size_t d, const float *x, const float *y, size_t first,
                                         const struct tail_block *tail, size_t blocks,
                                         float32x4_t t[12])
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
        const float *u = x + first;
        const float *v = y + first;
        float32x4_t u0 = vld1q_f32(u);
        float32x4_t v0 = vld1q_f32(v);
        xy0 = vfmaq_f32(xy0, u0, v0);
        xx0 = vfmaq_f32(xx0, u0, u0);
        yy0 = vfmaq_f32(yy0, v0, v0);
        float32x4_t u1 = vld1q_f32(u + 4);
        float32x4_t v1 = vld1q_f32(v + 4);
        xy1 = vfmaq_f32(xy1, u1, v1);
        xx1 = vfmaq_f32(xx1, u1, u1);
        yy1 = vfmaq_f32(yy1, v1, v1);
        float32x4_t u2 = vld1q_f32(u + 8);
        float32x4_t v2 = vld1q_f32(v + 8);
        xy2 = vfmaq_f32(xy2, u2, v2);
        xx2 = vfmaq_f32(xx2, u2, u2);
        yy2 = vfmaq_f32(yy2, v2, v2);
        float32x4_t u3 = vld1q_f32(u + 12);
        float32x4_t v3 = vld1q_f32(v + 12);
        xy3 = vfmaq_f32(xy3, u3, v3);
        xx3 = vfmaq_f32(xx3, u3, u3);
        yy3 = vfmaq_f32(yy3, v3, v3);
        float32x4_t u8 = vld1q_f32(u + 32);
        float32x4_t v8 = vld1q_f32(v + 32);
        xy8 = vfmaq_f32(xy8, u8, v8);
        xx8 = vfmaq_f32(xx8, u8, u8);
        yy8 = vfmaq_f32(yy8, v8, v8);
        float32x4_t u9 = vld1q_f32(u + 36);
        float32x4_t v9 = vld1q_f32(v + 36);
        xy9 = vfmaq_f32(xy9, u9, v9);
        xx9 = vfmaq_f32(xx9, u9, u9);
        yy9 = vfmaq_f32(yy9, v9, v9);
        float32x4_t u10 = vld1q_f32(u + 40);
        float32x4_t v10 = vld1q_f32(v + 40);
        xy10 = vfmaq_f32(xy10, u10, v10);
        xx10 = vfmaq_f32(xx10, u10, u10);
        yy10 = vfmaq_f32(yy10, v10, v10);
        float32x4_t u11 = vld1q_f32(u + 44);
        float32x4_t v11 = vld1q_f32(v + 44);
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

/* The same for xy and yy alone. */
static inline void query_cosine_pass_neon(size_t d, const float *x, const float *y, size_t first,
                                          const struct tail_block *tail, size_t blocks,
                                          float32x4_t t[8])
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
        const float *u = x + first;
        const float *v = y + first;
        float32x4_t u0 = vld1q_f32(u);
        float32x4_t v0 = vld1q_f32(v);
        xy0 = vfmaq_f32(xy0, u0, v0);
        yy0 = vfmaq_f32(yy0, v0, v0);
        float32x4_t u1 = vld1q_f32(u + 4);
        float32x4_t v1 = vld1q_f32(v + 4);
        xy1 = vfmaq_f32(xy1, u1, v1);
        yy1 = vfmaq_f32(yy1, v1, v1);
        float32x4_t u2 = vld1q_f32(u + 8);
        float32x4_t v2 = vld1q_f32(v + 8);
        xy2 = vfmaq_f32(xy2, u2, v2);
        yy2 = vfmaq_f32(yy2, v2, v2);
        float32x4_t u3 = vld1q_f32(u + 12);
        float32x4_t v3 = vld1q_f32(v + 12);
        xy3 = vfmaq_f32(xy3, u3, v3);
        yy3 = vfmaq_f32(yy3, v3, v3);
        float32x4_t u8 = vld1q_f32(u + 32);
        float32x4_t v8 = vld1q_f32(v + 32);
        xy8 = vfmaq_f32(xy8, u8, v8);
        yy8 = vfmaq_f32(yy8, v8, v8);
        float32x4_t u9 = vld1q_f32(u + 36);
        float32x4_t v9 = vld1q_f32(v + 36);
        xy9 = vfmaq_f32(xy9, u9, v9);
        yy9 = vfmaq_f32(yy9, v9, v9);
        float32x4_t u10 = vld1q_f32(u + 40);
        float32x4_t v10 = vld1q_f32(v + 40);
        xy10 = vfmaq_f32(xy10, u10, v10);
        yy10 = vfmaq_f32(yy10, v10, v10);
        float32x4_t u11 = vld1q_f32(u + 44);
        float32x4_t v11 = vld1q_f32(v + 44);
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

/* 32 -> 4 lanes, from both passes. */
static inline float32x4_t fold_passes_neon(const float32x4_t a[4], const float32x4_t b[4])
{
    return fold32_neon(a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3]);
}

/* lane += x.y over a piece of a long row; only the last piece may have a tail. */
static void dot_lanes_neon(size_t d, const float *x, const float *y, float32x4_t lane[16])
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
    struct tail_block tail;
    const size_t whole = d / 64;
    const size_t blocks = fill_tail_neon(&tail, d, x, y);
    for (size_t b = 0; b < blocks; b++, x += 64, y += 64) {
        if (b == whole) {
            x = tail.x;
            y = tail.y;
        }
        s0 = vfmaq_f32(s0, vld1q_f32(x), vld1q_f32(y));
        s1 = vfmaq_f32(s1, vld1q_f32(x + 4), vld1q_f32(y + 4));
        s2 = vfmaq_f32(s2, vld1q_f32(x + 8), vld1q_f32(y + 8));
        s3 = vfmaq_f32(s3, vld1q_f32(x + 12), vld1q_f32(y + 12));
        s4 = vfmaq_f32(s4, vld1q_f32(x + 16), vld1q_f32(y + 16));
        s5 = vfmaq_f32(s5, vld1q_f32(x + 20), vld1q_f32(y + 20));
        s6 = vfmaq_f32(s6, vld1q_f32(x + 24), vld1q_f32(y + 24));
        s7 = vfmaq_f32(s7, vld1q_f32(x + 28), vld1q_f32(y + 28));
        s8 = vfmaq_f32(s8, vld1q_f32(x + 32), vld1q_f32(y + 32));
        s9 = vfmaq_f32(s9, vld1q_f32(x + 36), vld1q_f32(y + 36));
        s10 = vfmaq_f32(s10, vld1q_f32(x + 40), vld1q_f32(y + 40));
        s11 = vfmaq_f32(s11, vld1q_f32(x + 44), vld1q_f32(y + 44));
        s12 = vfmaq_f32(s12, vld1q_f32(x + 48), vld1q_f32(y + 48));
        s13 = vfmaq_f32(s13, vld1q_f32(x + 52), vld1q_f32(y + 52));
        s14 = vfmaq_f32(s14, vld1q_f32(x + 56), vld1q_f32(y + 56));
        s15 = vfmaq_f32(s15, vld1q_f32(x + 60), vld1q_f32(y + 60));
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

/* ---- Pair ---------------------------------------------------------------------------------- */

static float pair_dot_neon(size_t d, const float *x, const float *y)
{
    return simd_canonical_nan(sum4_neon(dot_row_neon(d, x, y)));
}

static float pair_neg_sq_l2_neon(size_t d, const float *x, const float *y)
{
    return simd_canonical_nan(0.0f - sum4_neon(sq_l2_row_neon(d, x, y)));
}

static float scaled_dot_neon(size_t d, const float *x, float px, const float *y, float py)
{
    return sum4_neon(scaled_dot_row_neon(d, x, y, px, py));
}

/* Greatest magnitude of a row, as bits: NORM_INFINITY or more where a NaN or Inf is. */
static uint32_t greatest_neon(size_t d, const float *x)
{
    const uint32x4_t magnitude = vdupq_n_u32(NORM_MAGNITUDE);
    uint32x4_t greatest = vdupq_n_u32(0);
    for (; d >= 4; d -= 4, x += 4)
        greatest = vmaxq_u32(greatest, vandq_u32(vreinterpretq_u32_f32(vld1q_f32(x)), magnitude));
    uint32x4_t last = vreinterpretq_u32_f32(simd_load_first(x, d));
    return vmaxvq_u32(vmaxq_u32(greatest, vandq_u32(last, magnitude)));
}

/* Cosine where a square sum leaves the safe range: zero rows, NaN, Inf, very small, very great. Out
 * of line, so that the ordinary path stays one straight piece of code. */
__attribute__((noinline)) static float scaled_cosine_neon(size_t d, const float *x, const float *y)
{
    uint32_t greatest_x = greatest_neon(d, x);
    uint32_t greatest_y = greatest_neon(d, y);
    if (greatest_x >= NORM_INFINITY || greatest_y >= NORM_INFINITY)
        return simd_canonical_nan(NAN);
    if (greatest_x == 0 || greatest_y == 0)
        return 0.0f;
    float px = norm_power(greatest_x);
    float py = norm_power(greatest_y);
    float xy = scaled_dot_neon(d, x, px, y, py);
    float xx = scaled_dot_neon(d, x, px, x, px);
    float yy = scaled_dot_neon(d, y, py, y, py);
    return xy / (sqrtf(xx) * sqrtf(yy));
}

/* Rows that do not stay in L1 for a second pass. */
__attribute__((noinline)) static float long_cosine_neon(size_t d, const float *x, const float *y)
{
    float32x4_t xy[16];
    float32x4_t xx[16];
    float32x4_t yy[16];
    for (int i = 0; i < 16; i++)
        xy[i] = xx[i] = yy[i] = vdupq_n_f32(0.0f);
    for (size_t k = 0, piece; k < d; k += piece) {
        piece = d - k < LONG_PIECE ? d - k : LONG_PIECE;
        dot_lanes_neon(piece, x + k, y + k, xy);
        dot_lanes_neon(piece, x + k, x + k, xx);
        dot_lanes_neon(piece, y + k, y + k, yy);
    }
    float sum_xx = simd_sum64x4(xx);
    float sum_yy = simd_sum64x4(yy);
    if (!norm_is_safe(sum_xx) || !norm_is_safe(sum_yy))
        return scaled_cosine_neon(d, x, y);
    return simd_sum64x4(xy) / sqrtf(sum_xx * sum_yy);
}

static float pair_cosine_neon(size_t d, const float *x, const float *y)
{
    if (d > LONG_ROW)
        return long_cosine_neon(d, x, y);
    float32x4_t a[12];
    float32x4_t b[12];
    struct tail_block tail;
    size_t blocks = fill_tail_neon(&tail, d, x, y);
    pair_cosine_pass_neon(d, x, y, 0, &tail, blocks, a);
    pair_cosine_pass_neon(d, x, y, 16, &tail, blocks, b);
    float sum_xx = sum4_neon(fold_passes_neon(a + 4, b + 4));
    float sum_yy = sum4_neon(fold_passes_neon(a + 8, b + 8));
    if (__builtin_expect(!(norm_is_safe(sum_xx) && norm_is_safe(sum_yy)), 0))
        return scaled_cosine_neon(d, x, y);
    return sum4_neon(fold_passes_neon(a, b)) / sqrtf(sum_xx * sum_yy);
}

/* ---- Query --------------------------------------------------------------------------------- */

/* The trees of 4 rows from 4 lanes each; element r of the result is row r.
 * zip of 64-bit halves: lanes 0+2 and 1+3 of rows 0, 1 and of rows 2, 3; then even and odd places.
 */
static inline float32x4_t sum_rows_neon(const float32x4_t s[GROUP])
{
    float64x2_t s0 = vreinterpretq_f64_f32(s[0]);
    float64x2_t s1 = vreinterpretq_f64_f32(s[1]);
    float64x2_t s2 = vreinterpretq_f64_f32(s[2]);
    float64x2_t s3 = vreinterpretq_f64_f32(s[3]);
    float32x4_t rows01 = vaddq_f32(vreinterpretq_f32_f64(vzip1q_f64(s0, s1)),
                                   vreinterpretq_f32_f64(vzip2q_f64(s0, s1)));
    float32x4_t rows23 = vaddq_f32(vreinterpretq_f32_f64(vzip1q_f64(s2, s3)),
                                   vreinterpretq_f32_f64(vzip2q_f64(s2, s3)));
    float32x4_t t = vaddq_f32(vuzp1q_f32(rows01, rows23), vuzp2q_f32(rows01, rows23));
    return vaddq_f32(t, vdupq_n_f32(0.0f));
}

static void query_dot_neon(size_t n, size_t d, const float *x, const float *y, size_t ldy,
                           float *result)
{
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, result += rows) {
        rows = n < GROUP ? n : GROUP;
        float32x4_t s[GROUP];
        for (size_t r = 0; r < rows; r++)
            s[r] = dot_row_neon(d, x, y + r * ldy);
        for (size_t r = rows; r < GROUP; r++)
            s[r] = vdupq_n_f32(0.0f);
        simd_store_first(result, rows, simd_canonical_nan4(sum_rows_neon(s)));
    }
}

static void squared_norms_neon(size_t n, size_t d, const float *y, size_t ldy, float *out)
{
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, out += rows) {
        rows = n < GROUP ? n : GROUP;
        float32x4_t s[GROUP];
        for (size_t r = 0; r < rows; r++)
            s[r] = dot_row_neon(d, y + r * ldy, y + r * ldy);
        for (size_t r = rows; r < GROUP; r++)
            s[r] = vdupq_n_f32(0.0f);
        simd_store_first(out, rows, simd_canonical_nan4(sum_rows_neon(s)));
    }
}

/* The cosines of a group from the sums of its rows; those whose |y|^2 is not safe go the scaled
 * way. */
static inline void store_cosines_neon(size_t rows, size_t d, const float *x, const float *y,
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
                result[r] = scaled_cosine_neon(d, x, y + r * ldy);
    }
}

static void query_cosine_neon(size_t n, size_t d, const float *x, const float *y, size_t ldy,
                              float *result)
{
    float xx = sum4_neon(dot_row_neon(d, x, x));
    if (d > LONG_ROW || !norm_is_safe(xx)) {
        for (size_t j = 0; j < n; j++)
            result[j] = pair_cosine_neon(d, x, y + j * ldy);
        return;
    }
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, result += rows) {
        rows = n < GROUP ? n : GROUP;
        float32x4_t xy[GROUP];
        float32x4_t yy[GROUP];
        for (size_t r = 0; r < rows; r++) {
            float32x4_t a[8];
            float32x4_t b[8];
            const float *row = y + r * ldy;
            struct tail_block tail;
            size_t blocks = fill_tail_neon(&tail, d, x, row);
            query_cosine_pass_neon(d, x, row, 0, &tail, blocks, a);
            query_cosine_pass_neon(d, x, row, 16, &tail, blocks, b);
            xy[r] = fold_passes_neon(a, b);
            yy[r] = fold_passes_neon(a + 4, b + 4);
        }
        for (size_t r = rows; r < GROUP; r++)
            xy[r] = yy[r] = vdupq_n_f32(0.0f);
        store_cosines_neon(rows, d, x, y, ldy, sum_rows_neon(xy), xx, sum_rows_neon(yy), result);
    }
}

static void query_norms_neon(size_t n, size_t d, const float *x, const float *y, size_t ldy,
                             const float *squared_norms, float *result)
{
    float xx = sum4_neon(dot_row_neon(d, x, x));
    if (!norm_is_safe(xx)) {
        for (size_t j = 0; j < n; j++)
            result[j] = scaled_cosine_neon(d, x, y + j * ldy);
        return;
    }
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, squared_norms += rows, result += rows) {
        rows = n < GROUP ? n : GROUP;
        float32x4_t xy[GROUP];
        for (size_t r = 0; r < rows; r++)
            xy[r] = dot_row_neon(d, x, y + r * ldy);
        for (size_t r = rows; r < GROUP; r++)
            xy[r] = vdupq_n_f32(0.0f);
        store_cosines_neon(rows, d, x, y, ldy, sum_rows_neon(xy), xx,
                           simd_load_first(squared_norms, rows), result);
    }
}

static void query_neg_sq_l2_neon(size_t n, size_t d, const float *x, const float *y, size_t ldy,
                                 float *result)
{
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, result += rows) {
        rows = n < GROUP ? n : GROUP;
        float32x4_t s[GROUP];
        for (size_t r = 0; r < rows; r++)
            s[r] = sq_l2_row_neon(d, x, y + r * ldy);
        for (size_t r = rows; r < GROUP; r++)
            s[r] = vdupq_n_f32(0.0f);
        simd_store_first(result, rows,
                         simd_canonical_nan4(vsubq_f32(vdupq_n_f32(0.0f), sum_rows_neon(s))));
    }
}

/* ---- Rows ---------------------------------------------------------------------------------- */

static struct row_scale row_scale_neon(size_t d, const float *x)
{
    float xx = pair_dot_neon(d, x, x);
    if (norm_is_safe(xx))
        return (struct row_scale){1.0f, 1.0f / sqrtf(xx)};
    uint32_t greatest = greatest_neon(d, x);
    if (greatest >= NORM_INFINITY)
        return (struct row_scale){1.0f, simd_canonical_nan(NAN)};
    if (greatest == 0)
        return (struct row_scale){1.0f, 0.0f};
    float power = norm_power(greatest);
    return (struct row_scale){power, 1.0f / sqrtf(scaled_dot_neon(d, x, power, x, power))};
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

const struct cosine_ops cosine_ops_neon = {
    .pair = {[MMK_DOT] = pair_dot_neon,
             [MMK_COSINE] = pair_cosine_neon,
             [MMK_NEG_SQ_L2] = pair_neg_sq_l2_neon},
    .query = {[MMK_DOT] = query_dot_neon,
              [MMK_COSINE] = query_cosine_neon,
              [MMK_NEG_SQ_L2] = query_neg_sq_l2_neon},
    .query_norms = query_norms_neon,
    .squared_norms = squared_norms_neon,
    .row_scale = row_scale_neon,
    .scale_row = scale_row_neon,
};
