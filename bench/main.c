/* main.c - mmk-bench: options, and what is done with them.
 * SPDX-License-Identifier: MIT
 */
#include "base/console.h"
#include "curves/curve.h"
#include "curves/curve_report.h"
#include "data/data.h"
#include "timing/gate.h"
#include "timing/job.h"
#include "base/new_file.h"
#include "machine/peaks.h"
#include "timing/plan.h"
#include "report/report.h"
#include "results/results.h"
#include "retrieve/retrieve.h"
#include "timing/sampler.h"

#include <argp.h>
#include <errno.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { MAX_VARIANTS = 32, MOST_PICKED = 2 * MAX_VARIANTS }; /* with peers */

enum option_key {
    KEY_KERNEL = 'k',
    KEY_ISA = 'i',
    KEY_SHAPE = 's',
    KEY_THREADS = 't',
    KEY_LIST = 'l',
    KEY_SECONDS = 1000,
    KEY_JSON,
    KEY_MARKDOWN,
    KEY_CSV,
    KEY_DATA,
    KEY_PAIRS,
    KEY_SEED,
    KEY_SMOKE,
    KEY_ALL,
    KEY_PROFILE,
    KEY_RESULTS,
    KEY_TABLES,
    KEY_GATE,
    KEY_SERVE,
    KEY_CURVES,
    KEY_DIM,
    KEY_ONCE,
    KEY_PEERS
};

static const struct argp_option argp_options[] = {
    {NULL, 0, NULL, 0, "What is timed:", 1},
    {"kernel", KEY_KERNEL, "LIST", 0, "kernels or families, comma-separated (default: all)", 1},
    {"isa", KEY_ISA, "LIST", 0,
     "variants, comma-separated: ref, scalar, autovec, avx2, avx512, neon (default: all that run "
     "here; the "
     "compiler's version that a variant is compared with comes along)",
     1},
    {"peers", KEY_PEERS, "LIST", 0,
     "other libraries to compare with, comma-separated, or none (default: all that are installed; "
     "with --smoke none)",
     1},
    {"shape", KEY_SHAPE, "SHAPE", 0,
     "any shape: sizes in the order --list shows, 4096x4096x512, or by name, m=64,n=1000,d=3; for "
     "InfoNCE also with words, 4096x4096x512:dot:s=100:streamed; may be repeated (default: the "
     "standard ones)",
     1},
    {"threads", KEY_THREADS, "N", 0, "threads (default: 1, and large cases with all CPUs too)", 1},
    {"all", KEY_ALL, NULL, 0, "every standard shape, not a choice of them", 1},
    {"smoke", KEY_SMOKE, NULL, 0, "everything once, small, in seconds: proves that it runs", 1},
    {"data", KEY_DATA, "FILE", 0,
     "your embeddings, a .npy of n x d f16, f32 or f64 or a .fbin, in place of the standard data",
     1},
    {"pairs", KEY_PAIRS, "FILE", 0, "with --data: the second view; row i of both is a pair", 1},
    {"seed", KEY_SEED, "N", 0, "of synthetic data and of the order of samples (default: 1)", 1},
    {"seconds", KEY_SECONDS, "S", 0,
     "what the run may take, about (default: 170, with peers 230; with --curves 240, --smoke 12, "
     "--profile 10, --gate 60)",
     1},
    {NULL, 0, NULL, 0, "What comes out:", 2},
    {"json", KEY_JSON, "FILE", 0, "write raw samples and machine to FILE", 2},
    {"markdown", KEY_MARKDOWN, NULL, 0, "print Markdown tables", 2},
    {"csv", KEY_CSV, NULL, 0, "print comma-separated values", 2},
    {"results", KEY_RESULTS, "DIR", 0,
     "save DIR/<cpu>/<date>/run.json, and make DIR/TABLES.md and the plots anew", 2},
    {NULL, 0, NULL, 0, "Other things to do:", 3},
    {"list", KEY_LIST, NULL, 0, "list kernels with their shapes, variants, and peers", 3},
    {"curves", KEY_CURVES, "LIST", OPTION_ARG_OPTIONAL,
     "InfoNCE forward + backward instead: time against the batch, memory against the batch, speed "
     "against the workspace, speed-up by threads; or those of batch,memory,workspace,threads. "
     "--all takes memory in smaller steps, to a batch of 131072",
     3},
    {"dim", KEY_DIM, "D", 0, "with --curves: the dimension (default: 512, workspace 128 too)", 3},
    {"once", KEY_ONCE, "KERNEL", 0,
     "one call of one variant (--isa) at one --shape, without a check, and what memory it took: "
     "what --curves runs for each of its points of memory",
     3},
    {"profile", KEY_PROFILE, "KERNEL", 0,
     "run one variant (--isa, default the widest) at one --shape in a loop, for perf record", 3},
    {"tables", KEY_TABLES, "DIR", 0, "make DIR/TABLES.md and the plots from the saved samples", 3},
    {"gate", KEY_GATE, "PROGRAM", 0,
     "compare with another mmk-bench, interleaved: exit 0 PASS, 1 REGRESSED, 2 INCONCLUSIVE", 3},
    {"serve", KEY_SERVE, NULL, OPTION_HIDDEN, "the child's side of --gate", 3},
    {NULL, 0, NULL, 0, NULL, 0}};

