/* health.c - what of this machine makes timings worse, and what to do.
 * SPDX-License-Identifier: MIT
 */
#include "health.h"

#include "../base/stats.h"
#include "mood.h"
#include "timer.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { READINGS = 300 };

struct list {
    struct finding *findings;
    size_t count;
};

/* "" where the system has no such file. */
static void read_line(const char *path, char *line, size_t bytes)
{
    FILE *file = fopen(path, "r");
    line[0] = '\0';
    if (!file)
        return;
    if (fgets(line, (int)bytes, file))
        line[strcspn(line, "\n")] = '\0';
    else
        line[0] = '\0';
    fclose(file);
}

void health_chosen(const char *line, char *word, size_t bytes)
{
    const char *from = strchr(line, '['), *to = from ? strchr(from, ']') : NULL;
    snprintf(word, bytes, "%.*s", to ? (int)(to - from - 1) : 0, to ? from + 1 : "");
}

static void __attribute__((format(printf, 5, 6)))
add(struct list *l, const char *what, bool doubt, const char *remedy, const char *format, ...)
{
    if (l->count == MOST_FINDINGS)
        return;
    struct finding *f = &l->findings[l->count++];
    va_list list;
    va_start(list, format);
    vsnprintf(f->found, sizeof f->found, format, list);
    va_end(list);
    snprintf(f->what, sizeof f->what, "%s", what);
    f->doubt = doubt;
    snprintf(f->remedy, sizeof f->remedy, "%s", doubt ? remedy : "");
}

static void look_at_settings(struct list *l, const struct machine *m)
{
    char line[128], word[32];
    bool virtual_machine = strcmp(m->hypervisor, "none") != 0;
    add(l, "hypervisor", virtual_machine,
        "times are those of a machine that is shared; the canaries below tell when it was not",
        "%s", m->hypervisor);
    add(l, "counters", strcmp(m->counters, "available") != 0,
        "instructions a clock are not shown; sysctl kernel.perf_event_paranoid=1, or another host",
        "%s", m->counters);
    bool known = strcmp(m->governor, "unknown") != 0;
    add(l, "governor", known && strcmp(m->governor, "performance") != 0,
        "cpupower frequency-set -g performance", "%s",
        known ? m->governor : "not told: the host sets the clock");
    read_line("/sys/devices/system/cpu/cpufreq/boost", line, sizeof line);
    if (line[0] == '\0') {
        read_line("/sys/devices/system/cpu/intel_pstate/no_turbo", line, sizeof line);
        if (line[0] != '\0')
            line[0] = line[0] == '0' ? '1' : '0';
    }
    add(l, "boost", line[0] == '1',
        "the clock depends on what other cores do; echo 0 > /sys/devices/system/cpu/cpufreq/boost "
        "holds it",
        "%s",
        line[0] == '1'   ? "on"
        : line[0] == '0' ? "off"
                         : "not told");
    read_line("/sys/devices/system/cpu/smt/active", line, sizeof line);
    add(l, "hardware threads", line[0] == '1',
        "a neighbour on a core takes a third of it; echo off > /sys/devices/system/cpu/smt/control",
        "%s",
        line[0] == '1'   ? "several a core"
        : line[0] == '0' ? virtual_machine ? "one a core, as far as the guest sees" : "one a core"
                         : "not told");
    read_line("/sys/kernel/mm/transparent_hugepage/enabled", line, sizeof line);
    health_chosen(line, word, sizeof word);
    add(l, "large pages", strcmp(word, "never") == 0,
        "large inputs stand on small pages; echo madvise > "
        "/sys/kernel/mm/transparent_hugepage/enabled",
        "%s", word[0] ? word : "not told");
    add(l, "caches", !m->caches_known,
        "a size is assumed, and percentages of cache rates may be of another level",
        "L1 %zu KB, L2 %zu KB, L3 %zu MB%s", m->l1d >> 10, m->l2 >> 10, m->l3 >> 20,
        m->caches_known ? "" : ", not all told by the system");
}

static void look_at_load(struct list *l, const struct machine *m)
{
    double load[1] = {0.0};
    if (getloadavg(load, 1) == 1)
        add(l, "load", load[0] > 0.5, "something else runs; end it, or wait",
            "%.2f on %d CPUs in the last minute", load[0], m->cpus);
    if (m->cpus == 1)
        add(l, "CPUs", true, "whatever else runs takes the CPU that is timed; allow a second one",
            "1");
}

/* Clock, neighbours and stolen time, from the canaries of a second. */
static void look_at_core(struct list *l)
{
    static struct canaries readings[READINGS];
    const struct timespec pause = {.tv_nsec = 3000000};
    struct mood_best best = {.rate = {0}};
    double clocks[READINGS];
    size_t voided = 0, moods[3] = {0, 0, 0};
    timer_pin();
    for (size_t i = 0; i < READINGS; i++) {
        struct sample sample;
        enum disturbance disturbance;
        canaries_read(&readings[i]); /* the core wakes up */
        sample_begin(&sample, 1);
        canaries_read(&readings[i]);
        sample_end(&sample, &disturbance);
        voided += disturbance == DISTURBED_STEAL;
        clocks[i] = readings[i].rate[0];
        nanosleep(&pause, NULL);
    }
    timer_unpin();
    mood_learn(&best, readings, READINGS);
    for (size_t i = 0; i < READINGS; i++)
        moods[mood_of(&readings[i], &best)]++;
    struct estimate clock = stats_estimate(clocks, READINGS);
    if (!(best.rate[0] > 0.0)) {
        add(l, "clock", true, "the look was interrupted all the time; end what else runs",
            "not told");
        return;
    }
    double most = best.rate[0] / 1e9, percent = 100.0 * (clock.median / best.rate[0] - 1.0);
    add(l, "clock", percent < -2.0, "it is not steady; times move with it, ratios hardly",
        "%.2f GHz, %.1f %% below the %.2f it reaches", clock.median / 1e9, fabs(percent), most);
    add(l, "stolen time", voided > READINGS / 100,
        "the hypervisor gives the CPU to others; choose another host or hour",
        "in %.1f %% of looks", 100.0 * (double)voided / READINGS);
    double quiet = 100.0 * (double)moods[MOOD_QUIET] / READINGS;
    add(l, "neighbours", quiet < 70.0,
        "somebody is on the same core; runs wait for quiet rounds, and take longer",
        "none in %.0f %% of looks", quiet);
}

size_t health_look(const struct machine *machine, struct finding findings[MOST_FINDINGS])
{
    struct list list = {.findings = findings};
    look_at_settings(&list, machine);
    look_at_load(&list, machine);
    look_at_core(&list);
    return list.count;
}
