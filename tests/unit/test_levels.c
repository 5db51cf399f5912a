/* test_levels.c - few numbers of each row bound its products, and searches through them are right.
 * SPDX-License-Identifier: MIT
 *
 * The bound of levels.h against long double, with rows that lie in the directions, beside them, and
 * on top of each other, where nothing of it is to spare but what is left over. Then galleries whose
 * rows gather near few directions, of every kind that a level may decide nothing about.
 */
#include "../../kernels/codes/codes.h"
#include "../../kernels/gallery/gallery.h"
#include "../../kernels/gallery/levels.h"
#include "../../kernels/isa/isa.h"
#include "../../kernels/search/search.h"
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

enum { N = LEVELS_LEAST_ROWS + 13, D = 130, RANK = 23, COLUMNS = 64, K = 10 };
enum { MOST_ROWS = SEARCH_PREFIXED_ROWS + 90 }; /* a second batch */

enum data {
    DATA_NEAR_FEW,   /* RANK directions and a common one in COLUMNS columns, a little of all */
    DATA_IN_FEW,     /* nothing but these */
    DATA_DUPLICATES, /* every row 50 times */
    DATA_CLUSTERS,   /* rows within the bound of codes of each other, 40 of each */
    DATA_SPECIALS,   /* NaN, Inf, zero, tiny, huge, denormal */
    DATA_MAGNITUDES, /* each row a power of two of its own */
    DATA_RISING,     /* each score above those before, */
    DATA_FALLING,    /* or below */
    DATA_OTHERS,     /* X has nothing to do with these directions */
    DATA_FAR,        /* all rows near one far from 0 */
    DATA_BESIDE,     /* what codes leave of X is along Y, but of the first rows, whose are exact */
    DATA_COUNT
};

static float few(uint64_t row, size_t k, float beside)
{
    float v = k < COLUMNS ? 1.5f * (float)fill_normal(1, k) : 0;
    for (size_t j = 0; j < RANK && k < COLUMNS; j++)
        v += (float)fill_normal(2, row * RANK + j) * (float)fill_normal(3, j * D + k) * 4 /
             (float)(4 + j);
    return v + beside * (float)fill_normal(4, row * D + k);
}

static float special(size_t i, size_t k, float v)
{
    switch (i % 11) {
    case 1:
        return k == i % D ? NAN : v;
    case 2:
        return k == i % D ? (i % 2 ? INFINITY : -INFINITY) : v;
    case 3:
        return 0;
    case 4:
        return 1e-20f * v;
    case 5:
        return 1e17f * v;
    case 6:
        return 1e-40f * v;
    case 7:
        return 1e20f * v;
    default:
        return v;
    }
}

static float element(enum data data, bool gallery, size_t i, size_t k)
{
    uint64_t row = 2 * i + gallery;
    switch (data) {
    case DATA_IN_FEW:
        return few(row, k, 0);
    case DATA_DUPLICATES:
        return few(gallery ? i % 331 : row, k, 0.1f);
    case DATA_CLUSTERS:
        return few(i % 400, k, 0.1f) + 1e-4f * (float)fill_normal(5, row * D + k);
    case DATA_SPECIALS:
        return special(gallery ? i : i + 4, k, few(row, k, 0.1f));
    case DATA_MAGNITUDES:
        return ldexpf(few(row, k, 0.1f), (int)(fill_hash(6, row) % 24) - 12);
    case DATA_RISING:
        return gallery ? few(1, k, 0) * (1 + (float)i) + 0.1f * few(row, k, 0.1f)
                       : few(1, k, 0) + 0.01f * few(row, k, 0.1f);
    case DATA_FALLING:
        return gallery ? few(1, k, 0) / (1 + (float)i) + 1e-4f * few(row, k, 0.1f)
                       : few(1, k, 0) + 0.01f * few(row, k, 0.1f);
    case DATA_OTHERS:
        return gallery ? few(row, k, 0.5f) : k < COLUMNS ? 0 : (float)fill_normal(7, row * D + k);
    case DATA_BESIDE:
        if (gallery)
            return k == 0 ? 0
                          : (1 + (float)(fill_hash(8, i) % 997) / 4096) /
                                (float)(1 + fill_hash(9, i) % 100);
        return k == 0 ? 127 : i < CODES_MAX_MR ? (float)(k % 3) : 0.49f;
    case DATA_FAR:
        return 300 + few(row, k, 0.1f);
    default:
        return few(row, k, 0.1f);
    }
}

