/* options.c - mmk-check's options: read, checked, and asked what they leave of all trials.
 * SPDX-License-Identifier: MIT
 */
#include "options.h"

#include <argp.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void options_error(const char *format, ...)
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
    int before = list->count;
    for (char *word = strtok_r(text, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
        if (list->count == LIST_MAX)
            options_error("--%s takes at most %d names.", option, LIST_MAX);
        list->item[list->count++] = word;
    }
    if (list->count == before)
        options_error("--%s takes a name; '%s' has none.", option, text);
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
    if (errno || end == text || *end || !isdigit((unsigned char)text[0]) || value < least ||
        value > most)
        options_error("--%s takes a number from %" PRIu64 " to %" PRIu64 ", not '%s'.", option,
                      least, most, text);
    return value;
}

/* K/N, which stands for a list of kernels. */
static void part_read(struct options *o, const char *text)
{
    static struct list part;
    const char *slash = strchr(text, '/');
    char k[24] = "";
    if (!slash || (size_t)(slash - text) >= sizeof k)
        options_error("--part takes a part and their number, e.g. 1/4, not '%s'.", text);
    memcpy(k, text, (size_t)(slash - text));
    uint64_t parts = number("part", slash + 1, 1, 64);
    uint64_t first = number("part", k, 1, parts);
    if (o->part)
        options_error("--part may be given once.");
    o->part = &part;
    for (size_t i = (size_t)first - 1; parts > 1 && i < kernel_count; i += (size_t)parts)
        part.item[part.count++] = kernels[i]->name;
    if (parts > 1 && part.count == 0)
        options_error("--part %s: there are %zu kernels only.", text, kernel_count);
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
    OPT_QUIET,
    OPT_STOP,
    OPT_JSON,
    OPT_LIBRARY,
    OPT_EMULATED,
    OPT_NO_ORACLE,
    OPT_PART
};

static const struct argp_option argp_options[] = {
    {"kernel", OPT_KERNEL, "NAME", 0, "Only this kernel or family (repeatable, or a,b,c)", 0},
    {"part", OPT_PART, "K/N", 0,
     "Only the Kth kernel and every Nth after it: a run shared among N processes or machines", 0},
    {"isa", OPT_ISA, "NAME", 0, "Only this instruction set or autovec-* variant", 0},
    {"fill", OPT_FILL, "NAME", 0, "Only this kind of input", 0},
    {"shape", OPT_SHAPE, "TEXT", 0, "Only shapes that begin with TEXT, e.g. 5x7x3", 0},
    {"threads", OPT_THREADS, "N", 0,
     "Thread counts, taken in turn (default 1,3,2, and 8 or 13 for 3 where there is much work; "
     "quick 1,3)",
     0},
    {"seed", OPT_SEED, "N", 0, "Seed of the inputs (default 1)", 0},
    {"repeat", OPT_REPEAT, "N", 0, "Run with N seeds, from --seed upwards", 0},
    {"quick", OPT_QUICK, NULL, 0,
     "Fewer shapes, and two calls in place of three where there is much work: for emulators and "
     "sanitizers",
     0},
    {"require", OPT_REQUIRE, "NAME", 0,
     "That this instruction set, or a kernel on it, is skipped is a failure", 0},
    {"list", OPT_LIST, NULL, 0, "List kernels, fills and variants, and end", 0},
    {"fingerprint", OPT_FINGERPRINT, NULL, 0,
     "Print the numerics version and one hash per kernel and fill, the same on every machine, and "
     "end",
     0},
    {"tap", OPT_TAP, NULL, 0, "Report as TAP on standard output", 0},
    {"junit", OPT_JUNIT, "FILE", 0, "Write a JUnit XML report as well", 0},
    {"json", OPT_JSON, "FILE", 0, "Write a report as JSON as well, for mmk-check merge", 0},
    {"library", OPT_LIBRARY, "PATH", 0,
     "Judge this libmmk.so (a fork, an older one) in place of the code in mmk-check: each "
     "instruction set that it offers; what it lacks is skipped. The compiler's own (autovec) are "
     "left out, having no public name",
     0},
    {"emulated", OPT_EMULATED, NULL, 0,
     "This machine is an emulated one (qemu-system without KVM), which on aarch64 mmk-check cannot "
     "see",
     0},
    {"no-oracle", OPT_NO_ORACLE, NULL, 0,
     "Results are compared with each other alone: for an emulator, in which the oracle takes long. "
     "`mmk-check merge` compares them with those of a run that has the oracle, or does not count "
     "them",
     0},
    {"quiet", OPT_QUIET, NULL, 0, "Print failures and the closing line only", 0},
    {"stop", OPT_STOP, NULL, 0, "End at the first failure", 0},
    {0}};

