/* worst.c - the greatest error of every kernel: over kinds of rows, and by hill climbing.
 * SPDX-License-Identifier: MIT
 *
 * Errors are taken in units of the bound that the oracle derives for the very inputs. It is the
 * only unit in which a search means something: relative to the result any error can be had, by
 * rows whose sum cancels. Of another library the unit is our bound, too, which holds for our order
 * of summation; above 1 is not wrong.
 *
 * A search begins at the worst rows that were found at random. A step changes an element, two of
 * them or a row, and is kept where the error is no smaller. It depends on the seed alone.
 */
#include "worst.h"

#include "../../ref/cases.h"
#include "../../ref/trial.h"
#include "../base/console.h"
#include "../base/memory.h"
#include "../base/text.h"
#include "../timing/variants.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rows of finite numbers, whose squares are, too. */
static const enum fill fills[] = {FILL_NORMAL,  FILL_POSITIVE,  FILL_UNIT_ROWS,
                                  FILL_TIES,    FILL_ALIGNED,   FILL_DUPLICATES,
                                  FILL_MEAN_10, FILL_MEAN_1000, FILL_EQUAL_ROWS};
enum { FILLS = sizeof fills / sizeof fills[0], SEEDS = 4, SEEDS_SMOKE = 1 };

/* Steps of a search: as many as a work of so many multiply-adds allows, within limits. */
enum { STEPS_LEAST = 60, STEPS_MOST = 1000, STEPS_SMOKE = 20, STEPS_OF_SCRIPT = 60 };
#define STEPS_WORK 3e8

enum { SHAPES_MOST = 8 };

/* ---- Which kernels, at which shapes ---------------------------------------------------------- */

/* Whether it takes floats and rounds: top-k is exact, retrieval metrics take indices; rows of int8
 * have exact sums. Rows of 16 bits are not climbed on. */
static bool has_errors(const struct kernel *kernel)
{
    struct trial t = {.kernel = kernel, .shape = kernel->bench[0]};
    kernel->layout(&t);
    bool takes_rows = false, rounds = false;
    for (int i = 0; i < t.buffer_count; i++) {
        const struct buffer *b = &t.buffer[i];
        if (b->element == ELEMENT_I8 || b->element == ELEMENT_F16 || b->element == ELEMENT_BF16)
            return false;
        takes_rows = takes_rows || (!b->output && b->element == ELEMENT_F32);
        rounds = rounds || (b->output && b->element == ELEMENT_F32 && !b->exact);
    }
    return takes_rows && rounds;
}

/* The kernel's first shape of the bench with other sizes. */
static struct shape resized(const struct kernel *kernel, size_t rows, size_t d)
{
    struct shape s = kernel->bench[0];
    bool pairs = kernel->paired || kernel->has_logit_scale;
    s.m = strchr(kernel->dims, 'm') ? rows : s.m;
    s.n = strchr(kernel->dims, 'n') ? (pairs ? rows : 3 * rows) : s.n;
    s.d = d;
    s.k = s.k > 5 ? 5 : s.k;
    s.positives = s.positives > 3 ? 3 : s.positives;
    s.negatives = s.negatives > 0 ? 2 * rows : 0;
    return s;
}

static size_t list_shapes(const struct kernel *kernel, bool smoke, struct shape shapes[SHAPES_MOST])
{
    static const size_t dims[] = {16, 128, 768};
    size_t count = 0;
    for (size_t i = smoke ? 2 : 0; i < 3; i++)
        shapes[count++] = resized(kernel, 16, dims[i]);
    if (smoke)
        return count;
    if (kernel->has_logit_scale) /* sums over a batch of more than a block of 176 */
        shapes[count++] = resized(kernel, 200, 24);
    if (strchr(kernel->dims, 'n') == NULL && strchr(kernel->dims, 'm') == NULL)
        shapes[count++] = resized(kernel, 16, 8192);
    for (int s = 0; shape_has_similarity(kernel) && s < MMK_SIMILARITY_COUNT; s++)
        if ((enum mmk_similarity)s != kernel->bench[0].similarity) {
            shapes[count] = resized(kernel, 16, 128);
            shapes[count++].similarity = (enum mmk_similarity)s;
        }
    return count;
}

/* ---- One evaluation -------------------------------------------------------------------------- */

