/* caches.h - sizes of the data caches.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_CACHES_H
#define MMK_BENCH_CACHES_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes; l1d and l2 of one core, l3 as a whole. */
struct caches {
    size_t l1d, l2, l3;
    bool known; /* false: one of them was not told by the system and is assumed */
};

const struct caches *caches_get(void);

#endif
