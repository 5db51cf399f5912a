/* isa.c - which of the rows is in use.
 * SPDX-License-Identifier: MIT
 *
 * What the machine can run comes from machine.c and decode.c: on x86 libcpuid's raw CPUID leaves
 * and XCR0 through a pure function that is tested on recorded and hand-edited machines, on aarch64
 * getauxval. It is asked once, when that is first needed. After that a call costs one load of
 * isa_row_in_use, and a compare that is never taken.
 */
#include "isa.h"

#include "../call/args.h"
#include "decode.h"

#include <stdlib.h>
#include <string.h>

/* In the order of enum mmk_isa, which on each architecture is also narrow to wide. */
static const struct isa_row *const rows[] = {
    &isa_row_scalar,
#if defined(__x86_64__)
    &isa_row_avx2,
    &isa_row_avx512,
#elif defined(__aarch64__)
    &isa_row_neon,
#endif
};

enum { ROWS = sizeof rows / sizeof rows[0] };

static const char *const names[MMK_ISA_COUNT] = {"scalar", "avx2", "avx512", "neon"};

_Atomic(const struct isa_row *) isa_row_in_use;

static bool usable(enum mmk_isa isa)
{
    return isa_machine_set() >> isa & 1;
}

const struct isa_row *isa_suited_row(enum mmk_isa isa, unsigned set)
{
#if defined(__x86_64__)
    static const struct isa_row *const avx512[2][2][2] = {
        {{&isa_row_avx512, &isa_row_avx512_add_ports},
         {&isa_row_avx512_vnni, &isa_row_avx512_vnni_add_ports}},
        {{&isa_row_avx512_bf16, &isa_row_avx512_bf16_add_ports},
         {&isa_row_avx512_vnni_bf16, &isa_row_avx512_vnni_bf16_add_ports}}};
    bool add_ports = set & ISA_BIT_ADD_PORTS, vnni = set & ISA_BIT_AVX512_VNNI;
    bool bf16 = set & ISA_BIT_AVX512_BF16 && !(set & ISA_BIT_BF16_OTHERWISE);
    if (isa == MMK_ISA_AVX512)
        return avx512[bf16][vnni][add_ports];
    if (isa == MMK_ISA_AVX2 && set & ISA_BIT_AVX_VNNI)
        return &isa_row_avx2_vnni;
#elif defined(__aarch64__)
    if (isa == MMK_ISA_NEON && set & ISA_BIT_DOTPROD)
        return &isa_row_neon_dotprod;
#else
    (void)set; /* there is one row each */
#endif
    for (int i = 0; i < ROWS; i++)
        if (rows[i]->isa == isa)
            return rows[i];
    return NULL;
}

const struct isa_row *isa_builtin_row(enum mmk_isa isa)
{
    return isa_suited_row(isa, isa_machine_set());
}

/* Extensions that can be asked for. */
static const struct {
    enum mmk_isa isa;
    const char *name;
    unsigned bit;
} extensions[] = {
    {MMK_ISA_AVX2, "vnni", ISA_BIT_AVX_VNNI},
    {MMK_ISA_AVX512, "vnni", ISA_BIT_AVX512_VNNI},
    {MMK_ISA_AVX512, "bf16", ISA_BIT_AVX512_BF16},
    {MMK_ISA_NEON, "dotprod", ISA_BIT_DOTPROD},
};

enum { EXTENSIONS = sizeof extensions / sizeof extensions[0] };

/* The bit of one of these, 0: there is none of that name. */
static unsigned extension_bit(enum mmk_isa isa, const char *name, size_t length)
{
    for (int i = 0; i < EXTENSIONS; i++)
        if (extensions[i].isa == isa && strlen(extensions[i].name) == length &&
            memcmp(extensions[i].name, name, length) == 0)
            return extensions[i].bit;
    return 0;
}

bool isa_with_extensions(enum mmk_isa isa, const char *names_of, unsigned machine, unsigned *set,
                         unsigned *missing)
{
    unsigned all = 0, wanted = 0;
    *set = machine;
    *missing = 0;
    if (names_of[0] == '\0')
        return true;
    for (int i = 0; i < EXTENSIONS; i++)
        if (extensions[i].isa == isa)
            all |= extensions[i].bit;
    for (const char *name = names_of; strcmp(names_of, "base") != 0;) {
        size_t length = strcspn(name, "+");
        unsigned bit = extension_bit(isa, name, length);
        if (bit == 0 || wanted & bit)
            return false;
        wanted |= bit;
        if (name[length] == '\0')
            break;
        name += length + 1;
    }
    if (machine & ISA_BIT_BF16_OTHERWISE)
        machine &= ~(unsigned)ISA_BIT_AVX512_BF16;
    *set &= ~all | wanted;
    *missing = wanted & ~machine;
    return true;
}

