/* query_bf16_avx512.c - rows of bf16 beside floats: query_avx512.c with loads that convert.
 * SPDX-License-Identifier: MIT
 */
#define QUERY_OF_BF16
#include "query_avx512.c"
