/* pair_f16_neon.c - two vectors of f16, on float32x4_t: pair_neon.c with loads that convert.
 * SPDX-License-Identifier: MIT
 *
 * A block of 64 of a row is 16 loads and 16 fcvtl. Only emulated so far.
 */
#define PAIR_OF_F16
#include "pair_neon.c"
