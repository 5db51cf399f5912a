/* query_rows_avx512.h - sums of a few rows against one x, on __m512 (internal to query_avx512.c).
 * SPDX-License-Identifier: MIT
 *
 * Three ways by the length of a row: two rows of any length side by side; rows of 65 to 128 floats
 * one after the other; four rows of up to 64 floats. What comes out are 16 or 8 lanes a row, or
 * all the sums of up to 16 rows. query_avx512.c tells what bounds each of them.
 */
#ifndef MMK_QUERY_ROWS_AVX512_H
#define MMK_QUERY_ROWS_AVX512_H

#include "query.h"

#include "../call/size.h"
#include "../pair/lanes_avx512.h"

/* Pairs of rows whose trees are summed together: one vector of results. */
enum { PAIRS = 8, GROUP = 2 * PAIRS };

/* How far ahead short rows are prefetched, in bytes. From 1024 to 8192 little changes. */
enum { PREFETCH = 2048 };

/* Prefetches the line that is PREFETCH bytes on. The address may lie behind the array: a prefetch
 * of nothing does nothing. Where rows come one by one, one with every load, not four at once: a
 * burst holds up the loads behind it (clang keeps the order). always_inline because gcc 12 takes a
 * function that only prefetches for one without effect and drops the calls. */
__attribute__((always_inline)) static inline void prefetch_line_avx512(const float *p)
{
    _mm_prefetch((const char *)((uintptr_t)p + PREFETCH), _MM_HINT_T0);
}

/* ---- Two rows against one x ----------------------------------------------------------------- */

/* Rows a and b, 16 -> 8 lanes each: blocks of 4 lanes a a b b. */
static inline __m512 join16_avx512(__m512 a, __m512 b)
{
    return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, _MM_SHUFFLE(1, 0, 1, 0)),
                         _mm512_shuffle_f32x4(a, b, _MM_SHUFFLE(3, 2, 3, 2)));
}

/* Which of the 16 elements from first on are there. */
static inline __mmask16 live_avx512(size_t d, size_t first)
{
    size_t count = d > first ? d - first : 0;
    return simd_first(count < 16 ? count : 16);
}

/* x.y and x.z, 8 lanes each */
static inline __m512 dot_two_avx512(size_t d, const float *x, const float *y, const float *z)
{
    __m512 xy0, xy1, xy2, xy3;
    __m512 xz0, xz1, xz2, xz3;
    xy0 = xy1 = xy2 = xy3 = _mm512_setzero_ps();
    xz0 = xz1 = xz2 = xz3 = _mm512_setzero_ps();
    size_t k = 0;
    for (; k + 64 <= d; k += 64) {
        __m512 x0 = simd_load_once(x + k);
        xy0 = _mm512_fmadd_ps(x0, simd_load_once(y + k), xy0);
        xz0 = _mm512_fmadd_ps(x0, simd_load_once(z + k), xz0);
        __m512 x1 = simd_load_once(x + k + 16);
        xy1 = _mm512_fmadd_ps(x1, simd_load_once(y + k + 16), xy1);
        xz1 = _mm512_fmadd_ps(x1, simd_load_once(z + k + 16), xz1);
        __m512 x2 = simd_load_once(x + k + 32);
        xy2 = _mm512_fmadd_ps(x2, simd_load_once(y + k + 32), xy2);
        xz2 = _mm512_fmadd_ps(x2, simd_load_once(z + k + 32), xz2);
        __m512 x3 = simd_load_once(x + k + 48);
        xy3 = _mm512_fmadd_ps(x3, simd_load_once(y + k + 48), xy3);
        xz3 = _mm512_fmadd_ps(x3, simd_load_once(z + k + 48), xz3);
    }
    if (k < d) {
        __mmask16 m0 = live_avx512(d - k, 0);
        __m512 x0 = _mm512_maskz_loadu_ps(m0, x + k);
        xy0 = _mm512_fmadd_ps(x0, _mm512_maskz_loadu_ps(m0, y + k), xy0);
        xz0 = _mm512_fmadd_ps(x0, _mm512_maskz_loadu_ps(m0, z + k), xz0);
        __mmask16 m1 = live_avx512(d - k, 16);
        __m512 x1 = _mm512_maskz_loadu_ps(m1, x + k + 16);
        xy1 = _mm512_fmadd_ps(x1, _mm512_maskz_loadu_ps(m1, y + k + 16), xy1);
        xz1 = _mm512_fmadd_ps(x1, _mm512_maskz_loadu_ps(m1, z + k + 16), xz1);
        __mmask16 m2 = live_avx512(d - k, 32);
        __m512 x2 = _mm512_maskz_loadu_ps(m2, x + k + 32);
        xy2 = _mm512_fmadd_ps(x2, _mm512_maskz_loadu_ps(m2, y + k + 32), xy2);
        xz2 = _mm512_fmadd_ps(x2, _mm512_maskz_loadu_ps(m2, z + k + 32), xz2);
        __mmask16 m3 = live_avx512(d - k, 48);
        __m512 x3 = _mm512_maskz_loadu_ps(m3, x + k + 48);
        xy3 = _mm512_fmadd_ps(x3, _mm512_maskz_loadu_ps(m3, y + k + 48), xy3);
        xz3 = _mm512_fmadd_ps(x3, _mm512_maskz_loadu_ps(m3, z + k + 48), xz3);
    }
    return join16_avx512(simd_fold64x16(xy0, xy1, xy2, xy3), simd_fold64x16(xz0, xz1, xz2, xz3));
}

