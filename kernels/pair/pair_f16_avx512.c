/* pair_f16_avx512.c - two vectors of f16, on __m512: pair_avx512.c with loads that convert.
 * SPDX-License-Identifier: MIT
 */
#define PAIR_OF_F16
#include "pair_avx512.c"
