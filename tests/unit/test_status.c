/* test_status.c - every public function refuses wrong arguments, and on an error writes nothing.
 * SPDX-License-Identifier: MIT
 *
 * Each case takes arguments that are right, spoils one, and tells the status that must come back.
 * All outputs are filled with a pattern before and compared after. That no function is left out is
 * seen from mmk.h itself. What is wrong within a CSR matrix, a ranking or a gallery is tried in
 * test_targets.c, test_retrieval.c and test_search.c.
 */
#include "../../kernels/isa/isa.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { M = 3, N = 5, D = 4, K = 2, ELEMENTS = 64 };

#define HUGE_SIZE (SIZE_MAX / 2 + 1) /* times anything leaves size_t */
#define BIG_SIZE  (SIZE_MAX / 8 + 1) /* floats: leaves the address space by a little */

/* All arguments that any of the functions takes. */
struct arguments {
    enum mmk_similarity similarity;
    struct mmk_infonce_config config, *config_pointer;
    struct mmk_options options, *options_pointer;
    float bias;
    const struct mmk_targets *targets;
    size_t m, n, d, k, ldx, ldy, ldout, lddx, lddy, entries;
    const float *x, *y, *lse_x_in, *lse_y_in, *log_var_x, *log_var_y;
    float *result, *loss, *lse_x, *lse_y, *dx, *dy, *dlogit_scale, *dbias, *dlog_var_x, *dlog_var_y;
    uint32_t *indices;
    size_t *count, *streamed, *stored;
    int threads;
};

/* What the outputs point at. */
static struct {
    float result[ELEMENTS], loss[ELEMENTS], lse_x[ELEMENTS], lse_y[ELEMENTS], dx[ELEMENTS],
        dy[ELEMENTS], dlogit_scale[ELEMENTS], dbias[ELEMENTS], dlog_var_x[ELEMENTS],
        dlog_var_y[ELEMENTS];
    uint32_t indices[ELEMENTS], indices_y[ELEMENTS];
    size_t count[ELEMENTS], count_y[ELEMENTS], streamed[ELEMENTS], stored[ELEMENTS];
} out;

static float in_x[ELEMENTS], in_y[ELEMENTS], in_norms[ELEMENTS], in_lse_x[ELEMENTS],
    in_lse_y[ELEMENTS], in_log_var[ELEMENTS];

/* One target a row, and rows enough for the greatest m that is right. */
static const size_t in_row_start[N + 2] = {0, 1, 2, 3, 4, 5, 6};
static const uint32_t in_column[N + 1] = {1, 2, 3, 4, 0, 1};
static const struct mmk_targets in_targets = {{in_row_start, in_column, NULL}, 0};

static char workspace[1 << 16];

static struct arguments right_arguments(void)
{
    struct arguments a = {
        .similarity = MMK_COSINE,
        .config = {MMK_COSINE, 10.0f, 0.5f, 0.5f, 1},
        .bias = -10.0f,
        .targets = &in_targets,
        .m = M,
        .n = N,
        .d = D,
        .k = K,
        .ldx = D,
        .ldy = D,
        .ldout = N,
        .lddx = D,
        .lddy = D,
        .entries = M,
        .x = in_x,
        .y = in_y,
        .lse_x_in = in_lse_x,
        .lse_y_in = in_lse_y,
        .log_var_x = in_log_var,
        .log_var_y = in_log_var,
        .result = out.result,
        .loss = out.loss,
        .lse_x = out.lse_x,
        .lse_y = out.lse_y,
        .dx = out.dx,
        .dy = out.dy,
        .dlogit_scale = out.dlogit_scale,
        .dbias = out.dbias,
        .dlog_var_x = out.dlog_var_x,
        .dlog_var_y = out.dlog_var_y,
        .indices = out.indices,
        .count = out.count,
        .streamed = out.streamed,
        .stored = out.stored,
    };
    return a;
}

/* ---- The functions, each taking its part of the arguments ------------------------------------ */

static enum mmk_status call_pair(struct arguments *a)
{
    return mmk_similarity_pair(a->similarity, a->d, a->x, a->y, a->result);
}

static enum mmk_status call_query(struct arguments *a)
{
    return mmk_similarity_query(a->similarity, a->n, a->d, a->x, a->y, a->ldy, NULL, a->result);
}

static enum mmk_status call_query_norms(struct arguments *a)
{
    return mmk_similarity_query(a->similarity, a->n, a->d, a->x, a->y, a->ldy, in_norms, a->result);
}

static enum mmk_status call_squared_norms(struct arguments *a)
{
    return mmk_squared_norms(a->n, a->d, a->y, a->ldy, a->result);
}

static enum mmk_status call_matrix(struct arguments *a)
{
    return mmk_similarity_matrix(a->similarity, a->m, a->n, a->d, a->x, a->ldx, a->y, a->ldy,
                                 a->result, a->ldout, a->options_pointer);
}

static enum mmk_status call_normalize(struct arguments *a)
{
    return mmk_normalize_rows(a->m, a->d, a->x, a->ldx, a->result, a->ldout);
}

