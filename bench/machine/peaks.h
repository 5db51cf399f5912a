/* peaks.h - the machine's limits: rate of multiply-adds per instruction set, read bandwidth per
 * memory level, clock.
 * SPDX-License-Identifier: MIT
 *
 * They are timed in the same rounds as the kernels, so that "percent of peak" is a paired ratio.
 */
#ifndef MMK_BENCH_PEAKS_H
#define MMK_BENCH_PEAKS_H

#include "../../kernels/mmk.h"

#include <stdbool.h>
#include <stddef.h>

/* From L1 and L2 the first is the fastest. From L3 and memory that hangs on the machine, and on
 * where the pages are: on a Zen 5 VM four streams had 41 to 46 GB/s where one had 33 to 44. */
enum read_way {
    READ_IN_ORDER,
    READ_AHEAD, /* every cache line fetched PEAK_AHEAD floats before; maybe beyond the end */
    READ_APART, /* PEAK_STREAMS streams, each a part of the block, by turns */
    READ_WAYS
};

/* The hand-written loops of one instruction set: peaks_<isa>.c. */
struct peak_loops {
    /* iterations x flops_per_iteration flops in enough independent chains to fill the units. */
    float (*multiply_add)(size_t iterations);
    double flops_per_iteration;
    /* Reads `floats` floats (a multiple of PEAK_BLOCK) at data (64-byte aligned) `passes` times. */
    float (*read[READ_WAYS])(const float *data, size_t floats, size_t passes);
};

#define PEAK_BLOCK   512 /* floats; every ISA's read loop takes a whole number of steps in it */
#define PEAK_AHEAD   128
#define PEAK_STREAMS 4

/* Where vector number c of the step that begins at float i is read; steps are of a multiple of
 * PEAK_STREAMS vectors. */
static inline size_t peak_place(enum read_way way, size_t floats, size_t i, size_t c, size_t vector)
{
    return way == READ_APART ? c % PEAK_STREAMS * (floats / PEAK_STREAMS) + i / PEAK_STREAMS +
                                   c / PEAK_STREAMS * vector
                             : i + c * vector;
}

extern const struct peak_loops peak_loops_scalar;
extern const struct peak_loops peak_loops_avx2;
extern const struct peak_loops peak_loops_avx512;
extern const struct peak_loops peak_loops_neon;

/* What is measured in a round. */
enum peak {
    PEAK_MULTIPLY_ADD_SCALAR, /* in the order of enum mmk_isa; fused or not */
    PEAK_FMA_AVX2,
    PEAK_FMA_AVX512,
    PEAK_FMA_NEON,
    PEAK_READ_L1,
    PEAK_READ_L2_SMALL, /* what fills L2 to 3/8 at most: slower there than what fills half of it */
    PEAK_READ_L2,
    PEAK_READ_L3,
    PEAK_READ_MEMORY,
    PEAK_CLOCK, /* Hz, estimated from a chain of dependent integer additions */
    PEAK_ISSUE, /* instructions a second that need no unit: what the core can issue */
    PEAK_COUNT
};

const char *peak_name(enum peak peak);  /* "FMA avx512", "multiply-add scalar", "read L2" */
const char *peak_label(enum peak peak); /* short, for tables: "FMA", "multiply-add", "L2" */
const char *peak_unit(enum peak peak);  /* "GFLOP/s", "GB/s", "GHz", "G/s" */

/* Buffers for up to max_threads threads, which the read peaks need; without memory_too not the
 * largest, for PEAK_READ_MEMORY, which costs some 0.1 s. False: no memory. */
bool peaks_open(int max_threads, bool memory_too);
void peaks_close(void);

/* Whether this machine can run it. */
bool peak_possible(enum peak peak);

/* One sample on `threads` threads together: flop/s, byte/s or Hz; NaN when it was disturbed, again
 * and again. */
double peak_measure(enum peak peak, int threads);

/* One brief sample on the calling thread, some 25 us, of a rate that needs no memory beyond the
 * core's: a look at the machine's state, whatever disturbed it. */
double peak_glance(enum peak peak);
/* PEAK_CLOCK in some 6 us. */
double peak_clock_now(void);

/* The memory level in which a working set of that size lives. */
enum peak peak_level(double working_set_bytes, int threads);

#endif
