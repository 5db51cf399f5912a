/* search.c - mmk_search: the products, and what is kept of them.
 * SPDX-License-Identifier: MIT
 *
 * A search is bound by the FMAs of the products while k is small. Candidates cost their share
 * beside them: the more, the greater k, the smaller d, and in both directions more than in one. A
 * few queries are bound by reading the gallery from memory.
 *
 * The score matrix never exists. X is packed once, as many rows of it as SEARCH_SUPER_ROWS and the
 * candidates' memory allow; the gallery goes by in chunks of columns, which workers take as they
 * come free. Within a chunk a block of A stays in L2 while B comes through, strip by strip; each
 * strip is compared with the thresholds of its rows, and of its columns where both directions are
 * wanted, while it is in L1. The next chunk's rows come from memory during the products.
 *
 * The few scores that pass are appended to that row's candidates; when these are full, a bisection
 * over their bits finds a new threshold, and they are cut back (topk_stream_refine).
 *
 * Many queries have most of their scores ruled out by codes of 8 bits (filter.h): a quarter of the
 * instructions, and of what is left a product across lanes, then the chain. Where a gallery's rows
 * gather near few directions, shorter codes of those come first (gallery/levels.h). The first
 * strips of a gallery, before thresholds are worth something, and those that codes do not decide
 * are done as without. At 1000 x 100,000 x 512 the products of codes take two thirds of the time,
 * making them an eighth, what passes them a seventh (k = 10, AVX-512 with VNNI, Zen 5).
 *
 * A few queries are screened (screen.h), and their search is bound by reading the gallery from
 * memory: its rows are taken as they lie, all queries in one pass, and few scores are made. At
 * 100,000 x 512 eight queries take twice as long as one (AVX-512, Zen 5). Where the screen decides
 * nothing, one or two take rows as they lie, transposed in registers (tile_multiply_row); more have
 * them packed.
 *
 * Each worker has candidates of its own for every row of X; in the end those of all workers are
 * joined row by row. A column's candidates need only last as long as its chunk, since one worker
 * takes all rows of X through it. What is selected is the first k of a total order, so that neither
 * chunks nor workers show in the result.
 */
#include "worker.h"

#include "../call/args.h"
#include "../call/fp_state.h"
#include "../call/threads.h"

#include <string.h>

enum { CHUNKS_PER_WORKER = 4 }; /* at least, for an even end */

/* ---- Batches --------------------------------------------------------------------------------- */

/* Rows [row, row + rows) of X as they are multiplied with, and their squared norms; each worker
 * does a part. */
static void hold_batch(const struct search *p, size_t row, size_t rows, size_t id, size_t team)
{
    const struct tile_ops *tile = p->isa->tile;
    const struct tile_operand *x = &p->workers[id].x;
    bool norms = p->similarity == MMK_NEG_SQ_L2;
    p->workers[id].x = tile_rows_from(&p->x, row, rows, p->wide, p->d);
    p->workers[id].y = tile_operand_for(&p->y, id, p->d);
    if (p->x.widen != NULL) {
        tile_widen(&p->x, row, rows, p->d, p->wide, id, team);
        threads_wait(team);
    }
    for (size_t r = id; p->screened && r < rows; r += team) {
        float xx = 0;
        tile_hold_row(tile, p->d, x, r, p->held + r * p->d, norms ? &xx : NULL);
        screen_hold_row(&p->screen, r, tile_operand_row(x, r), xx);
    }
    if (p->filtered)
        filter_hold_rows(&p->filter, x, norms ? p->xx : NULL, &p->workers[id].coding, id, team);
    if (!p->unpacked) {
        tile_pack_columns(tile, x, 0, rows, p->d, p->rows_a, id, team);
        if (norms && !p->filtered)
            tile_row_squares(tile, x, 0, rows, p->d, p->xx, id, team);
        return;
    }
    for (size_t r = id; r < rows; r += team)
        tile_hold_row(tile, p->d, x, r, p->rows_a + r * p->d,
                      norms && !p->filtered ? &p->xx[r] : NULL);
}

/* A worker's part in a batch of rows. */
struct batch {
    const struct search *p;
    struct worker *w;
    size_t row, rows;
};

