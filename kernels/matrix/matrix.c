/* matrix.c - the m x n similarity matrix: blocking, packing and threads around the register tile.
 * SPDX-License-Identifier: MIT
 *
 * mmk_similarity_matrix, of rows and of a packed gallery, is bound by the FMAs of the tile, up to
 * the last tenth or so, which is packing and, with a small d, the store of the result.
 *
 * A super-block of the result (MATRIX_SUPER_ROWS x MATRIX_SUPER_COLS) has its rows of X and Y
 * packed once, unless the gallery is packed already; within it every block of TILE_BLOCK_ROWS x
 * TILE_BLOCK_COLS is a task. The block of A stays in L2 while B comes through from L3. The rows of
 * Y that will be packed next are fetched from memory meanwhile: packing them takes 5 clocks for 16
 * floats then, not 15.
 *
 * One or two rows do not pay for packing: Y is read as it lies, and its memory is the bound (1 x
 * 25,000 x 512, Zen 5: dot 3.8 -> 1.06 ms, cosine 3.1 -> 1.40, -|x - y|^2 4.9 -> 1.14). Rows of
 * 16-bit floats become floats first, 32 of Y at a time; those figures are not of them.
 */
#include "matrix.h"

#include "../gallery/gallery.h"
#include "../call/args.h"
#include "../call/fp_state.h"
#include "../call/scratch.h"
#include "../call/size.h"
#include "../call/threads.h"
#include "../simd/scalar.h"

#include <stdatomic.h>

struct matrix {
    const struct isa_row *isa;
    enum mmk_similarity similarity;
    size_t d;
    struct tile_operand x, y;
    const struct mmk_gallery *gallery; /* Y packed; NULL: it is not */
    float *result;
    size_t ldresult;
    int threads;
    unsigned flags; /* of the products */

    float *wide_x;                         /* X of a row of super-blocks, if it is not float */
    float *columns_a, *packed_b, *xx, *yy; /* of the super-block; norms for neg_sq_l2 */
    bool unpacked;                         /* Y is taken as it lies */
    bool finds_origin;                     /* neg_sq_l2: Y's own, */
    float *origin;                         /* which stands here */
    float *spare;                          /* 2 d floats a thread, of tile_neg_sq_l2_block */
};

/* Rows of X and of Y, and where these stand in what is packed. */
struct super_block {
    size_t row, rows, col, cols;
    const float *packed_b, *yy;
    size_t packed_cols, packed_col;
    struct tile_fetch next; /* rows of Y that are packed next */
    const struct matrix *p;
    size_t worker;
    struct tile_operand x, y; /* rows from `row` on, and all */
};

/* X from its row `row` on, in floats; each worker widens a part, and all wait. */
static struct tile_operand hold_rows(const struct matrix *p, size_t row, size_t rows, size_t worker,
                                     size_t workers)
{
    struct tile_operand x = tile_rows_from(&p->x, row, rows, p->wide_x, p->d);
    if (p->x.widen == NULL)
        return x;
    tile_widen(&p->x, row, rows, p->d, p->wide_x, worker, workers);
    threads_wait(workers);
    return x;
}

/* ---- One or two rows ------------------------------------------------------------------------- */

/* Columns [32 task, ...) of the result, Y taken as it lies. */
static void unpacked_strip(void *super_block, size_t task)
{
    const struct super_block *s = super_block;
    const struct matrix *p = s->p;
    const struct tile_ops *tile = p->isa->tile;
    bool norms = p->similarity == MMK_NEG_SQ_L2;
    float strip[MATRIX_UNPACKED_ROWS * TILE_MAX_NR], yy[TILE_MAX_NR];
    size_t col = task * TILE_MAX_NR, cols = size_min(p->y.rows - col, TILE_MAX_NR);
    for (size_t r = 0; r < p->x.rows; r++)
        tile_multiply_row(tile, p->d, p->columns_a + r * p->d, &s->y, col, cols,
                          strip + r * TILE_MAX_NR, norms ? yy : NULL);
    if (norms)
        tile_neg_sq_l2_block(tile, p->isa->pair, p->d, &s->x, 0, p->x.rows, p->xx, &s->y, col, cols,
                             yy, 1.0f, strip, TILE_MAX_NR, p->spare + 2 * s->worker * p->d);
    for (size_t r = 0; r < p->x.rows; r++)
        for (size_t j = 0; j < cols; j++)
            p->result[r * p->ldresult + col + j] = simd_canonical_nan(strip[r * TILE_MAX_NR + j]);
}

