/* tile_avx512.c - register tile 14 x 32 and its packing, AVX-512.
 * SPDX-License-Identifier: MIT
 *
 * Registers   28 accumulators, 2 of B, 1 broadcast of A: 31 of 32 zmm.
 * Bound by    the FMA ports: 28 FMAs a step against 16 loads (2 of B, 14 broadcasts); at two of
 *             each a clock 14 clocks against 8. Measured on Zen 5: 14.0, and for a call 17 to 35
 *             with all in L1, 55 to 80 where it adds to C and A comes from L2. Zen 4 takes a zmm in
 *             two halves: 28 by its FMAs, 42 by llvm-mca's model; not timed.
 * Differs     AVX2 has 6 x 16 (12 accumulators of 16 ymm), NEON 12 x 8 with lane-indexed FMAs in
 *             place of broadcasts. The chain over k is the same everywhere.
 * Packing     4 x 4 transposes in the lanes of a register, which are loaded from 4 rows.
 */
#include "tile.h"

#include "../simd/avx512.h"

enum { MR = 14, NR = 32, STRIPE = 112 };

enum tile_left { LEFT_ROWS, LEFT_COLUMNS };

/* All products. Fetched into L1: A, of which every line comes from L2: in rows two lines of 16
 * columns ahead, one row a step, and at the end those of the tile below; in columns 8 steps. And of
 * rows in column panels B, 16 steps (224 clocks) ahead: where A is thin B comes from memory, and
 * without it 16 x 25000 x 512 takes 1.07 times as long on Zen 5. The rows and columns of stripes
 * have a B that many tiles share; for them it would be 25 clocks a call. */
static inline __attribute__((always_inline)) void
tile_accumulate_avx512(enum tile_left left, size_t rows, size_t first, size_t depth, const float *a,
                       size_t pitch, size_t stride, const float *b, float *c, size_t ldc,
                       unsigned flags, struct tile_ahead ahead)
{
    const size_t a_row = left == LEFT_ROWS ? pitch : 1;
    const size_t a_step = left == LEFT_ROWS ? 1 : STRIPE;
    __m512 acc[MR][2];
    if (flags & TILE_ACCUMULATE) {
#pragma GCC unroll 14
        for (size_t r = 0; r < rows; r++) {
            acc[r][0] = _mm512_loadu_ps(c + r * ldc);
            acc[r][1] = _mm512_loadu_ps(c + r * ldc + 16);
        }
    } else {
#pragma GCC unroll 14
        for (size_t r = 0; r < rows; r++) {
            acc[r][0] = _mm512_setzero_ps();
            acc[r][1] = _mm512_setzero_ps();
        }
    }
    const size_t steps = left == LEFT_ROWS ? 16 : depth;
    const float *next_tile = a + MR * pitch;
    for (size_t k0 = 0; k0 < depth; k0 += steps) {
        const float *a_line = pitch > 32 ? a + 32 : a + stride * 32 / pitch;
        if (k0 + 32 >= depth) {
            a_line = next_tile;
            next_tile += 16;
        }
        size_t end = depth - k0 < steps ? depth - k0 : steps;
        for (size_t k = 0; k < end; k++) {
            __m512 b0 = _mm512_loadu_ps(b);
            __m512 b1 = _mm512_loadu_ps(b + 16);
            if (left == LEFT_ROWS && pitch == NR) {
                _mm_prefetch((const char *)(b + 16 * NR), _MM_HINT_T0);
                _mm_prefetch((const char *)(b + 16 * NR + 16), _MM_HINT_T0);
            }
            _mm_prefetch((const char *)ahead.at, _MM_HINT_T1);
            ahead.at += ahead.step;
            if (left == LEFT_ROWS) {
                _mm_prefetch((const char *)a_line, _MM_HINT_T0);
                a_line += pitch;
            } else if (left == LEFT_COLUMNS) {
                _mm_prefetch((const char *)(a + 8 * STRIPE), _MM_HINT_T0);
                _mm_prefetch((const char *)(a + 8 * STRIPE + MR - 1), _MM_HINT_T0);
            }
#pragma GCC unroll 14
            for (size_t r = 0; r < rows; r++) {
                __m512 ar = _mm512_set1_ps(a[r * a_row]);
                acc[r][0] = _mm512_fmadd_ps(ar, b0, acc[r][0]);
                acc[r][1] = _mm512_fmadd_ps(ar, b1, acc[r][1]);
            }
            a += a_step;
            b += NR;
        }
        if (left == LEFT_ROWS && (first + k0 + steps) % pitch == 0)
            a += stride - pitch;
    }
    if (flags & TILE_ADD) {
#pragma GCC unroll 14
        for (size_t r = 0; r < rows; r++) {
            acc[r][0] = _mm512_add_ps(_mm512_loadu_ps(c + r * ldc), acc[r][0]);
            acc[r][1] = _mm512_add_ps(_mm512_loadu_ps(c + r * ldc + 16), acc[r][1]);
        }
    }
    if (flags & TILE_CANONICAL) {
        __mmask16 nan = 0;
#pragma GCC unroll 14
        for (size_t r = 0; r < rows; r++)
            nan |= _mm512_cmp_ps_mask(acc[r][0], acc[r][1], _CMP_UNORD_Q);
        if (__builtin_expect(nan != 0, 0))
#pragma GCC unroll 14
            for (size_t r = 0; r < rows; r++) {
                acc[r][0] = simd_canonical_nan16(acc[r][0]);
                acc[r][1] = simd_canonical_nan16(acc[r][1]);
            }
    }
    if (flags & TILE_PAST_CACHE) {
#pragma GCC unroll 14
        for (size_t r = 0; r < rows; r++) {
            _mm512_stream_ps(c + r * ldc, acc[r][0]);
            _mm512_stream_ps(c + r * ldc + 16, acc[r][1]);
        }
        return;
    }
#pragma GCC unroll 14
    for (size_t r = 0; r < rows; r++) {
        _mm512_storeu_ps(c + r * ldc, acc[r][0]);
        _mm512_storeu_ps(c + r * ldc + 16, acc[r][1]);
    }
}

