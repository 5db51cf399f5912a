/* rows_avx512.h - rows of bf16 on __m512i: sums of a pair, of sixteen rows against one, and what
 * becomes of them (internal to bf16_avx512*.c).
 * SPDX-License-Identifier: MIT
 *
 * Functions here are made twice, with two ways to multiply (struct bf16_way): one flushes by
 * itself, with the other rows that are not plain (bf16.h) are summed again by flushed.h. The 64
 * canonical lanes are 4 zmm, and a vector of 32 elements belongs to one of them. The trees of
 * sixteen rows are summed together (simd/trees_avx512.h). Short rows are taken several at a time,
 * which share the loads of x, others one after the other (bf16.h says why); of what is left of 16
 * the last row is taken more than once. Tails are masked loads; whole vectors have no mask, for
 * hardware does not prefetch for masked loads.
 */
#ifndef MMK_BF16_ROWS_AVX512_H
#define MMK_BF16_ROWS_AVX512_H

#include "scaled.h"

#include "../call/size.h"
#include "../simd/trees_avx512.h"

#include <stdbool.h>

#define BF16_INLINE static inline __attribute__((always_inline))

/* Rows whose trees are summed together: one vector of results. */
enum { BF16_GROUP = 16 };

struct bf16_way {
    /* The lanes with two more products each. */
    __m512 (*add)(__m512 lanes, __m512i x, __m512i y);
    /* 2 |v| - 1, and whether rows with that as the least are not plain; NULL: no matter. */
    __m512i (*size)(__m512i v);
    bool (*is_rare)(__m512i least);
    /* x.y of a rare row. */
    float (*flushed)(size_t d, const uint16_t *x, const uint16_t *y);
};

struct bf16_lanes {
    __m512 v[4];
};

BF16_INLINE struct bf16_lanes bf16_zero_avx512(void)
{
    const __m512 zero = _mm512_setzero_ps();
    return (struct bf16_lanes){{zero, zero, zero, zero}};
}

BF16_INLINE __m512 bf16_fold_avx512(struct bf16_lanes s)
{
    return simd_fold64x16(s.v[0], s.v[1], s.v[2], s.v[3]);
}

BF16_INLINE __m512i bf16_no_least_avx512(void)
{
    return _mm512_set1_epi16(-1);
}

BF16_INLINE __m512i bf16_look_avx512(const struct bf16_way *way, __m512i least, __m512i v)
{
    return way->size != NULL ? _mm512_min_epu16(least, way->size(v)) : least;
}

/* The chain of minima waits for one of the two only. */
BF16_INLINE __m512i bf16_look_two_avx512(const struct bf16_way *way, __m512i least, __m512i u,
                                         __m512i v)
{
    return way->size != NULL ? _mm512_min_epu16(least, _mm512_min_epu16(way->size(u), way->size(v)))
                             : least;
}

BF16_INLINE bool bf16_is_rare_avx512(const struct bf16_way *way, __m512i least)
{
    return way->is_rare != NULL && __builtin_expect(way->is_rare(least), 0);
}

/* Elements 32 l on of a block of which `left` are there, zeros for what is not; whole: all are.
 * One load, as simd_load_once: gcc 12 would read memory again for every use of the value. */
BF16_INLINE __m512i bf16_load_avx512(bool whole, size_t left, size_t l, const uint16_t *p)
{
    if (!whole && left < 32 * (l + 1)) {
        size_t there = left > 32 * l ? left - 32 * l : 0;
        return _mm512_maskz_loadu_epi16((__mmask32)(((uint64_t)1 << there) - 1), p + 32 * l);
    }
    __m512i v = _mm512_loadu_si512(p + 32 * l);
    __asm__("" : "+v"(v));
    return v;
}

/* ---- Pairs ----------------------------------------------------------------------------------- */

