/* test_origin.c - rows that have a great part in common, and the origin that is subtracted from
 * them.
 * SPDX-License-Identifier: MIT
 *
 * Distances, rankings, losses and gradients far from 0; one origin for all parts of a whole; rows
 * that must not spoil others; integers.
 */
#include "../../ref/cases.h"
#include "detail.h"
#include "matrix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void on_every_isa(void (*test)(void))
{
    for (int isa = 0; isa < MMK_ISA_COUNT; isa++)
        if (mmk_isa_usable((enum mmk_isa)isa) == MMK_OK) {
            assert_int_equal(mmk_isa_use(mmk_isa_name((enum mmk_isa)isa)), MMK_OK);
            test();
        }
    assert_int_equal(mmk_isa_use(NULL), MMK_OK);
}

static void fill(float *rows, size_t count, uint64_t stream, double mean, double spread)
{
    for (size_t e = 0; e < count; e++)
        rows[e] = (float)(mean + spread * fill_normal(stream, e));
}

static double distance(size_t d, const float *x, const float *y)
{
    double sum = 0;
    for (size_t k = 0; k < d; k++)
        sum += ((double)x[k] - (double)y[k]) * ((double)x[k] - (double)y[k]);
    return sum;
}

static void take_distances(const struct mmk_matrix *x, const struct mmk_matrix *y, float *out,
                           const struct mmk_options *options)
{
    assert_int_equal(mmk_similarity_matrix(MMK_NEG_SQ_L2, x, y,
                                           MATRIX_OUT_AT(out, x->rows, y->rows, 0), options),
                     MMK_OK);
}

static void search_first(const struct mmk_matrix *x, const struct mmk_matrix *y, size_t k,
                         float *values, uint32_t *indices, const struct mmk_options *options)
{
    assert_int_equal(
        mmk_search(&(struct mmk_search_problem){.x = x, .y = y, .similarity = MMK_NEG_SQ_L2},
                   &(struct mmk_search_results){.for_x = TOPK(k, values, indices)}, options),
        MMK_OK);
}

/* ---- Far from 0 ------------------------------------------------------------------------------ */

static void loss_at_10000(void)
{
    enum { M = 4 };
    float x[M], y[M], loss;
    double right = 0;
    for (int i = 0; i < M; i++) {
        x[i] = 10000 + (float)i;
        y[i] = x[i] + 0.25f;
    }
    for (int i = 0; i < M; i++)
        for (int by = 0; by < 2; by++) {
            double sum = 0;
            for (int j = 0; j < M; j++) {
                double apart = by ? (double)x[j] - (double)y[i] : (double)x[i] - (double)y[j];
                sum += exp(-apart * apart);
            }
            right += (log(sum) + 0.0625) / (2 * M);
        }
    assert_int_equal(mmk_infonce(&(struct mmk_infonce_problem){.x = MATRIX_AT(x, M, 1, 0),
                                                               .y = MATRIX_AT(y, M, 1, 0),
                                                               .similarity = MMK_NEG_SQ_L2,
                                                               .logit_scale = 1},
                                 &(struct mmk_infonce_results){.loss = &loss}, NULL),
                     MMK_OK);
    assert_true(fabs((double)loss - right) <= 1e-6 * right);
}

static void loss_far_from_0(void **state)
{
    (void)state;
    on_every_isa(loss_at_10000);
}

static void order_at_5806(void)
{
    const float q[] = {5806, 5806, 5806, 5806, 5806, 5806};
    const float y[] = {5806 + 98, 5806 + 99, 5806 + 3, 5806 + 4, 5806, 5806};
    static const uint32_t right[] = {2, 1, 0};
    static const float scores[] = {0, -25, -98 * 98 - 99 * 99};
    for (size_t m = 1; m <= 3; m++) { /* up to two rows of Y as they lie, then packed */
        float values[9];
        uint32_t indices[9];
        search_first(MATRIX_AT(q, m, 2, 0), MATRIX_AT(y, 3, 2, 0), 3, values, indices, NULL);
        for (size_t i = 0; i < m; i++) {
            assert_memory_equal(indices + 3 * i, right, sizeof right);
            assert_memory_equal(values + 3 * i, scores, sizeof scores);
        }
    }
}

