/* data.c - real vectors: Fashion-MNIST, or the user's own files.
 * SPDX-License-Identifier: MIT
 */
#include "data.h"

#include "idx.h"
#include "open_vectors.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FASHION_FOLDER "/usr/share/datasets/fashion-mnist"

/* Owned memory of a source: arrays of the images, or two open files. */
struct storage {
    float *arrays[3];
    struct vectors files[2];
};

static struct storage *new_storage(struct source *source, char *error, size_t error_bytes)
{
    memset(source, 0, sizeof *source);
    source->storage = calloc(1, sizeof(struct storage));
    if (!source->storage)
        snprintf(error, error_bytes, "no memory for the input data");
    return source->storage;
}

void data_close(struct source *source)
{
    struct storage *storage = source->storage;
    if (!storage)
        return;
    for (int i = 0; i < 3; i++)
        free(storage->arrays[i]);
    for (int i = 0; i < 2; i++)
        vectors_close(&storage->files[i]);
    free(storage);
    memset(source, 0, sizeof *source);
}

static void flip_images(size_t images, size_t height, size_t width, const float *in, float *out)
{
    for (size_t row = 0; row < images * height; row++)
        for (size_t column = 0; column < width; column++)
            out[row * width + column] = in[row * width + width - 1 - column];
}

void data_fashion_path(const char *name, char *path, size_t path_bytes)
{
    const char *folder = getenv("MMK_FASHION_MNIST");
    snprintf(path, path_bytes, "%s/%s", folder && folder[0] ? folder : FASHION_FOLDER, name);
}

