/* timer.c - reading the clock, pinning, and what may have disturbed a sample.
 * SPDX-License-Identifier: MIT
 */
#include "timer.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* Of a thread on a quiet machine at most; a busy one takes it off its CPU every few
 * milliseconds. */
#define SWITCHES_PER_SECOND 30.0

static cpu_set_t original_mask;
static bool mask_known;

static double read_clock(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double timer_now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

const char *disturbance_name(enum disturbance disturbance)
{
    static const char *const names[DISTURBANCE_COUNT] = {"undisturbed", "context switch",
                                                         "migration", "steal"};
    return names[disturbance];
}

/* Steal ticks of all CPUs: the eighth number of the first line of /proc/stat; 0 where unknown. */
static uint64_t read_steal(void)
{
    static int fd = -2;
    if (fd == -2)
        fd = open("/proc/stat", O_RDONLY | O_CLOEXEC);
    char line[256];
    ssize_t got = fd >= 0 ? pread(fd, line, sizeof line - 1, 0) : -1;
    if (got <= 0)
        return 0;
    line[got] = '\0';
    unsigned long long v[8] = {0};
    if (sscanf(line, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &v[0], &v[1], &v[2], &v[3],
               &v[4], &v[5], &v[6], &v[7]) != 8)
        return 0;
    return v[7];
}

static long read_switches(int threads)
{
    struct rusage usage;
    getrusage(threads == 1 ? RUSAGE_THREAD : RUSAGE_SELF, &usage);
    return usage.ru_nivcsw;
}

void sample_begin(struct sample *sample, int threads)
{
    sample->threads = threads;
    sample->steal = read_steal();
    sample->switches = read_switches(threads);
    sample->cpu = sched_getcpu();
    sample->cpu_start = read_clock(CLOCK_THREAD_CPUTIME_ID);
    sample->start = timer_now();
}

static double stolen_since(const struct sample *sample)
{
    return (double)(read_steal() - sample->steal) / (double)sysconf(_SC_CLK_TCK);
}

/* lost: seconds that the thread was not running. */
static enum disturbance judge(int threads, double seconds, double lost, bool migrated,
                              long switches, double stolen)
{
    const double serious = 0.01 * seconds;
    bool brief = seconds < 1e-3, single = threads == 1, switched;
    if (brief)
        switched = switches > 0;
    else if (single)
        switched = switches > 0 && lost > serious;
    else
        switched = (double)switches > 0.5 + SWITCHES_PER_SECOND * threads * seconds;

    if (single && migrated)
        return DISTURBED_MIGRATION;
    if (switched)
        return DISTURBED_SWITCH;
    return stolen > (brief ? 0.0 : serious) ? DISTURBED_STEAL : UNDISTURBED;
}

double sample_end(const struct sample *sample, enum disturbance *disturbance)
{
    double seconds = timer_now() - sample->start;
    double lost = seconds - (read_clock(CLOCK_THREAD_CPUTIME_ID) - sample->cpu_start);
    bool migrated = sched_getcpu() != sample->cpu;
    long switches = read_switches(sample->threads) - sample->switches;
    *disturbance = judge(sample->threads, seconds, lost, migrated, switches, stolen_since(sample));
    return seconds;
}

enum disturbance sample_end_elsewhere(const struct sample *sample, double seconds,
                                      double cpu_seconds, long switches)
{
    bool single = sample->threads == 1;
    return judge(sample->threads, seconds, seconds - cpu_seconds, false, single ? switches : 0,
                 stolen_since(sample));
}

void timer_wait_for_idle_threads(void)
{
    const struct timespec pause = {.tv_nsec = 2000000};
    const double idle = 0.5e-3, longest = 0.2;
    double start = timer_now(), before;
    do {
        before = read_clock(CLOCK_PROCESS_CPUTIME_ID);
        nanosleep(&pause, NULL);
    } while (read_clock(CLOCK_PROCESS_CPUTIME_ID) - before > idle && timer_now() - start < longest);
}

bool timer_pin(void)
{
    if (!mask_known)
        mask_known = sched_getaffinity(0, sizeof original_mask, &original_mask) == 0;
    int cpu = sched_getcpu();
    if (cpu < 0 || !mask_known)
        return false;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)cpu, &one);
    return sched_setaffinity(0, sizeof one, &one) == 0;
}

void timer_unpin(void)
{
    if (mask_known)
        sched_setaffinity(0, sizeof original_mask, &original_mask);
}

int timer_cpus(void)
{
    cpu_set_t mask;
    if (mask_known)
        return CPU_COUNT(&original_mask);
    return sched_getaffinity(0, sizeof mask, &mask) == 0 ? CPU_COUNT(&mask) : 1;
}
