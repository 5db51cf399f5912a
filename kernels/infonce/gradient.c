/* gradient.c - G = d loss / d S / logit_scale of one block after another.
 * SPDX-License-Identifier: MIT
 *
 * Logits (or exponentials kept from the forward) become G a strip at a time, in L1. With E kept
 * that is a sum and a product for each element, as fast as E comes; with logits kept an exponential
 * more; else it costs a third product (strip.c). The positives' own entries of G are 0, unless
 * positives_in_g.
 */
#include "gradient.h"

#include "../exp/lse.h"
#include "kept.h"
#include "strip.h"

#include <math.h>
#include <string.h>

void infonce_layout_gradient(struct infonce *p, struct scratch *s)
{
    const size_t f = sizeof(float), whole = sizeof(double);
    p->gradient.row_e = scratch_take(s, p->m, whole);
    p->gradient.row_g = scratch_take(s, p->m, whole);
    p->gradient.col_e = scratch_take(s, p->n, whole);
    p->gradient.col_g = scratch_take(s, p->n, whole);
    p->gradient.part_e = scratch_take(s, (size_t)GRADIENT_ROW_BLOCKS * TILE_BLOCK_COLS, f);
    p->gradient.part_g = scratch_take(s, (size_t)GRADIENT_ROW_BLOCKS * TILE_BLOCK_COLS, f);
    p->gradient.part_gz = scratch_take(s, (size_t)GRADIENT_ROW_BLOCKS * TILE_BLOCK_COLS, f);
    p->gradient.row_gz = scratch_take(s, p->m, whole);
    p->gradient.col_gz = scratch_take(s, p->n, whole);
}

double infonce_sigmoid_logit(const struct infonce *p, size_t entry, size_t row, size_t col,
                             double *e)
{
    double w = (double)p->targets.logit[entry] +
               ((double)p->sigmoid.row_term[row] + (double)p->sigmoid.col_term[col]);
    double size = fabs(w);
    *e = size <= 1000 ? lse_exp2(-size) : size == size ? 0 : size;
    return w;
}

/* G of the positives in a strip, where they go into the products. */
static void put_positives(const struct stage *s, const struct region *strip)
{
    struct infonce_places places = infonce_places(s->p, strip);
    for (const struct infonce_place *at = places.begin; at < places.end; at++)
        if (at->entry != INFONCE_NO_ENTRY)
            *g_at(s, at->row - s->super.row, at->col - s->super.col) =
                s->p->targets.coef[at->entry];
}

/* G of a strip of InfoNCE from E, or z where e is NULL. lane: sums of its rows, of E, G and G z. */
static void softmax_strip(const struct stage *s, const struct region *strip, const float *z,
                          const float *e, float *lane)
{
    const struct infonce *p = s->p;
    size_t row = strip->row - s->super.row, j = strip->col - s->super.col;
    size_t part = row / TILE_BLOCK_ROWS * TILE_BLOCK_COLS + j;
    const struct infonce_gradient g = {
        .form = p->softmax.two_exps ? INFONCE_TWO_EXPS
                : e != NULL         ? INFONCE_FROM_E
                                    : INFONCE_FROM_Z,
        .shift = simd_shift(p->softmax.two_exps ? -(float)p->softmax.raise : p->shift),
        .row_weight = p->softmax.row_weight + strip->row,
        .col_weight = p->softmax.col_weight + strip->col,
        .lse_x = p->softmax.lse_x + strip->row,
        .lse_x_low = p->softmax.lse_x_low + strip->row,
        .lse_y = p->softmax.lse_y + strip->col,
        .lse_y_low = p->softmax.lse_y_low + strip->col,
        .out = {g_at(s, row, j), g_at(s, row, j + INFONCE_COL_MULTIPLE)},
        .ldout = p->isa->tile->stripe,
        .row_e = p->gradient.late ? lane : NULL,
        .row_g = p->gradient.sums_g ? lane + LANE_FLOATS : NULL,
        .row_gz = p->gradient.sums_gz ? lane + 2 * LANE_FLOATS : NULL,
        .col_e = p->gradient.part_e + part,
        .col_g = p->gradient.part_g + part,
        .col_gz = p->gradient.part_gz + part,
    };
    p->isa->infonce->gradient_strip(
        &g, strip->rows, size_round_up(strip->cols, INFONCE_COL_MULTIPLE), e != NULL ? e : z);
    if (p->gradient.positives_in_g)
        put_positives(s, strip);
}

