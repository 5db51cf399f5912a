/* logits.h - the error of dot products of rows without negative elements.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_ACCURACY_LOGITS_H
#define MMK_BENCH_ACCURACY_LOGITS_H

#include "accuracy.h"

/* Fills logits, and says in openblas what that is, or why it is not there. */
void logits_measure(struct accuracy *accuracy, const struct accuracy_options *options);

#endif
