/* forward.c - InfoNCE forward: one pass over the logits gives the sums of every row and column.
 * SPDX-License-Identifier: MIT
 *
 * Rows and columns are summed from the same exponentials E = 2^(z - shift), one integer shift for the
 * whole call, chosen from a few pairs (choose_shift). Only the negatives are in these sums, and a sum
 * serves where it lies within 2^-60 and 2^120. What does not is done again, each row or column from its
 * own maximum (sums_again): right for logits of any size, but slower.
 */
#include "../simd/scalar.h"
#include "../exp/lse.h"
#include "problem.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* A term below 2^-126 may be lost; 2^32 of them are 2^-34 of the least sum. */
#define SUM_LEAST 0x1p-60f

/* The sum expected of a row comes to lie here above the shift: as far from SUM_LEAST as from where a sum
 * could overflow, or a weight of the backward lose digits. */
#define SUM_EXPECTED 24.0f

/* Rows and, of each, negatives of the sample. */
enum { SAMPLE_ROWS = 32, SAMPLE_NEGATIVES = 8 };

void infonce_hold(const struct infonce *p, const struct operands *o, struct region *held,
                  const struct region *needed, size_t worker, size_t workers)
{
    const struct tile_ops *tile = p->isa->tile;
    bool norms = p->config.similarity == MMK_NEG_SQ_L2;
    if (needed->row < held->row || needed->row + needed->rows > held->row + held->rows) {
        held->row = needed->row;
        held->rows = needed->rows;
        tile_pack(tile, false, o->a, held->row, held->rows, p->d, p->packed_a, worker, workers);
        if (norms)
            tile_sum_squares(tile, false, p->d, p->packed_a, held->rows, p->xx, worker, workers);
    }
    if (needed->col < held->col || needed->col + needed->cols > held->col + held->cols) {
        held->col = needed->col;
        held->cols = needed->cols;
        tile_pack(tile, true, o->b, held->col, held->cols, p->d, p->packed_b, worker, workers);
        if (norms)
            tile_sum_squares(tile, true, p->d, p->packed_b, held->cols, p->yy, worker, workers);
    }
}

void infonce_strip(const struct infonce *p, const struct operands *o, const struct region *held,
                   const struct region *strip, float *z, size_t ldz, float *logit,
                   struct tile_fetch fetch)
{
    const struct tile_ops *tile = p->isa->tile;
    size_t row = strip->row - held->row, col = strip->col - held->col;
    size_t next_col = col + INFONCE_STRIP < held->cols ? col + INFONCE_STRIP : 0;
    tile_multiply(tile, p->d, p->packed_a, held->rows, row, strip->rows, p->packed_b, held->cols,
                  col, strip->cols, next_col, z, ldz, 0, fetch);
    if (p->config.similarity == MMK_NEG_SQ_L2)
        tile_neg_sq_l2_block(tile, p->isa->pair, p->d, o->a, strip->row, strip->rows, p->xx + row,
                             o->b, strip->col, strip->cols, p->yy + col, p->alpha, z, ldz);
    else if (!p->fold)
        for (size_t r = 0; r < strip->rows; r++)
            for (size_t j = 0; j < strip->cols; j++)
                z[r * ldz + j] = simd_canonical_nan(z[r * ldz + j] * p->alpha);
    for (size_t j = strip->cols; j < tile_round_up(strip->cols, INFONCE_COL_MULTIPLE); j++)
        for (size_t r = 0; r < strip->rows; r++)
            z[r * ldz + j] = -INFINITY;
    struct infonce_places places = infonce_places(p, strip);
    for (const struct infonce_place *at = places.begin; at < places.end; at++) {
        float *element = z + (at->row - strip->row) * ldz + (at->col - strip->col);
        if (logit != NULL && at->entry != INFONCE_NO_ENTRY)
            logit[at->entry] = *element;
        *element = -INFINITY;
    }
}

/* What a pass over the logits gives: sums of E with the shared shift, of all rows and columns; of E of each
 * row from its maximum; or of log2(1 + 2^w) of the rows. */
enum pass_kind { PASS_SHIFTED, PASS_OWN_MAXIMUM, PASS_SIGMOID };

struct pass {
    struct operands operands;
    enum pass_kind kind;
    float *row_max, *row_sum;
    float *logit; /* where the positives' are saved; NULL: they are known */
};

