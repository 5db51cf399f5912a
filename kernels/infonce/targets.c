/* targets.c - the positives of InfoNCE: from a sparse matrix to lists for each side, and to the
 * places where a pass over the logits meets them.
 * SPDX-License-Identifier: MIT
 *
 * Two counting sorts, by column and from there by row, leave both sides' lists in ascending order
 * with equal entries side by side: time and memory are linear in entries, rows and columns. Entries
 * are numbered in the order of the columns' lists.
 */
#include "problem.h"

#include <string.h>

static void layout_side(struct infonce_side *side, size_t rows, size_t entries, struct scratch *s)
{
    side->start = scratch_take(s, rows + 1, sizeof *side->start);
    side->index = scratch_take(s, entries, sizeof *side->index);
    side->entry = scratch_take(s, entries, sizeof *side->entry);
    side->total = scratch_take(s, rows, sizeof *side->total);
}

void infonce_layout_targets(struct infonce *p, struct scratch *s)
{
    struct infonce_targets *t = &p->targets;
    size_t longer = size_max(p->m, p->n);
    size_t padded = size_round_up(t->most, INFONCE_STRIP);
    layout_side(&t->x, p->m, t->most, s);
    layout_side(&t->y, p->n, t->most, s);
    t->weight = scratch_take(s, t->most, sizeof *t->weight);
    t->logit = scratch_take(s, padded, sizeof *t->logit);
    t->e = scratch_take(s, padded, sizeof *t->e);
    t->coef = scratch_take(s, t->most, sizeof *t->coef);
    t->place_start =
        scratch_take(s, size_blocks(longer, TILE_BLOCK_ROWS) + 1, sizeof *t->place_start);
    t->place = scratch_take(s, t->most + (t->exclude_self ? p->m : 0), sizeof *t->place);
    t->row_of = scratch_take(s, longer, sizeof *t->row_of);
}

/* Entries of row i of the given weights. */
static size_t given_begin(const struct infonce_targets *t, size_t i)
{
    return t->none ? 0 : t->weights != NULL ? t->weights->row_start[i] : i;
}

/* start[i + 1] holds the length of list i; makes start[i] its beginning. */
static void lengths_to_begins(size_t count, size_t *start)
{
    start[0] = 0;
    for (size_t i = 0; i < count; i++)
        start[i + 1] += start[i];
}

/* Filling a list has moved each beginning to its end, which is where the next one began. */
static void ends_to_begins(size_t count, size_t *start)
{
    for (size_t i = count; i > 0; i--)
        start[i] = start[i - 1];
    start[0] = 0;
}

static void sort_by_column(struct infonce *p)
{
    struct infonce_targets *t = &p->targets;
    const struct mmk_csr *w = t->weights;
    size_t *start = t->y.start, offset = p->config.offset;
    size_t first = given_begin(t, 0), end = given_begin(t, p->m);
    memset(start, 0, (p->n + 1) * sizeof *start);
    for (size_t e = first; e < end; e++)
        start[(w != NULL ? w->column[e] : e + offset) + 1]++;
    lengths_to_begins(p->n, start);
    for (size_t i = 0; i < p->m; i++)
        for (size_t e = given_begin(t, i); e < given_begin(t, i + 1); e++) {
            size_t at = start[w != NULL ? w->column[e] : e + offset]++;
            t->y.index[at] = (uint32_t)i;
            t->weight[at] = w != NULL && w->weight != NULL ? (double)w->weight[e] : 1.0;
        }
    ends_to_begins(p->n, start);
}

/* Adds up the weights of equal entries and drops those of weight 0. */
static void merge_equal(struct infonce *p)
{
    struct infonce_targets *t = &p->targets;
    size_t out = 0, begin = 0;
    t->y.counted = 0;
    for (size_t j = 0; j < p->n; j++) {
        size_t end = t->y.start[j + 1], first = out;
        t->y.total[j] = 0;
        for (size_t q = begin; q < end; q++) {
            t->y.total[j] += t->weight[q];
            if (out > first && t->y.index[out - 1] == t->y.index[q]) {
                t->weight[out - 1] += t->weight[q];
            } else if (t->weight[q] > 0) {
                t->y.index[out] = t->y.index[q];
                t->weight[out++] = t->weight[q];
            }
        }
        begin = end;
        t->y.start[j + 1] = out;
        t->y.counted += out > first;
    }
    for (size_t e = 0; e < out; e++)
        t->y.entry[e] = (uint32_t)e;
}

