/* probe.c - mmk-probe: prints the instruction set in use, and hashes of what the main functions
 * return.
 * SPDX-License-Identifier: MIT
 *
 * Small enough to run in seconds in an emulator, and linked like a user's program. Two machines, or
 * two instruction sets, agree when all lines after the first are the same. `mmk-probe isa` prints
 * the first alone. Exit status 2: the
 * instruction set that was asked for cannot be used.
 */
#include "../unit/matrix.h"
#include "../unit/simd_blocks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 37, MAX_D = 272, MAX_N = 600 };

static float x[ROWS * MAX_D], y[ROWS * MAX_D], scores[MAX_N];
static float out[4][ROWS * MAX_D];
static uint32_t indices[ROWS * MAX_D];

static uint64_t hash;

static void add(const void *data, size_t bytes)
{
    const unsigned char *byte = data;
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ byte[i]) * 0x100000001b3u;
}

static void start(void)
{
    hash = 0xcbf29ce484222325u;
}

static void report(const char *name)
{
    printf("%-28s %016llx\n", name, (unsigned long long)hash);
}

static void ok(enum mmk_status status)
{
    if (status == MMK_OK)
        return;
    fprintf(stderr, "mmk-probe: %s\n%s\n", mmk_error_detail(), mmk_status_string(status));
    exit(status == MMK_ERR_ISA_UNKNOWN || status == MMK_ERR_ISA_UNUSABLE ? 2 : 1);
}

static void fill(float *to, size_t count, uint64_t seed)
{
    for (size_t i = 0; i < count; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        to[i] = (float)(int32_t)(seed >> 32) * 0x1p-33f;
    }
}

static void probe_exp(enum mmk_isa isa)
{
    const struct simd_blocks *usable[MMK_ISA_COUNT];
    size_t count = simd_blocks_usable(usable);
    for (size_t u = 0; u < count; u++) {
        if (usable[u]->isa != isa)
            continue;
        float in[64], result[64];
        start();
        for (int step = 0; step < 20000; step++) {
            for (int i = 0; i < 64; i++)
                in[i] = (float)(step * 64 + i) * (200.0f / 1280000.0f) - 110.0f;
            ok(mmk_exp(64, in, result));
            add(result, sizeof result);
            ok(mmk_logsumexp(64, in, result));
            add(result, sizeof result[0]);
            usable[u]->exp2(64, in, result);
            add(result, sizeof result);
        }
        report("exp");
    }
}

static const size_t dimensions[] = {0, 1, 3, 5, 10, 15, 31, 33, 64, 65, 100, 129, 257, MAX_D};

enum { DIMENSIONS = sizeof dimensions / sizeof dimensions[0] };

static void probe_similarities(void)
{
    static const char *const name[][MMK_SIMILARITY_COUNT] = {
        {"pair dot", "pair cosine", "pair neg_sq_l2"},
        {"query dot", "query cosine", "query neg_sq_l2"},
        {"matrix dot", "matrix cosine", "matrix neg_sq_l2"},
        {"rows dot", "rows cosine", "rows neg_sq_l2"},
    };
    for (int s = 0; s < MMK_SIMILARITY_COUNT; s++) {
        enum mmk_similarity similarity = (enum mmk_similarity)s;
        start();
        for (int i = 0; i < DIMENSIONS; i++) {
            ok(mmk_similarity_pair(similarity, dimensions[i], x, y + 1, out[0]));
            add(out[0], sizeof(float));
        }
        report(name[0][s]);
        start();
        for (int i = 0; i < DIMENSIONS; i++) {
            ok(mmk_similarity_query(similarity, x, MATRIX_AT(y, ROWS, dimensions[i], MAX_D), NULL,
                                    out[0]));
            add(out[0], ROWS * sizeof(float));
        }
        report(name[1][s]);
        start();
        for (int i = 0; i < DIMENSIONS; i++) {
            ok(mmk_similarity_matrix(similarity, MATRIX_AT(x, ROWS, dimensions[i], MAX_D),
                                     MATRIX_AT(y, ROWS - 2, dimensions[i], MAX_D),
                                     MATRIX_OUT_AT(out[0], ROWS, ROWS - 2, 0), NULL));
            add(out[0], ROWS * (ROWS - 2) * sizeof(float));
        }
        report(name[2][s]);
        start();
        for (int i = 0; i < DIMENSIONS; i++) {
            ok(mmk_similarity_rows(similarity, MATRIX_AT(x, ROWS, dimensions[i], MAX_D),
                                   MATRIX_AT(y, ROWS, dimensions[i], MAX_D), out[0], NULL));
            add(out[0], ROWS * sizeof(float));
        }
        report(name[3][s]);
    }
    start();
    for (int i = 0; i < DIMENSIONS; i++) {
        const struct mmk_matrix *rows = MATRIX_AT(y, ROWS, dimensions[i], MAX_D);
        ok(mmk_squared_norms(rows, out[0]));
        ok(mmk_similarity_query(MMK_COSINE, x, rows, out[0], out[1]));
        add(out[0], ROWS * sizeof(float));
        add(out[1], ROWS * sizeof(float));
    }
    report("query cosine, norms");
    start();
    for (int i = 0; i < DIMENSIONS; i++) {
        size_t d = dimensions[i];
        ok(mmk_normalize_rows(MATRIX_AT(x, ROWS, d, MAX_D), MATRIX_OUT_AT(out[0], ROWS, d, 0)));
        add(out[0], ROWS * d * sizeof(float));
    }
    report("normalize_rows");
}

