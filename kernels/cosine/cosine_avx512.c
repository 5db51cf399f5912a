/* cosine_avx512.c - pair, query and row norms on __m512.
 * SPDX-License-Identifier: MIT
 *
 * The 64 canonical lanes of a sum are 4 zmm; a block of 64 floats of a row is 4 loads.
 *
 *                registers                       a block of 64 floats   bound on Zen 5
 *   pair dot     4 sums, 4 x                     8 loads, 4 FMA         2 loads a clock
 *   pair cosine  12 sums (xy, xx, yy), x, y      8 loads, 12 FMA        2 FMA a clock
 *   query dot    4 sums, 4 x                     8 loads, 4 FMA         L2, L3 or memory
 *   query cosine 8 sums (xy, yy), y              8 loads, 8 FMA         2 FMA, 64 bytes a clock
 *   65..128      the same and 8 x                4 loads                the same; the trees
 *
 * Pair. From d = 512 on the table's bound is what one sees (92 % of the FMA rate at 768). Below,
 * calls overlap as far as the reorder buffer reaches (448 instructions): what counts is how few
 * instructions a call has and how short its last chain is (three trees, square root, division: 60
 * of 85 clocks). So the three trees are summed together, and the first block multiplies instead of
 * adding to zeros.
 *
 * Query. One gallery row after the other, from one place in the code, so that the prefetchers of
 * the machine see one stream. Tried: 2 and 4 rows at once, which load x once for all of them; from
 * L1 that is 1.4 times as fast, but from L2, where a gallery is at best, rows of 512 floats and
 * more came with half the bandwidth (120 against 220 GB/s), and so they did for two copies of the
 * code one after the other. Software prefetch gives 10 to 20 % from L2 and L3. Every row leaves 16
 * partial sums, and the trees of 16 rows are summed together (sum_rows_avx512): 15 adds and 30
 * shuffles in place of 4 adds and 3 shuffles a row, each waiting for the one before.
 *
 * Tails are masked loads. Other ISAs: AVX2 and NEON have no registers for three sums of 64 lanes
 * and take them in two passes, nor for an x that stays.
 */
#include "cosine.h"
#include "norm.h"

#include "../simd/avx512.h"

/* Rows whose trees are summed together: one vector of results. */
enum { GROUP = 16 };

/* How far ahead a query prefetches, in bytes. From 1024 to 8192 little changes. */
enum { PREFETCH = 2048 };

/* The first min(d, 16) elements, zeros after them; d > 0. */
static inline __m512 load_tail_avx512(const float *p, size_t d)
{
    return simd_load_first(p, d < 16 ? d : 16);
}

/* A load that stays one load: gcc 12 would read memory again for every use of the value, and two
 * loads a clock is what there is. */
static inline __m512 load_once_avx512(const float *p)
{
    __m512 v = _mm512_loadu_ps(p);
    __asm__("" : "+v"(v));
    return v;
}

/* Prefetches the line that is ahead bytes on; 0: none. The address may lie behind the array: a
 * prefetch of nothing does nothing. One with every load, not four at once: a burst holds up the
 * loads behind it (clang keeps the order). always_inline because gcc 12 takes a function that only
 * prefetches for one without effect and drops the calls. */
__attribute__((always_inline)) static inline void prefetch_line_avx512(const float *p, size_t ahead)
{
    if (ahead != 0)
        _mm_prefetch((const char *)((uintptr_t)p + ahead), _MM_HINT_T0);
}

/* First two levels of the tree, 64 -> 16 lanes. */
static inline __m512 fold_avx512(__m512 s0, __m512 s1, __m512 s2, __m512 s3)
{
    return _mm512_add_ps(_mm512_add_ps(s0, s2), _mm512_add_ps(s1, s3));
}

/* The rest of the tree for one row, 16 -> 1. */
static inline float sum16_avx512(__m512 s)
{
    __m256 h = _mm256_add_ps(_mm512_castps512_ps256(s), _mm512_extractf32x8_ps(s, 1));
    __m128 q = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    q = _mm_add_ps(q, _mm_movehl_ps(q, q));     /* 0+2 1+3 */
    q = _mm_add_ss(q, _mm_shuffle_ps(q, q, 1)); /* 0+1 */
    return _mm_cvtss_f32(_mm_add_ss(q, _mm_setzero_ps()));
}

/* ---- Sums of one row, 16 lanes ------------------------------------------------------------- */

