/* wide.h - every loss in double, where float has not the range (internal).
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_INFONCE_WIDE_H
#define MMK_INFONCE_WIDE_H

#include "problem.h"

/* Rows are shared out in so many parts, or so many at a time, which are then added up in order; a
 * row of gradients is made so many elements at a time. */
enum { WIDE_ROWS = 64, WIDE_CHUNK = 512 };

/* Whether float may not hold what lies between inputs and results; before anything is packed. */
bool infonce_wide_needed(const struct infonce *p);

/* Whether the factor of an alignment's gradients, weight logit_scale, is far from the ends of
 * float; one of 0 is. */
bool infonce_scale_fits(double scale);

/* Where the results of a call go; NULL or data NULL: not wanted. */
struct infonce_wide_results {
    float *loss, *lse_x, *lse_y;
    struct gradients out;
    float *dlogit_scale, *dbias;
    struct args_out dlog_variance_x, dlog_variance_y;
};

/* InfoNCE and uniformity; the log-sum-exps of an earlier call, or NULL. */
void infonce_wide_softmax(struct infonce *p, const float *given_x, const float *given_y,
                          const struct infonce_wide_results *results);

/* The sigmoid loss; log-variances with their sums in p->sigmoid, or NULL. */
void infonce_wide_sigmoid(const struct infonce *p, double bias, const struct args_rows *log_var_x,
                          const struct args_rows *log_var_y,
                          const struct infonce_wide_results *results);

/* One pair of an alignment: returns sim(x_i, y_i), and writes the gradients' rows that are not
 * NULL, weight times its derivatives. */
double infonce_wide_pair(const struct infonce *p, size_t i, double weight, float *dx, float *dy);

/* sum_k e^{v_k}, +Inf where that leaves double. */
double infonce_wide_sum_exp(size_t count, const float *v);

#endif
