/* calls.c - every public function that computes, called in one line.
 * SPDX-License-Identifier: MIT
 */
#define _DEFAULT_SOURCE
#include "calls.h"
#include "../../ref/cases.h"
#include "matrix.h"

#include <string.h>
#include <sys/mman.h>

enum { M = 100, N = 700, D = 19, K = 7, NARROW = 90 /* of Y, for what wants fewer */ };

/* Elements between rows that are far apart: 32 rows are 2^32, so that the second of two threads
 * begins beyond that. Only pages that are touched are there. */
enum { FAR_LD = (1 << 27) + 16, FAR_MATRICES = 12 };

static float x[M * D], y[N * D], variance_x[M * D], variance_y[N * D], scores[M * N];

/* The far matrices of a call, N rows each, and what is copied from them when it is over. Each
 * thread has its own, for test_processes makes calls from several at once. */
static _Thread_local float *far_rows;
static _Thread_local size_t far_used;
static _Thread_local struct far_result {
    struct mmk_matrix_out far;
    float *near;
} far_results[FAR_MATRICES];
static _Thread_local size_t far_result_count;
static _Thread_local struct mmk_matrix matrices[FAR_MATRICES];
static _Thread_local size_t matrix_count;
static _Thread_local struct mmk_matrix_out results[FAR_MATRICES];
static _Thread_local size_t result_count;
static uint32_t rankings[M * K], relevant_column[M];
static size_t relevant_start[M + 1];

static void fill_rows(float *rows, size_t count, uint64_t seed)
{
    for (size_t i = 0; i < count * D; i++)
        rows[i] = (float)fill_normal(seed, i);
    for (size_t k = 0; k < D; k++) {
        rows[3 * D + k] = 0;
        rows[k] *= 1e-40f; /* denormal, and one of those that an origin is found by */
        rows[8 * D + k] *= 1e-20f;
        rows[13 * D + k] *= 1e15f;
    }
}

static void fill_all(void)
{
    static bool filled;
    if (filled)
        return;
    filled = true;
    fill_rows(x, M, 1);
    fill_rows(y, N, 2);
    for (size_t i = 0; i < M * D; i++)
        variance_x[i] = (float)fill_normal(3, i);
    for (size_t i = 0; i < N * D; i++)
        variance_y[i] = (float)fill_normal(4, i);
    for (size_t i = 0; i < M * N; i++) {
        float value = (float)fill_normal(5, i);
        scores[i] = i % 3 == 0 ? value * 1e-40f : value;
    }
    for (size_t i = 0; i < M; i++) {
        relevant_start[i + 1] = i + 1;
        relevant_column[i] = (uint32_t)i;
        for (size_t r = 0; r < K; r++)
            rankings[i * K + r] = (uint32_t)(i + r * (i % 5));
    }
}

#define X           rows_in(x, M, D)
#define Y           rows_in(y, N, D)
#define OPTIONS(t)  (&(struct mmk_options){.threads = (t)})
#define TAKE(count) take(&out, count)
#define ROWS_OUT(m) rows_out(TAKE((m)*D), m, D)

/* The next `count` floats of the results. */
static float *take(float **out, size_t count)
{
    *out += count;
    return *out - count;
}

static float *next_far(void)
{
    return far_rows + far_used++ * N * (size_t)FAR_LD;
}

static const struct mmk_matrix *rows_in(const float *near, size_t m, size_t n)
{
    struct mmk_matrix *matrix = &matrices[matrix_count++];
    *matrix = (struct mmk_matrix){.data = near, .rows = m, .columns = n};
    if (far_rows != NULL) {
        float *far = next_far();
        for (size_t i = 0; i < m; i++)
            memcpy(far + i * FAR_LD, near + i * n, n * sizeof *near);
        matrix->data = far;
        matrix->leading_dimension = FAR_LD;
    }
    return matrix;
}

