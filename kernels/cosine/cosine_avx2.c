/* cosine_avx2.c - pair, query and row norms on __m256.
 * SPDX-License-Identifier: MIT
 *
 * The 64 canonical lanes of a sum are 8 ymm; a block of 64 floats of a row is 8 loads.
 *
 *               registers                              a block of 64 floats     bound on Zen 5
 *   pair dot    8 sums, 1-8 x                          16 loads, 8 FMA          loads
 *   pair cosine 2 passes: 12 sums (xy, xx, yy), x, y   16 loads, 24 FMA         2 FMA a clock
 *   query dot   8 sums, 1-8 x                          16 loads, 8 FMA          loads; L2 to memory
 *   query cos.  2 passes: 8 sums (xy, yy), y           16 loads, 16 FMA         2 FMA a clock
 *
 * Three sums of 64 lanes are 24 registers of 16, so a cosine is taken in two passes over the row,
 * which must stay in L1 between them: lanes 0-15 and 32-47, then 16-31 and 48-63. Each pass can do
 * the first level of the tree by itself (lane l + lane l + 32), and where rows are aligned it reads
 * lines that the other does not. Rows of more than LONG_ROW floats are cut into pieces of L1 size,
 * with the lanes of each sum kept in memory between them.
 *
 * A query takes one gallery row after the other, so that memory is read in order, as the hardware's
 * prefetching wants it (cosine_avx512.c says what that is worth). Software prefetch beside it: 5 % slower
 * from L2 and up to 20 % from L3. Every row leaves 8 partial sums; the trees of 8 rows are summed
 * together.
 *
 * Tails are vmaskmovps, only of vectors that have at least one element.
 */
#include "cosine.h"
#include "norm.h"

#include "../simd/avx2.h"

/* Rows whose trees are summed together: one vector of results. */
enum { GROUP = 8 };

/* Longest row, in floats, that two passes find in L1: x and y take 32 KB. */
enum { LONG_ROW = 4096, LONG_PIECE = 1024 };

/* The first min(d, 8) elements, zeros after them; d > 0. */
static inline __m256 load_tail_avx2(const float *p, size_t d)
{
    return simd_load_first(p, d < 8 ? d : 8);
}

/* A load that stays one load: gcc 12 would read memory again for every use of the value. */
static inline __m256 load_once_avx2(const float *p)
{
    __m256 v = _mm256_loadu_ps(p);
    __asm__("" : "+x"(v));
    return v;
}

/* The rest of the tree for one row, 8 -> 1. */
static inline float sum8_avx2(__m256 s)
{
    __m128 q = _mm_add_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1));
    q = _mm_add_ps(q, _mm_movehl_ps(q, q));     /* 0+2 1+3 */
    q = _mm_add_ss(q, _mm_shuffle_ps(q, q, 1)); /* 0+1 */
    return _mm_cvtss_f32(_mm_add_ss(q, _mm_setzero_ps()));
}

/* ---- Sums of one row, 8 lanes -------------------------------------------------------------- */

/* First three levels of the tree, 64 -> 8 lanes. */
static inline __m256 fold_avx2(__m256 s0, __m256 s1, __m256 s2, __m256 s3, __m256 s4, __m256 s5,
                               __m256 s6, __m256 s7)
{
    __m256 even = _mm256_add_ps(_mm256_add_ps(s0, s4), _mm256_add_ps(s2, s6));
    __m256 odd = _mm256_add_ps(_mm256_add_ps(s1, s5), _mm256_add_ps(s3, s7));
    return _mm256_add_ps(even, odd);
}

/* x.y. */
static inline __m256 dot_row_avx2(size_t d, const float *x, const float *y)
{
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
        s0 = _mm256_fmadd_ps(_mm256_loadu_ps(x + k), _mm256_loadu_ps(y + k), s0);
        s1 = _mm256_fmadd_ps(_mm256_loadu_ps(x + k + 8), _mm256_loadu_ps(y + k + 8), s1);
        s2 = _mm256_fmadd_ps(_mm256_loadu_ps(x + k + 16), _mm256_loadu_ps(y + k + 16), s2);
        s3 = _mm256_fmadd_ps(_mm256_loadu_ps(x + k + 24), _mm256_loadu_ps(y + k + 24), s3);
        s4 = _mm256_fmadd_ps(_mm256_loadu_ps(x + k + 32), _mm256_loadu_ps(y + k + 32), s4);
        s5 = _mm256_fmadd_ps(_mm256_loadu_ps(x + k + 40), _mm256_loadu_ps(y + k + 40), s5);
        s6 = _mm256_fmadd_ps(_mm256_loadu_ps(x + k + 48), _mm256_loadu_ps(y + k + 48), s6);
        s7 = _mm256_fmadd_ps(_mm256_loadu_ps(x + k + 56), _mm256_loadu_ps(y + k + 56), s7);
    }
    if (k < d) {
        s0 = _mm256_fmadd_ps(load_tail_avx2(x + k, d - k), load_tail_avx2(y + k, d - k), s0);
        if (d - k > 8) {
            s1 = _mm256_fmadd_ps(load_tail_avx2(x + k + 8, d - k - 8),
                                 load_tail_avx2(y + k + 8, d - k - 8), s1);
        }
        if (d - k > 16) {
            s2 = _mm256_fmadd_ps(load_tail_avx2(x + k + 16, d - k - 16),
                                 load_tail_avx2(y + k + 16, d - k - 16), s2);
        }
        if (d - k > 24) {
            s3 = _mm256_fmadd_ps(load_tail_avx2(x + k + 24, d - k - 24),
                                 load_tail_avx2(y + k + 24, d - k - 24), s3);
        }
        if (d - k > 32) {
            s4 = _mm256_fmadd_ps(load_tail_avx2(x + k + 32, d - k - 32),
                                 load_tail_avx2(y + k + 32, d - k - 32), s4);
        }
        if (d - k > 40) {
            s5 = _mm256_fmadd_ps(load_tail_avx2(x + k + 40, d - k - 40),
                                 load_tail_avx2(y + k + 40, d - k - 40), s5);
        }
        if (d - k > 48) {
            s6 = _mm256_fmadd_ps(load_tail_avx2(x + k + 48, d - k - 48),
                                 load_tail_avx2(y + k + 48, d - k - 48), s6);
        }
        if (d - k > 56) {
            s7 = _mm256_fmadd_ps(load_tail_avx2(x + k + 56, d - k - 56),
                                 load_tail_avx2(y + k + 56, d - k - 56), s7);
        }
    }
    return fold_avx2(s0, s1, s2, s3, s4, s5, s6, s7);
}

