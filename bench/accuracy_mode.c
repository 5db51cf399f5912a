/* accuracy_mode.c - mmk-bench accuracy: its options, and what a run does.
 * SPDX-License-Identifier: MIT
 */
#include "accuracy_mode.h"

#include "accuracy/accuracy.h"
#include "accuracy/report.h"
#include "base/console.h"
#include "base/new_file.h"
#include "machine/timer.h"
#include "pick.h"
#include "results/accuracy_json.h"
#include "results/results.h"

#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 262144, MOST_SMOKE = 1024, MOST_EVER = 1 << 24 };

enum option_key {
    KEY_THREADS = 't',
    KEY_MOST = 1000,
    KEY_PEERS,
    KEY_SEED,
    KEY_SMOKE,
    KEY_LOSSES,
    KEY_JSON,
    KEY_RESULTS
};

static const struct argp_option argp_options[] = {
    {"most", KEY_MOST, "N", 0, "rows of the longest side (default: 262144)", 1},
    {"peers", KEY_PEERS, "LIST", 0,
     "those to compare with, comma-separated, or none (default: all that are installed; with "
     "--smoke none)",
     1},
    {"threads", KEY_THREADS, "N", 0, "threads; no result of ours depends on it (default: all CPUs)",
     1},
    {"seed", KEY_SEED, "N", 0, "of the rows (default: 1)", 1},
    {"losses", KEY_LOSSES, NULL, 0, "losses and logits only, not the worst error of every kernel",
     1},
    {"smoke", KEY_SMOKE, NULL, 0, "everything once, small, in seconds: proves that it runs", 1},
    {"json", KEY_JSON, "FILE", 0, "write all errors to FILE", 2},
    {"results", KEY_RESULTS, "DIR", 0,
     "save DIR/<cpu>/<date>/accuracy.json, and make DIR/TABLES.md and the plots anew", 2},
    {NULL, 0, NULL, 0, NULL, 0}};

struct wanted {
    struct accuracy_options options;
    const char *json, *results;
};

static size_t parse_most(const char *text)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (end == text || *end || errno || text[0] == '-' || value < ACCURACY_SHORT ||
        value > MOST_EVER)
        refuse("--most %s: that is no count from %d to %d; write for instance --most 65536", text,
               ACCURACY_SHORT, MOST_EVER);
    return value;
}

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    struct wanted *w = state->input;
    switch (key) {
    case KEY_MOST:
        w->options.most = parse_most(text);
        return 0;
    case KEY_PEERS:
        w->options.peers = text;
        return 0;
    case KEY_THREADS:
        w->options.threads = parse_threads(text);
        return 0;
    case KEY_SEED:
        w->options.seed = parse_seed(text);
        return 0;
    case KEY_LOSSES:
        w->options.losses_only = true;
        return 0;
    case KEY_SMOKE:
        w->options.smoke = true;
        return 0;
    case KEY_JSON:
        w->json = text;
        return 0;
    case KEY_RESULTS:
        w->results = text;
        return 0;
    case ARGP_KEY_ARG:
        refuse("%s: accuracy takes options only; `mmk-bench accuracy --help` lists them", text);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int accuracy_mode_main(int argc, char **argv)
{
    static const struct argp argp = {
        argp_options,
        parse_option,
        NULL,
        "Measures how wrong losses and gradients are, against the length of the sums in them: "
        "InfoNCE, uniformity and the sigmoid loss, one side of 256 rows and the other growing, "
        "beside the formula in double, and PyTorch in float32; and of every kernel the worst error "
        "over kinds of rows and by hill climbing, beside that of other libraries.\v"
        "It takes some 6 minutes on 2 cores and 3 GB; --most 65536 less of both.\n\n"
        "Exit status: 0 all is well; 2 a bad option or input.",
        NULL,
        NULL,
        NULL};
    static char name[] = "mmk-bench accuracy"; /* as it stands in --help */
    struct wanted w = {.options = {.seed = 1}};
    struct accuracy accuracy;
    enum mmk_isa isa;
    char error[4600], path[4096];
    argv[0] = name;
    argp_err_exit_status = EXIT_USAGE;
    if (argp_parse(&argp, argc, argv, 0, NULL, &w) != 0)
        refuse("there is no memory to read the options; close something");
    if (w.options.peers)
        pick_check_peer_names(w.options.peers);
    else if (w.options.smoke)
        w.options.peers = "none";
    if (w.options.most == 0)
        w.options.most = w.options.smoke ? MOST_SMOKE : MOST;
    if (w.options.threads == 0)
        w.options.threads = timer_cpus();
    if ((w.json && !new_file_possible(w.json, error, sizeof error)) ||
        (w.results && !results_can_save(w.results, error, sizeof error)))
        refuse("%s", error);
    must_be_good(mmk_isa_in_use(&isa), "MMK_ISA");
    accuracy_measure(&accuracy, &w.options);
    accuracy_report(stdout, &accuracy, 1);
    accuracy_report_kernels(stdout, &accuracy, 2);
    if ((w.json && !accuracy_write_json(&accuracy, w.json, error, sizeof error)) ||
        (w.results &&
         !results_save_accuracy(&accuracy, w.results, path, sizeof path, error, sizeof error)))
        refuse("%s", error);
    if (w.results)
        fprintf(stderr, "saved %s; tables in %s/TABLES.md\n", path, w.results);
    accuracy_free(&accuracy);
    return EXIT_GOOD;
}
