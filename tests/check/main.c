/* main.c - mmk-check: every kernel on every instruction set, against the oracle and bit by bit.
 * SPDX-License-Identifier: MIT
 *
 * A check is one kernel, variant (instruction set and thread count), shape, fill and pass (where
 * the buffers lie, see guard.h). Its outputs are judged against the double oracle within the
 * derived bound and must have the bits of every other variant and pass; nothing but the outputs may
 * have changed.
 */
#include "../../ref/trial.h"
#include "crash.h"
#include "guard.h"
#include "report.h"
#include "variants.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { CRASHES_PER_CELL = 10, SECONDS_PER_TRIAL = 300, LIST_MAX = 32, THREADS_MAX = 8 };

struct list {
    const char *item[LIST_MAX];
    int count;
};

struct options {
    struct list kernel, isa, fill, shape, require;
    int threads[THREADS_MAX];
    int thread_count;
    uint64_t seed;
    unsigned long repeat;
    bool list, fingerprint, quick, tap, quiet;
    const char *junit;
};

struct run {
    struct options options;
    struct variant variants[VARIANT_MAX];
    int variant_count;
    bool chosen[VARIANT_MAX];
    struct report *report;   /* shared */
    struct crash_note *note; /* shared */
    size_t first;            /* checks before this one have been done by an earlier child */
    size_t ordinal;
    struct guard guards[TRIAL_BUFFERS + 1]; /* the last is the workspace */
};

/* ---- Options --------------------------------------------------------------------------------- */

__attribute__((format(printf, 1, 2), noreturn)) static void usage_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("mmk-check: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(2);
}

/* Adds the comma-separated words of text. */
static void list_add(struct list *list, const char *option, char *text)
{
    char *save;
    for (char *word = strtok_r(text, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
        if (list->count == LIST_MAX)
            usage_error("--%s takes at most %d names.", option, LIST_MAX);
        list->item[list->count++] = word;
    }
}

static bool list_has(const struct list *list, const char *word)
{
    for (int i = 0; i < list->count; i++)
        if (strcmp(list->item[i], word) == 0)
            return true;
    return false;
}

static uint64_t number(const char *option, const char *text, uint64_t least, uint64_t most)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 0);
    if (errno || end == text || *end || text[0] == '-' || value < least || value > most)
        usage_error("--%s takes a number from %" PRIu64 " to %" PRIu64 ", not '%s'.", option, least,
                    most, text);
    return value;
}

enum {
    OPT_KERNEL = 256,
    OPT_ISA,
    OPT_FILL,
    OPT_SHAPE,
    OPT_SEED,
    OPT_REPEAT,
    OPT_THREADS,
    OPT_LIST,
    OPT_FINGERPRINT,
    OPT_QUICK,
    OPT_TAP,
    OPT_JUNIT,
    OPT_REQUIRE,
    OPT_QUIET
};