/* Tiles of fewer rows cost less: 8 or 4. */
static inline __attribute__((always_inline)) void
tile_accumulate_rows_avx512(enum tile_left left, size_t rows, size_t first, size_t depth,
                            const float *a, size_t pitch, size_t stride, const float *b, float *c,
                            size_t ldc, unsigned flags, struct tile_ahead ahead)
{
    if (rows > 8)
        tile_accumulate_avx512(left, MR, first, depth, a, pitch, stride, b, c, ldc, flags, ahead);
    else if (rows > 4)
        tile_accumulate_avx512(left, 8, first, depth, a, pitch, stride, b, c, ldc, flags, ahead);
    else
        tile_accumulate_avx512(left, 4, first, depth, a, pitch, stride, b, c, ldc, flags, ahead);
}

static void tile_product_rows_avx512(size_t rows, size_t first, size_t depth, const float *a,
                                     size_t pitch, size_t stride, const float *b, float *c,
                                     size_t ldc, unsigned flags, struct tile_ahead ahead)
{
    if (pitch == NR) { /* constants: a division here costs as much as a step of the product */
        a += first / NR * stride + first % NR;
        tile_accumulate_rows_avx512(LEFT_ROWS, rows, first, depth, a, NR, stride, b, c, ldc, flags,
                                    ahead);
    } else {
        a += first / STRIPE * stride + first % STRIPE;
        tile_accumulate_rows_avx512(LEFT_ROWS, rows, first, depth, a, STRIPE, stride, b, c, ldc,
                                    flags, ahead);
    }
}

static void tile_product_columns_avx512(size_t rows, size_t depth, const float *a, const float *b,
                                        float *c, size_t ldc, unsigned flags,
                                        struct tile_ahead ahead)
{
    tile_accumulate_rows_avx512(LEFT_COLUMNS, rows, 0, depth, a, STRIPE, 0, b, c, ldc, flags,
                                ahead);
}

