/* trainer.c - two encoders and a loss, trained on pairs.
 * SPDX-License-Identifier: MIT
 *
 * One step: both sides of the batch and their encodings (a thread each), the loss and its gradients
 * (all threads), both encoders' gradients (a thread each); the gradient is shortened to norm `clip`
 * where it is longer, and Adam moves the parameters. No sum is shared by threads but those in the
 * library, which do not depend on their number: nothing here does.
 */
#include "trainer.h"

#include "../machine/timer.h"
#include "product.h"

#include <math.h>
#include <stdlib.h>

enum { REPORT_EVERY = 50 };
static const float most_scale = 100;

static size_t output_width(const struct trainer *t)
{
    return t->encoder[0].width[t->encoder[0].layers];
}

void trainer_open(struct trainer *t)
{
    for (int side = 0; side < 2; side++) {
        adam_open(&t->adam[side], t->encoder[side].count);
        t->d_output[side] = floats(t->training.rows * output_width(t));
    }
    adam_open(&t->adam_objective, OBJECTIVE_PARAMETERS);
    t->seconds = 0;
}

void trainer_close(struct trainer *t)
{
    for (int side = 0; side < 2; side++) {
        adam_close(&t->adam[side]);
        encoder_close(&t->encoder[side]);
        free(t->d_output[side]);
    }
    adam_close(&t->adam_objective);
    objective_close(&t->objective);
}

static int encoder_threads(const struct trainer *t)
{
    return t->training.threads < 2 ? 1 : 2;
}

float trainer_gradient(struct trainer *t, size_t step)
{
    size_t rows = t->training.rows;
    const float *output[2];
#pragma omp parallel for num_threads(encoder_threads(t)) schedule(static, 1)
    for (int side = 0; side < 2; side++) {
        t->pairs.batch(t->pairs.context, side, step, rows, t->encoder[side].activation[0]);
        output[side] = encoder_forward(&t->encoder[side], rows);
    }
    const struct mmk_csr *positives =
        t->pairs.positives ? t->pairs.positives(t->pairs.context, step) : NULL;
    float loss = objective_evaluate(&t->objective, rows, output_width(t), output[0], output[1],
                                    positives, t->d_output[0], t->d_output[1]);
#pragma omp parallel for num_threads(encoder_threads(t)) schedule(static, 1)
    for (int side = 0; side < 2; side++)
        encoder_backward(&t->encoder[side], rows, t->d_output[side]);
    return loss;
}

static void trainer_update(struct trainer *t, size_t step)
{
    struct objective *o = &t->objective;
    float rate = adam_rate(t->training.rate, step, t->training.steps);
    double squares = o->learned ? sum_of_squares(OBJECTIVE_PARAMETERS, o->gradient) : 0;
    for (int side = 0; side < 2; side++)
        squares += sum_of_squares(t->encoder[side].count, t->encoder[side].gradient);
    double norm = sqrt(squares);
    float scale = norm > (double)t->training.clip ? t->training.clip / (float)norm : 1;
#pragma omp parallel for num_threads(encoder_threads(t)) schedule(static, 1)
    for (int side = 0; side < 2; side++)
        adam_step(&t->adam[side], t->encoder[side].parameters, t->encoder[side].gradient, scale,
                  rate);
    if (o->learned) {
        adam_step(&t->adam_objective, o->parameters, o->gradient, scale, rate);
        o->parameters[LOG_SCALE] = fminf(o->parameters[LOG_SCALE], logf(most_scale));
    }
}

float trainer_run(struct trainer *t, void (*report)(void *context, size_t step, float loss),
                  void *context)
{
    float first = NAN;
    double start = timer_now();
    for (size_t step = 0; step < t->training.steps; step++) {
        float loss = trainer_gradient(t, step);
        trainer_update(t, step);
        if (step == 0)
            first = loss;
        if (step % REPORT_EVERY == 0)
            report(context, step, loss);
    }
    t->seconds += timer_now() - start;
    return first;
}
