/* test_forms.c - ways to call that the trials of mmk-check do not take.
 * SPDX-License-Identifier: MIT
 *
 * Outputs left out, in place, one matrix twice, a workspace that spares all allocation, logits so
 * large that each softmax picks one.
 */
#include "../../kernels/isa/isa.h"
#include "../../ref/cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* ---- Counting allocations: glibc lets a program bring its own -------------------------------- */

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define COUNTS_ALLOCATIONS 1
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_memalign(size_t align, size_t size);

static size_t allocations;

void *malloc(size_t size)
{
    allocations++;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    allocations++;
    return __libc_calloc(count, size);
}

void *aligned_alloc(size_t align, size_t size)
{
    allocations++;
    return __libc_memalign(align, size);
}

int posix_memalign(void **memory, size_t align, size_t size)
{
    allocations++;
    *memory = __libc_memalign(align, size);
    return *memory ? 0 : 12;
}
#else
#define COUNTS_ALLOCATIONS 0
static size_t allocations;
#endif

/* Calls test() once for every instruction set that runs here. */
static void on_every_isa(void (*test)(void))
{
    for (int isa = 0; isa < MMK_ISA_COUNT; isa++)
        if (mmk_isa_usable((enum mmk_isa)isa) == MMK_OK) {
            assert_int_equal(mmk_isa_use(mmk_isa_name((enum mmk_isa)isa)), MMK_OK);
            test();
        }
    assert_int_equal(mmk_isa_use(NULL), MMK_OK);
}

static void fill_floats(float *v, size_t count, uint64_t stream)
{
    for (size_t e = 0; e < count; e++)
        v[e] = (float)fill_normal(stream, e);
}

/* ---- Top-k with an output left out ----------------------------------------------------------- */

static void topk_parts(void)
{
    enum { N = 5000, K = 700 };
    static float scores[N], values[K], only_values[K];
    static uint32_t indices[K], only_indices[K];
    fill_floats(scores, N, 11);
    for (size_t e = 0; e < N; e += 7)
        scores[e] = scores[0];
    static const size_t ns[] = {1, 20, 300, N};
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 1; k <= K; k = k * 3 + 1) {
            size_t n = ns[i], count, expected = k < n ? k : n;
            memset(only_values, 0, sizeof only_values);
            memset(only_indices, 0, sizeof only_indices);
            assert_int_equal(mmk_topk(n, scores, k, values, indices, &count), MMK_OK);
            assert_int_equal(count, expected);
            assert_int_equal(mmk_topk(n, scores, k, only_values, NULL, NULL), MMK_OK);
            assert_int_equal(mmk_topk(n, scores, k, NULL, only_indices, &count), MMK_OK);
            assert_int_equal(count, expected);
            assert_memory_equal(values, only_values, expected * sizeof *values);
            assert_memory_equal(indices, only_indices, expected * sizeof *indices);
        }
    size_t n = 1000, m = 5, k = 20, count;
    float row_values[5 * 20];
    uint32_t row_indices[5 * 20];
    assert_int_equal(mmk_topk_rows(m, n, scores, n, k, row_values, NULL, k, NULL, NULL), MMK_OK);
    assert_int_equal(mmk_topk_rows(m, n, scores, n, k, NULL, row_indices, k, &count, NULL), MMK_OK);
    for (size_t i = 0; i < m; i++) {
        assert_int_equal(mmk_topk(n, scores + i * n, k, values, indices, NULL), MMK_OK);
        assert_memory_equal(values, row_values + i * k, k * sizeof *values);
        assert_memory_equal(indices, row_indices + i * k, k * sizeof *indices);
    }
}

static void topk_without_values_or_indices(void **state)
{
    (void)state;
    on_every_isa(topk_parts);
}

/* ---- In place, and one matrix as both -------------------------------------------------------- */

static void normalize_both_ways(void)
{
    enum { M = 6, D = 131, LD = 135 };
    float x[M * LD], out[M * LD];
    fill_floats(x, M * LD, 12);
    memset(x + LD, 0, D * sizeof *x);
    memcpy(out, x, sizeof x);
    assert_int_equal(mmk_normalize_rows(M, D, x, LD, out, LD), MMK_OK);
    assert_int_equal(mmk_normalize_rows(M, D, x, LD, x, LD), MMK_OK);
    assert_memory_equal(x, out, sizeof x);
}

static void normalize_in_place(void **state)
{
    (void)state;
    on_every_isa(normalize_both_ways);
}

static void exp_both_ways(void)
{
    enum { N = 200 };
    static float x[N], y[N], in_place[N];
    fill_floats(x, N, 17);
    for (size_t n = 0; n <= N; n++) {
        memcpy(in_place, x, sizeof x);
        memcpy(y, x, sizeof x);
        assert_int_equal(mmk_exp(n, x, y), MMK_OK);
        assert_int_equal(mmk_exp(n, in_place, in_place), MMK_OK);
        assert_memory_equal(y, in_place, sizeof y);
    }
}