/* x.y; ahead 0: no prefetch. */
static inline __m512 dot_row_avx512(size_t d, const float *x, const float *y, size_t ahead)
{
    __m512 s0 = _mm512_setzero_ps();
    __m512 s1 = _mm512_setzero_ps();
    __m512 s2 = _mm512_setzero_ps();
    __m512 s3 = _mm512_setzero_ps();
    size_t k = 0;
    for (; k + 64 <= d; k += 64) {
        prefetch_line_avx512(y + k, ahead);
        s0 = _mm512_fmadd_ps(_mm512_loadu_ps(x + k), _mm512_loadu_ps(y + k), s0);
        prefetch_line_avx512(y + k + 16, ahead);
        s1 = _mm512_fmadd_ps(_mm512_loadu_ps(x + k + 16), _mm512_loadu_ps(y + k + 16), s1);
        prefetch_line_avx512(y + k + 32, ahead);
        s2 = _mm512_fmadd_ps(_mm512_loadu_ps(x + k + 32), _mm512_loadu_ps(y + k + 32), s2);
        prefetch_line_avx512(y + k + 48, ahead);
        s3 = _mm512_fmadd_ps(_mm512_loadu_ps(x + k + 48), _mm512_loadu_ps(y + k + 48), s3);
    }
    if (d - k > 0) {
        prefetch_line_avx512(y + k, ahead);
        prefetch_line_avx512(y + k + 16, ahead);
        prefetch_line_avx512(y + k + 32, ahead);
        prefetch_line_avx512(y + k + 48, ahead);
        s0 = _mm512_fmadd_ps(load_tail_avx512(x + k, d - k), load_tail_avx512(y + k, d - k), s0);
        if (d - k > 16) {
            s1 = _mm512_fmadd_ps(load_tail_avx512(x + k + 16, d - k - 16),
                                 load_tail_avx512(y + k + 16, d - k - 16), s1);
        }
        if (d - k > 32) {
            s2 = _mm512_fmadd_ps(load_tail_avx512(x + k + 32, d - k - 32),
                                 load_tail_avx512(y + k + 32, d - k - 32), s2);
        }
        if (d - k > 48) {
            s3 = _mm512_fmadd_ps(load_tail_avx512(x + k + 48, d - k - 48),
                                 load_tail_avx512(y + k + 48, d - k - 48), s3);
        }
    }
    return fold_avx512(s0, s1, s2, s3);
}

/* |x - y|^2 */
static inline __m512 sq_l2_row_avx512(size_t d, const float *x, const float *y, size_t ahead)
{
    __m512 s0 = _mm512_setzero_ps();
    __m512 s1 = _mm512_setzero_ps();
    __m512 s2 = _mm512_setzero_ps();
    __m512 s3 = _mm512_setzero_ps();
    size_t k = 0;
    for (; k + 64 <= d; k += 64) {
        prefetch_line_avx512(y + k, ahead);
        __m512 d0 = _mm512_sub_ps(_mm512_loadu_ps(x + k), _mm512_loadu_ps(y + k));
        s0 = _mm512_fmadd_ps(d0, d0, s0);
        prefetch_line_avx512(y + k + 16, ahead);
        __m512 d1 = _mm512_sub_ps(_mm512_loadu_ps(x + k + 16), _mm512_loadu_ps(y + k + 16));
        s1 = _mm512_fmadd_ps(d1, d1, s1);
        prefetch_line_avx512(y + k + 32, ahead);
        __m512 d2 = _mm512_sub_ps(_mm512_loadu_ps(x + k + 32), _mm512_loadu_ps(y + k + 32));
        s2 = _mm512_fmadd_ps(d2, d2, s2);
        prefetch_line_avx512(y + k + 48, ahead);
        __m512 d3 = _mm512_sub_ps(_mm512_loadu_ps(x + k + 48), _mm512_loadu_ps(y + k + 48));
        s3 = _mm512_fmadd_ps(d3, d3, s3);
    }
    if (d - k > 0) {
        prefetch_line_avx512(y + k, ahead);
        prefetch_line_avx512(y + k + 16, ahead);
        prefetch_line_avx512(y + k + 32, ahead);
        prefetch_line_avx512(y + k + 48, ahead);
        __m512 dv0 = _mm512_sub_ps(load_tail_avx512(x + k, d - k), load_tail_avx512(y + k, d - k));
        s0 = _mm512_fmadd_ps(dv0, dv0, s0);
        if (d - k > 16) {
            __m512 dv1 = _mm512_sub_ps(load_tail_avx512(x + k + 16, d - k - 16),
                                       load_tail_avx512(y + k + 16, d - k - 16));
            s1 = _mm512_fmadd_ps(dv1, dv1, s1);
        }
        if (d - k > 32) {
            __m512 dv2 = _mm512_sub_ps(load_tail_avx512(x + k + 32, d - k - 32),
                                       load_tail_avx512(y + k + 32, d - k - 32));
            s2 = _mm512_fmadd_ps(dv2, dv2, s2);
        }
        if (d - k > 48) {
            __m512 dv3 = _mm512_sub_ps(load_tail_avx512(x + k + 48, d - k - 48),
                                       load_tail_avx512(y + k + 48, d - k - 48));
            s3 = _mm512_fmadd_ps(dv3, dv3, s3);
        }
    }
    return fold_avx512(s0, s1, s2, s3);
}