static void sort_by_row(struct infonce *p)
{
    struct infonce_targets *t = &p->targets;
    size_t *start = t->x.start, entries = t->y.start[p->n];
    memset(start, 0, (p->m + 1) * sizeof *start);
    for (size_t e = 0; e < entries; e++)
        start[t->y.index[e] + 1]++;
    lengths_to_begins(p->m, start);
    for (size_t i = 0; i < p->m; i++)
        t->x.total[i] = 0;
    for (size_t j = 0; j < p->n; j++)
        for (size_t e = t->y.start[j]; e < t->y.start[j + 1]; e++) {
            size_t i = t->y.index[e], at = start[i]++;
            t->x.index[at] = (uint32_t)j;
            t->x.entry[at] = (uint32_t)e;
            t->x.total[i] += t->weight[e];
        }
    ends_to_begins(p->m, start);
    t->x.counted = 0;
    for (size_t i = 0; i < p->m; i++)
        t->x.counted += start[i + 1] > start[i];
}

void infonce_build_targets(struct infonce *p)
{
    sort_by_column(p);
    merge_equal(p);
    sort_by_row(p);
    if (p->targets.none) {
        p->targets.x.counted = p->m;
        p->targets.y.counted = p->n;
    }
}

/* The pass's row of a row of a's data; SIZE_MAX where it is not in it. */
static size_t row_in_pass(const struct infonce *p, const struct operands *o, size_t source)
{
    if (o->a->pick == NULL)
        return source;
    uint32_t row = p->targets.row_of[source];
    return row == UINT32_MAX ? SIZE_MAX : row;
}

static void add_place(struct infonce_targets *t, size_t row, size_t col, uint32_t entry)
{
    if (row != SIZE_MAX)
        t->place[t->place_start[row / TILE_BLOCK_ROWS]++] =
            (struct infonce_place){(uint32_t)row, (uint32_t)col, entry};
}

void infonce_list_places(struct infonce *p, const struct operands *o)
{
    struct infonce_targets *t = &p->targets;
    size_t blocks = size_blocks(o->a->rows, TILE_BLOCK_ROWS), *start = t->place_start;
    size_t sources = o->side_a == &t->x ? p->m : p->n;
    memset(start, 0, (blocks + 1) * sizeof *start);
    for (size_t i = 0; o->a->pick != NULL && i < sources; i++)
        t->row_of[i] = UINT32_MAX;
    for (size_t r = 0; r < o->a->rows; r++) {
        size_t source = o->a->pick != NULL ? o->a->pick[r] : r;
        bool has_self = t->exclude_self && source + (size_t)o->shift < o->b->rows;
        start[r / TILE_BLOCK_ROWS + 1] +=
            o->side_a->start[source + 1] - o->side_a->start[source] + has_self;
        if (o->a->pick != NULL)
            t->row_of[source] = (uint32_t)r;
    }
    lengths_to_begins(blocks, start);
    for (size_t col = 0; col < o->b->rows; col++) {
        const struct infonce_side *side = o->side_b;
        size_t self = col - (size_t)o->shift; /* large where there is none */
        if (t->exclude_self && self < sources)
            add_place(t, row_in_pass(p, o, self), col, INFONCE_NO_ENTRY);
        for (size_t q = side->start[col]; q < side->start[col + 1]; q++)
            add_place(t, row_in_pass(p, o, side->index[q]), col, side->entry[q]);
    }
    ends_to_begins(blocks, start);
    t->placed = o->side_a == &t->x && o->a->pick == NULL;
}

/* The first place of a block of rows at or after a column. */
static const struct infonce_place *place_from(const struct infonce_targets *t, size_t block,
                                              size_t col)
{
    size_t low = t->place_start[block], high = t->place_start[block + 1];
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (t->place[middle].col < col)
            low = middle + 1;
        else
            high = middle;
    }
    return t->place + low;
}

struct infonce_places infonce_places(const struct infonce *p, const struct region *strip)
{
    const struct infonce_targets *t = &p->targets;
    size_t block = strip->row / TILE_BLOCK_ROWS;
    struct infonce_places places = {place_from(t, block, strip->col), NULL};
    const struct infonce_place *last = t->place + t->place_start[block + 1];
    for (places.end = places.begin; places.end < last; places.end++)
        if (places.end->col >= strip->col + strip->cols)
            break;
    return places;
}
