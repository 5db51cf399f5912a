/* tile_avx2.c - register tile 6 x 16 and its packing, AVX2 and FMA.
 * SPDX-License-Identifier: MIT
 *
 * Registers   12 accumulators, 2 of B, 2 broadcasts of A: all 16 ymm.
 * Bound by    the FMA ports: 12 FMAs a step against 8 loads (2 of B, 6 broadcasts); at two of each
 *             a clock 6 clocks against 4. 12 independent chains cover an FMA latency of 4 to 5.
 * Differs     AVX-512 has 14 x 32, NEON 12 x 8.
 * Packing     8 x 8 transposes in registers.
 */
#include "tile.h"

#include "../simd/avx2.h"

enum { MR = 6, NR = 16, STRIPE = 48 };

/* All products: a(r, k) stands at a[r * a_row + k * a_step], and `jump` farther on after `until`
 * steps and then for every `pitch` steps. */
static inline __attribute__((always_inline)) void
tile_accumulate_avx2(size_t depth, const float *a, size_t a_row, size_t a_step, size_t until,
                     size_t pitch, size_t jump, const float *b, float *c, size_t ldc,
                     unsigned flags, struct tile_ahead ahead)
{
    __m256 acc[MR][2];
#pragma GCC unroll 6
    for (size_t r = 0; r < MR; r++) {
        if (flags & TILE_ACCUMULATE) {
            acc[r][0] = _mm256_loadu_ps(c + r * ldc);
            acc[r][1] = _mm256_loadu_ps(c + r * ldc + 8);
        } else {
            acc[r][0] = _mm256_setzero_ps();
            acc[r][1] = _mm256_setzero_ps();
        }
    }
    for (size_t end; depth > 0; depth -= end, a += jump, until = pitch) {
        end = depth < until ? depth : until;
        for (size_t k = 0; k < end; k++) {
            __m256 b0 = _mm256_loadu_ps(b);
            __m256 b1 = _mm256_loadu_ps(b + 8);
            _mm_prefetch((const char *)ahead.at, _MM_HINT_T1);
            ahead.at += ahead.step;
#pragma GCC unroll 6
            for (size_t r = 0; r < MR; r++) {
                __m256 ar = _mm256_broadcast_ss(a + r * a_row);
                acc[r][0] = _mm256_fmadd_ps(ar, b0, acc[r][0]);
                acc[r][1] = _mm256_fmadd_ps(ar, b1, acc[r][1]);
            }
            a += a_step;
            b += NR;
        }
    }
    if (flags & TILE_ADD) {
#pragma GCC unroll 6
        for (size_t r = 0; r < MR; r++) {
            acc[r][0] = _mm256_add_ps(_mm256_loadu_ps(c + r * ldc), acc[r][0]);
            acc[r][1] = _mm256_add_ps(_mm256_loadu_ps(c + r * ldc + 8), acc[r][1]);
        }
    }
    if (flags & TILE_CANONICAL) {
#pragma GCC unroll 6
        for (size_t r = 0; r < MR; r++) {
            acc[r][0] = simd_canonical_nan8(acc[r][0]);
            acc[r][1] = simd_canonical_nan8(acc[r][1]);
        }
    }
    if (flags & TILE_PAST_CACHE) {
#pragma GCC unroll 6
        for (size_t r = 0; r < MR; r++) {
            _mm256_stream_ps(c + r * ldc, acc[r][0]);
            _mm256_stream_ps(c + r * ldc + 8, acc[r][1]);
        }
        return;
    }
#pragma GCC unroll 6
    for (size_t r = 0; r < MR; r++) {
        _mm256_storeu_ps(c + r * ldc, acc[r][0]);
        _mm256_storeu_ps(c + r * ldc + 8, acc[r][1]);
    }
}

static void tile_product_rows_avx2(size_t rows, size_t first, size_t depth, const float *a,
                                   size_t pitch, size_t stride, const float *b, float *c,
                                   size_t ldc, unsigned flags, struct tile_ahead ahead)
{
    (void)rows;
    if (pitch == NR) /* constants: a division here costs as much as some steps of the product */
        tile_accumulate_avx2(depth, a + first / NR * stride + first % NR, NR, 1, NR - first % NR,
                             NR, stride - NR, b, c, ldc, flags, ahead);
    else
        tile_accumulate_avx2(depth, a + first / STRIPE * stride + first % STRIPE, STRIPE, 1,
                             STRIPE - first % STRIPE, STRIPE, stride - STRIPE, b, c, ldc, flags,
                             ahead);
}

