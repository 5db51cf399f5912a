/* test_targets.c - the many-to-many losses: InfoNCE as a case of them, NT-Xent, refusals.
 * SPDX-License-Identifier: MIT
 */
#include "../../kernels/isa/isa.h"
#include "../../ref/cases.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { M = 100, N = 130, D = 20, OFFSET = 7 };

static float rows_x[M * D], rows_y[N * D];

struct results {
    float loss, dscale, lse_x[M], lse_y[N], dx[M * D], dy[N * D];
};

static void fill_floats(float *v, size_t count, uint64_t stream)
{
    for (size_t e = 0; e < count; e++)
        v[e] = (float)fill_normal(stream, e);
}

static void on_every_isa(void (*test)(void))
{
    fill_floats(rows_x, M * D, 21);
    fill_floats(rows_y, N * D, 22);
    for (int isa = 0; isa < MMK_ISA_COUNT; isa++)
        if (mmk_isa_usable((enum mmk_isa)isa) == MMK_OK) {
            isa_use_row(isa_builtin_row((enum mmk_isa)isa));
            test();
        }
    isa_use_row(NULL);
}

/* ---- One positive a row is InfoNCE --------------------------------------------------------------- */

/* One weight a row in column i + OFFSET, among others of 0, in two halves. */
static struct mmk_targets diagonal(size_t *row_start, uint32_t *column, float *weight)
{
    for (size_t i = 0; i < M; i++) {
        row_start[i] = 3 * i;
        column[3 * i] = column[3 * i + 2] = (uint32_t)(i + OFFSET);
        column[3 * i + 1] = (uint32_t)i;
        weight[3 * i] = weight[3 * i + 2] = 0.3f * (float)(i + 1);
        weight[3 * i + 1] = 0.0f;
    }
    row_start[M] = 3 * M;
    return (struct mmk_targets){{row_start, column, weight}, 0};
}

static void plain(const struct mmk_infonce_config *config, bool in_one, struct results *r,
                  const struct mmk_options *options)
{
    if (in_one) {
        assert_int_equal(mmk_infonce_forward_backward(config, M, N, D, rows_x, D, rows_y, D,
                                                      &r->loss, r->lse_x, r->lse_y, r->dx, D, r->dy,
                                                      D, &r->dscale, options),
                         MMK_OK);
        return;
    }
    assert_int_equal(mmk_infonce_forward(config, M, N, D, rows_x, D, rows_y, D, &r->loss, r->lse_x,
                                         r->lse_y, options),
                     MMK_OK);
    assert_int_equal(mmk_infonce_backward(config, M, N, D, rows_x, D, rows_y, D, r->lse_x, r->lse_y,
                                          r->dx, D, r->dy, D, &r->dscale, options),
                     MMK_OK);
}

static void multi(const struct mmk_infonce_config *config, const struct mmk_targets *targets,
                  bool in_one, struct results *r, const struct mmk_options *options)
{
    size_t counted_x = 0, counted_y = 0;
    if (in_one) {
        assert_int_equal(mmk_multi_infonce_forward_backward(config, targets, M, N, D, rows_x, D,
                                                            rows_y, D, &r->loss, r->lse_x, r->lse_y,
                                                            &counted_x, &counted_y, r->dx, D, r->dy,
                                                            D, &r->dscale, options),
                         MMK_OK);
    } else {
        assert_int_equal(mmk_multi_infonce_forward(config, targets, M, N, D, rows_x, D, rows_y, D,
                                                   &r->loss, r->lse_x, r->lse_y, &counted_x,
                                                   &counted_y, options),
                         MMK_OK);
        assert_int_equal(mmk_multi_infonce_backward(config, targets, M, N, D, rows_x, D, rows_y, D,
                                                    r->lse_x, r->lse_y, r->dx, D, r->dy, D,
                                                    &r->dscale, options),
                         MMK_OK);
    }
    assert_int_equal(counted_x, M);
    assert_int_equal(counted_y, M);
}

static void same_bits(void)
{
    static struct results one, other;
    static size_t row_start[M + 1];
    static uint32_t column[3 * M];
    static float weight[3 * M];
    struct mmk_targets targets = diagonal(row_start, column, weight);
    static const float scales[] = {1.0f, 14.3f, 3e4f}; /* the last needs an exponential for each */
    for (int similarity = 0; similarity < MMK_SIMILARITY_COUNT; similarity++)
        for (int scale = 0; scale < 3; scale++)
            for (int in_one = 0; in_one < 2; in_one++)
                for (int threads = 1; threads <= 3; threads += 2) {
                    struct mmk_infonce_config config = {(enum mmk_similarity)similarity,
                                                        scales[scale], 0.25f, 0.5f, OFFSET};
                    struct mmk_options options = {.threads = threads};
                    memset(&one, 0, sizeof one);
                    memset(&other, 0, sizeof other);
                    plain(&config, in_one, &one, &options);
                    config.offset = 0;
                    multi(&config, &targets, in_one, &other, &options);
                    assert_memory_equal(&one, &other, sizeof one);
                }
}

