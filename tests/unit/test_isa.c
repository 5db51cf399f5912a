/* test_isa.c - the CPUID decoder on recorded CPUs, and the choice of the instruction set.
 * SPDX-License-Identifier: MIT
 */
#include "../../bench/machine/caches.h"
#include "../../kernels/bf16/bf16.h"
#include "../../kernels/codes/codes.h"
#include "../../kernels/exp/exp.h"
#include "../../kernels/infonce/infonce.h"
#include "../../kernels/int8/int8.h"
#include "../../kernels/isa/decode.h"
#include "../../kernels/int8/int8.h"
#include "../../kernels/half/half.h"
#include "../../kernels/int8/quantize.h"
#include "../../kernels/isa/isa.h"
#include "../../kernels/isa/machine.h"
#include "../../kernels/pair/pair.h"
#include "../../kernels/query/query.h"
#include "../../kernels/rows/autovec.h"
#include "../../kernels/search/search.h"
#include "../../kernels/tile/tile.h"
#include "../../kernels/tile8/tile8.h"
#include "../../kernels/topk/topk.h"

#include <assert.h>
#include <omp.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- The decoder on dumps ------------------------------------------------------------------- */

enum {
    SCALAR_ONLY = ISA_BIT_SCALAR,
    UP_TO_AVX2 = ISA_BIT_SCALAR | ISA_BIT_AVX2,
    UP_TO_AVX512 = ISA_BIT_SCALAR | ISA_BIT_AVX2 | ISA_BIT_AVX512,
    ISAS = UP_TO_AVX512 | ISA_BIT_NEON
};

/* What cpuid_serialize_raw_data writes; lines that are no leaf are passed over. */
static struct isa_leaves read_dump(const char *name)
{
    char path[256], line[256];
    snprintf(path, sizeof path, "tests/unit/cpuid/%s.txt", name);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail_msg("cannot open %s: run this from the top of the tree", path);
    struct isa_leaves leaves = {0};
    while (fgets(line, sizeof line, file) != NULL) {
        unsigned r[4];
        int leaf;
        if (sscanf(line, "basic_cpuid[%d]=%x %x %x %x", &leaf, &r[0], &r[1], &r[2], &r[3]) != 5)
            continue;
        uint32_t *to = leaf == 0   ? leaves.leaf0
                       : leaf == 1 ? leaves.leaf1
                       : leaf == 7 ? leaves.leaf7_0
                                   : NULL;
        for (int i = 0; to != NULL && i < 4; i++)
            to[i] = r[i];
    }
    fclose(file);
    return leaves;
}

