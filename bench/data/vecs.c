/* vecs.c - .fvecs and .bvecs files.
 * SPDX-License-Identifier: MIT
 *
 * What bounds it: the disk. Every row's dimension is read, and so nearly every page.
 */
#include "vecs.h"

bool vecs_read(struct input *in, struct vectors *v)
{
    size_t bytes = stored_bytes(v->stored), told = 0, cols;
    for (size_t at = 0, begin = 0; at < in->file.size; begin = at, v->rows++) {
        if (!input_next_row(in, v->rows, bytes, &at, &cols))
            return false;
        if (cols == 0)
            return input_fail(in, "row %zu, at byte %zu, has a dimension of 0; write it again",
                              v->rows, begin);
        if (v->rows > 0 && cols != v->cols)
            return input_fail(in,
                              "row %zu, at byte %zu, has a dimension of %zu, and those before it "
                              "have %zu; write rows of one dimension",
                              v->rows, begin, cols, v->cols);
        v->cols = cols;
        input_tell(in, at, in->file.size, &told);
    }
    return vectors_take(v, in, sizeof(int32_t), sizeof(int32_t) + v->cols * bytes);
}
