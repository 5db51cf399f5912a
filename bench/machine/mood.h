/* mood.h - whether the core was ours alone while something was timed.
 * SPDX-License-Identifier: MIT
 *
 * A neighbour on the other hardware thread of a core takes issue slots, L1 and L2. Inside a virtual
 * machine nothing shows it: no counter, no load, no stolen time. But loops whose rates in clocks
 * are properties of the core (canaries) become slower, and what a kernel loses to the neighbour
 * depends on the kernel, so that ratios change, too. Canaries are read in every round, and a round
 * belongs to the mood that they show.
 */
#ifndef MMK_BENCH_MOOD_H
#define MMK_BENCH_MOOD_H

#include "peaks.h"

#include <stdbool.h>
#include <stddef.h>

enum mood {
    MOOD_QUIET,     /* every canary near the best that it is known to reach here */
    MOOD_DISTURBED, /* one is not */
    MOOD_UNKNOWN    /* it could not be read: the reading itself was interrupted */
};

const char *mood_name(enum mood mood); /* "quiet", "disturbed", "unknown" */

/* The canaries: rates that a neighbour on the core lowers, a clock; and the clock itself, in Hz. */
enum { CANARY_COUNT = 4 };
extern const enum peak canary_peaks[CANARY_COUNT];

/* One reading. rate[c] is of canary_peaks[c], per second at the clock rate[0]; all NaN where it was
 * interrupted. */
struct canaries {
    double rate[CANARY_COUNT];
};

/* What a rate would be at `clock`. The clock may change between one canary and the next, so each
 * has its own: the higher of what was read before and after it, since one that is too low would
 * make the core look better than it ever is. */
double canary_at_clock(double rate, double before, double after, double clock);

/* Reads them on the calling thread, which is to be pinned, in 100 to 200 us; peaks are open. */
void canaries_read(struct canaries *reading);

/* The clock in Hz between two readings. */
double canaries_clock(const struct canaries *before, const struct canaries *after);

/* The best that is known of each: a clock, and of the clock in Hz; 0: nothing. */
struct mood_best {
    double rate[CANARY_COUNT];
    double clock; /* Hz that times are stated at, see mood_set_clock */
};

/* Raises what is known to what these readings reached: their upper decile, for a single one may be
 * too high by the noise of a clock that was read too low. Fewer than MOOD_READINGS say nothing. */
enum { MOOD_READINGS = 20 };
void mood_learn(struct mood_best *best, const struct canaries *readings, size_t count);

/* Learns from readings made now, on the calling thread; peaks are open. Takes some 10 ms. */
void mood_learn_now(struct mood_best *best);

/* The clock that times are stated at, so that two runs say the same of a core whose clock moves by
 * some percent from minute to minute: that of earlier runs, however far away, else this one's best
 * to 0.1 GHz. */
void mood_set_clock(struct mood_best *best);

/* The mood of one reading: quiet where each canary is as near to its best as an idle core keeps it
 * (4 to 20 %, by canary: mood.c); unknown where no best is known. */
enum mood mood_of(const struct canaries *reading, const struct mood_best *best);

/* The mood of what was timed between two readings: quiet if both are, disturbed if both are, else
 * unknown. */
enum mood mood_between(const struct canaries *before, const struct canaries *after,
                       const struct mood_best *best);

#endif
