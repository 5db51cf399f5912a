/* npy.c - a strict reader of .npy embedding files.
 * SPDX-License-Identifier: MIT
 *
 * Layout of the file (numpy.lib.format):
 *     "\x93NUMPY" major minor  header length (u16 in 1.0, u32 in 2.0 and 3.0, little-endian)
 *     header: the text of a Python dict, {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4),
 * }, padded with spaces, closed by a newline the elements Python itself would take more (any dict
 * literal); only what NumPy writes is accepted here, so that a damaged file is found and not
 * guessed at.
 */
#include "npy.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define REMEDY_SAVE "save it again with numpy.save(file, array.astype('float32'))"

struct reader {
    const char *path;
    const unsigned char *bytes;
    size_t size;
    char *error;
    size_t error_bytes;
};

struct cursor {
    const char *at, *end;
};

/* What the header must tell. */
struct header {
    char descr[16];
    bool fortran_order;
    size_t shape[8];
    size_t dimensions;
};

__attribute__((format(printf, 2, 3))) static bool fail(const struct reader *r, const char *format,
                                                       ...)
{
    int used = snprintf(r->error, r->error_bytes, "%s: ", r->path);
    if (used >= 0 && (size_t)used < r->error_bytes) {
        va_list list;
        va_start(list, format);
        vsnprintf(r->error + used, r->error_bytes - (size_t)used, format, list);
        va_end(list);
    }
    return false;
}

/* ---- The header's dict ---------------------------------------------------------------------- */

static void skip_spaces(struct cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t'))
        c->at++;
}

static bool take(struct cursor *c, char wanted)
{
    skip_spaces(c);
    if (c->at == c->end || *c->at != wanted)
        return false;
    c->at++;
    return true;
}

static bool take_word(struct cursor *c, const char *word)
{
    size_t length = strlen(word);
    skip_spaces(c);
    if ((size_t)(c->end - c->at) < length || memcmp(c->at, word, length) != 0)
        return false;
    c->at += length;
    return true;
}

static bool take_string(struct cursor *c, char *text, size_t text_bytes)
{
    skip_spaces(c);
    if (c->at == c->end || (*c->at != '\'' && *c->at != '"'))
        return false;
    char quote = *c->at++;
    size_t length = 0;
    while (c->at < c->end && *c->at != quote) {
        if (*c->at == '\\' || !isprint((unsigned char)*c->at) || length + 1 >= text_bytes)
            return false;
        text[length++] = *c->at++;
    }
    if (c->at == c->end)
        return false;
    c->at++;
    text[length] = '\0';
    return true;
}

static bool parse_shape(const struct reader *r, struct cursor *c, struct header *h)
{
    if (!take(c, '('))
        return fail(r, "'shape' in the header is no tuple; " REMEDY_SAVE);
    h->dimensions = 0;
    while (!take(c, ')')) {
        skip_spaces(c);
        if (c->at == c->end || !isdigit((unsigned char)*c->at))
            return fail(r, "'shape' in the header holds something that is no size; " REMEDY_SAVE);
        size_t value = 0;
        for (; c->at < c->end && isdigit((unsigned char)*c->at); c->at++) {
            size_t digit = (size_t)(*c->at - '0');
            if (value > (SIZE_MAX - digit) / 10)
                return fail(r, "a size in 'shape' does not fit 64 bits; " REMEDY_SAVE);
            value = value * 10 + digit;
        }
        if (h->dimensions == sizeof h->shape / sizeof *h->shape)
            return fail(r, "the array has more than 8 dimensions; "
                           "embeddings are n x d: reshape it to two dimensions");
        h->shape[h->dimensions++] = value;
        bool comma = take(c, ',');
        if (!comma) {
            if (h->dimensions == 1) /* "(3)" is a number in Python, "(3,)" a tuple */
                return fail(r, "'shape' in the header is no tuple; " REMEDY_SAVE);
            if (!take(c, ')'))
                return fail(r, "'shape' in the header is not closed; " REMEDY_SAVE);
            break;
        }
    }
    return true;
}

static bool parse_descr(const struct reader *r, struct cursor *c, struct header *h)
{
    skip_spaces(c);
    if (c->at < c->end && *c->at == '[')
        return fail(r, "the array has a structured dtype; "
                       "save one float field of it as an array of its own");
    if (!take_string(c, h->descr, sizeof h->descr))
        return fail(r, "'descr' in the header is no dtype name; " REMEDY_SAVE);
    return true;
}

