/* codes.c - rows to codes, and these in the order in which the product reads them.
 * SPDX-License-Identifier: MIT
 *
 * Bound, of the left side, by moving single quads to their places, one a clock: a quarter clock a
 * column. The right side is packed as that of any product of int8.
 */
#include "codes.h"

#include <math.h>
#include <string.h>

/* The root of a sum of squares, rounded up by more than the sum was rounded. */
static float root_up(float squares, size_t d)
{
    return sqrtf(squares) * (1 + ((float)d + 64) * 0x1p-24f);
}

/* What is said of a row that has no codes. */
static struct codes_scale unusable(float norm, float greatest)
{
    if (norm != norm)
        return (struct codes_scale){0, INFINITY, NAN};
    return norm == 0 && greatest == 0 ? (struct codes_scale){0, 0, 0}
                                      : (struct codes_scale){0, INFINITY, INFINITY};
}

struct codes_scale codes_quantize(const struct codes_ops *ops, size_t d, const float *row,
                                  int8_t *codes)
{
    const struct quantize_range range = ops->quantize->range(d, row, NULL);
    const float norm = root_up(range.squares, d), greatest = range.greatest;
    if (!codes_usable(norm)) {
        memset(codes, 0, codes_row_bytes(d));
        return unusable(norm, greatest);
    }
    const struct quantize_unit unit = {
        .power = 1, .step = greatest / 127, .inverse = 127 / greatest};
    float left = root_up(ops->quantize->encode(d, row, &unit, codes), d);
    return (struct codes_scale){unit.step, left + norm * 0x1p-24f, norm};
}

void codes_put_left(const struct codes_ops *ops, size_t d, const struct codes_left *left, size_t r,
                    struct codes_scale scale, const int8_t *row)
{
    size_t quads = codes_quads(d), mr = ops->tile->mr, strip = r / mr;
    int8_t *out = left->codes + (strip * quads * mr + r % mr) * 4;
    int32_t sum = 0;
    for (size_t q = 0; q < quads; q++, row += 4, out += 4 * mr) {
        memcpy(out, row, 4);
        sum += row[0] + row[1] + row[2] + row[3];
    }
    bool usable = scale.step > 0 && scale.error < INFINITY;
    float up = (1 + 0x1p-20f) / scale.step;
    left->start[r] = -(int32_t)ops->tile->bias * sum;
    left->per_step[r] = usable ? 1 / scale.step : 0;
    left->norm[r] = usable ? scale.norm * up : 0;
    float error = usable ? scale.error * up : 0;
    if (r % mr == 0 || error > left->error[strip])
        left->error[strip] = error;
}

void codes_put_panel(const struct codes_ops *ops, size_t d, size_t count, const int8_t *rows,
                     uint8_t *panel)
{
    const int8_t *row[CODES_PANEL];
    for (size_t r = 0; r < count; r++)
        row[r] = rows + r * codes_row_bytes(d);
    ops->tile->pack(count, row, d, CODES_PANEL, ops->tile->bias, panel);
}

void codes_put_scales(size_t d, struct codes_right *right, size_t first, size_t count,
                      const struct codes_scale *scale, bool adds)
{
    const float spare = CODES_SPARE(d) * 0x1p-24f, half = 0.5f - (2 * (float)d + 136) * 0x1p-24f;
    for (size_t r = 0; r < CODES_PANEL; r++) {
        struct codes_scale of = r < count ? scale[r] : (struct codes_scale){0, 0, 0};
        right->step[first + r] = of.step;
        bool nan = of.norm != of.norm;
        right->reach[first + r] = nan ? 0 : of.norm + of.error;
        right->off[first + r] = nan ? -INFINITY : of.error + spare * of.norm;
        right->add[first + r] = adds && !nan ? -of.norm * of.norm * half : 0;
    }
}
