/* search.c - mmk_search: the products, and what is kept of them.
 * SPDX-License-Identifier: MIT
 *
 * A search is bound by the FMAs of the products while k is small. Candidates cost their share
 * beside them: the more, the greater k, the smaller d, and in both directions more than in one. One
 * or two queries are bound by reading the gallery from memory.
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
 * instructions, and of what is left a product across lanes, then the chain. The first strips of a
 * gallery, before thresholds are worth something, and those that codes do not decide are done as
 * without. At 1000 x 100,000 x 512 the products of codes take two thirds of the time, making them
 * an eighth, what passes them a seventh (k = 10, AVX-512 with VNNI, Zen 5).
 *
 * One or two queries alone do not pay for packing: their products take the gallery's rows as they
 * lie, transposed in registers (tile_multiply_row), as fast as memory gives them. Cosines are
 * screened before (search.h).
 *
 * Each worker has candidates of its own for every row of X; in the end those of all workers are
 * joined row by row. A column's candidates need only last as long as its chunk, since one worker
 * takes all rows of X through it. What is selected is the first k of a total order, so that neither
 * chunks nor workers show in the result.
 */
#include "filter.h"
#include "search.h"

#include "../gallery/gallery.h"
#include "../call/args.h"
#include "../call/fp_state.h"
#include "../call/scratch.h"
#include "../call/size.h"
#include "../call/threads.h"
#include "../query/query.h"

#include <math.h>
#include <string.h>

enum {
    CHUNKS_PER_WORKER = 4, /* at least, for an even end */
    UNSCREENED_STRIPS = 8, /* behind one of which half passed */
    /* Of a strip's scores one in so many may pass codes; else it is done without, and some behind
     * it. What passes costs some five times what it costs among all others. */
    FILTERED_FEW = 24,
    AHEAD_FLOATS = 1024, /* of a row that passed, fetched at once */
    UNFILTERED_STRIPS = 8,
    WAITING_FEW = 8, /* columns that may wait for their products beyond a chunk */
    STRIP_FLOATS = TILE_BLOCK_ROWS * SEARCH_STRIP
};

/* One direction: the first k for each of `count` rows (or columns). */
struct side {
    size_t k; /* 0: not wanted */
    float *values;
    uint32_t *indices;
    size_t ldout;
    size_t capacity; /* of its streams */
};

/* Candidates of several rows or columns, and the thresholds that the filters read. */
struct candidates {
    struct topk_stream *streams;
    float *at_least; /* NaN while a stream is open: the filter leaves it alone */
    char *memory;
    size_t stream_bytes;
};

/* A pair that codes let pass: a row of the batch, and a column of the chunk. */
struct hit {
    uint32_t row, col;
};

/* Columns that have passed the screen, in order, and wait for their products. */
struct passed {
    size_t count;
    uint32_t columns[SEARCH_STRIP];
};

struct worker {
    float *packed_b, *yy, *strip;
    struct passed *passed;  /* of each row that is screened or filtered */
    size_t unscreened;      /* strips to come, since most of one passed */
    struct coded_rows made; /* of a chunk, where there are none in a gallery */
    struct coded_spare coding;
    struct hit *hits;    /* of the last strip that was filtered, */
    size_t hit_count;    /* whose rows are on their way */
    uint8_t *unfiltered; /* of each block of rows: strips to come that are not filtered */
    float *spare;        /* 2 d floats, of tile_neg_sq_l2_block */
    struct candidates rows, cols;
    bool *open; /* blocks of rows with a stream that is open */
    struct topk_stream joined[2];
    struct topk_scratch scratch;
    void *joined_memory[2], *scratch_memory;
};

struct search {
    const struct isa_row *isa;
    enum mmk_similarity similarity;
    size_t d;
    struct tile_operand x, y;
    const struct mmk_gallery *gallery; /* Y packed; NULL: it is not */
    const struct mmk_gallery *coded;   /* or only coded; NULL: it is not */
    struct side row_side, col_side;
    int threads;
    size_t batch; /* rows of X at a time */
    size_t chunk; /* columns */

