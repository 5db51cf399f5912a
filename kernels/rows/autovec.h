/* autovec.h - the rows that the compiler makes by itself (for tools and tests, not in the library).
 * SPDX-License-Identifier: MIT
 *
 * The Makefile compiles every *_scalar.c once more with the flags of each wide instruction set,
 * links these objects into one and renames its only global symbol: row_scalar.c compiled for AVX2
 * is isa_row_autovec_avx2. What the compiler makes of the scalar source is the honest baseline of
 * what is written by hand. `make AUTOVEC=no` leaves it out.
 */
#ifndef MMK_ROWS_AUTOVEC_H
#define MMK_ROWS_AUTOVEC_H

#include "../isa/isa.h"

extern const struct isa_row isa_row_autovec_avx2;
extern const struct isa_row isa_row_autovec_avx512;
extern const struct isa_row isa_row_autovec_neon;

/* Sets *row to the autovec row of an instruction set, under a name of its own (in the object it is
 * called scalar). False where this build has none. */
static inline bool autovec_row(enum mmk_isa isa, struct isa_row *row)
{
    switch (isa) {
#if defined(MMK_NO_AUTOVEC)
#elif defined(__x86_64__)
    case MMK_ISA_AVX2:
        *row = isa_row_autovec_avx2;
        row->name = "autovec-avx2";
        break;
    case MMK_ISA_AVX512:
        *row = isa_row_autovec_avx512;
        row->name = "autovec-avx512";
        break;
#elif defined(__aarch64__)
    case MMK_ISA_NEON:
        *row = isa_row_autovec_neon;
        row->name = "autovec-neon";
        break;
#endif
    default:
        return false;
    }
    row->isa = isa;
    return true;
}

#endif
