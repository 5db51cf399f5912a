/* element.h - what rows are of (internal).
 * SPDX-License-Identifier: MIT
 *
 * The inner loops of pair/ and query/ are one text, and their loads give floats whatever the rows
 * are of. pair_f16_<isa>.c compiles it for two rows of f16, query_f16_<isa>.c and
 * query_bf16_<isa>.c for rows y of these and an x of floats; all else is for floats. Both go to
 * float exactly, so that the bits are those of the functions of floats.
 */
#ifndef MMK_PAIR_ELEMENT_H
#define MMK_PAIR_ELEMENT_H

#include <stdint.h>

#if defined(PAIR_OF_F16)
typedef uint16_t pair_x, pair_y;
#elif defined(QUERY_OF_F16) || defined(QUERY_OF_BF16)
#define QUERY_OF_HALVES
typedef float pair_x;
typedef uint16_t pair_y;
#else
typedef float pair_x, pair_y;
#endif

/* What uint16_t stands for, and `name` with that at its end. */
#ifdef QUERY_OF_BF16
#define PAIR_HALF bf16
#else
#define PAIR_HALF f16
#endif
#define PAIR_PASTE(a, b)   a##b
#define PAIR_EXPAND(a, b)  PAIR_PASTE(a, b)
#define PAIR_OF_HALF(name) PAIR_EXPAND(name, PAIR_HALF)

#endif