static void exp_in_place(void **state)
{
    (void)state;
    on_every_isa(exp_both_ways);
}

static void self_similarity(void)
{
    enum { M = 37, D = 50 };
    static float x[M * D], copy[M * D], once[M * M], twice[M * M];
    fill_floats(x, M * D, 13);
    memcpy(copy, x, sizeof x);
    for (int s = 0; s < MMK_SIMILARITY_COUNT; s++) {
        enum mmk_similarity similarity = (enum mmk_similarity)s;
        assert_int_equal(mmk_similarity_matrix(similarity, M, M, D, x, D, x, D, once, M, NULL),
                         MMK_OK);
        assert_int_equal(mmk_similarity_matrix(similarity, M, M, D, x, D, copy, D, twice, M, NULL),
                         MMK_OK);
        assert_memory_equal(once, twice, sizeof once);
        for (size_t i = 0; i < M; i++) {
            assert_true(similarity != MMK_NEG_SQ_L2 || once[i * M + i] == 0);
            for (size_t j = 0; j < M; j++) /* symmetric in every bit */
                assert_true(once[i * M + j] == once[j * M + i]);
        }
    }
}

static void matrix_with_itself(void **state)
{
    (void)state;
    on_every_isa(self_similarity);
}

/* A query's results have the bits of pairs, with the squared norms given or not. */
static void query_and_pairs(void)
{
    enum { N = 19, D = 300 };
    static float x[D], y[N * D], norms[N], result[N], given[N];
    fill_floats(x, D, 14);
    fill_floats(y, N * D, 15);
    memset(y + 3 * D, 0, D * sizeof *y); /* rows whose norms are not safe */
    y[5 * D] = NAN;
    y[7 * D] = 1e30f;
    for (int s = 0; s < MMK_SIMILARITY_COUNT; s++)
        for (size_t d = 0; d <= D; d += d < 140 ? 1 : 31) {
            enum mmk_similarity similarity = (enum mmk_similarity)s;
            assert_int_equal(mmk_squared_norms(N, d, y, D, norms), MMK_OK);
            assert_int_equal(mmk_similarity_query(similarity, N, d, x, y, D, NULL, result), MMK_OK);
            assert_int_equal(mmk_similarity_query(similarity, N, d, x, y, D, norms, given), MMK_OK);
            assert_memory_equal(given, result, sizeof result);
            for (size_t j = 0; j < N; j++) {
                float pair;
                assert_int_equal(mmk_similarity_pair(similarity, d, x, y + j * D, &pair), MMK_OK);
                assert_memory_equal(&pair, &result[j], sizeof pair);
            }
        }
}

static void query_has_the_bits_of_pairs(void **state)
{
    (void)state;
    on_every_isa(query_and_pairs);
}

/* ---- Workspace ------------------------------------------------------------------------------- */

struct results {
    float loss, scale, lse_x[100], lse_y[130], dx[100 * 20], dy[130 * 20];
};

enum { M = 100, N = 130, D = 20 };
static float rows_x[M * D], rows_y[N * D];

static void both_in_one(enum mmk_similarity similarity, const struct mmk_options *options,
                        struct results *r)
{
    struct mmk_infonce_config config = {similarity, 14.3f, 0.5f, 0.5f, 7};
    assert_int_equal(mmk_infonce_forward_backward(&config, M, N, D, rows_x, D, rows_y, D, &r->loss,
                                                  r->lse_x, r->lse_y, r->dx, D, r->dy, D, &r->scale,
                                                  options),
                     MMK_OK);
}

static void one_after_the_other(enum mmk_similarity similarity, const struct mmk_options *options,
                                struct results *r)
{
    struct mmk_infonce_config config = {similarity, 14.3f, 0.5f, 0.5f, 7};
    assert_int_equal(mmk_infonce_forward(&config, M, N, D, rows_x, D, rows_y, D, &r->loss, r->lse_x,
                                         r->lse_y, options),
                     MMK_OK);
    assert_int_equal(mmk_infonce_backward(&config, M, N, D, rows_x, D, rows_y, D, r->lse_x,
                                          r->lse_y, r->dx, D, r->dy, D, &r->scale, options),
                     MMK_OK);
}

static void near(const float *a, const float *b, size_t count)
{
    float greatest = 0.0f;
    for (size_t i = 0; i < count; i++)
        greatest = fmaxf(greatest, fabsf(a[i]));
    for (size_t i = 0; i < count; i++)
        assert_true(fabsf(a[i] - b[i]) <= 1e-4f * greatest);
}

