/* avx512.h - building blocks on __m512 (AVX-512 F, BW, DQ, VL).
 * SPDX-License-Identifier: MIT
 *
 * The names and results are those of scalar.h, 16 elements at a time. Tails are masked loads and
 * stores, which do not fault on the elements that are masked off.
 */
#ifndef MMK_SIMD_AVX512_H
#define MMK_SIMD_AVX512_H

#include "scalar.h"

#include <immintrin.h>

/* Mask of the first elements of a vector; first is 0..16. */
static inline __mmask16 simd_first(size_t first)
{
    return (__mmask16)((1u << first) - 1u);
}

static inline __m512 simd_load_first(const float *p, size_t first)
{
    return _mm512_maskz_loadu_ps(simd_first(first), p);
}

/* The first min(d, 16) elements, zeros after them; d > 0. Whole vectors without a mask: hardware
 * does not prefetch for masked loads, and pairs of rows of 32 floats came from memory at 8 GB/s of
 * 41. */
static inline __m512 simd_load_tail(const float *p, size_t d)
{
    return d < 16 ? simd_load_first(p, d) : _mm512_loadu_ps(p);
}

/* A load that stays one load: gcc 12 would read memory again for every use of the value, and two
 * loads a clock is what there is. */
static inline __m512 simd_load_once(const float *p)
{
    __m512 v = _mm512_loadu_ps(p);
    __asm__("" : "+v"(v));
    return v;
}

/* The same of f16. */
static inline __m512 simd_load_f16(const uint16_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
}

static inline __m512 simd_load_masked_f16(__mmask16 mask, const uint16_t *p)
{
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, p));
}

static inline __m512 simd_load_tail_f16(const uint16_t *p, size_t d)
{
    return d < 16 ? simd_load_masked_f16(simd_first(d), p) : simd_load_f16(p);
}

/* And of bf16. */
static inline __m512 simd_widen_bf16(__m256i halves)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
}

static inline __m512 simd_load_bf16(const uint16_t *p)
{
    return simd_widen_bf16(_mm256_loadu_si256((const __m256i *)(const void *)p));
}

static inline __m512 simd_load_masked_bf16(__mmask16 mask, const uint16_t *p)
{
    return simd_widen_bf16(_mm256_maskz_loadu_epi16(mask, p));
}

static inline __m512 simd_load_tail_bf16(const uint16_t *p, size_t d)
{
    return d < 16 ? simd_load_masked_bf16(simd_first(d), p) : simd_load_bf16(p);
}

static inline void simd_store_first(float *p, size_t first, __m512 v)
{
    _mm512_mask_storeu_ps(p, simd_first(first), v);
}

static inline __m512 simd_canonical_nan16(__m512 v)
{
    __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    return _mm512_mask_mov_ps(v, nan, _mm512_castsi512_ps(_mm512_set1_epi32(0x7fc00000)));
}

/* vmaxps gives its second operand when either is NaN: a NaN in v leaves acc. */
static inline __m512 simd_max16(__m512 v, __m512 acc)
{
    return _mm512_max_ps(v, acc);
}

/* Greatest of 16 elements, none of them NaN. */
static inline float simd_hmax16(__m512 v)
{
    __m256 h = _mm256_max_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    __m128 q = _mm_max_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    q = _mm_max_ps(q, _mm_movehl_ps(q, q));
    q = _mm_max_ss(q, _mm_shuffle_ps(q, q, 1));
    return _mm_cvtss_f32(q);
}

/* v holds lanes 0..15. */
static inline float simd_sum16x16(__m512 v)
{
    __m256 h = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    __m128 q = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    q = _mm_add_ps(q, _mm_movehl_ps(q, q));     /* 0+2 1+3 */
    q = _mm_add_ss(q, _mm_shuffle_ps(q, q, 1)); /* 0+1 */
    return _mm_cvtss_f32(_mm_add_ss(q, _mm_setzero_ps()));
}

/* A constant that is loaded whole, before a mask is applied to it. The compiler would make one
 * masked load of both: with an empty mask that never brings its page in, and where no other load
 * has done so, each call takes 200 ns for finding that out (Zen 5). */
static inline __m512 simd_whole_constant(uint32_t bits)
{
    __m512 v = _mm512_castsi512_ps(_mm512_set1_epi32((int)bits));
    __asm__("" : "+v"(v));
    return v;
}

/* simd_canonical_nan by a mask: the compiler's goes through a general register. */
static inline float simd_canonical_nan1(float v)
{
    __m128 w = _mm_set_ss(v), canonical = _mm512_castps512_ps128(simd_whole_constant(0x7fc00000));
    __mmask8 nan = _mm_cmp_ss_mask(w, w, _CMP_UNORD_Q);
    return _mm_cvtss_f32(_mm_mask_mov_ps(w, nan, canonical));
}

