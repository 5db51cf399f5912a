/* quantize.h - rows of floats to codes of 8 bits: inner loops and their contract (internal).
 * SPDX-License-Identifier: MIT
 *
 * Two passes over a row: the greatest magnitude, which decides the step, and the codes, with what
 * they leave. Sums run in 64 canonical lanes (simd/scalar.h), so that every ISA returns the same
 * bits. For mmk_quantize_rows (quantize.c) and for the codes of a search (codes/codes.c).
 *
 *   quantize.c          mmk_quantize_rows
 *   quantize_<isa>.c    the table
 */
#ifndef MMK_QUANTIZE_H
#define MMK_QUANTIZE_H

#include "../mmk.h"

/* Codes are written in blocks of so many bytes. */
enum { QUANTIZE_BLOCK = 64 };

/* Columns whose squares mmk_quantize_rows has summed in float; these sums then in double. */
enum { QUANTIZE_PIECE = 4096 };

/* Of v_k = row_k - centre_k: sum of squares, and greatest magnitude. A NaN makes the sum NaN and is
 * passed over by the magnitude. */
struct quantize_range {
    float squares, greatest;
};

struct quantize_unit {
    const float *centre; /* NULL: 0 */
    float power;         /* v_k = (row_k - centre_k) power */
    float step, inverse; /* and the codes are v_k inverse, which is near 1 / step */
};

struct quantize_ops {
    struct quantize_range (*range)(size_t d, const float *row, const float *centre);
    /* Codes to the nearest, ties to even, of d floats that give none beyond 127, and zeros up to a
     * whole block. Returns the sum of (v_k - step code_k)^2. */
    float (*encode)(size_t d, const float *row, const struct quantize_unit *unit, int8_t *codes);
};

extern const struct quantize_ops quantize_ops_scalar;
extern const struct quantize_ops quantize_ops_avx2;
extern const struct quantize_ops quantize_ops_avx512;
extern const struct quantize_ops quantize_ops_neon;

/* Whether v_k is row_k itself, which saves two operations. */
static inline int quantize_is_plain(const struct quantize_unit *unit)
{
    return unit->centre == NULL && unit->power == 1;
}

#endif
