/* bf16_avx2.c - rows of bf16 on __m256i.
 * SPDX-License-Identifier: MIT
 *
 * The even elements of 16 become floats by a shift, the odd ones by a mask, and each half is an
 * FMA of its own. The 64 canonical lanes are 8 ymm, and a vector of 16 elements belongs to one of
 * them. Whether a row is plain takes three operations a vector more; rows that are not are summed
 * again (flushed.h).
 *
 *               registers                              a block of 128 elements
 *   pair dot    8 sums, x, y, least, constants         16 loads, 32 to widen, 48 to look, 16 FMA
 *   pair cos.   2 passes: 12 sums (xy, xx, yy), x, y   16 loads, 32 to widen, 48 to look, 48 FMA
 *   query dot   8 sums, x, y                           16 loads, 32 to widen, 24 to look, 16 FMA
 *   query cos.  2 passes: 8 sums (xy, yy), x, y        16 loads, 32 to widen, 24 to look, 32 FMA
 *
 * Bound by    all four vector ports together on Zen 5; a query by memory.
 *
 * A cosine is taken in two passes over the row, as pair/pair_avx2.c does it and for its reason; the
 * second finds rows of up to 8,192 elements in L1. A tail is whole pairs by vpmaskmovd, which does
 * not fault on what is masked off, and the last element of an odd row beside them. Query rows come
 * one after the other, with software prefetch; the trees of 8 are summed together.
 */
#include "flushed.h"
#include "scaled.h"

#include "../call/size.h"
#include "../simd/trees_avx2.h"

#include <stdbool.h>

#define BF16_INLINE static inline __attribute__((always_inline))

/* Rows whose trees are summed together: one vector of results. */
enum { GROUP = 8 };

BF16_INLINE __m256 even(__m256i v)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(v, 16));
}

BF16_INLINE __m256 odd(__m256i v)
{
    return _mm256_castsi256_ps(_mm256_and_si256(v, _mm256_set1_epi32((int)0xffff0000u)));
}

/* Elements 16 i on of a block of which `left` are there, zeros for what is not; whole: all are.
 * One load, as simd_load_once: gcc 12 would read memory again for every use of the value. */
BF16_INLINE __m256i load(bool whole, size_t left, size_t i, const uint16_t *p)
{
    if (whole || left >= 16 * (i + 1)) {
        __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(p + 16 * i));
        __asm__("" : "+x"(v));
        return v;
    }
    if (left <= 16 * i)
        return _mm256_setzero_si256();
    size_t there = left - 16 * i, pairs = there / 2;
    __m256i mask = simd_first(pairs);
    __m256i v = _mm256_maskload_epi32((const int *)(const void *)(p + 16 * i), mask);
    if (there % 2 == 0)
        return v;
    __m256i last = _mm256_andnot_si256(mask, simd_first(pairs + 1));
    return _mm256_or_si256(v, _mm256_and_si256(last, _mm256_set1_epi32(p[16 * i + there - 1])));
}

/* The lanes with two more products each. */
BF16_INLINE __m256 add(__m256 lanes, __m256i x, __m256i y)
{
    return _mm256_fmadd_ps(even(x), even(y), _mm256_fmadd_ps(odd(x), odd(y), lanes));
}

/* 2 |v| - 1, */
BF16_INLINE __m256i size(__m256i v)
{
    return _mm256_sub_epi16(_mm256_add_epi16(v, v), _mm256_set1_epi16(1));
}

/* the least of it, where the chain waits for one of the two only, */
BF16_INLINE __m256i least_of(__m256i least, __m256i v)
{
    return _mm256_min_epu16(least, size(v));
}

BF16_INLINE __m256i least_of_two(__m256i least, __m256i u, __m256i v)
{
    return _mm256_min_epu16(least, _mm256_min_epu16(size(u), size(v)));
}

/* and whether rows with that are not plain. */