/* The sums of one block with the shared shift. */
static void shifted_block(const struct infonce *p, const struct pass *pass,
                          const struct region *held, const struct region *block, size_t worker,
                          float *part_row, float *part_col)
{
    float *lane = p->lane + worker * 2 * LANE_FLOATS, *z = p->strip + worker * STRIP_FLOATS;
    float *kept = kept_block(p, block->row, block->col);
    struct simd_shift shift = simd_shift(p->shift);
    memset(lane, 0, block->rows * INFONCE_LANES * sizeof *lane);
    for (size_t j = 0; j < block->cols; j += INFONCE_STRIP) {
        struct region strip = {block->row, block->rows, block->col + j,
                               least(block->cols - j, INFONCE_STRIP)};
        float *e = kept != NULL ? kept + j * TILE_BLOCK_ROWS : NULL;
        infonce_strip(p, &pass->operands, held, &strip, z, INFONCE_STRIP, pass->logit,
                      (struct tile_fetch){e, e != NULL ? STRIP_FLOATS : 0});
        p->isa->infonce->exp_strip(block->rows, tile_round_up(strip.cols, INFONCE_COL_MULTIPLE), z,
                                   shift, lane, part_col + j, e);
    }
    p->isa->infonce->row_sums(block->rows, lane, part_row);
}

/* The sums of one block's rows, of log2(1 + 2^w). */
static void sigmoid_block(const struct infonce *p, const struct pass *pass,
                          const struct region *held, const struct region *block, size_t worker,
                          float *part_row)
{
    float *lane = p->lane + worker * 2 * LANE_FLOATS, *z = p->strip + worker * STRIP_FLOATS;
    memset(lane, 0, block->rows * INFONCE_LANES * sizeof *lane);
    for (size_t j = 0; j < block->cols; j += INFONCE_STRIP) {
        struct region strip = {block->row, block->rows, block->col + j,
                               least(block->cols - j, INFONCE_STRIP)};
        const struct infonce_sigmoid sigmoid = {.row_term = p->row_term + strip.row,
                                                .col_term = p->col_term + strip.col,
                                                .row_s = lane};
        infonce_strip(p, &pass->operands, held, &strip, z, INFONCE_STRIP, pass->logit,
                      (struct tile_fetch){NULL, 0});
        p->isa->infonce->sigmoid_strip(&sigmoid, strip.rows,
                                       tile_round_up(strip.cols, INFONCE_COL_MULTIPLE), z);
    }
    p->isa->infonce->row_sums(block->rows, lane, part_row);
}

/* The maxima and sums of one block's rows. */
static void maximum_block(const struct infonce *p, const struct pass *pass,
                          const struct region *held, const struct region *block, size_t worker,
                          float *part_max, float *part_row)
{
    float *z = p->block + worker * TILE_BLOCK_ROWS * TILE_BLOCK_LD;
    for (size_t j = 0; j < block->cols; j += INFONCE_STRIP) {
        struct region strip = {block->row, block->rows, block->col + j,
                               least(block->cols - j, INFONCE_STRIP)};
        infonce_strip(p, &pass->operands, held, &strip, z + j, TILE_BLOCK_LD, NULL,
                      (struct tile_fetch){NULL, 0});
    }
    p->isa->infonce->softmax_rows(block->rows, tile_round_up(block->cols, INFONCE_COL_MULTIPLE), z,
                                  part_max, part_row);
}

static void pass_block(const struct infonce *p, const struct pass *pass, const struct region *held,
                       size_t task, size_t worker)
{
    struct region block = region_block(held, task);
    size_t row = block.row - held->row, col = block.col - held->col;
    size_t part = col / TILE_BLOCK_COLS * HELD_ROWS + row;
    if (pass->kind == PASS_OWN_MAXIMUM)
        maximum_block(p, pass, held, &block, worker, p->part_max + part, p->part_row + part);
    else if (pass->kind == PASS_SIGMOID)
        sigmoid_block(p, pass, held, &block, worker, p->part_row + part);
    else
        shifted_block(p, pass, held, &block, worker, p->part_row + part,
                      p->part_col + row / TILE_BLOCK_ROWS * HELD_COLS + col);
}

/* Joins the parts of the blocks held to the sums so far: rows in the order of column blocks, columns
 * in the order of row blocks. */
