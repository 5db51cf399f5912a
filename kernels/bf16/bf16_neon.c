/* bf16_neon.c - rows of bf16 on uint16x8_t.
 * SPDX-License-Identifier: MIT
 *
 * The even elements of 8 become floats by a shift, the odd ones by a mask, and each half is an FMA
 * of its own: bfdot rounds otherwise where a core has not EBF16. The 64 canonical lanes are 16 q
 * registers, and a vector of 8 elements belongs to one of them. Whether a row is plain takes three
 * operations a vector more; rows that are not are summed again (flushed.h).
 *
 *               registers                              a block of 128 elements
 *   pair dot    16 sums, x, y, least, constants        32 loads, 64 to widen, 96 to look, 32 FMA
 *   pair cos.   2 passes: 24 sums (xy, xx, yy), x, y   32 loads, 64 to widen, 96 to look, 96 FMA
 *   query dot   16 sums, x, y                          32 loads, 64 to widen, 48 to look, 32 FMA
 *   query cos.  2 passes: 16 sums (xy, yy), x, y       32 loads, 64 to widen, 48 to look, 64 FMA
 *
 * Bound by    vector pipes (2 to 4), by that count; only emulated so far, no timing.
 *
 * A cosine is taken in two passes over the row, as pair/pair_neon.c does it and for its reason. A
 * tail is copied into a block of zeros.
 */
#include "flushed.h"
#include "scaled.h"

#include "../call/size.h"
#include "../simd/trees_neon.h"

#include <stdbool.h>

#define BF16_INLINE static inline __attribute__((always_inline))

/* Rows whose trees are summed together: one vector of results. */
enum { GROUP = 4 };

BF16_INLINE float32x4_t even(uint16x8_t v)
{
    return vreinterpretq_f32_u32(vshlq_n_u32(vreinterpretq_u32_u16(v), 16));
}

BF16_INLINE float32x4_t odd(uint16x8_t v)
{
    return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_u16(v), vdupq_n_u32(0xffff0000u)));
}

/* The lanes with two more products each. */
BF16_INLINE float32x4_t add(float32x4_t lanes, float32x4_t xe, float32x4_t xo, float32x4_t ye,
                            float32x4_t yo)
{
    return vfmaq_f32(vfmaq_f32(lanes, xo, yo), xe, ye);
}

/* The least of 2 |v| - 1 with those of v, and whether rows with that are not plain. */
BF16_INLINE uint16x8_t least_of(uint16x8_t least, uint16x8_t v)
{
    return vminq_u16(least, vsubq_u16(vaddq_u16(v, v), vdupq_n_u16(1)));
}

BF16_INLINE bool is_rare(uint16x8_t least)
{
    return vminvq_u16(least) < BF16_PLAIN_LEAST;
}

static bool row_is_rare(size_t d, const uint16_t *x)
{
    uint16x8_t least = vdupq_n_u16(UINT16_MAX);
    for (; d >= 8; d -= 8, x += 8)
        least = least_of(least, vld1q_u16(x));
    uint16_t last[8] = {0};
    if (d > 0) /* x may be NULL where there are no elements */
        memcpy(last, x, d * sizeof *x);
    return is_rare(least_of(least, vld1q_u16(last)));
}

/* ---- Sums ------------------------------------------------------------------------------------ */

/* The last elements of a row of x and of y, with zeros up to a whole block. */
struct tail {
    uint16_t x[BF16_BLOCK], y[BF16_BLOCK];
};

/* Returns the number of blocks of `block` elements, tail included. */
static inline size_t fill_tail(struct tail *tail, size_t block, size_t d, const uint16_t *x,
                               const uint16_t *y)
{
    size_t whole = d / block, rest = d % block;
    if (rest == 0)
        return whole;
    memset(tail, 0, sizeof *tail);
    memcpy(tail->x, x + d - rest, rest * sizeof *x);
    memcpy(tail->y, y + d - rest, rest * sizeof *y);
    return whole + 1;
}

/* 64 lanes to 4. */
BF16_INLINE float32x4_t fold(const float32x4_t s[16])
{
    return simd_fold32x4(vaddq_f32(s[0], s[8]), vaddq_f32(s[1], s[9]), vaddq_f32(s[2], s[10]),
                         vaddq_f32(s[3], s[11]), vaddq_f32(s[4], s[12]), vaddq_f32(s[5], s[13]),
                         vaddq_f32(s[6], s[14]), vaddq_f32(s[7], s[15]));
}