/* |x - y|^2 */
static inline __m256 sq_l2_row_avx2(size_t d, const float *x, const float *y)
{
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
        __m256 d0 = _mm256_sub_ps(_mm256_loadu_ps(x + k), _mm256_loadu_ps(y + k));
        s0 = _mm256_fmadd_ps(d0, d0, s0);
        __m256 d1 = _mm256_sub_ps(_mm256_loadu_ps(x + k + 8), _mm256_loadu_ps(y + k + 8));
        s1 = _mm256_fmadd_ps(d1, d1, s1);
        __m256 d2 = _mm256_sub_ps(_mm256_loadu_ps(x + k + 16), _mm256_loadu_ps(y + k + 16));
        s2 = _mm256_fmadd_ps(d2, d2, s2);
        __m256 d3 = _mm256_sub_ps(_mm256_loadu_ps(x + k + 24), _mm256_loadu_ps(y + k + 24));
        s3 = _mm256_fmadd_ps(d3, d3, s3);
        __m256 d4 = _mm256_sub_ps(_mm256_loadu_ps(x + k + 32), _mm256_loadu_ps(y + k + 32));
        s4 = _mm256_fmadd_ps(d4, d4, s4);
        __m256 d5 = _mm256_sub_ps(_mm256_loadu_ps(x + k + 40), _mm256_loadu_ps(y + k + 40));
        s5 = _mm256_fmadd_ps(d5, d5, s5);
        __m256 d6 = _mm256_sub_ps(_mm256_loadu_ps(x + k + 48), _mm256_loadu_ps(y + k + 48));
        s6 = _mm256_fmadd_ps(d6, d6, s6);
        __m256 d7 = _mm256_sub_ps(_mm256_loadu_ps(x + k + 56), _mm256_loadu_ps(y + k + 56));
        s7 = _mm256_fmadd_ps(d7, d7, s7);
    }
    if (k < d) {
        __m256 d0 = _mm256_sub_ps(load_tail_avx2(x + k, d - k), load_tail_avx2(y + k, d - k));
        s0 = _mm256_fmadd_ps(d0, d0, s0);
        if (d - k > 8) {
            __m256 d1 = _mm256_sub_ps(load_tail_avx2(x + k + 8, d - k - 8),
                                      load_tail_avx2(y + k + 8, d - k - 8));
            s1 = _mm256_fmadd_ps(d1, d1, s1);
        }
        if (d - k > 16) {
            __m256 d2 = _mm256_sub_ps(load_tail_avx2(x + k + 16, d - k - 16),
                                      load_tail_avx2(y + k + 16, d - k - 16));
            s2 = _mm256_fmadd_ps(d2, d2, s2);
        }
        if (d - k > 24) {
            __m256 d3 = _mm256_sub_ps(load_tail_avx2(x + k + 24, d - k - 24),
                                      load_tail_avx2(y + k + 24, d - k - 24));
            s3 = _mm256_fmadd_ps(d3, d3, s3);
        }
        if (d - k > 32) {
            __m256 d4 = _mm256_sub_ps(load_tail_avx2(x + k + 32, d - k - 32),
                                      load_tail_avx2(y + k + 32, d - k - 32));
            s4 = _mm256_fmadd_ps(d4, d4, s4);
        }
        if (d - k > 40) {
            __m256 d5 = _mm256_sub_ps(load_tail_avx2(x + k + 40, d - k - 40),
                                      load_tail_avx2(y + k + 40, d - k - 40));
            s5 = _mm256_fmadd_ps(d5, d5, s5);
        }
        if (d - k > 48) {
            __m256 d6 = _mm256_sub_ps(load_tail_avx2(x + k + 48, d - k - 48),
                                      load_tail_avx2(y + k + 48, d - k - 48));
            s6 = _mm256_fmadd_ps(d6, d6, s6);
        }
        if (d - k > 56) {
            __m256 d7 = _mm256_sub_ps(load_tail_avx2(x + k + 56, d - k - 56),
                                      load_tail_avx2(y + k + 56, d - k - 56));
            s7 = _mm256_fmadd_ps(d7, d7, s7);
        }
    }
    return fold_avx2(s0, s1, s2, s3, s4, s5, s6, s7);
}

