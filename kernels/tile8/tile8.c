/* tile8.c - cosines from products of int8 that lie near a number half way between two floats.
 * SPDX-License-Identifier: MIT
 *
 * Bound by a root and a division for each, which is why the tables make all others (tile8.h).
 */
#include "tile8.h"

/* Of a row's scale the sign counts, which its factor has. */
static struct int8_side side_of(const struct tile8_side *side, size_t i)
{
    return (struct int8_side){.scale = side->factor[i], .square = side->square[i]};
}

void tile8_cosines(size_t begin, size_t end, const int32_t *c, const struct tile8_side *x, size_t r,
                   const struct tile8_side *y, float *out)
{
    const struct int8_side row = side_of(x, r);
    for (size_t j = begin; j < end; j++) {
        const struct int8_side column = side_of(y, j);
        out[j] = int8_cosine_of(c[j], &row, &column);
    }
}