/* An empty word names nothing: no list, no shape, no file. */
static void refuse_empty(int key, const char *arg)
{
    for (const struct argp_option *option = argp_options; option->name; option++)
        if (option->key == key && arg && *arg == '\0')
            options_error("--%s is empty: it takes %s; or leave it out.", option->name,
                          option->arg);
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    refuse_empty(key, arg);
    switch (key) {
    case OPT_KERNEL:
        list_add(&o->kernel, "kernel", arg);
        break;
    case OPT_PART:
        part_read(o, arg);
        break;
    case OPT_ISA:
        list_add(&o->isa, "isa", arg);
        break;
    case OPT_FILL:
        list_add(&o->fill, "fill", arg);
        break;
    case OPT_SHAPE: /* not a list: a shape holds commas */
        if (o->shape.count == LIST_MAX)
            options_error("--shape may be given %d times.", LIST_MAX);
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
                options_error("--threads takes at most %d counts.", THREADS_MAX);
            o->threads[o->thread_count++] = (int)number("threads", word, 0, 1024);
        }
        if (o->thread_count == 0)
            options_error("--threads takes numbers, e.g. 1,2,3.");
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
    case OPT_JSON:
        o->json = arg;
        break;
    case OPT_LIBRARY:
        o->library = arg;
        break;
    case OPT_EMULATED:
        o->emulated = true;
        break;
    case OPT_NO_ORACLE:
        o->no_oracle = true;
        break;
    case OPT_QUIET:
        o->quiet = true;
        break;
    case OPT_STOP:
        o->stop = true;
        break;
    case ARGP_KEY_ARG:
        options_error("'%s' is not an option; mmk-check --help lists them.", arg);
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

/* 1, 2 and 3; quick 1 and 3 alone, because teams of one size need no new threads, each of which
 * costs an emulator time and memory that it does not give back. */
static void default_threads(struct options *o)
{
    static const int all[] = {1, 3, 2};
    for (int i = 0; i < (o->quick ? 2 : 3); i++)
        o->threads[o->thread_count++] = all[i];
    o->may_take_many = !o->quick;
}

static void print_version(FILE *out, struct argp_state *state)
{
    (void)state;
    fprintf(out, "mmk-check %s, numerics %d\n", mmk_version(), mmk_numerics_version());
}

void options_parse(struct options *o, int argc, char **argv)
{
    *o = (struct options){.seed = 1, .repeat = 1};
    static const struct argp argp = {
        argp_options,
        parse_option,
        NULL,
        "Checks every mmk kernel on every instruction set of this machine against the double "
        "oracle "
        "and bit by bit against the others. `mmk-check merge --help`: one verdict over the runs of "
        "several machines.\v"
        "Exit status: 0 all passed (what is skipped is counted, and fails only where --require "
        "names it), 1 something failed, 2 bad options or files that cannot be written. The last "
        "line is `N passed, N failed, N skipped`; --tap puts `# ` before it. In JUnit, TAP and "
        "JSON a test is a kernel on an instruction set.",
        NULL,
        NULL,
        NULL};
    argp_err_exit_status = 2;
    argp_program_version_hook = print_version;
    if (argp_parse(&argp, argc, argv, 0, NULL, o) != 0)
        options_error("there is no memory to read the options; close something.");
    if (o->thread_count == 0)
        default_threads(o);
    else
        o->threads_given = true;
    if ((o->list || o->fingerprint) && (o->json || o->junit || o->tap || o->require.count > 0))
        options_error("%s checks nothing: --json, --junit, --tap and --require are of a run.",
                      o->list ? "--list" : "--fingerprint");
    if (o->no_oracle && (o->junit || o->tap))
        options_error("--no-oracle: what passes in this run alone is not proved; --junit and --tap "
                      "are merge's to write.");
    if (o->part && o->kernel.count > 0)
        options_error("--part names kernels, and so does --kernel; give one of them.");
    if (o->part)
        o->kernel = *o->part; /* none: all */
    if (o->no_oracle && !o->json)
        options_error("--no-oracle proves nothing by itself: write a report with --json, and give "
                      "it to `mmk-check merge` with that of a run that has the oracle.");
    if (o->json && o->junit && strcmp(o->json, o->junit) == 0)
        options_error("--json and --junit both name %s; give them a file each.", o->json);
}

void options_check_names(const struct options *o)
{
    for (int i = 0; i < o->kernel.count; i++) {
        bool found = kernel_find(o->kernel.item[i]) != NULL;
        for (size_t k = 0; k < kernel_count && !found; k++)
            found = strcmp(kernels[k]->family, o->kernel.item[i]) == 0;
        if (!found)
            options_error(
                "--kernel: there is no kernel or family '%s'; mmk-check --list names them.",
                o->kernel.item[i]);
    }
    for (int i = 0; i < o->fill.count; i++) {
        bool found = false;
        for (int f = 0; f < FILL_GIVEN; f++)
            found = found || strcmp(fill_name((enum fill)f), o->fill.item[i]) == 0;
        if (!found)
            options_error("--fill: there is no fill '%s'; mmk-check --list names them.",
                          o->fill.item[i]);
    }
}

bool options_have_kernel(const struct options *o, const struct kernel *kernel)
{
    const struct list *list = &o->kernel;
    return list->count == 0 || list_has(list, kernel->name) ||
           (!o->part && list_has(list, kernel->family)); /* a family may have a kernel's name */
}

bool options_have_fill(const struct options *o, const struct kernel *kernel,
                       const struct shape *shape, enum fill fill)
{
    const struct list *list = &o->fill;
    if (list->count > 0 && !list_has(list, fill_name(fill)))
        return false;
    return fill_fits(kernel, shape, fill);
}

bool options_have_shape(const struct options *o, const char *text)
{
    const struct list *list = &o->shape;
    for (int i = 0; i < list->count; i++)
        if (strncmp(text, list->item[i], strlen(list->item[i])) == 0)
            return true;
    return list->count == 0;
}
