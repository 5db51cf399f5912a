/* timer.h - reading the clock, pinning, and what may have disturbed a sample.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_TIMER_H
#define MMK_BENCH_TIMER_H

#include <stdbool.h>
#include <stdint.h>

/* Seconds of the monotonic clock. */
double timer_now(void);

enum disturbance { UNDISTURBED, DISTURBED_SWITCH, DISTURBED_MIGRATION, DISTURBED_STEAL };
enum { DISTURBANCE_COUNT = 4 };

const char *disturbance_name(enum disturbance disturbance);

/* A sample in progress. */
struct sample {
    double start;
    double cpu_start; /* CPU time of the calling thread */
    long switches;    /* involuntary context switches so far */
    int cpu;
    uint64_t steal; /* ticks the hypervisor has taken so far */
    int threads;    /* with one, migration and lost CPU time can be told */
};

/* Takes the state of things, and then the time. */
void sample_begin(struct sample *sample, int threads);

/* Returns the seconds since sample_begin, and what disturbed them. A sample below 1 ms is void on
 * any context switch, migration or tick of steal. In a longer one a switch is likely to come, and
 * does not matter where less than 1 % of the time was lost; with several threads, where there were
 * not many. */
double sample_end(const struct sample *sample, enum disturbance *disturbance);

/* The same for calls that another process made and timed meanwhile: what it says of itself, and
 * what was stolen from all. Of several threads only that: some libraries' workers make way for each
 * other all the time. */
enum disturbance sample_end_elsewhere(const struct sample *sample, double seconds,
                                      double cpu_seconds, long switches);

/* Waits, not for long, until no thread of this process is busy: those of a library spin for a while
 * after its last call, and would take the CPU from what is timed next. */
void timer_wait_for_idle_threads(void);

/* Keeps the calling thread on the CPU it is on; timer_unpin gives the former mask back. */
bool timer_pin(void);
void timer_unpin(void);

/* CPUs that this process may use. */
int timer_cpus(void);

#endif
