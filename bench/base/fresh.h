/* fresh.h - memory that is mapped anew, on other pages than before.
 * SPDX-License-Identifier: MIT
 *
 * In a cache that goes by physical addresses speed depends on which pages a buffer got. malloc
 * gives the same ones again and again; between these two calls every buffer of a page and more is a
 * mapping of its own, and a ballast of a random number of pages makes the system give others.
 */
#ifndef MMK_BENCH_FRESH_H
#define MMK_BENCH_FRESH_H

#include <stdint.h>

void fresh_begin(uint64_t *random);

/* From here on malloc is as it becomes in a program that calls the same again and again: what a
 * call takes and gives back it gets again. */
void fresh_end(void);

#endif