struct arguments {
    const char *kernel, *isa, *peers, *json, *data, *pairs, *profile, *results, *tables, *gate;
    const char *once;
    const char *curves; /* NULL: not wanted; "": all */
    char shapes[1024];
    int threads;
    size_t dim;
    double seconds;
    uint64_t seed;
    bool markdown, csv, list, smoke, all, serve;
};

static double parse_positive(const char *option, const char *text, const char *example)
{
    char *end;
    errno = 0;
    double value = strtod(text, &end);
    if (end == text || *end || errno || !(value > 0.0) || value > 1e6)
        refuse("%s %s: that is no positive number; write for instance %s %s", option, text, option,
               example);
    return value;
}

static uint64_t parse_seed(const char *text)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 0);
    if (end == text || *end || errno || text[0] == '-')
        refuse("--seed %s: that is no whole number; write for instance --seed 1", text);
    return value;
}

static size_t parse_dim(const char *text)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (end == text || *end || errno || text[0] == '-' || value < 1 || value > 1 << 20)
        refuse("--dim %s: that is no dimension from 1 to %d; write for instance --dim 768", text,
               1 << 20);
    return value;
}

static void add_shape(struct arguments *a, const char *text)
{
    size_t used = strlen(a->shapes);
    if (used + strlen(text) + 2 > sizeof a->shapes)
        refuse("--shape: that is too many shapes for one run; make several runs of it");
    snprintf(a->shapes + used, sizeof a->shapes - used, "%s%s", used ? ";" : "", text);
}

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    struct arguments *a = state->input;
    switch (key) {
    case KEY_KERNEL:
        a->kernel = text;
        return 0;
    case KEY_ISA:
        a->isa = text;
        return 0;
    case KEY_SHAPE:
        add_shape(a, text);
        return 0;
    case KEY_THREADS:
        a->threads = parse_threads(text);
        return 0;
    case KEY_SECONDS:
        a->seconds = parse_positive("--seconds", text, "60");
        return 0;
    case KEY_JSON:
        a->json = text;
        return 0;
    case KEY_MARKDOWN:
        a->markdown = true;
        return 0;
    case KEY_CSV:
        a->csv = true;
        return 0;
    case KEY_DATA:
        a->data = text;
        return 0;
    case KEY_PAIRS:
        a->pairs = text;
        return 0;
    case KEY_SEED:
        a->seed = parse_seed(text);
        return 0;
    case KEY_SMOKE:
        a->smoke = true;
        return 0;
    case KEY_ALL:
        a->all = true;
        return 0;
    case KEY_PROFILE:
        a->profile = text;
        return 0;
    case KEY_RESULTS:
        a->results = text;
        return 0;
    case KEY_TABLES:
        a->tables = text;
        return 0;
    case KEY_GATE:
        a->gate = text;
        return 0;
    case KEY_PEERS:
        a->peers = text;
        return 0;
    case KEY_CURVES:
        a->curves = text ? text : "";
        return 0;
    case KEY_DIM:
        a->dim = parse_dim(text);
        return 0;
    case KEY_ONCE:
        a->once = text;
        return 0;
    case KEY_LIST:
        a->list = true;
        return 0;
    case KEY_SERVE:
        a->serve = true;
        return 0;
    case ARGP_KEY_ARG:
        refuse("%s: mmk-bench takes options only; `mmk-bench --help` lists them", text);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- Which variants ---------------------------------------------------------------------------
 */

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
    refuse("%s=%s: there is no such variant; use one of autovec, %s", option, word, usable);
}

