/* test_targets.c - the many-to-many losses: InfoNCE as a case of them, NT-Xent, refusals.
 * SPDX-License-Identifier: MIT
 */
#include "../../kernels/isa/isa.h"
#include "../../ref/cases.h"
#include "detail.h"
#include "matrix.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
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

/* ---- One positive a row is InfoNCE ----------------------------------------------------------- */

/* One weight a row in column i + OFFSET, among others of 0, in two halves. */
static struct mmk_csr diagonal(size_t *row_start, uint32_t *column, float *weight)
{
    for (size_t i = 0; i < M; i++) {
        row_start[i] = 3 * i;
        column[3 * i] = column[3 * i + 2] = (uint32_t)(i + OFFSET);
        column[3 * i + 1] = (uint32_t)i;
        weight[3 * i] = weight[3 * i + 2] = 0.3f * (float)(i + 1);
        weight[3 * i + 1] = 0.0f;
    }
    row_start[M] = 3 * M;
    return (struct mmk_csr){row_start, column, weight};
}

static void run(struct mmk_infonce_problem problem, bool in_one, struct results *r,
                const struct mmk_options *options)
{
    size_t rows_counted = 0, columns_counted = 0;
    const struct mmk_matrix_out *dx = MATRIX_OUT_AT(r->dx, M, D, 0),
                                *dy = MATRIX_OUT_AT(r->dy, N, D, 0);
    struct mmk_infonce_results results = {.loss = &r->loss,
                                          .lse_x = r->lse_x,
                                          .lse_y = r->lse_y,
                                          .rows_counted = &rows_counted,
                                          .columns_counted = &columns_counted};
    if (in_one) {
        results.dx = dx;
        results.dy = dy;
        results.dlogit_scale = &r->dscale;
    }
    assert_int_equal(mmk_infonce(&problem, &results, options), MMK_OK);
    assert_int_equal(rows_counted, M);
    assert_int_equal(columns_counted, M);
    if (in_one)
        return;
    problem.lse_x = r->lse_x;
    problem.lse_y = r->lse_y;
    assert_int_equal(
        mmk_infonce(&problem,
                    &(struct mmk_infonce_results){.dx = dx, .dy = dy, .dlogit_scale = &r->dscale},
                    options),
        MMK_OK);
}

static void same_bits(void)
{
    static struct results one, other;
    static size_t row_start[M + 1];
    static uint32_t column[3 * M];
    static float weight[3 * M];
    const struct mmk_csr targets = diagonal(row_start, column, weight);
    static const float scales[] = {1.0f, 14.3f, 3e4f}; /* the last needs an exponential for each */
    for (int similarity = 0; similarity < MMK_SIMILARITY_COUNT; similarity++)
        for (int scale = 0; scale < 3; scale++)
            for (int in_one = 0; in_one < 2; in_one++)
                for (int threads = 1; threads <= 3; threads += 2) {
                    struct mmk_infonce_problem problem = {.x = MATRIX_AT(rows_x, M, D, 0),
                                                          .y = MATRIX_AT(rows_y, N, D, 0),
                                                          .similarity =
                                                              (enum mmk_similarity)similarity,
                                                          .logit_scale = scales[scale],
                                                          .weight_x = 0.25f,
                                                          .weight_y = 0.5f,
                                                          .offset = OFFSET};
                    struct mmk_options options = {.threads = threads};
                    memset(&one, 0, sizeof one);
                    memset(&other, 0, sizeof other);
                    run(problem, in_one, &one, &options);
                    problem.offset = 0;
                    problem.targets = &targets;
                    run(problem, in_one, &other, &options);
                    assert_memory_equal(&one, &other, sizeof one);
                }
}

static void one_positive_a_row_is_infonce(void **state)
{
    (void)state;
    on_every_isa(same_bits);
}

/* ---- Weights --------------------------------------------------------------------------------- */

/* Only the shares of weights matter: a power of two in all of them changes no bit, though sums of
 * the greatest are beyond float and the least are denormal. */
