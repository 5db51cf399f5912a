/* query_f16_scalar.c - rows of f16 beside floats: query_scalar.c with loads that convert.
 * SPDX-License-Identifier: MIT
 */
#define QUERY_OF_F16
#include "query_scalar.c"