/* Marks what a comma-separated list names. with_baselines: and what those are compared with. */
static void choose_variants(const char *option, const char *names, bool with_baselines,
                            bool *chosen)
{
    const struct variant *list;
    size_t count = variants_list(&list);
    char copy[256], *rest = copy, *word;
    snprintf(copy, sizeof copy, "%s", names);
    while ((word = strsep(&rest, ",")) != NULL) {
        bool found = false;
        for (size_t v = 0; v < count; v++)
            if (names_variant(word, &list[v])) {
                chosen[v] = true;
                found = true;
            }
        if (!found)
            refuse_variant(option, word);
    }
    for (size_t v = 0; with_baselines && v < count; v++)
        for (size_t b = 0; chosen[v] && b < count; b++)
            if (list[v].row && strcmp(list[v].baseline, list[b].name) == 0)
                chosen[b] = true;
}

/* --isa, else MMK_ISA, else all; for one_only the widest. */
static size_t pick_variants(const struct arguments *a, bool one_only,
                            const struct variant *picked[MAX_VARIANTS])
{
    const struct variant *list;
    size_t count = variants_list(&list), picked_count = 0;
    bool chosen[MAX_VARIANTS] = {false};
    const char *environment = getenv("MMK_ISA");
    if (a->isa)
        choose_variants("--isa", a->isa, !one_only, chosen);
    else if (environment && environment[0])
        choose_variants("MMK_ISA", environment, !one_only, chosen);
    else if (one_only)
        chosen[count - 1] = true;
    else
        memset(chosen, true, sizeof chosen);
    for (size_t v = 0; v < count; v++)
        if (chosen[v])
            picked[picked_count++] = &list[v];
    return picked_count;
}

/* ---- Which peers ------------------------------------------------------------------------------
 */

static const char *const peers_remedy = "`make peers` installs and builds what is missing";

/* Whether a comma-separated list has the word. */
static bool list_has(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; *at;) {
        size_t next = strcspn(at, ",");
        if (next == length && strncmp(at, word, length) == 0)
            return true;
        at += next + (at[next] == ',');
    }
    return false;
}

static void check_peer_names(const char *names)
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

/* --peers, else all that are installed, as far as the plan has cases for them, opened and as
 * variants. What is not there is named in run->missing, or refused where it was asked for. */
static size_t pick_peers(const struct arguments *a, const struct plan *plan, struct run *run,
                         struct variant picked[MAX_VARIANTS])
{
    const char *names = wanted_peers(a);
    size_t count = 0;
    for (size_t i = 0; peers_name(i) && count < MAX_VARIANTS; i++) {
        char error[512];
        if ((names && !list_has(names, peers_name(i))) || !plan_concerns(plan, i))
            continue;
        struct peer *peer = peers_find(i, error, sizeof error);
        if (peer && peers_open(peer, error, sizeof error))
            picked[count++] = variant_of_peer(peer);
        else if (names)
            refuse("--peers %s: %s; %s", peers_name(i), error, peers_remedy);
        else
            run_add_missing(run, "peer %s: %s; %s", peers_name(i), error, peers_remedy);
    }
    return count;
}

/* Names of the peers, as far as they are wanted and there, that have the kernel. */
static size_t installed_peers(const struct arguments *a, const struct kernel *kernel,
                              const char *found[CURVE_MOST_PEERS])
{
    const char *names = wanted_peers(a);
    size_t count = 0;
    for (size_t i = 0; peers_name(i) && count < CURVE_MOST_PEERS; i++) {
        char error[512];
        if ((!names || list_has(names, peers_name(i))) && peers_concern(i, kernel) &&
            peers_find(i, error, sizeof error))
            found[count++] = peers_name(i);
    }
    return count;
}

