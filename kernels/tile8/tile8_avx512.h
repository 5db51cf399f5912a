/* tile8_avx512.h - what both tables of AVX-512 do with rows of int8 and their products (internal).
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_TILE8_AVX512_H
#define MMK_TILE8_AVX512_H

#include "tile8_x86.h"

#include "../simd/avx512.h"

static inline __m512d tile8_load_avx512(const int32_t *c)
{
    return _mm512_cvtepi32_pd(_mm256_loadu_si256((const __m256i *)(const void *)c));
}

/* Columns j .. j + 16 of a row of results, as far as there are so many. */
static inline void tile8_store_avx512(float *out, size_t cols, size_t j, __m512d low, __m512d high)
{
    __m512 v = _mm512_castps256_ps512(_mm512_cvtpd_ps(low));
    v = simd_canonical_nan16(_mm512_insertf32x8(v, _mm512_cvtpd_ps(high), 1));
    if (cols - j >= 16)
        _mm512_storeu_ps(out + j, v);
    else
        simd_store_first(out + j, cols - j, v);
}

/* Whether one of 16 results is near a half (tile8.h). */
static inline bool tile8_near_avx512(__m512d low, __m512d high)
{
    __m512 halves = _mm512_mask_moveldup_ps(_mm512_castpd_ps(low), 0xaaaa, _mm512_castpd_ps(high));
    __m512i bits = _mm512_add_epi32(_mm512_castps_si512(halves), _mm512_set1_epi32(TILE8_NEAR_ADD));
    return _mm512_testn_epi32_mask(bits, _mm512_set1_epi32(TILE8_NEAR_BITS)) != 0;
}

static inline __attribute__((always_inline)) void
tile8_scale_avx512(bool is_cosine, size_t rows, size_t cols, const int32_t *c,
                   const struct tile8_side *x, const struct tile8_side *y, float *out, size_t ldout)
{
    const __m512d zero = _mm512_setzero_pd();
    for (size_t j = 0; j < cols; j += 16) {
        const __m512d g0 = _mm512_loadu_pd(y->factor + j), g1 = _mm512_loadu_pd(y->factor + j + 8);
        for (size_t r = 0; r < rows; r++) {
            const __m512d f = _mm512_set1_pd(x->factor[r]);
            const int32_t *p = c + r * TILE8_PANEL + j;
            /* + 0: never -0 */
            __m512d low = _mm512_fmadd_pd(_mm512_mul_pd(f, g0), tile8_load_avx512(p), zero);
            __m512d high = _mm512_fmadd_pd(_mm512_mul_pd(f, g1), tile8_load_avx512(p + 8), zero);
            tile8_store_avx512(out + r * ldout, cols, j, low, high);
            if (!is_cosine)
                continue;
            if (__builtin_expect(tile8_near_avx512(low, high), 0))
                tile8_cosines(j, size_min(j + 16, cols), c + r * TILE8_PANEL, x, r, y,
                              out + r * ldout);
        }
    }
}

static void tile8_dot_avx512(size_t rows, size_t cols, const int32_t *c, const struct tile8_side *x,
                             const struct tile8_side *y, float *out, size_t ldout)
{
    tile8_scale_avx512(false, rows, cols, c, x, y, out, ldout);
}

static void tile8_cosine_avx512(size_t rows, size_t cols, const int32_t *c,
                                const struct tile8_side *x, const struct tile8_side *y, float *out,
                                size_t ldout)
{
    tile8_scale_avx512(true, rows, cols, c, x, y, out, ldout);
}

/* 0 - max((a + b) - (f g) c, 0); vmaxpd gives its second operand when either is NaN. */
static inline __m512d tile8_distance8_avx512(__m512d a, __m512d b, __m512d f, __m512d g, __m512d c)
{
    __m512d v = _mm512_sub_pd(_mm512_add_pd(a, b), _mm512_mul_pd(_mm512_mul_pd(f, g), c));
    return _mm512_sub_pd(_mm512_setzero_pd(), _mm512_max_pd(_mm512_setzero_pd(), v));
}

static void tile8_neg_sq_l2_avx512(size_t rows, size_t cols, const int32_t *c,
                                   const struct tile8_side *x, const struct tile8_side *y,
                                   float *out, size_t ldout)
{
    for (size_t j = 0; j < cols; j += 16) {
        const __m512d g0 = _mm512_loadu_pd(y->factor + j), g1 = _mm512_loadu_pd(y->factor + j + 8);
        const __m512d b0 = _mm512_loadu_pd(y->square + j), b1 = _mm512_loadu_pd(y->square + j + 8);
        for (size_t r = 0; r < rows; r++) {
            const __m512d f = _mm512_set1_pd(x->factor[r]), a = _mm512_set1_pd(x->square[r]);
            const int32_t *p = c + r * TILE8_PANEL + j;
            __m512d low = tile8_distance8_avx512(a, b0, f, g0, tile8_load_avx512(p));
            __m512d high = tile8_distance8_avx512(a, b1, f, g1, tile8_load_avx512(p + 8));
            tile8_store_avx512(out + r * ldout, cols, j, low, high);
        }
    }
}

#define TILE8_FINISH_AVX512                                                                        \
    .finish = {[MMK_DOT] = tile8_dot_avx512,                                                       \
               [MMK_COSINE] = tile8_cosine_avx512,                                                 \
               [MMK_NEG_SQ_L2] = tile8_neg_sq_l2_avx512}

#endif
