/* vectors.c - a matrix of embeddings in memory, mapped or its own.
 * SPDX-License-Identifier: MIT
 */
#include "vectors.h"

#include "../base/memory.h"
#include "../base/text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static bool fail_memory(const struct vectors *v, const struct input *in, double needed,
                        double there)
{
    char wanted[32], available[32];
    text_bytes(needed, wanted, sizeof wanted);
    text_bytes(there, available, sizeof available);
    return input_fail(in,
                      "as f32 its %zu x %zu %s would take %s of memory, of which %s are free; give "
                      "fewer rows, or a file of f32, which is mapped",
                      v->rows, v->cols, stored_name(v->stored), wanted, available);
}

static bool convert(struct vectors *v, const struct input *in, size_t start, size_t stride)
{
    double needed = (double)sizeof(float) * (double)v->rows * (double)v->cols;
    double there = memory_available();
    size_t bytes, told = 0, wide = stored_bytes(v->stored);
    if (needed > there || __builtin_mul_overflow(v->rows, v->cols * sizeof(float), &bytes))
        return fail_memory(v, in, needed, there);
    v->owned = malloc(bytes);
    if (!v->owned)
        return input_fail(in, "there is no memory for %zu x %zu floats; give fewer rows", v->rows,
                          v->cols);
    for (size_t i = 0; i < v->rows; i++) {
        const unsigned char *row = in->file.bytes + start + i * stride;
        size_t good = stored_convert(v->stored, row, v->cols, v->owned + i * v->cols);
        if (good < v->cols) {
            double value;
            memcpy(&value, row + good * wide, sizeof value);
            return input_fail(in,
                              "row %zu, column %zu holds %g, beyond the range of f32; scale the "
                              "embeddings before saving them",
                              i, good, value);
        }
        input_tell(in, i * stride, v->rows * stride, &told);
    }
    v->data = v->owned;
    v->ld = v->cols;
    return true;
}

bool vectors_take(struct vectors *v, struct input *in, size_t start, size_t stride)
{
    if (v->stored != STORED_F32 || start % sizeof(float) != 0 || stride % sizeof(float) != 0)
        return convert(v, in, start, stride);
    v->data = (const float *)(const void *)(in->file.bytes + start);
    v->ld = stride / sizeof(float);
    v->file = in->file;
    in->file = (struct mapping){.bytes = NULL};
    return true;
}

void vectors_close(struct vectors *vectors)
{
    mapping_close(&vectors->file);
    free(vectors->owned);
    memset(vectors, 0, sizeof *vectors);
}

void vectors_expect(const struct vectors *vectors)
{
    if (vectors->file.bytes)
        madvise((void *)(uintptr_t)vectors->file.bytes, vectors->file.size, MADV_WILLNEED);
}
