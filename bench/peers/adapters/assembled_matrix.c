/* assembled_matrix.c - the similarity matrix from a library's matrix product.
 * SPDX-License-Identifier: MIT
 *
 * dot is the product itself; cosine that of normalised copies, which the call makes; neg_sq_l2 is
 * 2 x.y - |x|^2 - |y|^2, where the product is made in strips that are still in cache when the
 * squares come off.
 */
#include "assembled.h"
#include "rows.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* For the trial of the last prepare. */
static struct {
    const struct matrix_library *library;
    int threads;
    size_t strip;
    float *unit_x, *unit_y;       /* cosine: normalised rows */
    float *squares_x, *squares_y; /* neg_sq_l2 */
} prepared;

static bool runs(const struct kernel *kernel)
{
    return kernel->similarity_matrix;
}

static void free_prepared(void)
{
    free(prepared.unit_x);
    free(prepared.unit_y);
    free(prepared.squares_x);
    free(prepared.squares_y);
    memset(&prepared, 0, sizeof prepared);
}

static bool prepare(struct peer *peer, const struct matrix_library *library,
                    const struct trial *trial, char *error, size_t error_bytes)
{
    const struct shape *s = &trial->shape;
    bool good = true;
    prepared.library = library;
    prepared.threads = trial->options.threads;
    prepared.strip = assembled_strip(library, s->m, s->d);
    peer->how[0] = '\0';
    if (s->similarity == MMK_COSINE) {
        good =
            rows_alloc(&prepared.unit_x, s->m * s->d) && rows_alloc(&prepared.unit_y, s->n * s->d);
        snprintf(peer->how, sizeof peer->how, "product of normalised copies, made in the call");
    } else if (s->similarity == MMK_NEG_SQ_L2) {
        good = rows_alloc(&prepared.squares_x, s->m) && rows_alloc(&prepared.squares_y, s->n);
        snprintf(peer->how, sizeof peer->how, "2 x.y - |x|^2 - |y|^2 around its product");
    }
    if (!good)
        snprintf(error, error_bytes, "no memory for its copies of the rows");
    return good;
}

static void take_squares_off(size_t n, float square_x, float *restrict row)
{
    for (size_t j = 0; j < n; j++)
        row[j] = fminf(2.0f * row[j] - (square_x + prepared.squares_y[j]), 0.0f);
}

static void neg_sq_l2(const struct trial *trial, struct rows x, struct rows y,
                      const struct buffer *result)
{
    const struct shape *s = &trial->shape;
    rows_squares(prepared.threads, s->m, s->d, x, prepared.squares_x);
    rows_squares(prepared.threads, s->n, s->d, y, prepared.squares_y);
    for (size_t first = 0; first < s->m; first += prepared.strip) {
        size_t rows = s->m - first < prepared.strip ? s->m - first : prepared.strip;
        float *strip = (float *)result->data + first * result->ld;
        prepared.library->sgemm(false, true, rows, s->n, s->d, x.data + first * x.ld, x.ld, y.data,
                                y.ld, false, strip, result->ld);
#pragma omp parallel for num_threads(prepared.threads) schedule(static)
        for (size_t i = 0; i < rows; i++)
            take_squares_off(s->n, prepared.squares_x[first + i], strip + i * result->ld);
    }
}

static enum mmk_status call(struct peer *peer, struct trial *trial)
{
    const struct shape *s = &trial->shape;
    const struct buffer *bx = trial_buffer(trial, "x"), *by = trial_buffer(trial, "y"),
                        *result = trial_buffer(trial, "result");
    struct rows x = {bx->data, bx->ld}, y = {by->data, by->ld};
    (void)peer;
    if (s->similarity == MMK_NEG_SQ_L2) {
        neg_sq_l2(trial, x, y, result);
        return MMK_OK;
    }
    if (prepared.unit_x) {
        rows_normalize(prepared.threads, s->m, s->d, x, prepared.unit_x, NULL);
        rows_normalize(prepared.threads, s->n, s->d, y, prepared.unit_y, NULL);
        x = (struct rows){prepared.unit_x, s->d};
        y = (struct rows){prepared.unit_y, s->d};
    }
    prepared.library->sgemm(false, true, s->m, s->n, s->d, x.data, x.ld, y.data, y.ld, false,
                            result->data, result->ld);
    return MMK_OK;
}

const struct assembly assembled_matrix = {runs, prepare, call, free_prepared};
