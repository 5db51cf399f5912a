/* gallery.h - a gallery packed or coded once for many calls (internal).
 * SPDX-License-Identifier: MIT
 *
 * gallery.c packs it; matrix/ and search/ take it in place of rows.
 */
#ifndef MMK_GALLERY_H
#define MMK_GALLERY_H

#include "coded.h"

#include "../isa/isa.h"
#include "../tile/tile.h"

struct mmk_gallery {
    const struct isa_row *isa; /* whose panels these are */
    enum mmk_similarity similarity;
    size_t n, d;
    void *memory;  /* of what is below */
    float *packed; /* all rows as B, normalised for cosine, less the origin for neg_sq_l2 */
    float *yy;     /* neg_sq_l2: squared norms, */
    float *origin; /* and the origin; else NULL */
    /* Instead of packed rows, the caller's, and codes of them, if the instruction set has such that
     * pay. */
    struct tile_operand rows;
    const struct codes_ops *codes;
    struct coded_rows coded;
    struct levels levels; /* p = 0: there are none */
};

/* Both sides of a call as operands: X, and Y as its rows or packed. */
struct gallery_operands {
    size_t m, n, d;
    struct tile_operand x, y;
    const struct mmk_gallery *gallery; /* Y packed; NULL: it is not */
    const struct mmk_gallery *coded;   /* the codes of Y, which is rows; NULL: there are none */
    bool finds_origin; /* the operands need one, and neither gallery nor options have it */
};

/* Whether it is codes of the caller's rows, not packed. */
static inline bool gallery_has_rows(const struct mmk_gallery *gallery)
{
    return gallery->rows.data != NULL || gallery->rows.widen != NULL;
}

/* Of a coded gallery; NULL: there are none. */
static inline const struct levels *gallery_levels(const struct mmk_gallery *gallery)
{
    return gallery->levels.p != 0 ? &gallery->levels : NULL;
}

/* Checks similarity, X, Y and options, and finds the row of the instruction set in use. */
enum mmk_status gallery_operands(enum mmk_similarity similarity, const struct mmk_matrix *x,
                                 const struct mmk_matrix *y, const struct mmk_options *options,
                                 const struct isa_row **isa, struct gallery_operands *operands);

#endif