/* Rows of very different lengths, and long ones: what norms out of range take another way for. */
static void probe_lengths(void)
{
    static const size_t d[] = {2, 7, 64, 130, 4097, 9001};
    static float a[9001], b[9001], unit[9001];
    fill(unit, 9001, 7);
    for (int s = 0; s < MMK_SIMILARITY_COUNT; s++) {
        const enum mmk_similarity similarity = (enum mmk_similarity)s;
        start();
        for (size_t i = 0; i < sizeof d / sizeof *d; i++)
            for (int down = 0; down <= 140; down += d[i] < 1000 ? 7 : 28)
                for (int up = 0; up <= 120; up += d[i] < 1000 ? 10 : 30) {
                    for (size_t k = 0; k < d[i]; k++) {
                        a[k] = ldexpf(unit[k], -down);
                        b[k] = ldexpf(unit[d[i] - 1 - k] + 0.25f, up);
                    }
                    const struct mmk_matrix *rows = MATRIX_AT(b, 1, d[i], 0);
                    ok(mmk_similarity_pair(similarity, d[i], a, b, &out[0][0]));
                    ok(mmk_similarity_pair(similarity, d[i], b, a, &out[0][1]));
                    ok(mmk_similarity_query(similarity, a, rows, NULL, &out[0][2]));
                    ok(mmk_similarity_rows(similarity, MATRIX_AT(a, 1, d[i], 0), rows, &out[0][3],
                                           NULL));
                    add(out[0], 4 * sizeof(float));
                }
        report(similarity == MMK_DOT      ? "lengths dot"
               : similarity == MMK_COSINE ? "lengths cosine"
                                          : "lengths neg_sq_l2");
    }
}

static void probe_infonce(void)
{
    static const char *const name[MMK_SIMILARITY_COUNT] = {"infonce dot", "infonce cosine",
                                                           "infonce neg_sq_l2"};
    for (int s = 0; s < MMK_SIMILARITY_COUNT; s++) {
        size_t m = ROWS - 3, n = ROWS;
        float loss, dlogit_scale;
        start();
        for (int i = 0; i < DIMENSIONS; i++) {
            size_t d = dimensions[i];
            struct mmk_infonce_problem problem = {.x = MATRIX_AT(x, m, d, MAX_D),
                                                  .y = MATRIX_AT(y, n, d, MAX_D),
                                                  .similarity = (enum mmk_similarity)s,
                                                  .logit_scale = 14,
                                                  .weight_x = 0.5f,
                                                  .weight_y = 0.25f,
                                                  .offset = 2};
            const struct mmk_infonce_results forward = {
                .loss = &loss, .lse_x = out[0], .lse_y = out[1]};
            const struct mmk_infonce_results backward = {.dx = MATRIX_OUT_AT(out[2], m, d, 0),
                                                         .dy = MATRIX_OUT_AT(out[3], n, d, 0),
                                                         .dlogit_scale = &dlogit_scale};
            ok(mmk_infonce(&problem, &forward, NULL));
            problem.lse_x = out[0];
            problem.lse_y = out[1];
            ok(mmk_infonce(&problem, &backward, NULL));
            add(&loss, sizeof loss);
            add(&dlogit_scale, sizeof dlogit_scale);
            add(out[0], m * sizeof(float));
            add(out[1], n * sizeof(float));
            add(out[2], m * d * sizeof(float));
            add(out[3], n * d * sizeof(float));
            problem.lse_x = problem.lse_y = NULL;
            ok(mmk_infonce(
                &problem,
                &(struct mmk_infonce_results){.loss = &loss, .dx = backward.dx, .dy = backward.dy},
                NULL));
            add(&loss, sizeof loss);
            add(out[3], n * d * sizeof(float));
        }
        report(name[s]);
    }
}

