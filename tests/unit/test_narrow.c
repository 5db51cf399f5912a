/* test_narrow.c - matrices, searches and galleries of rows of f16 and bf16.
 * SPDX-License-Identifier: MIT
 *
 * Bit for bit what the same function gives of the rows as floats, for every two types, every
 * instruction set and extension, one thread and several, in the caller's workspace; each row ends
 * where a page begins that nobody may touch, or rows have gaps of NaN between them.
 */
#include "../../kernels/gallery/gallery.h"
#include "../../kernels/half/half.h"
#include "../../kernels/isa/isa.h"
#include "../../kernels/search/search.h"
#include "../../ref/cases.h"
#include "../../ref/half.h"
#include "matrix.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

enum data { DATA_NORMAL, DATA_SPECIAL, DATA_GATHERED, DATA_ALIKE };

struct rows {
    size_t n, d, ld;
    enum mmk_type type;
    void *data;    /* of the type, leading dimension ld, up to the end of a page */
    float *floats; /* n x d, what they are */
    void *memory;
    size_t bytes;
};

/* Gathered: near 6 directions, so that prefixes of codes pay. */
static float element(enum data data, int side, size_t i, size_t k)
{
    static const float special[] = {0,      -0.0f,  1e-7f,     -1e-6f,  INFINITY, 65504,
                                    1e-39f, -2e38f, -INFINITY, 6.1e-5f, NAN,      3};
    float g = (float)fill_normal((unsigned)(11 + side), i * 4099 + k);
    uint64_t h = fill_hash((unsigned)(21 + side), i * 4099 + k);
    if (data == DATA_SPECIAL)
        return i % 7 == 3 ? 0 : h % 97 == 1 ? special[h / 97 % (i % 5 == 2 ? 12 : 10)] : g;
    if (data == DATA_ALIKE)
        return (float)fill_normal(31, k) + 1e-3f * g;
    if (data != DATA_GATHERED)
        return g;
    float sum = 0.1f * g;
    for (size_t j = 0; j < 6; j++)
        sum += (float)fill_normal((unsigned)(41 + side), i * 6 + j) *
               (float)fill_normal(51, j * 4099 + k);
    return sum;
}

static void make_rows(struct rows *rows, enum data data, int side, enum mmk_type type, size_t n,
                      size_t d, size_t gap)
{
    size_t size = type == MMK_F32 ? sizeof(float) : sizeof(uint16_t);
    size_t page = (size_t)sysconf(_SC_PAGESIZE), ld = d + gap;
    size_t bytes = n * ld * size, whole = (bytes + page - 1) / page * page;
    *rows = (struct rows){.n = n, .d = d, .ld = ld, .type = type, .bytes = whole + page};
    rows->memory =
        mmap(NULL, rows->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(rows->memory, MAP_FAILED);
    assert_int_equal(mprotect((char *)rows->memory + whole, page, PROT_NONE), 0);
    memset(rows->memory, 0xff, whole);
    rows->data = (char *)rows->memory + whole - (bytes - gap * size);
    rows->floats = malloc((n * d + 1) * sizeof *rows->floats);
    assert_non_null(rows->floats);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < d; k++) {
            float v = element(data, side, i, k);
            if (type == MMK_F32) {
                ((float *)rows->data)[i * ld + k] = v;
            } else {
                uint16_t half = type == MMK_F16 ? half_to_f16(v) : half_to_bf16(v);
                ((uint16_t *)rows->data)[i * ld + k] = half;
                v = type == MMK_F16 ? half_from_f16(half) : half_from_bf16(half);
            }
            rows->floats[i * d + k] = v;
        }
}

static void free_rows(struct rows *rows)
{
    assert_int_equal(munmap(rows->memory, rows->bytes), 0);
    free(rows->floats);
}

static struct mmk_matrix as_they_are(const struct rows *rows)
{
    return (struct mmk_matrix){.data = rows->data,
                               .rows = rows->n,
                               .columns = rows->d,
                               .leading_dimension = rows->ld,
                               .type = rows->type};
}

static struct mmk_matrix floats_of_rows(const struct rows *rows)
{
    return (struct mmk_matrix){.data = rows->floats, .rows = rows->n, .columns = rows->d};
}

/* ---- One call of each kind ------------------------------------------------------------------- */

/* Results of a matrix or of a search, in one block. */
struct results {
    size_t bytes;
    char *block;
};

enum { ASKED = 7 };

enum kind { KIND_MATRIX, KIND_SEARCH, KIND_BOTH, KIND_WITHOUT_CODES, KIND_COUNT };