static void decode_recorded_cpus(void **state)
{
    (void)state;
    /* XCR0: 1 x87, 2 xmm, 4 ymm, 0xe0 zmm, 0x200 PKRU, 0x60000 AMX. */
    static const struct {
        const char *dump;
        uint64_t xcr0;
        uint32_t leaf7_1_eax;
        unsigned isas, extensions;
    } cases[] = {
        {"amd-zen5", 0xe7, 0x30, UP_TO_AVX512,
         ISA_BIT_F16C | ISA_BIT_AVX_VNNI | ISA_BIT_AVX512_VNNI | ISA_BIT_AVX512_BF16 |
             ISA_BIT_ADD_PORTS},
        {"amd-zen5", 0x2e7, 0, UP_TO_AVX512,
         ISA_BIT_F16C | ISA_BIT_AVX512_VNNI | ISA_BIT_ADD_PORTS},
        /* the system does not save zmm, only a part of it, nor ymm, nor even xmm */
        {"amd-zen5", 0x07, 0x30, UP_TO_AVX2, ISA_BIT_F16C | ISA_BIT_AVX_VNNI},
        {"amd-zen5", 0x67, 0x30, UP_TO_AVX2, ISA_BIT_F16C | ISA_BIT_AVX_VNNI},
        {"amd-zen5", 0xa7, 0x30, UP_TO_AVX2, ISA_BIT_F16C | ISA_BIT_AVX_VNNI},
        {"amd-zen5", 0xc7, 0x30, UP_TO_AVX2, ISA_BIT_F16C | ISA_BIT_AVX_VNNI},
        {"amd-zen5", 0xe3, 0x30, SCALAR_ONLY, 0},
        {"amd-zen5", 0xe5, 0x30, SCALAR_ONLY, 0},
        {"amd-zen5", 0x03, 0x30, SCALAR_ONLY, 0},
        {"amd-zen5", 0, 0x30, SCALAR_ONLY, 0},
        {"edited-no-osxsave", 0xe7, 0x30, SCALAR_ONLY, 0},
        {"edited-f-without-vl", 0xe7, 0x30, UP_TO_AVX2, ISA_BIT_F16C | ISA_BIT_AVX_VNNI},
        {"edited-unknown-vendor", 0xe7, 0, UP_TO_AVX512, ISA_BIT_F16C | ISA_BIT_AVX512_VNNI},
        /* a leaf above the highest returns some other leaf's bits */
        {"edited-highest-leaf-5", 0xe7, 0x30, SCALAR_ONLY, ISA_BIT_F16C},
        {"intel-nehalem", 0, 0, SCALAR_ONLY, 0},
        {"intel-haswell", 0x07, 0, UP_TO_AVX2, ISA_BIT_F16C},
        /* highest subleaf 0: what 7.1 returns does not count */
        {"intel-haswell", 0x07, 0xffffffff, UP_TO_AVX2, ISA_BIT_F16C},
        {"intel-skylake-sp", 0x2ff, 0, UP_TO_AVX512, ISA_BIT_F16C},
        {"intel-skylake-sp", 0x2ff, 0x30, UP_TO_AVX512, ISA_BIT_F16C},
        {"intel-sapphire-rapids", 0x602e7, 0x1c30, UP_TO_AVX512,
         ISA_BIT_F16C | ISA_BIT_AVX_VNNI | ISA_BIT_AVX512_VNNI | ISA_BIT_AVX512_BF16},
        {"intel-alder-lake", 0x207, 0x400810, UP_TO_AVX2, ISA_BIT_F16C | ISA_BIT_AVX_VNNI},
        {"edited-all-ones", 0, 0xffffffff, SCALAR_ONLY, 0},
        {"garbage", 0xe7, 0xffffffff, SCALAR_ONLY, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct isa_leaves leaves = read_dump(cases[i].dump);
        leaves.xcr0 = cases[i].xcr0;
        leaves.leaf7_1[CPUID_EAX] = cases[i].leaf7_1_eax;
        unsigned set = isa_decode(&leaves);
        if (set != (cases[i].isas | cases[i].extensions))
            fail_msg("%s with XCR0 %#llx: decoded %#x, must be %#x", cases[i].dump,
                     (unsigned long long)cases[i].xcr0, set, cases[i].isas | cases[i].extensions);
    }
}

/* On a CPU that has everything, each needed bit is taken away in turn. */
static void decode_needs_every_bit(void **state)
{
    (void)state;
    enum { LEAF1_ECX, LEAF7_EBX };
    static const struct {
        const char *name;
        int where;
        unsigned bit, left;
    } needed[] = {
        {"OSXSAVE", LEAF1_ECX, 27, SCALAR_ONLY}, {"AVX", LEAF1_ECX, 28, SCALAR_ONLY},
        {"FMA", LEAF1_ECX, 12, SCALAR_ONLY},     {"F16C", LEAF1_ECX, 29, SCALAR_ONLY},
        {"AVX2", LEAF7_EBX, 5, SCALAR_ONLY},     {"AVX512F", LEAF7_EBX, 16, UP_TO_AVX2},
        {"AVX512DQ", LEAF7_EBX, 17, UP_TO_AVX2}, {"AVX512BW", LEAF7_EBX, 30, UP_TO_AVX2},
        {"AVX512VL", LEAF7_EBX, 31, UP_TO_AVX2},
    };
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        struct isa_leaves leaves = read_dump("amd-zen5");
        leaves.xcr0 = 0xe7;
        assert_int_equal(isa_decode(&leaves) & ISAS, UP_TO_AVX512);
        uint32_t *word =
            needed[i].where == LEAF1_ECX ? &leaves.leaf1[CPUID_ECX] : &leaves.leaf7_0[CPUID_EBX];
        assert_true(*word >> needed[i].bit & 1);
        *word &= ~(1u << needed[i].bit);
        if ((isa_decode(&leaves) & ISAS) != needed[i].left)
            fail_msg("without %s: decoded %#x", needed[i].name, isa_decode(&leaves));
    }
}

/* Leaf 7 counts where it is the highest, and not where a lower one is. */
static void decode_needs_leaf_7(void **state)
{
    (void)state;
    struct isa_leaves leaves = read_dump("amd-zen5");
    leaves.xcr0 = 0xe7;
    leaves.leaf0[CPUID_EAX] = 7;
    assert_int_equal(isa_decode(&leaves) & ISAS, UP_TO_AVX512);
    leaves.leaf0[CPUID_EAX] = 6;
    assert_int_equal(isa_decode(&leaves) & ISAS, SCALAR_ONLY);
}

static void decode_nothing_at_all(void **state)
{
    (void)state;
    struct isa_leaves leaves = {0};
    assert_int_equal(isa_decode(&leaves), SCALAR_ONLY);
    leaves.xcr0 = ~(uint64_t)0;
    assert_int_equal(isa_decode(&leaves), SCALAR_ONLY);
}

