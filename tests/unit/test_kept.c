/* test_kept.c - exponentials that wait in gradients and sums are read before these are written.
 * SPDX-License-Identifier: MIT
 *
 * First where they lie, against the order in which infonce_run_stage walks over the blocks, for
 * many shapes; then whole calls, against calls whose workspace has room for all of them.
 */
#include "../../kernels/infonce/blocks.h"
#include "../../kernels/infonce/gradient.h"
#include "../../kernels/infonce/kept.h"
#include "noise.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- Where blocks lie ------------------------------------------------------------------------ */

/* When something happens: the stages of the walk one after the other. */
struct walk {
    size_t columns, supers;
    size_t super_row[1000]; /* the first of each, and the end */
};

static struct walk walk_over(size_t m, size_t n)
{
    struct walk w = {.columns = size_blocks(n, TILE_BLOCK_COLS), .supers = 0};
    for (size_t held = 0, held_rows; held < m; held += held_rows) {
        held_rows = stretch_rows(m, HELD_ROWS, held);
        for (size_t row = 0, rows; row < held_rows; row += rows) {
            rows = stretch_rows(held_rows, GRADIENT_ROWS, row);
            assert_true(w.supers < 999);
            w.super_row[w.supers++] = held + row;
        }
    }
    w.super_row[w.supers] = m;
    return w;
}

static size_t super_of(const struct walk *w, size_t row)
{
    size_t super = 0;
    while (row >= w->super_row[super + 1])
        super++;
    return super;
}

enum { ROWS_TASKS, COLUMNS_TASKS };

static size_t stage(const struct walk *w, size_t super, size_t column, size_t tasks)
{
    return (super * w->columns + column) * 2 + tasks;
}

/* Memory that is written row by row later. */
struct later {
    const char *begin, *end;
    size_t row_bytes, rows;
    enum { SUMS_X, SUMS_Y, DX, DY } what;
};

/* When a row is first written. */
static size_t first_written(const struct walk *w, const struct later *l, size_t row)
{
    switch (l->what) {
    case SUMS_X:
        return stage(w, 0, 0, ROWS_TASKS);
    case SUMS_Y:
        return stage(w, 0, row / TILE_BLOCK_COLS, COLUMNS_TASKS);
    case DX:
        return stage(w, super_of(w, row), w->columns - 1, ROWS_TASKS);
    default:
        return stage(w, w->supers - 1, row / TILE_BLOCK_COLS, COLUMNS_TASKS);
    }
}

/* Whether the block of rows may lie in [at, at + bytes). */
static bool is_read_in_time(const struct walk *w, const struct later *l, const char *at,
                            size_t bytes, size_t row, size_t column)
{
    size_t read = stage(w, super_of(w, row), column, ROWS_TASKS);
    size_t first = (size_t)(at - l->begin) / l->row_bytes;
    size_t last = (size_t)(at - l->begin + (ptrdiff_t)bytes - 1) / l->row_bytes;
    for (size_t r = first; r <= last; r++) {
        size_t written = first_written(w, l, r);
        bool by_itself = l->what == SUMS_X && r / TILE_BLOCK_ROWS == row / TILE_BLOCK_ROWS;
        if (written < read || (written == read && !by_itself))
            return false;
    }
    return true;
}

struct place {
    const char *at;
    size_t bytes;
};

static int by_address(const void *a, const void *b)
{
    const char *x = ((const struct place *)a)->at, *y = ((const struct place *)b)->at;
    return x < y ? -1 : x > y;
}

