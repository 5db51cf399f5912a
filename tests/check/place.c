/* place.c - a trial's buffers between guard pages, pass by pass, and what was written beside them.
 * SPDX-License-Identifier: MIT
 */
#include "place.h"

#include "../../kernels/call/size.h"
#include "../../ref/sanitizers.h"

#include <stdio.h>
#include <string.h>

/* Sizes from nothing to more than enough, odd ones too; with the end at a page that is not there,
 * odd sizes make odd addresses. */
static size_t workspace_size(const struct mmk_workspace_bytes *need, size_t number)
{
    size_t least = need->least, all = need->all;
    switch (number % 12) {
    case 0:
    case 1:
        return least;
    case 2:
        return least - (least > 0); /* too little: the call takes memory of its own */
    case 3:
        return least + 1;
    case 4:
        return least + 63;
    case 5:
        return least + 64;
    case 6:
        return least + (all - least) / 2;
    case 7: /* anything between */
        return least + number % (all - least + 1);
    case 8: /* what all takes, but for what an odd address may cost */
        return all - size_min(all, 1 + number / 12 % 64);
    case 9:
        return all + 1 + number % 64;
    case 10:
        return number % (least + 1);
    default:
        return all;
    }
}

void place_workspace(struct places *places, struct placed *p, size_t number)
{
    struct trial *t = &p->trial;
    struct mmk_workspace_bytes need;
    t->options = (struct mmk_options){.threads = t->options.threads};
    if (!t->kernel->takes_threads || p->placement == PLACE_END ||
        trial_query(t, t->options.threads, &need) != MMK_OK || /* comes again where it is judged */
        need.all == 0)
        return;
    size_t bytes = workspace_size(&need, number);
    if (bytes == 0) /* and a pointer are an error */
        return;
    /* At a page's end what is written behind it crashes, but what is cut out on cache lines then
     * ends there, too: the other half of the time any address, where that is seen afterwards. */
    enum placement placement = number / 768 % 2 == 0 ? PLACE_END : PLACE_SHIFTED;
    t->options.workspace =
        guard_place(&places->guard[TRIAL_BUFFERS], bytes, placement, number / 1536);
    t->options.workspace_bytes = bytes;
    sanitizers_unwritten(t->options.workspace, bytes); /* by this call; the last one wrote it */
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
        snprintf(how, size, "memory next to the workspace was written");
        return true;
    }
    return false;
}
