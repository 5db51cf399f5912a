/* gallery.c - mmk_gallery_pack, mmk_gallery_encode and mmk_gallery_free; what takes rows or a
 * gallery.
 * SPDX-License-Identifier: MIT
 *
 * Packing is bound by reading the rows and writing the panels; the cosine reads each row once more,
 * in cache, for its norm. The panels are those that mmk_similarity_matrix and mmk_search pack for
 * themselves in every call, so the bits are theirs. neg_sq_l2 has an origin subtracted (tile.h),
 * which is kept with the rows.
 */
#include "gallery.h"

#include "../call/threads.h"
#include "../call/args.h"
#include "../call/fp_state.h"
#include "../call/scratch.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

static void gallery_layout(struct mmk_gallery *gallery, struct scratch *scratch)
{
    if (!gallery_has_rows(gallery))
        gallery->packed = scratch_take(scratch, tile_panel_floats(gallery->n, gallery->d),
                                       sizeof *gallery->packed);
    else if (gallery->codes != NULL)
        coded_layout(&gallery->coded, gallery->n, gallery->d, gallery->similarity == MMK_COSINE,
                     gallery_levels(gallery), scratch);
    else if (gallery->similarity == MMK_COSINE)
        gallery->coded.scale = scratch_take(scratch, gallery->n, sizeof *gallery->coded.scale);
    if (gallery->similarity != MMK_NEG_SQ_L2)
        return;
    if (!gallery_has_rows(gallery))
        gallery->yy = scratch_take(scratch, gallery->n, sizeof *gallery->yy);
    gallery->origin = scratch_take(scratch, gallery->d, sizeof *gallery->origin);
}

struct packing {
    struct mmk_gallery *gallery;
    const struct tile_operand *y;
    struct coded_spare *spare; /* of each worker */
};

static struct tile_operand operand_for(const struct packing *packing, size_t worker)
{
    return tile_operand_for(packing->y, worker, packing->gallery->d);
}

static void pack_some(void *context, size_t worker, size_t workers)
{
    struct mmk_gallery *gallery = ((const struct packing *)context)->gallery;
    struct tile_operand y = operand_for(context, worker);
    const struct tile_ops *tile = gallery->isa->tile;
    tile_pack(tile, &y, 0, gallery->n, gallery->d, gallery->packed, worker, workers);
    if (gallery->yy != NULL)
        tile_sum_squares(tile, gallery->d, gallery->packed, gallery->n, gallery->yy, worker,
                         workers);
}

static void code_some(void *context, size_t worker, size_t workers)
{
    struct mmk_gallery *gallery = ((const struct packing *)context)->gallery;
    struct tile_operand y = operand_for(context, worker);
    size_t n = gallery->n, d = gallery->d;
    if (gallery->codes != NULL)
        coded_make(gallery->isa, &y, 0, n, d, gallery->similarity == MMK_NEG_SQ_L2,
                   gallery_levels(gallery), &gallery->coded,
                   &((const struct packing *)context)->spare[worker], worker, workers);
    else if (y.normalize != NULL)
        tile_row_scales(y.normalize, &y, d, gallery->coded.scale, worker, workers);
}

/* given: the origin that the caller chose, or NULL. */
static void find_origin(const struct mmk_gallery *gallery, struct tile_operand *y,
                        const float *given, float *origin)
{
    if (given != NULL)
        memcpy(origin, given, gallery->d * sizeof *given);
    else
        tile_find_origin(gallery->isa->tile, y, gallery->n, gallery->d, origin);
    y->origin = origin;
}

/* Before the gallery itself has memory, since how much depends on it. Returns 0, or the bytes that
 * it could not have. */
static size_t find_levels(struct mmk_gallery *gallery, struct tile_operand y, const float *given)
{
    float *origin = NULL;
    if (gallery->similarity == MMK_NEG_SQ_L2) {
        size_t bytes = (1 + tile_window_rows(&y, 1)) * gallery->d * sizeof *origin;
        origin = malloc(bytes + 1);
        if (origin == NULL)
            return bytes;
        y.window = origin + gallery->d;
        find_origin(gallery, &y, given, origin);
    }
    size_t missing = levels_find(gallery->isa, gallery->similarity, &y, gallery->n, gallery->d,
                                 &gallery->levels);
    free(origin);
    return missing;
}

static struct tile_operand operand_of(const struct isa_row *isa, enum mmk_similarity similarity,
                                      const struct args_rows *rows)
{
    bool floats = rows->type == MMK_F32;
    return (struct tile_operand){.data = floats ? rows->data : NULL,
                                 .narrow = floats ? NULL : rows->halves,
                                 .type = rows->type,
                                 .widen = half_widen_of(isa->half, rows->type),
                                 .ld = rows->ld,
                                 .rows = rows->rows,
                                 .normalize = similarity == MMK_COSINE ? isa->pair : NULL,
                                 .factor = 1.0f};
}

