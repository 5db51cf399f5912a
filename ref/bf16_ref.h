/* bf16_ref.h - the sums of rows of bf16 in their order, bit by bit, in arithmetic of its own.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BF16_REF_H
#define MMK_BF16_REF_H

#include <stddef.h>
#include <stdint.h>

/* a b + c as bf16/bf16.h has it: denormal numbers that come in or out are 0. */
float bf16_ref_fma(float a, float b, float c);

/* x.y in 64 lanes and their tree. */
float bf16_ref_dot(size_t d, const uint16_t *x, const uint16_t *y);

#endif
