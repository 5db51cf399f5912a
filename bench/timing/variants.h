/* variants.h - who can run a kernel: the oracle, the instruction sets, the compiler's
 * vectorisation, other libraries.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_VARIANTS_H
#define MMK_BENCH_VARIANTS_H

#include "../../kernels/isa/isa.h"
#include "../../ref/case.h"
#include "../peers/peers.h"

struct variant {
    const char *name;
    const char *isa;           /* whose rate of multiply-adds bounds it; "" for the oracle */
    const char *baseline;      /* what its speed-up is against: the compiler's version of its ISA */
    const struct isa_row *row; /* ours; NULL: the oracle, or */
    struct peer *peer;         /* another library; NULL: none */
};

bool variant_is_oracle(const struct variant *variant);
/* By hand for a wide instruction set: what the bench is about. */
bool variant_is_hand_written(const struct variant *variant);

/* The variants of ours that this machine can run, in the order of the tables. */
size_t variants_list(const struct variant **variants);

/* The one of that name; with an extension ("avx512:base") it is one more in the list from then on.
 * NULL: there is none, or this machine cannot run it. */
const struct variant *variants_find(const char *name);

/* A peer as a variant. */
struct variant variant_of_peer(struct peer *peer);

/* Makes the variant the one that the public functions run. */
void variant_select(const struct variant *variant);

/* Gets the selected variant ready for calls with this trial: a peer, or what the kernel prepares
 * once for many calls. False: error says what it cannot do. */
bool variant_prepare(const struct variant *variant, struct trial *trial, char *error,
                     size_t error_bytes);

/* One call of the kernel as the selected variant: through the dispatch pointer, of the oracle, or
 * of the peer. */
enum mmk_status variant_call(const struct variant *variant, struct trial *trial);

#endif
