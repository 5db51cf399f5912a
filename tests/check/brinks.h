/* brinks.h - shapes on both sides of every size at which a kernel goes another way.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_CHECK_BRINKS_H
#define MMK_CHECK_BRINKS_H

#include "../../ref/case.h"

/* The shapes of a kernel: written to shapes unless that is NULL; returns how many there are. quick:
 * one above each brink that an emulator has time for. */
size_t brinks_sweep(const struct kernel *kernel, bool quick, struct shape *shapes);

/* Fills that are worth it at such a shape. */
bool brinks_fill_fits(const struct shape *shape, enum fill fill);

#endif
