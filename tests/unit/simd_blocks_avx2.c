/* simd_blocks_avx2.c - kernels/simd/avx2.h as a table.
 * SPDX-License-Identifier: MIT
 */
#include "simd_blocks.h"

#include "../../kernels/simd/avx2.h"

static void exp2_avx2(size_t n, const float *in, float *out)
{
    for (size_t i = 0; i < n; i += 8)
        _mm256_storeu_ps(out + i, simd_exp2x8(_mm256_loadu_ps(in + i)));
}

static void exp2_shifted_avx2(size_t n, const float *in, float c, float *out)
{
    for (size_t i = 0; i < n; i += 8)
        _mm256_storeu_ps(out + i, simd_exp2_shifted8(_mm256_loadu_ps(in + i), simd_shift(c)));
}

static void log2_1p_avx2(size_t n, const float *q, const float *base, float *out)
{
    for (size_t i = 0; i < n; i += 8)
        _mm256_storeu_ps(out + i, simd_log2_1px8(_mm256_loadu_ps(q + i), _mm256_loadu_ps(q + i),
                                                 _mm256_loadu_ps(base + i)));
}

static void canonical_nan_avx2(size_t n, const float *in, float *out)
{
    for (size_t i = 0; i < n; i += 8)
        _mm256_storeu_ps(out + i, simd_canonical_nan8(_mm256_loadu_ps(in + i)));
}

static void max_avx2(size_t n, const float *in, float *acc)
{
    for (size_t i = 0; i < n; i += 8)
        _mm256_storeu_ps(acc + i, simd_max8(_mm256_loadu_ps(in + i), _mm256_loadu_ps(acc + i)));
}

static float sum64_avx2(const float *lane)
{
    __m256 v[8];
    for (int i = 0; i < 8; i++)
        v[i] = _mm256_loadu_ps(lane + 8 * i);
    return simd_sum64x8(v);
}

static float hmax_avx2(const float *in)
{
    return simd_hmax8(_mm256_loadu_ps(in));
}

static void load_first_avx2(size_t first, const float *in, float *out)
{
    _mm256_storeu_ps(out, simd_load_first(in, first));
}

static void store_first_avx2(size_t first, const float *in, float *out)
{
    simd_store_first(out, first, _mm256_loadu_ps(in));
}

const struct simd_blocks simd_blocks_avx2 = {
    .isa = MMK_ISA_AVX2,
    .width = 8,
    .exp2 = exp2_avx2,
    .exp2_shifted = exp2_shifted_avx2,
    .log2_1p = log2_1p_avx2,
    .canonical_nan = canonical_nan_avx2,
    .max = max_avx2,
    .sum64 = sum64_avx2,
    .hmax = hmax_avx2,
    .load_first = load_first_avx2,
    .store_first = store_first_avx2,
};