/* x.y, 4 lanes; *least of both rows, or where it is one of many of y alone. */
BF16_INLINE float32x4_t dot_row(bool many, size_t d, const uint16_t *x, const uint16_t *y,
                                uint16x8_t *least)
{
    float32x4_t s[16];
    struct tail tail;
    const size_t whole = d / BF16_BLOCK, blocks = fill_tail(&tail, BF16_BLOCK, d, x, y);
    for (size_t i = 0; i < 16; i++)
        s[i] = vdupq_n_f32(0.0f);
    *least = vdupq_n_u16(UINT16_MAX);
    for (size_t b = 0; b < blocks; b++, x += BF16_BLOCK, y += BF16_BLOCK) {
        if (b == whole) {
            x = tail.x;
            y = tail.y;
        }
#pragma GCC unroll 16
        for (size_t i = 0; i < 16; i++) {
            uint16x8_t u = vld1q_u16(x + 8 * i), v = vld1q_u16(y + 8 * i);
            s[i] = add(s[i], even(u), odd(u), even(v), odd(v));
            if (!many)
                *least = least_of(*least, u);
            *least = least_of(*least, v);
        }
    }
    return fold(s);
}

/* Of the lanes of vectors first + 0 .. 3 and 8 .. 11 of a block 16 of 32: of xy, yy and, of a pair,
 * xx, 4 vectors each. */
BF16_INLINE void pass(bool pair, size_t d, const uint16_t *x, const uint16_t *y, size_t first,
                      const struct tail *tail, size_t blocks, float32x4_t t[12], uint16x8_t *least)
{
    float32x4_t xy[8], xx[8], yy[8];
    for (size_t i = 0; i < 8; i++)
        xy[i] = xx[i] = yy[i] = vdupq_n_f32(0.0f);
    const size_t whole = d / BF16_BLOCK;
    for (size_t b = 0; b < blocks; b++, x += BF16_BLOCK, y += BF16_BLOCK) {
        if (b == whole) {
            x = tail->x;
            y = tail->y;
        }
#pragma GCC unroll 8
        for (size_t i = 0; i < 8; i++) {
            size_t at = 8 * (first + i + (i & 4));
            uint16x8_t u = vld1q_u16(x + at), v = vld1q_u16(y + at);
            float32x4_t xe = even(u), xo = odd(u), ye = even(v), yo = odd(v);
            xy[i] = add(xy[i], xe, xo, ye, yo);
            yy[i] = add(yy[i], ye, yo, ye, yo);
            if (pair) {
                xx[i] = add(xx[i], xe, xo, xe, xo);
                *least = least_of(*least, u);
            }
            *least = least_of(*least, v);
        }
    }
    for (size_t i = 0; i < 4; i++) {
        t[i] = vaddq_f32(xy[i], xy[i + 4]);
        t[i + 4] = vaddq_f32(yy[i], yy[i + 4]);
        t[i + 8] = vaddq_f32(xx[i], xx[i + 4]);
    }
}

/* 32 -> 4 lanes, from both passes. */
BF16_INLINE float32x4_t fold_passes(const float32x4_t a[4], const float32x4_t b[4])
{
    return simd_fold32x4(a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3]);
}

/* 4 elements as floats. */
BF16_INLINE float32x4_t floats(const uint16_t *p)
{
    return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16));
}

/* |x - y|^2 in the lanes of floats, 4 of them. */
BF16_INLINE float32x4_t sq_l2_row(size_t d, const uint16_t *x, const uint16_t *y)
{
    float32x4_t s[16];
    struct tail tail;
    const size_t whole = d / SIMD_LANES, blocks = fill_tail(&tail, SIMD_LANES, d, x, y);
    for (size_t i = 0; i < 16; i++)
        s[i] = vdupq_n_f32(0.0f);
    for (size_t b = 0; b < blocks; b++, x += SIMD_LANES, y += SIMD_LANES) {
        if (b == whole) {
            x = tail.x;
            y = tail.y;
        }
#pragma GCC unroll 16
        for (size_t i = 0; i < 16; i++) {
            float32x4_t difference = vsubq_f32(floats(x + 4 * i), floats(y + 4 * i));
            s[i] = vfmaq_f32(s[i], difference, difference);
        }
    }
    return fold(s);
}

