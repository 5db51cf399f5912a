/* shift.h - the shift that all exponentials of a call share (internal).
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_INFONCE_SHIFT_H
#define MMK_INFONCE_SHIFT_H

#include "problem.h"

/* |shift| at most: simd_shift takes no more. */
#define INFONCE_SHIFT_MOST 0x1p20f

/* The shift of a forward, from the logits of a few pairs. */
float infonce_choose_shift(const struct infonce *p);

#endif