static enum mmk_status call_forward(struct arguments *a)
{
    return mmk_infonce_forward(a->config_pointer, a->m, a->n, a->d, a->x, a->ldx, a->y, a->ldy,
                               a->loss, a->lse_x, a->lse_y, a->options_pointer);
}

static enum mmk_status call_backward(struct arguments *a)
{
    return mmk_infonce_backward(a->config_pointer, a->m, a->n, a->d, a->x, a->ldx, a->y, a->ldy,
                                a->lse_x_in, a->lse_y_in, a->dx, a->lddx, a->dy, a->lddy,
                                a->dlogit_scale, a->options_pointer);
}

static enum mmk_status call_forward_backward(struct arguments *a)
{
    return mmk_infonce_forward_backward(a->config_pointer, a->m, a->n, a->d, a->x, a->ldx, a->y,
                                        a->ldy, a->loss, a->lse_x, a->lse_y, a->dx, a->lddx, a->dy,
                                        a->lddy, a->dlogit_scale, a->options_pointer);
}

static enum mmk_status call_workspace(struct arguments *a)
{
    return mmk_infonce_workspace_bytes(a->m, a->n, a->d, a->threads, a->streamed, a->stored);
}

static enum mmk_status call_multi_forward(struct arguments *a)
{
    return mmk_multi_infonce_forward(a->config_pointer, a->targets, a->m, a->n, a->d, a->x, a->ldx,
                                     a->y, a->ldy, a->loss, a->lse_x, a->lse_y, a->count,
                                     out.count_y, a->options_pointer);
}

static enum mmk_status call_multi_backward(struct arguments *a)
{
    return mmk_multi_infonce_backward(a->config_pointer, a->targets, a->m, a->n, a->d, a->x, a->ldx,
                                      a->y, a->ldy, a->lse_x_in, a->lse_y_in, a->dx, a->lddx, a->dy,
                                      a->lddy, a->dlogit_scale, a->options_pointer);
}

static enum mmk_status call_multi_forward_backward(struct arguments *a)
{
    return mmk_multi_infonce_forward_backward(a->config_pointer, a->targets, a->m, a->n, a->d, a->x,
                                              a->ldx, a->y, a->ldy, a->loss, a->lse_x, a->lse_y,
                                              a->count, out.count_y, a->dx, a->lddx, a->dy, a->lddy,
                                              a->dlogit_scale, a->options_pointer);
}

static enum mmk_status call_multi_workspace(struct arguments *a)
{
    return mmk_multi_infonce_workspace_bytes(a->m, a->n, a->d, a->entries, a->threads, a->streamed,
                                             a->stored);
}

static enum mmk_status call_uniformity(struct arguments *a)
{
    return mmk_uniformity_forward(a->config_pointer, a->m, a->n, a->d, a->x, a->ldx, a->y, a->ldy,
                                  a->loss, a->lse_x, a->lse_y, a->options_pointer);
}

static enum mmk_status call_uniformity_both(struct arguments *a)
{
    return mmk_uniformity_forward_backward(a->config_pointer, a->m, a->n, a->d, a->x, a->ldx, a->y,
                                           a->ldy, a->loss, a->lse_x, a->lse_y, a->dx, a->lddx,
                                           a->dy, a->lddy, a->dlogit_scale, a->options_pointer);
}

static enum mmk_status call_alignment(struct arguments *a)
{
    return mmk_alignment_forward_backward(a->config_pointer, a->m, a->d, a->x, a->ldx, a->y, a->ldy,
                                          a->loss, a->dx, a->lddx, a->dy, a->lddy, a->dlogit_scale,
                                          a->options_pointer);
}

static struct mmk_sigmoid_config sigmoid_config(const struct arguments *a)
{
    return (struct mmk_sigmoid_config){a->config.similarity, a->config.logit_scale, a->bias,
                                       a->config.offset};
}

/* Without positives: the offset matters. */
static enum mmk_status call_sigmoid(struct arguments *a)
{
    struct mmk_sigmoid_config config = sigmoid_config(a);
    return mmk_sigmoid_forward(a->config_pointer ? &config : NULL, NULL, a->m, a->n, a->d, a->x,
                               a->ldx, a->y, a->ldy, a->loss, a->options_pointer);
}

static enum mmk_status call_sigmoid_both(struct arguments *a)
{
    struct mmk_sigmoid_config config = sigmoid_config(a);
    return mmk_sigmoid_forward_backward(a->config_pointer ? &config : NULL, NULL, a->m, a->n, a->d,
                                        a->x, a->ldx, a->y, a->ldy, a->loss, a->dx, a->lddx, a->dy,
                                        a->lddy, a->dlogit_scale, a->dbias, a->options_pointer);
}

static enum mmk_status call_csd(struct arguments *a)
{
    struct mmk_sigmoid_config config = sigmoid_config(a);
    return mmk_csd_sigmoid_forward_backward(
        a->config_pointer ? &config : NULL, NULL, a->m, a->n, a->d, a->x, a->log_var_x, a->ldx,
        a->y, a->log_var_y, a->ldy, a->loss, a->dx, a->dlog_var_x, a->lddx, a->dy, a->dlog_var_y,
        a->lddy, a->dlogit_scale, a->dbias, a->options_pointer);
}

