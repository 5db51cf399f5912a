/* logits.c - the error of dot products of rows without negative elements.
 * SPDX-License-Identifier: MIT
 *
 * Partial sums only grow, so that their rounding errors do, too, and most go the same way while a
 * sum stays within a power of two: the dot product's worst case that data may well be like.
 */
#include "logits.h"

#include "../../ref/trial.h"
#include "../base/console.h"
#include "../peers/peers.h"

#include <stdio.h>
#include <string.h>

enum { X, Y, RESULT }; /* order of the buffers */

/* NULL: it is not there, and `what` says why. */
static struct peer *open_openblas(char *what, size_t bytes)
{
    char error[512];
    size_t i = 0;
    while (strcmp(peers_name(i), "openblas") != 0)
        i++;
    struct peer *peer = peers_find(i, error, sizeof error);
    if (peer && peers_open(peer, error, sizeof error))
        return peer;
    snprintf(what, bytes, "%.*s", (int)bytes - 1, error);
    return NULL;
}

/* The greatest |result - right| / right, all being above 0. */
static double worst(const struct trial *trial)
{
    const struct buffer *result = &trial->buffer[RESULT];
    double most = 0.0;
    for (size_t i = 0; i < result->rows; i++)
        for (size_t j = 0; j < result->cols; j++) {
            double right = result->expected[i * result->cols + j];
            double got = (double)((const float *)result->data)[i * result->ld + j];
            most = fmax(most, fabs(got - right) / right);
        }
    return most;
}

static void multiply_in_blocks(struct trial *trial)
{
    const struct buffer *x = &trial->buffer[X], *y = &trial->buffer[Y], *r = &trial->buffer[RESULT];
    for (size_t i = 0; i < r->rows; i++)
        for (size_t j = 0; j < r->cols; j++) {
            const float *a = (const float *)x->data + i * x->ld;
            const float *b = (const float *)y->data + j * y->ld;
            float sum = 0.0f, chain = 0.0f;
            for (size_t k = 0; k < x->cols; k++) {
                chain = fmaf(a[k], b[k], chain);
                if (k + 1 == x->cols || (k + 1) % LOGITS_BLOCK == 0) {
                    sum += chain;
                    chain = 0.0f;
                }
            }
            ((float *)r->data)[i * r->ld + j] = sum;
        }
}

static struct logits_point measure(size_t d, uint64_t seed, struct peer *openblas, char *what,
                                   size_t what_bytes)
{
    struct logits_point point = {.d = d, .sgemm = (double)NAN};
    const struct shape shape = {.m = LOGITS_ROWS, .n = LOGITS_ROWS, .d = d};
    struct trial trial;
    char error[256];
    if (!trial_open(&trial, kernel_find("dot_matrix"), &shape, FILL_POSITIVE, seed))
        refuse("there is no memory for %d rows of %zu elements; close something", LOGITS_ROWS, d);
    trial_fill(&trial);
    trial_oracle(&trial);
    trial.options.threads = 1;
    must_be_good(trial_call(&trial), "mmk_similarity_matrix");
    point.chain = worst(&trial);
    multiply_in_blocks(&trial);
    point.blocked = worst(&trial);
    if (openblas && openblas->prepare(openblas, &trial, error, sizeof error) &&
        openblas->call(openblas, &trial) == MMK_OK) {
        point.sgemm = worst(&trial);
        snprintf(what, what_bytes, "%s, %s", openblas->version, openblas->kernel);
    }
    trial_close(&trial);
    return point;
}

void logits_measure(struct accuracy *accuracy, const struct accuracy_options *options)
{
    struct peer *openblas = NULL;
    snprintf(accuracy->openblas, sizeof accuracy->openblas, "left out");
    if (accuracy_wants(options, "openblas"))
        openblas = open_openblas(accuracy->openblas, sizeof accuracy->openblas);
    for (size_t d = 512; d <= (options->smoke ? 512 : 8192); d *= 2)
        accuracy->logits[accuracy->logits_count++] =
            measure(d, options->seed, openblas, accuracy->openblas, sizeof accuracy->openblas);
    peers_close();
}