struct error {
    double of_bound, of_result;
};

/* max |error| / max |right| of the worst output of floats. */
static double relative_error(const struct trial *t)
{
    double worst = 0.0;
    for (int i = 0; i < t->buffer_count; i++) {
        const struct buffer *b = &t->buffer[i];
        double error = 0.0, most = 0.0;
        for (size_t e = 0; b->output && b->element == ELEMENT_F32 && e < b->rows * b->cols; e++) {
            double right = b->expected[e];
            if (!isfinite(right) || !(b->bound[e] >= 0.0))
                continue;
            double got = (double)((const float *)b->data)[e / b->cols * b->ld + e % b->cols];
            error = fmax(error, fabs(got - right));
            most = fmax(most, fabs(right));
        }
        worst = error > 0.0 ? fmax(worst, error / most) : worst;
    }
    return worst;
}

/* How far beyond 1 an error of ours may be all the same. A long chain of additions is granted six
 * standard deviations of a random walk (bound_chain), and rows that were searched for can make
 * roundings all go one way: the bound that always holds counts each. */
static double most_of_bound(const struct shape *shape)
{
    const size_t longest = 176; /* over the batch */
    return fmax((double)shape->d / bound_chain(shape->d), (double)longest / bound_chain(longest));
}

/* The oracle has run. False: it cannot do this, and note says why. */
static bool evaluate(const struct variant *who, struct trial *t, struct error *error, char *note,
                     size_t note_bytes)
{
    struct verdict verdict;
    variant_select(who);
    if (!variant_prepare(who, t, note, note_bytes))
        return false;
    trial_poison(t);
    enum mmk_status status = variant_call(who, t);
    if (status != MMK_OK) {
        text_status(status, note, note_bytes);
        return false;
    }
    bool pass = trial_check(t, &verdict);
    bool searched = t->fill == FILL_GIVEN && verdict.worst_share > 1.0 &&
                    verdict.worst_share <= most_of_bound(&t->shape);
    if (!pass && !who->peer && !searched)
        refuse("%s: %s; this build is broken, run mmk-check", t->kernel->name, verdict.message);
    *error = (struct error){verdict.worst_share, relative_error(t)};
    return true;
}

static void open_trial(struct trial *t, const struct kernel *kernel, const struct shape *shape,
                       enum fill fill, uint64_t seed)
{
    if (!trial_open(t, kernel, shape, fill, seed))
        refuse("there is no memory for %s; close something", kernel->name);
    trial_fill(t);
    trial_oracle(t);
    t->options.threads = 1;
}

/* ---- Search ---------------------------------------------------------------------------------- */

static uint64_t next(uint64_t *state) /* splitmix64 */
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static size_t below(uint64_t *state, size_t limit)
{
    return (size_t)(next(state) % limit);
}

static float *element(const struct buffer *b, size_t e)
{
    return (float *)b->data + e / b->cols * b->ld + e % b->cols;
}

/* What a step may change: x and y, or what stands in their place. What follows from them (the
 * lse of a backward pass, norms) is made anew. */
static int list_rows(const struct trial *t, const struct buffer *rows[2])
{
    int count = 0;
    for (int i = 0; i < t->buffer_count && count < 2; i++)
        if (!t->buffer[i].output && t->buffer[i].element == ELEMENT_F32 &&
            t->buffer[i].rows * t->buffer[i].cols > 0)
            rows[count++] = &t->buffer[i];
    return count;
}

/* Keeps magnitudes within a factor of two or so of what the rows began with. */
static void change(const struct trial *t, uint64_t *state)
{
    const struct buffer *rows[2];
    const struct buffer *b = rows[below(state, (size_t)list_rows(t, rows))];
    size_t elements = b->rows * b->cols;
    float *one = element(b, below(state, elements)), *two = element(b, below(state, elements));
    float kept = *one;
    switch (below(state, 6)) {
    case 0: /* the next float but some */
        *one = kept * (1.0f + (float)(below(state, 64) + 1) * 0x1p-23f);
        break;
    case 1:
        *one = kept * (0.5f + (float)below(state, 1024) / 1024.0f);
        break;
    case 2:
        *one = -kept;
        break;
    case 3:
        *one = *two;
        *two = kept;
        break;
    case 4: /* another sum, other roundings */
        *one = *two * (1.0f + (float)below(state, 1 << 20) * 0x1p-22f);
        break;
    default: { /* a row that is like another, but for a factor */
        size_t to = below(state, b->rows), from = below(state, b->rows);
        float factor = 0.75f + (float)below(state, 2048) * 0x1p-12f;
        for (size_t k = 0; k < b->cols; k++)
            *element(b, to * b->cols + k) = *element(b, from * b->cols + k) * factor;
    }
    }
}

