/* matrix.c - the m x n similarity matrix: blocking, packing and threads around the register tile.
 * SPDX-License-Identifier: MIT
 *
 * A super-block of the result (SUPER_ROWS x SUPER_COLS) has its rows of X and Y packed once; within
 * it every block of TILE_BLOCK_ROWS x TILE_BLOCK_COLS is a task. The block of A stays in L2 while B
 * comes through from L3. Y is packed again for every super-block row: some 30 rows' worth of work.
 */
#include "../isa/args.h"
#include "../isa/isa.h"
#include "../tile/tile.h"
#include "cosine.h"

#include <math.h>
#include <string.h>

enum { SUPER_ROWS = 50 * TILE_BLOCK_ROWS, SUPER_COLS = 2 * TILE_BLOCK_COLS };

struct matrix {
    const struct isa_row *isa;
    enum mmk_similarity similarity;
    size_t d;
    struct tile_operand x, y;
    float *result;
    size_t ldresult;
    int threads;

    struct row_scale *x_scale, *y_scale;  /* cosine */
    float *packed_a, *packed_b, *xx, *yy; /* of the super-block; norms for neg_sq_l2 */
    float *block;                         /* one an edge block, per thread */
};

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* One block of the result, with its place in the super-block. */
struct matrix_block {
    size_t row, col; /* in the result */
    size_t row_in_super, col_in_super;
    size_t rows, cols;
    size_t super_rows, super_cols;
};

static void matrix_block(const struct matrix *p, const struct matrix_block *b, float *scratch)
{
    const struct tile_ops *tile = p->isa->tile;
    float *out = p->result + b->row * p->ldresult + b->col;
    bool whole = b->rows % tile->mr == 0 && b->cols % tile->nr == 0;
    float *c = whole ? out : scratch;
    size_t ldc = whole ? p->ldresult : (size_t)TILE_BLOCK_LD;
    size_t next = b->col_in_super + tile_round_up(b->cols, tile->nr);
    next = next < b->super_cols ? next : 0; /* the next task's */

    tile_multiply(tile, p->d, p->packed_a, b->super_rows, b->row_in_super, b->rows, p->packed_b,
                  b->super_cols, b->col_in_super, b->cols, next, c, ldc, TILE_CANONICAL,
                  (struct tile_fetch){NULL, 0});
    if (p->similarity == MMK_NEG_SQ_L2)
        tile_neg_sq_l2_block(tile, p->isa->cosine, p->d, &p->x, b->row, b->rows,
                             p->xx + b->row_in_super, &p->y, b->col, b->cols,
                             p->yy + b->col_in_super, 1.0f, c, ldc);
    if (!whole)
        for (size_t r = 0; r < b->rows; r++)
            memcpy(out + r * p->ldresult, c + r * ldc, b->cols * sizeof *c);
}

static void matrix_super_block(const struct matrix *p, size_t row, size_t rows, size_t col,
                               size_t cols, size_t worker, size_t workers)
{
    size_t row_blocks = (rows + TILE_BLOCK_ROWS - 1) / TILE_BLOCK_ROWS;
    size_t col_blocks = (cols + TILE_BLOCK_COLS - 1) / TILE_BLOCK_COLS;
    float *scratch = p->block + worker * TILE_BLOCK_ROWS * TILE_BLOCK_LD;
    for (size_t task = worker; task < row_blocks * col_blocks; task += workers) {
        struct matrix_block b = {.super_rows = rows, .super_cols = cols};
        b.row_in_super = task / col_blocks * TILE_BLOCK_ROWS;
        b.col_in_super = task % col_blocks * TILE_BLOCK_COLS;
        b.row = row + b.row_in_super;
        b.col = col + b.col_in_super;
        b.rows = least(rows - b.row_in_super, TILE_BLOCK_ROWS);
        b.cols = least(cols - b.col_in_super, TILE_BLOCK_COLS);
        matrix_block(p, &b, scratch);
    }
}

