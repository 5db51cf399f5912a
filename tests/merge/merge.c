/* merge.c - mmk-check merge: its options, and the order of things.
 * SPDX-License-Identifier: MIT
 */
#include "merge.h"

#include "../../bench/base/memory.h"
#include "../../bench/base/new_file.h"
#include "../check/options.h"
#include "verdict.h"

#include <argp.h>
#include <string.h>
#include <sys/stat.h>

enum { OPT_REQUIRE = 256, OPT_JUNIT, OPT_JSON };

static const struct argp_option argp_options[] = {
    {"require", OPT_REQUIRE, "LIST", 0,
     "Instruction sets on which every kernel must have been checked, by any of the runs: "
     "avx2,avx512,neon:native; with :native or :emulated only runs on such machines count",
     0},
    {"junit", OPT_JUNIT, "FILE", 0, "Write a JUnit XML report of all runs", 0},
    {"json", OPT_JSON, "FILE", 0, "Write the verdict as JSON", 0},
    {0}};

struct wanted {
    struct verdict_of_runs verdict;
    const char *path[RUNS_MAX], *junit, *json;
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct wanted *w = state->input;
    struct verdict_of_runs *v = &w->verdict;
    char error[320], *save;
    switch (key) {
    case OPT_REQUIRE:
        if (arg[strspn(arg, ",")] == '\0')
            options_error("--require takes a name; '%s' has none.", arg);
        for (char *word = strtok_r(arg, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
            if (v->required_count == REQUIRED_MAX)
                options_error("--require takes at most %d names.", REQUIRED_MAX);
            if (!required_parse(&v->required[v->required_count++], word, error, sizeof error))
                options_error("%s.", error);
        }
        return 0;
    case OPT_JUNIT:
        w->junit = arg;
        return 0;
    case OPT_JSON:
        w->json = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (v->count == RUNS_MAX)
            options_error("merge: %s: it takes at most %d reports.", arg, RUNS_MAX);
        w->path[v->count++] = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void must_be_possible(const char *option, const char *path)
{
    char error[4600];
    if (path && !new_file_possible(path, error, sizeof error))
        options_error("%s %s.", option, error);
}

/* No report that is read is replaced by what is written, whatever name it has. */
static void must_be_another(const char *option, const char *path, const struct wanted *w)
{
    struct stat written, report;
    if (!path || stat(path, &written) != 0)
        return;
    for (size_t r = 0; r < w->verdict.count; r++)
        if (stat(w->path[r], &report) == 0 && report.st_dev == written.st_dev &&
            report.st_ino == written.st_ino)
            options_error("%s %s: that is one of the reports; name another file.", option, path);
}

int merge_main(int argc, char **argv)
{
    static const struct argp argp = {
        argp_options,
        parse_option,
        "REPORT...",
        "One verdict over several runs of mmk-check, as of several machines: each REPORT is a file "
        "that `mmk-check --json` wrote. All must be of one version. Where two runs had the same "
        "inputs, their results must have the same bits.\v"
        "A run with --no-oracle counts where another, with the oracle, has the same results. A run "
        "that was narrowed by --kernel does not count for the kernels that it left out, one "
        "narrowed by --shape or --fill for none, where --require asks. Whether a machine is "
        "emulated the run has found out; where it could not, it counts as neither.\n\n"
        "Exit status: 0 all passed, and nothing required is missing; 1 something failed, or bits "
        "differ; 2 bad options, or files that cannot be joined; 3 nothing failed, but something "
        "required was not checked.",
        NULL,
        NULL,
        NULL};
    static char name[] = "mmk-check merge"; /* as it stands in --help */
    static struct wanted w;
    struct verdict_of_runs *v = &w.verdict;
    char error[9400];
    argv[0] = name;
    argp_err_exit_status = 2;
    if (argp_parse(&argp, argc, argv, 0, NULL, &w) != 0)
        options_error("there is no memory to read the options; close something.");
    if (v->count == 0)
        options_error("merge takes the reports that mmk-check --json wrote; write for instance "
                      "mmk-check merge a.json b.json --require avx512,neon:native.");
    if (w.junit && w.json && strcmp(w.junit, w.json) == 0)
        options_error("--json and --junit both name %s; give them a file each.", w.json);
    must_be_possible("--junit", w.junit);
    must_be_possible("--json", w.json);
    must_be_another("--junit", w.junit, &w);
    must_be_another("--json", w.json, &w);
    v->runs = memory_new(v->count, sizeof *v->runs);
    for (size_t r = 0; r < v->count; r++)
        if (!saved_read(&v->runs[r], w.path[r], error, sizeof error))
            options_error("%s.", error);
    if (!join_possible(v->runs, v->count, error, sizeof error))
        options_error("%s.", error);
    verdict_find(v);
    verdict_print(v);
    if (w.junit && !verdict_junit(v, w.junit, error, sizeof error))
        options_error("--junit %s.", error);
    if (w.json && !verdict_json(v, w.json, error, sizeof error))
        options_error("--json %s.", error);
    return verdict_status(v);
}