BF16_INLINE void bf16_dot_step_avx512(const struct bf16_way *way, bool whole, size_t left,
                                      const uint16_t *x, const uint16_t *y, struct bf16_lanes *s,
                                      __m512i *least)
{
#pragma GCC unroll 4
    for (size_t l = 0; l < 4; l++) {
        if (!whole && left <= 32 * l)
            break;
        __m512i u = bf16_load_avx512(whole, left, l, x), v = bf16_load_avx512(whole, left, l, y);
        s->v[l] = way->add(s->v[l], u, v);
        *least = bf16_look_two_avx512(way, *least, u, v);
    }
}

/* x.y; a NaN may be any */
BF16_INLINE float bf16_dot_avx512(const struct bf16_way *way, size_t d, const uint16_t *x,
                                  const uint16_t *y)
{
    struct bf16_lanes s = bf16_zero_avx512();
    __m512i least = bf16_no_least_avx512();
    size_t k = 0;
    for (; k + BF16_BLOCK <= d; k += BF16_BLOCK)
        bf16_dot_step_avx512(way, true, BF16_BLOCK, x + k, y + k, &s, &least);
    if (k < d)
        bf16_dot_step_avx512(way, false, d - k, x + k, y + k, &s, &least);
    if (bf16_is_rare_avx512(way, least))
        return way->flushed(d, x, y);
    return simd_sum16x16(bf16_fold_avx512(s));
}

struct bf16_three {
    struct bf16_lanes xy, xx, yy;
};

BF16_INLINE void bf16_three_step_avx512(const struct bf16_way *way, bool whole, size_t left,
                                        const uint16_t *x, const uint16_t *y, struct bf16_three *s,
                                        __m512i *least)
{
#pragma GCC unroll 4
    for (size_t l = 0; l < 4; l++) {
        if (!whole && left <= 32 * l)
            break;
        __m512i u = bf16_load_avx512(whole, left, l, x), v = bf16_load_avx512(whole, left, l, y);
        s->xy.v[l] = way->add(s->xy.v[l], u, v);
        s->xx.v[l] = way->add(s->xx.v[l], u, u);
        s->yy.v[l] = way->add(s->yy.v[l], v, v);
        *least = bf16_look_two_avx512(way, *least, u, v);
    }
}

BF16_INLINE float bf16_cosine_avx512(const struct bf16_way *way, size_t d, const uint16_t *x,
                                     const uint16_t *y)
{
    struct bf16_three s = {bf16_zero_avx512(), bf16_zero_avx512(), bf16_zero_avx512()};
    __m512i least = bf16_no_least_avx512();
    size_t k = 0;
    for (; k + BF16_BLOCK <= d; k += BF16_BLOCK)
        bf16_three_step_avx512(way, true, BF16_BLOCK, x + k, y + k, &s, &least);
    if (k < d)
        bf16_three_step_avx512(way, false, d - k, x + k, y + k, &s, &least);
    __m512 t =
        sum_three_avx512(bf16_fold_avx512(s.xx), bf16_fold_avx512(s.yy), bf16_fold_avx512(s.xy));
    float xx = _mm512_cvtss_f32(t);
    float yy = _mm_cvtss_f32(_mm512_extractf32x4_ps(t, 1));
    float xy = _mm_cvtss_f32(_mm512_extractf32x4_ps(t, 2)) + 0.0f;
    if (bf16_is_rare_avx512(way, least)) {
        xy = way->flushed(d, x, y);
        xx = way->flushed(d, x, x);
        yy = way->flushed(d, y, y);
    }
    if (__builtin_expect(!(norm_is_safe(xx) && norm_is_safe(yy)), 0))
        return bf16_scaled_cosine(d, x, y);
    return xy / sqrtf(xx * yy);
}

/* 16 elements as floats. */
BF16_INLINE __m512 bf16_floats_avx512(__m256i v)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(v), 16));
}

/* Of a tail of d elements those from 16 l on. */
BF16_INLINE __m512 bf16_tail_floats_avx512(size_t d, size_t l, const uint16_t *p)
{
    if (d >= 16 * (l + 1))
        return bf16_floats_avx512(_mm256_loadu_si256((const __m256i *)(const void *)(p + 16 * l)));
    return bf16_floats_avx512(_mm256_maskz_loadu_epi16(simd_first(d - 16 * l), p + 16 * l));
}

