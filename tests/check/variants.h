/* variants.h - what is checked: every instruction set of this build, and the autovec baselines; of
 * another library those instruction sets that it offers.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_VARIANTS_H
#define MMK_VARIANTS_H

#include "../../kernels/isa/isa.h"

struct variant {
    const char *name;       /* "avx512", "autovec-avx512" */
    struct isa_row row;     /* of another library: nothing */
    bool theirs;            /* another library's */
    bool named;             /* as it was asked for, with an extension or without */
    enum mmk_status usable; /* MMK_OK, or why this machine cannot run it */
};

/* Of each its own, the autovec baseline, and some with extensions that are asked for by name. */
enum { VARIANT_MAX = 2 * MMK_ISA_COUNT + 4 };

/* Fills in the variants of this build, scalar first, and returns their number. */
int variants_find(struct variant variants[VARIANT_MAX]);

/* The same of the library that is loaded (library.h), by its public functions. Those that no
 * machine of this architecture runs are not among them. */
int variants_find_theirs(struct variant variants[VARIANT_MAX]);

/* Adds what the name with an extension means: "avx512:base". False: this build has no such, or no
 * room is left. */
bool variants_add_named(struct variant variants[VARIANT_MAX], int *count, const char *name);

/* Has the next calls made on the variant. What its row suits shows in no bit: with `other` it is
 * what does not suit this machine; `plain`: products of int8 rows without extensions, where the
 * name does not say with or without. row keeps what is in use. */
enum mmk_status variant_use(const struct variant *variant, bool other, bool plain,
                            struct isa_row *row);

#endif