    bool unpacked;      /* X is one or two rows, normalised, and Y is taken as it lies */
    bool screened;      /* and few of its rows are multiplied */
    bool without_codes; /* as the caller wants it */
    bool filtered;      /* few products are made of those that codes let pass */
    struct filter filter;
    const float *held; /* X, row by row */
    bool finds_origin; /* neg_sq_l2: Y's own, */
    float *origin;     /* which stands here */
    float *rows_a, *xx;
    struct worker *workers;
};

/* A chunk of the gallery, and where it is packed. */
struct chunk {
    size_t col, cols;
    const float *packed_b, *yy;
    size_t packed_cols, packed_col;
    struct tile_fetch next; /* rows of Y that are packed next */
    struct coded_rows coded;
};

/* ---- Candidates ------------------------------------------------------------------------------ */

/* Filters of columns read the thresholds of whole strips: those beyond the last column are there,
 * too. */
static void candidates_reset(struct candidates *c, const struct side *side, size_t count)
{
    for (size_t i = 0; i < count; i++)
        topk_stream_init(&c->streams[i], side->k, side->capacity, c->memory + i * c->stream_bytes);
    for (size_t i = 0; i < size_round_up(count, SEARCH_STRIP); i++)
        c->at_least[i] = NAN;
}

static void candidates_refine(const struct search *p, struct candidates *c, size_t i)
{
    topk_stream_refine(p->isa->topk, &c->streams[i]);
    c->at_least[i] = c->streams[i].open ? NAN : c->streams[i].at_least;
}

/* All scores of a strip's row or column, `step` apart, while there is no threshold. */
static void take_all(const struct search *p, struct candidates *c, size_t i, size_t count,
                     const float *scores, size_t step, uint32_t first_index, size_t room)
{
    struct topk_stream *stream = &c->streams[i];
    for (size_t j = 0; j < count; j++)
        search_append(stream, scores[j * step], first_index + (uint32_t)j);
    if (search_is_full(stream, room))
        candidates_refine(p, c, i);
}

/* ---- Strips ---------------------------------------------------------------------------------- */

static void filter_rows(const struct search *p, struct worker *w, const struct search_strip *strip,
                        size_t row)
{
    struct candidates here = w->rows;
    here.streams += row;
    here.at_least += row;
    bool *open = &w->open[row / TILE_BLOCK_ROWS];
    uint32_t full[TILE_BLOCK_ROWS];
    size_t full_count = p->isa->search->filter_rows(strip, here.at_least, here.streams, full);
    for (size_t f = 0; f < full_count; f++)
        candidates_refine(p, &here, full[f]);
    if (!*open)
        return;
    *open = false;
    for (size_t r = 0; r < strip->rows; r++) {
        if (!here.streams[r].open)
            continue;
        take_all(p, &here, r, strip->cols, strip->scores + r * SEARCH_STRIP, 1, strip->first_col,
                 SEARCH_ROW_ROOM);
        *open = true;
    }
}

static void filter_columns(const struct search *p, struct worker *w,
                           const struct search_strip *strip, size_t col)
{
    struct candidates here = w->cols;
    here.streams += col;
    here.at_least += col;
    uint32_t full[SEARCH_STRIP];
    size_t full_count = p->isa->search->filter_columns(strip, here.at_least, here.streams, full);
    for (size_t f = 0; f < full_count; f++)
        candidates_refine(p, &here, full[f]);
    for (size_t j = 0; j < strip->cols; j++)
        if (here.at_least[j] != here.at_least[j] && here.streams[j].open)
            take_all(p, &here, j, strip->rows, strip->scores + j, SEARCH_STRIP, strip->first_row,
                     SEARCH_COLUMN_ROOM);
}

/* A strip of scores, as mmk_similarity_matrix gives them: rows [row, row + ..) of the batch against
 * the columns from j on of the chunk. */