static void tile_product_columns_avx2(size_t rows, size_t depth, const float *a, const float *b,
                                      float *c, size_t ldc, unsigned flags, struct tile_ahead ahead)
{
    (void)rows;
    tile_accumulate_avx2(depth, a, 1, STRIPE, depth, depth, 0, b, c, ldc, flags, ahead);
}

/* Transposes 8 rows of 8: after it v[k] holds element k of every row. */
static inline void tile_transpose_avx2(__m256 v[8])
{
    __m256 t[8];
    /* a0 b0 a1 b1 | a4 b4 a5 b5 and a2 b2 a3 b3 | a6 b6 a7 b7 */
    for (int i = 0; i < 4; i++) {
        t[2 * i] = _mm256_unpacklo_ps(v[2 * i], v[2 * i + 1]);
        t[2 * i + 1] = _mm256_unpackhi_ps(v[2 * i], v[2 * i + 1]);
    }
    /* a0 b0 c0 d0 | a4 b4 c4 d4, elements 1, 2, 3 after it */
    for (int i = 0; i < 2; i++) {
        v[4 * i] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0x44);
        v[4 * i + 1] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0xee);
        v[4 * i + 2] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0x44);
        v[4 * i + 3] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0xee);
    }
    for (int e = 0; e < 4; e++) {
        t[e] = _mm256_permute2f128_ps(v[e], v[4 + e], 0x20);
        t[4 + e] = _mm256_permute2f128_ps(v[e], v[4 + e], 0x31);
    }
    for (int e = 0; e < 8; e++)
        v[e] = t[e];
}

static inline __m256 tile_load_avx2(const float *row, size_t cols)
{
    return cols == 8 ? _mm256_loadu_ps(row) : simd_load_first(row, cols);
}

/* Columns k .. k + cols of up to 8 rows, transposed. */
static inline __attribute__((always_inline)) void
tile_gather_avx2(size_t count, const float *const *row, const float *origin,
                 const struct row_scale *scale, float factor, size_t k, size_t cols, __m256 v[8])
{
#pragma GCC unroll 8
    for (size_t r = 0; r < 8; r++)
        v[r] = r < count ? tile_load_avx2(row[r] + k, cols) : _mm256_setzero_ps();
    if (origin != NULL) {
        const __m256 o = tile_load_avx2(origin + k, cols);
#pragma GCC unroll 8
        for (size_t r = 0; r < 8; r++)
            if (r < count)
                v[r] = _mm256_sub_ps(v[r], o);
    }
#pragma GCC unroll 8
    for (size_t r = 0; r < 8; r++) {
        if (scale == NULL || r >= count)
            continue;
        v[r] = _mm256_mul_ps(_mm256_mul_ps(v[r], _mm256_set1_ps(scale[r].power)),
                             _mm256_set1_ps(scale[r].inverse));
        v[r] = _mm256_mul_ps(v[r], _mm256_set1_ps(factor));
    }
    tile_transpose_avx2(v);
}

/* Up to 8 rows into panel[k][NR]. */
static inline __attribute__((always_inline)) void
tile_pack8_avx2(size_t count, const float *const *row, const float *origin,
                const struct row_scale *scale, float factor, size_t depth, float *panel)
{
    for (size_t k = 0; k < depth; k += 8) {
        size_t cols = depth - k < 8 ? depth - k : 8;
        __m256 v[8];
        tile_gather_avx2(count, row, origin, scale, factor, k, cols, v);
        for (size_t e = 0; e < cols; e++)
            _mm256_storeu_ps(panel + (k + e) * NR, simd_canonical_nan8(v[e]));
    }
}

static void tile_pack_avx2(size_t count, const float *const *row, const float *origin,
                           const struct row_scale *scale, float factor, size_t depth, float *panel)
{
    size_t low = count < 8 ? count : 8;
    tile_pack8_avx2(low, row, origin, scale, factor, depth, panel);
    tile_pack8_avx2(count - low, row + low, origin, scale + low, factor, depth, panel + 8);
}

