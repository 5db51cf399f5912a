/* targets.c - the sparse matrix of who belongs to whom, in the trials of the many-to-many losses.
 * SPDX-License-Identifier: MIT
 */
#include "targets.h"

#include "cases.h"
#include "trial.h"

#include <string.h>

/* Candidates of a row: all columns, but for the one that is left out. */
static size_t candidates_of(const struct shape *s)
{
    return s->offset > 0 ? s->n - 1 : s->n;
}

/* Follows from shape and fill, as the sizes of the buffers do. */
static size_t entries_of(const struct trial *t, size_t i)
{
    if (candidates_of(&t->shape) == 0)
        return 0;
    return t->fill == FILL_NORMAL ? t->shape.positives
                                  : (size_t)(fill_hash(t->shape.n, i) % (t->shape.positives + 1));
}

void targets_layout(struct trial *t)
{
    size_t entries = 0;
    for (size_t i = 0; i < t->shape.m; i++)
        entries += entries_of(t, i);
    add_vector(t, "row_start", false, ELEMENT_SIZE, t->shape.m + 1);
    add_vector(t, "column", false, ELEMENT_U32, entries);
    add_vector(t, "weight", false, ELEMENT_F32, entries);
}

/* In no order, some more than once; weights of 0 and of many sizes, some rows with none but 0. Rows
 * of FILL_ALIGNED begin with the column that is close to them. */
static void fill_row(struct trial *t, size_t i, size_t *row_start, uint32_t *column, float *weight)
{
    const struct shape *s = &t->shape;
    size_t candidates = candidates_of(s), count = entries_of(t, i);
    uint64_t stream = fill_hash(fill_stream(t, "targets"), i);
    size_t few = t->fill == FILL_DUPLICATES && candidates > 3 ? 3 : candidates;
    row_start[i + 1] = row_start[i] + count;
    for (size_t e = 0; e < count; e++) {
        uint64_t h = fill_hash(stream, e);
        size_t j = (size_t)((h >> 8) % few);
        if (t->fill == FILL_ALIGNED && e == 0)
            j = i % candidates;
        if (s->offset > 0 && j >= i + s->offset)
            j++;
        column[row_start[i] + e] = (uint32_t)j;
        weight[row_start[i] + e] =
            (t->fill == FILL_ZERO_ROWS && i % 3 == 0) || h % 8 == 0 ? 0.0f : (float)(h % 100) / 16;
    }
}

void targets_fill(struct trial *t)
{
    size_t *row_start = trial_buffer(t, "row_start")->data;
    uint32_t *column = trial_buffer(t, "column")->data;
    float *weight = trial_buffer(t, "weight")->data;
    row_start[0] = 0;
    for (size_t i = 0; i < t->shape.m; i++)
        fill_row(t, i, row_start, column, weight);
}

struct mmk_csr targets_of(struct trial *t)
{
    return (struct mmk_csr){
        .row_start = trial_buffer(t, "row_start")->data,
        .column = trial_buffer(t, "column")->data,
        .weight = t->fill == FILL_NORMAL ? NULL : trial_buffer(t, "weight")->data,
    };
}

bool is_of_targets(const struct buffer *b)
{
    return strcmp(b->name, "row_start") == 0 || strcmp(b->name, "column") == 0 ||
           strcmp(b->name, "weight") == 0;
}