static enum mmk_status call(enum kind kind, enum mmk_similarity similarity,
                            const struct mmk_matrix *x, const struct mmk_matrix *y, size_t n,
                            struct results *out, const struct mmk_options *options)
{
    size_t m = x->rows;
    if (kind == KIND_MATRIX)
        return mmk_similarity_matrix(similarity, x, y, MATRIX_OUT_AT(out->block, m, n, 0), options);
    float *values = (float *)out->block;
    uint32_t *indices = (uint32_t *)(values + (m + n) * ASKED);
    const struct mmk_search_problem problem = {
        .x = x, .y = y, .similarity = similarity, .without_codes = kind == KIND_WITHOUT_CODES};
    const struct mmk_search_results results = {
        .for_x = TOPK(ASKED, values, indices),
        .for_y = kind != KIND_BOTH ? NULL : TOPK(ASKED, values + m * ASKED, indices + m * ASKED)};
    return mmk_search(&problem, &results, options);
}

static struct results room(enum kind kind, size_t m, size_t n)
{
    struct results out = {.bytes = kind == KIND_MATRIX ? m * n * sizeof(float)
                                                       : (m + n) * ASKED * 2 * sizeof(float)};
    out.block = malloc(out.bytes + 1);
    assert_non_null(out.block);
    memset(out.block, 0xa5, out.bytes);
    return out;
}

/* In a workspace of just what is asked for, behind which nothing is written. */
static void call_in_workspace(enum kind kind, enum mmk_similarity similarity,
                              const struct mmk_matrix *x, const struct mmk_matrix *y, size_t n,
                              struct results *out, int threads, bool all)
{
    enum { GUARD = 256 };
    struct mmk_workspace_bytes bytes;
    assert_int_equal(call(kind, similarity, x, y, n, out,
                          &(struct mmk_options){.threads = threads, .query = &bytes}),
                     MMK_OK);
    struct mmk_matrix x_shape = *x, y_shape = *y;
    struct mmk_workspace_bytes of_shapes;
    x_shape.data = y_shape.data = NULL; /* which a query does not need */
    assert_int_equal(call(kind, similarity, &x_shape, &y_shape, n, out,
                          &(struct mmk_options){.threads = threads, .query = &of_shapes}),
                     MMK_OK);
    assert_memory_equal(&bytes, &of_shapes, sizeof bytes);
    size_t size = all ? bytes.all : bytes.least;
    unsigned char *workspace = malloc(size + GUARD + 1);
    assert_non_null(workspace);
    memset(workspace + 1 + size, 0x5a, GUARD);
    assert_int_equal(call(kind, similarity, x, y, n, out,
                          &(struct mmk_options){.threads = threads,
                                                .workspace = size != 0 ? workspace + 1 : NULL,
                                                .workspace_bytes = size}),
                     MMK_OK);
    for (size_t i = 0; i < GUARD; i++)
        assert_int_equal(workspace[1 + size + i], 0x5a);
    free(workspace);
}

struct problem {
    size_t m, n, d;
    enum data data;
};

static void compare(const struct isa_row *row, const char *what, const struct problem *shape,
                    enum mmk_similarity similarity, const struct rows *x, const struct rows *y,
                    const struct results *got, const struct results *right)
{
    if (memcmp(got->block, right->block, right->bytes) != 0)
        fail_msg("%s:%s, %s, %zu x %zu x %zu, data %d, similarity %d, types %d and %d", row->name,
                 row->extension, what, shape->m, shape->n, shape->d, (int)shape->data,
                 (int)similarity, (int)x->type, (int)y->type);
}

/* Most pairs are ruled out by codes, and of gathered rows by prefixes of them. */
static void codes_decide(const struct isa_row *row, const struct problem *shape,
                         enum mmk_similarity similarity, const struct mmk_matrix *x,
                         const struct mmk_gallery *coded)
{
    struct results out = room(KIND_SEARCH, shape->m, shape->n);
    struct mmk_search_work work;
    assert_int_equal(
        mmk_search(
            &(struct mmk_search_problem){.x = x, .y = PACKED(coded), .similarity = similarity},
            &(struct mmk_search_results){
                .for_x = TOPK(ASKED, (float *)out.block, (uint32_t *)out.block + shape->m * ASKED),
                .work = &work},
            &(struct mmk_options){.threads = 1}),
        MMK_OK);
    free(out.block);
    uint64_t all = (uint64_t)shape->m * shape->n;
    bool decided = work.ruled_out_by_prefix + work.ruled_out_by_codes > all / 2;
    if (!row->filters || shape->n < LEVELS_LEAST_ROWS)
        decided = work.ruled_out_by_prefix + work.ruled_out_by_codes == 0;
    else if (shape->data == DATA_GATHERED)
        decided = decided && work.ruled_out_by_prefix > all / 2;
    if (!decided)
        fail_msg("%s:%s, %zu x %zu x %zu: %llu pairs by prefixes, %llu by codes", row->name,
                 row->extension, shape->m, shape->n, shape->d,
                 (unsigned long long)work.ruled_out_by_prefix,
                 (unsigned long long)work.ruled_out_by_codes);
}

