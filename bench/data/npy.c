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
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REMEDY_SAVE   "save it again with numpy.save(file, array.astype('float32'))"
#define REMEDY_LABELS "save it again with numpy.save(file, labels.astype('int64'))"

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

static bool parse_shape(const struct input *in, struct cursor *c, struct header *h)
{
    if (!take(c, '('))
        return input_fail(in, "'shape' in the header is no tuple; " REMEDY_SAVE);
    h->dimensions = 0;
    while (!take(c, ')')) {
        skip_spaces(c);
        if (c->at == c->end || !isdigit((unsigned char)*c->at))
            return input_fail(
                in, "'shape' in the header holds something that is no size; " REMEDY_SAVE);
        size_t value = 0;
        for (; c->at < c->end && isdigit((unsigned char)*c->at); c->at++) {
            size_t digit = (size_t)(*c->at - '0');
            if (value > (SIZE_MAX - digit) / 10)
                return input_fail(in, "a size in 'shape' does not fit 64 bits; " REMEDY_SAVE);
            value = value * 10 + digit;
        }
        if (h->dimensions == sizeof h->shape / sizeof *h->shape)
            return input_fail(in, "the array has more than 8 dimensions; "
                                  "embeddings are n x d: reshape it to two dimensions");
        h->shape[h->dimensions++] = value;
        bool comma = take(c, ',');
        if (!comma) {
            if (h->dimensions == 1) /* "(3)" is a number in Python, "(3,)" a tuple */
                return input_fail(in, "'shape' in the header is no tuple; " REMEDY_SAVE);
            if (!take(c, ')'))
                return input_fail(in, "'shape' in the header is not closed; " REMEDY_SAVE);
            break;
        }
    }
    return true;
}

static bool parse_descr(const struct input *in, struct cursor *c, struct header *h)
{
    skip_spaces(c);
    if (c->at < c->end && *c->at == '[')
        return input_fail(in, "the array has a structured dtype; "
                              "save one float field of it as an array of its own");
    if (!take_string(c, h->descr, sizeof h->descr))
        return input_fail(in, "'descr' in the header is no dtype name; " REMEDY_SAVE);
    return true;
}

static bool parse_header(const struct input *in, struct cursor c, struct header *h)
{
    bool seen_descr = false, seen_order = false, seen_shape = false;
    if (!take(&c, '{'))
        return input_fail(in, "the header is no Python dict; " REMEDY_SAVE);
    while (!take(&c, '}')) {
        char key[32];
        if (!take_string(&c, key, sizeof key) || !take(&c, ':'))
            return input_fail(in, "the header is no Python dict; " REMEDY_SAVE);
        bool *seen = NULL;
        if (strcmp(key, "descr") == 0) {
            seen = &seen_descr;
            if (!parse_descr(in, &c, h))
                return false;
        } else if (strcmp(key, "fortran_order") == 0) {
            seen = &seen_order;
            if (take_word(&c, "True"))
                h->fortran_order = true;
            else if (take_word(&c, "False"))
                h->fortran_order = false;
            else
                return input_fail(
                    in, "'fortran_order' in the header is neither True nor False; " REMEDY_SAVE);
        } else if (strcmp(key, "shape") == 0) {
            seen = &seen_shape;
            if (!parse_shape(in, &c, h))
                return false;
        } else {
            return input_fail(in, "the header has an unknown key '%s'; " REMEDY_SAVE, key);
        }
        if (*seen)
            return input_fail(in, "the header names '%s' twice; " REMEDY_SAVE, key);
        *seen = true;
        if (!take(&c, ',')) {
            if (!take(&c, '}'))
                return input_fail(in, "the header's dict is not closed; " REMEDY_SAVE);
            break;
        }
    }
    if (!seen_descr || !seen_order || !seen_shape)
        return input_fail(in, "the header lacks '%s'; " REMEDY_SAVE,
                          !seen_descr   ? "descr"
                          : !seen_order ? "fortran_order"
                                        : "shape");
    skip_spaces(&c);
    if (c.end - c.at != 1 || *c.at != '\n')
        return input_fail(in, "the header does not end in spaces and a newline; " REMEDY_SAVE);
    return true;
}

/* ---- Elements -------------------------------------------------------------------------------- */

#define TYPES_READ "<f2, <f4, <f8, |i1, |u1 and, with --bf16, <u2"

static const struct {
    const char *descr;
    enum stored stored;
} types[] = {
    {"<f2", STORED_F16}, {"<f4", STORED_F32},  {"<f8", STORED_F64},  {"|i1", STORED_I8},
    {"|u1", STORED_U8},  {"<u2", STORED_BF16}, {"<V2", STORED_BF16}, {"|V2", STORED_BF16},
};

static bool find_type(const struct input *in, const char *descr, enum stored *type)
{
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
        if (strcmp(types[t].descr, descr) != 0)
            continue;
        *type = types[t].stored;
        return *type != STORED_BF16 || in->bf16 ||
               input_fail(in,
                          "the elements are '%s', 16 bits that NumPy does not take for floats; if "
                          "they are bf16, say so with --bf16, else " REMEDY_SAVE,
                          descr);
    }
    if (descr[0] == '>')
        return input_fail(in, "the elements are big-endian ('%s'); " REMEDY_SAVE, descr);
    if (strchr(descr, 'O'))
        return input_fail(in,
                          "the array holds Python objects ('%s'), not numbers; "
                          "build a numeric array and save that as float32",
                          descr);
    return input_fail(in, "the elements are '%s', and only " TYPES_READ " are read; " REMEDY_SAVE,
                      descr);
}