/* 16 rows at a time, two groups of 8 side by side: a chain of FMAs alone would take as long as the
 * transpose. */
static inline __attribute__((always_inline)) void
tile_row_product16_avx2(size_t count, size_t depth, const float *a, const float *const *row,
                        const float *origin, const struct row_scale *scale, float *c,
                        float *squares, const float *ahead)
{
    const size_t low = count < 8 ? count : 8;
    __m256 sum[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()}, square[2] = {sum[0], sum[0]};
    for (size_t k = 0; k < depth; k += 8) {
        size_t cols = depth - k < 8 ? depth - k : 8;
        for (size_t line = 0; line < 8; line++, ahead += TILE_LINE)
            _mm_prefetch((const char *)ahead, _MM_HINT_T0);
#pragma GCC unroll 2
        for (size_t g = 0; g < 2; g++) {
            __m256 v[8];
            tile_gather_avx2(g == 0 ? low : count - low, row + 8 * g, origin,
                             scale != NULL ? scale + 8 * g : NULL, 1.0f, k, cols, v);
            for (size_t e = 0; e < cols; e++) {
                sum[g] = _mm256_fmadd_ps(_mm256_broadcast_ss(a + k + e), v[e], sum[g]);
                square[g] = _mm256_fmadd_ps(v[e], v[e], square[g]);
            }
        }
    }
    for (size_t g = 0; g < 2; g++) {
        _mm256_storeu_ps(c + 8 * g, sum[g]);
        if (squares != NULL)
            _mm256_storeu_ps(squares + 8 * g, square[g]);
    }
}

static void tile_row_product_avx2(size_t count, size_t depth, const float *a,
                                  const float *const *row, const float *origin,
                                  const struct row_scale *scale, float *c, float *squares,
                                  const float *ahead)
{
    for (size_t j = 0; j < TILE_MAX_NR; j += 16) {
        size_t here = count < j ? 0 : count - j < 16 ? count - j : 16;
        const struct row_scale *its_scale = scale != NULL ? scale + j : NULL;
        float *out = squares != NULL ? squares + j : NULL;
        if (here == 16 && scale == NULL)
            tile_row_product16_avx2(16, depth, a, row + j, origin, NULL, c + j, out, ahead);
        else if (here == 16)
            tile_row_product16_avx2(16, depth, a, row + j, origin, its_scale, c + j, out, ahead);
        else
            tile_row_product16_avx2(here, depth, a, row + j, origin, its_scale, c + j, out, ahead);
        ahead += 16 * depth;
    }
}

static void tile_copy_columns_avx2(size_t d, const float *row, const float *origin,
                                   struct row_scale scale, float factor, float *out, size_t stride)
{
    const __m256 power = _mm256_set1_ps(scale.power), inverse = _mm256_set1_ps(scale.inverse);
    const __m256 last = _mm256_set1_ps(factor);
    for (size_t k = 0; k < d; k += NR, out += stride) {
        size_t cols = d - k < NR ? d - k : NR, low = cols < 8 ? cols : 8;
        __m256 v0 = tile_load_avx2(row + k, low), v1 = tile_load_avx2(row + k + low, cols - low);
        if (origin != NULL) {
            v0 = _mm256_sub_ps(v0, tile_load_avx2(origin + k, low));
            v1 = _mm256_sub_ps(v1, tile_load_avx2(origin + k + low, cols - low));
        }
        v0 = _mm256_mul_ps(_mm256_mul_ps(_mm256_mul_ps(v0, power), inverse), last);
        v1 = _mm256_mul_ps(_mm256_mul_ps(_mm256_mul_ps(v1, power), inverse), last);
        _mm256_storeu_ps(out, simd_canonical_nan8(v0));
        _mm256_storeu_ps(out + 8, simd_canonical_nan8(v1));
    }
}

static inline __m256 tile_middle_avx2(const __m256 v[3])
{
    return _mm256_max_ps(_mm256_min_ps(v[0], v[1]), _mm256_min_ps(_mm256_max_ps(v[0], v[1]), v[2]));
}