static enum mmk_status call_topk(struct arguments *a)
{
    return mmk_topk(a->n, a->x, a->k, a->result, a->indices, a->count);
}

static enum mmk_status call_topk_rows(struct arguments *a)
{
    return mmk_topk_rows(a->m, a->n, a->x, a->ldx, a->k, a->result, a->indices, a->ldout, a->count,
                         a->options_pointer);
}

static enum mmk_status call_search(struct arguments *a)
{
    return mmk_search(a->similarity, a->m, a->n, a->d, a->x, a->ldx, a->y, a->ldy, a->k, a->result,
                      a->indices, a->ldout, a->count, a->options_pointer);
}

static enum mmk_status call_search_both(struct arguments *a)
{
    return mmk_search_both(a->similarity, a->m, a->n, a->d, a->x, a->ldx, a->y, a->ldy, a->k,
                           a->result, a->indices, a->ldout, a->k, a->dx, out.indices_y, a->ldout,
                           a->options_pointer);
}

static enum mmk_status call_gallery_pack(struct arguments *a)
{
    struct mmk_gallery *gallery = NULL;
    enum mmk_status status =
        mmk_gallery_pack(a->similarity, a->n, a->d, a->y, a->ldy, a->options_pointer, &gallery);
    assert_true((status == MMK_OK) == (gallery != NULL));
    mmk_gallery_free(gallery);
    return status;
}

/* The gallery is a right one, whatever is wrong with the rest. */
static enum mmk_status call_gallery_matrix(struct arguments *a)
{
    struct mmk_gallery *gallery = NULL;
    enum mmk_status status = mmk_gallery_pack(MMK_COSINE, N, D, in_y, D, NULL, &gallery);
    if (status != MMK_OK)
        return status;
    status =
        mmk_gallery_matrix(gallery, a->m, a->x, a->ldx, a->result, a->ldout, a->options_pointer);
    mmk_gallery_free(gallery);
    return status;
}

static enum mmk_status call_gallery_search(struct arguments *a)
{
    struct mmk_gallery *gallery = NULL;
    enum mmk_status status = mmk_gallery_pack(MMK_COSINE, N, D, in_y, D, NULL, &gallery);
    if (status != MMK_OK)
        return status;
    status = mmk_gallery_search(gallery, a->m, a->x, a->ldx, a->k, a->result, a->indices, a->ldout,
                                a->count, a->options_pointer);
    mmk_gallery_free(gallery);
    return status;
}

static enum mmk_status call_retrieval(struct arguments *a)
{
    static const size_t row_start[M + 1] = {0};
    static const uint32_t rankings[M * K] = {0};
    const struct mmk_csr relevant = {row_start, NULL, NULL};
    return mmk_retrieval_metrics(M, N, K, rankings, K, &relevant, 0, NULL, NULL, NULL, NULL,
                                 a->count);
}

static enum mmk_status call_exp(struct arguments *a)
{
    return mmk_exp(a->d, a->x, a->result);
}

static enum mmk_status call_logsumexp(struct arguments *a)
{
    return mmk_logsumexp(a->d, a->x, a->result);
}

enum {
    PAIR = 1 << 0,
    QUERY = 1 << 1,
    MATRIX = 1 << 2,
    NORMALIZE = 1 << 3,
    FORWARD = 1 << 4,
    BACKWARD = 1 << 5,
    BOTH = 1 << 6,
    WORKSPACE = 1 << 7,
    TOPK = 1 << 8,
    TOPK_ROWS = 1 << 9,
    EXP = 1 << 10,
    LOGSUMEXP = 1 << 11,
    QUERY_NORMS = 1 << 12,
    SQUARED_NORMS = 1 << 13,
    RETRIEVAL = 1 << 14, /* the rest of it in test_retrieval.c */
    SEARCH = 1 << 15,
    SEARCH_BOTH = 1 << 16,
    GALLERY_PACK = 1 << 17,
    GALLERY_MATRIX = 1 << 18,
    GALLERY_SEARCH = 1 << 19,
    MULTI_FORWARD = 1 << 20,
    MULTI_BACKWARD = 1 << 21,
    MULTI_BOTH = 1 << 22,
    MULTI_WORKSPACE = 1 << 23,
    UNIFORMITY_FORWARD = 1 << 24,
    UNIFORMITY_BOTH = 1 << 25,
    ALIGNMENT = 1 << 26,
    SIGMOID_FORWARD = 1 << 27,
    SIGMOID_BOTH = 1 << 28,
    CSD = 1 << 29,
    FUNCTIONS = 30,
    SEARCHES = SEARCH | SEARCH_BOTH,
    GALLERY = GALLERY_MATRIX | GALLERY_SEARCH,
    FIND = SEARCHES | GALLERY_SEARCH,
    QUERIES = QUERY | QUERY_NORMS,
    INFONCE = FORWARD | BACKWARD | BOTH,
    MULTI = MULTI_FORWARD | MULTI_BACKWARD | MULTI_BOTH,
    UNIFORMITY = UNIFORMITY_FORWARD | UNIFORMITY_BOTH,
    SIGMOID = SIGMOID_FORWARD | SIGMOID_BOTH | CSD,
    SOFTMAX = INFONCE | MULTI | UNIFORMITY,
    TWO_SIDED = SOFTMAX | SIGMOID, /* m rows of x, n of y */
    LOSSES = TWO_SIDED | ALIGNMENT,
    WITH_OFFSET = INFONCE | SIGMOID,
    LSE_OUT = FORWARD | BOTH | MULTI_FORWARD | MULTI_BOTH | UNIFORMITY,
    LSE_IN = BACKWARD | MULTI_BACKWARD,
    GRADIENTS = LSE_IN | BOTH | MULTI_BOTH | UNIFORMITY_BOTH | ALIGNMENT | SIGMOID_BOTH | CSD,
    WORKSPACES = WORKSPACE | MULTI_WORKSPACE,
    SIMILARITIES = PAIR | QUERIES | MATRIX,
    WITH_OPTIONS = MATRIX | LOSSES | TOPK_ROWS | SEARCHES | GALLERY_PACK | GALLERY,
    ALL = (1 << FUNCTIONS) - 1
};