static void nearest_at_1000(void)
{
    enum { M = 50, N = 1000, D = 128 };
    static float x[M * D], y[N * D], values[M];
    static uint32_t indices[M];
    fill(x, M * D, 31, 1000, 1);
    fill(y, N * D, 32, 1000, 1);
    search_first(MATRIX_AT(x, M, D, 0), MATRIX_AT(y, N, D, 0), 1, values, indices, NULL);
    for (size_t i = 0; i < M; i++) {
        size_t nearest = 0;
        for (size_t j = 1; j < N; j++)
            if (distance(D, x + i * D, y + j * D) < distance(D, x + i * D, y + nearest * D))
                nearest = j;
        assert_int_equal(indices[i], nearest);
    }
}

static void rankings_far_from_0(void **state)
{
    (void)state;
    on_every_isa(order_at_5806);
    on_every_isa(nearest_at_1000);
}

/* Mean 10, spread 0.1: relative error of dX as a whole, against differences in double. */
static void gradients_at_10(void)
{
    enum { M = 100, D = 64 };
    static float x[M * D], y[M * D], dx[M * D];
    static double p[M][M], q[M][M];
    double error = 0, size = 0;
    fill(x, M * D, 33, 10, 0.1);
    for (size_t e = 0; e < M * D; e++)
        y[e] = (float)((double)x[e] + 0.02 * fill_normal(34, e));
    assert_int_equal(mmk_infonce(&(struct mmk_infonce_problem){.x = MATRIX_AT(x, M, D, 0),
                                                               .y = MATRIX_AT(y, M, D, 0),
                                                               .similarity = MMK_NEG_SQ_L2,
                                                               .logit_scale = 10},
                                 &(struct mmk_infonce_results){.dx = MATRIX_OUT_AT(dx, M, D, 0)},
                                 NULL),
                     MMK_OK);
    for (size_t i = 0; i < M; i++) {
        double sum_x = 0, sum_y = 0;
        for (size_t j = 0; j < M; j++) {
            sum_x += p[i][j] = exp(-10 * distance(D, x + i * D, y + j * D));
            sum_y += q[j][i] = exp(-10 * distance(D, x + j * D, y + i * D));
        }
        for (size_t j = 0; j < M; j++) {
            p[i][j] /= sum_x;
            q[j][i] /= sum_y;
        }
    }
    for (size_t i = 0; i < M; i++)
        for (size_t k = 0; k < D; k++) {
            double right = 0;
            for (size_t j = 0; j < M; j++)
                right += 20 * (p[i][j] + q[i][j] - 2 * (i == j)) / (2 * M) *
                         ((double)y[j * D + k] - (double)x[i * D + k]);
            error += ((double)dx[i * D + k] - right) * ((double)dx[i * D + k] - right);
            size += right * right;
        }
    assert_true(sqrt(error / size) < 1e-5);
}

static void gradients_far_from_0(void **state)
{
    (void)state;
    on_every_isa(gradients_at_10);
}

/* ---- One origin for the parts of a whole ----------------------------------------------------- */

enum { M = 40, N = 700, D = 19, K = 5, Q = 30 };

static int ascending(const void *left, const void *right)
{
    float a = *(const float *)left, b = *(const float *)right;
    return (a > b) - (a < b);
}

/* As mmk.h has it. */
static void default_origin(const float *y, size_t n, float origin[D])
{
    for (size_t k = 0; k < D; k++) {
        float v[9];
        for (size_t i = 0; i < 9; i++)
            v[i] = y[i * (n < 672 ? n : 672) / 9 * D + k];
        qsort(v, 9, sizeof *v, ascending);
        origin[k] = v[4];
    }
}

static float x[M * D], y[N * D], variance[N * D];

static void fill_all(void)
{
    fill(x, M * D, 41, 100, 1);
    fill(y, N * D, 42, 100, 1);
    fill(variance, N * D, 43, -2, 1);
}

/* All results of a loss on N - Q rows of Y, and for InfoNCE Q negatives. */
enum loss { INFONCE, UNIFORMITY, SIGMOID, CSD, LOSSES };

