/* cosine.h - inner loops of pair, query and row norms, and their contract (internal).
 * SPDX-License-Identifier: MIT
 *
 * All sums of one vector run in 64 canonical lanes (simd/scalar.h), so that every ISA returns the same
 * bits.
 */
#ifndef MMK_COSINE_H
#define MMK_COSINE_H

#include "../mmk.h"

/* A row x is normalised as (x_k * power) * inverse. power is an exact power of two, 1 unless |x|^2
 * leaves [2^-60, 2^60], where float would lose digits or overflow. Zero row: inverse 0; a row with NaN
 * or Inf: inverse NaN. */
struct row_scale {
    float power, inverse;
};

struct cosine_ops {
    /* sim(x, y), indexed by enum mmk_similarity. */
    float (*pair[MMK_SIMILARITY_COUNT])(size_t d, const float *x, const float *y);
    /* result[j] = sim(x, y_j), the bits of pair. */
    void (*query[MMK_SIMILARITY_COUNT])(size_t n, size_t d, const float *x, const float *y,
                                        size_t ldy, float *result);
    /* query[MMK_COSINE], the same bits, with what squared_norms gives for the rows of y. */
    void (*query_norms)(size_t n, size_t d, const float *x, const float *y, size_t ldy,
                        const float *squared_norms, float *result);
    /* out[j] = |y_j|^2, the sum that pair and query take, NaN canonical. */
    void (*squared_norms)(size_t n, size_t d, const float *y, size_t ldy, float *out);
    struct row_scale (*row_scale)(size_t d, const float *x);
    /* out_k = (x_k * power) * inverse, NaN canonical; out == x is allowed. */
    void (*scale_row)(size_t d, const float *x, struct row_scale scale, float *out);
};

extern const struct cosine_ops cosine_ops_scalar;
extern const struct cosine_ops cosine_ops_avx2;
extern const struct cosine_ops cosine_ops_avx512;
extern const struct cosine_ops cosine_ops_neon;

#endif
