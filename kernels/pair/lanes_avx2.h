/* lanes_avx2.h - what pair/ and query/ share on __m256 (internal).
 * SPDX-License-Identifier: MIT
 *
 * Sums of one row: the 64 canonical lanes are 8 ymm, and what is returned are the 8 lanes that
 * three levels of the tree leave.
 *
 * The cosine of rows that must be scaled is here as a static function, and not in a table: the
 * compiler knows then which registers such a rare call leaves alone, and the loops beside it keep
 * theirs.
 */
#ifndef MMK_PAIR_LANES_AVX2_H
#define MMK_PAIR_LANES_AVX2_H

#include "element.h"
#include "norm.h"
#include "pair.h"

#include "../simd/avx2.h"

/* The load of floats, or that of halves, by what p points to. */
#define PAIR_BY_TYPE(p, floats, halves)                                                            \
    _Generic((p), const float * : floats, const uint16_t * : halves)
#define pair_load(p)         PAIR_BY_TYPE(p, _mm256_loadu_ps, PAIR_OF_HALF(simd_load_))(p)
#define pair_load_once(p)    PAIR_BY_TYPE(p, simd_load_once, PAIR_OF_HALF(simd_load_))(p)
#define pair_load_tail(p, d) PAIR_BY_TYPE(p, simd_load_tail, PAIR_OF_HALF(simd_load_tail_))(p, d)

/* x.y. */
static inline __m256 pair_dot_row_avx2(size_t d, const pair_x *x, const pair_y *y)
{
    __m256 s0, s1, s2, s3, s4, s5, s6, s7;
    size_t k = 0;
    if (d >= 64) {
        s0 = _mm256_mul_ps(pair_load(x), pair_load(y));
        s1 = _mm256_mul_ps(pair_load(x + 8), pair_load(y + 8));
        s2 = _mm256_mul_ps(pair_load(x + 16), pair_load(y + 16));
        s3 = _mm256_mul_ps(pair_load(x + 24), pair_load(y + 24));
        s4 = _mm256_mul_ps(pair_load(x + 32), pair_load(y + 32));
        s5 = _mm256_mul_ps(pair_load(x + 40), pair_load(y + 40));
        s6 = _mm256_mul_ps(pair_load(x + 48), pair_load(y + 48));
        s7 = _mm256_mul_ps(pair_load(x + 56), pair_load(y + 56));
        k = 64;
    } else {
        s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = _mm256_setzero_ps();
    }
    for (; k + 64 <= d; k += 64) {
        s0 = _mm256_fmadd_ps(pair_load(x + k), pair_load(y + k), s0);
        s1 = _mm256_fmadd_ps(pair_load(x + k + 8), pair_load(y + k + 8), s1);
        s2 = _mm256_fmadd_ps(pair_load(x + k + 16), pair_load(y + k + 16), s2);
        s3 = _mm256_fmadd_ps(pair_load(x + k + 24), pair_load(y + k + 24), s3);
        s4 = _mm256_fmadd_ps(pair_load(x + k + 32), pair_load(y + k + 32), s4);
        s5 = _mm256_fmadd_ps(pair_load(x + k + 40), pair_load(y + k + 40), s5);
        s6 = _mm256_fmadd_ps(pair_load(x + k + 48), pair_load(y + k + 48), s6);
        s7 = _mm256_fmadd_ps(pair_load(x + k + 56), pair_load(y + k + 56), s7);
    }
    if (k < d) {
        s0 = _mm256_fmadd_ps(pair_load_tail(x + k, d - k), pair_load_tail(y + k, d - k), s0);
        if (d - k > 8) {
            s1 = _mm256_fmadd_ps(pair_load_tail(x + k + 8, d - k - 8),
                                 pair_load_tail(y + k + 8, d - k - 8), s1);
        }
        if (d - k > 16) {
            s2 = _mm256_fmadd_ps(pair_load_tail(x + k + 16, d - k - 16),
                                 pair_load_tail(y + k + 16, d - k - 16), s2);
        }
        if (d - k > 24) {
            s3 = _mm256_fmadd_ps(pair_load_tail(x + k + 24, d - k - 24),
                                 pair_load_tail(y + k + 24, d - k - 24), s3);
        }
        if (d - k > 32) {
            s4 = _mm256_fmadd_ps(pair_load_tail(x + k + 32, d - k - 32),
                                 pair_load_tail(y + k + 32, d - k - 32), s4);
        }
        if (d - k > 40) {
            s5 = _mm256_fmadd_ps(pair_load_tail(x + k + 40, d - k - 40),
                                 pair_load_tail(y + k + 40, d - k - 40), s5);
        }
        if (d - k > 48) {
            s6 = _mm256_fmadd_ps(pair_load_tail(x + k + 48, d - k - 48),
                                 pair_load_tail(y + k + 48, d - k - 48), s6);
        }
        if (d - k > 56) {
            s7 = _mm256_fmadd_ps(pair_load_tail(x + k + 56, d - k - 56),
                                 pair_load_tail(y + k + 56, d - k - 56), s7);
        }
    }
    return simd_fold64x8(s0, s1, s2, s3, s4, s5, s6, s7);
}

