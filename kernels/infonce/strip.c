/* strip.c - packs rows for the register tile, and makes strips of logits from them.
 * SPDX-License-Identifier: MIT
 *
 * Here is nearly all of a forward's time: the register tile's product, bound by the FMA ports. A
 * backward without logits or exponentials kept from the forward spends a third of its time here.
 * What follows the product (the scale, neg_sq_l2's norms, -Inf for what must not count) finds the
 * strip in L1.
 */
#include "strip.h"

#include <math.h>
#include <string.h>

void infonce_layout_packed(struct infonce *p, struct scratch *s)
{
    const size_t f = sizeof(float);
    size_t longer = size_max(p->m, p->n); /* columns that are done again swap the operands */
    size_t a_rows = size_min(longer, HELD_ROWS), b_rows = size_min(longer, HELD_COLS);
    if (p->config.similarity == MMK_COSINE) {
        p->x.scale = p->packed.x_scale = scratch_take(s, p->m, sizeof *p->packed.x_scale);
        p->y.scale = p->packed.y_scale = scratch_take(s, p->n, sizeof *p->packed.y_scale);
    }
    if (p->config.similarity == MMK_NEG_SQ_L2) {
        p->packed.origin = scratch_take(s, p->d, f);
        p->packed.spare = scratch_take(s, 2 * (size_t)p->threads, p->d * f);
        p->x.origin = p->y.origin = p->config.origin != NULL ? p->config.origin : p->packed.origin;
    }
    p->packed.a = scratch_take(s, tile_packed_floats(a_rows, p->d), f);
    p->packed.b = scratch_take(s, tile_packed_floats(b_rows, p->d), f);
    p->packed.xx = scratch_take(s, a_rows, f);
    p->packed.yy = scratch_take(s, b_rows, f);
    p->strip.z = scratch_take(s, (size_t)p->threads, STRIP_FLOATS * f);
    p->strip.lane = scratch_take(s, (size_t)p->threads, 3 * LANE_FLOATS * f);
}

void infonce_hold_rows(const struct infonce *p, const struct operands *o, struct region *held,
                       const struct region *needed, size_t worker, size_t workers)
{
    const struct tile_ops *tile = p->isa->tile;
    if (needed->row >= held->row && needed->row + needed->rows <= held->row + held->rows)
        return;
    held->row = needed->row;
    held->rows = needed->rows;
    tile_pack_columns(tile, o->a, held->row, held->rows, p->d, p->packed.a, worker, workers);
    if (p->config.similarity == MMK_NEG_SQ_L2)
        tile_row_squares(tile, o->a, held->row, held->rows, p->d, p->packed.xx, worker, workers);
}

void infonce_hold(const struct infonce *p, const struct operands *o, struct region *held,
                  const struct region *needed, size_t worker, size_t workers)
{
    const struct tile_ops *tile = p->isa->tile;
    bool norms = p->config.similarity == MMK_NEG_SQ_L2;
    infonce_hold_rows(p, o, held, needed, worker, workers);
    if (needed->col < held->col || needed->col + needed->cols > held->col + held->cols) {
        held->col = needed->col;
        held->cols = needed->cols;
        tile_pack(tile, o->b, held->col, held->cols, p->d, p->packed.b, worker, workers);
        if (norms)
            tile_sum_squares(tile, p->d, p->packed.b, held->cols, p->packed.yy, worker, workers);
    }
}

/* Makes logits of the products of a strip, or of some rows of it; places are the strip's. */
static void make_logits(const struct infonce *p, const struct operands *o,
                        const struct region *held, const struct region *part,
                        const struct infonce_places *places, size_t worker, float *z, size_t ldz,
                        float *logit)
{
    size_t row = part->row - held->row, col = part->col - held->col;
    if (p->config.similarity == MMK_NEG_SQ_L2)
        tile_neg_sq_l2_block(p->isa->tile, p->isa->pair, p->d, o->a, part->row, part->rows,
                             p->packed.xx + row, o->b, part->col, part->cols, p->packed.yy + col,
                             p->alpha, z, ldz, p->packed.spare + 2 * worker * p->d);
    for (size_t j = part->cols; j < size_round_up(part->cols, INFONCE_COL_MULTIPLE); j++)
        for (size_t r = 0; r < part->rows; r++)
            z[r * ldz + j] = -INFINITY;
    for (const struct infonce_place *at = places->begin; at < places->end; at++) {
        size_t r = at->row - part->row; /* large above the part */
        if (r >= part->rows)
            continue;
        float *element = z + r * ldz + (at->col - part->col);
        if (logit != NULL && at->entry != INFONCE_NO_ENTRY)
            logit[at->entry] = *element;
        *element = -INFINITY;
    }
}