static void run_loss(enum loss loss, const float *origin, float out[4 * N * D])
{
    const struct mmk_options options = {.origin = origin};
    const struct mmk_matrix *rows = MATRIX_AT(y, N - Q, D, 0);
    float *dx = out + N, *dy = dx + M * D, *more = dy + (N - Q) * D, *last = more + M * D;
    memset(out, 0, 4 * N * D * sizeof *out);
    if (loss == INFONCE || loss == UNIFORMITY) {
        const struct mmk_infonce_problem problem = {
            .x = MATRIX_AT(x, M, D, 0),
            .y = rows,
            .negatives = loss == INFONCE ? MATRIX_AT(y + (N - Q) * D, Q, D, 0) : NULL,
            .similarity = MMK_NEG_SQ_L2,
            .logit_scale = 0.5f};
        const struct mmk_infonce_results results = {
            .loss = out,
            .lse_x = out + 2,
            .dx = MATRIX_OUT_AT(dx, M, D, 0),
            .dy = MATRIX_OUT_AT(dy, N - Q, D, 0),
            .dnegatives = loss == INFONCE ? MATRIX_OUT_AT(more, Q, D, 0) : NULL,
            .dlogit_scale = out + 1};
        assert_int_equal(
            (loss == INFONCE ? mmk_infonce : mmk_uniformity)(&problem, &results, &options), MMK_OK);
        return;
    }
    const struct mmk_sigmoid_problem problem = {
        .x = MATRIX_AT(x, M, D, 0),
        .y = rows,
        .log_variance_x = loss == CSD ? MATRIX_AT(variance, M, D, 0) : NULL,
        .log_variance_y = loss == CSD ? MATRIX_AT(variance, N - Q, D, 0) : NULL,
        .similarity = MMK_NEG_SQ_L2,
        .logit_scale = 0.5f,
        .bias = 5};
    const struct mmk_sigmoid_results results = {
        .loss = out,
        .dx = MATRIX_OUT_AT(dx, M, D, 0),
        .dy = MATRIX_OUT_AT(dy, N - Q, D, 0),
        .dlog_variance_x = loss == CSD ? MATRIX_OUT_AT(more, M, D, 0) : NULL,
        .dlog_variance_y = loss == CSD ? MATRIX_OUT_AT(last, N - Q, D, 0) : NULL,
        .dlogit_scale = out + 1,
        .dbias = out + 2};
    assert_int_equal(mmk_sigmoid(&problem, &results, &options), MMK_OK);
}

static void losses_with_it(void)
{
    static float by_default[4 * N * D], given[4 * N * D];
    float origin[D];
    default_origin(y, N - Q, origin);
    for (int loss = 0; loss < LOSSES; loss++) {
        run_loss((enum loss)loss, NULL, by_default);
        run_loss((enum loss)loss, origin, given);
        assert_memory_equal(by_default, given, sizeof given);
        origin[3] += 1;
        run_loss((enum loss)loss, origin, given);
        assert_memory_not_equal(by_default, given, sizeof given);
        assert_true(fabsf(by_default[0] - given[0]) <= 1e-4f * fabsf(given[0]));
        origin[3] -= 1;
    }
}

static void losses_with_the_default_given(void **state)
{
    (void)state;
    fill_all();
    on_every_isa(losses_with_it);
}

/* The whole by default and with the same origin given; Y in two parts; X in two parts, the second
 * of two rows, for which search takes Y as it lies; and all of it from galleries. */