/* x.y and |y|^2; returns x.y. */
static inline __m512 cosine_row_avx512(size_t d, const float *x, const float *y, size_t ahead,
                                       __m512 *yy)
{
    __m512 xy0 = _mm512_setzero_ps();
    __m512 xy1 = _mm512_setzero_ps();
    __m512 xy2 = _mm512_setzero_ps();
    __m512 xy3 = _mm512_setzero_ps();
    __m512 yy0 = _mm512_setzero_ps();
    __m512 yy1 = _mm512_setzero_ps();
    __m512 yy2 = _mm512_setzero_ps();
    __m512 yy3 = _mm512_setzero_ps();
    size_t k = 0;
    for (; k + 64 <= d; k += 64) {
        prefetch_line_avx512(y + k, ahead);
        __m512 y0 = load_once_avx512(y + k);
        xy0 = _mm512_fmadd_ps(_mm512_loadu_ps(x + k), y0, xy0);
        yy0 = _mm512_fmadd_ps(y0, y0, yy0);
        prefetch_line_avx512(y + k + 16, ahead);
        __m512 y1 = load_once_avx512(y + k + 16);
        xy1 = _mm512_fmadd_ps(_mm512_loadu_ps(x + k + 16), y1, xy1);
        yy1 = _mm512_fmadd_ps(y1, y1, yy1);
        prefetch_line_avx512(y + k + 32, ahead);
        __m512 y2 = load_once_avx512(y + k + 32);
        xy2 = _mm512_fmadd_ps(_mm512_loadu_ps(x + k + 32), y2, xy2);
        yy2 = _mm512_fmadd_ps(y2, y2, yy2);
        prefetch_line_avx512(y + k + 48, ahead);
        __m512 y3 = load_once_avx512(y + k + 48);
        xy3 = _mm512_fmadd_ps(_mm512_loadu_ps(x + k + 48), y3, xy3);
        yy3 = _mm512_fmadd_ps(y3, y3, yy3);
    }
    if (d - k > 0) {
        prefetch_line_avx512(y + k, ahead);
        prefetch_line_avx512(y + k + 16, ahead);
        prefetch_line_avx512(y + k + 32, ahead);
        prefetch_line_avx512(y + k + 48, ahead);
        __m512 yv0 = load_tail_avx512(y + k, d - k);
        xy0 = _mm512_fmadd_ps(load_tail_avx512(x + k, d - k), yv0, xy0);
        yy0 = _mm512_fmadd_ps(yv0, yv0, yy0);
        if (d - k > 16) {
            __m512 yv1 = load_tail_avx512(y + k + 16, d - k - 16);
            xy1 = _mm512_fmadd_ps(load_tail_avx512(x + k + 16, d - k - 16), yv1, xy1);
            yy1 = _mm512_fmadd_ps(yv1, yv1, yy1);
        }
        if (d - k > 32) {
            __m512 yv2 = load_tail_avx512(y + k + 32, d - k - 32);
            xy2 = _mm512_fmadd_ps(load_tail_avx512(x + k + 32, d - k - 32), yv2, xy2);
            yy2 = _mm512_fmadd_ps(yv2, yv2, yy2);
        }
        if (d - k > 48) {
            __m512 yv3 = load_tail_avx512(y + k + 48, d - k - 48);
            xy3 = _mm512_fmadd_ps(load_tail_avx512(x + k + 48, d - k - 48), yv3, xy3);
            yy3 = _mm512_fmadd_ps(yv3, yv3, yy3);
        }
    }
    *yy = fold_avx512(yy0, yy1, yy2, yy3);
    return fold_avx512(xy0, xy1, xy2, xy3);
}

/* ---- Rows of 65 to 128 floats against one x, which stays in registers ----------------------- */

/* No loop over blocks and no branch for the tail, which is where the time of such short rows goes.
 * A mask may be empty, a masked load does not fault. */

