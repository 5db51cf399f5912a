/* rows_neon.h - rows of MMK_I8 on int8x16_t: sums of a pair, of four rows against one, and what
 * becomes of them (internal to int8_neon*.c).
 * SPDX-License-Identifier: MIT
 *
 * Functions here are made twice, with two ways to multiply bytes. Four rows are taken at a time,
 * which share the loads of x, and their sums are joined together: 3 vpaddq in place of one vaddv a
 * row. Of what is left of 4 the last row is taken more than once. A tail is the last 16 bytes of
 * its row, those before it made 0; a row shorter than that is put together from loads that overlap.
 */
#ifndef MMK_INT8_ROWS_NEON_H
#define MMK_INT8_ROWS_NEON_H

#include "int8.h"

#include "../call/size.h"
#include "../simd/neon.h"

#include <stdbool.h>

#define INT8_INLINE static inline __attribute__((always_inline))

struct int8_way {
    /* sum + p.q of 16 columns, in 4 lanes */
    int32x4_t (*add)(int32x4_t sum, int8x16_t p, int8x16_t q);
};

/* What is beyond the whole vectors of a row of d columns, which begins at p; not of none. */
INT8_INLINE int8x16_t int8_load_tail_neon(const int8_t *p, size_t d)
{
    if (d >= 16)
        return vandq_s8(vld1q_s8(p + d - 16), vld1q_s8(int8_last(16, d % 16)));
    uint64_t bytes[2];
    int8_load_short(p, d, bytes);
    return vreinterpretq_s8_u64(vcombine_u64(vcreate_u64(bytes[0]), vcreate_u64(bytes[1])));
}

/* Four rows of 4 lanes to one sum each. */
INT8_INLINE int32x4_t int8_join4_neon(const int32x4_t s[4])
{
    return vpaddq_s32(vpaddq_s32(s[0], s[1]), vpaddq_s32(s[2], s[3]));
}

/* ---- Pairs ----------------------------------------------------------------------------------- */

INT8_INLINE int32_t int8_dot_pair_neon(const struct int8_way *way, size_t d, const int8_t *p,
                                       const int8_t *q)
{
    int32x4_t s[4] = {vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)};
    size_t k = 0;
    for (; k + 64 <= d; k += 64)
#pragma GCC unroll 4
        for (size_t i = 0; i < 4; i++)
            s[i] = way->add(s[i], vld1q_s8(p + k + 16 * i), vld1q_s8(q + k + 16 * i));
#pragma GCC unroll 3
    for (size_t i = 0; i < 3; i++)
        if (k + 16 <= d) {
            s[i] = way->add(s[i], vld1q_s8(p + k), vld1q_s8(q + k));
            k += 16;
        }
    if (d % 16 > 0)
        s[3] = way->add(s[3], int8_load_tail_neon(p, d), int8_load_tail_neon(q, d));
    return vaddvq_s32(vaddq_s32(vaddq_s32(s[0], s[1]), vaddq_s32(s[2], s[3])));
}

/* Two chains of each of the three. */
INT8_INLINE struct int8_sums int8_sums_neon(const struct int8_way *way, size_t d, const int8_t *p,
                                            const int8_t *q)
{
    int32x4_t pq[2], pp[2], qq[2];
    for (size_t i = 0; i < 2; i++)
        pq[i] = pp[i] = qq[i] = vdupq_n_s32(0);
    size_t whole = d / 16;
    for (size_t b = 0; b <= whole; b++) {
        if (b == whole && d % 16 == 0)
            break;
        int8x16_t v = b < whole ? vld1q_s8(p + 16 * b) : int8_load_tail_neon(p, d);
        int8x16_t w = b < whole ? vld1q_s8(q + 16 * b) : int8_load_tail_neon(q, d);
        pq[b % 2] = way->add(pq[b % 2], v, w);
        pp[b % 2] = way->add(pp[b % 2], v, v);
        qq[b % 2] = way->add(qq[b % 2], w, w);
    }
    const int32x4_t rows[4] = {vaddq_s32(pq[0], pq[1]), vaddq_s32(pp[0], pp[1]),
                               vaddq_s32(qq[0], qq[1]), vdupq_n_s32(0)};
    int32x4_t s = int8_join4_neon(rows);
    return (struct int8_sums){(double)vgetq_lane_s32(s, 0), (double)vgetq_lane_s32(s, 1),
                              (double)vgetq_lane_s32(s, 2)};
}

/* ---- One against many ------------------------------------------------------------------------ */

