/* cases.h - what the files of cases share: the descriptors, their parts, random numbers, rounding.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_CASES_H
#define MMK_CASES_H

#include "case.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

extern const struct kernel kernel_dot_pair, kernel_cosine_pair, kernel_neg_sq_l2_pair;
extern const struct kernel kernel_dot_query, kernel_cosine_query, kernel_neg_sq_l2_query;
extern const struct kernel kernel_cosine_query_norms, kernel_squared_norms;
extern const struct kernel kernel_dot_rows, kernel_cosine_rows, kernel_neg_sq_l2_rows;
extern const struct kernel kernel_dot_matrix, kernel_cosine_matrix, kernel_neg_sq_l2_matrix;
extern const struct kernel kernel_dot_matrix_f16, kernel_cosine_matrix_f16;
extern const struct kernel kernel_neg_sq_l2_matrix_f16, kernel_dot_matrix_bf16;
extern const struct kernel kernel_cosine_matrix_bf16, kernel_neg_sq_l2_matrix_bf16;
extern const struct kernel kernel_search_f16, kernel_search_bf16, kernel_coded_search_f16;
extern const struct kernel kernel_dot_matrix_i8, kernel_scaled_dot_matrix_i8;
extern const struct kernel kernel_cosine_matrix_i8, kernel_neg_sq_l2_matrix_i8;
extern const struct kernel kernel_normalize_rows;
extern const struct kernel kernel_quantize_rows;
extern const struct kernel kernel_dot_pair_i8, kernel_scaled_dot_pair_i8, kernel_cosine_pair_i8;
extern const struct kernel kernel_neg_sq_l2_pair_i8;
extern const struct kernel kernel_dot_query_i8, kernel_scaled_dot_query_i8, kernel_cosine_query_i8;
extern const struct kernel kernel_neg_sq_l2_query_i8;
extern const struct kernel kernel_dot_pair_f16, kernel_cosine_pair_f16, kernel_neg_sq_l2_pair_f16;
extern const struct kernel kernel_dot_query_f16, kernel_cosine_query_f16;
extern const struct kernel kernel_cosine_query_norms_f16, kernel_neg_sq_l2_query_f16;
extern const struct kernel kernel_squared_norms_f16, kernel_normalize_rows_f16;
extern const struct kernel kernel_normalize_rows_bf16;
extern const struct kernel kernel_dot_pair_bf16, kernel_cosine_pair_bf16;
extern const struct kernel kernel_neg_sq_l2_pair_bf16;
extern const struct kernel kernel_dot_query_bf16, kernel_cosine_query_bf16;
extern const struct kernel kernel_cosine_query_norms_bf16, kernel_neg_sq_l2_query_bf16;
extern const struct kernel kernel_squared_norms_bf16;
extern const struct kernel kernel_infonce_forward, kernel_infonce_backward;
extern const struct kernel kernel_infonce_forward_backward;
extern const struct kernel kernel_infonce_negatives_forward_backward;
extern const struct kernel kernel_multi_infonce_forward, kernel_multi_infonce_backward;
extern const struct kernel kernel_multi_infonce_forward_backward;
extern const struct kernel kernel_sigmoid_forward, kernel_sigmoid_forward_backward;
extern const struct kernel kernel_csd_sigmoid_forward_backward;
extern const struct kernel kernel_uniformity_forward, kernel_uniformity_forward_backward;
extern const struct kernel kernel_alignment_forward_backward;
extern const struct kernel kernel_exp, kernel_logsumexp;
extern const struct kernel kernel_topk, kernel_topk_rows;
extern const struct kernel kernel_gallery_matrix;
extern const struct kernel kernel_search, kernel_search_both, kernel_gallery_search;
extern const struct kernel kernel_coded_search;
extern const struct kernel kernel_retrieval_metrics;

static inline size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ---- Fills ---- */

uint64_t fill_hash(uint64_t stream, uint64_t index);
double fill_normal(uint64_t stream, uint64_t index);
uint64_t fill_stream(const struct trial *trial, const char *name);

