/* forward.c - InfoNCE forward: one pass over the logits gives the sums of every row and column.
 * SPDX-License-Identifier: MIT
 *
 * Rows are exact: each block's sums are taken from the row's own maximum in that block. Columns are
 * made from the same exponentials, shifted by the rows' maxima; a column whose every logit lies
 * some 130 binary digits below its block's greatest cannot be told from zero that way and is done
 * again as a row (columns_again). It takes a large logit_scale and an outlier, a pair far closer
 * than all others.
 */
#include "../simd/scalar.h"
#include "lse.h"
#include "problem.h"

#include <string.h>

/* Terms of a column below 2^-76 (in the units of col_sum) may be lost; of up to 2^20 rows together
 * less than 2^-24 of a sum of this size. */
#define COLUMN_SUM_LEAST 0x1p-32f

void infonce_pack_rows(const struct infonce *p, const struct tile_operand *a,
                       const struct region *super, size_t worker, size_t workers)
{
    tile_pack(p->isa->tile, false, a, super->row, super->rows, p->d, p->packed_a, worker, workers);
}

void infonce_pack_cols(const struct infonce *p, const struct tile_operand *b,
                       const struct region *super, size_t worker, size_t workers)
{
    tile_pack(p->isa->tile, true, b, super->col, super->cols, p->d, p->packed_b, worker, workers);
}

void infonce_block(const struct infonce *p, const struct tile_operand *a,
                   const struct tile_operand *b, ptrdiff_t shift, const struct region *super,
                   const struct region *block, float *sim, float *positive)
{
    size_t row = block->row - super->row, col = block->col - super->col;
    tile_multiply(p->isa->tile, p->d, p->packed_a, super->rows, row, block->rows, p->packed_b,
                  super->cols, col, block->cols, sim, TILE_BLOCK_LD);
    if (p->config.similarity == MMK_NEG_SQ_L2)
        tile_neg_sq_l2_block(p->isa->tile, p->isa->cosine, p->d, a, block->row, block->rows,
                             p->xx + row, b, block->col, block->cols, p->yy + col, sim,
                             TILE_BLOCK_LD);
    size_t padded = tile_round_up(block->cols, INFONCE_COL_MULTIPLE);
    for (size_t r = 0; r < block->rows; r++) {
        float *s = sim + r * TILE_BLOCK_LD;
        for (size_t j = block->cols; j < padded; j++)
            s[j] = -INFINITY;
        size_t source = a->pick != NULL ? a->pick[block->row + r] : block->row + r;
        size_t j =
            source + (size_t)shift - block->col; /* wraps to a large one when it is not here */
        if (j < block->cols) {
            if (positive != NULL)
                positive[block->row + r] = s[j];
            s[j] = -INFINITY;
        }
    }
}

/* Sums of the rows of a against all of b, and with columns those of the columns too. */
struct pass {
    const struct tile_operand *a, *b;
    ptrdiff_t shift;
    float *row_max, *row_sum, *positive;
    bool columns;
};

static void pass_block(const struct infonce *p, const struct pass *pass, const struct region *super,
                       size_t task, float *scratch)
{
    struct region block = region_block(super, task);
    size_t row = block.row - super->row, col = block.col - super->col;
    size_t ib = row / TILE_BLOCK_ROWS, jb = col / TILE_BLOCK_COLS;
    bool keep = pass->columns && block.row < p->kept_rows;
    float *sim = keep ? kept_block(p, block.row, block.col) : scratch;

    infonce_block(p, pass->a, pass->b, pass->shift, super, &block, sim, pass->positive);
    p->isa->infonce->softmax_block(block.rows, tile_round_up(block.cols, INFONCE_COL_MULTIPLE), sim,
                                   p->alpha, p->part_max + jb * FORWARD_ROWS + row,
                                   p->part_sum + jb * FORWARD_ROWS + row,
                                   p->part_shift + ib * SUPER_COL_BLOCKS + jb,
                                   pass->columns ? p->part_col + ib * SUPER_COLS + col : NULL);
}