/* What a problem keeps, of the blocks that the workspace has no room for: how many, all right. */
static size_t check_places(size_t m, size_t own, size_t n, size_t d, size_t spare_rows, bool gaps,
                           size_t shift)
{
    const struct isa_row *isa = isa_builtin_row(MMK_ISA_SCALAR);
    struct infonce p = {.isa = isa, .m = m, .own = own, .n = n, .d = d, .threads = 3};
    const struct walk w = walk_over(m, n);
    /* Addresses alone; nothing is there. */
    struct scratch scratch = {.base = (void *)((uintptr_t)1 << 44), .used = 64};
    double *sums_x = (double *)((uintptr_t)1 << 45), *sums_y = (double *)((uintptr_t)1 << 46);
    struct gradients out = {
        .x = {.data = (float *)((uintptr_t)1 << 43) + shift, .ld = d + gaps},
        .y = {.data = (float *)((uintptr_t)1 << 42) + 3 * shift, .ld = d + gaps}};
    p.wanted.rows = p.wanted.columns = true;
    if (n > SUM_BLOCK)
        p.products.sums_x = sums_x;
    if (m > SUM_BLOCK)
        p.products.sums_y = sums_y;
    struct kept_column *column = calloc(w.columns, sizeof *column);
    assert_non_null(column);
    memset(column, 0x55, w.columns * sizeof *column);
    p.kept.column = column;
    size_t row_bytes = w.columns * KEPT_BLOCK_FLOATS * sizeof(float);
    infonce_keep(&p, &scratch, spare_rows * row_bytes + row_bytes / 2, &out);
    assert_int_equal(p.kept.row_blocks, size_min(spare_rows, size_blocks(m, TILE_BLOCK_ROWS)));

    size_t sum_bytes = infonce_sums_at(&p, 1) * sizeof(double), kept = 0;
    const size_t super_rows = size_round_up(w.super_row[1], TILE_BLOCK_ROWS);
    const struct later later[] = {
        {(const char *)sums_x, (const char *)sums_x + super_rows * sum_bytes, sum_bytes, super_rows,
         SUMS_X},
        {(const char *)sums_y,
         (const char *)sums_y + (m > GRADIENT_ROWS ? n : 3 * TILE_BLOCK_ROWS) * sum_bytes,
         sum_bytes, n, SUMS_Y},
        {(const char *)out.x.data, (const char *)(out.x.data + m * out.x.ld),
         out.x.ld * sizeof(float), m, DX},
        {(const char *)out.y.data, (const char *)(out.y.data + own * out.y.ld),
         out.y.ld * sizeof(float), own, DY},
    };
    size_t blocks = size_blocks(m, TILE_BLOCK_ROWS);
    struct place *places = calloc(blocks * w.columns, sizeof *places);
    assert_non_null(places);
    for (size_t i = 0; i < blocks; i++)
        for (size_t c = 0; c < w.columns; c++) {
            size_t cols = size_min(n - c * TILE_BLOCK_COLS, TILE_BLOCK_COLS);
            size_t bytes = TILE_BLOCK_ROWS * size_round_up(cols, INFONCE_STRIP) * sizeof(float);
            const char *at =
                (const char *)infonce_kept_block(&p, i * TILE_BLOCK_ROWS, c * TILE_BLOCK_COLS);
            if (i < spare_rows) {
                assert_true(at >= (const char *)scratch.base + scratch.used);
                continue;
            }
            if (at == NULL)
                continue;
            assert_int_equal((uintptr_t)at % 64, 0);
            const struct later *in = later;
            while (in < later + 4 && !(at >= in->begin && at + bytes <= in->end))
                in++;
            assert_true(in < later + 4);
            assert_true(!gaps || in->what == SUMS_X || in->what == SUMS_Y);
            assert_true(in->what != SUMS_Y || m > GRADIENT_ROWS);
            assert_true(is_read_in_time(&w, in, at, bytes, i * TILE_BLOCK_ROWS, c));
            places[kept++] = (struct place){at, bytes};
        }
    qsort(places, kept, sizeof *places, by_address);
    for (size_t i = 1; i < kept; i++)
        assert_true(places[i - 1].at + places[i - 1].bytes <= places[i].at);
    free(places);
    infonce_keep_nothing(&p);
    assert_null(infonce_kept_block(&p, 0, 0));
    free(column);
    return kept;
}

static void blocks_are_read_in_time(void **state)
{
    (void)state;
    static const size_t rows[] = {1, 83, 85, 672, 700, 2688, 2689, 2773, 4096, 4704, 4705, 9500};
    static const size_t depth[] = {1, 40, 128, 335, 336, 512, 900, 4096};
    size_t count = sizeof rows / sizeof *rows, depths = sizeof depth / sizeof *depth, kept = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++)
            for (size_t k = 0; k < depths; k++) {
                size_t spare = (i * 7 + j * 3 + k) % 5 * ((j + k) % 3 * 11 + 1);
                size_t blocks = size_blocks(rows[i], TILE_BLOCK_ROWS);
                size_t own = rows[j] - (i + k) % 3 * (rows[j] / 5);
                spare = spare > blocks ? blocks : spare;
                kept += check_places(rows[i], own, rows[j], depth[k], spare, (i + j + k) % 4 == 3,
                                     (j + k) % 17);
            }
    print_message("%zu blocks lie in gradients and sums\n", kept);
}