BF16_INLINE bool is_rare(__m256i least)
{
    const __m256i plain = _mm256_set1_epi16((short)BF16_PLAIN_LEAST);
    __m256i enough = _mm256_cmpeq_epi16(_mm256_min_epu16(least, plain), plain);
    return _mm256_movemask_epi8(enough) != -1;
}

static bool row_is_rare(size_t d, const uint16_t *x)
{
    __m256i least = _mm256_set1_epi16(-1);
    for (; d >= 16; d -= 16, x += 16)
        least = least_of(least, load(true, 16, 0, x));
    return is_rare(least_of(least, load(false, d, 0, x)));
}

/* ---- Sums ------------------------------------------------------------------------------------ */

BF16_INLINE __m256 fold(const __m256 s[8])
{
    return simd_fold64x8(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]);
}

/* A block, or a tail. looks: into x, too. */
BF16_INLINE void dot_step(bool looks, bool whole, size_t left, const uint16_t *x, const uint16_t *y,
                          __m256 s[8], __m256i *least)
{
#pragma GCC unroll 8
    for (size_t i = 0; i < 8; i++) {
        if (!whole && left <= 16 * i)
            break;
        __m256i u = load(whole, left, i, x), v = load(whole, left, i, y);
        s[i] = add(s[i], u, v);
        *least = looks ? least_of_two(*least, u, v) : least_of(*least, v);
    }
}

/* Prefetches the line that is BF16_AHEAD on, in whatever row; beyond the last it does nothing. */
BF16_INLINE void prefetch(const uint16_t *p)
{
    _mm_prefetch((const char *)((uintptr_t)p + BF16_AHEAD), _MM_HINT_T0);
}

/* x.y, 8 lanes; *least of both rows, or where it is one of many of y alone. */
BF16_INLINE __m256 dot_row(bool many, size_t d, const uint16_t *x, const uint16_t *y,
                           __m256i *least)
{
    const __m256 zero = _mm256_setzero_ps();
    __m256 s[8] = {zero, zero, zero, zero, zero, zero, zero, zero};
    *least = _mm256_set1_epi16(-1);
    size_t k = 0;
    for (; k + BF16_BLOCK <= d; k += BF16_BLOCK) {
        if (many)
#pragma GCC unroll 4
            for (size_t line = 0; line < BF16_BLOCK; line += 32)
                prefetch(y + k + line);
        dot_step(!many, true, BF16_BLOCK, x + k, y + k, s, least);
    }
    if (k < d)
        dot_step(!many, false, d - k, x + k, y + k, s, least);
    return fold(s);
}

/* The lanes of vectors i, i + 1, i + 4 and i + 5 of a block; xx where x is looked into, too. */
struct pass {
    __m256 xy[4], xx[4], yy[4];
};

BF16_INLINE void pass_step(bool pair, bool whole, size_t left, const uint16_t *x, const uint16_t *y,
                           size_t first, struct pass *s, __m256i *least)
{
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++) {
        size_t at = first + i + (i & 2);
        if (!whole && left <= 16 * at)
            break;
        __m256i u = load(whole, left, at, x), v = load(whole, left, at, y);
        __m256 xo = odd(u), yo = odd(v), xe = even(u), ye = even(v);
        s->xy[i] = _mm256_fmadd_ps(xe, ye, _mm256_fmadd_ps(xo, yo, s->xy[i]));
        s->yy[i] = _mm256_fmadd_ps(ye, ye, _mm256_fmadd_ps(yo, yo, s->yy[i]));
        if (pair)
            s->xx[i] = _mm256_fmadd_ps(xe, xe, _mm256_fmadd_ps(xo, xo, s->xx[i]));
        *least = pair ? least_of_two(*least, u, v) : least_of(*least, v);
    }
}

