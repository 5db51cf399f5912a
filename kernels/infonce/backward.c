/* backward.c - the backward of InfoNCE and of the sigmoid loss: its stages in turn.
 * SPDX-License-Identifier: MIT
 *
 * Logits become G, and G two products. The time is in products.c (dX and dY, and the walk) and,
 * where no exponentials are kept, in strip.c (the logits again); making G itself is gradient.c.
 * What is prepared before (weights.c) is O(m + n), what is finished behind (finish.c) O((m + n +
 * positives) d).
 */
#include "backward.h"

#include "../call/threads.h"
#include "finish.h"
#include "products.h"
#include "weights.h"

#include <math.h>

/* sum_ij G_ij S_ij, from G and the logits. */
static float logit_scale_gradient(const struct infonce *p)
{
    double sum = 0;
    for (size_t i = 0; i < p->m; i++)
        sum += p->gradient.row_gz[i];
    for (size_t e = 0; e < p->targets.y.start[p->n]; e++)
        sum += (double)p->targets.coef[e] * (double)p->targets.logit[e];
    return simd_canonical_nan((float)ldexp(sum / (double)p->alpha, -p->gradient.weight_bits));
}

static void take_part(void *common, size_t worker, size_t workers)
{
    struct stage stage = *(const struct stage *)common;
    const struct infonce *p = stage.p;
    stage.worker = worker;
    stage.workers = workers;
    if (!p->gradient.late && !p->sigmoid.on)
        infonce_positive_gradients(p, worker, workers);
    infonce_run_stage(&stage);
    if (p->gradient.late) {
        infonce_positive_gradients(p, worker, workers);
        infonce_finish_waiting(&stage);
    }
}

/* Gradients of what is prepared. */
static void run_prepared(struct infonce *p, const struct gradients *out, float *dlogit_scale)
{
    struct tile_operand y = infonce_scaled_columns(p);
    struct stage stage = {
        .p = p,
        .operands = {&p->x, &y, &p->targets.x, &p->targets.y, (ptrdiff_t)p->config.offset},
        .out = *out,
        .held = p->packed.held,
    };
    bool neg_sq_l2 = p->config.similarity == MMK_NEG_SQ_L2;
    p->gradient.scale =
        ldexp((double)p->config.logit_scale * (neg_sq_l2 ? 2 : 1), -p->gradient.weight_bits);
    if (!p->targets.placed)
        infonce_list_places(p, &stage.operands);
    threads_run(p->threads, take_part, &stage);
    if (p->wanted.dlogit_scale)
        *dlogit_scale = logit_scale_gradient(p);
}

void infonce_run_backward(struct infonce *p, const struct gradients *out, float *dlogit_scale)
{
    infonce_prepare_softmax(p);
    run_prepared(p, out, dlogit_scale);
}

void infonce_run_sigmoid_backward(struct infonce *p, const struct gradients *out,
                                  float *dlogit_scale)
{
    double weight = p->config.upstream / (double)p->m;
    infonce_set_weight_bits(p, weight);
    p->sigmoid.g_scale = (float)ldexp(weight, p->gradient.weight_bits);
    p->gradient.sums_g = true;
    p->gradient.sums_gz = infonce_sums_gz(p);
    p->gradient.positives_in_g = infonce_several_positives(p);
    run_prepared(p, out, dlogit_scale);
}
