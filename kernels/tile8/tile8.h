/* tile8.h - packing and the register-tile product of rows of int8 (internal).
 * SPDX-License-Identifier: MIT
 *
 * Sums of products of int8 are exact in 32 bits up to ARGS_I8_COLUMNS columns, so that neither
 * tiles nor instruction sets show in them. What is made of them is what int8/int8.h says, to the
 * bit.
 *
 *   tile8.c         cosines that need more care
 *   tile8_<isa>.c   the product; its head says what bounds it
 *   tile8_x86.h     packing, for all tables of x86-64
 *   tile8_<isa>.h   what tables of one instruction set share
 *
 * Cosines. A root and a division for each would take as long as its product: instead of
 * v = p.q / sqrt(p.p q.q) the tile makes w = (f g) (p.q) with f = +-1 / sqrt(p.p), g = +-1 /
 * sqrt(q.q) of the row and the column. In v three operations are rounded, one of them under the
 * root, in w six: v and w are apart by 8.5 2^-53 of themselves at most, 9 units in the last place
 * of a double. They become the same float but where a number half way between two floats, whose
 * last 29 bits are 2^28, lies between them. Where those bits of w are within TILE8_NEAR of it, one
 * in 2^24 by chance, v is made after all. No cosine is so near 0 that its float would be denormal.
 *
 * What is packed are groups of 4 bytes: four columns as they are, or two widened to 16 bits, as the
 * product's instruction takes them. Left rows: strips of mr, [strip][group][mr][4] bytes. Right
 * rows: panels of TILE8_PANEL, [panel][group][TILE8_PANEL][4] bytes, to each of which `bias` is
 * added. Columns that are missing are 0, or bias; rows that are missing are any.
 */
#ifndef MMK_TILE8_H
#define MMK_TILE8_H

#include "../call/size.h"
#include "../int8/int8.h"

#include <stdbool.h>
#include <stdint.h>

/* The greatest mr of any table, those that codes/ has to know, and rows of a panel. */
enum {
    TILE8_MAX_MR = 14,
    TILE8_MR_SCALAR = 4,
    TILE8_MR_AVXVNNI = 6,
    TILE8_MR_AVX512VNNI = 14,
    TILE8_MR_NEONDOTPROD = 12,
    TILE8_PANEL = 32
};

/* Of rows or columns of a tile, of these as many as a panel has. dot: factor is the scale. cosine:
 * f, and square p.p. neg_sq_l2: factor is the scale, of rows twice it, and square its square times
 * p.p. */
struct tile8_side {
    const double *factor, *square;
};

/* With this added to the lower half of w its bits TILE8_NEAR_BITS are 0 where w is near a half, by
 * TILE8_NEAR units at most. */
enum { TILE8_NEAR = 16, TILE8_NEAR_ADD = TILE8_NEAR - 0x10000000 };
enum { TILE8_NEAR_BITS = 0x1fffffff & ~(2 * TILE8_NEAR - 1) };

struct tile8_ops {
    size_t mr;    /* rows of a strip, a divisor of TILE_BLOCK_ROWS */
    size_t group; /* columns of a group, 4 or 2 */
    size_t bias;  /* 128 or 0 */
    /* Packs `count` rows of d codes into a strip or a panel, pitch = mr or TILE8_PANEL, and adds
     * bias (128 or 0) to each code. */
    void (*pack)(size_t count, const int8_t *const *row, size_t d, size_t pitch, size_t bias,
                 uint8_t *packed);
    /* The sum of a row's codes; NULL where bias is 0. */
    int32_t (*sum)(size_t d, const int8_t *row);
    /* c[r][0..TILE8_PANEL), leading dimension ldc, = start[r] + sum over the groups of a b, for
     * r < rows <= mr, and maybe for the other rows up to mr. */
    void (*product)(size_t rows, size_t groups, const uint8_t *a, const int32_t *start,
                    const uint8_t *b, int32_t *c, size_t ldc);
    /* Similarities of rows x cols products, c with leading dimension TILE8_PANEL. */
    void (*finish[MMK_SIMILARITY_COUNT])(size_t rows, size_t cols, const int32_t *c,
                                         const struct tile8_side *x, const struct tile8_side *y,
                                         float *out, size_t ldout);
};

extern const struct tile8_ops tile8_ops_scalar;
extern const struct tile8_ops tile8_ops_avx2, tile8_ops_avxvnni;
extern const struct tile8_ops tile8_ops_avx512, tile8_ops_avx512vnni;
extern const struct tile8_ops tile8_ops_neon, tile8_ops_neondotprod;

/* What stands in tile8_side for a row; left: of a row, not of a column. */
static inline void tile8_know(enum mmk_similarity similarity, bool left, struct int8_side row,
                              double *factor, double *square)
{
    *square = similarity == MMK_COSINE ? row.square : row.part;
    *factor = (similarity == MMK_NEG_SQ_L2 && left ? 2 : 1) * row.scale;
    if (similarity == MMK_COSINE) /* 0 of a row that is zero, NaN where the scale is not finite */
        *factor = (double)(row.scale > 0) - (double)(row.scale < 0) + (row.scale - row.scale);
    if (similarity == MMK_COSINE && row.square != 0)
        *factor /= sqrt(row.square);
}

/* Cosines as int8.h makes them, of row r and columns [begin, end): out[j] from c[j]. */
void tile8_cosines(size_t begin, size_t end, const int32_t *c, const struct tile8_side *x, size_t r,
                   const struct tile8_side *y, float *out);

static inline size_t tile8_groups(const struct tile8_ops *ops, size_t d)
{
    return size_blocks(d, ops->group);
}

#endif
