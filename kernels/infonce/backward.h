/* backward.h - gradients of all losses on the logits (internal).
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_INFONCE_BACKWARD_H
#define MMK_INFONCE_BACKWARD_H

#include "problem.h"

/* dX, dY and d logit_scale of InfoNCE. */
void infonce_run_backward(struct infonce *p, float *dx, size_t lddx, float *dy, size_t lddy,
                          float *dlogit_scale);
/* The same for the sigmoid loss, with row_e, row_g and the positives' G for what else there is. */
void infonce_run_sigmoid_backward(struct infonce *p, float *dx, size_t lddx, float *dy, size_t lddy,
                                  float *dlogit_scale);

#endif
