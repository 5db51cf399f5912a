/* pick.c - who takes part, and on which data, as the options say.
 * SPDX-License-Identifier: MIT
 */
#include "pick.h"

#include "base/console.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Which variants -------------------------------------------------------------------------- */

static bool names_variant(const char *word, const struct variant *variant)
{
    return strcmp(word, variant->name) == 0 ||
           (strcmp(word, "autovec") == 0 && strncmp(variant->name, "autovec-", 8) == 0);
}

static void refuse_variant(const char *option, const char *word)
{
    const struct variant *list;
    size_t count = variants_list(&list);
    char usable[256] = "";
    for (size_t v = 0; v < count; v++) {
        size_t used = strlen(usable);
        snprintf(usable + used, sizeof usable - used, "%s%s", v ? ", " : "", list[v].name);
    }
    for (int i = 0; i < MMK_ISA_COUNT; i++)
        if (strcmp(word, mmk_isa_name((enum mmk_isa)i)) == 0)
            refuse("%s %s: this machine or build cannot run it; use one of %s", option, word,
                   usable);
    enum mmk_status status;
    if (strchr(word, ':') && !isa_named_row(option, word, &status))
        refuse("%s", mmk_error_detail());
    refuse("%s=%s: there is no such variant; use one of autovec, %s", option, word, usable);
}

/* Marks what a comma-separated list names. with_baselines: and what those are compared with. */
static void choose_variants(const char *option, const char *names, bool with_baselines,
                            bool *chosen)
{
    const struct variant *list;
    char copy[256], *rest = copy, *word;
    snprintf(copy, sizeof copy, "%s", names);
    while ((word = strsep(&rest, ",")) != NULL) {
        bool found = variants_find(word);
        size_t count = variants_list(&list);
        for (size_t v = 0; v < count; v++)
            if (names_variant(word, &list[v])) {
                chosen[v] = true;
                found = true;
            }
        if (!found)
            refuse_variant(option, word);
    }
    size_t count = variants_list(&list);
    for (size_t v = 0; with_baselines && v < count; v++)
        for (size_t b = 0; chosen[v] && b < count; b++)
            if (list[v].row && strcmp(list[v].baseline, list[b].name) == 0)
                chosen[b] = true;
}

/* The widest that is chosen takes part without its extension, too. */
static void choose_without_extension(bool *chosen)
{
    const struct variant *list;
    size_t v = variants_list(&list);
    char name[64];
    while (v > 0 && !(chosen[v - 1] && variant_is_hand_written(&list[v - 1])))
        v--;
    if (v == 0 || strchr(list[v - 1].name, ':') || strcmp(list[v - 1].row->extension, "base") == 0)
        return;
    snprintf(name, sizeof name, "%s:base", list[v - 1].name);
    const struct variant *without = variants_find(name);
    if (without)
        chosen[without - list] = true;
}

size_t pick_variants(const struct arguments *a, bool one_only,
                     const struct variant *picked[MAX_VARIANTS])
{
    const struct variant *list;
    size_t count = variants_list(&list), picked_count = 0;
    const size_t usual = count;
    bool chosen[MAX_VARIANTS] = {false};
    const char *environment = getenv("MMK_ISA");
    if (a->isa)
        choose_variants("--isa", a->isa, !one_only, chosen);
    else if (environment && environment[0])
        choose_variants("MMK_ISA", environment, !one_only, chosen);
    else if (one_only)
        chosen[usual - 1] = true;
    else
        memset(chosen, true, usual * sizeof chosen[0]);
    if (a->curves && text_list_has(a->curves, "search"))
        choose_without_extension(chosen);
    count = variants_list(&list);
    for (size_t v = 0; v < count; v++)
        if (chosen[v])
            picked[picked_count++] = &list[v];
    return picked_count;
}

/* ---- Which peers ----------------------------------------------------------------------------- */

const char *const pick_peers_remedy = "`make peers` installs and builds what is missing";

void pick_check_peer_names(const char *names)
{
    char copy[256], known[256] = "", *rest = copy, *word;
    for (size_t i = 0; peers_name(i); i++) {
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, ", %s", peers_name(i));
    }
    snprintf(copy, sizeof copy, "%s", names);
    while ((word = strsep(&rest, ",")) != NULL) {
        size_t i = 0;
        while (peers_name(i) && strcmp(peers_name(i), word) != 0)
            i++;
        if (strcmp(word, "none") == 0 && strcmp(names, "none") != 0)
            refuse("--peers %s: none stands alone; leave it out, or leave out the others", names);
        if (!peers_name(i) && strcmp(word, "none") != 0)
            refuse("--peers %s: there is no such peer; use none, or some of%s", word, known + 1);
    }
}

static bool plan_concerns(const struct plan *plan, size_t peer)
{
    for (size_t c = 0; c < plan->count; c++)
        if (plan->cases[c].peers && peers_concern(peer, plan->cases[c].kernel))
            return true;
    return false;
}

/* --peers; NULL: all that are installed. */
static const char *wanted_peers(const struct arguments *a)
{
    return a->peers ? a->peers : a->smoke ? "none" : NULL;
}

size_t pick_peers(const struct arguments *a, const struct plan *plan, struct run *run, bool scripts,
                  struct variant picked[MAX_VARIANTS], double *script_seconds)
{
    const char *names = wanted_peers(a);
    size_t count = 0;
    *script_seconds = 0.0;
    for (size_t i = 0; peers_name(i) && count < MAX_VARIANTS; i++) {
        char error[512];
        if ((names && !text_list_has(names, peers_name(i))) || !plan_concerns(plan, i) ||
            (peers_is_script(i) && !scripts))
            continue;
        double start = timer_now();
        struct peer *peer = peers_find(i, error, sizeof error);
        if (peer && peers_open(peer, error, sizeof error)) {
            picked[count++] = variant_of_peer(peer);
            *script_seconds += peers_is_script(i) ? timer_now() - start : 0.0;
        } else if (names)
            refuse("--peers %s: %s; %s", peers_name(i), error, pick_peers_remedy);
        else
            run_add_missing(run, "peer %s: %s; %s", peers_name(i), error, pick_peers_remedy);
    }
    return count;
}

size_t pick_installed_peers(const struct arguments *a, const struct kernel *kernel,
                            const char *found[CURVE_MOST_PEERS])
{
    const char *names = wanted_peers(a);
    size_t count = 0;
    for (size_t i = 0; peers_name(i) && count < CURVE_MOST_PEERS; i++) {
        char error[512];
        if ((!names || text_list_has(names, peers_name(i))) && peers_concern(i, kernel) &&
            peers_find(i, error, sizeof error))
            found[count++] = peers_name(i);
    }
    return count;
}

/* ---- Which data ------------------------------------------------------------------------------ */

const struct source *pick_source(const struct arguments *a, struct source *source, struct run *run)
{
    char error[1024];
    if (a->data) {
        if (!data_open_files(source, a->data, a->pairs, a->bf16, error, sizeof error))
            refuse("%s", error);
        return source;
    }
    if (a->pairs)
        refuse("--pairs %s: it is the second view of --data FILE; give that too", a->pairs);
    if (a->bf16)
        refuse("--bf16: it says what --data FILE holds; give that too");
    if (data_open_fashion(source, a->smoke ? 1000 : 25000, error, sizeof error))
        return source;
    run_add_missing(run, "Fashion-MNIST, and with it all cases on real data: %s", error);
    return NULL;
}
