/* query_bf16_avx2.c - rows of bf16 beside vectors of floats: query_avx2.c with loads that convert.
 * SPDX-License-Identifier: MIT
 */
#define QUERY_OF_BF16
#include "query_avx2.c"