/* Random leaves: a wide instruction set is never there without what it stands on. */
static void decode_random_leaves(void **state)
{
    (void)state;
    uint64_t random = 20261121;
    for (int trial = 0; trial < 100000; trial++) {
        struct isa_leaves leaves;
        unsigned char *bytes = (unsigned char *)&leaves;
        for (size_t i = 0; i < sizeof leaves; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            bytes[i] = (unsigned char)(random >> 56 | random >> 48);
        }
        unsigned set = isa_decode(&leaves);
        assert_true(set & ISA_BIT_SCALAR);
        assert_false(set & ISA_BIT_NEON);
        if (set & ISA_BIT_AVX512)
            assert_true(set & ISA_BIT_AVX2);
        if (set & ISA_BIT_AVX2)
            assert_true((leaves.xcr0 & 6) == 6 && leaves.leaf1[CPUID_ECX] >> 27 & 1);
    }
}

/* ---- This machine ---------------------------------------------------------------------------- */

/* Finding out must not move or pin the thread, as libcpuid's cpuid_get_all_raw_data does. */
static void detection_leaves_affinity_alone(void **state)
{
    (void)state;
    cpu_set_t before, after;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    enum mmk_isa isa;
    assert_int_equal(mmk_isa_in_use(&isa), MMK_OK);
    struct isa_machine machine;
    isa_describe_machine(&machine);
    assert_int_equal(sched_getaffinity(0, sizeof after, &after), 0);
    assert_true(CPU_EQUAL(&before, &after));
}

static bool has_word(const char *text, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = text; (at = strstr(at, word)) != NULL; at++)
        if ((at == text || at[-1] == ' ') && (at[length] == '\0' || strchr(" \n", at[length])))
            return true;
    return false;
}

#if defined(__x86_64__)
static bool cpuinfo_has(const char *flag)
{
    static char line[1 << 14];
    FILE *file = fopen("/proc/cpuinfo", "r");
    assert_non_null(file);
    bool found = false;
    while (!found && fgets(line, sizeof line, file) != NULL)
        found = strncmp(line, "flags", 5) == 0 && has_word(line, flag);
    fclose(file);
    return found;
}
#endif

static void this_machine_agrees_with_the_compiler(void **state)
{
    (void)state;
    unsigned expected = ISA_BIT_SCALAR;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && cpuinfo_has("f16c"))
        expected |= ISA_BIT_AVX2;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        expected |= ISA_BIT_AVX512;
#elif defined(__aarch64__)
    expected |= ISA_BIT_NEON;
#endif
    assert_int_equal(isa_machine_set() & ISAS, expected);
}

static void machine_is_described(void **state)
{
    (void)state;
    struct isa_machine machine;
    isa_describe_machine(&machine);
    assert_true(machine.vendor[0] != '\0' && machine.brand[0] != '\0');
    assert_true(machine.hypervisor[0] != '\0');
    assert_true(machine.l1d_bytes < machine.l2_bytes || machine.l2_bytes == 0);
    size_t words = machine.extensions[0] != '\0';
    for (const char *c = machine.extensions; *c != '\0'; c++)
        words += *c == ' ';
    assert_int_equal(words, __builtin_popcount(isa_machine_set() & ~(unsigned)ISA_BIT_SCALAR));
#if defined(__x86_64__)
    /* Linux has the same names. */
    static const char *const flags[] = {"avx2", "f16c", "avx_vnni", "avx512_vnni", "avx512_bf16"};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        assert_int_equal(has_word(machine.extensions, flags[i]), cpuinfo_has(flags[i]));
#endif
    /* The system reads the same leaves; of CPU 0, which may have other caches than the rest. */
    cpu_set_t before, first;
    CPU_ZERO(&first);
    CPU_SET(0, &first);
    const struct caches *caches = caches_get();
    bool says = machine.l1d_bytes != 0;
#if defined(__x86_64__)
    says = true;
#endif
    if (says && caches->known && sched_getaffinity(0, sizeof before, &before) == 0 &&
        sched_setaffinity(0, sizeof first, &first) == 0) {
        isa_describe_machine(&machine);
        assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
        assert_int_equal(machine.l1d_bytes, caches->l1d);
        assert_int_equal(machine.l2_bytes, caches->l2);
        assert_int_equal(machine.l3_bytes, caches->l3);
        assert_in_range(machine.line_bytes, 16, 256);
    } else {
        print_message("caches not compared: the system does not say, or has no CPU 0 for us\n");
    }
    print_message("%s, L1d %zu, L2 %zu, L3 %zu, hypervisor %s, %s\n", machine.brand,
                  machine.l1d_bytes, machine.l2_bytes, machine.l3_bytes, machine.hypervisor,
                  machine.extensions);
}

