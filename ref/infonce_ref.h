/* infonce_ref.h - oracle of InfoNCE in double: loss, log-sum-exps, gradients.
 * SPDX-License-Identifier: MIT
 *
 * The whole m x n matrices are kept, because the bounds in infonce_bounds.c are made from them.
 * One-to-one InfoNCE is the case of one target a row, in column i + offset, and negatives are
 * columns without any.
 */
#ifndef MMK_INFONCE_REF_H
#define MMK_INFONCE_REF_H

#include <stdbool.h>
#include <stddef.h>

#include "../kernels/mmk.h"

/* One direction of the loss: rows x cols logits, and the targets t of each row, which sum to 1
 * where it has any. Direction y is the transposed matrix. */
struct infonce_direction {
    size_t rows, cols;
    size_t *start, *column; /* of row i: entries start[i] .. start[i+1] - 1, columns ascending */
    double *t;
    bool uniform;   /* no targets, but all rows are counted: lse - log(cols) */
    size_t counted; /* rows that have a part in the loss */
    double weight;  /* of the direction, divided by counted */
    double *logits; /* rows x cols; -Inf where the term is left out */
    double *lse;    /* rows: log sum_j e^{L_ij} */
    double *loss;   /* rows: sum_j t_ij (lse_i - L_ij); 0 where the row is not counted */
    double *p;      /* backward: rows x cols softmax e^{L_ij - lse_i} */
    double *others; /* backward: rows, sum of p over all columns that are no targets */
};

struct infonce_ref {
    enum mmk_similarity similarity;
    size_t offset;
    bool exclude_self;
    bool one_sided;  /* one of the weights is 0 */
    double upstream; /* of infonce_ref_backward() */
    double scale;    /* s, in double so that it can be varied */
    size_t m, n, d;
    size_t own;              /* rows of Y without the negatives */
    double *x, *y;           /* rows as they were passed; the negatives are the last of y */
    double *unit_x, *unit_y; /* the rows that are multiplied: x_i / |x_i| for cosine, x_i less the
                                origin for neg_sq_l2, x_i for dot */
    double *norm_x, *norm_y; /* cosine: |x_i| */
    double *sim, *magnitude; /* m x n; magnitude = sum_k |x_ik y_jk| of the multiplied rows */
    struct infonce_direction dir_x, dir_y;
    double loss;
    double *g;                       /* backward: m x n, G_ij, upstream in it */
    double *dx, *dy;                 /* backward: m x d and n x d */
    double dscale;                   /* backward: d loss / d s */
    double bias, dbias;              /* sigmoid loss */
    double *log_var_x, *log_var_y;   /* m x d and n x d, the caller's; NULL: there are none */
    double *dlog_var_x, *dlog_var_y; /* likewise */
    double *var_x, *var_y;           /* m, n: sum_k e^{log_var}; 0 where there are none */
};

/* Allocates, and reads the matrices that have data; without, the caller fills x and y (dense rows).
 * n counts y and the negatives. Targets without row_start are none, for uniformity. */
void infonce_ref_open(struct infonce_ref *r, const struct mmk_infonce_problem *problem);
void infonce_ref_close(struct infonce_ref *r);

/* From r->x, r->y, r->scale: sim, both directions, loss. */
void infonce_ref_forward(struct infonce_ref *r);

/* After a forward: g, dx, dy, dscale. */
void infonce_ref_backward(struct infonce_ref *r);

/* The sigmoid loss instead, positives where there are targets: from x, y, scale and bias, sim, the
 * logits without bias, loss, g, dx, dy, dscale and dbias. */
void infonce_ref_sigmoid(struct infonce_ref *r);

/* mean_i -L_ii instead, m = n: sim, loss, g, dx, dy, dscale. */
void infonce_ref_alignment(struct infonce_ref *r);

/* t of row i by column, 0 where there is no target. */
void infonce_ref_targets(const struct infonce_direction *dir, size_t i, double *t);

size_t infonce_ref_target_count(const struct infonce_direction *dir, size_t i);

#endif