static void multiply_strip(const struct search *p, struct worker *w, const struct chunk *chunk,
                           size_t batch_row, size_t batch_rows, size_t row, size_t j,
                           const struct search_strip *strip, struct tile_fetch fetch)
{
    const struct tile_ops *tile = p->isa->tile;
    const float *yy = w->yy;
    size_t next = j + SEARCH_STRIP < chunk->cols ? j + SEARCH_STRIP : 0;
    bool norms = p->similarity == MMK_NEG_SQ_L2;
    if (p->unpacked) {
        for (size_t r = 0; r < strip->rows; r++)
            tile_multiply_row(tile, p->d, p->rows_a + r * p->d, &p->y, chunk->col + j, strip->cols,
                              w->strip + r * SEARCH_STRIP, norms ? w->yy : NULL);
    } else {
        if (norms)
            yy = chunk->yy + chunk->packed_col + j;
        tile_multiply(tile, p->d, p->rows_a, batch_rows, row, strip->rows, chunk->packed_b,
                      chunk->packed_cols, chunk->packed_col + j, strip->cols,
                      chunk->packed_col + next, w->strip, SEARCH_STRIP, 0, fetch);
    }
    if (!norms)
        return;
    tile_neg_sq_l2_block(tile, p->isa->pair, p->d, &p->x, batch_row + row, strip->rows, p->xx + row,
                         &p->y, chunk->col + j, strip->cols, yy, 1.0f, w->strip, SEARCH_STRIP,
                         w->spare);
}

/* ---- Screening ------------------------------------------------------------------------------- */

/* How far apart a cosine may be that a chain makes of normalised rows and one that is taken across
 * lanes. Either is off by its sums' roundings: d 2^-24 |x| |y| of the chain, a sixteenth of that
 * and a tree of six of the lanes, as much of each norm, and some 20 of squares, roots and quotients
 * together; |x| |y| is 1 and a little. With room to spare (2 d + 64) 2^-24. */
static float screen_reach(size_t d)
{
    return (2 * (float)d + 64) * 0x1p-24f;
}

/* New candidates of a filtered row with which its threshold is old: the lower it is, the more
 * passes. */
static bool is_stale(const struct search *p, const struct topk_stream *stream)
{
    return p->filtered && !stream->open &&
           stream->count >= topk_refined(stream->k) + size_max(stream->k / 2, 8);
}

/* The products of what waits, and of these what reaches the threshold of today. */
static void take_passed(const struct search *p, struct worker *w, size_t batch_row, size_t r)
{
    struct passed *passed = &w->passed[r];
    struct candidates *rows = &w->rows;
    float scores[TILE_MAX_NR], yy[TILE_MAX_NR];
    bool norms = p->similarity == MMK_NEG_SQ_L2;
    if (passed->count == 0)
        return;
    tile_multiply_listed(p->isa->tile, p->d, p->held + r * p->d, &p->y, passed->columns,
                         passed->count, scores, norms ? yy : NULL);
    for (size_t i = 0; norms && i < passed->count; i++)
        tile_neg_sq_l2_block(p->isa->tile, p->isa->pair, p->d, &p->x, batch_row + r, 1, p->xx + r,
                             &p->y, passed->columns[i], 1, &yy[i], 1.0f, &scores[i], 1, w->spare);
    for (size_t i = 0; i < passed->count; i++)
        if (scores[i] >= rows->at_least[r])
            search_append(&rows->streams[r], scores[i], passed->columns[i]);
    passed->count = 0;
    if (search_is_full(&rows->streams[r], SEARCH_ROW_ROOM) || is_stale(p, &rows->streams[r]))
        candidates_refine(p, rows, r);
}

/* Column j waits for its product with row r. */
static void pass_column(const struct search *p, struct worker *w, size_t batch_row, size_t r,
                        size_t j)
{
    if (w->passed[r].count == SEARCH_STRIP)
        take_passed(p, w, batch_row, r);
    w->passed[r].columns[w->passed[r].count++] = (uint32_t)j;
}

