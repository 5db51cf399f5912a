/* fresh.c - memory that is mapped anew, on other pages than before.
 * SPDX-License-Identifier: MIT
 */
#include "fresh.h"

#include "stats.h"

#include <malloc.h>
#include <stddef.h>
#include <stdlib.h>

enum { PAGE = 4096, MOST_BALLAST = 512, MAPPED_LATER = 32 << 20, KEPT = 64 << 20 };

/* Held until the next is there, which then gets other pages. */
static unsigned char *ballast;

void fresh_begin(uint64_t *random)
{
    unsigned char *before = ballast;
    size_t bytes = (size_t)(stats_random(random) % MOST_BALLAST + 1) * PAGE;
    mallopt(M_MMAP_THRESHOLD, PAGE);
    ballast = malloc(bytes);
    for (size_t i = 0; ballast && i < bytes; i += PAGE)
        ballast[i] = 1;
    free(before);
}

void fresh_end(void)
{
    mallopt(M_MMAP_THRESHOLD, MAPPED_LATER);
    mallopt(M_TRIM_THRESHOLD, KEPT);
}
