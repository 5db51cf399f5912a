/* machine.c - asks the machine what it can do and what it is: CPUID, XCR0, HWCAP, sysfs.
 * SPDX-License-Identifier: MIT
 *
 * CPUID goes through libcpuid's cpu_exec_cpuid_ext. Not used from libcpuid: its feature flags and
 * microarchitecture names (0.6.2 takes a Zen 5 for an "Athlon X2"), and cpuid_get_all_raw_data,
 * which leaves the thread pinned to one core.
 */
#include "machine.h"

#include "decode.h"
#include "dpbf16.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <libcpuid/libcpuid.h>
#elif defined(__linux__)
#include <sys/auxv.h>
#endif

#if defined(__aarch64__)
#include <asm/hwcap.h>
#endif

#if defined(__x86_64__)

static void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t registers[4])
{
    registers[CPUID_EAX] = leaf;
    registers[CPUID_EBX] = 0;
    registers[CPUID_ECX] = subleaf;
    registers[CPUID_EDX] = 0;
    cpu_exec_cpuid_ext(registers);
}

static uint64_t read_xcr0(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

void isa_read_leaves(struct isa_leaves *leaves)
{
    memset(leaves, 0, sizeof *leaves);
    cpuid(0, 0, leaves->leaf0);
    if (leaves->leaf0[CPUID_EAX] >= 1)
        cpuid(1, 0, leaves->leaf1);
    if (leaves->leaf0[CPUID_EAX] >= 7)
        cpuid(7, 0, leaves->leaf7_0);
    if (leaves->leaf7_0[CPUID_EAX] >= 1)
        cpuid(7, 1, leaves->leaf7_1);
    if (leaves->leaf1[CPUID_ECX] >> 27 & 1)
        leaves->xcr0 = read_xcr0();
}

static unsigned find_set(void)
{
    struct isa_leaves leaves;
    isa_read_leaves(&leaves);
    unsigned set = isa_decode(&leaves);
    if (set & ISA_BIT_AVX512_BF16 && !isa_dpbf16_is_as_defined(isa_dpbf16_instruction))
        set |= ISA_BIT_BF16_OTHERWISE;
    return set;
}

/* 12 characters of a leaf's registers; order says which register comes when. */
static void copy_registers(char *to, const uint32_t registers[4], const int *order, int count)
{
    for (int i = 0; i < count; i++)
        memcpy(to + 4 * i, &registers[order[i]], 4);
    to[4 * count] = '\0';
}

static void trim(char *text)
{
    size_t first = strspn(text, " "), length = strlen(text + first);
    memmove(text, text + first, length + 1);
    while (length > 0 && text[length - 1] == ' ')
        text[--length] = '\0';
}

static void describe_caches(struct isa_machine *machine, uint32_t leaf)
{
    for (uint32_t subleaf = 0; subleaf < 16; subleaf++) {
        uint32_t r[4];
        cpuid(leaf, subleaf, r);
        unsigned type = r[CPUID_EAX] & 31, level = r[CPUID_EAX] >> 5 & 7;
        if (type == 0)
            break;
        if (type == 2) /* instructions */
            continue;
        size_t line = (r[CPUID_EBX] & 0xfff) + 1, partitions = (r[CPUID_EBX] >> 12 & 0x3ff) + 1;
        size_t ways = (r[CPUID_EBX] >> 22) + 1, sets = (size_t)r[CPUID_ECX] + 1;
        size_t bytes = line * partitions * ways * sets;
        if (level == 1) {
            machine->l1d_bytes = bytes;
            machine->line_bytes = line;
        } else if (level == 2) {
            machine->l2_bytes = bytes;
        } else if (level == 3) {
            machine->l3_bytes = bytes;
        }
    }
}

/* AMD's older leaves, which stay where a hypervisor hides the others. They have the L3 of a whole
 * package, which is not what one core can have of it: left unknown. */
static void describe_amd_caches(struct isa_machine *machine)
{
    uint32_t r[4];
    cpuid(0x80000005, 0, r);
    machine->l1d_bytes = (size_t)(r[CPUID_ECX] >> 24) << 10;
    machine->line_bytes = r[CPUID_ECX] & 255;
    cpuid(0x80000006, 0, r);
    machine->l2_bytes = (size_t)(r[CPUID_ECX] >> 16) << 10;
}

static void describe_cpu(struct isa_machine *machine)
{
    static const int vendor_order[] = {CPUID_EBX, CPUID_EDX, CPUID_ECX};
    static const int straight[] = {CPUID_EAX, CPUID_EBX, CPUID_ECX, CPUID_EDX};
    uint32_t r[4], highest, highest_extended;

    cpuid(0, 0, r);
    highest = r[CPUID_EAX];
    copy_registers(machine->vendor, r, vendor_order, 3);

    cpuid(1, 0, r);
    uint32_t signature = r[CPUID_EAX], base_family = signature >> 8 & 15;
    machine->stepping = signature & 15;
    machine->model = signature >> 4 & 15;
    machine->family = base_family;
    if (base_family == 15)
        machine->family += signature >> 20 & 255;
    if (base_family == 15 || base_family == 6)
        machine->model |= (signature >> 16 & 15) << 4;
    if (r[CPUID_ECX] >> 31) {
        cpuid(0x40000000, 0, r);
        copy_registers(machine->hypervisor, r, straight + 1, 3);
        trim(machine->hypervisor);
        if (machine->hypervisor[0] == '\0')
            strcpy(machine->hypervisor, "unnamed");
    } else {
        strcpy(machine->hypervisor, "none");
    }

    cpuid(0x80000000, 0, r);
    highest_extended = r[CPUID_EAX];
    if (highest_extended >= 0x80000004 && highest_extended < 0x80010000) {
        for (uint32_t i = 0; i < 3; i++) {
            cpuid(0x80000002 + i, 0, r);
            copy_registers(machine->brand + 16 * i, r, straight, 4);
        }
        trim(machine->brand);
        if (machine->brand[0] == '\0')
            strcpy(machine->brand, "unknown");
    }

    /* AMD's leaf has the layout of Intel's; it is there when TOPOEXT (0x80000001 ECX bit 22) is. */
    bool amd_caches = false;
    if (highest_extended >= 0x8000001d && highest_extended < 0x80010000) {
        cpuid(0x80000001, 0, r);
        amd_caches = r[CPUID_ECX] >> 22 & 1;
    }
    if (amd_caches)
        describe_caches(machine, 0x8000001d);
    else if (strcmp(machine->vendor, "AuthenticAMD") == 0 && highest_extended >= 0x80000006)
        describe_amd_caches(machine);
    else if (highest >= 4)
        describe_caches(machine, 4);
}

#elif defined(__aarch64__) && defined(__linux__)

static unsigned find_set(void)
{
    unsigned long has = getauxval(AT_HWCAP);
    if (!(has & HWCAP_ASIMD))
        return ISA_BIT_SCALAR;
    return ISA_BIT_SCALAR | ISA_BIT_NEON | (has & HWCAP_ASIMDDP ? ISA_BIT_DOTPROD : 0);
}

/* One line of a small text file, "" when there is none. */
static void read_line(const char *path, char *line, size_t size)
{
    line[0] = '\0';
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return;
    if (fgets(line, (int)size, file) == NULL)
        line[0] = '\0';
    fclose(file);
    line[strcspn(line, "\n")] = '\0';
}

static void describe_caches(struct isa_machine *machine)
{
    for (int index = 0; index < 8; index++) {
        char path[96], level[16], type[32], size[32];
        const char *folder = "/sys/devices/system/cpu/cpu0/cache/index";
        snprintf(path, sizeof path, "%s%d/level", folder, index);
        read_line(path, level, sizeof level);
        snprintf(path, sizeof path, "%s%d/type", folder, index);
        read_line(path, type, sizeof type);
        snprintf(path, sizeof path, "%s%d/size", folder, index);
        read_line(path, size, sizeof size);
        if (level[0] == '\0' || strcmp(type, "Instruction") == 0)
            continue;
        char *unit;
        size_t bytes = strtoul(size, &unit, 10);
        bytes *= *unit == 'K' ? 1024u : *unit == 'M' ? 1024u * 1024u : 1u;
        if (level[0] == '1')
            machine->l1d_bytes = bytes;
        else if (level[0] == '2')
            machine->l2_bytes = bytes;
        else if (level[0] == '3')
            machine->l3_bytes = bytes;
        snprintf(path, sizeof path, "%s%d/coherency_line_size", folder, index);
        read_line(path, size, sizeof size);
        if (size[0] != '\0')
            machine->line_bytes = strtoul(size, NULL, 10);
    }
}

/* ARM has no brand string: the core is the implementer and part number in MIDR_EL1. */
static void describe_cpu(struct isa_machine *machine)
{
    static const struct {
        unsigned implementer, part;
        const char *name;
    } cores[] = {
        {0x41, 0xd03, "Cortex-A53"},        {0x41, 0xd08, "Cortex-A72"},
        {0x41, 0xd0b, "Cortex-A76"},        {0x41, 0xd0c, "Neoverse N1"},
        {0x41, 0xd40, "Neoverse V1"},       {0x41, 0xd49, "Neoverse N2"},
        {0x41, 0xd4f, "Neoverse V2"},       {0xc0, 0xac3, "Ampere-1"},
        {0x61, 0x022, "Apple M1 Icestorm"}, {0x61, 0x023, "Apple M1 Firestorm"},
    };
    char text[32];
    read_line("/sys/devices/system/cpu/cpu0/regs/identification/midr_el1", text, sizeof text);
    if (text[0] != '\0') {
        unsigned long midr = strtoul(text, NULL, 16);
        unsigned implementer = (unsigned)(midr >> 24 & 255), part = (unsigned)(midr >> 4 & 0xfff);
        machine->family = implementer;
        machine->model = part;
        machine->stepping = (unsigned)(midr & 15);
        snprintf(machine->vendor, sizeof machine->vendor, "0x%02x", implementer);
        snprintf(machine->brand, sizeof machine->brand, "ARM implementer 0x%02x part 0x%03x",
                 implementer, part);
        for (size_t i = 0; i < sizeof cores / sizeof cores[0]; i++)
            if (cores[i].implementer == implementer && cores[i].part == part)
                snprintf(machine->brand, sizeof machine->brand, "%s", cores[i].name);
    }
    describe_caches(machine);
}

#else

static unsigned find_set(void)
{
    return ISA_BIT_SCALAR;
}

static void describe_cpu(struct isa_machine *machine)
{
    (void)machine;
}

#endif

unsigned isa_machine_set(void)
{
    /* 0: not asked yet. Two threads that ask at once find the same. */
    static atomic_uint known;
    unsigned set = atomic_load_explicit(&known, memory_order_relaxed);
    if (set == 0) {
        set = find_set();
        atomic_store_explicit(&known, set, memory_order_relaxed);
    }
    return set;
}

void isa_describe_machine(struct isa_machine *machine)
{
    static const struct {
        unsigned bit;
        const char *name;
    } extensions[] = {
        {ISA_BIT_AVX2, "avx2"},
        {ISA_BIT_AVX512, "avx512"},
        {ISA_BIT_NEON, "neon"},
        {ISA_BIT_F16C, "f16c"},
        {ISA_BIT_AVX_VNNI, "avx_vnni"},
        {ISA_BIT_AVX512_VNNI, "avx512_vnni"},
        {ISA_BIT_AVX512_BF16, "avx512_bf16"},
        {ISA_BIT_ADD_PORTS, "add_ports"},
        {ISA_BIT_BF16_OTHERWISE, "bf16_otherwise"},
    };
    memset(machine, 0, sizeof *machine);
    strcpy(machine->vendor, "unknown");
    strcpy(machine->brand, "unknown");
    strcpy(machine->hypervisor, "unknown");
    describe_cpu(machine);

    unsigned set = isa_machine_set();
    size_t length = 0;
    for (size_t i = 0; i < sizeof extensions / sizeof extensions[0]; i++)
        if (set & extensions[i].bit)
            length +=
                (size_t)snprintf(machine->extensions + length, sizeof machine->extensions - length,
                                 "%s%s", length > 0 ? " " : "", extensions[i].name);
}
