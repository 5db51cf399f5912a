/* release.h - what a peer's version says: its name, its number and, where that is known, its year.
 * SPDX-License-Identifier: MIT
 *
 * None of the libraries says itself when it was released, so each adapter has a small table. A
 * version that is not in it, or that is no release, has no year.
 */
#ifndef MMK_BENCH_RELEASE_H
#define MMK_BENCH_RELEASE_H

#include "../peer.h"

#include <stdio.h>

/* The versions of a year, a space between two. */
struct release_year {
    int year;
    const char *versions;
};

/* 0: it is in none of the years. */
static inline int release_year_of(const char *version, const struct release_year *years,
                                  size_t count)
{
    size_t length = strlen(version);
    for (size_t i = 0; i < count; i++)
        for (const char *word = years[i].versions; *word; word += strspn(word, " ")) {
            size_t end = strcspn(word, " ");
            if (end == length && strncmp(word, version, length) == 0)
                return years[i].year;
            word += end;
        }
    return 0;
}

/* "OpenBLAS 0.3.21 (2022)", or without a year. */
static inline void release_say(struct peer *peer, const char *library, const char *version,
                               const struct release_year *years, size_t count)
{
    int year = release_year_of(version, years, count);
    int used = snprintf(peer->version, sizeof peer->version, "%s %s", library, version);
    if (year > 0 && used >= 0 && (size_t)used < sizeof peer->version)
        snprintf(peer->version + used, sizeof peer->version - (size_t)used, " (%d)", year);
}

#endif