/* G of a strip of the sigmoid loss. A positive's is known as soon as its logit is. */
static void sigmoid_strip(const struct stage *s, const struct region *strip, const float *z,
                          float *lane)
{
    const struct infonce *p = s->p;
    size_t row = strip->row - s->super.row, j = strip->col - s->super.col;
    size_t part = row / TILE_BLOCK_ROWS * TILE_BLOCK_COLS + j;
    const struct infonce_sigmoid g = {
        .row_term = p->sigmoid.row_term + strip->row,
        .col_term = p->sigmoid.col_term + strip->col,
        .scale = p->sigmoid.g_scale / INFONCE_RAISE,
        .row_s = lane,
        .out = {g_at(s, row, j), g_at(s, row, j + INFONCE_COL_MULTIPLE)},
        .ldout = p->isa->tile->stripe,
        .row_g = lane + LANE_FLOATS,
        .row_gz = p->gradient.sums_gz ? lane + 2 * LANE_FLOATS : NULL,
        .col_g = p->gradient.part_g + part,
        .col_gz = p->gradient.part_gz + part,
    };
    p->isa->infonce->sigmoid_strip(&g, strip->rows,
                                   size_round_up(strip->cols, INFONCE_COL_MULTIPLE), z);
    struct infonce_places places = infonce_places(p, strip);
    for (const struct infonce_place *at = places.begin; at < places.end; at++) {
        double e, w = infonce_sigmoid_logit(p, at->entry, at->row, at->col, &e);
        p->targets.coef[at->entry] =
            (float)(-(double)p->sigmoid.g_scale * (w < 0 ? 1 : e) / (1 + e));
    }
    if (p->gradient.positives_in_g)
        put_positives(s, strip);
}

void infonce_gradient_block(const struct stage *s, size_t row)
{
    const struct infonce *p = s->p;
    size_t first = s->super.row + row, rows = size_min(s->super.rows - row, TILE_BLOCK_ROWS);
    float *lane = p->strip.lane + s->worker * 3 * LANE_FLOATS,
          *z = p->strip.z + s->worker * STRIP_FLOATS;
    const float *kept = infonce_kept_block(p, first, s->super.col);
    /* of E, G and G z; of the block first, as in a forward: what else is asked must not show */
    double sum[3][TILE_BLOCK_ROWS];
    double *total[3] = {p->gradient.late || p->sigmoid.on ? p->gradient.row_e : NULL,
                        p->gradient.sums_g ? p->gradient.row_g : NULL,
                        p->gradient.sums_gz ? p->gradient.row_gz : NULL};
    for (size_t of = 0; of < 3; of++)
        if (total[of] != NULL)
            memset(lane + of * LANE_FLOATS, 0, rows * INFONCE_LANES * sizeof *lane);
    for (size_t j = 0; j < s->super.cols; j += INFONCE_STRIP) {
        struct region strip = {first, rows, s->super.col + j,
                               size_min(s->super.cols - j, INFONCE_STRIP)};
        const float *kept_strip = kept != NULL ? kept + j * TILE_BLOCK_ROWS : NULL;
        if (kept == NULL)
            infonce_strip(p, &s->operands, &s->held, &strip, s->worker, z, INFONCE_STRIP,
                          p->gradient.late || p->sigmoid.on ? p->targets.logit : NULL,
                          (struct tile_fetch){NULL, 0});
        if (p->sigmoid.on)
            sigmoid_strip(s, &strip, z, lane);
        else if (p->kept.logits && kept != NULL)
            softmax_strip(s, &strip, kept_strip, NULL, lane);
        else
            softmax_strip(s, &strip, z, kept_strip, lane);
        for (size_t of = 0; of < 3 && infonce_lanes_end(j, s->super.cols); of++)
            if (total[of] != NULL)
                infonce_sum_lanes(p, rows, lane + of * LANE_FLOATS, sum[of],
                                  infonce_lanes_first(j));
    }
    for (size_t of = 0; of < 3; of++)
        if (total[of] != NULL)
            join_sums(rows, total[of] + first, sum[of], s->super.col == 0);
}
