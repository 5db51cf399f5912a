/* query.h - inner loops of one vector against many, and their contract (internal).
 * SPDX-License-Identifier: MIT
 *
 * The bits are those of pair. A gallery is read once, 4 bytes for each multiply-add: beyond L1 its
 * way to the core is what a query takes, but for the cosine without given norms, which has twice
 * the arithmetic (query_avx512.c has figures). squared_norms is a dot product with one row in place
 * of two.
 *
 *   query.c          mmk_similarity_query, mmk_squared_norms
 *   query_<isa>.c    the table; query_f16_<isa>.c and query_bf16_<isa>.c the same text for rows of
 *                    these
 */
#ifndef MMK_QUERY_H
#define MMK_QUERY_H

#include "../mmk.h"

/* Rows of one whole block, or of two, that are more than this together are taken another way
 * (avx512). */
enum { QUERY_NEAR_BYTES = 512 << 10, QUERY_NEAR_PAIR_BYTES = 2 << 20 };

/* Rows of X that are taken at a time against each row of Y, at most. */
enum { QUERY_SEVERAL = 8 };

struct query_ops {
    /* result[j] = sim(x, y_j), indexed by enum mmk_similarity. */
    void (*query[MMK_SIMILARITY_COUNT])(size_t n, size_t d, const float *x, const float *y,
                                        size_t ldy, float *result);
    /* query[MMK_COSINE], the same bits, with what squared_norms gives for the rows of y. */
    void (*query_norms)(size_t n, size_t d, const float *x, const float *y, size_t ldy,
                        const float *squared_norms, float *result);
    /* m rows of X, which stay in cache, against n of Y, each read once: result[i * ldr + j] =
     * x_i.y_j and squares[j] = |y_j|^2, or -|x_i - y_j|^2, the sums that pair takes, NaN canonical.
     * For search/screen.h. */
    void (*dots)(size_t m, size_t n, size_t d, const float *x, size_t ldx, const float *y,
                 size_t ldy, float *result, size_t ldr, float *squares);
    void (*neg_sq_l2s)(size_t m, size_t n, size_t d, const float *x, size_t ldx, const float *y,
                       size_t ldy, float *result, size_t ldr);
    /* out[j] = |y_j|^2, the sum that pair and query take, NaN canonical. */
    void (*squared_norms)(size_t n, size_t d, const float *y, size_t ldy, float *out);
};

/* The longest x, in floats, that is widened for rows of f16 (16 KB, half of the least L1). */
enum { QUERY_WIDE_ROW = 4096 };

/* The same of rows y of f16 and an x that has been widened: the bits of query_ops with y widened,
 * too. d <= QUERY_WIDE_ROW. */
struct query_f16_ops {
    void (*query[MMK_SIMILARITY_COUNT])(size_t n, size_t d, const float *x, const uint16_t *y,
                                        size_t ldy, float *result);
    void (*query_norms)(size_t n, size_t d, const float *x, const uint16_t *y, size_t ldy,
                        const float *squared_norms, float *result);
};

/* query_ops.dots and neg_sq_l2s, the same bits, for rows y of 16-bit floats. */
struct query_several_ops {
    void (*dots)(size_t m, size_t n, size_t d, const float *x, size_t ldx, const uint16_t *y,
                 size_t ldy, float *result, size_t ldr, float *squares);
    void (*neg_sq_l2s)(size_t m, size_t n, size_t d, const float *x, size_t ldx, const uint16_t *y,
                       size_t ldy, float *result, size_t ldr);
};

extern const struct query_ops query_ops_scalar;
extern const struct query_ops query_ops_avx2;
extern const struct query_ops query_ops_avx512;
extern const struct query_ops query_ops_neon;

extern const struct query_f16_ops query_f16_ops_scalar;
extern const struct query_f16_ops query_f16_ops_avx2;
extern const struct query_f16_ops query_f16_ops_avx512;
extern const struct query_f16_ops query_f16_ops_neon;

extern const struct query_several_ops query_several_f16_scalar, query_several_bf16_scalar;
extern const struct query_several_ops query_several_f16_avx2, query_several_bf16_avx2;
extern const struct query_several_ops query_several_f16_avx512, query_several_bf16_avx512;
extern const struct query_several_ops query_several_f16_neon, query_several_bf16_neon;

#endif
