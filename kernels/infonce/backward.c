/* backward.c - InfoNCE backward: logits (kept, or computed again) become G, and G two products.
 * SPDX-License-Identifier: MIT
 *
 * Per super-block: the blocks of similarities turn into G in place; then dX += G Y and dY += G^T X, both
 * straight from the row-major blocks of G (the register tile broadcasts single elements of its left
 * operand, so neither needs packing), each element one chain over its contraction index in order.
 * The positives' own entries of G, -(weight_x/m (1 - P) + weight_y/m (1 - Q)), come from the sums over
 * the negatives and are added last, so that nothing cancels when P is near 1.
 */
#include "../simd/scalar.h"
#include "lse.h"
#include "problem.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Farther apart than this (in binary digits), or farther from 0, the row and column softmax need an
 * exponential each: 2^(z - least lse) would overflow, or what underflows would count. */
#define LSE_SPREAD_MOST 64.0
#define LSE_MOST        0x1p24

/* Contraction depth of a step of dY: so many rows of X in column panels (600 KB) stay in L2. */
enum { COLUMN_PANEL_FLOATS = 150 * 1024 };

struct gradients {
    float *dx, *dy;
    size_t lddx, lddy;
};

static float *super_block(const struct infonce *p, const struct region *super, size_t row,
                          size_t col)
{
    if (super->row < p->kept_rows)
        return kept_block(p, row, col);
    size_t jb = (col - super->col) / TILE_BLOCK_COLS;
    return p->super + (jb * p->super_stride + (row - super->row)) * TILE_BLOCK_LD;
}

static void gradient_block(const struct infonce *p, const struct region *super, size_t task)
{
    struct region block = region_block(super, task);
    size_t row = block.row - super->row, col = block.col - super->col;
    size_t ib = row / TILE_BLOCK_ROWS, jb = col / TILE_BLOCK_COLS;
    float *sim = super_block(p, super, block.row, block.col);
    if (super->row >= p->kept_rows)
        infonce_block(p, &p->x, &p->y, (ptrdiff_t)p->config.offset, super, &block, sim,
                      p->positive);

    const size_t part = (size_t)SUPER_COL_BLOCKS * BACKWARD_ROWS;
    float *part_row = p->part_row + jb * BACKWARD_ROWS + row;
    float *part_col = p->part_col_e + ib * SUPER_COLS + col;
    struct infonce_gradient g = {
        .alpha = p->alpha,
        .low = p->low,
        .row_weight = p->row_weight + block.row,
        .col_weight = p->col_weight + block.col,
        .row_e = part_row,
        .row_g = part_row + part,
        .row_gs = part_row + 2 * part,
        .col_e = part_col,
        .col_g = part_col + (size_t)BACKWARD_ROW_BLOCKS * SUPER_COLS,
    };
    if (p->two_exps) {
        g.lse_x = p->lse_x + block.row;
        g.lse_x_low = p->lse_x_low + block.row;
        g.lse_y = p->lse_y + block.col;
        g.lse_y_low = p->lse_y_low + block.col;
    }
    p->isa->infonce->gradient_block(&g, block.rows, tile_round_up(block.cols, INFONCE_COL_MULTIPLE),
                                    sim);
}

/* total += the parts, in order; the first part of all starts it. */
static void join_parts(size_t count, float *total, const float *part, size_t stride, size_t parts,
                       bool start)
{
    for (size_t b = 0; b < parts; b++, part += stride)
        for (size_t i = 0; i < count; i++)
            total[i] = start && b == 0 ? part[i] : total[i] + part[i];
}

static void join_row_sums(const struct infonce *p, const struct region *super, size_t ib)
{
    size_t row = ib * TILE_BLOCK_ROWS, rows = least(super->rows - row, TILE_BLOCK_ROWS);
    size_t parts = blocks_of(super->cols, TILE_BLOCK_COLS);
    float *total[3] = {p->row_e, p->row_g, p->row_gs};
    for (size_t v = 0; v < 3; v++)
        join_parts(rows, total[v] + super->row + row,
                   p->part_row + v * SUPER_COL_BLOCKS * BACKWARD_ROWS + row, BACKWARD_ROWS, parts,
                   super->col == 0);
}

