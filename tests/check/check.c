/* check.c - runs every trial that was asked for on every variant, and judges what comes back.
 * SPDX-License-Identifier: MIT
 *
 * Outputs are judged against the oracle once, those of the first variant; all others must have its
 * bits, and are judged only where they have not, to say which of the two is wrong.
 */
#include "check.h"

#include "../../kernels/tile/tile.h"
#include "../../ref/sanitizers.h"
#include "brinks.h"
#include "stagger.h"
#include "state.h"

#include <inttypes.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CRASHES_PER_CELL = 10,
    SECONDS_PER_TRIAL = 300,
    LOOKS_FOR_LEAKS = 8, /* of so many calls one */
    STAGGERS = 32        /* of so many calls one */
};

/* The first variant of a trial that came through: the others are compared with it. Its outputs are
 * at home. */
struct first {
    bool there;
    int variant;
    char from[64]; /* "on scalar" */
    struct verdict verdict;
};

/* --stop: whether something has failed. */
static bool is_over(const struct run *run)
{
    size_t passed, failed = 0, skipped;
    if (run->options.stop)
        report_total(run->report, &passed, &failed, &skipped);
    return failed > 0;
}

/* ---- One trial ------------------------------------------------------------------------------- */

/* The element's value, and its bits where the value may not tell all. */
static void element_text(const struct buffer *b, const void *data, size_t e, char *text,
                         size_t size)
{
    const char *at = (const char *)data + e * element_bytes(b->element);
    if (b->element == ELEMENT_I8) {
        snprintf(text, size, "%d", *(const signed char *)at);
    } else if (b->element == ELEMENT_F64) {
        uint64_t bits;
        double value;
        memcpy(&bits, at, sizeof bits);
        memcpy(&value, at, sizeof value);
        snprintf(text, size, "%.17g (0x%016" PRIx64 ")", value, bits);
    } else {
        uint32_t bits;
        float value;
        memcpy(&bits, at, sizeof bits);
        memcpy(&value, at, sizeof value);
        if (b->element == ELEMENT_U32)
            snprintf(text, size, "%" PRIu32, bits);
        else if (b->element == ELEMENT_I32)
            snprintf(text, size, "%" PRId32, (int32_t)bits);
        else
            snprintf(text, size, "%.9g (0x%08" PRIx32 ")", (double)value, bits);
    }
}

/* Whether the wanted outputs have the bits of those at home, which came from there; else how says
 * where not. */
static bool same_bits(const struct placed *p, const char *from, char *how, size_t size)
{
    const struct trial *t = &p->trial;
    for (int i = 0; i < t->buffer_count; i++) {
        const struct buffer *b = &t->buffer[i];
        if (!b->output || b->unwanted || memcmp(b->data, p->home[i], buffer_bytes(b)) == 0)
            continue;
        const char *got = b->data, *first = p->home[i];
        size_t e = 0, bytes = element_bytes(b->element);
        while (memcmp(got + e * bytes, first + e * bytes, bytes) == 0)
            e++;
        char ours[64], theirs[64];
        element_text(b, got, e, ours, sizeof ours);
        element_text(b, first, e, theirs, sizeof theirs);
        snprintf(how, size, "%s[%zu,%zu] is %s, but %s %s", b->name, e / b->ld, e % b->ld, ours,
                 theirs, from);
        return false;
    }
    return true;
}

/* What the check does not say of itself is taken from its name, so that it can be repeated. */
static size_t number_of(const struct run *run)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
    for (const char *c = run->note->where; *c != '\0'; c++)
        hash = (hash ^ (unsigned char)*c) * 0x100000001b3u;
    return (size_t)(hash >> 16);
}

/* What malloc has given and not got back. 0 where nobody can say. */
static size_t bytes_in_use(void)
{
#ifdef __GLIBC__
    struct mallinfo2 info = mallinfo2();
    sanitizers_written(&info, sizeof info);
    return info.uordblks + info.hblkhd;
#else
    return 0;
#endif
}