static void join_rows(const struct infonce *p, const struct pass *pass, const struct region *held,
                      size_t row)
{
    size_t rows = least(held->rows - row, TILE_BLOCK_ROWS);
    float *sum = pass->row_sum + held->row + row;
    for (size_t jb = 0; jb * TILE_BLOCK_COLS < held->cols; jb++) {
        const float *sum2 = p->part_row + jb * HELD_ROWS + row;
        bool first = held->col == 0 && jb == 0;
        if (pass->kind == PASS_OWN_MAXIMUM) {
            const float *max2 = p->part_max + jb * HELD_ROWS + row;
            float *max = pass->row_max + held->row + row;
            if (!first) {
                p->isa->infonce->join_rows(rows, max, sum, max2, sum2);
                continue;
            }
            memcpy(max, max2, rows * sizeof *max);
        }
        add_part(rows, sum, sum2, first);
    }
}

static void join_columns(const struct infonce *p, const struct region *held, size_t col)
{
    size_t cols = least(held->cols - col, TILE_BLOCK_COLS);
    for (size_t ib = 0; ib * TILE_BLOCK_ROWS < held->rows; ib++)
        add_part(cols, p->col_sum + held->col + col, p->part_col + ib * HELD_COLS + col,
                 held->row == 0 && ib == 0);
}

/* All blocks, inside a parallel region, taken by whichever worker is free. Leaves in *last what is held
 * in the end. */
static void pass_run(const struct infonce *p, const struct pass *pass, struct region *last)
{
    size_t worker = (size_t)omp_get_thread_num(), workers = (size_t)omp_get_num_threads();
    size_t m = pass->operands.a->rows, n = pass->operands.b->rows;
    size_t step = even_rows(m, HELD_ROWS);
    struct region held = {0, 0, 0, 0};
    for (size_t row = 0; row < m; row += step)
        for (size_t col = 0; col < n; col += HELD_COLS) {
            struct region needed = {row, least(m - row, step), col, least(n - col, HELD_COLS)};
            infonce_hold(p, &pass->operands, &held, &needed, worker, workers);
#pragma omp barrier
#pragma omp for schedule(dynamic, 1)
            for (size_t task = 0; task < region_blocks(&needed); task++)
                pass_block(p, pass, &needed, task, worker);
            for (size_t r = worker * TILE_BLOCK_ROWS; r < needed.rows;
                 r += workers * TILE_BLOCK_ROWS)
                join_rows(p, pass, &needed, r);
            if (pass->kind == PASS_SHIFTED)
                for (size_t j = worker * TILE_BLOCK_COLS; j < needed.cols;
                     j += workers * TILE_BLOCK_COLS)
                    join_columns(p, &needed, j);
#pragma omp barrier
        }
    if (worker == 0 && last != NULL)
        *last = held;
}

/* Sorts a few floats in place. */
static void sort_few(size_t count, float *v)
{
    for (size_t i = 1; i < count; i++)
        for (size_t j = i; j > 0 && v[j] < v[j - 1]; j--) {
            float t = v[j];
            v[j] = v[j - 1];
            v[j - 1] = t;
        }
}

static bool is_positive(const struct infonce *p, size_t i, size_t j)
{
    const struct infonce_side *x = &p->targets.x;
    size_t low = x->start[i], high = x->start[i + 1];
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (x->index[middle] < j)
            low = middle + 1;
        else
            high = middle;
    }
    return low < x->start[i + 1] && x->index[low] == j;
}

/* Column j, or the next after it that holds a negative of row i, of which there must be one. */
static size_t next_negative(const struct infonce *p, size_t i, size_t j)
{
    while (is_positive(p, i, j) || (p->targets.exclude_self && j == i + p->config.offset))
        j = (j + 1) % p->n;
    return j;
}

/* The shift, from the logits of a few negatives. Of 8 the greatest is about 1.4 standard deviations above
 * their middle, of the some thousand of a row 3.5: half as far again. Medians over rows, so that an
 * outlier does not move it. */