/* Nearly all of them, where there is room; the shares that README and mmk.h have. */
static void as_many_as_there_is_room_for(void **state)
{
    (void)state;
    assert_int_equal(check_places(256, 256, 256, 512, 0, false, 0), 4);     /* of 4 */
    assert_int_equal(check_places(1024, 1024, 1024, 512, 0, false, 0), 19); /* of 26 */
    assert_true(check_places(4096, 4096, 4096, 512, 0, false, 0) >= 7 * 49 / 2);
    assert_int_equal(check_places(1024, 1024, 1024, 512, 13, false, 0), 0); /* no need */
}

/* ---- Calls ----------------------------------------------------------------------------------- */

struct shape {
    size_t m, own, negatives, d;
    enum mmk_similarity similarity;
    bool widest_alone; /* much work */
};

enum { PAST = 16 };
#define CANARY 77.5f

/* Room for a gradient and floats around it that stay as they are. */
struct gradient {
    float *memory, *first;
    struct mmk_matrix_out out;
};

static struct gradient gradient(size_t rows, size_t d, size_t gap, size_t shift)
{
    size_t floats = rows * (d + gap) + 2 * PAST + shift;
    struct gradient g = {.memory = malloc(floats * sizeof(float)),
                         .out = {.rows = rows, .columns = d, .leading_dimension = d + gap}};
    assert_non_null(g.memory);
    for (size_t i = 0; i < floats; i++)
        g.memory[i] = CANARY;
    g.out.data = g.first = g.memory + PAST + shift;
    return g;
}

static void check_gradient(const struct gradient *g, const struct gradient *right, size_t shift)
{
    size_t d = g->out.columns, ld = g->out.leading_dimension;
    for (size_t r = 0; r < g->out.rows; r++) {
        assert_memory_equal(g->first + r * ld, right->first + r * right->out.leading_dimension,
                            d * sizeof(float));
        for (size_t k = d; k < ld; k++)
            assert_true(g->first[r * ld + k] == CANARY);
    }
    for (size_t i = 0; i < PAST + shift; i++)
        assert_true(g->memory[i] == CANARY);
    for (size_t i = 0; i < PAST; i++)
        assert_true(g->first[g->out.rows * ld + i] == CANARY);
}

struct results {
    float loss, dscale, *lse;
    struct gradient dx, dy, dnegatives;
};

static void call(const struct shape *s, const struct mmk_infonce_problem *problem, bool rows,
                 bool columns, bool scale, const struct mmk_options *options, struct results *r)
{
    const struct mmk_infonce_results wanted = {
        .loss = &r->loss,
        .lse_x = r->lse,
        .lse_y = r->lse + s->m,
        .dx = rows ? &r->dx.out : NULL,
        .dy = columns ? &r->dy.out : NULL,
        .dnegatives = columns && s->negatives > 0 ? &r->dnegatives.out : NULL,
        .dlogit_scale = scale ? &r->dscale : NULL,
    };
    /* one that needs no pairs, where there are fewer columns than rows */
    enum mmk_status (*loss)(const struct mmk_infonce_problem *, const struct mmk_infonce_results *,
                            const struct mmk_options *) =
        s->m > s->own ? mmk_uniformity : mmk_infonce;
    assert_int_equal(loss(problem, &wanted, options), MMK_OK);
}

static struct results results(const struct shape *s, size_t gap, size_t shift)
{
    struct results r = {.lse = calloc(s->m + s->own, sizeof(float))};
    assert_non_null(r.lse);
    r.dx = gradient(s->m, s->d, gap, shift);
    r.dy = gradient(s->own, s->d, gap, shift);
    r.dnegatives = gradient(s->negatives, s->d, gap, shift);
    return r;
}

static void release(struct results *r)
{
    free(r->lse);
    free(r->dx.memory);
    free(r->dy.memory);
    free(r->dnegatives.memory);
}

