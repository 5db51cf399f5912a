/* test_screen.c - searches of a few queries, most of whose scores are ruled out by sums in lanes.
 * SPDX-License-Identifier: MIT
 *
 * Bit for bit what the matrix followed by top-k gives, 1 to 9 queries, 1 to 3 threads, every
 * instruction set, rows that are not aligned, data of which the sums decide nearly all and data of
 * which they decide nothing; how many rows are multiplied nevertheless; and the bound itself, over
 * rows that were made to be rounded much.
 */
#include "../../kernels/isa/isa.h"
#include "../../kernels/query/query.h"
#include "../../kernels/search/screen.h"
#include "../../ref/cases.h"
#include "matrix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum data {
    DATA_NORMAL,
    DATA_DUPLICATES,   /* every row of the gallery many times */
    DATA_NEAR,         /* rows so much alike that rounding decides about their order */
    DATA_SAME,         /* every score ties */
    DATA_CONSTANT,     /* each row a number of its own */
    DATA_ZERO_ROWS,    /* every third row of the gallery */
    DATA_ZERO_QUERIES, /* every third row of X */
    DATA_NAN,          /* a NaN in every 9th row of the gallery */
    DATA_NAN_QUERIES,  /* in every third row of X */
    DATA_NAN_FIRST,    /* in all rows of the gallery but the last ones */
    DATA_INF,          /* an Inf in some rows of both */
    DATA_TINY,         /* products are denormal, or zero */
    DATA_DENORMAL,     /* and so are rows */
    DATA_SMALL,        /* |x|^2 on both sides of 2^-60 */
    DATA_GREAT,        /* 1e20 */
    DATA_HUGE,         /* |x|^2 on both sides of 2^125 */
    DATA_MAGNITUDES,   /* each row a power of two of its own */
    DATA_RISING,       /* each score above the one before, */
    DATA_FALLING,      /* or below */
    DATA_LATE,         /* the best come last, by a place more than the threshold */
    DATA_CANCELS,      /* products cancel, and what is left is rounding */
    DATA_LONG_CANCELS, /* in some rows, which are longer than the others */
    DATA_ASCENDING,    /* elements of one sign, each greater than the one before */
    DATA_ROUNDED_UP,   /* nearly every addition of a chain is */
    DATA_LEADING,    /* every one, by nearly all that it may be: the first product is all but all */
    DATA_AROUND,     /* rows around the queries, far from the first ones and so from the origin */
    DATA_BELOW_ZERO, /* all products are */
    DATA_UNSAFE,     /* rows of the gallery whose squared norms overflow, or nearly vanish */
    DATA_OVERFLOWS,  /* so, but for late rows whose sums overflow in lanes alone */
    DATA_COUNT
};