/* Whether the file has exactly count elements from start on. */
static bool check_length(const struct input *in, size_t count, size_t bytes, size_t start)
{
    size_t wanted, have = in->file.size - start;
    if (__builtin_mul_overflow(count, bytes, &wanted) || wanted > have)
        return input_fail(
            in,
            "the file is truncated: %zu elements of %zu bytes are promised, and %zu bytes "
            "are there; copy or save it again",
            count, bytes, have);
    if (have > wanted)
        return input_fail(in,
                          "%zu bytes follow the array; "
                          "save one array a file with numpy.save, not several appended",
                          have - wanted);
    return true;
}

static bool read_vectors(struct input *in, const struct header *h, size_t start, struct vectors *v)
{
    size_t count;
    if (!find_type(in, h->descr, &v->stored))
        return false;
    size_t bytes = stored_bytes(v->stored);
    if (h->dimensions == 0)
        return input_fail(in,
                          "the array is a single number; embeddings are n x d, one row a vector");
    if (h->dimensions > 2)
        return input_fail(in,
                          "the array has %zu dimensions; "
                          "embeddings are n x d: reshape it to two dimensions",
                          h->dimensions);
    if (h->fortran_order && h->dimensions == 2)
        return input_fail(in, "the array is in Fortran order; "
                              "save numpy.ascontiguousarray(array) in its place");
    v->rows = h->dimensions == 2 ? h->shape[0] : 1;
    v->cols = h->dimensions == 2 ? h->shape[1] : h->shape[0];
    if (v->rows == 0 || v->cols == 0)
        return input_fail(in, "the array is empty (%zu x %zu); give at least one row", v->rows,
                          v->cols);
    if (__builtin_mul_overflow(v->rows, v->cols, &count) || count > SIZE_MAX / sizeof(double))
        return input_fail(in,
                          "a shape of %zu x %zu does not fit the address space; the header is "
                          "damaged: " REMEDY_SAVE,
                          v->rows, v->cols);
    return check_length(in, count, bytes, start) && vectors_take(v, in, start, v->cols * bytes);
}

/* ---- Integers -------------------------------------------------------------------------------- */

/* Bytes of an integer dtype, and its sign; 0 with an error for any other. NumPy writes | for the
 * order of a single byte. */
static size_t integer_bytes(const struct input *in, const char *descr, bool *is_signed)
{
    const char *kind = descr[0] ? descr + 1 : descr;
    *is_signed = kind[0] == 'i';
    if (kind[0] == 'i' || kind[0] == 'u') {
        if (descr[0] == '|' && strcmp(kind + 1, "1") == 0)
            return 1;
        if (descr[0] == '<' && kind[1] && strchr("248", kind[1]) && kind[2] == '\0')
            return (size_t)(kind[1] - '0');
    }
    input_fail(in, "the elements are '%s'; labels are little-endian integers: " REMEDY_LABELS,
               descr);
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

static bool read_integers(const struct input *in, const struct header *h, size_t start,
                          int64_t **values, size_t *count)
{
    bool is_signed;
    size_t bytes = integer_bytes(in, h->descr, &is_signed);
    if (bytes == 0)
        return false;
    if (h->dimensions != 1)
        return input_fail(in, "the array has %zu dimensions; labels have one: save labels.ravel()",
                          h->dimensions);
    *count = h->shape[0];
    if (*count == 0)
        return input_fail(in, "the array is empty; give a label for each row");
    if (!check_length(in, *count, bytes, start))
        return false;
    *values = malloc(*count * sizeof **values);
    if (!*values)
        return input_fail(in, "no memory for %zu labels; give fewer rows", *count);
    for (size_t i = 0; i < *count; i++)
        if (!read_integer(in->file.bytes + start + i * bytes, bytes, is_signed, *values + i)) {
            free(*values);
            return input_fail(in, "label %zu is beyond the range of int64; " REMEDY_LABELS, i);
        }
    return true;
}

/* ---- Files ----------------------------------------------------------------------------------- */

static bool read_header(const struct input *in, struct header *h, size_t *start)
{
    if (in->file.size < 10 || memcmp(in->file.bytes, "\x93NUMPY", 6) != 0)
        return input_fail(in,
                          "this is no .npy file (the magic bytes are missing); save it with "
                          "numpy.save, or let its name end as other formats do (.fbin, .fvecs and "
                          "what else --help lists)");
    unsigned major = in->file.bytes[6], minor = in->file.bytes[7];
    if (major < 1 || major > 3 || minor != 0)
        return input_fail(in,
                          ".npy format %u.%u is unknown (1.0, 2.0 and 3.0 are read); " REMEDY_SAVE,
                          major, minor);
    *start = major == 1 ? 10 : 12;
    if (in->file.size < *start)
        return input_fail(in, "the file ends within its header; copy or save it again");
    size_t length = (size_t)in->file.bytes[8] | (size_t)in->file.bytes[9] << 8;
    if (major > 1)
        length |= (size_t)in->file.bytes[10] << 16 | (size_t)in->file.bytes[11] << 24;
    if (length > in->file.size - *start)
        return input_fail(in, "the file ends within its header; copy or save it again");
    struct cursor cursor = {(const char *)in->file.bytes + *start,
                            (const char *)in->file.bytes + *start + length};
    *start += length;
    return parse_header(in, cursor, h);
}

bool npy_read(struct input *in, struct vectors *v)
{
    struct header header = {0};
    size_t start = 0;
    return read_header(in, &header, &start) && read_vectors(in, &header, start, v);
}

bool npy_read_integers(const char *path, int64_t **values, size_t *count, char *error,
                       size_t error_bytes)
{
    struct input in = {.path = path, .error = error, .error_bytes = error_bytes};
    struct header header = {0};
    size_t start = 0;
    bool good = input_open(&in) && read_header(&in, &header, &start) &&
                read_integers(&in, &header, start, values, count);
    input_close(&in);
    return good;
}
