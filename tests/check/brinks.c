/* brinks.c - shapes on both sides of every size at which a kernel goes another way.
 * SPDX-License-Identifier: MIT
 *
 * A loop over blocks goes wrong at its ends: with a size one below that of a block, of a block, one
 * above, and with three blocks of which the last has one element. Every constant that cuts a size
 * stands in a header of its room and in the table below; tests/brinks.sh sees to it that none is
 * left out.
 */
#include "brinks.h"

#include "../../kernels/exp/exp.h"
#include "../../kernels/infonce/blocks.h"
#include "../../kernels/infonce/wide.h"
#include "../../kernels/bf16/bf16.h"
#include "../../kernels/int8/int8.h"
#include "../../kernels/int8/quantize.h"
#include "../../kernels/matrix/matrix.h"
#include "../../kernels/pair/pair.h"
#include "../../kernels/query/query.h"
#include "../../kernels/search/screen.h"
#include "../../kernels/search/search.h"
#include "../../kernels/tile8/tile8.h"
#include "../../ref/sweep.h"

#include <stdio.h>

#define LOSSES                                                                                     \
    "infonce_forward infonce_forward_backward infonce_backward multi_infonce_forward_backward "    \
    "infonce_negatives_forward_backward sigmoid_forward_backward csd_sigmoid_forward_backward "    \
    "uniformity_forward_backward "
#define MATRICES    "dot_matrix cosine_matrix neg_sq_l2_matrix gallery_matrix "
#define MATRICES_I8 "dot_matrix_i8 scaled_dot_matrix_i8 cosine_matrix_i8 neg_sq_l2_matrix_i8 "
#define SEARCHES    "search search_both gallery_search coded_search "
#define QUERIES     "dot_query cosine_query cosine_query_norms neg_sq_l2_query squared_norms "
#define QUERIES_F16 "dot_query_f16 cosine_query_f16 cosine_query_norms_f16 neg_sq_l2_query_f16 "
#define PAIRS_F16   "dot_pair_f16 cosine_pair_f16 neg_sq_l2_pair_f16 "

/* Candidates of one row or column, as search.c and topk_stream.c lay them out: twice k and a
 * strip's room, with a margin, 8 bytes each. */
enum {
    STREAM_K = 1000,
    STREAM_BYTES = (2 * STREAM_K + 2 * SEARCH_ROW_ROOM + TOPK_PAD) * 8,
    COLUMN_STREAM_BYTES = (2 * STREAM_K + 2 * SEARCH_COLUMN_ROOM + TOPK_PAD) * 8
};

enum { BEYOND_16 = (1 << 16) + 5 };

enum {
    SLOW = 1, /* under an emulator: left out of the quick sweep, and of one similarity */
    QUICK = 2 /* of losses in the quick sweep, too, and of every similarity */
};

/* `at` of a dimension of the shape (or of that times another, in units of 4 bytes) is the last that
 * goes the way of all smaller ones. */
