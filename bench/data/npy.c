/* npy.c - a strict reader of .npy files: embeddings and labels.
 * SPDX-License-Identifier: MIT
 *
 * Layout of the file (numpy.lib.format):
 *     "\x93NUMPY" major minor  header length (u16 in 1.0, u32 in 2.0 and 3.0, little-endian)
 *     header: the text of a Python dict,
 *             {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
 *             padded with spaces, closed by a newline
 *     the elements
 * Python itself would take more (any dict literal); only what NumPy writes is accepted here, so
 * that a damaged file is found and not guessed at.
 */
#include "npy.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REMEDY_SAVE   "save it again with numpy.save(file, array.astype('float32'))"
#define REMEDY_LABELS "save it again with numpy.save(file, labels.astype('int64'))"

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

/* ---- The header's dict ----------------------------------------------------------------------- */

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

static bool convert(const struct reader *r, struct vectors *v, const unsigned char *data,
                    size_t count, size_t bytes)
{
    v->owned = malloc(count * sizeof *v->owned);
    if (!v->owned)
        return fail(r, "no memory for %zu x %zu floats; give a file with fewer rows", v->rows,
                    v->cols);
    for (size_t i = 0; i < count; i++) {
        if (bytes == 2) {
            uint16_t half;
            memcpy(&half, data + 2 * i, sizeof half);
            v->owned[i] = float_of_half(half);
        } else if (bytes == 4) {
            memcpy(&v->owned[i], data + 4 * i, sizeof(float));
        } else {
            double wide;
            memcpy(&wide, data + 8 * i, sizeof wide);
            v->owned[i] = (float)wide;
            if (isinf(v->owned[i]) && !isinf(wide))
                return fail(r,
                            "row %zu, column %zu holds %g, beyond the range of f32; "
                            "scale the embeddings before saving them",
                            i / v->cols, i % v->cols, wide);
        }
    }
    v->data = v->owned;
    return true;
}

/* Whether the file has exactly count elements from start on. */
static bool check_length(const struct reader *r, size_t count, size_t bytes, size_t start)
{
    size_t wanted, have = r->size - start;
    if (__builtin_mul_overflow(count, bytes, &wanted) || wanted > have)
        return fail(r,
                    "the file is truncated: %zu elements of %zu bytes are promised, and %zu bytes "
                    "are there; copy or save it again",
                    count, bytes, have);
    if (have > wanted)
        return fail(r,
                    "%zu bytes follow the array; "
                    "save one array a file with numpy.save, not several appended",
                    have - wanted);
    return true;
}

static bool read_vectors(const struct reader *r, const struct header *h, size_t start,
                         struct vectors *v)
{
    size_t bytes = element_bytes(r, h->descr), count;
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
    v->rows = h->dimensions == 2 ? h->shape[0] : 1;
    v->cols = h->dimensions == 2 ? h->shape[1] : h->shape[0];
    if (v->rows == 0 || v->cols == 0)
        return fail(r, "the array is empty (%zu x %zu); give at least one row", v->rows, v->cols);
    if (__builtin_mul_overflow(v->rows, v->cols, &count) || count > SIZE_MAX / sizeof(double))
        return fail(r,
                    "a shape of %zu x %zu does not fit the address space; the header is "
                    "damaged: " REMEDY_SAVE,
                    v->rows, v->cols);
    if (!check_length(r, count, bytes, start))
        return false;
    snprintf(v->dtype, sizeof v->dtype, "f%zu", 8 * bytes);
    const unsigned char *data = r->bytes + start;
    if (bytes == 4 && (uintptr_t)data % sizeof(float) == 0) {
        v->data = (const float *)(const void *)data;
        return true;
    }
    return convert(r, v, data, count, bytes);
}

/* ---- Integers -------------------------------------------------------------------------------- */

/* Bytes of an integer dtype, and its sign; 0 with an error for any other. NumPy writes | for the
 * order of a single byte. */