static float element(enum data data, bool gallery, size_t i, size_t k)
{
    float g = (float)fill_normal(gallery ? 5 : 6, i * 4099 + k);
    bool alike = data == DATA_NEAR || data == DATA_SAME || data == DATA_RISING ||
                 data == DATA_FALLING || data == DATA_LATE || data == DATA_AROUND;
    float of_all = alike ? (float)fill_normal(4, k) : 0;
    uint64_t h = fill_hash(gallery ? 7 : 8, i);
    bool third = i % 3 == 1;
    switch (data) {
    case DATA_DUPLICATES:
        return gallery ? (float)fill_normal(9, i % 23 * 4099 + k) : g;
    case DATA_NEAR:
        return of_all + 1e-6f * g;
    case DATA_SAME:
        return gallery ? of_all : g;
    case DATA_CONSTANT:
        return (float)(int)(h % 1000) - 400;
    case DATA_ZERO_ROWS:
        return gallery && third ? 0.0f : g;
    case DATA_ZERO_QUERIES:
        return !gallery && third ? 0.0f : g;
    case DATA_NAN:
        return gallery && i % 9 == 4 && k == h % 13 ? NAN : g;
    case DATA_NAN_QUERIES:
        return !gallery && third ? NAN : g;
    case DATA_NAN_FIRST:
        return gallery && i < 200 && k == 0 ? NAN : g;
    case DATA_INF:
        return i % (gallery ? 9 : 4) == 1 && k == h % 13 ? (i % 2 ? INFINITY : -INFINITY) : g;
    case DATA_TINY:
        return 1e-22f * g;
    case DATA_DENORMAL:
        return 1e-40f * g;
    case DATA_SMALL:
        return 0x1p-31f * g * (float)(1 + i % 5);
    case DATA_GREAT:
        return 1e20f * g;
    case DATA_HUGE:
        return 5e18f * g;
    case DATA_MAGNITUDES:
        return ldexpf(g, (int)(h % 30) - 15);
    case DATA_RISING:
        return gallery ? of_all * (1 + (float)i) : of_all + 0.01f * g;
    case DATA_FALLING:
        return gallery ? of_all / (1 + (float)i) : of_all + 0.01f * g;
    case DATA_LATE:
        return !gallery ? of_all : i > 300 && i % 50 == 7 ? of_all * (1 + 0x1p-20f) : of_all;
    case DATA_CANCELS: /* x.y = 0 but for roundings */
        return !gallery ? 1 + 0x1p-20f * (float)(i % 7) : (k % 2 ? -1 : 1) * (1 + 1e-3f * g);
    case DATA_LONG_CANCELS:
        return !gallery ? 1 : (i % 5 == 2 ? 1e4f * (k % 2 ? -1.0f : 1.0f) : 1) * (1 + 1e-7f * g);
    case DATA_ASCENDING:
        return gallery ? (float)(k + 1) * (1 + 1e-6f * g) : (float)(k + 1);
    case DATA_ROUNDED_UP:
        return gallery ? 1 + 1e-6f * fabsf(g) : 1;
    case DATA_LEADING:
        return k == 0    ? gallery ? 1.05f : 1
               : gallery ? 0x1.05p-12f * (1 + 1e-4f * g)
                         : 0x1.fbp-13f * (1 + 1e-4f * g);
    case DATA_AROUND:
        return gallery && i < 150 ? 10 * g : 30 * of_all + 1e-4f * g;
    case DATA_UNSAFE:
        return !gallery ? g : i % 3 == 0 ? 1e20f * g : i % 3 == 1 ? 1e-20f * g : g;
    case DATA_OVERFLOWS:
        return !gallery ? 1 : i > 150 && i % 20 == 7 ? (k % 2 ? -2e38f : 2e38f) : -fabsf(g);
    case DATA_BELOW_ZERO:
        return gallery ? -fabsf(g) : fabsf(g);
    default:
        return g;
    }
}

static void *room(size_t count, size_t size)
{
    void *memory = malloc(count * size + 1);
    assert_non_null(memory);
    memset(memory, 0xa5, count * size);
    return memory;
}

/* Rows that begin anywhere in a cache line. */
static float *rows_of(enum data data, bool gallery, size_t rows, size_t d, size_t ld,
                      float **memory)
{
    *memory = room(rows * ld + 1, sizeof **memory);
    float *out = *memory + 1;
    for (size_t i = 0; i < rows; i++)
        for (size_t e = 0; e < d; e++)
            out[i * ld + e] = element(data, gallery, i, e);
    return out;
}

/* ---- How many rows are screened -------------------------------------------------------------- */

static struct isa_row the_row; /* in use: calls come one after the other */
static struct query_ops counting;
static const struct query_ops *counted;
static struct tile_ops tile_counting;
static const struct tile_ops *tile_counted;
static _Atomic size_t summed, multiplied; /* rows of the gallery */

static void count_dots(size_t m, size_t n, size_t d, const float *x, size_t ldx, const float *y,
                       size_t ldy, float *result, size_t ldr, float *squares)
{
    summed += n;
    counted->dots(m, n, d, x, ldx, y, ldy, result, ldr, squares);
}

