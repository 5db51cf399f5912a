/* test_status.c - every public function refuses wrong arguments, names them, and writes nothing.
 * SPDX-License-Identifier: MIT
 *
 * Each case takes arguments that are right, spoils one, and tells the status that must come back
 * and the words that mmk_error_detail() must have. All outputs are filled with a pattern before and
 * compared after. That no function is left out is seen from mmk.h itself. What is wrong within a
 * CSR matrix, a ranking or a gallery of another instruction set or with an origin is tried in
 * test_targets.c, test_retrieval.c, test_search.c and test_origin.c.
 */
#include "../../kernels/isa/isa.h"
#include "detail.h"
#include "matrix.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { M = 3, N = 5, D = 4, Q = 2, K = 2, ELEMENTS = 64 };

#define HUGE_SIZE (SIZE_MAX / 2 + 1) /* times anything leaves size_t */
#define BIG_SIZE  (SIZE_MAX / 8 + 1) /* floats: leaves the address space by a little */

/* ---- Allocations that fail: glibc lets a program bring its own ------------------------------- */

static bool no_memory;
static _Atomic long in_use; /* pieces that were given and not got back */

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define CAN_RUN_OUT 1
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_memalign(size_t align, size_t size);
void __libc_free(void *piece);

static void *counted(void *piece)
{
    in_use += piece != NULL;
    return piece;
}