/* ---- Modes ------------------------------------------------------------------------------------
 */

static void print_list(void)
{
    const struct variant *list;
    size_t count = variants_list(&list);
    printf("kernels (sizes are written in this order)\n");
    for (size_t i = 0; i < kernel_count; i++) {
        const struct kernel *kernel = kernels[i];
        printf("  %-26s %-5s %s\n", kernel->name, kernel->dims, kernel->formula);
        printf("    ");
        for (size_t s = 0; s < kernel->bench_count; s++) {
            struct plan_case c = {
                .kernel = kernel, .shape = kernel->bench[s], .workspace = WORKSPACE_STORED};
            char text[96];
            plan_shape_text(&c, text, sizeof text);
            printf("%s%s", s ? ", " : "", text);
        }
        printf("\n");
    }
    printf("variants\n ");
    for (size_t v = 0; v < count; v++)
        printf(" %s", list[v].name);
    printf("\npeers\n");
    for (size_t i = 0; peers_name(i); i++) {
        char error[512];
        if (peers_find(i, error, sizeof error))
            printf("  %s\n", peers_name(i));
        else
            printf("  %-14s missing: %s; %s\n", peers_name(i), error, peers_remedy);
    }
}

/* The user's data, or Fashion-MNIST; NULL (and a line in run->missing) where there is none. */
static const struct source *open_source(const struct arguments *a, struct source *source,
                                        struct run *run)
{
    char error[1024];
    if (a->data) {
        if (!data_open_files(source, a->data, a->pairs, error, sizeof error))
            refuse("%s", error);
        return source;
    }
    if (a->pairs)
        refuse("--pairs %s: it is the second view of --data FILE; give that too", a->pairs);
    if (data_open_fashion(source, a->smoke ? 1000 : 25000, error, sizeof error))
        return source;
    run_add_missing(run, "Fashion-MNIST, and with it all cases on real data: %s", error);
    return NULL;
}

static int run_profile(const struct arguments *a)
{
    const struct variant *variants[MAX_VARIANTS];
    if (pick_variants(a, true, variants) != 1)
        refuse("--profile runs one variant; name one with --isa, such as --isa avx2");
    if (!kernel_find(a->profile))
        refuse("--profile %s: there is no such kernel; `mmk-bench --list` shows them", a->profile);
    struct plan plan;
    struct run run;
    struct source source;
    char error[1024], text[96];
    run_init(&run);
    struct plan_options options = {.kernel = a->profile,
                                   .shape = a->shapes[0] ? a->shapes : NULL,
                                   .threads = a->threads ? a->threads : 1,
                                   .cpus = timer_cpus(),
                                   .own_data = a->data != NULL};
    if (a->data)
        options.source = open_source(a, &source, &run);
    if (!plan_make(&plan, &options, &run, error, sizeof error))
        refuse("%s", error);
    /* Of the standard shapes, the largest that a run takes by default. */
    const struct plan_case *c = &plan.cases[0];
    for (size_t i = 1; i < plan.count && !a->shapes[0]; i++)
        if (plan_work(c->kernel, &plan.cases[i].shape) > plan_work(c->kernel, &c->shape) &&
            plan_work(c->kernel, &plan.cases[i].shape) < 4e10)
            c = &plan.cases[i];
    struct job job;
    if (!job_open(&job, c, a->seed, error, sizeof error))
        refuse("%s: %s; give a smaller one with --shape", a->profile, error);
    variant_select(variants[0]);
    if (!variant_prepare(variants[0], &job.trial, error, sizeof error))
        refuse("%s: %s", a->profile, error);
    plan_shape_text(c, text, sizeof text);
    if (!job_can_be_judged(c, error, sizeof error)) {
        printf("%s %s: not checked: %s\n", a->profile, text, error);
    } else {
        struct column column = {.calls = 1};
        job_oracle(&job, false);
        if (!job_check(&job, variants[0], &column)) {
            printf("%s %s %s: FAILED CHECK: %s\n", a->profile, text, variants[0]->name,
                   column.note);
            return EXIT_WRONG;
        }
    }
    double seconds = a->seconds > 0.0 ? a->seconds : 10.0;
    printf("%s %s, %s, %d thread%s: in a loop for %g s ...\n", a->profile, text, variants[0]->name,
           c->threads, c->threads == 1 ? "" : "s", seconds);
    fflush(stdout);
    omp_set_num_threads(c->threads);
    if (c->threads == 1)
        timer_pin();
    double rate = job_loop(&job, variants[0], seconds);
    double flops = c->kernel->flops(&c->shape), bytes = c->kernel->bytes(&c->shape);
    printf("%.4g calls/s, %.4g us a call, %.4g GFLOP/s, %.4g GB/s (kernel's own byte model); %s\n",
           rate, 1e6 / rate, 1e-9 * flops * rate, 1e-9 * bytes * rate,
           "a mean, not paired with anything: for comparisons run without --profile");
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        printf("peak resident memory %.0f MB, inputs and outputs included\n",
               (double)usage.ru_maxrss / 1024.0);
    job_close(&job);
    plan_free(&plan);
    run_free(&run);
    if (a->data)
        data_close(&source);
    return EXIT_GOOD;
}