static void count_neg_sq_l2s(size_t m, size_t n, size_t d, const float *x, size_t ldx,
                             const float *y, size_t ldy, float *result, size_t ldr)
{
    summed += n;
    counted->neg_sq_l2s(m, n, d, x, ldx, y, ldy, result, ldr);
}

static void count_row_product(size_t count, size_t depth, const float *a, const float *const *row,
                              const float *origin, const struct row_scale *scale, float *c,
                              float *squares, const float *ahead)
{
    multiplied += count;
    tile_counted->row_product(count, depth, a, row, origin, scale, c, squares, ahead);
}

static void use(const struct isa_row *row)
{
    the_row = *row;
    counted = row->query;
    counting = *counted;
    counting.dots = count_dots;
    counting.neg_sq_l2s = count_neg_sq_l2s;
    the_row.query = &counting;
    tile_counted = row->tile;
    tile_counting = *tile_counted;
    tile_counting.row_product = count_row_product;
    the_row.tile = &tile_counting;
    isa_use_row(&the_row);
}

static void on_every_row(void (*test)(const struct isa_row *row))
{
    int tried = 0;
    for (int isa = 0; isa < MMK_ISA_COUNT; isa++) {
        if (mmk_isa_usable((enum mmk_isa)isa) != MMK_OK)
            continue;
        const struct isa_row *row = isa_builtin_row((enum mmk_isa)isa);
        use(row);
        test(row);
        tried++;
    }
    assert_true(tried > 0);
    assert_int_equal(mmk_isa_use(NULL), MMK_OK);
}

/* ---- Searches -------------------------------------------------------------------------------- */

struct screen_case {
    size_t m, n, d, k;
    enum mmk_similarity similarity;
    enum data data;
};

static void check_case(const struct screen_case *c)
{
    size_t found = c->k < c->n ? c->k : c->n, ldx = c->d + 2, ldy = c->d + c->n % 4;
    float *of_x, *of_y;
    float *x = rows_of(c->data, false, c->m, c->d, ldx, &of_x);
    float *y = rows_of(c->data, true, c->n, c->d, ldy, &of_y);
    float *scores = room(c->m * c->n, sizeof *scores);
    float *values = room(c->m * c->k, sizeof *values), *right = room(c->m * c->k, sizeof *right);
    uint32_t *indices = room(c->m * c->k, sizeof *indices);
    uint32_t *order = room(c->m * c->k, sizeof *order);
    const struct mmk_matrix *rows = MATRIX_AT(x, c->m, c->d, ldx);
    const struct mmk_matrix *columns = MATRIX_AT(y, c->n, c->d, ldy);
    assert_int_equal(mmk_similarity_matrix(c->similarity, rows, columns,
                                           MATRIX_OUT_AT(scores, c->m, c->n, 0), NULL),
                     MMK_OK);
    assert_int_equal(mmk_topk(MATRIX_AT(scores, c->m, c->n, 0), TOPK(c->k, right, order), NULL),
                     MMK_OK);
    multiplied = 0;
    for (int threads = 1; threads <= 3; threads++) {
        memset(values, 0xa5, c->m * c->k * sizeof *values);
        memset(indices, 0xa5, c->m * c->k * sizeof *indices);
        const struct mmk_search_problem problem = {
            .x = rows, .y = columns, .similarity = c->similarity};
        summed = 0;
        assert_int_equal(
            mmk_search(&problem, &(struct mmk_search_results){.for_x = TOPK(c->k, values, indices)},
                       &(struct mmk_options){.threads = threads}),
            MMK_OK);
        if (threads == 1 && c->data == DATA_NORMAL && c->m <= SEARCH_SCREENED_ROWS && c->d > 1 &&
            c->k <= 10 && c->n > 450)
            assert_true(summed > c->n / 4);
        if (c->m > SEARCH_SCREENED_ROWS)
            assert_int_equal(summed, 0);
        for (size_t i = 0; i < c->m; i++)
            if (memcmp(values + i * c->k, right + i * c->k, found * sizeof *values) != 0 ||
                memcmp(indices + i * c->k, order + i * c->k, found * sizeof *order) != 0)
                fail_msg("%s, %d threads, data %d, similarity %d, %zu x %zu x %zu, k %zu: row %zu",
                         the_row.name, threads, (int)c->data, (int)c->similarity, c->m, c->n, c->d,
                         c->k, i);
    }
    free(of_x);
    free(of_y);
    free(scores);
    free(values);
    free(right);
    free(indices);
    free(order);
}