/* Which of the 16 elements from first on are there. */
static inline __mmask16 live_avx512(size_t d, size_t first)
{
    size_t count = d > first ? d - first : 0;
    return simd_first(count < 16 ? count : 16);
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
        prefetch_line_avx512(y, PREFETCH);
        __m512 s0 = _mm512_mul_ps(x0, _mm512_loadu_ps(y));
        prefetch_line_avx512(y + 16, PREFETCH);
        __m512 s1 = _mm512_mul_ps(x1, _mm512_loadu_ps(y + 16));
        prefetch_line_avx512(y + 32, PREFETCH);
        __m512 s2 = _mm512_mul_ps(x2, _mm512_loadu_ps(y + 32));
        prefetch_line_avx512(y + 48, PREFETCH);
        __m512 s3 = _mm512_mul_ps(x3, _mm512_loadu_ps(y + 48));
        prefetch_line_avx512(y + 64, PREFETCH);
        s0 = _mm512_fmadd_ps(x4, _mm512_maskz_loadu_ps(m4, y + 64), s0);
        prefetch_line_avx512(y + 80, PREFETCH);
        s1 = _mm512_fmadd_ps(x5, _mm512_maskz_loadu_ps(m5, y + 80), s1);
        prefetch_line_avx512(y + 96, PREFETCH);
        s2 = _mm512_fmadd_ps(x6, _mm512_maskz_loadu_ps(m6, y + 96), s2);
        prefetch_line_avx512(y + 112, PREFETCH);
        s3 = _mm512_fmadd_ps(x7, _mm512_maskz_loadu_ps(m7, y + 112), s3);
        s[r] = fold_avx512(s0, s1, s2, s3);
    }
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
        prefetch_line_avx512(y, PREFETCH);
        __m512 d0 = _mm512_sub_ps(x0, _mm512_loadu_ps(y));
        prefetch_line_avx512(y + 16, PREFETCH);
        __m512 d1 = _mm512_sub_ps(x1, _mm512_loadu_ps(y + 16));
        prefetch_line_avx512(y + 32, PREFETCH);
        __m512 d2 = _mm512_sub_ps(x2, _mm512_loadu_ps(y + 32));
        prefetch_line_avx512(y + 48, PREFETCH);
        __m512 d3 = _mm512_sub_ps(x3, _mm512_loadu_ps(y + 48));
        prefetch_line_avx512(y + 64, PREFETCH);
        __m512 d4 = _mm512_sub_ps(x4, _mm512_maskz_loadu_ps(m4, y + 64));
        prefetch_line_avx512(y + 80, PREFETCH);
        __m512 d5 = _mm512_sub_ps(x5, _mm512_maskz_loadu_ps(m5, y + 80));
        prefetch_line_avx512(y + 96, PREFETCH);
        __m512 d6 = _mm512_sub_ps(x6, _mm512_maskz_loadu_ps(m6, y + 96));
        prefetch_line_avx512(y + 112, PREFETCH);
        __m512 d7 = _mm512_sub_ps(x7, _mm512_maskz_loadu_ps(m7, y + 112));
        __m512 s0 = _mm512_mul_ps(d0, d0);
        __m512 s1 = _mm512_mul_ps(d1, d1);
        __m512 s2 = _mm512_mul_ps(d2, d2);
        __m512 s3 = _mm512_mul_ps(d3, d3);
        s0 = _mm512_fmadd_ps(d4, d4, s0);
        s1 = _mm512_fmadd_ps(d5, d5, s1);
        s2 = _mm512_fmadd_ps(d6, d6, s2);
        s3 = _mm512_fmadd_ps(d7, d7, s3);
        s[r] = fold_avx512(s0, s1, s2, s3);
    }
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
        prefetch_line_avx512(y, PREFETCH);
        __m512 y0 = load_once_avx512(y);
        prefetch_line_avx512(y + 16, PREFETCH);
        __m512 y1 = load_once_avx512(y + 16);
        prefetch_line_avx512(y + 32, PREFETCH);
        __m512 y2 = load_once_avx512(y + 32);
        prefetch_line_avx512(y + 48, PREFETCH);
        __m512 y3 = load_once_avx512(y + 48);
        prefetch_line_avx512(y + 64, PREFETCH);
        __m512 y4 = _mm512_maskz_loadu_ps(m4, y + 64);
        prefetch_line_avx512(y + 80, PREFETCH);
        __m512 y5 = _mm512_maskz_loadu_ps(m5, y + 80);
        prefetch_line_avx512(y + 96, PREFETCH);
        __m512 y6 = _mm512_maskz_loadu_ps(m6, y + 96);
        prefetch_line_avx512(y + 112, PREFETCH);
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
        xy[r] = fold_avx512(xy0, xy1, xy2, xy3);
        yy[r] = fold_avx512(yy0, yy1, yy2, yy3);
    }
}

/* ---- Pair ---------------------------------------------------------------------------------- */

static float pair_dot_avx512(size_t d, const float *x, const float *y)
{
    return simd_canonical_nan(sum16_avx512(dot_row_avx512(d, x, y, 0)));
}

static float pair_neg_sq_l2_avx512(size_t d, const float *x, const float *y)
{
    return simd_canonical_nan(0.0f - sum16_avx512(sq_l2_row_avx512(d, x, y, 0)));
}