static const struct brink {
    const char *kernels;
    char dim;
    size_t at;
    struct shape rest;
    unsigned how;
} brinks[] = {
    /* Blocks of the register tile: TILE_BLOCK_ROWS, TILE_BLOCK_COLS, TILE_DEPTH. */
    {MATRICES SEARCHES LOSSES, 'm', TILE_BLOCK_ROWS, {.n = 5, .d = 3, .k = 2}, 0},
    {MATRICES SEARCHES LOSSES, 'n', TILE_BLOCK_COLS, {.m = 3, .d = 2, .k = 4}, 0},
    {MATRICES SEARCHES LOSSES, 'd', TILE_DEPTH, {.m = 3, .n = 5, .k = 2}, 0},
    {MATRICES_I8, 'm', TILE_BLOCK_ROWS, {.n = 5, .d = 3}, 0},
    {MATRICES_I8, 'n', TILE_BLOCK_COLS, {.m = 3, .d = 2}, 0},
    {MATRICES_I8, 'n', TILE8_PANEL, {.m = TILE8_MAX_MR + 1, .d = 9}, 0},
    {MATRICES_I8, 'm', TILE8_MAX_MR, {.n = TILE8_PANEL + 1, .d = 67}, 0},
    {MATRICES_I8, 'm', MATRIX_UNPACKED_ROWS, {.n = TILE_BLOCK_COLS + 1, .d = 67}, 0},
    {MATRICES SEARCHES LOSSES, 'd', TILE_DEPTH, {.m = 15, .n = 34, .k = 2}, SLOW},
    /* Rows of int8: several at a time or one; sums in float. */
    {"dot_query_i8 cosine_query_i8 neg_sq_l2_query_i8 ", 'd', INT8_SHORT_ROW, {.n = 19}, 0},
    {"dot_pair_bf16 cosine_pair_bf16 neg_sq_l2_pair_bf16 ", 'd', 2 * BF16_BLOCK, {.n = 0}, 0},
    {"dot_query_bf16 cosine_query_bf16 cosine_query_norms_bf16 neg_sq_l2_query_bf16 "
     "squared_norms_bf16 ",
     'd',
     BF16_SHORT_ROW,
     {.n = 19},
     0},
    {"quantize_rows ", 'd', QUANTIZE_PIECE, {.m = 3}, 0},
    /* What is packed at a time: MATRIX_SUPER_ROWS, MATRIX_SUPER_COLS, SEARCH_SUPER_ROWS,
     * SEARCH_CHUNK_COLS, HELD_ROWS, HELD_COLS, GRADIENT_ROWS; rows taken unpacked:
     * MATRIX_UNPACKED_ROWS, SEARCH_UNPACKED_ROWS; rows that are screened, and what of Y at a time:
     * SEARCH_SCREENED_ROWS, SEARCH_SCREENED_COLS, SEARCH_SCREENED_BYTES. */
    {MATRICES MATRICES_I8, 'm', MATRIX_SUPER_ROWS, {.n = 3, .d = 2}, 0},
    {MATRICES MATRICES_I8, 'n', MATRIX_SUPER_COLS, {.m = 3, .d = 2}, 0},
    {MATRICES MATRICES_I8, 'n', MATRIX_SUPER_COLS, {.m = TILE_BLOCK_ROWS + 1, .d = 2}, SLOW},
    {SEARCHES, 'm', SEARCH_SUPER_ROWS, {.n = 3, .d = 2, .k = 2}, SLOW},
    {SEARCHES, 'n', SEARCH_CHUNK_COLS, {.m = 3, .d = 2, .k = 7}, 0},
    {SEARCHES, 'n', SEARCH_CHUNK_COLS, {.m = TILE_BLOCK_ROWS + 1, .d = 2, .k = 7}, SLOW},
    {MATRICES SEARCHES, 'm', MATRIX_UNPACKED_ROWS, {.n = 100, .d = 67, .k = 5}, 0},
    {MATRICES SEARCHES, 'm', SEARCH_UNPACKED_ROWS, {.n = 33, .d = 769, .k = 5}, 0},
    {"search ", 'm', SEARCH_SCREENED_ROWS, {.n = 250, .d = 67, .k = 5}, 0},
    {"search ", 'n', SEARCH_SCREENED_COLS, {.m = 1, .d = 5, .k = 5}, 0},
    {"search ", 'n', SEARCH_SCREENED_COLS, {.m = 5, .d = 5, .k = 5}, SLOW},
    {"search ", 'n', SEARCH_SCREENED_BYTES / 4 / 1030, {.m = 3, .d = 1030, .k = 5}, SLOW},
    {"search ", 'd', SCREEN_MAX_COLUMNS, {.m = 2, .n = 100, .k = 1}, SLOW},
    {LOSSES, 'm', HELD_ROWS, {.n = 3, .d = 2}, SLOW},
    {LOSSES, 'n', HELD_COLS, {.m = 3, .d = 2}, 0},
    {LOSSES, 'n', HELD_COLS, {.m = TILE_BLOCK_ROWS + 1, .d = 2}, SLOW},
    {LOSSES, 'm', GRADIENT_ROWS, {.n = 3, .d = 2}, SLOW},
    {"multi_infonce_forward_backward uniformity_forward_backward ",
     'm',
     GRADIENT_ROWS,
     {.n = 3, .d = 64},
     SLOW},
    {"multi_infonce_forward_backward sigmoid_forward_backward ",
     'm',
     GRADIENT_ROWS,
     {.n = TILE_BLOCK_COLS + 1, .d = 2},
     SLOW},
    /* Sums over the batch: SUM_CHAIN, SUM_BLOCK. */
    {LOSSES, 'n', SUM_CHAIN, {.m = 7, .d = 2}, 0},
    {LOSSES, 'm', SUM_CHAIN, {.n = 7, .d = 2}, 0},
    {LOSSES, 'n', SUM_BLOCK, {.m = 7, .d = 2}, 0},
    {LOSSES, 'm', SUM_BLOCK, {.n = 7, .d = 2}, 0},
    {"multi_infonce_backward multi_infonce_forward_backward ",
     'k',
     SUM_CHAIN,
     {.m = 3, .n = 360, .d = 50},
     QUICK},
    /* Exponentials between the steps of a product: EXP_PRODUCT_LEAST_ROWS, EXP_PRODUCT_DEPTH,
     * EXP_PRODUCT_LEAST_DEPTH; of fewer than 48 steps some come after it. 83 rows are six times 12
     * and 11. */
    {LOSSES, 'm', EXP_PRODUCT_LEAST_ROWS - 1, {.n = 70, .d = 50}, 0},
    {LOSSES, 'd', EXP_PRODUCT_DEPTH - 1, {.m = 75, .n = 33}, SLOW},
    {LOSSES, 'd', 46, {.m = TILE_BLOCK_ROWS + 3, .n = 300}, SLOW},
    {"infonce_forward infonce_forward_backward ",
     'd',
     EXP_PRODUCT_LEAST_DEPTH - 1,
     {.m = TILE_BLOCK_ROWS - 1, .n = 64},
     QUICK},
    {"infonce_forward ", /* rows that wait where lanes are full; 72 leave none to come after them */
     'n',
     INFONCE_LANE_STRIPS *INFONCE_STRIP,
     {.m = EXP_PRODUCT_LEAST_ROWS, .d = 33},
     QUICK},
    {"multi_infonce_forward multi_infonce_forward_backward ",
     'k', /* of 66 columns, 32 of which are a strip */
     EXP_PRODUCT_PLACES_A_ROW * 66 / 32,
     {.m = TILE_BLOCK_ROWS - 1, .n = 66, .d = 33},
     0},
    {"infonce_forward infonce_forward_backward multi_infonce_forward_backward ",
     'd',
     49,
     {.m = TILE_BLOCK_ROWS - 1, .n = 66},
     QUICK},
    /* In double: WIDE_ROWS, WIDE_CHUNK. */
    {LOSSES, 'm', WIDE_ROWS, {.n = 5, .d = 2, .logit_scale = 1e22f}, 0},
    {LOSSES, 'n', WIDE_ROWS, {.m = 5, .d = 2, .logit_scale = 1e22f}, 0},
    {LOSSES, 'd', WIDE_CHUNK, {.m = 3, .n = 3, .logit_scale = 1e22f}, 0},
    /* Candidates: SEARCH_SMALL_CHUNK_BYTES, SEARCH_STREAMS_BYTES, SEARCH_COLUMN_STREAMS_BYTES. */
    {SEARCHES, 'n', SEARCH_SMALL_CHUNK_BYTES / 4 / 192, {.m = 3, .d = 192, .k = 4}, 0},
    {"search gallery_search coded_search ",
     'm',
     SEARCH_STREAMS_BYTES / STREAM_BYTES / TILE_BLOCK_ROWS *TILE_BLOCK_ROWS,
     {.n = 1100, .d = 1, .k = STREAM_K},
     SLOW},
    /* A second batch, after one in which every row has got its threshold. */
    {"search gallery_search coded_search ",
     'm',
     SEARCH_SUPER_ROWS,
     {.n = 200, .d = 1, .k = 1},
     SLOW},
    {"search_both ",
     'n',
     SEARCH_COLUMN_STREAMS_BYTES / COLUMN_STREAM_BYTES / SEARCH_STRIP *SEARCH_STRIP,
     {.m = 1100, .d = 1, .k = STREAM_K},
     SLOW},
    /* Codes: FILTER_LEAST_ROWS, FILTER_LEAST_COLS, FILTER_LEAST_DEPTH, FILTER_FULL_DEPTH; k at
     * FILTER_COLS_A_RESULT; rows of a strip of them, and of a block; columns of a quad and of what
     * is made at a time. With the fewest rows of X twice as many of Y. */
    {"search ",
     'm',
     FILTER_LEAST_ROWS - 1,
     {.n = 2 * FILTER_LEAST_COLS, .d = FILTER_FULL_DEPTH, .k = 3},
     SLOW},
    {"search ",
     'n',
     2 * FILTER_LEAST_COLS - 1,
     {.m = FILTER_LEAST_ROWS, .d = FILTER_FULL_DEPTH, .k = 10},
     SLOW},
    {"coded_search ", 'n', FILTER_LEAST_COLS - 1, {.m = 60, .d = 83, .k = 10}, SLOW},
    {"search coded_search ",
     'd',
     FILTER_LEAST_DEPTH - 1,
     {.m = 257, .n = 2 * FILTER_LEAST_COLS + 34, .k = 2},
     SLOW},
    {"search ",
     'd',
     FILTER_FULL_DEPTH - 1,
     {.m = FILTER_LEAST_ROWS, .n = 2 * FILTER_LEAST_COLS, .k = 2},
     SLOW},
    {"coded_search ",
     'k',
     FILTER_LEAST_COLS / FILTER_COLS_A_RESULT,
     {.m = 7, .n = FILTER_LEAST_COLS, .d = 100},
     0},
    {"coded_search ", 'm', 14, {.n = FILTER_LEAST_COLS + 5, .d = 66, .k = 1}, 0},
    /* Rows of a pair or a query: QUERY_NEAR_BYTES, QUERY_NEAR_PAIR_BYTES, PAIR_LONG_ROW,
     * PAIR_LONG_PIECE, PAIR_FAR_ROW, PAIR_FAR_PIECE, PAIR_LONG_PIECE_NEON, PAIR_FAR_BYTES,
     * QUERY_WIDE_ROW. */
    {QUERIES, 'n', QUERY_NEAR_BYTES / 4 / 64, {.d = 64}, 0},
    {QUERIES, 'n', QUERY_NEAR_PAIR_BYTES / 4 / 128, {.d = 128}, SLOW},
    {QUERIES, 'd', 64, {.n = 37}, 0},
    {QUERIES, 'd', 128, {.n = 37}, 0},
    {QUERIES, 'd', PAIR_LONG_ROW, {.n = 5}, 0},
    {QUERIES_F16, 'n', QUERY_NEAR_BYTES / 2 / 64, {.d = 64}, 0},
    {QUERIES_F16, 'n', QUERY_NEAR_PAIR_BYTES / 2 / 128, {.d = 128}, SLOW},
    {QUERIES_F16, 'd', 64, {.n = 37}, 0},
    {QUERIES_F16, 'd', 128, {.n = 37}, 0},
    {QUERIES_F16, 'd', QUERY_WIDE_ROW, {.n = 3}, 0},
    {PAIRS_F16, 'd', PAIR_LONG_ROW, {.n = 0}, 0},
    {"cosine_pair_f16 ", 'd', PAIR_LONG_ROW + PAIR_LONG_PIECE, {.n = 0}, 0},
    {"cosine_pair_f16 ", 'd', PAIR_LONG_ROW + PAIR_LONG_PIECE_NEON, {.n = 0}, 0},
    {"dot_pair cosine_pair neg_sq_l2_pair ", 'd', PAIR_LONG_ROW, {.n = 0}, 0},
    {"cosine_pair ", 'd', PAIR_LONG_ROW + PAIR_LONG_PIECE, {.n = 0}, 0},
    {"cosine_pair ", 'd', PAIR_LONG_ROW + PAIR_LONG_PIECE_NEON, {.n = 0}, 0},
    {"cosine_rows ", 'd', PAIR_FAR_ROW, {.m = PAIR_FAR_BYTES / 8 / PAIR_FAR_ROW + 1}, SLOW},
    {"cosine_rows ", 'd', 4 * PAIR_FAR_PIECE, {.m = PAIR_FAR_BYTES / 8 / 512 + 1}, SLOW},
    {"dot_rows cosine_rows neg_sq_l2_rows ", 'm', PAIR_FAR_BYTES / 8 / 64, {.d = 64}, SLOW},
    /* Blocks of a log-sum-exp: EXP_BLOCK. */
    {"logsumexp exp ", 'n', EXP_BLOCK, {.m = 0}, 0},
    /* Sizes that 16 bits do not hold. */
    {"topk ", '=', 0, {.n = BEYOND_16 + 70, .k = BEYOND_16}, 0},
    {"topk_rows normalize_rows dot_rows cosine_rows neg_sq_l2_rows ",
     '=',
     0,
     {.m = BEYOND_16, .n = 3, .d = 1, .k = 2},
     SLOW},
    {"retrieval_metrics ", '=', 0, {.m = BEYOND_16, .n = 3, .k = 2}, 0},
    {MATRICES MATRICES_I8 SEARCHES, '=', 0, {.m = BEYOND_16, .n = 2, .d = 1, .k = 2}, SLOW},
    {MATRICES MATRICES_I8 SEARCHES QUERIES QUERIES_F16,
     '=',
     0,
     {.m = 2, .n = BEYOND_16, .d = 1, .k = 2},
     SLOW},
    {"logsumexp exp dot_pair cosine_pair neg_sq_l2_pair dot_rows cosine_rows neg_sq_l2_rows "
     "normalize_rows normalize_rows_f16 normalize_rows_bf16 squared_norms_f16 " PAIRS_F16 MATRICES
         SEARCHES QUERIES QUERIES_F16 LOSSES,
     '=',
     0,
     {.m = 2, .n = 2, .d = BEYOND_16, .k = 1},
     SLOW},
    {"search gallery_search coded_search ",
     '=',
     0,
     {.m = 2, .n = BEYOND_16 + 70, .d = 1, .k = BEYOND_16},
     SLOW},
    {LOSSES "multi_infonce_forward ", '=', 0, {.m = BEYOND_16, .n = 2, .d = 1}, SLOW},
    {LOSSES "multi_infonce_forward ", '=', 0, {.m = 2, .n = BEYOND_16, .d = 1}, SLOW},
    /* A result that goes past the caches, MATRIX_PAST_CACHE_BYTES; one size, for it is long;
     * and rows that are aligned to half of what that needs. */
    {MATRICES, '=', 0, {.m = MATRIX_PAST_CACHE_BYTES / 4 / 4096 + 1, .n = 4096, .d = 3}, SLOW},
    {"dot_matrix ", '=', 0, {.m = MATRIX_PAST_CACHE_BYTES / 4 / 4096, .n = 4104, .d = 2}, SLOW},
};