/* |x - y|^2 and |x - z|^2 */
static inline __m512 sq_l2_two_avx512(size_t d, const float *x, const float *y, const float *z)
{
    __m512 xy0, xy1, xy2, xy3;
    __m512 xz0, xz1, xz2, xz3;
    xy0 = xy1 = xy2 = xy3 = _mm512_setzero_ps();
    xz0 = xz1 = xz2 = xz3 = _mm512_setzero_ps();
    size_t k = 0;
    for (; k + 64 <= d; k += 64) {
        __m512 x0 = simd_load_once(x + k);
        __m512 y0 = _mm512_sub_ps(x0, simd_load_once(y + k));
        __m512 z0 = _mm512_sub_ps(x0, simd_load_once(z + k));
        xy0 = _mm512_fmadd_ps(y0, y0, xy0);
        xz0 = _mm512_fmadd_ps(z0, z0, xz0);
        __m512 x1 = simd_load_once(x + k + 16);
        __m512 y1 = _mm512_sub_ps(x1, simd_load_once(y + k + 16));
        __m512 z1 = _mm512_sub_ps(x1, simd_load_once(z + k + 16));
        xy1 = _mm512_fmadd_ps(y1, y1, xy1);
        xz1 = _mm512_fmadd_ps(z1, z1, xz1);
        __m512 x2 = simd_load_once(x + k + 32);
        __m512 y2 = _mm512_sub_ps(x2, simd_load_once(y + k + 32));
        __m512 z2 = _mm512_sub_ps(x2, simd_load_once(z + k + 32));
        xy2 = _mm512_fmadd_ps(y2, y2, xy2);
        xz2 = _mm512_fmadd_ps(z2, z2, xz2);
        __m512 x3 = simd_load_once(x + k + 48);
        __m512 y3 = _mm512_sub_ps(x3, simd_load_once(y + k + 48));
        __m512 z3 = _mm512_sub_ps(x3, simd_load_once(z + k + 48));
        xy3 = _mm512_fmadd_ps(y3, y3, xy3);
        xz3 = _mm512_fmadd_ps(z3, z3, xz3);
    }
    if (k < d) {
        __mmask16 m0 = live_avx512(d - k, 0);
        __m512 x0 = _mm512_maskz_loadu_ps(m0, x + k);
        __m512 y0 = _mm512_sub_ps(x0, _mm512_maskz_loadu_ps(m0, y + k));
        __m512 z0 = _mm512_sub_ps(x0, _mm512_maskz_loadu_ps(m0, z + k));
        xy0 = _mm512_fmadd_ps(y0, y0, xy0);
        xz0 = _mm512_fmadd_ps(z0, z0, xz0);
        __mmask16 m1 = live_avx512(d - k, 16);
        __m512 x1 = _mm512_maskz_loadu_ps(m1, x + k + 16);
        __m512 y1 = _mm512_sub_ps(x1, _mm512_maskz_loadu_ps(m1, y + k + 16));
        __m512 z1 = _mm512_sub_ps(x1, _mm512_maskz_loadu_ps(m1, z + k + 16));
        xy1 = _mm512_fmadd_ps(y1, y1, xy1);
        xz1 = _mm512_fmadd_ps(z1, z1, xz1);
        __mmask16 m2 = live_avx512(d - k, 32);
        __m512 x2 = _mm512_maskz_loadu_ps(m2, x + k + 32);
        __m512 y2 = _mm512_sub_ps(x2, _mm512_maskz_loadu_ps(m2, y + k + 32));
        __m512 z2 = _mm512_sub_ps(x2, _mm512_maskz_loadu_ps(m2, z + k + 32));
        xy2 = _mm512_fmadd_ps(y2, y2, xy2);
        xz2 = _mm512_fmadd_ps(z2, z2, xz2);
        __mmask16 m3 = live_avx512(d - k, 48);
        __m512 x3 = _mm512_maskz_loadu_ps(m3, x + k + 48);
        __m512 y3 = _mm512_sub_ps(x3, _mm512_maskz_loadu_ps(m3, y + k + 48));
        __m512 z3 = _mm512_sub_ps(x3, _mm512_maskz_loadu_ps(m3, z + k + 48));
        xy3 = _mm512_fmadd_ps(y3, y3, xy3);
        xz3 = _mm512_fmadd_ps(z3, z3, xz3);
    }
    return join16_avx512(simd_fold64x16(xy0, xy1, xy2, xy3), simd_fold64x16(xz0, xz1, xz2, xz3));
}

