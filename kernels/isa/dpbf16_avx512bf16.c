/* dpbf16_avx512bf16.c - vdpbf16ps, to be tested.
 * SPDX-License-Identifier: MIT
 */
#include "dpbf16.h"

#include <immintrin.h>

void isa_dpbf16_instruction(float sum[16], const uint16_t a[32], const uint16_t b[32])
{
    __m512i u = _mm512_loadu_si512(a), v = _mm512_loadu_si512(b);
    _mm512_storeu_ps(sum, _mm512_dpbf16_ps(_mm512_loadu_ps(sum), (__m512bh)u, (__m512bh)v));
}