/* Looks at columns [col, col + cols) for row r. What is NaN passes. */
static void screen_row(const struct search *p, struct worker *w, size_t row, size_t r, size_t col,
                       size_t cols)
{
    float cosines[SEARCH_STRIP], at_least = w->rows.at_least[r] - screen_reach(p->d);
    size_t hits = 0;
    p->isa->query->query[MMK_COSINE](cols, p->d, tile_operand_row(&p->x, row + r),
                                     tile_operand_row(&p->y, col), p->y.ld, cosines);
    for (size_t j = 0; j < cols; j++) {
        if (cosines[j] < at_least)
            continue;
        pass_column(p, w, row, r, col + j);
        hits++;
    }
    if (hits > cols / 2)
        w->unscreened = UNSCREENED_STRIPS;
}

/* Whether it has dealt with the strip: all rows have thresholds, and few columns passed lately. */
static bool screen_strip(const struct search *p, struct worker *w, size_t row, size_t rows,
                         size_t col, size_t cols)
{
    bool screens = w->unscreened == 0;
    for (size_t r = 0; r < rows; r++)
        screens = screens && w->rows.at_least[r] == w->rows.at_least[r];
    for (size_t r = 0; r < rows; r++)
        if (screens)
            screen_row(p, w, row, r, col, cols);
        else
            take_passed(p, w, row, r); /* in the order of their columns */
    w->unscreened -= !screens && w->unscreened > 0;
    return screens;
}

/* The hits of the strip before: those whose products across lanes do not rule them out wait for
 * their chains. */
static void take_hits(const struct search *p, struct worker *w, size_t batch_row,
                      const struct chunk *chunk)
{
    for (size_t h = 0; h < w->hit_count; h++) {
        size_t r = w->hits[h].row, j = w->hits[h].col;
        if (filter_pair(&p->filter, &chunk->coded, &p->x, batch_row + r, r, &p->y, chunk->col + j,
                        j, w->rows.at_least[r]))
            pass_column(p, w, batch_row, r, chunk->col + j);
    }
    w->hit_count = 0;
}

/* Whether codes have dealt with the strip: its rows have thresholds, and few of its scores may
 * reach them. */
static bool filter_scores(const struct search *p, struct worker *w, size_t batch_row, size_t row,
                          const struct chunk *chunk, size_t j, const struct search_strip *strip)
{
    size_t block = row / TILE_BLOCK_ROWS, passed = SIZE_MAX;
    struct codes_pair pairs[TILE_BLOCK_ROWS * SEARCH_STRIP];
    bool filters = !w->open[block] && w->unfiltered[block] == 0;
    if (w->unfiltered[block] > 0)
        w->unfiltered[block]--;
    if (filters)
        passed = filter_strip(&p->filter, &chunk->coded, row, strip->rows, j, strip->cols,
                              w->rows.at_least + row,
                              p->similarity == MMK_NEG_SQ_L2 ? p->xx + row : NULL, pairs);
    take_hits(p, w, batch_row, chunk);
    if (passed > strip->rows * strip->cols / FILTERED_FEW) {
        if (filters)
            w->unfiltered[block] = UNFILTERED_STRIPS;
        for (size_t r = row; r < row + strip->rows; r++)
            take_passed(p, w, batch_row, r); /* in the order of their columns */
        return false;
    }
    for (; w->hit_count < passed; w->hit_count++) {
        struct codes_pair *pair = &pairs[w->hit_count];
        tile_fetch_row(tile_operand_row(&p->y, strip->first_col + pair->col),
                       size_min(p->d, AHEAD_FLOATS));
        w->hits[w->hit_count] = (struct hit){(uint32_t)row + pair->row, (uint32_t)j + pair->col};
    }
    return true;
}

