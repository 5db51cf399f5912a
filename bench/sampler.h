/* sampler.h - times one case: all variants and the machine's peaks, round by round in random order.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_SAMPLER_H
#define MMK_BENCH_SAMPLER_H

#include "plan.h"
#include "variants.h"

struct sampler_options {
    const struct variant *const *variants;
    size_t variant_count;
    size_t max_rounds;
    double sample_seconds; /* a sample takes at least that */
    uint64_t seed;
    /* Says what is being done, for the progress line; may be NULL. */
    void (*progress)(const char *what);
};

/* Checks and times a case within about `budget` seconds (the check and six rounds are done whatever
 * they take, where that is not absurd). */
bool sampler_run(struct result *result, const struct plan_case *plan,
                 const struct sampler_options *options, double budget);

/* Gives back what the last case left open. */
void sampler_end(void);

#endif