/* ---- Pairs ----------------------------------------------------------------------------------- */

/* x.y; a NaN may be any */
static float dot(size_t d, const uint16_t *x, const uint16_t *y)
{
    uint16x8_t least;
    float32x4_t s = dot_row(false, d, x, y, &least);
    if (__builtin_expect(is_rare(least), 0))
        return bf16_flushed_dot(d, x, y);
    return simd_sum4x4(s);
}

static float pair_dot_neon(size_t d, const uint16_t *x, const uint16_t *y)
{
    return simd_canonical_nan(dot(d, x, y));
}

static float pair_cosine_neon(size_t d, const uint16_t *x, const uint16_t *y)
{
    float32x4_t a[12], b[12];
    uint16x8_t least = vdupq_n_u16(UINT16_MAX);
    struct tail tail;
    size_t blocks = fill_tail(&tail, BF16_BLOCK, d, x, y);
    pass(true, d, x, y, 0, &tail, blocks, a, &least);
    pass(true, d, x, y, 4, &tail, blocks, b, &least);
    float xy = simd_sum4x4(fold_passes(a, b));
    float yy = simd_sum4x4(fold_passes(a + 4, b + 4));
    float xx = simd_sum4x4(fold_passes(a + 8, b + 8));
    if (__builtin_expect(is_rare(least), 0)) {
        xy = bf16_flushed_dot(d, x, y);
        xx = bf16_flushed_dot(d, x, x);
        yy = bf16_flushed_dot(d, y, y);
    }
    if (__builtin_expect(!(norm_is_safe(xx) && norm_is_safe(yy)), 0))
        return bf16_scaled_cosine(d, x, y);
    return xy / sqrtf(xx * yy);
}

static float pair_neg_sq_l2_neon(size_t d, const uint16_t *x, const uint16_t *y)
{
    return simd_canonical_nan(0.0f - simd_sum4x4(sq_l2_row(d, x, y)));
}

/* ---- One against many ------------------------------------------------------------------------ */

/* x.y of up to 4 rows, each in its lane; x == NULL: y.y. */
BF16_INLINE float32x4_t dot_group(size_t rows, size_t d, const uint16_t *x, bool x_rare,
                                  const uint16_t *y, size_t ldy)
{
    float32x4_t s[GROUP];
    bool rare[GROUP], any = false;
    for (size_t r = 0; r < GROUP; r++) {
        const uint16_t *row = y + size_min(r, rows - 1) * ldy;
        uint16x8_t least;
        s[r] = dot_row(true, d, x != NULL ? x : row, row, &least);
        rare[r] = x_rare || is_rare(least);
        any |= rare[r];
    }
    float32x4_t sums = sum_rows_neon(s);
    if (__builtin_expect(any, 0)) {
        float each[GROUP];
        vst1q_f32(each, sums);
        for (size_t r = 0; r < rows; r++)
            if (rare[r])
                each[r] = bf16_flushed_dot(d, x != NULL ? x : y + r * ldy, y + r * ldy);
        sums = vld1q_f32(each);
    }
    return sums;
}

static void query_dot_neon(size_t n, size_t d, const uint16_t *x, const uint16_t *y, size_t ldy,
                           float *result)
{
    const bool x_rare = row_is_rare(d, x);
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, result += rows) {
        rows = size_min(n, GROUP);
        simd_store_first(result, rows, simd_canonical_nan4(dot_group(rows, d, x, x_rare, y, ldy)));
    }
}

static void squared_norms_neon(size_t n, size_t d, const uint16_t *y, size_t ldy, float *out)
{
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, out += rows) {
        rows = size_min(n, GROUP);
        simd_store_first(out, rows, simd_canonical_nan4(dot_group(rows, d, NULL, false, y, ldy)));
    }
}

