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

/* As they are passed. With a shape that has an offset, x_i and y_{i+offset} are left out; normal fills
 * have no weights (NULL: all 1). */
struct mmk_targets targets_of(struct trial *trial);

#endif
