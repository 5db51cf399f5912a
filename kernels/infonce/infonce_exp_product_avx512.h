/* infonce_exp_product_avx512.h - exponentials between the instructions of a product, AVX-512
 * (internal; a part of infonce_avx512.c).
 * SPDX-License-Identifier: MIT
 *
 * A product keeps the two FMA ports of Zen 5 full and its two other vector ports empty. Of the 14
 * operations of an exponential only five need the former: between the steps of a product it costs
 * 2.5 clocks for 16 elements, after it, alone, 5.4.
 *
 * Registers   12 x 32 sums in 24 zmm, 2 of B, 1 broadcast of A; five are left for an exponential,
 *             most of whose constants are in memory. 14 rows as in tile_avx512.c would leave one.
 * Bound by    the FMA ports: 24 FMAs a step, 12 clocks, and 2.5 for each exponential. A forward on
 *             Zen 5, dot or cosine, is 8 % faster than with one after the other at depth 64, 4 % at
 *             128 and no slower at 512; neg_sq_l2, whose norms are taken in parts, too, 2 % at 64.
 *             Zen 4, a zmm in two halves, has the same ports and twice the clocks; not timed.
 * Not for     Intel's cores, on which all of an exponential needs the two ports of FMAs: on Emerald
 *             Rapids a forward in this way takes 1.12 times as long at depth 64 and 1.06 at 512.
 *             So a row of kernels says what it is for (isa_row.add_ports). llvm-mca has 176 clocks
 *             on Skylake for eight steps and four exponentials, where the ports allow 148.
 */
#ifndef MMK_INFONCE_EXP_PRODUCT_AVX512_H
#define MMK_INFONCE_EXP_PRODUCT_AVX512_H

#include "blocks.h"

#include "../simd/avx512.h"

#include <stdbool.h>

/* The steps of a part, in which four rows' exponentials are taken: 6 parts for 12 rows x 32. */
enum { EXP_PRODUCT_ROWS = 12, PART_STEPS = 8, PARTS = EXP_PRODUCT_ROWS / 4 * 2 };
_Static_assert((int)EXP_PRODUCT_LEAST_ROWS >= 2 * EXP_PRODUCT_ROWS,
               "rows that wait stay unwritten");

/* simd_exp2_shifted16 where the ports of FMAs are the fuller: t is an add. The constants are
 * operands in memory; the compiler would keep them in registers that it has not. */
static inline __attribute__((always_inline)) __m512
infonce_exp_between_avx512(__m512 z, const struct simd_shift *c)
{
    const float *coefficient = simd_exp2_short;
    __asm__("" : "+r"(coefficient));
    z = simd_exp2_clamp16(z, c->lowest, c->highest);
    __m512 t = _mm512_add_ps(z, _mm512_set1_ps(c->magic));
    return simd_exp2_rounded16(z, t, c->magic, coefficient);
}

/* Row r of a part: 16 exponentials, which join the row's lanes and may be stored. */
static inline __attribute__((always_inline)) __m512
infonce_exp_row_avx512(const struct infonce_waiting *w, bool stores, size_t part, size_t r)
{
    size_t row = part / 2 * 4 + r, at = row * INFONCE_STRIP + part % 2 * 16;
    float *lane = w->row_lane + row * INFONCE_LANES;
    __m512 e = infonce_exp_between_avx512(_mm512_loadu_ps(w->z + at), &w->shift);
    _mm512_storeu_ps(lane, _mm512_add_ps(_mm512_loadu_ps(lane), e));
    if (stores)
        _mm512_storeu_ps(w->e + at, e);
    return e;
}

static inline __attribute__((always_inline)) void
infonce_exp_column_avx512(const struct infonce_waiting *w, size_t part, __m512 sum)
{
    float *column = w->col_sum + part % 2 * 16;
    _mm512_storeu_ps(column, _mm512_add_ps(_mm512_loadu_ps(column), sum));
}

/* Where the product is, and what is fetched meanwhile. */
struct infonce_at_avx512 {
    const float *a, *b, *a_line, *ahead;
};

/* Step i of a part. */
static inline __attribute__((always_inline)) void
infonce_step_avx512(struct infonce_at_avx512 at, size_t i, __m512 acc[EXP_PRODUCT_ROWS][2])
{
    const float *b = at.b + i * INFONCE_STRIP;
    __m512 b0 = _mm512_loadu_ps(b), b1 = _mm512_loadu_ps(b + 16);
    _mm_prefetch((const char *)(at.ahead + i * TILE_LINE), _MM_HINT_T1);
    _mm_prefetch((const char *)(at.a_line + i * INFONCE_STRIP), _MM_HINT_T0);
#pragma GCC unroll 12
    for (size_t r = 0; r < EXP_PRODUCT_ROWS; r++) {
        __m512 a = _mm512_set1_ps(at.a[r * INFONCE_STRIP + i]);
        acc[r][0] = _mm512_fmadd_ps(a, b0, acc[r][0]);
        acc[r][1] = _mm512_fmadd_ps(a, b1, acc[r][1]);
    }
}