static void every_kind_of_data(const struct isa_row *row)
{
    static const size_t ds[] = {1, 15, 16, 17, 63, 64, 65, 127, 128, 129, 512, 768};
    enum { D = sizeof ds / sizeof *ds };
    size_t number = 0, ends = 0;
    for (int data = 0; data < DATA_COUNT; data++)
        for (int similarity = 0; similarity < MMK_SIMILARITY_COUNT; similarity++)
            for (size_t i = 0; i < D; i++, number++) {
                size_t d = ds[i], n = 250 + number * 37 % 300;
                const size_t ks[] = {10, 1, 10, 3, n - 1, 10, 1000, n};
                if (number % 2 != 0 && row->isa == MMK_ISA_AVX2)
                    continue;
                if (row->isa == MMK_ISA_SCALAR && number % 11 != 0)
                    continue;
                check_case(&(struct screen_case){1 + number % 9, n, d, ks[ends++ % 8],
                                                 (enum mmk_similarity)similarity, (enum data)data});
            }
}

/* Whole pieces, and chunks that follow each other; k at which thresholds come late. */
static void many_rows(const struct isa_row *row)
{
    static const struct screen_case cases[] = {
        {1, 3 * SEARCH_SCREENED_COLS + 45, 3, 10, MMK_DOT, DATA_NORMAL},
        {3, 2 * SEARCH_SCREENED_COLS + 1, 5, 1000, MMK_NEG_SQ_L2, DATA_NORMAL},
        {8, SEARCH_SCREENED_COLS + 33, 17, 100, MMK_COSINE, DATA_DUPLICATES},
        {5, 2 * SEARCH_SCREENED_COLS, 16, 10, MMK_DOT, DATA_RISING},
        {2, 2 * SEARCH_SCREENED_COLS + 31, 65, 7, MMK_NEG_SQ_L2, DATA_AROUND},
        {1, 1500, 1030, 10, MMK_DOT, DATA_LONG_CANCELS},
        {4, 2500, 512, 10, MMK_COSINE, DATA_NORMAL},
        {7, 1800, 700, 10, MMK_NEG_SQ_L2, DATA_NEAR},
    };
    size_t count = sizeof cases / sizeof cases[0];
    for (size_t i = 0; i < count && row->isa != MMK_ISA_SCALAR; i++)
        check_case(&cases[i]);
}

static void as_matrix_and_topk(void **state)
{
    (void)state;
    on_every_row(every_kind_of_data);
    on_every_row(many_rows);
}

/* Of rows that differ few are multiplied; of rows that do not, few are summed in vain. */
static void few_rows_are_multiplied(const struct isa_row *row)
{
    enum { N = 6000, D = 96 };
    for (size_t m = 1; m <= SEARCH_UNPACKED_ROWS; m++)
        for (int similarity = 0; similarity < MMK_SIMILARITY_COUNT; similarity++)
            for (int data = DATA_NORMAL; data <= DATA_SAME; data++) {
                if (data == DATA_DUPLICATES || row->isa == MMK_ISA_SCALAR)
                    continue;
                check_case(&(struct screen_case){m, N, D, 10, (enum mmk_similarity)similarity,
                                                 (enum data)data});
                size_t products = multiplied / m / 3; /* of three searches */
                if (data == DATA_NORMAL && products > N / 6)
                    fail_msg("similarity %d: %zu of %d rows are multiplied", similarity, products,
                             N);
                if (data == DATA_SAME && summed > N / 4)
                    fail_msg("similarity %d: %zu of %d rows are summed", similarity, (size_t)summed,
                             N);
            }
}

