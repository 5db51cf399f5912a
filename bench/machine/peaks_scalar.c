/* peaks_scalar.c - the rate of multiplications and additions, and read bandwidth, in plain C.
 * SPDX-License-Identifier: MIT
 *
 * What the compiler makes of scalar source for any CPU of an architecture has vectors of four
 * floats, so this has them too: else a loop that it vectorised would be above its peak. The
 * baseline x86-64 has no FMA, fmaf is a call into libm there: a multiplication and an addition are
 * the most that such code can do. Where FMA is in the baseline, on AArch64, peaks.c takes its loop
 * instead.
 */
#include "peaks.h"

enum { CHAINS = 12 }; /* and the two operands stay within 16 registers */

typedef float four __attribute__((vector_size(16)));

static float multiply_add_scalar(size_t iterations)
{
    four chain[CHAINS], factor = {0.5f, 0.5f, 0.5f, 0.5f}, addend = {1.0f, 1.0f, 1.0f, 1.0f};
    for (int c = 0; c < CHAINS; c++)
        chain[c] = (float)c + addend;
#if defined(__x86_64__)
    /* Opaque to the compiler, and still in registers. */
    __asm__ volatile("" : "+x"(factor), "+x"(addend));
#endif
    for (size_t i = 0; i < iterations; i++) {
#pragma GCC unroll 12
        for (int c = 0; c < CHAINS; c++)
            chain[c] = chain[c] * factor + addend;
    }
    for (int c = 1; c < CHAINS; c++)
        chain[0] += chain[c];
    return chain[0][0] + chain[0][1] + chain[0][2] + chain[0][3];
}

static float read_scalar(const float *data, size_t floats, size_t passes)
{
    float s0 = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0, s5 = 0, s6 = 0, s7 = 0;
    for (size_t pass = 0; pass < passes; pass++) {
        for (size_t i = 0; i < floats; i += 8) {
            s0 += data[i];
            s1 += data[i + 1];
            s2 += data[i + 2];
            s3 += data[i + 3];
            s4 += data[i + 4];
            s5 += data[i + 5];
            s6 += data[i + 6];
            s7 += data[i + 7];
        }
        __asm__ volatile("" ::: "memory"); /* every pass reads again */
    }
    return s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7;
}

const struct peak_loops peak_loops_scalar = {
    .multiply_add = multiply_add_scalar,
    .flops_per_iteration = 2.0 * 4 * CHAINS,
    .read = {read_scalar, read_scalar, read_scalar}, /* other limits than memory's come first */
};
