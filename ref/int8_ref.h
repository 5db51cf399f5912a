/* int8_ref.h - oracle of similarities of rows of codes: exact integers, and what is made of them in
 * long double.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_INT8_REF_H
#define MMK_INT8_REF_H

#include "../kernels/mmk.h"

/* p.q */
int64_t int8_ref_dot(size_t d, const int8_t *p, const int8_t *q);

/* sim(a p, b q); neg_sq_l2 from the differences, but where a scale is not finite, as it is
 * expanded. *bound becomes how far a right float may be from it. */
double int8_ref_pair(enum mmk_similarity similarity, size_t d, const int8_t *p, float a,
                     const int8_t *q, float b, double *bound);

#endif