static void *room(size_t count, size_t size)
{
    void *memory = malloc(count * size + 1);
    assert_non_null(memory);
    memset(memory, 0xa5, count * size);
    return memory;
}

static float *rows_of(enum data data, bool gallery, size_t rows)
{
    float *out = room(rows * D, sizeof *out);
    for (size_t i = 0; i < rows; i++)
        for (size_t k = 0; k < D; k++)
            out[i * D + k] = element(data, gallery, i, k);
    return out;
}

/* Calls that are filtered with the codes of an instruction set, plain C's too. */
static struct isa_row the_row;

static void on_every_row(void (*test)(void))
{
    int tried = 0;
    for (int isa = 0; isa < MMK_ISA_COUNT; isa++) {
        if (mmk_isa_usable((enum mmk_isa)isa) != MMK_OK ||
            isa_builtin_row((enum mmk_isa)isa)->codes == NULL)
            continue;
        the_row = *isa_builtin_row((enum mmk_isa)isa);
        the_row.filters = true;
        isa_use_row(&the_row);
        test();
        tried++;
    }
    assert_true(tried > 0);
    assert_int_equal(mmk_isa_use(NULL), MMK_OK);
}

/* ---- The bound ------------------------------------------------------------------------------- */

static long double product(size_t count, const float *a, const float *b)
{
    long double sum = 0;
    for (size_t k = 0; k < count; k++)
        sum += (long double)a[k] * b[k];
    return sum;
}

/* Rounded up, and by nothing more: what codes grant in their norms would hide what is left over. */
static float norm_of(const float *row)
{
    long double norm = sqrtl(product(D, row, row));
    return nextafterf((float)norm, INFINITY);
}

/* A combination of the directions alone. */
static void in_directions(const struct levels *levels, uint64_t seed, float *row)
{
    memset(row, 0, D * sizeof *row);
    for (size_t j = 0; j < levels->p; j++)
        for (size_t k = 0; k < D; k++)
            row[k] += (float)fill_normal(seed, j) * levels->basis[j * D + k];
}

/* Of one pair: nothing may be beyond the bound, and what the directions do not reach must be
 * there. Returns which part of what is left over is used. */
static double check_pair(const struct levels *levels, const float *x, const float *y)
{
    float u[LEVELS_MOST + 1], v[LEVELS_MOST + 1];
    size_t p = levels->p;
    long double shift = levels_left(levels, &the_row, D, x, norm_of(x), u);
    levels_right(levels, &the_row, D, y, norm_of(y), v);
    long double x_y = product(D, x, y), lengths = sqrtl(product(D, x, x) * product(D, y, y));
    long double vectors = sqrtl(product(p + 1, u, u) * product(p + 1, v, v));
    long double bound = shift + product(p + 1, u, v) + 0x1p-24L * vectors;
    assert_true(x_y + 1.004L * D * 0x1p-24L * lengths <= bound);

    long double rest = 0;
    for (size_t k = 0; k < D; k++) {
        long double left = y[k];
        for (size_t j = 0; j < p; j++)
            left -= (long double)(v[j] + levels->centre[j]) * levels->basis[j * D + k];
        rest += left * left;
    }
    long double spare = levels->leftover * product(D, y, y);
    /* z is v and the centre, where c is small beside z or the sum exact */
    assert_true((long double)v[p] * v[p] <= rest + 1.2L * spare);
    assert_true((long double)v[p] * v[p] >= rest + 0.4L * spare);
    return (double)((x_y - shift - product(p + 1, u, v)) / (levels->leftover * lengths));
}

