/* shape.c - where the text of --shape becomes a case that a kernel is called with, and back.
 * SPDX-License-Identifier: MIT
 *
 * From there: plan.c lists the cases, job.c makes inputs and samples of one, variants.c puts the
 * instruction set in place, and the `call` in ref/<family>_cases.c is the public function's.
 */
#include "shape.h"

#include <ctype.h>
#include <float.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool shape_has(const struct kernel *kernel, char dim)
{
    return strchr(kernel->dims, dim) != NULL;
}

int shape_default_workspace(const struct kernel *kernel)
{
    if (!kernel->workspace)
        return WORKSPACE_NONE;
    return kernel->keeps_exponentials ? WORKSPACE_STORED : WORKSPACE_STREAMED;
}

static bool has_negatives(const struct kernel *kernel)
{
    return kernel->bench[0].negatives > 0;
}

/* ---- To text --------------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static void append(char *text, size_t bytes,
                                                         const char *format, ...)
{
    size_t used = strlen(text);
    va_list list;
    va_start(list, format);
    vsnprintf(text + used, bytes - used, format, list);
    va_end(list);
}

/* Appends in what a shape differs from the kernel's standard ones, or all, each word after
 * `join`. */
static void append_words(const struct plan_case *c, char join, bool all, char *text, size_t bytes)
{
    const struct shape *s = &c->shape, *standard = &c->kernel->bench[0];
    if (has_negatives(c->kernel))
        append(text, bytes, "%cq=%zu", join, s->negatives);
    if (shape_has_similarity(c->kernel) && (all || s->similarity != standard->similarity))
        append(text, bytes, "%c%s", join, similarity_name(s->similarity));
    if (c->kernel->has_logit_scale) {
        if (all || s->logit_scale != standard->logit_scale)
            append(text, bytes, "%cs=%.9g", join, (double)s->logit_scale);
        bool weights =
            s->weight_x > 0.0f || s->weight_y > 0.0f; /* else there is no word for them */
        if ((all && weights) || s->weight_x != standard->weight_x ||
            s->weight_y != standard->weight_y)
            append(text, bytes, "%cw=%.9g,%.9g", join, (double)s->weight_x, (double)s->weight_y);
        if (s->offset)
            append(text, bytes, "%coffset=%zu", join, s->offset);
    }
    if (s->ld_extra)
        append(text, bytes, "%cld+%zu", join, s->ld_extra);
}

static void append_workspace(const struct plan_case *c, char join, char *text, size_t bytes)
{
    if (c->workspace == WORKSPACE_STREAMED || c->workspace == WORKSPACE_STORED)
        append(text, bytes, "%c%s", join, c->workspace == WORKSPACE_STORED ? "stored" : "streamed");
    else
        append(text, bytes, "%cstored=%d%%", join, c->workspace);
}

void shape_write(const struct plan_case *c, char *text, size_t bytes)
{
    text[0] = '\0';
    for (const char *dim = c->kernel->dims; *dim; dim++)
        append(text, bytes, "%s%zu",
               dim == c->kernel->dims ? ""
               : *dim == 'k'          ? " k="
                                      : "x",
               shape_size(c->kernel, &c->shape, *dim));
    append_words(c, ' ', false, text, bytes);
    if (c->kernel->keeps_exponentials)
        append_workspace(c, ' ', text, bytes);
}

static void write_word(const struct plan_case *c, bool all, char *text, size_t bytes)
{
    text[0] = '\0';
    for (const char *dim = c->kernel->dims; *dim; dim++)
        append(text, bytes, "%s%c=%zu", dim == c->kernel->dims ? "" : ",", *dim,
               shape_size(c->kernel, &c->shape, *dim));
    append_words(c, ':', all, text, bytes);
    if (c->workspace != shape_default_workspace(c->kernel) ||
        (all && c->kernel->keeps_exponentials))
        append_workspace(c, ':', text, bytes);
    if (c->fill != FILL_GIVEN && (all || c->fill != FILL_NORMAL))
        append(text, bytes, ":%s", fill_name(c->fill));
}

