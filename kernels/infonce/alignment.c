/* alignment.c - the alignment of pairs: mean_i -s sim(x_i, y_i).
 * SPDX-License-Identifier: MIT
 *
 * O(m d), bound by reading X and Y. A gradient's row is InfoNCE's last step with one positive and
 * nothing summed before.
 */
#include "problem.h"

#include <math.h>

struct alignment {
    struct infonce p;
    float *sim;  /* m */
    float *zero; /* d */
};

static void layout(struct alignment *a, struct scratch *s)
{
    a->p.x.scale = a->p.packed.x_scale = scratch_take(s, a->p.m, sizeof *a->p.packed.x_scale);
    a->p.y.scale = a->p.packed.y_scale = scratch_take(s, a->p.m, sizeof *a->p.packed.y_scale);
    a->sim = scratch_take(s, a->p.m, sizeof *a->sim);
    a->zero = scratch_take(s, a->p.d, sizeof *a->zero);
}

/* d loss / d self_i, of x_i or y_i. */
static void gradient_row(const struct alignment *a, bool of_x, uint32_t i, float *gradient)
{
    static const float minus_one = -1.0f;
    static const uint32_t first = 0;
    const struct infonce *p = &a->p;
    const struct tile_operand *self = of_x ? &p->x : &p->y, *other = of_x ? &p->y : &p->x;
    enum mmk_similarity similarity = p->config.similarity;
    double scale = (double)p->config.logit_scale / (double)p->m;
    const struct infonce_row row = {
        .d = p->d,
        .sum = a->zero,
        .nr = p->isa->tile->nr,
        .panel_rows = 1,
        .gradient = gradient,
        .self = self->data + i * self->ld,
        .positives = 1,
        .index = &i,
        .entry = &first,
        .coef = &minus_one,
        .other = other->data,
        .ldother = other->ld,
        .sum_g = minus_one,
        .scale = (float)(similarity == MMK_NEG_SQ_L2 ? 2 * scale : scale),
        .self_scale = self->scale[i],
        .other_scale = other->scale,
    };
    p->isa->infonce->finish_row[similarity](&row);
}

static void pair(const struct alignment *a, uint32_t i, float *dx, float *dy)
{
    const struct infonce *p = &a->p;
    const struct pair_ops *ops = p->isa->pair;
    const float *x = p->x.data + i * p->x.ld, *y = p->y.data + i * p->y.ld;
    a->sim[i] = ops->pair[p->config.similarity](p->d, x, y);
    if (p->config.similarity == MMK_COSINE) {
        p->packed.x_scale[i] = ops->row_scale(p->d, x);
        p->packed.y_scale[i] = ops->row_scale(p->d, y);
    } else {
        p->packed.x_scale[i] = p->packed.y_scale[i] = (struct row_scale){1.0f, 1.0f};
    }
    gradient_row(a, true, i, dx);
    gradient_row(a, false, i, dy);
}

enum mmk_status mmk_alignment_forward_backward(const struct mmk_infonce_config *config, size_t m,
                                               size_t d, const float *x, size_t ldx, const float *y,
                                               size_t ldy, float *loss, float *dx, size_t lddx,
                                               float *dy, size_t lddy, float *dlogit_scale,
                                               const struct mmk_options *options)
{
    struct alignment a = {.p = infonce_arguments(m, m, d, x, ldx, y, ldy)};
    struct scratch scratch = {0};
    size_t spare;
    a.p.targets.none = true;
    enum mmk_status status = infonce_check(&a.p, config, options);
    if (status == MMK_OK && (loss == NULL || dlogit_scale == NULL))
        status = MMK_ERR_NULL;
    if (status != MMK_OK || (status = infonce_check_gradients(&a.p, dx, lddx, dy, lddy)) != MMK_OK)
        return status;
    layout(&a, &scratch);
    if ((status = scratch_open(&scratch, options, &spare)) != MMK_OK)
        return status;
    layout(&a, &scratch);
    for (size_t k = 0; k < d; k++)
        a.zero[k] = 0.0f;
#pragma omp parallel for schedule(static) num_threads(a.p.threads) if (a.p.threads > 1)
    for (size_t i = 0; i < m; i++)
        pair(&a, (uint32_t)i, dx + i * lddx, dy + i * lddy);
    double sum = 0;
    for (size_t i = 0; i < m; i++)
        sum += (double)a.sim[i];
    double mean = m > 0 ? -sum / (double)m : 0;
    *loss = simd_canonical_nan((float)((double)config->logit_scale * mean));
    *dlogit_scale = simd_canonical_nan((float)mean);
    scratch_close(&scratch);
    return MMK_OK;
}