/* Memory of what was measured, which is free()d; NULL: there is none. If it is large, on large
 * pages, for every search goes through all of it: of a packed gallery of 205 MB it took 1.5 times
 * as long on small ones (Zen 5 VM). */
static void *allocate(struct scratch *scratch)
{
    const size_t large = (size_t)2 << 20;
    size_t align = scratch->used < large ? SCRATCH_ALIGNMENT : large;
    size_t bytes = size_round_up(size_max(scratch->used, 1), align);
    scratch->base = aligned_alloc(align, bytes);
#ifdef MADV_HUGEPAGE
    if (scratch->base != NULL && align == large) {
        int kept = errno;
        madvise(scratch->base, bytes, MADV_HUGEPAGE);
        errno = kept;
    }
#endif
    scratch->used = 0;
    return scratch->base;
}

static enum mmk_status no_memory(size_t bytes)
{
    return args_error(MMK_ERR_NO_MEMORY, "%zu bytes for the gallery could not be allocated", bytes);
}

/* What making a gallery takes beside it. */
static void packing_layout(const struct packing *packing, struct tile_operand *y, size_t threads,
                           struct scratch *scratch)
{
    size_t d = packing->gallery->d;
    y->window = scratch_take(scratch, tile_window_rows(y, threads), d * sizeof *y->window);
    for (size_t i = 0; packing->gallery->codes != NULL && i < threads; i++) {
        struct coded_spare measured;
        coded_spare_layout(scratch->base != NULL ? &packing->spare[i] : &measured, d, scratch);
    }
}

/* Fills in a gallery that is laid out. */
static enum mmk_status fill(struct mmk_gallery *gallery, struct tile_operand *y,
                            const struct mmk_options *options)
{
    bool coded = gallery_has_rows(gallery);
    int threads = args_threads(options, gallery->n / gallery->isa->tile->nr + 1);
    struct packing packing = {.gallery = gallery, .y = y};
    struct scratch scratch = {0};
    packing_layout(&packing, y, (size_t)threads, &scratch);
    if (gallery->codes != NULL || y->widen != NULL) {
        size_t bytes = scratch.used;
        packing.spare = malloc((size_t)threads * sizeof *packing.spare);
        if (packing.spare == NULL || allocate(&scratch) == NULL) {
            free(packing.spare);
            return no_memory(bytes);
        }
        packing_layout(&packing, y, (size_t)threads, &scratch);
    }
    if (gallery->origin != NULL)
        find_origin(gallery, y, options != NULL ? options->origin : NULL, gallery->origin);
    threads_run(threads, coded ? code_some : pack_some, &packing);
    if (scratch.base != NULL)
        SCRATCH_OPEN_GAPS(scratch.base, scratch.used);
    free(scratch.base);
    free(packing.spare);
    return MMK_OK;
}

/* coded: the caller's rows stay where they are, and codes are made of them. */
static enum mmk_status make(enum mmk_similarity similarity, const struct mmk_matrix *y, bool coded,
                            const struct mmk_options *options, struct mmk_gallery **gallery)
{
    FP_STATE_DEFAULT();
    const struct isa_row *isa;
    struct args_rows rows;
    enum mmk_status status = isa_current(&isa);
    if (status != MMK_OK || (status = args_pointer("gallery", gallery)) != MMK_OK ||
        (status = args_similarity(similarity)) != MMK_OK ||
        (status = args_matrix("y", y, ARGS_FLOATS, ARGS_READ, options, &rows)) != MMK_OK ||
        (status = args_options_origin(options, similarity, rows.columns, TILE_ORIGIN_LIMIT)) !=
            MMK_OK)
        return status;

    struct tile_operand operand = operand_of(isa, similarity, &rows);
    struct mmk_gallery made = {
        .isa = isa, .similarity = similarity, .n = rows.rows, .d = rows.columns};
    if (coded) {
        made.rows = operand;
        made.codes = isa->filters && rows.columns <= CODES_MAX_COLUMNS ? isa->codes : NULL;
    }
    struct scratch scratch = {0};
    gallery_layout(&made, &scratch);
    if ((status = scratch_check(&scratch)) != MMK_OK)
        return status;
    if (args_is_query(options)) { /* what it keeps is the gallery's own */
        *options->query = (struct mmk_workspace_bytes){0, 0};
        return MMK_OK;
    }
    size_t missing = 0;
    if (made.codes != NULL)
        missing = find_levels(&made, operand, options != NULL ? options->origin : NULL);
    if (missing != 0)
        return no_memory(missing);
    scratch = (struct scratch){0};
    gallery_layout(&made, &scratch);
    if ((status = scratch_check(&scratch)) != MMK_OK) {
        free(made.levels.basis);
        return status;
    }
    size_t bytes = scratch.used;
    struct mmk_gallery *kept = malloc(sizeof *kept);
    made.memory = allocate(&scratch);
    if (kept == NULL || made.memory == NULL) {
        status = no_memory(bytes);
    } else {
        gallery_layout(&made, &scratch);
        status = fill(&made, &operand, options);
    }
    if (status != MMK_OK) {
        free(made.levels.basis);
        free(kept);
        free(made.memory);
        return status;
    }
    made.rows.window = NULL;
    made.rows.origin = made.origin;
    made.rows.normalize = NULL; /* the scales are there */
    made.rows.scale = similarity == MMK_COSINE ? made.coded.scale : NULL;
    *kept = made;
    *gallery = kept;
    return MMK_OK;
}

