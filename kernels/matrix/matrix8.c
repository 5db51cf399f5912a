/* matrix8.c - the similarity matrix of rows of int8: blocking, packing and threads.
 * SPDX-License-Identifier: MIT
 *
 * Blocked as the matrix of floats is (matrix.c), with a quarter of its bytes, or half where the
 * product takes 16 bits. A panel of Y stays in L1 while the strips of a block of X come through
 * from L2; d is not cut, as sums are exact in any order. Products of a tile are made into
 * similarities while they are in L1: some 14 instructions for 16 of them, where making them takes
 * d / 4.
 * Where products themselves are wanted, whole tiles of them are stored in their place.
 *
 * One or two rows are queries (int8/): Y is read as it lies, and its memory is the bound.
 */
#include "matrix.h"

#include "../call/args.h"
#include "../call/scratch.h"
#include "../call/threads.h"
#include "../int8/int8.h"
#include "../isa/isa.h"
#include "../tile8/tile8.h"

/* Packed rows, and what is known of each. */
struct side {
    const struct args_rows *rows;
    size_t pitch; /* rows of a strip or panel */
    size_t bias;  /* of what is packed, */
    size_t other; /* and of what it is multiplied with */
    uint8_t *packed;
    int32_t *start;
    double *factor, *square;
};

struct matrix8 {
    const struct tile8_ops *tile;
    const struct int8_ops *int8;
    enum mmk_similarity similarity;
    size_t d, groups;
    struct args_rows x, y;
    struct args_out result;
    struct side left, right; /* of the super-block */
};

struct super_block {
    const struct matrix8 *p;
    size_t row, rows, col, cols;
};

/* ---- Packing --------------------------------------------------------------------------------- */

static float scale_of(const struct args_rows *rows, size_t row)
{
    return rows->row_scales != NULL ? rows->row_scales[row] : 1;
}

static void hold_row(const struct matrix8 *p, const struct side *side, size_t row, size_t at)
{
    const int8_t *codes = side->rows->codes + row * side->rows->ld;
    side->start[at] = side->other != 0 ? -(int32_t)side->other * p->tile->sum(p->d, codes) : 0;
    if (p->result.type == MMK_I32)
        return;
    int32_t square = p->similarity != MMK_DOT ? p->int8->dot(p->d, codes, codes) : 0;
    tile8_know(p->similarity, side == &p->left, int8_side(scale_of(side->rows, row), square),
               &side->factor[at], &side->square[at]);
}

/* Rows [first, first + count), the strips or panels that this worker owns. */
static void hold(const struct matrix8 *p, const struct side *side, size_t first, size_t count,
                 size_t worker, size_t workers)
{
    const int8_t *row[TILE8_PANEL];
    for (size_t s = worker; s * side->pitch < count; s += workers) {
        size_t at = s * side->pitch, rows = size_min(count - at, side->pitch);
        for (size_t r = 0; r < rows; r++) {
            row[r] = side->rows->codes + (first + at + r) * side->rows->ld;
            hold_row(p, side, first + at + r, at + r);
        }
        for (size_t r = rows; r < side->pitch; r++) {
            side->start[at + r] = 0;
            side->factor[at + r] = side->square[at + r] = 0;
        }
        p->tile->pack(rows, row, p->d, side->pitch, side->bias, side->packed + at * p->groups * 4);
    }
}

/* ---- Super-blocks ---------------------------------------------------------------------------- */

/* A tile of the result, rows from `row` and columns from `col` of the super-block on. */
static void matrix8_tile(const struct super_block *s, size_t row, size_t rows, size_t col,
                         size_t cols)
{
    const struct matrix8 *p = s->p;
    const struct tile8_ops *tile = p->tile;
    const uint8_t *a = p->left.packed + row * p->groups * 4;
    const uint8_t *b = p->right.packed + col * p->groups * 4;
    const int32_t *start = p->left.start + row;
    const struct tile8_side x = {p->left.factor + row, p->left.square + row};
    const struct tile8_side y = {p->right.factor + col, p->right.square + col};
    size_t at = (s->row + row) * p->result.ld + s->col + col;
    int32_t c[TILE8_MAX_MR * TILE8_PANEL];
    if (p->result.type == MMK_I32 && rows == tile->mr && cols == TILE8_PANEL) {
        tile->product(rows, p->groups, a, start, b, p->result.integer + at, p->result.ld);
        return;
    }
    tile->product(rows, p->groups, a, start, b, c, TILE8_PANEL);
    if (p->result.type == MMK_I32)
        for (size_t r = 0; r < rows; r++)
            memcpy(p->result.integer + at + r * p->result.ld, c + r * TILE8_PANEL,
                   cols * sizeof *c);
    else
        tile->finish[p->similarity](rows, cols, c, &x, &y, p->result.data + at, p->result.ld);
}

