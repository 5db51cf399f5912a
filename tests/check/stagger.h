/* stagger.h - holds single workers of a call up, so that a barrier that is missing shows.
 * SPDX-License-Identifier: MIT
 *
 * On a machine at rest the workers of a team come through a stage side by side, and what one reads
 * before another has written it is mostly there by chance. So one call in many is staggered: at the
 * start of a team, behind its barriers, before its tasks and before products inside them a worker
 * may sleep for as long as the others need to come far. The linker puts the functions of stagger.c
 * before those of kernels/ (ld's --wrap); a library that is loaded (--library) is not reached.
 */
#ifndef MMK_STAGGER_H
#define MMK_STAGGER_H

#include <stddef.h>

/* Until stagger_end workers are held up, some at every stage, others for other seeds. */
void stagger_begin(size_t seed);
void stagger_end(void);

#endif
