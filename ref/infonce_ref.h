/* infonce_ref.h - oracle of InfoNCE in double: loss, log-sum-exps, gradients.
 * SPDX-License-Identifier: MIT
 *
 * The whole m x n matrices are kept, because the bounds in infonce_cases.c are made from them.
 */
#ifndef MMK_INFONCE_REF_H
#define MMK_INFONCE_REF_H

#include <stddef.h>

#include "../kernels/mmk.h"

/* One direction of the loss: rows x cols logits, where row i's positive stands in column i + shift,
 * if that is a column. Direction x has shift = offset; direction y is the transposed matrix with
 * shift = -offset. */
struct infonce_direction {
    size_t rows, cols;
    ptrdiff_t shift;
    double weight;  /* of the direction, divided by the number of positives m */
    double *logits; /* rows x cols */
    double *lse;    /* rows: log sum_j e^{L_ij} */
    double *loss;   /* rows: lse - L_positive; 0 where there is no positive */
    double *p;      /* backward: rows x cols softmax e^{L_ij - lse_i} */
    double *others; /* backward: rows, sum of p over all but the positive */
};

struct infonce_ref {
    struct mmk_infonce_config config;
    double scale; /* s, in double so that it can be varied */
    size_t m, n, d;
    double *x, *y; /* rows as they were passed */
    double *unit_x,
        *unit_y; /* the rows that are multiplied: x_i / |x_i| for cosine, else the rows */
    double *norm_x, *norm_y; /* cosine: |x_i| */
    double *sim, *magnitude; /* m x n; magnitude = sum_k |x_ik y_jk| of the multiplied rows */
    struct infonce_direction dir_x, dir_y;
    double loss;
    double *g;       /* backward: m x n, G_ij */
    double *dx, *dy; /* backward: m x d and n x d */
    double dscale;   /* backward: d loss / d s */
};

/* Allocates; the caller then fills x and y (dense rows). */
void infonce_ref_open(struct infonce_ref *r, const struct mmk_infonce_config *config, size_t m,
                      size_t n, size_t d);
void infonce_ref_close(struct infonce_ref *r);

/* From r->x, r->y, r->scale: sim, both directions, loss. */
void infonce_ref_forward(struct infonce_ref *r);

/* After a forward: g, dx, dy, dscale. */
void infonce_ref_backward(struct infonce_ref *r);

/* Column of row i's positive; SIZE_MAX when it has none. */
size_t infonce_ref_positive(const struct infonce_direction *dir, size_t i);

#endif