static void weights_of_any_size(void)
{
    enum { A_ROW = 4 };
    static const int powers[] = {-148, -130, -60, 60, 124};
    static size_t row_start[M + 1];
    static uint32_t column[A_ROW * M];
    static float weight[A_ROW * M];
    static struct results right[2], got;
    const struct mmk_csr targets = {row_start, column, weight};
    const struct mmk_infonce_problem problem = {.x = MATRIX_AT(rows_x, M, D, 0),
                                                .y = MATRIX_AT(rows_y, N, D, 0),
                                                .similarity = MMK_COSINE,
                                                .logit_scale = 9,
                                                .weight_x = 0.75f,
                                                .weight_y = 0.5f,
                                                .targets = &targets};
    for (size_t i = 0; i <= M; i++)
        row_start[i] = A_ROW * i;
    for (size_t p = 0; p <= sizeof powers / sizeof *powers; p++) {
        for (size_t e = 0; e < A_ROW * M; e++) {
            column[e] = (uint32_t)(e * 7 % M);
            weight[e] = ldexpf((float)(e % 13 + 2), p == 0 ? 0 : powers[p - 1]);
        }
        for (int in_one = 0; in_one < 2; in_one++) {
            run(problem, in_one, p == 0 ? &right[in_one] : &got, NULL);
            if (p > 0)
                assert_memory_equal(&got, &right[in_one], sizeof got);
        }
    }
}

static void only_shares_of_weights_count(void **state)
{
    (void)state;
    on_every_isa(weights_of_any_size);
}

