/* problem.c - what every loss does before it computes: argument checks and memory.
 * SPDX-License-Identifier: MIT
 *
 * O((m + n) d + entries): X is read once for its greatest element where the similarity is dot, both
 * sides for their norms where it is cosine. It shows in the time of small batches only.
 */
#include "problem.h"

#include "../exp/lse.h"
#include "forward.h"
#include "gradient.h"
#include "pass.h"
#include "products.h"
#include "sigmoid.h"
#include "strip.h"
#include "weights.h"

#include <math.h>

static bool positive_finite(float v)
{
    return v > 0.0f && isfinite(v);
}

static bool weight_valid(float v)
{
    return v >= 0.0f && isfinite(v);
}

/* How many entries there are, where they are valid. */
static enum mmk_status check_targets(const struct infonce *p, size_t offset, size_t *entries)
{
    const struct mmk_csr *w = p->targets.weights;
    *entries = p->targets.none ? 0 : p->m;
    if (w == NULL || p->m == 0)
        return MMK_OK;
    if (w->row_start == NULL)
        return MMK_ERR_NULL;
    for (size_t i = 0; i < p->m; i++)
        if (w->row_start[i + 1] < w->row_start[i])
            return MMK_ERR_ROW_START;
    *entries = w->row_start[p->m] - w->row_start[0];
    if (*entries > 0 && w->column == NULL)
        return MMK_ERR_NULL;
    if (*entries >= INFONCE_NO_ENTRY)
        return MMK_ERR_SIZE;
    for (size_t i = 0; i < p->m; i++)
        for (size_t e = w->row_start[i]; e < w->row_start[i + 1]; e++) {
            float weight = w->weight != NULL ? w->weight[e] : 1.0f;
            if (w->column[e] >= p->n)
                return MMK_ERR_INDEX;
            if (!weight_valid(weight))
                return MMK_ERR_WEIGHT;
            if (p->targets.exclude_self && weight > 0 && w->column[e] == i + offset)
                return MMK_ERR_INDEX;
        }
    return MMK_OK;
}

struct infonce infonce_arguments(size_t m, size_t n, size_t d, const float *x, size_t ldx,
                                 const float *y, size_t ldy)
{
    return (struct infonce){.m = m,
                            .n = n,
                            .d = d,
                            .x = {.data = x, .ld = ldx, .rows = m, .factor = 1},
                            .y = {.data = y, .ld = ldy, .rows = n, .factor = 1}};
}

enum mmk_status infonce_check(struct infonce *p, const struct mmk_infonce_config *config,
                              const struct mmk_options *options)
{
    enum mmk_status status = isa_current(&p->isa);
    if (status != MMK_OK)
        return status;
    if (config == NULL)
        return MMK_ERR_NULL;
    if ((unsigned)config->similarity >= MMK_SIMILARITY_COUNT)
        return MMK_ERR_SIMILARITY;
    float alpha = (float)((double)config->logit_scale * LSE_LOG2E);
    if (!positive_finite(config->logit_scale) || !isfinite(alpha) ||
        !isfinite(2 * config->logit_scale)) /* a factor of neg_sq_l2's gradient */
        return MMK_ERR_LOGIT_SCALE;
    if (!weight_valid(config->weight_x) || !weight_valid(config->weight_y))
        return MMK_ERR_WEIGHT;
    if (p->m > UINT32_MAX || p->n > UINT32_MAX)
        return MMK_ERR_SIZE;
    if ((p->targets.weights == NULL && !p->targets.none) || p->targets.exclude_self)
        if (config->offset > p->n || p->m > p->n - config->offset)
            return MMK_ERR_OFFSET;
    if ((status = args_matrix(p->x.data, p->m, p->d, p->x.ld)) != MMK_OK ||
        (status = args_matrix(p->y.data, p->n, p->d, p->y.ld)) != MMK_OK ||
        (status = args_options(options)) != MMK_OK ||
        (status = check_targets(p, config->offset, &p->targets.most)) != MMK_OK)
        return status;
    p->config = *config;
    p->alpha = alpha;
    size_t tasks = size_blocks(p->m, TILE_BLOCK_ROWS) * size_blocks(p->n, TILE_BLOCK_COLS);
    p->threads = args_threads(options != NULL ? options->threads : 0, tasks);
    return MMK_OK;
}