/* sum (x_k px)(y_k py) */
static __m256 scaled_dot_row_avx2(size_t d, const float *x, const float *y, float px, float py)
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
        __m256 x0 = _mm256_mul_ps(_mm256_loadu_ps(x + k), pxv);
        __m256 y0 = _mm256_mul_ps(_mm256_loadu_ps(y + k), pyv);
        s0 = _mm256_fmadd_ps(x0, y0, s0);
        __m256 x1 = _mm256_mul_ps(_mm256_loadu_ps(x + k + 8), pxv);
        __m256 y1 = _mm256_mul_ps(_mm256_loadu_ps(y + k + 8), pyv);
        s1 = _mm256_fmadd_ps(x1, y1, s1);
        __m256 x2 = _mm256_mul_ps(_mm256_loadu_ps(x + k + 16), pxv);
        __m256 y2 = _mm256_mul_ps(_mm256_loadu_ps(y + k + 16), pyv);
        s2 = _mm256_fmadd_ps(x2, y2, s2);
        __m256 x3 = _mm256_mul_ps(_mm256_loadu_ps(x + k + 24), pxv);
        __m256 y3 = _mm256_mul_ps(_mm256_loadu_ps(y + k + 24), pyv);
        s3 = _mm256_fmadd_ps(x3, y3, s3);
        __m256 x4 = _mm256_mul_ps(_mm256_loadu_ps(x + k + 32), pxv);
        __m256 y4 = _mm256_mul_ps(_mm256_loadu_ps(y + k + 32), pyv);
        s4 = _mm256_fmadd_ps(x4, y4, s4);
        __m256 x5 = _mm256_mul_ps(_mm256_loadu_ps(x + k + 40), pxv);
        __m256 y5 = _mm256_mul_ps(_mm256_loadu_ps(y + k + 40), pyv);
        s5 = _mm256_fmadd_ps(x5, y5, s5);
        __m256 x6 = _mm256_mul_ps(_mm256_loadu_ps(x + k + 48), pxv);
        __m256 y6 = _mm256_mul_ps(_mm256_loadu_ps(y + k + 48), pyv);
        s6 = _mm256_fmadd_ps(x6, y6, s6);
        __m256 x7 = _mm256_mul_ps(_mm256_loadu_ps(x + k + 56), pxv);
        __m256 y7 = _mm256_mul_ps(_mm256_loadu_ps(y + k + 56), pyv);
        s7 = _mm256_fmadd_ps(x7, y7, s7);
    }
    if (k < d) {
        __m256 x0 = _mm256_mul_ps(load_tail_avx2(x + k, d - k), pxv);
        __m256 y0 = _mm256_mul_ps(load_tail_avx2(y + k, d - k), pyv);
        s0 = _mm256_fmadd_ps(x0, y0, s0);
        if (d - k > 8) {
            __m256 x1 = _mm256_mul_ps(load_tail_avx2(x + k + 8, d - k - 8), pxv);
            __m256 y1 = _mm256_mul_ps(load_tail_avx2(y + k + 8, d - k - 8), pyv);
            s1 = _mm256_fmadd_ps(x1, y1, s1);
        }
        if (d - k > 16) {
            __m256 x2 = _mm256_mul_ps(load_tail_avx2(x + k + 16, d - k - 16), pxv);
            __m256 y2 = _mm256_mul_ps(load_tail_avx2(y + k + 16, d - k - 16), pyv);
            s2 = _mm256_fmadd_ps(x2, y2, s2);
        }
        if (d - k > 24) {
            __m256 x3 = _mm256_mul_ps(load_tail_avx2(x + k + 24, d - k - 24), pxv);
            __m256 y3 = _mm256_mul_ps(load_tail_avx2(y + k + 24, d - k - 24), pyv);
            s3 = _mm256_fmadd_ps(x3, y3, s3);
        }
        if (d - k > 32) {
            __m256 x4 = _mm256_mul_ps(load_tail_avx2(x + k + 32, d - k - 32), pxv);
            __m256 y4 = _mm256_mul_ps(load_tail_avx2(y + k + 32, d - k - 32), pyv);
            s4 = _mm256_fmadd_ps(x4, y4, s4);
        }
        if (d - k > 40) {
            __m256 x5 = _mm256_mul_ps(load_tail_avx2(x + k + 40, d - k - 40), pxv);
            __m256 y5 = _mm256_mul_ps(load_tail_avx2(y + k + 40, d - k - 40), pyv);
            s5 = _mm256_fmadd_ps(x5, y5, s5);
        }
        if (d - k > 48) {
            __m256 x6 = _mm256_mul_ps(load_tail_avx2(x + k + 48, d - k - 48), pxv);
            __m256 y6 = _mm256_mul_ps(load_tail_avx2(y + k + 48, d - k - 48), pyv);
            s6 = _mm256_fmadd_ps(x6, y6, s6);
        }
        if (d - k > 56) {
            __m256 x7 = _mm256_mul_ps(load_tail_avx2(x + k + 56, d - k - 56), pxv);
            __m256 y7 = _mm256_mul_ps(load_tail_avx2(y + k + 56, d - k - 56), pyv);
            s7 = _mm256_fmadd_ps(x7, y7, s7);
        }
    }
    return fold_avx2(s0, s1, s2, s3, s4, s5, s6, s7);
}