/* The compiler leaves what stands before it before, and what stands after it after. */
#define INFONCE_IN_ORDER __asm__ volatile("" ::: "memory")

/* A part's steps, and between them four rows' exponentials. */
static inline __attribute__((always_inline)) void
infonce_part_avx512(struct infonce_at_avx512 at, __m512 acc[EXP_PRODUCT_ROWS][2],
                    const struct infonce_waiting *w, bool stores, size_t part)
{
    __m512 sum[2];
#pragma GCC unroll 4
    for (size_t r = 0; r < 4; r++) {
        infonce_step_avx512(at, 2 * r, acc);
        INFONCE_IN_ORDER;
        __m512 e = infonce_exp_row_avx512(w, stores, part, r);
        sum[r / 2] = r % 2 == 0 ? e : _mm512_add_ps(sum[r / 2], e);
        if (r == 3)
            infonce_exp_column_avx512(w, part, _mm512_add_ps(sum[0], sum[1]));
        INFONCE_IN_ORDER;
        infonce_step_avx512(at, 2 * r + 1, acc);
    }
}

/* Before a part that begins with step k: the lines of its rows 32 columns on are fetched, or at
 * last those of the next rows. No address is made ahead of its use: registers are short. */
static inline __attribute__((always_inline)) void
infonce_begin_part_avx512(struct infonce_at_avx512 *at, size_t k, size_t depth, size_t stride,
                          const float *next_rows)
{
    at->a_line += PART_STEPS * INFONCE_STRIP;
    if (k % 16 == 0)
        at->a_line = k + INFONCE_STRIP < depth ? at->a + stride : next_rows + k % INFONCE_STRIP;
    __asm__("" : "+r"(at->a), "+r"(at->b), "+r"(at->a_line), "+r"(at->ahead));
}

/* After it; k is the step that comes next. */
static inline __attribute__((always_inline)) void
infonce_end_part_avx512(struct infonce_at_avx512 *at, size_t k, size_t stride)
{
    at->a += k % INFONCE_STRIP != 0 ? PART_STEPS : PART_STEPS + stride - INFONCE_STRIP;
    at->b += PART_STEPS * INFONCE_STRIP;
    at->ahead += PART_STEPS * TILE_LINE;
}

static inline __attribute__((always_inline)) void
infonce_exp_product_form_avx512(const struct infonce_waiting *w, bool stores, size_t depth,
                                const float *a, size_t stride, const float *b, float *z,
                                const float *ahead)
{
    struct infonce_at_avx512 at = {a, b, a, ahead};
    const float *next_rows = a + EXP_PRODUCT_ROWS * INFONCE_STRIP;
    __m512 acc[EXP_PRODUCT_ROWS][2];
#pragma GCC unroll 12
    for (size_t r = 0; r < EXP_PRODUCT_ROWS; r++)
        acc[r][0] = acc[r][1] = _mm512_setzero_ps();
    size_t part = w->z != NULL ? 0 : PARTS, k = 0;
    for (; part < PARTS && k + PART_STEPS <= depth; part++) {
        infonce_begin_part_avx512(&at, k, depth, stride, next_rows);
        infonce_part_avx512(at, acc, w, stores, part);
        k += PART_STEPS;
        infonce_end_part_avx512(&at, k, stride);
    }
    while (k + PART_STEPS <= depth) {
        infonce_begin_part_avx512(&at, k, depth, stride, next_rows);
#pragma GCC unroll 8
        for (size_t i = 0; i < PART_STEPS; i++)
            infonce_step_avx512(at, i, acc);
        k += PART_STEPS;
        infonce_end_part_avx512(&at, k, stride);
    }
    for (; k < depth; k++) {
        infonce_step_avx512(at, 0, acc);
        at.a++;
        at.b += INFONCE_STRIP;
        at.ahead += TILE_LINE;
    }
#pragma GCC unroll 12
    for (size_t r = 0; r < EXP_PRODUCT_ROWS; r++) {
        _mm512_storeu_ps(z + r * INFONCE_STRIP, acc[r][0]);
        _mm512_storeu_ps(z + r * INFONCE_STRIP + 16, acc[r][1]);
    }
    for (; part < PARTS; part++) { /* of few steps */
        __m512 e[4];
#pragma GCC unroll 4
        for (size_t r = 0; r < 4; r++)
            e[r] = infonce_exp_row_avx512(w, stores, part, r);
        infonce_exp_column_avx512(
            w, part, _mm512_add_ps(_mm512_add_ps(e[0], e[1]), _mm512_add_ps(e[2], e[3])));
    }
}

static void infonce_exp_product_avx512(const struct infonce_waiting *w, size_t depth,
                                       const float *a, size_t stride, const float *b, float *z,
                                       const float *ahead)
{
    if (w->e != NULL)
        infonce_exp_product_form_avx512(w, true, depth, a, stride, b, z, ahead);
    else
        infonce_exp_product_form_avx512(w, false, depth, a, stride, b, z, ahead);
}

#endif
