/* query_f16_avx512.c - rows of f16 beside floats: query_avx512.c with loads that convert.
 * SPDX-License-Identifier: MIT
 *
 * x is floats; a block of 64 of a row is 4 vcvtph2ps. Rows from memory take half the time of
 * floats. From caches the conversions bound them: on a Zen 5 rows of 768 took 0.5 to 0.6 of the
 * time of floats from L2, rows of 128 from L2 1.1 times, from L3 0.7, and rows of 64 from L2
 * 1.4 times as long.
 */
#define QUERY_OF_F16
#include "query_avx512.c"