/* |x - y|^2 in the lanes of floats, 16 of them. */
BF16_INLINE __m512 bf16_sq_l2_row_avx512(size_t d, const uint16_t *x, const uint16_t *y)
{
    struct bf16_lanes s = bf16_zero_avx512();
    for (; d >= SIMD_LANES; d -= SIMD_LANES, x += SIMD_LANES, y += SIMD_LANES)
#pragma GCC unroll 4
        for (size_t l = 0; l < 4; l++) {
            __m512 difference = _mm512_sub_ps(bf16_tail_floats_avx512(SIMD_LANES, l, x),
                                              bf16_tail_floats_avx512(SIMD_LANES, l, y));
            s.v[l] = _mm512_fmadd_ps(difference, difference, s.v[l]);
        }
#pragma GCC unroll 4
    for (size_t l = 0; l < 4; l++) {
        if (d <= 16 * l)
            break;
        __m512 difference =
            _mm512_sub_ps(bf16_tail_floats_avx512(d, l, x), bf16_tail_floats_avx512(d, l, y));
        s.v[l] = _mm512_fmadd_ps(difference, difference, s.v[l]);
    }
    return bf16_fold_avx512(s);
}

/* ---- One against many ------------------------------------------------------------------------ */

/* What is summed: x.y_j, |y_j|^2 or both. */
enum bf16_sums_of { BF16_PRODUCTS = 1, BF16_SQUARES = 2 };

/* The row of x, and whether it is not plain. */
struct bf16_query {
    size_t d;
    const uint16_t *x;
    bool rare;
};

/* Sums of up to 16 rows, each in its lane. */
struct bf16_sums {
    __m512 xy, yy;
};

/* Prefetches the line that is BF16_AHEAD on, in whatever row; beyond the last it does nothing. */
BF16_INLINE void bf16_prefetch_avx512(const uint16_t *p)
{
    _mm_prefetch((const char *)((uintptr_t)p + BF16_AHEAD), _MM_HINT_T0);
}

/* Of `count` rows, and their lanes. */
struct bf16_some {
    const uint16_t *row[4];
    struct bf16_lanes xy[4], yy[4];
    __m512i least[4];
};

BF16_INLINE void bf16_some_step_avx512(const struct bf16_way *way, unsigned of, size_t count,
                                       bool whole, size_t left, const uint16_t *x, size_t k,
                                       struct bf16_some *s)
{
#pragma GCC unroll 4
    for (size_t l = 0; l < 4; l++) {
        if (!whole && left <= 32 * l)
            break;
        __m512i u = _mm512_setzero_si512();
        if (of & BF16_PRODUCTS)
            u = bf16_load_avx512(whole, left, l, x + k);
#pragma GCC unroll 4
        for (size_t r = 0; r < count; r++) {
            bf16_prefetch_avx512(s->row[r] + k + 32 * l);
            __m512i v = bf16_load_avx512(whole, left, l, s->row[r] + k);
            if (of & BF16_PRODUCTS)
                s->xy[r].v[l] = way->add(s->xy[r].v[l], u, v);
            if (of & BF16_SQUARES)
                s->yy[r].v[l] = way->add(s->yy[r].v[l], v, v);
            s->least[r] = bf16_look_avx512(way, s->least[r], v);
        }
    }
}

/* `count` rows from y on, of which `there` are there and the last stands for the others: 16 lanes
 * of each of their sums. Returns which are rare. */