static size_t bytes_after(struct trial *t, int calls, enum mmk_status *status)
{
    while (calls-- > 0)
        *status = trial_call(t);
    return bytes_in_use();
}

/* Calls the kernel, twice at least. False: the longer it is called, the more memory is in use. (The
 * first call may start threads; and glibc counts as in use what it keeps at hand of small pieces,
 * up to seven of a size. Eight calls at a time fill that, and show what leaks at one in eight.) */
static bool call_without_leak(struct trial *t, enum mmk_status *status)
{
    size_t before = bytes_in_use();
    bool grows = bytes_after(t, 2, status) > before;
    for (int times = 0; grows && times < 4; times++) {
        before = bytes_in_use();
        grows = bytes_after(t, 8, status) > before;
    }
    return !grows;
}

/* Calls the kernel in some state of the caller's, another from check to check. False: it has not
 * left that as it was, or has returned an error, and how says so. */
static bool call_kernel(struct run *run, struct trial *t, char *how, size_t size)
{
    bool keep_default = t->kernel->callers_state;
    struct state before;
    state_before(&before, number_of(run), keep_default);
    run->note->running = true;
    enum mmk_status status;
    bool leaks = false, staggers = t->options.threads > 1 && number_of(run) % STAGGERS == 1;
    if (staggers)
        stagger_begin(number_of(run));
    if (number_of(run) % LOOKS_FOR_LEAKS == 0)
        leaks = !call_without_leak(t, &status);
    else
        status = trial_call(t);
    if (staggers)
        stagger_end();
    run->note->running = false;
    if (state_changed(&before, keep_default, how, size))
        return false;
    if (leaks) {
        snprintf(how, size, "leaves more memory in use after every call");
        return false;
    }
    if (status == MMK_OK)
        return true;
    snprintf(how, size, "returned an error: %s (%s)", mmk_status_string(status),
             mmk_error_detail());
    return false;
}

/* Calls the kernel for one output only, or for the count (only = -1): it must have the bits at
 * home. */
static bool same_alone(struct run *run, struct placed *p, int only, char *how, size_t size)
{
    struct trial *t = &p->trial;
    const char *name = only < 0 ? "the count" : t->buffer[only].name;
    char what[400];
    for (int i = 0; i < t->buffer_count; i++)
        t->buffer[i].unwanted = i != only;
    t->count_unwanted = only >= 0;
    place_workspace(&run->places, p, number_of(run));
    trial_poison(t);
    bool good = false;
    if (!call_kernel(run, t, what, sizeof what) ||
        place_damage(&run->places, p, what, sizeof what) ||
        !same_bits(p, "when all are asked", what, sizeof what))
        ;
    else if (only < 0 && t->count != t->expected_count)
        snprintf(what, sizeof what, "it is %zu; right is %zu", t->count, t->expected_count);
    else
        good = true;
    if (!good)
        snprintf(how, size, "%s asked alone: %s", name, what);
    for (int i = 0; i < t->buffer_count; i++)
        t->buffer[i].unwanted = false;
    t->count_unwanted = false;
    return good;
}

/* Whether no output depends on which others are asked. */
static bool same_apart(struct run *run, struct placed *p, char *how, size_t size)
{
    const struct trial *t = &p->trial;
    int outputs = t->kernel->counts;
    for (int i = 0; i < t->buffer_count; i++)
        outputs += t->buffer[i].output;
    if (outputs == 1)
        return true;
    bool same = true;
    for (int only = t->kernel->counts ? -1 : 0; same && only < t->buffer_count; only++)
        same = (only >= 0 && !t->buffer[only].output) || same_alone(run, p, only, how, size);
    return same;
}

/* Judges the results by the oracle. Without one the first are right, and what they count, where
 * nothing else was written. */
