/* element.h - what rows are of (internal).
 * SPDX-License-Identifier: MIT
 *
 * The inner loops of pair/ and query/ are one text, and their loads give floats whatever the rows
 * are of. pair_f16_<isa>.c compiles it for two rows of f16, query_f16_<isa>.c for rows y of f16 and
 * an x that has been widened; all else is for floats. f16 goes to float exactly, so that the bits
 * are those of the functions of floats.
 */
#ifndef MMK_PAIR_ELEMENT_H
#define MMK_PAIR_ELEMENT_H

#include <stdint.h>

#if defined(PAIR_OF_F16)
typedef uint16_t pair_x, pair_y;
#elif defined(QUERY_OF_F16)
typedef float pair_x;
typedef uint16_t pair_y;
#else
typedef float pair_x, pair_y;
#endif

#endif