void shape_write_word(const struct plan_case *c, char *text, size_t bytes)
{
    write_word(c, false, text, bytes);
}

void shape_write_whole(const struct plan_case *c, char *text, size_t bytes)
{
    write_word(c, true, text, bytes);
}

/* ---- From text ------------------------------------------------------------------------------- */

static bool parse_number(const char **at, size_t *value)
{
    if (!isdigit((unsigned char)**at))
        return false;
    *value = 0;
    for (; isdigit((unsigned char)**at); (*at)++) {
        size_t digit = (size_t)(**at - '0');
        if (*value > (SIZE_MAX / 16 - digit) / 10)
            return false;
        *value = *value * 10 + digit;
    }
    return true;
}

static bool ends_word(char c)
{
    return c == '\0' || c == ' ' || c == ',' || c == ':';
}

/* Goes past a word, or past the beginning of one that ends in = or +. */
static bool take(const char **at, const char *word)
{
    size_t length = strlen(word);
    if (strncmp(*at, word, length) != 0 ||
        (isalnum((unsigned char)word[length - 1]) && !ends_word((*at)[length])))
        return false;
    *at += length;
    return true;
}

static bool parse_float(const char **at, float least, float most, float *value)
{
    char *end;
    if (!isdigit((unsigned char)**at) && **at != '.')
        return false;
    *value = strtof(*at, &end);
    *at = end;
    return *value >= least && *value <= most;
}

/* "w=1,0" without its beginning. Both 0 would mean 1/2 and 1/2 to the library. */
static bool parse_weights(const char **at, struct shape_text *s)
{
    return parse_float(at, 0.0f, FLT_MAX, &s->weight_x) && *(*at)++ == ',' &&
           parse_float(at, 0.0f, FLT_MAX, &s->weight_y) &&
           (s->weight_x > 0.0f || s->weight_y > 0.0f);
}

static bool parse_percent(const char **at, int *percent)
{
    size_t value;
    if (!parse_number(at, &value) || value > WORKSPACE_STORED || *(*at)++ != '%')
        return false;
    *percent = (int)value;
    return true;
}

/* One word that is no size. */
static bool parse_word(const char **at, struct shape_text *s)
{
    for (int i = 0; i < MMK_SIMILARITY_COUNT; i++) {
        if (take(at, similarity_name((enum mmk_similarity)i))) {
            s->similarity = i;
            return true;
        }
    }
    for (int i = 0; i < FILL_GIVEN; i++) {
        if (take(at, fill_name((enum fill)i))) {
            s->fill = i;
            return true;
        }
    }
    if (take(at, "stored")) {
        s->workspace = WORKSPACE_STORED;
        return true;
    }
    if (take(at, "streamed")) {
        s->workspace = WORKSPACE_STREAMED;
        return true;
    }
    if (take(at, "stored="))
        return parse_percent(at, &s->workspace);
    if (take(at, "s="))
        return parse_float(at, FLT_MIN, 1.7e38f, &s->logit_scale);
    if (take(at, "w="))
        return parse_weights(at, s);
    if (take(at, "offset="))
        return parse_number(at, &s->offset);
    if (take(at, "q="))
        return parse_number(at, &s->negatives);
    return take(at, "ld+") && parse_number(at, &s->ld_extra);
}

bool shape_parse(const char *text, struct shape_text *s)
{
    memset(s, 0, sizeof *s);
    s->m = s->n = s->d = s->k = s->negatives = SIZE_MAX;
    s->similarity = s->workspace = s->fill = -1;
    s->weight_x = -1.0f;
    const char *at = text;
    while (*at) {
        if (strchr(" ,:x", *at)) {
            at++;
        } else if (at[1] == '=' && strchr("mndk", at[0])) {
            size_t *slot = at[0] == 'm'   ? &s->m
                           : at[0] == 'n' ? &s->n
                           : at[0] == 'd' ? &s->d
                                          : &s->k;
            at += 2;
            if (!parse_number(&at, slot))
                return false;
        } else if (!isdigit((unsigned char)*at)) {
            if (!parse_word(&at, s))
                return false;
        } else if (s->unnamed_count == 4 || !parse_number(&at, &s->unnamed[s->unnamed_count++])) {
            return false;
        }
    }
    return s->unnamed_count > 0 || s->m != SIZE_MAX || s->n != SIZE_MAX || s->d != SIZE_MAX ||
           s->k != SIZE_MAX;
}

