/* query_f16_avx2.c - one vector against many of f16, on __m256: query_avx2.c with loads that convert.
 * SPDX-License-Identifier: MIT
 */
#define QUERY_OF_F16
#include "query_avx2.c"
