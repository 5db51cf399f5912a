/* plan.h - which cases a run is made of.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_PLAN_H
#define MMK_BENCH_PLAN_H

#include "../data/data.h"
#include "run.h"

/* How much of the logits the workspace of a case holds, in percent; with none the function
 * allocates for itself. */
enum { WORKSPACE_NONE = -1, WORKSPACE_STREAMED = 0, WORKSPACE_STORED = 100 };

struct plan_case {
    const struct kernel *kernel;
    struct shape shape;
    const struct source *source; /* NULL: synthetic, fill */
    enum fill fill;
    int threads;
    int workspace; /* percent, or WORKSPACE_NONE */
    /* Cases of one group, other than 0, are timed in the same rounds; they follow each other and
     * differ in threads and workspace only. */
    int group;
    enum curve curve;
    bool peers; /* other libraries take part */
    int order;  /* place in the tables */
};

struct plan {
    struct plan_case *cases;
    size_t count;
};

struct plan_options {
    const char *kernel; /* comma-separated names, or prefixes such as "infonce"; NULL: all */
    const char *shape;  /* separated by ; or /; NULL: the descriptors' bench shapes */
    int threads;        /* 0: one, and the large cases on all CPUs too */
    int cpus;
    bool all, smoke;
    bool own_data;               /* source is the user's: no synthetic cases */
    const struct source *source; /* NULL: no real data */
};

/* Lists the cases. What real data cannot give is told to run_add_missing. False: error is one
 * sentence about a bad option. */
bool plan_make(struct plan *plan, const struct plan_options *options, struct run *run, char *error,
               size_t error_bytes);
void plan_free(struct plan *plan);

/* "4096x4096x512 stored", "25000 k=10": what a reader of a table needs, and --shape understands. */
void plan_shape_text(const struct plan_case *c, char *text, size_t bytes);

/* "m=4096,n=4096,d=512:dot:stored": the same as one word that says everything. */
void plan_shape_word(const struct plan_case *c, char *text, size_t bytes);

/* Appends a case; its order is its place. False: no memory. */
bool plan_add(struct plan *plan, const struct plan_case *c);

/* flops + bytes: what cases are ordered and estimated by. */
double plan_work(const struct kernel *kernel, const struct shape *shape);

#endif
