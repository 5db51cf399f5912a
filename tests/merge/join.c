/* join.c - whether runs belong together, what they say of each other, and what none of them did.
 * SPDX-License-Identifier: MIT
 */
#include "join.h"

#include <string.h>

bool required_parse(struct required *r, const char *text, char *error, size_t error_bytes)
{
    const char *colon = strchr(text, ':');
    size_t length = colon ? (size_t)(colon - text) : strlen(text);
    *r = (struct required){.text = text, .any_kind = !colon};
    snprintf(r->isa, sizeof r->isa, "%.*s", (int)(length < 31 ? length : 31), text);
    bool known = false;
    for (unsigned isa = 0; isa < MMK_ISA_COUNT; isa++)
        known = known || strcmp(r->isa, mmk_isa_name((enum mmk_isa)isa)) == 0;
    if (!known) {
        snprintf(error, error_bytes,
                 "--require %s: there is no instruction set '%s'; there are scalar, avx2, avx512 "
                 "and neon",
                 text, r->isa);
        return false;
    }
    if (!colon)
        return true;
    for (int kind = HOST_NATIVE; kind <= HOST_EMULATED; kind++)
        if (strcmp(colon + 1, host_kind_name((enum host_kind)kind)) == 0) {
            r->kind = (enum host_kind)kind;
            return true;
        }
    snprintf(error, error_bytes, "--require %s: a machine is native or emulated; write %s:native",
             text, r->isa);
    return false;
}

/* ---- Whether they belong together ------------------------------------------------------------ */

static bool same_build(const struct saved *a, const struct saved *b, char *error,
                       size_t error_bytes)
{
    static const char ask[] = "run both with one build";
    if (strcmp(a->mmk, b->mmk) != 0)
        snprintf(error, error_bytes, "%s is of mmk %s, and %s of mmk %s; %s", a->path, a->mmk,
                 b->path, b->mmk, ask);
    else if (a->numerics != b->numerics)
        snprintf(error, error_bytes,
                 "%s is of numerics version %d, and %s of numerics version %d; %s", a->path,
                 a->numerics, b->path, b->numerics, ask);
    else if (a->of_library != b->of_library)
        snprintf(error, error_bytes, "%s judged a --library, and %s did not; merge them apart",
                 (a->of_library ? a : b)->path, (a->of_library ? b : a)->path);
    else if (strcmp(a->library_mmk, b->library_mmk) != 0 ||
             a->library_numerics != b->library_numerics)
        snprintf(error, error_bytes,
                 "%s judged a library of mmk %s, numerics version %d, and %s one of mmk %s, "
                 "numerics version %d; merge them apart",
                 a->path, a->library_mmk, a->library_numerics, b->path, b->library_mmk,
                 b->library_numerics);
    else
        return true;
    return false;
}

bool join_possible(const struct saved *runs, size_t count, char *error, size_t error_bytes)
{
    const struct saved *first = &runs[0];
    for (size_t r = 0; r < count; r++) {
        if (!runs[r].finished) {
            snprintf(error, error_bytes,
                     "%s is of a run that did not come to its end; look at what it said, and run "
                     "it again",
                     runs[r].path);
            return false;
        }
        for (size_t before = 0; before < r; before++)
            if (strcmp(runs[before].id, runs[r].id) == 0) {
                snprintf(error, error_bytes, "%s and %s are the same run; give it once",
                         runs[before].path, runs[r].path);
                return false;
            }
        if (!same_build(first, &runs[r], error, error_bytes))
            return false;
    }
    if (strcmp(first->mmk, mmk_version()) == 0 && first->numerics == mmk_numerics_version())
        return true;
    snprintf(error, error_bytes,
             "%s is of mmk %s, numerics version %d, and this mmk-check of mmk %s, numerics version "
             "%d; merge with the mmk-check of the build that wrote it",
             first->path, first->mmk, first->numerics, mmk_version(), mmk_numerics_version());
    return false;
}

/* ---- The same bits --------------------------------------------------------------------------- */

enum bits join_bits(const struct saved *runs, size_t count, size_t run, size_t k,
                    char with[RUNS_MAX + 1])
{
    const struct saved_kernel *ours = &runs[run].kernel[k];
    enum bits bits = BITS_ALONE;
    size_t length = 0;
    for (size_t r = 0; r < count && ours->trials > 0; r++) {
        const struct saved_kernel *theirs = &runs[r].kernel[k];
        if (r == run || theirs->trials != ours->trials || strcmp(theirs->inputs, ours->inputs) != 0)
            continue;
        with[length++] = (char)('A' + r);
        if (strcmp(theirs->results, ours->results) != 0)
            bits = BITS_DIFFER;
        else if (bits == BITS_ALONE)
            bits = BITS_SAME;
    }
    with[length] = '\0';
    return bits;
}

/* ---- What is missing ------------------------------------------------------------------------- */

bool join_judged(const struct saved *runs, size_t count, size_t run, size_t k)
{
    char with[RUNS_MAX + 1];
    if (runs[run].oracle)
        return true;
    if (join_bits(runs, count, run, k, with) != BITS_SAME)
        return false;
    for (const char *other = with; *other != '\0'; other++)
        if (runs[*other - 'A'].oracle)
            return true;
    return false;
}

static bool counts(const struct required *r, const struct saved *runs, size_t count, size_t index,
                   size_t k)
{
    const struct saved *run = &runs[index];
    const struct saved_cell *cell = saved_cell(run, k, r->isa);
    if (!join_judged(runs, count, index, k))
        return false;
    return (r->any_kind || run->kind == r->kind) && !run->only_shape[0] && !run->only_fill[0] &&
           cell && cell->passed + cell->failed > 0;
}

void required_find(struct required *r, const struct saved *runs, size_t count)
{
    for (size_t k = 0; k < kernel_count; k++) {
        bool there = false;
        for (size_t run = 0; run < count; run++)
            there = there || counts(r, runs, count, run, k);
        r->missing[k] = !there;
        r->missing_count += !there;
    }
}

void required_why(const struct required *r, const struct saved *run, size_t k, char *text,
                  size_t bytes)
{
    const struct saved_cell *cell = saved_cell(run, k, r->isa);
    bool checked = cell && cell->passed + cell->failed > 0;
    if (!cell && run->kernel[k].cells == 0 && run->only_kernel[0])
        snprintf(text, bytes, "left it out (--kernel %.100s)", run->only_kernel);
    else if (!cell)
        snprintf(text, bytes, "has no %s%s%.100s%s", r->isa, run->only_isa[0] ? " (--isa " : "",
                 run->only_isa, run->only_isa[0] ? ")" : "");
    else if (!checked)
        snprintf(text, bytes, "skipped it: %.200s", cell->skip_reason);
    else if (!r->any_kind && run->kind != r->kind)
        snprintf(text, bytes, "is %s%s: %.200s", run->kind == HOST_UNKNOWN ? "of a kind " : "",
                 host_kind_name(run->kind), run->evidence);
    else if (!run->only_shape[0] && !run->only_fill[0])
        snprintf(text, bytes,
                 "has no oracle (--no-oracle), and no run that has one has its results");
    else
        snprintf(text, bytes, "was narrowed, which does not count (--%s %.100s)",
                 run->only_shape[0] ? "shape" : "fill",
                 run->only_shape[0] ? run->only_shape : run->only_fill);
}