static const struct {
    const char *name;
    enum mmk_status (*call)(struct arguments *a);
} functions[FUNCTIONS] = {
    {"similarity_pair", call_pair},
    {"similarity_query", call_query},
    {"similarity_matrix", call_matrix},
    {"normalize_rows", call_normalize},
    {"infonce_forward", call_forward},
    {"infonce_backward", call_backward},
    {"infonce_forward_backward", call_forward_backward},
    {"infonce_workspace_bytes", call_workspace},
    {"topk", call_topk},
    {"topk_rows", call_topk_rows},
    {"exp", call_exp},
    {"logsumexp", call_logsumexp},
    {"similarity_query with norms", call_query_norms},
    {"squared_norms", call_squared_norms},
    {"retrieval_metrics", call_retrieval},
    {"search", call_search},
    {"search_both", call_search_both},
    {"gallery_pack", call_gallery_pack},
    {"gallery_matrix", call_gallery_matrix},
    {"gallery_search", call_gallery_search},
    {"multi_infonce_forward", call_multi_forward},
    {"multi_infonce_backward", call_multi_backward},
    {"multi_infonce_forward_backward", call_multi_forward_backward},
    {"multi_infonce_workspace_bytes", call_multi_workspace},
    {"uniformity_forward", call_uniformity},
    {"uniformity_forward_backward", call_uniformity_both},
    {"alignment_forward_backward", call_alignment},
    {"sigmoid_forward", call_sigmoid},
    {"sigmoid_forward_backward", call_sigmoid_both},
    {"csd_sigmoid_forward_backward", call_csd},
};

/* ---- The ways to spoil them ------------------------------------------------------------------ */

#define SPOIL(name, ...)                                                                           \
    static void name(struct arguments *a)                                                          \
    {                                                                                              \
        __VA_ARGS__;                                                                               \
    }

SPOIL(nothing, (void)a)
SPOIL(null_config, a->config_pointer = NULL)
SPOIL(null_x, a->x = NULL)
SPOIL(null_y, a->y = NULL)
SPOIL(null_result, a->result = NULL)
SPOIL(null_loss, a->loss = NULL)
SPOIL(null_lse_x, a->lse_x = NULL)
SPOIL(null_lse_y, a->lse_y = NULL)
SPOIL(null_lse_x_in, a->lse_x_in = NULL)
SPOIL(null_lse_y_in, a->lse_y_in = NULL)
SPOIL(null_dx, a->dx = NULL)
SPOIL(null_dy, a->dy = NULL)
SPOIL(null_dlogit_scale, a->dlogit_scale = NULL)
SPOIL(null_dbias, a->dbias = NULL)
SPOIL(null_log_var_x, a->log_var_x = NULL)
SPOIL(null_log_var_y, a->log_var_y = NULL)
SPOIL(null_dlog_var_x, a->dlog_var_x = NULL)
SPOIL(null_dlog_var_y, a->dlog_var_y = NULL)
SPOIL(null_targets, a->targets = NULL)
SPOIL(null_values_and_count, a->result = NULL; a->count = NULL)
SPOIL(null_indices_and_count, a->indices = NULL; a->count = NULL)
SPOIL(null_all_of_topk, a->result = NULL; a->indices = NULL; a->count = NULL)
SPOIL(null_streamed, a->streamed = NULL)
SPOIL(null_stored, a->stored = NULL)

SPOIL(small_ldx, a->ldx = D - 1)
SPOIL(small_ldx_of_scores, a->ldx = N - 1)
SPOIL(small_ldy, a->ldy = D - 1)
SPOIL(small_ldresult, a->ldout = N - 1)
SPOIL(small_ldout_of_rows, a->ldout = D - 1)
SPOIL(small_ldout_of_topk, a->ldout = K - 1)
SPOIL(small_lddx, a->lddx = D - 1)
SPOIL(small_lddy, a->lddy = D - 1)
SPOIL(zero_ld, a->ldx = 0; a->ldy = 0)

SPOIL(huge_d, a->d = HUGE_SIZE; a->ldx = HUGE_SIZE; a->ldy = HUGE_SIZE; a->ldout = HUGE_SIZE;
      a->lddx = HUGE_SIZE; a->lddy = HUGE_SIZE)