static void unpacked_part(void *matrix, size_t worker, size_t workers)
{
    const struct matrix *p = matrix;
    struct super_block s = {.p = p,
                            .worker = worker,
                            .x = hold_rows(p, 0, p->x.rows, worker, workers),
                            .y = tile_operand_for(&p->y, worker, p->d)};
    for (size_t r = worker; r < p->x.rows; r += workers)
        tile_hold_row(p->isa->tile, p->d, &s.x, r, p->columns_a + r * p->d,
                      p->similarity == MMK_NEG_SQ_L2 ? &p->xx[r] : NULL);
    threads_wait(workers);
    threads_each(workers, size_blocks(p->y.rows, TILE_MAX_NR), unpacked_strip, &s);
}

/* ---- Super-blocks ---------------------------------------------------------------------------- */

static size_t block_count(const struct super_block *s)
{
    size_t row_blocks = size_blocks(s->rows, TILE_BLOCK_ROWS);
    size_t col_blocks = size_blocks(s->cols, TILE_BLOCK_COLS);
    return row_blocks * col_blocks;
}

static void matrix_block(void *super_block, size_t task)
{
    const struct super_block *s = super_block;
    const struct matrix *p = s->p;
    const struct tile_ops *tile = p->isa->tile;
    size_t col_blocks = size_blocks(s->cols, TILE_BLOCK_COLS);
    size_t i = task / col_blocks * TILE_BLOCK_ROWS, j = task % col_blocks * TILE_BLOCK_COLS;
    size_t rows = size_min(s->rows - i, TILE_BLOCK_ROWS),
           cols = size_min(s->cols - j, TILE_BLOCK_COLS);
    size_t next = j + TILE_BLOCK_COLS < s->cols ? j + TILE_BLOCK_COLS : 0; /* the next task's */
    float *c = p->result + (s->row + i) * p->ldresult + s->col + j;
    struct tile_fetch fetch = tile_fetch_piece(&s->next, task, block_count(s));

    tile_multiply(tile, p->d, p->columns_a, s->rows, i, rows, s->packed_b, s->packed_cols,
                  s->packed_col + j, cols, s->packed_col + next, c, p->ldresult, p->flags, fetch);
    if (p->similarity != MMK_NEG_SQ_L2)
        return;
    tile_neg_sq_l2_block(tile, p->isa->pair, p->d, &s->x, i, rows, p->xx + i, &s->y, s->col + j,
                         cols, s->yy + s->packed_col + j, 1.0f, c, p->ldresult,
                         p->spare + 2 * s->worker * p->d);
}

/* Where the super-block's rows of Y are packed; does it, unless they are. */
static void hold_gallery(struct super_block *s, size_t workers)
{
    const struct matrix *p = s->p;
    size_t worker = s->worker;
    const struct tile_ops *tile = p->isa->tile;
    if (p->gallery != NULL) {
        s->packed_b = p->gallery->packed;
        s->yy = p->gallery->yy;
        s->packed_cols = p->gallery->n;
        s->packed_col = s->col;
        return;
    }
    s->packed_b = p->packed_b;
    s->yy = p->yy;
    s->packed_cols = s->cols;
    tile_pack(tile, &s->y, s->col, s->cols, p->d, p->packed_b, worker, workers);
    if (p->similarity == MMK_NEG_SQ_L2)
        tile_sum_squares(tile, p->d, p->packed_b, s->cols, p->yy, worker, workers);
    size_t after = s->col + s->cols;
    s->next = tile_fetch_rows(&p->y, after, size_min(p->y.rows - after, MATRIX_SUPER_COLS));
}

static void take_part(void *matrix, size_t worker, size_t workers)
{
    const struct matrix *p = matrix;
    const struct tile_ops *tile = p->isa->tile;
    size_t m = p->x.rows, n = p->y.rows;
    for (size_t row = 0; row < m; row += MATRIX_SUPER_ROWS) {
        size_t rows = size_min(m - row, MATRIX_SUPER_ROWS);
        struct tile_operand x = hold_rows(p, row, rows, worker, workers);
        tile_pack_columns(tile, &x, 0, rows, p->d, p->columns_a, worker, workers);
        if (p->similarity == MMK_NEG_SQ_L2)
            tile_row_squares(tile, &x, 0, rows, p->d, p->xx, worker, workers);
        for (size_t col = 0; col < n; col += MATRIX_SUPER_COLS) {
            struct super_block s = {.row = row,
                                    .rows = rows,
                                    .col = col,
                                    .cols = size_min(n - col, MATRIX_SUPER_COLS),
                                    .p = p,
                                    .worker = worker,
                                    .x = x,
                                    .y = tile_operand_for(&p->y, worker, p->d)};
            hold_gallery(&s, workers);
            threads_wait(workers);
            threads_each(workers, block_count(&s), matrix_block, &s);
            threads_wait(workers);
        }
    }
    /* What was stored past the caches is there before anything that the caller stores next. */
    atomic_thread_fence(memory_order_seq_cst);
}