static void one_positive_a_row_is_infonce(void **state)
{
    (void)state;
    on_every_isa(same_bits);
}

/* ---- NT-Xent ------------------------------------------------------------------------------------- */

/* SimCLR's loss over two views of M / 2 rows, by its definition. */
static double nt_xent(const double *z, double scale)
{
    double loss = 0;
    for (size_t i = 0; i < M; i++) {
        double sum = 0, positive = 0;
        for (size_t j = 0; j < M; j++) {
            double dot = 0, ii = 0, jj = 0;
            for (size_t k = 0; k < D; k++) {
                dot += z[i * D + k] * z[j * D + k];
                ii += z[i * D + k] * z[i * D + k];
                jj += z[j * D + k] * z[j * D + k];
            }
            double logit = scale * dot / sqrt(ii * jj);
            if (j != i)
                sum += exp(logit);
            if (j == (i + M / 2) % M)
                positive = logit;
        }
        loss += (log(sum) - positive) / M;
    }
    return loss;
}

static void simclr(void)
{
    static float dx[M * D], dy[M * D], lse_x[M], lse_y[M];
    static double z[M * D];
    size_t row_start[M + 1], counted_x, counted_y;
    uint32_t column[M];
    for (size_t i = 0; i <= M; i++)
        row_start[i] = i;
    for (size_t i = 0; i < M; i++)
        column[i] = (uint32_t)((i + M / 2) % M);
    for (size_t e = 0; e < M * D; e++)
        z[e] = (double)rows_x[e];
    struct mmk_targets targets = {{row_start, column, NULL}, 1};
    struct mmk_infonce_config config = {MMK_COSINE, 2.0f, 1.0f, 0.0f, 0};
    float loss, dscale;
    assert_int_equal(mmk_multi_infonce_forward_backward(&config, &targets, M, M, D, rows_x, D,
                                                        rows_x, D, &loss, lse_x, lse_y, &counted_x,
                                                        &counted_y, dx, D, dy, D, &dscale, NULL),
                     MMK_OK);
    assert_true(fabs((double)loss - nt_xent(z, 2.0)) < 1e-6 * fabs((double)loss));
    for (size_t e = 0; e < M * D; e += 37) {
        const double h = 1e-4;
        double kept = z[e];
        z[e] = kept + h;
        double above = nt_xent(z, 2.0);
        z[e] = kept - h;
        double slope = (above - nt_xent(z, 2.0)) / (2 * h);
        z[e] = kept;
        assert_true(fabs((double)dx[e] + (double)dy[e] - slope) < 1e-7);
    }
}

static void nt_xent_falls_out(void **state)
{
    (void)state;
    on_every_isa(simclr);
}

/* ---- Refusals ------------------------------------------------------------------------------------ */

enum { FEW = 3, ENTRIES = 4 };
enum { INFONCE = 3, ALL = 5 }; /* functions */

struct call {
    struct mmk_targets targets;
    size_t row_start[FEW + 1];
    uint32_t column[ENTRIES];
    float weight[ENTRIES];
};

static struct {
    float loss, lse[2][FEW + 2], gradient[2][(FEW + 2) * D], dscale, dbias;
    size_t counted[2];
} out;

static enum mmk_status call_all(const struct mmk_targets *targets, int function)
{
    const struct mmk_infonce_config config = {MMK_COSINE, 10.0f, 0.5f, 0.5f, 2};
    static const float lse[FEW + 2];
    if (function == 0)
        return mmk_multi_infonce_forward(&config, targets, FEW, FEW + 2, D, rows_x, D, rows_y, D,
                                         &out.loss, out.lse[0], out.lse[1], &out.counted[0],
                                         &out.counted[1], NULL);
    if (function == 1)
        return mmk_multi_infonce_backward(&config, targets, FEW, FEW + 2, D, rows_x, D, rows_y, D,
                                          lse, lse, out.gradient[0], D, out.gradient[1], D,
                                          &out.dscale, NULL);
    if (function == 2)
        return mmk_multi_infonce_forward_backward(
            &config, targets, FEW, FEW + 2, D, rows_x, D, rows_y, D, &out.loss, out.lse[0],
            out.lse[1], NULL, NULL, out.gradient[0], D, out.gradient[1], D, &out.dscale, NULL);
    const struct mmk_sigmoid_config sigmoid = {MMK_COSINE, 10.0f, -10.0f, 2};
    if (function == 3)
        return mmk_sigmoid_forward(&sigmoid, &targets->weights, FEW, FEW + 2, D, rows_x, D, rows_y,
                                   D, &out.loss, NULL);
    return mmk_sigmoid_forward_backward(&sigmoid, &targets->weights, FEW, FEW + 2, D, rows_x, D,
                                        rows_y, D, &out.loss, out.gradient[0], D, out.gradient[1],
                                        D, &out.dscale, &out.dbias, NULL);
}

