/* infonce_bounds.h - error bounds of InfoNCE: logits, lse, loss, G, and the gradients of all
 * losses.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_INFONCE_BOUNDS_H
#define MMK_INFONCE_BOUNDS_H

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

/* Of one direction: the error of every lse, and of the weighted sum of the rows' losses
 * (returned). */
double infonce_forward_bounds(const struct infonce_direction *dir, const double *delta,
                              double *lse_error);

/* error of the direction's part of G, added to error (rows x cols); factors: of an exponent made as
 * a product. */
void infonce_g_bounds(const struct infonce_direction *dir, const double *delta, double factors,
                      const double *lse_error, double *error);

/* Expected values and bounds of the buffers of that number, and of dnegatives, from r->g, dx, dy,
 * dscale and the error of G (m x n). underflow: of a product of G with an element, as G is kept. */
void infonce_gradient_bounds(struct trial *t, const struct infonce_ref *r,
                             const struct infonce_bounds *bounds, const double *g_error,
                             double underflow, int dx, int dy, int dscale);

/* That of G kept times a power of two that makes the greatest weight of a pair 2^23 or more. */
static inline double infonce_kept_underflow(double weight)
{
    return weight * (0x1p-23 * 0x1p-149);
}

#endif
