/* infonce.h - inner loops of InfoNCE and their contract (internal).
 * SPDX-License-Identifier: MIT
 *
 * Logits are taken in base 2 here: z = logit_scale log2(e) S. Their register tiles are gathered in
 * a strip of up to TILE_BLOCK_ROWS x INFONCE_STRIP, leading dimension INFONCE_STRIP, which is still
 * in L1 when it is turned into exponentials. One exponential serves rows and columns,
 *     E_ij = 2^(z_ij - c)
 * with one integer c for the whole call (struct simd_shift). Entries that must not count (the
 * positive, and columns up to the next multiple of 16) are -Inf in the strip.
 *
 * A table's member is the function infonce_<member>_<isa> of infonce_<isa>.c: the inner loop of the
 * sigmoid loss on AVX-512 is infonce_sigmoid_strip_avx512. Who calls them:
 *     exp_strip        the forward's strips (strip.c) and its positives (forward.c)
 *     exp_product      the same between the instructions of a product (strip.c)
 *     softmax_rows     rows and columns that are done again (pass.c)
 *     row_sums         the lanes of rows (strip.c, for pass.c and gradient.c)
 *     join_blocks      sums of products (products.c), and of many positives (finish.c)
 *     gradient_strip   G of the softmax losses (gradient.c)
 *     sigmoid_strip    sums and G of the sigmoid losses (pass.c, gradient.c)
 *     add_positive     what a positive adds to a gradient's row (finish.c)
 *     finish_row       the last step of a gradient's row (finish.c, alignment.c)
 *
 * Order of sums, the same on every ISA: along a row 16 lanes (column mod 16), of
 * INFONCE_LANE_STRIPS strips and so of 16 terms (softmax_rows: of the whole block, 42), and the
 * tree of simd_sum16; along a column of a
 * block one chain over the rows in order, of exponentials over fours of rows, (e_0 + e_1) + (e_2 +
 * e_3), and then what is left of them singly.
 */
#ifndef MMK_INFONCE_H
#define MMK_INFONCE_H

#include "../simd/scalar.h"
#include "../tile/tile.h"

/* Columns of a strip: a multiple of every nr. */
enum { INFONCE_STRIP = 32 };

/* Elements past the last column that arrays over columns must have room for. */
enum { INFONCE_COL_MULTIPLE = 16 };

/* Lanes of a row's sum, and the strips that they are summed over. */
enum { INFONCE_LANES = 16, INFONCE_LANE_STRIPS = 8 };

/* How a strip becomes one of G = d loss / d S / logit_scale:
 *     FROM_Z      G_ij = E_ij (row_weight_i + col_weight_j)
 *     FROM_E      the same, the strip holding E already
 *     TWO_EXPS    G_ij = row_weight_i P_ij + col_weight_j Q_ij,
 *                 P_ij = 2^(z_ij - lse_x_i - c), Q_ij = 2^(z_ij - lse_y_j - c) */
enum infonce_form { INFONCE_FROM_Z, INFONCE_FROM_E, INFONCE_TWO_EXPS };

/* What a strip of G is made from, and the sums it gives. Arrays start at its first row or column.
 * lse_x and lse_y are in base 2, each the sum of two floats. With two exponentials, sums of E are
 * sums of P along rows and of Q along columns. */
struct infonce_gradient {
    enum infonce_form form;
    struct simd_shift shift;
    const float *row_weight, *col_weight;
    const float *lse_x, *lse_x_low, *lse_y, *lse_y_low;
    float *out[2]; /* G of the first 16 columns and of the next, */
    size_t ldout;  /* their leading dimension */
    /* Lanes of each row's sums of E, of G and of G z, continued (NULL: not asked for), and the
     * columns' sums, started. From E there is no z. */
    float *row_e, *row_g, *row_gz;
    float *col_e, *col_g, *col_gz;
};

/* Rows of a strip of z that are to become exponentials, as exp_strip makes them; z NULL: none. */
struct infonce_waiting {
    float *z;
    struct simd_shift shift;
    float *row_lane, *col_sum, *e;
};

/* What a strip of the sigmoid loss is made from, and what it gives: with
 *     w_ij = z_ij + (row_term_i + col_term_j)
 * the sums of S_ij = 2^24 log2(1 + 2^w_ij), and G_ij = scale 2^24 / (1 + 2^-w_ij). The 2^24 is in
 * the exponentials: those of all terms down to 2^-150 are normal numbers. Arrays start at its first
 * row or column. */
struct infonce_sigmoid {
    const float *row_term, *col_term;
    float scale;
    float *row_s;  /* lanes of each row's sum of S, continued */
    float *out[2]; /* G as in struct infonce_gradient; NULL: the sums of S are all that is wanted */
    size_t ldout;
    float *row_g, *col_g;   /* sums of G, as there, */
    float *row_gz, *col_gz; /* and of G z, unless row_gz is NULL */
};

#define INFONCE_RAISE 0x1p24f
/* Below this, q = 2^-|w| is nothing beside 1: kept there, it is a normal number. */
#define INFONCE_RAISED_LEAST 0x1p-100f

static inline struct simd_shift infonce_raised(void)
{
    return simd_shift(-24.0f);
}

/* The last steps for one row of a gradient. The sum of G y over the negatives lies in panels of nr
 * columns (a power of two), [panel][panel_rows][nr]; in a plain row, panels of one row each. */