/* x.y and x.z; *squares = |y|^2 and |z|^2 */
static inline __m512 cosine_two_avx512(size_t d, const float *x, const float *y, const float *z,
                                       __m512 *squares)
{
    __m512 xy0, xy1, xy2, xy3;
    __m512 xz0, xz1, xz2, xz3;
    __m512 yy0, yy1, yy2, yy3;
    __m512 zz0, zz1, zz2, zz3;
    xy0 = xy1 = xy2 = xy3 = _mm512_setzero_ps();
    xz0 = xz1 = xz2 = xz3 = _mm512_setzero_ps();
    yy0 = yy1 = yy2 = yy3 = _mm512_setzero_ps();
    zz0 = zz1 = zz2 = zz3 = _mm512_setzero_ps();
    size_t k = 0;
    for (; k + 64 <= d; k += 64) {
        __m512 x0 = simd_load_once(x + k);
        __m512 y0 = simd_load_once(y + k);
        xy0 = _mm512_fmadd_ps(x0, y0, xy0);
        yy0 = _mm512_fmadd_ps(y0, y0, yy0);
        __m512 z0 = simd_load_once(z + k);
        xz0 = _mm512_fmadd_ps(x0, z0, xz0);
        zz0 = _mm512_fmadd_ps(z0, z0, zz0);
        __m512 x1 = simd_load_once(x + k + 16);
        __m512 y1 = simd_load_once(y + k + 16);
        xy1 = _mm512_fmadd_ps(x1, y1, xy1);
        yy1 = _mm512_fmadd_ps(y1, y1, yy1);
        __m512 z1 = simd_load_once(z + k + 16);
        xz1 = _mm512_fmadd_ps(x1, z1, xz1);
        zz1 = _mm512_fmadd_ps(z1, z1, zz1);
        __m512 x2 = simd_load_once(x + k + 32);
        __m512 y2 = simd_load_once(y + k + 32);
        xy2 = _mm512_fmadd_ps(x2, y2, xy2);
        yy2 = _mm512_fmadd_ps(y2, y2, yy2);
        __m512 z2 = simd_load_once(z + k + 32);
        xz2 = _mm512_fmadd_ps(x2, z2, xz2);
        zz2 = _mm512_fmadd_ps(z2, z2, zz2);
        __m512 x3 = simd_load_once(x + k + 48);
        __m512 y3 = simd_load_once(y + k + 48);
        xy3 = _mm512_fmadd_ps(x3, y3, xy3);
        yy3 = _mm512_fmadd_ps(y3, y3, yy3);
        __m512 z3 = simd_load_once(z + k + 48);
        xz3 = _mm512_fmadd_ps(x3, z3, xz3);
        zz3 = _mm512_fmadd_ps(z3, z3, zz3);
    }
    if (k < d) {
        __mmask16 m0 = live_avx512(d - k, 0);
        __m512 x0 = _mm512_maskz_loadu_ps(m0, x + k);
        __m512 y0 = _mm512_maskz_loadu_ps(m0, y + k);
        xy0 = _mm512_fmadd_ps(x0, y0, xy0);
        yy0 = _mm512_fmadd_ps(y0, y0, yy0);
        __m512 z0 = _mm512_maskz_loadu_ps(m0, z + k);
        xz0 = _mm512_fmadd_ps(x0, z0, xz0);
        zz0 = _mm512_fmadd_ps(z0, z0, zz0);
        __mmask16 m1 = live_avx512(d - k, 16);
        __m512 x1 = _mm512_maskz_loadu_ps(m1, x + k + 16);
        __m512 y1 = _mm512_maskz_loadu_ps(m1, y + k + 16);
        xy1 = _mm512_fmadd_ps(x1, y1, xy1);
        yy1 = _mm512_fmadd_ps(y1, y1, yy1);
        __m512 z1 = _mm512_maskz_loadu_ps(m1, z + k + 16);
        xz1 = _mm512_fmadd_ps(x1, z1, xz1);
        zz1 = _mm512_fmadd_ps(z1, z1, zz1);
        __mmask16 m2 = live_avx512(d - k, 32);
        __m512 x2 = _mm512_maskz_loadu_ps(m2, x + k + 32);
        __m512 y2 = _mm512_maskz_loadu_ps(m2, y + k + 32);
        xy2 = _mm512_fmadd_ps(x2, y2, xy2);
        yy2 = _mm512_fmadd_ps(y2, y2, yy2);
        __m512 z2 = _mm512_maskz_loadu_ps(m2, z + k + 32);
        xz2 = _mm512_fmadd_ps(x2, z2, xz2);
        zz2 = _mm512_fmadd_ps(z2, z2, zz2);
        __mmask16 m3 = live_avx512(d - k, 48);
        __m512 x3 = _mm512_maskz_loadu_ps(m3, x + k + 48);
        __m512 y3 = _mm512_maskz_loadu_ps(m3, y + k + 48);
        xy3 = _mm512_fmadd_ps(x3, y3, xy3);
        yy3 = _mm512_fmadd_ps(y3, y3, yy3);
        __m512 z3 = _mm512_maskz_loadu_ps(m3, z + k + 48);
        xz3 = _mm512_fmadd_ps(x3, z3, xz3);
        zz3 = _mm512_fmadd_ps(z3, z3, zz3);
    }
    *squares =
        join16_avx512(simd_fold64x16(yy0, yy1, yy2, yy3), simd_fold64x16(zz0, zz1, zz2, zz3));
    return join16_avx512(simd_fold64x16(xy0, xy1, xy2, xy3), simd_fold64x16(xz0, xz1, xz2, xz3));
}

