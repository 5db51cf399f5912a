/* measure.c - errors of every loss at every length, one after the other.
 * SPDX-License-Identifier: MIT
 */
#include "../../ref/case.h"
#include "../../ref/matmul.h"
#include "../base/console.h"
#include "../base/text.h"
#include "../machine/timer.h"
#include "accuracy.h"
#include "exact.h"
#include "logits.h"
#include "torch.h"
#include "worst.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    enum loss loss;
    enum mmk_similarity similarity;
} losses[ACCURACY_LOSSES] = {{"InfoNCE dot", LOSS_INFONCE, MMK_DOT},
                             {"InfoNCE cosine", LOSS_INFONCE, MMK_COSINE},
                             {"InfoNCE neg_sq_l2", LOSS_INFONCE, MMK_NEG_SQ_L2},
                             {"uniformity cosine", LOSS_UNIFORMITY, MMK_COSINE},
                             {"sigmoid cosine", LOSS_SIGMOID, MMK_COSINE}};

const char *accuracy_loss(size_t loss)
{
    return losses[loss].name;
}

const char *output_name(enum output output)
{
    static const char *const names[OUTPUTS] = {"loss", "lse", "dx", "dy", "dlogit_scale", "dbias"};
    return names[output];
}

const char *judged_name(enum judged judged)
{
    static const char *const names[JUDGED_COUNT] = {"total", "excess", "pytorch"};
    return names[judged];
}

bool accuracy_wants(const struct accuracy_options *options, const char *peer)
{
    return options->peers == NULL || text_list_has(options->peers, peer);
}

double accuracy_error(size_t count, const float *got, const double *right)
{
    double error = 0.0, most = 0.0;
    for (size_t i = 0; i < count; i++) {
        double e = fabs((double)got[i] - right[i]);
        error = e > error || isnan(e) ? e : error; /* NaN stays */
        most = fmax(most, fabs(right[i]));
    }
    error = error == 0.0 ? 0.0 : error / most;
    return isfinite(error) ? error : DBL_MAX;
}

/* What all points share: memory for the largest. */
struct bench {
    const struct accuracy_options *options;
    float *x, *y;
    struct outputs ours;
    struct exact exact;
    struct torch torch;
    bool has_torch;
};

static float *floats(size_t count)
{
    return ref_zeros(count, sizeof(float));
}

static void bench_open(struct bench *b, const struct accuracy_options *options, char *torch,
                       size_t torch_bytes)
{
    size_t most = options->most, d = ACCURACY_DIM;
    *b = (struct bench){.options = options,
                        .x = floats(most * d),
                        .y = floats(most * d),
                        .ours = {.loss = floats(1),
                                 .lse_x = floats(most),
                                 .lse_y = floats(most),
                                 .dx = floats(most * d),
                                 .dy = floats(most * d),
                                 .dscale = floats(1),
                                 .dbias = floats(1)}};
    exact_open(&b->exact, most, most, d);
    snprintf(torch, torch_bytes, "left out");
    b->has_torch = accuracy_wants(options, "pytorch") && torch_open(&b->torch, torch, torch_bytes);
}

static void bench_close(struct bench *b)
{
    free(b->x);
    free(b->y);
    free(b->ours.loss);
    free(b->ours.lse_x);
    free(b->ours.lse_y);
    free(b->ours.dx);
    free(b->ours.dy);
    free(b->ours.dscale);
    free(b->ours.dbias);
    exact_close(&b->exact);
    if (b->has_torch)
        torch_close(&b->torch);
}

static void compare(const struct problem *p, const struct outputs *got, const struct exact *right,
                    double error[OUTPUTS])
{
    bool sigmoid = p->loss == LOSS_SIGMOID;
    error[OUT_LOSS] = accuracy_error(1, got->loss, &right->loss);
    error[OUT_LSE] = sigmoid ? (double)NAN
                             : fmax(accuracy_error(p->m, got->lse_x, right->lse_x),
                                    accuracy_error(p->n, got->lse_y, right->lse_y));
    error[OUT_DX] = accuracy_error(p->m * p->d, got->dx, right->dx);
    error[OUT_DY] = accuracy_error(p->n * p->d, got->dy, right->dy);
    error[OUT_DSCALE] = accuracy_error(1, got->dscale, &right->dscale);
    error[OUT_DBIAS] = sigmoid ? accuracy_error(1, got->dbias, &right->dbias) : (double)NAN;
}

