/* machine.c - what a run was made on.
 * SPDX-License-Identifier: MIT
 */
#include "machine.h"

#include "../../kernels/isa/machine.h"
#include "../../kernels/mmk.h"
#include "caches.h"
#include "counters.h"
#include "identity.h"
#include "timer.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

static void read_first_line(const char *path, char *text, size_t bytes)
{
    snprintf(text, bytes, "unknown");
    FILE *file = fopen(path, "r");
    if (!file)
        return;
    char line[128];
    if (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0])
            snprintf(text, bytes, "%.30s", line);
    }
    fclose(file);
}

/* Lower case letters and digits, everything else one hyphen. */
static void make_slug(const char *text, char *slug, size_t bytes)
{
    size_t length = 0;
    for (; *text && length + 1 < bytes; text++) {
        if (isalnum((unsigned char)*text))
            slug[length++] = (char)tolower((unsigned char)*text);
        else if (length > 0 && slug[length - 1] != '-')
            slug[length++] = '-';
    }
    while (length > 0 && slug[length - 1] == '-')
        length--;
    slug[length] = '\0';
    if (length == 0)
        snprintf(slug, bytes, "unknown-cpu");
}

void machine_text_library(const struct machine *machine, char *text, size_t bytes)
{
    char numerics[16] = "unknown";
    if (machine->numerics > 0)
        snprintf(numerics, sizeof numerics, "%d", machine->numerics);
    snprintf(text, bytes, "%s, numerics %s", machine->library, numerics);
}

void machine_text_day(const struct machine *machine, char *text, size_t bytes)
{
    snprintf(text, bytes, "%s, %.10s", machine->cpu, machine->date);
}

void machine_describe(struct machine *machine)
{
    memset(machine, 0, sizeof *machine);
    struct isa_machine isa;
    isa_describe_machine(&isa);
    struct utsname system;
    bool named = uname(&system) == 0;
    snprintf(machine->architecture, sizeof machine->architecture, "%.15s",
             named ? system.machine : "unknown");
    if (named)
        snprintf(machine->system, sizeof machine->system, "%.40s %.80s", system.sysname,
                 system.release);
    else
        snprintf(machine->system, sizeof machine->system, "unknown");

    identity_cpu(machine->cpu, sizeof machine->cpu);
    make_slug(machine->cpu, machine->slug, sizeof machine->slug);
    snprintf(machine->extensions, sizeof machine->extensions, "%s", isa.extensions);
    snprintf(machine->hypervisor, sizeof machine->hypervisor, "%s", isa.hypervisor);
    machine->cpus = timer_cpus();

    const struct caches *caches = caches_get();
    machine->l1d = caches->l1d;
    machine->l2 = caches->l2;
    machine->l3 = caches->l3;
    machine->caches_known = caches->known;
    read_first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", machine->governor,
                    sizeof machine->governor);
    snprintf(machine->counters, sizeof machine->counters, "%s", counters_state());

#if defined(__clang__)
    snprintf(machine->compiler, sizeof machine->compiler, "clang %s", __clang_version__);
#elif defined(__GNUC__)
    snprintf(machine->compiler, sizeof machine->compiler, "gcc %s", __VERSION__);
#else
    snprintf(machine->compiler, sizeof machine->compiler, "unknown");
#endif
#if defined(MMK_BUILD_FLAGS)
    snprintf(machine->flags, sizeof machine->flags, "%s", MMK_BUILD_FLAGS);
#else
    snprintf(machine->flags, sizeof machine->flags, "unknown");
#endif
    snprintf(machine->library, sizeof machine->library, "%s", mmk_version());
    machine->numerics = mmk_numerics_version();
    identity_commit(machine->commit, sizeof machine->commit);
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(machine->date, sizeof machine->date, "%Y-%m-%dT%H:%M:%SZ", &utc);
}
