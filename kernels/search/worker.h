/* worker.h - what a search knows, and what each of its workers has (internal).
 * SPDX-License-Identifier: MIT
 *
 *   search.c   lays it out, and shares the work
 *   strips.c   a worker's work: a batch of X against a chunk of Y, strip by strip
 */
#ifndef MMK_SEARCH_WORKER_H
#define MMK_SEARCH_WORKER_H

#include "filter.h"
#include "screen.h"
#include "search.h"

#include "../gallery/gallery.h"

enum {
    FILTERED_FEW = 24, /* of a strip's scores one in so many may pass codes, */
    PREFIXED_FEW = 12, /* and prefixes; or so many in any case, since of few rows a strip of */
    FILTERED_FREE = 8, /* products or a panel costs more than they do */
    PREFIXED_FREE = 64,
    UNSCREENED_LEAST = 8, /* pieces behind the first that did not pay */
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
    struct tile_operand x, y; /* rows of the batch, and all of Y, with a window of its own */
    float *packed_b, *yy, *strip;
    struct passed *passed;       /* of each row that is screened or filtered */
    struct screen_sums screened; /* of a piece of a chunk */
    size_t piece;                /* columns that are screened next */
    size_t pieces_apart;         /* how many are not screened behind one that does not pay */
    size_t unscreened;           /* strips to come, since many of a piece passed */
    struct coded_rows made;      /* of a chunk, where there are none in a gallery */
    struct coded_spare coding;
    struct hit *hits;    /* of the last strip that was filtered, */
    size_t hit_count;    /* whose rows are on their way */
    uint8_t *unfiltered; /* of each block of rows: strips to come that are not filtered, */
    uint8_t *unprefixed; /* or not through prefixes; and those of the chunk whose codes */
    bool *panelled;      /* stand in panels, which are `made` then */
    float *spare;        /* 2 d floats, of tile_neg_sq_l2_block */
    struct candidates rows, cols;
    struct mmk_search_work work;
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
    size_t chunk; /* columns, */
    size_t part;  /* and how many are packed at a time */

    bool unpacked; /* X is one or two rows, normalised, and Y is taken as it lies */
    bool screened; /* few products are made of those that sums in lanes let pass */
    struct screen screen;
    bool without_codes; /* as the caller wants it */
    bool filtered;      /* few products are made of those that codes let pass */
    struct filter filter;
    float *wide;       /* X of a batch, if it is not float */
    float *held;       /* X, row by row, as it is multiplied */
    bool finds_origin; /* neg_sq_l2: Y's own, */
    float *origin;     /* which stands here */
    float *rows_a, *xx;
    struct worker *workers;
    struct mmk_search_work *work; /* NULL: not wanted */
};

/* The levels of a gallery; NULL: it has none. */
static inline const struct levels *search_levels(const struct search *p)
{
    return p->coded != NULL ? gallery_levels(p->coded) : NULL;
}

/* Whether columns wait for their products. */
static inline bool search_skips(const struct search *p)
{
    return p->screened || p->filtered;
}

/* Forgets all candidates of `count` rows or columns. */
void candidates_reset(struct candidates *c, const struct side *side, size_t count);

/* The worker's batch of so many rows of X against the chunk of Y that begins at column col. */
void search_chunk(const struct search *p, struct worker *w, size_t rows, size_t col);

/* The products of the columns that wait for row r of the batch. */
void search_take_passed(const struct search *p, struct worker *w, size_t r);

#endif
