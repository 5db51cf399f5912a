/* calls.h - every public function that computes, called in one line: for tests of what must not
 * change its result.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_UNIT_CALLS_H
#define MMK_UNIT_CALLS_H

#include "../../kernels/mmk.h"

#include <stdbool.h>
#include <stddef.h>

enum { CALLS_FLOATS = 1 << 17 };

/* A call on rows among which are zeros, denormals and very great ones, of a size that has work for
 * several threads, with all its results. */
struct call {
    const char *name; /* of the function, without mmk_ */
    bool threads;     /* it takes options */
    bool own_state; /* it computes in the default floating-point state, whatever the caller's is */
    enum mmk_status (*run)(enum mmk_similarity similarity, int threads, float *out);
};

extern const struct call calls[];
extern const size_t calls_count;

/* Clears `out`, of CALLS_FLOATS, and calls. The inputs are made by the first call of this; it does
 * no floating-point arithmetic of its own after that. */
enum mmk_status calls_run(const struct call *call, enum mmk_similarity similarity, int threads,
                          float *out);

/* The same with every matrix's rows so far apart that those from the 32nd on are more than 2^32
 * elements from the first; false where there is no room for the addresses. */
bool calls_run_far(const struct call *call, enum mmk_similarity similarity, int threads, float *out,
                   enum mmk_status *status);

#endif
