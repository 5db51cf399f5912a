/* counters.c - instructions a cycle from the hardware counters.
 * SPDX-License-Identifier: MIT
 */
#include "counters.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int cycles_fd = -1, instructions_fd = -1;
static bool tried;
static char state[64];

static int open_counter(uint64_t event, int group)
{
    struct perf_event_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.size = sizeof attr;
    attr.type = PERF_TYPE_HARDWARE;
    attr.config = event;
    attr.disabled = group < 0;
    attr.exclude_kernel = 1;
    attr.exclude_hv = 1;
    return (int)syscall(SYS_perf_event_open, &attr, 0, -1, group, 0);
}

static void open_counters(void)
{
    if (tried)
        return;
    tried = true;
    cycles_fd = open_counter(PERF_COUNT_HW_CPU_CYCLES, -1);
    if (cycles_fd < 0) {
        snprintf(state, sizeof state, "not available (%.40s)", strerror(errno));
        return;
    }
    instructions_fd = open_counter(PERF_COUNT_HW_INSTRUCTIONS, cycles_fd);
    if (instructions_fd < 0) {
        snprintf(state, sizeof state, "not available (%.40s)", strerror(errno));
        close(cycles_fd);
        cycles_fd = -1;
        return;
    }
    snprintf(state, sizeof state, "available");
}

const char *counters_state(void)
{
    open_counters();
    return state;
}

void counters_start(void)
{
    open_counters();
    if (cycles_fd < 0)
        return;
    ioctl(cycles_fd, PERF_EVENT_IOC_RESET, PERF_IOC_FLAG_GROUP);
    ioctl(cycles_fd, PERF_EVENT_IOC_ENABLE, PERF_IOC_FLAG_GROUP);
}

double counters_stop(void)
{
    if (cycles_fd < 0)
        return 0.0;
    ioctl(cycles_fd, PERF_EVENT_IOC_DISABLE, PERF_IOC_FLAG_GROUP);
    uint64_t cycles = 0, instructions = 0;
    if (read(cycles_fd, &cycles, sizeof cycles) != (ssize_t)sizeof cycles ||
        read(instructions_fd, &instructions, sizeof instructions) != (ssize_t)sizeof instructions ||
        cycles == 0)
        return 0.0;
    return (double)instructions / (double)cycles;
}
