/* openblas.c - peer: OpenBLAS's sdot and sgemv, and what can be assembled from its sgemm.
 * SPDX-License-Identifier: MIT
 */
#include "assembled.h"
#include "release.h"

#include <cblas.h>
#include <math.h>
#include <openblas_config.h>
#include <stdio.h>

static void sgemm(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, const float *a,
                  size_t lda, const float *b, size_t ldb, bool add, float *c, size_t ldc)
{
    cblas_sgemm(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans,
                transpose_b ? CblasTrans : CblasNoTrans, (blasint)m, (blasint)n, (blasint)k, 1.0f,
                a, (blasint)lda, b, (blasint)ldb, add ? 1.0f : 0.0f, c, (blasint)ldc);
}

static void sgemv(size_t n, size_t k, const float *a, size_t lda, const float *x, float *y)
{
    cblas_sgemv(CblasRowMajor, CblasNoTrans, (blasint)n, (blasint)k, 1.0f, a, (blasint)lda, x, 1,
                0.0f, y, 1);
}

/* All logits at once take 10 % longer at n = 4096, d = 128, where they leave the cache; strips of a
 * thousand rows and less 3 % at d = 512, where Y is packed anew for each. */
static const struct matrix_library library = {sgemm, sgemv, openblas_set_num_threads, .strip = 4};

enum { X, Y, RESULT, NORMS }; /* order of the buffers */

static enum mmk_status dot_pair(struct peer *peer, struct trial *trial)
{
    (void)peer;
    *(float *)trial->buffer[RESULT].data =
        cblas_sdot((blasint)trial->shape.d, trial->buffer[X].data, 1, trial->buffer[Y].data, 1);
    return MMK_OK;
}

static enum mmk_status dot_query(struct peer *peer, struct trial *trial)
{
    const struct buffer *y = &trial->buffer[Y];
    (void)peer;
    sgemv(trial->shape.n, trial->shape.d, y->data, y->ld, trial->buffer[X].data,
          trial->buffer[RESULT].data);
    return MMK_OK;
}

/* A zero row has cosine 0 with everything. */
static void divide_by_norms(size_t n, float square_x, const float *restrict squares,
                            float *restrict result)
{
    for (size_t j = 0; j < n; j++) {
        float square = square_x * squares[j];
        result[j] = square > 0.0f ? result[j] / sqrtf(square) : 0.0f;
    }
}

static enum mmk_status cosine_query_norms(struct peer *peer, struct trial *trial)
{
    const float *x = trial->buffer[X].data;
    blasint d = (blasint)trial->shape.d;
    dot_query(peer, trial);
    divide_by_norms(trial->shape.n, cblas_sdot(d, x, 1, x, 1), trial->buffer[NORMS].data,
                    trial->buffer[RESULT].data);
    return MMK_OK;
}

static const struct {
    const char *kernel;
    enum mmk_status (*call)(struct peer *peer, struct trial *trial);
    const char *how;
} entries[] = {{"dot_pair", dot_pair, "sdot"},
               {"dot_query", dot_query, "sgemv"},
               {"cosine_query_norms", cosine_query_norms, "sgemv, then divided by the norms"}};
enum { ENTRIES = sizeof entries / sizeof entries[0] };

/* The entry for a kernel; ENTRIES: there is none. */
static size_t entry_of(const struct kernel *kernel)
{
    size_t e = 0;
    while (e < ENTRIES && strcmp(entries[e].kernel, kernel->name) != 0)
        e++;
    return e;
}

static bool runs(const struct kernel *kernel)
{
    return entry_of(kernel) < ENTRIES || assembled_runs(kernel);
}

static bool prepare(struct peer *peer, const struct trial *trial, char *error, size_t error_bytes)
{
    size_t e = entry_of(trial->kernel);
    if (e == ENTRIES)
        return assembled_prepare(peer, trial, error, error_bytes);
    openblas_set_num_threads(trial->options.threads);
    peer->call = entries[e].call;
    snprintf(peer->how, sizeof peer->how, "%s", entries[e].how);
    return true;
}

static const struct release_year years[] = {
    {2020, "0.3.8 0.3.9 0.3.10 0.3.12 0.3.13"},
    {2021, "0.3.14 0.3.15 0.3.16 0.3.17 0.3.18 0.3.19"},
    {2022, "0.3.20 0.3.21"},
    {2023, "0.3.25"},
};

static bool open_peer(struct peer *peer, char *error, size_t error_bytes)
{
    static const char *const threading[] = {"without threads", "pthreads", "OpenMP"};
    char version[32] = "of unknown version";
    (void)error;
    (void)error_bytes;
    sscanf(openblas_get_config(), "OpenBLAS %31s", version);
    release_say(peer, "OpenBLAS", version, years, sizeof years / sizeof years[0]);
    snprintf(peer->kernel, sizeof peer->kernel, "%s, %s", openblas_get_corename(),
             threading[openblas_get_parallel()]);
    return true;
}

struct peer mmk_peer = {.name = "openblas",
                        .about = &library,
                        .runs = runs,
                        .open = open_peer,
                        .close = assembled_close,
                        .prepare = prepare};