static void join_column_sums(const struct infonce *p, const struct region *super, size_t jb)
{
    size_t col = jb * TILE_BLOCK_COLS, cols = least(super->cols - col, TILE_BLOCK_COLS);
    size_t parts = blocks_of(super->rows, TILE_BLOCK_ROWS);
    float *total[2] = {p->col_e, p->col_g};
    for (size_t v = 0; v < 2; v++)
        join_parts(cols, total[v] + super->col + col,
                   p->part_col_e + v * BACKWARD_ROW_BLOCKS * SUPER_COLS + col, SUPER_COLS, parts,
                   super->row == 0);
}

/* One register tile of a gradient. Where fewer rows or columns are there it goes through a copy. */
static void gradient_tile(const struct tile_ops *tile, bool left_is_rows, size_t depth,
                          const float *a, const float *b, float *c, size_t ldc, size_t rows,
                          size_t cols, bool accumulate)
{
    float edge[TILE_MAX_MR * TILE_MAX_NR];
    bool whole = rows >= tile->mr && cols >= tile->nr;
    float *out = whole ? c : edge;
    size_t ldout = whole ? ldc : tile->nr;
    rows = least(rows, tile->mr);
    cols = least(cols, tile->nr);
    if (!whole && accumulate)
        for (size_t r = 0; r < rows; r++)
            memcpy(edge + r * ldout, c + r * ldc, cols * sizeof *c);
    if (left_is_rows)
        tile->product_rows(depth, a, b, out, ldout, accumulate);
    else
        tile->product(depth, a, TILE_BLOCK_LD, b, out, ldout, accumulate);
    if (!whole)
        for (size_t r = 0; r < rows; r++)
            memcpy(c + r * ldc, edge + r * ldout, cols * sizeof *c);
}

/* dX of a block of rows: a panel of Y's columns in L2 serves all of the block's row panels. */
static void gradient_rows(const struct infonce *p, const struct gradients *out,
                          const struct region *super, size_t ib)
{
    const struct tile_ops *tile = p->isa->tile;
    size_t row = super->row + ib * TILE_BLOCK_ROWS;
    size_t rows = least(super->row + super->rows - row, TILE_BLOCK_ROWS);
    for (size_t col = 0; col < super->cols; col += TILE_BLOCK_COLS) {
        size_t cols = least(super->cols - col, TILE_BLOCK_COLS);
        const float *g = super_block(p, super, row, super->col + col);
        for (size_t k = 0; k < p->d; k += tile->nr)
            for (size_t i = 0; i < rows; i += tile->mr)
                gradient_tile(tile, true, cols, g + i * TILE_BLOCK_LD,
                              p->columns_y + k * super->cols + col * tile->nr,
                              out->dx + (row + i) * out->lddx + k, out->lddx, rows - i, p->d - k,
                              super->col + col != 0);
    }
}

/* Columns of a super-block whose dY is one task: a few panels of mr. */
static size_t gradient_columns_width(const struct tile_ops *tile)
{
    return 4 * tile->mr;
}

/* dY of some columns of a column block: the panel of G^T stays in L1 for all of X's column panels. */
static void gradient_columns(const struct infonce *p, const struct gradients *out,
                             const struct region *super, size_t jb, size_t first)
{
    const struct tile_ops *tile = p->isa->tile;
    size_t col = jb * TILE_BLOCK_COLS;
    size_t cols = least(super->cols - col, TILE_BLOCK_COLS);
    size_t end = least(cols, first + gradient_columns_width(tile));
    size_t step = COLUMN_PANEL_FLOATS / (p->d + 1) / TILE_BLOCK_ROWS * TILE_BLOCK_ROWS;
    step = step < TILE_BLOCK_ROWS ? TILE_BLOCK_ROWS : step;
    const float *g = super_block(p, super, super->row, super->col + col);
    for (size_t row = 0; row < super->rows; row += step) {
        size_t depth = least(super->rows - row, step);
        for (size_t j = first; j < end; j += tile->mr)
            for (size_t k = 0; k < p->d; k += tile->nr)
                gradient_tile(tile, false, depth, g + row * TILE_BLOCK_LD + j,
                              p->columns_x + k * super->rows + row * tile->nr,
                              out->dy + (super->col + col + j) * out->lddy + k, out->lddy, end - j,
                              p->d - k, super->row + row != 0);
    }
}

