/* codes_avx512vnni.c - codes of 8 bits, AVX-512 with VNNI.
 * SPDX-License-Identifier: MIT
 *
 * Bound by the product (tile8_avx512vnni.c), whose sums are held against the bound in the registers
 * that they were made in.
 */
#include "codes.h"

#include "../simd/avx512.h"
#include "../tile8/tile8_avx512vnni.h"

enum { MR = TILE8_MR_AVX512VNNI, STRIPS = CODES_SCREENED / MR };

/* The thresholds of a strip's rows, and what its panel adds to the estimates. */
struct codes_bounds_avx512vnni {
    const float *norm, *per_step, *least;
    const float *step, *off, *add; /* of the columns, */
    float base[CODES_PANEL];       /* and of these error reach */
};

/* Which columns pass, as bits for each row. The bound is evaluated in place of the sums: with eight
 * registers more, or a pass over sums in memory, d = 128 takes 1.1 times as long. */
static inline __attribute__((always_inline)) void
codes_passes_avx512vnni(size_t rows, bool adds, size_t quads, const uint8_t *a,
                        const int32_t *start, const uint8_t *b,
                        const struct codes_bounds_avx512vnni *bounds, uint32_t *passes)
{
    __m512i acc[MR][2];
    tile8_accumulate_avx512vnni(rows, quads, a, start, b, acc);
    /* gcc 12 would keep the sums in memory: what comes after the loop is not to be known in it. */
#pragma GCC unroll 14
    for (size_t r = 0; r < rows; r++)
        __asm__("" : "+v"(acc[r][0]), "+v"(acc[r][1]));
#pragma GCC unroll 14
    for (size_t r = 0; r < rows; r++) {
        const __m512 norm = _mm512_set1_ps(bounds->norm[r]);
        const __m512 least = _mm512_set1_ps(bounds->least[r]);
        __mmask16 pass[2];
#pragma GCC unroll 2
        for (size_t h = 0; h < 2; h++) {
            __m512 upper = _mm512_fmadd_ps(norm, _mm512_loadu_ps(bounds->off + 16 * h),
                                           _mm512_loadu_ps(bounds->base + 16 * h));
            if (adds)
                upper = _mm512_fmadd_ps(_mm512_set1_ps(bounds->per_step[r]),
                                        _mm512_loadu_ps(bounds->add + 16 * h), upper);
            upper = _mm512_fmadd_ps(_mm512_cvtepi32_ps(acc[r][h]),
                                    _mm512_loadu_ps(bounds->step + 16 * h), upper);
            pass[h] = _mm512_cmp_ps_mask(upper, least, _CMP_NLT_UQ);
        }
        passes[r] = _mm512_kunpackw(pass[1], pass[0]);
    }
}

static __attribute__((noinline)) void
codes_tile_avx512vnni(size_t rows, bool adds, size_t quads, const uint8_t *a, const int32_t *start,
                      const uint8_t *b, const struct codes_bounds_avx512vnni *bounds,
                      uint32_t *passes)
{
    if (adds)
        codes_passes_avx512vnni(MR, true, quads, a, start, b, bounds, passes);
    else if (rows > 8)
        codes_passes_avx512vnni(MR, false, quads, a, start, b, bounds, passes);
    else
        codes_passes_avx512vnni(8, false, quads, a, start, b, bounds, passes);
}

static size_t codes_screen_avx512vnni(size_t quads, const struct codes_left *left, size_t first,
                                      size_t rows, const struct codes_right *right, size_t col,
                                      size_t cols, bool adds, const float *least,
                                      struct codes_pair *pairs)
{
    const uint32_t present = (uint32_t)(((uint64_t)1 << cols) - 1);
    struct codes_bounds_avx512vnni bounds = {
        .step = right->step + col, .off = right->off + col, .add = right->add + col};
    float thresholds[STRIPS][16];
    uint32_t passes[STRIPS][16];
    size_t count = 0;
    for (size_t s = 0; s * MR < rows; s++) {
        size_t r = s * MR;
        const __mmask16 here = simd_first(rows - r < MR ? rows - r : MR);
        __m512 t = _mm512_mul_ps(_mm512_maskz_loadu_ps(here, least + r),
                                 _mm512_maskz_loadu_ps(here, left->per_step + first + r));
        t = _mm512_min_ps(_mm512_mul_ps(t, _mm512_set1_ps(1 - 0x1p-20f)),
                          _mm512_mul_ps(t, _mm512_set1_ps(1 + 0x1p-20f)));
        _mm512_storeu_ps(thresholds[s], t);
    }
    for (size_t s = 0; s * MR < rows; s++) {
        size_t r = first + s * MR;
        const __m512 error = _mm512_set1_ps(left->error[r / MR]);
        for (size_t h = 0; h < CODES_PANEL; h += 16)
            _mm512_storeu_ps(bounds.base + h,
                             _mm512_mul_ps(error, _mm512_loadu_ps(right->reach + col + h)));
        bounds.least = thresholds[s];
        bounds.norm = left->norm + r;
        bounds.per_step = left->per_step + r;
        codes_tile_avx512vnni(rows - s * MR, adds, quads,
                              (const uint8_t *)left->codes + r * quads * 4, left->start + r,
                              right->codes + col * quads * 4, &bounds, passes[s]);
    }
    for (size_t s = 0; s * MR < rows; s++) {
        const __mmask16 here = simd_first(rows - s * MR < MR ? rows - s * MR : MR);
        uint32_t reached = _mm512_mask_test_epi32_mask(here, _mm512_loadu_si512(passes[s]),
                                                       _mm512_set1_epi32((int)present));
        for (; reached != 0; reached &= reached - 1) {
            size_t i = (size_t)__builtin_ctz(reached);
            for (uint32_t pass = passes[s][i] & present; pass != 0; pass &= pass - 1)
                pairs[count++] =
                    (struct codes_pair){(uint16_t)(s * MR + i), (uint16_t)__builtin_ctz(pass)};
        }
    }
    return count;
}

const struct codes_ops codes_ops_avx512vnni = {
    .tile = &tile8_ops_avx512vnni,
    .quantize = &quantize_ops_avx512,
    .screen = codes_screen_avx512vnni,
};
