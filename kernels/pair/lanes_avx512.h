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

#include "norm.h"

#include "../simd/avx512.h"

/* x.y */
static inline __m512 pair_dot_row_avx512(size_t d, const float *x, const float *y)
{
    __m512 s0, s1, s2, s3;
    size_t k = 0;
    if (d >= 64) {
        s0 = _mm512_mul_ps(_mm512_loadu_ps(x), _mm512_loadu_ps(y));
        s1 = _mm512_mul_ps(_mm512_loadu_ps(x + 16), _mm512_loadu_ps(y + 16));
        s2 = _mm512_mul_ps(_mm512_loadu_ps(x + 32), _mm512_loadu_ps(y + 32));
        s3 = _mm512_mul_ps(_mm512_loadu_ps(x + 48), _mm512_loadu_ps(y + 48));
        k = 64;
    } else {
        s0 = s1 = s2 = s3 = _mm512_setzero_ps();
    }
    for (; k + 64 <= d; k += 64) {
        s0 = _mm512_fmadd_ps(_mm512_loadu_ps(x + k), _mm512_loadu_ps(y + k), s0);
        s1 = _mm512_fmadd_ps(_mm512_loadu_ps(x + k + 16), _mm512_loadu_ps(y + k + 16), s1);
        s2 = _mm512_fmadd_ps(_mm512_loadu_ps(x + k + 32), _mm512_loadu_ps(y + k + 32), s2);
        s3 = _mm512_fmadd_ps(_mm512_loadu_ps(x + k + 48), _mm512_loadu_ps(y + k + 48), s3);
    }
    if (d - k > 0) {
        s0 = _mm512_fmadd_ps(simd_load_tail(x + k, d - k), simd_load_tail(y + k, d - k), s0);
        if (d - k > 16) {
            s1 = _mm512_fmadd_ps(simd_load_tail(x + k + 16, d - k - 16),
                                 simd_load_tail(y + k + 16, d - k - 16), s1);
        }
        if (d - k > 32) {
            s2 = _mm512_fmadd_ps(simd_load_tail(x + k + 32, d - k - 32),
                                 simd_load_tail(y + k + 32, d - k - 32), s2);
        }
        if (d - k > 48) {
            s3 = _mm512_fmadd_ps(simd_load_tail(x + k + 48, d - k - 48),
                                 simd_load_tail(y + k + 48, d - k - 48), s3);
        }
    }
    return simd_fold64x16(s0, s1, s2, s3);
}

/* ---- Rows that must be scaled ---------------------------------------------------------------- */

/* Greatest magnitude of a row, as bits: NORM_INFINITY or more where a NaN or Inf is. */
static uint32_t pair_greatest_avx512(size_t d, const float *x)
{
    const __m512i magnitude = _mm512_set1_epi32(NORM_MAGNITUDE);
    __m512i greatest = _mm512_setzero_si512();
    for (; d > 0; d -= d < 16 ? d : 16, x += 16) {
        __m512i bits = _mm512_castps_si512(simd_load_tail(x, d));
        greatest = _mm512_max_epu32(greatest, _mm512_and_si512(bits, magnitude));
    }
    return _mm512_reduce_max_epu32(greatest);
}

/* sum (x_k px)(y_k py) */
static float pair_scaled_dot_avx512(size_t d, const float *x, float px, const float *y, float py)
{
    const __m512 pxv = _mm512_set1_ps(px);
    const __m512 pyv = _mm512_set1_ps(py);
    __m512 s0 = _mm512_setzero_ps();
    __m512 s1 = _mm512_setzero_ps();
    __m512 s2 = _mm512_setzero_ps();
    __m512 s3 = _mm512_setzero_ps();
    for (; d >= 64; d -= 64, x += 64, y += 64) {
        __m512 x0 = _mm512_mul_ps(_mm512_loadu_ps(x), pxv);
        __m512 y0 = _mm512_mul_ps(_mm512_loadu_ps(y), pyv);
        __m512 x1 = _mm512_mul_ps(_mm512_loadu_ps(x + 16), pxv);
        __m512 y1 = _mm512_mul_ps(_mm512_loadu_ps(y + 16), pyv);
        __m512 x2 = _mm512_mul_ps(_mm512_loadu_ps(x + 32), pxv);
        __m512 y2 = _mm512_mul_ps(_mm512_loadu_ps(y + 32), pyv);
        __m512 x3 = _mm512_mul_ps(_mm512_loadu_ps(x + 48), pxv);
        __m512 y3 = _mm512_mul_ps(_mm512_loadu_ps(y + 48), pyv);
        s0 = _mm512_fmadd_ps(x0, y0, s0);
        s1 = _mm512_fmadd_ps(x1, y1, s1);
        s2 = _mm512_fmadd_ps(x2, y2, s2);
        s3 = _mm512_fmadd_ps(x3, y3, s3);
    }
    if (d > 0) {
        __m512 xv = _mm512_mul_ps(simd_load_tail(x, d), pxv);
        __m512 yv = _mm512_mul_ps(simd_load_tail(y, d), pyv);
        s0 = _mm512_fmadd_ps(xv, yv, s0);
    }
    if (d > 16) {
        __m512 xv = _mm512_mul_ps(simd_load_tail(x + 16, d - 16), pxv);
        __m512 yv = _mm512_mul_ps(simd_load_tail(y + 16, d - 16), pyv);
        s1 = _mm512_fmadd_ps(xv, yv, s1);
    }
    if (d > 32) {
        __m512 xv = _mm512_mul_ps(simd_load_tail(x + 32, d - 32), pxv);
        __m512 yv = _mm512_mul_ps(simd_load_tail(y + 32, d - 32), pyv);
        s2 = _mm512_fmadd_ps(xv, yv, s2);
    }
    if (d > 48) {
        __m512 xv = _mm512_mul_ps(simd_load_tail(x + 48, d - 48), pxv);
        __m512 yv = _mm512_mul_ps(simd_load_tail(y + 48, d - 48), pyv);
        s3 = _mm512_fmadd_ps(xv, yv, s3);
    }
    return simd_sum64x16(s0, s1, s2, s3);
}

/* Cosine where a square sum leaves the safe range: zero rows, NaN, Inf, very small, very great. Out
 * of line, so that the ordinary path stays one straight piece of code. */
__attribute__((noinline)) static float pair_scaled_cosine_avx512(size_t d, const float *x,
                                                                 const float *y)
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
