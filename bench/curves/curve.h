/* curve.h - what --curves measures: of InfoNCE time against the batch, memory against the batch,
 * speed against the workspace, speed-up by threads; of searches queries a second against the
 * dimension.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_CURVE_H
#define MMK_BENCH_CURVE_H

#include "../timing/plan.h"
#include "../timing/variants.h"

struct curve_options {
    bool wanted[CURVE_COUNT]; /* of those that are timed */
    bool memory;
    size_t dim;  /* 0: the standard ones */
    int threads; /* 0: one for what is timed, all CPUs for memory */
    int cpus;
    bool smoke; /* the smallest that shows that all of it runs */
    bool all;   /* memory at more batches, and at one that takes minutes */
};

/* Reads "batch,memory,workspace,threads,search" into options; "": all of InfoNCE. False: error is
 * one sentence. */
bool curve_parse(struct curve_options *options, const char *list, char *error, size_t error_bytes);

/* Adds the cases of the curves that are timed. Those that one would compare with each other are a
 * group. False: no memory. */
bool curve_plan(struct plan *plan, const struct curve_options *options);

/* Which of the variants that were picked take part in a case, in their order: every instruction set
 * and peer in the curve of time, the widest of ours in the others; of searches also those without
 * an extension, and peers that find all results. Returns how many. */
size_t curve_variants(enum curve curve, const struct variant *const *picked, size_t count,
                      const struct variant **chosen);

enum { CURVE_DIM = 512, CURVE_MOST_PEERS = 8 };

/* Adds the points of the memory curve to run, of one instruction set, on which memory does not
 * depend, and of peers: each is one call in a process of its own (curve_call). Stops within about
 * `seconds`; what there was no time or memory for is there with a note. False: no memory. */
bool curve_memory(struct run *run, const struct curve_options *options, const char *isa,
                  const char *const *peers, size_t peer_count, uint64_t seed, double seconds,
                  void (*progress)(const char *what));

/* The child's side: opens the case, makes one call and prints a line for curve_memory, or what went
 * wrong. */
bool curve_call(const struct plan_case *c, const struct variant *variant, uint64_t seed);

#endif
