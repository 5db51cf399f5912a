/* strips.c - a batch of X against a chunk of Y: products, what codes and screens rule out, and
 * candidates.
 * SPDX-License-Identifier: MIT
 *
 * All that a search spends its time on; search.c tells what bounds it. Strips are done in the order
 * of their columns, and so are those that wait for a product, for of equal scores the lower index
 * wins. Three ways lead to a row's candidates:
 *
 *   all products     a strip of floats (multiply_strip), compared with thresholds (filter_rows)
 *   codes            filter_codes: of whole rows, or of prefixes and then of those whole rows that
 *                    they let pass. What passes waits for a strip until its row has come from
 *                    memory, then for a product across lanes (take_hits), then for its chain with
 *                    others of its row (search_take_passed)
 *   sums in lanes    of a few queries: screen_piece, and search_take_passed likewise. With codes
 *                    these are for strips that codes do not decide
 */
#include "worker.h"

#include <math.h>
#include <string.h>

enum {
    UNSCREENED_MOST = 64, /* pieces behind one of which more than one in SCREENED_FEW passed */
    SCREENED_FEW = 4,
    UNFILTERED_STRIPS = 8, /* behind one of which more than one in FILTERED_FEW passed */
    AHEAD_FLOATS = 1024,   /* of a row that passed, fetched at once */
    WAITING_FEW = 8        /* columns that may wait for their products beyond a chunk */
};

/* A chunk of the gallery. Its columns [first, end) are packed: they are those from packed_col on of
 * the packed_cols at packed_b. */
struct chunk {
    size_t col, cols;
    const float *packed_b, *yy;
    size_t first, end;
    size_t packed_cols, packed_col;
    struct tile_fetch next;  /* rows of Y that are packed next, */
    size_t piece, of_pieces; /* and the piece of them that is fetched during the next product */
    struct coded_rows coded;
};

/* ---- Candidates ------------------------------------------------------------------------------ */

/* Filters of columns read the thresholds of whole strips: those beyond the last column are there,
 * too. */
void candidates_reset(struct candidates *c, const struct side *side, size_t count)
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
                           size_t batch_rows, size_t row, size_t j,
                           const struct search_strip *strip, struct tile_fetch fetch)
{
    const struct tile_ops *tile = p->isa->tile;
    const float *yy = w->yy;
    size_t next = j + SEARCH_STRIP < chunk->end ? j + SEARCH_STRIP : chunk->first;
    size_t packed = chunk->packed_col - chunk->first;
    bool norms = p->similarity == MMK_NEG_SQ_L2;
    w->work.scored += strip->rows * strip->cols;
    if (p->unpacked) {
        for (size_t r = 0; r < strip->rows; r++)
            tile_multiply_row(tile, p->d, p->rows_a + r * p->d, &w->y, chunk->col + j, strip->cols,
                              w->strip + r * SEARCH_STRIP, norms ? w->yy : NULL);
    } else {
        if (norms)
            yy = chunk->yy + packed + j;
        tile_multiply(tile, p->d, p->rows_a, batch_rows, row, strip->rows, chunk->packed_b,
                      chunk->packed_cols, packed + j, strip->cols, packed + next, w->strip,
                      SEARCH_STRIP, 0, fetch);
    }
    if (!norms)
        return;
    tile_neg_sq_l2_block(tile, p->isa->pair, p->d, &w->x, row, strip->rows, p->xx + row, &w->y,
                         chunk->col + j, strip->cols, yy, 1.0f, w->strip, SEARCH_STRIP, w->spare);
}

/* ---- Screening ------------------------------------------------------------------------------- */

/* New candidates of a row with which its threshold is old: the lower it is, the more passes. */
static bool is_stale(const struct topk_stream *stream)
{
    return !stream->open && stream->count >= topk_refined(stream->k) + size_max(stream->k / 2, 8);
}

/* The products of what waits, and of these what reaches the threshold of today. */
void search_take_passed(const struct search *p, struct worker *w, size_t r)
{
    struct passed *passed = &w->passed[r];
    struct candidates *rows = &w->rows;
    float scores[TILE_MAX_NR], yy[TILE_MAX_NR];
    bool norms = p->similarity == MMK_NEG_SQ_L2;
    if (passed->count == 0)
        return;
    w->work.scored += passed->count;
    tile_multiply_listed(p->isa->tile, p->d, p->held + r * p->d, &w->y, passed->columns,
                         passed->count, scores, norms ? yy : NULL);
    for (size_t i = 0; norms && i < passed->count; i++)
        tile_neg_sq_l2_block(p->isa->tile, p->isa->pair, p->d, &w->x, r, 1, p->xx + r, &w->y,
                             passed->columns[i], 1, &yy[i], 1.0f, &scores[i], 1, w->spare);
    for (size_t i = 0; i < passed->count; i++)
        if (scores[i] >= rows->at_least[r])
            search_append(&rows->streams[r], scores[i], passed->columns[i]);
    passed->count = 0;
    if (search_is_full(&rows->streams[r], SEARCH_ROW_ROOM) || is_stale(&rows->streams[r]))
        candidates_refine(p, rows, r);
}

