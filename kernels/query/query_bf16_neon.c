/* query_bf16_neon.c - several vectors against many of bf16, on float32x4_t: query_neon.c with loads that widen.
 * SPDX-License-Identifier: MIT
 */
#define QUERY_OF_BF16
#include "query_neon.c"
