/* place.c - a trial's buffers between guard pages, pass by pass, and what was written beside them.
 * SPDX-License-Identifier: MIT
 */
#include "place.h"

#include <stdio.h>
#include <string.h>

void place_buffers(struct places *places, struct placed *p, enum placement placement)
{
    struct trial *t = &p->trial;
    for (int i = 0; i < t->buffer_count; i++) {
        struct buffer *b = &t->buffer[i];
        size_t shift = (size_t)i + t->shape.m + t->shape.n + t->shape.d;
        if (element_bytes(b->element) == 8) /* keep them on a multiple of 8 */
            shift = 2 * (shift % 7) + 1;
        b->data = guard_place(&places->guard[i], buffer_bytes(b), placement, shift);
        if (!b->output)
            memcpy(b->data, p->home[i], buffer_bytes(b));
    }
    /* No workspace, exactly what streaming needs, or all of it or half way. */
    t->options = (struct mmk_options){0};
    size_t streamed, stored;
    if (t->kernel->workspace != NULL && placement != PLACE_END &&
        t->kernel->workspace(&t->shape, 3, &streamed, &stored) == MMK_OK) {
        size_t bytes = streamed;
        if (placement == PLACE_SHIFTED)
            bytes = t->shape.m % 2 ? stored : streamed + (stored - streamed) / 2;
        if (bytes > 0) {
            t->options.workspace = guard_place(&places->guard[TRIAL_BUFFERS], bytes, PLACE_END, 0);
            t->options.workspace_bytes = bytes;
        }
    }
}

bool place_damage(const struct places *places, const struct placed *p, char *how, size_t size)
{
    const struct trial *t = &p->trial;
    for (int i = 0; i < t->buffer_count; i++) {
        const struct buffer *b = &t->buffer[i];
        if (!guard_intact(&places->guard[i])) {
            snprintf(how, size, "memory next to %s was written", b->name);
            return true;
        }
        if (!b->output && memcmp(b->data, p->home[i], buffer_bytes(b)) != 0) {
            snprintf(how, size, "the input %s was changed", b->name);
            return true;
        }
    }
    if (t->options.workspace && !guard_intact(&places->guard[TRIAL_BUFFERS])) {
        snprintf(how, size, "memory before the workspace was written");
        return true;
    }
    return false;
}