static void probe_targets(void)
{
    static const char *const name[MMK_SIMILARITY_COUNT] = {"targets dot", "targets cosine",
                                                           "targets neg_sq_l2"};
    size_t row_start[ROWS + 1];
    uint32_t column[2 * ROWS];
    for (size_t i = 0; i <= ROWS; i++)
        row_start[i] = 2 * i;
    for (size_t e = 0; e < 2 * ROWS; e++)
        column[e] = (uint32_t)(e * 7 % ROWS);
    const struct mmk_csr targets = {row_start, column, NULL};
    for (int s = 0; s < MMK_SIMILARITY_COUNT; s++) {
        size_t n = ROWS;
        float loss, dbias;
        start();
        for (int i = 0; i < DIMENSIONS; i++) {
            size_t d = dimensions[i];
            const struct mmk_matrix *rows = MATRIX_AT(x, n, d, MAX_D);
            const struct mmk_matrix *columns = MATRIX_AT(y, n, d, MAX_D);
            const struct mmk_matrix_out *dx = MATRIX_OUT_AT(out[2], n, d, 0);
            const struct mmk_matrix_out *dy = MATRIX_OUT_AT(out[3], n, d, 0);
            ok(mmk_infonce(&(struct mmk_infonce_problem){.x = rows,
                                                         .y = columns,
                                                         .similarity = (enum mmk_similarity)s,
                                                         .logit_scale = 14,
                                                         .weight_x = 0.5f,
                                                         .weight_y = 0.25f,
                                                         .targets = &targets},
                           &(struct mmk_infonce_results){.loss = &loss, .dx = dx, .dy = dy}, NULL));
            add(&loss, sizeof loss);
            add(out[2], n * d * sizeof(float));
            add(out[3], n * d * sizeof(float));
            ok(mmk_sigmoid(
                &(struct mmk_sigmoid_problem){.x = rows,
                                              .y = columns,
                                              .similarity = (enum mmk_similarity)s,
                                              .logit_scale = 14,
                                              .bias = -10,
                                              .positives = &targets},
                &(struct mmk_sigmoid_results){.loss = &loss, .dx = dx, .dy = dy, .dbias = &dbias},
                NULL));
            add(&loss, sizeof loss);
            add(&dbias, sizeof dbias);
            add(out[2], n * d * sizeof(float));
            add(out[3], n * d * sizeof(float));
        }
        report(name[s]);
    }
}

static void probe_topk(void)
{
    static const size_t ks[] = {1, 2, 10, 100, MAX_N, MAX_N + 1};
    start();
    for (size_t i = 0; i < sizeof ks / sizeof ks[0]; i++)
        for (size_t n = MAX_N - 20; n <= MAX_N; n++) {
            size_t count;
            struct mmk_topk_results first = {
                .k = ks[i], .values = out[0], .indices = indices, .count = &count};
            ok(mmk_topk(MATRIX_AT(scores, 1, n, 0), &first, NULL));
            add(out[0], count * sizeof(float));
            add(indices, count * sizeof(uint32_t));
        }
    report("topk");
    start();
    ok(mmk_topk(MATRIX_AT(x, ROWS, 200, MAX_D), TOPK(7, out[0], indices), NULL));
    add(out[0], ROWS * 7 * sizeof(float));
    add(indices, ROWS * 7 * sizeof(uint32_t));
    report("topk_rows");
}

static void probe_search(void)
{
    static const size_t ks[] = {1, 7, ROWS + 2};
    for (int both = 0; both < 2; both++) {
        start();
        for (int s = 0; s < MMK_SIMILARITY_COUNT; s++)
            for (size_t i = 0; i < sizeof ks / sizeof ks[0]; i++) {
                enum mmk_similarity similarity = (enum mmk_similarity)s;
                size_t k = ks[i], m = ROWS - 3, d = 33, row = k < ROWS ? k : ROWS;
                ok(mmk_search(
                    &(struct mmk_search_problem){.x = MATRIX_AT(x, m, d, MAX_D),
                                                 .y = MATRIX_AT(y, ROWS, d, MAX_D),
                                                 .similarity = similarity},
                    &(struct mmk_search_results){.for_x = TOPK(k, out[0], indices),
                                                 .for_y = both ? TOPK(1, out[1], NULL) : NULL},
                    NULL));
                for (size_t r = 0; r < m; r++) {
                    add(out[0] + r * k, row * sizeof(float));
                    add(indices + r * k, row * sizeof(uint32_t));
                }
                if (both)
                    add(out[1], ROWS * sizeof(float));
            }
        report(both ? "search_both" : "search");
    }
}

int main(int argc, char **argv)
{
    enum mmk_isa isa;
    if (argc > 2 || (argc == 2 && strcmp(argv[1], "isa") != 0)) {
        fprintf(stderr, "mmk-probe: '%s': it takes nothing, or the word isa; MMK_ISA chooses.\n",
                argv[argc - 1]);
        return 2;
    }
    ok(mmk_isa_in_use(&isa));
    printf("isa %s\n", mmk_isa_name(isa));
    fflush(stdout);
    if (argc > 1 && strcmp(argv[1], "isa") == 0)
        return 0;
    fill(x, sizeof x / sizeof x[0], 1);
    fill(y, sizeof y / sizeof y[0], 2);
    fill(scores, MAX_N, 3);
    for (int i = 0; i < MAX_N; i += 9)
        scores[i] = scores[i / 2]; /* ties */
    probe_exp(isa);
    probe_similarities();
    probe_lengths();
    probe_infonce();
    probe_targets();
    probe_topk();
    probe_search();
    return 0;
}
