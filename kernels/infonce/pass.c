/* pass.c - one pass over the logits gives the sums of every row and column.
 * SPDX-License-Identifier: MIT
 *
 * A worker takes a block, makes its strips, and turns each into exponentials while it is in L1, on
 * AVX-512 between the instructions of the next rows' product. The time is in the product (strip.c):
 * d multiply-adds for an element, beside one exponential. Where exponentials are kept for the
 * backward, the lines that they go to are fetched during the product.
 */
#include "pass.h"

#include "../exp/lse.h"
#include "../call/threads.h"
#include "kept.h"
#include "strip.h"

#include <math.h>
#include <string.h>

void infonce_layout_pass(struct infonce *p, struct scratch *s)
{
    const size_t f = sizeof(float);
    p->pass.part_max = scratch_take(s, (size_t)HELD_COL_BLOCKS * HELD_ROWS, f);
    p->pass.part_row = scratch_take(s, (size_t)HELD_COL_BLOCKS * HELD_ROWS, sizeof(double));
    p->pass.part_col = scratch_take(s, (size_t)HELD_ROW_BLOCKS * HELD_COLS, f);
    p->pass.block = scratch_take(s, (size_t)p->threads, TILE_BLOCK_ROWS * TILE_BLOCK_LD * f);
}

/* The sums of one block with the shared shift. */
static void shifted_block(const struct infonce *p, const struct pass *pass,
                          const struct region *held, const struct region *block, size_t worker,
                          double *part_row, float *part_col)
{
    float *lane = p->strip.lane + worker * 3 * LANE_FLOATS, *z = p->strip.z + worker * STRIP_FLOATS;
    float *kept = infonce_kept_block(p, block->row, block->col);
    struct infonce_waiting waiting = {.z = NULL};
    memset(lane, 0, block->rows * INFONCE_LANES * sizeof *lane);
    memset(part_col, 0, size_round_up(block->cols, INFONCE_COL_MULTIPLE) * sizeof *part_col);
    for (size_t j = 0; j < block->cols; j += INFONCE_STRIP) {
        struct region strip = {block->row, block->rows, block->col + j,
                               size_min(block->cols - j, INFONCE_STRIP)};
        float *to = kept != NULL ? kept + j * TILE_BLOCK_ROWS : NULL;
        float *logits = p->kept.logits && to != NULL ? to : z; /* where they are kept at once */
        infonce_exp_strip(p, &pass->operands, held, &strip, worker,
                          (struct infonce_waiting){.z = logits,
                                                   .shift = simd_shift(p->shift),
                                                   .row_lane = lane,
                                                   .col_sum = part_col + j,
                                                   .e = p->kept.logits ? NULL : to},
                          pass->logit, (struct tile_fetch){to, to != NULL ? STRIP_FLOATS : 0},
                          &waiting);
        if (!infonce_lanes_end(j, block->cols))
            continue;
        infonce_exp_waiting(p, &waiting);
        infonce_sum_lanes(p, block->rows, lane, part_row, infonce_lanes_first(j));
    }
}

/* The sums of one block's rows, of log2(1 + 2^w). */
static void sigmoid_block(const struct infonce *p, const struct pass *pass,
                          const struct region *held, const struct region *block, size_t worker,
                          double *part_row)
{
    float *lane = p->strip.lane + worker * 3 * LANE_FLOATS, *z = p->strip.z + worker * STRIP_FLOATS;
    memset(lane, 0, block->rows * INFONCE_LANES * sizeof *lane);
    for (size_t j = 0; j < block->cols; j += INFONCE_STRIP) {
        struct region strip = {block->row, block->rows, block->col + j,
                               size_min(block->cols - j, INFONCE_STRIP)};
        const struct infonce_sigmoid sigmoid = {.row_term = p->sigmoid.row_term + strip.row,
                                                .col_term = p->sigmoid.col_term + strip.col,
                                                .row_s = lane};
        infonce_strip(p, &pass->operands, held, &strip, worker, z, INFONCE_STRIP, pass->logit,
                      (struct tile_fetch){NULL, 0});
        p->isa->infonce->sigmoid_strip(&sigmoid, strip.rows,
                                       size_round_up(strip.cols, INFONCE_COL_MULTIPLE), z);
        if (infonce_lanes_end(j, block->cols))
            infonce_sum_lanes(p, block->rows, lane, part_row, infonce_lanes_first(j));
    }
}

/* The maxima and sums of one block's rows. */
static void maximum_block(const struct infonce *p, const struct pass *pass,
                          const struct region *held, const struct region *block, size_t worker,
                          float *part_max, double *part_row)
{
    float sum[TILE_BLOCK_ROWS], *z = p->pass.block + worker * TILE_BLOCK_ROWS * TILE_BLOCK_LD;
    for (size_t j = 0; j < block->cols; j += INFONCE_STRIP) {
        struct region strip = {block->row, block->rows, block->col + j,
                               size_min(block->cols - j, INFONCE_STRIP)};
        infonce_strip(p, &pass->operands, held, &strip, worker, z + j, TILE_BLOCK_LD, NULL,
                      (struct tile_fetch){NULL, 0});
    }
    p->isa->infonce->softmax_rows(block->rows, size_round_up(block->cols, INFONCE_COL_MULTIPLE), z,
                                  part_max, sum);
    add_part(block->rows, part_row, sum, true);
}