struct infonce_row {
    size_t d;
    const float *sum;
    size_t nr, panel_rows;
    float *gradient;                          /* out; may be the sum itself */
    const float *self;                        /* x */
    const float *origin;                      /* neg_sq_l2: subtracted from x and y, or NULL */
    const float *other;                       /* a positive's y; NULL: none */
    float coef;                               /* its G */
    struct row_scale self_scale, other_scale; /* cosine */
    /* times self it is taken out; all of the row's, positives included. cosine: the sum of G S,
     * which is the sum's part along x^; neg_sq_l2: the sum of G */
    float along;
    float scale; /* logit_scale; twice that for neg_sq_l2 */
    float after; /* cosine: a power of two, as scale, last */
};

/* Sets scale and after. A power of two above 1 (of a short row) goes into the scale: what the scale
 * makes small it then makes small last, and no digit is lost. */
static inline void infonce_set_scale(struct infonce_row *row, double scale)
{
    float power = row->self_scale.power;
    row->scale = (float)(power > 1 ? scale * (double)power : scale);
    row->after = power > 1 ? 1.0f : power;
}

/* Which factors a row has: multiplying by 1 is exact, and need not be done. A power is other than 1
 * only where a norm is out of range (pair.h). */
enum infonce_factors { INFONCE_NO_FACTOR, INFONCE_INVERSE, INFONCE_POWER_AND_INVERSE };

static inline bool infonce_has_power(const struct infonce_row *row)
{
    return row->self_scale.power != 1.0f || row->after != 1.0f ||
           (row->other != NULL && row->other_scale.power != 1.0f);
}

/* cosine: what is to be taken out of a gradient along x^ once more; 0: nothing. What was taken out
 * of its sum is made from the logits, chains of d terms, and where rows are alike their errors
 * show: `along` is left, to be set right where it is more than 2^-22 of all that is left, of which
 * `square` is the sum of squares. What is beyond float stays what it is, Inf. */
static inline float infonce_left_along(const struct infonce_row *row, float along, float square)
{
    float more = ((along * row->self_scale.inverse) * row->scale) * row->after;
    return along * along > 0x1p-44f * square && more - more == 0 ? more : 0;
}

/* Where element k of the sum is. */
static inline const float *infonce_sum_at(const struct infonce_row *row, size_t k)
{
    size_t within = k & (row->nr - 1);
    return row->sum + (k - within) * row->panel_rows + within;
}

struct infonce_ops {
    /* E of a strip of z. Adds it to the 16 lanes of each row's sum and to the columns' sums, and
     * stores it where e is not NULL (leading dimension INFONCE_STRIP). cols is 16 or 32. */
    void (*exp_strip)(size_t rows, size_t cols, const float *z, struct simd_shift shift,
                      float *row_lane, float *col_sum, float *e);
    /* exp_strip of the exp_product_rows rows that wait, of 32 columns, between the instructions of
     * a product of as many rows: z[r][j] = sum over k < depth of a(r, k) b[k][j] for j < 32, as
     * tile_ops.product_rows makes it of column panels of 32, `stride` apart. Meanwhile `depth`
     * lines at `ahead` come into L2. exp_product_rows is a multiple of 4; 0: there is no such
     * function. */
    size_t exp_product_rows;
    void (*exp_product)(const struct infonce_waiting *waiting, size_t depth, const float *a,
                        size_t stride, const float *b, float *z, const float *ahead);
    /* G of a strip of z or E; cols is 16 or 32. */
    void (*gradient_strip)(const struct infonce_gradient *g, size_t rows, size_t cols,
                           const float *strip);
    /* S and G of a strip of z; cols is 16 or 32. */
    void (*sigmoid_strip)(const struct infonce_sigmoid *g, size_t rows, size_t cols,
                          const float *strip);
    /* sum_i = the 16 lanes of row i, added up. */
    void (*row_sums)(size_t rows, const float *row_lane, float *sum);
    /* Rows of a block of z (leading dimension TILE_BLOCK_LD), each from its own maximum:
     * max = max z (kept within +-FLT_MAX), sum = sum 2^(z - max). cols is a multiple of 16. */
    void (*softmax_rows)(size_t rows, size_t cols, const float *z, float *max, float *sum);
    /* Parts of `count` sums, a multiple of 8, join those before them:
     * first: sum = part;  else: sum += part;  last, and not first: part = sum + part, rounded. */
    void (*join_blocks)(size_t count, double *sum, float *part, bool first, bool last);
    /* gradient = sum + coef y: a positive that is not the last of its row. */
    void (*add_positive)(const struct infonce_row *row);
    /* dot:       gradient = (sum + coef y) scale
     * cosine:    the same with normalised rows and x^ taken out,
     *            (sum + coef y^ - along x^) inverse scale after, and once more what is left along
     *            x^ where that is much
     * neg_sq_l2: (sum + coef y - along x) scale; x and y less the origin, as in the sum */
    void (*finish_row[MMK_SIMILARITY_COUNT])(const struct infonce_row *row);
};

extern const struct infonce_ops infonce_ops_scalar;
extern const struct infonce_ops infonce_ops_avx2;
extern const struct infonce_ops infonce_ops_avx512;
extern const struct infonce_ops infonce_ops_neon;

#endif