struct kept {
    float *values[2];
};

static struct kept keep(const struct trial *t)
{
    const struct buffer *rows[2];
    struct kept kept = {{NULL, NULL}};
    for (int i = list_rows(t, rows) - 1; i >= 0; i--)
        kept.values[i] = memory_new(buffer_bytes(rows[i]), 1);
    return kept;
}

static void save(const struct trial *t, const struct kept *kept, bool restore)
{
    const struct buffer *rows[2];
    for (int i = list_rows(t, rows) - 1; i >= 0; i--)
        if (restore)
            memcpy(rows[i]->data, kept->values[i], buffer_bytes(rows[i]));
        else
            memcpy(kept->values[i], rows[i]->data, buffer_bytes(rows[i]));
}

/* Leaves the worst rows in the trial. At most `most` steps: a peer may fail before. */
static void climb(const struct variant *who, struct trial *t, size_t most, uint64_t seed,
                  struct worst_of *w)
{
    struct kept kept = keep(t);
    char note[ERROR_BYTES];
    uint64_t state = seed;
    w->found = w->of_bound;
    t->fill = FILL_GIVEN;
    save(t, &kept, false);
    for (w->steps = 0; w->steps < most; w->steps++) {
        struct error error;
        for (size_t changes = below(&state, 3) + 1; changes > 0; changes--)
            change(t, &state);
        trial_fill(t);
        trial_oracle(t);
        if (!evaluate(who, t, &error, note, sizeof note))
            break;
        bool better = error.of_bound >= w->found;
        w->found = better ? error.of_bound : w->found;
        save(t, &kept, !better);
    }
    save(t, &kept, true);
    free(kept.values[0]);
    free(kept.values[1]);
}

static size_t steps_of(const struct kernel *kernel, const struct shape *shape,
                       const struct variant *who, bool smoke)
{
    double work = fmax(kernel->flops(shape), kernel->bytes(shape)) + 1.0;
    size_t steps = (size_t)fmin(STEPS_MOST, fmax(STEPS_LEAST, STEPS_WORK / work));
    if (smoke)
        return STEPS_SMOKE;
    return who->peer && who->peer->run && steps > STEPS_OF_SCRIPT ? STEPS_OF_SCRIPT : steps;
}

/* ---- A kernel at a shape --------------------------------------------------------------------- */

/* Names of the instruction sets on which the outputs of the trial have the same bits; their error
 * must be the one that was found. */
static void compare_bits(struct trial *t, double found, char *same_on, size_t bytes)
{
    uint64_t first = 0;
    bool there = false;
    same_on[0] = '\0';
    for (int isa = 0; isa < MMK_ISA_COUNT; isa++) {
        char note[ERROR_BYTES];
        struct error error;
        if (mmk_isa_usable((enum mmk_isa)isa) != MMK_OK)
            continue;
        const struct isa_row *row = isa_builtin_row((enum mmk_isa)isa);
        const struct variant who = {row->name, row->name, "", row, NULL};
        if (!evaluate(&who, t, &error, note, sizeof note))
            refuse("%s: %s", t->kernel->name, note);
        if (error.of_bound != found)
            refuse("%s: the rows of the worst error were lost, a bug of mmk-bench",
                   t->kernel->name);
        uint64_t bits = trial_fingerprint(t);
        size_t used = strlen(same_on);
        if (there && bits != first)
            refuse("%s has other bits on %s; this build is broken, run mmk-check", t->kernel->name,
                   row->name);
        snprintf(same_on + used, bytes - used, "%s%s", there ? " " : "", row->name);
        first = bits;
        there = true;
    }
}

