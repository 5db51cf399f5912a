/* guard.c - memory between unreadable pages, with canaries where it does not touch one.
 * SPDX-License-Identifier: MIT
 */
#include "guard.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CANARY = 512 }; /* bytes looked at on a side that has no guard page */

/* What the canaries hold: signalling NaNs at every address that is a multiple of four. */
static const unsigned char *canary(const char *at)
{
    static unsigned char bytes[CANARY + 4];
    if (bytes[0] == 0)
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = i % 4 == 3 ? 0x7f : 0xa5;
    return bytes + (uintptr_t)at % 4;
}

const char *placement_name(enum placement placement)
{
    static const char *const names[PLACE_COUNT] = {"end", "begin", "shifted"};
    return names[placement];
}

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static void grow(struct guard *g, size_t bytes)
{
    size_t page = page_bytes();
    size_t inner = ((bytes + 2 * CANARY) / page + 2) * page;
    if (g->map && g->map_bytes >= inner + 2 * page)
        return;
    if (g->map)
        munmap(g->map, g->map_bytes);
    inner += inner / 2 / page * page; /* room for the next, a little larger one */
    g->map_bytes = inner + 2 * page;
    g->map = mmap(NULL, g->map_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g->map == MAP_FAILED || mprotect(g->map + page, inner, PROT_READ | PROT_WRITE)) {
        fprintf(stderr, "mmk-check: no memory for a buffer of %zu bytes\n", bytes);
        exit(2);
    }
    memset(g->map + page, GUARD_UNWRITTEN, inner);
}

/* The canaries: [before, data) and [data + data_bytes, after), within the readable pages. */
static void sides(const struct guard *g, char **before, char **after)
{
    size_t page = page_bytes();
    char *first = g->map + page, *last = g->map + g->map_bytes - page;
    char *end = g->data + g->data_bytes;
    *before = g->data - first > CANARY ? g->data - CANARY : first;
    *after = last - end > CANARY ? end + CANARY : last;
}

void *guard_place(struct guard *g, size_t bytes, enum placement placement, size_t shift)
{
    grow(g, bytes);
    size_t page = page_bytes();
    char *first = g->map + page, *last = g->map + g->map_bytes - page;
    g->data_bytes = bytes;
    if (placement == PLACE_END)
        g->data = last - bytes;
    else if (placement == PLACE_BEGIN)
        g->data = first;
    else
        g->data = first + 128 + 4 * (1 + shift % 15);
    char *before, *after;
    sides(g, &before, &after);
    char *end = g->data + bytes;
    memcpy(before, canary(before), (size_t)(g->data - before));
    memcpy(end, canary(end), (size_t)(after - end));
    return g->data;
}

bool guard_intact(const struct guard *g)
{
    char *before, *after;
    sides(g, &before, &after);
    const char *end = g->data + g->data_bytes;
    return memcmp(before, canary(before), (size_t)(g->data - before)) == 0 &&
           memcmp(end, canary(end), (size_t)(after - end)) == 0;
}
