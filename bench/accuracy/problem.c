/* problem.c - what the accuracy of a loss is taken of, and the library's call.
 * SPDX-License-Identifier: MIT
 */
#include "problem.h"

#include "../../ref/cases.h"
#include "../../ref/matmul.h"
#include "../base/console.h"

#include <math.h>
#include <stdlib.h>

static void fill_rows(size_t rows, size_t d, size_t equal_from, uint64_t stream, float *out)
{
    float scale = 1 / sqrtf((float)d);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < rows; i++)
        for (size_t k = 0; k < d; k++)
            out[i * d + k] =
                scale * (float)fill_normal(stream, (i < equal_from ? i : equal_from) * d + k);
}

void problem_fill(const struct problem *problem, enum rows rows, uint64_t seed, float *x, float *y)
{
    size_t m = problem->m, n = problem->n;
    size_t partners = problem->loss == LOSS_UNIFORMITY ? 0 : m;
    fill_rows(m, problem->d, rows == ROWS_X_EQUAL ? 0 : m, fill_hash(seed, 0), x);
    fill_rows(n, problem->d, rows == ROWS_Y_EQUAL ? partners : n, fill_hash(seed, 1), y);
}

static void call_softmax(const struct problem *p, const struct mmk_csr *targets,
                         const struct outputs *o, const struct mmk_options *options)
{
    const struct mmk_matrix x = {.data = p->x, .rows = p->m, .columns = p->d},
                            y = {.data = p->y, .rows = p->n, .columns = p->d};
    const struct mmk_matrix_out dx = {.data = o->dx, .rows = p->m, .columns = p->d},
                                dy = {.data = o->dy, .rows = p->n, .columns = p->d};
    const struct mmk_infonce_problem problem = {.x = &x,
                                                .y = &y,
                                                .similarity = p->similarity,
                                                .logit_scale = p->scale,
                                                .weight_x = 1,
                                                .targets = targets};
    const struct mmk_infonce_results results = {.loss = o->loss,
                                                .lse_x = o->lse_x,
                                                .lse_y = o->lse_y,
                                                .dx = &dx,
                                                .dy = &dy,
                                                .dlogit_scale = o->dscale};
    if (p->loss == LOSS_UNIFORMITY)
        must_be_good(mmk_uniformity(&problem, &results, options), "mmk_uniformity");
    else
        must_be_good(mmk_infonce(&problem, &results, options), "mmk_infonce");
}

static void call_sigmoid(const struct problem *p, const struct mmk_csr *positives,
                         const struct outputs *o, const struct mmk_options *options)
{
    const struct mmk_matrix x = {.data = p->x, .rows = p->m, .columns = p->d},
                            y = {.data = p->y, .rows = p->n, .columns = p->d};
    const struct mmk_matrix_out dx = {.data = o->dx, .rows = p->m, .columns = p->d},
                                dy = {.data = o->dy, .rows = p->n, .columns = p->d};
    must_be_good(mmk_sigmoid(&(struct mmk_sigmoid_problem){.x = &x,
                                                           .y = &y,
                                                           .similarity = p->similarity,
                                                           .logit_scale = p->scale,
                                                           .bias = p->bias,
                                                           .positives = positives},
                             &(struct mmk_sigmoid_results){.loss = o->loss,
                                                           .dx = &dx,
                                                           .dy = &dy,
                                                           .dlogit_scale = o->dscale,
                                                           .dbias = o->dbias},
                             options),
                 "mmk_sigmoid");
}

void problem_call(const struct problem *p, const struct outputs *outputs, int threads)
{
    const struct mmk_options options = {.threads = threads};
    bool listed = p->m > p->n && p->loss != LOSS_UNIFORMITY; /* else NULL: one to one */
    size_t *row_start = ref_zeros(listed ? p->m + 1 : 0, sizeof *row_start);
    uint32_t *column = ref_zeros(listed ? p->m : 0, sizeof *column);
    for (size_t i = 0; listed && i < p->m; i++) {
        row_start[i + 1] = i + 1;
        column[i] = (uint32_t)(i % p->n);
    }
    const struct mmk_csr list = {.row_start = row_start, .column = column};
    if (p->loss == LOSS_SIGMOID)
        call_sigmoid(p, listed ? &list : NULL, outputs, &options);
    else
        call_softmax(p, listed ? &list : NULL, outputs, &options);
    free(row_start);
    free(column);
}