const struct isa_row *isa_named_row(const char *from, const char *name, enum mmk_status *status)
{
    size_t length = strcspn(name, ":");
    for (unsigned isa = 0; isa < MMK_ISA_COUNT; isa++) {
        unsigned set, missing;
        if (strlen(names[isa]) != length || memcmp(name, names[isa], length) != 0)
            continue;
        const char *extension = name[length] == ':' ? name + length + 1 : "";
        if ((name[length] == ':' && extension[0] == '\0') ||
            !isa_with_extensions((enum mmk_isa)isa, extension, isa_machine_set(), &set, &missing))
            break;
        const struct isa_row *found = isa_suited_row((enum mmk_isa)isa, set);
        bool runs = found != NULL && usable((enum mmk_isa)isa) && missing == 0;
        bool otherwise =
            missing & ISA_BIT_AVX512_BF16 && isa_machine_set() & ISA_BIT_BF16_OTHERWISE;
        *status =
            runs ? MMK_OK
                 : args_error(MMK_ERR_ISA_UNUSABLE, "%s: this machine or build cannot run %s%s",
                              from, name, otherwise ? ": its vdpbf16ps would give other bits" : "");
        return runs ? found : NULL;
    }
    *status =
        args_error(MMK_ERR_ISA_UNKNOWN,
                   "%s: '%s' is no instruction set; there are scalar, avx2, avx512 and neon, of "
                   "these avx2:vnni, avx512:vnni, :bf16, :vnni+bf16 and neon:dotprod, and :base is "
                   "without",
                   from, name);
    return NULL;
}

static enum mmk_status row_by_name(const char *from, const char *name, const struct isa_row **row)
{
    enum mmk_status status;
    const struct isa_row *found = isa_named_row(from, name, &status);
    if (found != NULL)
        *row = found;
    return status;
}

/* What MMK_ISA names, exactly; without it (or with an empty one) the widest usable. */
static enum mmk_status default_row(const struct isa_row **row)
{
    const char *name = getenv("MMK_ISA");
    if (name != NULL && name[0] != '\0')
        return row_by_name("MMK_ISA", name, row);
    for (int i = ROWS - 1; i > 0; i--) {
        if (usable(rows[i]->isa)) {
            *row = isa_builtin_row(rows[i]->isa);
            return MMK_OK;
        }
    }
    *row = rows[0];
    return MMK_OK;
}

enum mmk_status isa_resolve(const struct isa_row **row)
{
    const struct isa_row *found = NULL;
    enum mmk_status status = default_row(&found);
    if (status != MMK_OK)
        return status;
    /* Another thread's mmk_isa_use() may have come first: its choice stands. */
    const struct isa_row *present = NULL;
    *row = atomic_compare_exchange_strong(&isa_row_in_use, &present, found) ? found : present;
    return MMK_OK;
}

void isa_use_row(const struct isa_row *row)
{
    atomic_store_explicit(&isa_row_in_use, row, memory_order_release);
}

const char *mmk_isa_name(enum mmk_isa isa)
{
    return (unsigned)isa < MMK_ISA_COUNT ? names[isa] : NULL;
}

enum mmk_status mmk_isa_usable(enum mmk_isa isa)
{
    if ((unsigned)isa >= MMK_ISA_COUNT)
        return args_error(MMK_ERR_ISA_UNKNOWN, "isa is %d, not a value of enum mmk_isa", (int)isa);
    if (isa_builtin_row(isa) == NULL || !usable(isa))
        return args_error(MMK_ERR_ISA_UNUSABLE, "this machine or build cannot run %s", names[isa]);
    return MMK_OK;
}

enum mmk_status mmk_isa_use(const char *name)
{
    const struct isa_row *row;
    enum mmk_status status =
        name != NULL ? row_by_name("mmk_isa_use", name, &row) : default_row(&row);
    if (status == MMK_OK)
        isa_use_row(row);
    return status;
}

enum mmk_status mmk_isa_in_use(enum mmk_isa *isa)
{
    const struct isa_row *row;
    enum mmk_status status = args_pointer("isa", isa);
    if (status == MMK_OK)
        status = isa_current(&row);
    if (status == MMK_OK)
        *isa = row->isa;
    return status;
}

const char *mmk_isa_extension(void)
{
    const struct isa_row *row;
    return isa_current(&row) == MMK_OK ? row->extension : NULL;
}
