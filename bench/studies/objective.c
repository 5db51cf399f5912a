/* objective.c - the losses that the studies train with, all of them the library's.
 * SPDX-License-Identifier: MIT
 *
 * Logits are L = e^log_scale sim(x_i, y_j), of the sigmoid loss with the bias added; d loss / d log_scale
 * = scale d loss / d scale. InfoNCE has weights 1/2 and 1/2. With a second batch x', y', LOSS_ALIGNMENT is
 *     mean_i ( -L(x_i, y_i) + 1/2 log mean_j e^{L(x_i, x'_j)} + 1/2 log mean_j e^{L(y_i, y'_j)} ).
 */
#include "objective.h"

#include "../machine/timer.h"
#include "product.h"

#include <math.h>
#include <stdlib.h>

void objective_open(struct objective *o, enum loss loss, enum mmk_similarity similarity,
                    float scale, float bias, bool learned, size_t rows, size_t d, size_t positives,
                    int threads)
{
    *o = (struct objective){.loss = loss,
                            .similarity = similarity,
                            .learned = learned,
                            .parameters = {logf(scale), bias},
                            .threads = threads,
                            .lse_x = floats(rows),
                            .lse_y = floats(rows),
                            .push = loss == LOSS_ALIGNMENT ? floats(rows * d) : NULL};
    must_be_good(mmk_multi_infonce_workspace_bytes(rows, rows, d, positives, threads, NULL,
                                                   &o->workspace_bytes),
                 "mmk_multi_infonce_workspace_bytes");
    o->workspace = allocate(o->workspace_bytes);
}

void objective_close(struct objective *o)
{
    free(o->lse_x);
    free(o->lse_y);
    free(o->push);
    free(o->workspace);
}

static float evaluate_alignment(struct objective *o, size_t pairs, size_t d, const float *x,
                                const float *y, float *dx, float *dy, float scale, float *d_scale,
                                const struct mmk_options *options)
{
    struct mmk_infonce_config config = {o->similarity, scale, 0.5f, 0, 0};
    const float *side[2] = {x, y};
    float *gradient[2] = {dx, dy}, loss, part, d_part;
    size_t batch = pairs * d; /* the second one begins there */
    must_be_good(mmk_alignment_forward_backward(&config, pairs, d, x, d, y, d, &loss, dx, d, dy, d,
                                                d_scale, options),
                 "mmk_alignment_forward_backward");
    for (int s = 0; s < 2; s++) {
        must_be_good(mmk_uniformity_forward_backward(
                         &config, pairs, pairs, d, side[s], d, side[s] + batch, d, &part, o->lse_x,
                         o->lse_y, o->push, d, gradient[s] + batch, d, &d_part, options),
                     "mmk_uniformity_forward_backward");
        for (size_t i = 0; i < batch; i++)
            gradient[s][i] += o->push[i];
        loss += part;
        *d_scale += d_part;
    }
    return loss;
}

float objective_evaluate(struct objective *o, size_t rows, size_t d, const float *x, const float *y,
                         const struct mmk_csr *positives, float *dx, float *dy)
{
    float scale = expf(o->parameters[LOG_SCALE]), loss = NAN, d_scale = 0;
    struct mmk_infonce_config infonce = {o->similarity, scale, 0.5f, 0.5f, 0};
    struct mmk_sigmoid_config sigmoid = {o->similarity, scale, o->parameters[BIAS], 0};
    struct mmk_options options = {o->threads, o->workspace, o->workspace_bytes};
    double start = timer_now();
    o->gradient[BIAS] = 0;
    switch (o->loss) {
    case LOSS_INFONCE:
        must_be_good(mmk_infonce_forward_backward(&infonce, rows, rows, d, x, d, y, d, &loss,
                                                  o->lse_x, o->lse_y, dx, d, dy, d, &d_scale,
                                                  &options),
                     "mmk_infonce_forward_backward");
        break;
    case LOSS_MULTI:
        must_be_good(mmk_multi_infonce_forward_backward(
                         &infonce, &(struct mmk_targets){.weights = *positives}, rows, rows, d, x,
                         d, y, d, &loss, o->lse_x, o->lse_y, NULL, NULL, dx, d, dy, d, &d_scale,
                         &options),
                     "mmk_multi_infonce_forward_backward");
        break;
    case LOSS_SIGMOID:
        must_be_good(mmk_sigmoid_forward_backward(&sigmoid, positives, rows, rows, d, x, d, y, d,
                                                  &loss, dx, d, dy, d, &d_scale, &o->gradient[BIAS],
                                                  &options),
                     "mmk_sigmoid_forward_backward");
        break;
    case LOSS_ALIGNMENT:
        loss = evaluate_alignment(o, rows / 2, d, x, y, dx, dy, scale, &d_scale, &options);
        break;
    }
    o->seconds += timer_now() - start;
    o->gradient[LOG_SCALE] = d_scale * scale;
    return loss;
}