BF16_INLINE unsigned bf16_some_avx512(const struct bf16_way *way, unsigned of, size_t count,
                                      size_t there, const struct bf16_query *q, const uint16_t *y,
                                      size_t ldy, __m512 *xy, __m512 *yy)
{
    struct bf16_some s;
#pragma GCC unroll 4
    for (size_t r = 0; r < count; r++) {
        s.row[r] = y + size_min(r, there - 1) * ldy;
        s.xy[r] = s.yy[r] = bf16_zero_avx512();
        s.least[r] = bf16_no_least_avx512();
    }
    size_t k = 0;
    for (; k + BF16_BLOCK <= q->d; k += BF16_BLOCK)
        bf16_some_step_avx512(way, of, count, true, BF16_BLOCK, q->x, k, &s);
    if (k < q->d)
        bf16_some_step_avx512(way, of, count, false, q->d - k, q->x, k, &s);
    unsigned rare = 0;
#pragma GCC unroll 4
    for (size_t r = 0; r < count; r++) {
        if (of & BF16_PRODUCTS)
            xy[r] = bf16_fold_avx512(s.xy[r]);
        if (of & BF16_SQUARES)
            yy[r] = bf16_fold_avx512(s.yy[r]);
        if (way->is_rare != NULL)
            rare |= (unsigned)way->is_rare(s.least[r]) << r;
    }
    return rare;
}

/* The sums of those rows again that are rare. */
__attribute__((noinline)) static void bf16_flush_avx512(const struct bf16_way *way, unsigned rare,
                                                        const struct bf16_query *q,
                                                        const uint16_t *y, size_t ldy,
                                                        struct bf16_sums *s)
{
    float xy[BF16_GROUP], yy[BF16_GROUP];
    _mm512_storeu_ps(xy, s->xy);
    _mm512_storeu_ps(yy, s->yy);
    for (; rare != 0; rare &= rare - 1) {
        size_t r = (size_t)__builtin_ctz(rare);
        const uint16_t *row = y + r * ldy;
        if (q->x != NULL)
            xy[r] = way->flushed(q->d, q->x, row);
        yy[r] = way->flushed(q->d, row, row);
    }
    s->xy = _mm512_loadu_ps(xy);
    s->yy = _mm512_loadu_ps(yy);
}

/* The sums of `rows` rows, at most 16, `count` at a time; the other lanes repeat the last. */
BF16_INLINE struct bf16_sums bf16_sixteen_avx512(const struct bf16_way *way, unsigned of,
                                                 size_t count, size_t rows,
                                                 const struct bf16_query *q, const uint16_t *y,
                                                 size_t ldy)
{
    __m512 xy[BF16_GROUP], yy[BF16_GROUP];
    unsigned rare = q->rare ? 0xffff : 0;
    for (size_t g = 0; g < BF16_GROUP; g += count) {
        size_t first = size_min(g, rows - 1);
        rare |=
            bf16_some_avx512(way, of, count, rows - first, q, y + first * ldy, ldy, xy + g, yy + g)
            << g;
    }
    struct bf16_sums s = {_mm512_setzero_ps(), _mm512_setzero_ps()};
    if (of & BF16_PRODUCTS)
        s.xy = sum_rows_avx512(xy);
    if (of & BF16_SQUARES)
        s.yy = sum_rows_avx512(yy);
    rare &= simd_first(rows);
    if (way->is_rare != NULL && __builtin_expect(rare != 0, 0))
        bf16_flush_avx512(way, rare, q, y, ldy, &s);
    return s;
}

BF16_INLINE bool bf16_row_is_rare_avx512(const struct bf16_way *way, size_t d, const uint16_t *x)
{
    if (way->is_rare == NULL)
        return false;
    __m512i least = bf16_no_least_avx512();
    for (; d >= 32; d -= 32, x += 32)
        least = bf16_look_avx512(way, least, bf16_load_avx512(true, 32, 0, x));
    return way->is_rare(bf16_look_avx512(way, least, bf16_load_avx512(false, d, 0, x)));
}

BF16_INLINE struct bf16_query bf16_query_avx512(const struct bf16_way *way, size_t d,
                                                const uint16_t *x)
{
    return (struct bf16_query){d, x, bf16_row_is_rare_avx512(way, d, x)};
}

BF16_INLINE void bf16_dots_of_avx512(const struct bf16_way *way, size_t count, size_t n, size_t d,
                                     const uint16_t *x, const uint16_t *y, size_t ldy,
                                     float *result)
{
    const struct bf16_query q = bf16_query_avx512(way, d, x);
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, result += rows) {
        rows = size_min(n, BF16_GROUP);
        struct bf16_sums s = bf16_sixteen_avx512(way, BF16_PRODUCTS, count, rows, &q, y, ldy);
        simd_store_first(result, rows, simd_canonical_nan16(s.xy));
    }
}