/* Column j waits for its product with row r. */
static void pass_column(const struct search *p, struct worker *w, size_t r, size_t j)
{
    if (w->passed[r].count == SEARCH_STRIP)
        search_take_passed(p, w, r);
    w->passed[r].columns[w->passed[r].count++] = (uint32_t)j;
}

/* Looks at the sums of row r with columns [col, col + cols); returns how many pass. What is NaN
 * does. */
static size_t screen_row(const struct search *p, struct worker *w, size_t r, size_t col,
                         size_t cols)
{
    const float *sums = w->screened.sums + r * w->screened.ld, *norms = w->screened.norms;
    const float *x = tile_operand_row(&w->x, r);
    float *at_least = &w->rows.at_least[r];
    struct screen_line line = {-INFINITY, 0};
    size_t hits = 0;
    screen_line(&p->screen, r, *at_least, &line);
    for (size_t first = 0; first < cols; first += SEARCH_STRIP) {
        size_t end = size_min(first + SEARCH_STRIP, cols);
        unsigned passes = 0;
        for (size_t j = first; j < end; j++)
            passes |= screen_passes(line, sums[j], norms[j]);
        if (!passes)
            continue;
        for (size_t j = first; j < end; j++) {
            if (!screen_passes(line, sums[j], norms[j]) ||
                (norms[j] != norms[j] &&
                 !screen_unsafe(&p->screen, x, tile_widened_row(&w->y, col + j, p->d, w->y.window),
                                *at_least)))
                continue;
            tile_fetch_row(&w->y, col + j, size_min(p->d, AHEAD_FLOATS));
            pass_column(p, w, r, col + j);
            hits++;
        }
        if (!screen_line(&p->screen, r, *at_least, &line))
            line = (struct screen_line){-INFINITY, 0};
    }
    return hits;
}

/* How many columns from j on the screen has dealt with: none where a row has no threshold, or where
 * many passed lately. Pieces grow: while there are few rows before it, a piece's threshold is low;
 * and a long one comes from memory faster. */
static size_t screen_piece(const struct search *p, struct worker *w, size_t rows,
                           const struct chunk *chunk, size_t j)
{
    struct screen_line line;
    bool screens = w->unscreened == 0;
    for (size_t r = 0; r < rows; r++)
        screens = screens && screen_line(&p->screen, r, w->rows.at_least[r], &line);
    if (!screens) {
        for (size_t r = 0; r < rows; r++)
            search_take_passed(p, w, r); /* in the order of their columns */
        w->unscreened -= w->unscreened > 0;
        return 0;
    }
    w->open[0] = false; /* all rows have thresholds, and are one block */
    size_t cols = size_min(w->piece, chunk->cols - j), hits = 0;
    if (p->filtered) /* what codes are not to look at */
        cols = size_min(cols, (w->unfiltered[0] + 1u) * SEARCH_STRIP);
    screen_sum(&p->screen, &w->x, &w->y, chunk->col + j, cols, &w->screened);
    for (size_t r = 0; r < rows; r++)
        hits += screen_row(p, w, r, chunk->col + j, cols);
    w->work.ruled_out_by_sums += rows * cols - hits;
    if (hits > rows * cols / SCREENED_FEW) {
        w->unscreened = w->pieces_apart * size_blocks(cols, SEARCH_STRIP);
        w->pieces_apart = size_min(2 * w->pieces_apart, UNSCREENED_MOST);
        w->piece = SEARCH_STRIP;
    } else {
        w->piece = size_min(2 * w->piece, p->chunk);
        w->pieces_apart = UNSCREENED_LEAST;
    }
    return cols;
}

/* The hits of the strip before: those whose products across lanes do not rule them out wait for
 * their chains. */
static void take_hits(const struct search *p, struct worker *w, const struct chunk *chunk)
{
    for (size_t h = 0; h < w->hit_count; h++) {
        size_t r = w->hits[h].row, j = w->hits[h].col;
        if (filter_pair(&p->filter, &chunk->coded, &w->x, r, &w->y, chunk->col + j, j,
                        w->rows.at_least[r]))
            pass_column(p, w, r, chunk->col + j);
        else
            w->work.ruled_out_by_sums++;
    }
    w->hit_count = 0;
}