SPOIL(big_d, a->d = BIG_SIZE; a->ldx = BIG_SIZE; a->ldy = BIG_SIZE; a->ldout = BIG_SIZE;
      a->lddx = BIG_SIZE; a->lddy = BIG_SIZE)
SPOIL(huge_m, a->m = HUGE_SIZE; a->n = HUGE_SIZE + N; a->ldout = HUGE_SIZE + N)
SPOIL(huge_m_alone, a->m = HUGE_SIZE)
SPOIL(huge_n, a->n = HUGE_SIZE; a->ldout = HUGE_SIZE)
SPOIL(huge_ldx, a->ldx = HUGE_SIZE)
SPOIL(huge_ldy, a->ldy = HUGE_SIZE)
SPOIL(big_ldx, a->ldx = BIG_SIZE)
SPOIL(big_ldy, a->ldy = BIG_SIZE)
SPOIL(huge_ldout, a->ldout = HUGE_SIZE)
SPOIL(huge_lddx, a->lddx = HUGE_SIZE)
SPOIL(huge_lddy, a->lddy = HUGE_SIZE)
SPOIL(huge_entries, a->entries = HUGE_SIZE)
SPOIL(n_beyond_index, a->n = (size_t)UINT32_MAX + 1; a->ldx = (size_t)UINT32_MAX + 1)

SPOIL(similarity_3,
      a->similarity = a->config.similarity = (enum mmk_similarity)MMK_SIMILARITY_COUNT)
SPOIL(similarity_minus_1, a->similarity = a->config.similarity = (enum mmk_similarity) - 1)
SPOIL(scale_zero, a->config.logit_scale = 0.0f)
SPOIL(scale_minus_zero, a->config.logit_scale = -0.0f)
SPOIL(scale_negative, a->config.logit_scale = -1.0f)
SPOIL(scale_nan, a->config.logit_scale = NAN)
SPOIL(scale_inf, a->config.logit_scale = INFINITY)
SPOIL(weight_x_negative, a->config.weight_x = -0.5f)
SPOIL(weight_x_nan, a->config.weight_x = NAN)
SPOIL(weight_x_inf, a->config.weight_x = INFINITY)
SPOIL(weight_y_negative, a->config.weight_y = -0.5f)
SPOIL(weight_y_nan, a->config.weight_y = -NAN)
SPOIL(weight_y_inf, a->config.weight_y = -INFINITY)
SPOIL(bias_nan, a->bias = NAN)
SPOIL(bias_inf, a->bias = INFINITY)
SPOIL(bias_minus_inf, a->bias = -INFINITY)
SPOIL(bias_too_great, a->bias = 0x1.000002p100f)
SPOIL(offset_one_too_far, a->config.offset = N - M + 1)
SPOIL(offset_overflows, a->config.offset = SIZE_MAX)
SPOIL(offset_overflows_to_fit, a->config.offset = SIZE_MAX - M + 1)
SPOIL(more_x_than_y, a->m = N + 1; a->config.offset = 0)

SPOIL(threads_negative, a->options.threads = -1; a->options_pointer = &a->options)
SPOIL(threads_argument_negative, a->threads = -1)
SPOIL(workspace_without_bytes, a->options.workspace = workspace; a->options_pointer = &a->options)
SPOIL(bytes_without_workspace, a->options.workspace_bytes = sizeof workspace;
      a->options_pointer = &a->options)

/* Arguments that look odd and are right. */
SPOIL(no_rows, a->m = 0; a->x = NULL; a->dx = NULL; a->config.offset = 0)
SPOIL(no_rows_of_y, a->n = 0; a->y = NULL; a->result = NULL)
SPOIL(no_rows_at_all, a->m = 0; a->n = 0; a->x = NULL; a->y = NULL; a->result = NULL;
      a->lse_x = NULL; a->lse_y = NULL; a->lse_x_in = NULL; a->lse_y_in = NULL; a->dx = NULL;
      a->dy = NULL; a->config.offset = 0)
SPOIL(no_dimensions, a->d = 0; a->ldx = N; a->ldy = 0; a->x = NULL; a->y = NULL; a->dx = NULL;
      a->dy = NULL)
SPOIL(no_scores, a->n = 0; a->x = NULL)
SPOIL(no_scores_wanted, a->k = 0; a->result = NULL; a->indices = NULL)
SPOIL(k_above_n, a->k = N + 3; a->ldout = N + 3)
SPOIL(tiny_workspace, a->options.workspace = workspace; a->options.workspace_bytes = 1;
      a->options_pointer = &a->options)
SPOIL(three_threads, a->options.threads = 3; a->options_pointer = &a->options)
SPOIL(no_weights, a->config.weight_x = 0.0f; a->config.weight_y = 0.0f)
SPOIL(smallest_scale, a->config.logit_scale = 0x1p-149f)
SPOIL(greatest_bias, a->bias = -0x1p100f)
SPOIL(last_offset, a->config.offset = N - M)

