/* kept.c - where E waits between forward and backward.
 * SPDX-License-Identifier: MIT
 *
 * What is not kept costs the backward a third product. There is room
 *   - in what the workspace has to spare, for whole rows of blocks, from the first on;
 *   - in memory that has no other use yet: the sums in double that gradients are joined in, and the
 *     caller's dX and dY, if their rows have no gaps. For d = 512 that is all of 256 x 256 pairs,
 *     four fifths of 1024 x 1024 and half of 4096 x 4096; forward and backward with the least
 *     workspace take .79, .81 and .88 of the time that they take without it (Zen 5, AVX-512).
 *
 * A block must have become G before anything is written where it lies. The walk (products.c) takes
 * super-blocks of rows one after the other, and in each the columns of blocks: G of a column and
 * what its blocks add to dX, then what it adds to dY. So
 *   - sums of dX are written first by the first column, block by block: there a block of it may lie
 *     where its own rows' sums will be;
 *   - sums of dY are written first by the first super-block, rows of dY by the last, both in the
 *     column that they belong to: a block (in sums, of the first super-block) may lie from the
 *     first row of its own column on;
 *   - rows of dX are written by the last column of their super-block: a block of the first
 *     super-block may lie there, unless it is in the last column.
 */
#include "kept.h"

#include "gradient.h"

#include <stdint.h>

void infonce_layout_kept(struct infonce *p, struct scratch *s)
{
    p->kept.column = scratch_take(s, size_blocks(p->n, TILE_BLOCK_COLS), sizeof *p->kept.column);
}

/* Of a row of blocks. */
static size_t row_bytes(const struct infonce *p)
{
    return size_blocks(p->n, TILE_BLOCK_COLS) * KEPT_BLOCK_FLOATS * sizeof(float);
}

size_t infonce_kept_bytes(const struct infonce *p)
{
    size_t bytes;
    return __builtin_mul_overflow(size_blocks(p->m, TILE_BLOCK_ROWS), row_bytes(p), &bytes)
               ? SIZE_MAX
               : bytes;
}

/* Of a block in a column; whole cache lines. */
static size_t block_floats(const struct infonce *p, size_t column)
{
    size_t cols = size_min(p->n - column * TILE_BLOCK_COLS, TILE_BLOCK_COLS);
    return size_round_up(cols, INFONCE_STRIP) * TILE_BLOCK_ROWS;
}

/* Memory of whole cache lines. */
struct room {
    float *begin, *end;
};

static struct room whole_lines(float *begin, size_t floats)
{
    size_t skip = (size_t)(-(uintptr_t)begin / sizeof *begin % TILE_LINE);
    size_t lines = floats > skip ? (floats - skip) / TILE_LINE : 0;
    return lines > 0 ? (struct room){begin + skip, begin + skip + lines * TILE_LINE}
                     : (struct room){NULL, NULL};
}

/* A gradient's rows, from one on. */
static struct room gradient_from(const struct infonce *p, const struct args_out *gradient,
                                 size_t rows, size_t row)
{
    bool there = gradient->data != NULL && gradient->ld == p->d && row < rows;
    return there ? whole_lines(gradient->data + row * p->d, (rows - row) * p->d)
                 : (struct room){NULL, NULL};
}

/* The sums in double of all of dY's rows, from one on: there only where several super-blocks add to
 * them. */
static struct room sums_y_from(const struct infonce *p, size_t row)
{
    if (p->products.sums_y == NULL || p->m <= GRADIENT_ROWS)
        return (struct room){NULL, NULL};
    double *begin = p->products.sums_y + infonce_sums_at(p, row);
    size_t doubles = infonce_sums_at(p, p->n - row);
    return whole_lines((float *)(void *)begin, doubles * sizeof(double) / sizeof(float));
}

/* What places are looked for. `first` counts the blocks of the first super-block, `all` those of
 * all, less what the workspace has. */
struct search {
    struct infonce *p;
    const struct gradients *out;
    size_t columns, first, all;
};

/* How many of `blocks` have no place in a column yet. */
static size_t wanting(const struct search *s, size_t column, size_t blocks)
{
    const struct kept_stretch *in = s->p->kept.column[column].in;
    for (int i = 0; i < KEPT_STRETCHES; i++)
        blocks -= size_min(blocks, in[i].blocks);
    return blocks;
}