/* The 4 x 4 elements in every lane of z, transposed: v[e] has element e of all of them. */
static inline __attribute__((always_inline)) void tile_transpose_avx512(__m512 z[4])
{
    /* a0 b0 a1 b1 and a2 b2 a3 b3, and the same of c and d */
    __m512d ab0 = _mm512_castps_pd(_mm512_unpacklo_ps(z[0], z[1]));
    __m512d ab2 = _mm512_castps_pd(_mm512_unpackhi_ps(z[0], z[1]));
    __m512d cd0 = _mm512_castps_pd(_mm512_unpacklo_ps(z[2], z[3]));
    __m512d cd2 = _mm512_castps_pd(_mm512_unpackhi_ps(z[2], z[3]));
    z[0] = _mm512_castpd_ps(_mm512_unpacklo_pd(ab0, cd0));
    z[1] = _mm512_castpd_ps(_mm512_unpackhi_pd(ab0, cd0));
    z[2] = _mm512_castpd_ps(_mm512_unpacklo_pd(ab2, cd2));
    z[3] = _mm512_castpd_ps(_mm512_unpackhi_pd(ab2, cd2));
}

/* Four columns of an origin, in every lane. */
static inline __attribute__((always_inline)) __m512 tile_origin_avx512(const float *origin,
                                                                       size_t first, bool whole)
{
    __m128 part =
        whole ? _mm_loadu_ps(origin) : _mm_maskz_loadu_ps((__mmask8)simd_first(first), origin);
    return _mm512_broadcast_f32x4(part);
}

/* Columns k .. k + cols of up to 16 rows, less the origin, transposed: v[e] has element k + e of
 * every row; whole: of 16 columns. Rows i, i + 4, i + 8 and i + 12 come as the four lanes of a
 * register, which loads do with a mask: of 64 shuffles for a transpose of 16 x 16 this leaves the
 * 32 within lanes. All 16 columns at once, since rows a power of two apart share cache sets and may
 * not be there a second time. */
static inline __attribute__((always_inline)) void
tile_gather_avx512(size_t count, const float *const *row, const float *origin, size_t k,
                   size_t cols, bool whole, __m512 v[16])
{
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++)
#pragma GCC unroll 4
        for (size_t lane = 0; lane < 4; lane++) {
            size_t r = i + 4 * lane;
#pragma GCC unroll 4
            for (size_t q = 0; q < 4; q++) {
                size_t first = cols < 4 * q ? 0 : cols - 4 * q < 4 ? cols - 4 * q : 4;
                __m512 *z = &v[4 * q + i];
                __m128 part = _mm_setzero_ps();
                if (r < count)
                    part =
                        whole ? _mm_loadu_ps(row[r] + k + 4 * q)
                              : _mm_maskz_loadu_ps((__mmask8)simd_first(first), row[r] + k + 4 * q);
                *z = lane == 0
                         ? _mm512_zextps128_ps512(part)
                         : _mm512_mask_broadcast_f32x4(*z, (__mmask16)(0xf << 4 * lane), part);
            }
        }
    if (origin != NULL)
#pragma GCC unroll 4
        for (size_t q = 0; q < 4; q++) {
            size_t first = cols < 4 * q ? 0 : cols - 4 * q < 4 ? cols - 4 * q : 4;
            __m512 o = tile_origin_avx512(origin + k + 4 * q, first, whole);
#pragma GCC unroll 4
            for (size_t i = 0; i < 4; i++) { /* rows that are missing stay 0 */
                size_t lanes = count < i ? 0 : count - i > 12 ? 4 : (count - i + 3) / 4;
                v[4 * q + i] =
                    _mm512_mask_sub_ps(v[4 * q + i], simd_first(4 * lanes), v[4 * q + i], o);
            }
        }
#pragma GCC unroll 4
    for (size_t q = 0; q < 4; q++)
        tile_transpose_avx512(v + 4 * q);
}

