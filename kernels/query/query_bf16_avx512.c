/* query_bf16_avx512.c - several vectors against many of bf16, on __m512: query_avx512.c with loads that widen.
 * SPDX-License-Identifier: MIT
 */
#define QUERY_OF_BF16
#include "query_avx512.c"
