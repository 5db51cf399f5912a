/* search.h - inner loops of fused search and their contract (internal).
 * SPDX-License-Identifier: MIT
 *
 * Scores come in strips of up to TILE_BLOCK_ROWS x SEARCH_STRIP, leading dimension SEARCH_STRIP,
 * just out of the register tile and still in L1. Few of them matter: each is compared with the
 * threshold of its row (and of its column, where both directions are wanted), and what reaches it
 * is appended to that row's (column's) candidates, a topk_stream.
 *
 * A few queries are screened (screen.h): once there are thresholds the gallery's rows are taken as
 * they lie, against all queries in one pass, and a score is made only where the bound of its sum in
 * lanes reaches the threshold.
 *
 *   search.c         mmk_search: what is laid out, and shared
 *   strips.c         a worker's work; worker.h: what it has
 *   screen.h         sums in lanes in it
 *   filter.h         codes of 8 bits in it
 *   search_<isa>.c   the table; an avx512 row takes some 3 clocks, against 32 d / 64 of products
 */
#ifndef MMK_SEARCH_H
#define MMK_SEARCH_H

#include "../tile/tile.h"
#include "../topk/topk_stream.h"

/* Columns of a strip: a multiple of every nr. */
enum { SEARCH_STRIP = 32 };

/* Candidates that a stream must have room for before a strip is filtered. */
enum { SEARCH_ROW_ROOM = SEARCH_STRIP, SEARCH_COLUMN_ROOM = TILE_BLOCK_ROWS };

enum {
    SEARCH_SUPER_ROWS = 50 * TILE_BLOCK_ROWS,    /* of X in a batch, at most, */
    SEARCH_PREFIXED_ROWS = 12 * TILE_BLOCK_ROWS, /* and where prefixes come first, since rows of X
                                                    themselves and their codes are wanted, too */
    SEARCH_CHUNK_COLS = 2 * TILE_BLOCK_COLS,     /* of Y that are packed at a time, at most */
    SEARCH_UNPACKED_ROWS = 2,                    /* of X, up to which Y is not packed */
    SEARCH_SCREENED_ROWS = 8,                    /* of X, up to which Y is screened: */
    SEARCH_SCREENED_COLS = 4096,                 /* so many of its rows at a time, */
    SEARCH_SCREENED_BYTES = 2 << 20,             /* and so much of them, at most */
    SEARCH_SMALL_CHUNK_BYTES = 192 << 10,        /* of packed B, where one block of A is all */
    SEARCH_CODED_CHUNK_BYTES = 384 << 10,        /* of codes of rows, where prefixes come first */
    /* Where scores are filtered through codes (filter.h; is_filtered in search.c): rows of X at
     * FILTER_FULL_DEPTH columns, at fewer more in proportion; rows of Y for each thread, and for
     * each of k, twice as many for the fewest rows of X. */
    FILTER_LEAST_ROWS = 64,
    FILTER_LEAST_COLS = 8192,
    FILTER_LEAST_DEPTH = 64,
    FILTER_FULL_DEPTH = 256,
    FILTER_COLS_A_RESULT = 400,
    SEARCH_STREAMS_BYTES = 64 << 20,      /* a worker's candidates of a batch's rows, */
    SEARCH_COLUMN_STREAMS_BYTES = 8 << 20 /* and of the columns of one chunk */
};

/* A strip of scores, and where its first row or column belongs: a row of the batch, which is all of
 * X where columns are filtered. */
struct search_strip {
    size_t rows, cols;
    const float *scores;
    uint32_t first_row, first_col;
};

struct search_ops {
    /* Appends to streams[r] the scores (r, j) >= at_least[r] with index first_col + j. Writes the r
     * of the streams that have no room for another strip; returns how many. */
    size_t (*filter_rows)(const struct search_strip *strip, const float *at_least,
                          struct topk_stream *streams, uint32_t *full);
    /* Appends to streams[j] the scores (r, j) >= at_least[j] with index first_row + r, and
     * likewise. at_least has SEARCH_STRIP elements. */
    size_t (*filter_columns)(const struct search_strip *strip, const float *at_least,
                             struct topk_stream *streams, uint32_t *full);
};

extern const struct search_ops search_ops_scalar;
extern const struct search_ops search_ops_avx2;
extern const struct search_ops search_ops_avx512;
extern const struct search_ops search_ops_neon;

static inline void search_append(struct topk_stream *stream, float value, uint32_t index)
{
    stream->values[stream->count] = value;
    stream->indices[stream->count] = index;
    stream->count++;
}

static inline bool search_is_full(const struct topk_stream *stream, size_t room)
{
    return stream->capacity - stream->count < room;
}

#endif