/* Greatest magnitude of a row, as bits: NORM_INFINITY or more where a NaN or Inf is. */
static uint32_t greatest_avx512(size_t d, const float *x)
{
    const __m512i magnitude = _mm512_set1_epi32(NORM_MAGNITUDE);
    __m512i greatest = _mm512_setzero_si512();
    for (; d > 0; d -= d < 16 ? d : 16, x += 16) {
        __m512i bits = _mm512_castps_si512(load_tail_avx512(x, d));
        greatest = _mm512_max_epu32(greatest, _mm512_and_si512(bits, magnitude));
    }
    return _mm512_reduce_max_epu32(greatest);
}

/* sum (x_k px)(y_k py) */
static float scaled_dot_avx512(size_t d, const float *x, float px, const float *y, float py)
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
        __m512 xv = _mm512_mul_ps(load_tail_avx512(x, d), pxv);
        __m512 yv = _mm512_mul_ps(load_tail_avx512(y, d), pyv);
        s0 = _mm512_fmadd_ps(xv, yv, s0);
    }
    if (d > 16) {
        __m512 xv = _mm512_mul_ps(load_tail_avx512(x + 16, d - 16), pxv);
        __m512 yv = _mm512_mul_ps(load_tail_avx512(y + 16, d - 16), pyv);
        s1 = _mm512_fmadd_ps(xv, yv, s1);
    }
    if (d > 32) {
        __m512 xv = _mm512_mul_ps(load_tail_avx512(x + 32, d - 32), pxv);
        __m512 yv = _mm512_mul_ps(load_tail_avx512(y + 32, d - 32), pyv);
        s2 = _mm512_fmadd_ps(xv, yv, s2);
    }
    if (d > 48) {
        __m512 xv = _mm512_mul_ps(load_tail_avx512(x + 48, d - 48), pxv);
        __m512 yv = _mm512_mul_ps(load_tail_avx512(y + 48, d - 48), pyv);
        s3 = _mm512_fmadd_ps(xv, yv, s3);
    }
    return simd_sum64x16(s0, s1, s2, s3);
}

/* Cosine where a square sum leaves the safe range: zero rows, NaN, Inf, very small, very great. Out
 * of line, so that the ordinary path stays one straight piece of code. */
__attribute__((noinline)) static float scaled_cosine_avx512(size_t d, const float *x,
                                                            const float *y)
{
    uint32_t greatest_x = greatest_avx512(d, x);
    uint32_t greatest_y = greatest_avx512(d, y);
    if (greatest_x >= NORM_INFINITY || greatest_y >= NORM_INFINITY)
        return simd_canonical_nan(NAN);
    if (greatest_x == 0 || greatest_y == 0)
        return 0.0f;
    float px = norm_power(greatest_x);
    float py = norm_power(greatest_y);
    float xy = scaled_dot_avx512(d, x, px, y, py);
    float xx = scaled_dot_avx512(d, x, px, x, px);
    float yy = scaled_dot_avx512(d, y, py, y, py);
    return xy / (sqrtf(xx) * sqrtf(yy));
}