static void measure(struct bench *b, struct accuracy_point *point, char *torch, size_t torch_bytes)
{
    const struct problem problem = {.loss = losses[point->loss].loss,
                                    .similarity = losses[point->loss].similarity,
                                    .m = point->m,
                                    .n = point->n,
                                    .d = ACCURACY_DIM,
                                    .scale = ACCURACY_SCALE,
                                    .bias = ACCURACY_BIAS,
                                    .x = b->x,
                                    .y = b->y};
    int threads = b->options->threads;
    char error[256];
    problem_fill(&problem,
                 !point->equal   ? ROWS_NORMAL
                 : point->x_long ? ROWS_X_EQUAL
                                 : ROWS_Y_EQUAL,
                 b->options->seed, b->x, b->y);
    problem_call(&problem, &b->ours, threads);
    exact_evaluate(&b->exact, &problem, false, threads);
    compare(&problem, &b->ours, &b->exact, point->error[JUDGED_TOTAL]);
    for (int o = 0; o < OUTPUTS; o++)
        point->error[JUDGED_TORCH][o] = (double)NAN;
    struct outputs theirs;
    if (b->has_torch && torch_call(&b->torch, &problem, threads, &theirs, error, sizeof error))
        compare(&problem, &theirs, &b->exact, point->error[JUDGED_TORCH]);
    else if (b->has_torch) { /* what does not fit now will not later */
        size_t used = strlen(torch);
        snprintf(torch + used, torch_bytes - used, "; at %zu x %zu: %s", point->m, point->n, error);
        torch_close(&b->torch);
        b->has_torch = false;
    }
    exact_evaluate(&b->exact, &problem, true, threads);
    compare(&problem, &b->ours, &b->exact, point->error[JUDGED_EXCESS]);
}

/* The points, in the order in which they are measured: what is short first. */
static size_t list(size_t most, struct accuracy_point *points)
{
    size_t count = 0;
    for (size_t length = ACCURACY_SHORT; length <= most; length *= 4)
        for (int x_long = 0; x_long < 2; x_long++)
            for (int equal = 0; equal < 2; equal++)
                for (size_t loss = 0; loss < ACCURACY_LOSSES; loss++, count++)
                    if (points)
                        points[count] =
                            (struct accuracy_point){.loss = loss,
                                                    .x_long = x_long,
                                                    .equal = equal,
                                                    .m = x_long ? length : ACCURACY_SHORT,
                                                    .n = x_long ? ACCURACY_SHORT : length};
    return count;
}

static double pairs(const struct accuracy_point *point)
{
    return (double)point->m * (double)point->n;
}

static void tell(const struct accuracy_point *point, double seconds, double done, double left)
{
    char text[160], time[32];
    text_seconds(seconds / done * left, time, sizeof time);
    snprintf(text, sizeof text, "%s, %zu x %zu%s%s", accuracy_loss(point->loss), point->m, point->n,
             done > 0.0 ? ", time left: " : "", done > 0.0 ? time : "");
    progress(text);
}

void accuracy_measure(struct accuracy *a, const struct accuracy_options *options)
{
    double start = timer_now(), done = 0.0, left = 0.0;
    struct bench bench;
    *a = (struct accuracy){.seed = options->seed};
    machine_describe(&a->machine);
    progress("logits");
    logits_measure(a, options);
    a->count = list(options->most, NULL);
    a->points = ref_zeros(a->count, sizeof *a->points);
    list(options->most, a->points);
    bench_open(&bench, options, a->torch, sizeof a->torch);
    for (size_t i = 0; i < a->count; i++)
        left += pairs(&a->points[i]);
    double begin = timer_now();
    for (size_t i = 0; i < a->count; i++) {
        struct accuracy_point *point = &a->points[i];
        progress_count(i + 1, a->count);
        tell(point, timer_now() - begin, done, left);
        measure(&bench, point, a->torch, sizeof a->torch);
        done += pairs(point);
        left -= pairs(point);
    }
    progress_end();
    bench_close(&bench);
    if (!options->losses_only)
        worst_measure(a, options);
    a->seconds = timer_now() - start;
}

void accuracy_free(struct accuracy *accuracy)
{
    free(accuracy->points);
    free(accuracy->worst);
    accuracy->points = NULL;
    accuracy->worst = NULL;
}