static void refused(const struct mmk_targets *targets, int functions, enum mmk_status status)
{
    static char before[sizeof out];
    memset(&out, 0xa5, sizeof out);
    memcpy(before, &out, sizeof out);
    for (int function = 0; function < functions; function++) {
        assert_int_equal(call_all(targets, function), status);
        assert_memory_equal(before, &out, sizeof out);
    }
}

static struct call right(void)
{
    return (struct call){
        .row_start = {0, 2, 2, 4}, .column = {4, 0, 1, 1}, .weight = {1, 0, 0.5f, 2}};
}

#define SPOILED(status, ...)                                                                       \
    do {                                                                                           \
        struct call c = right();                                                                   \
        c.targets.weights = (struct mmk_csr){c.row_start, c.column, c.weight};                     \
        __VA_ARGS__;                                                                               \
        refused(&c.targets, c.targets.exclude_self ? INFONCE : ALL, status);                       \
    } while (0)

static void bad_targets(void **state)
{
    (void)state;
    struct call good = right();
    good.targets.weights = (struct mmk_csr){good.row_start, good.column, good.weight};
    refused(NULL, INFONCE, MMK_ERR_NULL);
    SPOILED(MMK_ERR_NULL, c.targets.weights.row_start = NULL);
    SPOILED(MMK_ERR_NULL, c.targets.weights.column = NULL);
    SPOILED(MMK_ERR_ROW_START, c.row_start[2] = 1);
    SPOILED(MMK_ERR_INDEX, c.column[3] = FEW + 2);
    SPOILED(MMK_ERR_WEIGHT, c.weight[0] = -1);
    SPOILED(MMK_ERR_WEIGHT, c.weight[1] = NAN);
    SPOILED(MMK_ERR_WEIGHT, c.weight[3] = INFINITY);
    SPOILED(MMK_ERR_SIZE, c.row_start[3] = (size_t)UINT32_MAX + 1);
    SPOILED(MMK_ERR_INDEX, c.targets.exclude_self = 1; c.column[0] = 2); /* x_0 is y_2 */
    assert_int_equal(call_all(&good.targets, 0), MMK_OK);
    assert_int_equal(out.counted[0], 2);
    assert_int_equal(out.counted[1], 2);
    good.targets.weights.weight = NULL; /* all 1 */
    assert_int_equal(call_all(&good.targets, 0), MMK_OK);
    assert_int_equal(out.counted[0], 2);
    assert_int_equal(out.counted[1], 3);
}

/* Without any weight the loss and all gradients are 0, and the lse are there all the same. */
static void no_weight_at_all(void **state)
{
    (void)state;
    const size_t row_start[FEW + 1] = {5, 5, 5, 5};
    struct mmk_targets targets = {{row_start, NULL, NULL}, 0};
    memset(&out, 0xa5, sizeof out);
    assert_int_equal(call_all(&targets, 2), MMK_OK);
    assert_true(out.loss == 0 && out.dscale == 0);
    for (size_t e = 0; e < FEW * D; e++)
        assert_true(out.gradient[0][e] == 0 && out.gradient[1][e] == 0);
    for (size_t i = 0; i < FEW; i++)
        assert_true(isfinite(out.lse[0][i]) && isfinite(out.lse[1][i]));
}

static void bad_bias(void **state)
{
    (void)state;
    static const float biases[] = {NAN, INFINITY, -INFINITY, 0x1.000002p100f};
    for (size_t b = 0; b < sizeof biases / sizeof biases[0]; b++) {
        const struct mmk_sigmoid_config config = {MMK_COSINE, 10.0f, biases[b], 2};
        out.loss = 7;
        assert_int_equal(mmk_sigmoid_forward(&config, NULL, FEW, FEW + 2, D, rows_x, D, rows_y, D,
                                             &out.loss, NULL),
                         MMK_ERR_BIAS);
        assert_true(out.loss == 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_positive_a_row_is_infonce),
        cmocka_unit_test(nt_xent_falls_out),
        cmocka_unit_test(bad_targets),
        cmocka_unit_test(no_weight_at_all),
        cmocka_unit_test(bad_bias),
    };
    return cmocka_run_group_tests_name("targets", tests, NULL, NULL);
}