static inline __attribute__((always_inline)) void tile_canonical_avx512(__m512 v[16])
{
    __mmask16 nan = 0;
#pragma GCC unroll 8
    for (size_t e = 0; e < 16; e += 2)
        nan |= _mm512_cmp_ps_mask(v[e], v[e + 1], _CMP_UNORD_Q);
    if (__builtin_expect(nan != 0, 0))
        for (size_t e = 0; e < 16; e++)
            v[e] = simd_canonical_nan16(v[e]);
}

/* What 16 rows are multiplied with. Most often all powers are 1, and the results of v * 1 * inverse
 * * 1 are those of v * inverse. */
struct tile_scale_avx512 {
    __m512 power, inverse, factor;
    bool by_inverse, in_full;
};

static inline struct tile_scale_avx512
tile_scale_avx512(size_t count, const struct row_scale *scale, float factor)
{
    float power[16], inverse[16];
    struct tile_scale_avx512 all = {.factor = _mm512_set1_ps(factor), .in_full = factor != 1.0f};
    if (scale == NULL)
        return all;
    for (size_t r = 0; r < 16; r++) {
        power[r] = r < count ? scale[r].power : 1.0f;
        inverse[r] = r < count ? scale[r].inverse : 1.0f;
        all.in_full |= power[r] != 1.0f;
        all.by_inverse |= inverse[r] != 1.0f;
    }
    all.power = _mm512_loadu_ps(power);
    all.inverse = _mm512_loadu_ps(inverse);
    all.by_inverse &= !all.in_full;
    return all;
}

static inline __attribute__((always_inline)) void
tile_apply_scale_avx512(const struct tile_scale_avx512 *scale, __m512 v[16])
{
    if (scale->by_inverse)
#pragma GCC unroll 16
        for (size_t e = 0; e < 16; e++)
            v[e] = _mm512_mul_ps(v[e], scale->inverse);
    if (scale->in_full)
#pragma GCC unroll 16
        for (size_t e = 0; e < 16; e++)
            v[e] = _mm512_mul_ps(_mm512_mul_ps(_mm512_mul_ps(v[e], scale->power), scale->inverse),
                                 scale->factor);
}

/* Up to 16 rows into panel[k][NR]. count is a constant, but at the edge of an operand. */
static inline __attribute__((always_inline)) void
tile_pack16_avx512(size_t count, const float *const *row, const float *origin,
                   const struct row_scale *scale, float factor, size_t depth, float *panel)
{
    const struct tile_scale_avx512 all = tile_scale_avx512(count, scale, factor);
    __m512 v[16];
    size_t k = 0;
    for (; k + 16 < depth; k += 16) {
        tile_gather_avx512(count, row, origin, k, 16, true, v);
        tile_apply_scale_avx512(&all, v);
        tile_canonical_avx512(v);
#pragma GCC unroll 16
        for (size_t e = 0; e < 16; e++)
            _mm512_storeu_ps(panel + (k + e) * NR, v[e]);
    }
    if (k == depth)
        return;
    tile_gather_avx512(count, row, origin, k, depth - k, false, v);
    tile_apply_scale_avx512(&all, v);
    tile_canonical_avx512(v);
    for (size_t e = 0; k + e < depth; e++)
        _mm512_storeu_ps(panel + (k + e) * NR, v[e]);
}

static void tile_pack_avx512(size_t count, const float *const *row, const float *origin,
                             const struct row_scale *scale, float factor, size_t depth,
                             float *panel)
{
    size_t low = count < 16 ? count : 16;
    if (count == NR) {
        tile_pack16_avx512(16, row, origin, scale, factor, depth, panel);
        tile_pack16_avx512(16, row + 16, origin, scale + 16, factor, depth, panel + 16);
    } else {
        tile_pack16_avx512(low, row, origin, scale, factor, depth, panel);
        tile_pack16_avx512(count - low, row + low, origin, scale + low, factor, depth, panel + 16);
    }
}

/* Both groups of 16 rows go side by side: a chain of FMAs alone takes 64 clocks for 16 x 16
 * elements, more than all the rest. Where there is one group, it is done alone. */
