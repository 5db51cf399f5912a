/* coded.h - rows of an operand as codes of 8 bits (internal).
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_GALLERY_CODED_H
#define MMK_GALLERY_CODED_H

#include "levels.h"

#include "../call/scratch.h"
#include "../codes/codes.h"

/* Codes of rows as the right side of products, and how the rows were scaled (cosine). */
struct coded_rows {
    struct codes_right right; /* with levels its codes are NULL, */
    struct row_scale *scale;
    int8_t *rows;              /* and stand here, row by row, codes_row_bytes(d) apart, */
    struct codes_right prefix; /* beside those of levels.h, of p + 1 numbers a row */
};

/* What making them takes. */
struct coded_spare {
    float *row;
    int8_t *codes;
};

/* levels: NULL for none, here and below. */
void coded_layout(struct coded_rows *coded, size_t rows, size_t d, bool scales,
                  const struct levels *levels, struct scratch *scratch);
void coded_spare_layout(struct coded_spare *spare, size_t d, struct scratch *scratch);

/* Rows [first, first + count) of the operand become rows 0 .. of coded: those panels that are this
 * worker's; adds as in codes_put_scales. */
void coded_make(const struct isa_row *isa, const struct tile_operand *y, size_t first, size_t count,
                size_t d, bool adds, const struct levels *levels, struct coded_rows *coded,
                struct coded_spare *spare, size_t worker, size_t workers);

/* The rows from `first` on, a multiple of CODES_PANEL. */
struct coded_rows coded_from(const struct coded_rows *coded, size_t first, size_t d,
                             const struct levels *levels);

#endif
