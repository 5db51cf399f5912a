/* tile.c - packing and multiplying whole operands; the loops around the register tile.
 * SPDX-License-Identifier: MIT
 *
 * What a product costs is in tile_<isa>.c: all but a few per cent are its FMAs, if B comes from L2
 * in time. So one panel of B, which the tiles before have fetched, meets all of a block of A, which
 * stays in L2. Packing is a pass over each operand; it matters where the other has few rows.
 */
#include "tile.h"

#include "../simd/scalar.h"

#include <string.h>

/* Rows of no more than this are in L2 most often, and come in time by themselves. */
enum { NEAR_FLOATS = 32768 };

/* How far ahead of a row product its rows are fetched, at least. */
enum { AHEAD_FLOATS = 32768 };

size_t tile_chunk_depth(size_t d)
{
    if (d <= TILE_DEPTH)
        return d;
    size_t chunks = size_blocks(d, TILE_DEPTH);
    return size_round_up(size_blocks(d, chunks), 16);
}

size_t tile_panel_floats(size_t rows, size_t d)
{
    size_t padded, floats;
    if (__builtin_add_overflow(rows, (size_t)TILE_MAX_NR - 1, &padded) ||
        __builtin_mul_overflow(padded, d, &floats))
        return SIZE_MAX;
    return floats;
}

size_t tile_packed_floats(size_t rows, size_t d)
{
    /* whole panels of any width, whole column panels, and what a tile reads beyond these */
    size_t columns, more;
    if (__builtin_add_overflow(d, (size_t)TILE_MAX_NR, &columns) ||
        __builtin_add_overflow(rows, (size_t)1, &more))
        return SIZE_MAX;
    return tile_panel_floats(more, columns);
}

static size_t source_of(const struct tile_operand *operand, size_t r)
{
    return operand->pick != NULL ? operand->pick[r] : r;
}

/* Row r, which is widened to row `slot` of the window if it is not float. */
static const float *operand_row(const struct tile_operand *operand, size_t r, size_t d, size_t slot,
                                size_t *source)
{
    *source = source_of(operand, r);
    return tile_widened_row(operand, *source, d,
                            operand->widen != NULL ? operand->window + slot * d : NULL);
}

static struct row_scale operand_scale(const struct tile_operand *operand, size_t d,
                                      const float *row, size_t source)
{
    if (operand->normalize != NULL)
        return operand->normalize->row_scale(d, row);
    return operand->scale != NULL ? operand->scale[source] : (struct row_scale){1, 1};
}

void tile_widen(const struct tile_operand *operand, size_t row, size_t rows, size_t d, float *wide,
                size_t worker, size_t workers)
{
    for (size_t r = worker; r < rows; r += workers)
        operand->widen(d, operand->narrow + (row + r) * operand->ld, wide + r * d);
}

void tile_find_origin(const struct tile_ops *ops, const struct tile_operand *operand, size_t rows,
                      size_t d, float *origin)
{
    const float *row[TILE_ORIGIN_ROWS];
    for (size_t i = 0; rows > 0 && i < TILE_ORIGIN_ROWS; i++)
        row[i] = tile_widened_row(operand, i * size_min(rows, TILE_ORIGIN_AMONG) / TILE_ORIGIN_ROWS,
                                  d, operand->widen != NULL ? operand->window + i * d : NULL);
    if (rows > 0)
        ops->median(d, row, origin);
    else
        memset(origin, 0, d * sizeof *origin);
}

void tile_subtract_origin(size_t d, const float *row, const float *origin, float *out)
{
    for (size_t k = 0; k < d; k++)
        out[k] = simd_canonical_nan(origin != NULL ? row[k] - origin[k] : row[k]);
}