static int run_once(const struct arguments *a)
{
    const struct variant *variants[MAX_VARIANTS];
    struct variant peers[MAX_VARIANTS];
    if (!a->peers && pick_variants(a, true, variants) != 1)
        refuse("--once runs one variant; name one with --isa or --peers, such as --isa avx2");
    if (!kernel_find(a->once) || !a->shapes[0])
        refuse("--once %s: give the name of a kernel, and a --shape; `mmk-bench --list` shows both",
               a->once);
    struct plan plan;
    struct run run;
    char error[1024];
    run_init(&run);
    struct plan_options options = {.kernel = a->once,
                                   .shape = a->shapes,
                                   .threads = a->threads ? a->threads : 1,
                                   .cpus = timer_cpus()};
    if (!plan_make(&plan, &options, &run, error, sizeof error))
        refuse("%s", error);
    if (a->peers && pick_peers(a, &plan, &run, peers) != 1)
        refuse("--peers %s: --once runs one, and one that has %s", a->peers, a->once);
    bool good = curve_call(&plan.cases[0], a->peers ? &peers[0] : variants[0], a->seed);
    peers_close();
    plan_free(&plan);
    run_free(&run);
    return good ? EXIT_GOOD : EXIT_WRONG;
}

/* For each kernel the largest standard shape of which a hundred calls take no more than a second.
 */
static void keep_gate_cases(struct plan *plan)
{
    const double most_work = 1e9, most_bytes = 32e6;
    size_t kept = 0;
    for (size_t i = 0; i < plan->count; i++) {
        struct plan_case c = plan->cases[i];
        double work = plan_work(c.kernel, &c.shape);
        bool same = kept > 0 && plan->cases[kept - 1].kernel == c.kernel;
        if (c.threads > 1 || work > most_work || c.kernel->bytes(&c.shape) > most_bytes)
            continue;
        if (!same)
            plan->cases[kept++] = c;
        else if (work > plan_work(c.kernel, &plan->cases[kept - 1].shape))
            plan->cases[kept - 1] = c;
    }
    plan->count = kept;
}

static int run_gate(const struct arguments *a)
{
    const struct variant *variants[MAX_VARIANTS];
    const char *names[MAX_VARIANTS];
    size_t count = pick_variants(a, true, variants);
    for (size_t v = 0; v < count; v++)
        names[v] = variants[v]->name;
    struct plan plan;
    struct run run;
    char error[1024];
    run_init(&run);
    struct plan_options options = {.kernel = a->kernel,
                                   .shape = a->shapes[0] ? a->shapes : NULL,
                                   .threads = a->threads ? a->threads : 1,
                                   .cpus = timer_cpus(),
                                   .all = true};
    if (a->data)
        refuse("--data %s: --gate compares on standard data; leave it out", a->data);
    if (!plan_make(&plan, &options, &run, error, sizeof error))
        refuse("%s", error);
    if (!a->shapes[0])
        keep_gate_cases(&plan);
    enum gate_verdict verdict =
        gate_run(stdout, a->gate, &plan, names, count, a->seconds > 0.0 ? a->seconds : 60.0,
                 a->seed, error, sizeof error);
    plan_free(&plan);
    run_free(&run);
    if (verdict == GATE_ERROR)
        refuse("%s", error);
    return (int)verdict;
}

