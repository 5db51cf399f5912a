/* idx.c - images and labels from gzipped IDX files (the MNIST family's format).
 * SPDX-License-Identifier: MIT
 *
 *     u32 big-endian: 0x00000803 (unsigned bytes, 3 dimensions), images, height, width; the bytes
 *     u32 big-endian: 0x00000801 (unsigned bytes, 1 dimension), labels; the bytes
 */
#include "idx.h"

#include "../base/regular.h"
#include "input.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

/* An open file, its size as it is on the disk, and where to say what is wrong with it. */
struct reader {
    gzFile file;
    size_t size;
    struct input in; /* not mapped: it is packed */
};

#define REMEDY "; reinstall dataset-fashion-mnist"

static uint32_t big_endian(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool open_file(struct reader *r)
{
    int fd = access(r->in.path, F_OK) == 0
                 ? regular_open(r->in.path, &r->size, r->in.error, r->in.error_bytes)
                 : -2;
    if (fd == -2)
        input_fail(&r->in, "it is not there; `make deps` installs it");
    if (fd < 0)
        return false;
    r->file = gzdopen(fd, "rb");
    if (r->file)
        return true;
    close(fd);
    return input_fail(&r->in, "there is no memory to read it; close something");
}

/* Bytes that were read: fewer than were asked for where the file ends; -1: it is damaged. */
static ptrdiff_t read_bytes(const struct reader *r, void *buffer, size_t bytes)
{
    size_t done = 0;
    while (done < bytes) {
        size_t left = bytes - done, most = 1u << 30;
        int got = gzread(r->file, (char *)buffer + done, (unsigned)(left < most ? left : most));
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    int problem;
    gzerror(r->file, &problem);
    return problem == Z_OK || problem == Z_STREAM_END ? (ptrdiff_t)done : -1;
}

/* The file ends within itself, or cannot be unpacked. */
static bool fail_damaged(const struct reader *r)
{
    int problem;
    gzerror(r->file, &problem);
    if (problem == Z_BUF_ERROR)
        return input_fail(&r->in, "it is truncated" REMEDY);
    if (problem == Z_ERRNO)
        return input_fail(&r->in, "it cannot be read (%s); is the disk well?", strerror(errno));
    if (problem == Z_MEM_ERROR)
        return input_fail(&r->in, "there is no memory to unpack it; close something");
    return input_fail(&r->in, "it is damaged" REMEDY);
}

/* The head of `what`: a number, and `sizes` sizes after it. */
static bool read_head(const struct reader *r, uint32_t magic, const char *what, size_t sizes,
                      unsigned char *head)
{
    size_t bytes = 8 + 4 * sizes;
    ptrdiff_t got = read_bytes(r, head, bytes);
    if (got < 0)
        return fail_damaged(r);
    if ((size_t)got < bytes || big_endian(head) != magic)
        return input_fail(&r->in, "this is no IDX file of %s" REMEDY, what);
    return true;
}

/* zlib packs nothing to less than a thousandth: a number beyond that is known to be wrong before
 * there is memory for it. */
static bool fits_file(const struct reader *r, size_t count, size_t bytes, const char *what)
{
    const double most_packed = 1100.0;
    if ((double)count * (double)bytes <= most_packed * ((double)r->size + 64.0))
        return true;
    return input_fail(&r->in, "its head says %zu %s, which a file of %zu bytes cannot hold" REMEDY,
                      count, what, r->size);
}

static bool fail_short(const struct reader *r, size_t count, size_t there, const char *what)
{
    return input_fail(&r->in, "its head says %zu %s, and there are %zu" REMEDY, count, what, there);
}

/* Nothing may follow the last. */
static bool check_end(const struct reader *r, size_t count, const char *what)
{
    unsigned char more;
    ptrdiff_t got = read_bytes(r, &more, 1);
    if (got < 0)
        return fail_damaged(r);
    return got == 0 ||
           input_fail(&r->in, "goes on after the %zu %s of its head" REMEDY, count, what);
}

/* The first `count` images as floats; after the last of those that the head names nothing may
 * follow. */
static bool read_pixels(const struct reader *r, size_t count, size_t named, size_t pixels,
                        unsigned char *row, float *images)
{
    for (size_t i = 0; i < count; i++) {
        ptrdiff_t got = read_bytes(r, row, pixels);
        if (got < 0)
            return fail_damaged(r);
        if ((size_t)got < pixels)
            return fail_short(r, named, i, "images");
        for (size_t j = 0; j < pixels; j++)
            images[i * pixels + j] = (float)row[j] / 255.0f;
    }
    return count < named || check_end(r, named, "images");
}

static float *read_open_file(const struct reader *r, size_t limit, size_t *images, size_t *height,
                             size_t *width)
{
    unsigned char head[16];
    if (!read_head(r, 0x00000803u, "images", 2, head))
        return NULL;
    size_t named = big_endian(head + 4), count = named < limit ? named : limit;
    *height = big_endian(head + 8);
    *width = big_endian(head + 12);
    size_t pixels = *height * *width;
    if (count == 0 || pixels == 0 || pixels > 1u << 20) {
        input_fail(&r->in, "it holds %zu images of %zu x %zu pixels" REMEDY, named, *height,
                   *width);
        return NULL;
    }
    if (!fits_file(r, named, pixels, "images"))
        return NULL;
    float *result = malloc(count * pixels * sizeof *result);
    unsigned char *row = malloc(pixels);
    bool good = result && row;
    if (!good)
        input_fail(&r->in, "there is no memory for its %zu images; close something", count);
    good = good && read_pixels(r, count, named, pixels, row, result);
    free(row);
    if (!good) {
        free(result);
        return NULL;
    }
    *images = count;
    return result;
}

float *idx_read_images(const char *path, size_t limit, size_t *images, size_t *height,
                       size_t *width, char *error, size_t error_bytes)
{
    struct reader r = {.in = {.path = path, .error = error, .error_bytes = error_bytes}};
    if (!open_file(&r))
        return NULL;
    float *result = read_open_file(&r, limit, images, height, width);
    gzclose(r.file);
    return result;
}

static bool read_labels(const struct reader *r, size_t count, unsigned char *labels)
{
    unsigned char head[8];
    if (!read_head(r, 0x00000801u, "labels", 0, head))
        return false;
    if (big_endian(head + 4) != count)
        return input_fail(&r->in, "its head says %u labels, and there are %zu images" REMEDY,
                          big_endian(head + 4), count);
    ptrdiff_t got = read_bytes(r, labels, count);
    if (got < 0)
        return fail_damaged(r);
    if ((size_t)got < count)
        return fail_short(r, count, (size_t)got, "labels");
    return check_end(r, count, "labels");
}

unsigned char *idx_read_labels(const char *path, size_t count, char *error, size_t error_bytes)
{
    struct reader r = {.in = {.path = path, .error = error, .error_bytes = error_bytes}};
    if (!open_file(&r))
        return NULL;
    unsigned char *labels = malloc(count ? count : 1);
    bool good =
        labels ? read_labels(&r, count, labels)
               : input_fail(&r.in, "there is no memory for %zu labels; close something", count);
    gzclose(r.file);
    if (good)
        return labels;
    free(labels);
    return NULL;
}
