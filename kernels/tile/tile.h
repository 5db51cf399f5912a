/* tile.h - packing and the register-tile product that every matrix-shaped kernel stands on
 * (internal).
 * SPDX-License-Identifier: MIT
 *
 * Every product here is, for each element of the result, one chain of fused multiply-adds over the
 * contraction index in order, starting at +0 or at what the element holds, or added to that. Where
 * a chain ends is the caller's choice; the shape of the tile never shows in the bits.
 *
 *   tile.c         whole operands
 *   tile_<isa>.c   the register tile, and packing its panels; the head says what bounds it
 *
 * Column panel: nr columns of an operand, [row][nr]; columns missing at the edge are zero. So lie
 * the rows of A, of which the tile broadcasts single elements, and B where its rows are summed
 * over.
 *
 * Packed panel: nr rows of B side by side, [k][nr]; rows that are missing at the edge are zero. A
 * packed operand is its panels one after the other within a chunk of k, and its chunks one after
 * the other (tile_chunk_depth).
 */
#ifndef MMK_TILE_H
#define MMK_TILE_H

#include "../call/size.h"
#include "../half/half.h"
#include "../pair/pair.h"

#include <stdbool.h>

/* The greatest mr and nr of any ISA. Sizes of blocks are multiples of every mr and nr. */
enum { TILE_MAX_MR = 14, TILE_MAX_NR = 32 };

/* Blocks of the result: 84 = 14 * 6 = 12 * 7 = 6 * 14, and 672 = 32 * 21 = 16 * 42 = 8 * 84 for nr,
 * 14 * 48 = 12 * 56 = 6 * 112 for mr where columns become rows, 112 * 6 = 48 * 14 for stripes. */
enum { TILE_BLOCK_ROWS = 84, TILE_BLOCK_COLS = 672, TILE_LEAST_STRIPE = 48 };

/* Leading dimension of a block kept in scratch memory: 43 cache lines, an odd number, so that the
 * rows of a tile do not fall into the same cache sets. */
enum { TILE_BLOCK_LD = TILE_BLOCK_COLS + 16 };

/* Memory that will be needed soon: while a product runs it brings the cache line at `at` into L2
 * every step of its contraction, and moves `at` on by `step` floats. */
struct tile_ahead {
    const float *at;
    size_t step;
};

enum { TILE_LINE = 16 }; /* floats in a cache line, as far as prefetching goes */

/* A stretch of memory that is fetched piece by piece. */
struct tile_fetch {
    const float *at;
    size_t floats;
};

/* The piece number i of `pieces` equal ones. */
static inline struct tile_fetch tile_fetch_piece(const struct tile_fetch *all, size_t i,
                                                 size_t pieces)
{
    size_t share = all->floats / pieces;
    return share != 0 ? (struct tile_fetch){all->at + i * share, share}
                      : (struct tile_fetch){NULL, 0};
}

/* The next `depth` lines of the stretch; when it is done, `resident` over and over. */
static inline struct tile_ahead tile_fetch_some(struct tile_fetch *fetch, size_t depth,
                                                const float *resident)
{
    if (fetch->floats == 0)
        return (struct tile_ahead){resident, 0};
    struct tile_ahead ahead = {fetch->at, TILE_LINE};
    size_t floats = depth * TILE_LINE < fetch->floats ? depth * TILE_LINE : fetch->floats;
    fetch->at += floats;
    fetch->floats -= floats;
    return ahead;
}

enum tile_flags {
    /* Start from what c holds. */
    TILE_ACCUMULATE = 1,
    /* NaN results are canonical: c is what the caller sees. */
    TILE_CANONICAL = 2,
    /* c is far greater than the caches, and its rows are aligned to 64 bytes: it may be stored past
     * them, with a fence left to the caller. */
    TILE_PAST_CACHE = 4,
    /* tile_multiply: c has no room for whole tiles at its edges. */
    TILE_EXACT = 8,
    /* Start from 0, and add the sum to what c holds in the end; not for tile_multiply. */
    TILE_ADD = 16
};

/* Squared distances do not change when one row, the origin, is subtracted from all others; the
 * rounding errors of their expansion do, as they grow with the norms. By default the origin is in
 * each column the median of TILE_ORIGIN_ROWS of the first TILE_ORIGIN_AMONG rows, evenly spaced: a
 * few rows that are far from the others do not move it, as they would a mean, and integers less it
 * are integers. Below TILE_ORIGIN_LIMIT finite rows less an origin are finite. */
