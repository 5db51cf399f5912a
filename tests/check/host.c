/* host.c - on what a run was made, and whether that was a real CPU.
 * SPDX-License-Identifier: MIT
 */
#include "host.h"

#include "../../bench/machine/identity.h"
#include "../../kernels/isa/decode.h"
#include "../../kernels/isa/machine.h"
#include "../../kernels/mmk.h"

#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

const char *host_kind_name(enum host_kind kind)
{
    static const char *const names[] = {"native", "emulated", "unknown"};
    return names[kind];
}

static bool read_link(const char *path, char *text, size_t bytes)
{
    ssize_t length = readlink(path, text, bytes - 1);
    text[length > 0 ? length : 0] = '\0';
    return length > 0;
}

/* Whether a line of /proc/cpuinfo that begins with key holds the word. */
static bool has_word(const char *line, const char *key, const char *word)
{
    size_t length = strlen(word);
    if (strncmp(line, key, strlen(key)) != 0)
        return false;
    for (const char *at = line; (at = strstr(at, word)) != NULL; at += length)
        if (at[-1] == ' ' && strchr(" \n", at[length]))
            return true;
    return false;
}

/* What the kernel says of its first CPU. */
struct kernel_view {
    bool there, of_x86, of_arm;
    bool has[MMK_ISA_COUNT];
};

static void read_cpuinfo(struct kernel_view *view)
{
    *view = (struct kernel_view){.has[MMK_ISA_SCALAR] = true};
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[8192];
    while (file && fgets(line, sizeof line, file) && line[0] != '\n') {
        view->there = true;
        view->of_x86 = view->of_x86 || strncmp(line, "vendor_id", 9) == 0;
        view->of_arm = view->of_arm || strncmp(line, "CPU implementer", 15) == 0;
        if (has_word(line, "flags", "avx2"))
            view->has[MMK_ISA_AVX2] = true;
        if (has_word(line, "flags", "avx512f"))
            view->has[MMK_ISA_AVX512] = true;
        if (has_word(line, "Features", "asimd"))
            view->has[MMK_ISA_NEON] = true;
    }
    if (file)
        fclose(file);
}

/* An emulator or translator that gives its name where hypervisors do. */
static bool is_emulator(const char *hypervisor)
{
    return strncmp(hypervisor, "TCG", 3) == 0 || strncmp(hypervisor, "FEX", 3) == 0;
}

static void find_kind(struct host *host)
{
    char ours[4096], kernels[4096], path[64];
    struct kernel_view view;
    struct isa_machine machine;
    isa_describe_machine(&machine);
    read_cpuinfo(&view);
    /* Emulators answer for /proc/self/exe themselves, but leave its other names to the kernel. */
    snprintf(path, sizeof path, "/proc/self/task/%ld/exe", (long)syscall(SYS_gettid));
    host->kind = HOST_EMULATED;
    if (!read_link("/proc/self/exe", ours, sizeof ours) ||
        !read_link(path, kernels, sizeof kernels) || !view.there) {
        host->kind = HOST_UNKNOWN;
        snprintf(host->evidence, sizeof host->evidence, "there is no /proc to ask");
        return;
    }
    if (strcmp(ours, kernels) != 0) {
        snprintf(host->evidence, sizeof host->evidence, "the kernel runs %.250s", kernels);
        return;
    }
    if (is_emulator(machine.hypervisor)) {
        snprintf(host->evidence, sizeof host->evidence, "CPUID says %s", machine.hypervisor);
        return;
    }
#if defined(__x86_64__)
    bool foreign = !view.of_x86 || strstr(machine.brand, "VirtualApple");
#elif defined(__aarch64__)
    bool foreign = view.of_x86 || !view.of_arm;
#else
    bool foreign = view.of_x86 || view.of_arm;
#endif
    if (foreign) {
        snprintf(host->evidence, sizeof host->evidence,
                 "the kernel's CPU is of another architecture");
        return;
    }
    for (unsigned isa = 0; isa < MMK_ISA_COUNT; isa++)
        if (isa_machine_set() >> isa & 1 && !view.has[isa]) {
            snprintf(host->evidence, sizeof host->evidence,
                     "%s can be used, and the kernel's CPU lacks it",
                     mmk_isa_name((enum mmk_isa)isa));
            return;
        }
    host->kind = HOST_NATIVE;
    snprintf(host->evidence, sizeof host->evidence,
             "program and CPU are those that the kernel knows");
}

void host_find(struct host *host, bool told_emulated)
{
#if defined(__x86_64__)
    snprintf(host->architecture, sizeof host->architecture, "x86_64");
#elif defined(__aarch64__)
    snprintf(host->architecture, sizeof host->architecture, "aarch64");
#else
    struct utsname system;
    snprintf(host->architecture, sizeof host->architecture, "%.31s",
             uname(&system) == 0 ? system.machine : "unknown");
#endif
    identity_cpu(host->cpu, sizeof host->cpu);
    identity_commit(host->commit, sizeof host->commit);
    if (told_emulated) {
        host->kind = HOST_EMULATED;
        snprintf(host->evidence, sizeof host->evidence, "--emulated");
    } else {
        find_kind(host);
    }
}