void tile_pack(const struct tile_ops *ops, const struct tile_operand *operand, size_t first,
               size_t count, size_t d, float *packed, size_t worker, size_t workers)
{
    size_t width = ops->nr, padded = size_round_up(count, width);
    size_t chunk = tile_chunk_depth(d);
    /* The worker's next panel, while norms are taken; without these a burst that helps nothing. */
    bool fetches = operand->normalize != NULL && count * d > NEAR_FLOATS;
    for (size_t panel = worker; panel * width < count; panel += workers) {
        const float *row[TILE_MAX_NR];
        struct row_scale scale[TILE_MAX_NR];
        size_t r0 = panel * width;
        size_t rows = count - r0 < width ? count - r0 : width;
        for (size_t r = 0; r < rows; r++) {
            size_t source, next = first + r0 + r + workers * width;
            if (fetches && next < operand->rows)
                tile_fetch_row(operand, source_of(operand, next), d);
            row[r] = operand_row(operand, first + r0 + r, d, r, &source);
            scale[r] = operand_scale(operand, d, row[r], source);
        }
        for (size_t k = 0; k < d; k += chunk) {
            size_t depth = d - k < chunk ? d - k : chunk;
            float *out = packed + k * padded + r0 * depth;
            const float *origin = operand->origin != NULL ? operand->origin + k : NULL;
            ops->pack(rows, row, origin, scale, operand->factor, depth, out);
            for (size_t r = 0; r < rows; r++)
                row[r] += depth;
        }
    }
}

void tile_pack_columns(const struct tile_ops *ops, const struct tile_operand *operand, size_t first,
                       size_t count, size_t d, float *packed, size_t worker, size_t workers)
{
    size_t stride = tile_column_rows(count) * ops->nr;
    bool far = count * d > NEAR_FLOATS;
    for (size_t r = worker; r < count; r += workers) {
        size_t source, next = first + r + workers;
        const float *row = operand_row(operand, first + r, d, 0, &source);
        if (far && next < operand->rows)
            tile_fetch_row(operand, source_of(operand, next), d);
        ops->copy_columns(d, row, operand->origin, operand_scale(operand, d, row, source),
                          operand->factor, packed + r * ops->nr, stride);
    }
    /* what a left operand's last tile reads beyond its rows */
    if (worker == 0 && d > 0)
        memset(packed + (size_blocks(d, ops->nr) - 1) * stride + count * ops->nr, 0,
               (ops->mr - 1) * ops->nr * sizeof *packed);
}

/* A tile of which c has room for rows x cols only. */
static void tile_edge(const struct tile_ops *ops, size_t rows, size_t cols, size_t first,
                      size_t depth, const float *a, size_t stride, const float *b, float *c,
                      size_t ldc, unsigned flags, struct tile_ahead ahead)
{
    float whole[TILE_MAX_MR * TILE_MAX_NR];
    if (flags & TILE_ACCUMULATE)
        for (size_t r = 0; r < rows; r++)
            memcpy(whole + r * ops->nr, c + r * ldc, cols * sizeof *c);
    ops->product_rows(rows, first, depth, a, ops->nr, stride, b, whole, ops->nr,
                      flags & ~(unsigned)TILE_PAST_CACHE, ahead);
    for (size_t r = 0; r < rows; r++)
        memcpy(c + r * ldc, whole + r * ops->nr, cols * sizeof *c);
}