/* X as it is multiplied with, and its squared norms; each worker does a part. */
static void hold_batch(const struct search *p, size_t row, size_t rows, size_t id, size_t team)
{
    const struct tile_ops *tile = p->isa->tile;
    bool norms = p->similarity == MMK_NEG_SQ_L2;
    if (p->filtered)
        filter_hold_rows(&p->filter, &p->x, row, rows, norms ? p->xx : NULL, &p->workers[id].coding,
                         id, team);
    if (!p->unpacked) {
        tile_pack_columns(tile, &p->x, row, rows, p->d, p->rows_a, id, team);
        if (norms && !p->filtered)
            tile_row_squares(tile, &p->x, row, rows, p->d, p->xx, id, team);
        return;
    }
    for (size_t r = id; r < rows; r += team)
        tile_hold_row(tile, p->d, &p->x, row + r, p->rows_a + r * p->d,
                      norms && !p->filtered ? &p->xx[r] : NULL);
}

/* Packs the chunk for this worker. */
static void pack_chunk(const struct search *p, struct worker *w, struct chunk *chunk)
{
    const struct tile_ops *tile = p->isa->tile;
    chunk->packed_b = w->packed_b;
    chunk->packed_cols = chunk->cols;
    tile_pack(tile, &p->y, chunk->col, chunk->cols, p->d, w->packed_b, 0, 1);
    if (p->similarity == MMK_NEG_SQ_L2)
        tile_sum_squares(tile, p->d, w->packed_b, chunk->cols, w->yy, 0, 1);
}

/* The chunk's codes: the gallery's, or made now. */
static void hold_codes(const struct search *p, struct worker *w, struct chunk *chunk)
{
    bool norms = p->similarity == MMK_NEG_SQ_L2;
    if (p->coded != NULL) {
        chunk->coded = coded_from(&p->coded->coded, chunk->col, p->d);
        return;
    }
    coded_make(p->isa->codes, &p->y, chunk->col, chunk->cols, p->d, norms, &w->made, &w->coding, 0,
               1);
    chunk->coded = w->made;
}

/* Where the chunk is packed; packs it, unless it is. */
static void hold_chunk(const struct search *p, struct worker *w, struct chunk *chunk)
{
    if (p->gallery != NULL) {
        chunk->packed_b = p->gallery->packed;
        chunk->yy = p->gallery->yy;
        chunk->packed_cols = p->gallery->n;
        chunk->packed_col = chunk->col;
        return;
    }
    chunk->yy = w->yy;
    if (p->filtered) {
        hold_codes(p, w, chunk);
        return; /* packed when a strip wants it */
    }
    if (p->unpacked)
        return;
    pack_chunk(p, w, chunk);
    /* The next chunk that is likely to be this worker's. */
    size_t after = size_min(chunk->col + (size_t)p->threads * p->chunk, p->y.rows);
    chunk->next = (struct tile_fetch){p->y.data + after * p->y.ld,
                                      size_min(p->y.rows - after, p->chunk) * p->y.ld};
}

