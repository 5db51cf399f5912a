/* compare_mode.c - mmk-bench compare: its options, and the runs that it reads.
 * SPDX-License-Identifier: MIT
 */
#include "compare_mode.h"

#include "base/console.h"
#include "report/compare.h"
#include "results/json.h"
#include "results/results.h"
#include "timing/plan.h"

#include <argp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_RUNS = 26 }; /* they are called A to Z */

enum option_key { KEY_KERNEL = 'k', KEY_MARKDOWN = 1000 };

static const struct argp_option argp_options[] = {
    {"kernel", KEY_KERNEL, "LIST", 0, "kernels or families, comma-separated (default: all)", 1},
    {"markdown", KEY_MARKDOWN, NULL, 0, "print Markdown tables", 1},
    {NULL, 0, NULL, 0, NULL, 0}};

struct wanted {
    const char *kernel, *paths[MOST_RUNS];
    size_t count;
    bool markdown;
};

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    struct wanted *w = state->input;
    switch (key) {
    case KEY_KERNEL:
        w->kernel = text;
        return 0;
    case KEY_MARKDOWN:
        w->markdown = true;
        return 0;
    case ARGP_KEY_ARG:
        if (w->count == MOST_RUNS)
            refuse("%s: compare takes up to %d runs; leave some out", text, MOST_RUNS);
        w->paths[w->count++] = text;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void read_run(struct saved *saved, const char *path)
{
    struct stat status;
    char file[4096], error[4600];
    bool folder = stat(path, &status) == 0 && S_ISDIR(status.st_mode);
    snprintf(file, sizeof file, folder ? "%.4000s/" RESULTS_RUN : "%.4000s", path);
    if (folder && access(file, F_OK) != 0)
        refuse("%s holds no " RESULTS_RUN "; give a folder <cpu>/<date> that has one, or a file of "
               "--json",
               path);
    saved->path = path;
    if (!results_read_json(&saved->run, file, error, sizeof error))
        refuse("%s", error);
}

static void must_have_common_rows(const struct saved *runs, size_t r, const char *list)
{
    struct compare compare;
    compare_runs(&runs[0].run, &runs[r].run, list, &compare);
    if (compare.count == 0)
        refuse("%s and %s have no row in common that both timed (%zu in one alone, %zu in the "
               "other); give runs of the same kernels and shapes%s",
               runs[0].path, runs[r].path, compare.before_count, compare.after_count,
               list ? ", or leave out --kernel" : "");
    compare_free(&compare);
}

int compare_mode_main(int argc, char **argv)
{
    static const struct argp argp = {
        argp_options,
        parse_option,
        "RUN RUN...",
        "Sets saved runs side by side, each against the first: for every kernel, shape, kind of "
        "data, number of threads and variant that both have timed how long a call took, and how "
        "many times as fast it became. A RUN is a file that --json or --results wrote, or a folder "
        "results/<cpu>/<date>.\v"
        "This is history, and no judge: the runs were not timed together, and whatever else "
        "changed "
        "on the machine is in every ratio; but on one kind of CPU times of one thread that state a "
        "clock are all stated at the first run's. Intervals are over launches of the program; of "
        "runs "
        "from before there were launches none is known. Whether a change made something slower "
        "`mmk-bench --gate` decides.\n\n"
        "Exit status: 0 the runs were compared; 2 a bad option or input.",
        NULL,
        NULL,
        NULL};
    static char name[] = "mmk-bench compare"; /* as it stands in --help */
    static struct saved runs[MOST_RUNS];
    struct wanted w = {.kernel = NULL};
    char error[1024];
    argv[0] = name;
    argp_err_exit_status = EXIT_USAGE;
    if (argp_parse(&argp, argc, argv, 0, NULL, &w) != 0)
        refuse("there is no memory to read the options; close something");
    if (w.count < 2)
        refuse("compare takes two saved runs or more; write for instance mmk-bench compare "
               "before.json after.json");
    if (w.kernel && !plan_check_kernels(w.kernel, error, sizeof error))
        refuse("%s", error);
    for (size_t r = 0; r < w.count; r++)
        read_run(&runs[r], w.paths[r]);
    compare_state_clock(runs, w.count);
    for (size_t r = 1; r < w.count; r++)
        must_have_common_rows(runs, r, w.kernel);
    (w.markdown ? compare_markdown : compare_terminal)(stdout, runs, w.count, w.kernel);
    for (size_t r = 0; r < w.count; r++)
        run_free(&runs[r].run);
    return EXIT_GOOD;
}
