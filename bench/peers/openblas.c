/* openblas.c - peer: InfoNCE from OpenBLAS's sgemm.
 * SPDX-License-Identifier: MIT
 */
#include "assembled.h"

#include <cblas.h>
#include <openblas_config.h>
#include <stdio.h>

static void sgemm(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, const float *a,
                  size_t lda, const float *b, size_t ldb, bool add, float *c, size_t ldc)
{
    cblas_sgemm(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans,
                transpose_b ? CblasTrans : CblasNoTrans, (blasint)m, (blasint)n, (blasint)k, 1.0f,
                a, (blasint)lda, b, (blasint)ldb, add ? 1.0f : 0.0f, c, (blasint)ldc);
}

/* All logits at once take 10 % longer at n = 4096, d = 128, where they leave the cache; strips of a
 * thousand rows and less 3 % at d = 512, where Y is packed anew for each. */
static const struct matrix_library library = {sgemm, openblas_set_num_threads, .strip = 4};

static bool open_peer(struct peer *peer, char *error, size_t error_bytes)
{
    static const char *const threading[] = {"without threads", "pthreads", "OpenMP"};
    char version[32] = "of unknown version";
    (void)error;
    (void)error_bytes;
    sscanf(openblas_get_config(), "OpenBLAS %31s", version);
    snprintf(peer->version, sizeof peer->version, "OpenBLAS %s", version);
    snprintf(peer->kernel, sizeof peer->kernel, "%s, %s", openblas_get_corename(),
             threading[openblas_get_parallel()]);
    return true;
}

struct peer mmk_peer = {.name = "openblas",
                        .about = &library,
                        .runs = assembled_runs,
                        .open = open_peer,
                        .close = assembled_close,
                        .prepare = assembled_prepare,
                        .call = assembled_call};