static void matrix_layout(struct matrix *p, struct scratch *scratch)
{
    size_t a_rows = size_min(p->x.rows, MATRIX_SUPER_ROWS),
           b_rows = size_min(p->y.rows, MATRIX_SUPER_COLS);
    if (p->x.widen != NULL)
        p->wide_x = scratch_take(scratch, a_rows, p->d * sizeof(float));
    p->y.window =
        scratch_take(scratch, tile_window_rows(&p->y, (size_t)p->threads), p->d * sizeof(float));
    p->columns_a = scratch_take(scratch, tile_packed_floats(a_rows, p->d), sizeof(float));
    p->xx = scratch_take(scratch, a_rows, sizeof(float));
    if (p->similarity == MMK_NEG_SQ_L2)
        p->spare = scratch_take(scratch, 2 * (size_t)p->threads, p->d * sizeof(float));
    if (p->gallery != NULL)
        return;
    if (p->similarity == MMK_NEG_SQ_L2)
        p->origin = scratch_take(scratch, p->d, sizeof(float));
    if (p->finds_origin)
        p->x.origin = p->y.origin = p->origin;
    if (p->unpacked)
        return;
    p->packed_b = scratch_take(scratch, tile_panel_floats(b_rows, p->d), sizeof(float));
    p->yy = scratch_take(scratch, b_rows, sizeof(float));
}

static unsigned product_flags(const struct matrix *p)
{
    size_t m = p->x.rows, n = p->y.rows;
    bool aligned = (uintptr_t)p->result % 64 == 0 && p->ldresult % 16 == 0;
    bool great = n > MATRIX_PAST_CACHE_BYTES / sizeof(float) / m;
    bool past_cache = aligned && great && p->similarity != MMK_NEG_SQ_L2;
    return TILE_CANONICAL | TILE_EXACT | (past_cache ? TILE_PAST_CACHE : 0);
}

static enum mmk_status matrix_call(struct matrix *p, const struct mmk_options *options)
{
    size_t m = p->x.rows, n = p->y.rows;
    p->threads =
        args_threads(options, size_blocks(m, TILE_BLOCK_ROWS) * size_blocks(n, TILE_BLOCK_COLS));
    struct scratch scratch = {0};
    size_t spare;
    bool work = m != 0 && n != 0;
    if (work)
        matrix_layout(p, &scratch);
    if (args_is_query(options))
        return scratch_answer(&scratch, 0, options);
    if (!work)
        return MMK_OK;
    p->flags = product_flags(p);
    enum mmk_status status = scratch_open(&scratch, options, &spare);
    if (status != MMK_OK)
        return status;
    matrix_layout(p, &scratch);
    if (p->finds_origin)
        tile_find_origin(p->isa->tile, &p->y, n, p->d, p->origin);
    threads_run(p->threads, p->unpacked ? unpacked_part : take_part, p);
    scratch_close(&scratch);
    return MMK_OK;
}

enum mmk_status mmk_similarity_matrix(enum mmk_similarity similarity, const struct mmk_matrix *x,
                                      const struct mmk_matrix *y,
                                      const struct mmk_matrix_out *result,
                                      const struct mmk_options *options)
{
    FP_STATE_DEFAULT();
    if (x != NULL && x->type == MMK_I8)
        return matrix8(similarity, x, y, result, options);
    const struct isa_row *isa;
    struct gallery_operands o;
    struct args_out out;
    enum mmk_status status = gallery_operands(similarity, x, y, options, &isa, &o);
    if (status != MMK_OK || (status = args_matrix_out("result", result, ARGS_F32, o.m, o.n,
                                                      "x by y", options, &out)) != MMK_OK)
        return status;
    struct matrix p = {.isa = isa,
                       .similarity = similarity,
                       .d = o.d,
                       .x = o.x,
                       .y = o.y,
                       .gallery = o.gallery,
                       .unpacked = o.m <= MATRIX_UNPACKED_ROWS && o.gallery == NULL,
                       .finds_origin = o.finds_origin,
                       .result = out.data,
                       .ldresult = out.ld};
    return matrix_call(&p, options);
}