static const struct mmk_matrix_out *rows_out(float *near, size_t m, size_t n)
{
    struct mmk_matrix_out *matrix = &results[result_count++];
    *matrix = (struct mmk_matrix_out){.data = near, .rows = m, .columns = n};
    if (far_rows != NULL) {
        matrix->data = next_far();
        matrix->leading_dimension = FAR_LD;
        far_results[far_result_count++] = (struct far_result){*matrix, near};
    }
    return matrix;
}

/* The first K of each of m rows. */
static struct mmk_topk_results topk_out(float *values, float *indices, size_t m)
{
    const struct mmk_matrix_out *v = rows_out(values, m, K), *i = rows_out(indices, m, K);
    return (struct mmk_topk_results){
        .k = K, .values = v->data, .indices = i->data, .leading_dimension = v->leading_dimension};
}

static enum mmk_status run_matrix(enum mmk_similarity similarity, int threads, float *out)
{
    return mmk_similarity_matrix(similarity, X, Y, rows_out(out, M, N), OPTIONS(threads));
}

static enum mmk_status run_query(enum mmk_similarity similarity, int threads, float *out)
{
    (void)threads;
    return mmk_similarity_query(similarity, x, Y, NULL, out);
}

/* Rows of scores, each with the next: rows of x are too few for two threads. */
static enum mmk_status run_rows(enum mmk_similarity similarity, int threads, float *out)
{
    return mmk_similarity_rows(similarity, rows_in(scores, M - 1, N), rows_in(scores + N, M - 1, N),
                               out, OPTIONS(threads));
}

static enum mmk_status run_gallery(enum mmk_similarity similarity, int threads, float *out)
{
    struct mmk_gallery *gallery;
    enum mmk_status status = mmk_gallery_pack(similarity, Y, OPTIONS(threads), &gallery);
    if (status != MMK_OK)
        return status;
    status = mmk_similarity_matrix(similarity, X, PACKED(gallery), rows_out(out, M, N),
                                   OPTIONS(threads));
    mmk_gallery_free(gallery);
    return status;
}

static enum mmk_status run_coded(enum mmk_similarity similarity, int threads, float *out)
{
    struct mmk_gallery *gallery;
    enum mmk_status status = mmk_gallery_encode(similarity, Y, OPTIONS(threads), &gallery);
    if (status != MMK_OK)
        return status;
    const struct mmk_topk_results for_x = topk_out(TAKE(M * K), TAKE(M * K), M);
    status = mmk_search(
        &(struct mmk_search_problem){.x = X, .y = PACKED(gallery), .similarity = similarity},
        &(struct mmk_search_results){.for_x = &for_x}, OPTIONS(threads));
    mmk_gallery_free(gallery);
    return status;
}

static enum mmk_status run_search(enum mmk_similarity similarity, int threads, float *out)
{
    const struct mmk_topk_results for_x = topk_out(TAKE(M * K), TAKE(M * K), M);
    const struct mmk_topk_results for_y = topk_out(TAKE(N * K), TAKE(N * K), N);
    return mmk_search(&(struct mmk_search_problem){.x = X, .y = Y, .similarity = similarity},
                      &(struct mmk_search_results){.for_x = &for_x, .for_y = &for_y},
                      OPTIONS(threads));
}

static enum mmk_status run_topk(enum mmk_similarity similarity, int threads, float *out)
{
    (void)similarity;
    const struct mmk_topk_results wanted = topk_out(TAKE(M * K), TAKE(M * K), M);
    return mmk_topk(rows_in(scores, M, N), &wanted, OPTIONS(threads));
}

/* Cosines by a usual scale; the others so that the great rows do not leave float. */
static float scale_of(enum mmk_similarity similarity)
{
    return similarity == MMK_COSINE ? 14.3f : 1e-3f;
}