static bool parse_header(const struct reader *r, struct cursor c, struct header *h)
{
    bool seen_descr = false, seen_order = false, seen_shape = false;
    if (!take(&c, '{'))
        return fail(r, "the header is no Python dict; " REMEDY_SAVE);
    while (!take(&c, '}')) {
        char key[32];
        if (!take_string(&c, key, sizeof key) || !take(&c, ':'))
            return fail(r, "the header is no Python dict; " REMEDY_SAVE);
        bool *seen = NULL;
        if (strcmp(key, "descr") == 0) {
            seen = &seen_descr;
            if (!parse_descr(r, &c, h))
                return false;
        } else if (strcmp(key, "fortran_order") == 0) {
            seen = &seen_order;
            if (take_word(&c, "True"))
                h->fortran_order = true;
            else if (take_word(&c, "False"))
                h->fortran_order = false;
            else
                return fail(
                    r, "'fortran_order' in the header is neither True nor False; " REMEDY_SAVE);
        } else if (strcmp(key, "shape") == 0) {
            seen = &seen_shape;
            if (!parse_shape(r, &c, h))
                return false;
        } else {
            return fail(r, "the header has an unknown key '%s'; " REMEDY_SAVE, key);
        }
        if (*seen)
            return fail(r, "the header names '%s' twice; " REMEDY_SAVE, key);
        *seen = true;
        if (!take(&c, ',')) {
            if (!take(&c, '}'))
                return fail(r, "the header's dict is not closed; " REMEDY_SAVE);
            break;
        }
    }
    if (!seen_descr || !seen_order || !seen_shape)
        return fail(r, "the header lacks '%s'; " REMEDY_SAVE,
                    !seen_descr   ? "descr"
                    : !seen_order ? "fortran_order"
                                  : "shape");
    skip_spaces(&c);
    if (c.end - c.at != 1 || *c.at != '\n')
        return fail(r, "the header does not end in spaces and a newline; " REMEDY_SAVE);
    return true;
}

/* ---- Elements -------------------------------------------------------------------------------- */

