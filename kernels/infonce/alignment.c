/* alignment.c - the alignment of pairs: mean_i -s sim(x_i, y_i).
 * SPDX-License-Identifier: MIT
 *
 * O(m d), bound by reading X and Y and writing dX and dY. A gradient's row is InfoNCE's last step
 * with one positive and nothing summed before. Pairs that float has not the range for are done in
 * double (wide.c), each by itself.
 */
#include "problem.h"
#include "wide.h"

#include "../call/threads.h"

#include <math.h>

struct alignment {
    struct infonce p;
    struct gradients out;
    double *sim;  /* m */
    float *zero;  /* d */
    double scale; /* of the gradients, but for the 2 of neg_sq_l2 */
};

static void layout(struct alignment *a, struct scratch *s)
{
    a->p.x.scale = a->p.packed.x_scale = scratch_take(s, a->p.m, sizeof *a->p.packed.x_scale);
    a->p.y.scale = a->p.packed.y_scale = scratch_take(s, a->p.m, sizeof *a->p.packed.y_scale);
    a->sim = scratch_take(s, a->p.m, sizeof *a->sim);
    a->zero = scratch_take(s, a->p.d, sizeof *a->zero);
}

/* d loss / d self_i, of x_i or y_i. */
static void finish(const struct alignment *a, bool of_x, uint32_t i, float sim, float *gradient)
{
    const struct infonce *p = &a->p;
    const struct tile_operand *self = of_x ? &p->x : &p->y, *other = of_x ? &p->y : &p->x;
    enum mmk_similarity similarity = p->config.similarity;
    struct infonce_row row = {
        .d = p->d,
        .sum = a->zero,
        .nr = p->isa->tile->nr,
        .panel_rows = 1,
        .gradient = gradient,
        .self = self->data + i * self->ld,
        .other = other->data + i * other->ld,
        .coef = -1.0f,
        .along = similarity == MMK_COSINE ? -sim : -1.0f,
        .self_scale = self->scale[i],
        .other_scale = other->scale[i],
    };
    infonce_set_scale(&row, similarity == MMK_NEG_SQ_L2 ? 2 * a->scale : a->scale);
    p->isa->infonce->finish_row[similarity](&row);
}

/* Whether float has the range for pair i. Of dot and neg_sq_l2 the sum tells (where terms cancel,
 * double costs no more than time), of the cosine, whose rows are scaled, their scales. */
static bool fits(const struct alignment *a, uint32_t i, float sim)
{
    float x = a->p.packed.x_scale[i].power, y = a->p.packed.y_scale[i].power;
    return infonce_scale_fits(a->scale) && fabs(a->scale) * (double)fmaxf(x, y) <= 0x1p100 &&
           (a->p.config.similarity == MMK_COSINE ||
            (fabsf(sim) >= 0x1p-40f && fabsf(sim) <= 0x1p60f));
}

static void pair(const struct alignment *a, uint32_t i)
{
    const struct infonce *p = &a->p;
    const struct pair_ops *ops = p->isa->pair;
    const float *x = p->x.data + i * p->x.ld, *y = p->y.data + i * p->y.ld;
    float *dx = a->out.x.data, *dy = a->out.y.data;
    float sim = ops->pair[p->config.similarity](p->d, x, y);
    a->sim[i] = (double)sim;
    if (p->config.similarity == MMK_COSINE) {
        p->packed.x_scale[i] = ops->row_scale(p->d, x);
        p->packed.y_scale[i] = ops->row_scale(p->d, y);
    } else {
        p->packed.x_scale[i] = p->packed.y_scale[i] = (struct row_scale){1.0f, 1.0f};
    }
    dx = dx != NULL ? dx + i * a->out.x.ld : NULL;
    dy = dy != NULL ? dy + i * a->out.y.ld : NULL;
    if (!fits(a, i, sim)) {
        a->sim[i] = infonce_wide_pair(p, i, -p->config.upstream / (double)p->m, dx, dy);
        return;
    }
    if (dx != NULL)
        finish(a, true, i, sim, dx);
    if (dy != NULL)
        finish(a, false, i, sim, dy);
}

