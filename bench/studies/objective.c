/* objective.c - the losses that the studies train with, all of them the library's.
 * SPDX-License-Identifier: MIT
 *
 * Logits are L = e^log_scale sim(x_i, y_j), of the sigmoid loss with the bias added; d loss / d
 * log_scale = scale d loss / d scale. InfoNCE has weights 1/2 and 1/2. With a second batch x', y',
 * LOSS_ALIGNMENT is
 *     mean_i ( -L(x_i, y_i) + 1/2 log mean_j e^{L(x_i, x'_j)} + 1/2 log mean_j e^{L(y_i, y'_j)} ).
 */
#include "objective.h"

#include "../base/console.h"
#include "../machine/timer.h"
#include "product.h"

#include <math.h>
#include <stdlib.h>

/* How much workspace a step takes that keeps all of its exponentials. Positives are counted by
 * their rows: here all of them are in the first. */
static size_t workspace_bytes(const struct objective *o, size_t rows, size_t d, size_t positives)
{
    struct mmk_workspace_bytes bytes;
    const struct mmk_options query = {.threads = o->threads, .query = &bytes};
    float any;
    const struct mmk_matrix side = {.rows = o->loss == LOSS_ALIGNMENT ? rows / 2 : rows,
                                    .columns = d};
    const struct mmk_matrix_out gradient = {.data = &any, .rows = side.rows, .columns = d};
    size_t *row_start = allocate((rows + 1) * sizeof *row_start);
    uint32_t *column = allocate(positives * sizeof *column);
    for (size_t i = 1; i <= rows; i++)
        row_start[i] = positives;
    const struct mmk_csr belongs = {.row_start = row_start, .column = column};
    const struct mmk_infonce_problem infonce = {.x = &side,
                                                .y = &side,
                                                .similarity = o->similarity,
                                                .logit_scale = 1,
                                                .targets = o->loss == LOSS_MULTI ? &belongs : NULL};
    const struct mmk_infonce_results results = {
        .loss = &any, .dx = &gradient, .dy = &gradient, .dlogit_scale = &any};
    if (o->loss == LOSS_SIGMOID)
        must_be_good(mmk_sigmoid(&(struct mmk_sigmoid_problem){.x = &side,
                                                               .y = &side,
                                                               .similarity = o->similarity,
                                                               .logit_scale = 1,
                                                               .positives = &belongs},
                                 &(struct mmk_sigmoid_results){.loss = &any,
                                                               .dx = &gradient,
                                                               .dy = &gradient,
                                                               .dlogit_scale = &any,
                                                               .dbias = &any},
                                 &query),
                     "mmk_sigmoid");
    else if (o->loss == LOSS_ALIGNMENT)
        must_be_good(mmk_uniformity(&infonce, &results, &query), "mmk_uniformity");
    else
        must_be_good(mmk_infonce(&infonce, &results, &query), "mmk_infonce");
    free(row_start);
    free(column);
    return bytes.all;
}

void objective_open(struct objective *o, enum loss loss, enum mmk_similarity similarity,
                    float scale, float bias, bool learned, size_t rows, size_t d, size_t positives,
                    int threads)
{
    *o = (struct objective){.loss = loss,
                            .similarity = similarity,
                            .learned = learned,
                            .parameters = {logf(scale), bias},
                            .threads = threads,
                            .push = loss == LOSS_ALIGNMENT ? floats(rows * d) : NULL};
    o->workspace_bytes = workspace_bytes(o, rows, d, positives);
    o->workspace = allocate(o->workspace_bytes);
}

void objective_close(struct objective *o)
{
    free(o->push);
    free(o->workspace);
}