/* Whether the kernel has an offset, and each x_i its y_{i+offset} where it should. */
static bool offset_fits(const struct kernel *kernel, const struct shape *shape)
{
    if (shape->offset == 0 && kernel->offset != OFFSET_ALWAYS)
        return true;
    return kernel->offset != OFFSET_NONE && shape->offset <= shape->n &&
           shape->m <= shape->n - shape->offset;
}

/* The words of a shape for a case that has the standard ones. False: they do not fit its kernel. */
static bool words_for(const struct shape_text *text, struct plan_case *c)
{
    struct shape *shape = &c->shape;
    shape->offset = text->offset;
    shape->ld_extra = text->ld_extra;
    if (text->negatives != SIZE_MAX) {
        if (!has_negatives(c->kernel))
            return false;
        shape->negatives = text->negatives;
    }
    if (text->similarity >= 0)
        shape->similarity = (enum mmk_similarity)text->similarity;
    if (text->logit_scale > 0.0f)
        shape->logit_scale = text->logit_scale;
    if (text->weight_x >= 0.0f) {
        shape->weight_x = text->weight_x;
        shape->weight_y = text->weight_y;
    }
    if (text->workspace >= 0)
        c->workspace = text->workspace;
    if (text->fill >= 0)
        c->fill = (enum fill)text->fill;
    if (!fill_fits(c->kernel, shape, c->fill))
        return false;
    if (!offset_fits(c->kernel, shape) ||
        (text->similarity >= 0 && !shape_has_similarity(c->kernel)) ||
        (text->workspace >= 0 && !c->kernel->keeps_exponentials))
        return false;
    return c->kernel->has_logit_scale || (text->logit_scale == 0.0f && text->weight_x < 0.0f);
}

bool shape_put(const struct shape_text *text, struct plan_case *c)
{
    const struct kernel *kernel = c->kernel;
    struct shape *shape = &c->shape;
    *shape = kernel->bench[0];
    const size_t named[4] = {text->m, text->n, text->d, text->k};
    const char letters[4] = {'m', 'n', 'd', 'k'};
    size_t *const slots[4] = {&shape->m, &shape->n, &shape->d,
                              kernel->has_positives ? &shape->positives : &shape->k};
    size_t dims = strlen(kernel->dims), unnamed = 0, next = 0;
    for (int i = 0; i < 4; i++) {
        if (named[i] != SIZE_MAX && !shape_has(kernel, letters[i]))
            return false;
        if (named[i] == SIZE_MAX && shape_has(kernel, letters[i]))
            unnamed++;
    }
    if (text->unnamed_count != 0 && text->unnamed_count != unnamed)
        return false;
    for (size_t j = 0; j < dims; j++) {
        const char *where = memchr(letters, kernel->dims[j], sizeof letters);
        int i = (int)(where - letters);
        if (named[i] != SIZE_MAX)
            *slots[i] = named[i];
        else if (text->unnamed_count != 0)
            *slots[i] = text->unnamed[next++];
    }
    return words_for(text, c);
}

bool shape_same(const struct shape *a, const struct shape *b)
{
    return a->m == b->m && a->n == b->n && a->d == b->d && a->k == b->k &&
           a->positives == b->positives && a->negatives == b->negatives &&
           a->ld_extra == b->ld_extra && a->similarity == b->similarity &&
           a->logit_scale == b->logit_scale && a->weight_x == b->weight_x &&
           a->weight_y == b->weight_y && a->upstream == b->upstream && a->offset == b->offset;
}
