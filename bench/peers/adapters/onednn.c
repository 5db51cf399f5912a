/* onednn.c - peer: what can be assembled from oneDNN's sgemm.
 * SPDX-License-Identifier: MIT
 *
 * dnnl_sgemm rather than the matmul primitive: with Y packed once for all strips, that was 3 to 6 %
 * faster in a forward at n = 1024 and at n = 4096, d = 128, 3 % slower in the others, and as fast
 * or slower in all of forward + backward (oneDNN 2.6.3, AVX-512, one thread). Products of int8 are
 * those of its s8s8s32 gemm, which are exact where there is VNNI.
 */
#include "assembled.h"
#include "release.h"

#include <dnnl.h>
#include <omp.h>
#include <stdio.h>

static void sgemm(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, const float *a,
                  size_t lda, const float *b, size_t ldb, bool add, float *c, size_t ldc)
{
    dnnl_sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', (dnnl_dim_t)m, (dnnl_dim_t)n,
               (dnnl_dim_t)k, 1.0f, a, (dnnl_dim_t)lda, b, (dnnl_dim_t)ldb, add ? 1.0f : 0.0f, c,
               (dnnl_dim_t)ldc);
}

/* Strips cost up to 6 % in a forward and gain 2 % at most in a forward + backward. */
static const struct matrix_library library = {sgemm, NULL, omp_set_num_threads, .strip = 0};

/* ---- Products of int8 ------------------------------------------------------------------------ */

static bool is_of_int8(const struct kernel *kernel)
{
    return strcmp(kernel->name, "dot_matrix_i8") == 0;
}

static enum mmk_status call_int8(struct peer *peer, struct trial *trial)
{
    const struct buffer *x = trial_buffer(trial, "x"), *y = trial_buffer(trial, "y"),
                        *result = trial_buffer(trial, "result");
    const int32_t nothing = 0;
    (void)peer;
    dnnl_status_t status = dnnl_gemm_s8s8s32(
        'N', 'T', 'F', (dnnl_dim_t)trial->shape.m, (dnnl_dim_t)trial->shape.n,
        (dnnl_dim_t)trial->shape.d, 1.0f, x->data, (dnnl_dim_t)x->ld, 0, y->data, (dnnl_dim_t)y->ld,
        0, 0.0f, result->data, (dnnl_dim_t)result->ld, &nothing);
    return status == dnnl_success ? MMK_OK : MMK_ERR_NO_MEMORY;
}

/* ---- The peer -------------------------------------------------------------------------------- */

static bool runs(const struct kernel *kernel)
{
    return is_of_int8(kernel) || assembled_runs(kernel);
}

static bool prepare(struct peer *peer, const struct trial *trial, char *error, size_t error_bytes)
{
    if (!is_of_int8(trial->kernel))
        return assembled_prepare(peer, trial, error, error_bytes);
    assembled_close(peer);
    library.set_threads(trial->options.threads);
    snprintf(peer->how, sizeof peer->how, "gemm_s8s8s32");
    peer->call = call_int8;
    return true;
}

static const char *isa_name(void)
{
    static const struct {
        dnnl_cpu_isa_t isa;
        const char *name;
    } isas[] = {{dnnl_cpu_isa_avx512_core, "avx512_core"},
                {dnnl_cpu_isa_avx2, "avx2"},
                {dnnl_cpu_isa_avx, "avx"},
                {dnnl_cpu_isa_sse41, "sse41"}};
    dnnl_cpu_isa_t in_use = dnnl_get_effective_cpu_isa(); /* a set of bits */
    for (size_t i = 0; i < sizeof isas / sizeof isas[0]; i++)
        if ((in_use & isas[i].isa) == isas[i].isa)
            return isas[i].name;
    return "portable";
}

static const struct release_year years[] = {
    {2022, "2.6.1 2.6.2 2.6.3"},
    {2025, "3.9.1 3.10.2"},
};

static bool open_peer(struct peer *peer, char *error, size_t error_bytes)
{
    const dnnl_version_t *version = dnnl_version();
    char number[48];
    (void)error;
    (void)error_bytes;
    snprintf(number, sizeof number, "%d.%d.%d", version->major, version->minor, version->patch);
    release_say(peer, "oneDNN", number, years, sizeof years / sizeof years[0]);
    snprintf(peer->kernel, sizeof peer->kernel, "%s", isa_name());
    return true;
}

struct peer mmk_peer = {.name = "onednn",
                        .about = &library,
                        .runs = runs,
                        .open = open_peer,
                        .close = assembled_close,
                        .prepare = prepare};