/* The strip's panel, made of codes that stand row by row. */
static void hold_panel(const struct search *p, struct worker *w, const struct chunk *chunk,
                       size_t j, size_t cols)
{
    if (w->panelled[j / SEARCH_STRIP])
        return;
    codes_put_panel(p->isa->codes, p->d, cols, chunk->coded.rows + j * codes_row_bytes(p->d),
                    w->made.right.codes + j * codes_quads(p->d) * 4);
    w->panelled[j / SEARCH_STRIP] = true;
}

/* The pairs of a strip that codes let pass, those of prefixes first if there are such, and few pass
 * them; *prefixed: how many pass these. */
static size_t filter_codes(const struct search *p, struct worker *w, size_t row,
                           const struct chunk *chunk, size_t j, const struct search_strip *strip,
                           struct codes_pair *pairs, size_t *prefixed)
{
    *prefixed = strip->rows * strip->cols;
    const float *at_least = w->rows.at_least + row;
    const float *xx = p->similarity == MMK_NEG_SQ_L2 ? p->xx + row : NULL;
    if (p->filter.levels != NULL) {
        uint8_t *unprefixed = &w->unprefixed[row / TILE_BLOCK_ROWS];
        if (*unprefixed == 0) {
            size_t passed = filter_prefixes(&p->filter, &chunk->coded, row, strip->rows, j,
                                            strip->cols, at_least, xx, pairs);
            if (passed <= size_max(*prefixed / PREFIXED_FEW, PREFIXED_FREE)) {
                *prefixed = passed;
                return filter_whole_rows(&p->filter, &chunk->coded, row, strip->rows, j, at_least,
                                         xx, pairs, passed);
            }
            *unprefixed = UNFILTERED_STRIPS;
        } else {
            (*unprefixed)--;
        }
        hold_panel(p, w, chunk, j, strip->cols);
    }
    return filter_strip(&p->filter, &chunk->coded, row, strip->rows, j, strip->cols, at_least, xx,
                        pairs);
}

/* Whether codes have dealt with the strip: its rows have thresholds, and few of its scores may
 * reach them. */
static bool filter_scores(const struct search *p, struct worker *w, size_t row,
                          const struct chunk *chunk, size_t j, const struct search_strip *strip)
{
    size_t block = row / TILE_BLOCK_ROWS, all = strip->rows * strip->cols;
    size_t passed = SIZE_MAX, prefixed = 0;
    struct codes_pair pairs[TILE_BLOCK_ROWS * SEARCH_STRIP];
    bool filters = !w->open[block] && w->unfiltered[block] == 0;
    if (w->unfiltered[block] > 0)
        w->unfiltered[block]--;
    if (filters)
        passed = filter_codes(p, w, row, chunk, j, strip, pairs, &prefixed);
    take_hits(p, w, chunk);
    if (passed > size_max(all / FILTERED_FEW, FILTERED_FREE)) {
        if (filters)
            w->unfiltered[block] = UNFILTERED_STRIPS;
        for (size_t r = row; r < row + strip->rows; r++)
            search_take_passed(p, w, r); /* in the order of their columns */
        return false;
    }
    w->work.ruled_out_by_prefix += all - prefixed;
    w->work.ruled_out_by_codes += prefixed - passed;
    for (; w->hit_count < passed; w->hit_count++) {
        struct codes_pair *pair = &pairs[w->hit_count];
        tile_fetch_row(&w->y, strip->first_col + pair->col, size_min(p->d, AHEAD_FLOATS));
        w->hits[w->hit_count] = (struct hit){(uint32_t)row + pair->row, (uint32_t)j + pair->col};
    }
    return true;
}

/* ---- Chunks ---------------------------------------------------------------------------------- */

/* Packs a part of the chunk for this worker, from column `first` on, for products with so many
 * blocks of rows. */
static void pack_part(const struct search *p, struct worker *w, struct chunk *chunk, size_t first,
                      size_t blocks)
{
    const struct tile_ops *tile = p->isa->tile;
    size_t cols = size_min(chunk->cols - first, p->part);
    chunk->packed_b = w->packed_b;
    chunk->packed_cols = cols;
    chunk->first = first;
    chunk->end = first + cols;
    tile_pack(tile, &w->y, chunk->col + first, cols, p->d, w->packed_b, 0, 1);
    if (p->similarity == MMK_NEG_SQ_L2)
        tile_sum_squares(tile, p->d, w->packed_b, cols, w->yy, 0, 1);
    if (p->filtered)
        return;
    /* The next part, or of the next chunk that is likely to be this worker's. */
    size_t after = chunk->end < chunk->cols ? chunk->end : (size_t)p->threads * p->chunk;
    after = size_min(chunk->col + after, p->y.rows);
    chunk->next = tile_fetch_rows(&p->y, after, size_min(p->y.rows - after, p->part));
    chunk->piece = 0;
    chunk->of_pieces = blocks * size_blocks(cols, SEARCH_STRIP);
}

