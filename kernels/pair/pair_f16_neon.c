/* pair_f16_neon.c - two vectors of f16, on float32x4_t: pair_neon.c with loads that convert.
 * SPDX-License-Identifier: MIT
 */
#define PAIR_OF_F16
#include "pair_neon.c"