enum { IN_SUMS_X, IN_SUMS_Y, IN_X, IN_Y };

/* Each block of the first column where its own rows' sums will be. */
static void place_in_sums_x(const struct search *s)
{
    struct infonce *p = s->p;
    size_t stride = infonce_sums_at(p, TILE_BLOCK_ROWS) * (sizeof(double) / sizeof(float));
    float *sums = (float *)(void *)p->products.sums_x;
    if (sums != NULL && stride >= block_floats(p, 0))
        p->kept.column[0].in[IN_SUMS_X] =
            (struct kept_stretch){sums + p->kept.row_blocks * stride, s->first, stride};
}

/* The columns one after the other, but for the last. */
static void place_in_x(const struct search *s)
{
    struct infonce *p = s->p;
    struct room x = gradient_from(p, &s->out->x, p->m, 0);
    for (size_t c = 0; x.begin != NULL && c + 1 < s->columns; c++) {
        size_t floats = block_floats(p, c);
        size_t blocks = size_min(wanting(s, c, s->first), (size_t)(x.end - x.begin) / floats);
        p->kept.column[c].in[IN_X] = (struct kept_stretch){x.begin, blocks, floats};
        x.begin += blocks * floats;
    }
}

/* From the last column back, each at the end of what is free behind its own first row. */
static void place_in_y(const struct search *s, bool sums)
{
    struct infonce *p = s->p;
    float *end = NULL;
    for (size_t c = s->columns; c-- > 0;) {
        size_t row = c * TILE_BLOCK_COLS, floats = block_floats(p, c);
        struct room y = sums ? sums_y_from(p, row) : gradient_from(p, &s->out->y, p->own, row);
        if (y.begin == NULL)
            continue;
        if (end == NULL)
            end = y.end;
        size_t blocks =
            size_min(wanting(s, c, sums ? s->first : s->all), (size_t)(end - y.begin) / floats);
        end -= blocks * floats;
        p->kept.column[c].in[sums ? IN_SUMS_Y : IN_Y] = (struct kept_stretch){end, blocks, floats};
    }
}

void infonce_keep(struct infonce *p, const struct scratch *s, size_t spare,
                  const struct gradients *out)
{
    size_t blocks = size_blocks(p->m, TILE_BLOCK_ROWS),
           columns = size_blocks(p->n, TILE_BLOCK_COLS);
    size_t rows = stretch_rows(stretch_rows(p->m, HELD_ROWS, 0), GRADIENT_ROWS, 0);
    size_t of_first = size_blocks(rows, TILE_BLOCK_ROWS);
    p->kept.row_blocks = size_min(spare / row_bytes(p), blocks);
    p->kept.e = (float *)(void *)(s->base + s->used);
    p->kept.logits = infonce_sums_gz(p);
    for (size_t c = 0; c < columns; c++)
        p->kept.column[c] = (struct kept_column){0};
    struct search places = {p, out, columns, of_first - size_min(p->kept.row_blocks, of_first),
                            blocks - p->kept.row_blocks};
    place_in_sums_x(&places);
    place_in_y(&places, true);
    place_in_x(&places);
    place_in_y(&places, false);
}

void infonce_keep_nothing(struct infonce *p)
{
    p->kept.row_blocks = 0;
    p->kept.column = NULL;
}

float *infonce_kept_block(const struct infonce *p, size_t row, size_t col)
{
    size_t block = row / TILE_BLOCK_ROWS, column = col / TILE_BLOCK_COLS;
    if (block < p->kept.row_blocks)
        return p->kept.e + (column * p->kept.row_blocks + block) * (size_t)KEPT_BLOCK_FLOATS;
    if (p->kept.column == NULL)
        return NULL;
    block -= p->kept.row_blocks;
    for (int i = 0; i < KEPT_STRETCHES; i++) {
        const struct kept_stretch *in = &p->kept.column[column].in[i];
        if (block < in->blocks)
            return in->at + block * in->stride;
        block -= in->blocks;
    }
    return NULL;
}
