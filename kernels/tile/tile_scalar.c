/* tile_scalar.c - tile 6 x 16 and its packing in portable C.
 * SPDX-License-Identifier: MIT
 *
 * The order of operations that every ISA keeps. On a baseline x86-64 build fmaf is a call into libm
 * (exact, slow); built with an ISA's flags a compiler turns the loops over c into vectors, which is
 * the bench's autovec baseline. (gcc 12 sees that only with the omp simd: 6 GFLOP/s without it, 123
 * with AVX2 and 179 with AVX-512 flags.)
 */
#include "tile.h"

#include "../simd/scalar.h"

enum { MR = 6, NR = 16, STRIPE = 48 };

/* All products: a(r, k) stands at a[r * a_row + k * a_step], and `jump` farther on after `until`
 * steps and then for every `pitch` steps. */
static inline __attribute__((always_inline)) void
tile_accumulate_scalar(size_t depth, const float *a, size_t a_row, size_t a_step, size_t until,
                       size_t pitch, size_t jump, const float *b, float *c, size_t ldc,
                       unsigned flags)
{
    float acc[MR][NR];
    for (size_t r = 0; r < MR; r++)
        for (size_t j = 0; j < NR; j++)
            acc[r][j] = flags & TILE_ACCUMULATE ? c[r * ldc + j] : 0.0f;
    for (size_t end; depth > 0; depth -= end, a += jump, until = pitch) {
        end = depth < until ? depth : until;
        for (size_t k = 0; k < end; k++) {
            for (size_t r = 0; r < MR; r++) {
                float ar = a[r * a_row];
#pragma omp simd
                for (size_t j = 0; j < NR; j++)
                    acc[r][j] = fmaf(ar, b[j], acc[r][j]);
            }
            a += a_step;
            b += NR;
        }
    }
    for (size_t r = 0; r < MR; r++)
        for (size_t j = 0; j < NR; j++) {
            float v = flags & TILE_ADD ? c[r * ldc + j] + acc[r][j] : acc[r][j];
            c[r * ldc + j] = flags & TILE_CANONICAL ? simd_canonical_nan(v) : v;
        }
}

static void tile_product_rows_scalar(size_t rows, size_t first, size_t depth, const float *a,
                                     size_t pitch, size_t stride, const float *b, float *c,
                                     size_t ldc, unsigned flags, struct tile_ahead ahead)
{
    (void)rows;
    (void)ahead;
    a += first / pitch * stride + first % pitch;
    tile_accumulate_scalar(depth, a, pitch, 1, pitch - first % pitch, pitch, stride - pitch, b, c,
                           ldc, flags);
}

static void tile_product_columns_scalar(size_t rows, size_t depth, const float *a, const float *b,
                                        float *c, size_t ldc, unsigned flags,
                                        struct tile_ahead ahead)
{
    (void)rows;
    (void)ahead;
    tile_accumulate_scalar(depth, a, 1, STRIPE, depth, depth, 0, b, c, ldc, flags);
}

static inline float tile_element_scalar(const float *row, const float *origin, size_t k)
{
    return origin != NULL ? row[k] - origin[k] : row[k];
}

static void tile_pack_scalar(size_t count, const float *const *row, const float *origin,
                             const struct row_scale *scale, float factor, size_t depth,
                             float *panel)
{
    for (size_t k = 0; k < depth; k++)
        for (size_t r = 0; r < NR; r++) {
            float v = 0.0f;
            if (r < count) {
                v = tile_element_scalar(row[r], origin, k);
                v = ((v * scale[r].power) * scale[r].inverse) * factor;
            }
            panel[k * NR + r] = simd_canonical_nan(v);
        }
}

static void tile_row_product_scalar(size_t count, size_t depth, const float *a,
                                    const float *const *row, const float *origin,
                                    const struct row_scale *scale, float *c, float *squares,
                                    const float *ahead)
{
    (void)ahead;
    for (size_t j = 0; j < TILE_MAX_NR; j++) {
        float sum = 0.0f, square = 0.0f;
        for (size_t k = 0; j < count && k < depth; k++) {
            float v = tile_element_scalar(row[j], origin, k);
            if (scale != NULL)
                v = (v * scale[j].power) * scale[j].inverse;
            sum = fmaf(a[k], v, sum);
            square = fmaf(v, v, square);
        }
        c[j] = sum;
        if (squares != NULL)
            squares[j] = square;
    }
}

static void tile_copy_columns_scalar(size_t d, const float *row, const float *origin,
                                     struct row_scale scale, float factor, float *out,
                                     size_t stride)
{
    for (size_t k = 0; k < d; k += NR, out += stride)
        for (size_t j = 0; j < NR; j++) {
            float v = k + j < d ? tile_element_scalar(row, origin, k + j) : 0.0f;
            out[j] = simd_canonical_nan(((v * scale.power) * scale.inverse) * factor);
        }
}

static inline float tile_low_scalar(float a, float b)
{
    return b < a ? b : a;
}

static inline float tile_high_scalar(float a, float b)
{
    return b < a ? a : b;
}

static inline float tile_middle_scalar(const float v[3])
{
    return tile_high_scalar(tile_low_scalar(v[0], v[1]),
                            tile_low_scalar(tile_high_scalar(v[0], v[1]), v[2]));
}

static void tile_median_scalar(size_t d, const float *const *row, float *out)
{
    for (size_t k = 0; k < d; k++) {
        float v[3], low[3], middle[3], high[3];
        for (size_t g = 0; g < 3; g++) {
            for (size_t i = 0; i < 3; i++) {
                v[i] = row[3 * g + i][k];
                v[i] = (fabsf(v[i]) < TILE_ORIGIN_LIMIT ? v[i] : 0.0f) + 0.0f;
            }
            low[g] = tile_low_scalar(tile_low_scalar(v[0], v[1]), v[2]);
            middle[g] = tile_middle_scalar(v);
            high[g] = tile_high_scalar(tile_high_scalar(v[0], v[1]), v[2]);
        }
        v[0] = tile_high_scalar(tile_high_scalar(low[0], low[1]), low[2]);
        v[1] = tile_middle_scalar(middle);
        v[2] = tile_low_scalar(tile_low_scalar(high[0], high[1]), high[2]);
        out[k] = tile_middle_scalar(v);
    }
}

static void tile_sum_squares_scalar(size_t depth, const float *panel, float *sums)
{
    for (size_t k = 0; k < depth; k++)
        for (size_t w = 0; w < NR; w++)
            sums[w] = fmaf(panel[k * NR + w], panel[k * NR + w], sums[w]);
}

static void tile_neg_sq_l2_scalar(size_t rows, size_t cols, float *c, size_t ldc, const float *xx,
                                  const float *yy, float scale)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < cols; j++) {
            float t = fmaf(2.0f, c[r * ldc + j], -(xx[r] + yy[j]));
            t = (t > 0.0f ? 0.0f : t) + 0.0f;
            c[r * ldc + j] = simd_canonical_nan(scale * t);
        }
}

const struct tile_ops tile_ops_scalar = {
    .mr = MR,
    .nr = NR,
    .stripe = STRIPE,
    .pack = tile_pack_scalar,
    .copy_columns = tile_copy_columns_scalar,
    .row_product = tile_row_product_scalar,
    .product_rows = tile_product_rows_scalar,
    .product_columns = tile_product_columns_scalar,
    .median = tile_median_scalar,
    .sum_squares = tile_sum_squares_scalar,
    .neg_sq_l2 = tile_neg_sq_l2_scalar,
};