/* One pass of two over the lanes of xy, xx and yy: first is 0 or 16, the first lane. t has 16 lanes
 * of 32 of xy, then of xx, then of yy. */
static inline void pair_cosine_pass_avx2(size_t d, const float *x, const float *y, size_t first,
                                         __m256 t[6])
{
    __m256 xy0 = _mm256_setzero_ps();
    __m256 xx0 = _mm256_setzero_ps();
    __m256 yy0 = _mm256_setzero_ps();
    __m256 xy1 = _mm256_setzero_ps();
    __m256 xx1 = _mm256_setzero_ps();
    __m256 yy1 = _mm256_setzero_ps();
    __m256 xy4 = _mm256_setzero_ps();
    __m256 xx4 = _mm256_setzero_ps();
    __m256 yy4 = _mm256_setzero_ps();
    __m256 xy5 = _mm256_setzero_ps();
    __m256 xx5 = _mm256_setzero_ps();
    __m256 yy5 = _mm256_setzero_ps();
    size_t k = 0;
    for (; k + 64 <= d; k += 64) {
        __m256 x0 = load_once_avx2(x + k + first);
        __m256 y0 = load_once_avx2(y + k + first);
        xy0 = _mm256_fmadd_ps(x0, y0, xy0);
        xx0 = _mm256_fmadd_ps(x0, x0, xx0);
        yy0 = _mm256_fmadd_ps(y0, y0, yy0);
        __m256 x1 = load_once_avx2(x + k + first + 8);
        __m256 y1 = load_once_avx2(y + k + first + 8);
        xy1 = _mm256_fmadd_ps(x1, y1, xy1);
        xx1 = _mm256_fmadd_ps(x1, x1, xx1);
        yy1 = _mm256_fmadd_ps(y1, y1, yy1);
        __m256 x4 = load_once_avx2(x + k + first + 32);
        __m256 y4 = load_once_avx2(y + k + first + 32);
        xy4 = _mm256_fmadd_ps(x4, y4, xy4);
        xx4 = _mm256_fmadd_ps(x4, x4, xx4);
        yy4 = _mm256_fmadd_ps(y4, y4, yy4);
        __m256 x5 = load_once_avx2(x + k + first + 40);
        __m256 y5 = load_once_avx2(y + k + first + 40);
        xy5 = _mm256_fmadd_ps(x5, y5, xy5);
        xx5 = _mm256_fmadd_ps(x5, x5, xx5);
        yy5 = _mm256_fmadd_ps(y5, y5, yy5);
    }
    if (k + first < d) {
        __m256 x0 = load_tail_avx2(x + k + first, d - k - first);
        __m256 y0 = load_tail_avx2(y + k + first, d - k - first);
        xy0 = _mm256_fmadd_ps(x0, y0, xy0);
        xx0 = _mm256_fmadd_ps(x0, x0, xx0);
        yy0 = _mm256_fmadd_ps(y0, y0, yy0);
        if (d - k > first + 8) {
            __m256 x1 = load_tail_avx2(x + k + first + 8, d - k - first - 8);
            __m256 y1 = load_tail_avx2(y + k + first + 8, d - k - first - 8);
            xy1 = _mm256_fmadd_ps(x1, y1, xy1);
            xx1 = _mm256_fmadd_ps(x1, x1, xx1);
            yy1 = _mm256_fmadd_ps(y1, y1, yy1);
        }
        if (d - k > first + 32) {
            __m256 x4 = load_tail_avx2(x + k + first + 32, d - k - first - 32);
            __m256 y4 = load_tail_avx2(y + k + first + 32, d - k - first - 32);
            xy4 = _mm256_fmadd_ps(x4, y4, xy4);
            xx4 = _mm256_fmadd_ps(x4, x4, xx4);
            yy4 = _mm256_fmadd_ps(y4, y4, yy4);
        }
        if (d - k > first + 40) {
            __m256 x5 = load_tail_avx2(x + k + first + 40, d - k - first - 40);
            __m256 y5 = load_tail_avx2(y + k + first + 40, d - k - first - 40);
            xy5 = _mm256_fmadd_ps(x5, y5, xy5);
            xx5 = _mm256_fmadd_ps(x5, x5, xx5);
            yy5 = _mm256_fmadd_ps(y5, y5, yy5);
        }
    }
    t[0] = _mm256_add_ps(xy0, xy4);
    t[1] = _mm256_add_ps(xy1, xy5);
    t[2] = _mm256_add_ps(xx0, xx4);
    t[3] = _mm256_add_ps(xx1, xx5);
    t[4] = _mm256_add_ps(yy0, yy4);
    t[5] = _mm256_add_ps(yy1, yy5);
}