/* Of pairs x_i, y_i, and behind these of the second batch. */
static float evaluate_alignment(struct objective *o, size_t pairs, size_t d, const float *x,
                                const float *y, float *dx, float *dy, float scale, float *d_scale,
                                const struct mmk_options *options)
{
    size_t batch = pairs * d;
    const struct mmk_matrix first[2] = {{.data = x, .rows = pairs, .columns = d},
                                        {.data = y, .rows = pairs, .columns = d}};
    const struct mmk_matrix_out push = {.data = o->push, .rows = pairs, .columns = d};
    float *gradient[2] = {dx, dy}, loss, part, d_part = 0;
    must_be_good(
        mmk_alignment(
            &(struct mmk_infonce_problem){
                .x = &first[0], .y = &first[1], .similarity = o->similarity, .logit_scale = scale},
            &(struct mmk_infonce_results){
                .loss = &loss,
                .dx = &(struct mmk_matrix_out){.data = dx, .rows = pairs, .columns = d},
                .dy = &(struct mmk_matrix_out){.data = dy, .rows = pairs, .columns = d},
                .dlogit_scale = o->learned ? d_scale : NULL},
            options),
        "mmk_alignment");
    for (int s = 0; s < 2; s++) {
        struct mmk_matrix second = first[s];
        second.data = (const float *)first[s].data + batch;
        must_be_good(mmk_uniformity(&(struct mmk_infonce_problem){.x = &first[s],
                                                                  .y = &second,
                                                                  .similarity = o->similarity,
                                                                  .logit_scale = scale,
                                                                  .weight_x = 0.5f},
                                    &(struct mmk_infonce_results){
                                        .loss = &part,
                                        .dx = &push,
                                        .dy = &(struct mmk_matrix_out){.data = gradient[s] + batch,
                                                                       .rows = pairs,
                                                                       .columns = d},
                                        .dlogit_scale = o->learned ? &d_part : NULL},
                                    options),
                     "mmk_uniformity");
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
    const struct mmk_matrix matrix_x = {.data = x, .rows = rows, .columns = d},
                            matrix_y = {.data = y, .rows = rows, .columns = d};
    const struct mmk_matrix_out out_x = {.data = dx, .rows = rows, .columns = d},
                                out_y = {.data = dy, .rows = rows, .columns = d};
    const struct mmk_options options = {
        .threads = o->threads, .workspace = o->workspace, .workspace_bytes = o->workspace_bytes};
    double start = timer_now();
    o->gradient[BIAS] = 0; /* of a loss that has none, or where it is not learned */
    switch (o->loss) {
    case LOSS_INFONCE:
    case LOSS_MULTI:
        must_be_good(
            mmk_infonce(
                &(struct mmk_infonce_problem){.x = &matrix_x,
                                              .y = &matrix_y,
                                              .similarity = o->similarity,
                                              .logit_scale = scale,
                                              .targets = o->loss == LOSS_MULTI ? positives : NULL},
                &(struct mmk_infonce_results){.loss = &loss,
                                              .dx = &out_x,
                                              .dy = &out_y,
                                              .dlogit_scale = o->learned ? &d_scale : NULL},
                &options),
            "mmk_infonce");
        break;
    case LOSS_SIGMOID:
        must_be_good(mmk_sigmoid(&(struct mmk_sigmoid_problem){.x = &matrix_x,
                                                               .y = &matrix_y,
                                                               .similarity = o->similarity,
                                                               .logit_scale = scale,
                                                               .bias = o->parameters[BIAS],
                                                               .positives = positives},
                                 &(struct mmk_sigmoid_results){
                                     .loss = &loss,
                                     .dx = &out_x,
                                     .dy = &out_y,
                                     .dlogit_scale = o->learned ? &d_scale : NULL,
                                     .dbias = o->learned ? &o->gradient[BIAS] : NULL},
                                 &options),
                     "mmk_sigmoid");
        break;
    case LOSS_ALIGNMENT:
        loss = evaluate_alignment(o, rows / 2, d, x, y, dx, dy, scale, &d_scale, &options);
        break;
    }
    o->seconds += timer_now() - start;
    o->gradient[LOG_SCALE] = d_scale * scale;
    return loss;
}
