/* plan.h - which cases a run is made of.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_PLAN_H
#define MMK_BENCH_PLAN_H

#include "shape.h"

struct plan {
    struct plan_case *cases;
    size_t count;
};

struct plan_options {
    const char *kernel; /* comma-separated names or families, or "all"; NULL: all */
    const char *shape;  /* separated by ; or /; NULL: the descriptors' bench shapes */
    int threads;        /* 0: one, and the large cases on all CPUs too */
    int cpus;
    bool all, smoke;
    bool own_data;               /* source is the user's: no synthetic cases */
    const struct source *source; /* NULL: no real data */
};

/* Lists the cases. What real data cannot give is told to run_add_missing. False: error is one
 * sentence about a bad option, and there is nothing to free. */
bool plan_make(struct plan *plan, const struct plan_options *options, struct run *run, char *error,
               size_t error_bytes);
void plan_free(struct plan *plan);

/* Appends a case; its order is its place. False: no memory. */
bool plan_add(struct plan *plan, const struct plan_case *c);

/* Whether a comma-separated list names the kernel: in full, its family, or "all". A kernel's name
 * wins over a family's: topk is one kernel, not all of topk. */
bool plan_names_kernel(const char *list, const struct kernel *kernel);

/* The same, but not by its family or "all". */
bool plan_names_by_name(const char *list, const struct kernel *kernel);

/* Whether all names in the list are kernels' own, none a family's, nor "all". */
bool plan_names_single_kernels(const char *list);
/* Whether there is a kernel or family for each word of it. False: error is one sentence. */
bool plan_check_kernels(const char *list, char *error, size_t error_bytes);

/* flops + bytes: what cases are ordered and estimated by. */
double plan_work(const struct kernel *kernel, const struct shape *shape);

#endif
