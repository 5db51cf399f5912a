/* finish.h - the positives' G, and the last step of a row of dX or dY (internal).
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_INFONCE_FINISH_H
#define MMK_INFONCE_FINISH_H

#include "gradient.h"

/* G of all positives, times 2^weight_bits like all of G; by all workers, with a barrier at the end.
 */
void infonce_positive_gradients(const struct infonce *p, size_t worker, size_t workers);

/* Row i of dX (or dY) from its sum, which lies in panels (struct infonce_row): the positives that
 * it lacks, the similarity's derivative, the scale. */
void infonce_finish_row(const struct stage *s, bool of_x, size_t i, const float *sum,
                        size_t panel_rows);

/* All rows of the caller's matrices that wait for sums known only now; shared out by worker. */
void infonce_finish_waiting(const struct stage *s);

#endif