/* ---- The choice ------------------------------------------------------------------------------ */

static int forget_choice(void **state)
{
    (void)state;
    unsetenv("MMK_ISA");
    isa_use_row(NULL);
    return 0;
}

static enum mmk_isa widest(void)
{
    enum mmk_isa isa = MMK_ISA_SCALAR;
    for (unsigned i = 0; i < MMK_ISA_COUNT; i++)
        if (mmk_isa_usable((enum mmk_isa)i) == MMK_OK)
            isa = (enum mmk_isa)i;
    return isa;
}

static enum mmk_isa in_use(void)
{
    enum mmk_isa isa = (enum mmk_isa)77;
    assert_int_equal(mmk_isa_in_use(&isa), MMK_OK);
    return isa;
}

static void default_is_the_widest(void **state)
{
    (void)state;
    assert_int_equal(in_use(), widest());
    setenv("MMK_ISA", "", 1);
    isa_use_row(NULL);
    assert_int_equal(in_use(), widest());
}

static void names(void **state)
{
    (void)state;
    assert_string_equal(mmk_isa_name(MMK_ISA_SCALAR), "scalar");
    assert_string_equal(mmk_isa_name(MMK_ISA_AVX2), "avx2");
    assert_string_equal(mmk_isa_name(MMK_ISA_AVX512), "avx512");
    assert_string_equal(mmk_isa_name(MMK_ISA_NEON), "neon");
    assert_null(mmk_isa_name((enum mmk_isa)MMK_ISA_COUNT));
    assert_null(mmk_isa_name((enum mmk_isa) - 1));
    assert_int_equal(mmk_isa_usable((enum mmk_isa)MMK_ISA_COUNT), MMK_ERR_ISA_UNKNOWN);
    assert_int_equal(mmk_isa_usable((enum mmk_isa) - 1), MMK_ERR_ISA_UNKNOWN);
    assert_int_equal(mmk_isa_usable(MMK_ISA_SCALAR), MMK_OK);
    assert_int_equal(mmk_isa_in_use(NULL), MMK_ERR_NULL);
}

static void use_each_exactly(void **state)
{
    (void)state;
    for (unsigned i = 0; i < MMK_ISA_COUNT; i++) {
        enum mmk_isa isa = (enum mmk_isa)i, before = in_use();
        enum mmk_status usable = mmk_isa_usable(isa);
        assert_true(usable == MMK_OK || usable == MMK_ERR_ISA_UNUSABLE);
        assert_int_equal(mmk_isa_use(mmk_isa_name(isa)), usable);
        assert_int_equal(in_use(), usable == MMK_OK ? isa : before);
    }
    assert_int_equal(mmk_isa_use(NULL), MMK_OK);
    assert_int_equal(in_use(), widest());
}

/* "NAME:base" and "NAME:EXTENSION" are these exactly, or an error. */
static void use_extensions_exactly(void **state)
{
    (void)state;
    char name[32];
    for (unsigned i = 0; i < MMK_ISA_COUNT; i++) {
        enum mmk_isa isa = (enum mmk_isa)i;
        snprintf(name, sizeof name, "%s:base", mmk_isa_name(isa));
        enum mmk_status usable = mmk_isa_usable(isa);
        assert_int_equal(mmk_isa_use(name), usable);
        if (usable != MMK_OK)
            continue;
        assert_int_equal(in_use(), isa);
        assert_string_equal(mmk_isa_extension(), "base");
    }
    assert_int_equal(mmk_isa_use("scalar"), MMK_OK);
    const bool avx512 = mmk_isa_usable(MMK_ISA_AVX512) == MMK_OK;
    const bool vnni = avx512 && isa_machine_set() & ISA_BIT_AVX512_VNNI;
    const bool bf16 = avx512 && isa_machine_set() & ISA_BIT_AVX512_BF16 &&
                      !(isa_machine_set() & ISA_BIT_BF16_OTHERWISE);
    const struct {
        const char *name, *extension;
        bool has;
    } asked[] = {{"avx512:vnni", "vnni", vnni},
                 {"avx512:bf16", "bf16", bf16},
                 {"avx512:vnni+bf16", "vnni+bf16", vnni && bf16},
                 {"avx512:bf16+vnni", "vnni+bf16", vnni && bf16}};
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        bool has = asked[i].has;
        assert_int_equal(mmk_isa_use("scalar"), MMK_OK);
        assert_int_equal(mmk_isa_use(asked[i].name), has ? MMK_OK : MMK_ERR_ISA_UNUSABLE);
        assert_int_equal(in_use(), has ? MMK_ISA_AVX512 : MMK_ISA_SCALAR);
        assert_string_equal(mmk_isa_extension(), has ? asked[i].extension : "base");
        setenv("MMK_ISA", asked[i].name, 1);
        assert_int_equal(mmk_isa_use(NULL), has ? MMK_OK : MMK_ERR_ISA_UNUSABLE);
        assert_string_equal(mmk_isa_extension(), has ? asked[i].extension : "base");
        const struct isa_row *row, *without;
        assert_int_equal(isa_current(&row), MMK_OK);
        if (!has)
            continue;
        assert_int_equal(mmk_isa_use("avx512:base"), MMK_OK);
        assert_int_equal(isa_current(&without), MMK_OK);
        const bool filters = strstr(asked[i].extension, "vnni") != NULL;
        assert_true(row->filters == filters && (row->codes != NULL) == filters);
        assert_true(!without->filters && without->codes == NULL);
        assert_int_equal(row->bf16 != without->bf16, strstr(asked[i].name, "bf16") != NULL);
        assert_int_equal(row->add_ports, without->add_ports);
    }
    if (avx512) {
        assert_int_equal(mmk_isa_use("avx512"), MMK_OK);
        assert_string_equal(mmk_isa_extension(), vnni && bf16 ? "vnni+bf16"
                                                 : vnni       ? "vnni"
                                                 : bf16       ? "bf16"
                                                              : "base");
    }
    setenv("MMK_ISA", "avx512:", 1);
    isa_use_row(NULL);
    assert_null(mmk_isa_extension());
    unsetenv("MMK_ISA");
}

