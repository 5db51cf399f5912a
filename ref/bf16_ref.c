/* bf16_ref.c - the sums of rows of bf16 in their order, bit by bit.
 * SPDX-License-Identifier: MIT
 *
 * Without an FMA: the product of two bf16 is exact in double. Its sum with c is taken in double and
 * rounded to odd (where it is not exact the last bit becomes 1), from which one rounding to float
 * is that of the exact sum: double has more than two bits more. What is tiny is seen before that:
 * with exponents without end a sum would be rounded to 2^-126 or more from 2^-126 - 2^-151 on, a
 * tie that goes to even.
 */
#include "bf16_ref.h"

#include "half.h"

#include <float.h>

static float flushed(float v)
{
    return fabsf(v) < FLT_MIN ? copysignf(0, v) : v;
}

float bf16_ref_fma(float a, float b, float c)
{
    double p = (double)flushed(a) * (double)flushed(b), q = (double)flushed(c), sum = p + q;
    if (!isfinite(sum))
        return (float)sum;
    /* Knuth's sum of two: what sum lacks. */
    double of_q = sum - p, lost = (p - (sum - of_q)) + (q - of_q);
    uint64_t bits;
    memcpy(&bits, &sum, sizeof bits);
    if (lost != 0 && (bits & 1) == 0) {
        /* to the neighbour on the side of what is lost, whose last bit is 1 */
        bits += (lost > 0) == (sum > 0) ? 1 : UINT64_MAX;
        memcpy(&sum, &bits, sizeof sum);
    }
    if (fabs(sum) < 0x1p-126 - 0x1p-151)
        return (float)copysign(0, sum);
    return (float)sum;
}

float bf16_ref_dot(size_t d, const uint16_t *x, const uint16_t *y)
{
    float lane[64] = {0};
    for (size_t k = 0; k < d; k += 2) {
        float *of = &lane[k / 2 % 64];
        if (k + 1 < d)
            *of = bf16_ref_fma(half_from_bf16(x[k + 1]), half_from_bf16(y[k + 1]), *of);
        *of = bf16_ref_fma(half_from_bf16(x[k]), half_from_bf16(y[k]), *of);
    }
    for (size_t half = 32; half > 0; half /= 2)
        for (size_t l = 0; l < half; l++)
            lane[l] += lane[l + half];
    return lane[0] + 0.0f;
}