/* A worker's part in a pass. */
struct share {
    const struct infonce *p;
    const struct pass *pass;
    struct region held; /* what is packed */
    size_t worker;
};

static void pass_block(void *context, size_t task)
{
    const struct share *share = context;
    const struct infonce *p = share->p;
    const struct pass *pass = share->pass;
    const struct region *held = &share->held;
    size_t worker = share->worker;
    struct region block = region_block(held, task);
    size_t row = block.row - held->row, col = block.col - held->col;
    size_t part = col / TILE_BLOCK_COLS * HELD_ROWS + row;
    if (pass->kind == PASS_OWN_MAXIMUM)
        maximum_block(p, pass, held, &block, worker, p->pass.part_max + part,
                      p->pass.part_row + part);
    else if (pass->kind == PASS_SIGMOID)
        sigmoid_block(p, pass, held, &block, worker, p->pass.part_row + part);
    else
        shifted_block(p, pass, held, &block, worker, p->pass.part_row + part,
                      p->pass.part_col + row / TILE_BLOCK_ROWS * HELD_COLS + col);
}

/* (max, sum) of a part of each row joins those of the parts before it. */
static void join_maxima(size_t count, float *max, double *sum, const float *max2,
                        const double *sum2)
{
    for (size_t i = 0; i < count; i++) {
        double apart = (double)max2[i] - (double)max[i];
        double factor = fabs(apart) <= 1000 ? lse_exp2(-fabs(apart)) : apart == apart ? 0 : apart;
        if (apart > 0) {
            sum[i] = sum[i] * factor + sum2[i];
            max[i] = max2[i];
        } else {
            sum[i] += sum2[i] * factor;
        }
    }
}

/* Joins the parts of the blocks held to the sums so far: rows in the order of column blocks,
 * columns in the order of row blocks. */
static void join_rows(const struct infonce *p, const struct pass *pass, const struct region *held,
                      size_t row)
{
    size_t rows = size_min(held->rows - row, TILE_BLOCK_ROWS);
    double *sum = pass->row_sum + held->row + row;
    for (size_t jb = 0; jb * TILE_BLOCK_COLS < held->cols; jb++) {
        const double *sum2 = p->pass.part_row + jb * HELD_ROWS + row;
        bool first = held->col == 0 && jb == 0;
        if (pass->kind == PASS_OWN_MAXIMUM) {
            const float *max2 = p->pass.part_max + jb * HELD_ROWS + row;
            float *max = pass->row_max + held->row + row;
            if (!first) {
                join_maxima(rows, max, sum, max2, sum2);
                continue;
            }
            memcpy(max, max2, rows * sizeof *max);
        }
        join_sums(rows, sum, sum2, first);
    }
}

static void join_columns(const struct infonce *p, const struct region *held, size_t col)
{
    size_t cols = size_min(held->cols - col, TILE_BLOCK_COLS);
    for (size_t ib = 0; ib * TILE_BLOCK_ROWS < held->rows; ib++)
        add_part(cols, p->forward.col_sum + held->col + col,
                 p->pass.part_col + ib * HELD_COLS + col, held->row == 0 && ib == 0);
}

/* What all workers of a pass have in common; the last region held comes back. */
struct pass_run {
    const struct infonce *p;
    const struct pass *pass;
    struct region last;
};

static void take_part(void *context, size_t worker, size_t workers)
{
    struct pass_run *run = context;
    const struct infonce *p = run->p;
    const struct pass *pass = run->pass;
    size_t m = pass->operands.a->rows, n = pass->operands.b->rows;
    struct region held = {0, 0, 0, 0};
    for (size_t row = 0, rows; row < m; row += rows) {
        rows = stretch_rows(m, HELD_ROWS, row);
        for (size_t col = 0; col < n; col += HELD_COLS) {
            struct region needed = {row, rows, col, size_min(n - col, HELD_COLS)};
            infonce_hold(p, &pass->operands, &held, &needed, worker, workers);
            threads_wait(workers);
            struct share share = {p, pass, needed, worker};
            threads_each(workers, region_blocks(&needed), pass_block, &share);
            threads_wait(workers);
            for (size_t r = worker * TILE_BLOCK_ROWS; r < needed.rows;
                 r += workers * TILE_BLOCK_ROWS)
                join_rows(p, pass, &needed, r);
            if (pass->kind == PASS_SHIFTED)
                for (size_t j = worker * TILE_BLOCK_COLS; j < needed.cols;
                     j += workers * TILE_BLOCK_COLS)
                    join_columns(p, &needed, j);
            /* No barrier: what is joined nobody writes before the next region's first one. */
        }
    }
    if (worker == 0)
        run->last = held;
}

struct region infonce_run_pass(const struct infonce *p, const struct pass *pass)
{
    struct pass_run run = {.p = p, .pass = pass};
    threads_run(p->threads, take_part, &run);
    return run.last;
}

void infonce_run_sigmoid(struct infonce *p)
{
    struct tile_operand y = infonce_scaled_columns(p);
    struct pass pass = {
        .operands = {&p->x, &y, &p->targets.x, &p->targets.y, (ptrdiff_t)p->config.offset},
        .kind = PASS_SIGMOID,
        .row_sum = p->forward.row_sum,
        .logit = p->targets.logit};
    infonce_list_places(p, &pass.operands);
    (void)infonce_run_pass(p, &pass);
}