static float pair_cosine_avx512(size_t d, const float *x, const float *y)
{
    __m512 xy0, xy1, xy2, xy3;
    __m512 xx0, xx1, xx2, xx3;
    __m512 yy0, yy1, yy2, yy3;
    size_t k = 0;
    if (d >= 64) {
        /* The first block multiplies: 12 instructions less than zeros to add to. */
        __m512 x0 = load_once_avx512(x);
        __m512 y0 = load_once_avx512(y);
        xy0 = _mm512_mul_ps(x0, y0);
        xx0 = _mm512_mul_ps(x0, x0);
        yy0 = _mm512_mul_ps(y0, y0);
        __m512 x1 = load_once_avx512(x + 16);
        __m512 y1 = load_once_avx512(y + 16);
        xy1 = _mm512_mul_ps(x1, y1);
        xx1 = _mm512_mul_ps(x1, x1);
        yy1 = _mm512_mul_ps(y1, y1);
        __m512 x2 = load_once_avx512(x + 32);
        __m512 y2 = load_once_avx512(y + 32);
        xy2 = _mm512_mul_ps(x2, y2);
        xx2 = _mm512_mul_ps(x2, x2);
        yy2 = _mm512_mul_ps(y2, y2);
        __m512 x3 = load_once_avx512(x + 48);
        __m512 y3 = load_once_avx512(y + 48);
        xy3 = _mm512_mul_ps(x3, y3);
        xx3 = _mm512_mul_ps(x3, x3);
        yy3 = _mm512_mul_ps(y3, y3);
        k = 64;
    } else {
        xy0 = xy1 = xy2 = xy3 = _mm512_setzero_ps();
        xx0 = xx1 = xx2 = xx3 = _mm512_setzero_ps();
        yy0 = yy1 = yy2 = yy3 = _mm512_setzero_ps();
    }
    for (; k + 64 <= d; k += 64) {
        __m512 x0 = load_once_avx512(x + k);
        __m512 y0 = load_once_avx512(y + k);
        xy0 = _mm512_fmadd_ps(x0, y0, xy0);
        xx0 = _mm512_fmadd_ps(x0, x0, xx0);
        yy0 = _mm512_fmadd_ps(y0, y0, yy0);
        __m512 x1 = load_once_avx512(x + k + 16);
        __m512 y1 = load_once_avx512(y + k + 16);
        xy1 = _mm512_fmadd_ps(x1, y1, xy1);
        xx1 = _mm512_fmadd_ps(x1, x1, xx1);
        yy1 = _mm512_fmadd_ps(y1, y1, yy1);
        __m512 x2 = load_once_avx512(x + k + 32);
        __m512 y2 = load_once_avx512(y + k + 32);
        xy2 = _mm512_fmadd_ps(x2, y2, xy2);
        xx2 = _mm512_fmadd_ps(x2, x2, xx2);
        yy2 = _mm512_fmadd_ps(y2, y2, yy2);
        __m512 x3 = load_once_avx512(x + k + 48);
        __m512 y3 = load_once_avx512(y + k + 48);
        xy3 = _mm512_fmadd_ps(x3, y3, xy3);
        xx3 = _mm512_fmadd_ps(x3, x3, xx3);
        yy3 = _mm512_fmadd_ps(y3, y3, yy3);
    }
    if (d - k > 0) {
        __m512 xv = load_tail_avx512(x + k, d - k);
        __m512 yv = load_tail_avx512(y + k, d - k);
        xy0 = _mm512_fmadd_ps(xv, yv, xy0);
        xx0 = _mm512_fmadd_ps(xv, xv, xx0);
        yy0 = _mm512_fmadd_ps(yv, yv, yy0);
    }
    if (d - k > 16) {
        __m512 xv = load_tail_avx512(x + k + 16, d - k - 16);
        __m512 yv = load_tail_avx512(y + k + 16, d - k - 16);
        xy1 = _mm512_fmadd_ps(xv, yv, xy1);
        xx1 = _mm512_fmadd_ps(xv, xv, xx1);
        yy1 = _mm512_fmadd_ps(yv, yv, yy1);
    }
    if (d - k > 32) {
        __m512 xv = load_tail_avx512(x + k + 32, d - k - 32);
        __m512 yv = load_tail_avx512(y + k + 32, d - k - 32);
        xy2 = _mm512_fmadd_ps(xv, yv, xy2);
        xx2 = _mm512_fmadd_ps(xv, xv, xx2);
        yy2 = _mm512_fmadd_ps(yv, yv, yy2);
    }
    if (d - k > 48) {
        __m512 xv = load_tail_avx512(x + k + 48, d - k - 48);
        __m512 yv = load_tail_avx512(y + k + 48, d - k - 48);
        xy3 = _mm512_fmadd_ps(xv, yv, xy3);
        xx3 = _mm512_fmadd_ps(xv, xv, xx3);
        yy3 = _mm512_fmadd_ps(yv, yv, yy3);
    }

    /* The three trees together. 16 lanes of each sum: */
    __m512 xy = _mm512_add_ps(_mm512_add_ps(xy0, xy2), _mm512_add_ps(xy1, xy3));
    __m512 xx = _mm512_add_ps(_mm512_add_ps(xx0, xx2), _mm512_add_ps(xx1, xx3));
    __m512 yy = _mm512_add_ps(_mm512_add_ps(yy0, yy2), _mm512_add_ps(yy1, yy3));
    /* 8 lanes, as blocks of 4: xx xx yy yy, and xy xy - - */
    __m512 squares = _mm512_add_ps(_mm512_shuffle_f32x4(xx, yy, _MM_SHUFFLE(1, 0, 1, 0)),
                                   _mm512_shuffle_f32x4(xx, yy, _MM_SHUFFLE(3, 2, 3, 2)));
    __m512 product = _mm512_add_ps(xy, _mm512_shuffle_f32x4(xy, xy, _MM_SHUFFLE(3, 2, 3, 2)));
    /* 4 lanes: xx yy xy xy */
    __m512 t = _mm512_add_ps(_mm512_shuffle_f32x4(squares, product, _MM_SHUFFLE(0, 0, 2, 0)),
                             _mm512_shuffle_f32x4(squares, product, _MM_SHUFFLE(1, 1, 3, 1)));
    t = _mm512_add_ps(t, _mm512_permute_ps(t, _MM_SHUFFLE(1, 0, 3, 2)));
    t = _mm512_add_ps(t, _mm512_permute_ps(t, _MM_SHUFFLE(2, 3, 0, 1)));
    float sum_xx = _mm512_cvtss_f32(t);
    float sum_yy = _mm_cvtss_f32(_mm512_extractf32x4_ps(t, 1));
    float sum_xy = _mm_cvtss_f32(_mm512_extractf32x4_ps(t, 2));
    if (__builtin_expect(!(norm_is_safe(sum_xx) && norm_is_safe(sum_yy)), 0))
        return scaled_cosine_avx512(d, x, y);
    return (sum_xy + 0.0f) / sqrtf(sum_xx * sum_yy);
}