/* The chunk's codes: the gallery's, or made now. */
static void hold_codes(const struct search *p, struct worker *w, struct chunk *chunk)
{
    bool norms = p->similarity == MMK_NEG_SQ_L2;
    if (p->coded != NULL) {
        chunk->coded = coded_from(&p->coded->coded, chunk->col, p->d, p->filter.levels);
        if (p->filter.levels != NULL) {
            chunk->coded.right.codes = w->made.right.codes;
            memset(w->panelled, 0, p->chunk / SEARCH_STRIP);
        }
        return;
    }
    coded_make(p->isa, &w->y, chunk->col, chunk->cols, p->d, norms, NULL, &w->made, &w->coding, 0,
               1);
    chunk->coded = w->made;
}

/* What there is of the chunk before it is looked at. */
static void hold_chunk(const struct search *p, struct worker *w, struct chunk *chunk)
{
    chunk->yy = w->yy;
    if (p->gallery != NULL) {
        chunk->packed_b = p->gallery->packed;
        chunk->yy = p->gallery->yy;
        chunk->packed_cols = p->gallery->n;
        chunk->packed_col = chunk->col;
        chunk->end = chunk->cols;
    }
    if (p->filtered)
        hold_codes(p, w, chunk);
}

/* A batch of so many rows of X against one chunk. */
void search_chunk(const struct search *p, struct worker *w, size_t rows, size_t col)
{
    struct chunk chunk = {.col = col, .cols = size_min(p->y.rows - col, p->chunk), .of_pieces = 1};
    hold_chunk(p, w, &chunk);
    if (p->col_side.k != 0)
        candidates_reset(&w->cols, &p->col_side, chunk.cols);
    size_t blocks = size_blocks(rows, TILE_BLOCK_ROWS);
    for (size_t i = 0; i < rows; i += TILE_BLOCK_ROWS)
        for (size_t j = 0, step; j < chunk.cols; j += step) {
            if (p->screened && !p->filtered && (step = screen_piece(p, w, rows, &chunk, j)) > 0)
                continue;
            step = SEARCH_STRIP;
            struct search_strip strip = {size_min(rows - i, TILE_BLOCK_ROWS),
                                         size_min(chunk.cols - j, SEARCH_STRIP), w->strip,
                                         (uint32_t)i, (uint32_t)(col + j)};
            if (p->filtered && filter_scores(p, w, i, &chunk, j, &strip))
                continue;
            if (p->filtered && p->screened) {
                size_t cols = screen_piece(p, w, rows, &chunk, j);
                if (cols > 0) {
                    step = cols;
                    w->unfiltered[0] -= (uint8_t)(size_blocks(cols, SEARCH_STRIP) - 1);
                    continue;
                }
            }
            if (j >= chunk.end && !p->unpacked)
                pack_part(p, w, &chunk, p->screened ? j : 0, blocks);
            struct tile_fetch fetch = tile_fetch_piece(&chunk.next, chunk.piece++, chunk.of_pieces);
            multiply_strip(p, w, &chunk, rows, i, j, &strip, fetch);
            if (p->row_side.k != 0)
                filter_rows(p, w, &strip, i);
            for (size_t r = i; search_skips(p) && r < i + strip.rows; r++)
                if (is_stale(&w->rows.streams[r]))
                    candidates_refine(p, &w->rows, r);
            if (p->col_side.k != 0)
                filter_columns(p, w, &strip, j);
        }
    if (p->filtered)
        take_hits(p, w, &chunk);
    for (size_t r = 0; search_skips(p) && r < rows; r++)
        if (w->passed[r].count >= WAITING_FEW) /* a product of one takes as long as of 16 */
            search_take_passed(p, w, r);
    if (p->col_side.k == 0)
        return;
    const struct side *side = &p->col_side;
    for (size_t j = 0; j < chunk.cols; j++)
        topk_stream_finish(p->isa->topk, &w->cols.streams[j], &w->scratch,
                           side->values != NULL ? side->values + (col + j) * side->ldout : NULL,
                           side->indices != NULL ? side->indices + (col + j) * side->ldout : NULL);
}