static size_t block_count(const struct super_block *s)
{
    return size_blocks(s->rows, TILE_BLOCK_ROWS) * size_blocks(s->cols, TILE_BLOCK_COLS);
}

static void matrix8_block(void *super_block, size_t task)
{
    const struct super_block *s = super_block;
    const size_t mr = s->p->tile->mr, col_blocks = size_blocks(s->cols, TILE_BLOCK_COLS);
    size_t row = task / col_blocks * TILE_BLOCK_ROWS, col = task % col_blocks * TILE_BLOCK_COLS;
    size_t rows_end = size_min(row + TILE_BLOCK_ROWS, s->rows);
    size_t cols_end = size_min(col + TILE_BLOCK_COLS, s->cols);
    for (size_t j = col; j < cols_end; j += TILE8_PANEL)
        for (size_t i = row; i < rows_end; i += mr)
            matrix8_tile(s, i, size_min(rows_end - i, mr), j, size_min(cols_end - j, TILE8_PANEL));
}

static void packed_part(void *matrix, size_t worker, size_t workers)
{
    const struct matrix8 *p = matrix;
    size_t m = p->x.rows, n = p->y.rows;
    for (size_t row = 0; row < m; row += MATRIX_SUPER_ROWS) {
        size_t rows = size_min(m - row, MATRIX_SUPER_ROWS);
        hold(p, &p->left, row, rows, worker, workers);
        for (size_t col = 0; col < n; col += MATRIX_SUPER_COLS) {
            struct super_block s = {.p = p,
                                    .row = row,
                                    .rows = rows,
                                    .col = col,
                                    .cols = size_min(n - col, MATRIX_SUPER_COLS)};
            hold(p, &p->right, col, s.cols, worker, workers);
            threads_wait(workers);
            threads_each(workers, block_count(&s), matrix8_block, &s);
            threads_wait(workers);
        }
    }
}

/* ---- One or two rows ------------------------------------------------------------------------- */

/* Columns [TILE_BLOCK_COLS task, ...) of the result, Y taken as it lies, once. */
static void unpacked_block(void *matrix, size_t task)
{
    const struct matrix8 *p = matrix;
    size_t col = task * TILE_BLOCK_COLS, cols = size_min(p->y.rows - col, TILE_BLOCK_COLS);
    const int8_t *y = p->y.codes + col * p->y.ld;
    const float *scales = p->y.row_scales != NULL ? p->y.row_scales + col : NULL;
    for (size_t r = 0; r < p->x.rows; r++) {
        const int8_t *x = p->x.codes + r * p->x.ld;
        size_t at = r * p->result.ld + col;
        if (p->result.type == MMK_I32)
            p->int8->dots(cols, p->d, x, y, p->y.ld, p->result.integer + at);
        else
            p->int8->query[p->similarity](cols, p->d, x, scale_of(&p->x, r), y, p->y.ld, scales,
                                          p->result.data + at);
    }
}

static void unpacked_part(void *matrix, size_t worker, size_t workers)
{
    (void)worker;
    threads_each(workers, size_blocks(((const struct matrix8 *)matrix)->y.rows, TILE_BLOCK_COLS),
                 unpacked_block, matrix);
}

/* ---- The call -------------------------------------------------------------------------------- */