static void judge(const struct run *run, struct trial *t, bool first, struct verdict *verdict)
{
    if (!run->options.no_oracle) {
        trial_check(t, verdict);
        return;
    }
    trial_check_padding(t, verdict);
    if (first)
        t->expected_count = t->count;
    else if (t->count != t->expected_count && t->count != SIZE_MAX) {
        verdict->pass = false;
        snprintf(verdict->message, sizeof verdict->message, "count is %zu, but was %zu", t->count,
                 t->expected_count);
    }
}

/* Calls the kernel as the variant and options of the trial say, and judges what it did; with apart,
 * also for each output alone. */
static void check(struct run *run, struct placed *p, const char *shape, struct first *first,
                  struct cell *cell, int variant, bool apart)
{
    const char *where = run->note->where, *again = run->note->again;
    struct trial *t = &p->trial;
    char how[512];
    struct verdict verdict;
    bool same = false;
    bool other = p->placement == PLACE_BEGIN, plain = number_of(run) / 16 % 2 == 0;
    enum mmk_status used = variant_use(&run->variants[variant], other, plain, &run->row);
    if (used != MMK_OK) {
        snprintf(how, sizeof how, "mmk_isa_use returned an error: %s", mmk_status_string(used));
        report_fail(cell, where, how, again);
        return;
    }
    place_workspace(&run->places, p, number_of(run));
    trial_poison(t);
    bool called = call_kernel(run, t, how, sizeof how);
    const char *lacked = library_lacked();
    if (lacked) {
        snprintf(how, sizeof how, "the library has no %s", lacked);
        report_skip(cell, how);
        return;
    }
    if (!called) {
        report_fail(cell, where, how, again);
        return;
    }
    if (place_damage(&run->places, p, how, sizeof how)) {
        report_fail(cell, where, how, again);
        place_buffers(&run->places, p, PLACE_END); /* whole again for the next check */
        return;
    }
    if (!first->there) {
        judge(run, t, true, &first->verdict);
        first->there = true;
        first->variant = variant;
        snprintf(first->from, sizeof first->from, "on %s", run->variants[variant].name);
        for (int i = 0; i < t->buffer_count; i++)
            if (t->buffer[i].output)
                memcpy(p->home[i], t->buffer[i].data, buffer_bytes(&t->buffer[i]));
        report_digest(&run->report->digest[run->note->kernel], run->trial, t, shape);
        verdict = first->verdict;
    } else if (same_bits(p, first->from, how, sizeof how)) {
        same = true;
        verdict = first->verdict; /* the same bits, the same verdict */
        if (t->count != t->expected_count && t->count != SIZE_MAX)
            judge(run, t, false, &verdict);
    } else {
        judge(run, t, false, &verdict);
        if (verdict.pass) {
            report_fail(cell, where, how, again);
            return;
        }
    }
    report_worst(cell, &verdict, where);
    if (verdict.pass && apart && !same_apart(run, p, how, sizeof how)) {
        report_fail(cell, where, how, again);
        place_buffers(&run->places, p, PLACE_END); /* whole again for the next check */
    } else if (verdict.pass)
        cell->passed++;
    else
        report_fail(cell, where, verdict.message, same ? NULL : again);
}

/* The name of the check, and the command that repeats it, with the variant that it is compared with
 * (-1: none). what: "pass end", say. */