void *malloc(size_t size)
{
    return no_memory ? NULL : counted(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
    return no_memory ? NULL : counted(__libc_calloc(count, size));
}

void *aligned_alloc(size_t align, size_t size)
{
    return no_memory ? NULL : counted(__libc_memalign(align, size));
}

void free(void *piece)
{
    in_use -= piece != NULL;
    __libc_free(piece);
}
#else
#define CAN_RUN_OUT 0
#endif

/* ---- Arguments ------------------------------------------------------------------------------- */

/* All that any of the functions takes. A call picks what is its own, and puts it into its
 * structs. */
struct arguments {
    enum mmk_similarity similarity;
    size_t d; /* of two vectors */
    struct mmk_matrix x, y, negatives, log_variance_x, log_variance_y, scores;
    struct mmk_matrix_out result, out, dx, dy, dnegatives, dlog_variance_x, dlog_variance_y;
    struct { /* NULL: left out */
        const struct mmk_matrix *x, *y, *negatives, *log_variance_x, *log_variance_y, *scores;
        const struct mmk_matrix_out *result, *out, *dx, *dy, *dnegatives, *dlog_variance_x,
            *dlog_variance_y;
        const struct mmk_csr *targets;
        const struct mmk_topk_results *for_x, *for_y;
        const struct mmk_options *options;
        const float *lse_x, *lse_y, *upstream, *vector;
        float *values;
        struct mmk_gallery **gallery;
    } to;
    float logit_scale, weight_x, weight_y, bias, upstream;
    size_t offset;
    int exclude_self;
    struct { /* NULL: not wanted */
        float *loss, *lse_x, *lse_y, *dlogit_scale, *dbias;
        size_t *rows_counted, *columns_counted;
    } want;
    struct mmk_topk_results for_x, for_y;
    struct mmk_options options;
    bool no_problem, no_results;
    const void *problem_reserved, *results_reserved;
};

/* What the outputs point at. */
static struct {
    float result[ELEMENTS], loss[ELEMENTS], lse_x[ELEMENTS], lse_y[ELEMENTS], dx[ELEMENTS],
        dy[ELEMENTS], dnegatives[ELEMENTS], dlogit_scale[ELEMENTS], dbias[ELEMENTS],
        dlog_variance_x[ELEMENTS], dlog_variance_y[ELEMENTS], values[ELEMENTS], values_y[ELEMENTS];
    uint32_t indices[ELEMENTS], indices_y[ELEMENTS];
    int32_t integers[ELEMENTS];
    size_t count[ELEMENTS], count_y[ELEMENTS];
    double r_precision;
    struct mmk_workspace_bytes query;
    struct mmk_gallery *gallery;
} out;

static float in_x[ELEMENTS], in_y[ELEMENTS], in_norms[ELEMENTS], in_lse_x[ELEMENTS],
    in_lse_y[ELEMENTS], in_log_variance[ELEMENTS];

/* One target a row, and rows enough for the greatest m that is right. */
static const size_t in_row_start[N + 2] = {0, 1, 2, 3, 4, 5, 6};
static const uint32_t in_column[N + 1] = {1, 2, 3, 4, 0, 1};
static const struct mmk_csr in_targets = {in_row_start, in_column, NULL};

/* A target that y has no row for, be there further negatives or not. */
static const uint32_t in_column_of_nobody[N + 1] = {1, N, 3, 4, 0, 1};
static const struct mmk_csr in_targets_of_nobody = {in_row_start, in_column_of_nobody, NULL};

static const float in_nan_origin[D] = {1, 2, 3, NAN}, in_great_origin[D] = {-0x1p100f, INFINITY};
static const float in_greatest_origin[D] = {-0x1.fffffep99f, 0x1.fffffep99f};

static char workspace[1 << 16];

/* Sizes that fit each other. */
static void set_shape(struct arguments *a, size_t m, size_t n, size_t d)
{
    a->d = d;
    a->x.rows = a->log_variance_x.rows = a->scores.rows = a->result.rows = a->out.rows = m;
    a->dx.rows = a->dlog_variance_x.rows = m;
    a->y.rows = a->log_variance_y.rows = a->dy.rows = a->dlog_variance_y.rows = n;
    a->scores.columns = a->result.columns = n;
    a->x.columns = a->y.columns = a->negatives.columns = a->out.columns = d;
    a->log_variance_x.columns = a->log_variance_y.columns = d;
    a->dx.columns = a->dy.columns = a->dnegatives.columns = d;
    a->dlog_variance_x.columns = a->dlog_variance_y.columns = d;
}

/* The arguments point into themselves: they stay where they are. */
static void set_right(struct arguments *a)
{
    *a = (struct arguments){
        .similarity = MMK_COSINE,
        .x.data = in_x,
        .y.data = in_y,
        .negatives = {.data = in_y, .rows = Q},
        .log_variance_x.data = in_log_variance,
        .log_variance_y.data = in_log_variance,
        .scores.data = in_x,
        .result.data = out.result,
        .out.data = out.result,
        .dx.data = out.dx,
        .dy.data = out.dy,
        .dnegatives = {.data = out.dnegatives, .rows = Q},
        .dlog_variance_x.data = out.dlog_variance_x,
        .dlog_variance_y.data = out.dlog_variance_y,
        .to = {&a->x,
               &a->y,
               &a->negatives,
               &a->log_variance_x,
               &a->log_variance_y,
               &a->scores,
               &a->result,
               &a->out,
               &a->dx,
               &a->dy,
               &a->dnegatives,
               &a->dlog_variance_x,
               &a->dlog_variance_y,
               NULL,
               &a->for_x,
               &a->for_y,
               &a->options,
               NULL,
               NULL,
               NULL,
               in_x,
               out.values,
               &out.gallery},
        .logit_scale = 10,
        .weight_x = 0.5f,
        .weight_y = 0.5f,
        .bias = -10,
        .want = {out.loss, out.lse_x, out.lse_y, out.dlogit_scale, out.dbias, &out.count[0],
                 &out.count[1]},
        .for_x = {.k = K, .values = out.values, .indices = out.indices, .count = out.count},
        .for_y = {.k = K, .values = out.values_y, .indices = out.indices_y, .count = out.count_y},
    };
    set_shape(a, M, N, D);
}

/* ---- The functions, each taking its part of the arguments ------------------------------------ */

static enum mmk_status call_pair(struct arguments *a)
{
    return mmk_similarity_pair(a->similarity, a->d, a->to.x ? a->x.data : NULL,
                               a->to.y ? a->y.data : NULL, a->to.values);
}

static enum mmk_status call_query(struct arguments *a)
{
    return mmk_similarity_query(a->similarity, a->to.vector, a->to.y, NULL, a->to.values);
}

static enum mmk_status call_query_norms(struct arguments *a)
{
    return mmk_similarity_query(a->similarity, a->to.vector, a->to.y, in_norms, a->to.values);
}

static enum mmk_status call_rows(struct arguments *a)
{
    return mmk_similarity_rows(a->similarity, a->to.x, a->to.y, a->to.values, a->to.options);
}

static enum mmk_status call_squared_norms(struct arguments *a)
{
    return mmk_squared_norms(a->to.y, a->to.values);
}

static enum mmk_status call_matrix(struct arguments *a)
{
    return mmk_similarity_matrix(a->similarity, a->to.x, a->to.y, a->to.result, a->to.options);
}

static enum mmk_status call_normalize(struct arguments *a)
{
    return mmk_normalize_rows(a->to.x, a->to.out);
}

typedef enum mmk_status make_gallery(enum mmk_similarity, const struct mmk_matrix *,
                                     const struct mmk_options *, struct mmk_gallery **);

static enum mmk_status call_gallery(make_gallery *make, struct arguments *a)
{
    struct mmk_gallery *before = out.gallery;
    enum mmk_status status = make(a->similarity, a->to.y, a->to.options, a->to.gallery);
    if (status == MMK_OK && out.gallery != before) {
        mmk_gallery_free(out.gallery);
        out.gallery = before;
    }
    return status;
}

static enum mmk_status call_gallery_pack(struct arguments *a)
{
    return call_gallery(mmk_gallery_pack, a);
}

static enum mmk_status call_gallery_encode(struct arguments *a)
{
    return call_gallery(mmk_gallery_encode, a);
}

static enum mmk_status call_infonce_like(
    enum mmk_status (*function)(const struct mmk_infonce_problem *,
                                const struct mmk_infonce_results *, const struct mmk_options *),
    struct arguments *a)
{
    const struct mmk_infonce_problem problem = {.x = a->to.x,
                                                .y = a->to.y,
                                                .negatives = a->to.negatives,
                                                .similarity = a->similarity,
                                                .logit_scale = a->logit_scale,
                                                .weight_x = a->weight_x,
                                                .weight_y = a->weight_y,
                                                .targets = a->to.targets,
                                                .offset = a->offset,
                                                .exclude_self = a->exclude_self,
                                                .lse_x = a->to.lse_x,
                                                .lse_y = a->to.lse_y,
                                                .upstream = a->to.upstream,
                                                .reserved[7] = a->problem_reserved};
    const struct mmk_infonce_results results = {.loss = a->want.loss,
                                                .lse_x = a->want.lse_x,
                                                .lse_y = a->want.lse_y,
                                                .rows_counted = a->want.rows_counted,
                                                .columns_counted = a->want.columns_counted,
                                                .dx = a->to.dx,
                                                .dy = a->to.dy,
                                                .dnegatives = a->to.dnegatives,
                                                .dlogit_scale = a->want.dlogit_scale,
                                                .reserved[7] = a->results_reserved};
    return function(a->no_problem ? NULL : &problem, a->no_results ? NULL : &results,
                    a->to.options);
}

static enum mmk_status call_infonce(struct arguments *a)
{
    return call_infonce_like(mmk_infonce, a);
}

static enum mmk_status call_uniformity(struct arguments *a)
{
    return call_infonce_like(mmk_uniformity, a);
}

static enum mmk_status call_alignment(struct arguments *a)
{
    return call_infonce_like(mmk_alignment, a);
}

static enum mmk_status call_sigmoid(struct arguments *a)
{
    const struct mmk_sigmoid_problem problem = {.x = a->to.x,
                                                .y = a->to.y,
                                                .log_variance_x = a->to.log_variance_x,
                                                .log_variance_y = a->to.log_variance_y,
                                                .similarity = a->similarity,
                                                .logit_scale = a->logit_scale,
                                                .bias = a->bias,
                                                .positives = a->to.targets,
                                                .offset = a->offset,
                                                .upstream = a->to.upstream,
                                                .reserved[7] = a->problem_reserved};
    const struct mmk_sigmoid_results results = {.loss = a->want.loss,
                                                .dx = a->to.dx,
                                                .dy = a->to.dy,
                                                .dlog_variance_x = a->to.dlog_variance_x,
                                                .dlog_variance_y = a->to.dlog_variance_y,
                                                .dlogit_scale = a->want.dlogit_scale,
                                                .dbias = a->want.dbias,
                                                .reserved[7] = a->results_reserved};
    return mmk_sigmoid(a->no_problem ? NULL : &problem, a->no_results ? NULL : &results,
                       a->to.options);
}

static enum mmk_status call_topk(struct arguments *a)
{
    return mmk_topk(a->to.scores, a->no_results ? NULL : a->to.for_x, a->to.options);
}

static enum mmk_status call_search(struct arguments *a)
{
    const struct mmk_search_problem problem = {.x = a->to.x,
                                               .y = a->to.y,
                                               .similarity = a->similarity,
                                               .reserved[6] = a->problem_reserved};
    const struct mmk_search_results results = {
        .for_x = a->to.for_x, .for_y = a->to.for_y, .reserved[2] = a->results_reserved};
    return mmk_search(a->no_problem ? NULL : &problem, a->no_results ? NULL : &results,
                      a->to.options);
}

/* Calls with y packed as it was right. The gallery takes the place of y's data, unless they spoil
 * it. */
static enum mmk_status call_packed(make_gallery *make,
                                   enum mmk_status (*function)(struct arguments *),
                                   struct arguments *a)
{
    struct mmk_gallery *gallery = NULL;
    enum mmk_status status = make(MMK_COSINE, MATRIX_AT(in_y, N, D, 0), NULL, &gallery);
    if (status != MMK_OK)
        return status;
    a->y.packed = gallery;
    status = function(a);
    mmk_gallery_free(gallery);
    return status;
}

static enum mmk_status call_matrix_packed(struct arguments *a)
{
    return call_packed(mmk_gallery_pack, call_matrix, a);
}

static enum mmk_status call_search_packed(struct arguments *a)
{
    return call_packed(mmk_gallery_pack, call_search, a);
}

static enum mmk_status call_matrix_coded(struct arguments *a)
{
    return call_packed(mmk_gallery_encode, call_matrix, a);
}

static enum mmk_status call_search_coded(struct arguments *a)
{
    return call_packed(mmk_gallery_encode, call_search, a);
}

static enum mmk_status call_retrieval(struct arguments *a)
{
    static const uint32_t rankings[M * K] = {0};
    const struct mmk_retrieval_problem problem = {.m = M,
                                                  .n = N,
                                                  .depth = K,
                                                  .rankings = rankings,
                                                  .relevant = &in_targets,
                                                  .reserved[7] = a->problem_reserved};
    const struct mmk_retrieval_results results = {
        .r_precision = &out.r_precision, .counted = out.count, .reserved[7] = a->results_reserved};
    return mmk_retrieval_metrics(a->no_problem ? NULL : &problem, a->no_results ? NULL : &results);
}

static enum mmk_status call_quantize(struct arguments *a)
{
    return mmk_quantize_rows(a->to.x, NULL, a->to.out, a->to.values, NULL);
}

static enum mmk_status call_dot_pair_i8(struct arguments *a)
{
    return mmk_dot_pair_i8(a->d, a->to.x ? a->x.data : NULL, a->to.y ? a->y.data : NULL,
                           a->to.values ? out.integers : NULL);
}

static enum mmk_status call_pair_i8(struct arguments *a)
{
    return mmk_similarity_pair_i8(a->similarity, a->d, a->to.x ? a->x.data : NULL, 1,
                                  a->to.y ? a->y.data : NULL, 1, a->to.values);
}

static enum mmk_status call_dot_query_i8(struct arguments *a)
{
    return mmk_dot_query_i8((const void *)a->to.vector, a->to.y,
                            a->to.values ? out.integers : NULL);
}

static enum mmk_status call_query_i8(struct arguments *a)
{
    return mmk_similarity_query_i8(a->similarity, (const void *)a->to.vector, 1, a->to.y,
                                   a->to.values);
}

static enum mmk_status call_pair_f16(struct arguments *a)
{
    return mmk_similarity_pair_f16(a->similarity, a->d, a->to.x ? a->x.data : NULL,
                                   a->to.y ? a->y.data : NULL, a->to.values);
}

static enum mmk_status call_query_f16(struct arguments *a)
{
    return mmk_similarity_query_f16(a->similarity, (const void *)a->to.vector, a->to.y, NULL,
                                    a->to.values);
}

static enum mmk_status call_pair_bf16(struct arguments *a)
{
    return mmk_similarity_pair_bf16(a->similarity, a->d, a->to.x ? a->x.data : NULL,
                                    a->to.y ? a->y.data : NULL, a->to.values);
}

static enum mmk_status call_query_bf16(struct arguments *a)
{
    return mmk_similarity_query_bf16(a->similarity, (const void *)a->to.vector, a->to.y, NULL,
                                     a->to.values);
}

static enum mmk_status call_exp(struct arguments *a)
{
    return mmk_exp(a->d, a->to.vector, a->to.values);
}

static enum mmk_status call_logsumexp(struct arguments *a)
{
    return mmk_logsumexp(a->d, a->to.vector, a->to.values);
}

enum { FUNCTIONS = 38 };
#define BIT(function) ((uint64_t)1 << (function))
#define PAIR          BIT(0)
#define QUERY         BIT(1)
#define QUERY_NORMS   BIT(2)
#define SQUARED_NORMS BIT(3)
#define MATRIX_ROWS   BIT(4)
#define MATRIX_PACKED BIT(5)
#define NORMALIZE     BIT(6)
#define PACK_ROWS     BIT(7)
#define ONE_TO_ONE    BIT(8)
#define TARGETS       BIT(9)
#define NEGATIVES     BIT(10)
#define BACKWARD      BIT(11)
#define UNIFORMITY    BIT(12)
#define ALIGNMENT     BIT(13)
#define SIGMOID       BIT(14)
#define POSITIVES     BIT(15)
#define CSD           BIT(16)
#define EXP           BIT(17)
#define LOGSUMEXP     BIT(18)
#define TOPK_ROWS     BIT(19)
#define SEARCH_ROWS   BIT(20)
#define SEARCH_PACKED BIT(21)
#define RETRIEVAL     BIT(22) /* the rest of it in test_retrieval.c */
#define ROW_PAIRS     BIT(23)
#define ENCODE        BIT(24)
#define MATRIX_CODED  BIT(25)
#define SEARCH_CODED  BIT(26)
#define QUANTIZE      BIT(27)
#define DOT_PAIR_I8   BIT(28)
#define PAIR_I8       BIT(29)
#define DOT_QUERY_I8  BIT(30)
#define QUERY_I8      BIT(31)
#define MATRIX_I8     BIT(32) /* rows of int8, */
#define MATRIX_I32    BIT(33) /* and their products as integers */
#define PAIR_F16      BIT(34)
#define QUERY_F16     BIT(35)
#define PAIR_BF16     BIT(36)
#define QUERY_BF16    BIT(37)
#define PAIRS_HALF    (PAIR_F16 | PAIR_BF16)
#define QUERIES_HALF  (QUERY_F16 | QUERY_BF16)
#define MATRICES_I8   (MATRIX_I8 | MATRIX_I32)
#define PAIRS_I8      (DOT_PAIR_I8 | PAIR_I8)
#define QUERIES_I8    (DOT_QUERY_I8 | QUERY_I8)
#define PACK          (PACK_ROWS | ENCODE)
#define QUERIES       (QUERY | QUERY_NORMS)
#define MATRICES      (MATRIX_ROWS | MATRIX_PACKED | MATRIX_CODED | MATRICES_I8)
#define SEARCHES      (SEARCH_ROWS | SEARCH_PACKED | SEARCH_CODED)
#define PACKEDS       (MATRIX_PACKED | SEARCH_PACKED | MATRIX_CODED | SEARCH_CODED)
#define INFONCE       (ONE_TO_ONE | TARGETS | NEGATIVES | BACKWARD)
#define SOFTMAX       (INFONCE | UNIFORMITY)
#define SIGMOIDS      (SIGMOID | POSITIVES | CSD)
#define TWO_SIDED     (SOFTMAX | SIGMOIDS)
#define LOSSES        (TWO_SIDED | ALIGNMENT)
#define PAIRED        (ALIGNMENT | ROW_PAIRS) /* as many rows of y as of x */
#define WITH_OFFSET   (ONE_TO_ONE | NEGATIVES | BACKWARD | SIGMOID | CSD)
#define FORWARD       (ONE_TO_ONE | TARGETS | NEGATIVES | UNIFORMITY)
/* Rows of a matrix. */
#define X (MATRICES | ROW_PAIRS | NORMALIZE | LOSSES | SEARCHES | QUANTIZE)
#define Y                                                                                          \
    (QUERIES | SQUARED_NORMS | MATRIX_ROWS | ROW_PAIRS | PACK | LOSSES | SEARCH_ROWS | MATRICES_I8)
#define SIMILARITIES                                                                               \
    (PAIR | QUERIES | MATRICES | ROW_PAIRS | PACK | (LOSSES & ~CSD) | SEARCHES | PAIR_I8 |         \
     QUERY_I8 | PAIRS_HALF | QUERIES_HALF)
#define STRUCTS      (LOSSES | SEARCHES | RETRIEVAL)
#define WITH_OPTIONS (MATRICES | ROW_PAIRS | PACK | LOSSES | TOPK_ROWS | SEARCHES)
#define WITH_ORIGIN                                                                                \
    (WITH_OPTIONS & ~(PACKEDS | TOPK_ROWS | PAIRED | MATRICES_I8)) /* for MMK_NEG_SQ_L2 */
#define ALL (BIT(FUNCTIONS) - 1)

static const struct {
    const char *name;
    enum mmk_status (*call)(struct arguments *a);
} functions[FUNCTIONS] = {
    {"similarity_pair", call_pair},
    {"similarity_query", call_query},
    {"similarity_query with norms", call_query_norms},
    {"squared_norms", call_squared_norms},
    {"similarity_matrix", call_matrix},
    {"similarity_matrix packed", call_matrix_packed},
    {"normalize_rows", call_normalize},
    {"gallery_pack", call_gallery_pack},
    {"infonce", call_infonce},
    {"infonce with targets", call_infonce},
    {"infonce with negatives", call_infonce},
    {"infonce with lse given", call_infonce},
    {"uniformity", call_uniformity},
    {"alignment", call_alignment},
    {"sigmoid", call_sigmoid},
    {"sigmoid with positives", call_sigmoid},
    {"sigmoid with variances", call_sigmoid},
    {"exp", call_exp},
    {"logsumexp", call_logsumexp},
    {"topk", call_topk},
    {"search", call_search},
    {"search packed", call_search_packed},
    {"retrieval_metrics", call_retrieval},
    {"similarity_rows", call_rows},
    {"gallery_encode", call_gallery_encode},
    {"similarity_matrix coded", call_matrix_coded},
    {"search coded", call_search_coded},
    {"quantize_rows", call_quantize},
    {"dot_pair_i8", call_dot_pair_i8},
    {"similarity_pair_i8", call_pair_i8},
    {"dot_query_i8", call_dot_query_i8},
    {"similarity_query_i8", call_query_i8},
    {"similarity_matrix of int8", call_matrix},
    {"similarity_matrix to int32", call_matrix},
    {"similarity_pair_f16", call_pair_f16},
    {"similarity_query_f16", call_query_f16},
    {"similarity_pair_bf16", call_pair_bf16},
    {"similarity_query_bf16", call_query_bf16},
};

/* Right arguments for one function: what it does not take is left out. */
static void set_right_for(struct arguments *a, int f)
{
    uint64_t function = BIT(f);
    set_right(a);
    if (function & PACKEDS) {
        a->y = (struct mmk_matrix){0}; /* a gallery has rows of its own */
        a->to.for_y = NULL;
    }
    if (!(function & NEGATIVES)) {
        a->to.negatives = NULL;
        a->to.dnegatives = NULL;
    }
    if (function & (TARGETS | POSITIVES))
        a->to.targets = &in_targets;
    if (function & WITH_OFFSET)
        a->offset = 1;
    if (function & BACKWARD) {
        a->to.lse_x = in_lse_x;
        a->to.lse_y = in_lse_y;
    }
    if (function & (BACKWARD | ALIGNMENT)) {
        a->want.lse_x = a->want.lse_y = NULL;
        a->want.rows_counted = a->want.columns_counted = NULL;
    }
    if (function & BACKWARD)
        a->want.loss = NULL;
    if (function & ALIGNMENT)
        a->weight_x = a->weight_y = 0;
    if (function & PAIRED)
        set_shape(a, M, M, D);
    if (function & CSD) {
        a->similarity = MMK_NEG_SQ_L2;
    } else {
        a->to.log_variance_x = a->to.log_variance_y = NULL;
        a->to.dlog_variance_x = a->to.dlog_variance_y = NULL;
    }
    if (function & (QUERIES | SQUARED_NORMS))
        a->to.values = out.result;
    if (function & MATRICES_I8)
        a->x.type = a->y.type = MMK_I8;
    if (function & MATRIX_I32) {
        a->similarity = MMK_DOT;
        a->result.type = MMK_I32;
    }
    if (function & QUERIES_I8)
        a->y.type = MMK_I8;
    if (function & QUERY_F16)
        a->y.type = MMK_F16;
    if (function & QUERY_BF16)
        a->y.type = MMK_BF16;
    if (function & QUANTIZE)
        a->out.type = MMK_I8;
}

/* ---- The ways to spoil them ------------------------------------------------------------------ */

#define SPOIL(name, ...)                                                                           \
    static void name(struct arguments *a)                                                          \
    {                                                                                              \
        __VA_ARGS__;                                                                               \
    }

SPOIL(nothing, (void)a)
SPOIL(null_problem, a->no_problem = true)
SPOIL(null_results, a->no_results = true)
SPOIL(null_options, a->to.options = NULL)
SPOIL(null_x, a->to.x = NULL)
SPOIL(null_y, a->to.y = NULL)
SPOIL(null_scores, a->to.scores = NULL)
SPOIL(null_vector, a->to.vector = NULL)
SPOIL(null_values, a->to.values = NULL)
SPOIL(null_result, a->to.result = NULL)
SPOIL(null_out, a->to.out = NULL)
SPOIL(null_gallery, a->to.gallery = NULL)
SPOIL(x_without_data, a->x.data = NULL)
SPOIL(y_without_data, a->y.data = NULL)
SPOIL(scores_without_data, a->scores.data = NULL)
SPOIL(negatives_without_data, a->negatives.data = NULL)
SPOIL(log_variance_x_without_data, a->log_variance_x.data = NULL)
SPOIL(log_variance_y_without_data, a->log_variance_y.data = NULL)
SPOIL(result_without_data, a->result.data = NULL)
SPOIL(out_without_data, a->out.data = NULL)
SPOIL(dx_without_data, a->dx.data = NULL)
SPOIL(dy_without_data, a->dy.data = NULL)
SPOIL(dnegatives_without_data, a->dnegatives.data = NULL)
SPOIL(dlog_variance_x_without_data, a->dlog_variance_x.data = NULL)
SPOIL(dlog_variance_y_without_data, a->dlog_variance_y.data = NULL)

/* What is not wanted. */
SPOIL(no_loss, a->want.loss = NULL)
SPOIL(no_lse, a->want.lse_x = a->want.lse_y = NULL)
SPOIL(no_counts, a->want.rows_counted = a->want.columns_counted = NULL)
SPOIL(no_dx, a->to.dx = NULL)
SPOIL(no_dy, a->to.dy = NULL)
SPOIL(no_dnegatives, a->to.dnegatives = NULL)
SPOIL(no_dlogit_scale, a->want.dlogit_scale = NULL)
SPOIL(no_dbias, a->want.dbias = NULL)
SPOIL(no_dlog_variances, a->to.dlog_variance_x = a->to.dlog_variance_y = NULL)
SPOIL(no_results_at_all, a->want.loss = a->want.lse_x = a->want.lse_y = NULL;
      a->want.rows_counted = a->want.columns_counted = NULL;
      a->to.dx = a->to.dy = a->to.dnegatives = NULL;
      a->to.dlog_variance_x = a->to.dlog_variance_y = NULL;
      a->want.dlogit_scale = a->want.dbias = NULL; a->to.for_x = a->to.for_y = NULL)
SPOIL(indices_alone, a->for_x.values = NULL; a->for_x.count = NULL)
SPOIL(values_alone, a->for_x.indices = NULL; a->for_x.count = NULL)
SPOIL(count_alone, a->for_x.values = NULL; a->for_x.indices = NULL)
SPOIL(only_for_y, a->to.for_x = NULL)

/* Reserved fields, types and galleries. */
SPOIL(problem_reserved, a->problem_reserved = a)
SPOIL(results_reserved, a->results_reserved = a)
SPOIL(x_reserved, a->x.reserved[1] = a)
SPOIL(y_reserved, a->y.reserved[0] = a)
SPOIL(scores_reserved, a->scores.reserved[0] = a)
SPOIL(negatives_reserved, a->negatives.reserved[0] = a)
SPOIL(result_reserved, a->result.reserved[0] = a)
SPOIL(out_reserved, a->out.reserved[1] = a)
SPOIL(dx_reserved, a->dx.reserved[0] = a)
SPOIL(dy_reserved, a->dy.reserved[1] = a)
SPOIL(for_x_reserved, a->for_x.reserved[1] = a)
SPOIL(for_y_reserved, a->for_y.reserved[0] = a)
SPOIL(options_reserved, a->options.reserved[2] = a)
SPOIL(x_type, a->x.type = (enum mmk_type)1)
SPOIL(y_type, a->y.type = (enum mmk_type)7)
SPOIL(scores_type, a->scores.type = (enum mmk_type)1)
SPOIL(negatives_type, a->negatives.type = (enum mmk_type)1)
SPOIL(log_variance_y_type, a->log_variance_y.type = (enum mmk_type)1)
SPOIL(result_type, a->result.type = (enum mmk_type)1)
SPOIL(out_type, a->out.type = (enum mmk_type)1)
SPOIL(out_of_floats, a->out.type = MMK_F32)
SPOIL(y_of_floats, a->y.type = MMK_F32)
SPOIL(dx_type, a->dx.type = (enum mmk_type)1)
SPOIL(dy_type, a->dy.type = (enum mmk_type)1)
SPOIL(x_of_floats, a->x.type = MMK_F32)
SPOIL(y_of_int32, a->y.type = MMK_I32)
SPOIL(x_of_f16, a->x.type = MMK_F16)
SPOIL(y_of_f16, a->y.type = MMK_F16)
SPOIL(x_of_bf16, a->x.type = MMK_BF16)
SPOIL(y_of_bf16, a->y.type = MMK_BF16)
SPOIL(out_of_f16, a->out.type = MMK_F16)
SPOIL(result_of_int32, a->result.type = MMK_I32)
SPOIL(x_row_scales, a->x.row_scales = in_x)
SPOIL(y_row_scales, a->y.row_scales = in_x)
SPOIL(x_packed, a->x.data = NULL; a->x.packed = (const struct mmk_gallery *)workspace)
SPOIL(y_packed, a->y.data = NULL; a->y.packed = (const struct mmk_gallery *)workspace)
SPOIL(scores_packed, a->scores.data = NULL;
      a->scores.packed = (const struct mmk_gallery *)workspace)
SPOIL(negatives_packed, a->negatives.data = NULL;
      a->negatives.packed = (const struct mmk_gallery *)workspace)
SPOIL(packed_and_data, a->y.data = in_y)
SPOIL(packed_for_another_similarity, a->similarity = MMK_DOT)
SPOIL(packed_with_its_shape, a->y.rows = N; a->y.columns = D)
SPOIL(packed_with_more_rows, a->y.rows = N + 1)
SPOIL(packed_with_fewer_rows, a->y.rows = N - 1)
SPOIL(packed_with_more_columns, a->y.columns = D + 1)
SPOIL(packed_with_fewer_columns, a->y.columns = D - 1)

/* Shapes. */
SPOIL(fewer_x_columns, a->x.columns = D - 1)
SPOIL(more_x_columns, a->x.columns = D + 1)
SPOIL(fewer_y_columns, a->y.columns = D - 1)
SPOIL(more_y_columns, a->y.columns = D + 1)
SPOIL(fewer_negatives_columns, a->negatives.columns = D - 1)
SPOIL(more_negatives_columns, a->negatives.columns = D + 1)
SPOIL(fewer_log_variance_x_columns, a->log_variance_x.columns = D - 1)
SPOIL(more_log_variance_x_columns, a->log_variance_x.columns = D + 1)
SPOIL(more_log_variance_x_rows, a->log_variance_x.rows = M + 1)
SPOIL(fewer_log_variance_x_rows, a->log_variance_x.rows = M - 1)
SPOIL(fewer_log_variance_y_rows, a->log_variance_y.rows = N - 1)
SPOIL(more_log_variance_y_rows, a->log_variance_y.rows = N + 1)
SPOIL(fewer_result_rows, a->result.rows = M - 1)
SPOIL(more_result_rows, a->result.rows = M + 1)
SPOIL(fewer_result_columns, a->result.columns = N - 1)
SPOIL(more_result_columns, a->result.columns = N + 1)
SPOIL(more_out_rows, a->out.rows = M + 1)
SPOIL(fewer_out_rows, a->out.rows = M - 1)
SPOIL(fewer_out_columns, a->out.columns = D - 1)
SPOIL(more_out_columns, a->out.columns = D + 1)
SPOIL(fewer_dx_rows, a->dx.rows = M - 1)
SPOIL(more_dx_rows, a->dx.rows = M + 1)
SPOIL(fewer_dx_columns, a->dx.columns = D - 1)
SPOIL(more_dx_columns, a->dx.columns = D + 1)
SPOIL(more_dy_rows, a->dy.rows += 4)
SPOIL(fewer_dy_rows, a->dy.rows -= 1)
SPOIL(fewer_dy_columns, a->dy.columns = D - 1)
SPOIL(more_dy_columns, a->dy.columns = D + 1)
SPOIL(more_dnegatives_rows, a->dnegatives.rows = Q + 1)
SPOIL(fewer_dnegatives_rows, a->dnegatives.rows = Q - 1)
SPOIL(fewer_dlog_variance_x_rows, a->dlog_variance_x.rows = M - 1)
SPOIL(more_dlog_variance_x_rows, a->dlog_variance_x.rows = M + 1)
SPOIL(fewer_dlog_variance_y_columns, a->dlog_variance_y.columns = D - 1)
SPOIL(more_dlog_variance_y_columns, a->dlog_variance_y.columns = D + 1)
SPOIL(no_pairs, a->y.rows = M + 1; a->dy.rows = M + 1)
SPOIL(too_few_pairs, a->y.rows = M - 1; a->dy.rows = M - 1)

/* Leading dimensions. */
SPOIL(small_ldx, a->x.leading_dimension = D - 1)
SPOIL(small_ldy, a->y.leading_dimension = D - 1)
SPOIL(small_ld_of_scores, a->scores.leading_dimension = N - 1)
SPOIL(small_ld_of_negatives, a->negatives.leading_dimension = D - 1)
SPOIL(small_ld_of_log_variance_x, a->log_variance_x.leading_dimension = D - 1)
SPOIL(small_ld_of_log_variance_y, a->log_variance_y.leading_dimension = D - 1)
SPOIL(small_ldresult, a->result.leading_dimension = N - 1)
SPOIL(small_ldout, a->out.leading_dimension = D - 1)
SPOIL(small_lddx, a->dx.leading_dimension = D - 1)
SPOIL(small_lddy, a->dy.leading_dimension = D - 1)
SPOIL(small_lddnegatives, a->dnegatives.leading_dimension = D - 1)
SPOIL(small_lddlog_variance_x, a->dlog_variance_x.leading_dimension = D - 1)
SPOIL(small_lddlog_variance_y, a->dlog_variance_y.leading_dimension = D - 1)
SPOIL(small_ld_of_k_above_n, a->for_x.k = N + 3; a->for_x.leading_dimension = N + 2)
SPOIL(small_ld_for_x, a->for_x.leading_dimension = K - 1)
SPOIL(small_ld_for_y, a->for_y.leading_dimension = K - 1)

/* Sizes. */
SPOIL(d_beyond_int8, set_shape(a, M, N, 131072))
SPOIL(huge_d, set_shape(a, M, N, HUGE_SIZE))
SPOIL(big_d, set_shape(a, M, N, BIG_SIZE))
SPOIL(huge_m, set_shape(a, HUGE_SIZE, HUGE_SIZE + N, D))
SPOIL(huge_m_alone, set_shape(a, HUGE_SIZE, N, D))
SPOIL(huge_m_of_nothing, set_shape(a, HUGE_SIZE, HUGE_SIZE, 0))
SPOIL(huge_n, set_shape(a, M, HUGE_SIZE, D))
SPOIL(huge_ldx, a->x.leading_dimension = HUGE_SIZE)
SPOIL(huge_ldy, a->y.leading_dimension = HUGE_SIZE)
SPOIL(big_ldx, a->x.leading_dimension = BIG_SIZE)
SPOIL(big_ldy, a->y.leading_dimension = BIG_SIZE)
SPOIL(big_ld_of_scores, a->scores.leading_dimension = BIG_SIZE)
SPOIL(big_ld_of_negatives, a->negatives.leading_dimension = BIG_SIZE)
SPOIL(huge_ldresult, a->result.leading_dimension = HUGE_SIZE)
SPOIL(huge_ldout, a->out.leading_dimension = HUGE_SIZE)
SPOIL(huge_ld_for_x, a->for_x.leading_dimension = HUGE_SIZE)
SPOIL(huge_ld_for_y, a->for_y.leading_dimension = HUGE_SIZE)
SPOIL(huge_lddx, a->dx.leading_dimension = HUGE_SIZE)
SPOIL(huge_lddy, a->dy.leading_dimension = HUGE_SIZE)
SPOIL(n_beyond_index, set_shape(a, 1, (size_t)UINT32_MAX + 1, 0);
      a->scores.columns = (size_t)UINT32_MAX + 1)
SPOIL(negatives_beyond_index, set_shape(a, 1, N, 0); a->negatives.rows = UINT32_MAX)

/* One column more than sums in 32 bits take. */
SPOIL(long_rows, set_shape(a, M, N, 131072))

/* Numbers. */
SPOIL(similarity_3, a->similarity = (enum mmk_similarity)MMK_SIMILARITY_COUNT)
SPOIL(similarity_minus_1, a->similarity = (enum mmk_similarity) - 1)
SPOIL(similarity_dot, a->similarity = MMK_DOT)
SPOIL(scale_zero, a->logit_scale = 0.0f)
SPOIL(scale_minus_zero, a->logit_scale = -0.0f)
SPOIL(scale_negative, a->logit_scale = -1.5f)
SPOIL(scale_nan, a->logit_scale = NAN)
SPOIL(scale_inf, a->logit_scale = INFINITY)
SPOIL(scale_too_great, a->logit_scale = 1.71e38f)
SPOIL(weight_x_negative, a->weight_x = -0.5f)
SPOIL(weight_x_nan, a->weight_x = NAN)
SPOIL(weight_x_inf, a->weight_x = INFINITY)
SPOIL(weight_y_negative, a->weight_y = -0.5f)
SPOIL(weight_y_nan, a->weight_y = -NAN)
SPOIL(weight_y_inf, a->weight_y = -INFINITY)
SPOIL(bias_nan, a->bias = NAN)
SPOIL(bias_inf, a->bias = INFINITY)
SPOIL(bias_minus_inf, a->bias = -INFINITY)
SPOIL(bias_too_great, a->bias = 0x1.000002p100f)
SPOIL(upstream_nan, a->upstream = NAN; a->to.upstream = &a->upstream)
SPOIL(upstream_inf, a->upstream = -INFINITY; a->to.upstream = &a->upstream)
SPOIL(offset_one_too_far, a->offset = N - M + 1)
SPOIL(offset_overflows, a->offset = SIZE_MAX)
SPOIL(offset_overflows_to_fit, a->offset = SIZE_MAX - M + 1)
SPOIL(more_x_than_y, set_shape(a, N + 1, N, D); a->offset = 0)
SPOIL(self_too_far, a->exclude_self = 1; a->offset = N - M + 1)
SPOIL(self_a_target, a->exclude_self = 1; a->offset = 1)
SPOIL(target_of_nobody, a->to.targets = &in_targets_of_nobody; a->offset = 0)

/* What excludes each other. */
SPOIL(offset_beside_targets, a->offset = 1)
SPOIL(self_without_targets, a->exclude_self = 1)
SPOIL(targets_given, a->to.targets = &in_targets)
SPOIL(offset_given, a->offset = 1)
SPOIL(negatives_given, a->to.negatives = &a->negatives)
SPOIL(lse_given, a->to.lse_x = in_lse_x; a->to.lse_y = in_lse_y)
SPOIL(only_lse_x_given, a->to.lse_y = NULL)
SPOIL(only_lse_y_given, a->to.lse_x = NULL)
SPOIL(lse_y_given, a->to.lse_y = in_lse_y)
SPOIL(loss_wanted, a->want.loss = out.loss)
SPOIL(lse_x_wanted, a->want.lse_x = out.lse_x)
SPOIL(lse_y_wanted, a->want.lse_y = out.lse_y)
SPOIL(rows_counted_wanted, a->want.rows_counted = out.count)
SPOIL(columns_counted_wanted, a->want.columns_counted = out.count)
SPOIL(dnegatives_wanted, a->to.dnegatives = &a->dnegatives)
SPOIL(weight_x_given, a->weight_x = 1)
SPOIL(weight_y_given, a->weight_y = 0.25f)
SPOIL(only_log_variance_x, a->to.log_variance_y = NULL)
SPOIL(only_log_variance_y, a->to.log_variance_x = NULL)
SPOIL(dlog_variance_x_wanted, a->to.dlog_variance_x = &a->dlog_variance_x)
SPOIL(dlog_variance_y_wanted, a->to.dlog_variance_y = &a->dlog_variance_y)

SPOIL(origin_given, a->options.origin = in_x)
SPOIL(right_origin, a->similarity = MMK_NEG_SQ_L2; a->options.origin = in_x)
SPOIL(nan_in_origin, a->similarity = MMK_NEG_SQ_L2; a->options.origin = in_nan_origin)
SPOIL(greatest_origin, a->similarity = MMK_NEG_SQ_L2; a->options.origin = in_greatest_origin)
SPOIL(great_origin, a->similarity = MMK_NEG_SQ_L2; a->options.origin = in_great_origin)

SPOIL(threads_negative, a->options.threads = -1)
SPOIL(workspace_without_bytes, a->options.workspace = workspace)
SPOIL(bytes_without_workspace, a->options.workspace_bytes = sizeof workspace)

/* Arguments that look odd and are right. */
SPOIL(no_rows, set_shape(a, 0, N, D); a->x.data = NULL; a->dx.data = NULL; a->offset = 0)
SPOIL(no_pairs_of_rows, set_shape(a, 0, 0, D); a->x.data = a->y.data = NULL)
SPOIL(no_rows_of_y, set_shape(a, M, 0, D); a->y.data = NULL; a->result.data = NULL;
      a->to.values = NULL)
SPOIL(no_rows_at_all, set_shape(a, 0, 0, D); a->x.data = NULL; a->y.data = NULL;
      a->result.data = NULL; a->want.lse_x = NULL; a->want.lse_y = NULL; a->to.lse_x = NULL;
      a->to.lse_y = NULL; a->dx.data = NULL; a->dy.data = NULL; a->offset = 0)
SPOIL(no_dimensions, set_shape(a, M, a->y.rows, 0); a->x.data = NULL; a->y.data = NULL;
      a->dx.data = NULL; a->dy.data = NULL; a->to.vector = NULL)
SPOIL(no_negatives, a->negatives = (struct mmk_matrix){.columns = D};
      a->dnegatives = (struct mmk_matrix_out){.columns = D})
SPOIL(no_scores, a->scores = (struct mmk_matrix){.rows = M})
SPOIL(no_scores_wanted, a->for_x.k = 0; a->for_x.values = NULL; a->for_x.indices = NULL)
SPOIL(k_above_n, a->for_x.k = a->for_y.k = N + 3)
SPOIL(tiny_workspace, a->options.workspace = workspace; a->options.workspace_bytes = 1)
SPOIL(three_threads, a->options.threads = 3)
SPOIL(no_weights, a->weight_x = 0.0f; a->weight_y = 0.0f)
SPOIL(smallest_scale, a->logit_scale = 0x1p-149f)
SPOIL(greatest_bias, a->bias = -0x1p100f)
SPOIL(upstream_zero, a->upstream = 0; a->to.upstream = &a->upstream)
SPOIL(last_offset, a->offset = N - M)
SPOIL(self_in_place, a->exclude_self = 1; a->offset = 0)

static const struct {
    const char *name;
    void (*spoil)(struct arguments *a);
    uint64_t functions; /* those to which it matters */
    enum mmk_status status;
    const char *says; /* words of the detail */
} cases[] = {
#define CASE(spoil, functions, status, says)                                                       \
    {                                                                                              \
#spoil, spoil, functions, status, says                                                     \
    }
#define FINE(spoil, functions) CASE(spoil, functions, MMK_OK, "")
    FINE(nothing, ALL),

    CASE(null_problem, STRUCTS, MMK_ERR_NULL, "problem NULL"),
    CASE(null_results, STRUCTS | TOPK_ROWS, MMK_ERR_NULL, "results NULL"),
    FINE(null_options, WITH_OPTIONS),
    CASE(null_x, PAIR | PAIRS_I8 | PAIRS_HALF | X, MMK_ERR_NULL, "x NULL"),
    CASE(null_y, PAIR | PAIRS_I8 | PAIRS_HALF | QUERIES_I8 | QUERIES_HALF | Y, MMK_ERR_NULL,
         "y NULL"),
    CASE(null_y, PACKEDS, MMK_ERR_NULL, "y NULL"),
    CASE(null_scores, TOPK_ROWS, MMK_ERR_NULL, "scores NULL"),
    CASE(null_vector, QUERIES | QUERIES_I8 | QUERIES_HALF | EXP | LOGSUMEXP, MMK_ERR_NULL,
         "x NULL"),
    CASE(null_values,
         PAIR | PAIRS_I8 | PAIRS_HALF | QUERIES | QUERIES_I8 | QUERIES_HALF | ROW_PAIRS | LOGSUMEXP,
         MMK_ERR_NULL, "result NULL"),
    CASE(null_values, SQUARED_NORMS, MMK_ERR_NULL, "out NULL"),
    CASE(null_values, EXP, MMK_ERR_NULL, "y NULL"),
    CASE(null_result, MATRICES, MMK_ERR_NULL, "result NULL"),
    CASE(null_out, NORMALIZE, MMK_ERR_NULL, "out NULL"),
    CASE(null_gallery, PACK, MMK_ERR_NULL, "gallery NULL"),
    CASE(x_without_data, X, MMK_ERR_NULL, "x.data NULL"),
    CASE(y_without_data, Y | QUERIES_I8 | QUERIES_HALF, MMK_ERR_NULL, "y.data NULL"),
    CASE(scores_without_data, TOPK_ROWS, MMK_ERR_NULL, "scores.data NULL"),
    CASE(negatives_without_data, NEGATIVES, MMK_ERR_NULL, "negatives.data NULL"),
    CASE(log_variance_x_without_data, CSD, MMK_ERR_NULL, "log_variance_x.data NULL"),
    CASE(log_variance_y_without_data, CSD, MMK_ERR_NULL, "log_variance_y.data NULL"),
    CASE(result_without_data, MATRICES, MMK_ERR_NULL, "result.data NULL"),
    CASE(out_without_data, NORMALIZE, MMK_ERR_NULL, "out.data NULL"),
    CASE(out_without_data, QUANTIZE, MMK_ERR_NULL, "codes.data NULL"),
    CASE(dx_without_data, LOSSES, MMK_ERR_NULL, "dx.data NULL"),
    CASE(dy_without_data, LOSSES, MMK_ERR_NULL, "dy.data NULL"),
    CASE(dnegatives_without_data, NEGATIVES, MMK_ERR_NULL, "dnegatives.data NULL"),
    CASE(dlog_variance_x_without_data, CSD, MMK_ERR_NULL, "dlog_variance_x.data NULL"),
    CASE(dlog_variance_y_without_data, CSD, MMK_ERR_NULL, "dlog_variance_y.data NULL"),

    FINE(no_loss, LOSSES),
    FINE(no_lse, SOFTMAX),
    FINE(no_counts, SOFTMAX),
    FINE(no_dx, LOSSES),
    FINE(no_dy, LOSSES),
    FINE(no_dnegatives, NEGATIVES),
    FINE(no_dlogit_scale, LOSSES),
    FINE(no_dbias, SIGMOIDS),
    FINE(no_dlog_variances, CSD),
    FINE(no_results_at_all, LOSSES | SEARCHES),
    FINE(indices_alone, TOPK_ROWS | SEARCHES),
    FINE(values_alone, TOPK_ROWS | SEARCHES),
    FINE(count_alone, TOPK_ROWS | SEARCHES),
    FINE(only_for_y, SEARCH_ROWS),

    CASE(problem_reserved, STRUCTS & ~SEARCHES, MMK_ERR_RESERVED, "problem.reserved[7]"),
    CASE(problem_reserved, SEARCHES, MMK_ERR_RESERVED, "problem.reserved[6]"),
    CASE(results_reserved, STRUCTS & ~SEARCHES, MMK_ERR_RESERVED, "results.reserved[7]"),
    CASE(results_reserved, SEARCHES, MMK_ERR_RESERVED, "results.reserved[2]"),
    CASE(x_reserved, X, MMK_ERR_RESERVED, "x.reserved[1]"),
    CASE(y_reserved, Y | QUERIES_I8 | QUERIES_HALF | PACKEDS, MMK_ERR_RESERVED, "y.reserved[0]"),
    CASE(scores_reserved, TOPK_ROWS, MMK_ERR_RESERVED, "scores.reserved[0]"),
    CASE(negatives_reserved, NEGATIVES, MMK_ERR_RESERVED, "negatives.reserved[0]"),
    CASE(result_reserved, MATRICES, MMK_ERR_RESERVED, "result.reserved[0]"),
    CASE(out_reserved, NORMALIZE, MMK_ERR_RESERVED, "out.reserved[1]"),
    CASE(out_reserved, QUANTIZE, MMK_ERR_RESERVED, "codes.reserved[1]"),
    CASE(dx_reserved, LOSSES, MMK_ERR_RESERVED, "dx.reserved[0]"),
    CASE(dy_reserved, LOSSES, MMK_ERR_RESERVED, "dy.reserved[1]"),
    CASE(for_x_reserved, TOPK_ROWS, MMK_ERR_RESERVED, "results.reserved[1]"),
    CASE(for_x_reserved, SEARCHES, MMK_ERR_RESERVED, "for_x.reserved[1]"),
    CASE(for_y_reserved, SEARCH_ROWS, MMK_ERR_RESERVED, "for_y.reserved[0]"),
    CASE(options_reserved, WITH_OPTIONS, MMK_ERR_RESERVED, "options.reserved[2]"),

    CASE(x_type, X & ~MATRICES, MMK_ERR_TYPE, "x.type 1 MMK_I8 MMK_F32"),
    CASE(x_type, MATRICES & ~MATRICES_I8, MMK_ERR_TYPE, "y.type 0 MMK_F32 MMK_I8"),
    CASE(x_of_floats, MATRICES_I8, MMK_ERR_TYPE, "y.type 1 MMK_I8 MMK_F32"),
    CASE(y_type, Y & ~MATRICES_I8, MMK_ERR_TYPE, "y.type 7 MMK_F32"),
    CASE(y_type, MATRICES_I8, MMK_ERR_TYPE, "y.type 7 MMK_I8"),
    CASE(y_of_floats, MATRICES_I8, MMK_ERR_TYPE, "y.type 0 MMK_F32 MMK_I8"),
    CASE(y_of_int32, MATRICES_I8, MMK_ERR_TYPE, "y.type 2 MMK_I32 MMK_I8"),
    CASE(scores_type, TOPK_ROWS, MMK_ERR_TYPE, "scores.type 1"),
    CASE(negatives_type, NEGATIVES, MMK_ERR_TYPE, "negatives.type 1"),
    CASE(log_variance_y_type, CSD, MMK_ERR_TYPE, "log_variance_y.type 1"),
    CASE(result_type, MATRICES, MMK_ERR_TYPE, "result.type 1"),
    CASE(result_of_int32, MATRICES & ~MATRIX_I32, MMK_ERR_TYPE, "result.type 2 MMK_I32 MMK_F32"),
    CASE(out_type, NORMALIZE, MMK_ERR_TYPE, "out.type 1"),
    CASE(out_of_floats, QUANTIZE, MMK_ERR_TYPE, "codes.type 0 MMK_F32 MMK_I8"),
    CASE(y_of_floats, QUERIES_I8, MMK_ERR_TYPE, "y.type 0 MMK_F32 MMK_I8"),
    CASE(y_type, QUERIES_I8, MMK_ERR_TYPE, "y.type 7 MMK_I8"),
    CASE(y_of_floats, QUERY_F16, MMK_ERR_TYPE, "y.type 0 MMK_F32 MMK_F16"),
    CASE(y_of_bf16, QUERY_F16, MMK_ERR_TYPE, "y.type 4 MMK_BF16 MMK_F16"),
    CASE(y_type, QUERY_F16, MMK_ERR_TYPE, "y.type 7 MMK_F16"),
    CASE(y_of_f16, QUERIES, MMK_ERR_TYPE, "y.type 3 MMK_F16 MMK_F32"),
    FINE(y_of_f16, SQUARED_NORMS),
    FINE(y_of_bf16, SQUARED_NORMS),
    FINE(x_of_f16, NORMALIZE),
    FINE(x_of_bf16, NORMALIZE),
    CASE(x_of_f16, ROW_PAIRS | LOSSES | QUANTIZE, MMK_ERR_TYPE, "x.type 3 MMK_F16 MMK_F32"),
    CASE(x_of_bf16, ROW_PAIRS | LOSSES | QUANTIZE, MMK_ERR_TYPE, "x.type 4 MMK_BF16 MMK_F32"),
    CASE(out_of_f16, NORMALIZE, MMK_ERR_TYPE, "out.type 3 MMK_F16 MMK_F32"),
    CASE(y_of_floats, QUERY_BF16, MMK_ERR_TYPE, "y.type 0 MMK_F32 MMK_BF16"),
    CASE(y_of_int32, QUERY_BF16, MMK_ERR_TYPE, "y.type 2 MMK_I32 MMK_BF16"),
    CASE(y_type, SQUARED_NORMS, MMK_ERR_TYPE, "y.type 7 MMK_BF16"),
    CASE(dx_type, LOSSES, MMK_ERR_TYPE, "dx.type 1"),
    CASE(dy_type, LOSSES, MMK_ERR_TYPE, "dy.type 1"),
    CASE(x_row_scales, X & ~MATRICES_I8, MMK_ERR_TYPE, "x.row_scales"),
    CASE(y_row_scales, Y & ~MATRICES_I8, MMK_ERR_TYPE, "y.row_scales MMK_F32"),
    CASE(x_row_scales, MATRIX_I32, MMK_ERR_CONFLICT, "x.row_scales MMK_I32"),
    CASE(y_row_scales, MATRIX_I32, MMK_ERR_CONFLICT, "y.row_scales MMK_I32"),
    FINE(x_row_scales, MATRIX_I8),
    FINE(y_row_scales, MATRIX_I8),
    CASE(y_row_scales, QUERY_F16, MMK_ERR_TYPE, "y.row_scales MMK_F16"),
    CASE(y_row_scales, DOT_QUERY_I8, MMK_ERR_CONFLICT, "y.row_scales"),
    FINE(y_row_scales, QUERY_I8),
    CASE(y_row_scales, QUERY_BF16, MMK_ERR_TYPE, "y.row_scales MMK_BF16"),

    CASE(x_packed, X, MMK_ERR_GALLERY, "x packed"),
    CASE(y_packed, (Y | QUERIES_I8 | QUERIES_HALF) & ~(MATRIX_ROWS | SEARCH_ROWS), MMK_ERR_GALLERY,
         "y packed"),
    CASE(scores_packed, TOPK_ROWS, MMK_ERR_GALLERY, "scores packed"),
    CASE(negatives_packed, NEGATIVES, MMK_ERR_GALLERY, "negatives packed"),
    CASE(packed_and_data, PACKEDS, MMK_ERR_CONFLICT, "y data packed"),
    CASE(packed_for_another_similarity, MATRIX_PACKED | SEARCH_PACKED, MMK_ERR_GALLERY,
         "y packed similarity"),
    CASE(packed_for_another_similarity, MATRIX_CODED | SEARCH_CODED, MMK_ERR_GALLERY,
         "y coded similarity"),
    FINE(packed_with_its_shape, PACKEDS),
    CASE(packed_with_more_rows, PACKEDS, MMK_ERR_SHAPE, "y 6 5"),
    CASE(packed_with_fewer_rows, PACKEDS, MMK_ERR_SHAPE, "y 4 5"),
    CASE(packed_with_more_columns, PACKEDS, MMK_ERR_SHAPE, "y 5 4"),
    CASE(packed_with_fewer_columns, PACKEDS, MMK_ERR_SHAPE, "y 3 4"),

    CASE(fewer_x_columns, MATRICES | ROW_PAIRS | LOSSES | SEARCHES, MMK_ERR_SHAPE, "x 3 4"),
    CASE(more_x_columns, MATRICES | ROW_PAIRS | LOSSES | SEARCHES, MMK_ERR_SHAPE, "x 5 4"),
    CASE(fewer_y_columns, MATRIX_ROWS | ROW_PAIRS | LOSSES | SEARCH_ROWS, MMK_ERR_SHAPE,
         "y columns 3 x 4"),
    CASE(more_y_columns, MATRIX_ROWS | ROW_PAIRS | LOSSES | SEARCH_ROWS, MMK_ERR_SHAPE,
         "y columns 5 x 4"),
    CASE(fewer_negatives_columns, NEGATIVES, MMK_ERR_SHAPE, "negatives columns 3 x 4"),
    CASE(more_negatives_columns, NEGATIVES, MMK_ERR_SHAPE, "negatives columns 5 x 4"),
    CASE(fewer_log_variance_x_columns, CSD, MMK_ERR_SHAPE, "log_variance_x columns 3 x 4"),
    CASE(more_log_variance_x_columns, CSD, MMK_ERR_SHAPE, "log_variance_x columns 5 x 4"),
    CASE(more_log_variance_x_rows, CSD, MMK_ERR_SHAPE, "log_variance_x rows 4 x 3"),
    CASE(fewer_log_variance_x_rows, CSD, MMK_ERR_SHAPE, "log_variance_x rows 2 x 3"),
    CASE(fewer_log_variance_y_rows, CSD, MMK_ERR_SHAPE, "log_variance_y rows 4 y 5"),
    CASE(more_log_variance_y_rows, CSD, MMK_ERR_SHAPE, "log_variance_y rows 6 y 5"),
    CASE(fewer_result_rows, MATRICES, MMK_ERR_SHAPE, "result rows 2 x 3"),
    CASE(more_result_rows, MATRICES, MMK_ERR_SHAPE, "result rows 4 x 3"),
    CASE(fewer_result_columns, MATRICES, MMK_ERR_SHAPE, "result columns 4 y 5"),
    CASE(more_result_columns, MATRICES, MMK_ERR_SHAPE, "result columns 6 y 5"),
    CASE(more_out_rows, NORMALIZE, MMK_ERR_SHAPE, "out rows 4 x 3"),
    CASE(more_out_rows, QUANTIZE, MMK_ERR_SHAPE, "codes rows 4 x 3"),
    CASE(fewer_out_rows, NORMALIZE, MMK_ERR_SHAPE, "out rows 2 x 3"),
    CASE(fewer_out_rows, QUANTIZE, MMK_ERR_SHAPE, "codes rows 2 x 3"),
    CASE(fewer_out_columns, NORMALIZE, MMK_ERR_SHAPE, "out columns 3 x 4"),
    CASE(fewer_out_columns, QUANTIZE, MMK_ERR_SHAPE, "codes columns 3 x 4"),
    CASE(more_out_columns, NORMALIZE, MMK_ERR_SHAPE, "out columns 5 x 4"),
    CASE(more_out_columns, QUANTIZE, MMK_ERR_SHAPE, "codes columns 5 x 4"),
    CASE(fewer_dx_rows, LOSSES, MMK_ERR_SHAPE, "dx rows 2 x 3"),
    CASE(more_dx_rows, LOSSES, MMK_ERR_SHAPE, "dx rows 4 x 3"),
    CASE(fewer_dx_columns, LOSSES, MMK_ERR_SHAPE, "dx columns 3 x 4"),
    CASE(more_dx_columns, LOSSES, MMK_ERR_SHAPE, "dx columns 5 x 4"),
    CASE(more_dy_rows, TWO_SIDED, MMK_ERR_SHAPE, "dy rows 9 y 5"),
    CASE(more_dy_rows, ALIGNMENT, MMK_ERR_SHAPE, "dy rows 7 y 3"),
    CASE(fewer_dy_rows, TWO_SIDED, MMK_ERR_SHAPE, "dy rows 4 y 5"),
    CASE(fewer_dy_rows, ALIGNMENT, MMK_ERR_SHAPE, "dy rows 2 y 3"),
    CASE(fewer_dy_columns, LOSSES, MMK_ERR_SHAPE, "dy columns 3 y 4"),
    CASE(more_dy_columns, LOSSES, MMK_ERR_SHAPE, "dy columns 5 y 4"),
    CASE(more_dnegatives_rows, NEGATIVES, MMK_ERR_SHAPE, "dnegatives rows 3 negatives 2"),
    CASE(fewer_dnegatives_rows, NEGATIVES, MMK_ERR_SHAPE, "dnegatives rows 1 negatives 2"),
    CASE(fewer_dlog_variance_x_rows, CSD, MMK_ERR_SHAPE, "dlog_variance_x rows 2 3"),
    CASE(more_dlog_variance_x_rows, CSD, MMK_ERR_SHAPE, "dlog_variance_x rows 4 3"),
    CASE(fewer_dlog_variance_y_columns, CSD, MMK_ERR_SHAPE, "dlog_variance_y columns 3 4"),
    CASE(more_dlog_variance_y_columns, CSD, MMK_ERR_SHAPE, "dlog_variance_y columns 5 4"),
    CASE(no_pairs, PAIRED, MMK_ERR_SHAPE, "y rows 4 x 3"),
    CASE(too_few_pairs, PAIRED, MMK_ERR_SHAPE, "y rows 2 x 3"),

    CASE(small_ldx, X, MMK_ERR_LEADING_DIMENSION, "x.leading_dimension 3 4"),
    CASE(small_ldy, Y | QUERY_F16, MMK_ERR_LEADING_DIMENSION, "y.leading_dimension 3 4"),
    CASE(small_ld_of_scores, TOPK_ROWS, MMK_ERR_LEADING_DIMENSION, "scores.leading_dimension 4 5"),
    CASE(small_ld_of_negatives, NEGATIVES, MMK_ERR_LEADING_DIMENSION,
         "negatives.leading_dimension 3 4"),
    CASE(small_ld_of_log_variance_x, CSD, MMK_ERR_LEADING_DIMENSION,
         "log_variance_x.leading_dimension 3 4"),
    CASE(small_ld_of_log_variance_y, CSD, MMK_ERR_LEADING_DIMENSION,
         "log_variance_y.leading_dimension 3 4"),
    CASE(small_ldresult, MATRICES, MMK_ERR_LEADING_DIMENSION, "result.leading_dimension 4 5"),
    CASE(small_ldout, NORMALIZE, MMK_ERR_LEADING_DIMENSION, "out.leading_dimension 3 4"),
    CASE(small_ldout, QUANTIZE, MMK_ERR_LEADING_DIMENSION, "codes.leading_dimension 3 4"),
    CASE(small_lddx, LOSSES, MMK_ERR_LEADING_DIMENSION, "dx.leading_dimension 3 4"),
    CASE(small_lddy, LOSSES, MMK_ERR_LEADING_DIMENSION, "dy.leading_dimension 3 4"),
    CASE(small_lddnegatives, NEGATIVES, MMK_ERR_LEADING_DIMENSION,
         "dnegatives.leading_dimension 3 4"),
    CASE(small_lddlog_variance_x, CSD, MMK_ERR_LEADING_DIMENSION,
         "dlog_variance_x.leading_dimension 3 4"),
    CASE(small_lddlog_variance_y, CSD, MMK_ERR_LEADING_DIMENSION,
         "dlog_variance_y.leading_dimension 3 4"),
    CASE(small_ld_of_k_above_n, TOPK_ROWS, MMK_ERR_LEADING_DIMENSION,
         "results.leading_dimension 7 k 8"),
    CASE(small_ld_of_k_above_n, SEARCHES, MMK_ERR_LEADING_DIMENSION,
         "for_x.leading_dimension 7 k 8"),
    CASE(small_ld_for_x, TOPK_ROWS, MMK_ERR_LEADING_DIMENSION, "results.leading_dimension 1 k 2"),
    CASE(small_ld_for_x, SEARCHES, MMK_ERR_LEADING_DIMENSION, "for_x.leading_dimension 1 k 2"),
    CASE(small_ld_for_y, SEARCH_ROWS, MMK_ERR_LEADING_DIMENSION, "for_y.leading_dimension 1 k 2"),

    CASE(huge_d, PAIR | PAIRS_HALF | EXP | LOGSUMEXP, MMK_ERR_SIZE, "x 9223372036854775808"),
    CASE(huge_d, X & ~PACKEDS, MMK_ERR_SIZE, "x 9223372036854775808"),
    CASE(huge_d, QUERIES | QUERIES_HALF | SQUARED_NORMS | PACK, MMK_ERR_SIZE,
         "y 9223372036854775808"),
    CASE(big_d, X & ~(PACKEDS | MATRICES_I8), MMK_ERR_SIZE, "x 3 2305843009213693952"),
    CASE(d_beyond_int8, MATRICES_I8, MMK_ERR_SIZE, "x.columns 131072 131071"),
    CASE(big_d, QUERIES | SQUARED_NORMS | PACK, MMK_ERR_SIZE, "y 5 2305843009213693952"),
    CASE(huge_m_of_nothing, ROW_PAIRS, MMK_ERR_SIZE, "result 9223372036854775808"),
    CASE(huge_m, (X & ~ALIGNMENT), MMK_ERR_SIZE, "x 9223372036854775808 4"),
    CASE(huge_m_alone, X, MMK_ERR_SIZE, "x 9223372036854775808 4"),
    CASE(huge_m_alone, TOPK_ROWS, MMK_ERR_SIZE, "scores 9223372036854775808 5"),
    CASE(huge_n, Y | QUERY_F16, MMK_ERR_SIZE, "y 9223372036854775808 4"),
    CASE(huge_ldx, X, MMK_ERR_SIZE, "x 3 9223372036854775808"),
    CASE(huge_ldy, Y | QUERY_F16, MMK_ERR_SIZE, "y 9223372036854775808"),
    CASE(big_ldx, X & ~MATRICES_I8, MMK_ERR_SIZE, "x 3 2305843009213693952"),
    CASE(big_ldy, Y & ~MATRICES_I8, MMK_ERR_SIZE, "y 2305843009213693952"),
    CASE(big_ld_of_scores, TOPK_ROWS, MMK_ERR_SIZE, "scores 3 2305843009213693952"),
    CASE(big_ld_of_negatives, NEGATIVES, MMK_ERR_SIZE, "negatives 2 2305843009213693952"),
    CASE(huge_ldresult, MATRICES, MMK_ERR_SIZE, "result 3 9223372036854775808"),
    CASE(huge_ldout, NORMALIZE, MMK_ERR_SIZE, "out 3 9223372036854775808"),
    CASE(huge_ldout, QUANTIZE, MMK_ERR_SIZE, "codes 3 9223372036854775808 int8"),
    CASE(huge_ldy, QUERIES_I8, MMK_ERR_SIZE, "y 5 9223372036854775808 int8"),
    CASE(huge_ldy, QUERY_BF16, MMK_ERR_SIZE, "y 5 9223372036854775808 bf16"),
    CASE(long_rows, PAIRS_I8, MMK_ERR_SIZE, "d 131072 131071"),
    CASE(long_rows, QUERIES_I8, MMK_ERR_SIZE, "y.columns 131072 131071"),
    CASE(long_rows, QUANTIZE, MMK_ERR_SIZE, "x.columns 131072 131071"),
    CASE(huge_ld_for_x, TOPK_ROWS, MMK_ERR_SIZE, "results 3 9223372036854775808"),
    CASE(huge_ld_for_x, SEARCHES, MMK_ERR_SIZE, "for_x 3 9223372036854775808"),
    CASE(huge_ld_for_y, SEARCH_ROWS, MMK_ERR_SIZE, "for_y 5 9223372036854775808"),
    CASE(huge_lddx, LOSSES, MMK_ERR_SIZE, "dx 3 9223372036854775808"),
    CASE(huge_lddy, LOSSES, MMK_ERR_SIZE, "dy 9223372036854775808"),
    CASE(n_beyond_index, TOPK_ROWS, MMK_ERR_SIZE, "scores columns 4294967296"),
    CASE(n_beyond_index, SEARCH_ROWS | TWO_SIDED, MMK_ERR_SIZE, "y rows 4294967296"),
    CASE(negatives_beyond_index, NEGATIVES, MMK_ERR_SIZE, "negatives rows 4294967295"),

    CASE(similarity_3, SIMILARITIES, MMK_ERR_SIMILARITY, "similarity 3"),
    CASE(similarity_minus_1, SIMILARITIES, MMK_ERR_SIMILARITY, "similarity -1"),
    CASE(similarity_3, CSD, MMK_ERR_SIMILARITY, "similarity 3"),
    CASE(similarity_dot, CSD, MMK_ERR_SIMILARITY, "MMK_NEG_SQ_L2 similarity"),
    CASE(scale_zero, LOSSES, MMK_ERR_LOGIT_SCALE, "logit_scale 0"),
    CASE(scale_minus_zero, LOSSES, MMK_ERR_LOGIT_SCALE, "logit_scale -0"),
    CASE(scale_negative, LOSSES, MMK_ERR_LOGIT_SCALE, "logit_scale -1.5"),
    CASE(scale_nan, LOSSES, MMK_ERR_LOGIT_SCALE, "logit_scale nan"),
    CASE(scale_inf, LOSSES, MMK_ERR_LOGIT_SCALE, "logit_scale inf"),
    CASE(scale_too_great, LOSSES, MMK_ERR_LOGIT_SCALE, "logit_scale 1.71e+38"),
    CASE(weight_x_negative, SOFTMAX, MMK_ERR_WEIGHT, "weight_x -0.5"),
    CASE(weight_x_nan, SOFTMAX, MMK_ERR_WEIGHT, "weight_x nan"),
    CASE(weight_x_inf, SOFTMAX, MMK_ERR_WEIGHT, "weight_x inf"),
    CASE(weight_y_negative, SOFTMAX, MMK_ERR_WEIGHT, "weight_y -0.5"),
    CASE(weight_y_nan, SOFTMAX, MMK_ERR_WEIGHT, "weight_y"),
    CASE(weight_y_inf, SOFTMAX, MMK_ERR_WEIGHT, "weight_y -inf"),
    CASE(bias_nan, SIGMOIDS, MMK_ERR_BIAS, "bias nan"),
    CASE(bias_inf, SIGMOIDS, MMK_ERR_BIAS, "bias inf"),
    CASE(bias_minus_inf, SIGMOIDS, MMK_ERR_BIAS, "bias -inf"),
    CASE(bias_too_great, SIGMOIDS, MMK_ERR_BIAS, "bias 1.26765e+30"),
    CASE(upstream_nan, LOSSES, MMK_ERR_UPSTREAM, "upstream nan"),
    CASE(upstream_inf, LOSSES, MMK_ERR_UPSTREAM, "upstream -inf"),
    CASE(offset_one_too_far, WITH_OFFSET, MMK_ERR_OFFSET, "offset 3 x 3 y 5"),
    CASE(offset_overflows, WITH_OFFSET, MMK_ERR_OFFSET, "offset 18446744073709551615"),
    CASE(offset_overflows_to_fit, WITH_OFFSET, MMK_ERR_OFFSET, "offset 18446744073709551613"),
    CASE(more_x_than_y, WITH_OFFSET, MMK_ERR_OFFSET, "x 6 y 5"),
    CASE(self_too_far, TARGETS, MMK_ERR_OFFSET, "offset 3 x 3 y 5"),
    CASE(self_a_target, TARGETS, MMK_ERR_INDEX, "targets.column[0] 1 exclude_self"),
    CASE(target_of_nobody, TARGETS | NEGATIVES, MMK_ERR_INDEX, "targets.column[1] 5 y 5"),
    CASE(target_of_nobody, POSITIVES, MMK_ERR_INDEX, "positives.column[1] 5 y 5"),
    FINE(more_x_than_y, TARGETS | UNIFORMITY | POSITIVES),

    CASE(offset_beside_targets, TARGETS, MMK_ERR_CONFLICT, "offset 1 targets"),
    CASE(offset_beside_targets, POSITIVES, MMK_ERR_CONFLICT, "offset 1 positives"),
    CASE(self_without_targets, ONE_TO_ONE | NEGATIVES | BACKWARD, MMK_ERR_CONFLICT,
         "exclude_self targets"),
    CASE(targets_given, UNIFORMITY | ALIGNMENT, MMK_ERR_CONFLICT, "targets"),
    CASE(offset_given, UNIFORMITY | ALIGNMENT, MMK_ERR_CONFLICT, "offset"),
    CASE(self_without_targets, UNIFORMITY | ALIGNMENT, MMK_ERR_CONFLICT, "exclude_self"),
    CASE(negatives_given, UNIFORMITY | ALIGNMENT, MMK_ERR_CONFLICT, "negatives"),
    CASE(lse_given, UNIFORMITY | ALIGNMENT, MMK_ERR_CONFLICT, "lse_x"),
    CASE(lse_y_given, UNIFORMITY | ALIGNMENT, MMK_ERR_CONFLICT, "lse_y"),
    CASE(lse_given, FORWARD & ~UNIFORMITY, MMK_ERR_CONFLICT, "results.loss lse_x"),
    CASE(only_lse_x_given, BACKWARD, MMK_ERR_CONFLICT, "lse_x lse_y"),
    CASE(only_lse_y_given, BACKWARD, MMK_ERR_CONFLICT, "lse_x lse_y"),
    CASE(loss_wanted, BACKWARD, MMK_ERR_CONFLICT, "results.loss problem.lse_x"),
    CASE(lse_x_wanted, BACKWARD, MMK_ERR_CONFLICT, "results.lse_x problem.lse_x"),
    CASE(lse_y_wanted, BACKWARD, MMK_ERR_CONFLICT, "results.lse_y problem.lse_x"),
    CASE(lse_x_wanted, ALIGNMENT, MMK_ERR_CONFLICT, "lse_x"),
    CASE(lse_y_wanted, ALIGNMENT, MMK_ERR_CONFLICT, "lse_y"),
    CASE(rows_counted_wanted, ALIGNMENT, MMK_ERR_CONFLICT, "rows_counted"),
    CASE(columns_counted_wanted, ALIGNMENT, MMK_ERR_CONFLICT, "columns_counted"),
    CASE(dnegatives_wanted, LOSSES & ~(SIGMOIDS | NEGATIVES), MMK_ERR_CONFLICT, "dnegatives"),
    CASE(weight_x_given, ALIGNMENT, MMK_ERR_CONFLICT, "weight_x 1"),
    CASE(weight_y_given, ALIGNMENT, MMK_ERR_CONFLICT, "weight_y 0.25"),
    CASE(only_log_variance_x, CSD, MMK_ERR_CONFLICT, "log_variance_x log_variance_y"),
    CASE(only_log_variance_y, CSD, MMK_ERR_CONFLICT, "log_variance_x log_variance_y"),
    CASE(dlog_variance_x_wanted, SIGMOID | POSITIVES, MMK_ERR_CONFLICT, "dlog_variance_x"),
    CASE(dlog_variance_y_wanted, SIGMOID | POSITIVES, MMK_ERR_CONFLICT, "dlog_variance_y"),

    CASE(origin_given, WITH_OPTIONS & ~CSD, MMK_ERR_CONFLICT, "options.origin"),
    CASE(right_origin, ALIGNMENT, MMK_ERR_CONFLICT, "options.origin mmk_alignment"),
    CASE(right_origin, MATRICES_I8, MMK_ERR_CONFLICT, "options.origin MMK_I8"),
    CASE(right_origin, ROW_PAIRS, MMK_ERR_CONFLICT, "options.origin mmk_similarity_rows"),
    CASE(nan_in_origin, WITH_ORIGIN, MMK_ERR_ORIGIN, "options.origin[3] nan"),
    CASE(great_origin, WITH_ORIGIN, MMK_ERR_ORIGIN, "options.origin[0] -1.26765e+30"),
    FINE(right_origin, WITH_ORIGIN),
    FINE(greatest_origin, WITH_ORIGIN),

    CASE(threads_negative, WITH_OPTIONS, MMK_ERR_THREADS, "options.threads -1"),
    CASE(workspace_without_bytes, WITH_OPTIONS, MMK_ERR_WORKSPACE,
         "options.workspace workspace_bytes 0"),
    CASE(bytes_without_workspace, WITH_OPTIONS, MMK_ERR_WORKSPACE,
         "options.workspace NULL workspace_bytes 65536"),

    FINE(no_rows, (X & ~PAIRED) | TOPK_ROWS),
    FINE(no_rows_of_y, (Y & ~(PAIRED | WITH_OFFSET | TARGETS | POSITIVES)) | QUERY_F16 | TOPK_ROWS),
    FINE(no_rows_at_all, X & ~PACKEDS),
    FINE(no_dimensions,
         PAIR | PAIR_F16 | QUERY_F16 | EXP | LOGSUMEXP | ((X | Y) & ~(PACKEDS | ALIGNMENT))),
    FINE(no_pairs_of_rows, PAIRED),
    FINE(no_negatives, NEGATIVES),
    FINE(no_scores, TOPK_ROWS),
    FINE(no_scores_wanted, TOPK_ROWS | SEARCHES),
    FINE(k_above_n, TOPK_ROWS | SEARCHES),
    FINE(tiny_workspace, WITH_OPTIONS),
    FINE(three_threads, WITH_OPTIONS),
    FINE(no_weights, SOFTMAX),
    FINE(smallest_scale, LOSSES),
    FINE(greatest_bias, SIGMOIDS),
    FINE(upstream_zero, LOSSES),
    FINE(last_offset, WITH_OFFSET),
    FINE(self_in_place, TARGETS),
};

static void fill_inputs(void)
{
    for (int i = 0; i < ELEMENTS; i++) {
        in_x[i] = sinf((float)i);
        in_y[i] = cosf((float)i * 0.7f);
        in_lse_x[i] = in_lse_y[i] = 12.0f;
    }
}

static char before[sizeof out];

static void clear_outputs(void)
{
    memset(&out, 0xa5, sizeof out);
    memcpy(before, &out, sizeof out);
}

static bool outputs_are_untouched(void)
{
    return memcmp(before, &out, sizeof out) == 0;
}

static int refuse(const char *case_name, void (*spoil)(struct arguments *a), int function,
                  enum mmk_status expected, const char *says)
{
    struct arguments a;
    set_right_for(&a, function);
    spoil(&a);
    clear_outputs();
    long pieces = in_use;
    enum mmk_status status = functions[function].call(&a);
    bool untouched = outputs_are_untouched(), leaks = status != MMK_OK && in_use != pieces;
    if (leaks)
        print_error("%s, %s: memory is not given back\n", functions[function].name, case_name);
    if (status != expected) {
        print_error("%s, %s: \"%s\" (%s), must be \"%s\"\n", functions[function].name, case_name,
                    mmk_status_string(status), mmk_error_detail(), mmk_status_string(expected));
        return 1;
    }
    if (status == MMK_OK)
        return 0;
    if (!untouched)
        print_error("%s, %s: an output was written in spite of the error\n",
                    functions[function].name, case_name);
    bool said = detail_says(says);
    if (!said)
        print_error("%s, %s: see above\n", functions[function].name, case_name);
    return !untouched || !said || leaks;
}

static void refuse_in_all_cases(const struct isa_row *row)
{
    int wrong = 0, tried = 0;
    isa_use_row(row);
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++)
        for (int f = 0; f < FUNCTIONS; f++)
            if (cases[c].functions & BIT(f)) {
                wrong += refuse(cases[c].name, cases[c].spoil, f, cases[c].status, cases[c].says);
                tried++;
            }
    print_message("%s: %d calls\n", row->name, tried);
    assert_int_equal(wrong, 0);
    assert_true(tried > 600);
}

