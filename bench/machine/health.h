/* health.h - what of this machine makes timings worse, and what to do.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_HEALTH_H
#define MMK_BENCH_HEALTH_H

#include "machine.h"

#include <stdbool.h>
#include <stddef.h>

/* One thing that was looked at. */
struct finding {
    char what[24];    /* "governor" */
    char found[120];  /* "powersave" */
    bool doubt;       /* timings suffer from it */
    char remedy[200]; /* what to do, where there is a doubt */
};

enum { MOST_FINDINGS = 16 };

/* Counters, governor, boost, hardware threads, large pages, hypervisor, stolen time, load, clock,
 * caches, as far as the system tells. Takes about a second. Returns how many. */
size_t health_look(const struct machine *machine, struct finding findings[MOST_FINDINGS]);

/* A part of it, for tests. */

/* The word in brackets: "always [madvise] never" gives "madvise"; "" where there is none. */
void health_chosen(const char *line, char *word, size_t bytes);

#endif
