/* lanes_avx512.h - what pair/ and query/ share on __m512 (internal).
 * SPDX-License-Identifier: MIT
 *
 * Sums of one row: the 64 canonical lanes are 4 zmm, and what is returned are the 16 lanes that two
 * levels of the tree leave.
 *
 * The cosine of rows that must be scaled is here as a static function, and not in a table: the
 * compiler knows then which registers such a rare call leaves alone, and the loops beside it keep
 * theirs.
 */
#ifndef MMK_PAIR_LANES_AVX512_H
#define MMK_PAIR_LANES_AVX512_H

#include "element.h"
#include "norm.h"
#include "pair.h"

#include "../simd/avx512.h"

/* The load of floats, or that of halves, by what p points to. */
#define PAIR_BY_TYPE(p, floats, halves)                                                            \
    _Generic((p), const float * : floats, const uint16_t * : halves)
#define pair_load(p)         PAIR_BY_TYPE(p, _mm512_loadu_ps, PAIR_OF_HALF(simd_load_))(p)
#define pair_load_once(p)    PAIR_BY_TYPE(p, simd_load_once, PAIR_OF_HALF(simd_load_))(p)
#define pair_load_tail(p, d) PAIR_BY_TYPE(p, simd_load_tail, PAIR_OF_HALF(simd_load_tail_))(p, d)
#define pair_load_masked(mask, p)                                                                  \
    PAIR_BY_TYPE(p, _mm512_maskz_loadu_ps, PAIR_OF_HALF(simd_load_masked_))(mask, p)

/* x.y */
static inline __m512 pair_dot_row_avx512(size_t d, const pair_x *x, const pair_y *y)
{
    __m512 s0, s1, s2, s3;
    size_t k = 0;
    if (d >= 64) {
        s0 = _mm512_mul_ps(pair_load(x), pair_load(y));
        s1 = _mm512_mul_ps(pair_load(x + 16), pair_load(y + 16));
        s2 = _mm512_mul_ps(pair_load(x + 32), pair_load(y + 32));
        s3 = _mm512_mul_ps(pair_load(x + 48), pair_load(y + 48));
        k = 64;
    } else {
        s0 = s1 = s2 = s3 = _mm512_setzero_ps();
    }
    for (; k + 64 <= d; k += 64) {
        s0 = _mm512_fmadd_ps(pair_load(x + k), pair_load(y + k), s0);
        s1 = _mm512_fmadd_ps(pair_load(x + k + 16), pair_load(y + k + 16), s1);
        s2 = _mm512_fmadd_ps(pair_load(x + k + 32), pair_load(y + k + 32), s2);
        s3 = _mm512_fmadd_ps(pair_load(x + k + 48), pair_load(y + k + 48), s3);
    }
    if (d - k > 0) {
        s0 = _mm512_fmadd_ps(pair_load_tail(x + k, d - k), pair_load_tail(y + k, d - k), s0);
        if (d - k > 16) {
            s1 = _mm512_fmadd_ps(pair_load_tail(x + k + 16, d - k - 16),
                                 pair_load_tail(y + k + 16, d - k - 16), s1);
        }
        if (d - k > 32) {
            s2 = _mm512_fmadd_ps(pair_load_tail(x + k + 32, d - k - 32),
                                 pair_load_tail(y + k + 32, d - k - 32), s2);
        }
        if (d - k > 48) {
            s3 = _mm512_fmadd_ps(pair_load_tail(x + k + 48, d - k - 48),
                                 pair_load_tail(y + k + 48, d - k - 48), s3);
        }
    }
    return simd_fold64x16(s0, s1, s2, s3);
}

#ifndef QUERY_OF_HALVES

/* ---- Rows that must be scaled ---------------------------------------------------------------- */

/* Greatest magnitude of a row, as bits: NORM_INFINITY or more where a NaN or Inf is. */
static uint32_t pair_greatest_avx512(size_t d, const pair_x *x)
{
    const __m512i magnitude = _mm512_set1_epi32(NORM_MAGNITUDE);
    __m512i greatest = _mm512_setzero_si512();
    for (; d > 0; d -= d < 16 ? d : 16, x += 16) {
        __m512i bits = _mm512_castps_si512(pair_load_tail(x, d));
        greatest = _mm512_max_epu32(greatest, _mm512_and_si512(bits, magnitude));
    }
    return _mm512_reduce_max_epu32(greatest);
}