/* The same for xy and yy alone. */
static inline void query_cosine_pass_avx2(size_t d, const float *x, const float *y, size_t first,
                                          __m256 t[4])
{
    __m256 xy0 = _mm256_setzero_ps();
    __m256 yy0 = _mm256_setzero_ps();
    __m256 xy1 = _mm256_setzero_ps();
    __m256 yy1 = _mm256_setzero_ps();
    __m256 xy4 = _mm256_setzero_ps();
    __m256 yy4 = _mm256_setzero_ps();
    __m256 xy5 = _mm256_setzero_ps();
    __m256 yy5 = _mm256_setzero_ps();
    size_t k = 0;
    for (; k + 64 <= d; k += 64) {
        __m256 y0 = load_once_avx2(y + k + first);
        xy0 = _mm256_fmadd_ps(_mm256_loadu_ps(x + k + first), y0, xy0);
        yy0 = _mm256_fmadd_ps(y0, y0, yy0);
        __m256 y1 = load_once_avx2(y + k + first + 8);
        xy1 = _mm256_fmadd_ps(_mm256_loadu_ps(x + k + first + 8), y1, xy1);
        yy1 = _mm256_fmadd_ps(y1, y1, yy1);
        __m256 y4 = load_once_avx2(y + k + first + 32);
        xy4 = _mm256_fmadd_ps(_mm256_loadu_ps(x + k + first + 32), y4, xy4);
        yy4 = _mm256_fmadd_ps(y4, y4, yy4);
        __m256 y5 = load_once_avx2(y + k + first + 40);
        xy5 = _mm256_fmadd_ps(_mm256_loadu_ps(x + k + first + 40), y5, xy5);
        yy5 = _mm256_fmadd_ps(y5, y5, yy5);
    }
    if (k + first < d) {
        __m256 y0 = load_tail_avx2(y + k + first, d - k - first);
        xy0 = _mm256_fmadd_ps(load_tail_avx2(x + k + first, d - k - first), y0, xy0);
        yy0 = _mm256_fmadd_ps(y0, y0, yy0);
        if (d - k > first + 8) {
            __m256 y1 = load_tail_avx2(y + k + first + 8, d - k - first - 8);
            xy1 = _mm256_fmadd_ps(load_tail_avx2(x + k + first + 8, d - k - first - 8), y1, xy1);
            yy1 = _mm256_fmadd_ps(y1, y1, yy1);
        }
        if (d - k > first + 32) {
            __m256 y4 = load_tail_avx2(y + k + first + 32, d - k - first - 32);
            xy4 = _mm256_fmadd_ps(load_tail_avx2(x + k + first + 32, d - k - first - 32), y4, xy4);
            yy4 = _mm256_fmadd_ps(y4, y4, yy4);
        }
        if (d - k > first + 40) {
            __m256 y5 = load_tail_avx2(y + k + first + 40, d - k - first - 40);
            xy5 = _mm256_fmadd_ps(load_tail_avx2(x + k + first + 40, d - k - first - 40), y5, xy5);
            yy5 = _mm256_fmadd_ps(y5, y5, yy5);
        }
    }
    t[0] = _mm256_add_ps(xy0, xy4);
    t[1] = _mm256_add_ps(xy1, xy5);
    t[2] = _mm256_add_ps(yy0, yy4);
    t[3] = _mm256_add_ps(yy1, yy5);
}

/* lane += x.y over a piece of a long row; only the last piece may have a tail. */
static inline void dot_lanes_avx2(size_t d, const float *x, const float *y, __m256 lane[8])
{
    __m256 s0 = lane[0];
    __m256 s1 = lane[1];
    __m256 s2 = lane[2];
    __m256 s3 = lane[3];
    __m256 s4 = lane[4];
    __m256 s5 = lane[5];
    __m256 s6 = lane[6];
    __m256 s7 = lane[7];
    size_t k = 0;
    for (; k + 64 <= d; k += 64) {
        s0 = _mm256_fmadd_ps(_mm256_loadu_ps(x + k), _mm256_loadu_ps(y + k), s0);
        s1 = _mm256_fmadd_ps(_mm256_loadu_ps(x + k + 8), _mm256_loadu_ps(y + k + 8), s1);
        s2 = _mm256_fmadd_ps(_mm256_loadu_ps(x + k + 16), _mm256_loadu_ps(y + k + 16), s2);
        s3 = _mm256_fmadd_ps(_mm256_loadu_ps(x + k + 24), _mm256_loadu_ps(y + k + 24), s3);
        s4 = _mm256_fmadd_ps(_mm256_loadu_ps(x + k + 32), _mm256_loadu_ps(y + k + 32), s4);
        s5 = _mm256_fmadd_ps(_mm256_loadu_ps(x + k + 40), _mm256_loadu_ps(y + k + 40), s5);
        s6 = _mm256_fmadd_ps(_mm256_loadu_ps(x + k + 48), _mm256_loadu_ps(y + k + 48), s6);
        s7 = _mm256_fmadd_ps(_mm256_loadu_ps(x + k + 56), _mm256_loadu_ps(y + k + 56), s7);
    }
    if (k < d) {
        s0 = _mm256_fmadd_ps(load_tail_avx2(x + k, d - k), load_tail_avx2(y + k, d - k), s0);
        if (d - k > 8) {
            s1 = _mm256_fmadd_ps(load_tail_avx2(x + k + 8, d - k - 8),
                                 load_tail_avx2(y + k + 8, d - k - 8), s1);
        }
        if (d - k > 16) {
            s2 = _mm256_fmadd_ps(load_tail_avx2(x + k + 16, d - k - 16),
                                 load_tail_avx2(y + k + 16, d - k - 16), s2);
        }
        if (d - k > 24) {
            s3 = _mm256_fmadd_ps(load_tail_avx2(x + k + 24, d - k - 24),
                                 load_tail_avx2(y + k + 24, d - k - 24), s3);
        }
        if (d - k > 32) {
            s4 = _mm256_fmadd_ps(load_tail_avx2(x + k + 32, d - k - 32),
                                 load_tail_avx2(y + k + 32, d - k - 32), s4);
        }
        if (d - k > 40) {
            s5 = _mm256_fmadd_ps(load_tail_avx2(x + k + 40, d - k - 40),
                                 load_tail_avx2(y + k + 40, d - k - 40), s5);
        }
        if (d - k > 48) {
            s6 = _mm256_fmadd_ps(load_tail_avx2(x + k + 48, d - k - 48),
                                 load_tail_avx2(y + k + 48, d - k - 48), s6);
        }
        if (d - k > 56) {
            s7 = _mm256_fmadd_ps(load_tail_avx2(x + k + 56, d - k - 56),
                                 load_tail_avx2(y + k + 56, d - k - 56), s7);
        }
    }
    lane[0] = s0;
    lane[1] = s1;
    lane[2] = s2;
    lane[3] = s3;
    lane[4] = s4;
    lane[5] = s5;
    lane[6] = s6;
    lane[7] = s7;
}