/* Pairs of rows of the gallery, of rows in its directions and of noise, and each with itself. */
static void check_bound(void)
{
    float *y = rows_of(DATA_NEAR_FEW, true, N);
    const struct tile_operand operand = {.data = y, .ld = D, .rows = N, .factor = 1.0f};
    struct levels levels;
    assert_int_equal(levels_find(&the_row, MMK_DOT, &operand, N, D, &levels), 0);
    assert_in_range(levels.p, RANK, LEVELS_MOST);
    float kappa = (D / 64.0f + 8) * 0x1p-24f * sqrtf((float)levels.p);
    assert_true(levels.leftover > 1.004f * D * 0x1p-24f + 2.04f * 2 * kappa);
    assert_true(levels.leftover < 2e-4f);

    enum { ROWS = 60 };
    float *rows = room(ROWS * D, sizeof *rows);
    for (size_t i = 0; i < ROWS; i++) {
        if (i % 3 == 0)
            in_directions(&levels, 20 + i, rows + i * D);
        for (size_t k = 0; i % 3 != 0 && k < D; k++)
            rows[i * D + k] = i % 3 == 1 ? y[i * D + k] : (float)fill_normal(8, i * D + k);
    }
    double most = -INFINITY;
    for (size_t i = 0; i < ROWS; i++)
        for (size_t j = 0; j < ROWS; j++) {
            double used = check_pair(&levels, rows + i * D, rows + j * D);
            most = used > most ? used : most;
        }
    /* A row in the directions, with itself: all there is to spare is what is left over. */
    assert_true(most < -0.4 && most > -1.2);
    free(levels.basis);
    free(rows);
    free(y);
}

static void bound_holds(void **state)
{
    (void)state;
    on_every_row(check_bound);
}

/* ---- Searches -------------------------------------------------------------------------------- */

struct found {
    float values[MOST_ROWS * K];
    uint32_t indices[MOST_ROWS * K];
    struct mmk_search_work work;
};

static void search(enum mmk_similarity similarity, const float *x, size_t m,
                   const struct mmk_matrix *y, int threads, bool without, struct found *found)
{
    memset(found, 0xa5, sizeof *found);
    const struct mmk_search_problem problem = {
        .x = MATRIX_AT(x, m, D, 0), .y = y, .similarity = similarity, .without_codes = without};
    assert_int_equal(
        mmk_search(&problem,
                   &(struct mmk_search_results){.for_x = TOPK(K, found->values, found->indices),
                                                .work = &found->work},
                   &(struct mmk_options){.threads = threads}),
        MMK_OK);
    const struct mmk_search_work *w = &found->work;
    assert_int_equal(
        w->scored + w->ruled_out_by_prefix + w->ruled_out_by_codes + w->ruled_out_by_sums, m * N);
}

/* What a level has to decide at least, of m N pairs. */
static void check_work(enum data data, enum mmk_similarity similarity, size_t m,
                       const struct mmk_search_work *work)
{
    bool plain = data == DATA_NEAR_FEW || data == DATA_IN_FEW;
    if (plain && 10 * work->ruled_out_by_prefix < 7 * m * N)
        fail_msg("data %d, similarity %d, %zu rows: prefixes rule out %zu of %zu pairs", (int)data,
                 (int)similarity, m, (size_t)work->ruled_out_by_prefix, m * N);
    if (data == DATA_OTHERS && m > 8)
        assert_true(work->ruled_out_by_codes > m * N / 10); /* in panels, where prefixes do not */
}

