/* half.h - rows of 16-bit floats become rows of float, and their contract (internal).
 * SPDX-License-Identifier: MIT
 *
 * A float holds every f16 (IEEE binary16) and every bfloat16 exactly, denormals too: what is
 * computed of rows of these is what the float kernel computes of the rows that they become. What is
 * bound by FMAs is packed anyway, and made float on the way there.
 *
 *   half_<isa>.c   by hand; the head says what bounds it
 */
#ifndef MMK_HALF_H
#define MMK_HALF_H

#include "../mmk.h"

#include <stddef.h>
#include <stdint.h>

/* to[k] = from[k] for k < n. NaN becomes a NaN. No float is read or written beyond n. */
typedef void half_widen(size_t n, const uint16_t *from, float *to);

struct half_ops {
    half_widen *f16, *bf16;
};

extern const struct half_ops half_ops_scalar;
extern const struct half_ops half_ops_avx2;
extern const struct half_ops half_ops_avx512;
extern const struct half_ops half_ops_neon;

/* NULL for a type that is none of both. */
static inline half_widen *half_widen_of(const struct half_ops *ops, enum mmk_type type)
{
    return type == MMK_F16 ? ops->f16 : type == MMK_BF16 ? ops->bf16 : NULL;
}

#endif
