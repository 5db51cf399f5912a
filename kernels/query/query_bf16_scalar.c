/* query_bf16_scalar.c - rows of bf16 beside floats: query_scalar.c with loads that convert.
 * SPDX-License-Identifier: MIT
 */
#define QUERY_OF_BF16
#include "query_scalar.c"
