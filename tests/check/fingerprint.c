/* fingerprint.c - one hash of all outputs per kernel and fill, the same on every machine, and how
 * far they are from the oracle: at most, and on average; and what memory the kernel asks for.
 * SPDX-License-Identifier: MIT
 *
 * A mistake that all instruction sets share and that stays within the bounds (all values a place
 * up, a factor) moves results one way. So the average of the errors is looked at, signed, in units
 * of the last place: of normal numbers, where rounding goes up as often as down. Twice: as it is,
 * and with the sign of the right value, for what makes values larger or smaller. What is seen hangs
 * on how much the errors differ from trial to trial: a third of a place of exp and norms, two of a
 * log-sum-exp, seven of a logit scale's gradient. Every change of bits, however small, is one of
 * tests/fingerprints.
 */
#include "fingerprint.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* The average of all trials may be that of a polynomial (exp's is .1 of a place), beside what is
 * left of roundings that cancel: so many standard deviations of an average. Within a trial errors
 * hang together (that of a log-sum-exp moves a whole row), so each counts once. What cancels has
 * many places of error: more than MOST count as that. */
static const double BIAS_PLACES = 0.3, BIAS_DEVIATIONS = 6, MOST_PLACES = 30;

struct fingerprint {
    uint64_t hash;
    size_t trials;
    double worst; /* of the bound */
};
static struct fingerprint fingerprints[REPORT_KERNELS][FILL_COUNT];
/* Of all shapes together: with threads, which have memory of their own. */
static struct memory {
    size_t shapes, least, all;
} memories[REPORT_KERNELS];

enum { MEMORY_THREADS = 3 };

static const char *missing[REPORT_KERNELS]; /* a function that the library lacks */
static int failures;

/* Average errors of one output's trials, in places, of normal numbers: as they are, and outward. */
struct bias {
    const char *name;
    double trials, sum[2], squares[2];
};
static struct bias biases[REPORT_KERNELS][TRIAL_BUFFERS];

static void add_errors(const struct buffer *b, struct bias *bias)
{
    double count = 0, sum[2] = {0, 0};
    for (size_t i = 0; i < b->rows; i++)
        for (size_t j = 0; j < b->cols; j++) {
            double got = (double)((const float *)b->data)[i * b->ld + j];
            double expected = b->expected[i * b->cols + j], bound = b->bound[i * b->cols + j];
            /* Not what cancels, nor what may be flushed to 0: such errors go one way. */
            if (!isfinite(got) || !isfinite(expected) || !(bound > 0) ||
                !(bound < fabs(expected) * 0x1p-10) || fabs(expected) < 0x1p-100)
                continue;
            double places = (got - expected) / trial_ulp(expected);
            places = fmax(-MOST_PLACES, fmin(MOST_PLACES, places));
            count++;
            sum[0] += places;
            sum[1] += expected < 0 ? -places : places;
        }
    if (count == 0)
        return;
    bias->name = b->name;
    bias->trials++;
    for (int way = 0; way < 2; way++) {
        bias->sum[way] += sum[way] / count;
        bias->squares[way] += sum[way] / count * sum[way] / count;
    }
}

static uint64_t seed_of(const char *kernel, const char *shape)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
    for (; *kernel != '\0'; kernel++)
        hash = (hash ^ (unsigned char)*kernel) * 0x100000001b3u;
    for (; *shape != '\0'; shape++)
        hash = (hash ^ (unsigned char)*shape) * 0x100000001b3u;
    return hash;
}

/* Without codes, which not every machine has. */
static void add_memory(struct run *run, struct trial *t, const char *shape_text,
                       struct memory *memory)
{
    struct mmk_workspace_bytes bytes;
    bool filters = run->row.filters;
    if (!t->kernel->takes_threads)
        return;
    run->row.filters = false; /* it is in use */
    enum mmk_status status = trial_query(t, MEMORY_THREADS, &bytes);
    run->row.filters = filters;
    if (status != MMK_OK)
        options_error("%s, shape %s: a query returned an error: %s.", t->kernel->name, shape_text,
                      mmk_error_detail());
    memory->shapes++;
    memory->least += bytes.least;
    memory->all += bytes.all;
}

