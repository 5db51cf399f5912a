/* test_accuracy.c - mmk-bench accuracy: its formula in double against the oracle, what an error is,
 * and that what was measured comes back from its file.
 * SPDX-License-Identifier: MIT
 */
#include "../../bench/accuracy/exact.h"
#include "../../bench/accuracy/report.h"
#include "../../bench/results/accuracy_json.h"
#include "../../ref/cases.h"
#include "../../ref/infonce_ref.h"
#include "../../ref/matmul.h"

#include <float.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { MOST = 400, D = 5, LOSSES = 3 };

static float rows_x[MOST * D], rows_y[MOST * D];
static struct exact exact, other;

static struct problem make_problem(enum loss loss, enum mmk_similarity similarity, size_t m,
                                   size_t n, enum rows rows)
{
    const struct problem p = {.loss = loss,
                              .similarity = similarity,
                              .m = m,
                              .n = n,
                              .d = D,
                              .scale = 7,
                              .bias = -3,
                              .x = rows_x,
                              .y = rows_y};
    problem_fill(&p, rows, 5, rows_x, rows_y);
    return p;
}

static void expect_equal(const char *what, size_t count, const double *got, const double *right,
                         double tolerance)
{
    double most = 0, error = 0;
    for (size_t i = 0; i < count; i++) {
        most = fmax(most, fabs(right[i]));
        error = fmax(error, fabs(got[i] - right[i]));
    }
    if (!(error <= tolerance * most))
        fail_msg("%s: off by %g of %g", what, error, most);
}

/* All that the oracle knows of the problem. */
static void open_oracle(struct infonce_ref *r, const struct problem *p)
{
    const struct mmk_matrix x = {.data = p->x, .rows = p->m, .columns = D},
                            y = {.data = p->y, .rows = p->n, .columns = D};
    static size_t row_start[MOST + 1];
    static uint32_t column[MOST];
    for (size_t i = 0; i < p->m; i++) {
        row_start[i + 1] = i + 1;
        column[i] = (uint32_t)(i % p->n);
    }
    const struct mmk_csr targets = {.row_start = p->loss == LOSS_UNIFORMITY ? NULL : row_start,
                                    .column = column};
    infonce_ref_open(r, &(struct mmk_infonce_problem){.x = &x,
                                                      .y = &y,
                                                      .similarity = p->similarity,
                                                      .logit_scale = p->scale,
                                                      .weight_x = 1,
                                                      .targets = &targets});
    r->bias = (double)p->bias;
    if (p->loss == LOSS_SIGMOID) {
        infonce_ref_sigmoid(r);
    } else {
        infonce_ref_forward(r);
        infonce_ref_backward(r);
    }
}

static void check_exact(const struct problem *p)
{
    const double tolerance = 1e-13;
    struct infonce_ref r;
    open_oracle(&r, p);
    exact_evaluate(&exact, p, false, 2);
    expect_equal("loss", 1, &exact.loss, &r.loss, tolerance);
    expect_equal("dx", p->m * D, exact.dx, r.dx, tolerance);
    expect_equal("dy", p->n * D, exact.dy, r.dy, tolerance);
    expect_equal("dscale", 1, &exact.dscale, &r.dscale, tolerance);
    if (p->loss == LOSS_SIGMOID) {
        expect_equal("dbias", 1, &exact.dbias, &r.dbias, tolerance);
    } else {
        expect_equal("lse_x", p->m, exact.lse_x, r.dir_x.lse, tolerance);
        expect_equal("lse_y", p->n, exact.lse_y, r.dir_y.lse, tolerance);
    }
    infonce_ref_close(&r);
}

/* A tile has 128 rows: one that is not whole, one, several. */
static void the_formula_in_double(void **state)
{
    (void)state;
    static const size_t shapes[][2] = {{9, 9}, {128, 3}, {7, 130}, {300, 129}, {11, MOST}};
    for (int loss = 0; loss < LOSSES; loss++)
        for (int s = 0; s < MMK_SIMILARITY_COUNT; s++)
            for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
                const struct problem p =
                    make_problem((enum loss)loss, (enum mmk_similarity)s, shapes[i][0],
                                 shapes[i][1], i % 2 ? ROWS_NORMAL : ROWS_Y_EQUAL);
                check_exact(&p);
            }
}

static void any_number_of_threads(void **state)
{
    (void)state;
    const struct problem p = make_problem(LOSS_INFONCE, MMK_COSINE, 20, MOST, ROWS_NORMAL);
    exact_evaluate(&exact, &p, false, 1);
    exact_evaluate(&other, &p, false, 3);
    assert_memory_equal(exact.dx, other.dx, p.m * D * sizeof(double));
    assert_memory_equal(exact.dy, other.dy, p.n * D * sizeof(double));
    assert_memory_equal(&exact.loss, &other.loss, sizeof exact.loss);
    assert_memory_equal(&exact.dscale, &other.dscale, sizeof exact.dscale);
}