static void matrix_run(const struct matrix *p)
{
    const struct tile_ops *tile = p->isa->tile;
    const bool norms = p->similarity == MMK_NEG_SQ_L2;
    size_t m = p->x.rows, n = p->y.rows;
#pragma omp parallel num_threads(p->threads) if (p->threads > 1)
    {
        size_t worker = (size_t)omp_get_thread_num(), workers = (size_t)omp_get_num_threads();
        if (p->similarity == MMK_COSINE) {
            tile_row_scales(p->isa->cosine, &p->x, p->d, p->x_scale, worker, workers);
            tile_row_scales(p->isa->cosine, &p->y, p->d, p->y_scale, worker, workers);
#pragma omp barrier
        }
        for (size_t row = 0; row < m; row += SUPER_ROWS) {
            size_t rows = least(m - row, SUPER_ROWS);
            tile_pack(tile, false, &p->x, row, rows, p->d, p->packed_a, worker, workers);
            if (norms)
                tile_sum_squares(tile, false, p->d, p->packed_a, rows, p->xx, worker, workers);
            for (size_t col = 0; col < n; col += SUPER_COLS) {
                size_t cols = least(n - col, SUPER_COLS);
                tile_pack(tile, true, &p->y, col, cols, p->d, p->packed_b, worker, workers);
                if (norms)
                    tile_sum_squares(tile, true, p->d, p->packed_b, cols, p->yy, worker, workers);
#pragma omp barrier
                matrix_super_block(p, row, rows, col, cols, worker, workers);
#pragma omp barrier
            }
        }
    }
}

static void matrix_layout(struct matrix *p, struct scratch *scratch)
{
    size_t a_rows = least(p->x.rows, SUPER_ROWS), b_rows = least(p->y.rows, SUPER_COLS);
    if (p->similarity == MMK_COSINE) {
        p->x.scale = p->x_scale = scratch_take(scratch, p->x.rows, sizeof *p->x_scale);
        p->y.scale = p->y_scale = scratch_take(scratch, p->y.rows, sizeof *p->y_scale);
    }
    p->packed_a = scratch_take(scratch, tile_packed_floats(a_rows, p->d), sizeof(float));
    p->packed_b = scratch_take(scratch, tile_packed_floats(b_rows, p->d), sizeof(float));
    p->xx = scratch_take(scratch, a_rows, sizeof(float));
    p->yy = scratch_take(scratch, b_rows, sizeof(float));
    p->block = scratch_take(scratch, (size_t)p->threads,
                            (size_t)TILE_BLOCK_ROWS * TILE_BLOCK_LD * sizeof(float));
}

enum mmk_status mmk_similarity_matrix(enum mmk_similarity similarity, size_t m, size_t n, size_t d,
                                      const float *x, size_t ldx, const float *y, size_t ldy,
                                      float *result, size_t ldresult,
                                      const struct mmk_options *options)
{
    const struct isa_row *isa;
    enum mmk_status status = isa_current(&isa);
    if (status != MMK_OK)
        return status;
    if ((unsigned)similarity >= MMK_SIMILARITY_COUNT)
        return MMK_ERR_SIMILARITY;
    if ((status = args_matrix(x, m, d, ldx)) != MMK_OK ||
        (status = args_matrix(y, n, d, ldy)) != MMK_OK ||
        (status = args_matrix(result, m, n, ldresult)) != MMK_OK ||
        (status = args_options(options)) != MMK_OK)
        return status;
    if (m == 0 || n == 0)
        return MMK_OK;

    struct matrix p = {
        .isa = isa,
        .similarity = similarity,
        .d = d,
        .x = {.data = x, .ld = ldx, .rows = m, .factor = 1.0f},
        .y = {.data = y, .ld = ldy, .rows = n, .factor = 1.0f},
        .result = result,
        .ldresult = ldresult,
        .threads = args_threads(options != NULL ? options->threads : 0,
                                ((m - 1) / TILE_BLOCK_ROWS + 1) * ((n - 1) / TILE_BLOCK_COLS + 1)),
    };
    struct scratch scratch = {0};
    size_t spare;
    matrix_layout(&p, &scratch);
    if ((status = scratch_open(&scratch, options, &spare)) != MMK_OK)
        return status;
    matrix_layout(&p, &scratch);
    matrix_run(&p);
    scratch_close(&scratch);
    return MMK_OK;
}