/* The first two levels of the tree, 64 -> 16 lanes; s0 holds canonical lanes 0..15, s1 16..31, and
 * so on. */
static inline __m512 simd_fold64x16(__m512 s0, __m512 s1, __m512 s2, __m512 s3)
{
    return _mm512_add_ps(_mm512_add_ps(s0, s2), _mm512_add_ps(s1, s3));
}

static inline float simd_sum64x16(__m512 s0, __m512 s1, __m512 s2, __m512 s3)
{
    return simd_sum16x16(simd_fold64x16(s0, s1, s2, s3));
}

static inline __m512 simd_exp2_join16(__m512 t, __m512 r)
{
    __m512 p = _mm512_set1_ps(SIMD_EXP2_C6);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(SIMD_EXP2_C5));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(SIMD_EXP2_C4));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(SIMD_EXP2_C3));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(SIMD_EXP2_C2));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(SIMD_EXP2_C1));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
    /* An integer add to the exponent, not vscalefps: that runs once a clock, these leave the FMA
     * ports alone. */
    __m512i n = _mm512_slli_epi32(_mm512_castps_si512(t), 23);
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(p), n));
}

static inline __m512 simd_exp2x16(__m512 z)
{
    const __m512 magic = _mm512_set1_ps(SIMD_ROUND_MAGIC);
    __m512 t = _mm512_add_ps(z, magic);
    __m512 n = _mm512_sub_ps(t, magic);
    __m512 e = simd_exp2_join16(t, _mm512_sub_ps(z, n));
    /* not less than, true for NaN: keeps it */
    __mmask16 keep = _mm512_cmp_ps_mask(z, _mm512_set1_ps(-126.0f), _CMP_NLT_UQ);
    return _mm512_maskz_mov_ps(keep, e);
}

/* Horner's rule for 2^r, as far as a sum needs it; simd_exp2_shifted in scalar.h. */
static const float simd_exp2_short[] = {SIMD_EXP2_SHORT_C5, SIMD_EXP2_SHORT_C4, SIMD_EXP2_SHORT_C3,
                                        SIMD_EXP2_SHORT_C2, SIMD_EXP2_SHORT_C1, 1.0f};

/* vmaxps and vminps give their second operand when either is NaN. */
static inline __m512 simd_exp2_clamp16(__m512 z, float lowest, float highest)
{
    return _mm512_min_ps(_mm512_set1_ps(highest), _mm512_max_ps(_mm512_set1_ps(lowest), z));
}

/* 2^(z - c) from t = z + c.magic; coefficient is simd_exp2_short. */
static inline __m512 simd_exp2_rounded16(__m512 z, __m512 t, float magic, const float *coefficient)
{
    __m512 r = _mm512_sub_ps(z, _mm512_sub_ps(t, _mm512_set1_ps(magic)));
    __m512 p = _mm512_set1_ps(coefficient[0]);
#pragma GCC unroll 5
    for (int i = 1; i < 6; i++)
        p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(coefficient[i]));
    __m512i n = _mm512_slli_epi32(_mm512_castps_si512(t), 23);
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(p), n));
}

static inline __m512 simd_exp2_shifted16(__m512 z, struct simd_shift c)
{
    z = simd_exp2_clamp16(z, c.lowest, c.highest);
    /* Zen 5 has two ports for FMAs and two for adds, maxima and shifts, which are the fuller: an
     * add of one's choice as z * 1 + magic, the same bits. */
    __m512 t = _mm512_fmadd_ps(z, _mm512_set1_ps(1.0f), _mm512_set1_ps(c.magic));
    return simd_exp2_rounded16(z, t, c.magic, simd_exp2_short);
}

static inline __m512 simd_log2_1px16(__m512 q, __m512 raised, __m512 base)
{
    __m512 p = _mm512_set1_ps(SIMD_LOG2_1P_C8);
    p = _mm512_fmadd_ps(p, q, _mm512_set1_ps(SIMD_LOG2_1P_C7));
    p = _mm512_fmadd_ps(p, q, _mm512_set1_ps(SIMD_LOG2_1P_C6));
    p = _mm512_fmadd_ps(p, q, _mm512_set1_ps(SIMD_LOG2_1P_C5));
    p = _mm512_fmadd_ps(p, q, _mm512_set1_ps(SIMD_LOG2_1P_C4));
    p = _mm512_fmadd_ps(p, q, _mm512_set1_ps(SIMD_LOG2_1P_C3));
    p = _mm512_fmadd_ps(p, q, _mm512_set1_ps(SIMD_LOG2_1P_C2));
    p = _mm512_fmadd_ps(p, q, _mm512_set1_ps(SIMD_LOG2_1P_C1));
    p = _mm512_fmadd_ps(p, q, _mm512_set1_ps(SIMD_LOG2_1P_C0));
    return _mm512_fmadd_ps(p, raised, base);
}

#endif