static void check(const struct isa_row *row, const struct problem *shape,
                  enum mmk_similarity similarity, enum mmk_type x_type, enum mmk_type y_type)
{
    static const char *const names[] = {"matrix", "search", "search both ways", "without codes"};
    struct rows x, y;
    make_rows(&x, shape->data, 0, x_type, shape->m, shape->d, shape->n % 3);
    make_rows(&y, shape->data, 1, y_type, shape->n, shape->d, shape->m % 2);
    const struct mmk_matrix xs = as_they_are(&x), ys = as_they_are(&y);
    const struct mmk_matrix x_floats = floats_of_rows(&x), y_floats = floats_of_rows(&y);
    struct mmk_gallery *packed, *coded;
    assert_int_equal(
        mmk_gallery_pack(similarity, &ys, &(struct mmk_options){.threads = 2}, &packed), MMK_OK);
    assert_int_equal(
        mmk_gallery_encode(similarity, &ys, &(struct mmk_options){.threads = 2}, &coded), MMK_OK);
    codes_decide(row, shape, similarity, &xs, coded);
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        if (kind == KIND_WITHOUT_CODES && !row->filters)
            continue;
        struct results right = room((enum kind)kind, shape->m, shape->n);
        struct results got = room((enum kind)kind, shape->m, shape->n);
        assert_int_equal(call((enum kind)kind, similarity, &x_floats, &y_floats, shape->n, &right,
                              &(struct mmk_options){.threads = 1}),
                         MMK_OK);
        call_in_workspace((enum kind)kind, similarity, &xs, &ys, shape->n, &got, 1, false);
        compare(row, names[kind], shape, similarity, &x, &y, &got, &right);
        call_in_workspace((enum kind)kind, similarity, &xs, &ys, shape->n, &got, 3, true);
        compare(row, names[kind], shape, similarity, &x, &y, &got, &right);
        const struct mmk_gallery *const galleries[] = {packed, coded};
        for (size_t g = 0; g < 2; g++) {
            memset(got.block, 0xa5, got.bytes);
            assert_int_equal(call((enum kind)kind, similarity, &xs, PACKED(galleries[g]), shape->n,
                                  &got, &(struct mmk_options){.threads = 1 + (int)g}),
                             MMK_OK);
            compare(row, g == 0 ? "packed" : "coded", shape, similarity, &x, &y, &got, &right);
        }
        free(right.block);
        free(got.block);
    }
    mmk_gallery_free(packed);
    mmk_gallery_free(coded);
    free_rows(&x);
    free_rows(&y);
}

/* ---- All ------------------------------------------------------------------------------------- */

static void on_every_row(void (*test)(const struct isa_row *row))
{
    static const char *const names[] = {"scalar",      "avx2:base", "avx2:vnni",   "avx512:base",
                                        "avx512:vnni", "neon:base", "neon:dotprod"};
    int tried = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const struct isa_row *row;
        if (mmk_isa_use(names[i]) != MMK_OK)
            continue;
        assert_int_equal(isa_current(&row), MMK_OK);
        test(row);
        tried++;
    }
    assert_true(tried > 0);
    assert_int_equal(mmk_isa_use(NULL), MMK_OK);
}

static const enum mmk_type types[] = {MMK_F32, MMK_F16, MMK_BF16};

/* Few queries; blocks of rows and of columns; rows longer than what is packed at a time. */
static void every_two_types(const struct isa_row *row)
{
    static const struct problem shapes[] = {
        {1, 70, 13, DATA_NORMAL},     {2, 65, 33, DATA_SPECIAL},  {5, 1000, 65, DATA_NORMAL},
        {8, 300, 17, DATA_SPECIAL},   {9, 97, 0, DATA_NORMAL},    {86, 700, 18, DATA_ALIKE},
        {90, 1400, 40, DATA_SPECIAL}, {7, 130, 801, DATA_NORMAL}, {13, 40, 1560, DATA_SPECIAL},
        {4300, 33, 4, DATA_NORMAL}, /* more rows of X than are packed at a time */
    };
    size_t turn = 0;
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++)
        for (int similarity = 0; similarity < MMK_SIMILARITY_COUNT; similarity++)
            for (size_t pair = 1; pair < 9; pair++)
                if (turn++ % (row->isa == MMK_ISA_SCALAR ? 11 : 5) == 0)
                    check(row, &shapes[s], (enum mmk_similarity)similarity, types[pair / 3],
                          types[pair % 3]);
}