/* False: it is no work for this one. */
static bool measure_one(struct worst_point *point, const struct kernel *kernel,
                        const struct shape *shape, const struct variant *who,
                        const struct accuracy_options *options)
{
    struct worst_of *w = &point->who[point->who_count];
    uint64_t worst_seed = 0;
    enum fill worst_fill = FILL_COUNT;
    *w = (struct worst_of){.of_bound = -1.0};
    snprintf(w->name, sizeof w->name, "%s", who->peer ? who->name : "mmk");
    for (size_t f = 0; f < FILLS; f++)
        for (uint64_t s = 0; s < (options->smoke ? SEEDS_SMOKE : SEEDS); s++) {
            struct trial t;
            struct error error;
            char note[ERROR_BYTES];
            if (!fill_fits(kernel, shape, fills[f]))
                continue;
            open_trial(&t, kernel, shape, fills[f], options->seed + s);
            bool good = evaluate(who, &t, &error, note, sizeof note);
            trial_close(&t);
            if (!good)
                return false;
            if (fills[f] == FILL_NORMAL)
                w->of_result = fmax(w->of_result, error.of_result);
            if (error.of_bound > w->of_bound) {
                w->of_bound = error.of_bound;
                worst_fill = fills[f];
                worst_seed = options->seed + s;
            }
        }
    if (worst_fill == FILL_COUNT)
        return false;
    snprintf(w->fill, sizeof w->fill, "%s", fill_name(worst_fill));
    struct trial t;
    open_trial(&t, kernel, shape, worst_fill, worst_seed);
    climb(who, &t, steps_of(kernel, shape, who, options->smoke), options->seed, w);
    if (!who->peer) { /* at what was found */
        trial_fill(&t);
        trial_oracle(&t);
        compare_bits(&t, w->found, point->same_on, sizeof point->same_on);
    }
    trial_close(&t);
    point->who_count++;
    return true;
}

/* The widest of ours, and the peers that are wanted and there, but for those that may miss results:
 * their values are no errors of rounding. */
static size_t list_variants(struct accuracy *a, const struct accuracy_options *options,
                            struct variant who[WORST_WHO])
{
    const struct variant *ours;
    size_t count = variants_list(&ours), listed = 0;
    who[listed++] = ours[count - 1];
    a->without_peers[0] = '\0';
    for (size_t i = 0; peers_name(i) && listed < WORST_WHO; i++) {
        char error[512];
        size_t used = strlen(a->without_peers);
        if (!accuracy_wants(options, peers_name(i)) || peers_is_approximate(i))
            continue;
        struct peer *peer = peers_find(i, error, sizeof error);
        if (peer && peers_open(peer, error, sizeof error))
            who[listed++] = variant_of_peer(peer);
        else
            snprintf(a->without_peers + used, sizeof a->without_peers - used, "%s%s",
                     used > 0 ? ", " : "", peers_name(i));
    }
    return listed;
}

void worst_measure(struct accuracy *a, const struct accuracy_options *options)
{
    struct variant who[WORST_WHO];
    size_t who_count = list_variants(a, options, who);
    int threads = omp_get_max_threads();
    omp_set_num_threads(1); /* small shapes: threads would wait for each other */
    a->worst = memory_new(kernel_count * SHAPES_MOST, sizeof *a->worst);
    for (size_t k = 0; k < kernel_count; k++) {
        struct shape shapes[SHAPES_MOST];
        size_t count = has_errors(kernels[k]) ? list_shapes(kernels[k], options->smoke, shapes) : 0;
        progress_count(k + 1, kernel_count);
        for (size_t s = 0; s < count; s++) {
            struct worst_point *point = &a->worst[a->worst_count++];
            *point = (struct worst_point){.who_count = 0};
            snprintf(point->kernel, sizeof point->kernel, "%s", kernels[k]->name);
            shape_format(kernels[k], &shapes[s], point->shape, sizeof point->shape);
            for (size_t w = 0; w < who_count; w++) {
                char text[160];
                if (who[w].peer && !who[w].peer->runs(kernels[k]))
                    continue;
                snprintf(text, sizeof text, "worst error of %s %s, %s", point->kernel, point->shape,
                         who[w].peer ? who[w].name : "mmk");
                progress(text);
                measure_one(point, kernels[k], &shapes[s], &who[w], options);
            }
        }
    }
    progress_end();
    omp_set_num_threads(threads);
    isa_use_row(NULL);
    peers_close();
}
