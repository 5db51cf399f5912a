/* place.c - a trial's buffers between guard pages, pass by pass, and what was written beside them.
 * SPDX-License-Identifier: MIT
 */
#include "place.h"

#include <stdio.h>
#include <string.h>

void place_workspace(struct places *places, struct placed *p)
{
    struct trial *t = &p->trial;
    struct mmk_workspace_bytes need;
    t->options = (struct mmk_options){.threads = t->options.threads};
    if (!t->kernel->takes_threads || p->placement == PLACE_END ||
        trial_query(t, 3, &need) != MMK_OK) /* the error comes again where it is judged */
        return;
    size_t bytes = need.least;
    if (p->placement == PLACE_SHIFTED)
        bytes = t->shape.m % 2 ? need.all : need.least + (need.all - need.least) / 2;
    if (bytes > 0) {
        t->options.workspace = guard_place(&places->guard[TRIAL_BUFFERS], bytes, PLACE_END, 0);
        t->options.workspace_bytes = bytes;
    }
}

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
    p->placement = placement;
    place_workspace(places, p);
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