void tile_multiply(const struct tile_ops *ops, size_t d, const float *columns_a, size_t rows_a,
                   size_t row, size_t rows, const float *packed_b, size_t packed_cols, size_t col,
                   size_t cols, size_t next_col, float *c, size_t ldc, unsigned flags,
                   struct tile_fetch fetch)
{
    size_t nr = ops->nr, stride = tile_column_rows(rows_a) * nr;
    size_t padded_b = size_round_up(packed_cols, nr), chunk = tile_chunk_depth(d), k = 0;
    const float *a = columns_a + row * nr;
    do {
        size_t depth = d - k < chunk ? d - k : chunk, end = k + depth;
        size_t next_depth = d - end < chunk ? d - end : chunk;
        unsigned chunk_flags = k == 0 ? flags : flags | TILE_ACCUMULATE;
        const float *b = packed_b + k * padded_b + col * depth;
        const float *b_after = end < d ? packed_b + end * padded_b + col * next_depth
                                       : packed_b + next_col * (d < chunk ? d : chunk);
        if (end < d)
            chunk_flags &= ~(unsigned)TILE_PAST_CACHE;
        /* one B panel against all A panels of the block: A stays in L2, B comes through once. The
         * first tiles of a panel fetch the next one of B. */
        for (size_t j = 0; j < cols; j += nr) {
            const float *b_next = j + nr < cols ? b + (j + nr) * depth : b_after;
            for (size_t i = 0, part = 0; i < rows; i += ops->mr, part += TILE_LINE) {
                struct tile_ahead ahead = {b_next + part * depth, TILE_LINE};
                size_t tile_rows = size_min(rows - i, ops->mr), tile_cols = size_min(cols - j, nr);
                if (part >= nr)
                    ahead = fetch.floats != 0
                                ? tile_fetch_some(&fetch, depth, NULL)
                                : (struct tile_ahead){a + (i + ops->mr) * nr, TILE_LINE};
                if (flags & TILE_EXACT && (tile_rows < ops->mr || tile_cols < nr))
                    tile_edge(ops, tile_rows, tile_cols, k, depth, a + i * nr, stride,
                              b + j * depth, c + i * ldc + j, ldc, chunk_flags, ahead);
                else
                    ops->product_rows(tile_rows, k, depth, a + i * nr, nr, stride, b + j * depth,
                                      c + i * ldc + j, ldc, chunk_flags, ahead);
            }
        }
        k = end;
    } while (k < d);
}

/* Rows of B as row_product takes them. */
struct unpacked_rows {
    const float *row[TILE_MAX_NR];
    struct row_scale scale[TILE_MAX_NR];
};

static bool is_scaled(const struct tile_operand *operand)
{
    return operand->normalize != NULL || operand->scale != NULL;
}

static void set_unpacked(struct unpacked_rows *rows, size_t i, const struct tile_operand *b,
                         size_t d, size_t r)
{
    size_t source;
    rows->row[i] = operand_row(b, r, d, i, &source);
    if (is_scaled(b))
        rows->scale[i] = operand_scale(b, d, rows->row[i], source);
}

void tile_multiply_row(const struct tile_ops *ops, size_t d, const float *a,
                       const struct tile_operand *b, size_t col, size_t count, float *c,
                       float *squares)
{
    struct unpacked_rows rows;
    size_t step = count * b->ld + 1, floats = size_blocks(AHEAD_FLOATS, step) * (step - 1);
    const float *ahead = tile_fetch_rows(b, source_of(b, col), 0).at;
    ahead += b->widen != NULL ? floats / 2 : floats;
    for (size_t r = 0; r < count; r++)
        set_unpacked(&rows, r, b, d, col + r);
    ops->row_product(count, d, a, rows.row, b->origin, is_scaled(b) ? rows.scale : NULL, c, squares,
                     ahead);
}

void tile_multiply_listed(const struct tile_ops *ops, size_t d, const float *a,
                          const struct tile_operand *b, const uint32_t *list, size_t count,
                          float *c, float *squares)
{
    struct unpacked_rows rows;
    for (size_t i = 0; i < count; i++)
        set_unpacked(&rows, i, b, d, list[i]);
    ops->row_product(count, d, a, rows.row, b->origin, is_scaled(b) ? rows.scale : NULL, c, squares,
                     a);
}

void tile_hold_row(const struct tile_ops *ops, size_t d, const struct tile_operand *a, size_t r,
                   float *out, float *square)
{
    size_t source;
    const float *row = operand_row(a, r, d, 0, &source);
    if (a->normalize != NULL)
        a->normalize->scale_row(d, row, a->normalize->row_scale(d, row), out);
    else
        tile_subtract_origin(d, row, a->origin, out);
    if (square == NULL)
        return;
    float dot[TILE_MAX_NR], squares[TILE_MAX_NR];
    tile_multiply_row(ops, d, out, a, r, 1, dot, squares);
    *square = squares[0];
}

