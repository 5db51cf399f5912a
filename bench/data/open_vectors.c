/* open_vectors.c - which format a file of embeddings has.
 * SPDX-License-Identifier: MIT
 */
#include "open_vectors.h"

#include "bin.h"
#include "npy.h"
#include "vecs.h"

#include <string.h>

/* A new format is a line here. */
static const struct format {
    const char *ending;
    bool (*read)(struct input *in, struct vectors *v);
    enum stored stored; /* of .npy the file itself says it */
} formats[] = {
    {".npy", npy_read, STORED_F32},    {".fbin", bin_read, STORED_F32},
    {".f16bin", bin_read, STORED_F16}, {".i8bin", bin_read, STORED_I8},
    {".u8bin", bin_read, STORED_U8},   {".fvecs", vecs_read, STORED_F32},
    {".bvecs", vecs_read, STORED_U8},
};

enum { FORMATS = sizeof formats / sizeof formats[0] };

const char *vectors_ending(size_t number)
{
    return number < FORMATS ? formats[number].ending : NULL;
}

bool vectors_open_as(const char *path, const char *ending, const struct vectors_how *how,
                     struct vectors *v, char *error, size_t error_bytes)
{
    const struct format *format = &formats[0];
    for (size_t f = 0; f < FORMATS; f++)
        if (strcmp(formats[f].ending, ending) == 0)
            format = &formats[f];
    struct input in = {.path = path,
                       .ending = format->ending,
                       .bf16 = how->bf16,
                       .progress = how->progress,
                       .error = error,
                       .error_bytes = error_bytes};
    *v = (struct vectors){.stored = format->stored};
    bool good = input_open(&in) && format->read(&in, v);
    input_close(&in); /* unless the vectors have taken it over */
    if (!good)
        vectors_close(v);
    return good;
}

bool vectors_open(const char *path, const struct vectors_how *how, struct vectors *v, char *error,
                  size_t error_bytes)
{
    return vectors_open_as(path, input_ending(path), how, v, error, error_bytes);
}