static size_t integer_bytes(const struct reader *r, const char *descr, bool *is_signed)
{
    const char *kind = descr[0] ? descr + 1 : descr;
    *is_signed = kind[0] == 'i';
    if (kind[0] == 'i' || kind[0] == 'u') {
        if (descr[0] == '|' && strcmp(kind + 1, "1") == 0)
            return 1;
        if (descr[0] == '<' && kind[1] && strchr("248", kind[1]) && kind[2] == '\0')
            return (size_t)(kind[1] - '0');
    }
    fail(r, "the elements are '%s'; labels are little-endian integers: " REMEDY_LABELS, descr);
    return 0;
}

static bool read_integer(const unsigned char *at, size_t bytes, bool is_signed, int64_t *value)
{
    uint64_t bits = 0;
    memcpy(&bits, at, bytes);
    if (is_signed && bytes < sizeof bits && bits >> (8 * bytes - 1)) /* negative: extend the sign */
        bits |= UINT64_MAX << 8 * bytes;
    memcpy(value, &bits, sizeof bits);
    return is_signed || bits <= INT64_MAX;
}

static bool read_integers(const struct reader *r, const struct header *h, size_t start,
                          int64_t **values, size_t *count)
{
    bool is_signed;
    size_t bytes = integer_bytes(r, h->descr, &is_signed);
    if (bytes == 0)
        return false;
    if (h->dimensions != 1)
        return fail(r, "the array has %zu dimensions; labels have one: save labels.ravel()",
                    h->dimensions);
    *count = h->shape[0];
    if (*count == 0)
        return fail(r, "the array is empty; give a label for each row");
    if (!check_length(r, *count, bytes, start))
        return false;
    *values = malloc(*count * sizeof **values);
    if (!*values)
        return fail(r, "no memory for %zu labels; give fewer rows", *count);
    for (size_t i = 0; i < *count; i++)
        if (!read_integer(r->bytes + start + i * bytes, bytes, is_signed, *values + i)) {
            free(*values);
            return fail(r, "label %zu is beyond the range of int64; " REMEDY_LABELS, i);
        }
    return true;
}

/* ---- Files ----------------------------------------------------------------------------------- */

static bool read_header(const struct reader *r, struct header *h, size_t *start)
{
    if (r->size < 10 || memcmp(r->bytes, "\x93NUMPY", 6) != 0)
        return fail(r, "this is no .npy file (the magic bytes are missing); " REMEDY_SAVE);
    unsigned major = r->bytes[6], minor = r->bytes[7];
    if (major < 1 || major > 3 || minor != 0)
        return fail(r, ".npy format %u.%u is unknown (1.0, 2.0 and 3.0 are read); " REMEDY_SAVE,
                    major, minor);
    *start = major == 1 ? 10 : 12;
    if (r->size < *start)
        return fail(r, "the file ends within its header; copy or save it again");
    size_t length = (size_t)r->bytes[8] | (size_t)r->bytes[9] << 8;
    if (major > 1)
        length |= (size_t)r->bytes[10] << 16 | (size_t)r->bytes[11] << 24;
    if (length > r->size - *start)
        return fail(r, "the file ends within its header; copy or save it again");
    struct cursor cursor = {(const char *)r->bytes + *start,
                            (const char *)r->bytes + *start + length};
    *start += length;
    return parse_header(r, cursor, h);
}

bool npy_open(const char *path, struct vectors *v, char *error, size_t error_bytes)
{
    memset(v, 0, sizeof *v);
    if (!mapping_open(&v->file, path, error, error_bytes))
        return false;
    struct reader r = {path, v->file.bytes, v->file.size, error, error_bytes};
    struct header header = {0};
    size_t start;
    bool good = read_header(&r, &header, &start) && read_vectors(&r, &header, start, v);
    if (!good)
        vectors_close(v);
    else if (v->owned) /* a converted copy needs the file no longer */
        mapping_close(&v->file);
    return good;
}

bool npy_read_integers(const char *path, int64_t **values, size_t *count, char *error,
                       size_t error_bytes)
{
    struct mapping file;
    if (!mapping_open(&file, path, error, error_bytes))
        return false;
    struct reader r = {path, file.bytes, file.size, error, error_bytes};
    struct header header = {0};
    size_t start;
    bool good =
        read_header(&r, &header, &start) && read_integers(&r, &header, start, values, count);
    mapping_close(&file);
    return good;
}