/* Where every row needs a partner; the oracle keeps some matrices of doubles, 8 MB each. Kernels
 * of targets have such shapes without partners. */
enum { MOST_PAIRS = 1 << 20 };

bool brinks_fill_fits(const struct shape *shape, enum fill fill)
{
    /* Long streams are of rows of one element, which have no tail. */
    bool past_cache = shape->m * shape->n >= MATRIX_PAST_CACHE_BYTES / 4;
    bool few_rows = shape->m <= 1 && shape->n <= 37;
    return fill == FILL_NORMAL || (fill == FILL_NAN_TAIL && shape->k < STREAM_K) ||
           (fill == FILL_SPECIALS && (past_cache || few_rows)) ||
           (fill == FILL_MAGNITUDES && few_rows);
}

static bool has_word(const char *words, const char *word)
{
    char padded[80];
    snprintf(padded, sizeof padded, "%s ", word);
    const char *at = strstr(words, padded);
    return at != NULL && (at == words || at[-1] == ' ');
}

static void set_dim(struct shape *shape, char dim, size_t value)
{
    if (dim == 'm')
        shape->m = value;
    else if (dim == 'n')
        shape->n = value;
    else if (dim == 'd')
        shape->d = value;
    else if (dim == 'k')
        shape->positives = value;
}

