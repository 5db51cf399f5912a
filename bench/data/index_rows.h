/* index_rows.h - lists of indices in binary files: .ivecs and .ibin, as lists.h has them.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_INDEX_ROWS_H
#define MMK_BENCH_INDEX_ROWS_H

#include "input.h"
#include "lists.h"

/* False: error is one sentence. */
bool index_rows_ivecs(const struct input *in, struct lists *lists);
bool index_rows_ibin(const struct input *in, struct lists *lists);

#endif