static void parts_of_a_whole(void)
{
    enum { CUT = 333, FIRST = M - 2 };
    static float whole[M * N], given[M * N], part[M * N];
    float origin[D], values[M * K], part_values[M * K];
    uint32_t indices[M * K], part_indices[M * K];
    default_origin(y, N, origin);
    const struct mmk_options options = {.origin = origin};
    const struct mmk_matrix *all_x = MATRIX_AT(x, M, D, 0), *all_y = MATRIX_AT(y, N, D, 0);
    const struct mmk_matrix *last_x = MATRIX_AT(x + FIRST * D, M - FIRST, D, 0);
    take_distances(all_x, all_y, whole, NULL);
    take_distances(all_x, all_y, given, &options);
    assert_memory_equal(whole, given, sizeof whole);
    search_first(all_x, all_y, K, values, indices, NULL);
    search_first(all_x, all_y, K, part_values, part_indices, &options);
    assert_memory_equal(values, part_values, sizeof values);
    assert_memory_equal(indices, part_indices, sizeof indices);

    take_distances(last_x, all_y, part, &options);
    assert_memory_equal(part, whole + FIRST * N, (M - FIRST) * N * sizeof *part);
    search_first(last_x, all_y, K, part_values, part_indices, &options);
    assert_memory_equal(part_values, values + FIRST * K, (M - FIRST) * K * sizeof *values);
    assert_memory_equal(part_indices, indices + FIRST * K, (M - FIRST) * K * sizeof *indices);

    for (size_t begin = 0; begin < N; begin = begin == 0 ? CUT : N) {
        size_t rows = begin == 0 ? CUT : N - CUT;
        const struct mmk_matrix *some_y = MATRIX_AT(y + begin * D, rows, D, 0);
        struct mmk_gallery *gallery = NULL;
        take_distances(all_x, some_y, part, &options);
        for (size_t i = 0; i < M; i++)
            assert_memory_equal(part + i * rows, whole + i * N + begin, rows * sizeof *part);
        /* Of copies that hold something else before it is used: a gallery keeps its own. */
        static float copy[N * D], copy_of_origin[D];
        memcpy(copy, y + begin * D, rows * D * sizeof *copy);
        memcpy(copy_of_origin, options.origin, sizeof copy_of_origin);
        const struct mmk_options copied = {.origin = copy_of_origin};
        assert_int_equal(
            mmk_gallery_pack(MMK_NEG_SQ_L2, MATRIX_AT(copy, rows, D, 0), &copied, &gallery),
            MMK_OK);
        memset(copy, 0x7f, sizeof copy);
        memset(copy_of_origin, 0x7f, sizeof copy_of_origin);
        assert_int_equal(mmk_similarity_matrix(MMK_NEG_SQ_L2, all_x, PACKED(gallery),
                                               MATRIX_OUT_AT(given, M, rows, 0), NULL),
                         MMK_OK);
        assert_memory_equal(part, given, M * rows * sizeof *part);
        assert_int_equal(mmk_similarity_matrix(MMK_NEG_SQ_L2, all_x, PACKED(gallery),
                                               MATRIX_OUT_AT(given, M, rows, 0), &options),
                         MMK_ERR_CONFLICT);
        assert_true(detail_says("options.origin packed"));
        assert_int_equal(mmk_search(&(struct mmk_search_problem){.x = all_x,
                                                                 .y = PACKED(gallery),
                                                                 .similarity = MMK_NEG_SQ_L2},
                                    &(struct mmk_search_results){.for_x = TOPK(K, values, indices)},
                                    &options),
                         MMK_ERR_CONFLICT);
        mmk_gallery_free(gallery);
    }
}

static void parts_with_one_origin(void **state)
{
    (void)state;
    fill_all();
    on_every_isa(parts_of_a_whole);
}

/* ---- Rows that are not like the others, and integers ----------------------------------------- */

/* Some rows of Y are far away, NaN or infinite: the others' distances keep their accuracy, by
 * default the first of the nine rows among them, too. */
static void others_are_right(void)
{
    static float spoilt[N * D], result[M * N];
    memcpy(spoilt, y, sizeof y);
    for (size_t j = 0; j < N; j += 97)
        for (size_t k = 0; k < D; k++)
            spoilt[j * D + k] = j % 3 == 0 ? 1e12f : j % 3 == 1 ? NAN : 3e38f;
    spoilt[D] = -INFINITY;
    take_distances(MATRIX_AT(x, M, D, 0), MATRIX_AT(spoilt, N, D, 0), result, NULL);
    for (size_t i = 0; i < M; i++)
        for (size_t j = 2; j < N; j++) {
            double right = -distance(D, x + i * D, spoilt + j * D);
            if (j % 97 != 0)
                assert_true(fabs((double)result[i * N + j] - right) <= 3e-5);
        }
}

static void far_rows_do_not_spoil_others(void **state)
{
    (void)state;
    fill_all();
    on_every_isa(others_are_right);
}

/* Norms at the end of float, by which a distance is one of the two rows: of Y also as a gallery has
 * them, less its origin and in several parts. */