static void describe(struct run *run, const struct trial *t, const char *shape, int variant,
                     int compared, const char *what)
{
    struct crash_note *note = run->note;
    const char *isa = run->variants[variant].name, *kernel = t->kernel->name;
    char threads[32] = "";
    if (t->kernel->takes_threads && t->options.threads > 0)
        snprintf(threads, sizeof threads, " threads %d", t->options.threads);
    snprintf(note->where, sizeof note->where, "%s %s%s, shape %s, fill %s, seed %" PRIu64 ", %s",
             kernel, isa, threads, shape, fill_name(t->fill), t->seed, what);
    char with[64] = "";
    if (compared >= 0 && compared != variant)
        snprintf(with, sizeof with, "%s,", run->variants[compared].name);
    char counts[12 * THREADS_MAX + 16] = "";
    for (int i = 0, used = 0; run->options.threads_given && i < run->options.thread_count; i++)
        used += snprintf(counts + used, sizeof counts - (size_t)used, "%s%d",
                         i == 0 ? " --threads " : ",", run->options.threads[i]);
    snprintf(note->again, sizeof note->again,
             "mmk-check --kernel %s --isa %s%s --shape '%s' --fill %s --seed %" PRIu64 "%s%s%s%s%s",
             kernel, with, isa, shape, fill_name(t->fill), t->seed,
             run->options.quick ? " --quick" : "", counts, run->library ? " --library '" : "",
             run->library ? run->library->path : "", run->library ? "'" : "");
}

static bool is_plain(const struct variant *v)
{
    return strcmp(v->name, "scalar") == 0 || strncmp(v->name, "autovec", 7) == 0;
}

/* How many chosen variants that can be used are plain C, and how many are not. */
static void count_plain(const struct run *run, size_t *plain, size_t *others)
{
    *plain = *others = 0;
    for (int v = 0; v < run->variant_count; v++) {
        if (!run->chosen[v] || run->variants[v].usable != MMK_OK)
            continue;
        if (is_plain(&run->variants[v]))
            ++*plain;
        else
            ++*others;
    }
}

static size_t work_of(const struct shape *shape)
{
    return shape->m * shape->n * shape->d;
}

/* What passes are left out hangs on. */
static size_t turn_of(const struct trial *t)
{
    const struct shape *shape = &t->shape;
    return (size_t)t->fill + (size_t)t->seed + shape->m + shape->n + shape->d;
}

/* Whether a variant is called once at most, and for all outputs together. What the compiler made of
 * plain C takes most of a run's time where there is much work, and is there to be compared with; a
 * run of nothing else has all. */
static bool is_spared(const struct run *run, int variant, const struct shape *shape)
{
    enum { MUCH_WORK = 1 << 10 }; /* products */
    size_t plain, others;
    count_plain(run, &plain, &others);
    return others > 0 && is_plain(&run->variants[variant]) && work_of(shape) >= MUCH_WORK;
}

/* Whether a variant is left out of a pass. Of those that are spared each trial has another pass;
 * and of plain C, where there is more work, another variant, as they are one source. A quick run
 * has two passes where there is much work: that in which arrays end at a page's end, and one of the
 * two others by turns, with another number of threads (thread_of). */
static bool passed_over(const struct run *run, int variant, const struct trial *t, int placement)
{
    enum { QUICK_MUCH_WORK = 1 << 12, MORE_WORK = 1 << 16 }; /* products */
    const struct shape *shape = &t->shape;
    size_t turn = turn_of(t);
    if (!is_spared(run, variant, shape))
        return run->options.quick && work_of(shape) >= QUICK_MUCH_WORK && placement != PLACE_END &&
               placement != (turn % 2 == 0 ? PLACE_BEGIN : PLACE_SHIFTED);
    if (turn % PLACE_COUNT != (size_t)placement)
        return true;
    size_t plain, others, before = 0;
    count_plain(run, &plain, &others);
    if (work_of(shape) < MORE_WORK)
        return false;
    for (int v = 0; v < variant; v++)
        before +=
            run->chosen[v] && run->variants[v].usable == MMK_OK && is_plain(&run->variants[v]);
    size_t other_turn = turn / PLACE_COUNT + (size_t)shape->similarity;
    return other_turn % plain != before;
}

/* Which of so many thread counts a pass has: each another, and over the shapes each has all. */
static int thread_of(const struct run *run, const struct trial *t, int placement, int thread_count)
{
    int pass = run->options.quick ? placement != PLACE_END : placement;
    return (pass + (int)(t->shape.m + t->shape.n + t->shape.d)) % thread_count;
}