static float choose_shift(const struct infonce *p)
{
    float (*pair)(size_t, const float *, const float *) = p->isa->pair->pair[p->config.similarity];
    float greatest[SAMPLE_ROWS], middle[SAMPLE_ROWS];
    size_t count = least(p->m / 8 + 1, SAMPLE_ROWS), used = 0;
    for (size_t t = 0; t < count; t++) {
        size_t i = t * p->m / count;
        const struct infonce_side *x = &p->targets.x;
        size_t positives = x->start[i + 1] - x->start[i];
        size_t first = positives > 0 ? x->index[x->start[i]] : i;
        float logit[SAMPLE_NEGATIVES];
        if (positives + p->targets.exclude_self >= p->n)
            continue;
        for (size_t k = 0; k < SAMPLE_NEGATIVES; k++) {
            size_t j = next_negative(p, i, (first + 1 + k * (p->n - 1) / SAMPLE_NEGATIVES) % p->n);
            logit[k] = p->alpha * pair(p->d, p->x.data + i * p->x.ld, p->y.data + j * p->y.ld);
        }
        sort_few(SAMPLE_NEGATIVES, logit);
        greatest[used] = logit[SAMPLE_NEGATIVES - 1];
        middle[used] = logit[SAMPLE_NEGATIVES / 2];
        if (fabsf(greatest[used]) < INFONCE_SHIFT_MOST && fabsf(middle[used]) < INFONCE_SHIFT_MOST)
            used++;
    }
    if (used == 0)
        return 0.0f;
    sort_few(used, greatest);
    sort_few(used, middle);
    float high = greatest[used / 2], spread = high - middle[used / 2];
    float shift = floorf(high + 1.5f * spread - SUM_EXPECTED);
    return shift < INFONCE_SHIFT_MOST ? shift : INFONCE_SHIFT_MOST;
}

/* Rows of `operands` whose sum the shift does not serve become the rows of a pass of their own. */
static void sums_again(struct infonce *p, const struct operands *operands, float *base, float *sum)
{
    struct tile_operand picked = *operands->a;
    size_t count = picked.rows;
    picked.rows = 0;
    picked.pick = p->pick;
    for (size_t i = 0; i < count; i++) {
        base[i] = p->shift;
        if (!(sum[i] >= SUM_LEAST && sum[i] <= INFONCE_SUM_GREATEST))
            p->pick[picked.rows++] = (uint32_t)i;
        if (!(sum[i] <= INFONCE_SUM_GREATEST))
            p->overflow = true;
    }
    if (picked.rows == 0)
        return;
    struct pass pass = {.operands = *operands,
                        .kind = PASS_OWN_MAXIMUM,
                        .row_max = p->pick_max,
                        .row_sum = p->pick_sum};
    pass.operands.a = &picked;
    infonce_list_places(p, &pass.operands);
#pragma omp parallel num_threads(p->threads) if (p->threads > 1)
    pass_run(p, &pass, NULL);
    p->held = (struct region){0, 0, 0, 0};
    for (size_t r = 0; r < picked.rows; r++) {
        base[p->pick[r]] = p->pick_max[r];
        sum[p->pick[r]] = p->pick_sum[r];
    }
}

/* E of all positives, as a strip makes it. */
static void exp_positives(const struct infonce *p)
{
    const struct infonce_targets *t = &p->targets;
    size_t count = t->y.start[p->n], padded = tile_round_up(count, INFONCE_STRIP);
    for (size_t e = count; e < padded; e++)
        t->logit[e] = -INFINITY;
    for (size_t e = 0; e < padded; e += STRIP_FLOATS) {
        float unused[INFONCE_STRIP]; /* sums of columns; those of rows are not looked at either */
        p->isa->infonce->exp_strip(least(padded - e, STRIP_FLOATS) / INFONCE_STRIP, INFONCE_STRIP,
                                   t->logit + e, simd_shift(p->shift), p->lane, unused, t->e + e);
    }
}

/* With a greatest E in this range no other has overflowed, and what is flushed is below 2^-66 of it. */
#define JOIN_LEAST    0x1p-60f
#define JOIN_GREATEST 0x1p127f

/* What the positives of row i of a side add to a sum and to the loss, relative to the greatest of their
 * logits: the others' share of the sum, and how far below it the targets' mean lies, in base 2. */
struct joined {
    double greatest, others, below;
};

static struct joined join_positives(const struct infonce *p, const struct infonce_side *side,
                                    size_t i)
{
    const struct infonce_targets *t = &p->targets;
    size_t begin = side->start[i], end = side->start[i + 1], greatest = begin;
    for (size_t q = begin; q < end; q++) {
        float logit = t->logit[side->entry[q]];
        if (logit > t->logit[side->entry[greatest]] || logit != logit) /* a NaN wins */
            greatest = q;
    }
    float top = t->logit[side->entry[greatest]], top_e = t->e[side->entry[greatest]];
    struct joined joined = {(double)top, 0, 0};
    if (end - begin == 1 || top == -INFINITY)
        return joined;
    bool in_reach = top_e >= JOIN_LEAST && top_e <= JOIN_GREATEST;
    for (size_t q = begin; q < end; q++) {
        size_t entry = side->entry[q];
        double down = (double)top - (double)t->logit[entry];
        double share = in_reach ? (double)t->e[entry] : down < 1000 ? lse_exp2(-down) : 0;
        joined.others += q == greatest ? 0 : share;
        joined.below += t->weight[entry] * down;
    }
    if (in_reach)
        joined.others /= (double)top_e;
    joined.below /= side->total[i];
    return joined;
}

