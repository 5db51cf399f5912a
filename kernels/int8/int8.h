/* int8.h - products of rows of MMK_I8, what becomes of them, and the contract of the inner loops
 * (internal).
 * SPDX-License-Identifier: MIT
 *
 * Sums of products are exact integers, in whatever order they are taken: |sum| <= 128 128 d < 2^31
 * for d up to ARGS_I8_COLUMNS, and where something is added to bytes to make them unsigned, sums
 * wrap and come back. What is made of them is a few operations in double, each rounded once, in the
 * order that stands below; then comes one rounding to float. With p, q the codes, a, b the scales:
 *     dot        (a b) p.q                      a b and integers are exact in double
 *     cosine     p.q / sqrt(p.p q.q) with the sign changed where a b is negative, 0 where p.p q.q
 *                or a b is; and + (a b - a b), which is NaN where a scale is not finite
 *     neg_sq_l2  -max(0, ((a a) p.p + (b b) q.q) - ((2 a) b) p.q), without FMAs: equal rows have
 *                both sides the same double, and 0 comes out
 * Equal rows have cosine 1 or -1: the root of a square is exact, though the square is rounded.
 * Adding 0 at the end makes -0 into +0.
 *
 *   int8.c            mmk_dot_pair_i8, mmk_similarity_pair_i8, mmk_dot_query_i8 and so on
 *   int8_<isa>.c      the table; its head says what bounds it
 *   rows_<isa>.h      what tables of one instruction set share
 *   quantize.h        rows of floats to rows of MMK_I8
 */
#ifndef MMK_INT8_H
#define MMK_INT8_H

#include "../mmk.h"
#include "../simd/scalar.h"

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct int8_ops {
    /* p.q */
    int32_t (*dot)(size_t d, const int8_t *p, const int8_t *q);
    /* sim(p_scale p, q_scale q), indexed by enum mmk_similarity. */
    float (*pair[MMK_SIMILARITY_COUNT])(size_t d, const int8_t *p, float p_scale, const int8_t *q,
                                        float q_scale);
    /* result[j] = x.y_j */
    void (*dots)(size_t n, size_t d, const int8_t *x, const int8_t *y, size_t ldy, int32_t *result);
    /* result[j] = sim(x_scale x, scales[j] y_j), the bits of pair; scales NULL: ones. */
    void (*query[MMK_SIMILARITY_COUNT])(size_t n, size_t d, const int8_t *x, float x_scale,
                                        const int8_t *y, size_t ldy, const float *scales,
                                        float *result);
};

extern const struct int8_ops int8_ops_scalar;
extern const struct int8_ops int8_ops_avx2, int8_ops_avxvnni;
extern const struct int8_ops int8_ops_avx512, int8_ops_avx512vnni;
extern const struct int8_ops int8_ops_neon, int8_ops_neondotprod;

/* ---- From sums to results -------------------------------------------------------------------- */

/* What a row brings to its similarities, beside products with others. */
struct int8_side {
    double scale;
    double square; /* q.q, */
    double part;   /* and scale scale q.q */
};

static inline struct int8_side int8_side(float scale, double square)
{
    double s = (double)scale;
    return (struct int8_side){.scale = s, .square = square, .part = s * s * square};
}

static inline float int8_dot_of(double pq, double a, double b)
{
    return simd_canonical_nan((float)(a * b * pq + 0.0));
}

static inline float int8_cosine_of(double pq, const struct int8_side *p, const struct int8_side *q)
{
    double squares = p->square * q->square, ab = p->scale * q->scale;
    double cosine = squares != 0 && ab != 0 ? pq / sqrt(squares) : 0;
    cosine = ab < 0 ? -cosine : cosine;
    return simd_canonical_nan((float)(cosine + (ab - ab)));
}

static inline float int8_neg_sq_l2_of(double pq, const struct int8_side *p,
                                      const struct int8_side *q)
{
    double distance = p->part + q->part - 2 * p->scale * q->scale * pq;
    distance = distance < 0 ? 0 : distance;
    return simd_canonical_nan((float)(0.0 - distance));
}

/* ---- For the tables -------------------------------------------------------------------------- */

/* Rows of up to so many columns are taken several at a time, and longer ones one after the other:
 * hardware follows no streams that run within a page of each other. (Four rows of 768 at a time
 * came from memory at 15 GB/s where one at a time came at 25, and of rows of 128 in L2 four at a
 * time at 94 GB/s, one at 50: Zen 5, single looks on a busy machine.) And how far ahead lines are
 * prefetched, in bytes. */
enum { INT8_SHORT_ROW = 256, INT8_AHEAD = 4096 };

/* A row of d < 16 bytes, zeros after them, without touching what is beside them. */
static inline void int8_load_short(const int8_t *p, size_t d, uint64_t out[2])
{
    uint64_t first = 0, last = 0;
    out[0] = out[1] = 0;
    if (d >= 8) { /* the last eight less what the first have; 16 - d may be all eight */
        memcpy(out, p, 8);
        memcpy(&last, p + d - 8, 8);
        out[1] = last >> 8 * (15 - d) >> 8;
    } else if (d >= 4) {
        memcpy(&first, p, 4);
        memcpy(&last, p + d - 4, 4);
        out[0] = first | last >> 8 * (8 - d) << 32;
    } else if (d > 0) {
        out[0] = (uint64_t)(uint8_t)p[0] | (uint64_t)(uint8_t)p[d / 2] << 8 * (d / 2) |
                 (uint64_t)(uint8_t)p[d - 1] << 8 * (d - 1);
    }
}

/* Bytes that are all ones in the last `last` of a vector of 32 or less, and 0 before. */
static inline const int8_t *int8_last(size_t vector, size_t last)
{
    static const int8_t window[64] = {[32] = -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
                                      -1,        -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
                                      -1,        -1, -1, -1, -1, -1, -1, -1, -1, -1};
    return window + 32 - vector + last;
}

/* p.q, p.p and q.q: integers, in double for what is made of them. */
struct int8_sums {
    double pq, pp, qq;
};

static inline float int8_cosine_of_sums(struct int8_sums s, float p_scale, float q_scale)
{
    const struct int8_side p = int8_side(p_scale, s.pp), q = int8_side(q_scale, s.qq);
    return int8_cosine_of(s.pq, &p, &q);
}

static inline float int8_neg_sq_l2_of_sums(struct int8_sums s, float p_scale, float q_scale)
{
    const struct int8_side p = int8_side(p_scale, s.pp), q = int8_side(q_scale, s.qq);
    return int8_neg_sq_l2_of(s.pq, &p, &q);
}

#endif
