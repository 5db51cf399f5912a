/* simd_blocks.h - the building blocks of each kernels/simd/ header as a table, so that one test can
 * run those of every instruction set.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_TEST_SIMD_BLOCKS_H
#define MMK_TEST_SIMD_BLOCKS_H

#include "../../kernels/mmk.h"

struct simd_blocks {
    enum mmk_isa isa;
    size_t width; /* floats in a vector; 1 for scalar */

    /* Elementwise; n is a multiple of 64. */
    void (*exp2)(size_t n, const float *in, float *out);
    void (*exp2_shifted)(size_t n, const float *in, float c, float *out);
    void (*log2_1p)(size_t n, const float *q, const float *base, float *out);
    void (*canonical_nan)(size_t n, const float *in, float *out);
    void (*max)(size_t n, const float *in, float *acc);

    float (*sum64)(const float *lane);
    /* These are NULL for scalar. hmax reads width elements; load_first stores the whole vector. */
    float (*hmax)(const float *in);
    void (*load_first)(size_t first, const float *in, float *out);
    void (*store_first)(size_t first, const float *in, float *out);
};

extern const struct simd_blocks simd_blocks_scalar;
extern const struct simd_blocks simd_blocks_avx2;
extern const struct simd_blocks simd_blocks_avx512;
extern const struct simd_blocks simd_blocks_neon;

/* The tables that this machine can run, scalar first; returns how many. */
size_t simd_blocks_usable(const struct simd_blocks *usable[MMK_ISA_COUNT]);

#endif
