/* fingerprint.c - one hash of all outputs per kernel and fill, the same on every machine.
 * SPDX-License-Identifier: MIT
 */
#include "fingerprint.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct fingerprint {
    uint64_t hash;
    size_t trials;
};
static struct fingerprint fingerprints[REPORT_KERNELS][FILL_COUNT];

static void fingerprint_trial(struct run *run, size_t k, const struct shape *shape,
                              const char *shape_text, enum fill fill, uint64_t seed)
{
    struct trial t;
    (void)run;
    if (!trial_open(&t, kernels[k], shape, fill, seed))
        options_error("no memory for %s, shape %s; use a smaller --shape.", kernels[k]->name,
                      shape_text);
    trial_fill(&t);
    trial_poison(&t);
    if (trial_call(&t) != MMK_OK)
        options_error("%s, shape %s returned an error: %s.", kernels[k]->name, shape_text,
                      mmk_error_detail());
    struct fingerprint *f = &fingerprints[k][fill];
    f->hash = (f->hash ^ trial_fingerprint(&t)) * 0x9e3779b97f4a7c15u;
    f->hash ^= f->hash >> 29;
    f->trials++;
    trial_close(&t);
}

void fingerprint_print(struct run *run)
{
    int last = -1;
    for (int v = 0; v < run->variant_count; v++)
        if (run->chosen[v] && run->variants[v].usable == MMK_OK &&
            strncmp(run->variants[v].name, "autovec", 7) != 0)
            last = v; /* the widest, or the one that was asked for */
    if (last < 0)
        options_error("--fingerprint needs one of the library's own instruction sets.");
    isa_use_row(&run->variants[last].row);
    check_each(run, fingerprint_trial);
    printf("numerics version %d\n", mmk_numerics_version());
    for (size_t k = 0; k < kernel_count; k++)
        for (int fill = 0; fill < FILL_GIVEN; fill++)
            if (fingerprints[k][fill].trials)
                printf("%-25s %-11s %5zu shapes  %016" PRIx64 "\n", kernels[k]->name,
                       fill_name((enum fill)fill), fingerprints[k][fill].trials,
                       fingerprints[k][fill].hash);
    fprintf(stderr, "made with %s, seed %" PRIu64 "\n", run->variants[last].name,
            run->options.seed);
}