/* ---- Pair ---------------------------------------------------------------------------------- */

static float pair_dot_avx2(size_t d, const float *x, const float *y)
{
    return simd_canonical_nan(sum8_avx2(dot_row_avx2(d, x, y)));
}

static float pair_neg_sq_l2_avx2(size_t d, const float *x, const float *y)
{
    return simd_canonical_nan(0.0f - sum8_avx2(sq_l2_row_avx2(d, x, y)));
}

static float scaled_dot_avx2(size_t d, const float *x, float px, const float *y, float py)
{
    return sum8_avx2(scaled_dot_row_avx2(d, x, y, px, py));
}

/* Greatest magnitude of a row, as bits: NORM_INFINITY or more where a NaN or Inf is. */
static uint32_t greatest_avx2(size_t d, const float *x)
{
    const __m256i magnitude = _mm256_set1_epi32(NORM_MAGNITUDE);
    __m256i greatest = _mm256_setzero_si256();
    for (; d > 0; d -= d < 8 ? d : 8, x += 8) {
        __m256i bits = _mm256_castps_si256(load_tail_avx2(x, d));
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
__attribute__((noinline)) static float scaled_cosine_avx2(size_t d, const float *x, const float *y)
{
    uint32_t greatest_x = greatest_avx2(d, x);
    uint32_t greatest_y = greatest_avx2(d, y);
    if (greatest_x >= NORM_INFINITY || greatest_y >= NORM_INFINITY)
        return simd_canonical_nan(NAN);
    if (greatest_x == 0 || greatest_y == 0)
        return 0.0f;
    float px = norm_power(greatest_x);
    float py = norm_power(greatest_y);
    float xy = scaled_dot_avx2(d, x, px, y, py);
    float xx = scaled_dot_avx2(d, x, px, x, px);
    float yy = scaled_dot_avx2(d, y, py, y, py);
    return xy / (sqrtf(xx) * sqrtf(yy));
}

/* Rows that do not stay in L1 for a second pass. */
__attribute__((noinline)) static float long_cosine_avx2(size_t d, const float *x, const float *y)
{
    __m256 xy[8];
    __m256 xx[8];
    __m256 yy[8];
    for (int i = 0; i < 8; i++)
        xy[i] = xx[i] = yy[i] = _mm256_setzero_ps();
    for (size_t k = 0, piece; k < d; k += piece) {
        piece = d - k < LONG_PIECE ? d - k : LONG_PIECE;
        dot_lanes_avx2(piece, x + k, y + k, xy);
        dot_lanes_avx2(piece, x + k, x + k, xx);
        dot_lanes_avx2(piece, y + k, y + k, yy);
    }
    float sum_xx = simd_sum64x8(xx);
    float sum_yy = simd_sum64x8(yy);
    if (!norm_is_safe(sum_xx) || !norm_is_safe(sum_yy))
        return scaled_cosine_avx2(d, x, y);
    return simd_sum64x8(xy) / sqrtf(sum_xx * sum_yy);
}

static float pair_cosine_avx2(size_t d, const float *x, const float *y)
{
    if (d > LONG_ROW)
        return long_cosine_avx2(d, x, y);
    __m256 a[6];
    __m256 b[6];
    pair_cosine_pass_avx2(d, x, y, 0, a);
    pair_cosine_pass_avx2(d, x, y, 16, b);
    __m256 xy = _mm256_add_ps(_mm256_add_ps(a[0], b[0]), _mm256_add_ps(a[1], b[1]));
    __m256 xx = _mm256_add_ps(_mm256_add_ps(a[2], b[2]), _mm256_add_ps(a[3], b[3]));
    __m256 yy = _mm256_add_ps(_mm256_add_ps(a[4], b[4]), _mm256_add_ps(a[5], b[5]));

    /* The rest of the three trees together. 4 lanes: xx yy, and xy alone */
    __m256 squares =
        _mm256_add_ps(_mm256_permute2f128_ps(xx, yy, 0x20), _mm256_permute2f128_ps(xx, yy, 0x31));
    __m128 product = _mm_add_ps(_mm256_castps256_ps128(xy), _mm256_extractf128_ps(xy, 1));
    squares = _mm256_add_ps(squares, _mm256_permute_ps(squares, _MM_SHUFFLE(1, 0, 3, 2)));
    product = _mm_add_ps(product, _mm_movehl_ps(product, product));
    squares = _mm256_add_ps(squares, _mm256_permute_ps(squares, _MM_SHUFFLE(2, 3, 0, 1)));
    product = _mm_add_ss(product, _mm_shuffle_ps(product, product, 1));
    float sum_xx = _mm256_cvtss_f32(squares);
    float sum_yy = _mm_cvtss_f32(_mm256_extractf128_ps(squares, 1));
    float sum_xy = _mm_cvtss_f32(product);
    if (__builtin_expect(!(norm_is_safe(sum_xx) && norm_is_safe(sum_yy)), 0))
        return scaled_cosine_avx2(d, x, y);
    return (sum_xy + 0.0f) / sqrtf(sum_xx * sum_yy);
}

/* ---- Query --------------------------------------------------------------------------------- */

/* Rows a and b, 8 -> 4 lanes each: halves a b. */
static inline __m256 join8_avx2(__m256 a, __m256 b)
{
    return _mm256_add_ps(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));
}

/* 4 -> 2 lanes: within every half two of a and two of b. */
static inline __m256 join4_avx2(__m256 a, __m256 b)
{
    __m256d p = _mm256_castps_pd(a);
    __m256d q = _mm256_castps_pd(b);
    return _mm256_add_ps(_mm256_castpd_ps(_mm256_unpacklo_pd(p, q)),
                         _mm256_castpd_ps(_mm256_unpackhi_pd(p, q)));
}

/* 2 -> 1 lane: within every half one of each of four rows. */
static inline __m256 join2_avx2(__m256 a, __m256 b)
{
    return _mm256_add_ps(_mm256_shuffle_ps(a, b, _MM_SHUFFLE(2, 0, 2, 0)),
                         _mm256_shuffle_ps(a, b, _MM_SHUFFLE(3, 1, 3, 1)));
}

/* The trees of 8 rows from 8 lanes each; element r of the result is row r. */
static inline __m256 sum_rows_avx2(const __m256 s[GROUP])
{
    __m256 places01 = join4_avx2(join8_avx2(s[0], s[4]), join8_avx2(s[1], s[5]));
    __m256 places23 = join4_avx2(join8_avx2(s[2], s[6]), join8_avx2(s[3], s[7]));
    return _mm256_add_ps(join2_avx2(places01, places23), _mm256_setzero_ps());
}

static void query_dot_avx2(size_t n, size_t d, const float *x, const float *y, size_t ldy,
                           float *result)
{
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, result += rows) {
        rows = n < GROUP ? n : GROUP;
        __m256 s[GROUP];
        for (size_t r = 0; r < rows; r++)
            s[r] = dot_row_avx2(d, x, y + r * ldy);
        for (size_t r = rows; r < GROUP; r++)
            s[r] = _mm256_setzero_ps();
        simd_store_first(result, rows, simd_canonical_nan8(sum_rows_avx2(s)));
    }
}