/* |x - y|^2 */
static inline __m256 pair_sq_l2_row_avx2(size_t d, const pair_x *x, const pair_y *y)
{
    __m256 s0, s1, s2, s3, s4, s5, s6, s7;
    size_t k = 0;
    if (d >= 64) {
        __m256 d0 = _mm256_sub_ps(pair_load(x), pair_load(y));
        s0 = _mm256_mul_ps(d0, d0);
        __m256 d1 = _mm256_sub_ps(pair_load(x + 8), pair_load(y + 8));
        s1 = _mm256_mul_ps(d1, d1);
        __m256 d2 = _mm256_sub_ps(pair_load(x + 16), pair_load(y + 16));
        s2 = _mm256_mul_ps(d2, d2);
        __m256 d3 = _mm256_sub_ps(pair_load(x + 24), pair_load(y + 24));
        s3 = _mm256_mul_ps(d3, d3);
        __m256 d4 = _mm256_sub_ps(pair_load(x + 32), pair_load(y + 32));
        s4 = _mm256_mul_ps(d4, d4);
        __m256 d5 = _mm256_sub_ps(pair_load(x + 40), pair_load(y + 40));
        s5 = _mm256_mul_ps(d5, d5);
        __m256 d6 = _mm256_sub_ps(pair_load(x + 48), pair_load(y + 48));
        s6 = _mm256_mul_ps(d6, d6);
        __m256 d7 = _mm256_sub_ps(pair_load(x + 56), pair_load(y + 56));
        s7 = _mm256_mul_ps(d7, d7);
        k = 64;
    } else {
        s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = _mm256_setzero_ps();
    }
    for (; k + 64 <= d; k += 64) {
        __m256 d0 = _mm256_sub_ps(pair_load(x + k), pair_load(y + k));
        s0 = _mm256_fmadd_ps(d0, d0, s0);
        __m256 d1 = _mm256_sub_ps(pair_load(x + k + 8), pair_load(y + k + 8));
        s1 = _mm256_fmadd_ps(d1, d1, s1);
        __m256 d2 = _mm256_sub_ps(pair_load(x + k + 16), pair_load(y + k + 16));
        s2 = _mm256_fmadd_ps(d2, d2, s2);
        __m256 d3 = _mm256_sub_ps(pair_load(x + k + 24), pair_load(y + k + 24));
        s3 = _mm256_fmadd_ps(d3, d3, s3);
        __m256 d4 = _mm256_sub_ps(pair_load(x + k + 32), pair_load(y + k + 32));
        s4 = _mm256_fmadd_ps(d4, d4, s4);
        __m256 d5 = _mm256_sub_ps(pair_load(x + k + 40), pair_load(y + k + 40));
        s5 = _mm256_fmadd_ps(d5, d5, s5);
        __m256 d6 = _mm256_sub_ps(pair_load(x + k + 48), pair_load(y + k + 48));
        s6 = _mm256_fmadd_ps(d6, d6, s6);
        __m256 d7 = _mm256_sub_ps(pair_load(x + k + 56), pair_load(y + k + 56));
        s7 = _mm256_fmadd_ps(d7, d7, s7);
    }
    if (k < d) {
        __m256 d0 = _mm256_sub_ps(pair_load_tail(x + k, d - k), pair_load_tail(y + k, d - k));
        s0 = _mm256_fmadd_ps(d0, d0, s0);
        if (d - k > 8) {
            __m256 d1 = _mm256_sub_ps(pair_load_tail(x + k + 8, d - k - 8),
                                      pair_load_tail(y + k + 8, d - k - 8));
            s1 = _mm256_fmadd_ps(d1, d1, s1);
        }
        if (d - k > 16) {
            __m256 d2 = _mm256_sub_ps(pair_load_tail(x + k + 16, d - k - 16),
                                      pair_load_tail(y + k + 16, d - k - 16));
            s2 = _mm256_fmadd_ps(d2, d2, s2);
        }
        if (d - k > 24) {
            __m256 d3 = _mm256_sub_ps(pair_load_tail(x + k + 24, d - k - 24),
                                      pair_load_tail(y + k + 24, d - k - 24));
            s3 = _mm256_fmadd_ps(d3, d3, s3);
        }
        if (d - k > 32) {
            __m256 d4 = _mm256_sub_ps(pair_load_tail(x + k + 32, d - k - 32),
                                      pair_load_tail(y + k + 32, d - k - 32));
            s4 = _mm256_fmadd_ps(d4, d4, s4);
        }
        if (d - k > 40) {
            __m256 d5 = _mm256_sub_ps(pair_load_tail(x + k + 40, d - k - 40),
                                      pair_load_tail(y + k + 40, d - k - 40));
            s5 = _mm256_fmadd_ps(d5, d5, s5);
        }
        if (d - k > 48) {
            __m256 d6 = _mm256_sub_ps(pair_load_tail(x + k + 48, d - k - 48),
                                      pair_load_tail(y + k + 48, d - k - 48));
            s6 = _mm256_fmadd_ps(d6, d6, s6);
        }
        if (d - k > 56) {
            __m256 d7 = _mm256_sub_ps(pair_load_tail(x + k + 56, d - k - 56),
                                      pair_load_tail(y + k + 56, d - k - 56));
            s7 = _mm256_fmadd_ps(d7, d7, s7);
        }
    }
    return simd_fold64x8(s0, s1, s2, s3, s4, s5, s6, s7);
}

