/* simd_blocks_avx512.c - kernels/simd/avx512.h as a table.
 * SPDX-License-Identifier: MIT
 */
#include "simd_blocks.h"

#include "../../kernels/simd/avx512.h"

static void exp2_avx512(size_t n, const float *in, float *out)
{
    for (size_t i = 0; i < n; i += 16)
        _mm512_storeu_ps(out + i, simd_exp2x16(_mm512_loadu_ps(in + i)));
}

static void exp2_shifted_avx512(size_t n, const float *in, float c, float *out)
{
    for (size_t i = 0; i < n; i += 16)
        _mm512_storeu_ps(out + i, simd_exp2_shifted16(_mm512_loadu_ps(in + i), simd_shift(c)));
}

static void log2_1p_avx512(size_t n, const float *q, const float *base, float *out)
{
    for (size_t i = 0; i < n; i += 16)
        _mm512_storeu_ps(out + i, simd_log2_1px16(_mm512_loadu_ps(q + i), _mm512_loadu_ps(q + i),
                                                  _mm512_loadu_ps(base + i)));
}

static void canonical_nan_avx512(size_t n, const float *in, float *out)
{
    for (size_t i = 0; i < n; i += 16)
        _mm512_storeu_ps(out + i, simd_canonical_nan16(_mm512_loadu_ps(in + i)));
}

static void max_avx512(size_t n, const float *in, float *acc)
{
    for (size_t i = 0; i < n; i += 16)
        _mm512_storeu_ps(acc + i, simd_max16(_mm512_loadu_ps(in + i), _mm512_loadu_ps(acc + i)));
}

static float sum64_avx512(const float *lane)
{
    return simd_sum64x16(_mm512_loadu_ps(lane), _mm512_loadu_ps(lane + 16),
                         _mm512_loadu_ps(lane + 32), _mm512_loadu_ps(lane + 48));
}

static float hmax_avx512(const float *in)
{
    return simd_hmax16(_mm512_loadu_ps(in));
}

static void load_first_avx512(size_t first, const float *in, float *out)
{
    _mm512_storeu_ps(out, simd_load_first(in, first));
}

static void store_first_avx512(size_t first, const float *in, float *out)
{
    simd_store_first(out, first, _mm512_loadu_ps(in));
}

const struct simd_blocks simd_blocks_avx512 = {
    .isa = MMK_ISA_AVX512,
    .width = 16,
    .exp2 = exp2_avx512,
    .exp2_shifted = exp2_shifted_avx512,
    .log2_1p = log2_1p_avx512,
    .canonical_nan = canonical_nan_avx512,
    .max = max_avx512,
    .sum64 = sum64_avx512,
    .hmax = hmax_avx512,
    .load_first = load_first_avx512,
    .store_first = store_first_avx512,
};
