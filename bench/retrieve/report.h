/* report.h - what mmk-bench retrieve prints.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_RETRIEVE_REPORT_H
#define MMK_BENCH_RETRIEVE_REPORT_H

#include "task.h"

enum { MOST_ROUNDS = 15 };

/* Each round between two measurements of the peak. */
struct search_timing {
    double seconds[MOST_ROUNDS], rate[MOST_ROUNDS], peak[MOST_ROUNDS];
    size_t rounds;
    double flops;
    double encoding; /* seconds that the codes of the gallery took; 0: none were made */
    struct mmk_search_work work;
    enum mmk_isa isa;
};

/* Measures the rankings that a search has found, and prints all there is to say. */
void report_search(const struct retrieve_options *options, const struct task *task,
                   const struct search_timing *timing);

/* The same of rankings of n rows from a file. */
void report_rankings(const struct retrieve_options *options, const struct side *side, size_t n);

#endif
