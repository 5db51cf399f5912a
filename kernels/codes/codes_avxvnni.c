/* codes_avxvnni.c - codes of 8 bits, AVX2 with AVX-VNNI.
 * SPDX-License-Identifier: MIT
 *
 * Bound by the product (tile8_avxvnni.c).
 */
#include "codes_by_rows.h"

#include "../simd/avx2.h"

static struct codes_scale codes_quantize_avxvnni(size_t d, const float *row, int8_t *codes)
{
    const __m256 magnitude = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
    __m256 s[8], greatest = _mm256_setzero_ps();
    for (size_t i = 0; i < 8; i++)
        s[i] = _mm256_setzero_ps();
    for (size_t k = 0; k < d; k += 64)
#pragma GCC unroll 8
        for (size_t i = 0; i < 8; i++) {
            if (k + 8 * i >= d)
                continue;
            __m256 v = simd_load_tail(row + k + 8 * i, d - k - 8 * i);
            s[i] = _mm256_fmadd_ps(v, v, s[i]);
            greatest = _mm256_max_ps(_mm256_and_ps(v, magnitude), greatest);
        }
    const float norm = codes_root_up(simd_sum64x8(s), d), most = simd_hmax8(greatest);
    memset(codes, 0, codes_row_bytes(d));
    if (!codes_usable(norm))
        return codes_unusable(norm, most);
    const float step = most / 127, inverse = 127 / most;
    const __m256 stepv = _mm256_set1_ps(step), inversev = _mm256_set1_ps(inverse);
    for (size_t i = 0; i < 8; i++)
        s[i] = _mm256_setzero_ps();
    for (size_t k = 0; k < d; k += 64)
#pragma GCC unroll 8
        for (size_t i = 0; i < 8; i++) {
            if (k + 8 * i >= d)
                continue;
            __m256 v = simd_load_tail(row + k + 8 * i, d - k - 8 * i);
            __m256i q = _mm256_cvtps_epi32(_mm256_mul_ps(v, inversev));
            __m256 left = _mm256_fnmadd_ps(stepv, _mm256_cvtepi32_ps(q), v);
            s[i] = _mm256_fmadd_ps(left, left, s[i]);
            __m128i words =
                _mm_packs_epi32(_mm256_castsi256_si128(q), _mm256_extracti128_si256(q, 1));
            _mm_storel_epi64((__m128i *)(void *)(codes + k + 8 * i), _mm_packs_epi16(words, words));
        }
    float error = codes_root_up(simd_sum64x8(s), d) + norm * 0x1p-24f;
    return (struct codes_scale){step, error, norm};
}

static inline uint32_t codes_pass_avxvnni(const int32_t *c, const struct codes_row *row)
{
    const __m256 norm = _mm256_set1_ps(row->norm), per_step = _mm256_set1_ps(row->per_step);
    const __m256 least = _mm256_set1_ps(row->least);
    uint32_t pass = 0;
#pragma GCC unroll 4
    for (size_t j = 0; j < CODES_PANEL; j += 8) {
        __m256 sum = _mm256_cvtepi32_ps(_mm256_loadu_si256((const __m256i *)(const void *)(c + j)));
        __m256 upper =
            _mm256_fmadd_ps(norm, _mm256_loadu_ps(row->off + j), _mm256_loadu_ps(row->base + j));
        if (row->adds)
            upper = _mm256_fmadd_ps(per_step, _mm256_loadu_ps(row->add + j), upper);
        upper = _mm256_fmadd_ps(sum, _mm256_loadu_ps(row->step + j), upper);
        /* not less than, true for NaN */
        __m256 may = _mm256_cmp_ps(upper, least, _CMP_NLT_UQ);
        pass |= (uint32_t)_mm256_movemask_ps(may) << j;
    }
    return pass;
}

static size_t codes_screen_avxvnni(size_t quads, const struct codes_left *left, size_t first,
                                   size_t rows, const struct codes_right *right, size_t col,
                                   size_t cols, bool adds, const float *least,
                                   struct codes_pair *pairs)
{
    return codes_screen_by_rows(TILE8_MR_AVXVNNI, &tile8_ops_avxvnni, codes_pass_avxvnni, quads,
                                left, first, rows, right, col, cols, adds, least, pairs);
}

static int32_t codes_dot_avxvnni(size_t bytes, const int8_t *a, int32_t start, const int8_t *b)
{
    const __m256i bias = _mm256_set1_epi8((char)BIAS);
    __m256i s0 = _mm256_setzero_si256(), s1 = s0;
    for (size_t k = 0; k < bytes; k += 64) {
        __m256i a0 = _mm256_loadu_si256((const __m256i *)(const void *)(a + k));
        __m256i a1 = _mm256_loadu_si256((const __m256i *)(const void *)(a + k + 32));
        __m256i b0 = _mm256_loadu_si256((const __m256i *)(const void *)(b + k));
        __m256i b1 = _mm256_loadu_si256((const __m256i *)(const void *)(b + k + 32));
        s0 = _mm256_dpbusd_avx_epi32(s0, _mm256_xor_si256(b0, bias), a0);
        s1 = _mm256_dpbusd_avx_epi32(s1, _mm256_xor_si256(b1, bias), a1);
    }
    s0 = _mm256_add_epi32(s0, s1);
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(s0), _mm256_extracti128_si256(s0, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, _MM_SHUFFLE(1, 0, 3, 2)));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, _MM_SHUFFLE(2, 3, 0, 1)));
    return start + _mm_cvtsi128_si32(s);
}

const struct codes_ops codes_ops_avxvnni = {
    .tile = &tile8_ops_avxvnni,
    .quantize = codes_quantize_avxvnni,
    .screen = codes_screen_avxvnni,
    .dot = codes_dot_avxvnni,
};