static void screen_decides(void **state)
{
    (void)state;
    on_every_row(few_rows_are_multiplied);
}

/* ---- The bound ------------------------------------------------------------------------------- */

static double root_of_squares(size_t d, const float *x, const float *y)
{
    double sum = 0;
    for (size_t k = 0; k < d; k++) {
        double e = (double)x[k] - (y != NULL ? (double)y[k] : 0);
        sum += e * e;
    }
    return sqrt(sum);
}

/* How much of what the bound allows the score of x and y is above its sum in lanes. */
static double used(enum mmk_similarity similarity, size_t d, const float *x, const float *y,
                   const float *origin, double sum, double score)
{
    const double u = 0x1p-24, n = (double)d;
    double norms = root_of_squares(d, x, NULL) * root_of_squares(d, y, NULL);
    double reach = root_of_squares(d, x, y) + 2 * root_of_squares(d, x, origin);
    switch (similarity) {
    case MMK_DOT:
        return (score - sum) / ((1.02 * n + 16) * u * norms);
    case MMK_COSINE:
        return (score - sum / norms) / ((2 * n + 64) * u);
    default:
        return (score - sum) / ((1.01 * n + 8) * u * reach * reach);
    }
}

/* The greatest share of the bound that scores use; and none is ruled out by a threshold that it
 * reaches, but by one that is far above it. */
static double greatest_use(enum mmk_similarity similarity, enum data data, size_t d)
{
    enum { N = 64 };
    float *of_x, *of_y, *origin = calloc(d + 1, sizeof *origin);
    float *x = rows_of(data, false, 1, d, d, &of_x), *y = rows_of(data, true, N, d, d, &of_y);
    float scores[N], sums[N], norms[N], norm;
    double greatest = -1;
    assert_non_null(origin);
    assert_int_equal(
        mmk_similarity_matrix(
            similarity, MATRIX_AT(x, 1, d, 0), MATRIX_AT(y, N, d, 0),
            MATRIX_OUT_AT(scores, 1, N, 0),
            &(struct mmk_options){.origin = similarity == MMK_NEG_SQ_L2 ? origin : NULL}),
        MMK_OK);
    const struct screen screen = {.isa = &the_row, .similarity = similarity, .d = d, .norm = &norm};
    const struct screen_sums out = {N, sums, norms};
    float xx = (float)pow(root_of_squares(d, x, NULL), 2);
    screen_hold_row(&screen, 0, x, xx * (1 - (float)d * 0x1p-24f));
    screen_sum(&screen, &(struct tile_operand){.data = x, .ld = d, .rows = 1},
               &(struct tile_operand){.data = y, .ld = d, .rows = N}, 0, N, &out);
    for (size_t j = 0; j < N; j++) {
        struct screen_line line;
        assert_true(screen_line(&screen, 0, scores[j], &line));
        if (!screen_passes(line, sums[j], norms[j]))
            fail_msg(
                "similarity %d, data %d, d %zu: %.9g is ruled out by %.9g + %.9g of %.9g, %.9g",
                similarity, (int)data, d, scores[j], line.least, line.slope, sums[j], norms[j]);
        double use = used(similarity, d, x, y + j * d, origin, (double)sums[j], (double)scores[j]);
        greatest = fmax(greatest, use);
        double a = root_of_squares(d, x, NULL), b = root_of_squares(d, y + j * d, NULL);
        double far = similarity == MMK_COSINE ? 1
                     : similarity == MMK_DOT  ? a * b
                                              : pow(3 * a + b, 2);
        float above = (float)((double)scores[j] + (5 * (double)d + 200) * 0x1p-24 * far);
        assert_true(screen_line(&screen, 0, above, &line));
        if (above > scores[j] + 0x1p-100f) /* no products that underflow */
            assert_false(screen_passes(line, sums[j], norms[j]));
    }
    free(of_x);
    free(of_y);
    free(origin);
    return greatest;
}