enum { TILE_ORIGIN_ROWS = 9, TILE_ORIGIN_AMONG = TILE_BLOCK_COLS };
#define TILE_ORIGIN_LIMIT 0x1p100f

struct tile_ops {
    size_t mr, nr;
    /* Columns of a stripe: a left operand that is made by a kernel lies in stripes,
     * [stripe][row][..], so that the rows of a few columns stay within few pages. A multiple of mr
     * and of 16, an odd number of cache lines, a divisor of TILE_BLOCK_COLS. */
    size_t stripe;

    /* Packs columns [0, depth) of `count` rows (given by pointer) into a panel, each as
     * (((v - origin_k) * power) * inverse) * factor; origin NULL: nothing is subtracted. NaN is
     * made canonical. */
    void (*pack)(size_t count, const float *const *row, const float *origin,
                 const struct row_scale *scale, float factor, size_t depth, float *panel);
    /* Copies a row of d elements, (((v - origin_k) * power) * inverse) * factor, to its place in
     * each column panel; panels are `stride` apart. NaN is made canonical. */
    void (*copy_columns)(size_t d, const float *row, const float *origin, struct row_scale scale,
                         float factor, float *out, size_t stride);

    /* c[r][0..nr) (leading dimension ldc) for r < rows <= mr, and maybe for the other rows up to
     * mr: sum over k < depth of a(r, k) b[k][..], as flags say. Meanwhile `ahead` is fetched. A is
     * rows of a matrix in column panels or in stripes, of pitch = nr or stripe columns and `stride`
     * apart, from column `first` on, a multiple of 16: with f = first + k,
     * a(r, k) = a[f / pitch * stride + r * pitch + f % pitch]; */
    void (*product_rows)(size_t rows, size_t first, size_t depth, const float *a, size_t pitch,
                         size_t stride, const float *b, float *c, size_t ldc, unsigned flags,
                         struct tile_ahead ahead);
    /* or columns of one stripe, a(r, k) = a[k * stripe + r]. */
    void (*product_columns)(size_t rows, size_t depth, const float *a, const float *b, float *c,
                            size_t ldc, unsigned flags, struct tile_ahead ahead);

    /* For one row of A against rows that are not packed, count <= TILE_MAX_NR of them: c[j] = sum
     * over k < depth of a[k] b(j, k), where b(j, k) is row[j][k], less the origin and scaled (scale
     * NULL: not) as pack does it; squares[j] (unless that is NULL) the same of b(j, k)^2. Sets c
     * and squares up to TILE_MAX_NR. Meanwhile the count * depth floats at `ahead` are fetched. */
    void (*row_product)(size_t count, size_t depth, const float *a, const float *const *row,
                        const float *origin, const struct row_scale *scale, float *c,
                        float *squares, const float *ahead);

    /* out[k] = the median of row[i][k], i < TILE_ORIGIN_ROWS, for k < d: the middle one of the
     * greatest of three least, the middle of three middles and the least of three greatest. What
     * is not below TILE_ORIGIN_LIMIT counts as 0, and -0 as +0. */
    void (*median)(size_t d, const float *const *row, float *out);
    /* sums[w] continued over k < depth by panel[k][w]^2, w < nr. */
    void (*sum_squares)(size_t depth, const float *panel, float *sums);
    /* c = scale min(2 c - (xx_r + yy_j), 0) for rows x cols, NaN canonical, -0 as +0. */
    void (*neg_sq_l2)(size_t rows, size_t cols, float *c, size_t ldc, const float *xx,
                      const float *yy, float scale);
};

extern const struct tile_ops tile_ops_scalar;
extern const struct tile_ops tile_ops_avx2;
extern const struct tile_ops tile_ops_avx512;
extern const struct tile_ops tile_ops_neon;

/* ---- Drivers over whole operands (tile.c) --------------------------------------------------- */

