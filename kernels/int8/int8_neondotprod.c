/* int8_neondotprod.c - rows of MMK_I8, NEON with dot products (Armv8.2).
 * SPDX-License-Identifier: MIT
 *
 * sdot multiplies 16 signed bytes and adds four and four.
 *
 * Bound by    loads, two for one sdot of a pair; not timed.
 */
#include "rows_neon.h"
#include "table.h"

INT8_INLINE int32x4_t add_products(int32x4_t sum, int8x16_t p, int8x16_t q)
{
    return vdotq_s32(sum, p, q);
}

static const struct int8_way way = {add_products};

INT8_TABLE(neon, neondotprod, &way);
