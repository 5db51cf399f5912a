/* query_f16_scalar.c - one vector against many of f16, in portable C: query_scalar.c with elements converted.
 * SPDX-License-Identifier: MIT
 */
#define QUERY_OF_F16
#include "query_scalar.c"