void tile_sum_squares(const struct tile_ops *ops, size_t d, const float *packed, size_t rows,
                      float *sums, size_t worker, size_t workers)
{
    size_t width = ops->nr, padded = size_round_up(rows, width);
    size_t chunk = tile_chunk_depth(d);
    for (size_t r = worker * width; r < rows; r += workers * width) {
        float sum[TILE_MAX_NR] = {0};
        for (size_t k = 0; k < d; k += chunk) {
            size_t depth = d - k < chunk ? d - k : chunk;
            ops->sum_squares(depth, packed + k * padded + r * depth, sum);
        }
        size_t present = rows - r < width ? rows - r : width;
        memcpy(sums + r, sum, present * sizeof *sum);
    }
}

void tile_row_squares(const struct tile_ops *ops, const struct tile_operand *operand, size_t first,
                      size_t count, size_t d, float *sums, size_t worker, size_t workers)
{
    for (size_t r = worker * ops->nr; r < count; r += workers * ops->nr) {
        float unused[TILE_MAX_NR], sum[TILE_MAX_NR];
        size_t source, present = size_min(count - r, ops->nr);
        tile_multiply_row(ops, d, operand_row(operand, first + r, d, 0, &source), operand,
                          first + r, present, unused, sum);
        memcpy(sums + r, sum, present * sizeof *sum);
    }
}

void tile_row_scales(const struct pair_ops *pair, const struct tile_operand *operand, size_t d,
                     struct row_scale *scale, size_t worker, size_t workers)
{
    for (size_t r = worker; r < operand->rows; r += workers) {
        size_t source;
        const float *row = operand_row(operand, r, d, 0, &source);
        scale[r] = pair->row_scale(d, row);
    }
}

/* A squared norm with which 2 x.y - |x|^2 - |y|^2 stays within float. */
static bool norm_usable(float v)
{
    return v <= 0x1p125f;
}

static bool all_usable(size_t count, const float *v)
{
    for (size_t i = 0; i < count; i++)
        if (!norm_usable(v[i]))
            return false;
    return true;
}

/* Row r less the origin, as a packed one is already. */
static const float *single_row(const struct tile_ops *ops, const struct tile_operand *operand,
                               size_t r, size_t d, float *spare)
{
    if (operand->packed == NULL) {
        const float *row = tile_widened_row(operand, source_of(operand, r), d, spare);
        if (operand->origin == NULL)
            return row;
        tile_subtract_origin(d, row, operand->origin, spare);
        return spare;
    }
    size_t padded = size_round_up(operand->rows, ops->nr), within = r % ops->nr;
    size_t chunk = tile_chunk_depth(d);
    for (size_t k = 0; k < d; k++) {
        size_t first = k / chunk * chunk, depth = size_min(d - first, chunk);
        spare[k] =
            operand->packed[first * padded + (r - within) * depth + (k - first) * ops->nr + within];
    }
    return spare;
}

void tile_neg_sq_l2_block(const struct tile_ops *ops, const struct pair_ops *pair, size_t d,
                          const struct tile_operand *x, size_t row, size_t rows, const float *xx,
                          const struct tile_operand *y, size_t col, size_t cols, const float *yy,
                          float scale, float *c, size_t ldc, float *spare)
{
    ops->neg_sq_l2(rows, cols, c, ldc, xx, yy, scale);
    if (all_usable(rows, xx) && all_usable(cols, yy))
        return;
    for (size_t j = 0; j < cols; j++) {
        const float *y_row = NULL;
        for (size_t r = 0; r < rows; r++) {
            bool nan = xx[r] != xx[r] || yy[j] != yy[j]; /* and so is c */
            if (nan || (norm_usable(xx[r]) && norm_usable(yy[j])))
                continue;
            const float *x_row = single_row(ops, x, row + r, d, spare);
            if (y_row == NULL)
                y_row = single_row(ops, y, col + j, d, spare + d);
            c[r * ldc + j] = scale * pair->pair[MMK_NEG_SQ_L2](d, x_row, y_row);
        }
    }
}
