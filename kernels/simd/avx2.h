/* avx2.h - building blocks on __m256 (AVX2 and FMA).
 * SPDX-License-Identifier: MIT
 *
 * The names and results are those of scalar.h, 8 elements at a time. Tails are vmaskmovps, which
 * does not fault on the elements that are masked off.
 */
#ifndef MMK_SIMD_AVX2_H
#define MMK_SIMD_AVX2_H

#include "scalar.h"

#include <immintrin.h>

/* Mask of the first elements of a vector; first is 0..8. */
static inline __m256i simd_first(size_t first)
{
    static const int32_t window[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
    return _mm256_loadu_si256((const __m256i *)(const void *)(window + 8 - first));
}

static inline __m256 simd_load_first(const float *p, size_t first)
{
    return _mm256_maskload_ps(p, simd_first(first));
}

/* The first min(d, 8) elements, zeros after them; d > 0. Whole vectors without a mask: hardware
 * does not prefetch for masked loads, and rows of 32 floats came from L3 at 8 GB/s. */
static inline __m256 simd_load_tail(const float *p, size_t d)
{
    return d < 8 ? simd_load_first(p, d) : _mm256_loadu_ps(p);
}

/* A load that stays one load: gcc 12 would read memory again for every use of the value. */
static inline __m256 simd_load_once(const float *p)
{
    __m256 v = _mm256_loadu_ps(p);
    __asm__("" : "+x"(v));
    return v;
}

/* The same of f16, whose tails are two loads: elements two by two, and the last one. */
static inline __m128i simd_load_halves(const uint16_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* 1 <= first < 8 */
static inline __m128i simd_load_first_halves(const uint16_t *p, size_t first)
{
    static const int16_t last[15] = {[7] = -1};
    const __m128i only = _mm_loadu_si128((const __m128i *)(const void *)(last + 8 - first));
    __m128i twos = _mm_maskload_epi32((const int *)(const void *)p,
                                      _mm256_castsi256_si128(simd_first(first / 2)));
    __m128i one = _mm_and_si128(_mm_set1_epi16((int16_t)p[first - 1]), only);
    return _mm_or_si128(twos, one);
}

static inline __m256 simd_load_f16(const uint16_t *p)
{
    return _mm256_cvtph_ps(simd_load_halves(p));
}

static inline __m256 simd_load_tail_f16(const uint16_t *p, size_t d)
{
    return d < 8 ? _mm256_cvtph_ps(simd_load_first_halves(p, d)) : simd_load_f16(p);
}

/* And of bf16. */
static inline __m256 simd_widen_bf16(__m128i halves)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
}

static inline __m256 simd_load_bf16(const uint16_t *p)
{
    return simd_widen_bf16(simd_load_halves(p));
}

static inline __m256 simd_load_tail_bf16(const uint16_t *p, size_t d)
{
    return simd_widen_bf16(d < 8 ? simd_load_first_halves(p, d) : simd_load_halves(p));
}

static inline void simd_store_first(float *p, size_t first, __m256 v)
{
    _mm256_maskstore_ps(p, simd_first(first), v);
}

static inline __m256 simd_canonical_nan8(__m256 v)
{
    __m256 nan = _mm256_cmp_ps(v, v, _CMP_UNORD_Q);
    return _mm256_blendv_ps(v, _mm256_castsi256_ps(_mm256_set1_epi32(0x7fc00000)), nan);
}

/* vmaxps gives its second operand when either is NaN: a NaN in v leaves acc. */
static inline __m256 simd_max8(__m256 v, __m256 acc)
{
    return _mm256_max_ps(v, acc);
}

/* Greatest of 8 elements, none of them NaN. */
static inline float simd_hmax8(__m256 v)
{
    __m128 q = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    q = _mm_max_ps(q, _mm_movehl_ps(q, q));
    q = _mm_max_ss(q, _mm_shuffle_ps(q, q, 1));
    return _mm_cvtss_f32(q);
}

/* The last levels of a tree, 8 -> 1 lane. */
static inline float simd_sum8x8(__m256 h)
{
    __m128 q = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    q = _mm_add_ps(q, _mm_movehl_ps(q, q));     /* 0+2 1+3 */
    q = _mm_add_ss(q, _mm_shuffle_ps(q, q, 1)); /* 0+1 */
    return _mm_cvtss_f32(_mm_add_ss(q, _mm_setzero_ps()));
}

/* simd_canonical_nan by a blend: the compiler's goes through a general register. */
static inline float simd_canonical_nan1(float v)
{
    return _mm256_cvtss_f32(simd_canonical_nan8(_mm256_castps128_ps256(_mm_set_ss(v))));
}

/* low holds lanes 0..7, high 8..15. */
static inline float simd_sum16x8(__m256 low, __m256 high)
{
    return simd_sum8x8(_mm256_add_ps(low, high));
}

/* The first three levels of the tree, 64 -> 8 lanes; s0 holds canonical lanes 0..7, s1 8..15, and
 * so on. */
static inline __m256 simd_fold64x8(__m256 s0, __m256 s1, __m256 s2, __m256 s3, __m256 s4, __m256 s5,
                                   __m256 s6, __m256 s7)
{
    __m256 even = _mm256_add_ps(_mm256_add_ps(s0, s4), _mm256_add_ps(s2, s6));
    __m256 odd = _mm256_add_ps(_mm256_add_ps(s1, s5), _mm256_add_ps(s3, s7));
    return _mm256_add_ps(even, odd);
}

/* lane[i] holds canonical lanes 8i .. 8i+7. */
static inline float simd_sum64x8(const __m256 lane[8])
{
    return simd_sum8x8(
        simd_fold64x8(lane[0], lane[1], lane[2], lane[3], lane[4], lane[5], lane[6], lane[7]));
}

static inline __m256 simd_exp2_join8(__m256 t, __m256 r)
{
    __m256 p = _mm256_set1_ps(SIMD_EXP2_C6);
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(SIMD_EXP2_C5));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(SIMD_EXP2_C4));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(SIMD_EXP2_C3));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(SIMD_EXP2_C2));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(SIMD_EXP2_C1));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f));
    __m256i n = _mm256_slli_epi32(_mm256_castps_si256(t), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), n));
}