/* ---- Query --------------------------------------------------------------------------------- */

/* Rows a and b, 16 -> 8 lanes each: blocks of 4 lanes a a b b. */
static inline __m512 join16_avx512(__m512 a, __m512 b)
{
    return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, _MM_SHUFFLE(1, 0, 1, 0)),
                         _mm512_shuffle_f32x4(a, b, _MM_SHUFFLE(3, 2, 3, 2)));
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

/* The trees of 16 rows from 16 lanes each. Element 4 block + place of the result is that row. */
static inline __m512 sum_rows_avx512(const __m512 s[GROUP])
{
    __m512 place0 = join8_avx512(join16_avx512(s[0], s[4]), join16_avx512(s[8], s[12]));
    __m512 place1 = join8_avx512(join16_avx512(s[1], s[5]), join16_avx512(s[9], s[13]));
    __m512 place2 = join8_avx512(join16_avx512(s[2], s[6]), join16_avx512(s[10], s[14]));
    __m512 place3 = join8_avx512(join16_avx512(s[3], s[7]), join16_avx512(s[11], s[15]));
    __m512 t = join2_avx512(join4_avx512(place0, place1), join4_avx512(place2, place3));
    return _mm512_add_ps(t, _mm512_setzero_ps());
}

static void query_dot_avx512(size_t n, size_t d, const float *x, const float *y, size_t ldy,
                             float *result)
{
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, result += rows) {
        rows = n < GROUP ? n : GROUP;
        __m512 s[GROUP];
        if (d > 64 && d <= 128)
            dot_short_rows_avx512(rows, d, x, y, ldy, s);
        else
            for (size_t r = 0; r < rows; r++)
                s[r] = dot_row_avx512(d, x, y + r * ldy, PREFETCH);
        for (size_t r = rows; r < GROUP; r++)
            s[r] = _mm512_setzero_ps();
        simd_store_first(result, rows, simd_canonical_nan16(sum_rows_avx512(s)));
    }
}

static void squared_norms_avx512(size_t n, size_t d, const float *y, size_t ldy, float *out)
{
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, out += rows) {
        rows = n < GROUP ? n : GROUP;
        __m512 s[GROUP];
        for (size_t r = 0; r < rows; r++)
            s[r] = dot_row_avx512(d, y + r * ldy, y + r * ldy, PREFETCH);
        for (size_t r = rows; r < GROUP; r++)
            s[r] = _mm512_setzero_ps();
        simd_store_first(out, rows, simd_canonical_nan16(sum_rows_avx512(s)));
    }
}

/* The cosines of a group from the sums of its rows; those whose |y|^2 is not safe go the scaled
 * way. */
static inline void store_cosines_avx512(size_t rows, size_t d, const float *x, const float *y,
                                        size_t ldy, __m512 xy, float xx, __m512 yy, float *result)
{
    __m512 length = _mm512_sqrt_ps(_mm512_mul_ps(_mm512_set1_ps(xx), yy));
    simd_store_first(result, rows, _mm512_div_ps(xy, length));
    /* norm_is_safe of 16 rows */
    __m512i above = _mm512_sub_epi32(_mm512_castps_si512(yy), _mm512_set1_epi32(NORM_SAFE_LOWEST));
    unsigned unsafe =
        _mm512_mask_cmpgt_epu32_mask(simd_first(rows), above, _mm512_set1_epi32(NORM_SAFE_SPAN));
    for (; __builtin_expect(unsafe != 0, 0); unsafe &= unsafe - 1) {
        size_t r = (size_t)__builtin_ctz(unsafe);
        result[r] = scaled_cosine_avx512(d, x, y + r * ldy);
    }
}