static void use_unknown_is_an_error(void **state)
{
    (void)state;
    static const char *const unknown[] = {"",
                                          "AVX2",
                                          "avx",
                                          "avx512 ",
                                          " avx2",
                                          "avx512f",
                                          "scalar2",
                                          "sse2",
                                          "native",
                                          "zen5",
                                          "avx512:",
                                          ":vnni",
                                          "avx512:VNNI",
                                          "avx512:vnni ",
                                          "neon:vnni",
                                          "scalar:vnni",
                                          "avx512:base:vnni",
                                          "avx512:base+bf16",
                                          "avx512:vnni+",
                                          "avx512:+bf16",
                                          "avx512:bf16+bf16",
                                          "avx2:bf16",
                                          "avx:base"};
    assert_int_equal(mmk_isa_use("scalar"), MMK_OK);
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        assert_int_equal(mmk_isa_use(unknown[i]), MMK_ERR_ISA_UNKNOWN);
        assert_int_equal(in_use(), MMK_ISA_SCALAR);
    }
}

static void environment_chooses_exactly(void **state)
{
    (void)state;
    for (unsigned i = 0; i < MMK_ISA_COUNT; i++) {
        enum mmk_isa isa = (enum mmk_isa)i, found = (enum mmk_isa)77;
        setenv("MMK_ISA", mmk_isa_name(isa), 1);
        isa_use_row(NULL);
        enum mmk_status status = mmk_isa_in_use(&found);
        assert_int_equal(status, mmk_isa_usable(isa));
        assert_int_equal(found, status == MMK_OK ? isa : (enum mmk_isa)77);
    }
}

static void environment_unknown_is_an_error(void **state)
{
    (void)state;
    setenv("MMK_ISA", "bogus", 1);
    enum mmk_isa isa = (enum mmk_isa)77;
    assert_int_equal(mmk_isa_in_use(&isa), MMK_ERR_ISA_UNKNOWN);
    assert_int_equal(isa, 77);
    /* still so the second time, and mmk_isa_use(NULL) is no way around it */
    assert_int_equal(mmk_isa_in_use(&isa), MMK_ERR_ISA_UNKNOWN);
    assert_int_equal(mmk_isa_use(NULL), MMK_ERR_ISA_UNKNOWN);
    assert_int_equal(mmk_isa_in_use(&isa), MMK_ERR_ISA_UNKNOWN);
    /* an explicit choice is */
    assert_int_equal(mmk_isa_use("scalar"), MMK_OK);
    assert_int_equal(in_use(), MMK_ISA_SCALAR);
    assert_int_equal(mmk_isa_use(NULL), MMK_ERR_ISA_UNKNOWN);
    assert_int_equal(in_use(), MMK_ISA_SCALAR);
}

static void first_use_by_many_threads(void **state)
{
    (void)state;
    int wrong = 0;
    for (int trial = 0; trial < 200; trial++) {
        isa_use_row(NULL);
#pragma omp parallel num_threads(8) reduction(+ : wrong)
        {
            const struct isa_row *row = NULL;
            wrong += isa_current(&row) != MMK_OK || row == NULL || row->isa != widest();
        }
    }
    assert_int_equal(wrong, 0);
}