static void great_rows_of(size_t width)
{
    enum { GREAT = 9, MANY = 40, WIDEST = 1537 };
    static float a[GREAT * WIDEST], b[MANY * WIDEST], result[GREAT * MANY], packed[GREAT * MANY];
    const struct mmk_matrix *of = MATRIX_AT(a, GREAT, width, 0), *to = MATRIX_AT(b, MANY, width, 0);
    struct mmk_gallery *gallery = NULL;
    fill(a, GREAT * width, 61, 1e18, 2.6e17);
    fill(b, MANY * width, 62, 1e18, 2.6e17);
    take_distances(of, to, result, NULL);
    assert_int_equal(mmk_gallery_pack(MMK_NEG_SQ_L2, to, NULL, &gallery), MMK_OK);
    assert_int_equal(mmk_similarity_matrix(MMK_NEG_SQ_L2, of, PACKED(gallery),
                                           MATRIX_OUT_AT(packed, GREAT, MANY, 0), NULL),
                     MMK_OK);
    assert_memory_equal(result, packed, sizeof result);
    for (size_t i = 0; i < GREAT; i++)
        for (size_t j = 0; j < MANY; j++) {
            double right = -distance(width, a + i * width, b + j * width);
            assert_true(fabs((double)result[i * MANY + j] - right) <= -1e-6 * right);
        }
    mmk_gallery_free(gallery);
}

/* Parts as long as each other, and a last one of a column. */
static void great_rows(void)
{
    great_rows_of(800);
    great_rows_of(769);
    great_rows_of(1537);
}

static void great_rows_are_right(void **state)
{
    (void)state;
    on_every_isa(great_rows);
}

static void integers(void)
{
    enum { WIDE = 128 };
    static float a[M * WIDE], b[N * WIDE], result[M * N];
    for (size_t e = 0; e < M * WIDE; e++)
        a[e] = (float)(4096 + fill_hash(51, e) % 256);
    for (size_t e = 0; e < N * WIDE; e++)
        b[e] = (float)(4096 + fill_hash(52, e) % 256);
    take_distances(MATRIX_AT(a, M, WIDE, 0), MATRIX_AT(b, N, WIDE, 0), result, NULL);
    for (size_t i = 0; i < M; i++)
        for (size_t j = 0; j < N; j++)
            assert_true((double)result[i * N + j] == -distance(WIDE, a + i * WIDE, b + j * WIDE));
}

/* Elements near size or -size, another one each. */
static void fill_signs(float *to, size_t count, uint64_t seed, float size)
{
    for (size_t e = 0; e < count; e++) {
        uint64_t h = fill_hash(seed, e);
        to[e] = size * (1 + 0.1f * (float)(h % 1000) / 1000) * (h >> 20 & 1 ? 1.0f : -1.0f);
    }
}

/* Rows whose squares leave the range of float are copied, and taken as pairs, by each thread in
 * memory of its own. Long ones, so that two threads are at it at once most of the time. */
static void great_rows_by_threads(void)
{
    enum { ROWS = 3, AMONG = 1500, LONG = 2048 };
    float *rows = malloc((ROWS + AMONG) * LONG * sizeof *rows);
    float *alone = malloc(2 * ROWS * AMONG * sizeof *alone), *shared = alone + ROWS * AMONG;
    assert_non_null(rows);
    assert_non_null(alone);
    fill(rows, (ROWS + AMONG) * LONG, 77, 0, 1.7e17);
    const struct mmk_matrix gallery = {.data = rows + ROWS * LONG, .rows = AMONG, .columns = LONG};
    for (size_t m = 1; m <= ROWS; m++) { /* one and two rows go another way */
        const struct mmk_matrix queries = {.data = rows, .rows = m, .columns = LONG};
        take_distances(&queries, &gallery, alone, &(struct mmk_options){.threads = 1});
        assert_true(isfinite(alone[0]) && alone[0] < -0x1p125f);
        for (int threads = 2; threads <= 3; threads++) {
            take_distances(&queries, &gallery, shared, &(struct mmk_options){.threads = threads});
            assert_memory_equal(shared, alone, m * AMONG * sizeof *alone);
        }
    }
    free(rows);
    free(alone);
}