static inline __m256 simd_exp2x8(__m256 z)
{
    const __m256 magic = _mm256_set1_ps(SIMD_ROUND_MAGIC);
    __m256 t = _mm256_add_ps(z, magic);
    __m256 n = _mm256_sub_ps(t, magic);
    __m256 e = simd_exp2_join8(t, _mm256_sub_ps(z, n));
    /* not less than, true for NaN: keeps it */
    return _mm256_and_ps(e, _mm256_cmp_ps(z, _mm256_set1_ps(-126.0f), _CMP_NLT_UQ));
}

static inline __m256 simd_exp2_shifted8(__m256 z, struct simd_shift c)
{
    /* vmaxps and vminps give their second operand when either is NaN */
    z = _mm256_max_ps(_mm256_set1_ps(c.lowest), z);
    z = _mm256_min_ps(_mm256_set1_ps(c.highest), z);
    const __m256 magic = _mm256_set1_ps(c.magic);
    __m256 t = _mm256_add_ps(z, magic);
    __m256 r = _mm256_sub_ps(z, _mm256_sub_ps(t, magic));
    __m256 p = _mm256_set1_ps(SIMD_EXP2_SHORT_C5);
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(SIMD_EXP2_SHORT_C4));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(SIMD_EXP2_SHORT_C3));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(SIMD_EXP2_SHORT_C2));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(SIMD_EXP2_SHORT_C1));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f));
    __m256i n = _mm256_slli_epi32(_mm256_castps_si256(t), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), n));
}

static inline __m256 simd_log2_1px8(__m256 q, __m256 raised, __m256 base)
{
    __m256 p = _mm256_set1_ps(SIMD_LOG2_1P_C8);
    p = _mm256_fmadd_ps(p, q, _mm256_set1_ps(SIMD_LOG2_1P_C7));
    p = _mm256_fmadd_ps(p, q, _mm256_set1_ps(SIMD_LOG2_1P_C6));
    p = _mm256_fmadd_ps(p, q, _mm256_set1_ps(SIMD_LOG2_1P_C5));
    p = _mm256_fmadd_ps(p, q, _mm256_set1_ps(SIMD_LOG2_1P_C4));
    p = _mm256_fmadd_ps(p, q, _mm256_set1_ps(SIMD_LOG2_1P_C3));
    p = _mm256_fmadd_ps(p, q, _mm256_set1_ps(SIMD_LOG2_1P_C2));
    p = _mm256_fmadd_ps(p, q, _mm256_set1_ps(SIMD_LOG2_1P_C1));
    p = _mm256_fmadd_ps(p, q, _mm256_set1_ps(SIMD_LOG2_1P_C0));
    return _mm256_fmadd_ps(p, raised, base);
}

#endif