static void chunk_task(void *context, size_t chunk)
{
    const struct batch *b = context;
    search_chunk(b->p, b->w, b->rows, chunk * b->p->chunk);
}

/* The candidates of all workers for one row of the batch become its result. */
static void finish_row(const struct batch *b, size_t r)
{
    const struct search *p = b->p;
    struct worker *w = b->w;
    const struct side *side = &p->row_side;
    struct topk_stream *stream = &p->workers[0].rows.streams[r];
    for (int other = 1; other < p->threads; other++) {
        struct topk_stream *out = &w->joined[other % 2];
        topk_stream_join(p->isa->topk, out, stream, &p->workers[other].rows.streams[r]);
        stream = out;
    }
    size_t i = b->row + r;
    topk_stream_finish(p->isa->topk, stream, &w->scratch,
                       side->values != NULL ? side->values + i * side->ldout : NULL,
                       side->indices != NULL ? side->indices + i * side->ldout : NULL);
}

/* Rows of a block: results of several threads should not share cache lines. */
static void finish_task(void *context, size_t block)
{
    const struct batch *b = context;
    size_t first = block * TILE_BLOCK_ROWS, end = size_min(first + TILE_BLOCK_ROWS, b->rows);
    for (size_t r = first; r < end; r++)
        finish_row(b, r);
}