/* The same where there are many blocks: of a matrix, whose tasks go to any worker, */
static void great_blocks_by_threads(void)
{
    enum { ROWS = 840, AMONG = 672, SHORT = 4 };
    static float rows[ROWS * SHORT], among[AMONG * SHORT], alone[ROWS * AMONG],
        shared[ROWS * AMONG];
    const float origin[SHORT] = {0};
    fill_signs(rows, ROWS * SHORT, 81, 3.5e18f);
    fill_signs(among, AMONG * SHORT, 82, 3.5e18f);
    const struct mmk_matrix *queries = MATRIX_AT(rows, ROWS, SHORT, 0),
                            *gallery = MATRIX_AT(among, AMONG, SHORT, 0);
    take_distances(queries, gallery, alone, &(struct mmk_options){.threads = 1, .origin = origin});
    for (int threads = 2; threads <= 4; threads++) {
        take_distances(queries, gallery, shared,
                       &(struct mmk_options){.threads = threads, .origin = origin});
        assert_memory_equal(shared, alone, sizeof alone);
    }
}

/* and of a search, which takes queries in batches. */
static void great_queries_in_batches(void)
{
    enum { ROWS = 4400, AMONG = 10, SHORT = 2, BEST = 3, PART = 400 };
    static float rows[ROWS * SHORT], among[AMONG * SHORT], values[ROWS * BEST], part[PART * BEST];
    static uint32_t indices[ROWS * BEST], part_indices[PART * BEST];
    const float origin[SHORT] = {0};
    const struct mmk_options options = {.origin = origin, .threads = 2};
    fill_signs(rows, ROWS * SHORT, 83, 5e18f);
    fill_signs(among, AMONG * SHORT, 84, 5e18f);
    const struct mmk_matrix *gallery = MATRIX_AT(among, AMONG, SHORT, 0);
    search_first(MATRIX_AT(rows, ROWS, SHORT, 0), gallery, BEST, values, indices, &options);
    for (size_t i = 0; i < ROWS; i += PART) {
        search_first(MATRIX_AT(rows + i * SHORT, PART, SHORT, 0), gallery, BEST, part, part_indices,
                     &options);
        assert_memory_equal(part, values + i * BEST, sizeof part);
        assert_memory_equal(part_indices, indices + i * BEST, sizeof part_indices);
    }
}

static void threads_have_rows_of_their_own(void **state)
{
    (void)state;
    on_every_isa(great_rows_by_threads);
    on_every_isa(great_blocks_by_threads);
    on_every_isa(great_queries_in_batches);
}

/* Two rows near each other, in a gallery of rows that are far off: with one of these for an origin
 * nothing is left of their distance, with 0 all. One query goes another way than three. */
static void limit_of_default(void)
{
    enum { FAR_ROWS = 9, WIDE = 19, QUERIES = 3 };
    static const float greatest = 0x1.fffffep99f;
    static const float far[] = {greatest, -greatest, 0x1p100f, -0x1p100f};
    float queries[QUERIES * WIDE], gallery[(FAR_ROWS + 1) * WIDE];
    float result[QUERIES * (FAR_ROWS + 1)];
    for (size_t e = 0; e < QUERIES * WIDE; e++)
        queries[e] = 1.0f;
    for (size_t f = 0; f < sizeof far / sizeof *far; f++)
        for (size_t m = 1; m <= QUERIES; m += QUERIES - 1) {
            for (size_t e = 0; e < (FAR_ROWS + 1) * WIDE; e++)
                gallery[e] = e < FAR_ROWS * WIDE ? far[f] : 1.5f;
            take_distances(MATRIX_AT(queries, m, WIDE, 0),
                           MATRIX_AT(gallery, FAR_ROWS + 1, WIDE, 0), result, NULL);
            float right = fabsf(far[f]) <= greatest ? 0 : -0.25f * WIDE;
            assert_true(result[m * (FAR_ROWS + 1) - 1] == right);
        }
}

static void far_rows_from_2_to_100_count_as_0(void **state)
{
    (void)state;
    on_every_isa(limit_of_default);
}

static void integers_are_exact(void **state)
{
    (void)state;
    on_every_isa(integers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loss_far_from_0),
        cmocka_unit_test(rankings_far_from_0),
        cmocka_unit_test(gradients_far_from_0),
        cmocka_unit_test(losses_with_the_default_given),
        cmocka_unit_test(parts_with_one_origin),
        cmocka_unit_test(far_rows_do_not_spoil_others),
        cmocka_unit_test(great_rows_are_right),
        cmocka_unit_test(threads_have_rows_of_their_own),
        cmocka_unit_test(integers_are_exact),
        cmocka_unit_test(far_rows_from_2_to_100_count_as_0),
    };
    return cmocka_run_group_tests_name("origin", tests, NULL, NULL);
}
