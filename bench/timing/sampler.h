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
    bool peers_named;             /* by who runs it, who so wants them however slow they are */
    size_t launches;              /* at least so many of the program time a case */
    size_t max_rounds;            /* in a launch */
    const struct mood_best *best; /* by which a round is quiet; NULL: nobody asks */
    double sample_seconds;        /* a sample takes at least that */
    /* Of a curve: narrower instruction sets come after the peers, and neither may take of the time
     * left what is reserved for the widest at the points to come, except where it needs little. */
    bool widest_first;
    double reserved;
    uint64_t seed;
    /* Says what is being done, for the progress line; may be NULL. */
    void (*progress)(const char *what);
};

/* Times a group of cases in the first launch that comes to it: with oracle and checks, and what all
 * launches need must fit into about `share` seconds. Where that is not enough, a round a launch may
 * take up to `left`, what the run has altogether; what needs more is not timed, and its note says
 * so. results: one a case, new and empty. *again: seconds that a further launch will take of it.
 * False: no memory. */
bool sampler_first(struct result *results, const struct plan_case *cases, size_t count,
                   const struct sampler_options *options, double share, double left, double *again);

/* The same in a later launch, within about `share` seconds, at least a round: who takes part and at
 * which pace is as the first found it, known[i] for case i. */
bool sampler_again(struct result *results, const struct plan_case *cases, size_t count,
                   const struct sampler_options *options, const struct result *const *known,
                   double share);

/* Seconds that the widest instruction set needs for a round a launch of a group, as far
 * as a small shape can tell; and the oracle, unless the cases have been judged already. */
double sampler_least_seconds(const struct plan_case *cases, size_t count,
                             const struct sampler_options *options, bool judged);

/* Gives back what the last group left open. */
void sampler_end(void);

#endif
