/* pair_f16_avx2.c - two vectors of f16, on __m256: pair_avx2.c with loads that convert (F16C).
 * SPDX-License-Identifier: MIT
 *
 * A block of 64 of a row is 8 vcvtph2ps, in the place of 8 loads, which bound the loops of floats:
 * of 768 in L1 a dot product took 33 ns on a Zen 5 and a cosine 47, of floats 31 and 45.
 */
#define PAIR_OF_F16
#include "pair_avx2.c"