/* 16 lanes of 32 of xy, yy and, of a pair, xx. */
BF16_INLINE void pass(bool pair, size_t d, const uint16_t *x, const uint16_t *y, size_t first,
                      __m256 t[6], __m256i *least)
{
    const __m256 zero = _mm256_setzero_ps();
    struct pass s = {{zero, zero, zero, zero}, {zero, zero, zero, zero}, {zero, zero, zero, zero}};
    size_t k = 0;
    for (; k + BF16_BLOCK <= d; k += BF16_BLOCK) {
        if (!pair) { /* lines 0 and 2, or 1 and 3, of which this pass has the elements */
            prefetch(y + k + 16 * first);
            prefetch(y + k + 16 * first + 64);
        }
        pass_step(pair, true, BF16_BLOCK, x + k, y + k, first, &s, least);
    }
    if (k < d)
        pass_step(pair, false, d - k, x + k, y + k, first, &s, least);
    t[0] = _mm256_add_ps(s.xy[0], s.xy[2]);
    t[1] = _mm256_add_ps(s.xy[1], s.xy[3]);
    t[2] = _mm256_add_ps(s.yy[0], s.yy[2]);
    t[3] = _mm256_add_ps(s.yy[1], s.yy[3]);
    if (pair) {
        t[4] = _mm256_add_ps(s.xx[0], s.xx[2]);
        t[5] = _mm256_add_ps(s.xx[1], s.xx[3]);
    }
}

/* 32 lanes to 8, from both passes. */
BF16_INLINE __m256 fold_passes(const __m256 a[2], const __m256 b[2])
{
    return _mm256_add_ps(_mm256_add_ps(a[0], b[0]), _mm256_add_ps(a[1], b[1]));
}

/* 8 elements as floats. */
BF16_INLINE __m256 floats(__m128i v)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(v), 16));
}

BF16_INLINE __m256 load_floats(const uint16_t *p)
{
    return floats(_mm_loadu_si128((const __m128i *)(const void *)p));
}

/* |x - y|^2 in the lanes of floats, 8 of them. */
BF16_INLINE __m256 sq_l2_row(size_t d, const uint16_t *x, const uint16_t *y)
{
    const __m256 zero = _mm256_setzero_ps();
    __m256 s[8] = {zero, zero, zero, zero, zero, zero, zero, zero};
    for (; d >= SIMD_LANES; d -= SIMD_LANES, x += SIMD_LANES, y += SIMD_LANES)
#pragma GCC unroll 8
        for (size_t i = 0; i < 8; i++) {
            __m256 difference = _mm256_sub_ps(load_floats(x + 8 * i), load_floats(y + 8 * i));
            s[i] = _mm256_fmadd_ps(difference, difference, s[i]);
        }
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++) {
        if (d <= 16 * i)
            break;
        __m256i u = load(false, d, i, x), v = load(false, d, i, y);
        __m256 low =
            _mm256_sub_ps(floats(_mm256_castsi256_si128(u)), floats(_mm256_castsi256_si128(v)));
        __m256 high = _mm256_sub_ps(floats(_mm256_extracti128_si256(u, 1)),
                                    floats(_mm256_extracti128_si256(v, 1)));
        s[2 * i] = _mm256_fmadd_ps(low, low, s[2 * i]);
        s[2 * i + 1] = _mm256_fmadd_ps(high, high, s[2 * i + 1]);
    }
    return fold(s);
}

/* ---- Pairs ----------------------------------------------------------------------------------- */

/* x.y; a NaN may be any */
static float dot(size_t d, const uint16_t *x, const uint16_t *y)
{
    __m256i least;
    __m256 s = dot_row(false, d, x, y, &least);
    if (__builtin_expect(is_rare(least), 0))
        return bf16_flushed_dot(d, x, y);
    return simd_sum8x8(s);
}

static float pair_dot_avx2(size_t d, const uint16_t *x, const uint16_t *y)
{
    return simd_canonical_nan1(dot(d, x, y));
}

