/* pair.h - inner loops over two vectors or one, and their contract (internal).
 * SPDX-License-Identifier: MIT
 *
 * All sums of one vector run in 64 canonical lanes (simd/scalar.h), so that every ISA returns the
 * same bits. A call takes nanoseconds: what bounds it is the arithmetic of rows in L1 and, below
 * some 512 floats, the chain of adds, square root and division at its end (pair_avx512.c has
 * figures). Rows of two matrices beyond the caches cost their reading.
 *
 *   pair.c           mmk_similarity_pair, mmk_similarity_rows, mmk_normalize_rows
 *   pair_<isa>.c     the table; pair_f16_<isa>.c the same text for rows of f16
 *   lanes_<isa>.h    sums of one row, and the cosine of rows that must be scaled, for query/ too
 *   norm.h           which norms are safe
 *   element.h        of what rows are
 */
#ifndef MMK_PAIR_H
#define MMK_PAIR_H

#include "../mmk.h"

/* A row x is normalised as (x_k * power) * inverse. power is an exact power of two, 1 unless |x|^2
 * leaves [2^-60, 2^60], where float would lose digits or overflow. Zero row: inverse 0; a row with
 * NaN or Inf: inverse NaN. */
struct row_scale {
    float power, inverse;
};

/* Beyond so many of X and Y together their rows come from memory, or from an L3 that does not tell
 * far_cosine from the other. */
enum { PAIR_FAR_BYTES = 4 << 20 };

/* Longest row, in floats, that two passes of a cosine find in L1 (x and y take 32 KB), and what a
 * longer one is cut into (avx2 and neon). */
enum { PAIR_LONG_ROW = 4096, PAIR_LONG_PIECE = 512, PAIR_LONG_PIECE_NEON = 1024 };

/* Rows from memory are cut from this length on, and into what (avx2). */
enum { PAIR_FAR_ROW = 384, PAIR_FAR_PIECE = 128 };

struct pair_ops {
    /* sim(x, y), indexed by enum mmk_similarity. */
    float (*pair[MMK_SIMILARITY_COUNT])(size_t d, const float *x, const float *y);
    /* pair[MMK_COSINE], the same bits, for rows that come from memory one after the other: it reads
     * them in order, where pair's goes over a row twice. */
    float (*far_cosine)(size_t d, const float *x, const float *y);
    struct row_scale (*row_scale)(size_t d, const float *x);
    /* out_k = (x_k * power) * inverse, NaN canonical; out == x is allowed. */
    void (*scale_row)(size_t d, const float *x, struct row_scale scale, float *out);
};

/* The bits of pair_ops for the same rows, widened. */
struct pair_f16_ops {
    float (*pair[MMK_SIMILARITY_COUNT])(size_t d, const uint16_t *x, const uint16_t *y);
    /* pair[MMK_DOT] of a row with itself. */
    float (*square)(size_t d, const uint16_t *x);
};

extern const struct pair_ops pair_ops_scalar;
extern const struct pair_ops pair_ops_avx2;
extern const struct pair_ops pair_ops_avx512;
extern const struct pair_ops pair_ops_neon;

extern const struct pair_f16_ops pair_f16_ops_scalar;
extern const struct pair_f16_ops pair_f16_ops_avx2;
extern const struct pair_f16_ops pair_f16_ops_avx512;
extern const struct pair_f16_ops pair_f16_ops_neon;

#endif
