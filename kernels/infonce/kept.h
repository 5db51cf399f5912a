/* kept.h - where E waits between forward and backward (internal).
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_INFONCE_KEPT_H
#define MMK_INFONCE_KEPT_H

#include "problem.h"

/* The table of what is kept in gradients. */
void infonce_layout_kept(struct infonce *p, struct scratch *s);

/* Finds places in `spare` bytes behind what the scratch has used, and in the gradients. */
void infonce_keep(struct infonce *p, const struct scratch *s, size_t spare,
                  const struct gradients *out);
void infonce_keep_nothing(struct infonce *p);

/* What a workspace can have of it; SIZE_MAX when that overflows. */
size_t infonce_kept_bytes(const struct infonce *p);

/* Where E of the block at (row, col) is, its strips one after the other; NULL where it is not
 * kept. */
float *infonce_kept_block(const struct infonce *p, size_t row, size_t col);

#endif
