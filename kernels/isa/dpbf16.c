/* dpbf16.c - lanes that tell how vdpbf16ps rounds and flushes.
 * SPDX-License-Identifier: MIT
 */
#include "dpbf16.h"

#include <string.h>

/* Powers of two, as bits of a bf16 and of a float. */
#define BF16_2(e) (uint16_t)((e + 127) << 7)
#define F32_2(e)  ((uint32_t)(e + 127) << 23)

enum { MINUS = 0x8000 };

static const struct {
    uint16_t odd_a, odd_b, even_a, even_b;
    uint32_t sum, result;
} lanes[16] = {
    /* 1 + 2^-24 is a tie, and 1; 2^-24 (1 + 2^-7) more is above one: the even one first, it would
     * be above two */
    {BF16_2(0), BF16_2(-24), BF16_2(0), BF16_2(-24) + 1, F32_2(0), F32_2(0) + 1},
    {BF16_2(0), BF16_2(-24) + 1, BF16_2(0), BF16_2(-24), F32_2(0), F32_2(0) + 2},
    /* twice a tie: the products together would be above it */
    {BF16_2(0), BF16_2(-24), BF16_2(0), BF16_2(-24), F32_2(0), F32_2(0)},
    /* to nearest, not towards 0, +Inf or -Inf */
    {BF16_2(0), BF16_2(-25) + 64, BF16_2(0), BF16_2(-25) + MINUS, F32_2(1), F32_2(1)},
    /* a product beyond the greatest float, and one below the least normal one: both are fused */
    {BF16_2(127), BF16_2(1), BF16_2(0), 0, F32_2(127) | 1u << 31, F32_2(127)},
    {BF16_2(-100), BF16_2(-40), BF16_2(0), 0, F32_2(-126), F32_2(-126) + (1 << 9)},
    /* denormal inputs are 0: of the sum, of a and of b */
    {BF16_2(-63), BF16_2(-63), 0, 0, 1, F32_2(-126)},
    {0x0040, BF16_2(20), BF16_2(0), BF16_2(0), 0, F32_2(0)},
    {BF16_2(20), 0x0040, BF16_2(0), BF16_2(20), 0, F32_2(20)},
    {BF16_2(0), BF16_2(0), 0x007f, BF16_2(120), 0, F32_2(0)},
    /* denormal results are 0 of their sign: after the odd product, and after the even one */
    {BF16_2(-63), BF16_2(-64), BF16_2(-63), BF16_2(-64), 0, 0},
    {BF16_2(-63), BF16_2(-64) + MINUS, 0x8000, 0, 0, 1u << 31},
    {0, 0, BF16_2(-63), BF16_2(-64), F32_2(-126) | 1u << 31, 1u << 31},
    /* tiny after rounding, not before: 2^-126 - 2^-160 is 2^-126, 2^-126 - 2^-150 is not */
    {BF16_2(-80), BF16_2(-80) + MINUS, 0, 0, F32_2(-126), F32_2(-126)},
    {BF16_2(-75), BF16_2(-75) + MINUS, 0, 0, F32_2(-126), 0},
    /* 0 times Inf is NaN, of a denormal number, too */
    {0x0001, 0x7f80, 0, 0, 0, 0x7fc00000},
};

bool isa_dpbf16_is_as_defined(isa_dpbf16 *dpbf16)
{
    uint16_t a[32], b[32];
    float sum[16];
    uint32_t bits[16];
    for (int i = 0; i < 16; i++) {
        a[2 * i] = lanes[i].even_a;
        b[2 * i] = lanes[i].even_b;
        a[2 * i + 1] = lanes[i].odd_a;
        b[2 * i + 1] = lanes[i].odd_b;
        bits[i] = lanes[i].sum;
    }
    memcpy(sum, bits, sizeof sum);
    dpbf16(sum, a, b);
    memcpy(bits, sum, sizeof bits);
    bool as_defined = true;
    for (int i = 0; i < 16; i++) {
        bool nan = (bits[i] & 0x7fffffffu) > 0x7f800000u;
        as_defined &= nan ? lanes[i].result == 0x7fc00000 : bits[i] == lanes[i].result;
    }
    return as_defined;
}
