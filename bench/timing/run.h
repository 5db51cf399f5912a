/* run.h - what a run of the bench holds: machine, cases, and the raw samples of every variant.
 * SPDX-License-Identifier: MIT
 *
 * Nothing here is a result yet: medians, ratios and percentages are made from it by analysis.h, the
 * same way from a run in memory and from a saved file.
 */
#ifndef MMK_BENCH_RUN_H
#define MMK_BENCH_RUN_H

#include "../../kernels/mmk.h"
#include "../machine/machine.h"
#include "../machine/mood.h"
#include "../machine/peaks.h"
#include "../machine/timer.h"

#include <stdbool.h>
#include <stddef.h>

enum column_state {
    COLUMN_TIMED,
    COLUMN_NOT_TIMED, /* too slow for the budget, or no memory: note says which */
    COLUMN_FAILED     /* its outputs did not pass the check */
};

/* The note of those that a run did not come to. */
#define NOTE_NO_TIME "none of this run's --seconds was left for it"

/* One variant of one case. */
struct column {
    char variant[32];  /* "avx512", "autovec-avx512", "ref" */
    char isa[16];      /* whose FMA rate bounds it; "" for the oracle */
    char baseline[32]; /* variant that its speed-up is against; "" for none */
    char library[328]; /* of a peer: "OpenBLAS 0.3.21 (2022); Cooperlake, OpenMP"; "" for ours */
    enum column_state state;
    char note[320];
    bool checked;
    size_t checked_rows; /* rows that the oracle judged; 0: all */
    double worst_share, worst_abs;
    /* Of a search by another library: the share of the true first k that it found, all queries
     * taken together, and how many these are; 0: it was not looked for. */
    bool approximate; /* it is judged by nothing else */
    double recall;
    size_t recalled;
    struct mmk_search_work work; /* of a search of ours, in one call; 0: not known */
    size_t calls;                /* calls in a sample, */
    size_t warm_up;              /* and before it, untimed */
    double cost;                 /* seconds of a round with it; 0: not known */
    double *seconds; /* a call's time in each round; NaN: void, or not run in that round */
    size_t run;      /* rounds it ran in */
    /* Samples by what disturbed them; [UNDISTURBED] counts the good ones. A disturbed one is tried
     * again, a few times. */
    size_t voided[DISTURBANCE_COUNT];
    double ipc; /* instructions a cycle; 0: no counters */
};

/* What a result is a point of. */
enum curve { CURVE_NONE, CURVE_BATCH, CURVE_WORKSPACE, CURVE_THREADS, CURVE_SEARCH, CURVE_COUNT };

/* One kernel at one shape with one kind of data. */
struct result {
    char kernel[48], family[32], shape[96], data[64];
    enum curve curve;
    size_t m, d;   /* of the shape */
    int workspace; /* percent of the logits that it keeps, as in shape.h */
    double workspace_bytes;
    int threads;
    /* Results of one group, other than 0, were timed in the same rounds: their samples are paired,
     * too. They differ in threads and workspace. */
    int group;
    double flops, bytes, working_set;
    enum peak level; /* where the working set lives */
    size_t rotated;  /* different inputs taken in turn; 1: always the same */
    size_t rounds;
    double *peak[PEAK_COUNT]; /* flop/s, byte/s, Hz in each round; NULL: not measured */
    size_t *launch;           /* of the program in which each round ran; NULL: a run from before
                               * there were launches, and nothing is known of it */
    struct canaries *canary;  /* before and after each round; NULL: not read */
    enum mood *mood;          /* of each round, as run_judge finds it; NULL: there is none */
    double clock;             /* Hz that its times are stated at; 0: as they were measured */
    bool closed;              /* it is known well enough, and needs no further launch */
    char note[200];           /* what befell a launch at this case */
    struct column *columns;
    size_t column_count;
    int order; /* place in the tables */
};

/* What one call needed, in a process of its own. */
struct memory {
    char kernel[48], variant[32];
    int workspace; /* percent of the logits that it keeps; -1: it knows no such thing */
    size_t m, d;
    int threads;
    double data_bytes;    /* inputs and outputs, */
    double logits_bytes;  /* and what the logits would take */
    double peak_bytes;    /* the most that was resident; 0: not measured, note says why */
    double program_bytes; /* of it, what was there without data and call */
    double seconds;       /* the call; not paired with anything */
    char note[160];
};

struct run {
    struct machine machine;
    uint64_t seed;
    double seconds;        /* how long it took */
    double precision;      /* percent that half an interval was to have; 0: none was asked for */
    size_t launches;       /* of the program; 0: a run from before there were any */
    struct mood_best best; /* what the core does when nobody disturbs it, as far as is known */
    struct result *results;
    size_t result_count;
    struct memory *memory;
    size_t memory_count;
    char (*missing)[256]; /* what was left out as a whole, a sentence each */
    size_t missing_count;
};

void run_init(struct run *run);
void run_free(struct run *run);

/* Appends empty results and returns the first; NULL: no memory. */
struct result *run_add_results(struct run *run, size_t count);
struct column *result_add_column(struct result *result);
/* Appends an empty point; NULL: no memory. */
struct memory *run_add_memory(struct run *run);
/* As many rounds as that, of peaks, columns and canaries; what is new of them is NaN. False: no
 * memory. */
bool result_set_rounds(struct result *result, size_t rounds);

/* Adds the rounds of a launch to the result of the same case, or to the run where that has none
 * yet. The rounds of `from` may be of no launch. False: no memory. */
bool run_merge(struct run *run, const struct result *from, size_t launch);

/* The result of a case by its place in the tables; NULL: there is none yet. */
struct result *run_find_result(const struct run *run, int order);

/* Raises run->best to what its canaries reached, and finds the mood of every round, and the clock
 * that times are stated at. */
void run_judge(struct run *run);

/* States times at another clock in Hz: another run's, to be compared with it. */
void run_state_at(struct run *run, double clock);

void run_add_missing(struct run *run, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

struct column *result_find_column(const struct result *result, const char *variant);

#endif