/* a a b b and c c e e, 8 -> 4 lanes each: blocks a b c e. */
static inline __m512 join8_avx512(__m512 ab, __m512 ce)
{
    return _mm512_add_ps(_mm512_shuffle_f32x4(ab, ce, _MM_SHUFFLE(2, 0, 2, 0)),
                         _mm512_shuffle_f32x4(ab, ce, _MM_SHUFFLE(3, 1, 3, 1)));
}

/* 4 -> 2 lanes: within every block two of a and two of b. */
static inline __m512 join4_avx512(__m512 a, __m512 b)
{
    __m512d p = _mm512_castps_pd(a);
    __m512d q = _mm512_castps_pd(b);
    return _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(p, q)),
                         _mm512_castpd_ps(_mm512_unpackhi_pd(p, q)));
}

/* 2 -> 1 lane: within every block one of each of four rows. */
static inline __m512 join2_avx512(__m512 a, __m512 b)
{
    return _mm512_add_ps(_mm512_shuffle_ps(a, b, _MM_SHUFFLE(2, 0, 2, 0)),
                         _mm512_shuffle_ps(a, b, _MM_SHUFFLE(3, 1, 3, 1)));
}

/* 16 rows, 16 -> 1 lane each. Element 4 block + place of the result is that row. */
static inline __m512 sum_rows_avx512(const __m512 s[GROUP])
{
    __m512 place0 = join8_avx512(join16_avx512(s[0], s[4]), join16_avx512(s[8], s[12]));
    __m512 place1 = join8_avx512(join16_avx512(s[1], s[5]), join16_avx512(s[9], s[13]));
    __m512 place2 = join8_avx512(join16_avx512(s[2], s[6]), join16_avx512(s[10], s[14]));
    __m512 place3 = join8_avx512(join16_avx512(s[3], s[7]), join16_avx512(s[11], s[15]));
    __m512 t = join2_avx512(join4_avx512(place0, place1), join4_avx512(place2, place3));
    return _mm512_add_ps(t, _mm512_setzero_ps());
}

