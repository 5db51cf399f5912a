/* lanes_neon.h - what pair/ and query/ share on float32x4_t (internal).
 * SPDX-License-Identifier: MIT
 *
 * Sums of one row: the 64 canonical lanes are 16 q registers, and what is returned are the 4 lanes
 * that four levels of the tree leave.
 *
 * The cosine of rows that must be scaled is here as a static function, and not in a table: the
 * compiler knows then which registers such a rare call leaves alone, and the loops beside it keep
 * theirs.
 *
 * NEON has no masked loads. A tail is copied into a block of zeros and goes through the same code
 * as the whole blocks (pair_tail).
 */
#ifndef MMK_PAIR_LANES_NEON_H
#define MMK_PAIR_LANES_NEON_H

#include "element.h"
#include "norm.h"
#include "pair.h"

#include "../simd/neon.h"

/* The load of floats, or that of halves, by what p points to. */
#define PAIR_BY_TYPE(p, floats, halves)                                                            \
    _Generic((p), const float * : floats, const uint16_t * : halves)
#define pair_load(p) PAIR_BY_TYPE(p, vld1q_f32, PAIR_OF_HALF(simd_load_))(p)
#define pair_load_first(p, first)                                                                  \
    PAIR_BY_TYPE(p, simd_load_first, PAIR_OF_HALF(simd_load_first_))(p, first)

/* The last elements of a row of x and of y, with zeros up to a whole block. */
struct pair_tail {
    pair_x x[SIMD_LANES];
    pair_y y[SIMD_LANES];
};

/* Returns the number of blocks, tail included. Done before the loop over the blocks: a call within
 * it would make gcc keep sums on the stack. */
static inline size_t pair_fill_tail_neon(struct pair_tail *tail, size_t d, const pair_x *x,
                                         const pair_y *y)
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

/* 32 -> 4 lanes, from both passes. */
static inline float32x4_t pair_fold_passes_neon(const float32x4_t a[4], const float32x4_t b[4])
{
    return simd_fold32x4(a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3]);
}

/* x.y */
static float32x4_t pair_dot_row_neon(size_t d, const pair_x *x, const pair_y *y)
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
    return simd_fold32x4(vaddq_f32(s0, s8), vaddq_f32(s1, s9), vaddq_f32(s2, s10),
                         vaddq_f32(s3, s11), vaddq_f32(s4, s12), vaddq_f32(s5, s13),
                         vaddq_f32(s6, s14), vaddq_f32(s7, s15));
}

/* |x - y|^2 */
static float32x4_t pair_sq_l2_row_neon(size_t d, const pair_x *x, const pair_y *y)
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
    struct pair_tail tail;
    const size_t whole = d / 64;
    const size_t blocks = pair_fill_tail_neon(&tail, d, x, y);
    for (size_t b = 0; b < blocks; b++, x += 64, y += 64) {
        if (b == whole) {
            x = tail.x;
            y = tail.y;
        }
        float32x4_t d0 = vsubq_f32(pair_load(x), pair_load(y));
        s0 = vfmaq_f32(s0, d0, d0);
        float32x4_t d1 = vsubq_f32(pair_load(x + 4), pair_load(y + 4));
        s1 = vfmaq_f32(s1, d1, d1);
        float32x4_t d2 = vsubq_f32(pair_load(x + 8), pair_load(y + 8));
        s2 = vfmaq_f32(s2, d2, d2);
        float32x4_t d3 = vsubq_f32(pair_load(x + 12), pair_load(y + 12));
        s3 = vfmaq_f32(s3, d3, d3);
        float32x4_t d4 = vsubq_f32(pair_load(x + 16), pair_load(y + 16));
        s4 = vfmaq_f32(s4, d4, d4);
        float32x4_t d5 = vsubq_f32(pair_load(x + 20), pair_load(y + 20));
        s5 = vfmaq_f32(s5, d5, d5);
        float32x4_t d6 = vsubq_f32(pair_load(x + 24), pair_load(y + 24));
        s6 = vfmaq_f32(s6, d6, d6);
        float32x4_t d7 = vsubq_f32(pair_load(x + 28), pair_load(y + 28));
        s7 = vfmaq_f32(s7, d7, d7);
        float32x4_t d8 = vsubq_f32(pair_load(x + 32), pair_load(y + 32));
        s8 = vfmaq_f32(s8, d8, d8);
        float32x4_t d9 = vsubq_f32(pair_load(x + 36), pair_load(y + 36));
        s9 = vfmaq_f32(s9, d9, d9);
        float32x4_t d10 = vsubq_f32(pair_load(x + 40), pair_load(y + 40));
        s10 = vfmaq_f32(s10, d10, d10);
        float32x4_t d11 = vsubq_f32(pair_load(x + 44), pair_load(y + 44));
        s11 = vfmaq_f32(s11, d11, d11);
        float32x4_t d12 = vsubq_f32(pair_load(x + 48), pair_load(y + 48));
        s12 = vfmaq_f32(s12, d12, d12);
        float32x4_t d13 = vsubq_f32(pair_load(x + 52), pair_load(y + 52));
        s13 = vfmaq_f32(s13, d13, d13);
        float32x4_t d14 = vsubq_f32(pair_load(x + 56), pair_load(y + 56));
        s14 = vfmaq_f32(s14, d14, d14);
        float32x4_t d15 = vsubq_f32(pair_load(x + 60), pair_load(y + 60));
        s15 = vfmaq_f32(s15, d15, d15);
    }
    return simd_fold32x4(vaddq_f32(s0, s8), vaddq_f32(s1, s9), vaddq_f32(s2, s10),
                         vaddq_f32(s3, s11), vaddq_f32(s4, s12), vaddq_f32(s5, s13),
                         vaddq_f32(s6, s14), vaddq_f32(s7, s15));
}