/* Whether alpha times any element of X is far from overflow, so that it can go into the product. */
static bool alpha_folds(const struct infonce *p)
{
    if (p->config.similarity != MMK_DOT)
        return p->config.similarity == MMK_COSINE && p->alpha < 0x1p100f;
    int32_t greatest = 0; /* as bits without the sign: a maximum that compilers vectorise */
#pragma omp parallel for num_threads(p->threads) if (p->threads > 1) reduction(max : greatest)
    for (size_t i = 0; i < p->m; i++) {
        const float *row = p->x.data + i * p->x.ld;
        for (size_t k = 0; k < p->d; k++) {
            int32_t bits = (int32_t)(simd_bits(row[k]) & 0x7fffffffu);
            greatest = bits > greatest ? bits : greatest;
        }
    }
    return simd_from_bits((uint32_t)greatest) < 0x1p100f / p->alpha; /* NaN and Inf are not */
}

/* Bytes that the exponentials of a row of blocks take. */
static size_t kept_bytes(const struct infonce *p)
{
    return size_blocks(p->n, TILE_BLOCK_COLS) * KEPT_BLOCK_FLOATS * sizeof(float);
}

static void layout(struct infonce *p, struct scratch *s, enum infonce_parts parts)
{
    infonce_layout_packed(p, s);
    infonce_layout_targets(p, s);
    if (parts & INFONCE_FORWARD) {
        infonce_layout_forward(p, s);
        infonce_layout_pass(p, s);
    }
    if (parts & INFONCE_BACKWARD) {
        infonce_layout_softmax(p, s);
        infonce_layout_gradient(p, s);
        infonce_layout_products(p, s);
    }
    if (p->sigmoid.on)
        infonce_layout_sigmoid(p, s);
}

enum mmk_status infonce_open(struct infonce *p, struct scratch *s, enum infonce_parts parts,
                             const struct mmk_options *options)
{
    size_t spare;
    *s = (struct scratch){0};
    layout(p, s, parts);
    enum mmk_status status = scratch_open(s, options, &spare);
    if (status != MMK_OK)
        return status;
    layout(p, s, parts);
    if (parts == (INFONCE_FORWARD | INFONCE_BACKWARD)) {
        p->kept.row_blocks = size_min(spare / kept_bytes(p), size_blocks(p->m, TILE_BLOCK_ROWS));
        p->kept.e = (float *)(void *)(s->base + s->used);
    }
    infonce_build_targets(p);
    p->fold = alpha_folds(p);
    if (p->config.similarity == MMK_COSINE) {
#pragma omp parallel num_threads(p->threads) if (p->threads > 1)
        {
            size_t worker = (size_t)omp_get_thread_num(), workers = (size_t)omp_get_num_threads();
            tile_row_scales(p->isa->pair, &p->x, p->d, p->packed.x_scale, worker, workers);
            tile_row_scales(p->isa->pair, &p->y, p->d, p->packed.y_scale, worker, workers);
        }
    }
    return MMK_OK;
}

enum mmk_status infonce_workspace_bytes(struct infonce *p, int threads, size_t *streamed,
                                        size_t *stored)
{
    if (threads < 0)
        return MMK_ERR_THREADS;
    p->threads = args_threads(threads, SIZE_MAX);
    p->config.similarity = MMK_COSINE; /* takes the most */
    struct scratch s = {0};
    layout(p, &s, INFONCE_FORWARD | INFONCE_BACKWARD);
    size_t kept;
    if (s.overflow || p->m > PTRDIFF_MAX ||
        __builtin_mul_overflow(size_blocks(p->m, TILE_BLOCK_ROWS), kept_bytes(p), &kept) ||
        __builtin_add_overflow(kept, scratch_bytes(&s), &kept) || kept > PTRDIFF_MAX)
        return MMK_ERR_SIZE;
    if (streamed != NULL)
        *streamed = scratch_bytes(&s);
    if (stored != NULL)
        *stored = kept;
    return MMK_OK;
}

enum mmk_status infonce_check_gradients(const struct infonce *p, const float *dx, size_t lddx,
                                        const float *dy, size_t lddy)
{
    enum mmk_status status = args_matrix(dx, p->m, p->d, lddx);
    return status != MMK_OK ? status : args_matrix(dy, p->n, p->d, lddy);
}

void infonce_clear_rows(size_t rows, size_t d, float *matrix, size_t ld)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t k = 0; k < d; k++)
            matrix[i * ld + k] = 0.0f;
}