/* The column after a strip, for its rows of B to be fetched. */
static size_t column_after(const struct region *held, const struct region *strip)
{
    size_t next = strip->col - held->col + INFONCE_STRIP;
    return next < held->cols ? next : 0;
}

void infonce_strip(const struct infonce *p, const struct operands *o, const struct region *held,
                   const struct region *strip, size_t worker, float *z, size_t ldz, float *logit,
                   struct tile_fetch fetch)
{
    struct infonce_places places = infonce_places(p, strip);
    tile_multiply(p->isa->tile, p->d, p->packed.a, held->rows, strip->row - held->row, strip->rows,
                  p->packed.b, held->cols, strip->col - held->col, strip->cols,
                  column_after(held, strip), z, ldz, 0, fetch);
    make_logits(p, o, held, strip, &places, worker, z, ldz, logit);
}

static void exp_now(const struct infonce *p, size_t rows, size_t cols,
                    const struct infonce_waiting *w)
{
    p->isa->infonce->exp_strip(rows, size_round_up(cols, INFONCE_COL_MULTIPLE), w->z, w->shift,
                               w->row_lane, w->col_sum, w->e);
}

void infonce_exp_waiting(const struct infonce *p, struct infonce_waiting *waiting)
{
    if (waiting->z != NULL)
        exp_now(p, p->isa->infonce->exp_product_rows, INFONCE_STRIP, waiting);
    waiting->z = NULL;
}

/* A strip without its first rows. */
static struct infonce_waiting rows_from(struct infonce_waiting strip, size_t row)
{
    strip.z += row * INFONCE_STRIP;
    strip.row_lane += row * INFONCE_LANES;
    if (strip.e != NULL)
        strip.e += row * INFONCE_STRIP;
    return strip;
}

_Static_assert((int)EXP_PRODUCT_DEPTH <= (int)TILE_DEPTH, "exp_product takes one piece");

/* Whether the rows of a strip go through exp_product. */
static bool goes_in_parts(const struct infonce *p, const struct region *strip,
                          const struct infonce_places *places)
{
    return p->isa->add_ports && p->isa->infonce->exp_product_rows != 0 &&
           strip->rows >= EXP_PRODUCT_LEAST_ROWS && strip->cols == INFONCE_STRIP &&
           p->d >= EXP_PRODUCT_LEAST_DEPTH && p->d <= EXP_PRODUCT_DEPTH &&
           (size_t)(places->end - places->begin) <= EXP_PRODUCT_PLACES_A_ROW * strip->rows;
}

/* The places of such a strip, part after part. */
struct parted_places {
    struct infonce_place place[EXP_PRODUCT_PLACES_A_ROW * TILE_BLOCK_ROWS];
    size_t end[TILE_BLOCK_ROWS];
};

/* rows_a_part: at least 2 */
static void part_places(const struct infonce_places *places, const struct region *strip,
                        size_t rows_a_part, struct parted_places *parted)
{
    /* the quotient by a multiplication, exact while row times rows_a_part is below 2^16 */
    _Static_assert(TILE_BLOCK_ROWS * TILE_BLOCK_ROWS < 1 << 16, "a block has few rows");
    size_t last = strip->rows / rows_a_part, inverse = (1 << 16) / rows_a_part + 1, sum = 0;
    memset(parted->end, 0, (last + 1) * sizeof *parted->end);
    for (const struct infonce_place *at = places->begin; at < places->end; at++)
        parted->end[(at->row - strip->row) * inverse >> 16]++;
    for (size_t part = 0; part <= last; part++) {
        sum += parted->end[part];
        parted->end[part] = sum - parted->end[part];
    }
    for (const struct infonce_place *at = places->begin; at < places->end; at++)
        parted->place[parted->end[(at->row - strip->row) * inverse >> 16]++] = *at;
}