/* Cosines of up to 4 rows from their sums; those whose |y|^2 is not safe go the scaled way. */
BF16_INLINE void store_cosines(size_t rows, size_t d, const uint16_t *x, const uint16_t *y,
                               size_t ldy, float32x4_t xy, float xx, float32x4_t yy, float *result)
{
    simd_store_first(result, rows, vdivq_f32(xy, vsqrtq_f32(vmulq_n_f32(yy, xx))));
    /* norm_is_safe of 4 rows */
    uint32x4_t above = vsubq_u32(vreinterpretq_u32_f32(yy), vdupq_n_u32(NORM_SAFE_LOWEST));
    uint32x4_t unsafe = vcgtq_u32(above, vdupq_n_u32(NORM_SAFE_SPAN));
    if (__builtin_expect(vmaxvq_u32(unsafe) != 0 || !norm_is_safe(xx), 0)) {
        float row_yy[GROUP];
        vst1q_f32(row_yy, yy);
        for (size_t r = 0; r < rows; r++)
            if (!norm_is_safe(row_yy[r]) || !norm_is_safe(xx))
                result[r] = bf16_scaled_cosine(d, x, y + r * ldy);
    }
}

static void query_cosine_neon(size_t n, size_t d, const uint16_t *x, const uint16_t *y, size_t ldy,
                              float *result)
{
    const bool x_rare = row_is_rare(d, x);
    const float xx = dot(d, x, x);
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, result += rows) {
        rows = size_min(n, GROUP);
        float32x4_t xy[GROUP], yy[GROUP];
        bool rare[GROUP], any = false;
        for (size_t r = 0; r < GROUP; r++) {
            const uint16_t *row = y + size_min(r, rows - 1) * ldy;
            float32x4_t a[12], b[12];
            uint16x8_t least = vdupq_n_u16(UINT16_MAX);
            struct tail tail;
            size_t blocks = fill_tail(&tail, BF16_BLOCK, d, x, row);
            pass(false, d, x, row, 0, &tail, blocks, a, &least);
            pass(false, d, x, row, 4, &tail, blocks, b, &least);
            xy[r] = fold_passes(a, b);
            yy[r] = fold_passes(a + 4, b + 4);
            rare[r] = x_rare || is_rare(least);
            any |= rare[r];
        }
        float32x4_t products = sum_rows_neon(xy), squares = sum_rows_neon(yy);
        if (__builtin_expect(any, 0)) {
            float each[2][GROUP];
            vst1q_f32(each[0], products);
            vst1q_f32(each[1], squares);
            for (size_t r = 0; r < rows; r++)
                if (rare[r]) {
                    const uint16_t *row = y + r * ldy;
                    each[0][r] = bf16_flushed_dot(d, x, row);
                    each[1][r] = bf16_flushed_dot(d, row, row);
                }
            products = vld1q_f32(each[0]);
            squares = vld1q_f32(each[1]);
        }
        store_cosines(rows, d, x, y, ldy, products, xx, squares, result);
    }
}

static void query_norms_neon(size_t n, size_t d, const uint16_t *x, const uint16_t *y, size_t ldy,
                             const float *squared_norms, float *result)
{
    const bool x_rare = row_is_rare(d, x);
    const float xx = dot(d, x, x);
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, squared_norms += rows, result += rows) {
        rows = size_min(n, GROUP);
        float32x4_t xy = dot_group(rows, d, x, x_rare, y, ldy);
        store_cosines(rows, d, x, y, ldy, xy, xx, simd_load_first(squared_norms, rows), result);
    }
}

static void query_neg_sq_l2_neon(size_t n, size_t d, const uint16_t *x, const uint16_t *y,
                                 size_t ldy, float *result)
{
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, result += rows) {
        rows = size_min(n, GROUP);
        float32x4_t s[GROUP];
        for (size_t r = 0; r < GROUP; r++)
            s[r] = sq_l2_row(d, x, y + size_min(r, rows - 1) * ldy);
        float32x4_t v = vsubq_f32(vdupq_n_f32(0.0f), sum_rows_neon(s));
        simd_store_first(result, rows, simd_canonical_nan4(v));
    }
}

const struct bf16_ops bf16_ops_neon = {
    .pair = {[MMK_DOT] = pair_dot_neon,
             [MMK_COSINE] = pair_cosine_neon,
             [MMK_NEG_SQ_L2] = pair_neg_sq_l2_neon},
    .query = {[MMK_DOT] = query_dot_neon,
              [MMK_COSINE] = query_cosine_neon,
              [MMK_NEG_SQ_L2] = query_neg_sq_l2_neon},
    .query_norms = query_norms_neon,
    .squared_norms = squared_norms_neon,
};
