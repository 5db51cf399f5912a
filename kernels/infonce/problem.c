/* problem.c - what every loss does before it computes: argument checks and memory.
 * SPDX-License-Identifier: MIT
 *
 * O((m + n) d + entries): both sides are read once, for their greatest elements or, where the
 * similarity is cosine, for their norms, and nine rows of Y for the origin where it is neg_sq_l2.
 * It shows in the time of small batches only.
 */
#include "problem.h"

#include "../call/threads.h"
#include "../exp/lse.h"
#include "forward.h"
#include "gradient.h"
#include "kept.h"
#include "pass.h"
#include "products.h"
#include "sigmoid.h"
#include "strip.h"
#include "weights.h"
#include "wide.h"

#include <inttypes.h>
#include <math.h>

static bool positive_finite(float v)
{
    return v > 0.0f && isfinite(v);
}

bool infonce_weight_valid(float v)
{
    return v >= 0.0f && isfinite(v);
}

/* Where a gradient without elements points; nothing is written there. */
static float infonce_nothing;

/* The entries of row i, whose pair has column i + offset. */
static enum mmk_status check_row(const struct infonce *p, const char *name, const struct mmk_csr *w,
                                 size_t i, size_t offset)
{
    for (size_t e = w->row_start[i]; e < w->row_start[i + 1]; e++) {
        float weight = w->weight != NULL ? w->weight[e] : 1.0f;
        if (w->column[e] >= p->own)
            return args_error(MMK_ERR_INDEX, "%s.column[%zu] is %" PRIu32 ", y has %zu rows", name,
                              e, w->column[e], p->own);
        if (!infonce_weight_valid(weight))
            return args_error(MMK_ERR_WEIGHT,
                              "%s.weight[%zu] is %g; it must be finite and not negative", name, e,
                              (double)weight);
        if (p->targets.exclude_self && weight > 0 && w->column[e] == i + offset)
            return args_error(MMK_ERR_INDEX,
                              "%s.column[%zu] is %" PRIu32 ", in row %zu a pair that exclude_self "
                              "leaves out",
                              name, e, w->column[e], i);
    }
    return MMK_OK;
}

/* How many entries there are, where they are valid. */
static enum mmk_status check_targets(const struct infonce *p, const char *name,
                                     const struct mmk_csr *w, size_t offset, size_t *entries)
{
    enum mmk_status status;
    *entries = 0;
    if (p->m == 0)
        return MMK_OK;
    if (w->row_start == NULL)
        return args_error(MMK_ERR_NULL, "%s.row_start is NULL", name);
    for (size_t i = 0; i < p->m; i++)
        if (w->row_start[i + 1] < w->row_start[i])
            return args_error(MMK_ERR_ROW_START,
                              "%s.row_start goes down from %zu to %zu after row %zu", name,
                              w->row_start[i], w->row_start[i + 1], i);
    *entries = w->row_start[p->m] - w->row_start[0];
    if (*entries > 0 && w->column == NULL)
        return args_error(MMK_ERR_NULL, "%s.column is NULL", name);
    if (*entries >= INFONCE_NO_ENTRY)
        return args_error(MMK_ERR_SIZE, "%s has %zu entries, and must have below 2^32 - 1", name,
                          *entries);
    for (size_t i = 0; i < p->m; i++)
        if ((status = check_row(p, name, w, i, offset)) != MMK_OK)
            return status;
    return MMK_OK;
}

static struct tile_operand operand_of(const struct args_rows *rows)
{
    return (struct tile_operand){
        .data = rows->data, .ld = rows->ld, .rows = rows->rows, .factor = 1};
}

enum mmk_status infonce_take_rows(struct infonce *p, const struct mmk_matrix *x,
                                  const struct mmk_matrix *y, const struct mmk_matrix *negatives,
                                  enum mmk_similarity similarity, const struct mmk_options *options)
{
    struct args_rows x_rows, y_rows, further = {.data = NULL};
    enum mmk_status status = isa_current(&p->isa);
    if (status != MMK_OK ||
        (status = args_matrix("x", x, ARGS_F32, ARGS_READ, options, &x_rows)) != MMK_OK ||
        (status = args_matrix("y", y, ARGS_F32, ARGS_READ, options, &y_rows)) != MMK_OK ||
        (status = args_same_columns("y", y_rows.columns, "x", x_rows.columns)) != MMK_OK)
        return status;
    if (negatives != NULL &&
        ((status = args_matrix("negatives", negatives, ARGS_F32, ARGS_READ, options, &further)) !=
             MMK_OK ||
         (status = args_same_columns("negatives", further.columns, "x", x_rows.columns)) != MMK_OK))
        return status;
    p->m = x_rows.rows;
    p->own = y_rows.rows;
    p->d = x_rows.columns;
    if (__builtin_add_overflow(y_rows.rows, further.rows, &p->n) || p->m > UINT32_MAX ||
        p->n > UINT32_MAX)
        return args_error(MMK_ERR_SIZE,
                          "x has %zu rows, y and negatives %zu and %zu: both sides must "
                          "have below 2^32",
                          p->m, y_rows.rows, further.rows);
    if ((status = args_similarity(similarity)) != MMK_OK ||
        (status = args_options_origin(options, similarity, p->d, TILE_ORIGIN_LIMIT)) != MMK_OK)
        return status;
    p->config.similarity = similarity;
    p->config.origin = options != NULL ? options->origin : NULL;
    p->x = operand_of(&x_rows);
    p->y = operand_of(&y_rows);
    if (further.rows > 0) {
        p->y.further = further.data;
        p->y.ldfurther = further.ld;
        p->y.split = p->own;
        p->y.rows = p->n;
    }
    size_t tasks = size_blocks(p->m, TILE_BLOCK_ROWS) * size_blocks(p->n, TILE_BLOCK_COLS);
    p->threads = args_threads(options, tasks);
    return MMK_OK;
}