BF16_INLINE void bf16_dots_avx512(const struct bf16_way *way, size_t n, size_t d, const uint16_t *x,
                                  const uint16_t *y, size_t ldy, float *result)
{
    if (d <= BF16_SHORT_ROW)
        bf16_dots_of_avx512(way, 4, n, d, x, y, ldy, result);
    else
        bf16_dots_of_avx512(way, 1, n, d, x, y, ldy, result);
}

BF16_INLINE void bf16_squares_avx512(const struct bf16_way *way, size_t count, size_t n, size_t d,
                                     const uint16_t *y, size_t ldy, float *out)
{
    const struct bf16_query q = {.d = d};
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, out += rows) {
        rows = size_min(n, BF16_GROUP);
        struct bf16_sums s = bf16_sixteen_avx512(way, BF16_SQUARES, count, rows, &q, y, ldy);
        simd_store_first(out, rows, simd_canonical_nan16(s.yy));
    }
}

BF16_INLINE void bf16_squared_norms_avx512(const struct bf16_way *way, size_t n, size_t d,
                                           const uint16_t *y, size_t ldy, float *out)
{
    if (d <= BF16_SHORT_ROW)
        bf16_squares_avx512(way, 4, n, d, y, ldy, out);
    else
        bf16_squares_avx512(way, 1, n, d, y, ldy, out);
}

/* With the |y_j|^2 that are given, or NULL. */
BF16_INLINE void bf16_cosines_of_avx512(const struct bf16_way *way, size_t count, bool given,
                                        size_t n, size_t d, const uint16_t *x, const uint16_t *y,
                                        size_t ldy, const float *squared_norms, float *result)
{
    const struct bf16_query q = bf16_query_avx512(way, d, x);
    const float xx = bf16_dot_avx512(way, d, x, x);
    const unsigned of = given ? BF16_PRODUCTS : BF16_PRODUCTS | BF16_SQUARES;
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, result += rows) {
        rows = size_min(n, BF16_GROUP);
        struct bf16_sums s = bf16_sixteen_avx512(way, of, count, rows, &q, y, ldy);
        if (given) {
            s.yy = simd_load_first(squared_norms, rows);
            squared_norms += rows;
        }
        __m512 root = _mm512_sqrt_ps(_mm512_mul_ps(_mm512_set1_ps(xx), s.yy));
        simd_store_first(result, rows, _mm512_div_ps(s.xy, root));
        /* Which |y|^2 are not safe (norm_is_safe). */
        __m512i above =
            _mm512_sub_epi32(_mm512_castps_si512(s.yy), _mm512_set1_epi32(NORM_SAFE_LOWEST));
        unsigned unsafe = _mm512_cmpgt_epu32_mask(above, _mm512_set1_epi32(NORM_SAFE_SPAN));
        if (__builtin_expect(!norm_is_safe(xx), 0))
            unsafe = 0xffff;
        unsafe &= simd_first(rows);
        for (; __builtin_expect(unsafe != 0, 0); unsafe &= unsafe - 1) {
            size_t r = (size_t)__builtin_ctz(unsafe);
            result[r] = bf16_scaled_cosine(d, x, y + r * ldy);
        }
    }
}

BF16_INLINE void bf16_cosines_avx512(const struct bf16_way *way, size_t n, size_t d,
                                     const uint16_t *x, const uint16_t *y, size_t ldy,
                                     float *result)
{
    if (d <= BF16_SHORT_ROW)
        bf16_cosines_of_avx512(way, 2, false, n, d, x, y, ldy, NULL, result);
    else
        bf16_cosines_of_avx512(way, 1, false, n, d, x, y, ldy, NULL, result);
}