static const struct {
    const char *name;
    void (*spoil)(struct arguments *a);
    int functions; /* those to which it matters */
    enum mmk_status status;
} cases[] = {
#define CASE(spoil, functions, status)                                                             \
    {                                                                                              \
#spoil, spoil, functions, status                                                           \
    }
    CASE(nothing, ALL, MMK_OK),

    CASE(null_config, LOSSES, MMK_ERR_NULL),
    CASE(null_x, ALL & ~(WORKSPACES | SQUARED_NORMS | RETRIEVAL | GALLERY_PACK), MMK_ERR_NULL),
    CASE(null_y, SIMILARITIES | SQUARED_NORMS | LOSSES | SEARCHES | GALLERY_PACK, MMK_ERR_NULL),
    CASE(null_result, SIMILARITIES | SQUARED_NORMS | NORMALIZE | EXP | LOGSUMEXP | GALLERY_MATRIX,
         MMK_ERR_NULL),
    CASE(null_loss, LSE_OUT | ALIGNMENT | SIGMOID, MMK_ERR_NULL),
    CASE(null_lse_x, LSE_OUT, MMK_ERR_NULL),
    CASE(null_lse_y, LSE_OUT, MMK_ERR_NULL),
    CASE(null_lse_x_in, LSE_IN, MMK_ERR_NULL),
    CASE(null_lse_y_in, LSE_IN, MMK_ERR_NULL),
    CASE(null_dx, GRADIENTS, MMK_ERR_NULL),
    CASE(null_dy, GRADIENTS, MMK_ERR_NULL),
    CASE(null_dlogit_scale, GRADIENTS, MMK_ERR_NULL),
    CASE(null_dbias, SIGMOID_BOTH | CSD, MMK_ERR_NULL),
    CASE(null_log_var_x, CSD, MMK_ERR_NULL),
    CASE(null_log_var_y, CSD, MMK_ERR_NULL),
    CASE(null_dlog_var_x, CSD, MMK_ERR_NULL),
    CASE(null_dlog_var_y, CSD, MMK_ERR_NULL),
    CASE(null_targets, MULTI, MMK_ERR_NULL),
    CASE(null_values_and_count, TOPK | TOPK_ROWS | FIND, MMK_OK),
    CASE(null_indices_and_count, TOPK | TOPK_ROWS | FIND, MMK_OK),
    CASE(null_all_of_topk, TOPK | TOPK_ROWS | FIND, MMK_OK),
    CASE(null_streamed, WORKSPACES, MMK_OK),
    CASE(null_stored, WORKSPACES, MMK_OK),

    CASE(small_ldx, MATRIX | NORMALIZE | LOSSES | SEARCHES | GALLERY, MMK_ERR_LEADING_DIMENSION),
    CASE(small_ldx_of_scores, TOPK_ROWS, MMK_ERR_LEADING_DIMENSION),
    CASE(small_ldy, QUERIES | SQUARED_NORMS | MATRIX | LOSSES | SEARCHES | GALLERY_PACK,
         MMK_ERR_LEADING_DIMENSION),
    CASE(small_ldresult, MATRIX | GALLERY_MATRIX, MMK_ERR_LEADING_DIMENSION),
    CASE(small_ldout_of_rows, NORMALIZE, MMK_ERR_LEADING_DIMENSION),
    CASE(small_ldout_of_topk, TOPK_ROWS | FIND, MMK_ERR_LEADING_DIMENSION),
    CASE(small_lddx, GRADIENTS, MMK_ERR_LEADING_DIMENSION),
    CASE(small_lddy, GRADIENTS, MMK_ERR_LEADING_DIMENSION),
    CASE(zero_ld, QUERIES | SQUARED_NORMS | MATRIX | NORMALIZE | LOSSES | TOPK_ROWS,
         MMK_ERR_LEADING_DIMENSION),
    CASE(huge_d, ALL & ~(TOPK | TOPK_ROWS | RETRIEVAL | GALLERY), MMK_ERR_SIZE),
    CASE(big_d, QUERIES | SQUARED_NORMS | MATRIX | NORMALIZE | LOSSES | SEARCHES | GALLERY_PACK,
         MMK_ERR_SIZE),
    CASE(huge_m, MATRIX | TWO_SIDED | WORKSPACES | SEARCHES | GALLERY, MMK_ERR_SIZE),
    CASE(huge_m_alone, MATRIX | NORMALIZE | LOSSES | WORKSPACES | TOPK_ROWS | SEARCHES | GALLERY,
         MMK_ERR_SIZE),
    CASE(huge_n,
         QUERIES | SQUARED_NORMS | MATRIX | TWO_SIDED | WORKSPACES | SEARCHES | GALLERY_PACK,
         MMK_ERR_SIZE),
    CASE(huge_ldx, MATRIX | NORMALIZE | LOSSES | TOPK_ROWS | SEARCHES | GALLERY, MMK_ERR_SIZE),
    CASE(huge_ldy, QUERIES | SQUARED_NORMS | MATRIX | LOSSES | SEARCHES | GALLERY_PACK,
         MMK_ERR_SIZE),
    CASE(big_ldx, MATRIX | NORMALIZE | LOSSES | TOPK_ROWS | SEARCHES | GALLERY, MMK_ERR_SIZE),
    CASE(big_ldy, QUERIES | SQUARED_NORMS | MATRIX | LOSSES | SEARCHES | GALLERY_PACK,
         MMK_ERR_SIZE),
    CASE(huge_ldout, MATRIX | NORMALIZE | TOPK_ROWS | FIND | GALLERY_MATRIX, MMK_ERR_SIZE),
    CASE(huge_lddx, GRADIENTS, MMK_ERR_SIZE),
    CASE(huge_lddy, GRADIENTS, MMK_ERR_SIZE),
    CASE(huge_entries, MULTI_WORKSPACE, MMK_ERR_SIZE),
    CASE(n_beyond_index, TOPK | TOPK_ROWS | SEARCHES, MMK_ERR_SIZE),

    CASE(similarity_3, SIMILARITIES | (LOSSES & ~CSD) | SEARCHES | GALLERY_PACK,
         MMK_ERR_SIMILARITY),
    CASE(similarity_minus_1, SIMILARITIES | (LOSSES & ~CSD) | SEARCHES | GALLERY_PACK,
         MMK_ERR_SIMILARITY),
    CASE(similarity_3, CSD, MMK_OK), /* not looked at */
    CASE(scale_zero, LOSSES, MMK_ERR_LOGIT_SCALE),
    CASE(scale_minus_zero, LOSSES, MMK_ERR_LOGIT_SCALE),
    CASE(scale_negative, LOSSES, MMK_ERR_LOGIT_SCALE),
    CASE(scale_nan, LOSSES, MMK_ERR_LOGIT_SCALE),
    CASE(scale_inf, LOSSES, MMK_ERR_LOGIT_SCALE),
    CASE(weight_x_negative, SOFTMAX, MMK_ERR_WEIGHT),
    CASE(weight_x_nan, SOFTMAX, MMK_ERR_WEIGHT),
    CASE(weight_x_inf, SOFTMAX, MMK_ERR_WEIGHT),
    CASE(weight_y_negative, SOFTMAX, MMK_ERR_WEIGHT),
    CASE(weight_y_nan, SOFTMAX, MMK_ERR_WEIGHT),
    CASE(weight_y_inf, SOFTMAX, MMK_ERR_WEIGHT),
    CASE(offset_one_too_far, WITH_OFFSET, MMK_ERR_OFFSET),
    CASE(offset_overflows, WITH_OFFSET, MMK_ERR_OFFSET),
    CASE(offset_overflows_to_fit, WITH_OFFSET, MMK_ERR_OFFSET),
    CASE(more_x_than_y, WITH_OFFSET, MMK_ERR_OFFSET),

    CASE(offset_one_too_far, MULTI | UNIFORMITY | ALIGNMENT, MMK_OK), /* not looked at */
    CASE(more_x_than_y, MULTI | UNIFORMITY, MMK_OK),
    CASE(bias_nan, SIGMOID, MMK_ERR_BIAS),
    CASE(bias_inf, SIGMOID, MMK_ERR_BIAS),
    CASE(bias_minus_inf, SIGMOID, MMK_ERR_BIAS),
    CASE(bias_too_great, SIGMOID, MMK_ERR_BIAS),

    CASE(threads_negative, WITH_OPTIONS, MMK_ERR_THREADS),
    CASE(threads_argument_negative, WORKSPACES, MMK_ERR_THREADS),
    CASE(workspace_without_bytes, WITH_OPTIONS, MMK_ERR_WORKSPACE),
    CASE(bytes_without_workspace, WITH_OPTIONS, MMK_ERR_WORKSPACE),

    CASE(no_rows, MATRIX | NORMALIZE | LOSSES | TOPK_ROWS | SEARCHES | GALLERY, MMK_OK),
    CASE(no_rows_of_y, QUERIES | SQUARED_NORMS | MATRIX | SEARCHES | GALLERY_PACK, MMK_OK),
    CASE(no_rows_at_all, MATRIX | LOSSES | SEARCHES, MMK_OK),
    CASE(no_dimensions,
         SIMILARITIES | SQUARED_NORMS | NORMALIZE | LOSSES | EXP | LOGSUMEXP | SEARCHES |
             GALLERY_PACK,
         MMK_OK),
    CASE(no_scores, TOPK | TOPK_ROWS, MMK_OK),
    CASE(no_scores_wanted, TOPK | TOPK_ROWS | FIND, MMK_OK),
    CASE(k_above_n, TOPK | TOPK_ROWS | FIND, MMK_OK),
    CASE(tiny_workspace, WITH_OPTIONS, MMK_OK),
    CASE(three_threads, WITH_OPTIONS, MMK_OK),
    CASE(no_weights, SOFTMAX, MMK_OK),
    CASE(smallest_scale, LOSSES, MMK_OK),
    CASE(greatest_bias, SIGMOID, MMK_OK),
    CASE(last_offset, WITH_OFFSET, MMK_OK),
};