static void squared_norms_avx2(size_t n, size_t d, const float *y, size_t ldy, float *out)
{
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, out += rows) {
        rows = n < GROUP ? n : GROUP;
        __m256 s[GROUP];
        for (size_t r = 0; r < rows; r++)
            s[r] = dot_row_avx2(d, y + r * ldy, y + r * ldy);
        for (size_t r = rows; r < GROUP; r++)
            s[r] = _mm256_setzero_ps();
        simd_store_first(out, rows, simd_canonical_nan8(sum_rows_avx2(s)));
    }
}

/* The cosines of a group from the sums of its rows; those whose |y|^2 is not safe go the scaled
 * way. */
static inline void store_cosines_avx2(size_t rows, size_t d, const float *x, const float *y,
                                      size_t ldy, __m256 xy, float xx, __m256 yy, float *result)
{
    __m256 length = _mm256_sqrt_ps(_mm256_mul_ps(_mm256_set1_ps(xx), yy));
    simd_store_first(result, rows, _mm256_div_ps(xy, length));
    /* norm_is_safe of 8 rows; AVX2 has no unsigned compare, but an unsigned minimum */
    __m256i above = _mm256_sub_epi32(_mm256_castps_si256(yy), _mm256_set1_epi32(NORM_SAFE_LOWEST));
    __m256i safe =
        _mm256_cmpeq_epi32(_mm256_min_epu32(above, _mm256_set1_epi32(NORM_SAFE_SPAN)), above);
    unsigned unsafe = ~(unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(safe)) & ((1u << rows) - 1);
    for (; __builtin_expect(unsafe != 0, 0); unsafe &= unsafe - 1) {
        size_t r = (size_t)__builtin_ctz(unsafe);
        result[r] = scaled_cosine_avx2(d, x, y + r * ldy);
    }
}

