/* place.h - a trial's buffers between guard pages, pass by pass, and what was written beside them.
 * SPDX-License-Identifier: MIT
 *
 * A trial keeps one home for its buffers, where the inputs are as they were filled and the outputs
 * those of the first variant. Each pass copies the inputs from there into a place of its own.
 */
#ifndef MMK_CHECK_PLACE_H
#define MMK_CHECK_PLACE_H

#include "../../ref/trial.h"
#include "guard.h"

/* The mappings that trial after trial is placed in: one a buffer, the last for the workspace. All
 * zero at first. */
struct places {
    struct guard guard[TRIAL_BUFFERS + 1];
};

struct placed {
    struct trial trial;
    void *home[TRIAL_BUFFERS]; /* where trial_open put them */
    enum placement placement;
};

/* Moves the buffers there, inputs with their values. */
void place_buffers(struct places *places, struct placed *placed, enum placement placement);

/* Sets the trial's workspace for its thread count and the outputs that are wanted: none in one
 * placement, in the others by `number` any size from nothing to more than all of it, odd ones too.
 * Behind its end is a guard page. */
void place_workspace(struct places *places, struct placed *placed, size_t number);

/* Whether anything but the outputs was written: memory next to a buffer, or an input. how says
 * what. */
bool place_damage(const struct places *places, const struct placed *placed, char *how, size_t size);

#endif