bool data_open_fashion(struct source *source, size_t gallery_rows, char *error, size_t error_bytes)
{
    struct storage *storage = new_storage(source, error, error_bytes);
    if (!storage)
        return false;
    char path[512];
    size_t height, width, other_height, other_width;
    data_fashion_path("t10k-images-idx3-ubyte.gz", path, sizeof path);
    storage->arrays[0] =
        idx_read_images(path, SIZE_MAX, &source->query_rows, &height, &width, error, error_bytes);
    bool good = storage->arrays[0] != NULL;
    if (good) {
        data_fashion_path("train-images-idx3-ubyte.gz", path, sizeof path);
        storage->arrays[1] = idx_read_images(path, gallery_rows, &source->gallery_rows,
                                             &other_height, &other_width, error, error_bytes);
        good = storage->arrays[1] != NULL;
    }
    if (good && (height != other_height || width != other_width)) {
        snprintf(error, error_bytes,
                 "%s: training and test images differ in size; reinstall dataset-fashion-mnist",
                 path);
        good = false;
    }
    if (good) {
        source->d = height * width;
        storage->arrays[2] = malloc(source->query_rows * source->d * sizeof(float));
        good = storage->arrays[2] != NULL;
        if (!good)
            snprintf(error, error_bytes, "no memory for the flipped images");
    }
    if (!good) {
        data_close(source);
        return false;
    }
    flip_images(source->query_rows, height, width, storage->arrays[0], storage->arrays[2]);
    source->queries = storage->arrays[0];
    source->gallery = storage->arrays[1];
    source->pairs = storage->arrays[2];
    source->pair_rows = source->query_rows;
    source->query_ld = source->gallery_ld = source->pair_ld = source->d;
    snprintf(source->name, sizeof source->name, "fashion-mnist");
    return true;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

bool data_open_files(struct source *source, const char *data, const char *pairs, bool bf16,
                     char *error, size_t error_bytes)
{
    const struct vectors_how how = {.bf16 = bf16};
    struct storage *storage = new_storage(source, error, error_bytes);
    if (!storage)
        return false;
    struct vectors *first = &storage->files[0], *second = &storage->files[1];
    bool good = vectors_open(data, &how, first, error, error_bytes) &&
                (!pairs || vectors_open(pairs, &how, second, error, error_bytes));
    if (good && pairs && first->cols != second->cols) {
        snprintf(error, error_bytes,
                 "%s has rows of %zu, %s of %zu; both views must come from one embedding space, "
                 "with rows of the same length",
                 data, first->cols, pairs, second->cols);
        good = false;
    }
    if (good && pairs && first->rows != second->rows) {
        snprintf(
            error, error_bytes,
            "%s has %zu rows, %s has %zu; row i of both is a pair, so give files with the same "
            "number of rows",
            data, first->rows, pairs, second->rows);
        good = false;
    }
    if (!good) {
        data_close(source);
        return false;
    }
    source->d = first->cols;
    source->queries = first->data;
    source->query_rows = first->rows;
    source->query_ld = first->ld;
    source->gallery = pairs ? second->data : first->data;
    source->gallery_rows = pairs ? second->rows : first->rows;
    source->gallery_ld = pairs ? second->ld : first->ld;
    source->pairs = pairs ? second->data : NULL;
    source->pair_rows = pairs ? second->rows : 0;
    source->pair_ld = second->ld;
    if (pairs)
        snprintf(source->name, sizeof source->name, "%.28s + %.28s", base_name(data),
                 base_name(pairs));
    else
        snprintf(source->name, sizeof source->name, "%.60s", base_name(data));
    return true;
}

bool data_fits(const struct source *source, const struct kernel *kernel, const struct shape *shape)
{
    if (kernel->synthetic_only)
        return false;
    if (strchr(kernel->dims, 'd') && shape->d != source->d)
        return false;
    if (strchr(kernel->dims, 'm') && shape->m > source->query_rows)
        return false;
    if (strchr(kernel->dims, 'n') &&
        shape->n > (kernel->paired ? source->pair_rows : source->gallery_rows))
        return false;
    return true;
}

/* Rows first, first + 1, ... of a source, over again where it ends; rounded for kernels of f16 and
 * bf16. */
static void copy_rows(const float *rows, size_t row_count, size_t row_ld, size_t d, size_t first,
                      struct buffer *buffer)
{
    /* A vector argument is one row however its buffer is laid out. */
    bool vector = buffer->rows * buffer->cols == d;
    size_t count = vector ? 1 : buffer->rows, ld = vector ? d : buffer->ld;
    for (size_t i = 0; i < count; i++)
        buffer_put(buffer, i * ld, rows + (first + i) % row_count * row_ld, d);
}

static void fill_scores(const struct source *source, size_t first, struct buffer *scores)
{
    bool vector = scores->rows == 1 || scores->cols == 1;
    size_t rows = vector ? 1 : scores->rows,
           n = vector ? scores->rows * scores->cols : scores->cols;
    const struct mmk_matrix gallery = {.data = source->gallery,
                                       .rows = n,
                                       .columns = source->d,
                                       .leading_dimension = source->gallery_ld};
#pragma omp parallel for schedule(dynamic)
    for (size_t i = 0; i < rows; i++)
        mmk_similarity_query(MMK_COSINE,
                             source->queries + (first + i) % source->query_rows * source->query_ld,
                             &gallery, NULL, (float *)scores->data + i * scores->ld);
}

void data_fill(const struct source *source, struct trial *trial, size_t turn)
{
    for (int b = 0; b < trial->buffer_count; b++) {
        struct buffer *buffer = &trial->buffer[b];
        if (buffer->output)
            continue;
        if (strcmp(buffer->name, "x") == 0)
            copy_rows(source->queries, source->query_rows, source->query_ld, source->d, turn,
                      buffer);
        else if (strcmp(buffer->name, "y") == 0 && trial->kernel->paired)
            copy_rows(source->pairs, source->pair_rows, source->pair_ld, source->d, turn, buffer);
        else if (strcmp(buffer->name, "y") == 0)
            copy_rows(source->gallery, source->gallery_rows, source->gallery_ld, source->d, turn,
                      buffer);
        else if (strcmp(buffer->name, "scores") == 0)
            fill_scores(source, turn * buffer->rows, buffer);
    }
    trial_fill(trial); /* padding, and what the kernel makes of the rest (lse) */
}