/* Pairs of rows, 8 -> 1 lane each: the first rows of all pairs, then the second ones. */
static inline __m512 sum_pairs_avx512(const __m512 pair[PAIRS])
{
    __m512 ab = join4_avx512(join8_avx512(pair[0], pair[4]), join8_avx512(pair[1], pair[5]));
    __m512 ce = join4_avx512(join8_avx512(pair[2], pair[6]), join8_avx512(pair[3], pair[7]));
    __m512 t = join2_avx512(ab, ce); /* blocks: first second first second */
    t = _mm512_shuffle_f32x4(t, t, _MM_SHUFFLE(3, 1, 2, 0));
    return _mm512_add_ps(t, _mm512_setzero_ps());
}

/* ---- Rows of 65 to 128 floats against one x, which stays in registers ----------------------- */

/* No loop over blocks and no branch for the tail, which is where the time of such short rows goes.
 * A mask may be empty, a masked load does not fault. */
static inline bool rows_are_short(size_t d)
{
    return d > 64 && d <= 128;
}

/* x.y, 16 lanes a row */
static void dot_short_rows_avx512(size_t rows, size_t d, const float *x, const float *y, size_t ldy,
                                  __m512 s[GROUP])
{
    const __mmask16 m4 = live_avx512(d, 64);
    const __mmask16 m5 = live_avx512(d, 80);
    const __mmask16 m6 = live_avx512(d, 96);
    const __mmask16 m7 = live_avx512(d, 112);
    const __m512 x0 = _mm512_loadu_ps(x);
    const __m512 x1 = _mm512_loadu_ps(x + 16);
    const __m512 x2 = _mm512_loadu_ps(x + 32);
    const __m512 x3 = _mm512_loadu_ps(x + 48);
    const __m512 x4 = _mm512_maskz_loadu_ps(m4, x + 64);
    const __m512 x5 = _mm512_maskz_loadu_ps(m5, x + 80);
    const __m512 x6 = _mm512_maskz_loadu_ps(m6, x + 96);
    const __m512 x7 = _mm512_maskz_loadu_ps(m7, x + 112);
    for (size_t r = 0; r < rows; r++, y += ldy) {
        prefetch_line_avx512(y);
        __m512 s0 = _mm512_mul_ps(x0, _mm512_loadu_ps(y));
        prefetch_line_avx512(y + 16);
        __m512 s1 = _mm512_mul_ps(x1, _mm512_loadu_ps(y + 16));
        prefetch_line_avx512(y + 32);
        __m512 s2 = _mm512_mul_ps(x2, _mm512_loadu_ps(y + 32));
        prefetch_line_avx512(y + 48);
        __m512 s3 = _mm512_mul_ps(x3, _mm512_loadu_ps(y + 48));
        prefetch_line_avx512(y + 64);
        s0 = _mm512_fmadd_ps(x4, _mm512_maskz_loadu_ps(m4, y + 64), s0);
        prefetch_line_avx512(y + 80);
        s1 = _mm512_fmadd_ps(x5, _mm512_maskz_loadu_ps(m5, y + 80), s1);
        prefetch_line_avx512(y + 96);
        s2 = _mm512_fmadd_ps(x6, _mm512_maskz_loadu_ps(m6, y + 96), s2);
        prefetch_line_avx512(y + 112);
        s3 = _mm512_fmadd_ps(x7, _mm512_maskz_loadu_ps(m7, y + 112), s3);
        s[r] = simd_fold64x16(s0, s1, s2, s3);
    }
    for (size_t r = rows; r < GROUP; r++)
        s[r] = _mm512_setzero_ps();
}