static void side_layout(const struct matrix8 *p, struct side *side, size_t most,
                        struct scratch *scratch)
{
    size_t rows = size_round_up(size_min(side->rows->rows, most), side->pitch);
    side->packed = scratch_take(scratch, rows * 4, p->groups);
    side->start = scratch_take(scratch, rows, sizeof *side->start);
    side->factor = scratch_take(scratch, rows, sizeof *side->factor);
    side->square = scratch_take(scratch, rows, sizeof *side->square);
}

static void matrix8_layout(struct matrix8 *p, struct scratch *scratch)
{
    side_layout(p, &p->left, MATRIX_SUPER_ROWS, scratch);
    side_layout(p, &p->right, MATRIX_SUPER_COLS, scratch);
}

static int thread_count(const struct matrix8 *p, const struct mmk_options *options)
{
    return args_threads(options, size_blocks(p->x.rows, TILE_BLOCK_ROWS) *
                                     size_blocks(p->y.rows, TILE_BLOCK_COLS));
}

static enum mmk_status unpacked_call(struct matrix8 *p, const struct mmk_options *options)
{
    if (args_is_query(options))
        *options->query = (struct mmk_workspace_bytes){0, 0};
    else
        threads_run(thread_count(p, options), unpacked_part, p);
    return MMK_OK;
}

static enum mmk_status packed_call(struct matrix8 *p, const struct mmk_options *options)
{
    struct scratch scratch = {0};
    size_t spare;
    matrix8_layout(p, &scratch);
    if (args_is_query(options))
        return scratch_answer(&scratch, 0, options);
    enum mmk_status status = scratch_open(&scratch, options, &spare);
    if (status != MMK_OK)
        return status;
    matrix8_layout(p, &scratch);
    threads_run(thread_count(p, options), packed_part, p);
    scratch_close(&scratch);
    return MMK_OK;
}

/* Products as integers are those of codes, whatever their rows' scales would be. */
static enum mmk_status refuse_scales(const char *name, const struct args_rows *rows)
{
    return rows->row_scales == NULL
               ? MMK_OK
               : args_error(MMK_ERR_CONFLICT,
                            "%s.row_scales must be NULL: a result of MMK_I32 has no scales", name);
}

enum mmk_status matrix8(enum mmk_similarity similarity, const struct mmk_matrix *x,
                        const struct mmk_matrix *y, const struct mmk_matrix_out *result,
                        const struct mmk_options *options)
{
    const struct isa_row *isa;
    struct matrix8 p = {.similarity = similarity};
    const unsigned types = similarity == MMK_DOT ? ARGS_F32 | ARGS_I32 : ARGS_F32;
    enum mmk_status status = isa_current(&isa);
    if (status != MMK_OK || (status = args_similarity(similarity)) != MMK_OK ||
        (status = args_matrix("x", x, ARGS_I8, ARGS_READ, options, &p.x)) != MMK_OK ||
        (status = args_matrix("y", y, ARGS_I8, ARGS_READ, options, &p.y)) != MMK_OK ||
        (status = args_same_columns("y", p.y.columns, "x", p.x.columns)) != MMK_OK ||
        (status = args_i8_columns("x.columns", p.x.columns)) != MMK_OK ||
        (status = args_options(options)) != MMK_OK ||
        (status = args_refuse_origin(options, "rows of MMK_I8 have none")) != MMK_OK ||
        (status = args_matrix_out("result", result, types, p.x.rows, p.y.rows, "x by y", options,
                                  &p.result)) != MMK_OK)
        return status;
    if (p.result.type == MMK_I32 && ((status = refuse_scales("x", &p.x)) != MMK_OK ||
                                     (status = refuse_scales("y", &p.y)) != MMK_OK))
        return status;
    p.tile = isa->tile8;
    p.int8 = isa->int8;
    p.d = p.x.columns;
    p.groups = tile8_groups(p.tile, p.d);
    p.left = (struct side){.rows = &p.x, .pitch = p.tile->mr, .other = p.tile->bias};
    p.right = (struct side){.rows = &p.y, .pitch = TILE8_PANEL, .bias = p.tile->bias};
    bool unpacked = p.x.rows <= MATRIX_UNPACKED_ROWS || p.y.rows == 0;
    return unpacked ? unpacked_call(&p, options) : packed_call(&p, options);
}
