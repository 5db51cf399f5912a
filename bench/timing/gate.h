/* gate.h - whether this build is slower than a baseline binary: both run now, interleaved.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_GATE_H
#define MMK_BENCH_GATE_H

#include "../machine/mood.h"
#include "plan.h"
#include "verdict.h"

/* One case and all that was found out of it. */
struct gate_case {
    const struct plan_case *plan; /* NULL: the baseline has a kernel that this build has not */
    char kernel[64], shape[96], variant[32];
    int threads;
    struct evidence evidence;
    struct judgement judgement;
    double old_seconds, new_seconds; /* a call, medians of the last launch; 0: none */
    size_t rounds;                   /* pairs of samples, in all launches */
    size_t draws;                    /* how often its memory was mapped anew */
    /* Standard deviations of ln, sums over launches: of one program's samples, of paired rounds,
     * and of the figures of mappings, each within the level above it; and their numbers. */
    struct gate_spread {
        double sample, round, draw;
        double rounds, draws; /* rounds in a mapping, mappings in a launch */
    } spread;
    char why[400]; /* of what was not compared */
};

struct gate_options {
    const char *baseline; /* a mmk-bench */
    double seconds;       /* the most it may take, about */
    double threshold;     /* 0.02: slower by 2 % matters */
    double limit;         /* seconds after which a program that does not answer hangs; large cases
                             have more */
    size_t launches;      /* 0: as many as the verdicts need; else so many, and no verdicts */
    uint64_t seed;
    /* Says what is being done, for the progress line; may be NULL. */
    void (*progress)(const char *what);
};

struct gate {
    struct gate_options options;
    struct gate_case *cases;
    size_t count;
    struct mood_best best;     /* what the canaries are known to reach; raised by what is seen */
    struct canaries *readings; /* all, in the order of their time */
    size_t reading_count, quiet_readings;
    size_t launches;
    double seconds; /* that it took */
    size_t tally[4];
    enum gate_verdict verdict;
};

/* A case for every one of the plan and every variant. The plan must outlive it. */
void gate_make(struct gate *gate, const struct gate_options *options, const struct plan *plan,
               const char *const *variants, size_t variant_count);

/* Adds a kernel that there is no case of, though it was asked for, as one that is not compared. */
void gate_add_without_case(struct gate *gate, const char *kernel, const char *why);

/* Adds what the baseline has and this build has not, as cases that are not compared: kernels where
 * all kernels are to be, variants where all are. False: the baseline cannot be run at all; error is
 * one sentence. */
bool gate_add_missing(struct gate *gate, bool all_kernels, bool all_variants, char *error,
                      size_t error_bytes);

/* Launches both programs until all cases are settled, or the time is over. peaks are open. */
void gate_run(struct gate *gate);

void gate_free(struct gate *gate);

#endif
