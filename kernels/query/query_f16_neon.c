/* query_f16_neon.c - one vector against many of f16, on float32x4_t: query_neon.c with loads that convert.
 * SPDX-License-Identifier: MIT
 */
#define QUERY_OF_F16
#include "query_neon.c"