enum mmk_status infonce_take_scale(struct infonce *p, float logit_scale, const float *upstream)
{
    float alpha = (float)((double)logit_scale * LSE_LOG2E);
    if (!positive_finite(logit_scale) || !isfinite(alpha) ||
        !isfinite(2 * logit_scale)) /* a factor of neg_sq_l2's gradient */
        return args_error(MMK_ERR_LOGIT_SCALE,
                          "logit_scale is %g; it must be above 0 and at most 1.7e38",
                          (double)logit_scale);
    p->config.logit_scale = logit_scale;
    p->alpha = alpha;
    p->config.upstream = upstream != NULL ? (double)*upstream : 1;
    if (!isfinite(p->config.upstream))
        return args_error(MMK_ERR_UPSTREAM, "*upstream is %g; it must be finite",
                          p->config.upstream);
    return MMK_OK;
}

enum mmk_status infonce_take_targets(struct infonce *p, const char *name,
                                     const struct mmk_csr *weights, size_t offset,
                                     bool exclude_self)
{
    p->config.offset = offset;
    p->targets.weights = weights;
    p->targets.exclude_self = exclude_self;
    if (exclude_self && weights == NULL)
        return args_error(MMK_ERR_CONFLICT,
                          "exclude_self without %s leaves out the positives: "
                          "give %s",
                          name, name);
    if (weights != NULL && offset != 0 && !exclude_self)
        return args_error(MMK_ERR_CONFLICT,
                          "offset is %zu, and %s say what belongs together: set it to 0", offset,
                          name);
    bool paired = weights == NULL || exclude_self; /* row i of x with row i + offset of y */
    if (paired && offset == 0 && p->m > p->own)
        return args_error(MMK_ERR_OFFSET, "x has %zu rows, y has %zu: each x_i needs its y_i", p->m,
                          p->own);
    if (paired && (offset > p->own || p->m > p->own - offset))
        return args_error(MMK_ERR_OFFSET, "offset %zu and the %zu rows of x exceed the %zu of y",
                          offset, p->m, p->own);
    p->targets.most = p->m;
    return weights != NULL ? check_targets(p, name, weights, offset, &p->targets.most) : MMK_OK;
}

enum mmk_status infonce_take_gradient(const char *name, const struct mmk_matrix_out *matrix,
                                      size_t rows, size_t d, const char *of,
                                      const struct mmk_options *options, struct args_out *out)
{
    *out = (struct args_out){.data = NULL};
    if (matrix == NULL)
        return MMK_OK;
    enum mmk_status status = args_matrix_out(name, matrix, ARGS_F32, rows, d, of, options, out);
    /* One that is wanted has data, even where there is nothing to write. */
    if (status == MMK_OK && out->data == NULL)
        out->data = &infonce_nothing;
    return status;
}

void infonce_want(struct infonce *p, const struct gradients *out, bool dlogit_scale)
{
    p->wanted = (struct infonce_wanted){
        .dlogit_scale = dlogit_scale,
        .rows = out->x.data != NULL,
        .columns = out->y.data != NULL || out->negatives.data != NULL,
    };
}

/* Whether E of a forward is there for a backward. */
static bool keeps(enum infonce_parts parts)
{
    return parts == (INFONCE_FORWARD | INFONCE_BACKWARD);
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
    if (keeps(parts))
        infonce_layout_kept(p, s);
}

static void find_scales(void *infonce, size_t worker, size_t workers)
{
    const struct infonce *p = infonce;
    tile_row_scales(p->isa->pair, &p->x, p->d, p->packed.x_scale, worker, workers);
    tile_row_scales(p->isa->pair, &p->y, p->d, p->packed.y_scale, worker, workers);
}

enum mmk_status infonce_open(struct infonce *p, struct scratch *s, enum infonce_parts parts,
                             const struct gradients *out, const struct mmk_options *options)
{
    size_t spare;
    *s = (struct scratch){0};
    layout(p, s, parts);
    enum mmk_status status = scratch_open(s, options, &spare);
    if (status != MMK_OK)
        return status;
    layout(p, s, parts);
    if (keeps(parts))
        infonce_keep(p, s, spare, out);
    infonce_build_targets(p);
    p->wide = parts != 0 && infonce_wide_needed(p);
    if (p->config.similarity == MMK_NEG_SQ_L2 && p->config.origin == NULL)
        tile_find_origin(p->isa->tile, &p->y, p->own, p->d, p->packed.origin);
    if (p->config.similarity == MMK_COSINE)
        threads_run(p->threads, find_scales, p);
    return MMK_OK;
}

enum mmk_status infonce_answer(struct infonce *p, enum infonce_parts parts,
                               const struct mmk_options *options)
{
    struct scratch s = {0};
    if (p->m > 0 && p->n > 0)
        layout(p, &s, parts);
    return scratch_answer(&s, keeps(parts) ? infonce_kept_bytes(p) : 0, options);
}

void infonce_clear_rows(size_t rows, size_t d, const struct args_out *out)
{
    for (size_t i = 0; out->data != NULL && i < rows; i++)
        for (size_t k = 0; k < d; k++)
            out->data[i * out->ld + k] = 0.0f;
}

void infonce_clear_gradients(const struct infonce *p, const struct gradients *out)
{
    infonce_clear_rows(p->m, p->d, &out->x);
    infonce_clear_rows(p->own, p->d, &out->y);
    infonce_clear_rows(p->n - p->own, p->d, &out->negatives);
}
