/* task.c - what mmk-bench retrieve works on: options, vectors, what is relevant, rankings.
 * SPDX-License-Identifier: MIT
 */
#include "task.h"

#include "../base/console.h"
#include "../data/data.h"
#include "../data/idx.h"
#include "../data/npy.h"
#include "../data/open_vectors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_ROWS ((size_t)UINT32_MAX)

__attribute__((noreturn)) static void refuse_memory(const char *what)
{
    refuse("there is no memory for %s; give fewer rows, or a smaller --k or --depth", what);
}

/* ---- What is relevant ------------------------------------------------------------------------ */

static bool ends_in(const char *text, const char *ending)
{
    size_t length = strlen(text), tail = strlen(ending);
    return length >= tail && strcmp(text + length - tail, ending) == 0;
}

/* The labels of m queries and n gallery rows, one after the other; n = 0: however many there are,
 * and *n says it. */
static int64_t *read_labels(const char *names, size_t m, size_t *n)
{
    char first[4096], error[4600];
    int64_t *labels, *more = NULL;
    size_t count, more_count = 0, comma = strcspn(names, ",");
    snprintf(first, sizeof first, "%.*s", (int)comma, names);
    if (!npy_read_integers(first, &labels, &count, error, sizeof error) ||
        (names[comma] &&
         !npy_read_integers(names + comma + 1, &more, &more_count, error, sizeof error)))
        refuse("%s", error);
    if (names[comma] && count != m)
        refuse("%s: has %zu labels, and there are %zu queries; give a label for each", first, count,
               m);
    size_t given = count + more_count;
    if (*n > 0 && given != m + *n)
        refuse(
            "%s: has %zu labels, and there are %zu queries and %zu gallery rows; give a label for "
            "each, those of the queries first",
            names, given, m, *n);
    if (given <= m)
        refuse("%s: has %zu labels, and there are %zu queries; give those of the gallery after "
               "them",
               names, given, m);
    *n = given - m;
    if (more) {
        labels = realloc(labels, (m + *n) * sizeof *labels);
        if (!labels)
            refuse_memory("the labels");
        memcpy(labels + m, more, *n * sizeof *labels);
        free(more);
    }
    return labels;
}

static void check_indices(const char *path, const struct lists *lists, size_t n)
{
    for (size_t i = 0; i < lists->lines; i++)
        for (size_t e = lists->row_start[i]; e < lists->row_start[i + 1]; e++)
            if (lists->items[e] >= n)
                refuse(
                    "%s, %s: names gallery row %u, and the gallery has %zu; write indices from 0",
                    path, lists_place(lists, i).text, lists->items[e], n);
}

/* Lists, one a query, with indices below n; n = 0: not known. */
static struct lists read_lists(const char *path, size_t m, size_t n)
{
    struct lists lists;
    char error[4600];
    if (!lists_read(path, &lists, error, sizeof error))
        refuse("%s", error);
    if (lists.lines != m)
        refuse("%s: has %zu %ss, and there are %zu queries; write a %s for each, an empty one "
               "where nothing is relevant",
               path, lists.lines, lists_unit(&lists), m, lists_unit(&lists));
    if (n > 0)
        check_indices(path, &lists, n);
    return lists;
}

/* What a search of m queries in *n rows should find; backward: what the rows should find, too. *n =
 * 0: not known, and where labels tell it, it is set. */
static void read_relevant(const char *path, size_t m, size_t *n, struct relevance *forward,
                          struct relevance *backward)
{
    bool good = true;
    if (ends_in(path, ".npy")) {
        int64_t *labels = read_labels(path, m, n);
        good = relevance_of_labels(forward, m, labels, *n, labels + m) &&
               (!backward || relevance_of_labels(backward, *n, labels + m, m, labels));
        free(labels);
    } else {
        struct lists lists = read_lists(path, m, *n), turned;
        good = !backward || lists_transpose(&lists, *n, &turned);
        if (good && backward)
            relevance_of_lists(backward, &turned);
        relevance_of_lists(forward, &lists);
    }
    if (!good)
        refuse_memory("what is relevant");
}

/* ---- Vectors --------------------------------------------------------------------------------- */