/* What is said where inputs and oracle crash or take too long. The trial is not tried again then:
 * it would end in the same way. */
static void describe_oracle(struct run *run, const struct trial *t, const char *shape,
                            size_t kernel_index, size_t checks)
{
    int variant = 0;
    while (!run->chosen[variant])
        variant++;
    run->note->kernel = kernel_index;
    run->note->variant = variant;
    run->note->ordinal = run->ordinal + checks;
    describe(run, t, shape, variant, -1, "the oracle");
}

/* How many checks a trial is made of, those that are passed over among them. */
static size_t checks_of(const struct run *run)
{
    size_t variants = 0;
    for (int v = 0; v < run->variant_count; v++)
        variants += run->chosen[v];
    return variants * PLACE_COUNT;
}

/* The thread count that is number `turn`: 8 or 13 in place of 3 where there are as many blocks. */
static int threads_of(const struct options *options, int turn, const struct shape *shape)
{
    size_t blocks = size_blocks(shape->m, TILE_BLOCK_ROWS) * size_blocks(shape->n, TILE_BLOCK_COLS);
    if (!options->may_take_many || options->threads[turn] != 3 || blocks < 8)
        return options->threads[turn];
    return blocks < 13 || (shape->m + shape->n + shape->d) % 2 == 0 ? 8 : 13;
}

/* Which of a trial's checks, counted through passes and variants, asks each output alone: the one
 * at `wish`, or the next that is made here. SIZE_MAX: none is made. */
static size_t alone_at(const struct run *run, const struct trial *t, size_t wish)
{
    int chosen[VARIANT_MAX];
    size_t variants = 0, checks = checks_of(run);
    for (int v = 0; v < run->variant_count; v++)
        if (run->chosen[v])
            chosen[variants++] = v;
    for (size_t i = 0; i < checks; i++) {
        size_t at = (wish + i) % checks;
        int variant = chosen[at % variants];
        if (run->variants[variant].usable == MMK_OK && !is_spared(run, variant, &t->shape) &&
            !passed_over(run, variant, t, (int)(at / variants)))
            return at;
    }
    return SIZE_MAX;
}

static void run_trial(struct run *run, size_t kernel_index, const struct shape *shape,
                      const char *shape_text, enum fill fill, uint64_t seed)
{
    const struct kernel *kernel = kernels[kernel_index];
    size_t checks = checks_of(run);
    if (is_over(run))
        return;
    if (run->ordinal + checks < run->first) { /* all done before a crash */
        run->ordinal += checks;
        return;
    }
    run->trial = run->ordinal;
    struct placed p = {0};
    struct first first = {0};
    struct trial *t = &p.trial;
    if (!trial_open(t, kernel, shape, fill, seed))
        options_error("no memory for %s, shape %s; use a smaller --shape.", kernel->name,
                      shape_text);
    describe_oracle(run, t, shape_text, kernel_index, checks);
    alarm(SECONDS_PER_TRIAL);
    library_pause(); /* norms that are an input are our own */
    trial_fill(t);
    if (!run->options.no_oracle)
        trial_oracle(t);
    library_resume();
    for (int i = 0; i < t->buffer_count; i++)
        p.home[i] = t->buffer[i].data;
    bool one_block = shape->m * shape->n <
                     64; /* no work for a second thread; see default_threads in options.c */
    int thread_count =
        kernel->takes_threads && !(run->options.quick && one_block) ? run->options.thread_count : 1;
    size_t alone = alone_at(
        run, t, shape->m + shape->n + 3 * shape->d + (size_t)shape->similarity + 7 * (size_t)fill);
    bool over = false;
    for (int placement = 0; placement < PLACE_COUNT && !over; placement++) {
        place_buffers(&run->places, &p, (enum placement)placement);
        int thread = thread_of(run, t, placement, thread_count);
        for (int v = 0; v < run->variant_count && !over; v++) {
            if (!run->chosen[v])
                continue;
            run->note->ordinal = ++run->ordinal;
            if (run->ordinal < run->first || passed_over(run, v, t, placement))
                continue;
            struct cell *cell = &run->report->cell[kernel_index][v];
            cell->great += work_of(shape) >= GREAT_WORK;
            if (run->variants[v].usable != MMK_OK || cell->crashed >= CRASHES_PER_CELL) {
                report_skip(cell, run->variants[v].usable != MMK_OK
                                      ? mmk_status_string(run->variants[v].usable)
                                      : "the rest, after it crashed so often");
                continue;
            }
            t->options.threads =
                kernel->takes_threads ? threads_of(&run->options, thread, shape) : 1;
            char pass[32];
            snprintf(pass, sizeof pass, "pass %s", placement_name((enum placement)placement));
            run->note->kernel = kernel_index;
            run->note->variant = v;
            describe(run, t, shape_text, v, first.there ? first.variant : -1, pass);
            check(run, &p, shape_text, &first, cell, v, run->ordinal - run->trial - 1 == alone);
            over = cell->failed > 0 && is_over(run);
        }
    }
    alarm(0);
    for (int i = 0; i < t->buffer_count; i++)
        t->buffer[i].data = p.home[i];
    trial_close(t);
}

