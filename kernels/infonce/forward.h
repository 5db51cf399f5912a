/* forward.h - InfoNCE forward (internal).
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_INFONCE_FORWARD_H
#define MMK_INFONCE_FORWARD_H

#include "problem.h"

void infonce_layout_forward(struct infonce *p, struct scratch *s);

/* Loss and log-sum-exps, where the pointers are not NULL; leaves the sums of E for a backward. */
void infonce_run_forward(struct infonce *p, float *loss, float *lse_x, float *lse_y);

#endif
