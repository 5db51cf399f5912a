/* query_bf16_avx2.c - several vectors against many of bf16, on __m256: query_avx2.c with loads that widen.
 * SPDX-License-Identifier: MIT
 */
#define QUERY_OF_BF16
#include "query_avx2.c"