static void query_cosine_avx2(size_t n, size_t d, const float *x, const float *y, size_t ldy,
                              float *result)
{
    float xx = sum8_avx2(dot_row_avx2(d, x, x));
    if (d > LONG_ROW || !norm_is_safe(xx)) {
        for (size_t j = 0; j < n; j++)
            result[j] = pair_cosine_avx2(d, x, y + j * ldy);
        return;
    }
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, result += rows) {
        rows = n < GROUP ? n : GROUP;
        __m256 xy[GROUP];
        __m256 yy[GROUP];
        for (size_t r = 0; r < rows; r++) {
            const float *row = y + r * ldy;
            __m256 a[4];
            __m256 b[4];
            query_cosine_pass_avx2(d, x, row, 0, a);
            query_cosine_pass_avx2(d, x, row, 16, b);
            xy[r] = _mm256_add_ps(_mm256_add_ps(a[0], b[0]), _mm256_add_ps(a[1], b[1]));
            yy[r] = _mm256_add_ps(_mm256_add_ps(a[2], b[2]), _mm256_add_ps(a[3], b[3]));
        }
        for (size_t r = rows; r < GROUP; r++)
            xy[r] = yy[r] = _mm256_setzero_ps();
        store_cosines_avx2(rows, d, x, y, ldy, sum_rows_avx2(xy), xx, sum_rows_avx2(yy), result);
    }
}

static void query_norms_avx2(size_t n, size_t d, const float *x, const float *y, size_t ldy,
                             const float *squared_norms, float *result)
{
    float xx = sum8_avx2(dot_row_avx2(d, x, x));
    if (!norm_is_safe(xx)) {
        for (size_t j = 0; j < n; j++)
            result[j] = scaled_cosine_avx2(d, x, y + j * ldy);
        return;
    }
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, squared_norms += rows, result += rows) {
        rows = n < GROUP ? n : GROUP;
        __m256 xy[GROUP];
        for (size_t r = 0; r < rows; r++)
            xy[r] = dot_row_avx2(d, x, y + r * ldy);
        for (size_t r = rows; r < GROUP; r++)
            xy[r] = _mm256_setzero_ps();
        store_cosines_avx2(rows, d, x, y, ldy, sum_rows_avx2(xy), xx,
                           simd_load_first(squared_norms, rows), result);
    }
}

static void query_neg_sq_l2_avx2(size_t n, size_t d, const float *x, const float *y, size_t ldy,
                                 float *result)
{
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, result += rows) {
        rows = n < GROUP ? n : GROUP;
        __m256 s[GROUP];
        for (size_t r = 0; r < rows; r++)
            s[r] = sq_l2_row_avx2(d, x, y + r * ldy);
        for (size_t r = rows; r < GROUP; r++)
            s[r] = _mm256_setzero_ps();
        simd_store_first(result, rows,
                         simd_canonical_nan8(_mm256_sub_ps(_mm256_setzero_ps(), sum_rows_avx2(s))));
    }
}

/* ---- Rows ---------------------------------------------------------------------------------- */

static struct row_scale row_scale_avx2(size_t d, const float *x)
{
    float xx = pair_dot_avx2(d, x, x);
    if (norm_is_safe(xx))
        return (struct row_scale){1.0f, 1.0f / sqrtf(xx)};
    uint32_t greatest = greatest_avx2(d, x);
    if (greatest >= NORM_INFINITY)
        return (struct row_scale){1.0f, simd_canonical_nan(NAN)};
    if (greatest == 0)
        return (struct row_scale){1.0f, 0.0f};
    float power = norm_power(greatest);
    return (struct row_scale){power, 1.0f / sqrtf(scaled_dot_avx2(d, x, power, x, power))};
}

static void scale_row_avx2(size_t d, const float *x, struct row_scale scale, float *out)
{
    const __m256 power = _mm256_set1_ps(scale.power);
    const __m256 inverse = _mm256_set1_ps(scale.inverse);
    for (; d >= 8; d -= 8, x += 8, out += 8) {
        __m256 v = _mm256_mul_ps(_mm256_mul_ps(_mm256_loadu_ps(x), power), inverse);
        _mm256_storeu_ps(out, simd_canonical_nan8(v));
    }
    if (d > 0) {
        __m256 v = _mm256_mul_ps(_mm256_mul_ps(simd_load_first(x, d), power), inverse);
        simd_store_first(out, d, simd_canonical_nan8(v));
    }
}

const struct cosine_ops cosine_ops_avx2 = {
    .pair = {[MMK_DOT] = pair_dot_avx2,
             [MMK_COSINE] = pair_cosine_avx2,
             [MMK_NEG_SQ_L2] = pair_neg_sq_l2_avx2},
    .query = {[MMK_DOT] = query_dot_avx2,
              [MMK_COSINE] = query_cosine_avx2,
              [MMK_NEG_SQ_L2] = query_neg_sq_l2_avx2},
    .query_norms = query_norms_avx2,
    .squared_norms = squared_norms_avx2,
    .row_scale = row_scale_avx2,
    .scale_row = scale_row_avx2,
};
