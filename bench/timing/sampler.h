/* sampler.h - times cases: all variants and the machine's peaks, round by round in random order.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_SAMPLER_H
#define MMK_BENCH_SAMPLER_H

#include "plan.h"
#include "variants.h"

struct sampler_options {
    const struct variant *const *variants; /* peers last */
    size_t variant_count;
    size_t max_rounds;
    double sample_seconds; /* a sample takes at least that */
    /* Of a curve: narrower instruction sets come after the peers, and neither may take of the time
     * left what is reserved for the widest at the points to come, except where it needs little. */
    bool widest_first;
    double reserved;
    uint64_t seed;
    /* Says what is being done, for the progress line; may be NULL. */
    void (*progress)(const char *what);
};

/* Checks and times a group of cases within about `share` seconds, oracle, checks and peaks
 * included. Where that is not enough, the least number of rounds may take up to `left`, what the
 * run has altogether; what needs more is not timed, and its note says so. results: one a case, new
 * and empty. False: no memory. */
bool sampler_run(struct result *results, const struct plan_case *cases, size_t count,
                 const struct sampler_options *options, double share, double left);

/* Seconds that the widest instruction set needs for the least number of rounds of a group, as far
 * as a small shape can tell; and the oracle, unless the cases have been judged already. */
double sampler_least_seconds(const struct plan_case *cases, size_t count,
                             const struct sampler_options *options, bool judged);

/* Gives back what the last group left open. */
void sampler_end(void);

#endif