static void bad_arguments(void **state)
{
    (void)state;
    for (unsigned i = 0; i < MMK_ISA_COUNT; i++)
        if (mmk_isa_usable((enum mmk_isa)i) == MMK_OK)
            refuse_in_all_cases(isa_builtin_row((enum mmk_isa)i));
}

static void bad_environment(void **state)
{
    (void)state;
    static const char *const unusable = /* of another architecture */
#if defined(__aarch64__)
        "avx2";
#else
        "neon";
#endif
    int wrong = 0;
    for (int f = 0; f < FUNCTIONS; f++) {
        if (BIT(f) & RETRIEVAL)
            continue; /* computes nothing with the instruction set */
        setenv("MMK_ISA", "bogus", 1);
        isa_use_row(NULL);
        wrong += refuse("MMK_ISA=bogus", nothing, f, MMK_ERR_ISA_UNKNOWN, "MMK_ISA bogus");
        setenv("MMK_ISA", unusable, 1);
        isa_use_row(NULL);
        wrong += refuse("MMK_ISA unusable", nothing, f, MMK_ERR_ISA_UNUSABLE, "MMK_ISA");
    }
    unsetenv("MMK_ISA");
    isa_use_row(NULL);
    assert_int_equal(wrong, 0);
}

/* ---- Sizes of workspace, and no memory ------------------------------------------------------- */