static void query_cosine_avx512(size_t n, size_t d, const float *x, const float *y, size_t ldy,
                                float *result)
{
    float xx = sum16_avx512(dot_row_avx512(d, x, x, 0));
    if (!norm_is_safe(xx)) {
        for (size_t j = 0; j < n; j++)
            result[j] = scaled_cosine_avx512(d, x, y + j * ldy);
        return;
    }
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, result += rows) {
        rows = n < GROUP ? n : GROUP;
        __m512 xy[GROUP];
        __m512 yy[GROUP];
        if (d > 64 && d <= 128)
            cosine_short_rows_avx512(rows, d, x, y, ldy, xy, yy);
        else
            for (size_t r = 0; r < rows; r++)
                xy[r] = cosine_row_avx512(d, x, y + r * ldy, PREFETCH, &yy[r]);
        for (size_t r = rows; r < GROUP; r++)
            xy[r] = yy[r] = _mm512_setzero_ps();
        store_cosines_avx512(rows, d, x, y, ldy, sum_rows_avx512(xy), xx, sum_rows_avx512(yy),
                             result);
    }
}

static void query_norms_avx512(size_t n, size_t d, const float *x, const float *y, size_t ldy,
                               const float *squared_norms, float *result)
{
    float xx = sum16_avx512(dot_row_avx512(d, x, x, 0));
    if (!norm_is_safe(xx)) {
        for (size_t j = 0; j < n; j++)
            result[j] = scaled_cosine_avx512(d, x, y + j * ldy);
        return;
    }
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, squared_norms += rows, result += rows) {
        rows = n < GROUP ? n : GROUP;
        __m512 xy[GROUP];
        if (d > 64 && d <= 128)
            dot_short_rows_avx512(rows, d, x, y, ldy, xy);
        else
            for (size_t r = 0; r < rows; r++)
                xy[r] = dot_row_avx512(d, x, y + r * ldy, PREFETCH);
        for (size_t r = rows; r < GROUP; r++)
            xy[r] = _mm512_setzero_ps();
        store_cosines_avx512(rows, d, x, y, ldy, sum_rows_avx512(xy), xx,
                             simd_load_first(squared_norms, rows), result);
    }
}

static void query_neg_sq_l2_avx512(size_t n, size_t d, const float *x, const float *y, size_t ldy,
                                   float *result)
{
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, result += rows) {
        rows = n < GROUP ? n : GROUP;
        __m512 s[GROUP];
        if (d > 64 && d <= 128)
            sq_l2_short_rows_avx512(rows, d, x, y, ldy, s);
        else
            for (size_t r = 0; r < rows; r++)
                s[r] = sq_l2_row_avx512(d, x, y + r * ldy, PREFETCH);
        for (size_t r = rows; r < GROUP; r++)
            s[r] = _mm512_setzero_ps();
        simd_store_first(
            result, rows,
            simd_canonical_nan16(_mm512_sub_ps(_mm512_setzero_ps(), sum_rows_avx512(s))));
    }
}

/* ---- Rows ---------------------------------------------------------------------------------- */

static struct row_scale row_scale_avx512(size_t d, const float *x)
{
    float xx = pair_dot_avx512(d, x, x);
    if (norm_is_safe(xx))
        return (struct row_scale){1.0f, 1.0f / sqrtf(xx)};
    uint32_t greatest = greatest_avx512(d, x);
    if (greatest >= NORM_INFINITY)
        return (struct row_scale){1.0f, simd_canonical_nan(NAN)};
    if (greatest == 0)
        return (struct row_scale){1.0f, 0.0f};
    float power = norm_power(greatest);
    return (struct row_scale){power, 1.0f / sqrtf(scaled_dot_avx512(d, x, power, x, power))};
}

static void scale_row_avx512(size_t d, const float *x, struct row_scale scale, float *out)
{
    const __m512 power = _mm512_set1_ps(scale.power);
    const __m512 inverse = _mm512_set1_ps(scale.inverse);
    for (; d >= 16; d -= 16, x += 16, out += 16) {
        __m512 v = _mm512_mul_ps(_mm512_mul_ps(_mm512_loadu_ps(x), power), inverse);
        _mm512_storeu_ps(out, simd_canonical_nan16(v));
    }
    if (d > 0) {
        __m512 v = _mm512_mul_ps(_mm512_mul_ps(simd_load_first(x, d), power), inverse);
        simd_store_first(out, d, simd_canonical_nan16(v));
    }
}

const struct cosine_ops cosine_ops_avx512 = {
    .pair = {[MMK_DOT] = pair_dot_avx512,
             [MMK_COSINE] = pair_cosine_avx512,
             [MMK_NEG_SQ_L2] = pair_neg_sq_l2_avx512},
    .query = {[MMK_DOT] = query_dot_avx512,
              [MMK_COSINE] = query_cosine_avx512,
              [MMK_NEG_SQ_L2] = query_neg_sq_l2_avx512},
    .query_norms = query_norms_avx512,
    .squared_norms = squared_norms_avx512,
    .row_scale = row_scale_avx512,
    .scale_row = scale_row_avx512,
};