static inline __attribute__((always_inline)) void
tile_row_product32_avx512(size_t groups, size_t count, size_t depth, const float *a,
                          const float *const *row, const float *origin,
                          const struct row_scale *scale, float *c, float *squares,
                          const float *ahead)
{
    const size_t low = count < 16 ? count : 16;
    const struct tile_scale_avx512 all[2] = {
        tile_scale_avx512(low, scale, 1.0f),
        tile_scale_avx512(count - low, scale != NULL ? scale + low : NULL, 1.0f)};
    __m512 sum[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()}, square[2] = {sum[0], sum[0]};
    for (size_t k = 0; k < depth; k += 16) {
        size_t cols = depth - k < 16 ? depth - k : 16;
#pragma GCC unroll 2
        for (size_t g = 0; g < groups; g++) {
            __m512 v[16];
            size_t here = g == 0 ? low : count - low;
            if (cols == 16)
                tile_gather_avx512(here, row + 16 * g, origin, k, 16, true, v);
            else
                tile_gather_avx512(here, row + 16 * g, origin, k, cols, false, v);
            tile_apply_scale_avx512(&all[g], v);
#pragma GCC unroll 16
            for (size_t e = 0; e < 16; e++) {
                _mm_prefetch((const char *)ahead, _MM_HINT_T0);
                ahead += TILE_LINE;
                if (e >= cols)
                    continue;
                sum[g] = _mm512_fmadd_ps(_mm512_set1_ps(a[k + e]), v[e], sum[g]);
                if (squares != NULL)
                    square[g] = _mm512_fmadd_ps(v[e], v[e], square[g]);
            }
        }
    }
    for (size_t g = 0; g < 2; g++) {
        _mm512_storeu_ps(c + 16 * g, sum[g]);
        if (squares != NULL)
            _mm512_storeu_ps(squares + 16 * g, square[g]);
    }
}

static void tile_row_product_avx512(size_t count, size_t depth, const float *a,
                                    const float *const *row, const float *origin,
                                    const struct row_scale *scale, float *c, float *squares,
                                    const float *ahead)
{
    if (count == 32)
        tile_row_product32_avx512(2, 32, depth, a, row, origin, scale, c, squares, ahead);
    else if (count > 16)
        tile_row_product32_avx512(2, count, depth, a, row, origin, scale, c, squares, ahead);
    else
        tile_row_product32_avx512(1, count, depth, a, row, origin, scale, c, squares, ahead);
}

static void tile_copy_columns_avx512(size_t d, const float *row, const float *origin,
                                     struct row_scale scale, float factor, float *out,
                                     size_t stride)
{
    const __m512 power = _mm512_set1_ps(scale.power), inverse = _mm512_set1_ps(scale.inverse);
    const __m512 last = _mm512_set1_ps(factor);
    for (size_t k = 0; k < d; k += NR, out += stride) {
        size_t cols = d - k < NR ? d - k : NR, low = cols < 16 ? cols : 16;
        __m512 v0 = simd_load_first(row + k, low);
        __m512 v1 = simd_load_first(row + k + low, cols - low);
        if (origin != NULL) {
            v0 = _mm512_sub_ps(v0, simd_load_first(origin + k, low));
            v1 = _mm512_sub_ps(v1, simd_load_first(origin + k + low, cols - low));
        }
        v0 = _mm512_mul_ps(_mm512_mul_ps(_mm512_mul_ps(v0, power), inverse), last);
        v1 = _mm512_mul_ps(_mm512_mul_ps(_mm512_mul_ps(v1, power), inverse), last);
        if (__builtin_expect(_mm512_cmp_ps_mask(v0, v1, _CMP_UNORD_Q) != 0, 0)) {
            v0 = simd_canonical_nan16(v0);
            v1 = simd_canonical_nan16(v1);
        }
        _mm512_storeu_ps(out, v0);
        _mm512_storeu_ps(out + 16, v1);
    }
}

static inline __m512 tile_middle_avx512(const __m512 v[3])
{
    return _mm512_max_ps(_mm512_min_ps(v[0], v[1]), _mm512_min_ps(_mm512_max_ps(v[0], v[1]), v[2]));
}

