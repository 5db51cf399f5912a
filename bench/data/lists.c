/* lists.c - a file of lists of indices: which format it has, and those of text.
 * SPDX-License-Identifier: MIT
 */
#include "lists.h"

#include "index_rows.h"
#include "input.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct parser {
    const unsigned char *at, *end;
    size_t lines, items;
    struct lists *lists; /* where they go; NULL while they are only counted */
};

static bool is_digit(const struct parser *p)
{
    return p->at < p->end && *p->at >= '0' && *p->at <= '9';
}

static void skip_blanks(struct parser *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\t' || *p->at == '\r'))
        p->at++;
}

/* NULL, or what is wrong with the index that should stand here. */
static const char *parse_item(struct parser *p)
{
    uint64_t value = 0;
    if (!is_digit(p))
        return "something that is no index";
    for (; is_digit(p); p->at++) {
        value = 10 * value + (uint64_t)(*p->at - '0');
        if (value >= UINT32_MAX)
            return "an index beyond 4294967294";
    }
    if (p->lists)
        p->lists->items[p->items] = (uint32_t)value;
    p->items++;
    return NULL;
}

static const char *parse_line(struct parser *p)
{
    const char *problem = NULL;
    if (p->lists)
        p->lists->row_start[p->lines] = p->items;
    skip_blanks(p);
    while (!problem && p->at < p->end && *p->at != '\n') {
        problem = parse_item(p);
        skip_blanks(p);
        if (!problem && p->at < p->end && *p->at == ',') {
            p->at++;
            skip_blanks(p);
            problem = is_digit(p) ? NULL : "a comma without an index after it";
        }
    }
    p->at += p->at < p->end; /* the newline */
    p->lines++;
    return problem;
}

static const char *parse(struct parser *p, const struct mapping *file)
{
    const char *problem = NULL;
    p->at = file->bytes;
    p->end = file->bytes + file->size;
    p->lines = p->items = 0;
    while (!problem && p->at < p->end)
        problem = parse_line(p);
    return problem;
}

bool lists_allocate(struct lists *lists, size_t lines, size_t items)
{
    lists->lines = lines;
    lists->row_start = calloc(lines + 1, sizeof *lists->row_start);
    lists->items = malloc((items + 1) * sizeof *lists->items); /* malloc(0) may be NULL */
    if (lists->row_start && lists->items)
        return true;
    lists_free(lists);
    return false;
}

static bool read_text(const struct input *in, struct lists *lists)
{
    struct parser p = {.lists = NULL};
    const char *problem = parse(&p, &in->file);
    if (problem)
        return input_fail(in,
                          "line %zu: holds %s; write indices from 0, separated by spaces or commas",
                          p.lines, problem);
    if (!lists_allocate(lists, p.lines, p.items))
        return input_fail(in, "no memory for its %zu indices; give fewer", p.items);
    p.lists = lists;
    parse(&p, &in->file);
    lists->row_start[p.lines] = p.items;
    return true;
}

/* ---- Formats --------------------------------------------------------------------------------- */

/* A new format is a line here. */
static const struct format {
    const char *ending;
    bool (*read)(const struct input *in, struct lists *lists);
    bool binary;
} formats[] = {
    {".txt", read_text, false},
    {".ivecs", index_rows_ivecs, true},
    {".ibin", index_rows_ibin, true},
};

enum { FORMATS = sizeof formats / sizeof formats[0] };

const char *lists_ending(size_t number)
{
    return number < FORMATS ? formats[number].ending : NULL;
}

bool lists_read_as(const char *path, const char *ending, struct lists *lists, char *error,
                   size_t error_bytes)
{
    const struct format *format = &formats[0];
    for (size_t f = 0; f < FORMATS; f++)
        if (strcmp(formats[f].ending, ending) == 0)
            format = &formats[f];
    struct input in = {
        .path = path, .ending = format->ending, .error = error, .error_bytes = error_bytes};
    *lists = (struct lists){.binary = format->binary};
    bool good = input_open(&in) && format->read(&in, lists);
    input_close(&in);
    if (!good)
        lists_free(lists);
    return good;
}

bool lists_read(const char *path, struct lists *lists, char *error, size_t error_bytes)
{
    return lists_read_as(path, input_ending(path), lists, error, error_bytes);
}

const char *lists_unit(const struct lists *lists)
{
    return lists->binary ? "row" : "line";
}

struct lists_place lists_place(const struct lists *lists, size_t i)
{
    struct lists_place place;
    snprintf(place.text, sizeof place.text, "%s %zu", lists_unit(lists), i + !lists->binary);
    return place;
}

void lists_free(struct lists *lists)
{
    free(lists->row_start);
    free(lists->items);
    memset(lists, 0, sizeof *lists);
}

size_t lists_bound(const struct lists *lists)
{
    size_t bound = 0;
    for (size_t e = 0; e < lists->row_start[lists->lines]; e++)
        if (lists->items[e] >= bound)
            bound = (size_t)lists->items[e] + 1;
    return bound;
}

/* Counts, sums up, and puts every entry in its place: row_start[j + 1] is where the next entry of
 * line j goes, and in the end where line j + 1 begins. */
bool lists_transpose(const struct lists *from, size_t n, struct lists *to)
{
    size_t entries = from->row_start[from->lines];
    to->binary = from->binary;
    if (!lists_allocate(to, n, entries))
        return false;
    for (size_t e = 0; e < entries; e++)
        if ((size_t)from->items[e] + 2 <= n)
            to->row_start[from->items[e] + 2]++;
    for (size_t j = 0; j < n; j++)
        to->row_start[j + 1] += to->row_start[j];
    for (size_t i = 0; i < from->lines; i++)
        for (size_t e = from->row_start[i]; e < from->row_start[i + 1]; e++)
            to->items[to->row_start[from->items[e] + 1]++] = (uint32_t)i;
    return true;
}
