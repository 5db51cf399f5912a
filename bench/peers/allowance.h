/* allowance.h - what the check grants other libraries beyond the bounds that are derived for ours.
 * SPDX-License-Identifier: MIT
 *
 * mmk keeps the positive out of the sums, and so has loss and gradients to their last digits even
 * where the softmax P of the positive is nearly 1. Everyone else takes a difference, lse - L and P
 * - 1, whose error is that of lse, L and P. That is as right as the textbook's formula is in float:
 * a bound for it is added here. So is one for similarities that are summed in another order; and of
 * equal scores any may come first in a top-k. On the bench's own data little of it plays a role.
 */
#ifndef MMK_BENCH_ALLOWANCE_H
#define MMK_BENCH_ALLOWANCE_H

#include "../../ref/trial.h"

/* trial_check with the bounds that are ours and, where these do not hold, with those that hold for
 * another library. */
bool allowance_check(const struct trial *trial, struct verdict *verdict);

#endif