static void without_data(struct arguments *a)
{
    a->x.data = a->y.data = a->negatives.data = a->scores.data = NULL;
    a->log_variance_x.data = a->log_variance_y.data = NULL;
    a->result.data = a->dx.data = a->dy.data = a->dnegatives.data = NULL;
    a->dlog_variance_x.data = a->dlog_variance_y.data = NULL;
}

static int query(int function, int threads)
{
    struct arguments a;
    set_right_for(&a, function);
    without_data(&a);
    struct mmk_workspace_bytes bytes = {1, 0};
    a.options.threads = threads;
    a.options.query = &bytes;
    clear_outputs();
    enum mmk_status status = functions[function].call(&a);
    if (status == MMK_OK && outputs_are_untouched() && bytes.least <= bytes.all)
        return 0;
    print_error("%s: a query says %s (%s), least %zu, all %zu\n", functions[function].name,
                mmk_status_string(status), mmk_error_detail(), bytes.least, bytes.all);
    return 1;
}

static void query_writes_nothing_else(void **state)
{
    (void)state;
    int wrong = 0;
    for (int f = 0; f < FUNCTIONS; f++)
        for (int threads = 0; BIT(f) & WITH_OPTIONS && threads <= 3; threads++)
            wrong += query(f, threads);
    assert_int_equal(wrong, 0);
}