/* What mmk.h says of a search's memory, one worker's, in a gallery with directions. */
static void check_memory(const struct mmk_gallery *gallery, enum mmk_similarity similarity)
{
    static const size_t rows[] = {9, 700, 1008, 100000};
    for (size_t i = 0; gallery->levels.p > 0 && i < sizeof rows / sizeof rows[0]; i++) {
        const struct mmk_matrix x = {.rows = rows[i], .columns = D};
        struct mmk_workspace_bytes bytes;
        float nothing;
        const struct mmk_search_problem problem = {
            .x = &x, .y = PACKED(gallery), .similarity = similarity};
        assert_int_equal(mmk_search(&problem,
                                    &(struct mmk_search_results){.for_x = TOPK(K, &nothing, NULL)},
                                    &(struct mmk_options){.threads = 1, .query = &bytes}),
                         MMK_OK);
        const double packed = 4.0 * (D + 32), batch = fmin((double)rows[i], 1008);
        double copies = (batch + 32 + 1376 + 32) * packed, streams = 16.0 * K + 640;
        double codes = copies / 4 + batch * (4.0 * D + 136) + 36.0 * D;
        double said = copies + codes + batch * (streams + D + 220) + 4e5 + 65536;
        if (!((double)bytes.least < 1.05 * said) ||
            (rows[i] > 84 && !((double)bytes.least > 0.5 * said)))
            fail_msg("%zu rows: at least %zu bytes, said are %.0f", rows[i], bytes.least, said);
    }
}

static void check_searches(enum data data, enum mmk_similarity similarity)
{
    static const size_t counts[] = {1, 9, 200, MOST_ROWS};
    static struct found right, found;
    size_t most = the_row.isa == MMK_ISA_SCALAR ? 1 : data == DATA_IN_FEW ? 4 : 3;
    float *x = rows_of(data, false, counts[most - 1]), *y = rows_of(data, true, N);
    struct mmk_gallery *gallery;
    assert_int_equal(mmk_gallery_encode(similarity, MATRIX_AT(y, N, D, 0),
                                        &(struct mmk_options){.threads = 2}, &gallery),
                     MMK_OK);
    if (data == DATA_NEAR_FEW || data == DATA_IN_FEW || data == DATA_OTHERS)
        assert_true(gallery->levels.p > 0);
    check_memory(gallery, similarity);
    for (size_t i = 0; i < most; i++) {
        search(similarity, x, counts[i], MATRIX_AT(y, N, D, 0), 1, true, &right);
        for (int threads = 1; threads <= 2; threads++) {
            search(similarity, x, counts[i], PACKED(gallery), threads, false, &found);
            bool same = memcmp(right.values, found.values, sizeof found.values) == 0 &&
                        memcmp(right.indices, found.indices, sizeof found.indices) == 0;
            if (!same)
                fail_msg("data %d, similarity %d, %zu rows, %d threads", (int)data, (int)similarity,
                         counts[i], threads);
            if (threads == 1)
                check_work(data, similarity, counts[i], &found.work);
        }
    }
    mmk_gallery_free(gallery);
    free(x);
    free(y);
}

static void search_all(void)
{
    for (int data = 0; data < DATA_COUNT; data++)
        for (int s = 0; s < MMK_SIMILARITY_COUNT; s++)
            if (the_row.isa != MMK_ISA_SCALAR || (data + s) % 5 == 0)
                check_searches((enum data)data, (enum mmk_similarity)s);
}

static void same_bits(void **state)
{
    (void)state;
    on_every_row(search_all);
}

/* Rows that gather nowhere have no level, nor have few rows, nor short ones. */
static void no_levels(void **state)
{
    (void)state;
    float *y = room((size_t)N * D, sizeof *y);
    for (size_t e = 0; e < (size_t)N * D; e++)
        y[e] = (float)fill_normal(9, e);
    float *near = rows_of(DATA_NEAR_FEW, true, N);
    const struct {
        const float *rows;
        size_t n, d;
    } cases[] = {{y, N, D}, {near, LEVELS_LEAST_ROWS - 1, D}, {near, N, LEVELS_LEAST_DEPTH - 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mmk_gallery *gallery;
        assert_int_equal(mmk_gallery_encode(MMK_DOT,
                                            MATRIX_AT(cases[i].rows, cases[i].n, cases[i].d, D),
                                            NULL, &gallery),
                         MMK_OK);
        assert_int_equal(gallery->levels.p, 0);
        mmk_gallery_free(gallery);
    }
    free(near);
    free(y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bound_holds),
        cmocka_unit_test(same_bits),
        cmocka_unit_test(no_levels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