static void open_files(const struct retrieve_options *a, struct task *task)
{
    char error[4600];
    struct vectors *queries = &task->queries.vectors, *gallery = &task->gallery.vectors;
    const struct vectors_how how = {.bf16 = a->bf16, .progress = progress};
    progress("reading");
    if (!vectors_open(a->queries, &how, queries, error, sizeof error) ||
        !vectors_open(a->gallery, &how, gallery, error, sizeof error))
        refuse("%s", error);
    if (queries->cols != gallery->cols)
        refuse("%s has rows of %zu, %s of %zu; both must come from one embedding space, with rows "
               "of the same length",
               a->queries, queries->cols, a->gallery, gallery->cols);
    if (queries->rows >= MOST_ROWS || gallery->rows >= MOST_ROWS)
        refuse("there are 2^32 rows or more, beyond what an index can tell; split the file");
    task->queries.name = "queries";
    task->gallery.name = "gallery";
    size_t n = gallery->rows;
    read_relevant(a->relevant, queries->rows, &n, &task->queries.relevance,
                  a->both ? &task->gallery.relevance : NULL);
}

/* Images and labels of one part of Fashion-MNIST. */
static int64_t *open_fashion_part(const char *part, struct vectors *vectors)
{
    char name[64], path[4096], error[4600];
    size_t height, width;
    snprintf(name, sizeof name, "%s-images-idx3-ubyte.gz", part);
    data_fashion_path(name, path, sizeof path);
    vectors->owned =
        idx_read_images(path, SIZE_MAX, &vectors->rows, &height, &width, error, sizeof error);
    if (!vectors->owned)
        refuse("%s", error);
    vectors->data = vectors->owned;
    vectors->cols = vectors->ld = height * width;
    vectors->stored = STORED_U8;
    snprintf(name, sizeof name, "%s-labels-idx1-ubyte.gz", part);
    data_fashion_path(name, path, sizeof path);
    unsigned char *bytes = idx_read_labels(path, vectors->rows, error, sizeof error);
    if (!bytes)
        refuse("%s", error);
    int64_t *labels = malloc(vectors->rows * sizeof *labels);
    if (!labels)
        refuse_memory("the labels");
    for (size_t i = 0; i < vectors->rows; i++) {
        if (bytes[i] >= FASHION_CLASSES)
            refuse("%s: label %zu is %d, and there are %d classes; reinstall dataset-fashion-mnist",
                   path, i, bytes[i], FASHION_CLASSES);
        labels[i] = bytes[i];
    }
    free(bytes);
    return labels;
}

static void open_fashion(const struct retrieve_options *a, struct task *task)
{
    struct side *queries = &task->queries, *gallery = &task->gallery;
    progress("reading Fashion-MNIST");
    int64_t *query_labels = open_fashion_part("t10k", &queries->vectors);
    int64_t *gallery_labels = open_fashion_part("train", &gallery->vectors);
    size_t m = queries->vectors.rows, n = gallery->vectors.rows;
    if (queries->vectors.cols != gallery->vectors.cols)
        refuse("Fashion-MNIST's images differ in size; reinstall dataset-fashion-mnist");
    queries->name = "test images";
    gallery->name = "training images";
    task->classes = malloc(m);
    if (!task->classes ||
        !relevance_of_labels(&queries->relevance, m, query_labels, n, gallery_labels) ||
        (a->both && !relevance_of_labels(&gallery->relevance, n, gallery_labels, m, query_labels)))
        refuse_memory("what is relevant");
    for (size_t i = 0; i < m; i++)
        task->classes[i] = (unsigned char)query_labels[i];
    free(query_labels);
    free(gallery_labels);
}

/* The most items that are relevant to a query; where it is none there is nothing to do. */
static size_t largest_count(const struct side *side)
{
    size_t largest = relevance_count(&side->relevance, relevance_largest(&side->relevance));
    if (largest == 0)
        refuse("--relevant: nothing is relevant to any of the %s, so there is nothing to measure; "
               "give the file that belongs to them",
               side->name);
    return largest;
}

/* How deep a side's rankings go, in `others` rows: to the greatest K, and where --depth allows it
 * to the largest R. */
static void set_depth(struct side *side, const struct retrieve_options *a, size_t others)
{
    size_t largest = largest_count(side);
    side->wanted = a->wanted;
    side->wanted.deep = largest <= a->depth;
    side->depth = side->wanted.deep ? largest : 0;
    for (size_t k = 0; k < a->wanted.k_count; k++)
        if (side->depth < a->wanted.k[k])
            side->depth = a->wanted.k[k];
    if (side->depth > others)
        side->depth = others;
    size_t bytes;
    side->rankings =
        __builtin_mul_overflow(side->vectors.rows, side->depth * sizeof *side->rankings, &bytes)
            ? NULL
            : malloc(bytes);
    if (!side->rankings)
        refuse_memory("the rankings");
}