/* The second of two calls has its log-sum-exps as floats, one call in double. */
static void same_but_for_rounded_lse(const struct results *one, const struct results *two)
{
    assert_memory_equal(&one->loss, &two->loss, sizeof one->loss);
    assert_memory_equal(one->lse_x, two->lse_x, sizeof one->lse_x);
    assert_memory_equal(one->lse_y, two->lse_y, sizeof one->lse_y);
    near(&one->scale, &two->scale, 1);
    near(one->dx, two->dx, M * D);
    near(one->dy, two->dy, N * D);
}

static void workspaces(void)
{
    static struct results right, in_two, other;
    size_t streamed, stored;
    fill_floats(rows_x, M * D, 16);
    fill_floats(rows_y, N * D, 17);
    assert_int_equal(mmk_infonce_workspace_bytes(M, N, D, 1, &streamed, &stored), MMK_OK);
    assert_true(stored >= streamed);
    char *memory = malloc(stored + 64);
    assert_non_null(memory);
    for (int s = 0; s < MMK_SIMILARITY_COUNT; s++) {
        enum mmk_similarity similarity = (enum mmk_similarity)s;
        size_t at_first = allocations;
        both_in_one(similarity, NULL, &right);
        assert_true(allocations > at_first || !COUNTS_ALLOCATIONS);
        one_after_the_other(similarity, NULL, &in_two);
        same_but_for_rounded_lse(&right, &in_two);
        for (size_t step = 0; step <= 4; step++) {
            struct mmk_options options = {
                .threads = 1,
                .workspace = memory + step, /* any alignment */
                .workspace_bytes = streamed + (stored - streamed) * step / 4,
            };
            size_t before = allocations;
            memset(&other, 0, sizeof other);
            both_in_one(similarity, &options, &other);
            assert_memory_equal(&right, &other, sizeof right);
            memset(&other, 0, sizeof other);
            one_after_the_other(similarity, &options, &other);
            assert_memory_equal(&in_two, &other, sizeof in_two);
            assert_int_equal(allocations, before);
        }
    }
    free(memory);
}

static void workspace_spares_allocation(void **state)
{
    (void)state;
    on_every_isa(workspaces);
}

/* ---- Logits in the tens of thousands --------------------------------------------------------- */

/* Each column's softmax is 1 at its greatest logit, far above the next: dY_j is logit_scale/m times
 * the difference of that x and the positive's. It takes log-sum-exps and gradients that are made from
 * the very same logits, rounding by rounding. */
static void one_of_each_column(void)
{
    enum { ROWS = 60, DIM = 16 };
    static float x[ROWS * DIM], y[ROWS * DIM], dx[ROWS * DIM], dy[ROWS * DIM], lse_x[ROWS],
        lse_y[ROWS];
    const struct mmk_infonce_config config = {MMK_DOT, 3e4f, 0.0f, 1.0f, 0};
    float loss, dscale;
    size_t judged = 0;
    fill_floats(x, ROWS * DIM, 5);
    fill_floats(y, ROWS * DIM, 6);
    assert_int_equal(mmk_infonce_forward_backward(&config, ROWS, ROWS, DIM, x, DIM, y, DIM, &loss,
                                                  lse_x, lse_y, dx, DIM, dy, DIM, &dscale, NULL),
                     MMK_OK);
    for (size_t j = 0; j < ROWS; j++) {
        double best = -(double)INFINITY, next = best;
        size_t at = 0;
        for (size_t i = 0; i < ROWS; i++) {
            double dot = 0;
            for (size_t k = 0; k < DIM; k++)
                dot += (double)x[i * DIM + k] * (double)y[j * DIM + k];
            if (dot > best) {
                next = best;
                best = dot;
                at = i;
            } else if (dot > next) {
                next = dot;
            }
        }
        if ((best - next) * 3e4 < 100)
            continue;
        judged++;
        for (size_t k = 0; k < DIM; k++) {
            double right = 3e4 / ROWS * ((double)x[at * DIM + k] - (double)x[j * DIM + k]);
            assert_true(fabs((double)dy[j * DIM + k] - right) <= 1e-6 * 3e4 / ROWS * 8);
        }
    }
    assert_true(judged > ROWS / 2);
}

static void large_logits(void **state)
{
    (void)state;
    on_every_isa(one_of_each_column);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(topk_without_values_or_indices),
        cmocka_unit_test(normalize_in_place),
        cmocka_unit_test(exp_in_place),
        cmocka_unit_test(matrix_with_itself),
        cmocka_unit_test(query_has_the_bits_of_pairs),
        cmocka_unit_test(workspace_spares_allocation),
        cmocka_unit_test(large_logits),
    };
    return cmocka_run_group_tests_name("forms", tests, NULL, NULL);
}
