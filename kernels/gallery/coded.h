/* coded.h - rows of an operand as codes of 8 bits (internal).
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_GALLERY_CODED_H
#define MMK_GALLERY_CODED_H

#include "../call/scratch.h"
#include "../codes/codes.h"
#include "../tile/tile.h"

/* Codes of rows as the right side of products, and how the rows were scaled (cosine). */
struct coded_rows {
    struct codes_right right;
    struct row_scale *scale;
};

/* What making them takes. */
struct coded_spare {
    float *row;
    int8_t *codes;
};

void coded_layout(struct coded_rows *coded, size_t rows, size_t d, bool scales,
                  struct scratch *scratch);
void coded_spare_layout(struct coded_spare *spare, size_t d, struct scratch *scratch);

/* Rows [first, first + count) of the operand become rows 0 .. of coded: those panels that are this
 * worker's; adds as in codes_put_right. */
void coded_make(const struct codes_ops *ops, const struct tile_operand *y, size_t first,
                size_t count, size_t d, bool adds, struct coded_rows *coded,
                struct coded_spare *spare, size_t worker, size_t workers);

/* The rows from `first` on, a multiple of CODES_PANEL. */
struct coded_rows coded_from(const struct coded_rows *coded, size_t first, size_t d);

#endif