void task_open(struct task *task, const struct retrieve_options *a)
{
    memset(task, 0, sizeof *task);
    if (a->queries)
        open_files(a, task);
    else
        open_fashion(a, task);
    set_depth(&task->queries, a, task->gallery.vectors.rows);
    if (a->both)
        set_depth(&task->gallery, a, task->queries.vectors.rows);
}

static bool *new_marks(size_t count)
{
    bool *marks = calloc(count, sizeof *marks);
    if (!marks)
        refuse_memory("marks of the queries");
    return marks;
}

void side_mark_missed(struct side *side)
{
    const struct vectors *v = &side->vectors;
    for (size_t i = 0; i < v->rows; i++) {
        bool finite = true;
        for (size_t k = 0; k < v->cols; k++)
            finite = finite && isfinite(v->data[i * v->ld + k]);
        if (finite)
            continue;
        if (!side->relevance.missed)
            side->relevance.missed = new_marks(v->rows);
        side->relevance.missed[i] = true;
    }
}

void side_close(struct side *side)
{
    vectors_close(&side->vectors);
    relevance_free(&side->relevance);
    free(side->rankings);
}

void task_close(struct task *task)
{
    side_close(&task->queries);
    side_close(&task->gallery);
    free(task->classes);
}

/* ---- Rankings -------------------------------------------------------------------------------- */

static size_t list_length(const struct lists *lists, size_t i)
{
    return lists->row_start[i + 1] - lists->row_start[i];
}

/* All of the rankings that are not empty are one matrix. */
static size_t common_depth(const char *path, const struct lists *rankings)
{
    size_t first = 0;
    while (first + 1 < rankings->lines && list_length(rankings, first) == 0)
        first++;
    size_t depth = list_length(rankings, first);
    for (size_t i = first + 1; i < rankings->lines; i++) {
        size_t here = list_length(rankings, i);
        if (here != depth && here != 0)
            refuse("%s, %s: has %zu indices, and %s has %zu; make all rankings equally long", path,
                   lists_place(rankings, i).text, here, lists_place(rankings, first).text, depth);
    }
    return depth;
}

/* The matrix: what stands in the rows of those that are empty is not looked at. */
static void lay_out_rankings(struct side *side, const struct lists *rankings)
{
    size_t bytes;
    side->rankings =
        __builtin_mul_overflow(rankings->lines, side->depth * sizeof *side->rankings, &bytes)
            ? NULL
            : calloc(1, bytes);
    if (!side->rankings)
        refuse_memory("the rankings");
    for (size_t i = 0; i < rankings->lines; i++) {
        if (list_length(rankings, i) == 0) {
            if (!side->relevance.missed)
                side->relevance.missed = new_marks(rankings->lines);
            side->relevance.missed[i] = true;
            continue;
        }
        memcpy(side->rankings + i * side->depth, rankings->items + rankings->row_start[i],
               side->depth * sizeof *side->rankings);
    }
}

void task_open_rankings(struct side *side, const struct retrieve_options *a, size_t *n)
{
    struct lists rankings;
    char error[4600];
    memset(side, 0, sizeof *side);
    progress("reading");
    if (!lists_read(a->rankings, &rankings, error, sizeof error))
        refuse("%s", error);
    side->name = "rankings";
    side->wanted = a->wanted;
    side->depth = common_depth(a->rankings, &rankings);
    for (size_t k = 0; k < a->wanted.k_count; k++)
        if (a->wanted.k[k] > side->depth)
            refuse("--k %zu: the rankings of %s are %zu long; name values up to that with --k",
                   a->wanted.k[k], a->rankings, side->depth);
    *n = 0;
    read_relevant(a->relevant, rankings.lines, n, &side->relevance, NULL);
    if (*n > 0) {
        check_indices(a->rankings, &rankings, *n);
    } else { /* lists do not tell how many rows the gallery has: as many as they name */
        size_t ranked = lists_bound(&rankings), named = lists_bound(&side->relevance.lists);
        *n = ranked > named ? ranked : named;
    }
    side->wanted.deep = largest_count(side) <= side->depth;
    lay_out_rankings(side, &rankings);
    lists_free(&rankings);
}