BF16_INLINE void bf16_norms_avx512(const struct bf16_way *way, size_t n, size_t d,
                                   const uint16_t *x, const uint16_t *y, size_t ldy,
                                   const float *squared_norms, float *result)
{
    if (d <= BF16_SHORT_ROW)
        bf16_cosines_of_avx512(way, 4, true, n, d, x, y, ldy, squared_norms, result);
    else
        bf16_cosines_of_avx512(way, 1, true, n, d, x, y, ldy, squared_norms, result);
}

BF16_INLINE void bf16_neg_sq_l2s_avx512(size_t n, size_t d, const uint16_t *x, const uint16_t *y,
                                        size_t ldy, float *result)
{
    for (size_t rows; n > 0; n -= rows, y += rows * ldy, result += rows) {
        rows = size_min(n, BF16_GROUP);
        __m512 s[BF16_GROUP];
        for (size_t r = 0; r < BF16_GROUP; r++)
            s[r] = bf16_sq_l2_row_avx512(d, x, y + size_min(r, rows - 1) * ldy);
        __m512 v = _mm512_sub_ps(_mm512_setzero_ps(), sum_rows_avx512(s));
        simd_store_first(result, rows, simd_canonical_nan16(v));
    }
}

/* The functions of a table. */
#define BF16_TABLE_AVX512(name, way)                                                               \
    static float pair_dot_##name(size_t d, const uint16_t *x, const uint16_t *y)                   \
    {                                                                                              \
        return simd_canonical_nan1(bf16_dot_avx512(way, d, x, y));                                 \
    }                                                                                              \
    static float pair_cosine_##name(size_t d, const uint16_t *x, const uint16_t *y)                \
    {                                                                                              \
        return bf16_cosine_avx512(way, d, x, y);                                                   \
    }                                                                                              \
    static float pair_neg_sq_l2_##name(size_t d, const uint16_t *x, const uint16_t *y)             \
    {                                                                                              \
        float distance = simd_sum16x16(bf16_sq_l2_row_avx512(d, x, y));                            \
        return simd_canonical_nan1(0.0f - distance);                                               \
    }                                                                                              \
    static void query_dot_##name(size_t n, size_t d, const uint16_t *x, const uint16_t *y,         \
                                 size_t ldy, float *result)                                        \
    {                                                                                              \
        bf16_dots_avx512(way, n, d, x, y, ldy, result);                                            \
    }                                                                                              \
    static void query_cosine_##name(size_t n, size_t d, const uint16_t *x, const uint16_t *y,      \
                                    size_t ldy, float *result)                                     \
    {                                                                                              \
        bf16_cosines_avx512(way, n, d, x, y, ldy, result);                                         \
    }                                                                                              \
    static void query_neg_sq_l2_##name(size_t n, size_t d, const uint16_t *x, const uint16_t *y,   \
                                       size_t ldy, float *result)                                  \
    {                                                                                              \
        bf16_neg_sq_l2s_avx512(n, d, x, y, ldy, result);                                           \
    }                                                                                              \
    static void query_norms_##name(size_t n, size_t d, const uint16_t *x, const uint16_t *y,       \
                                   size_t ldy, const float *squared_norms, float *result)          \
    {                                                                                              \
        bf16_norms_avx512(way, n, d, x, y, ldy, squared_norms, result);                            \
    }                                                                                              \
    static void squared_norms_##name(size_t n, size_t d, const uint16_t *y, size_t ldy,            \
                                     float *out)                                                   \
    {                                                                                              \
        bf16_squared_norms_avx512(way, n, d, y, ldy, out);                                         \
    }                                                                                              \
    const struct bf16_ops bf16_ops_##name = {                                                      \
        .pair = {[MMK_DOT] = pair_dot_##name,                                                      \
                 [MMK_COSINE] = pair_cosine_##name,                                                \
                 [MMK_NEG_SQ_L2] = pair_neg_sq_l2_##name},                                         \
        .query = {[MMK_DOT] = query_dot_##name,                                                    \
                  [MMK_COSINE] = query_cosine_##name,                                              \
                  [MMK_NEG_SQ_L2] = query_neg_sq_l2_##name},                                       \
        .query_norms = query_norms_##name,                                                         \
        .squared_norms = squared_norms_##name,                                                     \
    }

#endif