static enum mmk_status run_infonce(enum mmk_similarity similarity, int threads, float *out)
{
    const struct mmk_infonce_problem problem = {.x = X,
                                                .y = rows_in(y, N - NARROW, D),
                                                .negatives =
                                                    rows_in(y + (N - NARROW) * D, NARROW, D),
                                                .similarity = similarity,
                                                .logit_scale = scale_of(similarity)};
    const struct mmk_infonce_results wanted = {.loss = TAKE(1),
                                               .lse_x = TAKE(M),
                                               .lse_y = TAKE(N - NARROW),
                                               .dx = ROWS_OUT(M),
                                               .dy = ROWS_OUT(N - NARROW),
                                               .dnegatives = ROWS_OUT(NARROW),
                                               .dlogit_scale = TAKE(1)};
    return mmk_infonce(&problem, &wanted, OPTIONS(threads));
}

static enum mmk_status run_uniformity(enum mmk_similarity similarity, int threads, float *out)
{
    const struct mmk_infonce_problem problem = {
        .x = X, .y = Y, .similarity = similarity, .logit_scale = scale_of(similarity)};
    const struct mmk_infonce_results wanted = {
        .loss = TAKE(1), .dx = ROWS_OUT(M), .dy = ROWS_OUT(N), .dlogit_scale = TAKE(1)};
    return mmk_uniformity(&problem, &wanted, OPTIONS(threads));
}

static enum mmk_status run_alignment(enum mmk_similarity similarity, int threads, float *out)
{
    const struct mmk_infonce_problem problem = {.x = X,
                                                .y = rows_in(y, M, D),
                                                .similarity = similarity,
                                                .logit_scale = scale_of(similarity)};
    const struct mmk_infonce_results wanted = {
        .loss = TAKE(1), .dx = ROWS_OUT(M), .dy = ROWS_OUT(M), .dlogit_scale = TAKE(1)};
    return mmk_alignment(&problem, &wanted, OPTIONS(threads));
}

static enum mmk_status run_sigmoid(enum mmk_similarity similarity, int threads, float *out)
{
    const struct mmk_sigmoid_problem problem = {
        .x = X, .y = Y, .similarity = similarity, .logit_scale = scale_of(similarity), .bias = -10};
    const struct mmk_sigmoid_results wanted = {.loss = TAKE(1),
                                               .dx = ROWS_OUT(M),
                                               .dy = ROWS_OUT(N),
                                               .dlogit_scale = TAKE(1),
                                               .dbias = TAKE(1)};
    return mmk_sigmoid(&problem, &wanted, OPTIONS(threads));
}

static enum mmk_status run_variances(enum mmk_similarity similarity, int threads, float *out)
{
    (void)similarity;
    const struct mmk_sigmoid_problem problem = {.x = X,
                                                .y = Y,
                                                .log_variance_x = rows_in(variance_x, M, D),
                                                .log_variance_y = rows_in(variance_y, N, D),
                                                .similarity = MMK_NEG_SQ_L2,
                                                .logit_scale = 1e-3f,
                                                .bias = 1};
    const struct mmk_sigmoid_results wanted = {.loss = TAKE(1),
                                               .dx = ROWS_OUT(M),
                                               .dy = ROWS_OUT(N),
                                               .dlog_variance_x = ROWS_OUT(M),
                                               .dlog_variance_y = ROWS_OUT(N),
                                               .dlogit_scale = TAKE(1),
                                               .dbias = TAKE(1)};
    return mmk_sigmoid(&problem, &wanted, OPTIONS(threads));
}

static enum mmk_status run_normalize(enum mmk_similarity similarity, int threads, float *out)
{
    (void)similarity, (void)threads;
    return mmk_normalize_rows(Y, rows_out(out, N, D));
}

static enum mmk_status run_squared_norms(enum mmk_similarity similarity, int threads, float *out)
{
    (void)similarity, (void)threads;
    return mmk_squared_norms(Y, out);
}