static const struct argp_option argp_options[] = {
    {"kernel", OPT_KERNEL, "NAME", 0, "Only this kernel or family (repeatable, or a,b,c)", 0},
    {"isa", OPT_ISA, "NAME", 0, "Only this instruction set or autovec-* variant", 0},
    {"fill", OPT_FILL, "NAME", 0, "Only this kind of input", 0},
    {"shape", OPT_SHAPE, "TEXT", 0, "Only shapes that begin with TEXT, e.g. 5x7x3", 0},
    {"threads", OPT_THREADS, "N", 0, "Thread counts, taken in turn (default 1,2,3; quick 1,3)", 0},
    {"seed", OPT_SEED, "N", 0, "Seed of the inputs (default 1)", 0},
    {"repeat", OPT_REPEAT, "N", 0, "Run with N seeds, from --seed upwards", 0},
    {"quick", OPT_QUICK, NULL, 0, "Fewer shapes, for emulators and sanitizers", 0},
    {"require", OPT_REQUIRE, "NAME", 0, "A skip of this instruction set is a failure", 0},
    {"list", OPT_LIST, NULL, 0, "List kernels, fills and variants, and end", 0},
    {"fingerprint", OPT_FINGERPRINT, NULL, 0,
     "Print one hash per kernel and fill, the same on every machine, and end", 0},
    {"tap", OPT_TAP, NULL, 0, "Report as TAP on standard output", 0},
    {"junit", OPT_JUNIT, "FILE", 0, "Write a JUnit XML report as well", 0},
    {"quiet", OPT_QUIET, NULL, 0, "Print failures and the closing line only", 0},
    {0}};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    switch (key) {
    case OPT_KERNEL:
        list_add(&o->kernel, "kernel", arg);
        break;
    case OPT_ISA:
        list_add(&o->isa, "isa", arg);
        break;
    case OPT_FILL:
        list_add(&o->fill, "fill", arg);
        break;
    case OPT_SHAPE: /* not a list: a shape holds commas */
        if (o->shape.count == LIST_MAX)
            usage_error("--shape may be given %d times.", LIST_MAX);
        o->shape.item[o->shape.count++] = arg;
        break;
    case OPT_REQUIRE:
        list_add(&o->require, "require", arg);
        break;
    case OPT_SEED:
        o->seed = number("seed", arg, 0, UINT64_MAX);
        break;
    case OPT_REPEAT:
        o->repeat = (unsigned long)number("repeat", arg, 1, 1000000);
        break;
    case OPT_THREADS: {
        char *save;
        o->thread_count = 0;
        for (char *word = strtok_r(arg, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
            if (o->thread_count == THREADS_MAX)
                usage_error("--threads takes at most %d counts.", THREADS_MAX);
            o->threads[o->thread_count++] = (int)number("threads", word, 0, 1024);
        }
        if (o->thread_count == 0)
            usage_error("--threads takes numbers, e.g. 1,2,3.");
        break;
    }
    case OPT_LIST:
        o->list = true;
        break;
    case OPT_FINGERPRINT:
        o->fingerprint = true;
        break;
    case OPT_QUICK:
        o->quick = true;
        break;
    case OPT_TAP:
        o->tap = o->quiet = true;
        break;
    case OPT_JUNIT:
        o->junit = arg;
        break;
    case OPT_QUIET:
        o->quiet = true;
        break;
    case ARGP_KEY_ARG:
        usage_error("'%s' is not an option; mmk-check --help lists them.", arg);
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static int find_variant(const struct run *run, const char *name)
{
    for (int v = 0; v < run->variant_count; v++)
        if (strcmp(run->variants[v].name, name) == 0)
            return v;
    return -1;
}

/* A variant that was asked for by name must be there and usable. */
static void choose_variant(struct run *run, const char *source, const char *name)
{
    int v = find_variant(run, name);
    if (v < 0) {
        char known[256] = "";
        for (int i = 0; i < run->variant_count; i++)
            snprintf(known + strlen(known), sizeof known - strlen(known), " %s",
                     run->variants[i].name);
        usage_error("%s: this build has no instruction set '%s'; it has:%s.", source, name, known);
    }
    if (run->variants[v].usable != MMK_OK)
        usage_error("%s: '%s' cannot run here: %s", source, name,
                    mmk_status_string(run->variants[v].usable));
    run->chosen[v] = true;
}

static void check_names(struct run *run)
{
    const struct options *o = &run->options;
    for (int i = 0; i < o->kernel.count; i++) {
        bool found = kernel_find(o->kernel.item[i]) != NULL;
        for (size_t k = 0; k < kernel_count && !found; k++)
            found = strcmp(kernels[k]->family, o->kernel.item[i]) == 0;
        if (!found)
            usage_error("--kernel: there is no kernel or family '%s'; mmk-check --list names them.",
                        o->kernel.item[i]);
    }
    for (int i = 0; i < o->fill.count; i++) {
        bool found = false;
        for (int f = 0; f < FILL_GIVEN; f++)
            found = found || strcmp(fill_name((enum fill)f), o->fill.item[i]) == 0;
        if (!found)
            usage_error("--fill: there is no fill '%s'; mmk-check --list names them.",
                        o->fill.item[i]);
    }
    const char *environment = getenv("MMK_ISA");
    if (o->isa.count > 0)
        for (int i = 0; i < o->isa.count; i++)
            choose_variant(run, "--isa", o->isa.item[i]);
    else if (environment && *environment)
        choose_variant(run, "MMK_ISA", environment);
    else
        for (int v = 0; v < run->variant_count; v++)
            run->chosen[v] = true;
}

/* ---- One trial ------------------------------------------------------------------------------- */

static bool kernel_chosen(const struct run *run, const struct kernel *kernel)
{
    const struct list *list = &run->options.kernel;
    return list->count == 0 || list_has(list, kernel->name) || list_has(list, kernel->family);
}

static bool fill_chosen(const struct run *run, const struct kernel *kernel,
                        const struct shape *shape, enum fill fill)
{
    const struct list *list = &run->options.fill;
    if (list->count > 0 && !list_has(list, fill_name(fill)))
        return false;
    return fill_fits(kernel, shape, fill);
}

static bool shape_chosen(const struct run *run, const char *text)
{
    const struct list *list = &run->options.shape;
    for (int i = 0; i < list->count; i++)
        if (strncmp(text, list->item[i], strlen(list->item[i])) == 0)
            return true;
    return list->count == 0;
}

/* A trial whose buffers are moved between guard pages pass by pass. */
struct placed {
    struct trial trial;
    void *
        home[TRIAL_BUFFERS]; /* where trial_open put them: inputs as filled, outputs of the first */
    bool have_first;         /* outputs at home are those of the first variant, */
    char first_name[64];     /* this one, */
    struct verdict first;    /* judged so */
};

static void place(struct run *run, struct placed *p, enum placement placement)
{
    struct trial *t = &p->trial;
    for (int i = 0; i < t->buffer_count; i++) {
        struct buffer *b = &t->buffer[i];
        size_t shift = (size_t)i + t->shape.m + t->shape.n + t->shape.d;
        if (element_bytes(b->element) == 8) /* keep them on a multiple of 8 */
            shift = 2 * (shift % 7) + 1;
        b->data = guard_place(&run->guards[i], buffer_bytes(b), placement, shift);
        if (!b->output)
            memcpy(b->data, p->home[i], buffer_bytes(b));
    }
    /* No workspace, exactly what streaming needs, or all of it or half way. */
    t->options = (struct mmk_options){0};
    size_t streamed, stored;
    if (t->kernel->workspace != NULL && placement != PLACE_END &&
        t->kernel->workspace(&t->shape, 3, &streamed, &stored) == MMK_OK) {
        size_t bytes = streamed;
        if (placement == PLACE_SHIFTED)
            bytes = t->shape.m % 2 ? stored : streamed + (stored - streamed) / 2;
        if (bytes > 0) {
            t->options.workspace = guard_place(&run->guards[TRIAL_BUFFERS], bytes, PLACE_END, 0);
            t->options.workspace_bytes = bytes;
        }
    }
}

/* Says in how what is wrong besides the outputs' values; false when nothing is. */
static bool find_damage(const struct run *run, const struct placed *p, char *how, size_t size)
{
    const struct trial *t = &p->trial;
    for (int i = 0; i < t->buffer_count; i++) {
        const struct buffer *b = &t->buffer[i];
        if (!guard_intact(&run->guards[i])) {
            snprintf(how, size, "memory next to %s was written", b->name);
            return true;
        }
        if (!b->output && memcmp(b->data, p->home[i], buffer_bytes(b)) != 0) {
            snprintf(how, size, "the input %s was changed", b->name);
            return true;
        }
    }
    if (t->options.workspace && !guard_intact(&run->guards[TRIAL_BUFFERS])) {
        snprintf(how, size, "memory before the workspace was written");
        return true;
    }
    return false;
}

/* The element's value, and its bits where the value may not tell all. */
static void element_text(const struct buffer *b, const void *data, size_t e, char *text,
                         size_t size)
{
    const char *at = (const char *)data + e * element_bytes(b->element);
    if (b->element == ELEMENT_F64) {
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
        snprintf(text, size, "%.9g (0x%08" PRIx32 ")", (double)value, bits);
    }
}

/* Whether the outputs have the bits of the first variant's; else how says where not. */
static bool same_bits(const struct placed *p, char *how, size_t size)
{
    const struct trial *t = &p->trial;
    for (int i = 0; i < t->buffer_count; i++) {
        const struct buffer *b = &t->buffer[i];
        if (!b->output || memcmp(b->data, p->home[i], buffer_bytes(b)) == 0)
            continue;
        const char *got = b->data, *first = p->home[i];
        size_t e = 0, bytes = element_bytes(b->element);
        while (memcmp(got + e * bytes, first + e * bytes, bytes) == 0)
            e++;
        char ours[64], theirs[64];
        element_text(b, got, e, ours, sizeof ours);
        element_text(b, first, e, theirs, sizeof theirs);
        snprintf(how, size, "%s[%zu,%zu] is %s, but %s on %s", b->name, e / b->ld, e % b->ld, ours,
                 theirs, p->first_name);
        return false;
    }
    return true;
}

/* Calls the kernel once, as the variant and options of the trial say, and judges what it did. */
static void check(struct run *run, struct placed *p, struct cell *cell, int variant,
                  const char *where, const char *again)
{
    struct trial *t = &p->trial;
    char how[512];
    struct verdict verdict;
    bool same = false;
    trial_poison(t);
    isa_use_row(&run->variants[variant].row);
    run->note->running = true;
    enum mmk_status status = trial_call(t);
    run->note->running = false;

    if (status != MMK_OK) {
        snprintf(how, sizeof how, "returned an error: %s", mmk_status_string(status));
        report_fail(cell, where, how, again);
        return;
    }
    if (find_damage(run, p, how, sizeof how)) {
        report_fail(cell, where, how, again);
        place(run, p, PLACE_END); /* whole again for the next check */
        return;
    }
    if (!p->have_first) {
        trial_check(t, &p->first);
        p->have_first = true;
        snprintf(p->first_name, sizeof p->first_name, "%s", run->variants[variant].name);
        for (int i = 0; i < t->buffer_count; i++)
            if (t->buffer[i].output)
                memcpy(p->home[i], t->buffer[i].data, buffer_bytes(&t->buffer[i]));
        verdict = p->first;
    } else if (same_bits(p, how, sizeof how)) {
        same = true;
        verdict = p->first; /* the same bits, the same verdict */
        if (t->count != t->expected_count && t->count != SIZE_MAX)
            trial_check(t, &verdict);
    } else {
        trial_check(t, &verdict);
        if (verdict.pass) {
            report_fail(cell, where, how, again);
            return;
        }
    }
    if (verdict.pass)
        report_pass(cell, &verdict, where);
    else
        report_fail(cell, where, verdict.message, same ? NULL : again);
}

/* The name of the check, and the command that repeats it. */
static void describe(struct run *run, const struct trial *t, const char *shape, int variant,
                     enum placement placement)
{
    struct crash_note *note = run->note;
    const char *isa = run->variants[variant].name, *kernel = t->kernel->name;
    char threads[32] = "";
    if (t->kernel->takes_threads)
        snprintf(threads, sizeof threads, " threads %d", t->options.threads);
    snprintf(note->where, sizeof note->where,
             "%s %s%s, shape %s, fill %s, seed %" PRIu64 ", pass %s", kernel, isa, threads, shape,
             fill_name(t->fill), t->seed, placement_name(placement));
    snprintf(note->again, sizeof note->again,
             "mmk-check --kernel %s --isa %s%s --shape '%s' --fill %s --seed %" PRIu64 "%s", kernel,
             strcmp(isa, "scalar") == 0 ? "" : "scalar,", isa, shape, fill_name(t->fill), t->seed,
             run->options.quick ? " --quick" : "");
}

/* How many checks a trial is made of. */
static size_t checks_of(const struct run *run)
{
    size_t variants = 0;
    for (int v = 0; v < run->variant_count; v++)
        variants += run->chosen[v];
    return variants * PLACE_COUNT;
}

static void run_trial(struct run *run, size_t kernel_index, const struct shape *shape,
                      const char *shape_text, enum fill fill, uint64_t seed)
{
    const struct kernel *kernel = kernels[kernel_index];
    size_t checks = checks_of(run);
    if (run->ordinal + checks < run->first) { /* all done before a crash */
        run->ordinal += checks;
        return;
    }
    struct placed p = {0};
    struct trial *t = &p.trial;
    if (!trial_open(t, kernel, shape, fill, seed))
        usage_error("no memory for %s, shape %s; use a smaller --shape.", kernel->name, shape_text);
    alarm(SECONDS_PER_TRIAL);
    trial_fill(t);
    trial_oracle(t);
    for (int i = 0; i < t->buffer_count; i++)
        p.home[i] = t->buffer[i].data;
    /* Every pass has a thread count, and over the shapes every thread count is in every pass. */
    bool one_block =
        shape->m * shape->n < 64; /* no work for a second thread; see default_threads */
    int thread_count =
        kernel->takes_threads && !(run->options.quick && one_block) ? run->options.thread_count : 1;
    for (int placement = 0; placement < PLACE_COUNT; placement++) {
        place(run, &p, (enum placement)placement);
        int thread = (placement + (int)(shape->m + shape->n + shape->d)) % thread_count;
        for (int v = 0; v < run->variant_count; v++) {
            if (!run->chosen[v])
                continue;
            run->note->ordinal = ++run->ordinal;
            if (run->ordinal < run->first)
                continue;
            struct cell *cell = &run->report->cell[kernel_index][v];
            if (run->variants[v].usable != MMK_OK || cell->crashed >= CRASHES_PER_CELL) {
                cell->skipped++;
                continue;
            }
            t->options.threads = kernel->takes_threads ? run->options.threads[thread] : 1;
            run->note->kernel = kernel_index;
            run->note->variant = v;
            describe(run, t, shape_text, v, (enum placement)placement);
            check(run, &p, cell, v, run->note->where, run->note->again);
        }
    }
    alarm(0);
    for (int i = 0; i < t->buffer_count; i++)
        t->buffer[i].data = p.home[i];
    trial_close(t);
}

/* ---- All trials ------------------------------------------------------------------------------ */

/* Calls visit for every chosen kernel, shape, fill and seed. */
static void each_trial(struct run *run,
                       void (*visit)(struct run *run, size_t kernel, const struct shape *shape,
                                     const char *shape_text, enum fill fill, uint64_t seed))
{
    for (size_t k = 0; k < kernel_count; k++) {
        const struct kernel *kernel = kernels[k];
        if (!kernel_chosen(run, kernel))
            continue;
        size_t count = kernel->sweep(run->options.quick, NULL);
        struct shape *shapes = calloc(count ? count : 1, sizeof *shapes);
        if (!shapes)
            usage_error("no memory for the list of shapes.");
        kernel->sweep(run->options.quick, shapes);
        for (size_t s = 0; s < count; s++) {
            char text[128];
            if (kernel->similarity != SIMILARITY_FROM_SHAPE)
                shapes[s].similarity = (enum mmk_similarity)kernel->similarity;
            shape_format(kernel, &shapes[s], text, sizeof text);
            if (!shape_chosen(run, text))
                continue;
            for (int fill = 0; fill < FILL_GIVEN; fill++)
                for (unsigned long r = 0; r < run->options.repeat &&
                                          fill_chosen(run, kernel, &shapes[s], (enum fill)fill);
                     r++)
                    visit(run, k, &shapes[s], text, (enum fill)fill, run->options.seed + r);
        }
        free(shapes);
    }
}

static void run_checks(void *context, size_t first)
{
    struct run *run = context;
    run->first = first;
    run->ordinal = 0;
    each_trial(run, run_trial);
}

static void on_crash(void *context)
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

/* ---- Fingerprints ---------------------------------------------------------------------------- */

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
        usage_error("no memory for %s, shape %s; use a smaller --shape.", kernels[k]->name,
                    shape_text);
    trial_fill(&t);
    trial_poison(&t);
    if (trial_call(&t) != MMK_OK)
        usage_error("%s, shape %s returned an error.", kernels[k]->name, shape_text);
    struct fingerprint *f = &fingerprints[k][fill];
    f->hash = (f->hash ^ trial_fingerprint(&t)) * 0x9e3779b97f4a7c15u;
    f->hash ^= f->hash >> 29;
    f->trials++;
    trial_close(&t);
}

static void print_fingerprints(struct run *run)
{
    int last = -1;
    for (int v = 0; v < run->variant_count; v++)
        if (run->chosen[v] && run->variants[v].usable == MMK_OK &&
            strncmp(run->variants[v].name, "autovec", 7) != 0)
            last = v; /* the widest, or the one that was asked for */
    if (last < 0)
        usage_error("--fingerprint needs one of the library's own instruction sets.");
    isa_use_row(&run->variants[last].row);
    each_trial(run, fingerprint_trial);
    for (size_t k = 0; k < kernel_count; k++)
        for (int fill = 0; fill < FILL_GIVEN; fill++)
            if (fingerprints[k][fill].trials)
                printf("%-25s %-11s %5zu shapes  %016" PRIx64 "\n", kernels[k]->name,
                       fill_name((enum fill)fill), fingerprints[k][fill].trials,
                       fingerprints[k][fill].hash);
    fprintf(stderr, "made with %s, seed %" PRIu64 "\n", run->variants[last].name,
            run->options.seed);
}

/* ---- main ------------------------------------------------------------------------------------ */

/* Three threads on two cores: OpenMP workers that spin while they wait would take minutes for what
 * takes seconds. libgomp reads its environment when it is loaded: before this in a dynamic program,
 * which has to start anew, after it in a static one. */
static bool start_anew;

__attribute__((constructor(101))) static void wait_passively(void)
{
    if (!getenv("OMP_WAIT_POLICY")) {
        setenv("OMP_WAIT_POLICY", "passive", 1);
        start_anew = true;
    }
}

static void print_list(const struct run *run)
{
    printf("kernels (family, shapes in the sweep):\n");
    for (size_t k = 0; k < kernel_count; k++)
        printf("  %-25s %-8s %5zu  %s\n", kernels[k]->name, kernels[k]->family,
               kernels[k]->sweep(run->options.quick, NULL), kernels[k]->formula);
    printf("fills:\n ");
    for (int fill = 0; fill < FILL_GIVEN; fill++)
        printf(" %s", fill_name((enum fill)fill));
    printf("\nvariants:\n");
    for (int v = 0; v < run->variant_count; v++)
        printf("  %-15s %s\n", run->variants[v].name,
               run->variants[v].usable == MMK_OK ? "usable"
                                                 : mmk_status_string(run->variants[v].usable));
}

/* --require: what is not there or was skipped fails. Returns how many. */
static size_t check_required(const struct run *run)
{
    size_t failures = 0;
    for (int i = 0; i < run->options.require.count; i++) {
        const char *name = run->options.require.item[i];
        int v = find_variant(run, name);
        size_t done = 0;
        for (size_t k = 0; v >= 0 && k < kernel_count; k++)
            done += run->report->cell[k][v].passed + run->report->cell[k][v].failed;
        if (done > 0)
            continue;
        fprintf(stderr, "FAIL --require %s: no check ran on it: %s\n", name,
                v < 0             ? "this build does not have it"
                : !run->chosen[v] ? "it was not chosen"
                                  : mmk_status_string(run->variants[v].usable));
        failures++;
    }
    return failures;
}

/* Not under qemu: what it executes runs outside of it. There the kernel knows this process by
 * another name. Where this fails, the run is slower and right all the same. */
static void run_anew(char **argv)
{
    char name[16] = "", path[4096];
    prctl(PR_GET_NAME, name);
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0 || strncmp(name, program_invocation_short_name, sizeof name - 1) != 0)
        return;
    path[length] = '\0';
    execv(path, argv);
}