static void fill_inputs(void)
{
    for (int i = 0; i < ELEMENTS; i++) {
        in_x[i] = sinf((float)i);
        in_y[i] = cosf((float)i * 0.7f);
        in_lse_x[i] = in_lse_y[i] = 12.0f;
    }
}

/* Right arguments for one function: some have rows of another length. */
static struct arguments arguments_of(int function)
{
    struct arguments a = right_arguments();
    if (1 << function == NORMALIZE)
        a.ldout = D;
    if (1 << function == TOPK_ROWS) {
        a.ldx = N;
        a.ldout = K;
    }
    if (1 << function & FIND)
        a.ldout = K;
    return a;
}

static int refuse(const char *case_name, void (*spoil)(struct arguments *a), int function,
                  enum mmk_status expected)
{
    static char before[sizeof out];
    struct arguments a = arguments_of(function);
    a.config_pointer = &a.config;
    spoil(&a);
    memset(&out, 0xa5, sizeof out);
    memcpy(before, &out, sizeof out);
    enum mmk_status status = functions[function].call(&a);
    if (status != expected) {
        print_error("%s, %s: \"%s\", must be \"%s\"\n", functions[function].name, case_name,
                    mmk_status_string(status), mmk_status_string(expected));
        return 1;
    }
    if (status != MMK_OK && memcmp(before, &out, sizeof out) != 0) {
        print_error("%s, %s: an output was written in spite of the error\n",
                    functions[function].name, case_name);
        return 1;
    }
    return 0;
}