/* Joins the parts of a super-block to the sums so far: rows in the order of column blocks, columns
 * in the order of row blocks. */
static void pass_join_rows(const struct infonce *p, const struct pass *pass,
                           const struct region *super, size_t ib)
{
    size_t row = ib * TILE_BLOCK_ROWS, rows = least(super->rows - row, TILE_BLOCK_ROWS);
    float *max = pass->row_max + super->row + row, *sum = pass->row_sum + super->row + row;
    for (size_t jb = 0; jb * TILE_BLOCK_COLS < super->cols; jb++) {
        const float *max2 = p->part_max + jb * FORWARD_ROWS + row;
        const float *sum2 = p->part_sum + jb * FORWARD_ROWS + row;
        if (super->col == 0 && jb == 0) {
            memcpy(max, max2, rows * sizeof *max);
            memcpy(sum, sum2, rows * sizeof *sum);
        } else {
            p->isa->infonce->join_rows(rows, p->alpha, max, sum, max2, sum2);
        }
    }
}

/* 2^(alpha (v - c)) */
static float exp2_one(const struct infonce *p, float v, float c)
{
    float out;
    p->isa->infonce->exp2_difference(1, &v, c, p->alpha, &out);
    return out;
}

static void pass_join_columns(const struct infonce *p, const struct region *super, size_t jb)
{
    size_t col = jb * TILE_BLOCK_COLS, cols = least(super->cols - col, TILE_BLOCK_COLS);
    float *sum = p->col_sum + super->col + col;
    float *shift = p->col_shift + (super->col + col) / TILE_BLOCK_COLS;
    for (size_t ib = 0; ib * TILE_BLOCK_ROWS < super->rows; ib++) {
        const float *sum2 = p->part_col + ib * SUPER_COLS + col;
        float shift2 = p->part_shift[ib * SUPER_COL_BLOCKS + jb];
        if (super->row == 0 && ib == 0) {
            memcpy(sum, sum2, cols * sizeof *sum);
            *shift = shift2;
        } else {
            float raised = shift2 > *shift ? shift2 : *shift;
            p->isa->infonce->join_columns(cols, sum, exp2_one(p, *shift, raised), sum2,
                                          exp2_one(p, shift2, raised));
            *shift = raised;
        }
    }
}

/* Squared norms for neg_sq_l2, by one thread, between two barriers. */
static void super_norms(const struct infonce *p, const struct region *super)
{
    tile_sum_squares(p->isa->tile, false, p->d, p->packed_a, super->rows, p->xx);
    tile_sum_squares(p->isa->tile, true, p->d, p->packed_b, super->cols, p->yy);
}

/* All super-blocks, inside a parallel region. */
static void pass_run(const struct infonce *p, const struct pass *pass)
{
    size_t worker = (size_t)omp_get_thread_num(), workers = (size_t)omp_get_num_threads();
    float *scratch = p->block + worker * TILE_BLOCK_ROWS * TILE_BLOCK_LD;
    size_t m = pass->a->rows, n = pass->b->rows;
    size_t step = super_rows(m, FORWARD_ROWS);
    for (size_t row = 0; row < m; row += step) {
        struct region super = {.row = row, .rows = least(m - row, step)};
        infonce_pack_rows(p, pass->a, &super, worker, workers);
        for (size_t col = 0; col < n; col += SUPER_COLS) {
            super.col = col;
            super.cols = least(n - col, SUPER_COLS);
            infonce_pack_cols(p, pass->b, &super, worker, workers);
#pragma omp barrier
            if (p->config.similarity == MMK_NEG_SQ_L2) {
#pragma omp single
                super_norms(p, &super);
            }
            for (size_t task = worker; task < region_blocks(&super); task += workers)
                pass_block(p, pass, &super, task, scratch);
#pragma omp barrier
            for (size_t ib = worker; ib * TILE_BLOCK_ROWS < super.rows; ib += workers)
                pass_join_rows(p, pass, &super, ib);
            if (pass->columns)
                for (size_t jb = worker; jb * TILE_BLOCK_COLS < super.cols; jb += workers)
                    pass_join_columns(p, &super, jb);
#pragma omp barrier
        }
    }
}