/* What the kernel wants to know beside sizes, in its simplest form; where every row needs a
 * partner, as many columns as rows. */
static struct shape whole(const struct kernel *kernel, struct shape shape)
{
    if (kernel->offset == OFFSET_ALWAYS && shape.n < shape.m)
        shape.n = shape.m;
    if (kernel->has_positives && shape.positives == 0)
        shape.positives = 1;
    if (kernel->has_logit_scale) {
        shape.logit_scale = shape.logit_scale != 0 ? shape.logit_scale : 3;
        shape.weight_x = shape.weight_y = 0.5f;
    }
    return shape;
}

/* Adds the shape, with every similarity where it says which, or with one. */
static void add(struct shape *shapes, size_t *count, const struct kernel *kernel,
                struct shape shape, bool all)
{
    int last = shape_has_similarity(kernel) && all ? MMK_SIMILARITY_COUNT : 1;
    for (int similarity = 0; similarity < last; similarity++) {
        shape.similarity = (enum mmk_similarity)similarity;
        if (shape_has_similarity(kernel) && !all)
            shape.similarity = (enum mmk_similarity)((shape.m + shape.n) % MMK_SIMILARITY_COUNT);
        sweep_add(shapes, count, shape);
    }
}

size_t brinks_sweep(const struct kernel *kernel, bool quick, struct shape *shapes)
{
    size_t count = 0;
    for (size_t i = 0; i < sizeof brinks / sizeof brinks[0]; i++) {
        const struct brink *b = &brinks[i];
        /* A loss has five times as many checks as others: one above, and three blocks. */
        bool loss = kernel->has_logit_scale;
        if (!has_word(b->kernels, kernel->name) ||
            (quick && (b->how & SLOW || (loss && !(b->how & QUICK)))))
            continue;
        const size_t sizes[] = {b->at + 1, 2 * b->at + 1, b->at, b->at - 1};
        for (size_t s = 0; s < (quick || b->dim == '=' ? 1 : loss ? 2 : 4); s++) {
            struct shape shape = b->rest;
            set_dim(&shape, b->dim, sizes[s]);
            shape = whole(kernel, shape);
            if (shape.m * shape.n <= MOST_PAIRS || kernel->offset != OFFSET_ALWAYS)
                add(shapes, &count, kernel, shape, !(b->how & SLOW) && (!loss || b->how & QUICK));
        }
    }
    return count;
}
