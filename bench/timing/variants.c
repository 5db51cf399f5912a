/* variants.c - who can run a kernel.
 * SPDX-License-Identifier: MIT
 *
 * Of the library's own there are the rows of the instruction sets, and the autovec rows, which are
 * put in their place.
 */
#include "variants.h"

#include "../../kernels/rows/autovec.h"
#include "../base/text.h"

#include <stdio.h>
#include <string.h>

enum { NAMED_MAX = 2 * MMK_ISA_COUNT }; /* asked for with extensions */

static struct variant list[2 * MMK_ISA_COUNT + 1 + NAMED_MAX];
static char named[NAMED_MAX][32];
static size_t named_count;
static size_t list_count;
static struct isa_row autovec[MMK_ISA_COUNT]; /* those that can run; else the name is NULL */

static void add(const char *name, const char *isa, const char *baseline, const struct isa_row *row)
{
    list[list_count++] = (struct variant){name, isa, baseline, row, NULL};
}

static void fill_list(void)
{
    const char *widest = "";
    for (int i = 1; i < MMK_ISA_COUNT; i++)
        if (mmk_isa_usable((enum mmk_isa)i) == MMK_OK && autovec_row((enum mmk_isa)i, &autovec[i]))
            widest = autovec[i].name;
    add("ref", "", widest, NULL);
    add("scalar", "scalar", widest, isa_builtin_row(MMK_ISA_SCALAR));
    for (int i = 1; i < MMK_ISA_COUNT; i++)
        if (autovec[i].name)
            add(autovec[i].name, mmk_isa_name((enum mmk_isa)i), "", &autovec[i]);
    for (int i = 1; i < MMK_ISA_COUNT; i++) {
        const struct isa_row *row = isa_builtin_row((enum mmk_isa)i);
        if (row && mmk_isa_usable((enum mmk_isa)i) == MMK_OK)
            add(row->name, row->name, autovec[i].name ? autovec[i].name : "", row);
    }
}

size_t variants_list(const struct variant **variants)
{
    if (list_count == 0)
        fill_list();
    *variants = list;
    return list_count;
}

const struct variant *variants_find(const char *name)
{
    const struct variant *all;
    size_t count = variants_list(&all);
    enum mmk_status status;
    for (size_t v = 0; v < count; v++)
        if (strcmp(all[v].name, name) == 0)
            return &all[v];
    const struct isa_row *row = strchr(name, ':') ? isa_named_row("--isa", name, &status) : NULL;
    if (!row || named_count == NAMED_MAX || strlen(name) >= sizeof named[0])
        return NULL;
    strcpy(named[named_count], name);
    add(named[named_count++], row->name, autovec[row->isa].name ? autovec[row->isa].name : "", row);
    return &list[count];
}

bool variant_is_oracle(const struct variant *variant)
{
    return !variant->row && !variant->peer;
}

bool variant_is_hand_written(const struct variant *variant)
{
    return variant->row && variant->row->isa != MMK_ISA_SCALAR &&
           strncmp(variant->name, variant->isa, strlen(variant->isa)) == 0;
}

/* A peer has the whole machine: the peak of the widest instruction set bounds it. */
struct variant variant_of_peer(struct peer *peer)
{
    const struct variant *ours;
    size_t count = variants_list(&ours);
    return (struct variant){peer->name, ours[count - 1].isa, "", NULL, peer};
}

void variant_select(const struct variant *variant)
{
    if (variant->row)
        isa_use_row(variant->row);
}

bool variant_prepare(const struct variant *variant, struct trial *trial, char *error,
                     size_t error_bytes)
{
    if (variant->peer)
        return variant->peer->prepare(variant->peer, trial, error, error_bytes);
    const struct kernel *kernel = trial->kernel;
    if (!variant->row || !kernel->prepare)
        return true;
    kernel->release(trial);
    enum mmk_status status = kernel->prepare(trial);
    if (status != MMK_OK)
        text_status(status, error, error_bytes);
    return status == MMK_OK;
}

enum mmk_status variant_call(const struct variant *variant, struct trial *trial)
{
    if (variant->peer)
        return variant->peer->call(variant->peer, trial);
    if (variant->row)
        return trial->kernel->call(trial);
    trial->kernel->oracle(trial);
    return MMK_OK;
}
