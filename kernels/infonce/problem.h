/* problem.h - one InfoNCE call: arguments, blocking and memory (internal).
 * SPDX-License-Identifier: MIT
 *
 * The m x n logits are walked in super-blocks of up to FORWARD_ROWS (BACKWARD_ROWS) x SUPER_COLS,
 * whose rows of X and Y are packed once. Within one, blocks of TILE_BLOCK_ROWS x TILE_BLOCK_COLS
 * are tasks that threads share. Sums over a block are joined in the order of blocks once a
 * super-block is done, so neither the thread count nor which thread had a block shows in the
 * result.
 */
#ifndef MMK_INFONCE_PROBLEM_H
#define MMK_INFONCE_PROBLEM_H

#include "../isa/args.h"
#include "../isa/isa.h"
#include "infonce.h"

enum {
    /* Y is packed again for every super-block of rows, at some 30 rows' worth of work: many rows.
     * The backward keeps a super-block's G, which should stay in L3. */
    FORWARD_ROW_BLOCKS = 50,
    BACKWARD_ROW_BLOCKS = 16,
    SUPER_COL_BLOCKS = 2,
    FORWARD_ROWS = FORWARD_ROW_BLOCKS * TILE_BLOCK_ROWS,
    BACKWARD_ROWS = BACKWARD_ROW_BLOCKS * TILE_BLOCK_ROWS,
    SUPER_COLS = SUPER_COL_BLOCKS * TILE_BLOCK_COLS
};

/* Rows of the super-blocks that `count` rows are cut into: whole blocks, all of about one size. */
static inline size_t super_rows(size_t count, size_t most)
{
    size_t supers = (count + most - 1) / most;
    return supers == 0 ? most : tile_round_up((count + supers - 1) / supers, TILE_BLOCK_ROWS);
}

struct infonce {
    const struct isa_row *isa;
    struct mmk_infonce_config config;
    size_t m, n, d;
    struct tile_operand x, y;
    int threads;
    float alpha; /* logit_scale log2(e): logits in base 2 are alpha times the similarity */

    /* of all rows and columns */
    struct row_scale *x_scale, *y_scale; /* cosine */
    float *positive;                     /* m: similarity of each positive pair */
    /* of a super-block */
    float *packed_a, *packed_b; /* whichever of X and Y is rows, columns */
    float *xx, *yy;             /* their squared norms, neg_sq_l2 */

    /* forward */
    float *row_max, *row_sum;     /* m: greatest similarity and sum, see softmax_block */
    float *col_shift, *col_sum;   /* a shift a block of columns; n */
    float *part_max, *part_sum;   /* [SUPER_COL_BLOCKS][FORWARD_ROWS] */
    float *part_shift, *part_col; /* [FORWARD_ROW_BLOCKS][SUPER_COL_BLOCKS], [..][SUPER_COLS] */
    uint32_t *pick;               /* n: columns that are done again, as rows */
    float *pick_max, *pick_sum;   /* n: their sums */
    float *block;                 /* a block of similarities a thread */

    /* backward */
    double *lse2_x, *lse2_y;  /* m, n: log-sum-exps in base 2; from the forward where it ran */
    float *lse_x, *lse_x_low; /* m: the same as sums of two floats, where they lie far apart */
    float *lse_y, *lse_y_low; /* n */
    float *row_weight, *col_weight; /* m, n: of the exponentials in G */
    float *row_factor, *col_factor; /* m, n: of their sums, to make sums of P and Q */
    bool two_exps;                  /* P and Q need an exponential each */
    float low;                      /* else: the least log-sum-exp */
    float *row_e, *row_g, *row_gs;  /* m: sums over the negatives */
    float *col_e, *col_g;           /* n */
    float *part_row;                /* [3][SUPER_COL_BLOCKS][BACKWARD_ROWS] */
    float *part_col_e;              /* [2][BACKWARD_ROW_BLOCKS][SUPER_COLS] */
    float *columns_x, *columns_y;   /* column panels of the super-block's rows of X and Y */
    float *super;                   /* [SUPER_COL_BLOCKS][super_stride][TILE_BLOCK_LD] */
    size_t super_stride;

    /* similarities kept from forward to backward: [block of columns][kept_stride][TILE_BLOCK_LD] */
    float *kept;
    size_t kept_rows, kept_stride;
};

static inline size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t blocks_of(size_t count, size_t block)
{
    return (count + block - 1) / block;
}

/* A super-block, or a block with its place in one. */
struct region {
    size_t row, rows, col, cols;
};

/* The task-th block of a super-block, column block after column block of the same rows. */
static inline struct region region_block(const struct region *super, size_t task)
{
    size_t col_blocks = blocks_of(super->cols, TILE_BLOCK_COLS);
    size_t row = task / col_blocks * TILE_BLOCK_ROWS, col = task % col_blocks * TILE_BLOCK_COLS;
    return (struct region){super->row + row, least(super->rows - row, TILE_BLOCK_ROWS),
                           super->col + col, least(super->cols - col, TILE_BLOCK_COLS)};
}

static inline size_t region_blocks(const struct region *super)
{
    return blocks_of(super->rows, TILE_BLOCK_ROWS) * blocks_of(super->cols, TILE_BLOCK_COLS);
}

/* Where a kept block starts. */
static inline float *kept_block(const struct infonce *p, size_t row, size_t col)
{
    return p->kept + (col / TILE_BLOCK_COLS * p->kept_stride + row) * TILE_BLOCK_LD;
}

/* Packs A = rows of a super-block, or B = its columns (all workers; a barrier must follow). */
void infonce_pack_rows(const struct infonce *p, const struct tile_operand *a,
                       const struct region *super, size_t worker, size_t workers);
void infonce_pack_cols(const struct infonce *p, const struct tile_operand *b,
                       const struct region *super, size_t worker, size_t workers);

/* Similarities of a block of a packed super-block into sim (leading dimension TILE_BLOCK_LD), with
 * -Inf for positives (row r has its positive in column r + shift, r being the row of the operand's
 * data) and for the columns up to the next multiple of INFONCE_COL_MULTIPLE. Positives are saved
 * where positive is not NULL. */
void infonce_block(const struct infonce *p, const struct tile_operand *a,
                   const struct tile_operand *b, ptrdiff_t shift, const struct region *super,
                   const struct region *block, float *sim, float *positive);

void infonce_run_forward(struct infonce *p, float *loss, float *lse_x, float *lse_y);
/* The log-sum-exps of an earlier forward, where none ran in this call. */
void infonce_take_lse(struct infonce *p, const float *lse_x, const float *lse_y);
void infonce_run_backward(struct infonce *p, float *dx, size_t lddx, float *dy, size_t lddy,
                          float *dlogit_scale);

#endif