/* A name that no build has is a slip of the pen, and told before anything runs. */
static void check_required_names(const struct run *run)
{
    for (int i = 0; i < run->options.require.count; i++) {
        const char *name = run->options.require.item[i];
        bool known = find_variant(run, name) >= 0;
        for (unsigned isa = 0; isa < MMK_ISA_COUNT; isa++)
            known = known || strcmp(name, mmk_isa_name((enum mmk_isa)isa)) == 0;
        if (!known)
            usage_error("--require %s: there is no such instruction set; --list shows them.", name);
    }
}

/* 1, 2 and 3; quick goes without 2, because teams of one size need no new threads, each of which
 * costs an emulator time and memory that it does not give back. */
static void default_threads(struct options *o)
{
    for (int threads = 1; threads <= 3; threads++)
        if (!o->quick || threads != 2)
            o->threads[o->thread_count++] = threads;
}

static void print_version(FILE *out, struct argp_state *state)
{
    (void)state;
    fprintf(out, "mmk-check %s\n", mmk_version());
}

int main(int argc, char **argv)
{
    static struct run run; /* guards and lists start at zero */
    if (start_anew)
        run_anew(argv);
    run.options = (struct options){.seed = 1, .repeat = 1};
    static const struct argp argp = {
        argp_options,
        parse_option,
        NULL,
        "Checks every mmk kernel on every instruction set of this machine against the double "
        "oracle "
        "and bit by bit against the others.\vExit status: 0 all passed, 1 something failed, 2 bad "
        "options.",
        NULL,
        NULL,
        NULL};
    argp_err_exit_status = 2;
    argp_program_version_hook = print_version;
    argp_parse(&argp, argc, argv, 0, NULL, &run.options);
    if (run.options.thread_count == 0)
        default_threads(&run.options);
    run.variant_count = variants_find(run.variants);
    if (kernel_count > REPORT_KERNELS)
        usage_error("REPORT_KERNELS in report.h is too small for %zu kernels.", kernel_count);
    check_names(&run);
    check_required_names(&run);
    if (run.options.junit && !report_can_write(run.options.junit))
        return 2;
    if (run.options.list) {
        print_list(&run);
        return 0;
    }
    if (run.options.fingerprint) {
        print_fingerprints(&run);
        return 0;
    }

    run.report = crash_shared(sizeof *run.report);
    run.note = crash_shared(sizeof *run.note);
    if (!run.options.quiet) {
        printf("mmk-check %s, seed %" PRIu64 ", runs on:", mmk_version(), run.options.seed);
        for (int v = 0; v < run.variant_count; v++)
            if (run.chosen[v])
                printf(" %s%s", run.variants[v].name,
                       run.variants[v].usable == MMK_OK ? "" : " (skipped, not usable here)");
        printf("\n");
    }
    bool finished = crash_run(run.note, run_checks, on_crash, &run);

    size_t passed, failed, skipped;
    report_total(run.report, &passed, &failed, &skipped);
    failed += check_required(&run);
    if (!finished) {
        fprintf(stderr, "FAIL the run did not come to its end\n");
        failed++;
    } else if (passed + failed == 0 && skipped == 0 && run.options.shape.count > 0) {
        usage_error("--shape %s: no shape of the chosen kernels begins with it; leave it out to "
                    "check them all.",
                    run.options.shape.item[0]);
    } else if (passed + failed == 0) {
        fprintf(stderr, "FAIL nothing was checked\n");
        failed++;
    }
    if (!run.options.quiet)
        report_table(run.report, run.variants, run.variant_count);
    if (run.options.tap)
        report_tap(run.report, run.variants, run.variant_count);
    if (run.options.junit &&
        !report_junit(run.report, run.variants, run.variant_count, run.options.junit))
        failed++;
    printf("%s%zu passed, %zu failed, %zu skipped\n", run.options.tap ? "# " : "", passed, failed,
           skipped);
    return failed > 0;
}