static void check_shape(const struct shape *s, bool widest)
{
    float *x = malloc(s->m * s->d * sizeof *x), *y = malloc(s->own * s->d * sizeof *y);
    float *z = malloc((s->negatives * s->d + 1) * sizeof *z);
    assert_true(x != NULL && y != NULL && z != NULL);
    uint64_t seed = 7;
    for (size_t i = 0; i < s->m * s->d; i++)
        x[i] = (float)noise_normal(&seed);
    for (size_t i = 0; i < s->own * s->d; i++)
        y[i] = (float)noise_normal(&seed);
    for (size_t i = 0; i < s->negatives * s->d; i++)
        z[i] = (float)noise_normal(&seed);
    const struct mmk_matrix rows = {.data = x, .rows = s->m, .columns = s->d},
                            columns = {.data = y, .rows = s->own, .columns = s->d},
                            negatives = {.data = z, .rows = s->negatives, .columns = s->d};
    const struct mmk_infonce_problem problem = {.x = &rows,
                                                .y = &columns,
                                                .negatives = s->negatives > 0 ? &negatives : NULL,
                                                .similarity = s->similarity,
                                                .logit_scale = 0.3f};
    for (int asked = widest ? 1 : 3; asked < 4; asked++) {
        bool of_x = asked & 1, of_y = asked & 2;
        bool scale = asked == 3 && s->similarity == MMK_NEG_SQ_L2;
        struct results right = results(s, 3, 0); /* with gaps, and all the memory there can be */
        struct mmk_workspace_bytes bytes;
        call(s, &problem, of_x, of_y, scale, &(struct mmk_options){.threads = 1, .query = &bytes},
             &right);
        size_t more = bytes.all - bytes.least, blocks = size_blocks(s->m, TILE_BLOCK_ROWS);
        void *memory = malloc(bytes.all + 4096 * 64);
        assert_non_null(memory);
        call(s, &problem, of_x, of_y, scale,
             &(struct mmk_options){.threads = 1, .workspace = memory, .workspace_bytes = bytes.all},
             &right);
        for (int way = 0; way < (widest ? 4 : 2); way++) {
            const int threads[] = {1, 3, 1, 2};
            const size_t gap[] = {0, 0, 1, 0}, shift[] = {0, 1, 0, 5}, in_rows[] = {0, 0, 0, 2};
            struct results r = results(s, gap[way], shift[way]);
            struct mmk_options options = {.threads = threads[way], .query = &bytes};
            call(s, &problem, of_x, of_y, scale, &options, &r);
            options.query = NULL;
            options.workspace = memory;
            options.workspace_bytes = bytes.least + in_rows[way] * (more / blocks);
            void *enough = realloc(memory, options.workspace_bytes);
            assert_non_null(enough);
            options.workspace = memory = enough;
            call(s, &problem, of_x, of_y, scale, &options, &r);
            assert_memory_equal(&r.loss, &right.loss, sizeof r.loss);
            assert_memory_equal(r.lse, right.lse, (s->m + s->own) * sizeof *r.lse);
            if (scale)
                assert_memory_equal(&r.dscale, &right.dscale, sizeof r.dscale);
            if (of_x)
                check_gradient(&r.dx, &right.dx, shift[way]);
            if (of_y)
                check_gradient(&r.dy, &right.dy, shift[way]);
            if (of_y && s->negatives > 0)
                check_gradient(&r.dnegatives, &right.dnegatives, shift[way]);
            release(&r);
        }
        free(memory);
        release(&right);
    }
    free(x);
    free(y);
    free(z);
}

static void calls_have_the_same_bits(void **state)
{
    (void)state;
    static const struct shape shapes[] = {
        {250, 500, 0, 256, MMK_COSINE, false},    /* one column, a part in dY */
        {100, 700, 0, 352, MMK_DOT, false},       /* sums of dX */
        {175, 1400, 0, 200, MMK_NEG_SQ_L2, true}, /* three columns */
        {200, 650, 140, 352, MMK_COSINE, true},   /* dY ends within the columns */
        {2773, 1400, 0, 340, MMK_COSINE, true},   /* two super-blocks, all there is */
        {4800, 1400, 0, 24, MMK_DOT, true},       /* three */
    };
    enum mmk_isa widest = MMK_ISA_SCALAR;
    for (unsigned isa = 0; isa < MMK_ISA_COUNT; isa++)
        if (mmk_isa_usable((enum mmk_isa)isa) == MMK_OK)
            widest = (enum mmk_isa)isa;
    for (unsigned isa = 0; isa < MMK_ISA_COUNT; isa++) {
        if (mmk_isa_use(mmk_isa_name((enum mmk_isa)isa)) != MMK_OK)
            continue;
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
            if (isa == (unsigned)widest || !shapes[i].widest_alone)
                check_shape(&shapes[i], isa == (unsigned)widest);
    }
    assert_int_equal(mmk_isa_use(NULL), MMK_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_read_in_time),
        cmocka_unit_test(as_many_as_there_is_room_for),
        cmocka_unit_test(calls_have_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
