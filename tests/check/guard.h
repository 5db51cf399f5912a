/* guard.h - memory between unreadable pages, with canaries where it does not touch one.
 * SPDX-License-Identifier: MIT
 *
 *     PLACE_END     [guard]            [canary][data][guard]      one element too far on faults
 *     PLACE_BEGIN   [guard][data][canary]            [guard]      one element before faults
 *     PLACE_SHIFTED [guard] [canary][data][canary]   [guard]      data 4 to 60 bytes off a line
 *
 * Needed although there are sanitizers: gcc 12's AddressSanitizer does not see masked loads and
 * stores, gather and compress-store, clang 14's not the last two.
 */
#ifndef MMK_GUARD_H
#define MMK_GUARD_H

#include <stdbool.h>
#include <stddef.h>

/* What new memory holds, for 0 would often be right: bytes of a great number, float or double. */
enum { GUARD_UNWRITTEN = 0x7f };

enum placement { PLACE_END, PLACE_BEGIN, PLACE_SHIFTED, PLACE_COUNT };

/* "end", "begin", "shifted" */
const char *placement_name(enum placement placement);

/* One buffer's mapping, kept and grown from trial to trial. All zero at first. */
struct guard {
    char *map;        /* the first guard page */
    size_t map_bytes; /* with both guard pages */
    char *data;       /* what guard_place() gave */
    size_t data_bytes;
};

/* Room for bytes; shift (0..14) varies the address of PLACE_SHIFTED. Exits without memory. */
void *guard_place(struct guard *guard, size_t bytes, enum placement placement, size_t shift);

/* Whether all bytes around the data are as guard_place() left them. */
bool guard_intact(const struct guard *guard);

#endif
