/* int8_neon.c - rows of MMK_I8, NEON.
 * SPDX-License-Identifier: MIT
 *
 * smull multiplies 8 bytes into words, at most 128 128, and sadalp adds them two and two: 2 and 2
 * for 16 columns.
 *
 * Bound by    these four, on one or two pipes; not timed.
 */
#include "rows_neon.h"
#include "table.h"

INT8_INLINE int32x4_t add_products(int32x4_t sum, int8x16_t p, int8x16_t q)
{
    sum = vpadalq_s16(sum, vmull_s8(vget_low_s8(p), vget_low_s8(q)));
    return vpadalq_s16(sum, vmull_high_s8(p, q));
}

static const struct int8_way way = {add_products};

INT8_TABLE(neon, neon, &way);
