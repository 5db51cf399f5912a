/* timer.h - reading the clock, pinning, and what may have disturbed a sample.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_TIMER_H
#define MMK_BENCH_TIMER_H

#include <stdbool.h>
#include <stddef.h>
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
    uint64_t steal; /* ticks the hypervisor has taken so far: of that CPU, or with threads of all */
    int threads;    /* with one, migration and lost CPU time can be told */
};

/* Takes the state of things, and then the time. */
void sample_begin(struct sample *sample, int threads);

/* Returns the seconds since sample_begin, and what disturbed them, in this order:
 *
 *               one thread                            several threads
 *   migration   to another CPU                        not looked for
 *   switches    any, where more than 1 % of the       more than 30 a second and thread, rounded
 *               time was lost
 *   steal       from its CPU more than 1 %            from all CPUs together more than 1 %
 *
 * In a sample below 1 ms any involuntary context switch, and any tick of steal, is too much. A tick
 * is 10 ms on most machines: then a single one is more than 1 % of all samples below a second. */
double sample_end(const struct sample *sample, enum disturbance *disturbance);

/* The same for calls that another process made and timed meanwhile, with one thread on the CPU of
 * the caller: what it says of itself, and steal as above. Of several threads only the steal: some
 * libraries' workers make way for each other all the time. */
enum disturbance sample_end_elsewhere(const struct sample *sample, double seconds,
                                      double cpu_seconds, long switches);

/* Waits, not for long, until no thread of this process is busy: those of a library spin for a while
 * after its last call, and would take the CPU from what is timed next. */
void timer_wait_for_idle_threads(void);

/* Keeps the calling thread on the CPU it is on, or on one that this process may use; timer_unpin
 * gives the former mask back. False: it stays as it was. */
bool timer_pin(void);
bool timer_pin_to(int cpu);
void timer_unpin(void);

/* CPUs that this process may use. */
int timer_cpus(void);

/* Of the CPUs that this process may use the one that was busy for the fewest ticks while this
 * thread slept for 60 ms. -1: it cannot be known. */
int timer_idlest_cpu(void);

/* What a CPU did since the start of the system. */
struct cpu_ticks {
    uint64_t busy; /* all but idle and waiting for I/O */
    uint64_t steal;
};

/* From the text of /proc/stat; cpu -1: of all together. False: there is no such line, or not all of
 * it. */
bool timer_parse_ticks(const char *stat, int cpu, struct cpu_ticks *ticks);

/* Stolen ticks that a sample of so many threads, the first of them on that CPU, has to do with: of
 * the CPU, or with several threads of all. 0 where unknown. */
uint64_t timer_stolen(const char *stat, int threads, int cpu);

/* Of `count` CPUs the one that was busy for the fewest ticks between two texts of /proc/stat; of
 * equals the one from which fewer were stolen, then any, by chance. -1: none is known. */
int timer_idlest_between(const char *before, const char *after, const int *cpus, size_t count,
                         uint64_t *random);

#endif
