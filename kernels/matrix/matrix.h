/* matrix.h - sizes from which on the matrix is computed another way (internal).
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_MATRIX_H
#define MMK_MATRIX_H

#include "../mmk.h"
#include "../tile/tile.h"

/* Rows of X and of Y that are packed at a time. */
enum { MATRIX_SUPER_ROWS = 50 * TILE_BLOCK_ROWS, MATRIX_SUPER_COLS = 2 * TILE_BLOCK_COLS };

/* Rows of X up to which Y is not packed, as in search: packing is paid for by more. */
enum { MATRIX_UNPACKED_ROWS = 2 };

/* A result greater than this is stored past the caches (64 bytes aligned): nobody will find it
 * there, and reading each line before it is overwritten costs 4 % at d = 128. */
enum { MATRIX_PAST_CACHE_BYTES = 32 << 20 };

/* mmk_similarity_matrix of rows of int8 (matrix8.c). */
enum mmk_status matrix8(enum mmk_similarity similarity, const struct mmk_matrix *x,
                        const struct mmk_matrix *y, const struct mmk_matrix_out *result,
                        const struct mmk_options *options);

#endif
