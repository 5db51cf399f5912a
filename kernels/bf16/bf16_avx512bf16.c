/* bf16_avx512bf16.c - rows of bf16, AVX-512 with BF16.
 * SPDX-License-Identifier: MIT
 *
 * vdpbf16ps takes 32 elements of x and of y and flushes by itself: a block of 128 is 8 loads and 4
 * products, of a cosine 8 and 12. neg_sq_l2 has no use for it.
 */
#include "rows_avx512.h"

BF16_INLINE __m512 add(__m512 lanes, __m512i x, __m512i y)
{
    return _mm512_dpbf16_ps(lanes, (__m512bh)x, (__m512bh)y);
}

static const struct bf16_way way = {.add = add};

BF16_TABLE_AVX512(avx512bf16, &way);
