/* backward.h - gradients of all losses on the logits (internal).
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_INFONCE_BACKWARD_H
#define MMK_INFONCE_BACKWARD_H

#include "problem.h"

/* Gradients of InfoNCE, and d logit_scale where p->wanted says so. */
void infonce_run_backward(struct infonce *p, const struct gradients *out, float *dlogit_scale);
/* The same for the sigmoid loss, with row_e, row_g and the positives' G for what else there is. */
void infonce_run_sigmoid_backward(struct infonce *p, const struct gradients *out,
                                  float *dlogit_scale);

#endif
