/* assembled_search.c - exact search from a library's matrix product and our mmk_topk.
 * SPDX-License-Identifier: MIT
 *
 * A block of scores at a time; the best so far stand before the scores of the next block, so that
 * one top-k of both gives the best of both:
 *
 *     [ best so far | scores of the block ]    in each row of the strip
 *
 * As in an index, what depends on the gallery alone is made once, outside the call: for the cosine
 * a normalised copy, for neg_sq_l2 |y|^2 / 2.
 */
#include "../../../ref/cases.h"
#include "assembled.h"
#include "rows.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* A strip of scores: up to so many queries, and columns by k. In small blocks many results are
 * sought again and again; larger ones cost OpenBLAS 10 % where k is 10. */
enum { QUERIES = 1024, LEAST_COLUMNS = 4096, MOST_COLUMNS = 32768, COLUMNS_BY_K = 320 };

/* For the trial of the last prepare. */
static struct {
    const struct matrix_library *library;
    int threads;
    size_t k, columns, ldscores;
    float *unit_x, *unit_y;            /* cosine: normalised rows */
    float *squares_x, *half_squares_y; /* neg_sq_l2 */
    float *scores;                     /* rows of k and a block */
    float *values;                     /* the best so far, and of each */
    uint32_t *places;                  /* where it stood in its row of the strip, */
    uint32_t *indices;                 /* and in the gallery */
} prepared;

static void free_prepared(void)
{
    free(prepared.unit_x);
    free(prepared.unit_y);
    free(prepared.squares_x);
    free(prepared.half_squares_y);
    free(prepared.scores);
    free(prepared.values);
    free(prepared.places);
    free(prepared.indices);
    memset(&prepared, 0, sizeof prepared);
}

static struct rows rows_of(const struct trial *trial, const char *name)
{
    const struct buffer *buffer = trial_buffer(trial, name);
    return (struct rows){buffer->data, buffer->ld};
}

static bool prepare_gallery(const struct trial *trial)
{
    const struct shape *s = &trial->shape;
    struct rows y = rows_of(trial, "y");
    if (s->similarity == MMK_COSINE) {
        if (!rows_alloc(&prepared.unit_x, s->m * s->d) ||
            !rows_alloc(&prepared.unit_y, s->n * s->d))
            return false;
        rows_normalize(prepared.threads, s->n, s->d, y, prepared.unit_y, NULL);
    } else if (s->similarity == MMK_NEG_SQ_L2) {
        if (!rows_alloc(&prepared.squares_x, s->m) || !rows_alloc(&prepared.half_squares_y, s->n))
            return false;
        rows_squares(prepared.threads, s->n, s->d, y, prepared.half_squares_y);
        for (size_t j = 0; j < s->n; j++)
            prepared.half_squares_y[j] *= 0.5f;
    }
    return true;
}

static size_t block_columns(const struct shape *s)
{
    size_t columns = s->k < MOST_COLUMNS / COLUMNS_BY_K ? s->k * COLUMNS_BY_K : MOST_COLUMNS;
    return least(s->n, columns > LEAST_COLUMNS ? columns : LEAST_COLUMNS);
}

static bool prepare(struct peer *peer, const struct matrix_library *library,
                    const struct trial *trial, char *error, size_t error_bytes)
{
    size_t rows = least(trial->shape.m, QUERIES);
    prepared.library = library;
    prepared.threads = trial->options.threads;
    prepared.k = least(trial->shape.k, trial->shape.n);
    prepared.columns = block_columns(&trial->shape);
    prepared.ldscores = rows_padded(prepared.k + prepared.columns);
    size_t results = rows * prepared.k + 1;
    prepared.places = malloc(results * sizeof *prepared.places);
    prepared.indices = malloc(results * sizeof *prepared.indices);
    bool good = prepared.places && prepared.indices && rows_alloc(&prepared.values, results) &&
                rows_alloc(&prepared.scores, rows * prepared.ldscores) && prepare_gallery(trial);
    if (!good)
        snprintf(error, error_bytes, "no memory for its scores");
    snprintf(peer->how, sizeof peer->how,
             "its product by blocks of %zu x %zu, mmk_topk after each%s", rows, prepared.columns,
             trial->shape.similarity == MMK_COSINE ? "; gallery normalised before the call" : "");
    return good;
}

static void take_off(size_t n, const float *restrict half_squares, float *restrict row)
{
    for (size_t j = 0; j < n; j++)
        row[j] -= half_squares[j];
}

