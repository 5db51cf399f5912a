/* peaks_scalar.c - multiply-add rate and read bandwidth one float at a time, in plain C.
 * SPDX-License-Identifier: MIT
 *
 * The baseline x86-64 has no FMA: a multiplication and an addition stand for it. The empty asm
 * keeps every chain in a register of its own, so that the compiler does not make vectors of them.
 */
#include "peaks.h"

enum { CHAINS = 12 };

#if defined(__x86_64__)
#define KEEP(x)               __asm__ volatile("" : "+x"(x))
#define MULTIPLY_ADD(x, y, z) ((x) * (y) + (z))
#elif defined(__aarch64__)
#define KEEP(x)               __asm__ volatile("" : "+w"(x))
#define MULTIPLY_ADD(x, y, z) __builtin_fmaf((x), (y), (z))
#else
#define KEEP(x)               ((void)(x))
#define MULTIPLY_ADD(x, y, z) ((x) * (y) + (z))
#endif

static float fma_scalar(size_t iterations)
{
    float c0 = 0, c1 = 1, c2 = 2, c3 = 3, c4 = 4, c5 = 5, c6 = 6, c7 = 7;
    float c8 = 8, c9 = 9, c10 = 10, c11 = 11;
    float factor = 0.5f, addend = 1.0f;
    KEEP(factor);
    KEEP(addend);
    for (size_t i = 0; i < iterations; i++) {
        c0 = MULTIPLY_ADD(c0, factor, addend);
        c1 = MULTIPLY_ADD(c1, factor, addend);
        c2 = MULTIPLY_ADD(c2, factor, addend);
        c3 = MULTIPLY_ADD(c3, factor, addend);
        c4 = MULTIPLY_ADD(c4, factor, addend);
        c5 = MULTIPLY_ADD(c5, factor, addend);
        c6 = MULTIPLY_ADD(c6, factor, addend);
        c7 = MULTIPLY_ADD(c7, factor, addend);
        c8 = MULTIPLY_ADD(c8, factor, addend);
        c9 = MULTIPLY_ADD(c9, factor, addend);
        c10 = MULTIPLY_ADD(c10, factor, addend);
        c11 = MULTIPLY_ADD(c11, factor, addend);
        KEEP(c0);
        KEEP(c1);
        KEEP(c2);
        KEEP(c3);
        KEEP(c4);
        KEEP(c5);
        KEEP(c6);
        KEEP(c7);
        KEEP(c8);
        KEEP(c9);
        KEEP(c10);
        KEEP(c11);
    }
    return c0 + c1 + c2 + c3 + c4 + c5 + c6 + c7 + c8 + c9 + c10 + c11;
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

const struct peak_loops peak_loops_scalar = {fma_scalar, 2.0 * CHAINS, read_scalar, read_scalar};