static void tile_median_avx512(size_t d, const float *const *row, float *out)
{
    const __m512 limit = _mm512_set1_ps(TILE_ORIGIN_LIMIT), zero = _mm512_setzero_ps();
    for (size_t k = 0; k < d; k += 16) {
        size_t first = d - k < 16 ? d - k : 16;
        __m512 v[3], low[3], middle[3], high[3];
        for (size_t g = 0; g < 3; g++) {
            for (size_t i = 0; i < 3; i++) {
                v[i] = simd_load_first(row[3 * g + i] + k, first);
                __mmask16 small = _mm512_cmp_ps_mask(_mm512_abs_ps(v[i]), limit, _CMP_LT_OQ);
                v[i] = _mm512_maskz_add_ps(small, v[i], zero);
            }
            low[g] = _mm512_min_ps(_mm512_min_ps(v[0], v[1]), v[2]);
            middle[g] = tile_middle_avx512(v);
            high[g] = _mm512_max_ps(_mm512_max_ps(v[0], v[1]), v[2]);
        }
        v[0] = _mm512_max_ps(_mm512_max_ps(low[0], low[1]), low[2]);
        v[1] = tile_middle_avx512(middle);
        v[2] = _mm512_min_ps(_mm512_min_ps(high[0], high[1]), high[2]);
        simd_store_first(out + k, first, tile_middle_avx512(v));
    }
}

static void tile_sum_squares_avx512(size_t depth, const float *panel, float *sums)
{
    __m512 s0 = _mm512_loadu_ps(sums), s1 = _mm512_loadu_ps(sums + 16);
    for (size_t k = 0; k < depth; k++) {
        __m512 v0 = _mm512_loadu_ps(panel + k * NR), v1 = _mm512_loadu_ps(panel + k * NR + 16);
        s0 = _mm512_fmadd_ps(v0, v0, s0);
        s1 = _mm512_fmadd_ps(v1, v1, s1);
    }
    _mm512_storeu_ps(sums, s0);
    _mm512_storeu_ps(sums + 16, s1);
}

static inline __m512 tile_neg_sq_l2_16_avx512(__m512 dot, __m512 xx, __m512 yy, __m512 scale)
{
    __m512 t = _mm512_fmsub_ps(_mm512_set1_ps(2.0f), dot, _mm512_add_ps(xx, yy));
    /* vminps gives its second operand when either is NaN: t stays */
    t = _mm512_add_ps(_mm512_min_ps(_mm512_setzero_ps(), t), _mm512_setzero_ps());
    return simd_canonical_nan16(_mm512_mul_ps(scale, t));
}

static void tile_neg_sq_l2_avx512(size_t rows, size_t cols, float *c, size_t ldc, const float *xx,
                                  const float *yy, float scale)
{
    const __m512 s = _mm512_set1_ps(scale);
    for (size_t r = 0; r < rows; r++, c += ldc) {
        __m512 xr = _mm512_set1_ps(xx[r]);
        size_t j = 0;
        for (; j + 16 <= cols; j += 16) {
            __m512 v = _mm512_loadu_ps(c + j);
            _mm512_storeu_ps(c + j, tile_neg_sq_l2_16_avx512(v, xr, _mm512_loadu_ps(yy + j), s));
        }
        if (j < cols) {
            __m512 v = simd_load_first(c + j, cols - j);
            v = tile_neg_sq_l2_16_avx512(v, xr, simd_load_first(yy + j, cols - j), s);
            simd_store_first(c + j, cols - j, v);
        }
    }
}

const struct tile_ops tile_ops_avx512 = {
    .mr = MR,
    .nr = NR,
    .stripe = STRIPE,
    .pack = tile_pack_avx512,
    .copy_columns = tile_copy_columns_avx512,
    .row_product = tile_row_product_avx512,
    .product_rows = tile_product_rows_avx512,
    .product_columns = tile_product_columns_avx512,
    .median = tile_median_avx512,
    .sum_squares = tile_sum_squares_avx512,
    .neg_sq_l2 = tile_neg_sq_l2_avx512,
};
