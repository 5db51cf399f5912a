/* weights.h - what makes softmaxes of exponentials (internal).
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_INFONCE_WEIGHTS_H
#define MMK_INFONCE_WEIGHTS_H

#include "problem.h"

/* The memory of `softmax`. */
void infonce_layout_softmax(struct infonce *p, struct scratch *s);

/* The log-sum-exps of an earlier forward, where none ran in this call. */
void infonce_take_lse(struct infonce *p, const float *lse_x, const float *lse_y);

/* Weights, factors and log-sum-exps of the softmaxes; one exponential for both where it serves. */
void infonce_prepare_softmax(struct infonce *p);

/* G is kept times 2^weight_bits: its greatest is near 2^24 then. */
void infonce_set_weight_bits(struct infonce *p, double greatest);

#endif
