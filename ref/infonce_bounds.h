/* infonce_bounds.h - bounds of gradients, costs and fills that InfoNCE and the sigmoid loss share.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_INFONCE_SHARED_H
#define MMK_INFONCE_SHARED_H

#include "case.h"
#include "infonce_ref.h"

struct infonce_bounds {
    double *e;                 /* m x n: error of sim */
    double *squares;           /* m x n: |x_i|^2 + |y_j|^2, but for cosine */
    double *delta_x, *delta_y; /* m x n and n x m: error of the logits */
    double *lse_x, *lse_y;     /* error of the lse */
    double loss;
};

/* After a reference's forward: e, squares and delta. */
void infonce_bounds_open(struct infonce_bounds *b, const struct infonce_ref *r);
void infonce_bounds_close(struct infonce_bounds *b);

/* Expected values and bounds of the buffers of that number, from r->g, dx, dy, dscale and the error of
 * G (m x n). */
void infonce_gradient_bounds(struct trial *t, const struct infonce_ref *r,
                             const struct infonce_bounds *bounds, const double *g_error, int dx,
                             int dy, int dscale);

double infonce_forward_flops(const struct shape *s);
double infonce_backward_flops(const struct shape *s);
double infonce_forward_bytes(const struct shape *s);
double infonce_backward_bytes(const struct shape *s);
bool infonce_forward_fill_fits(const struct shape *s, enum fill fill);
bool infonce_backward_fill_fits(const struct shape *s, enum fill fill);

#endif