static float pair_cosine_avx2(size_t d, const uint16_t *x, const uint16_t *y)
{
    __m256 a[6], b[6];
    __m256i least = _mm256_set1_epi16(-1);
    pass(true, d, x, y, 0, a, &least);
    pass(true, d, x, y, 2, b, &least);
    float xy = simd_sum8x8(fold_passes(a, b));
    float yy = simd_sum8x8(fold_passes(a + 2, b + 2));
    float xx = simd_sum8x8(fold_passes(a + 4, b + 4));
    if (__builtin_expect(is_rare(least), 0)) {
        xy = bf16_flushed_dot(d, x, y);
        xx = bf16_flushed_dot(d, x, x);
        yy = bf16_flushed_dot(d, y, y);
    }
    if (__builtin_expect(!(norm_is_safe(xx) && norm_is_safe(yy)), 0))
        return bf16_scaled_cosine(d, x, y);
    return xy / sqrtf(xx * yy);
}

static float pair_neg_sq_l2_avx2(size_t d, const uint16_t *x, const uint16_t *y)
{
    return simd_canonical_nan1(0.0f - simd_sum8x8(sq_l2_row(d, x, y)));
}

/* ---- One against many ------------------------------------------------------------------------ */

/* x.y of up to 8 rows, each in its lane; x == NULL: y.y. */
BF16_INLINE __m256 dot_group(size_t rows, size_t d, const uint16_t *x, bool x_rare,
                             const uint16_t *y, size_t ldy)
{
    __m256 s[GROUP];
    unsigned rare = x_rare ? (1u << rows) - 1 : 0;
    for (size_t r = 0; r < GROUP; r++) {
        const uint16_t *row = y + size_min(r, rows - 1) * ldy;
        __m256i least;
        s[r] = dot_row(true, d, x != NULL ? x : row, row, &least);
        rare |= (unsigned)(r < rows && is_rare(least)) << r;
    }
    __m256 sums = sum_rows_avx2(s);
    if (__builtin_expect(rare != 0, 0)) {
        float each[GROUP];
        _mm256_storeu_ps(each, sums);
        for (; rare != 0; rare &= rare - 1) {
            size_t r = (size_t)__builtin_ctz(rare);
            const uint16_t *row = y + r * ldy;
            each[r] = bf16_flushed_dot(d, x != NULL ? x : row, row);
        }
        sums = _mm256_loadu_ps(each);
    }
    return sums;
}

static void query_dot_avx2(size_t n, size_t d, const uint16_t *x, const uint16_t *y, size_t ldy,
                           float *result)
{
    const bool x_rare = row_is_rare(d, x);
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, result += rows) {
        rows = size_min(n, GROUP);
        simd_store_first(result, rows, simd_canonical_nan8(dot_group(rows, d, x, x_rare, y, ldy)));
    }
}

static void squared_norms_avx2(size_t n, size_t d, const uint16_t *y, size_t ldy, float *out)
{
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, out += rows) {
        rows = size_min(n, GROUP);
        simd_store_first(out, rows, simd_canonical_nan8(dot_group(rows, d, NULL, false, y, ldy)));
    }
}

/* Cosines of up to 8 rows from their sums; those whose |y|^2 is not safe go the scaled way. */
BF16_INLINE void store_cosines(size_t rows, size_t d, const uint16_t *x, const uint16_t *y,
                               size_t ldy, __m256 xy, float xx, __m256 yy, float *result)
{
    __m256 root = _mm256_sqrt_ps(_mm256_mul_ps(_mm256_set1_ps(xx), yy));
    simd_store_first(result, rows, _mm256_div_ps(xy, root));
    /* norm_is_safe of 8 rows */
    const __m256i span = _mm256_set1_epi32(NORM_SAFE_SPAN);
    __m256i above = _mm256_sub_epi32(_mm256_castps_si256(yy), _mm256_set1_epi32(NORM_SAFE_LOWEST));
    __m256i safe = _mm256_cmpeq_epi32(_mm256_max_epu32(above, span), span);
    unsigned unsafe = ~(unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(safe));
    if (__builtin_expect(!norm_is_safe(xx), 0))
        unsafe = ~0u;
    unsafe &= (1u << rows) - 1;
    for (; __builtin_expect(unsafe != 0, 0); unsafe &= unsafe - 1) {
        size_t r = (size_t)__builtin_ctz(unsafe);
        result[r] = bf16_scaled_cosine(d, x, y + r * ldy);
    }
}