static void tools_may_put_in_a_row(void **state)
{
    (void)state;
    struct isa_row mine = *isa_builtin_row(MMK_ISA_SCALAR);
    mine.name = "mine";
    isa_use_row(&mine);
    const struct isa_row *row;
    assert_int_equal(isa_current(&row), MMK_OK);
    assert_ptr_equal(row, &mine);
}

/* ---- The rows -------------------------------------------------------------------------------- */

/* A table as words: function pointers, and small numbers such as a tile's width, hardly any 0. */
struct table {
    const char *name;
    const uintptr_t *word;
    size_t words;
};

enum { TABLES = 17, ROWS_MAX = 2 * MMK_ISA_COUNT };

static_assert(sizeof(struct isa_row) ==
                  offsetof(struct isa_row, isa) + sizeof(uintptr_t) * (1 + TABLES + 2),
              "a table that struct isa_row has and list_tables has not");
static_assert(sizeof(size_t) == sizeof(uintptr_t) && sizeof(void (*)(void)) == sizeof(uintptr_t),
              "a table is not an array of words");

/* Codes of 8 bits are for what multiplies them four times as fast as floats, and plain C. */
static bool has_no_codes(const struct isa_row *row)
{
    return row->isa != MMK_ISA_SCALAR && strstr(row->extension, "vnni") == NULL &&
           strcmp(row->extension, "dotprod") != 0 && strncmp(row->name, "autovec", 7) != 0;
}

static void list_tables(const struct isa_row *row, struct table table[TABLES])
{
    const struct table all[] = {
        {"tile", (const void *)row->tile, sizeof *row->tile},
        {"pair", (const void *)row->pair, sizeof *row->pair},
        {"query", (const void *)row->query, sizeof *row->query},
        {"pair_f16", (const void *)row->pair_f16, sizeof *row->pair_f16},
        {"query_f16", (const void *)row->query_f16, sizeof *row->query_f16},
        {"infonce", (const void *)row->infonce, sizeof *row->infonce},
        {"topk", (const void *)row->topk, sizeof *row->topk},
        {"exp", (const void *)row->exp, sizeof *row->exp},
        {"search", (const void *)row->search, sizeof *row->search},
        {"int8", (const void *)row->int8, sizeof *row->int8},
        {"tile8", (const void *)row->tile8, sizeof *row->tile8},
        {"several_f16", (const void *)row->several_f16, sizeof *row->several_f16},
        {"several_bf16", (const void *)row->several_bf16, sizeof *row->several_bf16},
        {"quantize", (const void *)row->quantize, sizeof *row->quantize},
        {"half", (const void *)row->half, sizeof *row->half},
        {"bf16", (const void *)row->bf16, sizeof *row->bf16},
        {"codes", (const void *)row->codes, row->codes ? sizeof *row->codes : 0},
    };
    static_assert(sizeof all / sizeof all[0] == TABLES, "every table once");
    for (int t = 0; t < TABLES; t++) {
        if (all[t].word == NULL && !(t == TABLES - 1 && has_no_codes(row)))
            fail_msg("%s: there is no table %s", row->name, all[t].name);
        assert_int_equal(all[t].words % sizeof(uintptr_t), 0);
        table[t] = all[t];
        table[t].words /= sizeof(uintptr_t);
    }
}

/* The rows of this build, usable here or not, and the autovec rows. */
static size_t list_rows(struct isa_row rows[ROWS_MAX])
{
    size_t count = 0;
    for (unsigned i = 0; i < MMK_ISA_COUNT; i++) {
        const struct isa_row *row = isa_builtin_row((enum mmk_isa)i);
        if (row == NULL)
            continue;
        assert_string_equal(row->name, mmk_isa_name((enum mmk_isa)i));
        assert_int_equal(row->isa, i);
        rows[count++] = *row;
    }
    for (unsigned i = 0; i < MMK_ISA_COUNT; i++) {
        if (!autovec_row((enum mmk_isa)i, &rows[count]))
            continue;
        assert_int_equal(rows[count].isa, i);
        assert_non_null(isa_builtin_row((enum mmk_isa)i));
        count++;
    }
    assert_true(count > 1);
    return count;
}

/* What only some instruction sets have, and how many rows it takes, 0 where there is none; and
 * what is added to codes, which may be nothing, and takes their sums back. */
static bool may_be_missing(const struct isa_row *row, const uintptr_t *word)
{
    const struct infonce_ops *ops = row->infonce;
    if (row->tile8->bias == 0 &&
        (word == (const void *)&row->tile8->bias || word == (const void *)&row->tile8->sum))
        return true;
    return ops->exp_product_rows == 0 && ops->exp_product == NULL &&
           (word == (const void *)&ops->exp_product_rows ||
            word == (const void *)&ops->exp_product);
}