/* |x - y|^2 */
static void sq_l2_short_rows_avx512(size_t rows, size_t d, const float *x, const float *y,
                                    size_t ldy, __m512 s[GROUP])
{
    const __mmask16 m4 = live_avx512(d, 64);
    const __mmask16 m5 = live_avx512(d, 80);
    const __mmask16 m6 = live_avx512(d, 96);
    const __mmask16 m7 = live_avx512(d, 112);
    const __m512 x0 = _mm512_loadu_ps(x);
    const __m512 x1 = _mm512_loadu_ps(x + 16);
    const __m512 x2 = _mm512_loadu_ps(x + 32);
    const __m512 x3 = _mm512_loadu_ps(x + 48);
    const __m512 x4 = _mm512_maskz_loadu_ps(m4, x + 64);
    const __m512 x5 = _mm512_maskz_loadu_ps(m5, x + 80);
    const __m512 x6 = _mm512_maskz_loadu_ps(m6, x + 96);
    const __m512 x7 = _mm512_maskz_loadu_ps(m7, x + 112);
    for (size_t r = 0; r < rows; r++, y += ldy) {
        prefetch_line_avx512(y);
        __m512 d0 = _mm512_sub_ps(x0, _mm512_loadu_ps(y));
        prefetch_line_avx512(y + 16);
        __m512 d1 = _mm512_sub_ps(x1, _mm512_loadu_ps(y + 16));
        prefetch_line_avx512(y + 32);
        __m512 d2 = _mm512_sub_ps(x2, _mm512_loadu_ps(y + 32));
        prefetch_line_avx512(y + 48);
        __m512 d3 = _mm512_sub_ps(x3, _mm512_loadu_ps(y + 48));
        prefetch_line_avx512(y + 64);
        __m512 d4 = _mm512_sub_ps(x4, _mm512_maskz_loadu_ps(m4, y + 64));
        prefetch_line_avx512(y + 80);
        __m512 d5 = _mm512_sub_ps(x5, _mm512_maskz_loadu_ps(m5, y + 80));
        prefetch_line_avx512(y + 96);
        __m512 d6 = _mm512_sub_ps(x6, _mm512_maskz_loadu_ps(m6, y + 96));
        prefetch_line_avx512(y + 112);
        __m512 d7 = _mm512_sub_ps(x7, _mm512_maskz_loadu_ps(m7, y + 112));
        __m512 s0 = _mm512_mul_ps(d0, d0);
        __m512 s1 = _mm512_mul_ps(d1, d1);
        __m512 s2 = _mm512_mul_ps(d2, d2);
        __m512 s3 = _mm512_mul_ps(d3, d3);
        s0 = _mm512_fmadd_ps(d4, d4, s0);
        s1 = _mm512_fmadd_ps(d5, d5, s1);
        s2 = _mm512_fmadd_ps(d6, d6, s2);
        s3 = _mm512_fmadd_ps(d7, d7, s3);
        s[r] = simd_fold64x16(s0, s1, s2, s3);
    }
    for (size_t r = rows; r < GROUP; r++)
        s[r] = _mm512_setzero_ps();
}

