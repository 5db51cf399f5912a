/* pair_f16_avx512.c - two vectors of f16, on __m512: pair_avx512.c with loads that convert.
 * SPDX-License-Identifier: MIT
 *
 * A block of 64 of a row is 4 vcvtph2ps, which bound a dot product and weigh on a cosine: of 768 in
 * L1 they took 25 and 33 ns on a Zen 5, a cosine of floats 23 beside it.
 */
#define PAIR_OF_F16
#include "pair_avx512.c"