/* ---- All trials ------------------------------------------------------------------------------ */

void check_each(struct run *run,
                void (*visit)(struct run *run, size_t kernel, const struct shape *shape,
                              const char *shape_text, enum fill fill, uint64_t seed))
{
    for (size_t k = 0; k < kernel_count; k++) {
        const struct kernel *kernel = kernels[k];
        if (!options_have_kernel(&run->options, kernel))
            continue;
        bool quick = run->options.quick;
        size_t count = kernel->sweep(quick, NULL), brinks = brinks_sweep(kernel, quick, NULL);
        struct shape *shapes = calloc(count + brinks + 1, sizeof *shapes);
        if (!shapes)
            options_error("no memory for the list of shapes.");
        kernel->sweep(quick, shapes);
        brinks_sweep(kernel, quick, shapes + count);
        for (size_t s = 0; s < count + brinks; s++) {
            char text[128];
            if (kernel->similarity >= 0)
                shapes[s].similarity = (enum mmk_similarity)kernel->similarity;
            shape_format(kernel, &shapes[s], text, sizeof text);
            if (!options_have_shape(&run->options, text))
                continue;
            for (int fill = 0; fill < FILL_GIVEN; fill++) {
                if ((s >= count && !brinks_fill_fits(&shapes[s], (enum fill)fill)) ||
                    !options_have_fill(&run->options, kernel, &shapes[s], (enum fill)fill))
                    continue;
                for (unsigned long r = 0; r < run->options.repeat; r++)
                    visit(run, k, &shapes[s], text, (enum fill)fill, run->options.seed + r);
            }
        }
        free(shapes);
    }
}

void check_run(void *context, size_t first)
{
    struct run *run = context;
    run->first = first;
    run->ordinal = 0;
    check_each(run, run_trial);
}

void check_crashed(void *context)
{
    struct run *run = context;
    struct crash_note *note = run->note;
    struct cell *cell = &run->report->cell[note->kernel][note->variant];
    char how[256];
    if (note->signal == SIGALRM)
        snprintf(how, sizeof how, "did not end within %d seconds", SECONDS_PER_TRIAL);
    else
        snprintf(how, sizeof how, "crashed: %s at address %p%s", strsignal(note->signal),
                 note->address, note->running ? "" : " (in the checker, not in the kernel)");
    report_fail(cell, note->where, how, note->again);
    if (++cell->crashed == CRASHES_PER_CELL)
        fprintf(stderr, "FAIL %s %s crashed %d times; the rest of its checks is skipped\n",
                kernels[note->kernel]->name, run->variants[note->variant].name, CRASHES_PER_CELL);
}