static struct infonce_places places_of_part(const struct parted_places *parted, size_t part)
{
    size_t begin = part > 0 ? parted->end[part - 1] : 0;
    return (struct infonce_places){parted->place + begin, parted->place + parted->end[part]};
}

/* The rows of such a strip but for the last, as many at a time as exp_product takes; returns how
 * many these are. Meanwhile `fetch` is fetched, then the next strip's rows of B, then rows of A. */
static size_t exp_in_parts(const struct infonce *p, const struct operands *o,
                           const struct region *held, const struct region *strip,
                           const struct infonce_places *places, size_t worker,
                           struct infonce_waiting to, float *logit, struct tile_fetch fetch,
                           struct infonce_waiting *waiting)
{
    size_t nr = p->isa->tile->nr, count = p->isa->infonce->exp_product_rows, row = 0, line = 0;
    const float *b = p->packed.b + (strip->col - held->col) * p->d;
    const float *b_next = p->packed.b + column_after(held, strip) * p->d;
    struct parted_places parted;
    struct infonce_places of_part = *places;
    /* to ask of each place whether it is the part's is a branch that is foretold wrong, unless they
     * are a diagonal's: with 17 positives a row 2 % of a call at d = 128, 1 % at 512 */
    bool many = places->end - places->begin > INFONCE_STRIP;
    if (many)
        part_places(places, strip, count, &parted);
    for (; row + count <= strip->rows; row += count) {
        struct region part = {strip->row + row, count, strip->col, strip->cols};
        struct infonce_waiting here = rows_from(to, row);
        const float *a = p->packed.a + (part.row - held->row) * nr, *ahead = a + count * nr;
        if (fetch.floats != 0) {
            ahead = tile_fetch_some(&fetch, p->d, NULL).at;
        } else if (line < nr) {
            ahead = b_next + line * p->d;
            line += TILE_LINE;
        }
        p->isa->infonce->exp_product(waiting, p->d, a, tile_column_rows(held->rows) * nr, b, here.z,
                                     ahead);
        if (many)
            of_part = places_of_part(&parted, row / count);
        make_logits(p, o, held, &part, &of_part, worker, here.z, INFONCE_STRIP, logit);
        *waiting = here;
    }
    return row;
}

void infonce_exp_strip(const struct infonce *p, const struct operands *o, const struct region *held,
                       const struct region *strip, size_t worker, struct infonce_waiting to,
                       float *logit, struct tile_fetch fetch, struct infonce_waiting *waiting)
{
    struct infonce_places places = infonce_places(p, strip);
    size_t row = 0;
    if (goes_in_parts(p, strip, &places))
        row = exp_in_parts(p, o, held, strip, &places, worker, to, logit, fetch, waiting);
    struct region left = {strip->row + row, strip->rows - row, strip->col, strip->cols};
    if (left.rows == 0)
        return;
    infonce_exp_waiting(p, waiting);
    to = rows_from(to, row);
    /* a block's rows are whole tiles, but not where they end after some parts */
    tile_multiply(p->isa->tile, p->d, p->packed.a, held->rows, left.row - held->row, left.rows,
                  p->packed.b, held->cols, left.col - held->col, left.cols,
                  column_after(held, strip), to.z, INFONCE_STRIP, row > 0 ? TILE_EXACT : 0, fetch);
    make_logits(p, o, held, &left, &places, worker, to.z, INFONCE_STRIP, logit);
    exp_now(p, left.rows, left.cols, &to);
}

void infonce_sum_lanes(const struct infonce *p, size_t rows, float *lane, double *sum, bool first)
{
    float part[TILE_BLOCK_ROWS];
    p->isa->infonce->row_sums(rows, lane, part);
    add_part(rows, sum, part, first);
    memset(lane, 0, rows * INFONCE_LANES * sizeof *lane);
}