static void fingerprint_trial(struct run *run, size_t k, const struct shape *shape,
                              const char *shape_text, enum fill fill, uint64_t seed)
{
    struct trial t;
    struct verdict verdict;
    /* Of its own: else shapes that have the same rows would have one error. */
    seed ^= seed_of(kernels[k]->name, shape_text);
    if (!trial_open(&t, kernels[k], shape, fill, seed))
        options_error("no memory for %s, shape %s; use a smaller --shape.", kernels[k]->name,
                      shape_text);
    library_pause(); /* norms that are an input are our own */
    trial_fill(&t);
    trial_oracle(&t);
    library_resume();
    trial_poison(&t);
    enum mmk_status status = trial_call(&t);
    const char *lacked = library_lacked();
    if (lacked) {
        missing[k] = lacked;
        trial_close(&t);
        return;
    }
    if (status != MMK_OK)
        options_error("%s, shape %s returned an error: %s.", kernels[k]->name, shape_text,
                      mmk_error_detail());
    if (fill == FILL_NORMAL)
        add_memory(run, &t, shape_text, &memories[k]);
    struct fingerprint *f = &fingerprints[k][fill];
    f->hash = (f->hash ^ trial_fingerprint(&t)) * 0x9e3779b97f4a7c15u;
    f->hash ^= f->hash >> 29;
    f->trials++;
    if (!trial_check(&t, &verdict)) {
        fprintf(stderr, "FAIL %s, shape %s, fill %s: %s\n", kernels[k]->name, shape_text,
                fill_name(fill), verdict.message);
        failures++;
    }
    f->worst = fmax(f->worst, verdict.worst_share);
    for (int b = 0; fill == FILL_NORMAL && b < t.buffer_count; b++)
        if (t.buffer[b].output && t.buffer[b].element == ELEMENT_F32)
            add_errors(&t.buffer[b], &biases[k][b]);
    trial_close(&t);
}

/* Returns how many outputs lean to one side. */
static int print_biases(void)
{
    static const char *const ways[] = {"", " outward"};
    int leaning = 0;
    for (size_t k = 0; k < kernel_count; k++)
        for (int b = 0; b < TRIAL_BUFFERS; b++) {
            const struct bias *bias = &biases[k][b];
            if (bias->trials < 10)
                continue;
            double mean[2];
            for (int way = 0; way < 2; way++) {
                mean[way] = bias->sum[way] / bias->trials;
                double variance =
                    fmax(0, bias->squares[way] / bias->trials - mean[way] * mean[way]);
                double most = BIAS_PLACES + BIAS_DEVIATIONS * sqrt(variance / bias->trials);
                if (!(fabs(mean[way]) > most))
                    continue;
                fprintf(stderr,
                        "FAIL %s: the errors of %s lean to one side: %+.2f places%s on average "
                        "over %.0f trials; at most %.2f\n",
                        kernels[k]->name, bias->name, mean[way], ways[way], bias->trials, most);
                leaning++;
            }
            printf("%-34s %-13s errors on average %+.2f, outward %+.2f places\n", kernels[k]->name,
                   bias->name, mean[0], mean[1]);
        }
    return leaning;
}

int fingerprint_print(struct run *run)
{
    int last = -1;
    for (int v = 0; v < run->variant_count; v++)
        if (run->chosen[v] && run->variants[v].usable == MMK_OK &&
            strncmp(run->variants[v].name, "autovec", 7) != 0)
            last = v; /* the widest, or the one that was asked for */
    if (last < 0)
        options_error("--fingerprint needs one of the library's own instruction sets.");
    enum mmk_status used = variant_use(&run->variants[last], false, false, &run->row);
    if (used != MMK_OK)
        options_error("%s cannot be used: %s.", run->variants[last].name, mmk_status_string(used));
    check_each(run, fingerprint_trial);
    printf("numerics version %d\n", mmk_numerics_version());
    for (size_t k = 0; k < kernel_count; k++)
        if (missing[k])
            fprintf(stderr, "skipped %s: the library has no %s\n", kernels[k]->name, missing[k]);
    for (size_t k = 0; k < kernel_count; k++)
        for (int fill = 0; fill < FILL_GIVEN; fill++)
            if (fingerprints[k][fill].trials)
                printf("%-25s %-11s %5zu shapes  %016" PRIx64 "  %.2f of the bound\n",
                       kernels[k]->name, fill_name((enum fill)fill), fingerprints[k][fill].trials,
                       fingerprints[k][fill].hash, fingerprints[k][fill].worst);
    for (size_t k = 0; k < kernel_count; k++)
        if (memories[k].shapes)
            printf("%-25s %-11s %5zu shapes  at least %zu bytes, with all %zu\n", kernels[k]->name,
                   "workspace", memories[k].shapes, memories[k].least, memories[k].all);
    failures += print_biases();
    fprintf(stderr, "made with %s, seed %" PRIu64 "\n", run->variants[last].name,
            run->options.seed);
    return failures > 0;
}