/* Galleries so long that searches go through codes, made in the call or before, with directions
 * and without. */
static void through_codes(const struct isa_row *row)
{
    static const struct problem shapes[] = {{70, 16500, 128, DATA_GATHERED},
                                            {1, 16400, 130, DATA_GATHERED},
                                            {66, 16390, 257, DATA_NORMAL}};
    if (!row->filters)
        return;
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        size_t turn = s + (row->isa == MMK_ISA_AVX2);
        check(row, &shapes[s], (enum mmk_similarity)(turn % 3), types[turn % 3],
              types[1 + turn % 2]);
    }
}

static void as_floats_are(void **state)
{
    (void)state;
    on_every_row(every_two_types);
}

static void as_floats_are_through_codes(void **state)
{
    (void)state;
    on_every_row(through_codes);
}

/* One or two rows of X beside rows whose squares overflow: each pair is done from its rows, in
 * memory of the worker's own. */
static void on_several_threads(const struct isa_row *row)
{
    enum { M = 2, N = 6000, D = 128 };
    uint16_t *x = malloc(M * D * sizeof *x), *y = malloc((size_t)N * D * sizeof *y);
    float *one = malloc(M * N * sizeof *one), *many = malloc(M * N * sizeof *many);
    assert_true(x != NULL && y != NULL && one != NULL && many != NULL);
    for (size_t e = 0; e < (size_t)(M + N) * D; e++)
        *(e < M * D ? &x[e] : &y[e - M * D]) =
            half_to_bf16(ldexpf((float)fill_normal(61, e), 62 + (int)(e % 3)));
    const struct mmk_matrix xs = {.data = x, .rows = M, .columns = D, .type = MMK_BF16};
    const struct mmk_matrix ys = {.data = y, .rows = N, .columns = D, .type = MMK_BF16};
    for (int round = 0; round < 4; round++) {
        const struct mmk_options options = {.threads = round == 0 ? 1 : 3};
        assert_int_equal(mmk_similarity_matrix(MMK_NEG_SQ_L2, &xs, &ys,
                                               MATRIX_OUT_AT(round == 0 ? one : many, M, N, 0),
                                               &options),
                         MMK_OK);
        if (round > 0 && memcmp(one, many, M * N * sizeof *one) != 0)
            fail_msg("%s: three threads and one differ", row->name);
    }
    free(x);
    free(y);
    free(one);
    free(many);
}

static void rows_that_overflow(void **state)
{
    (void)state;
    on_every_row(on_several_threads);
}

/* All 65,536 of each, at every length of a tail; NaN is a NaN, of any payload. */
static void widened(const struct isa_row *row)
{
    enum { COUNT = 1 << 16, MOST = 70 };
    uint16_t *halves = malloc(COUNT * sizeof *halves);
    float *floats = malloc((COUNT + 1) * sizeof *floats);
    assert_non_null(halves);
    assert_non_null(floats);
    for (size_t i = 0; i < COUNT; i++)
        halves[i] = (uint16_t)i;
    for (size_t type = 1; type < 3; type++) {
        half_widen *widen = half_widen_of(row->half, types[type]);
        for (size_t first = 0, n = 0; first < COUNT; first += n, n = (n + 1) % MOST) {
            n = n < COUNT - first ? n : COUNT - first;
            floats[n] = 5;
            widen(n, halves + first, floats);
            assert_true(floats[n] == 5);
            for (size_t k = 0; k < n; k++) {
                uint16_t half = halves[first + k];
                float right = types[type] == MMK_F16 ? half_from_f16(half) : half_from_bf16(half);
                if (right != right ? floats[k] == floats[k]
                                   : half_bits_of(floats[k]) != half_bits_of(right))
                    fail_msg("%s: type %d, %04x becomes %08x", row->name, (int)types[type], half,
                             half_bits_of(floats[k]));
            }
        }
    }
    assert_null(half_widen_of(row->half, MMK_F32));
    free(halves);
    free(floats);
}

static void every_half(void **state)
{
    (void)state;
    on_every_row(widened);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_half),
        cmocka_unit_test(as_floats_are),
        cmocka_unit_test(rows_that_overflow),
        cmocka_unit_test(as_floats_are_through_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
