/* worst.h - the worst error of every kernel on small shapes: at random, and looked for.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_ACCURACY_WORST_H
#define MMK_BENCH_ACCURACY_WORST_H

#include "accuracy.h"

/* Fills worst and worst_count, and says in without_peers which of the wanted are not there. */
void worst_measure(struct accuracy *accuracy, const struct accuracy_options *options);

#endif
