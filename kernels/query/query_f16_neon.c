/* query_f16_neon.c - rows of f16 beside vectors of floats: query_neon.c with loads that convert.
 * SPDX-License-Identifier: MIT
 *
 * A block of 64 of a row is 16 loads and 16 fcvtl. Only emulated so far.
 */
#define QUERY_OF_F16
#include "query_neon.c"