/* ---- NT-Xent --------------------------------------------------------------------------------- */

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
    static float dx[M * D], dy[M * D];
    static double z[M * D];
    size_t row_start[M + 1];
    uint32_t column[M];
    for (size_t i = 0; i <= M; i++)
        row_start[i] = i;
    for (size_t i = 0; i < M; i++)
        column[i] = (uint32_t)((i + M / 2) % M);
    for (size_t e = 0; e < M * D; e++)
        z[e] = (double)rows_x[e];
    const struct mmk_csr other_view = {row_start, column, NULL};
    const struct mmk_matrix *views = MATRIX_AT(rows_x, M, D, 0);
    float loss;
    assert_int_equal(mmk_infonce(&(struct mmk_infonce_problem){.x = views,
                                                               .y = views,
                                                               .similarity = MMK_COSINE,
                                                               .logit_scale = 2,
                                                               .weight_x = 1,
                                                               .targets = &other_view,
                                                               .exclude_self = 1},
                                 &(struct mmk_infonce_results){.loss = &loss,
                                                               .dx = MATRIX_OUT_AT(dx, M, D, 0),
                                                               .dy = MATRIX_OUT_AT(dy, M, D, 0)},
                                 NULL),
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

/* ---- Refusals -------------------------------------------------------------------------------- */

enum { FEW = 3, ENTRIES = 4 };
enum { FORWARD, BACKWARD, BOTH, SIGMOID, SIGMOID_BOTH, CALLS };

struct call {
    struct mmk_csr targets;
    int exclude_self;
    size_t row_start[FEW + 1];
    uint32_t column[ENTRIES];
    float weight[ENTRIES];
};

static struct {
    float loss, lse[2][FEW + 2], gradient[2][(FEW + 2) * D], dscale, dbias;
    size_t counted[2];
} out;

static enum mmk_status call(const struct call *c, int which)
{
    static const float lse[FEW + 2];
    const struct mmk_matrix *x = MATRIX_AT(rows_x, FEW, D, 0),
                            *y = MATRIX_AT(rows_y, FEW + 2, D, 0);
    const struct mmk_matrix_out *dx = MATRIX_OUT_AT(out.gradient[0], FEW, D, 0);
    const struct mmk_matrix_out *dy = MATRIX_OUT_AT(out.gradient[1], FEW + 2, D, 0);
    const struct mmk_sigmoid_problem sigmoid = {.x = x,
                                                .y = y,
                                                .similarity = MMK_COSINE,
                                                .logit_scale = 10,
                                                .bias = -10,
                                                .positives = &c->targets};
    struct mmk_infonce_problem infonce = {.x = x,
                                          .y = y,
                                          .similarity = MMK_COSINE,
                                          .logit_scale = 10,
                                          .targets = &c->targets,
                                          .offset = c->exclude_self ? 2 : 0,
                                          .exclude_self = c->exclude_self};
    struct mmk_infonce_results results = {.loss = &out.loss,
                                          .lse_x = out.lse[0],
                                          .lse_y = out.lse[1],
                                          .rows_counted = &out.counted[0],
                                          .columns_counted = &out.counted[1]};
    switch (which) {
    case SIGMOID:
        return mmk_sigmoid(&sigmoid, &(struct mmk_sigmoid_results){.loss = &out.loss}, NULL);
    case SIGMOID_BOTH:
        return mmk_sigmoid(&sigmoid,
                           &(struct mmk_sigmoid_results){.loss = &out.loss,
                                                         .dx = dx,
                                                         .dy = dy,
                                                         .dlogit_scale = &out.dscale,
                                                         .dbias = &out.dbias},
                           NULL);
    case BACKWARD:
        infonce.lse_x = infonce.lse_y = lse;
        results = (struct mmk_infonce_results){0};
        break;
    default:
        break;
    }
    if (which != FORWARD) {
        results.dx = dx;
        results.dy = dy;
        results.dlogit_scale = &out.dscale;
    }
    return mmk_infonce(&infonce, &results, NULL);
}

/* Every call refuses it. The argument has another name in the sigmoid loss; its field follows. */
static void refused(const struct call *c, enum mmk_status status, const char *field,
                    const char *says)
{
    static char before[sizeof out];
    memset(&out, 0xa5, sizeof out);
    memcpy(before, &out, sizeof out);
    for (int which = 0; which < (c->exclude_self ? SIGMOID : CALLS); which++) {
        char parts[80];
        snprintf(parts, sizeof parts, "%s%s %s", which < SIGMOID ? "targets" : "positives", field,
                 says);
        assert_int_equal(call(c, which), status);
        assert_memory_equal(before, &out, sizeof out);
        assert_true(detail_says(parts));
    }
}

static void set_right(struct call *c)
{
    *c =
        (struct call){.row_start = {0, 2, 2, 4}, .column = {4, 0, 1, 1}, .weight = {1, 0, 0.5f, 2}};
    c->targets = (struct mmk_csr){c->row_start, c->column, c->weight};
}

#define SPOILED(status, field, says, ...)                                                          \
    do {                                                                                           \
        struct call c;                                                                             \
        set_right(&c);                                                                             \
        __VA_ARGS__;                                                                               \
        refused(&c, status, field, says);                                                          \
    } while (0)

static void bad_targets(void **state)
{
    (void)state;
    struct call good;
    set_right(&good);
    SPOILED(MMK_ERR_NULL, ".row_start", "NULL", c.targets.row_start = NULL);
    SPOILED(MMK_ERR_NULL, ".column", "NULL", c.targets.column = NULL);
    SPOILED(MMK_ERR_ROW_START, ".row_start", "2 1", c.row_start[2] = 1);
    SPOILED(MMK_ERR_INDEX, ".column[3]", "5 y", c.column[3] = FEW + 2);
    SPOILED(MMK_ERR_WEIGHT, ".weight[0]", "-1", c.weight[0] = -1);
    SPOILED(MMK_ERR_WEIGHT, ".weight[1]", "nan", c.weight[1] = NAN);
    SPOILED(MMK_ERR_WEIGHT, ".weight[3]", "inf", c.weight[3] = INFINITY);
    SPOILED(MMK_ERR_SIZE, "", "entries 4294967296", c.row_start[3] = (size_t)UINT32_MAX + 1);
    SPOILED(MMK_ERR_INDEX, ".column[0]", "2", c.exclude_self = 1; c.column[0] = 2); /* x_0 is y_2 */
    assert_int_equal(call(&good, FORWARD), MMK_OK);
    assert_int_equal(out.counted[0], 2);
    assert_int_equal(out.counted[1], 2);
    struct call weightless; /* x_0 is y_2, which is left out; a target of weight 0 is none */
    set_right(&weightless);
    weightless.exclude_self = 1;
    weightless.column[0] = 2;
    weightless.weight[0] = 0;
    assert_int_equal(call(&weightless, FORWARD), MMK_OK);
    good.targets.weight = NULL; /* all 1 */
    assert_int_equal(call(&good, FORWARD), MMK_OK);
    assert_int_equal(out.counted[0], 2);
    assert_int_equal(out.counted[1], 3);
}

/* Wherever it stands, whether one thread looks or three, and whatever is asked. */
static void a_bad_value_is_refused_at_every_place(void **state)
{
    (void)state;
    enum { ROWS = 200, COLUMNS = 210, A_ROW = 3, PLACES = ROWS * A_ROW };
    static float x[ROWS], y[COLUMNS], weight[PLACES], dx[ROWS], loss;
    static uint32_t column[PLACES];
    static size_t row_start[ROWS + 1];
    fill_floats(x, ROWS, 1);
    fill_floats(y, COLUMNS, 2);
    for (size_t i = 0; i <= ROWS; i++)
        row_start[i] = i * A_ROW;
    for (size_t e = 0; e < PLACES; e++) {
        column[e] = (uint32_t)(e * 11 % COLUMNS);
        weight[e] = e % 3 ? 1.0f : 0.0f;
    }
    const struct mmk_csr targets = {row_start, column, weight};
    const struct mmk_matrix *rows = MATRIX_AT(x, ROWS, 1, 0),
                            *columns = MATRIX_AT(y, COLUMNS, 1, 0);
    const struct mmk_infonce_problem infonce = {
        .x = rows, .y = columns, .logit_scale = 2, .targets = &targets};
    const struct mmk_sigmoid_problem sigmoid = {
        .x = rows, .y = columns, .logit_scale = 2, .positives = &targets};
#define STATUS_IS(status)                                                                          \
    do {                                                                                           \
        for (int threads = 1; threads <= 3; threads += 2) {                                        \
            const struct mmk_options options = {.threads = threads};                               \
            const struct mmk_infonce_results value = {.loss = &loss},                              \
                                             gradient = {.dx = MATRIX_OUT_AT(dx, ROWS, 1, 0)};     \
            const struct mmk_sigmoid_results other = {.loss = &loss};                              \
            assert_int_equal(mmk_infonce(&infonce, &value, &options), status);                     \
            assert_int_equal(mmk_infonce(&infonce, &gradient, &options), status);                  \
            assert_int_equal(mmk_sigmoid(&sigmoid, &other, &options), status);                     \
        }                                                                                          \
    } while (0)
    STATUS_IS(MMK_OK);
    for (size_t e = 0; e < PLACES; e++) {
        uint32_t right = column[e];
        float right_weight = weight[e];
        column[e] = e % 2 ? COLUMNS : UINT32_MAX;
        STATUS_IS(MMK_ERR_INDEX);
        column[e] = right;
        weight[e] = e % 4 == 0 ? NAN : e % 4 == 1 ? INFINITY : -0x1p-149f;
        STATUS_IS(MMK_ERR_WEIGHT);
        weight[e] = right_weight;
    }
    for (size_t i = 1; i < ROWS; i++) {
        row_start[i] += 2 * A_ROW + 1;
        STATUS_IS(MMK_ERR_ROW_START);
        row_start[i] -= 2 * A_ROW + 1;
    }
}

/* Without any weight the loss and all gradients are 0, and the lse are there all the same. */
static void no_weight_at_all(void **state)
{
    (void)state;
    const size_t row_start[FEW + 1] = {5, 5, 5, 5};
    const struct call none = {.targets = {row_start, NULL, NULL}};
    memset(&out, 0xa5, sizeof out);
    assert_int_equal(call(&none, BOTH), MMK_OK);
    assert_true(out.loss == 0 && out.dscale == 0);
    for (size_t e = 0; e < FEW * D; e++)
        assert_true(out.gradient[0][e] == 0 && out.gradient[1][e] == 0);
    for (size_t i = 0; i < FEW; i++)
        assert_true(isfinite(out.lse[0][i]) && isfinite(out.lse[1][i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_positive_a_row_is_infonce),
        cmocka_unit_test(only_shares_of_weights_count),
        cmocka_unit_test(nt_xent_falls_out),
        cmocka_unit_test(bad_targets),
        cmocka_unit_test(a_bad_value_is_refused_at_every_place),
        cmocka_unit_test(no_weight_at_all),
    };
    return cmocka_run_group_tests_name("targets", tests, NULL, NULL);
}