#ifndef QUERY_OF_HALVES

/* ---- Rows that must be scaled ---------------------------------------------------------------- */

/* sum (x_k px)(y_k py) */
static float32x4_t pair_scaled_dot_row_neon(size_t d, const pair_x *x, const pair_y *y, float px,
                                            float py)
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
    struct pair_tail tail;
    const size_t whole = d / 64;
    const size_t blocks = pair_fill_tail_neon(&tail, d, x, y);
    for (size_t b = 0; b < blocks; b++, x += 64, y += 64) {
        if (b == whole) {
            x = tail.x;
            y = tail.y;
        }
        s0 = vfmaq_f32(s0, vmulq_n_f32(pair_load(x), px), vmulq_n_f32(pair_load(y), py));
        s1 = vfmaq_f32(s1, vmulq_n_f32(pair_load(x + 4), px), vmulq_n_f32(pair_load(y + 4), py));
        s2 = vfmaq_f32(s2, vmulq_n_f32(pair_load(x + 8), px), vmulq_n_f32(pair_load(y + 8), py));
        s3 = vfmaq_f32(s3, vmulq_n_f32(pair_load(x + 12), px), vmulq_n_f32(pair_load(y + 12), py));
        s4 = vfmaq_f32(s4, vmulq_n_f32(pair_load(x + 16), px), vmulq_n_f32(pair_load(y + 16), py));
        s5 = vfmaq_f32(s5, vmulq_n_f32(pair_load(x + 20), px), vmulq_n_f32(pair_load(y + 20), py));
        s6 = vfmaq_f32(s6, vmulq_n_f32(pair_load(x + 24), px), vmulq_n_f32(pair_load(y + 24), py));
        s7 = vfmaq_f32(s7, vmulq_n_f32(pair_load(x + 28), px), vmulq_n_f32(pair_load(y + 28), py));
        s8 = vfmaq_f32(s8, vmulq_n_f32(pair_load(x + 32), px), vmulq_n_f32(pair_load(y + 32), py));
        s9 = vfmaq_f32(s9, vmulq_n_f32(pair_load(x + 36), px), vmulq_n_f32(pair_load(y + 36), py));
        s10 =
            vfmaq_f32(s10, vmulq_n_f32(pair_load(x + 40), px), vmulq_n_f32(pair_load(y + 40), py));
        s11 =
            vfmaq_f32(s11, vmulq_n_f32(pair_load(x + 44), px), vmulq_n_f32(pair_load(y + 44), py));
        s12 =
            vfmaq_f32(s12, vmulq_n_f32(pair_load(x + 48), px), vmulq_n_f32(pair_load(y + 48), py));
        s13 =
            vfmaq_f32(s13, vmulq_n_f32(pair_load(x + 52), px), vmulq_n_f32(pair_load(y + 52), py));
        s14 =
            vfmaq_f32(s14, vmulq_n_f32(pair_load(x + 56), px), vmulq_n_f32(pair_load(y + 56), py));
        s15 =
            vfmaq_f32(s15, vmulq_n_f32(pair_load(x + 60), px), vmulq_n_f32(pair_load(y + 60), py));
    }
    return simd_fold32x4(vaddq_f32(s0, s8), vaddq_f32(s1, s9), vaddq_f32(s2, s10),
                         vaddq_f32(s3, s11), vaddq_f32(s4, s12), vaddq_f32(s5, s13),
                         vaddq_f32(s6, s14), vaddq_f32(s7, s15));
}

static float pair_scaled_dot_neon(size_t d, const pair_x *x, float px, const pair_y *y, float py)
{
    return simd_sum4x4(pair_scaled_dot_row_neon(d, x, y, px, py));
}

/* Greatest magnitude of a row, as bits: NORM_INFINITY or more where a NaN or Inf is. */
static uint32_t pair_greatest_neon(size_t d, const pair_x *x)
{
    const uint32x4_t magnitude = vdupq_n_u32(NORM_MAGNITUDE);
    uint32x4_t greatest = vdupq_n_u32(0);
    for (; d >= 4; d -= 4, x += 4)
        greatest = vmaxq_u32(greatest, vandq_u32(vreinterpretq_u32_f32(pair_load(x)), magnitude));
    uint32x4_t last = vreinterpretq_u32_f32(pair_load_first(x, d));
    return vmaxvq_u32(vmaxq_u32(greatest, vandq_u32(last, magnitude)));
}

/* Cosine where a square sum leaves the safe range: zero rows, NaN, Inf, very small, very great. Out
 * of line, so that the ordinary path stays one straight piece of code. */
__attribute__((noinline)) static float pair_scaled_cosine_neon(size_t d, const pair_x *x,
                                                               const pair_y *y)
{
    uint32_t greatest_x = pair_greatest_neon(d, x);
    uint32_t greatest_y = pair_greatest_neon(d, y);
    if (greatest_x >= NORM_INFINITY || greatest_y >= NORM_INFINITY)
        return simd_canonical_nan(NAN);
    if (greatest_x == 0 || greatest_y == 0)
        return 0.0f;
    float px = norm_power(greatest_x);
    float py = norm_power(greatest_y);
    float xy = pair_scaled_dot_neon(d, x, px, y, py);
    float xx = pair_scaled_dot_neon(d, x, px, x, px);
    float yy = pair_scaled_dot_neon(d, y, py, y, py);
    /* 0 / 0 where the caller has switched denormals off, which pair and query leave as it is. */
    return simd_canonical_nan(xy / (sqrtf(xx) * sqrtf(yy)));
}

#endif

#endif