/* Columns whose sum may have lost terms become the rows of a pass of their own. */
static size_t columns_again(struct infonce *p)
{
    size_t count = 0;
    for (size_t j = 0; j < p->n; j++)
        if (p->col_sum[j] < COLUMN_SUM_LEAST)
            p->pick[count++] = (uint32_t)j;
    if (count == 0)
        return 0;
    struct tile_operand picked = p->y;
    picked.rows = count;
    picked.pick = p->pick;
    struct pass pass = {.a = &picked,
                        .b = &p->x,
                        .shift = -(ptrdiff_t)p->config.offset,
                        .row_max = p->pick_max,
                        .row_sum = p->pick_sum};
#pragma omp parallel num_threads(p->threads) if (p->threads > 1)
    pass_run(p, &pass);
    return count;
}

/* Finishes a row or column whose negatives are sum 2^(alpha max - headroom): returns lse - L of its
 * positive (0 without one) and writes lse, in nats, and where asked for in base 2. */
static double finish_lse(const struct infonce *p, double max, double sum, double headroom,
                         const float *positive, float *lse, double *lse2)
{
    double alpha = (double)p->alpha, scale = (double)p->config.logit_scale;
    double nats, bits, above = 0;
    double negatives = lse_log(sum) - headroom * LSE_LN2; /* to be added to the greatest logit */
    if (positive == NULL) {
        nats = scale * max + negatives;
        bits = alpha * max + negatives * LSE_LOG2E;
    } else {
        double similarity = (double)*positive;
        double distance = alpha * (max - similarity) - headroom;
        above = similarity < INFINITY ? lse_minus_positive(distance, sum) : NAN;
        if (distance > 200) { /* also where the positive's logit is -Inf */
            nats = scale * max + negatives;
            bits = alpha * max + negatives * LSE_LOG2E;
        } else {
            nats = scale * similarity + above;
            bits = alpha * similarity + above * LSE_LOG2E;
        }
    }
    *lse = simd_canonical_nan((float)nats);
    if (lse2 != NULL)
        *lse2 = bits;
    return above;
}

void infonce_run_forward(struct infonce *p, float *loss, float *lse_x, float *lse_y)
{
    struct pass pass = {.a = &p->x,
                        .b = &p->y,
                        .shift = (ptrdiff_t)p->config.offset,
                        .row_max = p->row_max,
                        .row_sum = p->row_sum,
                        .positive = p->positive,
                        .columns = true};
#pragma omp parallel num_threads(p->threads) if (p->threads > 1)
    pass_run(p, &pass);
    size_t again = columns_again(p);

    const double headroom = (double)INFONCE_HEADROOM;
    size_t offset = p->config.offset;
    double loss_x = 0, loss_y = 0;
    for (size_t i = 0; i < p->m; i++)
        loss_x += finish_lse(p, (double)p->row_max[i], (double)p->row_sum[i], headroom,
                             &p->positive[i], &lse_x[i], p->lse2_x ? &p->lse2_x[i] : NULL);
    for (size_t j = 0, next = 0; j < p->n; j++) {
        double max = (double)p->col_shift[j / TILE_BLOCK_COLS], sum = (double)p->col_sum[j];
        double height = 2 * headroom;
        if (next < again && p->pick[next] == j) {
            max = (double)p->pick_max[next];
            sum = (double)p->pick_sum[next++];
            height = headroom;
        }
        bool has_positive = j >= offset && j - offset < p->m;
        loss_y += finish_lse(p, max, sum, height, has_positive ? &p->positive[j - offset] : NULL,
                             &lse_y[j], p->lse2_y ? &p->lse2_y[j] : NULL);
    }
    double m = (double)p->m;
    *loss = simd_canonical_nan((float)((double)p->config.weight_x * (loss_x / m) +
                                       (double)p->config.weight_y * (loss_y / m)));
}
