/* dpbf16.h - whether vdpbf16ps does what the library takes it for (internal).
 * SPDX-License-Identifier: MIT
 *
 * What it must do is f in bf16/bf16.h, twice. So it was found on Zen 4 (normal numbers) and Zen 5
 * (all); no other machine was at hand. One whose instruction does otherwise is taken for one
 * without it, and has the same bits from FMAs.
 */
#ifndef MMK_ISA_DPBF16_H
#define MMK_ISA_DPBF16_H

#include <stdbool.h>
#include <stdint.h>

/* sum[i] += of a and b the elements 2i + 1, and then 2i. */
typedef void isa_dpbf16(float sum[16], const uint16_t a[32], const uint16_t b[32]);

/* 16 lanes, each of which comes out otherwise where one thing is done otherwise. */
bool isa_dpbf16_is_as_defined(isa_dpbf16 *dpbf16);

/* The instruction itself, on machines that have it. */
#if defined(__x86_64__)
void isa_dpbf16_instruction(float sum[16], const uint16_t a[32], const uint16_t b[32]);
#endif

#endif
