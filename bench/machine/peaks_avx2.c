/* peaks_avx2.c - FMA rate and read bandwidth with 256-bit registers.
 * SPDX-License-Identifier: MIT
 *
 * 12 chains and the two operands stay within the 16 registers.
 */
#include "peaks.h"

#include <immintrin.h>

enum { CHAINS = 12 };

static float sum_avx2(__m256 v)
{
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}

static float fma_avx2(size_t iterations)
{
    __m256 chain[CHAINS];
    for (int c = 0; c < CHAINS; c++)
        chain[c] = _mm256_set1_ps((float)c);
    __m256 factor = _mm256_set1_ps(0.5f), addend = _mm256_set1_ps(1.0f);
    /* Opaque to the compiler, and still in registers. */
    __asm__ volatile("" : "+x"(factor), "+x"(addend));
    for (size_t i = 0; i < iterations; i++) {
#pragma GCC unroll 12
        for (int c = 0; c < CHAINS; c++)
            chain[c] = _mm256_fmadd_ps(chain[c], factor, addend);
    }
    for (int c = 1; c < CHAINS; c++)
        chain[0] = _mm256_add_ps(chain[0], chain[c]);
    return sum_avx2(chain[0]);
}

__attribute__((always_inline)) static inline float read_with(const float *data, size_t floats,
                                                             size_t passes, enum read_way way)
{
    __m256 sum[8];
    for (int c = 0; c < 8; c++)
        sum[c] = _mm256_setzero_ps();
    for (size_t pass = 0; pass < passes; pass++) {
        for (size_t i = 0; i < floats; i += 64) {
#pragma GCC unroll 8
            for (size_t c = 0; c < 8; c++) {
                const float *p = data + peak_place(way, floats, i, c, 8);
                if (way == READ_AHEAD && c % 2 == 0)
                    _mm_prefetch((const char *)(p + PEAK_AHEAD), _MM_HINT_T0);
                sum[c] = _mm256_add_ps(sum[c], _mm256_load_ps(p));
            }
        }
        __asm__ volatile("" ::: "memory"); /* every pass reads again */
    }
    for (int c = 1; c < 8; c++)
        sum[0] = _mm256_add_ps(sum[0], sum[c]);
    return sum_avx2(sum[0]);
}

static float read_avx2(const float *data, size_t floats, size_t passes)
{
    return read_with(data, floats, passes, READ_IN_ORDER);
}

static float read_ahead_avx2(const float *data, size_t floats, size_t passes)
{
    return read_with(data, floats, passes, READ_AHEAD);
}

static float read_apart_avx2(const float *data, size_t floats, size_t passes)
{
    return read_with(data, floats, passes, READ_APART);
}

const struct peak_loops peak_loops_avx2 = {
    .multiply_add = fma_avx2,
    .flops_per_iteration = 2.0 * 8 * CHAINS,
    .read = {[READ_IN_ORDER] = read_avx2,
             [READ_AHEAD] = read_ahead_avx2,
             [READ_APART] = read_apart_avx2},
};
