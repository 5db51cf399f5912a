/* index_rows.c - lists of indices in binary files: .ivecs and .ibin.
 * SPDX-License-Identifier: MIT
 */
#include "index_rows.h"

#include <string.h>

static bool allocate(const struct input *in, struct lists *lists, size_t rows, size_t items)
{
    return lists_allocate(lists, rows, items) ||
           input_fail(in, "no memory for its %zu indices; give fewer", items);
}

/* Row `row`, `length` indices at byte `at`, behind those that the lists have already. What stands
 * for "none" in some files, -1, is none here either. */
static bool add_row(const struct input *in, struct lists *lists, size_t row, size_t at,
                    size_t length, uint32_t most)
{
    size_t first = lists->row_start[row];
    uint32_t *items = lists->items + first;
    memcpy(items, in->file.bytes + at, length * sizeof *items);
    for (size_t j = 0; j < length; j++)
        if (items[j] > most)
            return input_fail(in,
                              "row %zu, column %zu holds %u (%d), no index; write indices from 0 "
                              "to %u",
                              row, j, items[j], (int32_t)items[j], most);
    lists->row_start[row + 1] = first + length;
    return true;
}

bool index_rows_ivecs(const struct input *in, struct lists *lists)
{
    size_t rows = 0, items = 0, length;
    for (size_t at = 0; at < in->file.size; rows++, items += length)
        if (!input_next_row(in, rows, sizeof(int32_t), &at, &length))
            return false;
    if (!allocate(in, lists, rows, items))
        return false;
    for (size_t row = 0, at = 0; row < rows; row++) {
        size_t begin = at + sizeof(int32_t);
        if (!input_next_row(in, row, sizeof(int32_t), &at, &length) ||
            !add_row(in, lists, row, begin, length, INT32_MAX))
            return false;
    }
    return true;
}

bool index_rows_ibin(const struct input *in, struct lists *lists)
{
    uint32_t head[2];
    if (!input_head(in, head))
        return false;
    /* In double, where 2^32 x 2^32 x 8 does not overflow. */
    double items = (double)head[0] * head[1], size = (double)in->file.size;
    double wanted = INPUT_HEAD_BYTES + sizeof(uint32_t) * items;
    double with_distances = wanted + sizeof(float) * items;
    if (size != wanted && size != with_distances)
        return input_fail(in,
                          "%u rows of %u indices and the 8 bytes before them are %.0f bytes, with "
                          "distances after them %.0f, and the file has %zu; copy or write it again",
                          head[0], head[1], wanted, with_distances, in->file.size);
    size_t row_bytes = head[1] * sizeof(uint32_t);
    if (!allocate(in, lists, head[0], (size_t)items))
        return false;
    for (size_t row = 0; row < head[0]; row++)
        if (!add_row(in, lists, row, INPUT_HEAD_BYTES + row * row_bytes, head[1], UINT32_MAX - 1))
            return false;
    return true;
}
