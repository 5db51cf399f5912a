/* targets.h - the sparse matrix of who belongs to whom, in the trials of the many-to-many losses.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_TARGETS_H
#define MMK_TARGETS_H

#include "case.h"

/* Adds row_start, column and weight: shape.positives entries a row with the normal fill, else up to
 * that. */
void targets_layout(struct trial *trial);

/* Fills them, after the common fill. */
void targets_fill(struct trial *trial);

/* As they are passed; normal fills have no weights (NULL: all 1). With a shape that has an offset
 * there is none for x_i and y_{i+offset}, so that these may be left out. */
struct mmk_csr targets_of(struct trial *trial);

/* Whether the buffer is one of the three. */
bool is_of_targets(const struct buffer *buffer);

#endif
