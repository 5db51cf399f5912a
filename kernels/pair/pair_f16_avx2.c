/* pair_f16_avx2.c - two vectors of f16, on __m256: pair_avx2.c with loads that convert (F16C).
 * SPDX-License-Identifier: MIT
 */
#define PAIR_OF_F16
#include "pair_avx2.c"
