/* infonce_cases.h - what the cases of InfoNCE, the sigmoid loss and alignment share.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_INFONCE_CASES_H
#define MMK_INFONCE_CASES_H

#include "case.h"

/* What their descriptors say alike. */
#define INFONCE_PARTS                                                                              \
    .family = "infonce", .has_logit_scale = true, .paired = true, .allowance = ALLOWANCE_SOFTMAX,  \
    .oracle_matrices = 16

/* A side so long that the error of a chain over it would leave the bounds. */
enum { INFONCE_LONG = 6007 };

double infonce_forward_flops(const struct shape *s);
double infonce_backward_flops(const struct shape *s);
double infonce_forward_bytes(const struct shape *s);
double infonce_backward_bytes(const struct shape *s);
bool infonce_forward_fill_fits(const struct shape *s, enum fill fill);
bool infonce_backward_fill_fits(const struct shape *s, enum fill fill);

#endif
