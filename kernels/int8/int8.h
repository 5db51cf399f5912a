/* int8.h - what becomes of exact sums of products of rows of MMK_I8 (internal).
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_INT8_H
#define MMK_INT8_H

#include "../mmk.h"
#include "../simd/scalar.h"

/* ---- From sums to results -------------------------------------------------------------------- */

/* What a row brings to its similarities, beside products with others. */
struct int8_side {
    double scale, sign; /* sign: -1, 0 or 1; NaN where scale is not finite */
    double square;      /* q.q, */
    double part;        /* and scale scale q.q */
};

static inline double int8_sign(float scale)
{
    return (double)(scale > 0) - (double)(scale < 0) + (double)(scale - scale);
}

static inline struct int8_side int8_side(float scale, int32_t square)
{
    double s = (double)scale, q = (double)square;
    return (struct int8_side){.scale = s, .sign = int8_sign(scale), .square = q, .part = s * s * q};
}

static inline float int8_dot_of(int32_t pq, double a, double b)
{
    return simd_canonical_nan((float)(a * b * (double)pq + 0.0));
}

static inline float int8_cosine_of(int32_t pq, const struct int8_side *p, const struct int8_side *q)
{
    double squares = p->square * q->square;
    double cosine = squares != 0 ? (double)pq / sqrt(squares) : 0;
    return simd_canonical_nan((float)(p->sign * q->sign * cosine + 0.0));
}

static inline float int8_neg_sq_l2_of(int32_t pq, const struct int8_side *p,
                                      const struct int8_side *q)
{
    double distance = p->part + q->part - 2 * p->scale * q->scale * (double)pq;
    distance = distance < 0 ? 0 : distance;
    return simd_canonical_nan((float)(0.0 - distance));
}

#endif