static void super_products(const struct infonce *p, const struct gradients *out,
                           const struct region *super, size_t worker, size_t workers)
{
    size_t row_tasks = blocks_of(super->rows, TILE_BLOCK_ROWS);
    size_t width = gradient_columns_width(p->isa->tile);
    for (size_t ib = worker; ib < row_tasks; ib += workers)
        gradient_rows(p, out, super, ib);
    size_t task = row_tasks; /* goes on where the rows' tasks ended, so that workers stay even */
    for (size_t jb = 0; jb * TILE_BLOCK_COLS < super->cols; jb++) {
        size_t cols = least(super->cols - jb * TILE_BLOCK_COLS, TILE_BLOCK_COLS);
        for (size_t first = 0; first < cols; first += width, task++)
            if (task % workers == worker)
                gradient_columns(p, out, super, jb, first);
    }
}

static void super_run(const struct infonce *p, const struct gradients *out,
                      const struct region *super, size_t worker, size_t workers)
{
    tile_pack_columns(p->isa->tile, &p->y, super->col, super->cols, p->d, p->columns_y, worker,
                      workers);
    if (super->row >= p->kept_rows) {
        infonce_pack_cols(p, &p->y, super, worker, workers);
#pragma omp barrier
        if (p->config.similarity == MMK_NEG_SQ_L2) {
#pragma omp single
            {
                tile_sum_squares(p->isa->tile, false, p->d, p->packed_a, super->rows, p->xx);
                tile_sum_squares(p->isa->tile, true, p->d, p->packed_b, super->cols, p->yy);
            }
        }
    }
    for (size_t task = worker; task < region_blocks(super); task += workers)
        gradient_block(p, super, task);
#pragma omp barrier
    for (size_t ib = worker; ib * TILE_BLOCK_ROWS < super->rows; ib += workers)
        join_row_sums(p, super, ib);
    for (size_t jb = worker; jb * TILE_BLOCK_COLS < super->cols; jb += workers)
        join_column_sums(p, super, jb);
    super_products(p, out, super, worker, workers);
#pragma omp barrier
}

/* G of the positive pair (i, i + offset). */
static float positive_gradient(const struct infonce *p, size_t i)
{
    float m = (float)p->m;
    size_t j = i + p->config.offset;
    float rest_x = p->row_e[i] * p->row_factor[i], rest_y = p->col_e[j] * p->col_factor[j];
    return -(p->config.weight_x / m * rest_x + p->config.weight_y / m * rest_y);
}

static void finish_rows(const struct infonce *p, const struct gradients *out, size_t worker,
                        size_t workers)
{
    void (*finish)(const struct infonce_row *) = p->isa->infonce->finish_row[p->config.similarity];
    const struct row_scale none = {1.0f, 1.0f};
    float scale = p->config.logit_scale;
    if (p->config.similarity == MMK_NEG_SQ_L2)
        scale *= 2.0f;
    for (size_t i = worker; i < p->m; i += workers) {
        size_t j = i + p->config.offset;
        float coef = positive_gradient(p, i);
        struct infonce_row row = {
            .d = p->d,
            .gradient = out->dx + i * out->lddx,
            .self = p->x.data + i * p->x.ld,
            .positive = p->y.data + j * p->y.ld,
            .coef = coef,
            .sum_g = p->row_g[i] + coef,
            .scale = scale,
            .self_scale = p->x.scale != NULL ? p->x.scale[i] : none,
            .positive_scale = p->y.scale != NULL ? p->y.scale[j] : none,
        };
        finish(&row);
    }
    for (size_t j = worker; j < p->n; j += workers) {
        size_t i = j - p->config.offset; /* large when the column has no positive */
        float coef = i < p->m ? positive_gradient(p, i) : 0.0f;
        struct infonce_row row = {
            .d = p->d,
            .gradient = out->dy + j * out->lddy,
            .self = p->y.data + j * p->y.ld,
            .positive = i < p->m ? p->x.data + i * p->x.ld : NULL,
            .coef = coef,
            .sum_g = p->col_g[j] + coef,
            .scale = scale,
            .self_scale = p->y.scale != NULL ? p->y.scale[j] : none,
            .positive_scale = i < p->m && p->x.scale != NULL ? p->x.scale[i] : none,
        };
        finish(&row);
    }
}

static bool has_positive(const struct infonce *p, size_t j)
{
    return j >= p->config.offset && j - p->config.offset < p->m;
}