#ifndef QUERY_OF_HALVES

/* ---- Rows that must be scaled ---------------------------------------------------------------- */

/* sum (x_k px)(y_k py) */
static __m256 pair_scaled_dot_row_avx2(size_t d, const pair_x *x, const pair_y *y, float px,
                                       float py)
{
    const __m256 pxv = _mm256_set1_ps(px);
    const __m256 pyv = _mm256_set1_ps(py);
    __m256 s0 = _mm256_setzero_ps();
    __m256 s1 = _mm256_setzero_ps();
    __m256 s2 = _mm256_setzero_ps();
    __m256 s3 = _mm256_setzero_ps();
    __m256 s4 = _mm256_setzero_ps();
    __m256 s5 = _mm256_setzero_ps();
    __m256 s6 = _mm256_setzero_ps();
    __m256 s7 = _mm256_setzero_ps();
    size_t k = 0;
    for (; k + 64 <= d; k += 64) {
        __m256 x0 = _mm256_mul_ps(pair_load(x + k), pxv);
        __m256 y0 = _mm256_mul_ps(pair_load(y + k), pyv);
        s0 = _mm256_fmadd_ps(x0, y0, s0);
        __m256 x1 = _mm256_mul_ps(pair_load(x + k + 8), pxv);
        __m256 y1 = _mm256_mul_ps(pair_load(y + k + 8), pyv);
        s1 = _mm256_fmadd_ps(x1, y1, s1);
        __m256 x2 = _mm256_mul_ps(pair_load(x + k + 16), pxv);
        __m256 y2 = _mm256_mul_ps(pair_load(y + k + 16), pyv);
        s2 = _mm256_fmadd_ps(x2, y2, s2);
        __m256 x3 = _mm256_mul_ps(pair_load(x + k + 24), pxv);
        __m256 y3 = _mm256_mul_ps(pair_load(y + k + 24), pyv);
        s3 = _mm256_fmadd_ps(x3, y3, s3);
        __m256 x4 = _mm256_mul_ps(pair_load(x + k + 32), pxv);
        __m256 y4 = _mm256_mul_ps(pair_load(y + k + 32), pyv);
        s4 = _mm256_fmadd_ps(x4, y4, s4);
        __m256 x5 = _mm256_mul_ps(pair_load(x + k + 40), pxv);
        __m256 y5 = _mm256_mul_ps(pair_load(y + k + 40), pyv);
        s5 = _mm256_fmadd_ps(x5, y5, s5);
        __m256 x6 = _mm256_mul_ps(pair_load(x + k + 48), pxv);
        __m256 y6 = _mm256_mul_ps(pair_load(y + k + 48), pyv);
        s6 = _mm256_fmadd_ps(x6, y6, s6);
        __m256 x7 = _mm256_mul_ps(pair_load(x + k + 56), pxv);
        __m256 y7 = _mm256_mul_ps(pair_load(y + k + 56), pyv);
        s7 = _mm256_fmadd_ps(x7, y7, s7);
    }
    if (k < d) {
        __m256 x0 = _mm256_mul_ps(pair_load_tail(x + k, d - k), pxv);
        __m256 y0 = _mm256_mul_ps(pair_load_tail(y + k, d - k), pyv);
        s0 = _mm256_fmadd_ps(x0, y0, s0);
        if (d - k > 8) {
            __m256 x1 = _mm256_mul_ps(pair_load_tail(x + k + 8, d - k - 8), pxv);
            __m256 y1 = _mm256_mul_ps(pair_load_tail(y + k + 8, d - k - 8), pyv);
            s1 = _mm256_fmadd_ps(x1, y1, s1);
        }
        if (d - k > 16) {
            __m256 x2 = _mm256_mul_ps(pair_load_tail(x + k + 16, d - k - 16), pxv);
            __m256 y2 = _mm256_mul_ps(pair_load_tail(y + k + 16, d - k - 16), pyv);
            s2 = _mm256_fmadd_ps(x2, y2, s2);
        }
        if (d - k > 24) {
            __m256 x3 = _mm256_mul_ps(pair_load_tail(x + k + 24, d - k - 24), pxv);
            __m256 y3 = _mm256_mul_ps(pair_load_tail(y + k + 24, d - k - 24), pyv);
            s3 = _mm256_fmadd_ps(x3, y3, s3);
        }
        if (d - k > 32) {
            __m256 x4 = _mm256_mul_ps(pair_load_tail(x + k + 32, d - k - 32), pxv);
            __m256 y4 = _mm256_mul_ps(pair_load_tail(y + k + 32, d - k - 32), pyv);
            s4 = _mm256_fmadd_ps(x4, y4, s4);
        }
        if (d - k > 40) {
            __m256 x5 = _mm256_mul_ps(pair_load_tail(x + k + 40, d - k - 40), pxv);
            __m256 y5 = _mm256_mul_ps(pair_load_tail(y + k + 40, d - k - 40), pyv);
            s5 = _mm256_fmadd_ps(x5, y5, s5);
        }
        if (d - k > 48) {
            __m256 x6 = _mm256_mul_ps(pair_load_tail(x + k + 48, d - k - 48), pxv);
            __m256 y6 = _mm256_mul_ps(pair_load_tail(y + k + 48, d - k - 48), pyv);
            s6 = _mm256_fmadd_ps(x6, y6, s6);
        }
        if (d - k > 56) {
            __m256 x7 = _mm256_mul_ps(pair_load_tail(x + k + 56, d - k - 56), pxv);
            __m256 y7 = _mm256_mul_ps(pair_load_tail(y + k + 56, d - k - 56), pyv);
            s7 = _mm256_fmadd_ps(x7, y7, s7);
        }
    }
    return simd_fold64x8(s0, s1, s2, s3, s4, s5, s6, s7);
}

