/* pair_f16_scalar.c - two vectors of f16, in portable C: pair_scalar.c with elements converted.
 * SPDX-License-Identifier: MIT
 */
#define PAIR_OF_F16
#include "pair_scalar.c"