/* A matrix with what is needed to pack its rows. One that is packed already has no data. */
struct tile_operand {
    const float *data;
    size_t ld, rows;
    half_widen *widen;      /* rows are of 16-bit floats, and this widens them; NULL: of floats */
    const uint16_t *narrow; /* where these stand, in place of data, */
    enum mmk_type type;     /* of which kind they are, */
    float *window;          /* and as floats: the worker's own TILE_MAX_NR of them */
    const float *further;   /* rows from `split` on stand here; NULL: all in data */
    size_t ldfurther, split;
    const float *origin;              /* d floats, subtracted from every row first; NULL: none */
    const struct row_scale *scale;    /* one a row, or NULL */
    const uint32_t *pick;             /* row r stands for row pick[r] of data, or NULL */
    float factor;                     /* of every element as it is packed */
    const struct pair_ops *normalize; /* finds the scales while packing; NULL: they are as above */
    const float *packed;              /* as B, all rows; only where there are no others */
};

/* Row r of the data, which must be floats (not of what pick picks). */
static inline const float *tile_operand_row(const struct tile_operand *operand, size_t r)
{
    if (operand->further != NULL && r >= operand->split)
        return operand->further + (r - operand->split) * operand->ldfurther;
    return operand->data + r * operand->ld;
}

/* Row r of the data, or what it widens to, d floats at `to`. */
static inline const float *tile_widened_row(const struct tile_operand *operand, size_t r, size_t d,
                                            float *to)
{
    if (operand->widen == NULL)
        return tile_operand_row(operand, r);
    operand->widen(d, operand->narrow + r * operand->ld, to);
    return to;
}

/* What windows of so many workers take. */
static inline size_t tile_window_rows(const struct tile_operand *operand, size_t workers)
{
    return operand->widen != NULL ? workers * TILE_MAX_NR : 0;
}

/* The operand with this worker's part of the windows. */
static inline struct tile_operand tile_operand_for(const struct tile_operand *operand,
                                                   size_t worker, size_t d)
{
    struct tile_operand own = *operand;
    if (own.widen != NULL)
        own.window += worker * TILE_MAX_NR * d;
    return own;
}

/* Rows [row, row + rows) as an operand of floats: those of `wide` if they are narrow. */
static inline struct tile_operand tile_rows_from(const struct tile_operand *operand, size_t row,
                                                 size_t rows, const float *wide, size_t d)
{
    struct tile_operand from = *operand;
    from.rows = rows;
    if (operand->widen != NULL) {
        from.data = wide;
        from.ld = d;
        from.widen = NULL;
        from.narrow = NULL;
    } else {
        from.data += row * operand->ld;
    }
    return from;
}

/* Where row r begins, to be fetched. */
static inline const char *tile_row_bytes(const struct tile_operand *operand, size_t r)
{
    return operand->widen != NULL ? (const char *)(operand->narrow + r * operand->ld)
                                  : (const char *)tile_operand_row(operand, r);
}

/* Fetches d elements of a row that will be needed next: streams of rows, several at once, are not
 * seen by the machine itself. */
static inline void tile_fetch_row(const struct tile_operand *operand, size_t r, size_t d)
{
    const char *row = tile_row_bytes(operand, r);
    size_t bytes = d * (operand->widen != NULL ? sizeof(uint16_t) : sizeof(float));
    for (size_t k = 0; k < bytes; k += TILE_LINE * sizeof(float))
        __builtin_prefetch(row + k);
}

/* Rows [first, first + count) of Y as a stretch to be fetched. */
static inline struct tile_fetch tile_fetch_rows(const struct tile_operand *operand, size_t first,
                                                size_t count)
{
    size_t elements = count * operand->ld;
    return (struct tile_fetch){(const float *)tile_row_bytes(operand, first),
                               operand->widen != NULL ? elements / 2 : elements};
}

/* Up to this depth a panel of nr rows (96 KB) and a block of A (252 KB) share the L2; cutting
 * earlier costs a pass over c each time. */
enum { TILE_DEPTH = 768 };

/* The contraction is cut so that a panel of each operand stays in cache; the chain goes on through
 * c. */
size_t tile_chunk_depth(size_t d);

/* Floats that `rows` rows of d columns may take, packed or in column panels; SIZE_MAX when that
 * overflows. */
size_t tile_packed_floats(size_t rows, size_t d);

/* The same where they are packed. */
size_t tile_panel_floats(size_t rows, size_t d);

