/* codes_avxvnni.c - codes of 8 bits, AVX2 with AVX-VNNI.
 * SPDX-License-Identifier: MIT
 *
 * Bound by the product (tile8_avxvnni.c).
 */
#include "codes_by_rows.h"

#include "../simd/avx2.h"

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

const struct codes_ops codes_ops_avxvnni = {
    .tile = &tile8_ops_avxvnni,
    .quantize = &quantize_ops_avx2,
    .screen = codes_screen_avxvnni,
};
