/* options.c - what mmk-bench understands on its command line.
 * SPDX-License-Identifier: MIT
 */
#include "options.h"

#include "base/console.h"
#include "base/standard_output.h"
#include "data/open_vectors.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    KEY_BF16,
    KEY_SEED,
    KEY_SMOKE,
    KEY_ALL,
    KEY_PROFILE,
    KEY_RESULTS,
    KEY_TABLES,
    KEY_GATE,
    KEY_THRESHOLD,
    KEY_JUNIT,
    KEY_LIMIT,
    KEY_SERVE,
    KEY_LAUNCH,
    KEY_UNDISTURBED,
    KEY_PRECISION,
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
     "other libraries to compare with, comma-separated, or none (default: all that are installed, "
     "but for those far behind; with --smoke none)",
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
     "your embeddings, n x d, in place of the standard data: " VECTORS_READ, 1},
    {"pairs", KEY_PAIRS, "FILE", 0, "with --data: the second view; row i of both is a pair", 1},
    {"bf16", KEY_BF16, NULL, 0, "with --data: " VECTORS_BF16, 1},
    {"seed", KEY_SEED, "N", 0, "of synthetic data and of the order of samples (default: 1)", 1},
    {"seconds", KEY_SECONDS, "S", 0,
     "what the run may take, about (default: 240, with peers 320; with --curves 240, --smoke 12, "
     "--profile 10, --gate at most 232, of one kernel 55); a run ends sooner where every row is "
     "known well enough",
     1},
    {"precision", KEY_PRECISION, "PERCENT", 0,
     "a row is known well enough when half of the interval of its time and of its speed-up is "
     "that, or when twice the launches make it no narrower (default: 1)",
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
     "against the workspace, speed-up by threads; or those of batch,memory,workspace,threads; or "
     "search: queries a second of exact searches against the dimension. --all takes memory in "
     "smaller steps, to a batch of 131072",
     3},
    {"dim", KEY_DIM, "D", 0,
     "with --curves: the dimension (default: 512, workspace 128 too, search 64 to 768)", 3},
    {"once", KEY_ONCE, "KERNEL", 0,
     "one call of one variant (--isa) at one --shape, without a check, and what memory it took: "
     "what --curves runs for each of its points of memory",
     3},
    {"profile", KEY_PROFILE, "KERNEL", 0,
     "run one variant (--isa, default the widest) at one --shape in a loop, for perf record", 3},
    {"tables", KEY_TABLES, "DIR", 0, "make DIR/TABLES.md and the plots from the saved samples", 3},
    {"gate", KEY_GATE, "PROGRAM", 0,
     "compare with another mmk-bench, interleaved in several launches of both: exit 0 PASS, 1 "
     "REGRESSED, 2 INCONCLUSIVE, 3 something could not be compared, or a bad option. With "
     "--kernel, --shape, --isa (default: the widest alone), --threads, --seconds, --json, "
     "--markdown, and --results, which only keeps there what the core is known to reach. Has no "
     "--help",

     3},
    {"threshold", KEY_THRESHOLD, "PERCENT", 0, "with --gate: how much slower matters (default: 2)",
     3},
    {"limit", KEY_LIMIT, "S", 0,
     "with --gate: a program that has not answered by then hangs (default: 20; large cases have "
     "more)",
     3},
    {"junit", KEY_JUNIT, "FILE", 0, "with --gate: write a JUnit XML report, too", 3},
    {"serve", KEY_SERVE, NULL, OPTION_HIDDEN, "the child's side of --gate", 3},
    {"undisturbed", KEY_UNDISTURBED, "DIR", OPTION_HIDDEN,
     "where selftest keeps the best rates of the canaries", 3},
    {"launch", KEY_LAUNCH, NULL, OPTION_HIDDEN, "one of the launches that a run is made of", 3},
    {NULL, 0, NULL, 0, NULL, 0}};

static double parse_positive(const char *option, const char *text, const char *example)
{
    char *end;
    errno = 0;
    double value = strtod(text, &end);
    if (end == text || *end || errno || !(value > 0.0) || value > 1e6)
        refuse("%s %s: that is no number above 0 and up to 1e6; write for instance %s %s", option,
               text, option, example);
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

/* An empty word names nothing: no list, no shape, no file. */
static void refuse_empty(int key, const char *text)
{
    for (const struct argp_option *option = argp_options; option->key || option->doc; option++)
        if (option->name && option->key == key && text && *text == '\0')
            refuse("--%s is empty; give it a %s, or leave it out", option->name, option->arg);
}

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    struct arguments *a = state->input;
    refuse_empty(key, text);
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
    case KEY_BF16:
        a->bf16 = true;
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
    case KEY_THRESHOLD:
        a->threshold = parse_positive("--threshold", text, "2");
        return 0;
    case KEY_LIMIT:
        a->limit = parse_positive("--limit", text, "20");
        return 0;
    case KEY_JUNIT:
        a->junit = text;
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
    case KEY_LAUNCH:
        a->launch = true;
        return 0;
    case KEY_UNDISTURBED:
        a->undisturbed = text;
        return 0;
    case KEY_PRECISION:
        a->precision = parse_positive("--precision", text, "1");
        a->precision_given = true;
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

void options_parse(int argc, char **argv, struct arguments *a)
{
    static const struct argp argp = {
        argp_options,
        parse_option,
        NULL,
        "Checks and times mmk's kernels: every variant interleaved with the others and with the "
        "machine's peaks, round by round.\v"
        "`mmk-bench retrieve` searches a gallery of yours and measures what it finds; `mmk-bench "
        "accuracy` measures errors of losses and gradients against the batch; `mmk-bench compare` "
        "sets saved runs side by side; `mmk-bench doctor` says what this machine can resolve; "
        "`mmk-bench selftest` whether intervals of whole runs hold; with --help they tell "
        "more.\n\n"
        "Exit status: 0 all is well; 1 a variant failed its check, or a launch crashed; 2 a bad "
        "option or input; of --gate see there.",
        NULL,
        NULL,
        NULL};
    /* To a gate 2 means INCONCLUSIVE, and 0 that nothing is slower: it has no --help, after which
     * argp would end with 0. */
    bool gate = false;
    for (int i = 1; i < argc; i++)
        gate = gate || strncmp(argv[i], "--g", 3) == 0;
    if (gate)
        refusal_status = EXIT_NOT_COMPARED;
    standard_output_exit_with(refusal_status);
    argp_err_exit_status = refusal_status;
    if (argp_parse(&argp, argc, argv, gate ? ARGP_NO_HELP : 0, NULL, a) != 0)
        refuse("there is no memory to read the options; close something");
    if (!a->gate && (a->threshold > 0.0 || a->limit > 0.0 || a->junit))
        refuse("%s goes with --gate; leave it out", a->junit             ? "--junit"
                                                    : a->threshold > 0.0 ? "--threshold"
                                                                         : "--limit");
}