/* A query refuses what the call would refuse, and is not answered then. */
static void query_refuses_as_the_call(void **state)
{
    (void)state;
    int wrong = 0;
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++)
        for (int f = 0; f < FUNCTIONS; f++) {
            if (!(cases[c].functions & BIT(f) & WITH_OPTIONS) || cases[c].status == MMK_OK ||
                strstr(cases[c].says, ".data") != NULL || cases[c].spoil == null_values)
                continue; /* which a query does not need */
            struct arguments a;
            set_right_for(&a, f);
            cases[c].spoil(&a);
            if (a.to.options == NULL)
                continue;
            clear_outputs();
            a.options.query = &out.query;
            enum mmk_status status = functions[f].call(&a);
            if (status == cases[c].status && outputs_are_untouched())
                continue;
            print_error("%s, %s: a query says %s, must be %s\n", functions[f].name, cases[c].name,
                        mmk_status_string(status), mmk_status_string(cases[c].status));
            wrong++;
        }
    assert_int_equal(wrong, 0);
}

static void no_memory_is_said(void **state)
{
    (void)state;
    if (!CAN_RUN_OUT)
        skip();
    int wrong = 0;
    for (int f = 0; f < FUNCTIONS; f++) {
        if (!(BIT(f) & (PACK | MATRIX_ROWS | LOSSES | SEARCH_ROWS | RETRIEVAL)))
            continue; /* allocates nothing, or first the test its gallery */
        struct arguments a;
        set_right_for(&a, f);
        a.options.threads = 1; /* OpenMP gives up without memory */
        clear_outputs();
        no_memory = true;
        enum mmk_status status = functions[f].call(&a);
        no_memory = false;
        if (status == MMK_ERR_NO_MEMORY && outputs_are_untouched() &&
            detail_says("bytes allocated"))
            continue;
        print_error("%s without memory: %s\n", functions[f].name, mmk_status_string(status));
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

/* ---- The detail ------------------------------------------------------------------------------ */

/* Of another thread: "" before its first error, then its own. */
static void *in_another_thread(void *first)
{
    bool empty = mmk_error_detail()[0] == '\0';
    float y;
    bool refused = mmk_exp(1, NULL, &y) == MMK_ERR_NULL && detail_says("x NULL");
    *(bool *)first = empty && refused;
    return NULL;
}

static void detail_is_the_thread_s(void **state)
{
    (void)state;
    float x[D] = {1}, result;
    char kept[256];
    assert_int_equal(mmk_similarity_pair(MMK_DOT, D, x, NULL, &result), MMK_ERR_NULL);
    assert_true(detail_says("y NULL"));
    snprintf(kept, sizeof kept, "%s", mmk_error_detail());
    bool right = false;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, in_another_thread, &right), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(right);
    assert_string_equal(mmk_error_detail(), kept);
    assert_int_equal(mmk_similarity_pair(MMK_DOT, D, x, x, &result), MMK_OK);
    assert_string_equal(mmk_error_detail(), kept); /* of the last call that had an error */
}

/* As mmk.h and the manual of the interface quote it. */
static void detail_is_a_sentence(void **state)
{
    (void)state;
    float x[M * D] = {1}, loss;
    assert_int_equal(mmk_infonce(&(struct mmk_infonce_problem){.x = MATRIX_AT(x, 1, 3, 0),
                                                               .y = MATRIX_AT(x, 1, 4, 0),
                                                               .logit_scale = 1},
                                 &(struct mmk_infonce_results){.loss = &loss}, NULL),
                     MMK_ERR_SHAPE);
    assert_string_equal(mmk_error_detail(), "y has 4 columns, x has 3");
    static const size_t row_start[] = {0, 1, 2};
    static const uint32_t column[] = {0, 900};
    const struct mmk_csr targets = {row_start, column, NULL};
    assert_int_equal(mmk_infonce(&(struct mmk_infonce_problem){.x = MATRIX_AT(x, 2, 2, 0),
                                                               .y = MATRIX_AT(x, 3, 2, 0),
                                                               .logit_scale = 1,
                                                               .targets = &targets},
                                 &(struct mmk_infonce_results){.loss = &loss}, NULL),
                     MMK_ERR_INDEX);
    assert_string_equal(mmk_error_detail(), "targets.column[1] is 900, y has 3 rows");
}

/* Numbers of a sentence, each another, stand where they belong. */
static void said(const char *sentence, enum mmk_status status)
{
    assert_int_not_equal(status, MMK_OK);
    assert_string_equal(mmk_error_detail(), sentence);
}

static enum mmk_status infonce_of(const struct mmk_infonce_problem *problem)
{
    float loss;
    struct mmk_infonce_problem p = *problem;
    p.logit_scale = 1;
    return mmk_infonce(&p, &(struct mmk_infonce_results){.loss = &loss}, NULL);
}

static enum mmk_status metrics_of(const struct mmk_retrieval_problem *problem)
{
    double recall[3], precision;
    return mmk_retrieval_metrics(
        problem, &(struct mmk_retrieval_results){.recall = recall, .r_precision = &precision});
}

static void numbers_stand_where_they_belong(void **state)
{
    (void)state;
    static float v[600];
    static const size_t falls[] = {0, 3, 2, 4}, two[] = {0, 2, 4, 5}, all[] = {0, 3, 3, 3};
    static const uint32_t high[] = {1, 4, 2, 77, 3}, own[] = {2, 1, 0, 4, 1}, few[] = {4, 5, 6};
    static const float minus[] = {1, 2, 3, -0.5f, 1};
    const struct mmk_matrix *x = MATRIX_AT(v, 3, 2, 0), *y = MATRIX_AT(v, 5, 2, 0);
    struct mmk_csr targets = {falls, high, NULL};
    struct mmk_infonce_problem p = {.x = x, .y = y, .targets = &targets};
    said("targets.row_start goes down from 3 to 2 after row 1", infonce_of(&p));
    targets = (struct mmk_csr){two, high, NULL};
    said("targets.column[3] is 77, y has 5 rows", infonce_of(&p));
    targets = (struct mmk_csr){two, own, minus};
    said("targets.weight[3] is -0.5; it must be finite and not negative", infonce_of(&p));
    targets = (struct mmk_csr){two, own, NULL};
    p.exclude_self = 1;
    p.offset = 2;
    said("targets.column[0] is 2, in row 0 a pair that exclude_self leaves out", infonce_of(&p));
    p = (struct mmk_infonce_problem){.x = x, .y = y, .offset = 4};
    said("offset 4 and the 3 rows of x exceed the 5 of y", infonce_of(&p));
    p = (struct mmk_infonce_problem){
        .x = x, .y = y, .negatives = MATRIX_AT(v, (size_t)UINT32_MAX - 1, 2, 0)};
    said("x has 3 rows, y and negatives 5 and 4294967294: both sides must have below 2^32",
         infonce_of(&p));
    p = (struct mmk_infonce_problem){.x = x, .y = MATRIX_AT(v, 5, 7, 4)};
    said("y.leading_dimension is 4, less than its 7 columns", infonce_of(&p));
    p.y = MATRIX_AT(v, SIZE_MAX / 16, 9, 10);
    said("y: 1152921504606846975 rows of 10 floats cannot be addressed", infonce_of(&p));

    float loss;
    p = (struct mmk_infonce_problem){.x = x, .y = y, .logit_scale = 1};
    struct mmk_infonce_results results = {.loss = &loss, .dx = MATRIX_OUT_AT(v + 100, 4, 2, 0)};
    said("dx has 4 rows, x 3", mmk_infonce(&p, &results, NULL));
    results.dx = MATRIX_OUT_AT(v + 100, 3, 6, 0);
    said("dx has 6 columns, x 2", mmk_infonce(&p, &results, NULL));
    p.x = y;
    said("y has 3 rows, x has 5: they are pairs",
         mmk_alignment(&(struct mmk_infonce_problem){.x = y, .y = x, .logit_scale = 1},
                       &(struct mmk_infonce_results){.loss = &loss}, NULL));
    said("y has 3 rows, x has 5", mmk_similarity_rows(MMK_DOT, y, x, v + 100, NULL));

    struct mmk_topk_results topk = {.k = 7, .values = v + 100, .leading_dimension = 6};
    said("results.leading_dimension is 6, less than k, 7", mmk_topk(x, &topk, NULL));
    topk.leading_dimension = 0;
    said("scores has 4294967297 columns, and must have below 2^32",
         mmk_topk(MATRIX_AT(v, 1, (size_t)UINT32_MAX + 2, 0), &topk, NULL));
    struct mmk_gallery *gallery;
    assert_int_equal(mmk_gallery_pack(MMK_DOT, y, NULL, &gallery), MMK_OK);
    struct mmk_matrix packed = {.rows = 6, .columns = 3, .packed = gallery};
    said("y is 6 x 3, and packed 5 x 2",
         mmk_search(&(struct mmk_search_problem){.x = x, .y = &packed},
                    &(struct mmk_search_results){.for_x = &topk}, NULL));
    mmk_gallery_free(gallery);

    static const uint32_t rankings[] = {0, 1, 2, 3, 40, 5};
    static const size_t at[] = {1, 2, 9};
    struct mmk_csr relevant = {all, few, NULL};
    struct mmk_retrieval_problem r = {.m = 3,
                                      .n = 30,
                                      .depth = 2,
                                      .rankings = rankings,
                                      .relevant = &relevant,
                                      .recall_count = 2,
                                      .recall_at = at};
    said("query 0 has 3 relevant items, and rankings are 2 deep", metrics_of(&r));
    relevant.row_start = two;
    relevant.column = own;
    said("rankings: item 0 of query 2 is 40, n is 30", metrics_of(&r));
    r.recall_count = 3;
    said("recall_at[2] is 9, and rankings are 2 deep", metrics_of(&r));
    relevant = (struct mmk_csr){falls, few, NULL};
    r.recall_count = 0;
    said("relevant.row_start goes down from 3 to 2 after row 1", metrics_of(&r));
    relevant = (struct mmk_csr){two, high, NULL};
    said("relevant.column[3] is 77, n is 30", metrics_of(&r));
    relevant = (struct mmk_csr){two, own, minus};
    said("relevant.weight[3] is -0.5", metrics_of(&r));
}

/* ---- None is left out ------------------------------------------------------------------------ */

static void refuse_isa_usable(void)
{
    assert_int_equal(mmk_isa_usable((enum mmk_isa)MMK_ISA_COUNT), MMK_ERR_ISA_UNKNOWN);
}

static void refuse_isa_use(void)
{
    assert_int_equal(mmk_isa_use("bogus"), MMK_ERR_ISA_UNKNOWN);
    assert_true(detail_says("mmk_isa_use bogus"));
}

static void refuse_isa_in_use(void)
{
    assert_int_equal(mmk_isa_in_use(NULL), MMK_ERR_NULL);
    assert_true(detail_says("isa NULL"));
}

/* Public functions that are not among those above: how they refuse, or why they cannot. */
static const struct {
    const char *name;
    void (*refuse)(void);
    const char *cannot;
} others[] = {
    {"isa_usable", refuse_isa_usable, NULL},
    {"isa_use", refuse_isa_use, NULL},
    {"isa_in_use", refuse_isa_in_use, NULL},
    {"isa_name", NULL, "a value that is none has the name NULL"},
    {"isa_extension", NULL, "it takes nothing, and is NULL where MMK_ISA is bad"},
    {"status_string", NULL, "a value that is none has a sentence, too"},
    {"error_detail", NULL, "it takes nothing"},
    {"version", NULL, "it takes nothing"},
    {"numerics_version", NULL, "it takes nothing"},
    {"gallery_free", NULL, "it returns nothing, and NULL is allowed"},
};

static bool is_covered(const char *name)
{
    for (int f = 0; f < FUNCTIONS; f++) {
        size_t length = strcspn(functions[f].name, " "); /* "similarity_query with norms" */
        if (strncmp(functions[f].name, name, length) == 0 && name[length] == '\0')
            return true;
    }
    for (size_t o = 0; o < sizeof others / sizeof others[0]; o++)
        if (strcmp(others[o].name, name) == 0)
            return others[o].refuse != NULL || others[o].cannot != NULL;
    return false;
}

/* The next function that mmk.h declares with MMK_API, without mmk_; false at the end. */
static bool next_function(FILE *header, char name[64])
{
    char word[128];
    bool declared = false;
    while (fscanf(header, "%127s", word) == 1) {
        char *at = word + strspn(word, "*");
        if (strcmp(word, "#define") == 0) { /* of MMK_API itself */
            if (fscanf(header, "%*s") < 0)
                return false;
        } else if (strcmp(word, "MMK_API") == 0)
            declared = true;
        else if (declared && strncmp(at, "mmk_", 4) == 0 && strchr(at, '(') != NULL)
            return sscanf(at, "mmk_%63[a-z0-9_]", name) == 1;
    }
    return false;
}

static void every_function_is_tried(void **state)
{
    (void)state;
    FILE *header = fopen("kernels/mmk.h", "r"); /* tests run at the top of the tree */
    assert_non_null(header);
    char name[64];
    int count = 0, missing = 0;
    for (; next_function(header, name); count++)
        if (!is_covered(name)) {
            print_error("mmk_%s: no refusal is tried here\n", name);
            missing++;
        }
    fclose(header);
    for (size_t o = 0; o < sizeof others / sizeof others[0]; o++)
        if (others[o].refuse)
            others[o].refuse();
    print_message("%d functions in mmk.h\n", count);
    assert_int_equal(missing, 0);
    assert_true(count > 20);
}

static void k_above_n_says_so(void **state)
{
    (void)state;
    size_t count = 77;
    float values[8] = {0};
    uint32_t indices[8];
    for (int i = 0; i < 8; i++) {
        values[i] = -7.0f;
        indices[i] = 77;
    }
    const float scores[3] = {1.0f, 3.0f, 2.0f};
    const struct mmk_topk_results first = {
        .k = 8, .values = values, .indices = indices, .count = &count};
    assert_int_equal(mmk_topk(MATRIX_AT(scores, 1, 3, 0), &first, NULL), MMK_OK);
    assert_int_equal(count, 3);
    assert_int_equal(indices[0], 1);
    assert_int_equal(indices[1], 2);
    assert_int_equal(indices[2], 0);
    for (int i = 3; i < 8; i++) {
        assert_true(values[i] == -7.0f);
        assert_int_equal(indices[i], 77);
    }
    assert_int_equal(mmk_topk(MATRIX_AT(NULL, 1, 0, 0), &first, NULL), MMK_OK);
    assert_int_equal(count, 0);
}

static void no_rows_has_loss_zero(void **state)
{
    (void)state;
    float loss = 7.0f, lse_y[N];
    assert_int_equal(mmk_infonce(&(struct mmk_infonce_problem){.x = MATRIX_AT(NULL, 0, D, 0),
                                                               .y = MATRIX_AT(in_y, N, D, 0),
                                                               .similarity = MMK_COSINE,
                                                               .logit_scale = 10},
                                 &(struct mmk_infonce_results){.loss = &loss, .lse_y = lse_y},
                                 NULL),
                     MMK_OK);
    assert_true(loss == 0.0f);
    for (int j = 0; j < N; j++)
        assert_true(lse_y[j] == -INFINITY);
}

static void every_status_has_its_sentence(void **state)
{
    (void)state;
    for (int s = MMK_OK; s <= MMK_ERR_ORIGIN; s++) {
        const char *text = mmk_status_string((enum mmk_status)s);
        assert_non_null(text);
        assert_true(strlen(text) > 5);
        for (int t = MMK_OK; t < s; t++)
            assert_string_not_equal(text, mmk_status_string((enum mmk_status)t));
    }
    const char *none = mmk_status_string((enum mmk_status)(MMK_ERR_ORIGIN + 1));
    assert_non_null(none);
    assert_string_equal(none, mmk_status_string((enum mmk_status) - 1));
}

static void version_is_the_header_s(void **state)
{
    (void)state;
    char text[32];
    snprintf(text, sizeof text, "%d.%d.%d", MMK_VERSION_MAJOR, MMK_VERSION_MINOR,
             MMK_VERSION_PATCH);
    assert_string_equal(mmk_version(), text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_arguments),
        cmocka_unit_test(bad_environment),
        cmocka_unit_test(query_writes_nothing_else),
        cmocka_unit_test(query_refuses_as_the_call),
        cmocka_unit_test(no_memory_is_said),
        cmocka_unit_test(detail_is_the_thread_s),
        cmocka_unit_test(detail_is_a_sentence),
        cmocka_unit_test(numbers_stand_where_they_belong),
        cmocka_unit_test(every_function_is_tried),
        cmocka_unit_test(k_above_n_says_so),
        cmocka_unit_test(no_rows_has_loss_zero),
        cmocka_unit_test(every_status_has_its_sentence),
        cmocka_unit_test(version_is_the_header_s),
    };
    unsetenv("MMK_ISA");
    fill_inputs();
    return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
