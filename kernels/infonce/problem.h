/* problem.h - one InfoNCE call: arguments and memory (internal).
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_INFONCE_PROBLEM_H
#define MMK_INFONCE_PROBLEM_H

#include "../call/args.h"
#include "../call/scratch.h"
#include "../isa/isa.h"
#include "blocks.h"
#include "infonce.h"
#include "targets.h"

struct infonce {
    const struct isa_row *isa;
    struct mmk_infonce_config config;
    struct infonce_targets targets;
    size_t m, n, d;
    struct tile_operand x, y;
    int threads;
    float alpha; /* logit_scale log2(e): logits in base 2 are alpha times the similarity */
    bool fold;   /* alpha goes into the rows of X as they are packed, else into the logits */

    /* of all rows and columns */
    struct row_scale *x_scale, *y_scale; /* cosine */
    /* rows of X and Y that are packed at the moment, whichever are rows and columns */
    struct region held;
    float *packed_a, *packed_b;
    float *xx, *yy; /* their squared norms, neg_sq_l2 */
    /* of a thread */
    float *strip; /* logits */
    float *lane;  /* two sums of each row of a block */

    float shift; /* E = 2^(z - shift) */

    /* forward: the sum of row i's negatives is row_sum_i 2^row_base_i, columns alike */
    float *row_base, *row_sum; /* m */
    float *col_base, *col_sum; /* n */
    float *part_row;           /* [HELD_COL_BLOCKS][HELD_ROWS] */
    float *part_col;           /* [HELD_ROW_BLOCKS][HELD_COLS] */
    /* rows or columns out of the shift's reach are done again, each from its own maximum */
    uint32_t *pick;             /* as many as there are rows or columns, the greater number */
    float *pick_max, *pick_sum; /* likewise */
    float *part_max;            /* as part_row */
    float *block;               /* logits of a block, of a thread */
    bool overflow;              /* some of E may be +Inf */

    /* backward */
    double *lse2_x, *lse2_y;  /* m, n: log-sum-exps in base 2; from the forward where it ran */
    float *lse_x, *lse_x_low; /* m: the same as sums of two floats */
    float *lse_y, *lse_y_low; /* n */
    float *row_weight, *col_weight; /* m, n: of the exponentials in G, times 2^weight_bits */
    double weight_x, weight_y;      /* of the directions, a row, times as much */
    int weight_bits;
    double *row_factor, *col_factor; /* m, n: of the sums below, to make sums of P and Q */
    bool two_exps;                   /* P and Q need an exponential each */
    bool late;                       /* sums of P and Q are not known before the end */
    bool sums_g;                     /* sums of G are needed */
    float *row_e, *row_g;            /* m: sums over the negatives */
    float *col_e, *col_g;            /* n */
    float *part_e, *part_g;          /* [GRADIENT_ROW_BLOCKS][TILE_BLOCK_COLS] */
    float *along_x, *along_y;        /* m, n: product of each gradient's row with its x or y */
    float *columns_x, *columns_y;    /* column panels of GRADIENT_ROWS of X, TILE_BLOCK_COLS of Y */
    float *tiles_x, *tiles_y;        /* the gradients of as many rows, in register tiles */
    float *g;                        /* GRADIENT_ROWS x TILE_BLOCK_COLS, in stripes */

    /* sigmoid loss: w_ij = z_ij + row_term_i + col_term_j, row_sum and row_e sum log2(1 + 2^w) */
    bool sigmoid;
    float *row_term, *col_term; /* m, n */
    float g_scale;              /* 1/m times 2^weight_bits */
    double *var_x, *var_y;      /* m, n: sums of the variances, where embeddings have them */

    /* E kept from forward to backward: [block of columns][block of rows][KEPT_BLOCK_FLOATS] */
    float *kept;
    size_t kept_row_blocks;
};

/* Where E of the block at (row, col) is kept; NULL where it is not. */
static inline float *kept_block(const struct infonce *p, size_t row, size_t col)
{
    size_t block = row / TILE_BLOCK_ROWS;
    if (block >= p->kept_row_blocks)
        return NULL;
    return p->kept +
           (col / TILE_BLOCK_COLS * p->kept_row_blocks + block) * (size_t)KEPT_BLOCK_FLOATS;
}

/* One side of the logits as their rows, the other as their columns. */
struct operands {
    const struct tile_operand *a, *b;
    const struct infonce_side *side_a, *side_b;
    ptrdiff_t shift; /* row r of a's data stands for the same as row r + shift of b's */
};

/* ---- call.c ---- */

/* The arguments that every loss has; targets as they are. */
struct infonce infonce_one_to_one(size_t m, size_t n, size_t d, const float *x, size_t ldx,
                                  const float *y, size_t ldy);
enum mmk_status infonce_check(struct infonce *p, const struct mmk_infonce_config *config,
                              const struct mmk_options *options);
enum mmk_status infonce_check_gradients(const struct infonce *p, const float *dx, size_t lddx,
                                        const float *dy, size_t lddy);

enum infonce_parts { INFONCE_FORWARD = 1, INFONCE_BACKWARD = 2 };

/* Opens the call's memory; what the workspace has to spare keeps exponentials from forward to
 * backward. */
enum mmk_status infonce_open(struct infonce *p, struct scratch *s, enum infonce_parts parts,
                             const struct mmk_options *options);
enum mmk_status infonce_workspace_bytes(struct infonce *p, int threads, size_t *streamed,
                                        size_t *stored);

void infonce_clear_rows(size_t rows, size_t d, float *matrix, size_t ld);

/* X with alpha, where it is folded into it. */
static inline struct tile_operand infonce_scaled_rows(const struct infonce *p)
{
    struct tile_operand x = p->x;
    x.factor = p->fold ? p->alpha : 1.0f;
    return x;
}

#endif