static float float_of_half(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    uint32_t exponent = (half >> 10) & 0x1fu, fraction = half & 0x3ffu;
    uint32_t bits;
    if (exponent == 0x1f) {
        bits = sign | 0x7f800000u | (fraction << 13);
    } else if (exponent != 0) {
        bits = sign | ((exponent + 112u) << 23) | (fraction << 13);
    } else { /* zero or subnormal: fraction * 2^-24 is exact in f32 */
        float magnitude = (float)fraction * 0x1p-24f;
        memcpy(&bits, &magnitude, sizeof bits);
        bits |= sign;
    }
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Element size of a dtype that is understood; 0 with an error for any other. */
static size_t element_bytes(const struct reader *r, const char *descr)
{
    char order = descr[0];
    const char *kind = descr[0] ? descr + 1 : descr;
    if (order == '<' && strcmp(kind, "f4") == 0)
        return 4;
    if (order == '<' && strcmp(kind, "f2") == 0)
        return 2;
    if (order == '<' && strcmp(kind, "f8") == 0)
        return 8;
    if (order == '>')
        fail(r, "the elements are big-endian ('%s'); " REMEDY_SAVE, descr);
    else if (kind[0] == 'O' || order == 'O')
        fail(r,
             "the array holds Python objects ('%s'), not numbers; "
             "build a numeric array and save that as float32",
             descr);
    else
        fail(r, "the elements are '%s', and only <f2, <f4 and <f8 are read; " REMEDY_SAVE, descr);
    return 0;
}

static bool convert(const struct reader *r, struct npy *npy, const unsigned char *data,
                    size_t count, size_t bytes)
{
    npy->owned = malloc(count * sizeof *npy->owned);
    if (!npy->owned)
        return fail(r, "no memory for %zu x %zu floats; give a file with fewer rows", npy->rows,
                    npy->cols);
    for (size_t i = 0; i < count; i++) {
        if (bytes == 2) {
            uint16_t half;
            memcpy(&half, data + 2 * i, sizeof half);
            npy->owned[i] = float_of_half(half);
        } else if (bytes == 4) {
            memcpy(&npy->owned[i], data + 4 * i, sizeof(float));
        } else {
            double wide;
            memcpy(&wide, data + 8 * i, sizeof wide);
            npy->owned[i] = (float)wide;
            if (isinf(npy->owned[i]) && !isinf(wide))
                return fail(r,
                            "row %zu, column %zu holds %g, beyond the range of f32; "
                            "scale the embeddings before saving them",
                            i / npy->cols, i % npy->cols, wide);
        }
    }
    npy->data = npy->owned;
    return true;
}

static bool read_elements(const struct reader *r, const struct header *h, size_t start,
                          struct npy *npy)
{
    size_t bytes = element_bytes(r, h->descr);
    if (bytes == 0)
        return false;
    if (h->dimensions == 0)
        return fail(r, "the array is a single number; embeddings are n x d, one row a vector");
    if (h->dimensions > 2)
        return fail(r,
                    "the array has %zu dimensions; "
                    "embeddings are n x d: reshape it to two dimensions",
                    h->dimensions);
    if (h->fortran_order && h->dimensions == 2)
        return fail(r, "the array is in Fortran order; "
                       "save numpy.ascontiguousarray(array) in its place");
    npy->rows = h->dimensions == 2 ? h->shape[0] : 1;
    npy->cols = h->dimensions == 2 ? h->shape[1] : h->shape[0];
    if (npy->rows == 0 || npy->cols == 0)
        return fail(r, "the array is empty (%zu x %zu); give at least one row", npy->rows,
                    npy->cols);
    size_t count, wanted;
    if (__builtin_mul_overflow(npy->rows, npy->cols, &count) ||
        __builtin_mul_overflow(count, bytes > 4 ? bytes : (size_t)4, &wanted))
        return fail(r,
                    "a shape of %zu x %zu does not fit the address space; the header is "
                    "damaged: " REMEDY_SAVE,
                    npy->rows, npy->cols);
    wanted = count * bytes;
    size_t have = r->size - start;
    if (have < wanted)
        return fail(r,
                    "the file is truncated: %zu x %zu elements need %zu bytes and %zu are there; "
                    "copy or save it again",
                    npy->rows, npy->cols, wanted, have);
    if (have > wanted)
        return fail(r,
                    "%zu bytes follow the array; "
                    "save one array a file with numpy.save, not several appended",
                    have - wanted);
    snprintf(npy->dtype, sizeof npy->dtype, "f%zu", 8 * bytes);
    const unsigned char *data = r->bytes + start;
    if (bytes == 4 && (uintptr_t)data % sizeof(float) == 0) {
        npy->data = (const float *)(const void *)data;
        return true;
    }
    return convert(r, npy, data, count, bytes);
}

static bool read_file(const struct reader *r, struct npy *npy)
{
    if (r->size < 10 || memcmp(r->bytes, "\x93NUMPY", 6) != 0)
        return fail(r, "this is no .npy file (the magic bytes are missing); " REMEDY_SAVE);
    unsigned major = r->bytes[6], minor = r->bytes[7];
    if (major < 1 || major > 3 || minor != 0)
        return fail(r, ".npy format %u.%u is unknown (1.0, 2.0 and 3.0 are read); " REMEDY_SAVE,
                    major, minor);
    size_t start = major == 1 ? 10 : 12;
    if (r->size < start)
        return fail(r, "the file ends within its header; copy or save it again");
    size_t length = (size_t)r->bytes[8] | (size_t)r->bytes[9] << 8;
    if (major > 1)
        length |= (size_t)r->bytes[10] << 16 | (size_t)r->bytes[11] << 24;
    if (length > r->size - start)
        return fail(r, "the file ends within its header; copy or save it again");
    struct cursor cursor = {(const char *)r->bytes + start,
                            (const char *)r->bytes + start + length};
    struct header header = {0};
    return parse_header(r, cursor, &header) && read_elements(r, &header, start + length, npy);
}

bool npy_open(const char *path, struct npy *npy, char *error, size_t error_bytes)
{
    memset(npy, 0, sizeof *npy);
    struct reader r = {path, NULL, 0, error, error_bytes};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail(&r, "cannot be opened (%s); give the path of a readable .npy file",
                    strerror(errno));
    struct stat info;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        close(fd);
        return fail(&r, "is no regular file; give the path of a .npy file");
    }
    if (info.st_size == 0) {
        close(fd);
        return fail(&r, "is empty; " REMEDY_SAVE);
    }
    npy->map_bytes = (size_t)info.st_size;
    npy->map = mmap(NULL, npy->map_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (npy->map == MAP_FAILED) {
        npy->map = NULL;
        return fail(&r, "cannot be mapped (%s); give a file that fits the address space",
                    strerror(errno));
    }
    r.bytes = npy->map;
    r.size = npy->map_bytes;
    bool good = read_file(&r, npy);
    if (!good || npy->owned) { /* a converted copy needs the file no longer */
        munmap(npy->map, npy->map_bytes);
        npy->map = NULL;
    }
    if (!good)
        npy_close(npy);
    return good;
}

void npy_close(struct npy *npy)
{
    if (npy->map)
        munmap(npy->map, npy->map_bytes);
    free(npy->owned);
    memset(npy, 0, sizeof *npy);
}