void infonce_take_lse(struct infonce *p, const float *lse_x, const float *lse_y)
{
    /* as the logits are scaled here, with alpha */
    double to_bits = (double)p->alpha / (double)p->config.logit_scale;
    for (size_t i = 0; i < p->m; i++)
        p->lse2_x[i] = (double)lse_x[i] * to_bits;
    for (size_t j = 0; j < p->n; j++)
        p->lse2_y[j] = (double)lse_y[j] * to_bits;
}

/* v as the sum of two floats. */
static void split(double v, float *high, float *low)
{
    *high = simd_canonical_nan((float)v);
    *low = isfinite(*high) ? (float)(v - (double)*high) : 0.0f;
}

/* Weights, factors and log-sum-exps of the softmaxes; one exponential for both where they allow it. */
static void prepare(struct infonce *p)
{
    double low = INFINITY, high = -INFINITY;
    bool finite = true;
    for (size_t i = 0; i < p->m; i++) {
        const double v[2] = {p->lse2_x[i], p->lse2_y[i + p->config.offset]};
        for (int k = 0; k < 2; k++) {
            finite = finite && isfinite(v[k]);
            low = v[k] < low ? v[k] : low;
            high = v[k] > high ? v[k] : high;
        }
    }
    p->two_exps = !finite || high - low > LSE_SPREAD_MOST || -low > LSE_MOST || high > LSE_MOST;
    p->low = p->two_exps ? 0.0f : (float)low;
    float weight_x = p->config.weight_x / (float)p->m, weight_y = p->config.weight_y / (float)p->m;
    for (size_t i = 0; i < p->m; i++) {
        float factor = p->two_exps ? 1.0f : (float)lse_exp2((double)p->low - p->lse2_x[i]);
        split(p->lse2_x[i], &p->lse_x[i], &p->lse_x_low[i]);
        p->row_factor[i] = factor;
        p->row_weight[i] = weight_x * factor;
    }
    for (size_t j = 0; j < p->n; j++) {
        if (!has_positive(p, j)) { /* has no part in the loss: Q is 0 */
            p->lse_y[j] = FLT_MAX;
            p->lse_y_low[j] = p->col_factor[j] = p->col_weight[j] = 0.0f;
            continue;
        }
        float factor = p->two_exps ? 1.0f : (float)lse_exp2((double)p->low - p->lse2_y[j]);
        split(p->lse2_y[j], &p->lse_y[j], &p->lse_y_low[j]);
        p->col_factor[j] = factor;
        p->col_weight[j] = weight_y * factor;
    }
    for (size_t j = p->n; j < tile_round_up(p->n, INFONCE_COL_MULTIPLE); j++)
        p->lse_y[j] = p->lse_y_low[j] = p->col_weight[j] = 0.0f;
}

void infonce_run_backward(struct infonce *p, float *dx, size_t lddx, float *dy, size_t lddy,
                          float *dlogit_scale)
{
    struct gradients out = {dx, dy, lddx, lddy};
    prepare(p);
#pragma omp parallel num_threads(p->threads) if (p->threads > 1)
    {
        size_t worker = (size_t)omp_get_thread_num(), workers = (size_t)omp_get_num_threads();
        size_t row = 0;
        while (row < p->m) {
            /* a super-block is kept as a whole or not at all */
            size_t end = row < p->kept_rows ? p->kept_rows : p->m;
            size_t step = super_rows(end - row, BACKWARD_ROWS);
            struct region super = {.row = row, .rows = least(end - row, step)};
            if (row >= p->kept_rows)
                infonce_pack_rows(p, &p->x, &super, worker, workers);
            tile_pack_columns(p->isa->tile, &p->x, row, super.rows, p->d, p->columns_x, worker,
                              workers);
            for (size_t col = 0; col < p->n; col += SUPER_COLS) {
                super.col = col;
                super.cols = least(p->n - col, SUPER_COLS);
                super_run(p, &out, &super, worker, workers);
            }
            row += super.rows;
        }
        finish_rows(p, &out, worker, workers);
    }
    double sum = 0;
    for (size_t i = 0; i < p->m; i++) {
        float similarity = p->positive[i] < -FLT_MAX ? -FLT_MAX : p->positive[i];
        sum += (double)p->row_gs[i] + (double)positive_gradient(p, i) * (double)similarity;
    }
    *dlogit_scale = simd_canonical_nan((float)sum);
}
