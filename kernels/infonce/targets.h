/* targets.h - the positives of the logits, and the places where a pass meets them (internal).
 * SPDX-License-Identifier: MIT
 *
 * Positives are an m x n sparse matrix, one entry a row in the one-to-one case. They are taken out
 * of each strip while it is in L1 and never meet the dense arithmetic; what they add is joined in
 * double.
 */
#ifndef MMK_INFONCE_TARGETS_H
#define MMK_INFONCE_TARGETS_H

#include "../mmk.h"
#include "blocks.h"

#include <stdbool.h>
#include <stdint.h>

struct infonce;
struct operands;
struct scratch;

/* The positives of the rows of one side of the logits (X's, or Y's), in ascending order. */
struct infonce_side {
    size_t *start;   /* rows + 1 */
    uint32_t *index; /* which row of the other side */
    uint32_t *entry; /* which entry of the arrays below */
    double *total;   /* rows: sum of the weights */
    size_t counted;  /* rows that have a part in the loss: all, or those with positives */
};

/* A logit that is taken out of the strips of a pass. */
struct infonce_place {
    uint32_t row, col; /* of the pass's operands */
    uint32_t entry;    /* or INFONCE_NO_ENTRY: its term is left out of everything */
};

#define INFONCE_NO_ENTRY UINT32_MAX

struct infonce_targets {
    const struct mmk_csr *weights; /* NULL: y_{i+offset} belongs to x_i */
    bool none;                     /* no positives, and all rows and columns count */
    bool exclude_self;             /* (i, i + offset) is left out */
    size_t most;                   /* entries, before equal ones are added up and zeros dropped */
    struct infonce_side x, y;
    double *weight;
    float *logit; /* in base 2; room for a multiple of INFONCE_STRIP */
    float *e;     /* 2^(logit - shift), likewise */
    float *coef;  /* backward: of G, times 2^weight_bits */
    /* the places of the pass that runs, by blocks of its rows, in each by column */
    size_t *place_start;
    struct infonce_place *place;
    bool placed;      /* they are those of X's rows against all columns */
    uint32_t *row_of; /* where a pass has picked rows: the pass's row of a row of data */
};

/* Whether a row of a side has a part in the loss. */
static inline bool infonce_counts(const struct infonce_targets *t, const struct infonce_side *side,
                                  size_t row)
{
    return t->none || side->start[row + 1] > side->start[row];
}

void infonce_layout_targets(struct infonce *p, struct scratch *s);

/* Positives of both sides from the weights, or from the offset. */
void infonce_build_targets(struct infonce *p);

/* Lists the places of a pass; before its threads start. */
void infonce_list_places(struct infonce *p, const struct operands *o);

/* The places in a strip of the pass. */
struct infonce_places {
    const struct infonce_place *begin, *end;
};

struct infonce_places infonce_places(const struct infonce *p, const struct region *strip);

#endif