/* The common fill of row i of a buffer, into any place. */
void fill_common_row(const struct trial *trial, const struct buffer *b, size_t i, float *row);

/* Rows of ELEMENT_F16 or ELEMENT_BF16 as floats without gaps, for oracles; to be freed. */
float *floats_of(const struct buffer *b);

/* The longest row of int8 that functions take (mmk.h): sums come near 2^31. */
enum { LONGEST_CODES = 131071 };

/* For struct kernel's fill: rows of codes (add_codes) with their scales. Most fills are the common
 * one, quantised; of those that have no meaning for codes INTEGER is any codes, -128 among them,
 * without scales (codes_of passes NULL), and TIES are codes of -128 and 127 alone. Special rows
 * have special scales. */
void fill_codes(struct trial *trial);

static inline bool fill_is_of_rows(enum fill fill)
{
    return fill < FILL_ASCENDING;
}

/* Rows near one that is far from 0. */
static inline bool fill_is_offset(enum fill fill)
{
    return fill == FILL_MEAN_10 || fill == FILL_MEAN_1000;
}

/* ---- Layout: adds a buffer of rows x cols to the trial ---- */

static inline struct buffer *add_buffer(struct trial *t, const char *name, bool output, size_t rows,
                                        size_t cols)
{
    struct buffer *b = &t->buffer[t->buffer_count++]; /* each has a leading dimension of its own */
    *b =
        (struct buffer){.name = name,
                        .output = output,
                        .element = ELEMENT_F32,
                        .rows = rows,
                        .cols = cols,
                        .ld = rows > 1 ? cols + t->shape.ld_extra * (size_t)t->buffer_count : cols};
    return b;
}

static inline struct buffer *add_vector(struct trial *t, const char *name, bool output,
                                        enum element element, size_t count)
{
    struct buffer *b = add_buffer(t, name, output, 1, count);
    b->element = element;
    return b;
}

/* A buffer of floats: itself, or of 16-bit ones those that they are, without gaps; free_floats then
 * frees these. */
static inline struct buffer as_floats(const struct buffer *b)
{
    struct buffer floats = *b;
    if (b->element == ELEMENT_F32)
        return floats;
    floats.element = ELEMENT_F32;
    floats.data = floats_of(b);
    floats.ld = b->cols;
    return floats;
}

static inline void free_floats(const struct buffer *b, struct buffer *floats)
{
    if (floats->data != b->data)
        free(floats->data);
}

/* Rows of ELEMENT_F16 or ELEMENT_BF16. */
static inline struct buffer *add_halves(struct trial *t, const char *name, enum element element,
                                        size_t rows, size_t cols)
{
    struct buffer *b = add_buffer(t, name, false, rows, cols);
    b->element = element;
    return b;
}

/* Rows of MMK_I8, whose scales are the next buffer, one a row; NULL: they have none. */
static inline struct buffer *add_codes(struct trial *t, const char *name, const char *scales,
                                       bool output, size_t rows, size_t cols)
{
    struct buffer *codes = add_buffer(t, name, output, rows, cols);
    codes->element = ELEMENT_I8;
    if (scales != NULL)
        add_buffer(t, scales, output, rows, 1)->ld = 1;
    return codes;
}

/* The result of a similarity. */
static inline void add_result(struct trial *t, size_t rows, size_t cols)
{
    struct buffer *result = add_buffer(t, "result", true, rows, cols);
    if (t->shape.similarity == MMK_NEG_SQ_L2)
        result->sign = SIGN_NOT_POSITIVE;
}

/* ---- Arguments: buffers as the interface takes them ---- */

static inline enum mmk_type type_of(const struct buffer *b)
{
    return b->element == ELEMENT_I8     ? MMK_I8
           : b->element == ELEMENT_I32  ? MMK_I32
           : b->element == ELEMENT_F16  ? MMK_F16
           : b->element == ELEMENT_BF16 ? MMK_BF16
                                        : MMK_F32;
}