/* Rows [row, row + rows) of X against one chunk. */
static void search_chunk(const struct search *p, struct worker *w, size_t row, size_t rows,
                         size_t col)
{
    struct chunk chunk = {.col = col, .cols = size_min(p->y.rows - col, p->chunk)};
    hold_chunk(p, w, &chunk);
    if (p->col_side.k != 0)
        candidates_reset(&w->cols, &p->col_side, chunk.cols);
    size_t blocks = size_blocks(rows, TILE_BLOCK_ROWS);
    size_t strips = size_blocks(chunk.cols, SEARCH_STRIP);
    size_t piece = 0;
    for (size_t i = 0; i < rows; i += TILE_BLOCK_ROWS)
        for (size_t j = 0; j < chunk.cols; j += SEARCH_STRIP) {
            struct search_strip strip = {size_min(rows - i, TILE_BLOCK_ROWS),
                                         size_min(chunk.cols - j, SEARCH_STRIP), w->strip,
                                         (uint32_t)(row + i), (uint32_t)(col + j)};
            if (p->screened && screen_strip(p, w, row, rows, col + j, strip.cols))
                continue;
            if (p->filtered) {
                if (filter_scores(p, w, row, i, &chunk, j, &strip))
                    continue;
                if (chunk.packed_b == NULL && !p->unpacked)
                    pack_chunk(p, w, &chunk);
            }
            struct tile_fetch fetch = tile_fetch_piece(&chunk.next, piece++, blocks * strips);
            multiply_strip(p, w, &chunk, row, rows, i, j, &strip, fetch);
            if (p->row_side.k != 0)
                filter_rows(p, w, &strip, i);
            for (size_t r = i; p->filtered && r < i + strip.rows; r++)
                if (is_stale(p, &w->rows.streams[r]))
                    candidates_refine(p, &w->rows, r);
            if (p->col_side.k != 0)
                filter_columns(p, w, &strip, j);
        }
    if (p->filtered)
        take_hits(p, w, row, &chunk);
    size_t enough = p->filtered ? WAITING_FEW : 1; /* a product of one takes as long as of 16 */
    for (size_t r = 0; (p->screened || p->filtered) && r < rows; r++)
        if (w->passed[r].count >= enough)
            take_passed(p, w, row, r);
    if (p->col_side.k == 0)
        return;
    const struct side *side = &p->col_side;
    for (size_t j = 0; j < chunk.cols; j++)
        topk_stream_finish(p->isa->topk, &w->cols.streams[j], &w->scratch,
                           side->values != NULL ? side->values + (col + j) * side->ldout : NULL,
                           side->indices != NULL ? side->indices + (col + j) * side->ldout : NULL);
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
    search_chunk(b->p, b->w, b->row, b->rows, chunk * b->p->chunk);
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
            }
        threads_wait(team);
        /* In order: a stream's candidates come in the order of their indices, of which the lower
         * wins where scores are equal. */
        threads_each(team, chunks, chunk_task, &b);
        for (size_t r = 0; p->filtered && r < b.rows; r++)
            take_passed(p, b.w, row, r);
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
        w->packed_b = scratch_take(scratch, tile_panel_floats(p->chunk, p->d), sizeof(float));
        w->yy = scratch_take(scratch, p->chunk, sizeof(float));
    }
    if (p->similarity == MMK_NEG_SQ_L2)
        w->spare = scratch_take(scratch, 2 * p->d, sizeof(float));
    w->strip = scratch_take(scratch, STRIP_FLOATS, sizeof(float));
    candidates_layout(&w->rows, &p->row_side, p->batch, scratch);
    candidates_layout(&w->cols, &p->col_side, p->chunk, scratch);
    w->open = scratch_take(scratch, p->batch / TILE_BLOCK_ROWS + 1, sizeof *w->open);
    w->unfiltered = scratch_take(scratch, p->batch / TILE_BLOCK_ROWS + 1, sizeof *w->unfiltered);
    if (p->screened || p->filtered)
        w->passed = scratch_take(scratch, p->batch, sizeof *w->passed);
    if (p->filtered) {
        size_t hits = TILE_BLOCK_ROWS * SEARCH_STRIP / FILTERED_FEW;
        w->hits = scratch_take(scratch, hits, sizeof *w->hits);
        coded_spare_layout(&w->coding, p->d, scratch);
        if (p->coded == NULL)
            coded_layout(&w->made, p->chunk, p->d, p->similarity == MMK_COSINE, scratch);
    }
    w->scratch_memory = scratch_take(scratch, 1, topk_scratch_bytes(k));
    if (p->threads > 1 && p->row_side.k != 0)
        for (int i = 0; i < 2; i++)
            w->joined_memory[i] =
                scratch_take(scratch, 1, topk_stream_bytes(2 * topk_refined(p->row_side.k)));
}

