/* isa.h - which instruction sets this machine has, and the kernel tables of each (internal).
 * SPDX-License-Identifier: MIT
 *
 * One row per instruction set: its name and its complete set of inner-loop tables. No
 * entry of a table falls back to another instruction set. Checks, blocking, threads and joins are
 * written once, in plain C, in the drivers (<family>/<family>.c); what is small and hot is written
 * with intrinsics, in one file a family and instruction set. A driver fetches the row in use with
 * isa_current() and calls through its tables; tools and tests may put in a row of their own (the
 * bench's autovec baseline is such a row).
 *
 *   isa.c       which row is in use
 *   decode.c    from CPUID leaves to the instruction sets that may be used
 *   dpbf16.c    whether vdpbf16ps does what the library takes it for
 *   machine.c   asks this machine; what it is, for reports
 *   ../rows/    the rows
 */
#ifndef MMK_ISA_H
#define MMK_ISA_H

#include "../mmk.h"

#include <stdatomic.h>
#include <stdbool.h>

struct tile_ops;
struct pair_ops;
struct query_ops;
struct pair_f16_ops;
struct query_f16_ops;
struct query_several_ops;
struct infonce_ops;
struct topk_ops;
struct exp_ops;
struct search_ops;
struct codes_ops;
struct int8_ops;
struct tile8_ops;
struct quantize_ops;
struct half_ops;
struct bf16_ops;

struct isa_row {
    const char *name;
    enum mmk_isa isa;
    const struct tile_ops *tile;
    const struct pair_ops *pair;
    const struct query_ops *query;
    const struct pair_f16_ops *pair_f16;
    const struct query_f16_ops *query_f16;
    const struct query_several_ops *several_f16, *several_bf16;
    const struct infonce_ops *infonce;
    const struct topk_ops *topk;
    const struct exp_ops *exp;
    const struct search_ops *search;
    const struct int8_ops *int8;
    const struct tile8_ops *tile8;
    const struct quantize_ops *quantize;
    const struct half_ops *half;
    const struct bf16_ops *bf16;
    const struct codes_ops *codes; /* NULL: none that would pay */
    /* Other arithmetic has ports beside those of FMAs: infonce/strip.c puts it between these. */
    bool add_ports;
    /* Searches are filtered through codes (search/filter.h). Plain C has them for comparison. */
    bool filters;
    /* What it uses beyond its instruction set, "base" for nothing, "vnni+bf16" for two: avx512 is
     * the row that suits the machine, avx512:base, avx512:vnni and so on are these. */
    const char *extension;
};

/* One page each: kernels/rows/row_<isa>.c. A build has those of its architecture. Several of one
 * instruction set share their tables, and differ in what they suit, and in extensions. */
extern const struct isa_row isa_row_scalar;
extern const struct isa_row isa_row_avx2, isa_row_avx2_vnni;
extern const struct isa_row isa_row_avx512, isa_row_avx512_add_ports;
extern const struct isa_row isa_row_avx512_vnni, isa_row_avx512_vnni_add_ports;
extern const struct isa_row isa_row_avx512_bf16, isa_row_avx512_bf16_add_ports;
extern const struct isa_row isa_row_avx512_vnni_bf16, isa_row_avx512_vnni_bf16_add_ports;
extern const struct isa_row isa_row_neon, isa_row_neon_dotprod;

/* The row in use; NULL until the first call. Loaded with acquire, stored with release: a row that a
 * tool has just filled in is seen whole by other threads. */
extern _Atomic(const struct isa_row *) isa_row_in_use;

/* First use (or a bad MMK_ISA): finds the row, or says why there is none. */
enum mmk_status isa_resolve(const struct isa_row **row);

static inline enum mmk_status isa_current(const struct isa_row **row)
{
    *row = atomic_load_explicit(&isa_row_in_use, memory_order_acquire);
    if (__builtin_expect(*row != NULL, 1))
        return MMK_OK;
    return isa_resolve(row);
}

/* The built-in row of an instruction set, usable here or not; NULL when this build has none. Of two
 * the one that suits this machine, */
const struct isa_row *isa_builtin_row(enum mmk_isa isa);
/* or a machine with that decoded set. */
const struct isa_row *isa_suited_row(enum mmk_isa isa, unsigned set);

/* The set that is left to choose a row from, of a machine's, where `isa` is asked for with
 * extensions ("vnni", or "vnni+bf16"), "base" for none, "" for what there is. False: one of them is
 * none. *missing has the bits of those that the machine cannot give. */
bool isa_with_extensions(enum mmk_isa isa, const char *names, unsigned machine, unsigned *set,
                         unsigned *missing);

/* What a name means: an instruction set, or one with an extension ("avx512:base"). NULL: there is
 * no such name, or this machine or build cannot run it (*status says which, and mmk_error_detail()
 * names `from`, who gave the name). */
const struct isa_row *isa_named_row(const char *from, const char *name, enum mmk_status *status);

/* Makes row the one in use: for mmk_isa_use, and for tools and tests, which may have rows of their
 * own. Whether this machine can run it, the caller has to know. */
void isa_use_row(const struct isa_row *row);

#endif
