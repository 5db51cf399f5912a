/* job.h - one case ready to run: its trial, its inputs in rotation, its check, its samples.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_JOB_H
#define MMK_BENCH_JOB_H

#include "../machine/timer.h"
#include "plan.h"
#include "variants.h"

struct job {
    const struct plan_case *plan;
    struct trial trial;
    uint64_t seed;
    void *workspace; /* as much as the case takes that takes the most so far */
    size_t workspace_bytes;
    /* Kernels whose branches depend on the data take other scores in every call: the branch
     * predictor would learn a row that comes again and again. */
    float *pool;
    size_t pool_rows, pool_stride, next; /* pool_rows 1: no rotation */
    int rotated_buffer;
    double data_bytes;  /* all buffers, */
    double working_set; /* and with them all that the calls of a sample touch */
    uint32_t *first_k;  /* of each row of a search, by ours; NULL: not yet asked for */
    /* The oracle on some rows of a large case. */
    bool judged;       /* the oracle has run, */
    size_t judged_row; /* with this input in rotation */
    bool sampled;
    struct trial part;
    size_t part_rows;
};

/* Allocates and fills. False: error is one sentence. */
bool job_open(struct job *job, const struct plan_case *plan, uint64_t seed, char *error,
              size_t error_bytes);
void job_close(struct job *job);

/* Takes an open job over to a case that differs in threads and workspace only, so that the oracle
 * need not run again. Costs nothing where no case before had a smaller workspace. False: it is
 * another case, or there is no memory; the job is as it was, or closed. */
bool job_retarget(struct job *job, const struct plan_case *plan);

/* Bytes of the workspace that the case says, and how many of these are for logits. False: the sizes
 * overflow. */
bool job_workspace(const struct plan_case *plan, size_t *bytes, size_t *logits);

/* Seconds that one call would take, from a call at a smaller shape of the same kernel. Of a peer it
 * leaves that one prepared. */
double job_estimate(const struct plan_case *plan, const struct variant *variant, uint64_t seed);

/* Prepares the check: the oracle on all rows, or unless these are asked for, on some of a case that
 * has many which are independent. Done once for a job. False: no memory. */
bool job_oracle(struct job *job, bool all_rows);
/* Whether there is the memory for the oracle; else error says how much it would need. */
bool job_can_be_judged(const struct plan_case *plan, char *error, size_t error_bytes);
/* Whether each output row depends on its own row of the inputs only. */
bool job_rows_are_independent(const struct plan_case *plan);

/* Runs the variant, which was prepared, on up to four of the inputs in rotation (one of the very
 * long) and judges its outputs: of an approximate search of all queries what share of the true
 * results it finds. False: it failed, and column->note says how. */
bool job_check(struct job *job, const struct variant *variant, struct column *column);

/* How many calls a sample has, and how many go before it: what ran earlier in the round has taken
 * the caches and trained the predictors. A call that takes longer than 20 ms needs none. */
struct pace {
    size_t calls, warm_up;
};

/* A pace at which a sample takes at least `seconds`. */
struct pace job_calibrate(struct job *job, const struct variant *variant, double seconds);

/* Warms up, then times, from input `first` of those in rotation on: seconds a call; NaN when one
 * returned an error, or from a peer whose process has gone. */
double job_sample(struct job *job, const struct variant *variant, struct pace pace, size_t first,
                  enum disturbance *disturbance);

/* The same without timing each: runs for about `seconds` and returns calls a second. */
double job_loop(struct job *job, const struct variant *variant, double seconds);

#endif
