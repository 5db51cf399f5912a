/* fashion.c - pairs from Fashion-MNIST: the two halves of a garment.
 * SPDX-License-Identifier: MIT
 *
 * The "image" is the upper half of a picture (14 x 28 pixels), its "caption" the lower half of the
 * same picture, mirrored left to right: two views that share no pixel. What has the same class (of
 * ten) is relevant. Training pairs are drawn from the 60,000 training pictures; tested is with
 * 1,000 of the others.
 */
#include "../data/data.h"
#include "../data/idx.h"
#include "dataset.h"
#include "product.h"
#include "random.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SIDE = 28, HALF = SIDE / 2, WIDTH = HALF * SIDE, TEST = 1000 };

struct pictures {
    float *pixels;
    unsigned char *labels;
    size_t count;
};

struct fashion {
    struct pictures part[2]; /* for training, to test with */
    uint64_t order;
};

static size_t picture_of(const struct dataset *s, bool test, uint64_t item)
{
    const struct fashion *f = s->data;
    return test ? item : random_bits(f->order, item) % f->part[0].count;
}

static int64_t fashion_label(const struct dataset *s, int side, bool test, uint64_t item)
{
    const struct fashion *f = s->data;
    (void)side; /* both are of one picture */
    return f->part[test].labels[picture_of(s, test, item)];
}

static void fashion_observe(const struct dataset *s, int side, bool test, uint64_t first,
                            size_t rows, float *out)
{
    const struct fashion *f = s->data;
    for (size_t r = 0; r < rows; r++) {
        const float *picture = f->part[test].pixels + picture_of(s, test, first + r) * SIDE * SIDE;
        for (size_t y = 0; y < HALF; y++)
            for (size_t x = 0; x < SIDE; x++)
                *out++ =
                    side == 0 ? picture[y * SIDE + x] : picture[(HALF + y) * SIDE + SIDE - 1 - x];
    }
}

static void fashion_close(struct dataset *s)
{
    struct fashion *f = s->data;
    for (int part = 0; part < 2; part++) {
        free(f->part[part].pixels);
        free(f->part[part].labels);
    }
    free(f);
}

static bool read_part(struct pictures *p, const char *part, char *error, size_t error_bytes)
{
    char name[64], path[4096];
    size_t height, width;
    snprintf(name, sizeof name, "%s-images-idx3-ubyte.gz", part);
    data_fashion_path(name, path, sizeof path);
    p->pixels = idx_read_images(path, SIZE_MAX, &p->count, &height, &width, error, error_bytes);
    if (!p->pixels)
        return false;
    if (height != SIDE || width != SIDE || p->count < TEST) {
        snprintf(error, error_bytes,
                 "%s: holds %zu pictures of %zu x %zu, not at least %d of %d x %d; reinstall "
                 "dataset-fashion-mnist",
                 path, p->count, height, width, TEST, SIDE, SIDE);
        return false;
    }
    snprintf(name, sizeof name, "%s-labels-idx1-ubyte.gz", part);
    data_fashion_path(name, path, sizeof path);
    p->labels = idx_read_labels(path, p->count, error, error_bytes);
    return p->labels != NULL;
}

bool dataset_fashion_is_there(void)
{
    char path[4096];
    data_fashion_path("train-images-idx3-ubyte.gz", path, sizeof path);
    return access(path, F_OK) == 0;
}

bool dataset_open_fashion(struct dataset *s, uint64_t seed, char *error, size_t error_bytes)
{
    struct fashion *f = allocate(sizeof *f);
    *s = (struct dataset){.name = "Fashion-MNIST",
                          .about = "upper half of 1,000 pictures and mirrored lower half; what has "
                                   "the same class is relevant",
                          .steps = 1000,
                          .width = {WIDTH, WIDTH},
                          .test = {TEST, TEST},
                          .captions = 1,
                          .observe = fashion_observe,
                          .label = fashion_label,
                          .close = fashion_close,
                          .data = f};
    f->order = random_stream(seed, "pictures");
    if (read_part(&f->part[0], "train", error, error_bytes) &&
        read_part(&f->part[1], "t10k", error, error_bytes))
        return true;
    fashion_close(s);
    return false;
}