/* Small cases first: what they leave of their share goes to the large ones. A group stays together:
 * its cases are of one size. */
static int compare_work(const void *left, const void *right)
{
    const struct plan_case *a = left, *b = right;
    double x = plan_work(a->kernel, &a->shape), y = plan_work(b->kernel, &b->shape);
    if (x != y)
        return x < y ? -1 : 1;
    return a->order - b->order;
}

/* How many cases from the first on are timed together. */
static size_t group_size(const struct plan_case *first, const struct plan_case *end)
{
    const struct plan_case *c = first + 1;
    while (first->group != 0 && c < end && c->group == first->group)
        c++;
    return (size_t)(c - first);
}

/* Which of the variants that were picked run a case. */
static size_t case_variants(const struct plan_case *c, const struct variant *const *picked,
                            size_t count, const struct variant **chosen)
{
    const struct variant *run[MOST_PICKED];
    size_t run_count = 0, chosen_count = 0;
    for (size_t v = 0; v < count; v++) {
        const struct peer *peer = picked[v]->peer;
        if (peer ? c->peers && peer->runs(c->kernel)
                 : picked[v]->row || c->threads == 1) /* the oracle has no threads of its own */
            run[run_count++] = picked[v];
    }
    if (c->curve != CURVE_NONE)
        return curve_variants(c->curve, run, run_count, chosen);
    for (; chosen_count < run_count; chosen_count++)
        chosen[chosen_count] = run[chosen_count];
    return chosen_count;
}

/* What a group of cases gets of the time that a run has: with peers half as much again. Of the
 * points of a curve large ones count in full, and every variant. */
static double weight(const struct plan_case *cases, size_t size,
                     const struct variant *const *variants, size_t count)
{
    double sum = 0.0;
    for (const struct plan_case *c = cases; c < cases + size; c++) {
        double work = plan_work(c->kernel, &c->shape) / 1e9;
        if (c->curve != CURVE_NONE)
            sum += work * (double)count;
        else
            sum += work < 1.0 ? 1.0 : work < 60.0 ? work : 60.0;
    }
    bool peers = count > 0 && variants[count - 1]->peer;
    return cases->curve == CURVE_NONE && peers ? 1.5 * sum : sum;
}

/* Of all the time, what a group of a curve gets at least. */
#define LEAST_SHARE 0.005

static double budget(const struct arguments *a, bool peers)
{
    double seconds = a->curves ? 240.0 : peers ? 230.0 : 170.0;
    return a->seconds > 0.0 ? a->seconds : a->smoke ? 12.0 : seconds;
}

/* Of the time that a run has, what a group of a curve needs at least. The oracle need not run again
 * for the shape of the group before. */
static double least_seconds(const struct plan_case *cases, size_t size,
                            const struct plan_case *before, const struct sampler_options *options)
{
    bool judged = before && memcmp(&before->shape, &cases->shape, sizeof cases->shape) == 0;
    return cases->curve == CURVE_NONE ? 0.0 : sampler_least_seconds(cases, size, options, judged);
}

__attribute__((noreturn)) static void refuse_cases(void)
{
    refuse("there is no memory left; give fewer cases with --kernel or --shape");
}