static inline struct mmk_matrix matrix_of(const struct buffer *b)
{
    return (struct mmk_matrix){.data = b->data,
                               .rows = b->rows,
                               .columns = b->cols,
                               .leading_dimension = b->ld,
                               .type = type_of(b)};
}

/* Rows of add_codes. */
static inline struct mmk_matrix codes_of(const struct trial *t, const struct buffer *b)
{
    struct mmk_matrix codes = matrix_of(b);
    codes.row_scales = t->fill == FILL_INTEGER ? NULL : b[1].data;
    return codes;
}

static inline struct mmk_matrix_out matrix_out_of(const struct buffer *b)
{
    return (struct mmk_matrix_out){.data = b->data,
                                   .rows = b->rows,
                                   .columns = b->cols,
                                   .leading_dimension = b->ld,
                                   .type = type_of(b)};
}

static inline void *wanted(const struct buffer *b)
{
    return b->unwanted ? NULL : b->data;
}

static inline size_t *wanted_count(struct trial *t)
{
    return t->count_unwanted ? NULL : &t->count;
}

/* Both of two counts in one number, as the trial has one only. */
static inline size_t count_of(size_t count_x, size_t count_y)
{
    return count_x << 32 | count_y;
}

/* Pointers to what lives as long as the block that they stand in. */
#define MATRIX(b)        ((const struct mmk_matrix[]){matrix_of(b)})
#define WANTED_MATRIX(b) ((b)->unwanted ? NULL : (const struct mmk_matrix_out[]){matrix_out_of(b)})

/* A descriptor's shapes for the bench. */
#define BENCH(shapes) .bench = (shapes), .bench_count = sizeof(shapes) / sizeof((shapes)[0])

/* ---- Bounds ----
 *
 * u = 2^-24 is half the distance from 1 to the next float: one operation rounds by a relative error
 * of at most u, or below the normal range by 2^-150 at most, which UNDERFLOW doubles.
 */
#define BOUND_U         0x1p-24
#define BOUND_UNDERFLOW 0x1p-149

/* Roundings that reach an element of a sum of d in 64 lanes: a chain of ceil(d / 64), then six
 * levels of the tree, and one to spare. |error| <= bound_lanes(d) u sum|terms|: it holds always. */
static inline double bound_lanes(size_t d)
{
    return (double)((d + 63) / 64) + 7;
}

/* The same for one chain of d: at most d roundings; as they go up and down at random, their sum is
 * taken as lambda sqrt(d) with lambda = 6, six standard deviations if each was uniform and as large
 * as the last partial sum allows. */
static inline double bound_chain(size_t d)
{
    double walk = 6 * sqrt((double)d);
    return (walk < (double)d ? walk : (double)d) + 1;
}

/* The same for a sum of n over the batch: chains of at most 176, four of them added up, these sums
 * added up in double, and one rounding to float; for the sums of exponentials, chains of 84 or
 * less, it is more than enough. However large n: 91 roundings, where one chain over 4,096 would be
 * given 385. */
static inline double bound_batch(size_t n)
{
    return bound_chain(n < 176 ? n : 176) + (n > 176 ? 4 : 0);
}

/* With few distinct values, quarters at least, every product and partial sum is exact up to 2^24
 * quarters of quarters. */
static inline bool bound_is_exact(enum fill fill, double magnitude)
{
    return (fill == FILL_INTEGER || fill == FILL_TIES) && magnitude <= 0x1p20;
}

/* Whether partial sums may overflow though the sum does not, which depends on their order: terms of
 * both signs with sum|terms| beyond float. */
static inline bool bound_overflows(double sum, double magnitude)
{
    return magnitude > (double)FLT_MAX && fabs(sum) < magnitude * (1 - 1e-9);
}

/* prepare and release of kernels that take a packed gallery: trial->prepared, from the buffer y. */
enum mmk_status gallery_prepare(struct trial *trial);
enum mmk_status gallery_prepare_codes(struct trial *trial);
void gallery_release(struct trial *trial);

#endif