/* Where float similarities are exact they are those of double, and else near them. */
static void our_own_similarities(void **state)
{
    (void)state;
    for (int loss = 0; loss < LOSSES; loss++)
        for (int s = 0; s < MMK_SIMILARITY_COUNT; s++)
            for (int x_long = 0; x_long < 2; x_long++) {
                const struct problem p =
                    make_problem((enum loss)loss, (enum mmk_similarity)s, x_long ? MOST : 20,
                                 x_long ? 20 : MOST, ROWS_NORMAL);
                exact_evaluate(&exact, &p, false, 1);
                exact_evaluate(&other, &p, true, 1);
                expect_equal("dx", p.m * D, other.dx, exact.dx, 1e-5);
                expect_equal("dy", p.n * D, other.dy, exact.dy, 1e-5);
                assert_true(exact.dscale != other.dscale);
            }
    const struct problem p = make_problem(LOSS_INFONCE, MMK_NEG_SQ_L2, MOST, 20, ROWS_NORMAL);
    for (size_t e = 0; e < MOST * D; e++) {
        rows_x[e] = roundf(4 * rows_x[e]) / 4;
        rows_y[e] = roundf(4 * rows_y[e]) / 4;
    }
    exact_evaluate(&exact, &p, false, 1);
    exact_evaluate(&other, &p, true, 1);
    expect_equal("dx", p.m * D, other.dx, exact.dx, 0);
    expect_equal("dy", p.n * D, other.dy, exact.dy, 0);
}

static void what_an_error_is(void **state)
{
    (void)state;
    const float got[] = {1, 2, -5}, nothing[] = {0, 0, 0}, bad[] = {1, NAN, -4};
    const double right[] = {1, 2, -4}, zero[] = {0, 0, 0};
    assert_true(accuracy_error(3, got, right) == 0.25);
    assert_true(accuracy_error(2, got, right) == 0);
    assert_true(accuracy_error(3, nothing, zero) == 0);
    assert_true(accuracy_error(3, got, zero) == DBL_MAX);
    assert_true(accuracy_error(3, bad, right) == DBL_MAX);
}

/* Ours may be wrong by no more than one chain over 256 equal rows is. */
static void a_small_run(void **state)
{
    (void)state;
    struct accuracy a, back;
    char path[] = "/tmp/mmk-test-accuracy-XXXXXX", error[512], *text[2];
    size_t bytes;
    accuracy_measure(
        &a, &(struct accuracy_options){
                .most = ACCURACY_SHORT, .peers = "none", .smoke = true, .threads = 1, .seed = 1});
    assert_int_equal(a.count, 4 * ACCURACY_LOSSES);
    assert_true(a.worst_count > 30);
    for (size_t i = 0; i < a.worst_count; i++) {
        const struct worst_of *ours = &a.worst[i].who[0];
        assert_int_equal(a.worst[i].who_count, 1);
        assert_true(ours->of_result > 0 && ours->of_result < 1e-5);
        assert_true(ours->of_bound > 0 && ours->of_bound <= 1 && ours->found >= ours->of_bound);
        for (int isa = 0; isa < MMK_ISA_COUNT; isa++)
            assert_true((strstr(a.worst[i].same_on, mmk_isa_name((enum mmk_isa)isa)) != NULL) ==
                        (mmk_isa_usable((enum mmk_isa)isa) == MMK_OK));
        assert_int_equal(ours->steps, 20);
    }
    for (size_t i = 0; i < a.count; i++)
        for (int o = 0; o < OUTPUTS; o++) {
            double total = a.points[i].error[JUDGED_TOTAL][o];
            bool there =
                o !=
                (strncmp(accuracy_loss(a.points[i].loss), "sigmoid", 7) == 0 ? OUT_LSE : OUT_DBIAS);
            assert_true(there ? total >= 0 && total < 3e-5 : isnan(total));
            assert_true(isnan(a.points[i].error[JUDGED_TORCH][o]));
        }
    assert_true(a.logits[0].chain > 0 && a.logits[0].chain < 1e-4);

    int file = mkstemp(path);
    assert_true(file >= 0 && close(file) == 0);
    if (!accuracy_write_json(&a, path, error, sizeof error) ||
        !accuracy_read_json(&back, path, error, sizeof error))
        fail_msg("%s", error);
    const struct accuracy *both[] = {&a, &back};
    for (int i = 0; i < 2; i++) {
        FILE *out = open_memstream(&text[i], &bytes);
        accuracy_report(out, both[i], 1);
        accuracy_report_kernels(out, both[i], 2);
        assert_int_equal(fclose(out), 0);
    }
    assert_string_equal(text[0], text[1]);
    assert_non_null(strstr(text[0], "| sigmoid cosine    |  256 | "));
    accuracy_free(&back);
    FILE *out = fopen(path, "w");
    fputs("{\"format\":\"mmk-bench-1\"}\n", out);
    fclose(out);
    assert_false(accuracy_read_json(&back, path, error, sizeof error));
    assert_non_null(strstr(error, "mmk-accuracy-1"));
    remove(path);
    free(text[0]);
    free(text[1]);
    accuracy_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_formula_in_double), cmocka_unit_test(any_number_of_threads),
        cmocka_unit_test(our_own_similarities),  cmocka_unit_test(what_an_error_is),
        cmocka_unit_test(a_small_run),
    };
    exact_open(&exact, MOST, MOST, D);
    exact_open(&other, MOST, MOST, D);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    exact_close(&exact);
    exact_close(&other);
    return failed;
}
