/* query_f16_avx512.c - one vector against many of f16, on __m512: query_avx512.c with loads that convert.
 * SPDX-License-Identifier: MIT
 */
#define QUERY_OF_F16
#include "query_avx512.c"