static void refuse_in_all_cases(const struct isa_row *row)
{
    int wrong = 0, tried = 0;
    isa_use_row(row);
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++)
        for (int f = 0; f < FUNCTIONS; f++)
            if (cases[c].functions & 1 << f) {
                wrong += refuse(cases[c].name, cases[c].spoil, f, cases[c].status);
                tried++;
            }
    print_message("%s: %d calls\n", row->name, tried);
    assert_int_equal(wrong, 0);
    assert_true(tried > 150);
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
        if (1 << f & WORKSPACES)
            continue; /* computes nothing with the instruction set */
        setenv("MMK_ISA", "bogus", 1);
        isa_use_row(NULL);
        wrong += refuse("MMK_ISA=bogus", nothing, f, MMK_ERR_ISA_UNKNOWN);
        setenv("MMK_ISA", unusable, 1);
        isa_use_row(NULL);
        wrong += refuse("MMK_ISA unusable", nothing, f, MMK_ERR_ISA_UNUSABLE);
    }
    unsetenv("MMK_ISA");
    isa_use_row(NULL);
    assert_int_equal(wrong, 0);
}

/* ---- None is left out ------------------------------------------------------------------------ */

static void refuse_isa_usable(void)
{
    assert_int_equal(mmk_isa_usable((enum mmk_isa)MMK_ISA_COUNT), MMK_ERR_ISA_UNKNOWN);
}

static void refuse_isa_use(void)
{
    assert_int_equal(mmk_isa_use("bogus"), MMK_ERR_ISA_UNKNOWN);
}

static void refuse_isa_in_use(void)
{
    assert_int_equal(mmk_isa_in_use(NULL), MMK_ERR_NULL);
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
    {"status_string", NULL, "a value that is none has a sentence, too"},
    {"version", NULL, "it takes nothing"},
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
    /* similarity_query stands twice: with norms, and without. */
    assert_int_equal(count, FUNCTIONS - 1 + (int)(sizeof others / sizeof others[0]));
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
    assert_int_equal(mmk_topk(3, scores, 8, values, indices, &count), MMK_OK);
    assert_int_equal(count, 3);
    assert_int_equal(indices[0], 1);
    assert_int_equal(indices[1], 2);
    assert_int_equal(indices[2], 0);
    for (int i = 3; i < 8; i++) {
        assert_true(values[i] == -7.0f);
        assert_int_equal(indices[i], 77);
    }
    assert_int_equal(mmk_topk(0, NULL, 8, values, indices, &count), MMK_OK);
    assert_int_equal(count, 0);
}

static void no_rows_has_loss_zero(void **state)
{
    (void)state;
    struct mmk_infonce_config config = {MMK_COSINE, 10.0f, 0.5f, 0.5f, 0};
    float loss = 7.0f, lse_y[N];
    assert_int_equal(
        mmk_infonce_forward(&config, 0, N, D, NULL, D, in_y, D, &loss, NULL, lse_y, NULL), MMK_OK);
    assert_true(loss == 0.0f);
    for (int j = 0; j < N; j++)
        assert_true(lse_y[j] == -INFINITY);
}

static void every_status_has_its_sentence(void **state)
{
    (void)state;
    for (int s = MMK_OK; s <= MMK_ERR_GALLERY; s++) {
        const char *text = mmk_status_string((enum mmk_status)s);
        assert_non_null(text);
        assert_true(strlen(text) > 5);
        for (int t = MMK_OK; t < s; t++)
            assert_string_not_equal(text, mmk_status_string((enum mmk_status)t));
    }
    const char *none = mmk_status_string((enum mmk_status)(MMK_ERR_GALLERY + 1));
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
        cmocka_unit_test(bad_arguments),           cmocka_unit_test(bad_environment),
        cmocka_unit_test(every_function_is_tried), cmocka_unit_test(k_above_n_says_so),
        cmocka_unit_test(no_rows_has_loss_zero),   cmocka_unit_test(every_status_has_its_sentence),
        cmocka_unit_test(version_is_the_header_s),
    };
    unsetenv("MMK_ISA");
    fill_inputs();
    return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
