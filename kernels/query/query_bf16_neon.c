/* query_bf16_neon.c - rows of bf16 beside vectors of floats: query_neon.c with loads that convert.
 * SPDX-License-Identifier: MIT
 */
#define QUERY_OF_BF16
#include "query_neon.c"
