/* infonce.h - inner loops of InfoNCE and their contract (internal).
 * SPDX-License-Identifier: MIT
 *
 * A block holds raw similarities S of up to TILE_BLOCK_ROWS x TILE_BLOCK_COLS pairs, leading
 * dimension TILE_BLOCK_LD. Logits are taken in base 2, z = alpha S with alpha = logit_scale
 * log2(e). Entries that must not count (the positive, and columns up to the next multiple of 16)
 * are -Inf in the block.
 *
 * Order of sums, the same on every ISA: along a row 16 lanes (column mod 16) and the tree of
 * simd_sum16; along a column one chain over the rows in order.
 */
#ifndef MMK_INFONCE_H
#define MMK_INFONCE_H

#include "../simd/scalar.h"
#include "../tile/tile.h"

/* Rows that share one update of the column shift. */
enum { INFONCE_CHUNK_ROWS = 12 };

/* Elements past the last column that block-wide arrays must have room for. */
enum { INFONCE_COL_MULTIPLE = 16 };

/* Sums are kept times 2^INFONCE_HEADROOM, so that a term may lie 176 binary digits below the
 * greatest before it is lost, in place of 126. */
#define INFONCE_HEADROOM SIMD_RAISE

/* What a gradient block is made from, and the sums it gives. Arrays start at the block's first row
 * or column. Where all log-sum-exps lie close together, one exponential E_ij = 2^(z_ij - low)
 * serves both softmaxes:
 *     G_ij = E_ij (row_weight_i + col_weight_j),              row_e, col_e: sums of E.
 * Otherwise (lse_x not NULL), with P_ij = 2^(z_ij - lse_x_i) and Q_ij = 2^(z_ij - lse_y_j),
 *     G_ij = row_weight_i P_ij + col_weight_j Q_ij,           row_e: sums of P, col_e: of Q.
 * lse_x and lse_y are in base 2, each the sum of two floats. */
struct infonce_gradient {
    float alpha, low;
    const float *row_weight, *col_weight;
    const float *lse_x, *lse_x_low, *lse_y, *lse_y_low;
    float *row_e, *row_g, *row_gs; /* per row: sum of E or P, of G, of G S */
    float *col_e, *col_g;          /* per column: sum of E or Q, of G */
};

/* The last step for one row of a gradient. */
struct infonce_row {
    size_t d;
    float *gradient;       /* in: sum over the negatives of G y; out: the gradient */
    const float *self;     /* x */
    const float *positive; /* y of the positive, or NULL */
    float coef;            /* G of the positive */
    float sum_g;           /* neg_sq_l2: sum of G over the row, positive included */
    float scale;           /* logit_scale; twice that for neg_sq_l2 */
    struct row_scale self_scale, positive_scale; /* cosine */
};

struct infonce_ops {
    /* Per row: row_max = max S (kept within +-FLT_MAX), row_sum = sum 2^(alpha (S - row_max) + H),
     * H being INFONCE_HEADROOM. Per column: col_sum = sum 2^(alpha (S - *col_shift) + 2 H), where
     * *col_shift is the greatest row_max; it is made from the rows' exponentials. col_sum NULL:
     * rows only. cols is a multiple of 16. */
    void (*softmax_block)(size_t rows, size_t cols, const float *sim, float alpha, float *row_max,
                          float *row_sum, float *col_shift, float *col_sum);
    /* (max, sum) pairs of two disjoint parts of each row become those of the whole. */
    void (*join_rows)(size_t count, float alpha, float *max, float *sum, const float *max2,
                      const float *sum2);
    /* sum = fma(sum2, factor2, sum * factor). */
    void (*join_columns)(size_t count, float *sum, float factor, const float *sum2, float factor2);
    /* The block of similarities becomes the block of G. */
    void (*gradient_block)(const struct infonce_gradient *g, size_t rows, size_t cols, float *sim);
    /* out_i = 2^(scale (v_i - c)), none of them above 2^128. */
    void (*exp2_difference)(size_t count, const float *v, float c, float scale, float *out);
    /* dot:       v = gradient + coef p, out = scale v
     * cosine:    v likewise with normalised rows, out = scale (v - x^ (x^ . v)) / |x|
     * neg_sq_l2: v likewise, out = scale (v - sum_g x) */
    void (*finish_row[MMK_SIMILARITY_COUNT])(const struct infonce_row *row);
};

extern const struct infonce_ops infonce_ops_scalar;
extern const struct infonce_ops infonce_ops_avx2;
extern const struct infonce_ops infonce_ops_avx512;
extern const struct infonce_ops infonce_ops_neon;

#endif
