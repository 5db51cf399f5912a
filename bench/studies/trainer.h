/* trainer.h - two encoders and a loss, trained on pairs.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_STUDY_TRAINER_H
#define MMK_STUDY_TRAINER_H

#include "adam.h"
#include "encoder.h"
#include "objective.h"

/* Where pairs come from. */
struct pairs {
    /* Fills `rows` rows of one side (0, 1) of the batch of a step. Both sides are asked for at the
     * same time, by two threads. */
    void (*batch)(const void *context, int side, size_t step, size_t rows, float *out);
    /* Which of them belong together, until the next call; NULL: row i of one side to row i of the
     * other. */
    const struct mmk_csr *(*positives)(void *context, size_t step);
    void *context;
};

struct training {
    size_t rows, steps; /* of a batch, in all */
    float rate;         /* of Adam at first; it decays to 0 as a cosine */
    float clip;         /* the greatest norm of a gradient over all parameters */
    int threads;
};

struct trainer {
    struct training training;
    struct pairs pairs;
    struct encoder encoder[2];
    struct adam adam[2], adam_objective;
    struct objective objective;
    float *d_output[2];
    double seconds; /* of training, so far */
};

/* Encoders, objective and training are set; allocates what is between them. */
void trainer_open(struct trainer *t);
/* Closes encoders and objective, too. */
void trainer_close(struct trainer *t);

/* The loss of a step's batch, and its gradient in both encoders and the objective. */
float trainer_gradient(struct trainer *t, size_t step);

/* All steps; `report` is called now and then. Returns the first step's loss. */
float trainer_run(struct trainer *t, void (*report)(void *context, size_t step, float loss),
                  void *context);

#endif
