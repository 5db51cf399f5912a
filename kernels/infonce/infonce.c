/* infonce.c - InfoNCE's public functions: argument checks, memory, and the two halves in turn.
 * SPDX-License-Identifier: MIT
 */
#include "lse.h"
#include "problem.h"

#include <math.h>

static bool positive_finite(float v)
{
    return v > 0.0f && isfinite(v);
}

static bool weight_valid(float v)
{
    return v >= 0.0f && isfinite(v);
}

static enum mmk_status check_inputs(struct infonce *p, const struct mmk_infonce_config *config,
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
    if (config->offset > p->n || p->m > p->n - config->offset)
        return MMK_ERR_OFFSET;
    if ((status = args_matrix(p->x.data, p->m, p->d, p->x.ld)) != MMK_OK ||
        (status = args_matrix(p->y.data, p->n, p->d, p->y.ld)) != MMK_OK ||
        (status = args_options(options)) != MMK_OK)
        return status;
    p->config = *config;
    p->alpha = alpha;
    size_t tasks = blocks_of(p->m, TILE_BLOCK_ROWS) * blocks_of(p->n, TILE_BLOCK_COLS);
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

static void layout_common(struct infonce *p, struct scratch *s)
{
    const size_t f = sizeof(float);
    /* m <= n, and columns that are done again swap the operands */
    size_t a_rows = least(p->n, HELD_ROWS), b_rows = least(p->n, HELD_COLS);
    if (p->config.similarity == MMK_COSINE) {
        p->x.scale = p->x_scale = scratch_take(s, p->m, sizeof *p->x_scale);
        p->y.scale = p->y_scale = scratch_take(s, p->n, sizeof *p->y_scale);
    }
    p->positive = scratch_take(s, p->m, f);
    p->packed_a = scratch_take(s, tile_packed_floats(a_rows, p->d), f);
    p->packed_b = scratch_take(s, tile_packed_floats(b_rows, p->d), f);
    p->xx = scratch_take(s, a_rows, f);
    p->yy = scratch_take(s, b_rows, f);
    p->strip = scratch_take(s, (size_t)p->threads, STRIP_FLOATS * f);
    p->lane = scratch_take(s, (size_t)p->threads, 2 * LANE_FLOATS * f);
}

static void layout_forward(struct infonce *p, struct scratch *s)
{
    const size_t f = sizeof(float);
    p->row_base = scratch_take(s, p->m, f);
    p->row_sum = scratch_take(s, p->m, f);
    p->col_base = scratch_take(s, p->n, f);
    p->col_sum = scratch_take(s, p->n, f);
    p->part_max = scratch_take(s, (size_t)HELD_COL_BLOCKS * HELD_ROWS, f);
    p->part_row = scratch_take(s, (size_t)HELD_COL_BLOCKS * HELD_ROWS, f);
    p->part_col = scratch_take(s, (size_t)HELD_ROW_BLOCKS * HELD_COLS, f);
    p->pick = scratch_take(s, p->n, sizeof *p->pick);
    p->pick_max = scratch_take(s, p->n, f);
    p->pick_sum = scratch_take(s, p->n, f);
    p->block = scratch_take(s, (size_t)p->threads, TILE_BLOCK_ROWS * TILE_BLOCK_LD * f);
}

static void layout_backward(struct infonce *p, struct scratch *s)
{
    const size_t f = sizeof(float);
    size_t n_padded = tile_round_up(p->n, INFONCE_COL_MULTIPLE);
    p->lse2_x = scratch_take(s, p->m, sizeof *p->lse2_x);
    p->lse2_y = scratch_take(s, p->n, sizeof *p->lse2_y);
    p->lse_x = scratch_take(s, p->m, f);
    p->lse_x_low = scratch_take(s, p->m, f);
    p->lse_y = scratch_take(s, n_padded, f);
    p->lse_y_low = scratch_take(s, n_padded, f);
    p->row_weight = scratch_take(s, p->m, f);
    p->col_weight = scratch_take(s, n_padded, f);
    p->row_factor = scratch_take(s, p->m, sizeof *p->row_factor);
    p->col_factor = scratch_take(s, p->n, sizeof *p->col_factor);
    p->row_e = scratch_take(s, p->m, f);
    p->row_g = scratch_take(s, p->m, f);
    p->col_e = scratch_take(s, p->n, f);
    p->col_g = scratch_take(s, p->n, f);
    p->part_e = scratch_take(s, (size_t)GRADIENT_ROW_BLOCKS * TILE_BLOCK_COLS, f);
    p->part_g = scratch_take(s, (size_t)GRADIENT_ROW_BLOCKS * TILE_BLOCK_COLS, f);
    p->along_x = scratch_take(s, p->m, f);
    p->along_y = scratch_take(s, p->n, f);
    size_t rows = tile_round_up(least(p->m, GRADIENT_ROWS), TILE_BLOCK_ROWS);
    p->columns_x = scratch_take(s, tile_packed_floats(rows, p->d), f);
    p->columns_y = scratch_take(s, tile_packed_floats(least(p->n, TILE_BLOCK_COLS), p->d), f);
    p->tiles_x = scratch_take(s, tile_packed_floats(rows, p->d), f);
    p->tiles_y = scratch_take(s, tile_packed_floats(TILE_BLOCK_COLS, p->d), f);
    p->g = scratch_take(s, rows, TILE_BLOCK_COLS * f);
}

/* Bytes that the exponentials of a row of blocks take. */
static size_t kept_bytes(const struct infonce *p)
{
    return blocks_of(p->n, TILE_BLOCK_COLS) * KEPT_BLOCK_FLOATS * sizeof(float);
}

enum parts { FORWARD = 1, BACKWARD = 2 };

static void layout(struct infonce *p, struct scratch *s, enum parts parts)
{
    layout_common(p, s);
    if (parts & FORWARD)
        layout_forward(p, s);
    if (parts & BACKWARD)
        layout_backward(p, s);
}

/* Opens the call's memory; what the workspace has to spare keeps exponentials. */
static enum mmk_status open_memory(struct infonce *p, struct scratch *s, enum parts parts,
                                   const struct mmk_options *options)
{
    size_t spare;
    *s = (struct scratch){0};
    layout(p, s, parts);
    enum mmk_status status = scratch_open(s, options, &spare);
    if (status != MMK_OK)
        return status;
    layout(p, s, parts);
    if (parts == (FORWARD | BACKWARD)) {
        p->kept_row_blocks = least(spare / kept_bytes(p), blocks_of(p->m, TILE_BLOCK_ROWS));
        p->kept = (float *)(void *)(s->base + s->used);
    }
    p->fold = alpha_folds(p);
    if (p->config.similarity == MMK_COSINE) {
#pragma omp parallel num_threads(p->threads) if (p->threads > 1)
        {
            size_t worker = (size_t)omp_get_thread_num(), workers = (size_t)omp_get_num_threads();
            tile_row_scales(p->isa->cosine, &p->x, p->d, p->x_scale, worker, workers);
            tile_row_scales(p->isa->cosine, &p->y, p->d, p->y_scale, worker, workers);
        }
    }
    return MMK_OK;
}

/* Every gradient of an empty batch is 0. */
static void empty_gradients(const struct infonce *p, float *dy, size_t lddy, float *dlogit_scale)
{
    for (size_t j = 0; j < p->n; j++)
        for (size_t k = 0; k < p->d; k++)
            dy[j * lddy + k] = 0.0f;
    *dlogit_scale = 0.0f;
}

static void empty_forward(const struct infonce *p, float *loss, float *lse_y)
{
    *loss = 0.0f;
    for (size_t j = 0; j < p->n; j++)
        lse_y[j] = -INFINITY;
}

enum mmk_status mmk_infonce_forward(const struct mmk_infonce_config *config, size_t m, size_t n,
                                    size_t d, const float *x, size_t ldx, const float *y,
                                    size_t ldy, float *loss, float *lse_x, float *lse_y,
                                    const struct mmk_options *options)
{
    struct infonce p = {.m = m,
                        .n = n,
                        .d = d,
                        .x = {.data = x, .ld = ldx, .rows = m, .factor = 1},
                        .y = {.data = y, .ld = ldy, .rows = n, .factor = 1}};
    enum mmk_status status = check_inputs(&p, config, options);
    if (status != MMK_OK)
        return status;
    if (loss == NULL || (lse_x == NULL && m > 0) || (lse_y == NULL && n > 0))
        return MMK_ERR_NULL;
    if (m == 0) {
        empty_forward(&p, loss, lse_y);
        return MMK_OK;
    }
    struct scratch scratch;
    if ((status = open_memory(&p, &scratch, FORWARD, options)) != MMK_OK)
        return status;
    infonce_run_forward(&p, loss, lse_x, lse_y);
    scratch_close(&scratch);
    return MMK_OK;
}

static enum mmk_status check_gradients(const struct infonce *p, const float *dx, size_t lddx,
                                       const float *dy, size_t lddy, const float *dlogit_scale)
{
    if (dlogit_scale == NULL)
        return MMK_ERR_NULL;
    enum mmk_status status = args_matrix(dx, p->m, p->d, lddx);
    return status != MMK_OK ? status : args_matrix(dy, p->n, p->d, lddy);
}

enum mmk_status mmk_infonce_backward(const struct mmk_infonce_config *config, size_t m, size_t n,
                                     size_t d, const float *x, size_t ldx, const float *y,
                                     size_t ldy, const float *lse_x, const float *lse_y, float *dx,
                                     size_t lddx, float *dy, size_t lddy, float *dlogit_scale,
                                     const struct mmk_options *options)
{
    struct infonce p = {.m = m,
                        .n = n,
                        .d = d,
                        .x = {.data = x, .ld = ldx, .rows = m, .factor = 1},
                        .y = {.data = y, .ld = ldy, .rows = n, .factor = 1}};
    enum mmk_status status = check_inputs(&p, config, options);
    if (status != MMK_OK ||
        (status = check_gradients(&p, dx, lddx, dy, lddy, dlogit_scale)) != MMK_OK)
        return status;
    if ((lse_x == NULL && m > 0) || (lse_y == NULL && n > 0))
        return MMK_ERR_NULL;
    if (m == 0) {
        empty_gradients(&p, dy, lddy, dlogit_scale);
        return MMK_OK;
    }
    struct scratch scratch;
    if ((status = open_memory(&p, &scratch, BACKWARD, options)) != MMK_OK)
        return status;
    infonce_take_lse(&p, lse_x, lse_y);
    infonce_run_backward(&p, dx, lddx, dy, lddy, dlogit_scale);
    scratch_close(&scratch);
    return MMK_OK;
}

enum mmk_status mmk_infonce_forward_backward(const struct mmk_infonce_config *config, size_t m,
                                             size_t n, size_t d, const float *x, size_t ldx,
                                             const float *y, size_t ldy, float *loss, float *lse_x,
                                             float *lse_y, float *dx, size_t lddx, float *dy,
                                             size_t lddy, float *dlogit_scale,
                                             const struct mmk_options *options)
{
    struct infonce p = {.m = m,
                        .n = n,
                        .d = d,
                        .x = {.data = x, .ld = ldx, .rows = m, .factor = 1},
                        .y = {.data = y, .ld = ldy, .rows = n, .factor = 1}};
    enum mmk_status status = check_inputs(&p, config, options);
    if (status != MMK_OK ||
        (status = check_gradients(&p, dx, lddx, dy, lddy, dlogit_scale)) != MMK_OK)
        return status;
    if (loss == NULL || (lse_x == NULL && m > 0) || (lse_y == NULL && n > 0))
        return MMK_ERR_NULL;
    if (m == 0) {
        empty_forward(&p, loss, lse_y);
        empty_gradients(&p, dy, lddy, dlogit_scale);
        return MMK_OK;
    }
    struct scratch scratch;
    if ((status = open_memory(&p, &scratch, FORWARD | BACKWARD, options)) != MMK_OK)
        return status;
    infonce_run_forward(&p, loss, lse_x, lse_y);
    infonce_run_backward(&p, dx, lddx, dy, lddy, dlogit_scale);
    scratch_close(&scratch);
    return MMK_OK;
}

enum mmk_status mmk_infonce_workspace_bytes(size_t m, size_t n, size_t d, int threads,
                                            size_t *streamed, size_t *stored)
{
    if (threads < 0)
        return MMK_ERR_THREADS;
    struct infonce p = {.m = m, .n = n, .d = d, .threads = args_threads(threads, SIZE_MAX)};
    p.config.similarity = MMK_COSINE; /* takes the most */
    struct scratch s = {0};
    layout(&p, &s, FORWARD | BACKWARD);
    size_t kept;
    if (s.overflow || m > PTRDIFF_MAX ||
        __builtin_mul_overflow(blocks_of(m, TILE_BLOCK_ROWS), kept_bytes(&p), &kept) ||
        __builtin_add_overflow(kept, scratch_bytes(&s), &kept) || kept > PTRDIFF_MAX)
        return MMK_ERR_SIZE;
    if (streamed != NULL)
        *streamed = scratch_bytes(&s);
    if (stored != NULL)
        *stored = kept;
    return MMK_OK;
}