static void rows_are_complete(void **state)
{
    (void)state;
    struct isa_row rows[ROWS_MAX];
    size_t count = list_rows(rows);
    for (size_t i = 0; i < count; i++) {
        struct table table[TABLES];
        list_tables(&rows[i], table);
        for (int t = 0; t < TABLES; t++)
            for (size_t w = 0; w < table[t].words; w++)
                if (table[t].word[w] == 0 && !may_be_missing(&rows[i], &table[t].word[w]))
                    fail_msg("%s: table %s has nothing at word %zu", rows[i].name, table[t].name,
                             w);
    }
}

/* No entry of a row is the scalar one or another row's; an autovec row that was linked with the
 * scalar objects would have theirs. */
static void rows_fall_back_to_nothing(void **state)
{
    (void)state;
    struct isa_row rows[ROWS_MAX];
    size_t count = list_rows(rows);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++) {
            struct table of_a[TABLES], of_b[TABLES];
            list_tables(&rows[i], of_a);
            list_tables(&rows[j], of_b);
            for (int t = 0; t < TABLES; t++)
                for (size_t w = 0; w < of_a[t].words; w++)
                    for (size_t v = 0; v < of_b[t].words; v++)
                        if (of_a[t].word[w] > 0xffff && of_a[t].word[w] == of_b[t].word[v])
                            fail_msg("%s and %s share an entry of table %s", rows[i].name,
                                     rows[j].name, of_a[t].name);
        }
}

#if defined(__x86_64__)
/* Of machines that have both extensions, one, or none, or a bf16 that gives other bits: a name is
 * for those that have all of it, and leaves out what it does not name. */
static void names_are_for_machines_that_have_all(void **state)
{
    (void)state;
    enum { VNNI = ISA_BIT_AVX512_VNNI, BF16 = ISA_BIT_AVX512_BF16 };
    static const struct {
        const char *name;
        unsigned bits;
    } asked[] = {{"vnni", VNNI},
                 {"bf16", BF16},
                 {"vnni+bf16", VNNI | BF16},
                 {"bf16+vnni", VNNI | BF16},
                 {"base", 0}};
    static const unsigned extras[] = {0, VNNI, BF16, VNNI | BF16,
                                      VNNI | BF16 | ISA_BIT_BF16_OTHERWISE};
    for (size_t a = 0; a < sizeof asked / sizeof asked[0]; a++)
        for (size_t e = 0; e < sizeof extras / sizeof extras[0]; e++) {
            unsigned set, missing, has = extras[e];
            assert_true(isa_with_extensions(MMK_ISA_AVX512, asked[a].name, UP_TO_AVX512 | has, &set,
                                            &missing));
            if (has & ISA_BIT_BF16_OTHERWISE)
                has &= ~(unsigned)BF16;
            assert_int_equal(missing, asked[a].bits & ~has);
            assert_int_equal(set & (VNNI | BF16), extras[e] & asked[a].bits & (VNNI | BF16));
        }
}