/* Scores of queries against a block of the gallery, into the strip behind the k best. */
static void make_scores(const struct trial *trial, size_t rows, const float *x, size_t ldx,
                        struct rows y, size_t first, size_t columns)
{
    float *scores = prepared.scores + prepared.k;
    if (rows == 1 && prepared.library->sgemv)
        prepared.library->sgemv(columns, trial->shape.d, y.data + first * y.ld, y.ld, x, scores);
    else
        prepared.library->sgemm(false, true, rows, columns, trial->shape.d, x, ldx,
                                y.data + first * y.ld, y.ld, false, scores, prepared.ldscores);
    if (!prepared.half_squares_y)
        return;
#pragma omp parallel for num_threads(prepared.threads) schedule(static)
    for (size_t i = 0; i < rows; i++)
        take_off(columns, prepared.half_squares_y + first, scores + i * prepared.ldscores);
}

/* Of the `before` best so far of a row and a block from column `first` on the `after` best, whose
 * values and places are there: their indices, and their values to the head of the strip. */
static void keep_best(size_t row, size_t before, size_t after, size_t first)
{
    const float *values = prepared.values + row * prepared.k;
    const uint32_t *places = prepared.places + row * prepared.k;
    uint32_t *indices = prepared.indices + row * prepared.k, kept[after];
    for (size_t r = 0; r < after; r++)
        kept[r] = places[r] < before ? indices[places[r]] : (uint32_t)(places[r] - before + first);
    memcpy(indices, kept, after * sizeof *kept);
    memcpy(prepared.scores + row * prepared.ldscores + prepared.k - after, values,
           after * sizeof *values);
}

static enum mmk_status search_block(const struct trial *trial, size_t rows, const float *x,
                                    size_t ldx, struct rows y)
{
    struct mmk_options options = {.threads = prepared.threads};
    size_t before = 0, columns;
    for (size_t first = 0; first < trial->shape.n; first += columns) {
        columns = least(trial->shape.n - first, prepared.columns);
        make_scores(trial, rows, x, ldx, y, first, columns);
        size_t after = least(prepared.k, before + columns);
        const struct mmk_matrix scores = {.data = prepared.scores + prepared.k - before,
                                          .rows = rows,
                                          .columns = before + columns,
                                          .leading_dimension = prepared.ldscores};
        const struct mmk_topk_results best = {.k = after,
                                              .values = prepared.values,
                                              .indices = prepared.places,
                                              .leading_dimension = prepared.k};
        enum mmk_status status = mmk_topk(&scores, &best, &options);
        if (status != MMK_OK)
            return status;
#pragma omp parallel for num_threads(prepared.threads) schedule(static)
        for (size_t i = 0; i < rows; i++)
            keep_best(i, before, after, first);
        before = after;
    }
    return MMK_OK;
}

static void write_block(const struct trial *trial, size_t first, size_t rows)
{
    const struct buffer *values = trial_buffer(trial, "values"),
                        *indices = trial_buffer(trial, "indices");
    for (size_t i = 0; i < rows; i++) {
        float *out = (float *)values->data + (first + i) * values->ld;
        memcpy(out, prepared.values + i * prepared.k, prepared.k * sizeof *out);
        for (size_t r = 0; prepared.squares_x && r < prepared.k; r++)
            out[r] = fminf(2.0f * out[r] - prepared.squares_x[first + i], 0.0f);
        memcpy((uint32_t *)indices->data + (first + i) * indices->ld,
               prepared.indices + i * prepared.k, prepared.k * sizeof(uint32_t));
    }
}

static enum mmk_status call(struct peer *peer, struct trial *trial)
{
    const struct shape *s = &trial->shape;
    struct rows x = rows_of(trial, "x"), y = rows_of(trial, "y");
    (void)peer;
    if (prepared.unit_x) {
        rows_normalize(prepared.threads, s->m, s->d, x, prepared.unit_x, NULL);
        x = (struct rows){prepared.unit_x, s->d};
        y = (struct rows){prepared.unit_y, s->d};
    } else if (prepared.squares_x) {
        rows_squares(prepared.threads, s->m, s->d, x, prepared.squares_x);
    }
    for (size_t first = 0; first < s->m; first += QUERIES) {
        size_t rows = least(s->m - first, QUERIES);
        enum mmk_status status = search_block(trial, rows, x.data + first * x.ld, x.ld, y);
        if (status != MMK_OK)
            return status;
        write_block(trial, first, rows);
    }
    trial->count = prepared.k;
    return MMK_OK;
}

static bool runs(const struct kernel *kernel)
{
    return kernel->ranks_gallery;
}

const struct assembly assembled_search = {runs, prepare, call, free_prepared};