static void query_cosine_avx2(size_t n, size_t d, const uint16_t *x, const uint16_t *y, size_t ldy,
                              float *result)
{
    const bool x_rare = row_is_rare(d, x);
    const float xx = dot(d, x, x);
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, result += rows) {
        rows = size_min(n, GROUP);
        __m256 xy[GROUP], yy[GROUP];
        unsigned rare = x_rare ? (1u << rows) - 1 : 0;
        for (size_t r = 0; r < GROUP; r++) {
            const uint16_t *row = y + size_min(r, rows - 1) * ldy;
            __m256 a[6], b[6];
            __m256i least = _mm256_set1_epi16(-1);
            pass(false, d, x, row, 0, a, &least);
            pass(false, d, x, row, 2, b, &least);
            xy[r] = fold_passes(a, b);
            yy[r] = fold_passes(a + 2, b + 2);
            rare |= (unsigned)(r < rows && is_rare(least)) << r;
        }
        __m256 products = sum_rows_avx2(xy), squares = sum_rows_avx2(yy);
        if (__builtin_expect(rare != 0, 0)) {
            float each[2][GROUP];
            _mm256_storeu_ps(each[0], products);
            _mm256_storeu_ps(each[1], squares);
            for (; rare != 0; rare &= rare - 1) {
                size_t r = (size_t)__builtin_ctz(rare);
                const uint16_t *row = y + r * ldy;
                each[0][r] = bf16_flushed_dot(d, x, row);
                each[1][r] = bf16_flushed_dot(d, row, row);
            }
            products = _mm256_loadu_ps(each[0]);
            squares = _mm256_loadu_ps(each[1]);
        }
        store_cosines(rows, d, x, y, ldy, products, xx, squares, result);
    }
}

static void query_norms_avx2(size_t n, size_t d, const uint16_t *x, const uint16_t *y, size_t ldy,
                             const float *squared_norms, float *result)
{
    const bool x_rare = row_is_rare(d, x);
    const float xx = dot(d, x, x);
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, squared_norms += rows, result += rows) {
        rows = size_min(n, GROUP);
        __m256 xy = dot_group(rows, d, x, x_rare, y, ldy);
        store_cosines(rows, d, x, y, ldy, xy, xx, simd_load_first(squared_norms, rows), result);
    }
}

static void query_neg_sq_l2_avx2(size_t n, size_t d, const uint16_t *x, const uint16_t *y,
                                 size_t ldy, float *result)
{
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, result += rows) {
        rows = size_min(n, GROUP);
        __m256 s[GROUP];
        for (size_t r = 0; r < GROUP; r++)
            s[r] = sq_l2_row(d, x, y + size_min(r, rows - 1) * ldy);
        __m256 v = _mm256_sub_ps(_mm256_setzero_ps(), sum_rows_avx2(s));
        simd_store_first(result, rows, simd_canonical_nan8(v));
    }
}

const struct bf16_ops bf16_ops_avx2 = {
    .pair = {[MMK_DOT] = pair_dot_avx2,
             [MMK_COSINE] = pair_cosine_avx2,
             [MMK_NEG_SQ_L2] = pair_neg_sq_l2_avx2},
    .query = {[MMK_DOT] = query_dot_avx2,
              [MMK_COSINE] = query_cosine_avx2,
              [MMK_NEG_SQ_L2] = query_neg_sq_l2_avx2},
    .query_norms = query_norms_avx2,
    .squared_norms = squared_norms_avx2,
};