enum mmk_status mmk_gallery_pack(enum mmk_similarity similarity, const struct mmk_matrix *y,
                                 const struct mmk_options *options, struct mmk_gallery **gallery)
{
    return make(similarity, y, false, options, gallery);
}

enum mmk_status mmk_gallery_encode(enum mmk_similarity similarity, const struct mmk_matrix *y,
                                   const struct mmk_options *options, struct mmk_gallery **gallery)
{
    return make(similarity, y, true, options, gallery);
}

void mmk_gallery_free(struct mmk_gallery *gallery)
{
    if (gallery == NULL)
        return;
    free(gallery->levels.basis);
    free(gallery->memory);
    free(gallery);
}

/* A gallery of the same similarity, for the instruction set in use, of the size that y says. */
static enum mmk_status check_gallery(const struct mmk_gallery *gallery,
                                     enum mmk_similarity similarity, const struct isa_row *isa,
                                     const struct args_rows *y)
{
    const char *made = gallery_has_rows(gallery) ? "coded" : "packed";
    if (gallery->isa->tile != isa->tile || (gallery->codes != NULL && gallery->codes != isa->codes))
        return args_error(MMK_ERR_GALLERY,
                          "y was %s for %s:%s, and %s:%s is in use; do it again after "
                          "mmk_isa_use",
                          made, gallery->isa->name, gallery->isa->extension, isa->name,
                          isa->extension);
    static const char *const names[MMK_SIMILARITY_COUNT] = {"MMK_DOT", "MMK_COSINE",
                                                            "MMK_NEG_SQ_L2"};
    if (gallery->similarity != similarity)
        return args_error(MMK_ERR_GALLERY, "y was %s for the similarity %s, and %s is asked for",
                          made, names[gallery->similarity], names[similarity]);
    if ((y->rows != 0 && y->rows != gallery->n) || (y->columns != 0 && y->columns != gallery->d))
        return args_error(MMK_ERR_SHAPE, "y is %zu x %zu, and %s %zu x %zu", y->rows, y->columns,
                          made, gallery->n, gallery->d);
    return MMK_OK;
}

enum mmk_status gallery_operands(enum mmk_similarity similarity, const struct mmk_matrix *x,
                                 const struct mmk_matrix *y, const struct mmk_options *options,
                                 const struct isa_row **isa, struct gallery_operands *operands)
{
    struct args_rows x_rows, y_rows;
    enum mmk_status status = isa_current(isa);
    if (status != MMK_OK || (status = args_similarity(similarity)) != MMK_OK ||
        (status = args_matrix("x", x, ARGS_FLOATS, ARGS_READ, options, &x_rows)) != MMK_OK ||
        (status = args_matrix("y", y, ARGS_FLOATS, ARGS_READ_OR_PACKED, options, &y_rows)) !=
            MMK_OK)
        return status;
    const struct mmk_gallery *gallery = y_rows.packed;
    const float *origin = options != NULL ? options->origin : NULL;
    *operands = (struct gallery_operands){.m = x_rows.rows,
                                          .d = x_rows.columns,
                                          .x = operand_of(*isa, similarity, &x_rows),
                                          .gallery = gallery};
    if (gallery != NULL) {
        if ((status = check_gallery(gallery, similarity, *isa, &y_rows)) != MMK_OK ||
            (gallery->origin != NULL &&
             (status = args_refuse_origin(options, "y is packed, with one of its own")) != MMK_OK))
            return status;
        origin = gallery->origin;
        operands->n = gallery->n;
        operands->y =
            (struct tile_operand){.rows = gallery->n, .factor = 1.0f, .packed = gallery->packed};
        if (gallery_has_rows(gallery)) {
            operands->y = gallery->rows;
            operands->gallery = NULL;
            operands->coded = gallery->codes != NULL ? gallery : NULL;
        }
        y_rows.columns = gallery->d;
    } else {
        operands->n = y_rows.rows;
        operands->y = operand_of(*isa, similarity, &y_rows);
    }
    operands->x.origin = operands->y.origin = origin;
    operands->finds_origin = similarity == MMK_NEG_SQ_L2 && origin == NULL;
    if ((status = args_same_columns("y", y_rows.columns, "x", x_rows.columns)) != MMK_OK)
        return status;
    return args_options_origin(options, similarity, operands->d, TILE_ORIGIN_LIMIT);
}
