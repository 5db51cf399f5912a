/* peaks_avx512.c - FMA rate and read bandwidth with 512-bit registers.
 * SPDX-License-Identifier: MIT
 *
 * 16 chains: two FMA units with a latency of four cycles need eight; the rest is slack.
 */
#include "peaks.h"

#include <immintrin.h>

enum { CHAINS = 16 };

static float fma_avx512(size_t iterations)
{
    __m512 chain[CHAINS];
    for (int c = 0; c < CHAINS; c++)
        chain[c] = _mm512_set1_ps((float)c);
    __m512 factor = _mm512_set1_ps(0.5f), addend = _mm512_set1_ps(1.0f);
    /* Opaque to the compiler, and still in registers. */
    __asm__ volatile("" : "+v"(factor), "+v"(addend));
    for (size_t i = 0; i < iterations; i++) {
#pragma GCC unroll 16
        for (int c = 0; c < CHAINS; c++)
            chain[c] = _mm512_fmadd_ps(chain[c], factor, addend);
    }
    for (int c = 1; c < CHAINS; c++)
        chain[0] = _mm512_add_ps(chain[0], chain[c]);
    return _mm512_reduce_add_ps(chain[0]);
}

__attribute__((always_inline)) static inline float read_with(const float *data, size_t floats,
                                                             size_t passes, enum read_way way)
{
    __m512 sum[8];
    for (int c = 0; c < 8; c++)
        sum[c] = _mm512_setzero_ps();
    for (size_t pass = 0; pass < passes; pass++) {
        for (size_t i = 0; i < floats; i += 128) {
#pragma GCC unroll 8
            for (size_t c = 0; c < 8; c++) {
                const float *p = data + peak_place(way, floats, i, c, 16);
                if (way == READ_AHEAD)
                    _mm_prefetch((const char *)(p + PEAK_AHEAD), _MM_HINT_T0);
                sum[c] = _mm512_add_ps(sum[c], _mm512_load_ps(p));
            }
        }
        __asm__ volatile("" ::: "memory"); /* every pass reads again */
    }
    for (int c = 1; c < 8; c++)
        sum[0] = _mm512_add_ps(sum[0], sum[c]);
    return _mm512_reduce_add_ps(sum[0]);
}

static float read_avx512(const float *data, size_t floats, size_t passes)
{
    return read_with(data, floats, passes, READ_IN_ORDER);
}

static float read_ahead_avx512(const float *data, size_t floats, size_t passes)
{
    return read_with(data, floats, passes, READ_AHEAD);
}

static float read_apart_avx512(const float *data, size_t floats, size_t passes)
{
    return read_with(data, floats, passes, READ_APART);
}

const struct peak_loops peak_loops_avx512 = {
    .multiply_add = fma_avx512,
    .flops_per_iteration = 2.0 * 16 * CHAINS,
    .read = {[READ_IN_ORDER] = read_avx512,
             [READ_AHEAD] = read_ahead_avx512,
             [READ_APART] = read_apart_avx512},
};