static float pair_scaled_dot_avx2(size_t d, const pair_x *x, float px, const pair_y *y, float py)
{
    return simd_sum8x8(pair_scaled_dot_row_avx2(d, x, y, px, py));
}

/* Greatest magnitude of a row, as bits: NORM_INFINITY or more where a NaN or Inf is. */
static uint32_t pair_greatest_avx2(size_t d, const pair_x *x)
{
    const __m256i magnitude = _mm256_set1_epi32(NORM_MAGNITUDE);
    __m256i greatest = _mm256_setzero_si256();
    for (; d > 0; d -= d < 8 ? d : 8, x += 8) {
        __m256i bits = _mm256_castps_si256(pair_load_tail(x, d));
        greatest = _mm256_max_epu32(greatest, _mm256_and_si256(bits, magnitude));
    }
    __m128i q =
        _mm_max_epu32(_mm256_castsi256_si128(greatest), _mm256_extracti128_si256(greatest, 1));
    q = _mm_max_epu32(q, _mm_shuffle_epi32(q, _MM_SHUFFLE(1, 0, 3, 2)));
    q = _mm_max_epu32(q, _mm_shuffle_epi32(q, _MM_SHUFFLE(2, 3, 0, 1)));
    return (uint32_t)_mm_cvtsi128_si32(q);
}

/* Cosine where a square sum leaves the safe range: zero rows, NaN, Inf, very small, very great. Out
 * of line, so that the ordinary path stays one straight piece of code. */
__attribute__((noinline)) static float pair_scaled_cosine_avx2(size_t d, const pair_x *x,
                                                               const pair_y *y)
{
    uint32_t greatest_x = pair_greatest_avx2(d, x);
    uint32_t greatest_y = pair_greatest_avx2(d, y);
    if (greatest_x >= NORM_INFINITY || greatest_y >= NORM_INFINITY)
        return simd_canonical_nan(NAN);
    if (greatest_x == 0 || greatest_y == 0)
        return 0.0f;
    float px = norm_power(greatest_x);
    float py = norm_power(greatest_y);
    float xy = pair_scaled_dot_avx2(d, x, px, y, py);
    float xx = pair_scaled_dot_avx2(d, x, px, x, px);
    float yy = pair_scaled_dot_avx2(d, y, py, y, py);
    /* 0 / 0 where the caller has switched denormals off, which pair and query leave as it is. */
    return simd_canonical_nan(xy / (sqrtf(xx) * sqrtf(yy)));
}

#endif

#endif