static void bound_is_kept(const struct isa_row *row)
{
    static const enum data kinds[] = {DATA_NORMAL,     DATA_NEAR,    DATA_CANCELS,   DATA_ASCENDING,
                                      DATA_ROUNDED_UP, DATA_LEADING, DATA_BELOW_ZERO};
    static const size_t ds[] = {1, 17, 64, 129, 768, 4096, 16000};
    double most[MMK_SIMILARITY_COUNT] = {-1, -1, -1};
    if (row->isa == MMK_ISA_SCALAR)
        return; /* the same bits */
    for (int similarity = 0; similarity < MMK_SIMILARITY_COUNT; similarity++)
        for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
            for (size_t e = 0; e < sizeof ds / sizeof *ds; e++)
                most[similarity] =
                    fmax(most[similarity],
                         greatest_use((enum mmk_similarity)similarity, kinds[i], ds[e]));
    /* Of these underflow is what rounds. */
    for (size_t e = 0; e < sizeof ds / sizeof *ds; e++) {
        greatest_use(MMK_DOT, DATA_TINY, ds[e]);
        greatest_use(MMK_NEG_SQ_L2, DATA_TINY, ds[e]);
    }
    print_message("of the bound are used: dot %.3f, cosine %.3f, neg_sq_l2 %.3f\n", most[0],
                  most[1], most[2]);
    for (int similarity = 0; similarity < MMK_SIMILARITY_COUNT; similarity++)
        assert_true(most[similarity] < 1);
    assert_true(most[0] > 0.85 && most[1] > 0.05 && most[2] > 0.4);
}

static void no_score_is_above_its_bound(void **state)
{
    (void)state;
    on_every_row(bound_is_kept);
}

/* The sums are those of the functions of one query. */
static void sums_of_several(const struct isa_row *row)
{
    enum { M = QUERY_SEVERAL, N = 37, D = 150, LD = D + 3 };
    float x[M * LD], y[N * LD], result[M * N], squares[N], expected[N];
    for (size_t i = 0; i < M * LD; i++)
        x[i] = element(DATA_MAGNITUDES, false, i / LD, i % LD);
    for (size_t d = 0; d <= D; d += d < 70 ? 1 : 16)
        for (size_t m = 1; m <= M; m++)
            for (size_t n = 1; n <= N; n += 4) {
                for (size_t i = 0; i < N * LD; i++)
                    y[i] = i % 97 == 96 ? NAN : element(DATA_INF, true, i / LD, i % LD);
                row->query->dots(m, n, d, x, LD, y, LD, result, N, squares);
                row->query->squared_norms(n, d, y, LD, expected);
                assert_memory_equal(squares, expected, n * sizeof *squares);
                for (size_t i = 0; i < m; i++) {
                    row->query->query[MMK_DOT](n, d, x + i * LD, y, LD, expected);
                    assert_memory_equal(result + i * N, expected, n * sizeof *expected);
                }
                row->query->neg_sq_l2s(m, n, d, x, LD, y, LD, result, N);
                for (size_t i = 0; i < m; i++) {
                    row->query->query[MMK_NEG_SQ_L2](n, d, x + i * LD, y, LD, expected);
                    assert_memory_equal(result + i * N, expected, n * sizeof *expected);
                }
            }
}

static void several_as_one(void **state)
{
    (void)state;
    on_every_row(sums_of_several);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_as_one),
        cmocka_unit_test(no_score_is_above_its_bound),
        cmocka_unit_test(as_matrix_and_topk),
        cmocka_unit_test(screen_decides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