/* sum (x_k px)(y_k py) */
static float pair_scaled_dot_avx512(size_t d, const pair_x *x, float px, const pair_y *y, float py)
{
    const __m512 pxv = _mm512_set1_ps(px);
    const __m512 pyv = _mm512_set1_ps(py);
    __m512 s0 = _mm512_setzero_ps();
    __m512 s1 = _mm512_setzero_ps();
    __m512 s2 = _mm512_setzero_ps();
    __m512 s3 = _mm512_setzero_ps();
    for (; d >= 64; d -= 64, x += 64, y += 64) {
        __m512 x0 = _mm512_mul_ps(pair_load(x), pxv);
        __m512 y0 = _mm512_mul_ps(pair_load(y), pyv);
        __m512 x1 = _mm512_mul_ps(pair_load(x + 16), pxv);
        __m512 y1 = _mm512_mul_ps(pair_load(y + 16), pyv);
        __m512 x2 = _mm512_mul_ps(pair_load(x + 32), pxv);
        __m512 y2 = _mm512_mul_ps(pair_load(y + 32), pyv);
        __m512 x3 = _mm512_mul_ps(pair_load(x + 48), pxv);
        __m512 y3 = _mm512_mul_ps(pair_load(y + 48), pyv);
        s0 = _mm512_fmadd_ps(x0, y0, s0);
        s1 = _mm512_fmadd_ps(x1, y1, s1);
        s2 = _mm512_fmadd_ps(x2, y2, s2);
        s3 = _mm512_fmadd_ps(x3, y3, s3);
    }
    if (d > 0) {
        __m512 xv = _mm512_mul_ps(pair_load_tail(x, d), pxv);
        __m512 yv = _mm512_mul_ps(pair_load_tail(y, d), pyv);
        s0 = _mm512_fmadd_ps(xv, yv, s0);
    }
    if (d > 16) {
        __m512 xv = _mm512_mul_ps(pair_load_tail(x + 16, d - 16), pxv);
        __m512 yv = _mm512_mul_ps(pair_load_tail(y + 16, d - 16), pyv);
        s1 = _mm512_fmadd_ps(xv, yv, s1);
    }
    if (d > 32) {
        __m512 xv = _mm512_mul_ps(pair_load_tail(x + 32, d - 32), pxv);
        __m512 yv = _mm512_mul_ps(pair_load_tail(y + 32, d - 32), pyv);
        s2 = _mm512_fmadd_ps(xv, yv, s2);
    }
    if (d > 48) {
        __m512 xv = _mm512_mul_ps(pair_load_tail(x + 48, d - 48), pxv);
        __m512 yv = _mm512_mul_ps(pair_load_tail(y + 48, d - 48), pyv);
        s3 = _mm512_fmadd_ps(xv, yv, s3);
    }
    return simd_sum64x16(s0, s1, s2, s3);
}

/* Cosine where a square sum leaves the safe range: zero rows, NaN, Inf, very small, very great. Out
 * of line, so that the ordinary path stays one straight piece of code. */
__attribute__((noinline)) static float pair_scaled_cosine_avx512(size_t d, const pair_x *x,
                                                                 const pair_y *y)
{
    uint32_t greatest_x = pair_greatest_avx512(d, x);
    uint32_t greatest_y = pair_greatest_avx512(d, y);
    if (greatest_x >= NORM_INFINITY || greatest_y >= NORM_INFINITY)
        return simd_canonical_nan(NAN);
    if (greatest_x == 0 || greatest_y == 0)
        return 0.0f;
    float px = norm_power(greatest_x);
    float py = norm_power(greatest_y);
    float xy = pair_scaled_dot_avx512(d, x, px, y, py);
    float xx = pair_scaled_dot_avx512(d, x, px, x, px);
    float yy = pair_scaled_dot_avx512(d, y, py, y, py);
    /* 0 / 0 where the caller has switched denormals off, which pair and query leave as it is. */
    return simd_canonical_nan(xy / (sqrtf(xx) * sqrtf(yy)));
}

#endif

#endif
