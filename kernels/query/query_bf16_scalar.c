/* query_bf16_scalar.c - several vectors against many of bf16, in portable C: query_scalar.c with loads that widen.
 * SPDX-License-Identifier: MIT
 */
#define QUERY_OF_BF16
#include "query_scalar.c"
