/* query_f16_avx2.c - rows of f16 beside vectors of floats: query_avx2.c with loads that convert.
 * SPDX-License-Identifier: MIT
 *
 * x is floats; a block of 64 of a row is 8 vcvtph2ps. On a Zen 5 rows from memory took half the
 * time of floats, with a cosine of 128 columns 0.7 of it; from L1 and L2 as long, but for 0.6
 * to 0.8 at 768 columns.
 */
#define QUERY_OF_F16
#include "query_avx2.c"