static void run_cases(const struct arguments *a, struct plan *plan, struct run *run, double start)
{
    static struct variant peers[MAX_VARIANTS];
    const struct variant *picked[MOST_PICKED], *chosen[MOST_PICKED];
    size_t count = pick_variants(a, false, picked);
    size_t done = 0;
    progress_count(done, plan->count);
    progress("starting peers");
    size_t peer_count = pick_peers(a, plan, run, peers);
    for (size_t p = 0; p < peer_count; p++)
        picked[count++] = &peers[p];
    struct sampler_options options = {.max_rounds = a->smoke ? 6 : 61,
                                      .sample_seconds = a->smoke ? 50e-6 : 100e-6,
                                      .seed = a->seed,
                                      .variants = chosen,
                                      .progress = progress};
    double whole = budget(a, peer_count > 0), weights = 0.0;
    const struct plan_case *end = plan->cases + plan->count, *c, *before = NULL;
    size_t size;
    double *needs = calloc(plan->count + 1, sizeof *needs); /* of the groups that begin there */
    if (!needs)
        refuse_cases();
    qsort(plan->cases, plan->count, sizeof *plan->cases, compare_work);
    progress("estimating");
    for (c = plan->cases; c < end; before = c, c += size) {
        size = group_size(c, end);
        options.variant_count = case_variants(c, picked, count, chosen);
        weights += weight(c, size, chosen, options.variant_count);
        needs[c - plan->cases] = least_seconds(c, size, before, &options);
        options.reserved += needs[c - plan->cases];
    }
    for (c = plan->cases; c < end; c += size) {
        size = group_size(c, end);
        options.variant_count = case_variants(c, picked, count, chosen);
        options.widest_first = c->curve != CURVE_NONE;
        options.reserved -= needs[c - plan->cases];
        double left = whole - (timer_now() - start);
        double ours = weight(c, size, chosen, options.variant_count);
        if (a->smoke) /* goes on rather than leave a case out */
            left = fmax(left, 0.5 * whole);
        double share = left > 0.0 ? left * ours / weights : 0.0;
        if (c->curve != CURVE_NONE) /* by their work small batches would get nothing */
            share = fmax(share, LEAST_SHARE * whole);
        weights -= ours;
        progress_count(done += size, plan->count);
        struct result *results = run_add_results(run, size);
        if (!results || !sampler_run(results, c, size, &options, share, left))
            refuse_cases();
    }
    free(needs);
    progress_end();
    sampler_end();
    peers_close();
}

/* What --curves takes is listed in the plan; its points of memory are measured right away. */
static void plan_curves(const struct arguments *a, struct plan *plan, struct run *run)
{
    const struct variant *picked[MAX_VARIANTS];
    size_t count = pick_variants(a, false, picked);
    struct curve_options options = {.dim = a->dim,
                                    .threads = a->threads,
                                    .cpus = timer_cpus(),
                                    .smoke = a->smoke,
                                    .all = a->all};
    char error[256];
    if (a->kernel || a->shapes[0] || a->data)
        refuse("--curves has shapes and data of its own; leave out --kernel, --shape and --data");
    if (!curve_parse(&options, a->curves, error, sizeof error))
        refuse("%s", error);
    const struct variant *ours[MAX_VARIANTS];
    if ((count = curve_variants(CURVE_BATCH, picked, count, ours)) == 0)
        refuse("--curves needs one of the library's own instruction sets; leave out --isa and "
               "MMK_ISA, or name avx2, say");
    memset(plan, 0, sizeof *plan);
    bool good = curve_plan(plan, &options);
    const char *peers[CURVE_MOST_PEERS];
    size_t peer_count = installed_peers(a, kernel_find("infonce_forward_backward"), peers);
    if (good && options.memory)
        good = curve_memory(run, &options, ours[count - 1]->name, peers, peer_count, a->seed,
                            budget(a, false) * (plan->count ? 0.4 : 1.0), progress);
    if (!good)
        refuse_cases();
}

static void plan_cases(const struct arguments *a, struct plan *plan, struct source *source,
                       struct run *run)
{
    char error[1024];
    struct plan_options options = {.kernel = a->kernel,
                                   .shape = a->shapes[0] ? a->shapes : NULL,
                                   .threads = a->threads,
                                   .cpus = timer_cpus(),
                                   .all = a->all,
                                   .smoke = a->smoke,
                                   .own_data = a->data != NULL};
    if (a->dim)
        refuse("--dim %zu: it goes with --curves; else give a whole --shape", a->dim);
    options.source = open_source(a, source, run);
    if (!plan_make(plan, &options, run, error, sizeof error))
        refuse("%s", error);
}

