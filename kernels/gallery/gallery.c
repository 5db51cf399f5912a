/* gallery.c - mmk_gallery_pack and mmk_gallery_free.
 * SPDX-License-Identifier: MIT
 *
 * Packing is bound by reading the rows and writing the panels; the cosine reads each row once more, in cache,
 * for its norm. The panels are those that mmk_similarity_matrix and mmk_search pack for themselves in
 * every call, so the bits are theirs.
 */
#include "gallery.h"

#include "../call/args.h"
#include "../call/scratch.h"

static void gallery_layout(struct mmk_gallery *gallery, struct scratch *scratch)
{
    gallery->packed =
        scratch_take(scratch, tile_panel_floats(gallery->n, gallery->d), sizeof *gallery->packed);
    if (gallery->similarity == MMK_NEG_SQ_L2)
        gallery->yy = scratch_take(scratch, gallery->n, sizeof *gallery->yy);
}

static void pack_rows(struct mmk_gallery *gallery, const struct tile_operand *y, int threads)
{
    const struct tile_ops *tile = gallery->isa->tile;
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
        size_t worker = (size_t)omp_get_thread_num(), workers = (size_t)omp_get_num_threads();
        tile_pack(tile, true, y, 0, gallery->n, gallery->d, gallery->packed, worker, workers);
        if (gallery->yy != NULL)
            tile_sum_squares(tile, true, gallery->d, gallery->packed, gallery->n, gallery->yy,
                             worker, workers);
    }
}

enum mmk_status mmk_gallery_pack(enum mmk_similarity similarity, size_t n, size_t d, const float *y,
                                 size_t ldy, const struct mmk_options *options,
                                 struct mmk_gallery **gallery)
{
    const struct isa_row *isa;
    enum mmk_status status = isa_current(&isa);
    if (status != MMK_OK)
        return status;
    if (gallery == NULL)
        return MMK_ERR_NULL;
    if ((unsigned)similarity >= MMK_SIMILARITY_COUNT)
        return MMK_ERR_SIMILARITY;
    if ((status = args_matrix(y, n, d, ldy)) != MMK_OK ||
        (status = args_options(options)) != MMK_OK)
        return status;

    struct mmk_gallery *made = calloc(1, sizeof *made);
    if (made == NULL)
        return MMK_ERR_NO_MEMORY;
    *made = (struct mmk_gallery){.isa = isa, .similarity = similarity, .n = n, .d = d};
    struct scratch scratch = {0};
    gallery_layout(made, &scratch);
    if (scratch.overflow) {
        free(made);
        return MMK_ERR_SIZE;
    }
    made->memory = scratch.base = aligned_alloc(SCRATCH_ALIGNMENT, scratch.used);
    if (made->memory == NULL) {
        free(made);
        return MMK_ERR_NO_MEMORY;
    }
    scratch.used = 0;
    gallery_layout(made, &scratch);
    struct tile_operand rows = {.data = y,
                                .ld = ldy,
                                .rows = n,
                                .normalize = similarity == MMK_COSINE ? isa->pair : NULL,
                                .factor = 1.0f};
    pack_rows(made, &rows,
              args_threads(options != NULL ? options->threads : 0, n / isa->tile->nr + 1));
    *gallery = made;
    return MMK_OK;
}

void mmk_gallery_free(struct mmk_gallery *gallery)
{
    if (gallery == NULL)
        return;
    free(gallery->memory);
    free(gallery);
}