static void search_layout(struct search *p, struct scratch *scratch)
{
    p->rows_a = scratch_take(scratch, tile_packed_floats(p->batch, p->d), sizeof(float));
    p->xx = scratch_take(scratch, p->batch, sizeof(float));
    if (p->similarity == MMK_NEG_SQ_L2 && p->gallery == NULL)
        p->origin = scratch_take(scratch, p->d, sizeof(float));
    if (p->finds_origin)
        p->x.origin = p->y.origin = p->origin;
    if (p->filtered)
        filter_layout(&p->filter, p->batch, scratch);
    p->held = p->filtered ? p->filter.held : p->rows_a;
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
        for (size_t r = 0; (p->screened || p->filtered) && r < p->batch; r++)
            w->passed[r].count = 0;
        /* Filters look at whole rows of a strip, also where its tiles have not come. */
        memset(w->strip, 0, STRIP_FLOATS * sizeof *w->strip);
        if (p->threads > 1 && p->row_side.k != 0)
            for (int j = 0; j < 2; j++)
                topk_stream_init(&w->joined[j], p->row_side.k, 2 * topk_refined(p->row_side.k),
                                 w->joined_memory[j]);
    }
}

/* How many columns are a chunk: enough for packing not to matter, few enough for all workers to
 * have some to the end, and for one block of A no more than what stays in L2. */
static size_t chunk_cols(const struct search *p)
{
    size_t m = p->x.rows, n = p->y.rows, cols = SEARCH_CHUNK_COLS;
    if (p->threads > 1)
        cols = size_min(cols, n / ((size_t)p->threads * CHUNKS_PER_WORKER));
    if (m <= TILE_BLOCK_ROWS)
        cols = size_min(cols, SEARCH_SMALL_CHUNK_BYTES / sizeof(float) / size_max(p->d, 1));
    if (p->col_side.k != 0)
        cols =
            size_min(cols, SEARCH_COLUMN_STREAMS_BYTES / topk_stream_bytes(p->col_side.capacity));
    return size_round_up(size_max(cols, 1), SEARCH_STRIP);
}

/* Whether rows of Y are screened: for cosines, whose reach hangs on nothing else than d. */
static bool is_screened(const struct search *p)
{
    enum { MOST_COLUMNS = 1 << 16 }; /* screen_reach takes roundings for small */
    return p->unpacked && p->col_side.k == 0 && p->similarity == MMK_COSINE && p->d <= MOST_COLUMNS;
}

/* Whether codes pay: made of every row of Y, they save three quarters of the products, but for the
 * first ones of each worker, until its thresholds are worth something. Those of a gallery are
 * there. */
static bool is_filtered(const struct search *p)
{
    size_t full = FILTER_FULL_DEPTH, n = p->y.rows / (size_t)p->threads, k = p->row_side.k;
    bool many = p->x.rows * size_min(p->d, full) >= FILTER_LEAST_ROWS * full;
    return p->isa->filters && !p->without_codes && p->gallery == NULL && p->col_side.k == 0 &&
           p->d >= FILTER_LEAST_DEPTH && p->d <= CODES_MAX_COLUMNS && (many || p->coded != NULL) &&
           n >= FILTER_LEAST_COLS && n / FILTER_COLS_A_RESULT >= k;
}

/* How many rows are a batch: all of them, where the columns' results are wanted too. */
static size_t batch_rows(const struct search *p)
{
    size_t m = p->x.rows;
    if (p->col_side.k != 0)
        return m;
    size_t bytes = topk_stream_bytes(p->row_side.capacity);
    size_t rows = size_max(SEARCH_STREAMS_BYTES / bytes, TILE_BLOCK_ROWS);
    return size_min(m, size_min(rows / TILE_BLOCK_ROWS * TILE_BLOCK_ROWS, SEARCH_SUPER_ROWS));
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
        p->screened = !p->filtered && is_screened(p);
        p->filter = (struct filter){
            .codes = p->isa->codes, .isa = p->isa, .similarity = p->similarity, .d = p->d};
        p->chunk = chunk_cols(p);
        p->batch = batch_rows(p);
        search_layout(p, &scratch);
    }
    if (args_is_query(options))
        return scratch_answer(&scratch, 0, options);
    if (!work)
        return MMK_OK;
    if ((status = scratch_open(&scratch, options, &spare)) != MMK_OK)
        return status;
    search_layout(p, &scratch);
    workers_init(p);
    if (p->finds_origin)
        tile_find_origin(p->isa->tile, &p->y, n, p->d, p->origin);
    threads_run(p->threads, take_part, p);
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