static void pairs(void *alignment, size_t worker, size_t workers)
{
    const struct alignment *a = alignment;
    size_t begin, end;
    threads_share(a->p.m, worker, workers, &begin, &end);
    for (size_t i = begin; i < end; i++)
        pair(a, (uint32_t)i);
}

/* What goes with InfoNCE only must be left out. */
static enum mmk_status check_unused(const struct mmk_infonce_problem *problem,
                                    const struct mmk_infonce_results *results,
                                    const struct mmk_options *options)
{
    enum mmk_status status = infonce_refuse_targets("mmk_alignment", problem);
    if (status != MMK_OK ||
        (status = args_refuse_origin(options, "mmk_alignment takes differences")) != MMK_OK)
        return status;
    if (problem->weight_x != 0 || problem->weight_y != 0)
        return args_error(MMK_ERR_CONFLICT, "weight_%c is %g, and mmk_alignment has no directions",
                          problem->weight_x != 0 ? 'x' : 'y',
                          (double)(problem->weight_x != 0 ? problem->weight_x : problem->weight_y));
    const char *unknown = results->lse_x != NULL             ? "lse_x"
                          : results->lse_y != NULL           ? "lse_y"
                          : results->rows_counted != NULL    ? "rows_counted"
                          : results->columns_counted != NULL ? "columns_counted"
                          : results->dnegatives != NULL      ? "dnegatives"
                                                             : NULL;
    return unknown == NULL
               ? MMK_OK
               : args_error(MMK_ERR_CONFLICT, "%s is wanted, and mmk_alignment has none", unknown);
}

static enum mmk_status take(struct alignment *a, const struct mmk_infonce_problem *problem,
                            const struct mmk_infonce_results *results,
                            const struct mmk_options *options)
{
    struct infonce *p = &a->p;
    enum mmk_status status;
    if ((status = args_pointer("problem", problem)) != MMK_OK ||
        (status = ARGS_RESERVED("problem", problem)) != MMK_OK ||
        (status = args_pointer("results", results)) != MMK_OK ||
        (status = ARGS_RESERVED("results", results)) != MMK_OK ||
        (status = check_unused(problem, results, options)) != MMK_OK ||
        (status = infonce_take_rows(p, problem->x, problem->y, NULL, problem->similarity,
                                    options)) != MMK_OK)
        return status;
    if (p->m != p->n)
        return args_error(MMK_ERR_SHAPE, "y has %zu rows, x has %zu: they are pairs", p->n, p->m);
    if ((status = infonce_take_scale(p, problem->logit_scale, problem->upstream)) != MMK_OK ||
        (status = infonce_take_gradient("dx", results->dx, p->m, p->d, "x", options, &a->out.x)) !=
            MMK_OK)
        return status;
    return infonce_take_gradient("dy", results->dy, p->n, p->d, "y", options, &a->out.y);
}

enum mmk_status mmk_alignment(const struct mmk_infonce_problem *problem,
                              const struct mmk_infonce_results *results,
                              const struct mmk_options *options)
{
    FP_STATE_DEFAULT();
    struct alignment a = {.p.targets.none = true};
    struct scratch scratch = {0};
    size_t spare;
    enum mmk_status status = take(&a, problem, results, options);
    if (status != MMK_OK)
        return status;
    size_t m = a.p.m;
    layout(&a, &scratch);
    if (args_is_query(options))
        return scratch_answer(&scratch, 0, options);
    if ((status = scratch_open(&scratch, options, &spare)) != MMK_OK)
        return status;
    layout(&a, &scratch);
    for (size_t k = 0; k < a.p.d; k++)
        a.zero[k] = 0.0f;
    a.scale = a.p.config.upstream * (double)problem->logit_scale / (double)m;
    threads_run(a.p.threads, pairs, &a);
    double sum = 0;
    for (size_t i = 0; i < m; i++)
        sum += a.sim[i];
    double mean = m > 0 ? -sum / (double)m : 0;
    if (results->loss != NULL)
        *results->loss =
            simd_canonical_nan((float)((double)problem->logit_scale * mean) + 0.0f); /* no -0 */
    if (results->dlogit_scale != NULL)
        *results->dlogit_scale = simd_canonical_nan((float)(a.p.config.upstream * mean));
    scratch_close(&scratch);
    return MMK_OK;
}