/* x.y and |y|^2 */
static void cosine_short_rows_avx512(size_t rows, size_t d, const float *x, const float *y,
                                     size_t ldy, __m512 xy[GROUP], __m512 yy[GROUP])
{
    const __mmask16 m4 = live_avx512(d, 64);
    const __mmask16 m5 = live_avx512(d, 80);
    const __mmask16 m6 = live_avx512(d, 96);
    const __mmask16 m7 = live_avx512(d, 112);
    const __m512 x0 = _mm512_loadu_ps(x);
    const __m512 x1 = _mm512_loadu_ps(x + 16);
    const __m512 x2 = _mm512_loadu_ps(x + 32);
    const __m512 x3 = _mm512_loadu_ps(x + 48);
    const __m512 x4 = _mm512_maskz_loadu_ps(m4, x + 64);
    const __m512 x5 = _mm512_maskz_loadu_ps(m5, x + 80);
    const __m512 x6 = _mm512_maskz_loadu_ps(m6, x + 96);
    const __m512 x7 = _mm512_maskz_loadu_ps(m7, x + 112);
    for (size_t r = 0; r < rows; r++, y += ldy) {
        prefetch_line_avx512(y);
        __m512 y0 = simd_load_once(y);
        prefetch_line_avx512(y + 16);
        __m512 y1 = simd_load_once(y + 16);
        prefetch_line_avx512(y + 32);
        __m512 y2 = simd_load_once(y + 32);
        prefetch_line_avx512(y + 48);
        __m512 y3 = simd_load_once(y + 48);
        prefetch_line_avx512(y + 64);
        __m512 y4 = _mm512_maskz_loadu_ps(m4, y + 64);
        prefetch_line_avx512(y + 80);
        __m512 y5 = _mm512_maskz_loadu_ps(m5, y + 80);
        prefetch_line_avx512(y + 96);
        __m512 y6 = _mm512_maskz_loadu_ps(m6, y + 96);
        prefetch_line_avx512(y + 112);
        __m512 y7 = _mm512_maskz_loadu_ps(m7, y + 112);
        __m512 xy0 = _mm512_mul_ps(x0, y0);
        __m512 yy0 = _mm512_mul_ps(y0, y0);
        __m512 xy1 = _mm512_mul_ps(x1, y1);
        __m512 yy1 = _mm512_mul_ps(y1, y1);
        __m512 xy2 = _mm512_mul_ps(x2, y2);
        __m512 yy2 = _mm512_mul_ps(y2, y2);
        __m512 xy3 = _mm512_mul_ps(x3, y3);
        __m512 yy3 = _mm512_mul_ps(y3, y3);
        xy0 = _mm512_fmadd_ps(x4, y4, xy0);
        yy0 = _mm512_fmadd_ps(y4, y4, yy0);
        xy1 = _mm512_fmadd_ps(x5, y5, xy1);
        yy1 = _mm512_fmadd_ps(y5, y5, yy1);
        xy2 = _mm512_fmadd_ps(x6, y6, xy2);
        yy2 = _mm512_fmadd_ps(y6, y6, yy2);
        xy3 = _mm512_fmadd_ps(x7, y7, xy3);
        yy3 = _mm512_fmadd_ps(y7, y7, yy3);
        xy[r] = simd_fold64x16(xy0, xy1, xy2, xy3);
        yy[r] = simd_fold64x16(yy0, yy1, yy2, yy3);
    }
    for (size_t r = rows; r < GROUP; r++)
        xy[r] = yy[r] = _mm512_setzero_ps();
}

/* ---- Rows of at most 64 floats against one x, which stays in registers ----------------------- */

/* No chain: four products a row, and the trees, all of them summed in registers. Loads are masked:
 * from L2 the same loop comes to 62 bytes a clock with masks, to 40 without. From memory hardware
 * does not prefetch for them: of 41 GB/s they reach 20, with software prefetch 34. So whole blocks
 * of more than QUERY_NEAR_BYTES together go the general way, two streams at a time without
 * masks. */

/* By the lines that are read: what lies between rows is not. */
static inline bool rows_are_far(size_t n, size_t d)
{
    return n > QUERY_NEAR_BYTES / sizeof(float) / size_round_up(size_max(d, 1), 16);
}

static inline bool rows_are_one_block(size_t n, size_t d)
{
    return d < 64 || (d == 64 && !rows_are_far(n, d));
}

/* Up to 64 floats, 0 beyond, and which of them are there. */
struct block {
    __m512 v[4];
};

struct live_block {
    __mmask16 m[4];
};

static inline struct live_block live_block_avx512(size_t d)
{
    return (struct live_block){
        {live_avx512(d, 0), live_avx512(d, 16), live_avx512(d, 32), live_avx512(d, 48)}};
}

static inline struct block load_block_avx512(struct live_block live, const float *y)
{
    return (struct block){
        {_mm512_maskz_loadu_ps(live.m[0], y), _mm512_maskz_loadu_ps(live.m[1], y + 16),
         _mm512_maskz_loadu_ps(live.m[2], y + 32), _mm512_maskz_loadu_ps(live.m[3], y + 48)}};
}