static void take_part(void *search, size_t id, size_t team)
{
    const struct search *p = search;
    size_t m = p->x.rows, chunks = size_blocks(p->y.rows, p->chunk);
    for (size_t row = 0; row < m; row += p->batch) {
        struct batch b = {p, &p->workers[id], row, size_min(m - row, p->batch)};
        hold_batch(p, row, b.rows, id, team);
        /* A team may be smaller than it was asked to be: the candidates of all are looked at. */
        for (size_t other = id; other < (size_t)p->threads; other += team)
            if (p->row_side.k != 0) {
                candidates_reset(&p->workers[other].rows, &p->row_side, b.rows);
                memset(p->workers[other].open, 1, b.rows / TILE_BLOCK_ROWS + 1);
                memset(p->workers[other].unfiltered, 0, b.rows / TILE_BLOCK_ROWS + 1);
                memset(p->workers[other].unprefixed, 0, b.rows / TILE_BLOCK_ROWS + 1);
            }
        threads_wait(team);
        /* In order: a stream's candidates come in the order of their indices, of which the lower
         * wins where scores are equal. */
        threads_each(team, chunks, chunk_task, &b);
        for (size_t r = 0; search_skips(p) && r < b.rows; r++)
            search_take_passed(p, b.w, r);
        threads_wait(team);
        if (p->row_side.k == 0)
            continue;
        threads_each(team, size_blocks(b.rows, TILE_BLOCK_ROWS), finish_task, &b);
        threads_wait(team);
    }
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static void candidates_layout(struct candidates *c, const struct side *side, size_t count,
                              struct scratch *scratch)
{
    if (side->k == 0)
        return;
    c->stream_bytes = size_round_up(topk_stream_bytes(side->capacity), SCRATCH_ALIGNMENT);
    c->streams = scratch_take(scratch, count, sizeof *c->streams);
    c->at_least = scratch_take(scratch, size_round_up(count, SEARCH_STRIP), sizeof *c->at_least);
    c->memory = scratch_take(scratch, count, c->stream_bytes);
}

static void worker_layout(const struct search *p, struct worker *w, struct scratch *scratch)
{
    size_t k = size_max(p->row_side.k, p->col_side.k);
    if (p->unpacked) {
        w->yy = scratch_take(scratch, TILE_MAX_NR, sizeof(float));
    } else if (p->gallery == NULL) {
        w->packed_b = scratch_take(scratch, tile_panel_floats(p->part, p->d), sizeof(float));
        w->yy = scratch_take(scratch, p->part, sizeof(float));
    }
    if (p->similarity == MMK_NEG_SQ_L2)
        w->spare = scratch_take(scratch, 2 * p->d, sizeof(float));
    w->strip = scratch_take(scratch, STRIP_FLOATS, sizeof(float));
    candidates_layout(&w->rows, &p->row_side, p->batch, scratch);
    candidates_layout(&w->cols, &p->col_side, p->chunk, scratch);
    w->open = scratch_take(scratch, p->batch / TILE_BLOCK_ROWS + 1, sizeof *w->open);
    w->unfiltered = scratch_take(scratch, p->batch / TILE_BLOCK_ROWS + 1, sizeof *w->unfiltered);
    w->unprefixed = scratch_take(scratch, p->batch / TILE_BLOCK_ROWS + 1, sizeof *w->unprefixed);
    if (search_skips(p))
        w->passed = scratch_take(scratch, p->batch, sizeof *w->passed);
    if (p->screened)
        screen_sums_layout(&w->screened, p->batch, p->chunk, scratch);
    if (p->filtered) {
        size_t hits = TILE_BLOCK_ROWS * SEARCH_STRIP / FILTERED_FEW;
        w->hits = scratch_take(scratch, hits, sizeof *w->hits);
        coded_spare_layout(&w->coding, p->d, scratch);
        if (p->coded == NULL)
            coded_layout(&w->made, p->chunk, p->d, p->similarity == MMK_COSINE, NULL, scratch);
        if (search_levels(p) != NULL) {
            w->made = (struct coded_rows){0};
            w->made.right.codes = scratch_take(scratch, p->chunk, codes_quads(p->d) * 4);
            w->panelled = scratch_take(scratch, p->chunk / SEARCH_STRIP, sizeof *w->panelled);
        }
    }
    w->scratch_memory = scratch_take(scratch, 1, topk_scratch_bytes(k));
    if (p->threads > 1 && p->row_side.k != 0)
        for (int i = 0; i < 2; i++)
            w->joined_memory[i] =
                scratch_take(scratch, 1, topk_stream_bytes(2 * topk_refined(p->row_side.k)));
}

static void search_layout(struct search *p, struct scratch *scratch)
{
    if (p->x.widen != NULL)
        p->wide = scratch_take(scratch, p->batch, p->d * sizeof(float));
    p->y.window =
        scratch_take(scratch, tile_window_rows(&p->y, (size_t)p->threads), p->d * sizeof(float));
    p->rows_a = scratch_take(scratch, tile_packed_floats(p->batch, p->d), sizeof(float));
    p->xx = scratch_take(scratch, p->batch, sizeof(float));
    if (p->similarity == MMK_NEG_SQ_L2 && p->gallery == NULL)
        p->origin = scratch_take(scratch, p->d, sizeof(float));
    if (p->finds_origin)
        p->x.origin = p->y.origin = p->origin;
    if (p->filtered)
        filter_layout(&p->filter, p->batch, scratch);
    p->held = p->filtered ? p->filter.held : p->rows_a;
    if (p->screened) {
        p->held = scratch_take(scratch, p->batch * p->d, sizeof(float));
        p->screen.norm = scratch_take(scratch, p->batch, sizeof(float));
    }
    p->workers = scratch_take(scratch, (size_t)p->threads, sizeof *p->workers);
    for (int i = 0; i < p->threads; i++) {
        struct worker measured;
        worker_layout(p, scratch->base != NULL ? &p->workers[i] : &measured, scratch);
    }
}

static void workers_init(struct search *p)
{
    size_t k = size_max(p->row_side.k, p->col_side.k);
    for (int i = 0; i < p->threads; i++) {
        struct worker *w = &p->workers[i];
        topk_scratch_init(&w->scratch, k, w->scratch_memory);
        w->unscreened = w->hit_count = 0;
        w->work = (struct mmk_search_work){0};
        w->piece = SEARCH_STRIP;
        w->pieces_apart = UNSCREENED_LEAST;
        for (size_t r = 0; search_skips(p) && r < p->batch; r++)
            w->passed[r].count = 0;
        /* Filters look at whole rows of a strip, also where its tiles have not come. */
        memset(w->strip, 0, STRIP_FLOATS * sizeof *w->strip);
        if (p->threads > 1 && p->row_side.k != 0)
            for (int j = 0; j < 2; j++)
                topk_stream_init(&w->joined[j], p->row_side.k, 2 * topk_refined(p->row_side.k),
                                 w->joined_memory[j]);
    }
}

/* Whether rows of Y are screened. */
static bool is_screened(const struct search *p)
{
    return p->x.rows <= SEARCH_SCREENED_ROWS && p->gallery == NULL && p->col_side.k == 0 &&
           p->d <= SCREEN_MAX_COLUMNS;
}

/* Columns of so many bytes. */
static size_t cols_of(const struct search *p, size_t bytes)
{
    return bytes / sizeof(float) / size_max(p->d, 1);
}

/* How many columns are a chunk: enough for packing not to matter, or for two streams of rows to be
 * far apart, and few enough for all workers to have some to the end. */
static size_t chunk_cols(const struct search *p)
{
    size_t n = p->y.rows, cols = SEARCH_CHUNK_COLS;
    if (p->screened)
        cols = size_min(SEARCH_SCREENED_COLS, cols_of(p, SEARCH_SCREENED_BYTES));
    else if (p->x.rows <= TILE_BLOCK_ROWS)
        cols = size_min(cols, cols_of(p, SEARCH_SMALL_CHUNK_BYTES));
    if (p->threads > 1)
        cols = size_min(cols, n / ((size_t)p->threads * CHUNKS_PER_WORKER));
    if (p->filtered && p->filter.levels != NULL)
        cols = size_min(cols, SEARCH_CODED_CHUNK_BYTES / codes_row_bytes(p->d));
    if (p->col_side.k != 0)
        cols =
            size_min(cols, SEARCH_COLUMN_STREAMS_BYTES / topk_stream_bytes(p->col_side.capacity));
    return size_round_up(size_max(cols, 1), SEARCH_STRIP);
}

/* How many of them are packed at a time: all, but where most are not; for one block of A no more
 * than what stays in L2. */
static size_t part_cols(const struct search *p)
{
    if (!p->screened)
        return p->chunk;
    size_t cols = size_max(cols_of(p, SEARCH_SMALL_CHUNK_BYTES), 1);
    return size_min(p->chunk, size_round_up(cols, SEARCH_STRIP));
}

/* Whether codes pay: they save three quarters of the products, but for the first ones of each
 * worker, until its thresholds are worth something. To make them costs as much as is saved on a
 * part of the rows of Y: half of them with the fewest rows of X, the less the more there are. */
static bool is_filtered(const struct search *p)
{
    const double least = (double)FILTER_LEAST_ROWS * FILTER_FULL_DEPTH;
    double work = (double)p->x.rows * (double)size_min(p->d, FILTER_FULL_DEPTH);
    double cols = (double)(p->y.rows / (size_t)p->threads);
    if (p->coded == NULL)
        cols *= work >= least ? work / (work + least) : 0;
    return p->isa->filters && !p->without_codes && p->gallery == NULL && p->col_side.k == 0 &&
           p->d >= FILTER_LEAST_DEPTH && p->d <= CODES_MAX_COLUMNS && cols >= FILTER_LEAST_COLS &&
           cols >= (double)FILTER_COLS_A_RESULT * (double)p->row_side.k;
}

/* How many rows are a batch: all of them, where the columns' results are wanted too. */
static size_t batch_rows(const struct search *p)
{
    size_t m = p->x.rows;
    if (p->col_side.k != 0)
        return m;
    size_t bytes = topk_stream_bytes(p->row_side.capacity);
    size_t rows = size_max(SEARCH_STREAMS_BYTES / bytes, TILE_BLOCK_ROWS);
    size_t most =
        p->filtered && p->filter.levels != NULL ? SEARCH_PREFIXED_ROWS : SEARCH_SUPER_ROWS;
    return size_min(m, size_min(rows / TILE_BLOCK_ROWS * TILE_BLOCK_ROWS, most));
}

/* ---- Calls ----------------------------------------------------------------------------------- */

/* Leaves of a side what there is to do. */
static struct side side_of(const struct args_topk *out, size_t room)
{
    bool wanted = out->values != NULL || out->indices != NULL;
    return (struct side){.k = wanted ? out->found : 0,
                         .values = out->values,
                         .indices = out->indices,
                         .ldout = out->ld,
                         /* A stream is refined once for every k + room new candidates or so. */
                         .capacity = 2 * out->found + 2 * room};
}

static void sum_work(const struct search *p)
{
    *p->work = (struct mmk_search_work){0};
    for (int i = 0; i < p->threads; i++) {
        const struct mmk_search_work *of = &p->workers[i].work;
        p->work->scored += of->scored;
        p->work->ruled_out_by_prefix += of->ruled_out_by_prefix;
        p->work->ruled_out_by_codes += of->ruled_out_by_codes;
        p->work->ruled_out_by_sums += of->ruled_out_by_sums;
    }
}

static enum mmk_status search_call(struct search *p, const struct mmk_options *options)
{
    size_t m = p->x.rows, n = p->y.rows;
    bool work = m != 0 && n != 0 && (p->row_side.k != 0 || p->col_side.k != 0);
    struct scratch scratch = {0};
    size_t spare;
    enum mmk_status status;
    if (work) {
        p->threads = args_threads(options, size_blocks(n, SEARCH_STRIP));
        p->unpacked = m <= SEARCH_UNPACKED_ROWS && p->gallery == NULL;
        p->filtered = is_filtered(p);
        p->screened = is_screened(p);
        p->screen = (struct screen){.isa = p->isa, .similarity = p->similarity, .d = p->d};
        p->filter = (struct filter){
            .codes = p->isa->codes,
            .isa = p->isa,
            .similarity = p->similarity,
            .d = p->d,
            .levels = search_levels(p),
        };
        p->chunk = chunk_cols(p);
        p->part = part_cols(p);
        p->batch = batch_rows(p);
        search_layout(p, &scratch);
    }
    if (args_is_query(options))
        return scratch_answer(&scratch, 0, options);
    if (!work) {
        if (p->work != NULL)
            *p->work = (struct mmk_search_work){0};
        return MMK_OK;
    }
    if ((status = scratch_open(&scratch, options, &spare)) != MMK_OK)
        return status;
    search_layout(p, &scratch);
    workers_init(p);
    if (p->finds_origin)
        tile_find_origin(p->isa->tile, &p->y, n, p->d, p->origin);
    threads_run(p->threads, take_part, p);
    if (p->work != NULL)
        sum_work(p);
    scratch_close(&scratch);
    return MMK_OK;
}

enum mmk_status mmk_search(const struct mmk_search_problem *problem,
                           const struct mmk_search_results *results,
                           const struct mmk_options *options)
{
    FP_STATE_DEFAULT();
    const struct isa_row *isa;
    struct gallery_operands o;
    struct args_topk for_x = {0}, for_y = {0};
    enum mmk_status status;
    if ((status = args_pointer("problem", problem)) != MMK_OK ||
        (status = ARGS_RESERVED("problem", problem)) != MMK_OK ||
        (status = args_pointer("results", results)) != MMK_OK ||
        (status = ARGS_RESERVED("results", results)) != MMK_OK ||
        (status = gallery_operands(problem->similarity, problem->x, problem->y, options, &isa,
                                   &o)) != MMK_OK ||
        (status = args_below_2_32("x", "rows", o.m)) != MMK_OK ||
        (status = args_below_2_32("y", "rows", o.n)) != MMK_OK ||
        (results->for_x != NULL &&
         (status = args_topk_results("for_x", results->for_x, o.m, o.n, &for_x)) != MMK_OK) ||
        (results->for_y != NULL &&
         (status = args_topk_results("for_y", results->for_y, o.n, o.m, &for_y)) != MMK_OK))
        return status;
    struct search p = {.isa = isa,
                       .similarity = problem->similarity,
                       .d = o.d,
                       .without_codes = problem->without_codes != 0,
                       .x = o.x,
                       .y = o.y,
                       .gallery = o.gallery,
                       .coded = o.coded,
                       .finds_origin = o.finds_origin,
                       .work = results->work,
                       .row_side = side_of(&for_x, SEARCH_ROW_ROOM),
                       .col_side = side_of(&for_y, SEARCH_COLUMN_ROOM)};
    if ((status = search_call(&p, options)) != MMK_OK || args_is_query(options))
        return status;
    if (for_x.count != NULL)
        *for_x.count = for_x.found;
    if (for_y.count != NULL)
        *for_y.count = for_y.found;
    return MMK_OK;
}
