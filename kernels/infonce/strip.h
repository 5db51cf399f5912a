/* strip.h - rows in panels, and strips of logits made from them (internal).
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_INFONCE_STRIP_H
#define MMK_INFONCE_STRIP_H

#include "problem.h"

/* The memory of `packed` and `strip`. */
void infonce_layout_packed(struct infonce *p, struct scratch *s);

/* Sees to it that the rows of a region are in column panels (all workers; a barrier must follow).
 * The caller's held says what is. */
void infonce_hold_rows(const struct infonce *p, const struct operands *o, struct region *held,
                       const struct region *needed, size_t worker, size_t workers);

/* The same, and its columns are packed. */
void infonce_hold(const struct infonce *p, const struct operands *o, struct region *held,
                  const struct region *needed, size_t worker, size_t workers);

/* Logits in base 2 of a strip (up to INFONCE_STRIP columns of a block) into z, with -Inf in its
 * places and for the columns up to the next multiple of INFONCE_COL_MULTIPLE. The positives' logits
 * are saved where `logit` is not NULL. Meanwhile `fetch` comes into L2. */
void infonce_strip(const struct infonce *p, const struct operands *o, const struct region *held,
                   const struct region *strip, size_t worker, float *z, size_t ldz, float *logit,
                   struct tile_fetch fetch);

/* A strip of logits as infonce_strip makes it, and its exponentials, as `to` says. The last rows
 * may be left waiting: their exponentials come between the instructions of the next strip's
 * product, or by infonce_exp_waiting. */
void infonce_exp_strip(const struct infonce *p, const struct operands *o, const struct region *held,
                       const struct region *strip, size_t worker, struct infonce_waiting to,
                       float *logit, struct tile_fetch fetch, struct infonce_waiting *waiting);

/* The exponentials of the rows that wait, if any do: before their sums are used. */
void infonce_exp_waiting(const struct infonce *p, struct infonce_waiting *waiting);

/* Whether the lanes of a block's rows are full after the strip at column j of the block; and
 * whether that is the first time. */
static inline bool infonce_lanes_end(size_t j, size_t cols)
{
    return j / INFONCE_STRIP % INFONCE_LANE_STRIPS == INFONCE_LANE_STRIPS - 1 ||
           j + INFONCE_STRIP >= cols;
}

static inline bool infonce_lanes_first(size_t j)
{
    return j < (size_t)INFONCE_LANE_STRIPS * INFONCE_STRIP;
}

/* The lanes of some rows join their sums, sum = lanes or sum += lanes, and are 0 again. */
void infonce_sum_lanes(const struct infonce *p, size_t rows, float *lane, double *sum, bool first);

#endif