static void rows_suit_the_machine(void **state)
{
    (void)state;
    const unsigned intel = UP_TO_AVX512, amd = UP_TO_AVX512 | ISA_BIT_ADD_PORTS;
    const unsigned vnni = ISA_BIT_AVX512_VNNI;
    assert_ptr_equal(isa_suited_row(MMK_ISA_AVX512, intel), &isa_row_avx512);
    assert_ptr_equal(isa_suited_row(MMK_ISA_AVX512, amd), &isa_row_avx512_add_ports);
    assert_ptr_equal(isa_suited_row(MMK_ISA_AVX512, intel | vnni), &isa_row_avx512_vnni);
    assert_ptr_equal(isa_suited_row(MMK_ISA_AVX512, amd | vnni), &isa_row_avx512_vnni_add_ports);
    const unsigned bf16 = ISA_BIT_AVX512_BF16, otherwise = bf16 | ISA_BIT_BF16_OTHERWISE;
    assert_ptr_equal(isa_suited_row(MMK_ISA_AVX512, intel | bf16), &isa_row_avx512_bf16);
    assert_ptr_equal(isa_suited_row(MMK_ISA_AVX512, amd | bf16), &isa_row_avx512_bf16_add_ports);
    assert_ptr_equal(isa_suited_row(MMK_ISA_AVX512, intel | vnni | bf16),
                     &isa_row_avx512_vnni_bf16);
    assert_ptr_equal(isa_suited_row(MMK_ISA_AVX512, amd | vnni | bf16),
                     &isa_row_avx512_vnni_bf16_add_ports);
    /* One whose instruction does otherwise has none. */
    assert_ptr_equal(isa_suited_row(MMK_ISA_AVX512, intel | otherwise), &isa_row_avx512);
    assert_ptr_equal(isa_suited_row(MMK_ISA_AVX512, intel | vnni | otherwise),
                     &isa_row_avx512_vnni);
    assert_ptr_equal(isa_suited_row(MMK_ISA_AVX2, amd | vnni | bf16), &isa_row_avx2);
    assert_ptr_equal(isa_suited_row(MMK_ISA_AVX2, amd | ISA_BIT_AVX_VNNI), &isa_row_avx2_vnni);
    /* AVX-VNNI is another extension, of 256 bits. */
    assert_ptr_equal(isa_suited_row(MMK_ISA_AVX512, intel | ISA_BIT_AVX_VNNI), &isa_row_avx512);
    assert_ptr_equal(isa_builtin_row(MMK_ISA_AVX512),
                     isa_suited_row(MMK_ISA_AVX512, isa_machine_set()));
    struct isa_row other = isa_row_avx512_add_ports;
    assert_true(other.add_ports);
    other.add_ports = false;
    assert_memory_equal(&other, &isa_row_avx512, sizeof other);
    other = isa_row_avx512_vnni_add_ports;
    other.add_ports = false;
    assert_memory_equal(&other, &isa_row_avx512_vnni, sizeof other);
    other = isa_row_avx512_vnni_bf16_add_ports;
    other.add_ports = false;
    assert_memory_equal(&other, &isa_row_avx512_vnni_bf16, sizeof other);
    other = isa_row_avx512_bf16_add_ports;
    other.add_ports = false;
    assert_memory_equal(&other, &isa_row_avx512_bf16, sizeof other);
    /* What an extension brings, and nothing else. */
    assert_string_equal(other.extension, "bf16");
    other.extension = isa_row_avx512.extension;
    other.bf16 = isa_row_avx512.bf16;
    assert_memory_equal(&other, &isa_row_avx512, sizeof other);
    other = isa_row_avx512_vnni_bf16;
    assert_string_equal(other.extension, "vnni+bf16");
    other.extension = isa_row_avx512_vnni.extension;
    other.bf16 = isa_row_avx512.bf16;
    assert_memory_equal(&other, &isa_row_avx512_vnni, sizeof other);
    other.extension = isa_row_avx512.extension;
    other.codes = NULL;
    other.int8 = isa_row_avx512.int8;
    other.tile8 = isa_row_avx512.tile8;
    other.filters = false;
    assert_memory_equal(&other, &isa_row_avx512, sizeof other);
    if (mmk_isa_usable(MMK_ISA_AVX512) != MMK_OK)
        return;
    const struct isa_row *row;
    assert_int_equal(isa_current(&row), MMK_OK);
    assert_ptr_equal(row, isa_builtin_row(MMK_ISA_AVX512));
    assert_int_equal(mmk_isa_use("avx512"), MMK_OK);
    assert_int_equal(isa_current(&row), MMK_OK);
    assert_ptr_equal(row, isa_builtin_row(MMK_ISA_AVX512));
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
#if defined(__x86_64__)
        cmocka_unit_test(names_are_for_machines_that_have_all),
        cmocka_unit_test_setup(rows_suit_the_machine, forget_choice),
#endif
        cmocka_unit_test_setup(use_extensions_exactly, forget_choice),
        cmocka_unit_test(decode_recorded_cpus),
        cmocka_unit_test(decode_needs_every_bit),
        cmocka_unit_test(decode_needs_leaf_7),
        cmocka_unit_test(decode_nothing_at_all),
        cmocka_unit_test(decode_random_leaves),
        cmocka_unit_test_setup(detection_leaves_affinity_alone, forget_choice),
        cmocka_unit_test(this_machine_agrees_with_the_compiler),
        cmocka_unit_test(machine_is_described),
        cmocka_unit_test_setup(default_is_the_widest, forget_choice),
        cmocka_unit_test_setup(names, forget_choice),
        cmocka_unit_test_setup(use_each_exactly, forget_choice),
        cmocka_unit_test_setup(use_unknown_is_an_error, forget_choice),
        cmocka_unit_test_setup(environment_chooses_exactly, forget_choice),
        cmocka_unit_test_setup(environment_unknown_is_an_error, forget_choice),
        cmocka_unit_test_setup(first_use_by_many_threads, forget_choice),
        cmocka_unit_test_setup(tools_may_put_in_a_row, forget_choice),
        cmocka_unit_test(rows_are_complete),
        cmocka_unit_test(rows_fall_back_to_nothing),
    };
    return cmocka_run_group_tests_name("isa", tests, NULL, NULL);
}
