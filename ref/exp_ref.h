/* exp_ref.h - oracle of exp and logsumexp, in double.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_EXP_REF_H
#define MMK_EXP_REF_H

#include <stddef.h>

/* e^x; 0 where that is below 2^-126, Inf where the nearest float is. */
double exp_ref(float x);

/* log sum_i e^{x_i}; -Inf for n = 0, NaN where one is NaN. */
double exp_ref_logsumexp(size_t n, const float *x);

#endif
