/* matrix.h - matrices in one line, for tests that call many functions.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_UNIT_MATRIX_H
#define MMK_UNIT_MATRIX_H

#include "../../kernels/mmk.h"

/* Pointers to matrices that live as long as the block around them. Leading dimension 0:
 * contiguous. */
#define MATRIX_AT(elements, m, n, ld)                                                              \
    (&(struct mmk_matrix){                                                                         \
        .data = (elements), .rows = (m), .columns = (n), .leading_dimension = (ld)})
#define MATRIX_OUT_AT(elements, m, n, ld)                                                          \
    (&(struct mmk_matrix_out){                                                                     \
        .data = (elements), .rows = (m), .columns = (n), .leading_dimension = (ld)})
#define PACKED(gallery) (&(struct mmk_matrix){.packed = (gallery)})

/* k values and indices a row. */
#define TOPK(most, v, i) (&(struct mmk_topk_results){.k = (most), .values = (v), .indices = (i)})

#endif
