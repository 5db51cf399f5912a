/* timer.c - reading the clock, pinning, and what may have disturbed a sample.
 * SPDX-License-Identifier: MIT
 */
#include "timer.h"

#include "../base/stats.h"

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

bool timer_parse_ticks(const char *stat, int cpu, struct cpu_ticks *ticks)
{
    enum { IDLE = 3, WAITING = 4, FIELDS = 8 }; /* the last one is steal */
    char name[24];
    if (cpu < 0)
        snprintf(name, sizeof name, "cpu ");
    else
        snprintf(name, sizeof name, "cpu%d ", cpu);
    const char *line = stat;
    while (line && strncmp(line, name, strlen(name)) != 0) {
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    if (!line)
        return false;
    const char *at = line + strlen(name);
    *ticks = (struct cpu_ticks){0, 0};
    for (int f = 0; f < FIELDS; f++) {
        char *end;
        at += strspn(at, " ");
        if (*at < '0' || *at > '9')
            return false;
        uint64_t value = strtoull(at, &end, 10);
        if (*end == '\0') /* cut off, in the middle of a number for all that is known */
            return false;
        at = end;
        ticks->busy += f == IDLE || f == WAITING ? 0 : value;
        ticks->steal = value;
    }
    return true;
}

enum { STAT_BYTES = 1 << 18, LINE_BYTES = 128 }; /* a line: what Linux reckons with, too */

/* The start of /proc/stat, in which the line of that CPU is; "" where it cannot be read. */
static void read_stat(int cpu, char *text)
{
    static int fd = -2;
    if (fd == -2)
        fd = open("/proc/stat", O_RDONLY | O_CLOEXEC);
    size_t wanted = (size_t)(cpu + 3) * LINE_BYTES;
    ssize_t got = fd >= 0 ? pread(fd, text, wanted < STAT_BYTES ? wanted : STAT_BYTES - 1, 0) : -1;
    text[got > 0 ? got : 0] = '\0';
}

/* Several threads may be on any CPU: -1 is the line of all. */
static int steal_line(int threads, int cpu)
{
    return threads == 1 ? cpu : -1;
}

uint64_t timer_stolen(const char *stat, int threads, int cpu)
{
    struct cpu_ticks ticks;
    return timer_parse_ticks(stat, steal_line(threads, cpu), &ticks) ? ticks.steal : 0;
}

static uint64_t read_steal(int threads, int cpu)
{
    static char text[STAT_BYTES];
    read_stat(steal_line(threads, cpu), text);
    return timer_stolen(text, threads, cpu);
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
    sample->cpu = sched_getcpu();
    sample->steal = read_steal(threads, sample->cpu);
    sample->switches = read_switches(threads);
    sample->cpu_start = read_clock(CLOCK_THREAD_CPUTIME_ID);
    sample->start = timer_now();
}

static double stolen_since(const struct sample *sample)
{
    uint64_t now = read_steal(sample->threads, sample->cpu);
    return now > sample->steal ? (double)(now - sample->steal) / (double)sysconf(_SC_CLK_TCK) : 0.0;
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

bool timer_pin_to(int cpu)
{
    if (!mask_known)
        mask_known = sched_getaffinity(0, sizeof original_mask, &original_mask) == 0;
    if (!mask_known || cpu < 0 || cpu >= CPU_SETSIZE || !CPU_ISSET((size_t)cpu, &original_mask))
        return false;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)cpu, &one);
    return sched_setaffinity(0, sizeof one, &one) == 0;
}

bool timer_pin(void)
{
    return timer_pin_to(sched_getcpu());
}

void timer_unpin(void)
{
    if (mask_known)
        sched_setaffinity(0, sizeof original_mask, &original_mask);
}

/* The CPUs that this process may use; false: unknown. */
static bool allowed_cpus(cpu_set_t *mask)
{
    if (mask_known)
        *mask = original_mask;
    return mask_known || sched_getaffinity(0, sizeof *mask, mask) == 0;
}

int timer_cpus(void)
{
    cpu_set_t mask;
    return allowed_cpus(&mask) ? CPU_COUNT(&mask) : 1;
}

int timer_idlest_between(const char *before, const char *after, const int *cpus, size_t count,
                         uint64_t *random)
{
    int idlest = -1;
    struct cpu_ticks least = {0, 0};
    uint64_t equals = 0;
    for (size_t i = 0; i < count; i++) {
        struct cpu_ticks then, now;
        if (!timer_parse_ticks(before, cpus[i], &then) || !timer_parse_ticks(after, cpus[i], &now))
            continue;
        now.busy -= then.busy;
        now.steal -= then.steal;
        bool same = idlest >= 0 && now.busy == least.busy && now.steal == least.steal;
        bool less = idlest < 0 || now.busy < least.busy ||
                    (now.busy == least.busy && now.steal < least.steal);
        equals = less ? 1 : equals + same;
        if (less || (same && stats_random(random) % equals == 0)) {
            idlest = cpus[i];
            least = now;
        }
    }
    return idlest;
}

int timer_idlest_cpu(void)
{
    static char before[STAT_BYTES], after[STAT_BYTES];
    const struct timespec look = {.tv_nsec = 60000000};
    int cpus[CPU_SETSIZE];
    size_t count = 0;
    cpu_set_t mask;
    if (!allowed_cpus(&mask))
        return -1;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET((size_t)cpu, &mask))
            cpus[count++] = cpu;
    read_stat(CPU_SETSIZE, before);
    nanosleep(&look, NULL);
    read_stat(CPU_SETSIZE, after);
    uint64_t random = (uint64_t)(timer_now() * 1e9) ^ (uint64_t)getpid() << 32;
    return timer_idlest_between(before, after, cpus, count, &random);
}