/* wide, rows x d, gets rows [row, row + rows) of narrow ones: those that are this worker's. */
void tile_widen(const struct tile_operand *operand, size_t row, size_t rows, size_t d, float *wide,
                size_t worker, size_t workers);

/* The default origin of an operand whose first `rows` rows count. It is no work to be shared: some
 * 0.2 us at d = 512, beside the reading of the rows. */
void tile_find_origin(const struct tile_ops *ops, const struct tile_operand *operand, size_t rows,
                      size_t d, float *origin);

/* out = row less the origin (NULL: none), NaN canonical. */
void tile_subtract_origin(size_t d, const float *row, const float *origin, float *out);

/* Packs the panels of rows [first, first + count) that this worker owns (panel p where
 * p mod workers == worker). */
void tile_pack(const struct tile_ops *ops, const struct tile_operand *operand, size_t first,
               size_t count, size_t d, float *packed, size_t worker, size_t workers);

/* Rows between the column panels of `count` rows: an odd number, so that the panels do not all
 * begin in the same cache set. */
static inline size_t tile_column_rows(size_t count)
{
    return count | 1;
}

/* Column panels of rows [first, first + count): [panel][tile_column_rows(count)][nr], scaled as
 * packed ones are. */
void tile_pack_columns(const struct tile_ops *ops, const struct tile_operand *operand, size_t first,
                       size_t count, size_t d, float *packed, size_t worker, size_t workers);

/* c = A B^T for rows [row, row + rows) of A in column panels of rows_a rows, and columns [col, col
 * + cols) of a packed B. col is a multiple of nr. c must have room for whole tiles, but for
 * TILE_EXACT. next_col is where the caller will go on in B, so that it is there by then; what else
 * is to be fetched comes from `fetch`. */
void tile_multiply(const struct tile_ops *ops, size_t d, const float *columns_a, size_t rows_a,
                   size_t row, size_t rows, const float *packed_b, size_t packed_cols, size_t col,
                   size_t cols, size_t next_col, float *c, size_t ldc, unsigned flags,
                   struct tile_fetch fetch);

/* scale[r] for the rows r of the operand that this worker owns. */
void tile_row_scales(const struct pair_ops *pair, const struct tile_operand *operand, size_t d,
                     struct row_scale *scale, size_t worker, size_t workers);

/* Turns a block of dot products into scale times neg_sq_l2, given the squared norms of its rows and
 * columns. Where a norm has left the range of float, the element is that of the pair function, for
 * the rows less their origin; these are made in `spare`, 2 d floats. */
void tile_neg_sq_l2_block(const struct tile_ops *ops, const struct pair_ops *pair, size_t d,
                          const struct tile_operand *x, size_t row, size_t rows, const float *xx,
                          const struct tile_operand *y, size_t col, size_t cols, const float *yy,
                          float scale, float *c, size_t ldc, float *spare);

/* Rows [col, col + count) of B, count <= TILE_MAX_NR, that are not packed, against one row of A
 * (less the origin and scaled, not packed): ops->row_product. What comes after them is fetched. */
void tile_multiply_row(const struct tile_ops *ops, size_t d, const float *a,
                       const struct tile_operand *b, size_t col, size_t count, float *c,
                       float *squares);

/* The same for the rows of B that are listed, count <= TILE_MAX_NR. */
void tile_multiply_listed(const struct tile_ops *ops, size_t d, const float *a,
                          const struct tile_operand *b, const uint32_t *list, size_t count,
                          float *c, float *squares);

/* Row r of A as tile_multiply_row wants it, d floats: scaled, or less the origin; *square, unless
 * NULL, is the squared norm of what is left, one FMA chain. */
void tile_hold_row(const struct tile_ops *ops, size_t d, const struct tile_operand *a, size_t r,
                   float *out, float *square);

/* Squared norms of the packed rows that this worker has packed, each one FMA chain: the bits that
 * the tile gives for x.x. */
void tile_sum_squares(const struct tile_ops *ops, size_t d, const float *packed, size_t rows,
                      float *sums, size_t worker, size_t workers);

/* The same of rows [first, first + count) that are not packed, with the bits of those that are. */
void tile_row_squares(const struct tile_ops *ops, const struct tile_operand *operand, size_t first,
                      size_t count, size_t d, float *sums, size_t worker, size_t workers);

#endif