/* Finishes row i of a side, whose negatives are sum 2^base: returns its part of the loss, which is
 * lse - sum_j t_ij L_ij, without any positives lse - log(count), and 0 where the row does not count.
 * Writes lse, in nats, and where asked for in base 2. */
static double finish_lse(const struct infonce *p, const struct infonce_side *side, size_t i,
                         double base, double sum, float *lse, double *lse2)
{
    double bits, loss = 0;
    if (side->start[i] == side->start[i + 1]) {
        bits = base + lse_log(sum) * LSE_LOG2E;
    } else {
        struct joined joined = join_positives(p, side, i);
        double distance = base - joined.greatest, above;
        if (sum == 0 && joined.greatest == -INFINITY) {
            bits = -INFINITY;
            above = NAN; /* -Inf - -Inf, as the formula has it */
        } else {
            above =
                joined.greatest < INFINITY ? lse_minus_logit(distance, sum, joined.others) : NAN;
            if (distance > 200) /* also where the positives' logits are -Inf */
                bits = base + lse_log(sum) * LSE_LOG2E;
            else
                bits = joined.greatest + above * LSE_LOG2E;
        }
        loss = above + joined.below * LSE_LN2;
    }
    /* alpha is rounded; the logits are made with it */
    double nats = bits * ((double)p->config.logit_scale / (double)p->alpha);
    if (p->targets.none)
        loss = nats - lse_log((double)(side == &p->targets.x ? p->n : p->m));
    *lse = simd_canonical_nan((float)nats);
    if (lse2 != NULL)
        *lse2 = bits;
    return loss;
}

/* The mean over the rows (or columns) that have positives; 0 where none has. */
static double mean_of(double sum, size_t counted)
{
    return counted > 0 ? sum / (double)counted : 0;
}

void infonce_run_forward(struct infonce *p, float *loss, float *lse_x, float *lse_y)
{
    const struct infonce_targets *t = &p->targets;
    struct tile_operand x = infonce_scaled_rows(p);
    ptrdiff_t offset = (ptrdiff_t)p->config.offset;
    struct pass pass = {
        .operands = {&x, &p->y, &t->x, &t->y, offset}, .row_sum = p->row_sum, .logit = t->logit};
    infonce_list_places(p, &pass.operands);
    p->shift = choose_shift(p);
    p->overflow = false;
#pragma omp parallel num_threads(p->threads) if (p->threads > 1)
    pass_run(p, &pass, &p->held);
    exp_positives(p);
    sums_again(p, &pass.operands, p->row_base, p->row_sum);
    sums_again(p, &(struct operands){&p->y, &x, &t->y, &t->x, -offset}, p->col_base, p->col_sum);

    double loss_x = 0, loss_y = 0;
    for (size_t i = 0; i < p->m; i++)
        loss_x += finish_lse(p, &t->x, i, (double)p->row_base[i], (double)p->row_sum[i], &lse_x[i],
                             p->lse2_x ? &p->lse2_x[i] : NULL);
    for (size_t j = 0; j < p->n; j++)
        loss_y += finish_lse(p, &t->y, j, (double)p->col_base[j], (double)p->col_sum[j], &lse_y[j],
                             p->lse2_y ? &p->lse2_y[j] : NULL);
    *loss = simd_canonical_nan((float)((double)p->config.weight_x * mean_of(loss_x, t->x.counted) +
                                       (double)p->config.weight_y * mean_of(loss_y, t->y.counted)));
}

void infonce_run_sigmoid(struct infonce *p)
{
    struct tile_operand x = infonce_scaled_rows(p);
    struct pass pass = {
        .operands = {&x, &p->y, &p->targets.x, &p->targets.y, (ptrdiff_t)p->config.offset},
        .kind = PASS_SIGMOID,
        .row_sum = p->row_sum,
        .logit = p->targets.logit};
    infonce_list_places(p, &pass.operands);
#pragma omp parallel num_threads(p->threads) if (p->threads > 1)
    pass_run(p, &pass, NULL);
}