static enum mmk_status run_exp(enum mmk_similarity similarity, int threads, float *out)
{
    (void)similarity, (void)threads;
    return mmk_exp(M * N - 1, scores, out);
}

static enum mmk_status run_logsumexp(enum mmk_similarity similarity, int threads, float *out)
{
    (void)similarity, (void)threads;
    return mmk_logsumexp(M * N - 1, scores, out);
}

static enum mmk_status run_retrieval(enum mmk_similarity similarity, int threads, float *out)
{
    (void)similarity, (void)threads;
    static const size_t recall_at[] = {1, 3, K};
    double recall[3] = {0, 0, 0}, r_precision = 0, map_at_r = 0;
    const uint32_t *ranks = rankings;
    if (far_rows != NULL) {
        uint32_t *far = (uint32_t *)(void *)next_far();
        for (size_t i = 0; i < M; i++)
            memcpy(far + i * FAR_LD, rankings + i * K, K * sizeof *rankings);
        ranks = far;
    }
    const struct mmk_csr relevant = {relevant_start, relevant_column, NULL};
    const struct mmk_retrieval_problem problem = {.m = M,
                                                  .n = N,
                                                  .depth = K,
                                                  .rankings = ranks,
                                                  .leading_dimension =
                                                      far_rows != NULL ? FAR_LD : 0,
                                                  .relevant = &relevant,
                                                  .recall_count = 3,
                                                  .recall_at = recall_at};
    enum mmk_status status = mmk_retrieval_metrics(
        &problem, &(struct mmk_retrieval_results){recall, &r_precision, &map_at_r, NULL, {0}});
    memcpy(TAKE(6), recall, sizeof recall);
    memcpy(TAKE(2), &r_precision, sizeof r_precision);
    memcpy(TAKE(2), &map_at_r, sizeof map_at_r);
    return status;
}

const struct call calls[] = {
    {"similarity_matrix", true, true, run_matrix},
    {"similarity_query", false, false, run_query},
    {"similarity_rows", true, true, run_rows},
    {"gallery_pack", true, true, run_gallery},
    {"gallery_encode", true, true, run_coded},
    {"search", true, true, run_search},
    {"topk", true, true, run_topk},
    {"infonce", true, true, run_infonce},
    {"uniformity", true, true, run_uniformity},
    {"alignment", true, true, run_alignment},
    {"sigmoid", true, true, run_sigmoid},
    {"sigmoid", true, true, run_variances},
    {"normalize_rows", false, true, run_normalize},
    {"squared_norms", false, true, run_squared_norms},
    {"exp", false, true, run_exp},
    {"logsumexp", false, true, run_logsumexp},
    {"retrieval_metrics", false, true, run_retrieval},
};
const size_t calls_count = sizeof calls / sizeof calls[0];

enum mmk_status calls_run(const struct call *call, enum mmk_similarity similarity, int threads,
                          float *out)
{
    fill_all();
    memset(out, 0, CALLS_FLOATS * sizeof *out);
    far_used = far_result_count = matrix_count = result_count = 0;
    return call->run(similarity, threads, out);
}

bool calls_run_far(const struct call *call, enum mmk_similarity similarity, int threads, float *out,
                   enum mmk_status *status)
{
    size_t bytes = (size_t)FAR_MATRICES * N * FAR_LD * sizeof(float);
    void *there = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (there == MAP_FAILED)
        return false;
    madvise(there, bytes, MADV_NOHUGEPAGE); /* each would be 2 MB, for one row */
    far_rows = there;
    *status = calls_run(call, similarity, threads, out);
    for (size_t r = 0; r < far_result_count; r++) {
        const struct far_result *result = &far_results[r];
        for (size_t i = 0; i < result->far.rows; i++)
            memcpy(result->near + i * result->far.columns,
                   (const float *)result->far.data + i * (size_t)FAR_LD,
                   result->far.columns * sizeof(float));
    }
    far_rows = NULL;
    munmap(there, bytes);
    return true;
}