static void tile_median_avx2(size_t d, const float *const *row, float *out)
{
    const __m256 limit = _mm256_set1_ps(TILE_ORIGIN_LIMIT), zero = _mm256_setzero_ps();
    const __m256 sign = _mm256_set1_ps(-0.0f);
    for (size_t k = 0; k < d; k += 8) {
        size_t first = d - k < 8 ? d - k : 8;
        __m256 v[3], low[3], middle[3], high[3];
        for (size_t g = 0; g < 3; g++) {
            for (size_t i = 0; i < 3; i++) {
                v[i] = tile_load_avx2(row[3 * g + i] + k, first);
                __m256 small = _mm256_cmp_ps(_mm256_andnot_ps(sign, v[i]), limit, _CMP_LT_OQ);
                v[i] = _mm256_add_ps(_mm256_and_ps(v[i], small), zero);
            }
            low[g] = _mm256_min_ps(_mm256_min_ps(v[0], v[1]), v[2]);
            middle[g] = tile_middle_avx2(v);
            high[g] = _mm256_max_ps(_mm256_max_ps(v[0], v[1]), v[2]);
        }
        v[0] = _mm256_max_ps(_mm256_max_ps(low[0], low[1]), low[2]);
        v[1] = tile_middle_avx2(middle);
        v[2] = _mm256_min_ps(_mm256_min_ps(high[0], high[1]), high[2]);
        simd_store_first(out + k, first, tile_middle_avx2(v));
    }
}

static void tile_sum_squares_avx2(size_t depth, const float *panel, float *sums)
{
    __m256 s0 = _mm256_loadu_ps(sums), s1 = _mm256_loadu_ps(sums + 8);
    for (size_t k = 0; k < depth; k++) {
        __m256 v0 = _mm256_loadu_ps(panel + k * NR), v1 = _mm256_loadu_ps(panel + k * NR + 8);
        s0 = _mm256_fmadd_ps(v0, v0, s0);
        s1 = _mm256_fmadd_ps(v1, v1, s1);
    }
    _mm256_storeu_ps(sums, s0);
    _mm256_storeu_ps(sums + 8, s1);
}

static inline __m256 tile_neg_sq_l2_8_avx2(__m256 dot, __m256 xx, __m256 yy, __m256 scale)
{
    __m256 t = _mm256_fmsub_ps(_mm256_set1_ps(2.0f), dot, _mm256_add_ps(xx, yy));
    /* vminps gives its second operand when either is NaN: t stays */
    t = _mm256_add_ps(_mm256_min_ps(_mm256_setzero_ps(), t), _mm256_setzero_ps());
    return simd_canonical_nan8(_mm256_mul_ps(scale, t));
}

static void tile_neg_sq_l2_avx2(size_t rows, size_t cols, float *c, size_t ldc, const float *xx,
                                const float *yy, float scale)
{
    const __m256 s = _mm256_set1_ps(scale);
    for (size_t r = 0; r < rows; r++, c += ldc) {
        __m256 xr = _mm256_set1_ps(xx[r]);
        size_t j = 0;
        for (; j + 8 <= cols; j += 8) {
            __m256 v = _mm256_loadu_ps(c + j);
            _mm256_storeu_ps(c + j, tile_neg_sq_l2_8_avx2(v, xr, _mm256_loadu_ps(yy + j), s));
        }
        if (j < cols) {
            __m256 v = simd_load_first(c + j, cols - j);
            v = tile_neg_sq_l2_8_avx2(v, xr, simd_load_first(yy + j, cols - j), s);
            simd_store_first(c + j, cols - j, v);
        }
    }
}

const struct tile_ops tile_ops_avx2 = {
    .mr = MR,
    .nr = NR,
    .stripe = STRIPE,
    .pack = tile_pack_avx2,
    .copy_columns = tile_copy_columns_avx2,
    .row_product = tile_row_product_avx2,
    .product_rows = tile_product_rows_avx2,
    .product_columns = tile_product_columns_avx2,
    .median = tile_median_avx2,
    .sum_squares = tile_sum_squares_avx2,
    .neg_sq_l2 = tile_neg_sq_l2_avx2,
};