/* x.y and, with squares, y.y of `rows` rows, at most 4; the other lanes repeat the last. */
INT8_INLINE int32x4_t int8_four_neon(const struct int8_way *way, bool squares, size_t rows,
                                     size_t d, const int8_t *x, const int8_t *y, size_t ldy,
                                     int32x4_t *yy)
{
    int32x4_t xy4[4], yy4[4];
    const int8_t *row[4];
    for (size_t r = 0; r < 4; r++) {
        xy4[r] = yy4[r] = vdupq_n_s32(0);
        row[r] = y + size_min(r, rows - 1) * ldy;
    }
    for (size_t k = 0; k + 16 <= d; k += 16) {
        int8x16_t v = vld1q_s8(x + k);
#pragma GCC unroll 4
        for (size_t r = 0; r < 4; r++) {
            int8x16_t w = vld1q_s8(row[r] + k);
            xy4[r] = way->add(xy4[r], v, w);
            if (squares)
                yy4[r] = way->add(yy4[r], w, w);
        }
    }
    if (d % 16 > 0) {
        int8x16_t v = int8_load_tail_neon(x, d);
#pragma GCC unroll 4
        for (size_t r = 0; r < 4; r++) {
            int8x16_t w = int8_load_tail_neon(row[r], d);
            xy4[r] = way->add(xy4[r], v, w);
            if (squares)
                yy4[r] = way->add(yy4[r], w, w);
        }
    }
    if (squares)
        *yy = int8_join4_neon(yy4);
    return int8_join4_neon(xy4);
}

INT8_INLINE void int8_dots_neon(const struct int8_way *way, size_t n, size_t d, const int8_t *x,
                                const int8_t *y, size_t ldy, int32_t *result)
{
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, result += rows) {
        rows = size_min(n, 4);
        int32_t four[4];
        vst1q_s32(four, int8_four_neon(way, false, rows, d, x, y, ldy, NULL));
        memcpy(result, four, rows * sizeof *result);
    }
}

/* Two results; yy is not looked at for the dot product. */
INT8_INLINE float32x2_t int8_finish2_neon(enum mmk_similarity similarity, const struct int8_side *x,
                                          int32x2_t xy, int32x2_t yy, float32x2_t scales)
{
    const float64x2_t zero = vdupq_n_f64(0), scale = vdupq_n_f64(x->scale);
    float64x2_t pq = vcvtq_f64_s64(vmovl_s32(xy)), qq = vcvtq_f64_s64(vmovl_s32(yy));
    float64x2_t b = vcvt_f64_f32(scales);
    if (similarity == MMK_DOT)
        return vcvt_f32_f64(vaddq_f64(vmulq_f64(vmulq_f64(scale, b), pq), zero));
    if (similarity == MMK_COSINE) {
        const uint64x2_t sign = vdupq_n_u64((uint64_t)1 << 63);
        float64x2_t squares = vmulq_f64(vdupq_n_f64(x->square), qq), ab = vmulq_f64(scale, b);
        float64x2_t cosine = vdivq_f64(pq, vsqrtq_f64(squares));
        uint64x2_t none = vorrq_u64(vceqq_f64(squares, zero), vceqq_f64(ab, zero));
        uint64x2_t bits = vbicq_u64(vreinterpretq_u64_f64(cosine), none);
        bits = veorq_u64(bits, vandq_u64(vreinterpretq_u64_f64(ab), sign));
        return vcvt_f32_f64(vaddq_f64(vreinterpretq_f64_u64(bits), vsubq_f64(ab, ab)));
    }
    float64x2_t part = vmulq_f64(vmulq_f64(b, b), qq);
    float64x2_t product = vmulq_f64(vmulq_f64(vaddq_f64(scale, scale), b), pq);
    float64x2_t distance = vsubq_f64(vaddq_f64(vdupq_n_f64(x->part), part), product);
    /* less than is false for NaN, which stays */
    distance = vbslq_f64(vcltq_f64(distance, zero), zero, distance);
    return vcvt_f32_f64(vsubq_f64(zero, distance));
}

INT8_INLINE float32x4_t int8_finish4_neon(enum mmk_similarity similarity, const struct int8_side *x,
                                          int32x4_t xy, int32x4_t yy, float32x4_t scales)
{
    float32x2_t low =
        int8_finish2_neon(similarity, x, vget_low_s32(xy), vget_low_s32(yy), vget_low_f32(scales));
    float32x2_t high = int8_finish2_neon(similarity, x, vget_high_s32(xy), vget_high_s32(yy),
                                         vget_high_f32(scales));
    return simd_canonical_nan4(vcombine_f32(low, high));
}

INT8_INLINE void int8_query_neon(const struct int8_way *way, enum mmk_similarity similarity,
                                 size_t n, size_t d, const int8_t *x, float x_scale,
                                 const int8_t *y, size_t ldy, const float *scales, float *result)
{
    const bool squares = similarity != MMK_DOT;
    const struct int8_side side =
        int8_side(x_scale, squares ? (double)int8_dot_pair_neon(way, d, x, x) : 0);
    int32x4_t yy = vdupq_n_s32(0);
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, result += rows) {
        rows = size_min(n, 4);
        int32x4_t xy = int8_four_neon(way, squares, rows, d, x, y, ldy, &yy);
        float32x4_t b = vdupq_n_f32(1);
        if (scales != NULL) {
            b = simd_load_first(scales, rows);
            scales += rows;
        }
        simd_store_first(result, rows, int8_finish4_neon(similarity, &side, xy, yy, b));
    }
}

#endif
