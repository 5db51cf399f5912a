/* tile8_avx2.h - what both tables of AVX2 do with rows of int8 and their products (internal).
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_TILE8_AVX2_H
#define MMK_TILE8_AVX2_H

#include "tile8_x86.h"

#include "../simd/avx2.h"

static inline __m256d tile8_load_avx2(const int32_t *c)
{
    return _mm256_cvtepi32_pd(_mm_loadu_si128((const __m128i *)(const void *)c));
}

/* Columns j .. j + 8 of a row of results, as far as there are so many. */
static inline void tile8_store_avx2(float *out, size_t cols, size_t j, __m256d low, __m256d high)
{
    __m256 v = simd_canonical_nan8(_mm256_set_m128(_mm256_cvtpd_ps(high), _mm256_cvtpd_ps(low)));
    if (cols - j >= 8)
        _mm256_storeu_ps(out + j, v);
    else
        simd_store_first(out + j, cols - j, v);
}

/* Whether one of eight results is near a half (tile8.h). */
static inline bool tile8_near_avx2(__m256d low, __m256d high)
{
    __m256 halves = _mm256_shuffle_ps(_mm256_castpd_ps(low), _mm256_castpd_ps(high), 0x88);
    __m256i bits = _mm256_add_epi32(_mm256_castps_si256(halves), _mm256_set1_epi32(TILE8_NEAR_ADD));
    bits = _mm256_and_si256(bits, _mm256_set1_epi32(TILE8_NEAR_BITS));
    bits = _mm256_cmpeq_epi32(bits, _mm256_setzero_si256());
    return !_mm256_testz_si256(bits, bits);
}

static inline __attribute__((always_inline)) void
tile8_scale_avx2(bool is_cosine, size_t rows, size_t cols, const int32_t *c,
                 const struct tile8_side *x, const struct tile8_side *y, float *out, size_t ldout)
{
    const __m256d zero = _mm256_setzero_pd();
    for (size_t j = 0; j < cols; j += 8) {
        const __m256d g0 = _mm256_loadu_pd(y->factor + j), g1 = _mm256_loadu_pd(y->factor + j + 4);
        for (size_t r = 0; r < rows; r++) {
            const __m256d f = _mm256_set1_pd(x->factor[r]);
            const int32_t *p = c + r * TILE8_PANEL + j;
            /* + 0: never -0 */
            __m256d low = _mm256_fmadd_pd(_mm256_mul_pd(f, g0), tile8_load_avx2(p), zero);
            __m256d high = _mm256_fmadd_pd(_mm256_mul_pd(f, g1), tile8_load_avx2(p + 4), zero);
            tile8_store_avx2(out + r * ldout, cols, j, low, high);
            if (!is_cosine)
                continue;
            if (__builtin_expect(tile8_near_avx2(low, high), 0))
                tile8_cosines(j, size_min(j + 8, cols), c + r * TILE8_PANEL, x, r, y,
                              out + r * ldout);
        }
    }
}

static void tile8_dot_avx2(size_t rows, size_t cols, const int32_t *c, const struct tile8_side *x,
                           const struct tile8_side *y, float *out, size_t ldout)
{
    tile8_scale_avx2(false, rows, cols, c, x, y, out, ldout);
}

static void tile8_cosine_avx2(size_t rows, size_t cols, const int32_t *c,
                              const struct tile8_side *x, const struct tile8_side *y, float *out,
                              size_t ldout)
{
    tile8_scale_avx2(true, rows, cols, c, x, y, out, ldout);
}

/* 0 - max((a + b) - (f g) c, 0); vmaxpd gives its second operand when either is NaN. */
static inline __m256d tile8_distance4_avx2(__m256d a, __m256d b, __m256d f, __m256d g, __m256d c)
{
    __m256d v = _mm256_sub_pd(_mm256_add_pd(a, b), _mm256_mul_pd(_mm256_mul_pd(f, g), c));
    return _mm256_sub_pd(_mm256_setzero_pd(), _mm256_max_pd(_mm256_setzero_pd(), v));
}

static void tile8_neg_sq_l2_avx2(size_t rows, size_t cols, const int32_t *c,
                                 const struct tile8_side *x, const struct tile8_side *y, float *out,
                                 size_t ldout)
{
    for (size_t j = 0; j < cols; j += 8) {
        const __m256d g0 = _mm256_loadu_pd(y->factor + j), g1 = _mm256_loadu_pd(y->factor + j + 4);
        const __m256d b0 = _mm256_loadu_pd(y->square + j), b1 = _mm256_loadu_pd(y->square + j + 4);
        for (size_t r = 0; r < rows; r++) {
            const __m256d f = _mm256_set1_pd(x->factor[r]), a = _mm256_set1_pd(x->square[r]);
            const int32_t *p = c + r * TILE8_PANEL + j;
            __m256d low = tile8_distance4_avx2(a, b0, f, g0, tile8_load_avx2(p));
            __m256d high = tile8_distance4_avx2(a, b1, f, g1, tile8_load_avx2(p + 4));
            tile8_store_avx2(out + r * ldout, cols, j, low, high);
        }
    }
}

#define TILE8_FINISH_AVX2                                                                          \
    .finish = {[MMK_DOT] = tile8_dot_avx2,                                                         \
               [MMK_COSINE] = tile8_cosine_avx2,                                                   \
               [MMK_NEG_SQ_L2] = tile8_neg_sq_l2_avx2}

#endif