static void print_report(const struct arguments *a, const struct run *run)
{
    if (a->csv) {
        report_csv(stdout, run);
        if (run->memory_count > 0) {
            printf("\n");
            curve_memory_csv(stdout, run);
        }
    } else if (a->curves) {
        curve_report(stdout, run, 1);
    } else if (a->markdown) {
        report_markdown(stdout, run, 1);
    } else {
        report_terminal(stdout, run);
    }
    if (!a->markdown || a->curves)
        report_summary(a->csv ? stderr : stdout, run);
}

static int run_bench(const struct arguments *a)
{
    static struct run run;
    struct source source;
    struct plan plan;
    char error[4600], path[4096];
    run_init(&run);
    memset(&source, 0, sizeof source);
    const struct variant *picked[MAX_VARIANTS];
    pick_variants(a, false, picked); /* refuses before anything long begins */
    if (a->peers)
        check_peer_names(a->peers);
    if ((a->json && !new_file_possible(a->json, error, sizeof error)) ||
        (a->results && !results_can_save(a->results, error, sizeof error)))
        refuse("%s", error);
    double start = timer_now();
    if (a->curves)
        plan_curves(a, &plan, &run);
    else
        plan_cases(a, &plan, &source, &run);
    machine_describe(&run.machine);
    run.seed = a->seed;
    int max_threads = a->threads > timer_cpus() ? a->threads : timer_cpus();
    if (!peaks_open(max_threads))
        refuse("there is no memory for the bandwidth measurement; free about %d MB", 512);
    run_cases(a, &plan, &run, start);
    run.seconds = timer_now() - start;
    print_report(a, &run);
    bool good = true;
    if (a->json && !results_write_json(&run, a->json, error, sizeof error))
        good = false;
    if (good && a->results) {
        good = results_save(&run, a->curves ? RESULTS_CURVES : RESULTS_RUN, a->results, path,
                            sizeof path, error, sizeof error);
        if (good)
            fprintf(stderr, "saved %s; tables in %s/TABLES.md\n", path, a->results);
    }
    struct tally tally = analyse_tally(&run);
    peaks_close();
    plan_free(&plan);
    data_close(&source);
    run_free(&run);
    if (!good)
        refuse("%s", error);
    return tally.failed ? EXIT_WRONG : EXIT_GOOD;
}

static void print_version(FILE *out, struct argp_state *state)
{
    (void)state;
    fprintf(out, "mmk-bench %s\n", mmk_version());
}

int main(int argc, char **argv)
{
    static const struct argp argp = {
        argp_options,
        parse_option,
        NULL,
        "Checks and times mmk's kernels: every variant interleaved with the others and with the "
        "machine's peaks, round by round.\v"
        "`mmk-bench retrieve` searches a gallery of yours and measures what it finds; `mmk-bench "
        "retrieve --help` tells more.\n\n"
        "Exit status: 0 all is well; 1 a variant failed its check; 2 a bad option or input.",
        NULL,
        NULL,
        NULL};
    static struct arguments a = {.seed = 1};
    char error[4600];
    if (argc > 1 && strcmp(argv[1], "retrieve") == 0)
        return retrieve_main(argc - 1, argv + 1);
    argp_err_exit_status = EXIT_USAGE;
    argp_program_version_hook = print_version;
    argp_parse(&argp, argc, argv, 0, NULL, &a);
    if (a.serve)
        return gate_serve();
    if (a.list) {
        print_list();
        return EXIT_GOOD;
    }
    if (a.tables) {
        if (!results_make_tables(a.tables, error, sizeof error))
            refuse("%s", error);
        printf("made %s/TABLES.md and the plots\n", a.tables);
        return EXIT_GOOD;
    }
    if (a.profile)
        return run_profile(&a);
    if (a.once)
        return run_once(&a);
    if (a.gate)
        return run_gate(&a);
    return run_bench(&a);
}
