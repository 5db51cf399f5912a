/* infonce.h - inner loops of InfoNCE and their contract (internal).
 * SPDX-License-Identifier: MIT
 *
 * A block holds raw similarities S of up to TILE_BLOCK_ROWS x TILE_BLOCK_COLS pairs, leading
 * dimension TILE_BLOCK_LD. Logits are taken in base 2, z = alpha S with alpha = logit_scale
 * log2(e), so that an exponential is 2^(fma(S, alpha, -shift)). Entries that must not count (the
 * positive, and columns up to the next multiple of 16) are -Inf in the block.
 *
 * Order of sums, the same on every ISA: along a row 16 lanes (column mod 16) and the tree of
 * simd_sum16; along a column one chain over the rows in order.
 */
#ifndef MMK_INFONCE_H
#define MMK_INFONCE_H

#include "../tile/tile.h"

/* Rows that share one update of the column shift. */
enum { INFONCE_CHUNK_ROWS = 12 };

/* Elements past the last column that block-wide arrays must have room for. */
enum { INFONCE_COL_MULTIPLE = 16 };

/* What a gradient block is made from, and the sums it gives. Arrays start at the block's first row
 * or column. With P_ij = 2^(z_ij - lse_x_i) and Q_ij = 2^(z_ij - lse_y_j) (lse in base 2), G_ij =
 * coef_x P_ij + coef_y_j Q_ij. With row_factor the second exponential is a product: Q_ij = P_ij
 * row_factor_i col_factor_j. */
struct infonce_gradient {
    float alpha, coef_x;
    const float *lse_x, *lse_y;
    const float *coef_y;                  /* times col_factor where factors are given */
    const float *row_factor, *col_factor; /* 2^(lse_x_i - c), 2^(c - lse_y_j); or NULL */
    float *row_p, *row_g, *row_gs;        /* per row: sum of P, of G, of G S */
    float *col_q, *col_g;                 /* per column: sum of Q, of G */
};

/* The last step for one row of a gradient. */
struct infonce_row {
    size_t d;
    float *gradient;       /* in: sum over the negatives of G y; out: the gradient */
    const float *self;     /* x */
    const float *positive; /* y of the positive, or NULL */
    float coef;            /* G of the positive */
    float sum_g;           /* neg_sq_l2: sum of G over the row, positive included */
    struct row_scale self_scale, positive_scale; /* cosine */
};

struct infonce_ops {
    /* Per row: row_max = max z (kept within +-FLT_MAX), row_sum = sum 2^(z - row_max). Per column:
     * col_sum = sum 2^(z - *col_shift), where *col_shift is the greatest row_max. The column sums
     * are made from the rows' exponentials, times 2^(row_max - shift): what underflows on the way
     * is less than 2^-126 of the shift. col_sum NULL: rows only. cols is a multiple of 16. */
    void (*softmax_block)(size_t rows, size_t cols, const float *sim, float alpha, float *row_max,
                          float *row_sum, float *col_shift, float *col_sum);
    /* (max, sum) pairs of two disjoint parts of each row become those of the whole. */
    void (*join_rows)(size_t count, float *max, float *sum, const float *max2, const float *sum2);
    /* sum = fma(sum2, factor2, sum * factor). */
    void (*join_columns)(size_t count, float *sum, float factor, const float *sum2, float factor2);
    /* The block of similarities becomes the block of G. */
    void (*gradient_block)(const struct infonce_gradient *g, size_t rows, size_t cols, float *sim);
    /* out_i = 2^(sign (v_i - c)), sign +1 or -1. */
    void (*exp2_difference)(size_t count, const float *v, float c, float sign, float *out);
    /* dot:       v = gradient + coef p
     * cosine:    v likewise with normalised rows, out = (v - x^ (x^ . v)) / |x|
     * neg_sq_l2: v likewise, out = 2 (v - sum_g x) */
    void (*finish_row[MMK_SIMILARITY_COUNT])(const struct infonce_row *row);
};

extern const struct infonce_ops infonce_ops_scalar;
extern const struct infonce_ops infonce_ops_avx2;
extern const struct infonce_ops infonce_ops_avx512;
extern const struct infonce_ops infonce_ops_neon;

#endif