static inline __m512 dot_block_avx512(struct block x, struct block y)
{
    return simd_fold64x16(_mm512_mul_ps(x.v[0], y.v[0]), _mm512_mul_ps(x.v[1], y.v[1]),
                          _mm512_mul_ps(x.v[2], y.v[2]), _mm512_mul_ps(x.v[3], y.v[3]));
}

static inline __m512 sq_l2_block_avx512(struct block x, struct block y)
{
    struct block e = {{_mm512_sub_ps(x.v[0], y.v[0]), _mm512_sub_ps(x.v[1], y.v[1]),
                       _mm512_sub_ps(x.v[2], y.v[2]), _mm512_sub_ps(x.v[3], y.v[3])}};
    return dot_block_avx512(e, e);
}

/* Sums of 4 rows, 16 -> 4 lanes each, as blocks. */
static inline __m512 join_four_avx512(__m512 a, __m512 b, __m512 c, __m512 e)
{
    return join8_avx512(join16_avx512(a, b), join16_avx512(c, e));
}

/* Row 4 i + r is block r of fours[i], 4 -> 1 lane each: element of its own number. */
static inline __m512 sum_fours_avx512(const __m512 fours[4])
{
    __m512 t = join2_avx512(join4_avx512(fours[0], fours[1]), join4_avx512(fours[2], fours[3]));
    const __m512i by_row = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    return _mm512_add_ps(_mm512_permutexvar_ps(by_row, t), _mm512_setzero_ps());
}

/* Rows of one block, and x. */
struct block_rows {
    struct live_block live;
    struct block x;
    size_t ldy;
    bool fetched; /* ahead: rows from memory that stand close, so that what is PREFETCH on is one */
};

static inline struct block_rows block_rows_avx512(size_t n, size_t d, const float *x, size_t ldy)
{
    struct live_block live = live_block_avx512(d);
    return (struct block_rows){live, load_block_avx512(live, x), ldy,
                               rows_are_far(n, d) && ldy <= PREFETCH / sizeof(float) / 4};
}

/* Up to GROUP rows from row first on, element r of the result that of row first + r; *squares =
 * |y|^2, unless NULL. Behind the last row comes the last row again. */
__attribute__((always_inline)) static inline __m512
sum_some_blocks_avx512(__m512 (*of_row)(struct block x, struct block y), const struct block_rows *b,
                       const float *y, size_t rows, bool fetched, __m512 *squares)
{
    __m512 fours[4], square_fours[4];
    for (size_t i = 0; i < 4; i++)
        fours[i] = square_fours[i] = _mm512_setzero_ps();
    for (size_t i = 0; 4 * i < rows; i++, y += 4 * b->ldy) {
        size_t last = rows - 1 - 4 * i;
        const float *row[4];
        struct block block[4];
        for (size_t r = 0; r < 4; r++) {
            row[r] = y + (last < r ? last : r) * b->ldy;
            block[r] = load_block_avx512(b->live, row[r]);
        }
        if (fetched) {
            for (size_t r = 0; r < 4; r++)
                for (size_t k = 0; k < 64; k += 16)
                    prefetch_line_avx512(row[r] + k);
        }
        fours[i] = join_four_avx512(of_row(b->x, block[0]), of_row(b->x, block[1]),
                                    of_row(b->x, block[2]), of_row(b->x, block[3]));
        if (squares != NULL)
            square_fours[i] = join_four_avx512(
                dot_block_avx512(block[0], block[0]), dot_block_avx512(block[1], block[1]),
                dot_block_avx512(block[2], block[2]), dot_block_avx512(block[3], block[3]));
    }
    if (squares != NULL)
        *squares = sum_fours_avx512(square_fours);
    return sum_fours_avx512(fours);
}

__attribute__((always_inline)) static inline __m512
sum_blocks_avx512(__m512 (*of_row)(struct block x, struct block y), const struct block_rows *b,
                  const float *y, size_t rows, __m512 *squares)
{
    if (rows == GROUP && !b->fetched) /* the same, without branches */
        return sum_some_blocks_avx512(of_row, b, y, GROUP, false, squares);
    return sum_some_blocks_avx512(of_row, b, y, rows, b->fetched, squares);
}

#endif
