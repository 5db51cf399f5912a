/* gallery.h - a gallery packed once for many calls (internal).
 * SPDX-License-Identifier: MIT
 *
 * gallery.c packs it; matrix/ and search/ take it in place of rows.
 */
#ifndef MMK_GALLERY_H
#define MMK_GALLERY_H

#include "../isa/isa.h"
#include "../tile/tile.h"

struct mmk_gallery {
    const struct isa_row *isa; /* whose panels these are */
    enum mmk_similarity similarity;
    size_t n, d;
    void *memory;  /* of the two below */
    float *packed; /* all rows as B, normalised for cosine */
    float *yy;     /* neg_sq_l2: squared norms */
};

/* The gallery's rows as an operand, without a spare row. */
static inline struct tile_operand gallery_operand(const struct mmk_gallery *gallery)
{
    return (struct tile_operand){.rows = gallery->n, .factor = 1.0f, .packed = gallery->packed};
}

/* MMK_OK where the gallery may be used with the instruction set in use, which is *isa then. */
static inline enum mmk_status gallery_usable(const struct mmk_gallery *gallery,
                                             const struct isa_row **isa)
{
    enum mmk_status status = isa_current(isa);
    if (status != MMK_OK)
        return status;
    if (gallery == NULL)
        return MMK_ERR_NULL;
    return gallery->isa == *isa ? MMK_OK : MMK_ERR_GALLERY;
}

#endif
